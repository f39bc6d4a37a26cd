# LINK.NAME = role files that regress/unit/test_NAME.c links besides common
LINK.dns = smtpd/resolve_packet.c smtpd/resolve_cache.c
LINK.route = smtpd/relay_route.c
LINK.parse_address = regress/unit/json.c
LINK.verify_dkim = regress/unit/json.c
