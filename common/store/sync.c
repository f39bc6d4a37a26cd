/*
 * What is on stable storage: the syncs, and the durable mark that spares
 * readers theirs.  What to do when it is not is in recover.c.
 *
 * Invariants: a group is told to a client only when its log octets and the
 * message octets it names are durable; the mark in `lock` never stands
 * beyond that.  Groups behind the mark may name bytes that a power loss
 * took: whoever opens the account checks them before the mark passes, and
 * gives lost ones up with REC_LOST (nobody was ever told of them).
 */
#include "base/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

/* Remember that a segment has bytes that are not yet durable. */
static void
store_dirty(struct store *st, uint32_t segment)
{
	unsigned int i;

	for (i = 0; i < st->ndirty; i++)
		if (st->dirty[i] == segment)
			return;
	if (st->ndirty == DIRTY_MAX)
		st->dirty_all = true;
	else
		st->dirty[st->ndirty++] = segment;
}

/* What a group says of bytes, and of names of files. */
static void
seen_record(struct store *st, const struct rec *r, const struct loggroup *g)
{
	struct msgrec msg;

	if (r->type == REC_SEGMENT)
		st->dirty_dir = true;
	if (rec_is_message(r) && msgrec_decode(r, g, 0, &msg) == 0)
		store_dirty(st, msg.m.segment);
}

/*
 * A group of len octets at st->pos is taken in: what of it is not durable,
 * what may be lost?  Losing claims of \Recent, forgotten ids and new places
 * of facts does no harm, so nobody has to sync for these.
 */
void
store_seen(struct store *st, size_t len, const struct loggroup *g)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;

	while (rec_next(&p, &n, &r) == 1) {
		if (r.type == REC_COMPACT && r.n >= REC_COMPACT_LEN)
			segment_gone(&st->b, get32(r.p));
		if (st->pos < st->durable)
			continue;
		if (r.type != REC_RECENT && r.type != REC_FORGET &&
		    r.type != REC_FACTS)
			st->want = st->pos + len;
		if (st->pos == st->head.len)
			st->dirty_dir = true;
		seen_record(st, &r, g);
	}
}

/* Nothing that we know of waits for a sync up to pos. */
static void
durable_to(struct store *st, uint64_t pos)
{
	st->durable = pos;
	st->ndirty = 0;
	st->dirty_dir = st->dirty_all = false;
}

/*
 * Our sync went well, so all is durable up to where we are: say so.  Not if
 * somebody else's failed before it: the kernel tells that but once, and our
 * good one says nothing about those octets until they are written again.
 */
static enum store_result
mark_advance(struct store *st)
{
	enum store_result r;
	struct mark m;
	uint64_t end;
	bool failed;

	if ((r = backend_mark_get(&st->b, st->seed, &m)) != STORE_OK)
		return r;
	failed = (m.flags & MARK_SYNCFAIL) != 0;
	if (failed && !(st->rewritten && m.mended == st->look.mended)) {
		if (m.pos < st->want)
			st->failed = true;
		return st->failed ? STORE_IO : STORE_OK;
	}
	durable_to(st, st->pos);
	st->rewritten = false;
	if (m.pos > st->pos || (m.pos == st->pos && !failed))
		return STORE_OK;
	if (backend_log_size(&st->b, &end) == STORE_GONE)
		return STORE_OK;	/* the new log has a mark of its own */
	m.pos = st->pos;
	m.flags &= ~(uint32_t)MARK_SYNCFAIL;
	backend_mark_set(&st->b, st->seed, &m);
	return STORE_OK;
}

/* Give up the file: whoever opens it next writes it again first. */
static enum store_result
sync_failed(struct store *st)
{
	enum store_result r = backend_errno(errno);
	struct mark m;

	st->failed = true;
	if (backend_mark_get(&st->b, st->seed, &m) != STORE_OK ||
	    m.pos > st->durable)
		m.pos = st->durable;
	backend_mark_fail(&st->b, st->seed, m.pos);
	return r == STORE_NOSPACE ? STORE_NOSPACE : STORE_IO;
}

static int
sync_fault(int fd)
{
	backend_fault(fd, errno);
	return -1;
}

static int
sync_files(struct store *st)
{
	unsigned int i;
	int fd;

	if (st->dirty_all) {
		fd = st->b.dir;
		return syncfs(fd) == 0 ? 0 : sync_fault(fd);
	}
	for (i = 0; i < st->ndirty; i++) {
		fd = segment_fd(&st->b, st->dirty[i]);
		if (fd == -1 && errno == ENOENT)
			continue;	/* missing: nothing to be had */
		if (fd == -1)
			return -1;
		if (fdatasync(fd) == -1)
			return sync_fault(fd);
	}
	if (st->dirty_dir && fsync(st->b.dir) == -1)
		return sync_fault(st->b.dir);
	return fdatasync(st->b.log) == 0 ? 0 : sync_fault(st->b.log);
}

enum store_result
store_sync_files(struct store *st)
{
	return sync_files(st) == 0 ? STORE_OK : sync_failed(st);
}

enum store_result
store_sync(struct store *st)
{
	enum store_result r;
	struct mark m;

	if (st->failed)
		return store_failure(st);
	if (st->durable >= st->want)
		return STORE_OK;
	if (backend_mark_get(&st->b, st->seed, &m) == STORE_OK &&
	    m.pos >= st->want) {	/* others did; not what is behind it */
		durable_to(st, m.pos);
		return STORE_OK;
	}
	if ((r = store_sync_files(st)) != STORE_OK)
		return r;
	return mark_advance(st);
}

enum store_result
store_synced(struct store *st)
{
	if (st->failed)
		return store_failure(st);
	return st->durable < st->pos ? mark_advance(st) : STORE_OK;
}

void
store_sync_failed(struct store *st)
{
	(void)sync_failed(st);
}

bool
store_failed(const struct store *st)
{
	return st->failed;
}

enum store_result
store_commit(struct store *st)
{
	enum store_result r;

	if ((r = store_sync(st)) == STORE_OK)
		store_poke(st);
	return r;
}
