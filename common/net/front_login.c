/*
 * Logins at a front: the question to authd, the time its answer is to take,
 * the grant and the session that maild sends.  Who has both is passed on
 * (front_pass.c); nobody else reaches a session.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/time.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"
#include "net/login.h"
#include "net/mech.h"

#define AUTH_MS		20000	/* authd answers, else: try later */
#define GRANT_S		20	/* maild gives a session in it */
#define FIRST_MS	300000	/* it may have a store to check before it
				 * says its first word */
#define FAIL_POINTS	10	/* penalty of a failed login */

static struct chan	*authd;		/* NULL: gone, for now */

static void	on_offer(struct chan *, struct msg *, void *);

static const struct chan_handler authd_handlers[] = {
	{ AUTH_OFFER_EV,	on_offer },
};

static void	on_authd_gone(struct chan *, void *);
static void	on_answer(struct chan *, struct msg *, void *);
static void	front_answered(struct front_conn *);
static void	front_more(struct front_conn *);
static void	on_timer(evutil_socket_t, short, void *);
static void	front_wait(struct front_conn *, enum front_state, unsigned int);
static void	front_session(struct front_conn *);
static void	front_release(uint64_t);
static void	front_ungrant(struct front_conn *);

void
front_login_authd(int fd)
{
	static const struct chan_ops ops = { .gone = on_authd_gone };

	chan_free(authd);
	sasl_offer(NULL);
	authd = chan_new(proc_base(), fd, CHAN_AUTH, SIDE_A, authd_handlers,
	    NITEMS(authd_handlers), &ops, NULL);
}

static void
on_authd_gone(struct chan *c, void *arg)
{
	if (authd != c)
		return;
	authd = NULL;
	sasl_offer(NULL);
}

static void
on_offer(struct chan *c, struct msg *m, void *arg)
{
	sasl_offer(&m->body->auth_offer_ev);
}

int
front_live_new(struct front_conn *c)
{
	if ((c->live = calloc(1, sizeof(*c->live))) == NULL)
		return -1;
	evtimer_assign(&c->live->timer, proc_base(), on_timer, c);
	return 0;
}

int
front_wait_session(struct front_conn *c)
{
	const struct timeval	 tv = { GRANT_S, 0 };

	return evtimer_add(&c->live->timer, &tv);
}

void
front_login_forget(struct front_conn *c)
{
	struct auth_close_ev	 e = { .conn = c->id };

	bool			 asked = c->ask != 0 || c->sasl != NULL;

	front_ungrant(c);
	front_sasl_forget(c);
	if (c->live != NULL)
		evtimer_del(&c->live->timer);
	if (c->ask != 0 && authd != NULL)
		chan_forget(authd, c->ask);
	if ((c->account != 0 || asked) && authd != NULL)
		chan_send(authd, AUTH_CLOSE_EV, &e, NULL, 0);
	if (c->counted)
		front_count_del(c->account);
	if (c->since != 0)
		logout_log(&(struct login){ c->id, &c->source.peer,
		    front_protocol(), slice_str(c->user), c->account, NULL },
		    now_sec_coarse() - c->since);
}

void
front_login_again(struct front_conn *c)
{
	front_login_forget(c);
	explicit_bzero(c->user, sizeof(c->user));
	c->tag[0] = '\0';
	c->account = c->granted = 0;
	c->since = c->sent = 0;
	c->ncommands = c->nbad = 0;
	c->counted = c->held = c->stuck = c->within = false;
	c->state = FRONT_COMMAND;
	front_waits(c);
	io_resume(c->io);
	io_again(c->io);
}

/* user: as authd tells, if it is a name and no password in its place. */
static void
front_told(struct front_conn *c, enum auth_result result, struct slice user,
    unsigned int wait_ms)
{
	struct quirk	 q;
	char		 tls[IO_TLS_TEXT];

	quirk_find(proc_conf(), &(struct quirk_who){ slice_str(c->client),
	    user, c->port }, &q);
	login_log(&(struct login){ c->id, &c->source.peer, front_protocol(),
	    user, c->account, front_protocol() == PROTO_IMAP ? q.hide :
	    NULL }, result, io_tls_text(c->io, tls), wait_ms);
}

/* ---- authd ------------------------------------------------------------- */

bool
front_login_allowed(struct front_conn *c)
{
	if (front_may_login(c))
		return true;
	front_answer(c, FRONT_TLS_FIRST);
	return false;
}

void
front_login(struct front_conn *c, struct slice user, struct slice password)
{
	struct auth_login	 ask = { .conn = c->id, .peer = c->source.peer,
				    .user = user, .password = password };

	ask.protocol = front_protocol();
	c->result = AUTH_TEMP;
	if (!sasl_field_valid(user) || !sasl_field_valid(password) ||
	    slice_cpy(user, c->user, sizeof(c->user)) == -1) {
		front_told(c, AUTH_BAD, slice_of("", 0), 0);
		front_refuse(c, AUTH_BAD);
		return;
	}
	front_ask(c, AUTH_LOGIN, &ask);
}

void
front_ask(struct front_conn *c, enum msg_type type, const void *body)
{
	c->result = AUTH_TEMP;
	c->ungranted = false;
	if (authd != NULL)
		c->ask = chan_ask(authd, type, body, NULL, 0, AUTH_MS,
		    on_answer, c);
	if (c->ask == 0) {
		front_told(c, AUTH_TEMP, slice_of("", 0), 0);
		front_refuse(c, AUTH_TEMP);
		return;
	}
	c->state = FRONT_AUTH;
	io_pause(c->io);
}

/* Wrong and unknown look the same and take as long as authd says. */
static void
on_answer(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = arg;
	struct auth_step_r	 r;

	c->ask = 0;
	sasl_answer(m, &r);
	c->result = r.result;
	if (r.result == AUTH_MORE && c->sasl == NULL)
		c->result = AUTH_TEMP;
	c->account = r.account;
	if (c->result == AUTH_OK)
		slice_cpy(r.user, c->user, sizeof(c->user));
	else if (c->result == AUTH_MORE)
		sasl_more(c->sasl, &r);
	else
		front_told(c, c->result, r.user, r.wait_ms);
	if (r.wait_ms > 0)
		front_wait(c, FRONT_DELAY, r.wait_ms);
	else
		front_answered(c);
}

static void
front_answered(struct front_conn *c)
{
	switch (c->result) {
	case AUTH_OK:
		front_session(c);
		break;
	case AUTH_BAD:
		if (c->sasl != NULL && sasl_fail(c->sasl))
			front_more(c);
		else
			front_refuse(c, AUTH_BAD);
		break;
	case AUTH_TEMP:
		front_refuse(c, AUTH_TEMP);
		break;
	case AUTH_MORE:
		front_more(c);
		break;
	}
}

/* The client is told a challenge; what it answers is the exchange's. */
static void
front_more(struct front_conn *c)
{
	c->state = FRONT_COMMAND;
	front_sasl_challenge(c);
	io_resume(c->io);
	io_again(c->io);
}

static void
front_wait(struct front_conn *c, enum front_state state, unsigned int ms)
{
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	c->state = state;
	if (evtimer_add(&c->live->timer, &tv) == -1)
		front_end(c, FRONT_LOST);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn	*c = arg;

	if (c->state == FRONT_DELAY)
		front_answered(c);
	else if (c->state == FRONT_WAKE)
		front_end(c, FRONT_LOST);
	else
		front_refuse(c, AUTH_TEMP);
}

void
front_refuse(struct front_conn *c, enum auth_result why)
{
	if (c->result == AUTH_OK)	/* right, but there is no session */
		front_told(c, why, slice_str(c->user), 0);
	front_ungrant(c);
	front_sasl_forget(c);
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

void
front_on_session(struct chan *ch, struct msg *m, void *arg)
{
	const struct grant_session_ev *e = &m->body->grant_session_ev;
	struct front_conn	*c = front_find(e->conn);

	if (c != NULL && front_park_waits(c, e->grant, e->account)) {
		c->sock = m->fd[0];
		m->fd[0] = -1;
		front_park_wake(c);
		return;
	}
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

void
front_on_fail(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = front_find(m->body->grant_fail_ev.conn);

	if (c == NULL)
		return;
	if (c->state == FRONT_GRANT) {
		evtimer_del(&c->live->timer);
		front_refuse(c, AUTH_TEMP);
	} else if (c->state == FRONT_PASS || c->state == FRONT_WAKE)
		front_end(c, FRONT_LOST);
	else				/* authd's answer is still to come */
		c->ungranted = true;
}

void
front_on_revoked(struct chan *ch, struct msg *m, void *arg)
{
	struct front_conn	*c = front_find(m->body->grant_revoked_ev.conn);

	if (c != NULL && c->grant == m->body->grant_revoked_ev.grant)
		front_end(c, FRONT_REVOKED);
}

/* authd said yes: pass as soon as maild's session is there as well. */
static void
front_session(struct front_conn *c)
{
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
	evtimer_del(&c->live->timer);
	if (!front_delay_over(c->account, front_login_delay())) {
		front_told(c, AUTH_TEMP, slice_str(c->user), 0);
		front_answer(c, FRONT_LOGIN_SOON);
		front_quit(c);
		return;
	}
	if (!front_count_add(c->account, front_max_per_account())) {
		front_told(c, AUTH_TEMP, slice_str(c->user), 0);
		front_answer(c, FRONT_LOGIN_LATER);
		front_end(c, FRONT_BUSY);
		return;
	}
	c->counted = true;
	if (front_pass_start(c, proc_base(), proc_conf()->hostname) == -1) {
		front_end(c, FRONT_LOST);
		return;
	}
	front_sasl_forget(c);
	c->state = FRONT_PASS;
	c->since = c->alive = now_sec_coarse();
	c->started = now_ms_coarse();
	front_told(c, AUTH_OK, slice_str(c->user), 0);
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
