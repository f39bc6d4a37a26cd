/*
 * The life of an account, as maild passes it on: authd has it made here, and
 * tells when it was disabled, deleted or enabled; then deliver lets go of its
 * directory and defers its mail, which it confirms before authd answers the
 * operator, who may now put another directory in its place.
 *
 * Invariant: deliver writes to no account that is closed, whoever is started
 * again in between.  A new deliver is told all of them before it gets a
 * channel to queue; and no deliver gets one before authd has told us.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define CLOSE_MS	10000	/* deliver, which may be syncing, answers */
#define LIST_MAX	14336

struct accounts {
	struct numset	 closed;
	struct numset	 next;		/* being received */
	bool		 known;
};

struct closing {			/* authd waits for its answer */
	struct house	*house;
	pid_t		 authd;
	uint32_t	 ask;
	uint64_t	 began;
	unsigned int	 waiting;	/* for so many */
	bool		 late;		/* one of them was */
};

void
account_init(struct house *h)
{
	h->accounts = xcalloc(1, sizeof(*h->accounts));
}

bool
account_known(const struct house *h)
{
	return h->accounts->known;
}

bool
account_closed(const struct house *h, uint32_t account)
{
	return numset_has(&h->accounts->closed, account);
}

void
account_now_known(struct house *h)
{
	h->accounts->known = true;
}

void
account_on_create(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;
	struct account_create_r r = { 0 };
	char err[200] = "";

	r.ok = directory_account(c->house, m->body->account_create.account,
	    err, sizeof(err)) == 0;
	r.error = slice_str(err);
	chan_reply(chan, m->id, ACCOUNT_CREATE_R, &r, NULL, 0);
}

/* ---- telling deliver ----------------------------------------------------- */

/* Nobody waits for this one. */
static void
on_told(struct chan *chan, struct msg *m, void *arg)
{
}

void
account_tell(struct child *c)
{
	const struct numset *closed = &c->house->accounts->closed;
	struct account_close q = { .first = 1 };
	uint8_t buf[LIST_MAX];
	struct item_account it;
	size_t off = 0;

	for (it.account = 0; it.account / 8 < closed->size; it.account++) {
		if (!numset_has(closed, it.account))
			continue;
		if (item_account_put(buf, sizeof(buf), &off, &it) == 0)
			continue;
		q.accounts = slice_of((char *)buf, off);
		chan_ask(c->chan, ACCOUNT_CLOSE, &q, NULL, 0, CLOSE_MS,
		    on_told, NULL);
		q.first = 0;
		off = 0;
		item_account_put(buf, sizeof(buf), &off, &it);
	}
	q.accounts = slice_of((char *)buf, off);
	chan_ask(c->chan, ACCOUNT_CLOSE, &q, NULL, 0, CLOSE_MS, on_told, NULL);
}

static bool
is_deliver(const struct child *c)
{
	return c->role == ROLE_DELIVER && c->current &&
	    c->state == CHILD_READY && c->chan != NULL;
}

/* ---- from authd ---------------------------------------------------------- */

/* All of them, at its start: what it says now is so, whatever it did not come
 * to say before. */
void
account_on_closed(struct chan *chan, struct msg *m, void *arg)
{
	const struct account_closed_ev *e = &m->body->account_closed_ev;
	struct house *h = ((struct child *)arg)->house;
	struct accounts *ac = h->accounts;
	struct item_account it;
	struct child *c;
	size_t off = 0;

	if (e->first)
		numset_clear(&ac->next);
	while (item_account_get(e->accounts, &off, &it) == 1)
		if (it.account < h->conf->proc.uid_count)
			numset_put(&ac->next, it.account, true);
	if (!e->last)
		return;
	numset_clear(&ac->closed);
	ac->closed = ac->next;
	ac->next = (struct numset){ 0 };
	TAILQ_FOREACH(c, &h->children, entry)
		if (is_deliver(c))
			account_tell(c);
}

static void
closing_end(struct closing *cl)
{
	struct child *authd = child_ready(cl->house, ROLE_AUTHD, 0);
	struct account_state_r r = { .ok = !cl->late };

	if (--cl->waiting > 0)
		return;
	if (authd != NULL && authd->pid == cl->authd)
		chan_reply(authd->chan, cl->ask, ACCOUNT_STATE_R, &r, NULL, 0);
	free(cl);
}

/* One that died has let go as well. */
static void
on_close(struct chan *chan, struct msg *m, void *arg)
{
	struct closing *cl = arg;

	if (m == NULL && now_ms() - cl->began >= CLOSE_MS)
		cl->late = true;
	closing_end(cl);
}

static void
account_shut(struct child *authd, uint32_t ask, uint32_t account)
{
	struct closing *cl = xcalloc(1, sizeof(*cl));
	struct item_account it = { account };
	struct account_close q = { 0 };
	struct child *c;
	uint8_t buf[64];
	size_t off = 0;

	*cl = (struct closing){ .house = authd->house, .authd = authd->pid,
	    .ask = ask, .began = now_ms(), .waiting = 1 };
	item_account_put(buf, sizeof(buf), &off, &it);
	q.accounts = slice_of((char *)buf, off);
	TAILQ_FOREACH(c, &authd->house->children, entry)
		if (is_deliver(c) && chan_ask(c->chan, ACCOUNT_CLOSE, &q, NULL,
		    0, CLOSE_MS, on_close, cl) != 0)
			cl->waiting++;
	closing_end(cl);
}

void
account_on_state(struct chan *chan, struct msg *m, void *arg)
{
	const struct account_state *e = &m->body->account_state;
	struct child *authd = arg, *c;
	struct house *h = authd->house;
	struct account_open_ev ev = { e->account };
	struct account_state_r r = { .ok = 1 };

	if (e->account < h->conf->proc.uid_count) {
		numset_put(&h->accounts->closed, e->account, e->closed != 0);
		log_info("account %s id=%u", e->closed ? "closed" : "open",
		    e->account);
		if (e->closed) {
			run_closed(h, e->account);
			account_shut(authd, m->id, e->account);
			return;
		}
		TAILQ_FOREACH(c, &h->children, entry)
			if (is_deliver(c))
				chan_send(c->chan, ACCOUNT_OPEN_EV, &ev, NULL,
				    0);
	}
	chan_reply(chan, m->id, ACCOUNT_STATE_R, &r, NULL, 0);
}
