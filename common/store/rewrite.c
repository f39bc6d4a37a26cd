/*
 * A new journal: what the account is now, and nothing of how it came to be.
 * Run by the process store, while sessions and deliver go on; they find that
 * theirs has no name any more, and follow (follow.c).
 *
 *	1  store_sync; journal.new.PID: the state at group N, as groups of
 *	   1 MiB between BASE and BASE_END, all with the number N
 *	2  groups N+1 to E as they are; head: E, where it ends; store_sync of
 *	   the old log, fdatasync of the new one.  No lock.
 *	3  lock; if the log still ends at E, has its name, and no sync failed:
 *	   rename; unlock.  Else 2 again, which is short by now
 *	4  fsync the directory; the mark of the new generation; fdatasync of
 *	   lock; a new checkpoint
 *
 * Invariants: the name `journal` is at every moment that of a file which is
 * durable up to every promise, so a power loss leaves the old or the new one,
 * and so does kill -9, with a file for sweep().  The lock covers an fstat and
 * a rename.
 */
#include "base/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define LONG_TIMES	2		/* as long as a new one */
#define LONG_MORE	(4U << 20)	/* and so much more */
#define GROWN_LEAST	(64U << 10)
#define BOX_ABOUT	96		/* of a mailbox, without its name */
#define NAME_ABOUT	24		/* of a record with a name, without it */
#define GROUP_FULL	(1U << 20)	/* octets of a group of the snapshot */
#define COPY_CHUNK	(256U << 10)
#define IDS_ONCE	4096		/* of one record */
#define ID_DAYS		30		/* then nobody asks any more */
#define TRIES		50		/* somebody wrote each time */
#define QUICK_US	8000		/* a sync that may have the lock */

struct rewrite {
	struct store	*st;
	int		 fd;
	char		 name[64];
	struct loghead	 head;
	struct group	 g;
	struct trailer	 tr;		/* of the snapshot */
	uint64_t	 pos;		/* octets written */
	uint64_t	 copied;	/* of the old log */
};

static uint64_t
box_need(const struct mailbox *m)
{
	const struct keywords *k = &m->kw;
	uint64_t n = mailbox_slots(m) * (uint64_t)(LOG_REC_HEAD +
	    REC_MSG_LEN) + m->ntombs * 16ULL + BOX_ABOUT + strlen(m->name);
	uint32_t i;

	for (i = 0; i < k->n; i++)
		n += NAME_ABOUT + strlen(k->names[i]);
	for (i = 1; i < k->nsets; i++)
		n += (uint64_t)k->sets[i].refs * k->sets[i].n * 2;
	return n;
}

/* About how long a new one would be. */
uint64_t
journal_need(const struct store *st)
{
	const struct state *s = st->state;
	const struct mailbox *m;
	uint64_t n = s->ids.n * REC_ID_LEN;
	size_t i = 0;

	while ((m = mailbox_next(s, &i)) != NULL)
		n += box_need(m);
	for (i = 0; i < s->nsubs; i++)
		n += NAME_ABOUT + strlen(s->subs[i]);
	return n;
}

/* Is ours so long that a new one pays?  One that was just made never is,
 * however far we are out: else it would be made again for ever. */
bool
journal_long(const struct store *st)
{
	return st->pos > st->head.end_pos + GROWN_LEAST &&
	    st->pos > LONG_TIMES * journal_need(st) + LONG_MORE;
}

/* Is there something to give at all, since it was made? */
bool
journal_grown(const struct store *st)
{
	return st->head.version < LOG_VERSION ||
	    (st->pos > journal_need(st) + GROWN_LEAST &&
	    st->pos > st->head.end_pos + GROWN_LEAST);
}

/* ---- 1: the snapshot --------------------------------------------- */

static enum store_result
group_flush(struct rewrite *rw)
{
	enum store_result r;
	struct iovec iov;

	if (rw->g.failed || group_finish(&rw->g, rw->st->seed, now_us(),
	    &rw->tr) == -1)
		return STORE_NOMEM;
	iov = (struct iovec){ rw->g.p, rw->g.n };
	r = backend_write(rw->fd, rw->pos, &iov, 1);
	rw->pos += rw->g.n;
	group_start(&rw->g);
	return r;
}

static enum store_result
group_room_for_more(struct rewrite *rw)
{
	return rw->g.n < GROUP_FULL ? STORE_OK : group_flush(rw);
}

/* A record with a number, a length and a name at its end. */
static void
put_name(struct rewrite *rw, enum rec_type type, size_t at, const char *name,
    uint32_t a, uint32_t b, uint32_t c)
{
	size_t n = strlen(name);
	uint8_t *p;

	if ((p = group_add(&rw->g, type, 0, at + 4 + n)) == NULL)
		return;
	put32(p, a);
	if (at > 4)
		put32(p + 4, b);
	if (at > 8)
		put32(p + 8, c);
	put32(p + at, (uint32_t)n);
	memcpy(p + at + 4, name, n);
}

static void
put_base(struct rewrite *rw)
{
	const struct state *s = rw->st->state;
	uint8_t *p;

	if ((p = group_add(&rw->g, REC_BASE, 0, 16)) == NULL)
		return;
	put32(p, s->lastid);
	put32(p + 4, s->uidvalidity);
	put64(p + 8, s->gone_from);
}

/* What there is of a mailbox besides messages. */
static void
put_box(struct rewrite *rw, const struct mailbox *m)
{
	uint8_t *p;
	uint32_t i;

	if ((p = group_add(&rw->g, REC_BOX, 0, REC_BOX_LEN +
	    (size_t)m->ntombs * 16)) == NULL)
		return;
	put32(p, m->id);
	put32(p + 4, m->attr);
	put32(p + 8, m->uidnext);
	put32(p + 12, m->recent);
	put32(p + 16, m->kw.told);
	put32(p + 20, m->removed ? 1 : 0);
	put64(p + 24, m->modseq);
	put64(p + 32, m->tombs_from);
	put32(p + 40, m->ntombs);
	for (i = 0, p += REC_BOX_LEN; i < m->ntombs; i++, p += 16) {
		put32(p, m->tombs[i].uids.first);
		put32(p + 4, m->tombs[i].uids.last);
		put64(p + 8, m->tombs[i].modseq);
	}
}

static enum store_result
put_messages(struct rewrite *rw, struct mailbox *m)
{
	struct msgrec msg = { .mailbox = m->id };
	const struct store_msg *x;
	const struct kwset *kw;
	enum store_result r;
	uint32_t i;

	for (i = 0; i < mailbox_slots(m); i++) {
		x = mailbox_msg(m, i);
		if ((x->flags & MSG_GONE) != 0 &&
		    !msg_remembered(rw->st->state, x))
			continue;
		msg.m = *x;
		kw = kwset_at(&m->kw, x->kwset);
		msg.kw.n = kw->n;
		if (kw->n > 0)
			memcpy(msg.kw.v, kw->v, kw->n * sizeof(kw->v[0]));
		(void)msgrec_encode(&rw->g, &msg);
		if ((r = group_room_for_more(rw)) != STORE_OK)
			return r;
	}
	return STORE_OK;
}

static enum store_result
put_mailbox(struct rewrite *rw, struct mailbox *m)
{
	enum store_result r;
	uint32_t i;

	put_name(rw, REC_MAILBOX_CREATE, 12, m->name, m->id, m->uidvalidity,
	    m->attr & STORE_MB_SPECIAL);
	for (i = 0; i < m->kw.n; i++)
		put_name(rw, REC_KEYWORD, 8, m->kw.names[i], m->id, i, 0);
	if ((r = put_messages(rw, m)) != STORE_OK)
		return r;
	put_box(rw, m);
	return group_room_for_more(rw);
}

/* Those that somebody may still ask for. */
static enum store_result
put_ids(struct rewrite *rw)
{
	const struct idset *ids = &rw->st->state->ids;
	uint64_t old = now_sec() - ID_DAYS * 86400ULL;
	enum store_result r = STORE_OK;
	uint8_t buf[IDS_ONCE / 16][24], *p;
	size_t i, n = 0;

	for (i = 0; r == STORE_OK && i <= ids->cap; i++) {
		if (n == NITEMS(buf) || (i == ids->cap && n > 0)) {
			p = group_add(&rw->g, REC_IDS, 0, n * sizeof(buf[0]));
			if (p != NULL)
				memcpy(p, buf, n * sizeof(buf[0]));
			n = 0;
			r = group_room_for_more(rw);
		}
		if (i == ids->cap || ids->v[i].time < old)
			continue;
		memcpy(buf[n], ids->v[i].id, STORE_ID_LEN);
		put64(buf[n++] + 16, ids->v[i].time);
	}
	return r;
}

/* Deleted mailboxes first: they have names and ids of others. */
static enum store_result
snapshot(struct rewrite *rw)
{
	const struct state *s = rw->st->state;
	enum store_result r = STORE_OK;
	size_t i;

	group_start(&rw->g);
	put_base(rw);
	for (i = 0; r == STORE_OK && i < s->nremoved; i++)
		r = put_mailbox(rw, s->removed[i]);
	for (i = 0; r == STORE_OK && i < s->nnames; i++)
		r = put_mailbox(rw, s->byname[i]);
	for (i = 0; r == STORE_OK && i < s->nsubs; i++) {
		put_name(rw, REC_SUBSCRIBE, 4, s->subs[i], 1, 0, 0);
		r = group_room_for_more(rw);
	}
	if (r == STORE_OK)
		r = put_ids(rw);
	(void)group_add(&rw->g, REC_BASE_END, 0, 0);
	if (r == STORE_OK)
		r = group_flush(rw);
	return r;
}

static enum store_result
rewrite_start(struct rewrite *rw)
{
	struct store *st = rw->st;
	enum store_result r;

	rw->head = st->head;
	rw->head.generation++;
	rw->head.base = st->tr.seq;
	rw->tr = st->tr;
	rw->pos = LOG_HEADER;
	rw->copied = st->pos;
	(void)snprintf(rw->name, sizeof(rw->name), "journal.new.%ld",
	    (long)getpid());
	(void)unlinkat(st->b.dir, rw->name, 0);
	rw->fd = backend_file(st->b.dir, rw->name, O_RDWR | O_CREAT | O_EXCL);
	if (rw->fd == -1)
		return backend_errno(errno);
	if ((r = snapshot(rw)) != STORE_OK)
		return r;
	return fdatasync(rw->fd) == -1 ? backend_errno(errno) : STORE_OK;
}

/* ---- 2: what came since ------------------------------------------ */

static enum store_result
tail_copy(struct rewrite *rw)
{
	struct iovec iov;
	enum store_result r;
	uint8_t *p;
	size_t n;

	for (; rw->copied < rw->st->pos; rw->copied += n, rw->pos += n) {
		n = rw->st->pos - rw->copied > COPY_CHUNK ? COPY_CHUNK :
		    (size_t)(rw->st->pos - rw->copied);
		if ((p = store_buffer(COPY_CHUNK)) == NULL)
			return STORE_NOMEM;
		r = backend_range(rw->st->b.log, rw->copied, p, n);
		if (r != STORE_OK)
			return r == STORE_NOTFOUND ? STORE_IO : r;
		iov = (struct iovec){ p, n };
		if ((r = backend_write(rw->fd, rw->pos, &iov, 1)) != STORE_OK)
			return r;
	}
	return STORE_OK;
}

/* The new log has all that we know of, and that is durable, in both. */
static enum store_result
tail_settle(struct rewrite *rw)
{
	uint8_t head[LOG_HEADER];
	struct iovec iov = { head, sizeof(head) };
	enum store_result r;

	if ((r = store_sync(rw->st)) != STORE_OK ||
	    (r = tail_copy(rw)) != STORE_OK)
		return r;
	rw->head.end_seq = rw->st->tr.seq;
	rw->head.end_pos = rw->pos;
	loghead_encode(&rw->head, head);
	if ((r = backend_write(rw->fd, 0, &iov, 1)) != STORE_OK)
		return r;
	return fdatasync(rw->fd) == -1 ? backend_errno(errno) : STORE_OK;
}

/* ---- 3: the name ------------------------------------------------- */

/* Under the lock: it gets the name, if the new log has it all. */
static enum store_result
name_take(struct rewrite *rw, uint64_t end)
{
	struct store *st = rw->st;
	enum store_result r;
	struct mark m;

	if (end != rw->copied)
		return STORE_BUSY;
	if ((r = backend_mark_get(&st->b, st->seed, &m)) != STORE_OK)
		return r;
	if (m.flags != 0)
		return (m.flags & MARK_DAMAGED) != 0 ? STORE_DAMAGED :
		    STORE_IO;
	if (renameat(st->b.dir, rw->name, st->b.dir, "journal") == -1)
		return backend_errno(errno);
	return STORE_OK;
}

/* Others write all the time: once more what they wrote, under the lock, if
 * the disk is quick. */
static enum store_result
name_insist(struct rewrite *rw)
{
	struct store *st = rw->st;
	enum store_result r;
	uint64_t end;

	if ((r = backend_begin(&st->b, &end)) != STORE_OK)
		return r;
	if ((r = store_catch_up(st, end)) == STORE_OK &&
	    (r = tail_settle(rw)) == STORE_OK)
		r = name_take(rw, end);
	backend_end(&st->b);
	return r;
}

static enum store_result
name_try(struct rewrite *rw)
{
	struct store *st = rw->st;
	enum store_result r = STORE_BUSY;
	uint64_t end, took = 0;
	int tries;

	for (tries = 0; r == STORE_BUSY && tries < TRIES; tries++) {
		if ((r = store_refresh(st)) != STORE_OK)
			return r;
		took = now_us();
		if ((r = tail_settle(rw)) != STORE_OK)
			return r;
		took = now_us() - took;
		if ((r = backend_begin(&st->b, &end)) == STORE_OK)
			r = name_take(rw, end);
		backend_end(&st->b);
	}
	return r == STORE_BUSY && took < QUICK_US ? name_insist(rw) : r;
}

/* ---- 4: who comes next ------------------------------------------- */

static enum store_result
rewrite_end(struct rewrite *rw)
{
	struct store *st = rw->st;
	struct mark m;
	enum store_result r;
	uint64_t end;

	if (fsync(st->b.dir) == -1)
		return backend_errno(errno);
	if ((r = store_log_end(st, &end)) != STORE_OK)
		return r;
	if (st->head.generation == rw->head.generation &&
	    backend_mark_get(&st->b, st->seed, &m) == STORE_OK &&
	    m.flags == 0 && m.pos <= rw->head.end_pos) {
		m.pos = rw->head.end_pos;
		backend_mark_set(&st->b, st->seed, &m);
		if (fdatasync(st->b.lock) == -1)
			return backend_errno(errno);
	}
	return store_checkpoint(st);
}

/* BUSY: too much was written meanwhile. */
enum store_result
journal_rewrite(struct store *st)
{
	struct rewrite rw = { .st = st, .fd = -1 };
	enum store_result r;
	bool named = false;

	if ((r = rewrite_start(&rw)) == STORE_OK &&
	    (r = name_try(&rw)) == STORE_OK)
		named = true;
	if (rw.fd != -1)
		close(rw.fd);
	group_free(&rw.g);
	if (named)
		return rewrite_end(&rw);
	if (rw.fd != -1)
		(void)unlinkat(st->b.dir, rw.name, 0);
	return r;
}
