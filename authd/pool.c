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
#define POOL_IDLE	256	/* keys to be made when there is time */

struct work {
	TAILQ_ENTRY(work) entry;
	uint64_t	 deadline;
	pool_cb		 cb;
	void		*arg;
	enum msg_type	 type;		/* HASH_ */
	struct keys	 keys;		/* salt and count of those to make */
	size_t		 passwordn, hashn;
	char		 password[1024];
	char		 hash[256];
	char		*token;
};

struct worker {
	struct chan	*chan;		/* NULL: not there */
	struct work	*work;		/* NULL: idle */
	uint16_t	 instance;
};

TAILQ_HEAD(works, work);

static struct {
	struct works	 waiting;
	struct works	 idle;		/* for a worker that has no other */
	size_t		 nwaiting, nidle;
	struct worker	 worker[POOL_WORKERS];
	uint64_t	 none;		/* since when there is none, now_ms() */
	struct event	*kick;
} st = {
	.waiting = TAILQ_HEAD_INITIALIZER(st.waiting),
	.idle = TAILQ_HEAD_INITIALIZER(st.idle)
};

static void	 pool_turn(void);
static void	 on_done(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static void
work_end(struct work *w, const struct pool_answer *a)
{
	static const struct pool_answer none = { .ok = -1 };

	w->cb(a != NULL ? a : &none, w->arg);
	freezero(w->token, w->token != NULL ? strlen(w->token) : 0);
	freezero(w, sizeof(*w));
}

static bool
worker_give(struct worker *wk, struct work *w)
{
	struct slice password = { w->password, w->passwordn };
	struct slice salt = { (const char *)w->keys.salt,
	    w->keys.count != 0 ? sizeof(w->keys.salt) : 0 };
	struct hash_verify verify = { password, { w->hash, w->hashn } };
	struct hash_make make = { password, salt, w->keys.count };
	struct hash_keys keys = { password, salt, w->keys.count };
	struct hash_token token = { slice_str(w->token != NULL ? w->token :
	    "") };
	const void *body = w->type == HASH_VERIFY ? (const void *)&verify :
	    w->type == HASH_MAKE ? (const void *)&make :
	    w->type == HASH_KEYS ? (const void *)&keys : &token;

	if (chan_ask(wk->chan, w->type, body, NULL, 0, POOL_WORK_MS, on_done,
	    wk) == 0)
		return false;
	wk->work = w;
	return true;
}

/* Give what waits to who is idle. */
static void
pool_turn(void)
{
	struct worker *wk;
	struct works *from;
	struct work *w;
	size_t i;

	for (i = 0; i < POOL_WORKERS; i++) {
		wk = &st.worker[i];
		from = TAILQ_EMPTY(&st.waiting) ? &st.idle : &st.waiting;
		if ((w = TAILQ_FIRST(from)) == NULL)
			return;
		if (wk->chan == NULL || wk->work != NULL)
			continue;
		if (worker_give(wk, w)) {
			TAILQ_REMOVE(from, w, entry);
			*(from == &st.idle ? &st.nidle : &st.nwaiting) -= 1;
		}
	}
}

static void
on_kick(evutil_socket_t fd, short ev, void *arg)
{
	pool_turn();
}

static void
answer_take(const struct msg *m, struct pool_answer *a)
{
	const struct hash_make_r *make = &m->body->hash_make_r;
	const struct hash_keys_r *keys = &m->body->hash_keys_r;

	*a = (struct pool_answer){ 0 };
	if (m->type == HASH_MAKE_R) {
		a->ok = make->ok == 1 ? 1 : -1;
		a->hash = make->hash;
		a->keys = make->keys == 1;
		a->stored = make->stored;
		a->server = make->server;
	} else if (m->type == HASH_KEYS_R) {
		a->ok = keys->ok == 1 ? 1 : -1;
		a->keys = keys->ok == 1;
		a->stored = keys->stored;
		a->server = keys->server;
	} else if (m->type == HASH_TOKEN_R) {
		a->ok = m->body->hash_token_r.ok == 1;
		a->user = m->body->hash_token_r.user;
		a->why = m->body->hash_token_r.why;
	} else
		a->ok = m->body->hash_verify_r.ok == 1;
}

static void
on_done(struct chan *c, struct msg *m, void *arg)
{
	struct worker *wk = arg;
	struct work *w = wk->work;
	struct pool_answer a;

	wk->work = NULL;
	if (m == NULL)
		work_end(w, NULL);
	else {
		answer_take(m, &a);
		work_end(w, &a);
		explicit_bzero(&a, sizeof(a));
	}
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

static struct work *
work_new(enum msg_type type, struct slice password, struct slice hash,
    const struct keys *keys)
{
	struct work *w = xcalloc(1, sizeof(*w));

	if (st.none == 0)
		st.none = now_ms();	/* none came yet */
	if (password.n > sizeof(w->password) || hash.n > sizeof(w->hash))
		fatalx("pool: password or hash too long");
	w->type = type;
	memcpy(w->password, password.p, password.n);
	w->passwordn = password.n;
	if (hash.n > 0)
		memcpy(w->hash, hash.p, hash.n);
	w->hashn = hash.n;
	if (keys != NULL)
		w->keys = *keys;
	w->deadline = now_ms() + POOL_WAIT_MS;
	return w;
}

void
pool_verify(struct slice password, struct slice hash, pool_cb cb, void *arg)
{
	struct work *w = work_new(HASH_VERIFY, password, hash, NULL);

	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&st.waiting, w, entry);
	st.nwaiting++;
	pool_turn();
}

void
pool_make(struct slice password, const struct keys *keys, pool_cb cb,
    void *arg)
{
	struct work *w = work_new(HASH_MAKE, password, slice_of(NULL, 0),
	    keys);

	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_HEAD(&st.waiting, w, entry);
	st.nwaiting++;
	pool_turn();
}

void
pool_token(struct slice token, pool_cb cb, void *arg)
{
	struct work *w = work_new(HASH_TOKEN, slice_of("", 0),
	    slice_of(NULL, 0), NULL);

	w->token = xcalloc(1, token.n + 1);
	memcpy(w->token, token.p, token.n);
	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&st.waiting, w, entry);
	st.nwaiting++;
	pool_turn();
}

bool
pool_keys(struct slice password, const struct keys *keys, pool_cb cb,
    void *arg)
{
	struct work *w;

	if (st.nidle == POOL_IDLE)
		return false;
	w = work_new(HASH_KEYS, password, slice_of(NULL, 0), keys);
	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&st.idle, w, entry);
	st.nidle++;
	pool_turn();
	return true;
}

/* Those of a list whose time is over. */
static void
works_expire(struct works *works, size_t *count, bool without)
{
	struct work *w, *next;
	uint64_t now = now_ms();

	for (w = TAILQ_FIRST(works); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->deadline > now && !without)
			continue;
		TAILQ_REMOVE(works, w, entry);
		--*count;
		work_end(w, NULL);
	}
}

void
pool_tick(void)
{
	bool without = pool_without();

	works_expire(&st.waiting, &st.nwaiting, without);
	works_expire(&st.idle, &st.nidle, without);
}
