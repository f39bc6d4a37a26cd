# LINK.NAME = role files that regress/unit/test_NAME.c links besides common
LINK.dns = smtpd/resolve_packet.c smtpd/resolve_cache.c
LINK.route = smtpd/relay_route.c
LINK.parse_address = regress/unit/json.c
LINK.verify_dkim = regress/unit/json.c
LINK.imap_session = regress/unit/serve.c $(filter-out imapd/session_main.c,$(wildcard imapd/session*.c))
LINK.pop3_session = regress/unit/serve.c $(filter-out pop3d/session_main.c,$(wildcard pop3d/session*.c))
LINK.smtpd = smtpd/smtp_session.c smtpd/smtp_command.c smtpd/smtp_auth.c smtpd/smtp_mail.c smtpd/smtp_data.c smtpd/smtp_header.c smtpd/smtp_store.c smtpd/smtp_commit.c
