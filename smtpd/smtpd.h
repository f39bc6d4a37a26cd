/*
 * smtpd's own header: a session, and inside it a mail transaction with the
 * message that is being received.  See smtpd.c for the whole.
 *
 * Layers, lowest first; a file calls those before it:
 *	neighbour known ask reply told store seven
 *	verdict mail author header report
 *	commit policy data
 *	auth envelope command session smtpd
 *
 * What a lower file has to tell one above it goes through a function that it
 * is given: the neighbours' ops, a session's run, what follows a verdict.
 */
#ifndef SMTPD_H
#define SMTPD_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/addrlist.h"
#include "parse/data.h"
#include "parse/rr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/io.h"
#include "smtpd/reply.h"

struct header_field;

/* What is expected next.  session_state() is the only writer. */
enum smtp_state {
	SMTP_HELLO,		/* HELO, EHLO */
	SMTP_MAIL,		/* MAIL (or anything between mails) */
	SMTP_RCPT,		/* the first RCPT that is accepted */
	SMTP_DATA,		/* more RCPT, or DATA */
	SMTP_MESSAGE,		/* the message, up to CRLF . CRLF */
	SMTP_RESPONSE,		/* a SASL response */
	SMTP_ANSWER,		/* a neighbour's answer; the client waits */
	SMTP_TLS,		/* the TLS handshake */
	SMTP_END		/* nothing; the last reply is on its way */
};

#define IN(state)	(1u << (state))

/* Limits that are not configured. */
#define SMTP_LINE	2046	/* octets of a command; RFC 5321 wants 510 */
#define SMTP_TURN	64	/* commands of one session a loop turn */
#define SMTP_PENDING	32	/* RCPTs asked and not yet answered */
#define SMTP_HELO_MAX	255
#define SMTP_HOPS	100	/* Received fields (RFC 5321 6.3) */
#define SMTP_SMALL	(1024 * 1024)	/* larger messages get a spool file */
#define SMTP_HEADER	(256 * 1024)	/* octets of a header */
#define SMTP_BUFFER	(64 * 1024)	/* of a message before it is written */
#define SMTP_ASK_MS	20000	/* authd, signd */
#define SMTP_COMMIT_MS	60000	/* queue: a sync under load */
#define SMTP_LOST_MS	20000	/* for a new queue to tell what it knows */
#define SMTP_SESSION_S	3600	/* from one mail to the next, at most */
#define SMTP_STRESS_S	10	/* wait for a command when places are few */
#define SMTP_TRACE	4096	/* octets of the trace fields */
#define SMTP_RECEIVED	1536	/* of them, for Received */
#define SMTP_MID	33	/* octets of a message's id, NUL included */
#define SMTP_MSGID	326	/* of the Message-ID: more than log_text() shows */

struct question;

/* A RCPT whose answer is not yet given.  Answers go out in order. */
struct rcpt_slot {
	struct question	*ask;		/* NULL: answered */
	enum reply	 reply;
};

struct session {
	LIST_ENTRY(session) entry;
	struct io	*io;
	void		(*run)(struct session *); /* is session_run */
	struct conn	 conn;
	uint64_t	 id;		/* conn of the messages */
	char		 sid[CONNID_TEXT]; /* id as the log writes it */
	bool		 told;		/* the log knows of it */
	char		 cipher[IO_TLS_TEXT]; /* TLS, of a session that has it */
	uint64_t	 began;		/* s */
	unsigned int	 nmail;		/* mails begun */
	enum conf_protocol proto;
	enum smtp_state	 state;
	bool		 plaintext_auth;
	bool		 esmtp;		/* said EHLO */
	bool		 tls;
	bool		 authed;
	bool		 loginsent;	/* authd may think conn logged in */
	bool		 eof;		/* the client sends no more */
	bool		 fresh;		/* a new wait began: new deadline */
	uint32_t	 account;
	unsigned int	 errors;
	unsigned int	 idle;		/* commands since the last mail */
	uint64_t	 since;		/* s, of the last mail or the start */
	struct question	*ask;		/* the one the session waits for */
	enum reply	 delayed;	/* reply that waits for a deadline */
	enum reply	 over;		/* last reply: the login is over */
	struct rcpt_slot slot[SMTP_PENDING];
	unsigned int	 slot0, nslots;
	struct mail	*mail;
	struct sasl	*sasl;		/* AUTH in progress */
	char		 user[256];	/* who logged in */
	char		 helo[SMTP_HELO_MAX + 1];
};

/* What becomes of a message from outside, as reports tell it. */
struct fate {
	enum report_disposition disposition;
	enum report_override	override;
	const char		*comment;	/* to the override, or NULL */
};

/* A mail transaction, from MAIL on. */
struct mail {
	SLIST_ENTRY(mail) spare;
	char		 mid[SMTP_MID];		/* sid.n, its id everywhere */
	/* envelope */
	char		 sender[ADDR_TEXT_MAX];
	char		 rcpt[ADDR_TEXT_MAX];	/* the only one, for Received */
	uint64_t	 declared;		/* SIZE= */
	uint8_t		*rcpts;			/* list of item_rcpt */
	size_t		 rcptsn, rcptscap;
	unsigned int	 nrcpt;			/* accepted */
	struct dir_sender_r from;		/* submission; slice unused */
	char		 domain[256];		/* of from */
	char		 msgid[SMTP_MSGID];	/* "<id>", "" none, cut */
	/* message */
	struct data_scan scan;
	enum reply	 refusal;	/* at its end; the first one counts */
	const char	*tail;		/* of refusal, or NULL */
	struct mime	*mime;
	struct dkim_body *body;		/* submission: body hash */
	char		*buf;
	size_t		 n, cap;	/* not yet in fd */
	size_t		 scanned;	/* of the header in buf */
	bool		 in_header;
	bool		 headless;	/* starts with no field */
	bool		 hashing;
	uint64_t	 wire;		/* octets from the client */
	uint64_t	 began;		/* ms, of the data, our own time apart */
	uint64_t	 held;		/* ms, since when it waits for us, or 0 */
	uint64_t	 size;		/* of the message as kept */
	int		 fd;		/* memfd or spool file, -1 none */
	uint64_t	 stored;	/* octets written to fd */
	uint64_t	 file;		/* spool file, 0 a memfd */
	uint32_t	 crc;		/* of what is in the spool file */
	uint64_t	 pushed;	/* octets of it on their way to disk */
	size_t		 facts;		/* octets of facts behind the message */
	unsigned int	 hops;
	bool		 hasfrom;	/* submission: fromhash is good */
	char		*from_value;	/* From's, if authd is to be asked */
	struct addrlist	 authors;	/* of it, as far as they were asked */
	struct msg_mac	 bodyhash, fromhash;
	struct msg_mac	 bodyhash7;	/* as 7-bit hosts get it, if has7 */
	bool		 has7;
	struct seven	*seven;		/* while it is made */
	struct judge	*judge;		/* mail from outside */
	struct fate	 fate;		/* once it was judged */
	const char	*folder;	/* of local copies, NULL INBOX */
	char		 verdict[160];	/* as the log writes it */
	/* commit */
	struct msg_id	 commit;
	bool		 committing;	/* queue has or will have it */
	bool		 lost;		/* the queue went away meanwhile */
	char		 trace[SMTP_TRACE];
	size_t		 tracen;
	uint8_t		 ticket[512];
	size_t		 ticketn;
};

/* What the whole process has. */
struct smtpd {
	struct event_base *base;
	struct chan	*authd, *queue, *signd, *resolve, *report; /* NULL: gone */
	bool		 queue_accepting;
	uint64_t	 queue_free;
	bool		 hold;	/* read no client now, see neighbour.c */
	LIST_HEAD(, session) sessions;
};

/* ---- neighbour.c: what there is besides sessions --------- */

/* What becomes of neighbours, told to who is above. */
struct neighbour_ops {
	/* queue, resolve: there is a new one, or resolve is away for long */
	void	(*back)(enum chan_kind);
	/* sessions logged in as account, 0: as anybody, end with this */
	void	(*logins_over)(uint32_t account, enum reply);
};

void	 neighbour_init(const struct neighbour_ops *);
const struct smtpd *smtpd(void);	/* one writer: neighbour.c */

/* That neighbour (CHAN_QUEUE, CHAN_DNS) is not there, and has not been for so
 * long that no client should wait for it. */
bool	 smtpd_without(enum chan_kind);
/* A session is there, or gone. */
void	 smtpd_session(struct session *, bool here);
/* Of struct role: the start; a neighbour, in place of the one of that kind
 * that there was. */
void	 smtpd_start(const struct conf *);
void	 smtpd_channel(enum chan_kind, enum proc_role peer, uint16_t instance,
	    int fd);

/* ---- known.c: DNS answers of the last minute --------- */

/* Is the answer known?  Its slices are good until the next known_put. */
bool	 known_get(const char *name, enum dns_type, struct dns_ask_r *);
void	 known_put(const char *name, enum dns_type,
	    const struct dns_ask_r *);

/* ---- ask.c: what a session waits for --------- */

/* Set what is expected next, and the deadline that goes with it. */
void	 session_state(struct session *, enum smtp_state);
/* The answer, NULL: none came.  slot: whose it is, of a RCPT. */
typedef void (*answer_fn)(struct session *, struct msg *,
	    struct rcpt_slot *slot);
/* Ask for the session, which then waits in SMTP_ANSWER.  -1: the neighbour
 * is not there, or no memory (nothing was sent, state as before). */
int	 session_ask(struct session *, struct chan *, enum msg_type,
	    const void *, const int *fd, unsigned int timeout_ms, answer_fn);
/* The same for a RCPT; the session goes on. */
int	 slot_ask(struct session *, struct rcpt_slot *, struct chan *,
	    enum msg_type, const void *, unsigned int timeout_ms, answer_fn);
/* Whoever asked does not wait any more; *q becomes NULL, as it may be. */
void	 question_forget(struct question **);

/* ---- told.c: what the log is told --------- */

/* Of the session, once; the others here do it first. */
void	 told_connect(struct session *);
/* authd's answer to a login, AUTH_TEMP if none came; and its end, if it had
 * one. */
void	 told_login(struct session *, const struct auth_step_r *);
void	 told_logout(const struct session *);
/* s->mail is with queue, under that id. */
void	 told_message(struct session *, const char *queue_id);
/* s->mail is refused as a whole, with this reply and its tail; or it goes
 * with a client that left, where it has recipients. */
void	 told_refused(struct session *, enum reply, const char *tail);
void	 told_left(struct session *);
/* A command is: to is the recipient it was about, or arg its argument as it
 * was given; empty: none. */
void	 told_reject(struct session *, enum reply, struct slice to,
	    struct slice arg);

/* ---- store.c: where the message lies --------- */

/* Room for n more octets in m->buf.  0, -1 out of memory. */
int	 store_room(struct mail *, size_t n);
/* Write m->buf out.  0, -1: m->refusal is set. */
int	 store_flush(struct mail *);
/* Does a message of so many octets need a spool file first? */
bool	 store_wants_file(const struct mail *, uint64_t n);
/* A spool file came; what is in the memfd goes there.  0, -1. */
int	 store_file(struct mail *, int fd, uint64_t file);
/* The message is whole: facts behind it, nobody changes it any more. */
int	 store_seal(struct mail *);
/* Is all of it, with its facts, in m->buf?  Else it is in m->fd. */
bool	 store_is_small(const struct mail *);
/* One that is small goes into m->fd all the same.  0, -1 and m->refusal. */
int	 store_spill(struct mail *);
/* Its first n octets; n from off on, also of the facts behind it.  0, -1. */
int	 store_read(const struct mail *, char *, size_t n);
int	 store_read_at(const struct mail *, uint64_t off, char *, size_t n);
void	 store_drop(struct mail *);

/* ---- seven.c: the body hash of what 7-bit hosts get --------- */

/* The 8-bit message is stored: done is called now or later (the session waits
 * in SMTP_ANSWER meanwhile).  m->has7: there is such a hash. */
void	 seven_start(struct session *, void (*done)(struct session *));
void	 seven_free(struct mail *);

/* ---- verdict.c: SPF, DKIM, DMARC of mail from outside --------- */

/* DATA was said: judge this message, if it is one to be judged.  0, -1: no
 * memory, or too many are judged now. */
int	 judge_start(struct session *);
/* The header as it came, with its empty line.  0, -1 out of memory. */
int	 judge_header(struct mail *, struct slice);
void	 judge_body(struct mail *, const char *, size_t);
/* The message is whole and stored: judged is called now or when the answers
 * are there (the session waits in SMTP_ANSWER meanwhile). */
void	 judge_end(struct session *, void (*judged)(struct session *));
/* A new resolve is there; the time for answers is over. */
void	 judge_again(struct session *);
void	 judge_late(struct session *);
void	 judge_free(struct mail *);
/* NULL: this message is not judged. */
const struct verdict *judge_verdict(const struct mail *);

/* ---- mail.c: a transaction --------- */

/* The session's next one, with its id.  NULL: out of memory. */
struct mail *mail_new(struct session *);
/* Every way out of a transaction: back to what is before MAIL. */
void	 session_reset(struct session *);
/* The whole message is refused for s->mail->refusal: log, reply, reset. */
void	 mail_refused(struct session *);

/* ---- author.c --------- */

/* The From fields of a submitted message, how many and the first: remembers
 * what is to be asked and signed, or sets m->refusal. */
void	 author_take(struct mail *, unsigned int fields,
	    const struct header_field *);
/* 1: out is the next author to ask authd about; 0: there is none; -1: it
 * cannot be asked about, so it is nobody's. */
int	 author_next(struct mail *, char *out, size_t size);

/* ---- header.c: the header of a message --------- */

/* Look at the header buf[0..n) and change it where it must be: forged
 * Authentication-Results go, missing fields of a submitted one are put in
 * front.  Returns its new length (the body follows) or sets m->refusal; buf
 * has SMTP_ADDED octets of room behind what m->n counts. */
#define SMTP_ADDED	512
size_t	 header_take(struct session *, struct mail *, size_t n);
/* The trace fields, into m->trace. */
void	 header_trace(struct session *, struct mail *);

/* ---- report.c: report-out hears of it --------- */

/* The message at hand met its fate: taken or refused for good.  Nothing if it
 * was not judged, or nobody asks for reports. */
void	 report_mail(const struct session *);

/* ---- commit.c --------- */

/* The message is whole and good: authors, ticket, queue, reply. */
void	 commit_start(struct session *);
/* A new queue is there: ask it about m. */
void	 commit_again(struct session *);
/* It did not come, or did not answer. */
void	 commit_give_up(struct session *);

/* ---- policy.c: what follows --------- */

/* The message was judged, or needs no judge: commit s->mail, or refuse it. */
void	 policy_apply(struct session *);

/* ---- data.c: the message as it comes --------- */

void	 data_command(struct session *, struct slice arg);
/* Take buffered input.  True: the message is complete. */
bool	 data_input(struct session *);
/* How long the next block is waited for, ms. */
unsigned int data_wait(const struct session *);
/* Its time is over: was it we whom it waited for?  Then it has time again. */
bool	 data_waited(struct session *);

/* ---- auth.c --------- */

void	 auth_command(struct session *, struct slice arg);
void	 auth_line(struct session *, struct slice line);
bool	 auth_offered(const struct session *);
/* The mechanisms of a session, a blank before each. */
int	 auth_print(const struct session *, char *, size_t);
/* A line that is none came in the place of a response. */
void	 auth_line_refused(struct session *);
/* The reply that had to wait for its time. */
void	 auth_delayed(struct session *);
void	 auth_forget(struct session *);

/* ---- envelope.c: MAIL and RCPT --------- */

void	 mail_command(struct session *, struct slice arg);
void	 rcpt_command(struct session *, struct slice arg);

/* ---- command.c: one row a command --------- */

void	 command_line(struct session *, struct slice line);
/* Is it AUTH that stands at the start of the next line? */
bool	 command_is_auth(const struct session *);
/* The longest line that is welcome, by what stands at its start. */
size_t	 command_max(const struct session *);
/* May the next line be handled while RCPTs wait for their answers? */
bool	 command_is_rcpt(struct slice input);

/* ---- session.c: life, input --------- */

/* Take over an accepted socket; conn was counted and is the session's now.
 * The session lives until its end. */
void	 session_start(int fd, struct conn *, enum conf_protocol,
	    bool plaintext_auth);
/* Go on with buffered input; frees a session that is at its end.  Last call
 * of every callback; lower files know it as s->run. */
void	 session_run(struct session *);
/* The login is over: so is the session, at once, or when queue has answered
 * for the message that it is about to commit. */
void	 session_over(struct session *, enum reply);

/* ---- smtpd.c: of struct role --------- */

void	 smtpd_load(const struct conf *);

#endif
