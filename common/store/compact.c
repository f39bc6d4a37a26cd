/*
 * Space comes back: segments that nobody needs are deleted, and what is needed
 * of a mostly dead one moves to another.  Run by the process store, while
 * sessions and deliver go on; a piece a call.
 *
 * Invariants: what moves is on stable storage, by its new name, before the
 * log says so; the log is, before the old file goes.  So a crash at any step
 * leaves either all in the old place, or all in the new one, and at most a
 * file that nothing names, which goes a day later.  The lock is held only to
 * append a group, after a look that nothing was copied meanwhile; bytes are
 * read and written without it: those of a sealed segment never change.
 *
 *	1  fdatasync mail.TO, fsync the directory
 *	2  a group: SEGMENT, COMPACT
 *	3  sync
 *	4  unlink mail.FROM, facts.FROM
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define DEAD_ONCE	256		/* segments deleted by one group */
#define ITEMS_MAX	500000		/* of one group: 16 MB */
#define LEFT_AGE	86400		/* s, of a file that nothing names */

/* What a segment can have of messages of one octet, and facts besides. */
_Static_assert(ITEMS_MAX > STORE_SEGMENT_MAX / (SEGMENT_LINE + SEGMENT_TAIL +
    1) && ITEMS_MAX * REC_MOVED_LEN < LOG_GROUP_MAX - 65536,
    "all of a segment goes into one record");

struct moving {				/* a segment that is made anew */
	struct store	*st;
	const struct space *sp;
	uint32_t	 from;
	struct segwrite	 to;
	uint64_t	 facts_end;
	uint8_t		*items;		/* as in the record */
	uint32_t	 n, cap;
};

/* Deletes a segment and the facts beside it. */
static void
segment_unlink(struct store *st, uint32_t number)
{
	char name[32];

	segment_gone(&st->b, number);
	segment_name(name, number);
	(void)unlinkat(st->b.dir, name, 0);
	facts_name(name, number);
	(void)unlinkat(st->b.dir, name, 0);
}

static uint8_t *
compact_record(struct store *st, uint32_t from, uint32_t to, uint32_t n)
{
	uint8_t *p;

	if ((p = group_add(&st->g, REC_COMPACT, 0, REC_COMPACT_LEN +
	    (size_t)n * REC_MOVED_LEN)) == NULL)
		return NULL;
	put32(p, from);
	put32(p + 4, to);
	put32(p + 8, n);
	return p + REC_COMPACT_LEN;
}

/* ---- what nobody needs ------------------------------------------- */

static bool
is_dead(const struct store *st, const struct segspace *g)
{
	return g->need == 0 && !g->facts && g->number != st->tr.segment;
}

/* Under the lock: does a message have bytes in one of them after all? */
static bool
dead_still(struct store *st, const uint32_t *v, size_t n)
{
	const struct store_msg *m;
	struct mailbox *mb;
	size_t i = 0, k;
	uint32_t slot;

	while ((mb = mailbox_next(st->state, &i)) != NULL)
		for (slot = 0; slot < mailbox_slots(mb); slot++) {
			m = mailbox_msg(mb, slot);
			if ((m->flags & MSG_GONE) != 0)
				continue;
			for (k = 0; k < n; k++)
				if (m->segment == v[k])
					return false;
		}
	return true;
}

/* Some segments that only expunged messages name, which are too old. */
static enum store_result
dead_forget(struct store *st, const struct space *sp, bool *some)
{
	uint32_t v[DEAD_ONCE];
	struct trailer tr;
	enum store_result r;
	size_t i, n = 0;

	for (i = 0; i < sp->nsegs && n < DEAD_ONCE; i++)
		if (is_dead(st, &sp->seg[i]))
			v[n++] = sp->seg[i].number;
	if (n == 0)
		return STORE_OK;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if (!dead_still(st, v, n)) {
		store_abort(st);
		return STORE_BUSY;
	}
	for (i = 0; i < n; i++)
		(void)compact_record(st, v[i], 0, 0);
	tr = st->tr;
	if ((r = store_finish(st, &tr)) != STORE_OK ||
	    (r = store_sync(st)) != STORE_OK)
		return r;
	for (i = 0; i < n; i++)
		segment_unlink(st, v[i]);
	*some = true;
	return STORE_OK;
}

/* Is it mail.NNNN or facts.NNNN, and of which number?  `facts` is 0. */
static bool
name_number(const char *name, uint32_t *number)
{
	char again[32];
	const char *dot = strchr(name, '.'), *e;

	*number = 0;
	if (strcmp(name, "facts") == 0)
		return true;
	if (dot == NULL)
		return false;
	*number = (uint32_t)strtonum(dot + 1, 1, UINT32_MAX, &e);
	if (e != NULL)
		return false;
	segment_name(again, *number);
	if (strcmp(name, again) == 0)
		return true;
	facts_name(again, *number);
	return strcmp(name, again) == 0;
}

/* Do facts of a large message lie beside one that has no message itself? */
static bool
facts_needed(const struct space *sp, uint32_t number)
{
	size_t i;

	for (i = 0; i < sp->n; i++)
		if (!sp->v[i].gone && sp->v[i].msg->facts_len > 0 &&
		    sp->v[i].msg->facts_segment == number)
			return true;
	return false;
}

/* Files of segments that a crash left, or kept from being deleted. */
static void
left_unlink(struct store *st, const struct space *sp)
{
	time_t old = (time_t)now_sec() - LEFT_AGE;
	struct dirent *d;
	struct stat sb;
	uint32_t number;
	DIR *dir;
	int fd;

	if ((fd = backend_file(st->b.dir, ".", O_RDONLY | O_DIRECTORY)) == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		if (!name_number(d->d_name, &number) ||
		    (number == 0 ? sp->old_facts : number == st->tr.segment ||
		    segspace_find(sp, number) != NULL))
			continue;
		if (fstatat(st->b.dir, d->d_name, &sb,
		    AT_SYMLINK_NOFOLLOW) == 0 && sb.st_mtime < old &&
		    !facts_needed(sp, number))
			(void)unlinkat(st->b.dir, d->d_name, 0);
	}
	closedir(dir);
}

/* ---- what is needed of a segment --------------------------------- */

static uint8_t *
moving_item(struct moving *mv, const struct store_msg *m, uint64_t offset)
{
	uint32_t cap = mv->cap == 0 ? 1024 : mv->cap * 2;
	uint8_t *p;

	if (mv->n == ITEMS_MAX)
		return NULL;
	if (mv->n == mv->cap) {
		p = reallocarray(mv->items, cap, REC_MOVED_LEN);
		if (p == NULL)
			return NULL;
		mv->items = p;
		mv->cap = cap;
	}
	p = mv->items + (size_t)mv->n++ * REC_MOVED_LEN;
	put32(p, m->segment);
	put32(p + 4, 0);
	put64(p + 8, m->offset);
	put64(p + 16, offset);
	put64(p + 24, 0);
	return p;
}

/* The facts of a message go beside its new place; those that are lost are
 * made again on the way. */
static enum store_result
move_facts(struct moving *mv, const struct store_msg *m, uint64_t offset,
    uint8_t *item)
{
	static const char zeros[8];
	struct store_msg now = *m;
	uint8_t e[FACTS_ENTRY];
	struct iovec f, iov[3];
	enum store_result r;

	if ((r = facts_fetch(mv->st, m, &f)) != STORE_OK)
		return r;
	if (f.iov_len == 0 || f.iov_len > STORE_FACTS_MAX)
		return STORE_OK;
	if (m->segment == mv->from) {
		now.segment = mv->to.number;
		now.offset = offset;
	}
	facts_entry(mv->st, e, &now, f.iov_base, f.iov_len);
	iov[0] = (struct iovec){ e, sizeof(e) };
	iov[1] = f;
	iov[2] = (struct iovec){ (void *)(uintptr_t)zeros,
	    PAD8(f.iov_len) - f.iov_len };
	put32(item + 4, (uint32_t)f.iov_len);
	put64(item + 24, mv->facts_end);
	r = facts_write(mv->st, mv->to.number, mv->facts_end, iov, 3);
	mv->facts_end += FACTS_ROOM(f.iov_len);
	return r;
}

/* Line, octets and end of a message, compared with its checksum. */
static enum store_result
move_bytes(struct moving *mv, const struct store_msg *m)
{
	char line[SEGMENT_LINE], tail[] = "\r\n";
	struct iovec v, iov = { line, sizeof(line) };
	uint64_t at = mv->to.end;
	enum store_result r;
	uint32_t off, n, crc = 0;

	r = segment_line_again(&mv->st->b, m, mv->to.nonce, line);
	if (r == STORE_OK)
		r = backend_write(mv->to.fd, at, &iov, 1);
	at += SEGMENT_LINE;
	for (off = 0; r == STORE_OK && off < m->size; off += n) {
		r = store_peek(mv->st, m, off, m->size - off, &v);
		n = (uint32_t)v.iov_len;
		if (r != STORE_OK)
			break;
		crc = crc32c(crc, v.iov_base, n);
		r = backend_write(mv->to.fd, at + off, &v, 1);
	}
	if (r == STORE_OK && crc != m->crc)
		r = STORE_DAMAGED;
	iov = (struct iovec){ tail, SEGMENT_TAIL };
	if (r == STORE_OK)
		r = backend_write(mv->to.fd, at + m->size, &iov, 1);
	mv->to.end = at + m->size + SEGMENT_TAIL;
	return r;
}

/* All that is needed, and the facts of large messages that lie beside it. */
static enum store_result
move_all(struct moving *mv)
{
	const struct space *sp = mv->sp;
	const struct store_msg *m;
	enum store_result r = STORE_OK;
	uint64_t offset;
	uint8_t *item;
	size_t i;

	for (i = 0; r == STORE_OK && i < sp->n; i++) {
		m = sp->v[i].msg;
		if (sp->v[i].again || !extent_needed(sp, &sp->v[i]) ||
		    (m->segment != mv->from && (sp->v[i].gone ||
		    m->facts_segment != mv->from || m->facts_len == 0)))
			continue;
		offset = m->segment == mv->from ? mv->to.end + SEGMENT_LINE :
		    m->offset;
		if (m->segment == mv->from)
			r = move_bytes(mv, m);
		if (r == STORE_OK &&
		    (item = moving_item(mv, m, offset)) == NULL)
			r = STORE_LIMIT;
		if (r == STORE_OK)
			r = move_facts(mv, m, offset, item);
	}
	return r;
}

static const uint8_t *
moving_find(const struct moving *mv, const struct store_msg *m)
{
	uint32_t lo = 0, hi = mv->n, mid;
	const uint8_t *p;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		p = mv->items + (size_t)mid * REC_MOVED_LEN;
		if (get32(p) < m->segment || (get32(p) == m->segment &&
		    get64(p + 8) < m->offset))
			lo = mid + 1;
		else
			hi = mid;
	}
	p = mv->items + (size_t)lo * REC_MOVED_LEN;
	return lo < mv->n && get32(p) == m->segment &&
	    get64(p + 8) == m->offset ? p : NULL;
}

/* Under the lock: is the segment sealed, and all that it has copied? */
static bool
moving_whole(const struct moving *mv)
{
	const struct store_msg *m;
	struct mailbox *mb;
	size_t i = 0;
	uint32_t slot;

	if (mv->st->tr.segment == mv->from)
		return false;
	while ((mb = mailbox_next(mv->st->state, &i)) != NULL)
		for (slot = 0; slot < mailbox_slots(mb); slot++) {
			m = mailbox_msg(mb, slot);
			if ((m->flags & MSG_GONE) == 0 &&
			    m->segment == mv->from &&
			    moving_find(mv, m) == NULL)
				return false;
		}
	return true;
}

static enum store_result
moving_commit(struct moving *mv)
{
	struct store *st = mv->st;
	struct trailer tr;
	enum store_result r;
	uint8_t *p;

	if ((r = store_begin(st)) != STORE_OK)
		return r;
	tr = st->tr;
	if (!moving_whole(mv))
		r = STORE_BUSY;
	else {
		(void)segment_record(&st->g, &mv->to, SEGMENT_MOVED);
		p = compact_record(st, mv->from, mv->to.number, mv->n);
		if (p != NULL && mv->n > 0)
			memcpy(p, mv->items, (size_t)mv->n * REC_MOVED_LEN);
		if (mv->to.next > tr.segment_next)
			tr.segment_next = mv->to.next;
		r = store_group(st, &tr);
	}
	if (r != STORE_OK && st->b.locked)
		store_abort(st);
	return r;
}

/* The one segment from is made anew. */
static enum store_result
segment_move(struct store *st, const struct space *sp, uint32_t from)
{
	struct moving mv = { .st = st, .sp = sp, .from = from,
	    .facts_end = FACTS_HEADER };
	enum store_result r;
	bool logged = false;

	if ((r = segment_create(st, &mv.to)) != STORE_OK)
		return r;
	segment_hold(&st->b, &mv.to);
	r = move_all(&mv);
	if (r == STORE_OK && (fdatasync(mv.to.fd) == -1 ||
	    fsync(st->b.dir) == -1))
		r = backend_errno(errno);
	if (r == STORE_OK && (r = moving_commit(&mv)) == STORE_OK) {
		logged = true;
		if ((r = store_sync(st)) == STORE_OK)
			segment_unlink(st, from);
	}
	close(mv.to.fd);
	if (!logged && !st->failed)
		segment_rollback(st, &mv.to);
	free(mv.items);
	return r;
}

/* The segment that is written now is written no more. */
static enum store_result
segment_seal(struct store *st)
{
	struct trailer tr;
	enum store_result r;
	uint8_t *p;

	if ((r = store_begin(st)) != STORE_OK)
		return r;
	tr = st->tr;
	if ((p = group_add(&st->g, REC_SEGMENT, 0, 16)) != NULL) {
		put32(p, tr.segment);
		put32(p + 4, SEGMENT_SEALED);
	}
	tr.segment = 0;
	tr.facts_end = FACTS_HEADER;
	return store_finish(st, &tr);
}

/* ---- what to do -------------------------------------------------- */

/* Has it so much to give that it is worth while? */
static bool
pays(const struct segspace *g, bool all)
{
	uint64_t need = g->need + SEGMENT_LINE;

	if (g->size <= need)
		return false;
	return all || g->overdue || g->need < g->size / 2;
}

/* The one with the most to give; NULL: none is worth while. */
static struct segspace *
segment_choose(const struct space *sp, bool all)
{
	struct segspace *best = NULL, *g;
	size_t i;

	for (i = 0; i < sp->nsegs; i++) {
		g = &sp->seg[i];
		if (pays(g, all) && (best == NULL ||
		    g->size - g->need > best->size - best->need))
			best = g;
	}
	return best;
}

/* Remembers no longer what was expunged long ago. */
static enum store_result
gone_forget(struct store *st, const struct space *sp)
{
	struct trailer tr;
	enum store_result r;
	uint8_t *p;

	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if ((p = group_add(&st->g, REC_PURGE, 0, 8)) != NULL)
		put64(p, sp->drop_to);
	tr = st->tr;
	return store_finish(st, &tr);
}

static enum store_result
compact_piece(struct store *st, struct space *sp, bool all, bool *more)
{
	enum store_result r, bad = STORE_OK;
	struct segspace *g;

	if ((r = dead_forget(st, sp, more)) != STORE_OK || *more)
		return r;
	left_unlink(st, sp);
	while ((g = segment_choose(sp, all)) != NULL) {
		*more = true;
		r = g->number == st->tr.segment ? segment_seal(st) :
		    segment_move(st, sp, g->number);
		if (r != STORE_DAMAGED && r != STORE_NOTFOUND)
			return r;
		bad = STORE_DAMAGED;	/* it stays as it is */
		g->size = 0;
		*more = false;
	}
	if (sp->drop_to > st->state->gone_from) {
		*more = true;
		return gone_forget(st, sp);
	}
	if (journal_long(st) || (all && journal_grown(st))) {
		*more = true;
		r = journal_rewrite(st);
		return r == STORE_OK ? bad : r;
	}
	return bad;
}

enum store_result
store_compact(struct store *st, const struct store_keep *keep, bool all,
    bool *more)
{
	enum store_result r;
	struct space sp;

	*more = false;
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if (st->damaged)
		return STORE_DAMAGED;
	if ((r = space_take(st, keep, &sp)) == STORE_OK)
		r = compact_piece(st, &sp, all, more);
	space_free(&sp);
	if (r != STORE_OK)
		*more = false;
	else if (*more)
		store_poke(st);
	return r;
}

enum store_result
store_due(struct store *st, const struct store_keep *keep,
    struct store_due *due)
{
	enum store_result r;
	struct space sp;
	size_t i;

	memset(due, 0, sizeof(*due));
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if ((r = space_take(st, keep, &sp)) == STORE_OK) {
		due->log = st->pos;
		due->log_need = journal_need(st);
		due->gone = sp.gone;
		due->gone_bytes = sp.gone_bytes;
		for (i = 0; i < sp.nsegs; i++)
			if (sp.seg[i].size > sp.seg[i].need)
				due->dead += sp.seg[i].size - sp.seg[i].need;
		due->journal = journal_long(st);
		due->segments = segment_choose(&sp, false) != NULL;
		for (i = 0; i < sp.nsegs; i++)
			due->segments = due->segments ||
			    is_dead(st, &sp.seg[i]);
	}
	space_free(&sp);
	return r;
}
