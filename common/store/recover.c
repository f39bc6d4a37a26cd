/*
 * What a crash left, and what a failed sync left in doubt: groups behind the
 * durable mark may name bytes that a power loss took.  Whoever opens the
 * account looks at them before it writes there, or shows anything: a session
 * at all, when it opens; deliver, which has others to serve, in pieces, and
 * is BUSY until the last one.  The mark goes with the pieces, so that nobody
 * has to look at the same bytes for ever, whatever kills him.
 *
 * Invariants: the mark passes a group only when all bytes it names were
 * compared with their checksums, and those that are lost were given up with
 * REC_LOST; what could not be read is neither.  After a sync that failed
 * (MARK_SYNCFAIL) it passes only what was written again and then synced.
 * No lock is held while bytes are read: those of a valid group never change.
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

#define LOG_CHUNK	(256U << 10)	/* of the log, read at once */
#define LOOK_PIECE	(16U << 20)	/* octets deliver looks at in one go */
#define LOOK_MARK	(64U << 20)	/* a session's mark follows so often */
#define LOOK_SMALL	(1U << 20)	/* fewer are not worth a sync */
#define LOOK_EACH	512		/* what finding a message costs */

/* All behind pos is to be looked at, up to where the log ends now, and
 * written again if the mark says that a sync of it failed. */
void
store_recover_from(struct store *st, uint64_t pos, const struct mark *m)
{
	st->look = (struct look){ .due = true, .mended = m->mended,
	    .rewrite = (m->flags & MARK_SYNCFAIL) != 0,
	    .pos = pos, .marked = pos, .written = pos };
}

/* ---- looking ----------------------------------------------------- */

static enum store_result
lost_note(struct store *st, const struct msgrec *r)
{
	struct lost *v;

	v = recallocarray(st->lost, st->nlost, st->nlost + 1, sizeof(*v));
	if (v == NULL)
		return STORE_NOMEM;
	st->lost = v;
	v += st->nlost++;
	v->segment = r->m.segment;
	v->offset = r->m.offset;
	if (r->id != NULL) {
		v->hasid = true;
		memcpy(v->id, r->id, STORE_ID_LEN);
	}
	return STORE_OK;
}

/* The rest of a message, as far as *budget goes.  BUSY: there is more. */
static enum store_result
look_message(struct store *st, const struct msgrec *r, uint64_t *budget)
{
	struct look *lk = &st->look;
	const struct store_msg *m = &r->m;
	enum store_result res = STORE_OK;
	uint32_t n;

	do {
		if (*budget < LOOK_EACH)
			return STORE_BUSY;
		n = m->size - lk->done;
		if (n > SEGMENT_PIECE)
			n = SEGMENT_PIECE;
		res = segment_piece(&st->b, m, lk->done, n, &lk->crc,
		    lk->rewrite);
		*budget -= n < *budget - LOOK_EACH ? n + LOOK_EACH : *budget;
		lk->since += n + LOOK_EACH;
		if (res == STORE_OK)
			lk->done += n;
	} while (res == STORE_OK && lk->done < m->size);
	if (res == STORE_NOTFOUND || res == STORE_DAMAGED ||
	    (res == STORE_OK && lk->crc != m->crc))
		return lost_note(st, r);
	return res;
}

/* The records of a group that were not looked at yet.  LIMIT: the list of
 * what is lost has to be written first. */
static enum store_result
look_group(struct store *st, const struct loggroup *g, uint64_t *budget)
{
	struct look *lk = &st->look;
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	enum store_result res;
	struct msgrec msg;
	struct rec r;
	uint32_t i = 0;

	while (rec_next(&p, &n, &r) == 1) {
		if (i++ < lk->rec)
			continue;
		if (rec_is_message(&r) &&
		    msgrec_decode(&r, g, 0, &msg) == 0 &&
		    (res = look_message(st, &msg, budget)) != STORE_OK)
			return res;
		lk->rec = i;
		lk->done = lk->crc = 0;
		if (st->nlost == LOST_MAX)
			return STORE_LIMIT;
	}
	return STORE_OK;
}

/* One buffer of the log.  LIMIT also when it is time for the mark. */
static enum store_result
look_chunk(struct store *st, size_t *need, uint64_t *budget)
{
	struct look *lk = &st->look;
	struct loggroup g;
	enum store_result r;
	uint64_t left = lk->end - lk->pos;
	size_t n = left < *need ? (size_t)left : *need, off, want;
	ssize_t len;
	uint8_t *p;

	if ((p = store_buffer(n)) == NULL)
		return STORE_NOMEM;
	if ((r = backend_range(st->b.log, lk->pos, p, n)) != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_IO : r;
	for (off = 0; off < n; off += (size_t)len) {
		len = loggroup_parse(p + off, n - off, st->seed, &g, &want);
		if (len == -1 || (len == 0 && want > left - off))
			return STORE_IO;	/* it was there before */
		*need = len == 0 && want > LOG_CHUNK ? want : LOG_CHUNK;
		if (len == 0)
			return STORE_OK;
		if ((r = look_group(st, &g, budget)) != STORE_OK)
			return r;
		lk->pos += (uint64_t)len;
		lk->rec = 0;
		if (lk->since >= LOOK_MARK)
			return STORE_LIMIT;
	}
	return STORE_OK;
}

/* ---- giving up, marking ------------------------------------------ */

/* The octets of all messages whose bytes are there, and how many. */
static uint32_t
lost_named(struct store *st, const struct lost *l, uint64_t *bytes)
{
	struct mailbox *m;
	struct store_msg *msg;
	uint32_t slot, n = 0;
	size_t k;

	*bytes = 0;
	for (k = 0; k < st->state->nnames; k++) {
		m = st->state->byname[k];
		for (slot = 0; slot < mailbox_slots(m); slot++) {
			msg = mailbox_msg(m, slot);
			if (msg->segment != l->segment ||
			    msg->offset != l->offset ||
			    (msg->flags & MSG_GONE) != 0)
				continue;
			n++;
			*bytes += msg->size;
		}
	}
	return n;
}

/* Gives up what is lost; what nobody names any more has moved since, or was
 * expunged, and its delivery was a good one. */
static void
lost_record(struct store *st, const struct lost *l, struct trailer *tr)
{
	uint64_t bytes;
	uint32_t n;
	uint8_t *p;

	if ((n = lost_named(st, l, &bytes)) == 0 ||
	    (p = group_add(&st->g, REC_LOST, 0, 32)) == NULL)
		return;
	put32(p, l->segment);
	put32(p + 4, l->hasid ? 1 : 0);
	put64(p + 8, l->offset);
	memcpy(p + 16, l->id, STORE_ID_LEN);
	tr->messages -= n;
	tr->bytes -= bytes;
}

/* One group that gives up the messages on the list. */
static enum store_result
lost_write(struct store *st)
{
	struct trailer tr;
	enum store_result r;
	uint64_t end;
	size_t i;

	if (st->nlost == 0)
		return STORE_OK;
	if ((r = store_need_state(st, true)) != STORE_OK ||
	    (r = backend_begin(&st->b, &end)) != STORE_OK)
		return r;
	if ((r = store_catch_up(st, end)) != STORE_OK) {
		backend_end(&st->b);
		return r;
	}
	group_start(&st->g);
	tr = st->tr;
	for (i = 0; i < st->nlost; i++)
		lost_record(st, &st->lost[i], &tr);
	if ((r = store_finish(st, &tr)) == STORE_OK)
		st->nlost = 0;
	return r;
}

/*
 * After a failed sync the kernel may hold pages as clean that are not on the
 * disk: write the same octets again, so that the next sync writes them.
 */
static enum store_result
log_rewrite(struct store *st)
{
	struct look *lk = &st->look;
	struct iovec iov;
	enum store_result r;
	uint8_t *p;
	size_t n;

	if ((p = store_buffer(LOG_CHUNK)) == NULL)
		return STORE_NOMEM;
	for (; lk->written < lk->pos; lk->written += n) {
		n = lk->pos - lk->written > LOG_CHUNK ? LOG_CHUNK :
		    (size_t)(lk->pos - lk->written);
		r = backend_range(st->b.log, lk->written, p, n);
		if (r != STORE_OK)
			return r == STORE_NOTFOUND ? STORE_IO : r;
		iov = (struct iovec){ p, n };
		r = backend_write(st->b.log, lk->written, &iov, 1);
		if (r != STORE_OK)
			return r;
	}
	return STORE_OK;
}

/*
 * All up to the group we are at is settled: so that nobody looks again.  Not
 * if a sync failed since we began: what that one left in doubt is not ours.
 */
static enum store_result
look_mark(struct store *st)
{
	struct look *lk = &st->look;
	enum store_result r;
	struct mark m;

	if ((r = store_sync_files(st)) != STORE_OK ||
	    (r = backend_mark_get(&st->b, st->seed, &m)) != STORE_OK)
		return r;
	if ((m.flags & MARK_SYNCFAIL) != 0 &&
	    !(lk->rewrite && m.mended == lk->mended)) {
		st->failed = true;
		return STORE_IO;
	}
	if (m.pos < lk->pos) {
		m.pos = lk->pos;
		if (lk->rewrite)
			m.flags |= MARK_SYNCFAIL;
		backend_mark_set(&st->b, st->seed, &m);
	}
	lk->marked = lk->pos;
	lk->since = 0;
	return STORE_OK;
}

static enum store_result
look_settle(struct store *st, bool mark)
{
	enum store_result r;

	if ((r = lost_write(st)) == STORE_OK && st->look.rewrite)
		r = log_rewrite(st);
	return r == STORE_OK && mark ? look_mark(st) : r;
}

static enum store_result
look(struct store *st)
{
	struct look *lk = &st->look;
	uint64_t budget = st->b.mode == STORE_DELIVER ? LOOK_PIECE :
	    UINT64_MAX;
	size_t need = LOG_CHUNK;
	enum store_result r = STORE_OK;

	while (r == STORE_OK && lk->pos < lk->end) {
		r = look_chunk(st, &need, &budget);
		if (r == STORE_LIMIT)
			r = look_settle(st, lk->since >= LOOK_MARK);
	}
	if (r == STORE_OK)
		return look_settle(st, lk->since >= LOOK_SMALL);
	if (r == STORE_BUSY && lk->pos > lk->marked &&
	    look_settle(st, true) == STORE_IO)
		return STORE_IO;
	return r;
}

/*
 * What is due of all that, before anything is written or shown.  Catches up
 * first; takes the lock when it has something to write.  BUSY: the next call
 * goes on.
 */
enum store_result
store_recover(struct store *st)
{
	struct look *lk = &st->look;
	enum store_result r;
	uint64_t end;

	if (!lk->due)
		return STORE_OK;
	if ((r = store_log_end(st, &end)) != STORE_OK ||
	    (r = store_catch_up(st, end)) != STORE_OK)
		return r;
	if (lk->end == 0)
		lk->end = st->pos > lk->pos ? st->pos : lk->pos;
	r = look(st);
	st->behind = r == STORE_BUSY;
	if (r != STORE_OK)
		return r;
	st->rewritten = lk->rewrite;
	lk->due = false;
	return STORE_OK;
}
