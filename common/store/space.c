/*
 * What the messages of an account need of its disk: which octets of which
 * mail.NNNN, and what expunged mail is still to be kept.  Asked by those who
 * give space back (compact.c), in the process store; one pass over all
 * messages, no lock.
 *
 * Kept is what was expunged less than keep->seconds ago, and of that the last
 * keep->bytes.  What is kept is always the end of the log: so one MODSEQ says
 * it all, also when the clock went back.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store.h"
#include "store/store_priv.h"

#define REMEMBER_LEAST	86400		/* s, parked views want it */
#define REMEMBER_MOST	1000000		/* expunged messages */
#define REMEMBER_TIMES	3		/* as long as bytes are kept */
#define OVERDUE_TIMES	2		/* then a segment is made anew anyhow */

static int	 extent_cmp(const void *, const void *);
static int	 gone_cmp(const void *, const void *);
static int	 segspace_cmp(const void *, const void *);

static int
extent_cmp(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->gone != y->gone)		/* those that are there first */
		return x->gone < y->gone ? -1 : 1;
	return x->msg->modseq > y->msg->modseq ? -1 :
	    x->msg->modseq < y->msg->modseq;
}

static int
gone_cmp(const void *a, const void *b)
{
	const struct extent *const *x = a, *const *y = b;

	return (*x)->msg->modseq > (*y)->msg->modseq ? -1 :
	    (*x)->msg->modseq < (*y)->msg->modseq;
}

/* All messages that are there or remembered.  0 or -1. */
static int
extents_take(struct state *s, struct space *sp)
{
	struct store_msg *msg;
	struct mailbox *m;
	size_t i = 0, n = 0;
	uint32_t slot;

	while ((m = mailbox_next(s, &i)) != NULL)
		n += mailbox_slots(m);
	if ((sp->v = calloc(n + 1, sizeof(*sp->v))) == NULL)
		return -1;
	for (i = 0; (m = mailbox_next(s, &i)) != NULL;)
		for (slot = 0; slot < mailbox_slots(m); slot++) {
			msg = mailbox_msg(m, slot);
			if ((msg->flags & MSG_GONE) != 0 &&
			    !msg_remembered(s, msg))
				continue;
			sp->v[sp->n++] = (struct extent){ msg, msg->offset,
			    msg->segment, (msg->flags & MSG_GONE) != 0,
			    false };
		}
	qsort(sp->v, sp->n, sizeof(*sp->v), extent_cmp);
	/* Of several with the same bytes the first one counts. */
	for (i = 0; i < sp->n; i++)
		sp->v[i].again = sp->v[i].segment == 0 || (i > 0 &&
		    sp->v[i - 1].segment == sp->v[i].segment &&
		    sp->v[i - 1].offset == sp->v[i].offset);
	return 0;
}

/*
 * Expunged messages, the last one first: how far back their bytes are kept
 * (sp->keep_from), and they themselves remembered (sp->drop_to).  0 or -1.
 */
static int
gone_judge(struct space *sp, const struct store_keep *keep, int64_t now)
{
	int64_t t = INT64_MAX, long_ago = keep->seconds * REMEMBER_TIMES;
	const struct store_msg *m;
	struct extent **v;
	uint64_t bytes = 0;
	size_t i, n = 0;

	if ((v = calloc(sp->n + 1, sizeof(struct extent *))) == NULL)
		return -1;
	for (i = 0; i < sp->n; i++)
		if (sp->v[i].gone)
			v[n++] = &sp->v[i];
	qsort(v, n, sizeof(struct extent *), gone_cmp);
	if (long_ago < REMEMBER_LEAST)
		long_ago = REMEMBER_LEAST;
	for (i = 0; i < n; i++) {
		m = v[i]->msg;
		if (m->saved < t)
			t = m->saved;
		v[i]->since = t;
		if (!v[i]->again)
			bytes += m->size;
		if (sp->keep_from == 0 && (t <= now - keep->seconds ||
		    bytes > keep->bytes))
			sp->keep_from = m->modseq;
		if (sp->keep_from == 0 && !v[i]->again)
			sp->gone_bytes += m->size;
		if (sp->drop_to == 0 && (t < now - long_ago ||
		    i >= REMEMBER_MOST))
			sp->drop_to = m->modseq;
	}
	sp->gone = n;
	free(v);
	return 0;
}

static int
segspace_cmp(const void *a, const void *b)
{
	const struct segspace *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static struct segspace *
segspace_get(struct space *sp, uint32_t number)
{
	struct segspace key = { .number = number }, *v;
	size_t cap = sp->capsegs == 0 ? 64 : sp->capsegs * 2;

	if (sp->nsegs > 0 && sp->seg[sp->nsegs - 1].number == number)
		return &sp->seg[sp->nsegs - 1];
	if (sp->nsegs > 0 && sp->seg[sp->nsegs - 1].number > number)
		return bsearch(&key, sp->seg, sp->nsegs, sizeof(key),
		    segspace_cmp);
	if (sp->nsegs == sp->capsegs) {
		v = reallocarray(sp->seg, cap, sizeof(*v));
		if (v == NULL)
			return NULL;
		sp->seg = v;
		sp->capsegs = cap;
	}
	v = &sp->seg[sp->nsegs++];
	*v = key;
	return v;
}

/* Are its bytes, if it is expunged, to be kept? */
bool
extent_needed(const struct space *sp, const struct extent *e)
{
	return !e->gone || e->msg->modseq > sp->keep_from;
}

/* What each segment has to keep.  0 or -1. */
static int
segments_count(struct space *sp, const struct store_keep *keep, int64_t now)
{
	struct segspace *g = NULL;
	struct extent *e;
	size_t i;

	for (i = 0; i < sp->n; i++) {
		e = &sp->v[i];
		if (e->segment == 0)
			continue;
		if ((g = segspace_get(sp, e->segment)) == NULL)
			return -1;
		if (extent_needed(sp, e) && !e->again)
			g->need += SEGMENT_LINE + (uint64_t)e->msg->size +
			    SEGMENT_TAIL;
		if (!extent_needed(sp, e) && e->since <= now -
		    keep->seconds * OVERDUE_TIMES)
			g->overdue = true;
	}
	for (i = 0; i < sp->n; i++) {
		e = &sp->v[i];
		if (e->gone || e->msg->facts_len == 0)
			continue;
		if (e->msg->facts_segment == 0)
			sp->old_facts = true;
		else if (e->msg->facts_segment != e->segment && (g =
		    segspace_find(sp, e->msg->facts_segment)) != NULL)
			g->facts = true;
	}
	return 0;
}

struct segspace *
segspace_find(const struct space *sp, uint32_t number)
{
	struct segspace key = { .number = number };

	return sp->nsegs == 0 ? NULL : bsearch(&key, sp->seg, sp->nsegs,
	    sizeof(key), segspace_cmp);
}

/* How large the files are.  One that is not there has nothing to give. */
static void
segments_measure(struct store *st, struct space *sp)
{
	char name[32];
	struct stat sb;
	size_t i;

	for (i = 0; i < sp->nsegs; i++) {
		segment_name(name, sp->seg[i].number);
		if (fstatat(st->b.dir, name, &sb, AT_SYMLINK_NOFOLLOW) == 0)
			sp->seg[i].size = (uint64_t)sb.st_size;
	}
}

/* OK or NOMEM; to be freed in any case. */
enum store_result
space_take(struct store *st, const struct store_keep *keep, struct space *sp)
{
	int64_t now = (int64_t)now_sec();

	memset(sp, 0, sizeof(*sp));
	if (extents_take(st->state, sp) == -1 ||
	    gone_judge(sp, keep, now) == -1 ||
	    segments_count(sp, keep, now) == -1)
		return STORE_NOMEM;
	segments_measure(st, sp);
	return STORE_OK;
}

void
space_free(struct space *sp)
{
	free(sp->v);
	free(sp->seg);
	memset(sp, 0, sizeof(*sp));
}
