/*
 * What a session changes in the messages of its view: flags, expunge, copy
 * and move.  Each is one group, built under the lock from the newest state,
 * so that it says exactly which messages it is about.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/slice.h"
#include "store/store.h"
#include "store/store_priv.h"

/* ---- lists that a view lends ------------------------------------- */

/* Adds UIDs to the view's ranges.  0 or -1. */
int
view_range_add(struct store_view *v, uint32_t first, uint32_t last)
{
	struct store_range *p;
	size_t cap = v->capranges == 0 ? 16 : v->capranges * 2;

	if (v->nranges == v->capranges) {
		if ((p = reallocarray(v->ranges, cap, sizeof(*p))) == NULL)
			return -1;
		v->ranges = p;
		v->capranges = cap;
	}
	v->ranges[v->nranges++] = (struct store_range){ first, last };
	return 0;
}

static int
seqs_add(struct store_view *v, size_t n, uint32_t seq)
{
	uint32_t *p;
	size_t cap = v->capseqs == 0 ? 64 : v->capseqs * 2;

	if (n == v->capseqs) {
		if ((p = reallocarray(v->seqs, cap, sizeof(*p))) == NULL)
			return -1;
		v->seqs = p;
		v->capseqs = cap;
	}
	v->seqs[n] = seq;
	return 0;
}

/* ---- walking the messages asked for ------------------------------ */

struct pick {			/* those of seqs[] that are still there */
	struct store_view *v;
	const struct store_range *seqs;
	size_t		 n, i;
	uint32_t	 seq;		/* next one to look at */
	uint32_t	 last;		/* slot that was taken before */
	uint32_t	 ngone;		/* passed over */
};

static bool
seqs_valid(const struct store_view *v, const struct store_range *seqs,
    size_t n)
{
	uint32_t before = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (seqs[i].first <= before || seqs[i].last < seqs[i].first ||
		    seqs[i].last > v->exists)
			return false;
		before = seqs[i].last;
	}
	return true;
}

static void
pick_start(struct pick *k, struct store_view *v,
    const struct store_range *seqs, size_t n)
{
	*k = (struct pick){ v, seqs, n, 0, n > 0 ? seqs[0].first : 0,
	    UINT32_MAX, 0 };
	v->nranges = 0;
}

/* The next message, its sequence number in *seq; NULL at the end. */
static const struct store_msg *
pick_next(struct pick *k, uint32_t *seq)
{
	const struct store_msg *m;

	while (k->i < k->n) {
		if (k->seq > k->seqs[k->i].last) {
			if (++k->i < k->n)
				k->seq = k->seqs[k->i].first;
			continue;
		}
		*seq = k->seq++;
		m = store_view_msg(k->v, *seq);
		if ((m->flags & MSG_GONE) == 0)
			return m;
		k->ngone++;
	}
	return NULL;
}

/* It is taken: into the ranges, which never reach over one that is not. */
static int
pick_take(struct pick *k, const struct store_msg *m, uint32_t seq)
{
	uint32_t slot = view_slot(k->v, seq);
	bool next = k->last != UINT32_MAX && slot == k->last + 1;

	k->last = slot;
	if (next) {
		k->v->ranges[k->v->nranges - 1].last = m->uid;
		return 0;
	}
	return view_range_add(k->v, m->uid, m->uid);
}

/* Locks, if the view may write and its mailbox is still there. */
static enum store_result
write_begin(struct store_view *v, const struct store_range *seqs, size_t n)
{
	enum store_result r;

	if ((v->flags & STORE_VIEW_READONLY) != 0)
		return STORE_READONLY;
	if (!seqs_valid(v, seqs, n))
		return STORE_INVALID;
	if ((r = store_begin(v->st)) != STORE_OK)
		return r;
	if (v->deleted) {
		store_abort(v->st);
		return STORE_NOTFOUND;
	}
	return STORE_OK;
}

/* ---- flags ------------------------------------------------------- */

struct flagging {			/* what STORE asks for */
	enum store_flagop op;
	uint32_t	 sys;
	struct kwlist	 kw;
	uint32_t	 set;		/* of these keywords the last answer */
	bool		 differs;	/* was this; KWSET_NONE: none yet */
};

/* Would the keywords of a message be others?  Asked once a set. */
static bool
set_changes(const struct keywords *k, uint32_t set, struct flagging *f)
{
	const struct kwset *s = kwset_at(k, set);
	struct kwlist out;

	if (set != f->set) {
		kwlist_apply(s, f->op, &f->kw, &out);
		f->set = set;
		f->differs = out.n != s->n || (out.n > 0 &&
		    memcmp(out.v, s->v, out.n * sizeof(out.v[0])) != 0);
	}
	return f->differs;
}

static bool
would_change(const struct mailbox *mb, const struct store_msg *m,
    struct flagging *f)
{
	switch (f->op) {
	case STORE_FLAGS_SET:
		if ((m->flags & STORE_FLAGS) != f->sys)
			return true;
		break;
	case STORE_FLAGS_ADD:
		if ((f->sys & ~m->flags) != 0)
			return true;
		break;
	case STORE_FLAGS_DEL:
		if ((f->sys & m->flags) != 0)
			return true;
		break;
	}
	return set_changes(&mb->kw, m->kwset, f);
}

static int
flags_record(struct store_view *v, const struct flagging *f)
{
	size_t n = PAD8(f->kw.n * 2);
	uint8_t *p;

	if ((p = group_add(&v->st->g, REC_FLAGS, 0,
	    REC_FLAGS_LEN + n + v->nranges * 8)) == NULL)
		return -1;
	put32(p, v->m->id);
	put32(p + 4, f->op);
	put32(p + 8, f->sys);
	put32(p + 12, (uint32_t)v->nranges);
	put32(p + 16, (uint32_t)f->kw.n);
	kwlist_put(p + REC_FLAGS_LEN, &f->kw);
	(void)put_ranges(p + REC_FLAGS_LEN + n, v->ranges, v->nranges);
	return 0;
}

/* Sorts the messages asked for into taken and refused. */
static enum store_result
flags_pick(struct pick *k, struct flagging *f, uint64_t since,
    struct store_changed *out)
{
	const struct store_msg *m;
	uint32_t seq;

	while ((m = pick_next(k, &seq)) != NULL) {
		if (m->modseq > since) {
			if (seqs_add(k->v, out->nmodified, seq) == -1)
				return STORE_NOMEM;
			out->nmodified++;
			continue;
		}
		if (pick_take(k, m, seq) == -1)
			return STORE_NOMEM;
		if (would_change(k->v->m, m, f))
			out->nchanged++;
	}
	out->modified = k->v->seqs;
	out->ngone = k->ngone;
	return STORE_OK;
}

enum store_result
store_flags(struct store_view *v, const struct store_range *seqs, size_t n,
    enum store_flagop op, const struct store_flagset *fs, uint64_t since,
    bool quiet, struct store_changed *out)
{
	struct flagging f = { .op = op, .sys = fs->sys, .set = KWSET_NONE };
	struct trailer tr;
	struct keyset ks;
	struct pick k;
	enum store_result r;

	memset(out, 0, sizeof(*out));
	if ((fs->sys & ~(uint32_t)STORE_FLAGS) != 0)
		return STORE_INVALID;
	if ((r = write_begin(v, seqs, n)) != STORE_OK)
		return r;
	keyset_start(&ks, v->m);
	if (op == STORE_FLAGS_DEL)
		keyset_known(v->m, fs, &f.kw);
	else
		r = keyset_list(&ks, &v->st->g, fs, &f.kw);
	pick_start(&k, v, seqs, n);
	if (r == STORE_OK)
		r = flags_pick(&k, &f, since, out);
	if (r != STORE_OK || out->nchanged == 0) {
		store_abort(v->st);
		return r;
	}
	(void)flags_record(v, &f);
	tr = v->st->tr;
	v->st->state->mute = quiet ? v : NULL;
	r = store_finish(v->st, &tr);
	v->st->state->mute = NULL;
	out->modseq = tr.seq;
	return r;
}

/* ---- expunge ----------------------------------------------------- */

enum store_result
store_expunge(struct store_view *v, const struct store_range *seqs, size_t n,
    bool any, uint32_t *count)
{
	struct store_range all = { 1, v->exists };
	const struct store_msg *m;
	struct trailer tr;
	struct pick k;
	enum store_result r;
	uint32_t seq;
	uint8_t *p;

	if (count != NULL)
		*count = 0;
	if (seqs == NULL) {
		seqs = &all;
		n = v->exists > 0;
	}
	if ((r = write_begin(v, seqs, n)) != STORE_OK)
		return r;
	tr = v->st->tr;
	pick_start(&k, v, seqs, n);
	while (r == STORE_OK && (m = pick_next(&k, &seq)) != NULL) {
		if (!any && (m->flags & STORE_DELETED) == 0)
			continue;
		tr.messages--;
		tr.bytes -= m->size;
		if (pick_take(&k, m, seq) == -1)
			r = STORE_NOMEM;
	}
	if (r != STORE_OK || v->nranges == 0) {
		store_abort(v->st);
		return r;
	}
	if ((p = group_add(&v->st->g, REC_EXPUNGE, 0,
	    8 + v->nranges * 8)) != NULL) {
		put32(p, v->m->id);
		put32(p + 4, (uint32_t)v->nranges);
		(void)put_ranges(p + 8, v->ranges, v->nranges);
	}
	if (count != NULL)
		*count = v->st->tr.messages - tr.messages;
	return store_finish(v->st, &tr);
}

/* ---- copy, move -------------------------------------------------- */

/* Which of the keywords used here (a bit each) is which there; those that do
 * not fit are left out.  Returns how many pairs. */
static uint32_t
keywords_between(struct store *st, struct mailbox *from, struct mailbox *to,
    const uint8_t *used, uint8_t pairs[4 * STORE_KEYWORDS_MAX])
{
	struct keyset ks;
	uint32_t i, n = 0;
	uint16_t there;

	keyset_start(&ks, to);
	for (i = 0; i < from->kw.n; i++)
		if ((used[i / 8] >> i % 8 & 1) != 0 && keyset_number(&ks,
		    &st->g, from->kw.names[i], &there) == STORE_OK) {
			put16(pairs + n * 4, (uint16_t)i);
			put16(pairs + n * 4 + 2, there);
			n++;
		}
	return n;
}

/* The record for the ranges of the view; n messages get UIDs from first. */
void
copy_record(struct store *st, struct mailbox *from, struct mailbox *to,
    const struct store_range *ranges, size_t nranges, uint32_t n,
    const uint8_t *keywords, bool move)
{
	uint8_t pairs[4 * STORE_KEYWORDS_MAX], *p;
	uint32_t npairs = keywords_between(st, from, to, keywords, pairs);
	size_t len = PAD8((size_t)npairs * 4);

	if ((p = group_add(&st->g, move ? REC_MOVE : REC_COPY, 0,
	    REC_COPY_LEN + len + nranges * 8)) == NULL)
		return;
	put32(p, from->id);
	put32(p + 4, to->id);
	put32(p + 8, to->uidnext);
	put32(p + 12, n);
	put32(p + 16, (uint32_t)nranges);
	put32(p + 20, npairs);
	memcpy(p + REC_COPY_LEN, pairs, (size_t)npairs * 4);
	(void)put_ranges(p + REC_COPY_LEN + len, ranges, nranges);
}

/* Notes which keywords a message has, a bit each. */
void
keywords_note(const struct mailbox *m, uint32_t kwset, uint8_t *used)
{
	const struct kwset *s = kwset_at(&m->kw, kwset);
	uint32_t i;

	for (i = 0; i < s->n; i++)
		used[s->v[i] / 8] |= (uint8_t)(1U << s->v[i] % 8);
}

static enum store_result
copy_pick(struct pick *k, struct store_copied *out, uint64_t *bytes,
    uint8_t *keywords)
{
	const struct store_msg *m;
	uint32_t seq, set = 0;

	*bytes = 0;
	memset(keywords, 0, STORE_KEYWORDS_MAX / 8);
	while ((m = pick_next(k, &seq)) != NULL) {
		if (pick_take(k, m, seq) == -1)
			return STORE_NOMEM;
		*bytes += m->size;
		if (m->kwset != set)
			keywords_note(k->v->m, set = m->kwset, keywords);
		out->n++;
	}
	out->ngone = k->ngone;
	return STORE_OK;
}

/* A record's ranges reach over UIDs that are nobody's any more; a client
 * counts them (RFC 4315 3, COPYUID). */
static enum store_result
copy_sources(struct store_view *v, const struct store_range *seqs, size_t n,
    struct store_copied *out)
{
	const struct store_msg *m;
	struct pick k;
	uint32_t seq;

	pick_start(&k, v, seqs, n);
	while ((m = pick_next(&k, &seq)) != NULL) {
		if (v->nranges > 0 &&
		    v->ranges[v->nranges - 1].last + 1 == m->uid)
			v->ranges[v->nranges - 1].last = m->uid;
		else if (view_range_add(v, m->uid, m->uid) == -1)
			return STORE_NOMEM;
	}
	out->src = v->ranges;
	out->nsrc = v->nranges;
	return STORE_OK;
}

enum store_result
store_copy(struct store_view *v, const struct store_range *seqs, size_t n,
    const char *dst, unsigned int how, struct store_copied *out)
{
	char name[STORE_NAME_MAX + 1];
	struct store *st = v->st;
	struct mailbox *to = NULL;
	struct trailer tr;
	struct pick k;
	enum store_result r;
	uint64_t bytes;
	uint8_t kw[STORE_KEYWORDS_MAX / 8];
	bool move = (how & STORE_COPY_MOVE) != 0;

	memset(out, 0, sizeof(*out));
	if ((v->flags & STORE_VIEW_READONLY) != 0 && move)
		return STORE_READONLY;
	if (name_canon(dst, name) == -1)
		return STORE_NOTFOUND;
	if (!seqs_valid(v, seqs, n))
		return STORE_INVALID;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	pick_start(&k, v, seqs, n);
	if (!v->deleted)
		to = mailbox_byname(st->state, name);
	if (to == NULL || (to->attr & STORE_MB_NOSELECT) != 0)
		r = STORE_NOTFOUND;
	else if ((r = copy_pick(&k, out, &bytes, kw)) == STORE_OK &&
	    out->n > 0) {
		if (!move && !store_room(st, bytes, out->n))
			r = STORE_OVERQUOTA;
		else if (out->n >= UINT32_MAX - 1 - to->uidnext)
			r = STORE_LIMIT;
	}
	if (r != STORE_OK || out->n == 0 ||
	    (out->ngone > 0 && (how & STORE_COPY_ALL) != 0)) {
		store_abort(st);
		out->n = 0;
		return r;
	}
	tr = st->tr;
	out->uidvalidity = to->uidvalidity;
	out->dst.first = to->uidnext;
	out->dst.last = to->uidnext + out->n - 1;
	copy_record(st, v->m, to, v->ranges, v->nranges, out->n, kw, move);
	if ((r = copy_sources(v, seqs, n, out)) != STORE_OK) {
		store_abort(st);
		out->n = 0;
		return r;
	}
	if (!move) {
		tr.messages += out->n;
		tr.bytes += bytes;
	}
	if (to->id == INBOX_ID)
		tr.inbox_uidnext = out->dst.last + 1;
	return store_finish(st, &tr);
}

/* The live ones of a range go; they are still all there is of them. */
static void
take_back(struct store *st, struct mailbox *m, struct store_range uids)
{
	struct trailer tr = st->tr;
	const struct store_msg *msg;
	uint32_t slot;
	uint8_t *p;

	for (slot = mailbox_slot(m, uids.first); slot < mailbox_slots(m) &&
	    (msg = mailbox_msg(m, slot))->uid <= uids.last; slot++)
		if ((msg->flags & MSG_GONE) == 0) {
			tr.messages--;
			tr.bytes -= msg->size;
		}
	if ((p = group_add(&st->g, REC_EXPUNGE, 0, 16)) != NULL) {
		put32(p, m->id);
		put32(p + 4, 1);
		put32(p + 8, uids.first);
		put32(p + 12, uids.last);
	}
	(void)store_finish(st, &tr);
}

void
store_take_back(struct store *st, const char *in, struct store_range uids)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;
	uint32_t id;

	if (!st->failed || name_canon(in, name) == -1 ||
	    (m = mailbox_byname(st->state, name)) == NULL)
		return;
	id = m->id;		/* a name may be another's by now */
	st->failed = false;
	if (store_begin(st) == STORE_OK) {
		if ((m = mailbox_byid(st->state, id)) != NULL)
			take_back(st, m, uids);
		else
			store_abort(st);
	}
	st->failed = true;
}
