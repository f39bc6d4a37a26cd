/*
 * The parts of relay: routes (pure), look-ups, destinations, sessions,
 * transactions, messages.  Private to relay/.
 *
 * Layers, lowest first; a file calls those before it:
 *	route own resume tls lookup convert message tries expect auth
 *	(hello transaction session dest) relay
 */
#ifndef RELAY_H
#define RELAY_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/data.h"
#include "parse/ipaddr.h"
#include "parse/smtp.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"

#define HOST_TEXT	256	/* a host name, NUL included */
#define STATUS_TEXT	13	/* enhanced status code, NUL included */
#define REASON_TEXT	513	/* item_result.text, NUL included */

/* Why something did not work, as it goes to queue and the log. */
struct reason {
	enum delivery_result result;	/* DELIVERY_TEMP or DELIVERY_PERM */
	bool		 said;		/* by the host; else we found it */
	char		 status[STATUS_TEXT];
	char		 mta[HOST_TEXT];	/* the host, "" none */
	char		 text[REASON_TEXT];	/* one line, printable */
};

/* Fill in what we found; the text is made printable and cut. */
void	 reason_set(struct reason *, enum delivery_result, const char *status,
	    const char *mta, const char *fmt, ...)
	    __attribute__((format(printf, 5, 6)));
/* It is one for now: it may be otherwise later. */
void	 reason_later(struct reason *);

/* ---- route.c: hosts, addresses, their order; pure ---------- */

#define ROUTE_HOSTS	32	/* mail hosts tried */
#define ROUTE_SURE	16	/* of more the preferred ones; the other places
				 * are drawn, for each look-up again */
#define ROUTE_ADDRS	64	/* addresses tried, a bit each; hosts share */
#define HOST_SHARE	2	/* of them that each host has */
#define HOST_ADDRS	8	/* of one family of a host */
#define ROUTE_MX_MAX	256	/* MX records looked at: all of an answer */

struct route_host {
	char		 name[HOST_TEXT];
	uint16_t	 pref;
	bool		 temp;		/* a look-up of it failed for now */
	size_t		 n4, n6;
	struct ipaddr	 v4[HOST_ADDRS], v6[HOST_ADDRS];
};

struct route_addr {
	struct ipaddr	 ip;
	size_t		 host;		/* index */
	bool		 notls;		/* its TLS does not work */
	bool		 refused;	/* it greeted with 521 or 554 */
	uint64_t	 bad_until;	/* ms, not to be tried before */
};

struct route {
	unsigned int	 refs;
	bool		 loopback;	/* may go to 127/8 and ::1 */
	int		 family;	/* 4, 6: only these; 0 both */
	bool		 more;		/* a later one may have other hosts */
	unsigned int	 skipped;	/* addresses that may not be used */
	size_t		 nhost, naddr;
	struct route_host host[ROUTE_HOSTS];
	struct route_addr addr[ROUTE_ADDRS];
	struct reason	 bad;		/* of the last address that was bad */
};

/* The hosts for domain out of the answer for MX (NULL: none came), RFC 5321
 * 5.1, 7505.  self: our own name, which ends the list.  seed orders equal
 * preferences.  0: host[] is set; -1: *why tells. */
int	 route_mx(struct route *, const char *domain, const char *self,
	    const struct dns_ask_r *, uint64_t seed, struct reason *why);
/* One host only (smarthost, or no MX). */
void	 route_single(struct route *, const char *host);
/* "[192.0.2.1]", "[IPv6:...]": 0, or -1 if it is no literal. */
int	 route_literal(struct route *, const char *literal);
/* The answer (NULL: none) for A or AAAA of a host. */
void	 route_addresses(struct route *, size_t host, const struct dns_ask_r *);
/* Drop hosts with an address that is our own, and those that are not preferred
 * to them, RFC 5321 5.1.  0, or -1 when none is left: *why tells. */
int	 route_own(struct route *, const char *domain,
	    bool (*own)(const struct ipaddr *), struct reason *why);
/* All answers are there: put addr[] in order.  0, or -1: *why tells. */
int	 route_finish(struct route *, uint64_t seed, struct reason *why);
/* May mail go there? */
bool	 route_usable(const struct ipaddr *, bool loopback);

/* ---- own.c: addresses as the kernel has them ---------- */

/* Do we listen for mail there, at the port of other servers? */
bool	 own_address(const struct ipaddr *);
/* Returns its length. */
socklen_t sockaddr_make(struct sockaddr_storage *, const struct ipaddr *,
	    unsigned int port);

/* ---- lookup.c: asking resolve for a route ---------- */

/* Called once, not from within lookup_start: route (the receiver releases
 * it), or NULL and why.  The lookup is gone then. */
typedef void (*lookup_cb)(struct route *, const struct reason *why, void *);
/* resolve, NULL: gone for now. */
void	 lookup_channel(struct chan *);
struct lookup *lookup_start(const char *domain, lookup_cb, void *arg);
void	 lookup_free(struct lookup *);		/* no callback */
void	 route_release(struct route *);

/* ---- message.c: a message to send ---------- */

/* Where a recipient stands at the host that is being asked. */
enum rcpt_turn {
	RCPT_ASKED,		/* it is in the transaction, or in the next */
	RCPT_SAID,		/* and was refused in it */
	RCPT_CROWDED,		/* refused as one too many */
	RCPT_LATER,		/* not here now: another host may have it */
	RCPT_DONE		/* why is final */
};

struct rcpt {
	uint32_t	 index;		/* queue's name for it */
	char		*address;
	enum rcpt_turn	 turn;
	bool		 told;		/* the log has why */
	struct reason	 why;		/* the last one; status "": none yet */
};

struct message {
	TAILQ_ENTRY(message) entry;	/* of all */
	TAILQ_ENTRY(message) waiting;	/* at its destination */
	struct chan	*queue;		/* NULL: it went away */
	uint32_t	 ask;
	struct chan	*signer;	/* whom we asked */
	uint32_t	 signing;	/* its number, 0 none */
	uint64_t	 since;		/* ms */
	int		 fd;
	uint8_t		 flags;		/* QF_ */
	uint32_t	 facts;		/* octets of them behind it */
	struct session	*session;	/* that has it; NULL: it waits */
	struct convert	*convert;	/* see convert.c; NULL: not begun */
	bool		 utf8;		/* an address needs SMTPUTF8 */
	uint64_t	 offset, size;
	char		*sid, *sender, *domain;
	char		*ticket, *trace, *signature;
	size_t		 nticket, ntrace, nsignature;
	size_t		 nrcpt;
	struct rcpt	*rcpt;
	void		(*converted)(struct message *); /* see convert_start */
	void		(*gone)(struct message *); /* before it is freed */
};

/* ---- convert.c: as a host without 8BITMIME gets it ---------- */

struct downgrade_out;

enum convert_state {
	CONVERT_OPEN,		/* not begun */
	CONVERT_BUSY,
	CONVERT_READY,		/* can be sent so */
	CONVERT_NEEDLESS,	/* the message as it is will do */
	CONVERT_NO,		/* it cannot be */
	CONVERT_LATER		/* not now: no signature, not readable */
};

/* Get ready.  While it is BUSY m->converted() will be called, not from within,
 * and calls convert_end() unless it is NO, NEEDLESS or LATER by then. */
void	 convert_start(struct message *);
enum convert_state convert_state(const struct message *);
void	 convert_end(struct message *, enum convert_state,
	    struct slice signature);
void	 convert_free(struct message *);
/* Its head with the empty line, till convert_end(). */
struct slice convert_head(const struct message *);
struct slice convert_signature(const struct message *);
uint64_t convert_size(const struct message *);
/* The message is sent from its start; feed it, block by block. */
void	 convert_again(struct message *);
int	 convert_feed(struct message *, const char *, size_t,
	    const struct downgrade_out *);

/* ---- message.c, on ---------- */

/* Take a RELAY_MSG over (with its descriptor).  NULL: a field is damaged. */
struct message *message_new(struct chan *, struct msg *);
/* Octets of the fields of a head, without the empty line; -1: no From:. */
ssize_t	 message_fields(struct slice head);
/* The fields of its head, raw, in order, in buf.  Returns their octets, which
 * begin the message; buf has them if they are not more than size.  0: it is
 * larger than is ever signed, -1: it cannot be read or has no From:. */
ssize_t	 message_head(const struct message *, char *buf, size_t size);
/* The first recipient from i on that is in the transaction; nrcpt: none. */
size_t	 message_rcpt(const struct message *, size_t i);
/* What the host says of a recipient, of all that it said nothing of yet. */
void	 message_result(struct message *, size_t rcpt, const struct reason *);
void	 message_results(struct message *, const struct reason *);
/* Why all that are not done were not taken there; but what a host said of
 * them stays before what was found at later ones. */
void	 message_note(struct message *, const struct reason *);
/* It is not known whether those were taken who are in the transaction: they
 * are done, for queue to try again, and asked for nowhere else. */
void	 message_unsure(struct message *, const struct reason *);
/* The same as the end of all that are not done. */
void	 message_fail(struct message *, const struct reason *);
/* What is not done and failed for good may be tried again all the same. */
void	 message_soften(struct message *);
/*
 * The transaction is over.  Who was taken or refused for good is done; logged,
 * with relay, "host[ip]:port".  more: others were taken, so that those who
 * were too many go on here.  Returns how many are not done.
 */
size_t	 message_settle(struct message *, bool more, const char *relay,
	    const char *tls);
/* Tell queue of those of whom all is known, while others are asked for. */
void	 message_said(struct message *);
/* All that are not done are asked for at another host. */
void	 message_turn(struct message *);
void	 message_free(struct message *);	/* without an answer */
/* Log and answer queue; the message is gone. */
void	 message_done(struct message *, const char *relay, const char *tls);

/* ---- dest.c: where messages wait for a connection ---------- */

struct dest;
struct session;

/* Send it when a connection is there; its answer goes out in any case. */
void	 dest_add(struct message *);
/* The next message, for a session that is ready; NULL: none waits. */
struct message *dest_take(struct dest *);
/* A session found the destination usable; a session has ended, why: for a
 * reason that tells against the destination, else NULL.  dest may be gone
 * after the second. */
void	 dest_session_ready(struct dest *, struct session *);
void	 dest_session_gone(struct dest *, struct session *,
	    const struct reason *why);
/* Log what concerns all that waits. */
void	 dest_tell(const struct dest *, const char *text);
/* queue is gone: drop what waits. */
void	 dest_drop(struct chan *);
/* Answer what waits with this and close what is idle; now: all. */
void	 dest_stop(const struct reason *, bool now);

/* ---- a session: one connection ---------- */

/* What is expected next. */
enum session_state {
	CONNECT_EXPECTED, GREETING_EXPECTED, EHLO_EXPECTED, HELO_EXPECTED,
	STARTTLS_EXPECTED, SECURED_EXPECTED, AUTH_EXPECTED, USER_EXPECTED,
	PASS_EXPECTED, MESSAGE_EXPECTED, MAIL_EXPECTED, RCPT_EXPECTED,
	DATA_EXPECTED, DRAIN_EXPECTED, END_EXPECTED, RSET_EXPECTED,
	CONVERT_EXPECTED,	/* of ourselves */
	STATE_MAX
};

/* What a host may offer that we use: EHLO's keywords, and below AUTH's. */
#define EXTENSIONS(E)		\
	E(PIPELINING, 0x01)	\
	E(8BITMIME, 0x02)	\
	E(STARTTLS, 0x04)	\
	E(SIZE, 0x08)		\
	E(SMTPUTF8, 0x10)

#define EXTENSION(keyword, bit)	EXT_##keyword = bit,
enum extension {
	EXTENSIONS(EXTENSION)
	EXT_AUTH_PLAIN = 0x20,
	EXT_AUTH_LOGIN = 0x40
};
#undef EXTENSION

struct session {
	TAILQ_ENTRY(session) entry;	/* of its destination */
	struct dest	*dest;
	struct route	*route;
	size_t		 addr;		/* index, the one we talk to */
	uint64_t	 asked;		/* bits of addresses not asked again */
	uint64_t	 since;		/* ms */
	bool		 soft;		/* one of them may help later */
	bool		 moved;		/* its message was passed on to here */
	struct io	*io;
	enum session_state state;
	bool		 ready;		/* told the destination so */
	bool		 retry_clear;	/* TLS failed here: once without */
	bool		 verify;	/* TLS was begun with verification */
	unsigned int	 ext;		/* EXT_ */
	uint64_t	 size_max;	/* of SIZE, 0 none told */
	unsigned int	 sent;		/* messages begun */
	bool		 waited;	/* it was idle: the host may be tired */
	struct smtp_reply reply;
	char		 peer[HOST_TEXT + 64];	/* "host[ip]:port" */
	char		 tls[IO_TLS_TEXT + 20]; /* "none,failed": it was
					 * offered and did not work */

	/* the transaction */
	struct message	*m;
	size_t		 rcpt;		/* whose reply comes next */
	size_t		 accepted;
	bool		 piped;		/* MAIL RCPT DATA went together */
	bool		 discard;	/* nobody accepted, but DATA was */
	bool		 seven;		/* it is sent made 7-bit */
	uint64_t	 size;		/* of all that is sent */
	uint64_t	 off;		/* octets of the message read */
	struct data_stuff stuff;
};

/* ---- tries.c: the addresses that it asks ---------- */

/* It is new, or has another message: all are to be asked, but the one that it
 * talks to. */
void	 tries_begin(struct session *);
/* s->addr becomes the next that is worth a try.  False: none is left. */
bool	 tries_next(struct session *);
/* Was it tried for long enough?  Then no other address is asked. */
bool	 tries_late(const struct session *);
/* Is there another host that its message was not refused by for now? */
bool	 tries_elsewhere(struct session *);
/* No address of the host that it talks to is asked again. */
void	 tries_leave(struct session *);
/* Nobody asks the address it talks to for a while. */
void	 tries_bad(struct session *, const struct reason *);
/* Nor that host's, which is we, nor of those that are not preferred to it. */
void	 tries_self(struct session *);
/* None is left: why. */
void	 tries_why(const struct session *, struct reason *);

/* ---- expect.c: what it waits for ---------- */

void	 session_expect(struct session *, enum session_state);
/* The reply as a reason, dflt ("4.0.0" form) where it had no code. */
void	 session_reason(const struct session *, struct reason *);
const char *session_host(const struct session *);

/* ---- session.c: its life ---------- */

/* Log what was found of its host, with the ids of the messages that it
 * concerns: "lost", "unusable", "cleartext" (it goes on without TLS). */
void	 session_tell(const struct session *, const char *result,
	    const char *why);
/* Begin to connect to the first address of route that is not known bad;
 * takes a reference.  NULL: all are bad, *why tells. */
struct session *session_new(struct dest *, struct route *,
	    struct reason *why);
/* So many sessions may there be when one becomes idle, else it ends. */
void	 session_idle_max(size_t);
/* A message may be waiting; only when state is MESSAGE_EXPECTED. */
void	 session_wake(struct session *);
/* Ready for the next message or to be idle.  False: the session ended. */
bool	 session_next(struct session *);
/* Greeted, and all is as it should be.  False: as session_next. */
bool	 session_greeted(struct session *);
/* Say QUIT and end. */
void	 session_quit(struct session *);
/* End it, unless it is in a transaction and this is not to be now. */
void	 session_stop(struct session *, const struct reason *, bool now);
/* This connection is of no more use: a message on it that was not sent goes
 * on over another one, to this host or the next, and so does a session that
 * has none yet.  The session may be gone afterwards. */
void	 session_fail(struct session *, const struct reason *);
void	 session_fail_text(struct session *, const char *status,
	    const char *text);
/* It greeted with our own name. */
void	 session_self(struct session *);
/* Its message is asked for at a host that is left (tries_elsewhere()); polite: this one still listens.
 * The session may be gone afterwards. */
void	 session_pass(struct session *, bool polite);

/* ---- hello.c: greeting, EHLO, STARTTLS, AUTH ---------- */

/* A complete reply in one of its states.  False: the session is gone, or has
 * another connection now, or TLS. */
bool	 hello_reply(struct session *);
/* TLS is there: EHLO once more. */
void	 hello_again(struct session *);
/* A line of the reply to EHLO but the first. */
void	 hello_keyword(struct session *, struct slice);

/* ---- tls.c: TLS as the configuration has it ---- */

/* Must TLS be there and the certificate be right? */
bool	 starttls_insist(void);
/* Does this session's TLS have what starttls_insist() asks for now?  A
 * reload may ask for more than when it began. */
bool	 starttls_suits(const struct session *);
/* The CA certificates, PEM; taken over.  They count with the next call of
 * starttls_configure(), which begins a configuration. */
void	 starttls_ca(char *, size_t);
void	 starttls_configure(void);
/* Begin the handshake of a client, with or without verification by name.
 * -1: *why tells. */
int	 starttls_begin(struct io *, const char *name, bool verify,
	    const char **why);

/* ---- resume.c: TLS sessions for the next connection ---- */

#define RESUME_MAX	512	/* sessions kept; the longest unused goes */
#define RESUME_PEER_MAX	4	/* of them of one peer */
#define RESUME_OCTETS	(16 * 1024)	/* of one, its certificates too */
#define RESUME_MS	(12 * 3600 * 1000)	/* since it was verified */

struct ssl_st;

/* A client's handshake is about to begin: offer it a session that was made
 * with this host, as it is verified, at this port, with or without
 * verification; and keep the sessions that the host gives for later. */
void	 resume_offer(struct ssl_st *, const char *host, unsigned int port,
	    bool verify);
/* The handshake is done and accepted: what came of it may be kept.  True: it
 * resumed a session.  An SSL that is freed before this had no good end. */
bool	 resume_secured(struct ssl_st *);
/* The configuration changes: forget all, and keep nothing that comes of
 * connections that are under way. */
void	 resume_clear(void);

/* ---- transaction.c: MAIL, RCPT, DATA ---- */

/* Take the message; false: it was answered without a word to the host.
 * Never ends the session. */
bool	 transaction_start(struct session *, struct message *);
/* The same for one that the session has brought from another host. */
bool	 transaction_again(struct session *);
/* The message is ready to be sent made 7-bit, or cannot be. */
void	 transaction_converted(struct session *);
/* A complete reply in a state of the transaction.  The session may be gone
 * afterwards: false. */
bool	 transaction_reply(struct session *);
/* The socket can take more of the message.  False: the session may be gone. */
bool	 transaction_more(struct session *);
/* The connection is lost.  True: there is a message for another one. */
bool	 transaction_lost(struct session *, const struct reason *);
/* No host is left to ask: what is not done fails for why, and the message is
 * answered. */
void	 transaction_end(struct session *, const struct reason *why);

/* ---- auth.c: SASL at a smarthost ---------- */

bool	 auth_wanted(void);
/* Begin; state becomes AUTH_EXPECTED.  -1: the host offers no mechanism that
 * we have. */
int	 auth_start(struct session *);
/* Returns 1 done, 0 go on, -1 refused. */
int	 auth_reply(struct session *);
/* One password, from the configuration; taken over and wiped. */
void	 auth_password(char *, size_t);

/* ---- relay.c: as struct role has them ---- */

/* Before the jail: TLS with the certificates that came. */
void	 relay_load(const struct conf *);
/* CA certificates or a smarthost's password; closes the descriptor. */
void	 relay_file(enum conf_file_kind, uint16_t index, struct slice name,
	    int fd);
void	 relay_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
void	 relay_reload(const struct conf *);
/* Ends the process when the messages under way are done, or soon. */
void	 relay_stop(void);

#endif
