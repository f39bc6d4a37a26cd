/*
 * The key table: every key of maild.yaml once, with its place in struct
 * conf, its type, default, range, and the roles that may know it.  maild
 * fills a struct conf from the file, a child from the items of its share;
 * both go through conf_set() here.  Knows no YAML and no library.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "msg/msg.h"
#include "msg/roles.h"
#include "conf/conf.h"
#include "conf/key.h"

#define R(role)		(1u << ROLE_##role)
#define R_ALL		0xffffffffu
#define R_NONE		0u
#define R_FRONTS	(R(SMTPD) | R(IMAPD) | R(POP3D))
#define R_SESSIONS	(R(IMAP_NURSERY) | R(POP3_NURSERY))
#define R_IMAP		(R(IMAPD) | R(IMAP_NURSERY))
#define R_POP3		(R(POP3D) | R(POP3_NURSERY))
#define R_MAIL		(R(SMTPD) | R(QUEUE) | R(DELIVER) | R(RELAY))
#define R_REPORT	(R(REPORT_IN) | R(REPORT_OUT))

#define UINT_LIMIT	4294967295ULL
#define KIB		1024ULL
#define MIB		(1024ULL * KIB)
#define GIB		(1024ULL * MIB)
#define DAY		86400

#define VAR		MAILD_LOCALSTATEDIR
#define ETC		MAILD_SYSCONFDIR
#define RUN		MAILD_RUNDIR

#define LIST(n, rows, m, cnt, maximum)					\
	{ n, rows, offsetof(struct conf, m),				\
	    sizeof(((struct conf *)0)->m[0]), offsetof(struct conf, cnt),	\
	    maximum }

static const struct conf_list list_domains =
	LIST("domains", false, domains, ndomains, CONF_NLIST);
static const struct conf_list list_listen =
	LIST("listen", true, listen, nlisten, CONF_NLIST);
static const struct conf_list list_tls =
	LIST("tls", true, cert, ncert, CONF_NLIST);
static const struct conf_list list_quirks =
	LIST("imap-quirks", true, quirk, nquirk, CONF_NLIST);
static const struct conf_list list_networks =
	LIST("networks", false, networks, nnetworks, CONF_NLIST);
static const struct conf_list list_resolvers =
	LIST("dns.resolvers", false, dns.resolvers, dns.nresolvers, 8);

static const struct conf_list list_exempt =
	LIST("verify.dmarc-exempt", false, verify.dmarc_exempt,
	    verify.ndmarc_exempt, CONF_NLIST);
static const struct conf_list list_forwarders =
	LIST("verify.trusted-forwarders", false, verify.forwarders,
	    verify.nforwarders, CONF_NLIST);
static const struct conf_list list_sealers =
	LIST("verify.arc-trusted", false, verify.arc_trusted,
	    verify.narc_trusted, CONF_NLIST);
static const struct conf_list list_reports =
	LIST("reports.addresses", false, reports.addresses,
	    reports.naddresses, CONF_NREPORT);

static const struct conf_list list_warn =
	LIST("quota-warn", false, quota_warn, nquota_warn, CONF_NWARN);

static const struct conf_list *const lists[] = {
	&list_domains, &list_listen, &list_tls, &list_quirks, &list_networks,
	&list_resolvers, &list_exempt, &list_forwarders, &list_sealers,
	&list_reports, &list_warn
};

/* K: one value; C: one of some words; L: member of a list of values; W: of a list of mappings */
#define K(key, type, empty, field, def, min, max, roles, doc)		\
	{ key, type, empty, NULL, offsetof(struct conf, field), def,	\
	    min, max, roles, doc, NULL }
#define C(key, field, choices, def, roles, doc)				\
	{ key, CT_CHOICE, false, NULL, offsetof(struct conf, field), def,	\
	    0, 0, roles, doc, choices }
#define L(key, type, list, max, roles, doc)				\
	{ key, type, false, &list, 0, NULL, 0, max, roles, doc, NULL }
#define W(key, type, list, str, field, def, min, max, roles, doc)	\
	{ key, type, false, &list, offsetof(struct str, field), def,	\
	    min, max, roles, doc, NULL }
/* the same, where it may be left unset */
#define WU(key, type, list, str, field, def, min, max, roles, doc)	\
	{ key, type, true, &list, offsetof(struct str, field), def,	\
	    min, max, roles, doc, NULL }

#define ACTIONS		"mark, junk, reject"	/* enum conf_action */

static const struct conf_key keys[] = {
	K("hostname", CT_HOST, false, hostname, NULL, 0, 253,
	    R_MAIL | R_FRONTS | R_SESSIONS | R_REPORT | R(AUTHD) |
	    R(SIGND_TLS) | R(SIGND_DKIM), "name of this machine in greetings, Received and certificates"),
	L("domains", CT_HOST, list_domains, 253,
	    R_MAIL | R_REPORT | R(AUTHD) | R(SIGND_DKIM),
	    "domains whose mail is kept here"),

	W("listen.address", CT_ADDR, list_listen, conf_listen, address, NULL,
	    0, 45, R_FRONTS | R(RELAY), "address to listen on"),
	W("listen.port", CT_UINT, list_listen, conf_listen, port, NULL,
	    1, 65535, R_FRONTS | R(RELAY), "port; without it the protocol's own"),
	W("listen.protocol", CT_PROTOCOL, list_listen, conf_listen, protocol,
	    NULL, 0, 0, R_FRONTS, "protocol; without it the port's own"),
	W("listen.plaintext-auth", CT_BOOL, list_listen, conf_listen,
	    plaintext_auth, "false", 0, 0, R_FRONTS,
	    "allow logins without TLS; for tests only"),

	W("tls.certificate", CT_PATH, list_tls, conf_cert, certificate, NULL,
	    0, 1023, R_FRONTS | R(SIGND_TLS), "certificate chain in PEM"),
	W("tls.key", CT_PATH, list_tls, conf_cert, key, NULL,
	    0, 1023, R(SIGND_TLS), "its private key in PEM, mode 0600, root"),

	L("networks", CT_NET, list_networks, 49, R(SMTPD) | R(AUTHD),
	    "networks that may send to anywhere without a login"),
	K("quota", CT_SIZE, false, quota, "0", 0, 1024 * 1024 * GIB,
	    R(AUTHD) | R(DELIVER) | R(SMTPD) | R_SESSIONS |
	    R(STORE_NURSERY),
	    "octets an account may hold; 0 is no limit"),
	K("quota-messages", CT_UINT, false, quota_messages, "0", 0, UINT_LIMIT,
	    R(AUTHD) | R(DELIVER) | R_SESSIONS,
	    "messages an account may hold; 0 is no limit"),
	L("quota-warn", CT_UINT, list_warn, 100, R(DELIVER),
	    "percentages of the quota at which its owner is told; 0 never"),
	K("postmaster", CT_MAILBOX, true, postmaster, NULL, 0, 320, R(AUTHD),
	    "who gets mail for postmaster and its like"),
	C("quota-reply", quota_reply, "temporary, permanent", "temporary",
	    R(SMTPD), "how mail to a full mailbox is refused"),
	K("control-group", CT_STR, true, control_group, NULL, 0, 31, R_NONE,
	    "group whose members may use mailctl, beside root"),

	K("smtp.max-size", CT_SIZE, false, smtp.max_size, "50M",
	    64 * KIB, 2 * GIB, R(SMTPD) | R(QUEUE) | R(AUTHD),
	    "largest message"),
	K("smtp.max-recipients", CT_UINT, false, smtp.max_recipients, "1000",
	    100, 10000, R(SMTPD) | R(QUEUE), "recipients of one message"),
	K("smtp.max-errors", CT_UINT, false, smtp.max_errors, "20",
	    1, 1000, R(SMTPD), "refused commands before a session ends"),
	K("smtp.max-commands", CT_UINT, false, smtp.max_commands, "1000",
	    10, 1000000, R(SMTPD), "commands that move no mail, a session"),
	K("smtp.timeout", CT_SEC, false, smtp.timeout, "5m",
	    1, DAY, R(SMTPD), "wait for a command"),
	K("smtp.data-timeout", CT_SEC, false, smtp.data_timeout, "3m",
	    1, DAY, R(SMTPD), "wait for the next block of a message"),
	K("smtp.data-rate", CT_SIZE, false, smtp.data_rate, "512",
	    16, 1024 * KIB, R(SMTPD), "least octets a second of a message"),
	K("smtp.max-connections", CT_UINT, false, smtp.max_connections,
	    "12000", 1, 1000000, R(SMTPD), "connections of one smtpd"),
	K("smtp.max-per-source", CT_UINT, false, smtp.max_per_source, "200",
	    1, 1000000, R(SMTPD), "connections from one address"),
	K("smtp.received-client", CT_BOOL, false, smtp.received_client, "true",
	    0, 0, R(SMTPD), "name a submitting client's address in Received"),

	K("imap.login-timeout", CT_SEC, false, imap.login_timeout, "1m",
	    1, DAY, R_IMAP, "time to log in"),
	K("imap.timeout", CT_SEC, false, imap.timeout, "30m",
	    1, DAY, R_IMAP, "wait for a command"),
	K("imap.max-connections", CT_UINT, false, imap.max_connections,
	    "12000", 1, 1000000, R_IMAP, "connections of one imapd"),
	K("imap.max-per-account", CT_UINT, false, imap.max_per_account, "100",
	    1, 100000, R_IMAP, "connections of one account"),
	K("imap.park", CT_SEC, false, imap.park, "5s", 0, DAY, R_IMAP,
	    "a client that is quiet so long has no process; 0: never"),
	K("imap.max-append", CT_SIZE, false, imap.max_append, "50M",
	    64 * KIB, 2 * GIB, R_IMAP, "largest message of APPEND"),
	K("imap.max-messages", CT_UINT, false, imap.max_messages, "1000000",
	    1000, 1000000000, R_IMAP, "messages that one command is about"),

	WU("imap-quirks.client", CT_STR, list_quirks, conf_quirk, client, NULL,
	    0, 32, R_IMAP, "of clients whose name by ID begins so"),
	WU("imap-quirks.account", CT_MAILBOX, list_quirks, conf_quirk, account,
	    NULL, 0, 320, R_IMAP, "of this account"),
	W("imap-quirks.port", CT_UINT, list_quirks, conf_quirk, port, "0",
	    0, 65535, R_IMAP, "of this listener; 0: of any"),
	WU("imap-quirks.hide", CT_STR, list_quirks, conf_quirk, hide, NULL,
	    0, 255, R_IMAP, "capabilities that are not told"),
	WU("imap-quirks.show", CT_STR, list_quirks, conf_quirk, show, NULL,
	    0, 255, R_IMAP, "capabilities that are told besides, as XLIST"),

	K("pop3.login-timeout", CT_SEC, false, pop3.login_timeout, "1m",
	    1, DAY, R_POP3, "time to log in"),
	K("pop3.timeout", CT_SEC, false, pop3.timeout, "10m",
	    1, DAY, R_POP3, "wait for a command"),
	K("pop3.max-connections", CT_UINT, false, pop3.max_connections,
	    "12000", 1, 1000000, R_POP3, "connections of pop3d"),
	K("pop3.max-per-account", CT_UINT, false, pop3.max_per_account, "100",
	    1, 100000, R_POP3, "connections of one account"),
	K("pop3.mark-seen", CT_BOOL, false, pop3.mark_seen, "true",
	    0, 0, R(POP3_NURSERY), "RETR sets \\Seen"),
	K("pop3.folder", CT_STR, false, pop3.folder, "INBOX", 0, 512,
	    R(POP3_NURSERY), "folder that POP3 shows"),
	C("pop3.uidl", pop3.uidl, "maild, dovecot", "maild",
	    R(POP3_NURSERY), "how UIDL writes a message's name"),
	K("pop3.login-delay", CT_SEC, false, pop3.login_delay, "0",
	    0, DAY, R_POP3, "least time between logins of an account"),

	K("store.undelete", CT_SEC, false, store.undelete, "7d",
	    0, 3660 * DAY, R(STORE_NURSERY),
	    "how long expunged mail is kept; 0: not at all"),
	K("store.undelete-size", CT_SIZE, false, store.undelete_size, "0",
	    0, 1024 * 1024 * GIB, R(STORE_NURSERY),
	    "octets of it, an account; 0: its quota, else 1G"),

	K("queue.retry-min", CT_SEC, false, queue.retry_min, "5m",
	    1, DAY, R(QUEUE), "first wait before another attempt"),
	K("queue.retry-max", CT_SEC, false, queue.retry_max, "4h",
	    1, 7 * DAY, R(QUEUE), "longest wait between attempts"),
	K("queue.expire", CT_SEC, false, queue.expire, "5d",
	    1, 30 * DAY, R(QUEUE) | R(SIGND_DKIM),
	    "give a message back to its sender after this"),
	K("queue.delay-warning", CT_SEC, false, queue.delay_warning, "4h",
	    0, 30 * DAY, R(QUEUE), "tell the sender of a delay; 0 never"),
	K("queue.min-free", CT_SIZE, false, queue.min_free, "64M",
	    0, 1024 * GIB, R(QUEUE), "free disk below which no mail is taken"),
	K("queue.batch-delay", CT_MSEC, false, queue.batch_delay, "20ms",
	    0, 10000, R(QUEUE) | R(DELIVER),
	    "how long deliver may collect messages for one sync"),
	K("queue.max-per-account", CT_UINT, false, queue.max_per_account,
	    "10000", 0, 10000000, R(QUEUE),
	    "recipients that one account may have waiting; 0 no limit"),
	K("queue.max-waiting", CT_UINT, false, queue.max_waiting,
	    "2000000", 1, 5000000, R(QUEUE),
	    "recipients that may wait in all; beyond, no mail is taken"),

	K("relay.smarthost", CT_PEER, true, relay.smarthost, NULL, 0, 255,
	    R(RELAY) | R(QUEUE), "host that takes all outgoing mail"),
	K("relay.port", CT_UINT, false, relay.port, "25", 1, 65535,
	    R(RELAY), "port of other servers"),
	K("relay.smarthost-tls", CT_BOOL, false, relay.smarthost_tls, "true",
	    0, 0, R(RELAY), "insist on TLS with a valid certificate there"),
	K("relay.user", CT_STR, true, relay.user, NULL, 0, 255,
	    R(RELAY), "login at the smarthost"),
	K("relay.password-file", CT_PATH, true, relay.password_file, NULL,
	    0, 1023, R_NONE, "file with the password of that login"),
	K("relay.ca-file", CT_PATH, true, relay.ca_file,
	    "/etc/ssl/certs/ca-certificates.crt", 0, 1023,
	    R_NONE, "certificate authorities that are trusted, in PEM"),
	K("relay.source", CT_ADDR, true, relay.source, NULL, 0, 45,
	    R(RELAY), "local address of outgoing connections"),
	K("relay.connections", CT_UINT, false, relay.connections, "10",
	    1, 1000, R(RELAY) | R(QUEUE), "connections to one destination"),
	K("relay.timeout", CT_SEC, false, relay.timeout, "5m",
	    1, 3600, R(RELAY), "wait for a reply"),
	K("relay.idle", CT_SEC, false, relay.idle, "5s",
	    0, 300, R(RELAY), "keep a connection for the next message"),
	K("relay.loopback", CT_BOOL, false, relay.loopback, "false",
	    0, 0, R(RELAY), "connect to loopback addresses; for tests only"),

	L("dns.resolvers", CT_RESOLVER, list_resolvers, 63, R(RESOLVE),
	    "name servers; none: those of /etc/resolv.conf"),
	K("dns.timeout", CT_MSEC, false, dns.timeout, "2s",
	    50, 60000, R(RESOLVE), "wait for a first answer"),
	K("dns.cache", CT_UINT, false, dns.cache, "10000",
	    0, 10000000, R(RESOLVE), "answers kept"),

	K("auth.memory", CT_UINT, false, auth.memory, "19456",
	    8192, 1048576, R(AUTHD) | R(HASH), "KiB an argon2id hash takes"),
	K("auth.passes", CT_UINT, false, auth.passes, "2",
	    1, 100, R(AUTHD) | R(HASH), "passes of a hash over its memory"),
	K("auth.workers", CT_UINT, false, auth.workers, "2",
	    1, 64, R(AUTHD), "processes that hash passwords"),
	K("auth.max-waiting", CT_UINT, false, auth.max_waiting, "256",
	    1, 100000, R(AUTHD), "logins that may wait for a hash"),
	K("auth.max-failures", CT_UINT, false, auth.max_failures, "5",
	    1, 1000, R(AUTHD), "failed logins before they slow down"),
	C("auth.log-names", auth.log_names, "none, ours, all", "ours",
	    R(AUTHD), "which names of failed logins the log tells"),
	C("auth.scram", auth.scram, "auto, yes, no", "auto",
	    R(AUTHD), "whether SCRAM is offered; auto: when all have keys"),
	K("auth.client-certificates", CT_BOOL, false,
	    auth.client_certificates, "false", 0, 0, R(AUTHD) | R_FRONTS,
	    "whether clients are asked for a certificate to log in with"),

	K("oauth.keys", CT_PATH, true, oauth.keys, NULL,
	    0, 1023, R(AUTHD), "file with the public keys of token makers"),
	K("oauth.issuer", CT_STR, true, oauth.issuer, NULL,
	    0, 512, R(HASH), "who makes them, as they say (iss)"),
	K("oauth.audience", CT_STR, true, oauth.audience, NULL,
	    0, 512, R(HASH), "whom they are for, as they say (aud)"),
	K("oauth.claim", CT_STR, false, oauth.claim, "email",
	    0, 64, R(HASH), "what of them names the account"),

	K("guard.recipients-hour", CT_UINT, false, guard.hour, "300",
	    0, 10000000, R(AUTHD),
	    "recipients outside one account may write to an hour; 0 any"),
	K("guard.recipients-day", CT_UINT, false, guard.day, "1000",
	    0, 10000000, R(AUTHD),
	    "recipients outside one account may write to a day; 0 any"),

	K("dkim.directory", CT_PATH, false, dkim.directory,
	    ETC "/maild/dkim", 0, 900, R_NONE, "signing keys"),
	K("dkim.headers", CT_FIELDS, true, dkim.headers, NULL, 0, 1023,
	    R(SIGND_DKIM), "header fields to sign instead of the usual"),
	K("dkim.expire", CT_SEC, false, dkim.expire, "0",
	    0, 366 * DAY, R(SIGND_DKIM), "life of a signature; 0 for ever"),
	K("dkim.poll", CT_SEC, false, dkim.poll, "5m",
	    1, DAY, R(SIGND_DKIM), "looks for the record of a new key"),
	K("dkim.retire", CT_SEC, false, dkim.retire, "7d",
	    1, 366 * DAY, R_NONE, "a replaced key is kept"),

	C("verify.spf-fail", verify.spf_fail, ACTIONS, "reject", R(SMTPD),
	    "mail from a host that SPF forbids"),
	C("verify.spf-helo-fail", verify.spf_helo_fail, ACTIONS, "mark",
	    R(SMTPD), "mail from a host whose HELO name SPF forbids"),
	C("verify.spf-softfail", verify.spf_softfail, ACTIONS, "mark",
	    R(SMTPD), "mail from a host that SPF does not like"),
	C("verify.spf-permerror", verify.spf_permerror, ACTIONS, "mark",
	    R(SMTPD), "mail whose SPF record is broken"),
	C("verify.dmarc", verify.dmarc, "off, report-only, enforce",
	    "enforce", R(SMTPD), "what DMARC policies are worth"),
	L("verify.dmarc-exempt", CT_HOST, list_exempt, 253, R(SMTPD),
	    "domains whose DMARC policy is not acted on"),
	L("verify.trusted-forwarders", CT_NET, list_forwarders, 49, R(SMTPD),
	    "networks whose mail is marked and never refused"),
	L("verify.arc-trusted", CT_HOST, list_sealers, 253, R(SMTPD),
	    "domains whose ARC seal excuses a failure"),
	K("verify.loopback", CT_BOOL, false, verify.loopback, "false",
	    0, 0, R(SMTPD), "verify mail of this host too; for tests only"),

	K("reports.from", CT_MAILBOX, false, reports.from, NULL, 0, 320,
	    R(QUEUE) | R(REPORT_OUT),
	    "sender of reports; none: dmarc-reports@ the first domain"),
	L("reports.addresses", CT_MAILBOX, list_reports, 320,
	    R(AUTHD) | R_REPORT, "addresses whose mail is read as reports "
	    "about us"),
	K("reports.aggregate", CT_BOOL, false, reports.aggregate, "true",
	    0, 0, R(SMTPD) | R(REPORT_OUT), "send aggregate reports"),
	K("reports.failure", CT_BOOL, false, reports.failure, "true",
	    0, 0, R(SMTPD) | R(REPORT_OUT),
	    "send failure reports to domains that ask for them"),
	K("reports.failure-copy", CT_MAILBOX, true, reports.failure_copy,
	    NULL, 0, 320, R(SMTPD) | R(REPORT_OUT),
	    "who gets a copy of every failure report"),
	K("reports.failure-limit", CT_UINT, false, reports.failure_limit,
	    "10", 1, 100000, R(REPORT_OUT),
	    "failure reports an hour about one domain"),
	K("reports.interval", CT_SEC, false, reports.interval, "1d",
	    1, 7 * DAY, R(REPORT_OUT), "time that an aggregate report covers"),
	K("reports.organization", CT_STR, true, reports.organization, NULL,
	    0, 255, R(REPORT_OUT), "name of who reports; none: hostname"),
	K("reports.contact", CT_MAILBOX, false, reports.contact, NULL,
	    0, 320, R(REPORT_OUT),
	    "whom to ask about reports; none: postmaster@ the first domain"),
	K("reports.max-size", CT_SIZE, false, reports.max_size, "10M",
	    64 * KIB, 32 * MIB, R_REPORT | R(QUEUE),
	    "octets of one report, packed"),
	K("reports.keep", CT_SEC, false, reports.keep, "400d",
	    1, 3660 * DAY, R(REPORT_IN), "how long received reports are kept"),

	K("directories.spool", CT_PATH, false, dir.spool, VAR "/spool/maild",
	    0, 900, R(QUEUE), "messages in the queue"),
	K("directories.store", CT_PATH, false, dir.store,
	    VAR "/lib/maild/store", 0, 900, R(DELIVER), "accounts"),
	K("directories.auth", CT_PATH, false, dir.auth, VAR "/lib/maild/auth",
	    0, 900, R(AUTHD), "users, aliases, domains"),
	K("directories.log", CT_PATH, false, dir.log, VAR "/log/maild",
	    0, 900, R(LOGD), "logs"),
	K("directories.reports-in", CT_PATH, false, dir.reports_in,
	    VAR "/lib/maild/reports-in", 0, 900, R(REPORT_IN),
	    "reports that were received"),
	K("directories.reports-out", CT_PATH, false, dir.reports_out,
	    VAR "/lib/maild/reports-out", 0, 900, R(REPORT_OUT),
	    "reports that are being made"),
	K("directories.empty", CT_PATH, false, dir.empty,
	    VAR "/lib/maild/empty", 0, 900, R_NONE,
	    "root of processes that need no files"),
	K("directories.tls", CT_PATH, false, dir.tls, ETC "/maild/tls",
	    0, 700, R_NONE, "certificates that maild makes itself"),
	K("directories.socket", CT_PATH, false, dir.socket,
	    RUN "/maild.sock", 0, 100, R_NONE, "socket of mailctl"),
	K("directories.pid", CT_PATH, false, dir.pid, RUN "/maild.pid",
	    0, 1023, R_NONE, "file with maild's process number"),

	K("processes.smtpd", CT_UINT, false, proc.smtpd, "0", 0, 64,
	    R_NONE, "smtpd processes; 0: one a core"),
	K("processes.imapd", CT_UINT, false, proc.imapd, "0", 0, 64,
	    R_NONE, "imapd processes; 0: one a core"),
	K("processes.deliver", CT_UINT, false, proc.deliver, "1", 1, 16,
	    R(QUEUE), "deliver processes"),
	K("processes.relay", CT_UINT, false, proc.relay, "1", 1, 16,
	    R(QUEUE), "relay processes"),
	K("processes.uid-base", CT_UINT, false, proc.uid_base, "200000",
	    1000, UINT_LIMIT / 2, R(AUTHD) | R(DELIVER) | R_SESSIONS,
	    "first of the user numbers that accounts run as"),
	K("processes.uid-count", CT_UINT, false, proc.uid_count, "100000000",
	    2, UINT_LIMIT / 2 - 1, R(AUTHD) | R(DELIVER) | R_SESSIONS,
	    "how many user numbers there are"),

	K("log.level", CT_LEVEL, false, log.level, "info", 0, 0,
	    R_ALL, "least level that is logged"),
	K("log.syslog", CT_BOOL, false, log.syslog, "true", 0, 0,
	    R(LOGD), "tell syslog too"),
	K("log.keep", CT_SEC, false, log.keep, "14d", 86400, 3660U * 86400,
	    R(LOGD), "how long a file of the log stays"),
	K("log.size", CT_SIZE, false, log.size, "64M", 64 * KIB, 1024 * GIB,
	    R(LOGD), "octets of one file of the log"),
	K("log.max", CT_SIZE, false, log.max, "2G", 256 * KIB, 1024 * GIB,
	    R(LOGD), "octets of all files of the log"),
};

static bool	 conf_set_default(struct conf *, const struct conf_key *,
		    unsigned int);
static void	*conf_at(struct conf *, const struct conf_key *, unsigned int);

struct conf *
conf_new(void)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	for (size_t i = 0; i < NITEMS(keys); i++)
		if (keys[i].list == NULL)
			(void)conf_set_default(c, &keys[i], 0);
	return c;
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < NITEMS(keys); i++) {
		const struct conf_key *k = &keys[i];
		size_t n = k->list == NULL ? 1 : conf_count(c, k->list);

		if (k->type > CT_LEVEL)
			continue;
		for (unsigned int j = 0; j < n; j++)
			free(*(char **)conf_at(c, k, j));
	}
	conf_places_free(c);
	free(c);
}

const struct conf_key *
conf_key(size_t i)
{
	return i < NITEMS(keys) ? &keys[i] : NULL;
}

const struct conf_key *
conf_find(const char *key)
{
	for (size_t i = 0; i < NITEMS(keys); i++)
		if (strcmp(keys[i].key, key) == 0)
			return &keys[i];
	return NULL;
}

bool
conf_section(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < NITEMS(keys); i++)
		if (strncmp(keys[i].key, name, n) == 0 &&
		    keys[i].key[n] == '.')
			return true;
	return false;
}

const struct conf_list *
conf_rows(const char *name)
{
	for (size_t i = 0; i < NITEMS(lists); i++)
		if (lists[i]->rows && strcmp(lists[i]->name, name) == 0)
			return lists[i];
	return NULL;
}

size_t
conf_count(const struct conf *c, const struct conf_list *l)
{
	return *(const size_t *)(const void *)((const char *)c + l->count);
}

const void *
conf_cat(const struct conf *c, const struct conf_key *k, unsigned int index)
{
	size_t off = k->off;

	if (k->list != NULL)
		off += k->list->off + index * k->list->stride;
	return (const char *)c + off;
}

/* Where value number index of k is. */
static void *
conf_at(struct conf *c, const struct conf_key *k, unsigned int index)
{
	size_t off = k->off;

	if (k->list != NULL)
		off += k->list->off + index * k->list->stride;
	return (char *)c + off;
}

static bool
conf_set_default(struct conf *c, const struct conf_key *k, unsigned int index)
{
	void *p = conf_at(c, k, index);

	if (k->type == CT_PROTOCOL)
		*(enum conf_protocol *)p = CONF_NO_PROTOCOL;
	return k->def != NULL && conf_parse(k, k->def, p) == 0;
}

/* A new member of the list with the defaults of its keys. */
static void
conf_grow(struct conf *c, const struct conf_list *l)
{
	size_t *n = (size_t *)(void *)((char *)c + l->count);

	for (size_t i = 0; i < NITEMS(keys); i++)
		if (keys[i].list == l)
			(void)conf_set_default(c, &keys[i], (unsigned int)*n);
	(*n)++;
}

static const char *
conf_most(size_t max)
{
	static char text[40];

	snprintf(text, sizeof(text), "at most %zu entries", max);
	return text;
}

int
conf_set(struct conf *c, const char *key, unsigned int index,
    const char *value, const char **want)
{
	const struct conf_key *k = conf_find(key);

	if (k == NULL) {
		*want = "a known key";
		return -1;
	}
	if (k->list == NULL && index != 0) {
		*want = "one value, no list";
		return -1;
	}
	if (k->list != NULL && index >= k->list->max) {
		*want = conf_most(k->list->max);
		return -1;
	}
	while (k->list != NULL && conf_count(c, k->list) <= index)
		conf_grow(c, k->list);
	if (conf_parse(k, value, conf_at(c, k, index)) == -1) {
		*want = conf_want(k);
		return -1;
	}
	return 0;
}
