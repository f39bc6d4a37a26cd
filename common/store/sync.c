/*
 * What is on stable storage, and what to do when it is not: the syncs, the
 * durable mark that spares readers theirs, and recovery after a crash.
 *
 * Invariants: a group is told to a client only when its log octets and the
 * message octets it names are durable; the mark in `lock` never stands
 * beyond that.  Groups behind the mark may name bytes that a power loss
 * took: whoever opens the account checks them before the mark passes, and
 * gives lost ones up with REC_LOST (nobody was ever told of them).
 */
#include "compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "store.h"
#include "local.h"

#define COPY_CHUNK	65536
#define LOOK_MAX	(64ULL << 20)	/* octets deliver checks at most */

/* Remember that a segment has bytes that are not yet durable. */
void
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

/* A message whose bytes may have been lost: look, and note if so. */
static void
bytes_look(struct store *st, const struct rec *r)
{
	struct store_msg m = { 0 };
	struct lost *v;

	m.size = get32(r->p + 12);
	m.offset = get64(r->p + 32);
	m.segment = get32(r->p + 52);
	m.crc = get32(r->p + 60);
	st->looked += m.size;
	if (st->b.mode == STORE_DELIVER && st->looked > LOOK_MAX) {
		st->overdue = true;
		return;
	}
	switch (segment_check(&st->b, &m)) {
	case STORE_DAMAGED:
	case STORE_NOTFOUND:
		break;
	default:
		return;
	}
	if (st->nlost == LOST_MAX)
		return;
	v = recallocarray(st->lost, st->nlost, st->nlost + 1, sizeof(*v));
	if (v == NULL)
		return;
	st->lost = v;
	v += st->nlost++;
	v->segment = m.segment;
	v->offset = m.offset;
	if ((r->flags & REC_ADD_ID) != 0) {
		v->hasid = true;
		memcpy(v->id, r->p + REC_ADD_LEN, STORE_ID_LEN);
	}
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

	if (st->pos < st->durable)
		return;
	while (rec_next(&p, &n, &r) == 1) {
		if (r.type != REC_RECENT && r.type != REC_FORGET &&
		    r.type != REC_FACTS)
			st->want = st->pos + len;
		if (r.type == REC_SEGMENT || st->pos == LOG_HEADER)
			st->dirty_dir = true;
		if (r.type != REC_ADD || r.n < REC_ADD_LEN)
			continue;
		store_dirty(st, get32(r.p + 52));
		if (st->verify != 0 && st->pos >= st->verify)
			bytes_look(st, &r);
	}
}

void
store_mark_damaged(struct store *st)
{
	struct mark m;

	backend_mark_get(&st->b, st->seed, &m);
	m.flags |= MARK_DAMAGED;
	backend_mark_set(&st->b, st->seed, &m);
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
	struct mark m;

	backend_mark_get(&st->b, st->seed, &m);
	if ((m.flags & MARK_SYNCFAIL) != 0 && !st->rewritten) {
		if (m.pos < st->want)
			st->failed = true;
		return st->failed ? STORE_IO : STORE_OK;
	}
	durable_to(st, st->pos);
	st->rewritten = false;
	if (m.pos >= st->pos)
		return STORE_OK;
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
	backend_mark_get(&st->b, st->seed, &m);
	m.flags |= MARK_SYNCFAIL;
	backend_mark_set(&st->b, st->seed, &m);
	return r == STORE_NOSPACE ? STORE_NOSPACE : STORE_IO;
}

static int
sync_files(struct store *st)
{
	unsigned int i;
	int fd;

	if (st->dirty_all)
		return syncfs(st->b.dir);
	for (i = 0; i < st->ndirty; i++) {
		fd = segment_fd(&st->b, st->dirty[i]);
		if (fd == -1 && errno == ENOENT)
			continue;	/* missing: nothing to be had */
		if (fd == -1 || fdatasync(fd) == -1)
			return -1;
	}
	if (st->dirty_dir && fsync(st->b.dir) == -1)
		return -1;
	return fdatasync(st->b.log);
}

enum store_result
store_sync(struct store *st)
{
	struct mark m;

	if (st->failed)
		return STORE_IO;
	if (st->durable >= st->want)
		return STORE_OK;
	backend_mark_get(&st->b, st->seed, &m);
	if (m.pos >= st->want) {	/* others did; not what is behind it */
		durable_to(st, m.pos);
		return STORE_OK;
	}
	if (sync_files(st) == -1)
		return sync_failed(st);
	return mark_advance(st);
}

enum store_result
store_synced(struct store *st)
{
	if (st->failed)
		return STORE_IO;
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

/* ---- recovery ---------------------------------------------------- */

/*
 * After a failed sync the kernel may hold pages as clean that are not on the
 * disk: write the same octets again, so that the next sync writes them.
 */
static enum store_result
rewrite(int fd, uint64_t from, uint64_t to)
{
	static uint8_t buf[COPY_CHUNK];
	struct iovec iov;
	enum store_result r;
	size_t n, got;

	for (; from < to; from += got) {
		n = to - from > sizeof(buf) ? sizeof(buf) : (size_t)(to - from);
		if ((r = backend_read(fd, from, buf, n, &got)) != STORE_OK)
			return r;
		if (got == 0)
			return STORE_OK;
		iov = (struct iovec){ buf, got };
		if ((r = backend_write(fd, from, &iov, 1)) != STORE_OK)
			return r;
	}
	return STORE_OK;
}

static enum store_result
rewrite_all(struct store *st)
{
	enum store_result r;
	unsigned int i;
	int fd;

	for (i = 0; i < st->ndirty; i++) {
		if ((fd = segment_fd(&st->b, st->dirty[i])) == -1)
			continue;
		if ((r = rewrite(fd, 0, INT64_MAX / 2)) != STORE_OK)
			return r;
	}
	if ((r = rewrite(st->b.log, st->durable, st->pos)) == STORE_OK)
		st->rewritten = true;
	return r;
}

/* One group that gives up the messages on the list. */
static enum store_result
lost_write(struct store *st)
{
	struct trailer tr = st->tr;
	struct mailbox *m;
	struct store_msg *msg;
	uint32_t slot;
	uint8_t *p;
	size_t i, k;

	for (i = 0; i < st->nlost; i++) {
		if ((p = group_add(&st->g, REC_LOST, 0, 32)) == NULL)
			break;
		put32(p, st->lost[i].segment);
		put32(p + 4, st->lost[i].hasid ? 1 : 0);
		put64(p + 8, st->lost[i].offset);
		memcpy(p + 16, st->lost[i].id, STORE_ID_LEN);
		for (k = 0; k < st->state->nnames; k++) {
			m = st->state->byname[k];
			for (slot = 0; slot < mailbox_slots(m); slot++) {
				msg = mailbox_msg(m, slot);
				if (msg->segment != st->lost[i].segment ||
				    msg->offset != st->lost[i].offset ||
				    (msg->flags & MSG_GONE) != 0)
					continue;
				tr.messages--;
				tr.bytes -= msg->size;
			}
		}
	}
	st->nlost = 0;
	return store_finish(st, &tr);
}

/*
 * After the first catch-up: gives up what a crash took, writes again what a
 * failed sync left in doubt.  Takes the lock if the caller has not.
 */
enum store_result
store_recover(struct store *st)
{
	enum store_result r = STORE_OK;
	bool locked = st->b.locked;
	struct mark m;
	uint64_t end;

	if (st->verify == 0)
		return STORE_OK;
	st->verify = 0;
	backend_mark_get(&st->b, st->seed, &m);
	if (st->nlost == 0 && (m.flags & MARK_SYNCFAIL) == 0)
		return STORE_OK;
	if (!locked && (r = backend_begin(&st->b, &end)) != STORE_OK)
		return r;
	if (!locked)
		r = store_catch_up(st, end);
	if (r == STORE_OK && (m.flags & MARK_SYNCFAIL) != 0)
		r = rewrite_all(st);
	if (r == STORE_OK && st->nlost > 0 &&
	    (r = store_need_state(st, true)) == STORE_OK) {
		group_start(&st->g);
		r = lost_write(st);
		if (r == STORE_OK && locked)
			r = backend_begin(&st->b, &end);
		if (r == STORE_OK && locked)
			r = store_catch_up(st, end);
	}
	if (!locked)
		backend_end(&st->b);
	return r;
}
