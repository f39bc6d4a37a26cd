/*
 * Connections whose session rests.  It handed over what it knows (SESSION_PARK)
 * and went; what stays is the connection with its TLS, a few hundred octets,
 * and in IDLE the socket that whoever changes the account pokes.  The client's
 * next octet, or a poke, has maild make the session again, by the grant that
 * the connection keeps, and it gets back what was kept.  Run by imapd.
 *
 * What was kept is never looked at here.  Nothing is lost on the way: the
 * session is taken at its word only if it has had every octet of the client
 * that was there, and a poke waits in the socket, whoever holds it.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/time.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/le.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/front.h"
#include "net/io.h"

#define AGAIN_MAX	64	/* sessions asked for and not yet there */
/* Pokes of one connection wake it at most so often: a session that is honest
 * stays longer by itself. */
#define POKE_MS		1000
/* As TCP's keep-alive (listen.h), for the client's program to see. */
#define STILL_S		240

enum wants {
	WANTS_NOTHING,
	WANTS_POKED,		/* a session, for a poke */
	WANTS_SAID,		/* for its client; these first */
	WANTS_ASKED		/* it was asked for */
};

struct front_parked {
	struct event	 poke;
	TAILQ_ENTRY(front_parked) next;	/* of those that want one */
	struct front_conn *c;
	int		 fd;		/* -1: no poke wakes it */
	enum wants	 wants;
	bool		 still;		/* told that we are here */
	size_t		 n;
	uint8_t		 packet[];	/* SESSION_PARK, as it came */
};

TAILQ_HEAD(parked_list, front_parked);

static struct {
	struct parked_list poked, said;
	unsigned int	 asked;
} wake = {
	.poked = TAILQ_HEAD_INITIALIZER(wake.poked),
	.said = TAILQ_HEAD_INITIALIZER(wake.said),
};

static int	 parked_new(struct front_conn *, struct slice, int);
static int	 poke_watch(struct front_parked *);
static void	 on_poke(evutil_socket_t, short, void *);
static void	 still_deadline(struct front_conn *);
static void	 want(struct front_conn *, enum wants);
static void	 want_no_more(struct front_parked *);
static void	 wake_next(void);
static int	 wake_ask(struct front_parked *);

/* ---- to rest ----------------------------------------------------------- */

int
front_park(struct front_conn *c, struct slice packet, int fd)
{
	struct grant_park_ev	 e = { .grant = c->grant };
	uint64_t		 got;

	if (front_still() == NULL || c->within ||
	    packet.n < SESSION_PARK_HEAD ||
	    packet.n > SESSION_PARK_HEAD + SESSION_PARK_MAX)
		goto bad;
	got = get64(packet.p + 1);
	if (got > c->sent)
		goto bad;
	/* A command crossed it. */
	if (got != c->sent || c->eof || c->stuck || io_peek(c->io).n > 0) {
		if (fd != -1)
			close(fd);
		return 1;
	}
	if (parked_new(c, packet, fd) == -1)
		goto bad;
	front_pass_stop(c);
	c->state = FRONT_PARKED;
	if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_PARK_EV, &e, NULL, 0);
	free(c->live);		/* nothing of it is pending any more */
	c->live = NULL;
	io_flate_rest(c->io);
	still_deadline(c);
	return 0;
bad:
	if (fd != -1)
		close(fd);
	return -1;
}

/* fd is its own if it is made. */
static int
parked_new(struct front_conn *c, struct slice packet, int fd)
{
	struct front_parked	*p;

	if ((p = calloc(1, sizeof(*p) + packet.n)) == NULL)
		return -1;
	p->c = c;
	p->fd = fd;
	p->still = (packet.p[9] & SESSION_PARK_STILL) != 0;
	p->n = packet.n;
	memcpy(p->packet, packet.p, packet.n);
	if (fd != -1 && poke_watch(p) == -1) {
		free(p);
		return -1;
	}
	c->parked = p;
	return 0;
}

/* Not before its time: who is poked all the time is not woken so often. */
static int
poke_watch(struct front_parked *p)
{
	uint64_t	 ms = now_ms_coarse() - p->c->started;
	struct timeval	 tv = { 0 };

	if (ms >= POKE_MS) {
		event_assign(&p->poke, proc_base(), p->fd, EV_READ, on_poke, p);
		return event_add(&p->poke, NULL);
	}
	tv.tv_sec = (time_t)((POKE_MS - ms) / 1000);
	tv.tv_usec = (suseconds_t)((POKE_MS - ms) % 1000 * 1000);
	evtimer_assign(&p->poke, proc_base(), on_poke, p);
	return evtimer_add(&p->poke, &tv);
}

static void
on_poke(evutil_socket_t fd, short what, void *arg)
{
	struct front_parked	*p = arg;

	if (what & EV_READ)
		want(p->c, WANTS_POKED);
	else {
		event_assign(&p->poke, proc_base(), p->fd, EV_READ, on_poke, p);
		if (event_add(&p->poke, NULL) == -1)
			front_end(p->c, FRONT_LOST);
	}
}

/* The idle time goes on; who waits is told meanwhile that we are here. */
static void
still_deadline(struct front_conn *c)
{
	uint64_t	 gone = now_sec_coarse() - c->alive, left = 0;

	if (gone < front_timeout())
		left = front_timeout() - gone;
	if (c->parked->still && left > STILL_S)
		left = STILL_S;
	io_deadline(c->io, left > 0 ? (unsigned int)left * 1000 : 1);
}

void
front_park_deadline(struct front_conn *c)
{
	const char	*still = front_still();

	if (now_sec_coarse() - c->alive >= front_timeout()) {
		front_end(c, FRONT_TIMEOUT);
		return;
	}
	if (c->parked->still)
		io_write(c->io, still, strlen(still));
	still_deadline(c);
}

/* ---- to wake ----------------------------------------------------------- */

void
front_park_input(struct front_conn *c)
{
	if (io_peek(c->io).n > 0)
		want(c, WANTS_SAID);
	else if (c->eof)
		front_quit(c);		/* nothing to be done for it */
}

static void
want(struct front_conn *c, enum wants wants)
{
	struct front_parked	*p = c->parked;

	if (wants == WANTS_SAID)
		io_pause(c->io);
	if (p->wants >= wants)
		return;
	want_no_more(p);
	if (c->live == NULL && front_live_new(c) == -1) {
		front_end(c, FRONT_LOST);
		return;
	}
	c->state = FRONT_WAKE;
	p->wants = wants;
	TAILQ_INSERT_TAIL(wants == WANTS_SAID ? &wake.said : &wake.poked, p,
	    next);
	wake_next();
}

/* Out of the list it is in, or of those that were asked for. */
static void
want_no_more(struct front_parked *p)
{
	if (p->wants == WANTS_SAID)
		TAILQ_REMOVE(&wake.said, p, next);
	else if (p->wants == WANTS_POKED)
		TAILQ_REMOVE(&wake.poked, p, next);
	else if (p->wants == WANTS_ASKED)
		wake.asked--;
	p->wants = WANTS_NOTHING;
}

static void
wake_next(void)
{
	struct front_parked	*p;

	while (wake.asked < AGAIN_MAX) {
		if ((p = TAILQ_FIRST(&wake.said)) == NULL &&
		    (p = TAILQ_FIRST(&wake.poked)) == NULL)
			break;
		want_no_more(p);
		p->wants = WANTS_ASKED;
		wake.asked++;
		if (wake_ask(p) == -1)
			break;
	}
}

/* What goes wrong here shows as no session coming in time. */
static int
wake_ask(struct front_parked *p)
{
	struct grant_again_ev	 e = { p->c->id, p->c->grant };

	if (p->fd != -1)
		event_del(&p->poke);
	if (front_wait_session(p->c) == -1 || proc_main() == NULL)
		return -1;
	return chan_send(proc_main(), GRANT_AGAIN_EV, &e, NULL, 0);
}

bool
front_park_waits(const struct front_conn *c, uint64_t grant, uint32_t account)
{
	return c->state == FRONT_WAKE && c->parked->wants == WANTS_ASKED &&
	    c->grant == grant && c->granted == account;
}

void
front_park_wake(struct front_conn *c)
{
	struct front_parked	*p = c->parked;

	evtimer_del(&c->live->timer);
	strlcpy(c->tag, "*", sizeof(c->tag));
	if (front_pass_start(c, proc_base(), proc_conf()->hostname) == -1) {
		front_end(c, FRONT_LOST);
		return;
	}
	c->state = FRONT_PASS;
	if (front_pass_parked(c, slice_of((char *)p->packet, p->n),
	    p->fd) == -1) {
		front_end(c, FRONT_LOST);
		return;
	}
	front_park_forget(c);
	c->started = now_ms_coarse();
	io_deadline(c->io, (unsigned int)(now_sec_coarse() - c->alive <
	    front_timeout() ? front_timeout() + c->alive - now_sec_coarse() :
	    1) * 1000);
	io_resume(c->io);
	front_pass_input(c);
}

void
front_park_forget(struct front_conn *c)
{
	struct front_parked	*p = c->parked;

	if (p == NULL)
		return;
	c->parked = NULL;
	if (p->fd != -1) {
		event_del(&p->poke);
		close(p->fd);
	}
	want_no_more(p);
	free(p);
	wake_next();
}
