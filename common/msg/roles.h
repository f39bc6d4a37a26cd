/*
 * Every process of the house, in one place.
 *
 * A row of ROLE_LIST is who a process is and what it may.  From the rows come
 * the enum, the table (roles.c), the jail (proc/sandbox_linux.c), users
 * (etc/users.sh), roots, directories, numbers and the order of the end
 * (maild).  Who talks to whom is maild/graph.c; which keys of maild.yaml a
 * process is told, conf/table.c; what it must never do, doc/design.md section
 * 2, from which regress/jail/t_jail has a table of its own.
 */
#ifndef ROLES_H
#define ROLES_H

#include <stdbool.h>
#include <stdint.h>

/* What a process may besides what all may. */
#define MAY_ACCEPT	0x0001	/* take connections from a listener */
#define MAY_CONNECT	0x0002	/* make IPv4 and IPv6 sockets, connect */
#define MAY_FILES	0x0004	/* files below its root */
#define MAY_MEMFD	0x0008	/* anonymous files for messages */
#define MAY_LOCK	0x0010	/* lock memory */
#define MAY_FORK	0x0020	/* fork and jail sessions (nursery): what
				 * these may besides, beneath the store */
#define MAY_NOTIFY	0x0040	/* datagram sockets below its root */
#define MAY_WRITE	0x0080	/* write files it was handed */
#define MAY_MKDIR	0x0100	/* make directories below its root */

/* Whose the root is. */
enum role_root {
	ROOT_BARE,		/* not its own, and nothing is found there */
	ROOT_SHARED,		/* of accounts: maild makes what is below */
	ROOT_KEPT,		/* its own, with what cannot be made again */
	ROOT_READ		/* its own, read by others of its group */
};

/* When it ends, the house being stopped: one after the other. */
enum role_stage {
	STAGE_FRONTS,		/* first, so that nothing new comes in */
	STAGE_SESSIONS,
	STAGE_REPORTS,
	STAGE_QUEUE,
	STAGE_HANDS,		/* what works for queue */
	STAGE_ASKED,		/* who answers the others */
	STAGE_LOG,
	STAGE_NEVER		/* not maild's to stop, or maild itself */
};

/* What it may say to maild (maild/child.c). */
enum role_says {
	SAYS_PLAIN,		/* ready, impaired, answers to mailctl */
	SAYS_ACCOUNTS,		/* grants, and what becomes of accounts */
	SAYS_LOGS,		/* accounts whose log is long */
	SAYS_KEYS,		/* records seen in the DNS */
	SAYS_FRONT,		/* connections that are over or back */
	SAYS_SESSIONS,		/* sessions that ended */
	SAYS_RUNS		/* runs of store that ended */
};

/* What a new configuration is to it; an upgrade is a new start of all. */
enum role_reload {
	RELOAD_TOLD,		/* it is told, and goes on */
	RELOAD_ANEW,		/* a new one is ready before it ends */
	RELOAD_NEVER		/* it ends before there is one */
};

/*
 * P(NAME, no, name, program, user,
 *     root, whose, may, memory, count, stage, says, nursery, reload)
 *
 * no: its number on the wire, behind the last one.  name: as ps and the log
 * show it; program: its file.  user: NULL is the number of account 0, which
 * is nobody's.  root: a directory of struct conf's dir.  count: NONE (who is
 * started otherwise), ONE, MANY(field of struct conf), CORES(the same, 0 for
 * as many as there are).  nursery: the one that makes this front's sessions,
 * or MAX.
 *
 * memory, MiB, bounds what a process can allocate: private and writable
 * memory, with what it has not touched yet (RLIMIT_DATA); mapped files and
 * memory shared with others are bounded by their own kind.  Each is several
 * times what the work told there needs, so that a fault ends one process and
 * not the machine.  maild(8) has the same figures.
 */
#define ROLE_LIST(P)							\
	/* children's channels of 64 MiB at worst, 32 for what mailctl	\
	 * does not read, 65536 grants of 56 octets */			\
	P(MAILD, 0, "maild", "maild", NULL,				\
	    empty, ROOT_BARE, 0, 1024,					\
	    NONE, STAGE_NEVER, SAYS_PLAIN, MAX, RELOAD_NEVER)		\
	P(LOGD, 1, "logd", "logd", "_maillog",				\
	    log, ROOT_READ, MAY_FILES, 256,				\
	    ONE, STAGE_LOG, SAYS_PLAIN, MAX, RELOAD_TOLD)		\
	P(SIGND_TLS, 2, "signd-tls", "signd", "_signd",			\
	    empty, ROOT_BARE, MAY_LOCK, 256,				\
	    ONE, STAGE_ASKED, SAYS_PLAIN, MAX, RELOAD_ANEW)		\
	P(SIGND_DKIM, 3, "signd-dkim", "signd", "_signdkim",		\
	    empty, ROOT_BARE, MAY_LOCK, 256,				\
	    ONE, STAGE_ASKED, SAYS_KEYS, MAX, RELOAD_ANEW)		\
	/* SQLite's pages, names of a list of all accounts, 300 octets	\
	 * each */							\
	P(AUTHD, 4, "authd", "authd", "_authd",				\
	    auth, ROOT_KEPT, MAY_FILES, 1024,				\
	    ONE, STAGE_ASKED, SAYS_ACCOUNTS, MAX, RELOAD_TOLD)		\
	/* one hash at a time, of 64 MiB; others may have been made	\
	 * elsewhere */							\
	P(HASH, 5, "authd-hash", "authd-hash", "_authd",		\
	    empty, ROOT_BARE, MAY_LOCK, 2048,				\
	    MANY(auth.workers), STAGE_ASKED, SAYS_PLAIN, MAX, RELOAD_TOLD) \
	P(RESOLVE, 6, "resolve", "resolve", "_maildns",			\
	    empty, ROOT_BARE, MAY_CONNECT, 1024,			\
	    ONE, STAGE_ASKED, SAYS_PLAIN, MAX, RELOAD_TOLD)		\
	/* 512 accounts, each with the tail of its journal */		\
	P(DELIVER, 7, "deliver", "deliver", "_mailbox",			\
	    store, ROOT_SHARED, MAY_FILES | MAY_NOTIFY, 2048,		\
	    MANY(proc.deliver), STAGE_HANDS, SAYS_LOGS, MAX, RELOAD_TOLD) \
	/* connections of 100 KiB, as many as there may be descriptors;	\
	 * 512 TLS sessions of 16 KiB, some three times that in memory */ \
	P(RELAY, 8, "relay", "relay", "_relay",				\
	    empty, ROOT_BARE, MAY_CONNECT, 4096,			\
	    MANY(proc.relay), STAGE_HANDS, SAYS_PLAIN, MAX, RELOAD_TOLD) \
	/* heads of 211000 reports, 300 at worst; four commands of 20; a \
	 * message of 1.5 reports.max-size twice, 100; what is parsed of \
	 * it, 90 */							\
	P(REPORT_IN, 9, "report-in", "report-in", "_reportin",		\
	    reports_in, ROOT_KEPT, MAY_FILES, 1024,			\
	    ONE, STAGE_HANDS, SAYS_PLAIN, MAX, RELOAD_TOLD)		\
	P(REPORT_OUT, 10, "report-out", "report-out", "_reportout",	\
	    reports_out, ROOT_KEPT, MAY_FILES | MAY_MEMFD, 512,		\
	    ONE, STAGE_REPORTS, SAYS_PLAIN, MAX, RELOAD_TOLD)		\
	/* messages that wait, 1 KiB each */				\
	P(QUEUE, 11, "queue", "queue", "_mailq",			\
	    spool, ROOT_KEPT, MAY_FILES | MAY_MEMFD | MAY_MKDIR, 8192,	\
	    ONE, STAGE_QUEUE, SAYS_PLAIN, MAX, RELOAD_TOLD)		\
	/* the limit is its sessions' too */				\
	P(IMAP_NURSERY, 12, "imap-nursery", "imap-session", NULL,	\
	    empty, ROOT_BARE,						\
	    MAY_FORK | MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    ONE, STAGE_SESSIONS, SAYS_SESSIONS, MAX, RELOAD_TOLD)	\
	P(POP3_NURSERY, 13, "pop3-nursery", "pop3-session", NULL,	\
	    empty, ROOT_BARE,						\
	    MAY_FORK | MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    ONE, STAGE_SESSIONS, SAYS_SESSIONS, MAX, RELOAD_TOLD)	\
	/* 12000 connections: TLS 48 KiB, up to 64 and a reply not read	\
	 * by the client, once more as records, 64 not read by us; smtpd \
	 * has 64 of a message and the verdict's state besides, imapd	\
	 * 160 of one that compresses: both ways, and what waits packed */ \
	P(SMTPD, 14, "smtpd", "smtpd", "_smtpd",			\
	    empty, ROOT_BARE, MAY_ACCEPT | MAY_MEMFD | MAY_WRITE, 6144,	\
	    CORES(proc.smtpd), STAGE_FRONTS, SAYS_PLAIN, MAX, RELOAD_TOLD) \
	P(IMAPD, 15, "imapd", "imapd", "_imapd",			\
	    empty, ROOT_BARE, MAY_ACCEPT, 6144, CORES(proc.imapd),	\
	    STAGE_FRONTS, SAYS_FRONT, IMAP_NURSERY, RELOAD_TOLD)	\
	P(POP3D, 16, "pop3d", "pop3d", "_popd",				\
	    empty, ROOT_BARE, MAY_ACCEPT, 4096, ONE,			\
	    STAGE_FRONTS, SAYS_FRONT, POP3_NURSERY, RELOAD_TOLD)	\
	/* a mailbox's index as far as it is not mapped, a command of	\
	 * 1 MiB */							\
	P(IMAP_SESSION, 17, "imap-session", "imap-session", NULL,	\
	    empty, ROOT_BARE, MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    NONE, STAGE_NEVER, SAYS_PLAIN, MAX, RELOAD_NEVER)		\
	P(POP3_SESSION, 18, "pop3-session", "pop3-session", NULL,	\
	    empty, ROOT_BARE, MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    NONE, STAGE_NEVER, SAYS_PLAIN, MAX, RELOAD_NEVER)		\
	/* with the user of the signd whose key it makes */		\
	P(KEYGEN, 19, "keygen", "keygen", NULL,				\
	    empty, ROOT_BARE, MAY_LOCK | MAY_WRITE, 256,		\
	    NONE, STAGE_NEVER, SAYS_PLAIN, MAX, RELOAD_NEVER)		\
	/* the limit is its runs' too */				\
	P(STORE_NURSERY, 20, "store-nursery", "store", NULL,		\
	    empty, ROOT_BARE,						\
	    MAY_FORK | MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    ONE, STAGE_SESSIONS, SAYS_RUNS, MAX, RELOAD_TOLD)		\
	/* an account's messages twice, as the index and as the journal	\
	 * have them, 72 octets each */					\
	P(STORE, 21, "store", "store", NULL,				\
	    empty, ROOT_BARE, MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024,	\
	    NONE, STAGE_NEVER, SAYS_PLAIN, MAX, RELOAD_NEVER)

#define ROLE_ENUM(NAME, no, ...) ROLE_##NAME = no,
enum proc_role { ROLE_LIST(ROLE_ENUM) ROLE_MAX };
#undef ROLE_ENUM

struct role_row {
	const char	*name, *program, *user;
	enum role_root	 whose;
	unsigned int	 may;		/* MAY_ */
	unsigned int	 memory;	/* MiB */
	enum role_stage	 stage;
	enum role_says	 says;
	enum proc_role	 nursery;
	enum role_reload reload;
};

/* The row of a role; of one that there is not, the program ends. */
const struct role_row *role_row(enum proc_role);

#endif
