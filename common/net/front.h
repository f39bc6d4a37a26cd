/*
 * What imapd and pop3d share: listeners, connections, TLS, logins, grants,
 * and passing octets between a client and its session.  A role adds the few
 * commands before login (struct front_ops).  Event driven; holds no key and
 * opens no path.
 */
#ifndef FRONT_H
#define FRONT_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/quirk.h"
#include "proc/proc.h"
#include "net/conn.h"

#define FRONT_LINE_MAX	8192	/* octets of a command before login */
#define FRONT_TAG_MAX	64	/* octets of a tag */
#define FRONT_COMMANDS_MAX 64	/* commands before login, good ones too */
#define FRONT_BAD_MAX	3	/* bad commands before login */
#define FRONT_FAIL_MAX	3	/* failed logins of a connection */

/* What comes next on a connection; set in front.c and front_login.c. */
enum front_state {
	FRONT_HANDSHAKE,	/* TLS, then the greeting */
	FRONT_COMMAND,		/* a command before login */
	FRONT_AUTH,		/* authd's answer */
	FRONT_DELAY,		/* the time authd wants an answer to take */
	FRONT_GRANT,		/* maild's session */
	FRONT_PASS,		/* octets, both ways */
	FRONT_PARKED,		/* an octet of the client, or a poke */
	FRONT_WAKE		/* maild's session, once more */
};

enum front_end {		/* why a connection ends */
	FRONT_TIMEOUT,
	FRONT_BUSY,		/* too many connections */
	FRONT_BADNESS,		/* too many bad commands, or worse */
	FRONT_COMMANDS,		/* too many commands and no login */
	FRONT_REVOKED,		/* the account was changed */
	FRONT_STOPPING,
	FRONT_LOST,		/* the session died */
	FRONT_ENDS
};

/* What a parked connection does without. */
struct front_live {
	struct event	 timer;		/* FRONT_DELAY, FRONT_GRANT, FRONT_WAKE */
	struct event	 rd, wr;	/* of the session's end */
};

struct front_conn {
	struct io	*io;
	struct conn	 source;
	uint64_t	 id;
	struct front_conn *next;	/* of its bucket */
	enum front_state state;
	bool		 implicit;	/* TLS from the first octet */
	bool		 plaintext;	/* logins without TLS are allowed */
	unsigned int	 port;		/* of the listener */
	bool		 tls;
	bool		 counted;	/* in its account's connections */
	unsigned int	 ncommands, nbad, nfail;
	uint32_t	 ask;		/* to authd, 0 none */
	uint32_t	 account;
	uint64_t	 since;		/* s, of the login; 0: none yet */
	uint64_t	 grant;		/* 0 none */
	uint32_t	 granted;	/* whose session it is */
	bool		 ungranted;	/* maild has none for this login */
	enum auth_result result;
	struct front_live *live;	/* NULL in FRONT_PARKED */
	struct front_parked *parked;	/* in FRONT_PARKED, FRONT_WAKE */
	uint64_t	 alive;		/* s, of the last sign of life */
	uint64_t	 started;	/* ms, of its session */

	/* the session's end of the pipe */
	int		 sock;		/* -1 none */
	uint64_t	 sent;		/* octets of the client that it got */
	bool		 held;		/* not read: the client is slow */
	bool		 stuck;		/* not written: the session is slow */
	bool		 eof;		/* the client will say no more */
	bool		 within;	/* an answer was passed in part */

	/* of the protocol */
	char		 tag[FRONT_TAG_MAX + 1]; /* answers begin with it */
	unsigned int	 literals;	/* "+" sent for this command */
	struct sasl	*sasl;		/* an exchange; NULL: none */
	char		 client[QUIRK_CLIENT_MAX + 1]; /* its name, by ID */
	char		 user[SASL_FIELD_MAX + 1];
};

enum front_answer {		/* to a command that the front decides */
	FRONT_NO_TLS,		/* STARTTLS: there is no TLS, or it is on */
	FRONT_TLS_LATER,	/* signd is away */
	FRONT_TLS_BEGIN,
	FRONT_TLS_FIRST,	/* a login without it */
	FRONT_LOGIN_BAD,	/* AUTH_BAD */
	FRONT_LOGIN_LATER,	/* AUTH_TEMP */
	FRONT_LOGIN_SOON,	/* before the time between logins is over */
	FRONT_SASL_NONE,	/* no mechanism of that name */
	FRONT_SASL_CANCELLED,
	FRONT_SASL_BAD,		/* not a response of its mechanism */
	FRONT_SASL_OTHER,	/* with a right to be somebody else */
	FRONT_ANSWERS
};

struct front_ops {
	enum proc_role	 role;
	enum conf_protocol tls;		/* the protocol that starts with TLS */
	bool	 deflate;		/* sessions may ask for compression, and
					 * for a login again */
	const char *still;		/* to an idle client now and then; NULL:
					 * sessions do not park */
	void	(*greet)(struct front_conn *);
	/* Input is there (FRONT_COMMAND): take one command.  True: took one
	 * and there may be more; false: wait. */
	bool	(*command)(struct front_conn *);
	/* TLS begins behind STARTTLS; NULL: nothing is said. */
	void	(*secured)(struct front_conn *);
	/* Without CRLF and, where a command has one, without its tag. */
	const char *answer[FRONT_ANSWERS];
	/* A last word to the client, a line each. */
	const char *bye[FRONT_ENDS];
};

/* main() of a front: does not return before the process ends. */
int	 front_main(const struct front_ops *, int argc, char *const *argv);

/* ---- front.c: for the protocol, in FRONT_COMMAND ---- */

/* May passwords be sent here now?  Is STARTTLS possible? */
bool	 front_may_login(const struct front_conn *);
bool	 front_may_starttls(const struct front_conn *);
/* STARTTLS, STLS: answer, and do the handshake if it can be done.  Ends the
 * connection when the client said something in the clear already. */
void	 front_starttls(struct front_conn *);
/* One more bad command: true when that was one too many, and c is gone. */
bool	 front_bad(struct front_conn *);
/* Say goodbye and free; c is gone. */
void	 front_end(struct front_conn *, enum front_end);
/* The same with everything said already (LOGOUT, QUIT). */
void	 front_quit(struct front_conn *);

/* ---- front_login.c: for the protocol, in FRONT_COMMAND ---- */

/* A password may come, or is answered that it may not. */
bool	 front_login_allowed(struct front_conn *);
/* Ask authd; c->tag is what the session answers with. */
void	 front_login(struct front_conn *, struct slice user,
	    struct slice password);

/* ---- front_sasl.c: for the protocol, in FRONT_COMMAND ---- */

/* The client names a mechanism, with a response at once or an empty one: ask
 * authd, or answer. */
void	 front_sasl_start(struct front_conn *, struct slice name,
	    struct slice initial);
/* c->sasl is there: this line is a response of it. */
void	 front_sasl_line(struct front_conn *, struct slice);

/* ---- front_sasl.c: for front_login.c ---- */

/* authd has said what the challenge is. */
void	 front_sasl_challenge(struct front_conn *);
void	 front_sasl_forget(struct front_conn *);

/* ---- front_login.c: for front.c ---- */

void	 front_login_authd(int fd);	/* a channel to authd */
/* Ask authd about this login; answered and logged is it in all cases. */
void	 front_ask(struct front_conn *, enum msg_type, const void *);
/* The login ends with that answer. */
void	 front_refuse(struct front_conn *, enum auth_result);
/* The timer and the events of a session.  0, or -1: out of memory. */
int	 front_live_new(struct front_conn *);
/* Wait so long for the session that maild was asked for. */
int	 front_wait_session(struct front_conn *);
/* c goes: nothing is asked for it any more, what it had is given back. */
void	 front_login_forget(struct front_conn *);
/* Its session left it (SESSION_LEAVE): it is as before its login, but for
 * what it failed at. */
void	 front_login_again(struct front_conn *);
/* Messages of maild about grants. */
void	 front_on_session(struct chan *, struct msg *, void *);
void	 front_on_fail(struct chan *, struct msg *, void *);
void	 front_on_revoked(struct chan *, struct msg *, void *);

/* ---- front_pass.c ---- */

/* Start passing; sends SESSION_START.  0, or -1: the session is gone. */
int	 front_pass_start(struct front_conn *, struct event_base *,
	    const char *hostname);
/* The client sent something, or left (c->eof); its output drained.  These
 * and the events of the session's socket call front_pass_done() at the end
 * and touch c no more. */
void	 front_pass_input(struct front_conn *);
void	 front_pass_drained(struct front_conn *);
void	 front_pass_stop(struct front_conn *);
/* The session it had once goes on: what was kept of it, behind the start. */
int	 front_pass_parked(struct front_conn *, struct slice packet, int fd);

/* ---- front_park.c ---- */

/*
 * A session says that it may go (SESSION_PARK).  1: it is to go on; 0: it is
 * parked, and the state FRONT_PARKED; -1: what it says cannot be.  fd, -1
 * none, is taken.
 */
int	 front_park(struct front_conn *, struct slice packet, int fd);
/* In FRONT_PARKED and FRONT_WAKE: the client said something, or left; its
 * deadline; it goes.  The first two may end c. */
void	 front_park_input(struct front_conn *);
void	 front_park_deadline(struct front_conn *);
void	 front_park_forget(struct front_conn *);
/* Is this the session that was asked for?  Then c->sock is it, and it is
 * started. */
bool	 front_park_waits(const struct front_conn *, uint64_t grant,
	    uint32_t account);
void	 front_park_wake(struct front_conn *);

/* ---- front.c: for the other two ---- */

void	 front_answer(struct front_conn *, enum front_answer);
struct front_conn *front_find(uint64_t id);	/* NULL: gone */
unsigned int front_max_per_account(void);
unsigned int front_login_delay(void);	/* seconds, 0 none */
enum conf_protocol front_protocol(void);	/* as authd is told */
bool	 front_may_deflate(void);
const char *front_still(void);		/* NULL: nobody parks */
unsigned int front_timeout(void);	/* s, without a sign of life */
/* The session is gone; clean: it said so. */
void	 front_pass_done(struct front_conn *, bool clean);
void	 front_alive(struct front_conn *);	/* the idle time starts anew */
void	 front_waits(struct front_conn *);	/* the time to log in starts */

/* ---- front_delay.c: the time between logins of an account ---- */

/* May that account log in now, at least so many seconds after the last time?
 * Then that is the last time. */
bool	 front_delay_over(uint32_t account, unsigned int seconds);

/* ---- front_count.c: connections of each account in this process ---- */

bool	 front_count_add(uint32_t account, unsigned int max);
void	 front_count_del(uint32_t account);
#endif
