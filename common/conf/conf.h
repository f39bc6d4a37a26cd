/*
 * The configuration: one const struct, filled from one key table
 * (table.c) either by maild from maild.yaml (maild/conf_yaml.c) or by a
 * child from the CONF_ITEM messages of its share (proc/proc.c).
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_protocol {
	PROTO_SMTP, PROTO_SUBMISSION, PROTO_SMTPS, PROTO_IMAP, PROTO_IMAPS,
	PROTO_POP3, PROTO_POP3S
};

struct conf_listen {
	char		*address;	/* "0.0.0.0", "::", a literal */
	unsigned int	 port;
	enum conf_protocol protocol;
	bool		 plaintext_auth; /* logins without TLS (tests only) */
};

struct conf_quirk {		/* imap-quirks: NULL, 0: of any */
	char		*client;	/* its name by ID begins so */
	char		*account;	/* address that it logged in to */
	unsigned int	 port;		/* of the listener */
	char		*hide;		/* capabilities, blanks between */
	char		*show;
};

struct conf_cert {
	char		*certificate;	/* PEM chain */
	char		*key;		/* PEM private key */
};

#define CONF_NLIST 64			/* members of a list */
#define CONF_NREPORT (2 * CONF_NLIST)	/* two addresses a domain */
#define CONF_NWARN 8			/* of quota-warn */

/* Which names of failed logins the log tells: what is no whole address of ours
 * may be a password that was typed in its place. */
enum conf_names { NAMES_NONE, NAMES_OURS, NAMES_ALL };
/* When SCRAM is offered: while every enabled account has keys for it, always,
 * never. */
enum conf_scram { SCRAM_AUTO, SCRAM_YES, SCRAM_NO };
/* What becomes of a message that fails, the mildest first. */
enum conf_action { ACTION_MARK, ACTION_JUNK, ACTION_REJECT };
/* What the DMARC policies of other domains are worth. */
enum conf_dmarc { DMARC_OFF, DMARC_REPORT_ONLY, DMARC_ENFORCE };

/* How a UID is written for UIDL: VALIDITY.UID, or as Dovecot does it. */
enum conf_uidl { UIDL_DOTTED, UIDL_DOVECOT };

/* How long what a client is told is true. */
enum conf_lasting { LASTING_TEMPORARY, LASTING_PERMANENT };

struct conf {
	char		*hostname;
	char		*domains[CONF_NLIST];
	size_t		 ndomains;
	struct conf_listen listen[CONF_NLIST];
	size_t		 nlisten;
	struct conf_cert cert[CONF_NLIST];	/* tls: */
	size_t		 ncert;
	struct conf_quirk quirk[CONF_NLIST];	/* imap-quirks: */
	size_t		 nquirk;
	char		*networks[CONF_NLIST];	/* may relay, CIDR; default none */
	size_t		 nnetworks;

	struct {			/* smtp: */
		uint64_t	 max_size;		/* octets, 50M */
		unsigned int	 max_recipients;	/* 1000 a message */
		unsigned int	 max_errors;		/* 20 a session */
		unsigned int	 max_commands;		/* 1000 outside a mail */
		unsigned int	 timeout;		/* s a command, 300 */
		unsigned int	 data_timeout;		/* s a block of data, 180 */
		uint64_t	 data_rate;		/* octets a s at least, 512 */
		unsigned int	 max_connections;	/* a process, 12000 */
		unsigned int	 max_per_source;	/* an address, 200 */
		bool		 received_client;	/* name client in Received */
	} smtp;
	struct {			/* imap: and pop3: fronts */
		unsigned int	 login_timeout;		/* s, 60 */
		unsigned int	 timeout;		/* s idle, 1800 (pop3 600) */
		unsigned int	 max_connections;
		unsigned int	 max_per_account;	/* 100 */
		unsigned int	 park;			/* imap: s quiet, 5 */
		uint64_t	 max_append;		/* octets, 50M */
		unsigned int	 max_messages;		/* imap: of a command, 1,000,000 */
		bool		 mark_seen;		/* pop3: RETR, true */
		char		*folder;		/* pop3: INBOX */
		unsigned int	 uidl;			/* pop3: enum conf_uidl */
		unsigned int	 login_delay;		/* pop3: s, 0 none */
	} imap, pop3;
	struct {			/* store: */
		unsigned int	 undelete;	/* s expunged mail is kept, 7d */
		uint64_t	 undelete_size;	/* octets; 0: quota, else 1G */
	} store;
	struct {			/* queue: */
		unsigned int	 retry_min;		/* s, 300 */
		unsigned int	 retry_max;		/* s, 14400 */
		unsigned int	 expire;		/* s, 432000 */
		unsigned int	 delay_warning;		/* s, 14400; 0 none */
		uint64_t	 min_free;		/* octets, 64M */
		unsigned int	 batch_delay;		/* ms deliver may collect, 20 */
		unsigned int	 max_per_account;	/* 10000; 0 any */
		unsigned int	 max_waiting;	/* recipients, 2000000 */
	} queue;
	struct {			/* relay: */
		char		*smarthost;	/* host or [literal], NULL: MX */
		unsigned int	 port;			/* 25 */
		bool		 smarthost_tls;		/* insist on verified TLS */
		char		*user;
		char		*password_file;
		char		*ca_file;
		char		*source;	/* local address, NULL any */
		unsigned int	 connections;		/* a destination, 10 */
		unsigned int	 timeout;		/* s a reply, 300 */
		unsigned int	 idle;			/* s kept for reuse, 5 */
		bool		 loopback;	/* may connect to 127/8, ::1 (tests) */
	} relay;
	struct {			/* dns: */
		char		*resolvers[8];	/* "ADDRESS" or "ADDRESS@PORT" */
		size_t		 nresolvers;	/* 0: from /etc/resolv.conf */
		unsigned int	 timeout;	/* ms first try, 2000 */
		unsigned int	 cache;		/* entries, 10000 */
	} dns;
	struct {			/* auth: */
		unsigned int	 memory;	/* KiB argon2id, 19456 */
		unsigned int	 passes;	/* 2 */
		unsigned int	 workers;	/* hash processes, 2 */
		unsigned int	 max_waiting;	/* 256 */
		unsigned int	 max_failures;	/* before slowing down, 5 */
		unsigned int	 log_names;	/* enum conf_names, ours */
		unsigned int	 scram;		/* enum conf_scram, auto */
		bool		 client_certificates; /* are asked for, false */
	} auth;
	struct {			/* oauth: */
		char		*keys;		/* JWK set; NULL: no tokens */
		char		*issuer;	/* iss of a token */
		char		*audience;	/* one of its aud */
		char		*claim;		/* that names the account, email */
	} oauth;
	struct {			/* guard: outside, for an account */
		unsigned int	 hour;	/* recipients, 300; 0 any */
		unsigned int	 day;	/* 1000; 0 any */
	} guard;
	struct {			/* dkim: */
		char		*directory;
		char		*headers;	/* NULL: the built-in list */
		unsigned int	 expire;	/* s, x=; 0 none */
		unsigned int	 poll;		/* s, looks for new keys */
		unsigned int	 retire;	/* s, a replaced key is kept */
	} dkim;
	struct {			/* verify: */
		unsigned int	 spf_fail;	/* enum conf_action */
		unsigned int	 spf_helo_fail;
		unsigned int	 spf_softfail;
		unsigned int	 spf_permerror;
		unsigned int	 dmarc;		/* enum conf_dmarc */
		char		*dmarc_exempt[CONF_NLIST];	/* author domains */
		size_t		 ndmarc_exempt;
		char		*forwarders[CONF_NLIST];	/* CIDR */
		size_t		 nforwarders;
		char		*arc_trusted[CONF_NLIST];	/* sealers */
		size_t		 narc_trusted;
		bool		 loopback;	/* judge local clients (tests) */
	} verify;
	struct {			/* reports: */
		char		*from;		/* sender of those we make */
		char		*addresses[CONF_NREPORT]; /* where ours come in */
		size_t		 naddresses;
		bool		 aggregate;	/* make aggregate reports */
		bool		 failure;	/* failure reports, to ruf= */
		char		*failure_copy;	/* address, NULL: none */
		unsigned int	 failure_limit;	/* a domain and hour, 10 */
		unsigned int	 interval;	/* s of one report, 86400 */
		char		*organization;	/* NULL: hostname */
		char		*contact;	/* address in reports */
		uint64_t	 max_size;	/* octets of one, packed, 10M */
		unsigned int	 keep;		/* s a received one stays */
	} reports;
	struct {			/* directories: */
		char		*spool;		/* /var/spool/maild */
		char		*store;		/* /var/lib/maild/store */
		char		*auth;		/* /var/lib/maild/auth */
		char		*log;		/* /var/log/maild */
		char		*reports_in;	/* /var/lib/maild/reports-in */
		char		*reports_out;	/* /var/lib/maild/reports-out */
		char		*empty;		/* /var/lib/maild/empty */
		char		*tls;		/* SYSCONFDIR/maild/tls */
		char		*socket;	/* /run/maild/maild.sock */
		char		*pid;		/* /run/maild/maild.pid */
	} dir;
	struct {			/* processes: */
		unsigned int	 smtpd;		/* 0: number of cores */
		unsigned int	 imapd;		/* 0: number of cores */
		unsigned int	 deliver;	/* 1 */
		unsigned int	 relay;		/* 1 */
		unsigned int	 uid_base;	/* accounts' uids, 200000 */
		unsigned int	 uid_count;	/* 100000000 */
	} proc;
	struct {			/* log: */
		char		*level;		/* debug info notice warn error */
		bool		 syslog;
		unsigned int	 keep;		/* s, 14d */
		uint64_t	 size;		/* octets of a file, 64M */
		uint64_t	 max;		/* of all of them, 2G */
	} log;
	uint64_t	 quota;			/* octets an account, 0 none */
	unsigned int	 quota_messages;	/* of an account, 0 none */
	unsigned int	 quota_warn[CONF_NWARN]; /* percent; 80, 95; 0 never */
	size_t		 nquota_warn;
	unsigned int	 quota_reply;		/* enum conf_lasting */
	char		*postmaster;		/* address, NULL: see maild(8) */
	char		*control_group;		/* may use mailctl; NULL: root */

	struct conf_places *places;		/* place.c; NULL: not of a file */
};

/* ---- value.c --------- */

const char *conf_protocol_name(enum conf_protocol);	/* "smtps" */

/* ---- table.c --------- */

/* A fresh configuration with every default (lists empty). */
struct conf *conf_new(void);
void	 conf_free(struct conf *);
/* Set one value by its full key ("smtp.max-size", "listen.port").  index
 * counts members of lists.  Returns 0, or -1 with *want telling what would
 * be right ("a size such as 50M, 1K to 2G"). */
int	 conf_set(struct conf *, const char *key, unsigned int index,
	    const char *value, const char **want);
/* What the whole lacks or contradicts (hostname missing, port twice), and
 * defaults that depend on others (listeners, certificate).  Each fault is
 * told with its key and, of a list, which member; how many there were. */
typedef void	 conf_tell(const char *key, unsigned int index,
		    const char *text, void *arg);
unsigned int conf_finish(struct conf *, conf_tell *, void *arg);
/* Which of domains that is (ASCII case ignored), or ndomains: none of them. */
size_t	 conf_domain(const struct conf *, const char *name);
/* Call fn for every value that role may know, in table order; role -1: all.
 * This is both what children get and what maild -nv prints. */
void	 conf_each(const struct conf *, int role, void (*fn)(const char *key,
	    unsigned int index, const char *value, void *arg), void *arg);
/* The known key nearest to a misspelt one, or NULL. */
const char *conf_nearest(const char *key);
/* The keys of a section with commas between ("": those at the left margin,
 * and the sections). */
void	 conf_known(const char *section, char *buf, size_t size);
/* Print as YAML that parses to the same again. */
void	 conf_print(const struct conf *, FILE *);

/* ---- place.c: where values stand, counted from 1 --------- */
struct conf_place { unsigned int line, col; };
void	 conf_place_set(struct conf *, const char *key, unsigned int index,
	    struct conf_place);
/* Of a value, else of the first key of its entry; line 0: it is a default. */
struct conf_place conf_place(const struct conf *, const char *key,
	    unsigned int index);
void	 conf_places_free(struct conf *);

#endif
