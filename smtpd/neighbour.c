/*
 * What smtpd has besides its sessions: the channels to its neighbours, and
 * what they say unasked.  One that is gone is missed for a moment before
 * clients hear of it; what that does to sessions, the ops say (smtpd.c).
 * Who asks a neighbour something does that in ask.c.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "net/mech.h"
#include "net/tlskey.h"
#include "smtpd/smtpd.h"

#define AUTHD_WAIT_MS	5000		/* clients wait so long for it */
#define WITHOUT_MS	5000		/* and for the others */

static void	 on_gone(struct chan *, void *);
static void	 on_full(struct chan *, bool, void *);
static void	 on_missing(evutil_socket_t, short, void *);
static void	 on_without(evutil_socket_t, short, void *);
static void	 hold_look(void);
static void	 authd_missing(bool);
static void	 on_queue_state(struct chan *, struct msg *, void *);
static void	 on_revoked(struct chan *, struct msg *, void *);
static void	 on_offer(struct chan *, struct msg *, void *);

static const struct chan_handler queue_handlers[] = {
	{ QUEUE_STATE_EV, on_queue_state },
};

static const struct chan_handler authd_handlers[] = {
	{ AUTH_REVOKED_EV, on_revoked },
	{ AUTH_OFFER_EV, on_offer },
};

static const struct chan_ops chan_ops = { on_gone, on_full };
/* mail does not wait for reports */
static const struct chan_ops report_ops = { on_gone, NULL };

static struct {
	struct smtpd	 all;		/* what other files read */
	const struct neighbour_ops *ops;
	struct event	*missing_timer;
	bool		 missing;	/* authd will be back soon */
	uint64_t	 gone[CHAN_MAX]; /* since when, now_ms() */
} self;

const struct smtpd *
smtpd(void)
{
	return &self.all;
}

void
smtpd_session(struct session *s, bool here)
{
	if (here)
		LIST_INSERT_HEAD(&self.all.sessions, s, entry);
	else
		LIST_REMOVE(s, entry);
}

void
neighbour_init(const struct neighbour_ops *ops)
{
	self.ops = ops;
}

void
smtpd_start(const struct conf *conf)
{
	self.all.base = proc_base();
}

static const struct neighbour {
	enum chan_kind	 kind;
	struct chan	**chan;
	const struct chan_handler *handlers;	/* of what it says unasked */
	size_t		 nhandlers;
	const struct chan_ops *ops;
} neighbours[] = {
	{ CHAN_AUTH,	&self.all.authd, authd_handlers,
	    NITEMS(authd_handlers), &chan_ops },
	{ CHAN_QUEUE,	&self.all.queue, queue_handlers,
	    NITEMS(queue_handlers), &chan_ops },
	{ CHAN_SIGN,	&self.all.signd, NULL, 0, &chan_ops },
	{ CHAN_DNS,	&self.all.resolve, NULL, 0, &chan_ops },
	{ CHAN_REPORT,	&self.all.report, NULL, 0, &report_ops },
};

static const struct neighbour *
neighbour_find(enum chan_kind kind)
{
	size_t i;

	for (i = 0; i < NITEMS(neighbours); i++)
		if (neighbours[i].kind == kind)
			return &neighbours[i];
	return NULL;
}

void
smtpd_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	const struct neighbour *n = neighbour_find(kind);
	struct chan **c;

	self.all.base = proc_base();
	if (kind == CHAN_SIGN && peer == ROLE_SIGND_TLS) {
		tlskey_signer(fd);
		return;
	}
	if (n == NULL) {
		close(fd);
		return;
	}
	c = n->chan;
	if (kind != CHAN_SIGN)		/* the old signd still answers */
		chan_free(*c);
	*c = chan_new(self.all.base, fd, kind, SIDE_A, n->handlers,
	    n->nhandlers, n->ops, NULL);
	hold_look();
	if (kind == CHAN_AUTH)
		authd_missing(false);
	if (kind == CHAN_QUEUE) {
		self.all.queue_accepting = true;
		self.all.queue_free = UINT64_MAX;
	}
	if (kind == CHAN_QUEUE || kind == CHAN_DNS)
		self.ops->back(kind);
}

bool
smtpd_without(enum chan_kind kind)
{
	const struct chan *c = kind == CHAN_QUEUE ? self.all.queue :
	    self.all.resolve;

	return c == NULL && now_ms() - self.gone[kind] >= WITHOUT_MS;
}

static void
without_in(uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) *
	    1000 };

	(void)event_base_once(self.all.base, -1, EV_TIMEOUT, on_without, NULL,
	    &tv);
}

/* resolve is still not there: who asked it something has no answer.  The
 * event loop's clock may be some ms before ours, and resolve may have been
 * back meanwhile and have gone again: then the rest is waited for. */
static void
on_without(evutil_socket_t fd, short what, void *arg)
{
	uint64_t gone = now_ms() - self.gone[CHAN_DNS];

	if (self.all.resolve != NULL)
		return;
	if (gone < WITHOUT_MS)
		without_in(WITHOUT_MS - gone);
	else
		self.ops->back(CHAN_DNS);
}

static void
on_gone(struct chan *c, void *arg)
{
	if (c == self.all.authd) {
		self.all.authd = NULL;
		sasl_offer(NULL);
		authd_missing(true);
		self.ops->logins_over(0, REPLY_LOGIN_LOST);
	} else if (c == self.all.resolve) {
		self.all.resolve = NULL;
		self.gone[CHAN_DNS] = now_ms();
		without_in(WITHOUT_MS);
	} else if (c == self.all.queue) {
		self.all.queue = NULL;
		self.gone[CHAN_QUEUE] = now_ms();
	} else if (c == self.all.signd)
		self.all.signd = NULL;
	else if (c == self.all.report)
		self.all.report = NULL;
	hold_look();			/* what waited there is lost */
}

static void
on_revoked(struct chan *c, struct msg *m, void *arg)
{
	const struct auth_revoked_ev *e = &m->body->auth_revoked_ev;

	switch ((enum auth_revoked)e->why) {
	case REVOKED_DISABLED:
	case REVOKED_DELETED:
		self.ops->logins_over(e->account, REPLY_DISABLED);
		break;
	case REVOKED_PASSWORD:
		self.ops->logins_over(e->account, REPLY_NEW_PASSWORD);
		break;
	case REVOKED_OVER:
	case REVOKED_BEGIN:
	case REVOKED_END:
		break;
	}
}

static void
on_offer(struct chan *c, struct msg *m, void *arg)
{
	sasl_offer(&m->body->auth_offer_ev);
}

/* Is a send queue that feeds on mail full? */
static bool
any_full(void)
{
	size_t i;

	for (i = 0; i < NITEMS(neighbours); i++)
		if (neighbours[i].ops == &chan_ops &&
		    *neighbours[i].chan != NULL &&
		    chan_full(*neighbours[i].chan))
			return true;
	return false;
}

/*
 * Clients are not read while a channel's send queue is full, and for a
 * moment when authd is being started again: better than 451 to all.
 */
static void
hold_look(void)
{
	bool hold = any_full() || self.missing, was = self.all.hold;
	struct session *s;

	self.all.hold = hold;
	if (was && !hold)
		LIST_FOREACH(s, &self.all.sessions, entry)
			io_again(s->io);
}

static void
on_full(struct chan *c, bool full, void *arg)
{
	hold_look();
}

static void
authd_missing(bool missing)
{
	struct timeval tv = { AUTHD_WAIT_MS / 1000, 0 };

	self.missing = missing;
	if (self.missing_timer == NULL)
		self.missing_timer = evtimer_new(self.all.base, on_missing,
		    NULL);
	if (missing && self.missing_timer != NULL)
		evtimer_add(self.missing_timer, &tv);
	hold_look();
}

/* It takes longer: now they hear it. */
static void
on_missing(evutil_socket_t fd, short what, void *arg)
{
	self.missing = false;
	hold_look();
}

static void
on_queue_state(struct chan *c, struct msg *m, void *arg)
{
	self.all.queue_accepting = m->body->queue_state_ev.accepting != 0;
	self.all.queue_free = m->body->queue_state_ev.free_bytes;
}
