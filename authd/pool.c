/*
 * The hash workers and who waits for them.  Each worker has one thing to do
 * at a time; the rest waits here, first come first served, for a stated
 * time.  What a lost worker had is answered "could not be found out".
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define POOL_WAIT_MS	20000	/* in the list */
#define POOL_WORK_MS	20000	/* at the worker */
#define POOL_NONE_MS	5000	/* in the list while there is no worker */

struct work {
	TAILQ_ENTRY(work) entry;
	uint64_t	 deadline;
	pool_cb		 cb;
	void		*arg;
	size_t		 passwordn, hashn;
	char		 password[1024];
	char		 hash[256];
};

struct worker {
	struct chan	*chan;		/* NULL: not there */
	struct work	*work;		/* NULL: idle */
	uint16_t	 instance;
};

static struct {
	TAILQ_HEAD(, work) waiting;
	size_t		 nwaiting;
	struct worker	 worker[POOL_WORKERS];
	uint64_t	 none;		/* since when there is none, now_ms() */
	struct event	*kick;
} st = { .waiting = TAILQ_HEAD_INITIALIZER(st.waiting) };

static void	 pool_turn(void);
static void	 on_done(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static void
work_end(struct work *w, int ok, struct slice hash)
{
	w->cb(ok, hash, w->arg);
	freezero(w, sizeof(*w));
}

static bool
worker_give(struct worker *wk, struct work *w)
{
	struct slice password = { w->password, w->passwordn };
	struct slice hash = { w->hash, w->hashn };
	struct hash_verify verify = { password, hash };
	struct hash_make make = { password };
	uint32_t id;

	if (w->hashn == 0)
		id = chan_ask(wk->chan, HASH_MAKE, &make, NULL, 0,
		    POOL_WORK_MS, on_done, wk);
	else
		id = chan_ask(wk->chan, HASH_VERIFY, &verify, NULL, 0,
		    POOL_WORK_MS, on_done, wk);
	if (id == 0)
		return false;
	wk->work = w;
	return true;
}

/* Give what waits to who is idle. */
static void
pool_turn(void)
{
	struct worker *wk;
	struct work *w;
	size_t i;

	for (i = 0; i < POOL_WORKERS; i++) {
		wk = &st.worker[i];
		if ((w = TAILQ_FIRST(&st.waiting)) == NULL)
			return;
		if (wk->chan == NULL || wk->work != NULL)
			continue;
		if (worker_give(wk, w)) {
			TAILQ_REMOVE(&st.waiting, w, entry);
			st.nwaiting--;
		}
	}
}

static void
on_kick(evutil_socket_t fd, short ev, void *arg)
{
	pool_turn();
}

static void
on_done(struct chan *c, struct msg *m, void *arg)
{
	struct worker *wk = arg;
	struct work *w = wk->work;
	struct slice none = { NULL, 0 };

	wk->work = NULL;
	if (m == NULL)
		work_end(w, -1, none);
	else if (m->type == HASH_MAKE_R)
		work_end(w, m->body->hash_make_r.ok == 1 ? 1 : -1,
		    m->body->hash_make_r.hash);
	else
		work_end(w, m->body->hash_verify_r.ok == 1, none);
	if (m != NULL)
		pool_turn();
	else if (st.kick != NULL)
		event_active(st.kick, 0, 0);
}

static bool
pool_without(void)
{
	size_t i;

	for (i = 0; i < POOL_WORKERS; i++)
		if (st.worker[i].chan != NULL)
			return false;
	return now_ms() - st.none >= POOL_NONE_MS;
}

static void
on_gone(struct chan *c, void *arg)
{
	struct worker *wk = arg;

	log_notice("authd-hash[%u] is gone", wk->instance);
	wk->chan = NULL;
	st.none = now_ms();
}

void
pool_worker(uint16_t instance, int fd)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct worker *wk;

	if (instance >= POOL_WORKERS) {
		close(fd);
		return;
	}
	if (st.kick == NULL &&
	    (st.kick = event_new(proc_base(), -1, 0, on_kick, NULL)) == NULL)
		fatalx("pool: no event");
	wk = &st.worker[instance];
	chan_free(wk->chan);
	wk->instance = instance;
	wk->chan = chan_new(proc_base(), fd, CHAN_HASH, SIDE_A, NULL, 0, &ops,
	    wk);
	pool_turn();
}

bool
pool_room(unsigned int max)
{
	return st.nwaiting < max;
}

void
pool_ask(struct slice password, struct slice hash, pool_cb cb, void *arg)
{
	struct work *w = xcalloc(1, sizeof(*w));

	if (st.none == 0)
		st.none = now_ms();	/* none came yet */
	if (password.n > sizeof(w->password) || hash.n > sizeof(w->hash))
		fatalx("pool: password or hash too long");
	memcpy(w->password, password.p, password.n);
	w->passwordn = password.n;
	if (hash.n > 0)
		memcpy(w->hash, hash.p, hash.n);
	w->hashn = hash.n;
	w->cb = cb;
	w->arg = arg;
	w->deadline = now_ms() + POOL_WAIT_MS;
	if (hash.n == 0)
		TAILQ_INSERT_HEAD(&st.waiting, w, entry);
	else
		TAILQ_INSERT_TAIL(&st.waiting, w, entry);
	st.nwaiting++;
	pool_turn();
}

void
pool_tick(void)
{
	struct slice none = { NULL, 0 };
	struct work *w, *next;
	uint64_t now = now_ms();
	bool without = pool_without();

	for (w = TAILQ_FIRST(&st.waiting); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->deadline > now && !without)
			continue;
		TAILQ_REMOVE(&st.waiting, w, entry);
		st.nwaiting--;
		work_end(w, -1, none);
	}
}
