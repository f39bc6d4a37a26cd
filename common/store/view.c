/*
 * A view: one mailbox as one session shows it.  The mailbox below moves on
 * with the log (apply.c); the view keeps its own numbering of slots and a
 * list of what it has not yet told, until store_view_refresh().
 *
 * Invariants: live lists slots in ascending order, those of messages that
 * are gone included until told (v NULL: message i is slot i-1); seen is the
 * number of slots looked at; every slot below seen that is live in the
 * mailbox is in live; every slot of gone is in live; all that happened up to
 * `told' has been reported.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define RECENTS_MAX	1024		/* runs of \Recent messages of a view */

int
slots_add(struct slots *s, uint32_t slot)
{
	uint32_t *v;
	size_t cap = s->cap == 0 ? 64 : s->cap * 2;

	if (s->n == s->cap) {
		if ((v = reallocarray(s->v, cap, sizeof(*v))) == NULL)
			return -1;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = slot;
	return 0;
}

/* ---- what apply.c tells ------------------------------------------ */

void
view_changed(struct mailbox *m, uint32_t slot, struct store_view *mute)
{
	struct store_view *v;

	for (v = m->views; v != NULL; v = v->next)
		if (v != mute && slot < v->seen &&
		    slots_add(&v->changed, slot) == -1)
			v->lost = true;
}

void
view_gone(struct mailbox *m, uint32_t slot)
{
	struct store_view *v;

	for (v = m->views; v != NULL; v = v->next)
		if (slot < v->seen && slots_add(&v->gone, slot) == -1)
			v->lost = true;
}

/* The mailbox leaves the tree; the last view frees it. */
void
view_deleted(struct mailbox *m)
{
	struct store_view *v;

	for (v = m->views; v != NULL; v = v->next)
		v->deleted = true;
}

/* ---- numbering --------------------------------------------------- */

uint32_t
view_slot(const struct store_view *v, uint32_t seq)
{
	return v->live.v != NULL ? v->live.v[seq - 1] : seq - 1;
}

static uint32_t
view_uid(const struct store_view *v, uint32_t seq)
{
	return mailbox_msg(v->m, view_slot(v, seq))->uid;
}

uint32_t
store_view_seq_from(struct store_view *v, uint32_t uid)
{
	uint32_t lo = 1, hi = v->exists + 1, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (view_uid(v, mid) < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
store_view_seq(struct store_view *v, uint32_t uid)
{
	uint32_t seq = store_view_seq_from(v, uid);

	return seq <= v->exists && view_uid(v, seq) == uid ? seq : 0;
}

/* Sequence number of a slot, 0 if it has none. */
static uint32_t
slot_seq(const struct store_view *v, uint32_t slot)
{
	uint32_t lo = 1, hi = v->exists + 1, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (view_slot(v, mid) < slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo <= v->exists && view_slot(v, lo) == slot ? lo : 0;
}

const struct store_msg *
store_view_msg(struct store_view *v, uint32_t seq)
{
	if (seq == 0 || seq > v->exists)
		return NULL;
	return mailbox_msg(v->m, view_slot(v, seq));
}

bool
store_view_gone(struct store_view *v, uint32_t seq)
{
	const struct store_msg *msg = store_view_msg(v, seq);

	return msg == NULL || (msg->flags & MSG_GONE) != 0;
}

uint64_t
store_view_modseq(struct store_view *v, uint32_t seq)
{
	const struct store_msg *msg = store_view_msg(v, seq);

	if (msg == NULL)
		return 0;
	return msg->modseq - ((msg->flags & MSG_GONE) != 0);
}

/* ---- \Recent ----------------------------------------------------- */

static void
recents_add(struct recents *r, uint32_t first, uint32_t last)
{
	struct store_range *v;
	size_t cap = r->cap == 0 ? 4 : r->cap * 2;

	if (r->n > 0 && r->v[r->n - 1].last >= first - 1) {
		r->v[r->n - 1].last = last;
		return;
	}
	if (r->n == RECENTS_MAX)
		return;
	if (r->n == r->cap) {
		if ((v = reallocarray(r->v, cap, sizeof(*v))) == NULL)
			return;
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = (struct store_range){ first, last };
}

bool
store_view_recent(struct store_view *v, uint32_t seq)
{
	const struct store_msg *msg = store_view_msg(v, seq);
	size_t lo = 0, hi = v->recents.n, mid;

	while (msg != NULL && lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (v->recents.v[mid].last < msg->uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return msg != NULL && lo < v->recents.n &&
	    v->recents.v[lo].first <= msg->uid;
}

static uint32_t
recents_count(struct store_view *v)
{
	uint32_t n = 0, a, b;
	size_t i;

	for (i = 0; i < v->recents.n; i++) {
		a = store_view_seq_from(v, v->recents.v[i].first);
		b = v->recents.v[i].last == UINT32_MAX ? v->exists + 1 :
		    store_view_seq_from(v, v->recents.v[i].last + 1);
		n += b - a;
	}
	return n;
}

/*
 * What nobody has claimed yet is \Recent here; a session that may write
 * claims it, with one record that need not survive a crash.
 */
static void
recents_claim(struct store_view *v)
{
	struct mailbox *m = v->m;
	struct trailer tr;
	uint32_t last;
	uint8_t *p;

	if (m->recent + 1 >= m->uidnext || v->deleted ||
	    (v->flags & STORE_VIEW_NORECENT) != 0)
		return;
	if ((v->flags & STORE_VIEW_READONLY) != 0) {
		recents_add(&v->recents, m->recent + 1, m->uidnext - 1);
		return;
	}
	last = m->uidnext - 1;
	if (store_begin(v->st) != STORE_OK)
		return;
	if (v->deleted || m->recent >= last) {
		store_abort(v->st);
		return;
	}
	recents_add(&v->recents, m->recent + 1, last);
	if ((p = group_add(&v->st->g, REC_RECENT, 0, 8)) != NULL) {
		put32(p, m->id);
		put32(p + 4, last);
	}
	tr = v->st->tr;
	(void)store_finish(v->st, &tr);
}

/*
 * Catches up, and claims what came since, before anything of it is shown:
 * the claim reads what others wrote meanwhile, which has to be durable too
 * and belongs to what is told now, not half of it (flags) now and half of it
 * (expunges) later.
 */
static enum store_result
view_catch_up(struct store_view *v)
{
	enum store_result r;
	uint64_t seq;

	if ((r = store_refresh(v->st)) != STORE_OK ||
	    v->seen == mailbox_slots(v->m))
		return r;
	seq = v->st->tr.seq;
	recents_claim(v);
	return v->st->tr.seq > seq + 1 ? store_refresh(v->st) : STORE_OK;
}

/* ---- open, close ------------------------------------------------- */

/* Takes in slots that came since; those gone already are never shown. */
static int
view_grow(struct store_view *v)
{
	uint32_t i, slots = mailbox_slots(v->m);

	if (v->live.v == NULL && v->m->ngone > 0) {
		for (i = 0; i < v->exists; i++)
			if (slots_add(&v->live, i) == -1)
				return -1;
		if (v->exists == 0 && slots_add(&v->live, 0) == -1)
			return -1;
		v->live.n = v->exists;
	}
	if (v->live.v == NULL)
		v->exists = slots;
	else
		for (i = v->seen; i < slots; i++) {
			if ((mailbox_msg(v->m, i)->flags & MSG_GONE) != 0)
				continue;
			if (slots_add(&v->live, i) == -1)
				return -1;
			v->exists++;
		}
	v->seen = slots;
	v->uidnext = v->m->uidnext;
	return 0;
}

enum store_result
store_view_open(struct store_view **out, struct store *st, const char *name,
    unsigned int flags)
{
	char canon[STORE_NAME_MAX + 1];
	struct store_view *v;
	struct mailbox *m;
	enum store_result r;

	*out = NULL;
	if (name_canon(name, canon) == -1)
		return STORE_NOTFOUND;
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	m = mailbox_byname(st->state, canon);
	if (m == NULL || (m->attr & STORE_MB_NOSELECT) != 0)
		return STORE_NOTFOUND;
	if ((v = calloc(1, sizeof(*v))) == NULL)
		return STORE_NOMEM;
	v->st = st;
	v->m = m;
	v->flags = flags;
	v->next = m->views;
	m->views = v;
	if ((r = view_catch_up(v)) == STORE_OK && view_grow(v) == -1)
		r = STORE_NOMEM;
	if (r != STORE_OK) {
		store_view_close(v);
		return r;
	}
	v->keywords_told = m->kw.told;
	v->reported = v->told = m->modseq;
	*out = v;
	return STORE_OK;
}

void
store_view_close(struct store_view *v)
{
	struct store_view **p;

	if (v == NULL)
		return;
	for (p = &v->m->views; *p != v; p = &(*p)->next)
		continue;
	*p = v->next;
	if (v->deleted && v->m->views == NULL && !v->m->removed)
		mailbox_free(v->m);
	free(v->live.v);
	free(v->changed.v);
	free(v->gone.v);
	free(v->recents.v);
	free(v->seqs);
	free(v->uids);
	free(v->ranges);
	free(v);
}

bool
store_view_deleted(const struct store_view *v)
{
	return v->deleted;
}

/* ---- asking ------------------------------------------------------ */

static void
count_unseen(struct store_view *v, struct store_view_info *info)
{
	uint32_t seq;

	info->unseen = 0;
	info->first_unseen = 0;
	for (seq = 1; seq <= v->exists; seq++) {
		if ((store_view_msg(v, seq)->flags & STORE_SEEN) != 0)
			continue;
		if (info->unseen++ == 0)
			info->first_unseen = seq;
	}
}

void
store_view_info(struct store_view *v, struct store_view_info *info)
{
	memset(info, 0, sizeof(*info));
	info->exists = v->exists;
	info->recent = recents_count(v);
	count_unseen(v, info);
	info->uidnext = v->uidnext;
	info->uidvalidity = v->m->uidvalidity;
	info->highestmodseq = v->told;
	info->mailbox_id = v->m->id;
	info->nkeywords = v->m->kw.n;
	info->keywords_told = v->m->kw.told;
	info->keywords_full = keywords_full(&v->m->kw);
	info->readonly = (v->flags & STORE_VIEW_READONLY) != 0;
}

const char *
store_view_keyword(struct store_view *v, size_t i)
{
	return i < v->m->kw.n ? v->m->kw.names[i] : NULL;
}

int
store_view_keyword_number(struct store_view *v, const char *name)
{
	return keyword_number(&v->m->kw, name);
}

const uint16_t *
store_view_keywords(struct store_view *v, uint32_t kwset, size_t *n)
{
	const struct kwset *s = kwset_at(&v->m->kw, kwset);

	*n = s->n;
	return s->v;
}

bool
store_view_keyword_in(struct store_view *v, uint32_t kwset, int i)
{
	return i >= 0 && kwset_has(kwset_at(&v->m->kw, kwset), (uint32_t)i);
}

/* ---- refresh ----------------------------------------------------- */

static int
seqs_room(uint32_t **v, size_t *cap, size_t n)
{
	uint32_t *p;

	if (n <= *cap)
		return 0;
	n = n < 64 ? 64 : n + n / 2;
	if ((p = reallocarray(*v, n, sizeof(*p))) == NULL)
		return -1;
	*v = p;
	*cap = n;
	return 0;
}

static int
u32_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
slots_sort(struct slots *s)
{
	size_t i, n = 0;

	if (s->n == 0)
		return;
	qsort(s->v, s->n, sizeof(s->v[0]), u32_cmp);
	for (i = 0; i < s->n; i++)
		if (i == 0 || s->v[i] != s->v[i - 1])
			s->v[n++] = s->v[i];
	s->n = n;
}

/* Takes the gone ones out of live; their numbers, last first, to seqs. */
static int
view_expunge(struct store_view *v, struct store_delta *d)
{
	uint32_t seq, to;
	size_t i, n = 0;

	for (seq = 1; v->lost && seq <= v->exists; seq++)
		if (store_view_gone(v, seq) &&
		    slots_add(&v->gone, view_slot(v, seq)) == -1)
			return -1;
	slots_sort(&v->gone);
	if (seqs_room(&v->seqs, &v->capseqs, v->gone.n) == -1 ||
	    seqs_room(&v->uids, &v->capuids, v->gone.n) == -1)
		return -1;
	for (i = v->gone.n; i-- > 0;) {
		if ((seq = slot_seq(v, v->gone.v[i])) == 0)
			continue;
		v->seqs[n] = seq;
		v->uids[n++] = view_uid(v, seq);
	}
	v->gone.n = 0;
	d->expunged = v->seqs;
	d->expunged_uid = v->uids;
	d->nexpunged = n;
	if (n == 0)
		return 0;
	to = v->seqs[n - 1];
	for (seq = to, i = n; seq <= v->exists; seq++) {
		if (i > 0 && v->seqs[i - 1] == seq) {
			i--;
			continue;
		}
		v->live.v[to - 1] = v->live.v[seq - 1];
		to++;
	}
	v->exists -= (uint32_t)n;
	v->live.n = v->exists;
	return 0;
}

/* Identity numbering ends as soon as a message has to leave. */
static int
view_unshare(struct store_view *v)
{
	uint32_t i;

	if (v->live.v != NULL)
		return 0;
	for (i = 0; i < v->exists; i++)
		if (slots_add(&v->live, i) == -1)
			return -1;
	return 0;
}

static int
view_changes(struct store_view *v, struct store_delta *d, size_t skip)
{
	const struct store_msg *msg;
	uint32_t seq;
	size_t i, n = skip;

	if (v->lost) {
		v->changed.n = 0;
		if (seqs_room(&v->seqs, &v->capseqs, skip + v->exists +
		    1) == -1)
			return -1;
		for (seq = 1; seq <= v->exists; seq++)
			if (store_view_msg(v, seq)->modseq > v->reported &&
			    !store_view_gone(v, seq))
				v->seqs[n++] = seq;
	} else {
		slots_sort(&v->changed);
		if (seqs_room(&v->seqs, &v->capseqs, skip + v->changed.n +
		    1) == -1)
			return -1;
		for (i = 0; i < v->changed.n; i++) {
			seq = slot_seq(v, v->changed.v[i]);
			msg = store_view_msg(v, seq);
			if (msg != NULL && (msg->flags & MSG_GONE) == 0)
				v->seqs[n++] = seq;
		}
		v->changed.n = 0;
	}
	d->expunged = v->seqs;
	d->changed = v->seqs + skip;
	d->nchanged = n - skip;
	v->reported = v->m->modseq;
	return 0;
}

enum store_result
store_view_refresh(struct store_view *v, unsigned int flags,
    struct store_delta *d)
{
	enum store_result r;
	uint32_t before;

	memset(d, 0, sizeof(*d));
	if ((r = view_catch_up(v)) != STORE_OK)
		return r;
	if ((flags & STORE_REFRESH_EXPUNGE) != 0 &&
	    (v->gone.n > 0 || v->lost) &&
	    (view_unshare(v) == -1 || view_expunge(v, d) == -1))
		return STORE_NOMEM;
	before = v->exists;
	if (view_grow(v) == -1 || view_changes(v, d, d->nexpunged) == -1)
		return STORE_NOMEM;
	if ((flags & STORE_REFRESH_EXPUNGE) != 0)
		v->lost = false;
	if (v->gone.n == 0 && !v->lost)
		v->told = v->m->modseq;
	d->grown = v->exists > before;
	d->exists = v->exists;
	d->recent = recents_count(v);
	d->keywords = v->m->kw.told != v->keywords_told;
	v->keywords_told = v->m->kw.told;
	d->deleted = v->deleted;
	return STORE_OK;
}

/* ---- for the log ------------------------------------------------- */

const struct store_range *
store_view_touched(const struct store_view *v, size_t *n)
{
	*n = v->nranges;
	return v->ranges;
}

const char *
store_view_name(const struct store_view *v)
{
	return v->m->name;
}
