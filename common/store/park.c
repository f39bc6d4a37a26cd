/*
 * A view that rests: what its client saw, as a few numbers (parse/parked.h),
 * and the view again, in another process and maybe hours later.  Called by
 * imap-session alone.
 *
 * Awake it shows what it showed: every message below uidnext that is live, or
 * that was expunged behind seq, or that was expunged before and not yet told.
 * How many these are is known besides, so a view that is not the client's is
 * never shown: who cannot know any more which were expunged says so.  So does
 * one of an account of which an older copy was put back: as many messages are
 * not the same messages (REC_JUMP, tombs_from).
 *
 * What is parked is hostile when it comes back.  It names messages by number
 * in a mailbox of this account, so a lie shows its liar other numbers of that.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "parse/parked.h"
#include "store/store.h"
#include "store/store_priv.h"

static int	 runs_put(struct parked_run *, size_t, const struct slots *,
		    struct store_view *, size_t *);
static bool	 runs_have(const struct parked_run *, size_t, uint32_t);
static enum store_result view_fill(struct store_view *,
		    const struct parked_view *);
static int	 recents_fill(struct recents *, const struct parked_view *);

/* Slots are sorted; their UIDs, as runs.  0, -1: more than max. */
static int
runs_put(struct parked_run *v, size_t max, const struct slots *s,
    struct store_view *view, size_t *n)
{
	uint32_t uid;
	size_t i;

	*n = 0;
	for (i = 0; i < s->n; i++) {
		uid = mailbox_msg(view->m, s->v[i])->uid;
		if (*n > 0 && uid <= v[*n - 1].last + 1) {
			v[*n - 1].last = uid;
			continue;
		}
		if (*n == max)
			return -1;
		v[(*n)++] = (struct parked_run){ uid, uid };
	}
	return 0;
}

static int
u32_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

bool
store_view_park(struct store_view *v, struct parked_view *p)
{
	size_t i;

	*p = (struct parked_view){ .mailbox = v->m->id,
	    .uidvalidity = v->m->uidvalidity, .uidnext = v->uidnext,
	    .exists = v->exists, .nkeywords = v->keywords_told,
	    .readonly = (v->flags & STORE_VIEW_READONLY) != 0,
	    .seq = v->st->tr.seq, .reported = v->reported, .told = v->told };
	if (v->deleted || v->lost || v->recents.n > PARKED_RECENT_MAX ||
	    v->reported > p->seq || v->told > v->reported)
		return false;
	for (i = 0; i < v->recents.n; i++)
		p->recent[p->nrecent++] = (struct parked_run){
		    v->recents.v[i].first, v->recents.v[i].last };
	if (v->gone.n > 0)
		qsort(v->gone.v, v->gone.n, sizeof(v->gone.v[0]), u32_cmp);
	return runs_put(p->gone, PARKED_GONE_MAX, &v->gone, v, &p->ngone) == 0;
}

static bool
runs_have(const struct parked_run *v, size_t n, uint32_t uid)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].first <= uid && uid <= v[i].last)
			return true;
	return false;
}

/* Which slots it showed, which of these are gone, which flags are news. */
static enum store_result
view_fill(struct store_view *v, const struct parked_view *p)
{
	uint32_t i, n = 0, end = mailbox_slot(v->m, p->uidnext);
	bool same = v->m->ngone == 0;	/* slots are numbers: no list */
	const struct store_msg *msg;

	if (!same && slots_add(&v->live, 0) == -1)
		return STORE_NOMEM;
	v->live.n = 0;
	/* Nothing happened to it at all: as most often. */
	for (i = same && v->m->modseq == p->reported ? end : 0; i < end; i++) {
		msg = mailbox_msg(v->m, i);
		if ((msg->flags & MSG_GONE) != 0) {
			if (msg->modseq <= p->seq &&
			    !runs_have(p->gone, p->ngone, msg->uid))
				continue;
			if (slots_add(&v->gone, i) == -1)
				return STORE_NOMEM;
		} else if (msg->modseq > p->reported &&
		    slots_add(&v->changed, i) == -1)
			return STORE_NOMEM;
		if (!same && (n++ == p->exists ||
		    slots_add(&v->live, i) == -1))
			return n > p->exists ? STORE_INVALID : STORE_NOMEM;
	}
	if ((same ? end : n) != p->exists)
		return STORE_INVALID;
	v->seen = end;
	v->exists = p->exists;
	v->uidnext = p->uidnext;
	return STORE_OK;
}

static int
recents_fill(struct recents *r, const struct parked_view *p)
{
	if (p->nrecent == 0)
		return 0;
	r->v = reallocarray(NULL, p->nrecent, sizeof(r->v[0]));
	if (r->v == NULL)
		return -1;
	r->cap = p->nrecent;
	for (r->n = 0; r->n < p->nrecent; r->n++)
		r->v[r->n] = (struct store_range){ p->recent[r->n].first,
		    p->recent[r->n].last };
	return 0;
}

enum store_result
store_view_wake(struct store_view **out, struct store *st,
    const struct parked_view *p)
{
	struct store_view *v;
	struct mailbox *m;
	enum store_result r;

	*out = NULL;
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	m = mailbox_byid(st->state, p->mailbox);
	if (m == NULL || (m->attr & STORE_MB_NOSELECT) != 0 ||
	    m->uidvalidity != p->uidvalidity)
		return STORE_NOTFOUND;
	if (p->uidnext > m->uidnext || p->exists > mailbox_slots(m) ||
	    p->seq > st->tr.seq || p->seq < m->tombs_from)
		return STORE_INVALID;
	if ((v = calloc(1, sizeof(*v))) == NULL)
		return STORE_NOMEM;
	v->st = st;
	v->m = m;
	v->flags = p->readonly ? STORE_VIEW_READONLY : 0;
	v->next = m->views;
	m->views = v;
	v->reported = p->reported;
	v->told = p->told;
	v->keywords_told = p->nkeywords;
	if ((r = view_fill(v, p)) != STORE_OK ||
	    recents_fill(&v->recents, p) == -1) {
		store_view_close(v);
		return r != STORE_OK ? r : STORE_NOMEM;
	}
	*out = v;
	return STORE_OK;
}
