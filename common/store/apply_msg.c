/*
 * What the records of messages do to the account in memory: see apply.c.
 *
 * Bodies (little endian; ranges are pairs of 32 bit UIDs, ascending; lists
 * are padded to 8):
 *
 *	MSG	see record.c
 *	FLAGS	0 mailbox, 4 op, 8 system, 12 ranges, 16 keywords, 20 0,
 *		number (16 bit) of each keyword; range[]
 *	EXPUNGE	0 mailbox, 4 n, range[n]
 *	COPY, MOVE 0 from, 4 to, 8 first UID there, 12 messages, 16 ranges,
 *		20 keywords, number here and there (16 bit each) of each
 *		keyword; range[]
 *	FACTS	0 mailbox, 4 uid, 8 offset, 16 length, 20 of which facts.NNNN
 *	LOST	0 segment, 4 1 if an id follows, 8 offset, 16 id[16]
 *	COMPACT	0 from, 4 to (segments), 8 n, 12 0, then n times what moved,
 *		ascending: 0 segment, 4 length of the facts, 8 offset,
 *		16 offset now, 24 offset of the facts now
 *	PURGE	0 MODSEQ up to which expunged messages are forgotten
 *
 * and of the first form, which had 60 keywords, a bit each:
 *
 *	FLAGS	0 mailbox, 4 op, 8 system, 12 ranges, 16 keywords; range[]
 *	COPY, MOVE 0 from, 4 to, 8 first UID there, 12 messages, 16 ranges,
 *		20 0, 24 bit there of each bit here [64], 255 none; range[]
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define FLAGS_1_LEN	24		/* before the ranges */
#define COPY_1_MAP	24
#define COPY_1_LEN	88

/* A new message at the end of a mailbox; of a snapshot also one that is
 * expunged and remembered. */
static int
mailbox_push(struct mailbox *m, const struct store_msg *msg)
{
	struct store_msg **v;

	if (m->ntail == m->nchunks * TAIL_CHUNK) {
		if (mailbox_slots(m) > UINT32_MAX / 2)
			return -1;
		v = recallocarray(m->tail, m->nchunks, m->nchunks + 1,
		    sizeof(*v));
		if (v == NULL)
			return -1;
		m->tail = v;
		v[m->nchunks] = calloc(TAIL_CHUNK, sizeof(**v));
		if (v[m->nchunks] == NULL)
			return -1;
		m->nchunks++;
	}
	m->ntail++;
	*mailbox_msg(m, mailbox_slots(m) - 1) = *msg;
	kwset_ref(&m->kw, msg->kwset);
	if ((msg->flags & MSG_GONE) != 0) {
		m->ngone++;
		return 0;
	}
	m->messages++;
	m->bytes += msg->size;
	if ((msg->flags & STORE_SEEN) == 0)
		m->unseen++;
	if (msg->modseq > m->modseq)
		m->modseq = msg->modseq;
	return 0;
}

int
apply_message(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct msgrec msg;
	struct mailbox *m;

	if (msgrec_decode(r, g, s->ordinal++, &msg) == -1 ||
	    ((msg.m.flags & MSG_GONE) != 0 && !s->base) ||
	    (m = mailbox_byid(s, msg.mailbox)) == NULL ||
	    (m->attr & STORE_MB_NOSELECT) != 0 || msg.m.uid < m->uidnext)
		return -1;
	m->uidnext = msg.m.uid + 1;
	if (msg.id != NULL && idset_add(&s->ids, msg.id, g->time) == -1)
		return -1;
	if (!s->messages)
		return 0;
	msg.m.kwset = kwset_find(&m->kw, msg.kw.v, msg.kw.n);
	return msg.m.kwset == KWSET_NONE ? -1 : mailbox_push(m, &msg.m);
}

/* ---- flags ------------------------------------------------------- */

struct flagging {			/* a FLAGS record */
	enum store_flagop op;
	uint32_t	 sys;
	struct kwlist	 kw;
	uint32_t	 nranges;
	size_t		 ranges;	/* where they are in the record */
	uint32_t	 from, to;	/* sets: what was made of which last */
};

static void
bits_list(uint64_t bits, struct kwlist *out)
{
	uint16_t i;

	out->n = 0;
	for (i = 0; bits != 0; i++, bits >>= 1)
		if ((bits & 1) != 0)
			out->v[out->n++] = i;
}

static int
flags_parse(const struct rec *r, struct flagging *f)
{
	uint32_t n;

	if (r->n < REC_FLAGS_LEN || get32(r->p + 4) > STORE_FLAGS_DEL)
		return -1;
	f->op = (enum store_flagop)get32(r->p + 4);
	f->sys = get32(r->p + 8) & STORE_FLAGS;
	f->nranges = get32(r->p + 12);
	f->from = f->to = KWSET_NONE;
	if (r->type == REC_FLAGS_1) {
		bits_list(get64(r->p + 16), &f->kw);
		f->ranges = FLAGS_1_LEN;
	} else {
		n = get32(r->p + 16);
		f->ranges = REC_FLAGS_LEN + PAD8((size_t)n * 2);
		if (f->ranges > r->n ||
		    kwlist_get(r->p + REC_FLAGS_LEN, n, &f->kw) == -1)
			return -1;
	}
	return get_ranges(r, f->ranges, f->nranges);
}

/* The set that STORE makes of a set; KWSET_NONE: no memory. */
static uint32_t
set_flagged(struct mailbox *m, uint32_t from, struct flagging *f)
{
	struct kwlist out;

	if (f->kw.n == 0 && f->op != STORE_FLAGS_SET)
		return from;
	if (from != f->from || f->to == KWSET_NONE) {
		kwlist_apply(kwset_at(&m->kw, from), f->op, &f->kw, &out);
		f->from = from;
		f->to = kwset_find(&m->kw, out.v, out.n);
	}
	return f->to;
}

static uint32_t
sys_flagged(uint32_t flags, const struct flagging *f)
{
	switch (f->op) {
	case STORE_FLAGS_SET:
		return (flags & ~(uint32_t)STORE_FLAGS) | f->sys;
	case STORE_FLAGS_ADD:
		return flags | f->sys;
	case STORE_FLAGS_DEL:
		return flags & ~f->sys;
	}
	return flags;
}

static int
slot_flags(struct state *s, struct mailbox *m, uint32_t slot,
    struct flagging *f, uint64_t seq)
{
	struct store_msg *msg = mailbox_msg(m, slot);
	uint32_t flags = sys_flagged(msg->flags, f), set;

	if ((set = set_flagged(m, msg->kwset, f)) == KWSET_NONE)
		return -1;
	if (flags == msg->flags && set == msg->kwset)
		return 0;
	if ((msg->flags & STORE_SEEN) != 0)
		m->unseen++;
	if ((flags & STORE_SEEN) != 0)
		m->unseen--;
	kwset_ref(&m->kw, set);
	kwset_unref(&m->kw, msg->kwset);
	msg->flags = flags;
	msg->kwset = set;
	msg->modseq = m->modseq = seq;
	view_changed(m, slot, s->mute);
	return 0;
}

int
apply_flags(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct flagging f;
	struct store_range u;
	struct mailbox *m;
	uint32_t i, slot;

	if (flags_parse(r, &f) == -1 ||
	    (m = mailbox_byid(s, get32(r->p))) == NULL)
		return -1;
	for (i = 0; s->messages && i < f.nranges; i++) {
		u = range_at(r, f.ranges, i);
		for (slot = mailbox_slot(m, u.first);
		    slot < mailbox_slots(m) &&
		    mailbox_msg(m, slot)->uid <= u.last; slot++)
			if ((mailbox_msg(m, slot)->flags & MSG_GONE) == 0 &&
			    slot_flags(s, m, slot, &f, g->seq) == -1)
				return -1;
	}
	return 0;
}

/* ---- expunge ----------------------------------------------------- */

/* When it went is told to views that slept meanwhile. */
static void
slot_gone(struct mailbox *m, uint32_t slot, const struct loggroup *g)
{
	struct store_msg *msg = mailbox_msg(m, slot);

	if ((msg->flags & STORE_SEEN) == 0)
		m->unseen--;
	m->messages--;
	m->bytes -= msg->size;
	m->ngone++;
	msg->flags |= MSG_GONE;
	msg->modseq = g->seq;
	msg->saved = (int64_t)g->time;
	view_gone(m, slot);
}

/* All of a mailbox that is deleted: its views are told by another way. */
void
mailbox_empty(struct mailbox *m, const struct loggroup *g)
{
	struct store_msg *msg;
	uint32_t i;

	for (i = 0; i < mailbox_slots(m); i++) {
		msg = mailbox_msg(m, i);
		if ((msg->flags & MSG_GONE) != 0)
			continue;
		msg->flags |= MSG_GONE;
		msg->modseq = g->seq;
		msg->saved = (int64_t)g->time;
		m->ngone++;
	}
	m->messages = m->unseen = 0;
	m->bytes = 0;
}

/* All live messages of a range go. */
static int
range_gone(struct mailbox *m, struct store_range u, const struct loggroup *g)
{
	uint32_t slot;

	for (slot = mailbox_slot(m, u.first); slot < mailbox_slots(m) &&
	    mailbox_msg(m, slot)->uid <= u.last; slot++)
		if ((mailbox_msg(m, slot)->flags & MSG_GONE) == 0)
			slot_gone(m, slot, g);
	m->modseq = g->seq;
	return mailbox_tomb(m, u, g->seq);
}

int
apply_expunge(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct mailbox *m;
	uint32_t i;

	if (r->n < 8 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get_ranges(r, 8, get32(r->p + 4)) == -1)
		return -1;
	if (!s->messages)
		return 0;
	for (i = 0; i < get32(r->p + 4); i++)
		if (range_gone(m, range_at(r, 8, i), g) == -1)
			return -1;
	return 0;
}

/* ---- copy, move -------------------------------------------------- */

struct copying {			/* a COPY or MOVE record */
	struct mailbox	*from, *to;
	uint32_t	 uid;		/* of the next copy */
	uint32_t	 n;
	uint16_t	 map[STORE_KEYWORDS_MAX];
	uint32_t	 nranges;
	size_t		 ranges;
	uint32_t	 set, made;	/* what was made of which set last */
};

static int
map_parse(const struct rec *r, struct copying *c)
{
	uint32_t i, n = get32(r->p + 20);
	const uint8_t *p = r->p + REC_COPY_LEN;

	memset(c->map, 0xff, sizeof(c->map));
	if (r->type == REC_COPY_1 || r->type == REC_MOVE_1) {
		if (r->n < COPY_1_LEN)
			return -1;
		for (i = 0; i < 64; i++)
			if (r->p[COPY_1_MAP + i] != 255)
				c->map[i] = r->p[COPY_1_MAP + i];
		c->ranges = COPY_1_LEN;
		return 0;
	}
	if (n > STORE_KEYWORDS_MAX ||
	    r->n < REC_COPY_LEN + PAD8((size_t)n * 4))
		return -1;
	for (i = 0; i < n; i++, p += 4) {
		if (get16(p) >= STORE_KEYWORDS_MAX ||
		    get16(p + 2) >= STORE_KEYWORDS_MAX)
			return -1;
		c->map[get16(p)] = get16(p + 2);
	}
	c->ranges = REC_COPY_LEN + PAD8((size_t)n * 4);
	return 0;
}

static int
copy_parse(struct state *s, const struct rec *r, struct copying *c)
{
	if (r->n < REC_COPY_LEN || (c->nranges = get32(r->p + 16)) == 0 ||
	    (c->from = mailbox_byid(s, get32(r->p))) == NULL ||
	    (c->to = mailbox_byid(s, get32(r->p + 4))) == NULL ||
	    (c->to->attr & STORE_MB_NOSELECT) != 0 ||
	    map_parse(r, c) == -1 ||
	    get_ranges(r, c->ranges, c->nranges) == -1)
		return -1;
	c->uid = get32(r->p + 8);
	c->n = get32(r->p + 12);
	c->set = c->made = KWSET_NONE;
	return c->uid < c->to->uidnext || c->n == 0 ||
	    c->n > UINT32_MAX - 1 - c->uid || (c->from == c->to &&
	    range_at(r, c->ranges, c->nranges - 1).last >= c->uid) ? -1 : 0;
}

static uint32_t
set_made(struct copying *c, uint32_t set)
{
	const struct kwset *s = kwset_at(&c->from->kw, set);
	struct kwlist out;
	uint32_t i;

	for (out.n = i = 0; i < s->n; i++)
		if (c->map[s->v[i]] < STORE_KEYWORDS_MAX)
			kwlist_add(&out, c->map[s->v[i]], STORE_KEYWORDS_MSG);
	c->set = set;
	c->made = kwset_find(&c->to->kw, out.v, out.n);
	return c->made;
}

/* The set there for a set here; KWSET_NONE: no memory. */
static uint32_t
set_copied(struct copying *c, uint32_t set)
{
	if (set == 0 || (set == c->set && c->made != KWSET_NONE))
		return set == 0 ? 0 : c->made;
	return set_made(c, set);
}

/* Copies the live messages of a range. */
static int
range_copy(struct copying *c, struct store_range u, const struct loggroup *g)
{
	struct store_msg msg;
	uint32_t slot, slots = mailbox_slots(c->from);

	for (slot = mailbox_slot(c->from, u.first); slot < slots &&
	    mailbox_msg(c->from, slot)->uid <= u.last; slot++) {
		msg = *mailbox_msg(c->from, slot);
		if ((msg.flags & MSG_GONE) != 0)
			continue;
		if (c->uid >= c->to->uidnext ||
		    (msg.kwset = set_copied(c, msg.kwset)) == KWSET_NONE)
			return -1;
		msg.uid = c->uid++;
		msg.modseq = g->seq;
		msg.saved = (int64_t)g->time;
		if (mailbox_push(c->to, &msg) == -1)
			return -1;
	}
	return 0;
}

int
apply_copy(struct state *s, const struct rec *r, const struct loggroup *g)
{
	bool move = r->type == REC_MOVE || r->type == REC_MOVE_1;
	struct copying c;
	uint32_t i;

	if (copy_parse(s, r, &c) == -1)
		return -1;
	c.to->uidnext = c.uid + c.n;
	if (!s->messages)
		return 0;
	for (i = 0; i < c.nranges; i++)
		if (range_copy(&c, range_at(r, c.ranges, i), g) == -1)
			return -1;
	if (c.uid != c.to->uidnext)
		return -1;
	for (i = 0; move && i < c.nranges; i++)
		if (range_gone(c.from, range_at(r, c.ranges, i), g) == -1)
			return -1;
	return 0;
}

/* ---- facts, what was lost ---------------------------------------- */

int
apply_facts(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct store_msg *msg;
	struct mailbox *m;
	uint32_t slot;

	if (r->n != 24 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get64(r->p + 8) > INT64_MAX / 2 ||
	    get32(r->p + 16) > STORE_FACTS_MAX)
		return -1;
	if (!s->messages)
		return 0;
	slot = mailbox_slot(m, get32(r->p + 4));
	if (slot == mailbox_slots(m) ||
	    (msg = mailbox_msg(m, slot))->uid != get32(r->p + 4))
		return -1;
	msg->facts_off = get64(r->p + 8);
	msg->facts_len = get32(r->p + 16);
	msg->facts_segment = get32(r->p + 20);
	return 0;
}

/* Bytes that a power loss took before they were promised to anyone. */
int
apply_lost(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct store_range u;
	struct store_msg *msg;
	struct mailbox *m;
	uint32_t slot;
	size_t i;

	if (r->n != 32)
		return -1;
	if (get32(r->p + 4) != 0)
		idset_del(&s->ids, r->p + 16);
	for (i = 0; s->messages && i < s->nnames; i++) {
		m = s->byname[i];
		for (slot = 0; slot < mailbox_slots(m); slot++) {
			msg = mailbox_msg(m, slot);
			u = (struct store_range){ msg->uid, msg->uid };
			if (msg->segment == get32(r->p) &&
			    msg->offset == get64(r->p + 8) &&
			    (msg->flags & MSG_GONE) == 0 &&
			    range_gone(m, u, g) == -1)
				return -1;
		}
	}
	return 0;
}

/* ---- what was moved, and forgotten ------------------------------- */

/* The item for the bytes at a place, or NULL. */
static const uint8_t *
moved_find(const struct rec *r, uint32_t segment, uint64_t offset)
{
	const uint8_t *v = r->p + REC_COMPACT_LEN, *p;
	uint32_t lo = 0, hi = get32(r->p + 8), mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		p = v + (size_t)mid * REC_MOVED_LEN;
		if (get32(p) < segment ||
		    (get32(p) == segment && get64(p + 8) < offset))
			lo = mid + 1;
		else
			hi = mid;
	}
	p = v + (size_t)lo * REC_MOVED_LEN;
	return lo < get32(r->p + 8) && get32(p) == segment &&
	    get64(p + 8) == offset ? p : NULL;
}

static int
moved_check(const struct rec *r)
{
	const uint8_t *p = r->p + REC_COMPACT_LEN, *before = NULL;
	uint32_t i, n;

	if (r->n < REC_COMPACT_LEN || get32(r->p) == 0 ||
	    get32(r->p) == get32(r->p + 4))
		return -1;
	n = get32(r->p + 8);
	if (n != (r->n - REC_COMPACT_LEN) / REC_MOVED_LEN ||
	    (r->n - REC_COMPACT_LEN) % REC_MOVED_LEN != 0 ||
	    (n > 0 && get32(r->p + 4) == 0))
		return -1;
	for (i = 0; i < n; i++, before = p, p += REC_MOVED_LEN)
		if (get32(p + 4) > STORE_FACTS_MAX ||
		    get64(p + 8) > INT64_MAX / 2 ||
		    get64(p + 16) > INT64_MAX / 2 ||
		    get64(p + 24) > INT64_MAX / 2 || (before != NULL &&
		    (get32(p) < get32(before) || (get32(p) == get32(before) &&
		    get64(p + 8) <= get64(before + 8)))))
			return -1;
	return 0;
}

/* One message, or what is remembered of one: where its bytes and its facts
 * are now.  -1: it is there, and its bytes would be nowhere. */
static int
msg_moved(struct store_msg *m, const struct rec *r)
{
	uint32_t from = get32(r->p), to = get32(r->p + 4);
	const uint8_t *p;

	if (m->segment != from && m->facts_segment != from)
		return 0;
	p = moved_find(r, m->segment, m->offset);
	if (p == NULL && m->segment == from) {
		if ((m->flags & MSG_GONE) == 0)
			return -1;
		m->segment = 0;
	}
	if (p == NULL) {
		m->facts_len = 0;
		m->facts_segment = m->segment == 0 ? 0 : to;
		return 0;
	}
	m->facts_segment = to;
	m->facts_off = get64(p + 24);
	m->facts_len = get32(p + 4);
	if (m->segment == from) {
		m->segment = to;
		m->offset = get64(p + 16);
	}
	return 0;
}

/* A segment is no more: what is needed of it lies in another one. */
int
apply_compact(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct mailbox *m;
	uint32_t slot;
	size_t i = 0;

	if (moved_check(r) == -1)
		return -1;
	while (s->messages && (m = mailbox_next(s, &i)) != NULL)
		for (slot = 0; slot < mailbox_slots(m); slot++)
			if (msg_moved(mailbox_msg(m, slot), r) == -1)
				return -1;
	return 0;
}

/* Expunged messages can be brought back no longer. */
int
apply_purge(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct store_msg *msg;
	struct mailbox *m;
	uint32_t slot;
	size_t i = 0;

	if (r->n != 8 || get64(r->p) >= g->seq)
		return -1;
	if (get64(r->p) > s->gone_from)
		s->gone_from = get64(r->p);
	while (s->messages && (m = mailbox_next(s, &i)) != NULL)
		for (slot = 0; m->ngone > 0 && slot < mailbox_slots(m); slot++) {
			msg = mailbox_msg(m, slot);
			if ((msg->flags & MSG_GONE) == 0 ||
			    msg_remembered(s, msg) || msg->kwset == 0)
				continue;
			kwset_unref(&m->kw, msg->kwset);
			msg->kwset = 0;
		}
	removed_trim(s);
	return 0;
}
