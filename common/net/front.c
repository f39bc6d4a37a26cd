/*
 * The front of a protocol that people log in to: imapd and pop3d.  A
 * connection goes greeting, commands, authd, grant of maild, session; then
 * front_pass.c.  What a front can reach is what its clients proved.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/time.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/front.h"
#include "net/io.h"
#include "net/serve.h"
#include "net/tlskey.h"

#define BUCKETS		4096	/* of connections; ids are counted up */
#define AUTH_MS		20000	/* authd answers, else: try later */
#define GRANT_S		20	/* maild gives a session in it */
#define FIRST_MS	300000	/* it may have a store to check before it
				 * says its first word */
#define TURN_COMMANDS	8	/* commands of a connection a loop turn */
#define STOP_MS		2000	/* the last words may take this long */
#define LINGER_MS	2000	/* for one who still sends to see them */
#define FAIL_POINTS	10	/* penalty of a failed login */
/* Connections of one source that have not logged in; those that have are
 * counted by account. */
#define PENDING_MAX	200

typedef __typeof__(((struct conf *)0)->imap) front_conf;

static struct {
	const struct front_ops *ops;
	struct front_conn *bucket[BUCKETS];
	struct chan	*authd;
} front;

/* The role */
static void	front_load(const struct conf *);
static void	front_channel(enum chan_kind, enum proc_role, uint16_t, int);
static void	front_stop(void);
static void	on_authd_gone(struct chan *, void *);
/* Messages of maild */
static void	on_session(struct chan *, struct msg *, void *);
static void	on_fail(struct chan *, struct msg *, void *);
static void	on_revoked(struct chan *, struct msg *, void *);
/* A connection */
static void	front_new(int, struct conn *, const struct conf_listen *);
static void	on_io(struct io *, enum io_event, void *);
static void	on_login(struct chan *, struct msg *, void *);
static void	on_timer(evutil_socket_t, short, void *);
static void	front_greet(struct front_conn *);
static void	front_answer(struct front_conn *, enum front_answer);
static void	front_input(struct front_conn *);
static void	front_wait(struct front_conn *, enum front_state, unsigned int);
static void	front_refuse(struct front_conn *, enum auth_result);
static void	front_session(struct front_conn *);
static void	front_release(uint64_t);
static void	front_ungrant(struct front_conn *);
static void	front_close(struct front_conn *, unsigned int);
static void	front_free(struct front_conn *);
static struct front_conn *front_find(uint64_t);
static const front_conf *front_limits(void);
static struct serve_limits front_most(void);
static const char *front_refusal(enum serve_refusal);

static const struct chan_handler handlers[] = {
	{ GRANT_SESSION_EV,	on_session },
	{ GRANT_FAIL_EV,	on_fail },
	{ GRANT_REVOKED_EV,	on_revoked },
};

static struct role role = {
	.load = front_load,
	.file = serve_file,
	.secret = serve_secret,
	.channel = front_channel,
	.listener = serve_listener,
	.reload = serve_reload,
	.stop = serve_stop,
	.handlers = handlers,
	.nhandlers = NITEMS(handlers),
};

static struct serve_ops serving = {
	.stop_ms = STOP_MS,
	.limits = front_most,
	.refusal = front_refusal,
	.begin = front_new,
	.stop = front_stop,
};

/* ---- the role ---------------------------------------------------------- */

int
front_main(const struct front_ops *ops, int argc, char *const *argv)
{
	front.ops = ops;
	role.id = ops->role;
	serving.role = ops->role;
	serving.tls = ops->tls;
	return proc_enter(&role, argc, argv);
}

static void
front_load(const struct conf *conf)
{
	serve_load(&serving);
}

static void
front_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	static const struct chan_ops ops = { .gone = on_authd_gone };

	if (kind == CHAN_SIGN)
		tlskey_signer(fd);
	else if (kind == CHAN_AUTH) {
		chan_free(front.authd);
		front.authd = chan_new(proc_base(), fd, CHAN_AUTH, SIDE_A,
		    NULL, 0, &ops, NULL);
	} else
		close(fd);
}

static void
on_authd_gone(struct chan *c, void *arg)
{
	if (front.authd == c)
		front.authd = NULL;
}

/* They hear it, for as long as stop_ms lets them. */
static void
front_stop(void)
{
	size_t	 i;

	for (i = 0; i < BUCKETS; i++)
		while (front.bucket[i] != NULL)
			front_end(front.bucket[i], FRONT_STOPPING);
}

static const front_conf *
front_limits(void)
{
	/* imap and pop3 have one type. */
	return role.id == ROLE_POP3D ? &proc_conf()->pop3 :
	    &proc_conf()->imap;
}

static struct serve_limits
front_most(void)
{
	return (struct serve_limits){ front_limits()->max_connections,
	    PENDING_MAX };
}

static const char *
front_refusal(enum serve_refusal why)
{
	return front.ops->bye[why == SERVE_STOPPING ? FRONT_STOPPING :
	    FRONT_BUSY];
}

/* ---- a connection ------------------------------------------------------ */

static void
front_new(int fd, struct conn *source, const struct conf_listen *cl)
{
	struct front_conn	*c, **at;

	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->io = io_new(proc_base(), fd, on_io, c)) == NULL) {
		conn_close(source);
		free(c);
		close(fd);
		return;
	}
	c->source = *source;
	c->id = connid_next(role.id);
	c->sock = -1;
	c->plaintext = cl->plaintext_auth;
	c->implicit = cl->protocol == front.ops->tls;
	evtimer_assign(&c->timer, proc_base(), on_timer, c);
	at = &front.bucket[c->id % BUCKETS];
	c->next = *at;
	*at = c;
	/* Overall, until login: no octet makes it longer. */
	io_deadline(c->io, front_limits()->login_timeout * 1000);
	if (!c->implicit)
		front_greet(c);
	else if (serve_accept_tls(c->io) == -1) {
		log_warnx("%s no certificate for TLS", connid_text(c->id));
		front_quit(c);
	}
}

static struct front_conn *
front_find(uint64_t id)
{
	struct front_conn	*c;

	for (c = front.bucket[id % BUCKETS]; c != NULL; c = c->next)
		if (c->id == id)
			break;
	return c;
}

static void
on_io(struct io *io, enum io_event ev, void *arg)
{
	struct front_conn	*c = arg;

	switch (ev) {
	case IO_SECURED:
		c->tls = true;
		if (c->implicit)
			front_greet(c);
		break;
	case IO_READ:
		front_input(c);
		break;
	case IO_EOF:
		c->eof = true;
		if (c->state == FRONT_PASS)
			front_pass_input(c);
		else if (c->state == FRONT_COMMAND ||
		    c->state == FRONT_HANDSHAKE)
			front_quit(c);
		break;
	case IO_DRAINED:
		if (c->state == FRONT_PASS)
			front_pass_drained(c);
		break;
	case IO_DEADLINE:
		front_end(c, FRONT_TIMEOUT);
		break;
	case IO_ERROR:
		front_free(c);
		io_free(io);
		break;
	case IO_CONNECTED:
		break;
	}
}

static void
front_greet(struct front_conn *c)
{
	c->state = FRONT_COMMAND;
	front.ops->greet(c);
}

static void
front_input(struct front_conn *c)
{
	uint64_t	 id = c->id;
	int		 i;

	if (c->state == FRONT_PASS) {
		front_alive(c);
		front_pass_input(c);
		return;
	}
	for (i = 0; i < TURN_COMMANDS && c->state == FRONT_COMMAND; i++) {
		if (io_full(c->io) || !front.ops->command(c))
			return;
		/* A command may end the connection. */
		if (front_find(id) != c || c->state != FRONT_COMMAND)
			return;
		if (++c->ncommands == FRONT_COMMANDS_MAX) {
			front_end(c, FRONT_COMMANDS);
			return;
		}
	}
	io_again(c->io);
}

bool
front_may_login(const struct front_conn *c)
{
	return c->tls || c->plaintext;
}

bool
front_may_starttls(const struct front_conn *c)
{
	return !c->tls && serve_has_tls();
}

static void
front_answer(struct front_conn *c, enum front_answer answer)
{
	io_printf(c->io, "%s%s%s\r\n", c->tag, c->tag[0] != '\0' ? " " : "",
	    front.ops->answer[answer]);
}

/* Attacks row 8: what came in the clear behind STARTTLS ends it all. */
void
front_starttls(struct front_conn *c)
{
	if (!front_may_starttls(c)) {
		front_answer(c, FRONT_NO_TLS);
		front_bad(c);
		return;
	}
	if (!tlskey_ready()) {
		front_answer(c, FRONT_TLS_LATER);
		return;
	}
	front_answer(c, FRONT_TLS_BEGIN);
	c->state = FRONT_HANDSHAKE;
	if (serve_accept_tls(c->io) == -1) {
		log_info("%s starttls plaintext-behind=1", connid_text(c->id));
		front_quit(c);
		return;
	}
	c->state = FRONT_COMMAND;
}

bool
front_bad(struct front_conn *c)
{
	conn_penalty(&c->source, 1);
	if (++c->nbad < FRONT_BAD_MAX)
		return false;
	front_end(c, FRONT_BADNESS);
	return true;
}

/* ---- login ------------------------------------------------------------- */

bool
front_login_allowed(struct front_conn *c)
{
	if (front_may_login(c))
		return true;
	front_answer(c, FRONT_TLS_FIRST);
	return false;
}

void
front_plain(struct front_conn *c, struct slice b64)
{
	struct sasl_cred	 cred;

	if (slice_is(b64, "*")) {
		front_answer(c, FRONT_SASL_CANCELLED);
		return;
	}
	if (sasl_plain(b64, &cred, NULL) == -1) {
		front_answer(c, FRONT_SASL_BAD);
		front_bad(c);
	} else if (cred.authzid[0] != '\0' &&
	    strcmp(cred.authzid, cred.authcid) != 0)
		front_answer(c, FRONT_SASL_OTHER);
	else
		front_login(c, slice_str(cred.authcid),
		    slice_str(cred.passwd));
	explicit_bzero(&cred, sizeof(cred));
}

void
front_login(struct front_conn *c, struct slice user, struct slice password)
{
	struct auth_login	 ask = { .conn = c->id, .peer = c->source.peer,
				    .user = user, .password = password };

	ask.protocol = role.id == ROLE_POP3D ? PROTO_POP3 : PROTO_IMAP;
	if (!sasl_field_valid(user) || !sasl_field_valid(password) ||
	    slice_cpy(user, c->user, sizeof(c->user)) == -1) {
		front_refuse(c, AUTH_BAD);
		return;
	}
	c->ungranted = false;
	if (front.authd != NULL)
		c->ask = chan_ask(front.authd, AUTH_LOGIN, &ask, NULL, 0,
		    AUTH_MS, on_login, c);
	if (c->ask == 0) {
		front_refuse(c, AUTH_TEMP);
		return;
	}
	c->state = FRONT_AUTH;
	io_pause(c->io);
}

/* Wrong and unknown look the same and take as long as authd says. */
static void
on_login(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = arg;
	const struct auth_login_r *r;
	unsigned int		 wait = 0;

	c->ask = 0;
	c->result = AUTH_TEMP;
	if (m != NULL) {
		r = &m->body->auth_login_r;
		c->result = r->result == AUTH_OK ? AUTH_OK :
		    r->result == AUTH_BAD ? AUTH_BAD : AUTH_TEMP;
		c->account = r->account;
		wait = r->wait_ms;
		if (c->result == AUTH_OK)
			slice_cpy(r->user, c->user, sizeof(c->user));
	}
	if (wait > 0)
		front_wait(c, FRONT_DELAY, wait);
	else if (c->result != AUTH_OK)
		front_refuse(c, c->result);
	else
		front_session(c);
}

static void
front_wait(struct front_conn *c, enum front_state state, unsigned int ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	c->state = state;
	if (evtimer_add(&c->timer, &tv) == -1)
		front_end(c, FRONT_LOST);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn	*c = arg;

	if (c->state == FRONT_DELAY && c->result == AUTH_OK)
		front_session(c);
	else
		front_refuse(c, c->result == AUTH_OK ? AUTH_TEMP : c->result);
}

static void
front_refuse(struct front_conn *c, enum auth_result why)
{
	char	 remote[46];

	/* who: authd tells, if it is a name and no password in its place */
	log_info("%s login failed=%s remote=%s", connid_text(c->id),
	    why == AUTH_BAD ? "credentials" : "temporary",
	    conn_text(&c->source.peer, remote));
	front_ungrant(c);
	c->state = FRONT_COMMAND;
	front_answer(c, why == AUTH_BAD ? FRONT_LOGIN_BAD : FRONT_LOGIN_LATER);
	if (why == AUTH_BAD)
		conn_penalty(&c->source, FAIL_POINTS);
	if (++c->nfail >= FRONT_FAIL_MAX) {
		front_end(c, FRONT_BADNESS);
		return;
	}
	io_resume(c->io);
	io_again(c->io);
}

/* ---- grants ------------------------------------------------------------ */

static void
on_session(struct chan *ch, struct msg *m, void *arg)
{
	const struct grant_session_ev *e = &m->body->grant_session_ev;
	struct front_conn	*c = front_find(e->conn);

	/* It may have left since, or this is one too many, or of a login
	 * that took too long. */
	if (c == NULL || c->grant != 0 || c->state == FRONT_COMMAND ||
	    (c->state == FRONT_GRANT && c->account != e->account)) {
		front_release(e->grant);
		return;
	}
	c->grant = e->grant;
	c->granted = e->account;
	c->sock = m->fd[0];
	m->fd[0] = -1;
	if (c->state == FRONT_GRANT)
		front_session(c);
}

static void
on_fail(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = front_find(m->body->grant_fail_ev.conn);

	if (c == NULL)
		return;
	if (c->state == FRONT_GRANT) {
		evtimer_del(&c->timer);
		front_refuse(c, AUTH_TEMP);
	} else if (c->state == FRONT_PASS)
		front_end(c, FRONT_LOST);
	else				/* authd's answer is still to come */
		c->ungranted = true;
}

static void
on_revoked(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = front_find(m->body->grant_revoked_ev.conn);

	if (c != NULL && c->grant == m->body->grant_revoked_ev.grant)
		front_end(c, FRONT_REVOKED);
}

/* authd said yes: pass as soon as maild's session is there as well. */
static void
front_session(struct front_conn *c)
{
	char	 remote[46];

	if (c->granted != c->account)
		front_ungrant(c);
	if (c->sock == -1 && c->ungranted) {
		front_refuse(c, AUTH_TEMP);
		return;
	}
	if (c->sock == -1) {
		front_wait(c, FRONT_GRANT, GRANT_S * 1000);
		return;
	}
	evtimer_del(&c->timer);
	if (!front_count_add(c->account, front_limits()->max_per_account)) {
		front_answer(c, FRONT_LOGIN_LATER);
		front_end(c, FRONT_BUSY);
		return;
	}
	c->counted = true;
	fd_nonblock(c->sock);
	if (front_pass_start(c, proc_base(), proc_conf()->hostname) == -1) {
		front_end(c, FRONT_LOST);
		return;
	}
	c->state = FRONT_PASS;
	log_info("%s login user=%s remote=%s tls=%d", connid_text(c->id),
	    log_text(c->user, strlen(c->user)),
	    conn_text(&c->source.peer, remote), c->tls);
	conn_known(&c->source);
	io_deadline(c->io, FIRST_MS);
	io_resume(c->io);
	front_pass_input(c);
}

static void
front_release(uint64_t grant)
{
	struct grant_release_ev	 e = { .grant = grant };

	if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_RELEASE_EV, &e, NULL, 0);
}

/* A session that nothing was passed to yet. */
static void
front_ungrant(struct front_conn *c)
{
	front_pass_stop(c);
	if (c->grant != 0)
		front_release(c->grant);
	c->grant = 0;
}

/* ---- the end ----------------------------------------------------------- */

void
front_alive(struct front_conn *c)
{
	io_deadline(c->io, front_limits()->timeout * 1000);
}

void
front_pass_done(struct front_conn *c, bool clean)
{
	if (clean || c->eof)
		front_quit(c);
	else
		front_end(c, FRONT_LOST);
}

void
front_end(struct front_conn *c, enum front_end why)
{
	static const char *const word[] = {
		[FRONT_TIMEOUT] = "timeout", [FRONT_BUSY] = "busy",
		[FRONT_BADNESS] = "errors", [FRONT_COMMANDS] = "commands",
		[FRONT_REVOKED] = "revoked",
		[FRONT_STOPPING] = "stopping", [FRONT_LOST] = "lost"
	};
	const char	*bye = front.ops->bye[why];

	/* Within a session's answer it would be taken for a part of it, of a
	 * literal even: then the connection just ends. */
	if (c->state != FRONT_HANDSHAKE && !c->within)
		io_write(c->io, bye, strlen(bye));
	log_info("%s end why=%s", connid_text(c->id), word[why]);
	front_close(c, LINGER_MS);
}

void
front_quit(struct front_conn *c)
{
	front_close(c, 0);
}

static void
front_close(struct front_conn *c, unsigned int linger_ms)
{
	struct io	*io = c->io;

	front_free(c);
	io_finish(io, linger_ms);
}

/* Everything but the io. */
static void
front_free(struct front_conn *c)
{
	struct auth_close_ev	 e = { .conn = c->id };
	struct front_conn	**at;

	front_ungrant(c);
	evtimer_del(&c->timer);
	if (c->ask != 0 && front.authd != NULL)
		chan_forget(front.authd, c->ask);
	if ((c->account != 0 || c->ask != 0) && front.authd != NULL)
		chan_send(front.authd, AUTH_CLOSE_EV, &e, NULL, 0);
	if (c->counted)
		front_count_del(c->account);
	conn_close(&c->source);
	for (at = &front.bucket[c->id % BUCKETS]; *at != c; at = &(*at)->next)
		continue;
	*at = c->next;
	explicit_bzero(c->user, sizeof(c->user));
	free(c);
}
