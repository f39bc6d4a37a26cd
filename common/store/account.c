/*
 * An account as its readers and writers see it: catching up with the log,
 * and the transaction around every change.  Used by deliver (which
 * as a rule keeps no state but the trailer of the last group) and by the
 * sessions (which keep everything).
 *
 * A transaction: store_begin() locks, reads what others wrote, cuts a torn
 * tail; the caller adds records to st->g; store_group() appends them as one
 * group, unlocks and applies them here.  Any failure before the append
 * leaves the account as it was.
 *
 * What stands at the end of the log, and what is done about it:
 *
 *	a valid group			nothing
 *	part of a group, or holes	a writer died: cut, under the lock; a
 *					reader without the lock stops before it
 *	a bad group before the durable	damage: the account can be read up to
 *	mark, or valid ones behind it	there, all writes are DAMAGED
 *	an end before what we read	damage
 *	what cannot be read now		nothing is known: IO, as it stands
 *	records we do not know		NEWER: nothing is written, nothing cut
 */
#include "base/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"
#include "store/store_priv.h"

#define READ_CHUNK	(256U << 10)
#define READ_KEEP	(1U << 20)	/* buffer kept between reads */
#define RESYNC_WINDOW	(32U << 20)	/* looked at behind a bad group */

/* One for the process: most of its pages are touched once. */
static struct {
	uint8_t	*p;
	size_t	 cap;
} rbuf;

/* At least n octets, good until the next who asks; NULL: no memory. */
uint8_t *
store_buffer(size_t n)
{
	uint8_t *p;

	if (n <= rbuf.cap)
		return rbuf.p;
	if ((p = realloc(rbuf.p, n)) == NULL)
		return NULL;
	rbuf.p = p;
	rbuf.cap = n;
	return p;
}

static void
rbuf_trim(void)
{
	if (rbuf.cap <= READ_KEEP)
		return;
	free(rbuf.p);
	rbuf.p = NULL;
	rbuf.cap = 0;
}

/* ---- catching up ------------------------------------------------- */

/* Is it the next group of the snapshot that the log begins with?  These have
 * its number, all of them. */
static bool
base_follows(const struct store *st, const struct loggroup *g)
{
	return st->head.base != 0 && g->seq == st->head.base &&
	    (st->base || st->pos == st->head.len);
}

/* And is it not the last one? */
static bool
base_goes_on(const struct store *st, const struct loggroup *g)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;

	if (!base_follows(st, g))
		return false;
	while (rec_next(&p, &n, &r) == 1)
		if (r.type == REC_BASE_END)
			return false;
	return true;
}

/* One group that was read or written becomes part of what we know. */
static enum store_result
absorb(struct store *st, const struct loggroup *g, size_t len)
{
	if (!loggroup_known(g))
		return STORE_NEWER;
	if (!base_follows(st, g) && (st->base ||
	    !loggroup_follows(g, st->tr.seq)))
		return STORE_DAMAGED;
	errno = 0;
	if (st->state != NULL && state_apply(st->state, g) == -1) {
		if (errno != ENOMEM)
			return STORE_DAMAGED;
		st->failed = true;	/* half of a group is in it */
		return STORE_NOMEM;
	}
	store_seen(st, len, g);
	st->base = base_goes_on(st, g);
	st->tr = g->tr;
	trailer_now(&st->tr);
	st->pos += len;
	return STORE_OK;
}

/*
 * Under the lock: what is wrong at st->pos?  A torn tail is cut and all is
 * well; anything else is damage.
 */
static enum store_result
tail_settle(struct store *st, uint64_t end)
{
	enum store_result r;
	struct mark m;
	uint8_t *p;
	size_t n;

	if ((r = backend_mark_get(&st->b, st->seed, &m)) != STORE_OK)
		return r;
	if (st->pos >= m.pos && st->pos >= st->head.end_pos) {
		n = end - st->pos > RESYNC_WINDOW ? RESYNC_WINDOW :
		    (size_t)(end - st->pos);
		if ((p = store_buffer(n)) == NULL)
			return STORE_NOMEM;
		r = backend_range(st->b.log, st->pos, p, n);
		if (r != STORE_OK)
			return r == STORE_NOTFOUND ? STORE_IO : r;
		if (log_resync(p, n, st->seed) == -1)
			return backend_log_cut(&st->b, st->pos);
	}
	backend_mark_damaged(&st->b, st->seed);
	return STORE_DAMAGED;
}

/*
 * Reads one buffer of the log and takes in its groups.  OK with *more unset:
 * the rest is no valid group (yet), or another writer has just cut it.
 */
static enum store_result
read_groups(struct store *st, uint64_t end, size_t *need, bool *more)
{
	struct loggroup g;
	enum store_result r;
	size_t n, off, want;
	ssize_t len = 0;
	uint8_t *p;

	n = end - st->pos < *need ? (size_t)(end - st->pos) : *need;
	if ((p = store_buffer(n)) == NULL)
		return STORE_NOMEM;
	r = backend_range(st->b.log, st->pos, p, n);
	if (r == STORE_NOTFOUND && !st->b.locked) {
		*more = false;
		return STORE_OK;
	}
	if (r != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_IO : r;
	for (off = 0; off < n; off += (size_t)len) {
		len = loggroup_parse(p + off, n - off, st->seed, &g, &want);
		if (len <= 0)
			break;
		if ((r = absorb(st, &g, (size_t)len)) != STORE_OK)
			return r;
	}
	*more = off == n || (len == 0 && end - st->pos >= want);
	*need = len == 0 && want > READ_CHUNK ? want : READ_CHUNK;
	return STORE_OK;
}

/*
 * Reads the log up to end; stops before what is not a valid group.  deliver
 * reads a piece, and is BUSY if there is more.
 */
static enum store_result
replay(struct store *st, uint64_t end)
{
	size_t need = READ_CHUNK;
	enum store_result r = STORE_OK;
	uint64_t stop = end;
	bool more = true;

	if (st->b.mode == STORE_DELIVER && end - st->pos > LOG_PIECE)
		stop = st->pos + LOG_PIECE;
	while (st->pos < stop && more && r == STORE_OK)
		r = read_groups(st, end, &need, &more);
	st->behind = r == STORE_OK && more && st->pos < end;
	return st->behind ? STORE_BUSY : r;
}

/*
 * Brings what we know to the end of the log.  With the lock, the log ends at
 * a group afterwards, or it is damaged.
 */
enum store_result
store_catch_up(struct store *st, uint64_t end)
{
	enum store_result r;

	if (end == st->pos)
		return STORE_OK;
	if (end < st->pos) {
		st->damaged = true;
		return STORE_DAMAGED;
	}
	r = replay(st, end);
	if (r == STORE_OK && st->pos < end && st->b.locked)
		r = tail_settle(st, end);
	else if (r == STORE_DAMAGED && st->b.locked)
		backend_mark_damaged(&st->b, st->seed);
	if (r == STORE_DAMAGED)
		st->damaged = true;
	rbuf_trim();
	return r;
}

/*
 * Starts at a position where a group is known to end, with its trailer only.
 * NOTFOUND: none ends there.
 */
enum store_result
store_jump(struct store *st, uint64_t pos)
{
	uint8_t t[LOG_TRAILER], *p;
	struct loggroup g;
	struct trailer tr;
	enum store_result r;
	size_t len, want;

	if (pos < st->head.len + LOG_GROUP_MIN)
		return STORE_NOTFOUND;
	r = backend_range(st->b.log, pos - LOG_TRAILER, t, sizeof(t));
	if (r != STORE_OK)
		return r;
	if (trailer_parse(t, &tr, &len) == -1 || len > pos - st->head.len)
		return STORE_NOTFOUND;
	if ((p = store_buffer(len)) == NULL)
		return STORE_NOMEM;
	if ((r = backend_range(st->b.log, pos - len, p, len)) != STORE_OK)
		return r;
	if (loggroup_parse(p, len, st->seed, &g, &want) != (ssize_t)len)
		return STORE_NOTFOUND;
	if (!loggroup_known(&g))
		return STORE_NEWER;
	st->tr = g.tr;
	trailer_now(&st->tr);
	st->pos = pos;
	rbuf_trim();
	return STORE_OK;
}

/* From the checkpoint, or from the start of the log if there is none or it
 * reaches beyond what there is of the log. */
enum store_result
store_load(struct store *st, bool messages, uint64_t end)
{
	struct index_at at;
	enum store_result r;

	r = index_load(&st->b, st->head.uuid, &st->state, messages, &at);
	if (r == STORE_OK && (at.pos > end ||
	    at.generation != (uint32_t)st->head.generation)) {
		state_free(st->state);
		if ((st->state = state_new(messages)) == NULL)
			return STORE_NOMEM;
		memset(&at, 0, sizeof(at));
	} else if (r != STORE_OK && r != STORE_NOTFOUND)
		return r;
	st->index_pos = at.pos;
	st->index_size = st->state->mapn;
	st->pos = at.pos == 0 ? st->head.len : at.pos;
	st->tr = at.tr;
	if (at.pos == 0)
		st->tr = (struct trailer){ .segment_next = 1 };
	trailer_now(&st->tr);
	return STORE_OK;
}

/*
 * Loads the whole state (or, without messages, the tree) up to where we are:
 * from the checkpoint and the log behind it.  BUSY: what is loaded stays and
 * goes on with the next catch-up.
 */
enum store_result
store_need_state(struct store *st, bool messages)
{
	struct trailer tr = st->tr;
	enum store_result r;
	uint64_t end = st->pos;

	if (st->state != NULL && (st->state->messages || !messages))
		return STORE_OK;
	state_free(st->state);
	st->state = NULL;
	if ((r = store_load(st, messages, end)) == STORE_OK)
		r = store_catch_up(st, end);
	if (r == STORE_OK && st->pos != end)
		r = STORE_DAMAGED;
	if (r == STORE_OK || r == STORE_BUSY)
		return r;
	state_free(st->state);
	st->state = NULL;
	st->pos = end;
	st->tr = tr;
	return r;
}

/* ---- transactions ------------------------------------------------ */

/* Forgotten delivery ids ride on the next group. */
static void
forget_add(struct store *st)
{
	uint8_t *p;

	if (st->nforget == 0)
		return;
	if ((p = group_add(&st->g, REC_FORGET, 0,
	    st->nforget * STORE_ID_LEN)) != NULL)
		memcpy(p, st->forget, st->nforget * STORE_ID_LEN);
}

/*
 * Somebody found damage: is that still so?  An operator who has repaired it
 * takes the lock file away, and with it the flag.
 */
static enum store_result
damage_look(struct store *st)
{
	enum store_result r;
	struct mark m;
	uint64_t end;

	if (!st->damaged)
		return STORE_OK;
	if ((r = backend_begin(&st->b, &end)) != STORE_OK)
		return r;
	if ((r = backend_mark_get(&st->b, st->seed, &m)) == STORE_OK) {
		st->damaged = (m.flags & MARK_DAMAGED) != 0;
		r = st->damaged ? STORE_DAMAGED : STORE_OK;
	}
	backend_end(&st->b);
	return r;
}

/* Locks and catches up; on success the caller ends with group or abort. */
enum store_result
store_begin(struct store *st)
{
	enum store_result r;
	uint64_t end;

	if (st->failed)
		return store_failure(st);
	if ((r = damage_look(st)) != STORE_OK ||
	    (r = store_recover(st)) != STORE_OK)
		return r;
	if ((r = store_lock(st, &end)) != STORE_OK) {
		st->gone = r == STORE_GONE;
		st->failed = st->failed || st->gone;
		return r;
	}
	r = store_catch_up(st, end);
	if (r == STORE_OK && (st->tr.seq == 0 || st->base))
		r = STORE_DAMAGED;	/* a log without its first group */
	if (r != STORE_OK) {
		backend_end(&st->b);
		return r;
	}
	group_start(&st->g);
	forget_add(st);
	return STORE_OK;
}

void
store_abort(struct store *st)
{
	backend_end(&st->b);
}

/*
 * Appends st->g as one group; tr is st->tr with what the group changes in
 * it.  Unlocks when the log has it; else the caller still has the lock, to
 * take back what it wrote elsewhere, and ends with store_abort().
 */
enum store_result
store_group(struct store *st, struct trailer *tr)
{
	struct loggroup g = { 0 };
	enum store_result r;
	uint64_t us = now_us();

	if (st->g.nrec == 0 && !st->g.failed) {
		backend_end(&st->b);
		return STORE_OK;
	}
	if (tr->seq <= st->tr.seq)	/* else it leaps */
		tr->seq = st->tr.seq + 1;
	if (group_finish(&st->g, st->seed, us, tr) == -1)
		r = STORE_LIMIT;
	else
		r = backend_log_append(&st->b, st->pos, st->g.p, st->g.n);
	if (r != STORE_OK)
		return r;
	backend_end(&st->b);
	st->nforget = 0;
	g.seq = tr->seq;
	g.time = us / 1000000;
	g.nrec = st->g.nrec;
	g.recs = st->g.p + LOG_GROUP_HEAD;
	g.nrecs = st->g.n - LOG_GROUP_MIN;
	g.tr = *tr;
	if ((r = absorb(st, &g, st->g.n)) != STORE_OK)
		st->failed = true;	/* what we hold is not the log */
	return r;
}

/* The same for those with nothing to take back: unlocks in any case. */
enum store_result
store_finish(struct store *st, struct trailer *tr)
{
	enum store_result r;

	if ((r = store_group(st, tr)) != STORE_OK)
		store_abort(st);
	return r;
}

bool
store_behind(const struct store *st)
{
	return st->behind;
}

enum store_result
store_settle(struct store *st)
{
	enum store_result r;
	uint64_t end;

	if (st->failed)
		return store_failure(st);
	if (st->damaged)
		return STORE_DAMAGED;
	if ((r = store_recover(st)) == STORE_OK &&
	    (r = store_log_end(st, &end)) == STORE_OK)
		r = store_catch_up(st, end);
	return r;
}

uint64_t
store_damaged(const struct store *st)
{
	return st->damaged ? st->pos : 0;
}

/* Is there room for this much more? */
bool
store_room(const struct store *st, uint64_t bytes, uint64_t messages)
{
	if (st->tr.messages > UINT32_MAX / 2 ||
	    (st->max_messages != 0 &&
	    st->tr.messages + messages > st->max_messages))
		return false;
	return st->max_bytes == 0 || st->tr.bytes + bytes <= st->max_bytes;
}

void
store_limit(struct store *st, uint64_t bytes, uint64_t messages)
{
	st->max_bytes = bytes;
	st->max_messages = messages;
}

void
store_warn(struct store *st, const unsigned int *percent, size_t n)
{
	size_t i;

	for (i = 0; i < STORE_WARN_MAX; i++)
		st->warn[i] = i < n && percent[i] <= 100 ?
		    (uint8_t)percent[i] : 0;
}

unsigned int
store_warned(const struct store *st)
{
	return st->warned;
}

void
store_usage(struct store *st, uint64_t *bytes, uint64_t *messages)
{
	*bytes = st->tr.bytes;
	*messages = st->tr.messages;
}

enum store_result
store_refresh(struct store *st)
{
	enum store_result r;
	uint64_t end;

	if (st->failed)
		return store_failure(st);
	if ((r = store_log_end(st, &end)) != STORE_OK) {
		st->failed = st->gone = r == STORE_GONE;
		return r;
	}
	(void)damage_look(st);		/* what is whole can be read anyhow */
	if (!st->damaged && (r = store_catch_up(st, end)) != STORE_OK &&
	    r != STORE_DAMAGED)
		return r;
	return st->b.mode == STORE_SESSION ? store_sync(st) : STORE_OK;
}
