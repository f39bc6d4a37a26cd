/*
 * What a client that was away has to forget: UIDs of messages that were
 * expunged since (RFC 7162 3.2.5, 3.2.6).  A mailbox remembers its last
 * expunges, with the moment each has; whoever asks of a time before those is
 * told all UIDs that are missing, which is longer and as right.  Called by
 * sessions; changes nothing but the list that the view lends.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "store/store_priv.h"

static int	range_cmp(const void *, const void *);
static size_t	ranges_join(struct store_range *, size_t);
static struct store_range *tombs_since(const struct mailbox *, uint64_t,
		    size_t *);
static int	holes_add(struct store_view *, uint32_t, uint32_t);

bool
store_view_remembers(const struct store_view *v, uint64_t modseq)
{
	return modseq >= v->m->tombs_from;
}

static int
range_cmp(const void *a, const void *b)
{
	const struct store_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorted, and what overlaps or meets is one.  The new number. */
static size_t
ranges_join(struct store_range *r, size_t n)
{
	size_t i, k = 0;

	if (n > 1)
		qsort(r, n, sizeof(*r), range_cmp);
	for (i = 0; i < n; i++) {
		if (k > 0 && r[i].first - 1 <= r[k - 1].last) {
			if (r[i].last > r[k - 1].last)
				r[k - 1].last = r[i].last;
		} else
			r[k++] = r[i];
	}
	return k;
}

/* What may have gone after modseq, to be freed; NULL: no memory. */
static struct store_range *
tombs_since(const struct mailbox *m, uint64_t modseq, size_t *n)
{
	struct store_range *r;
	uint32_t i;

	if ((r = calloc((size_t)m->ntombs + 1, sizeof(*r))) == NULL)
		return NULL;
	*n = 0;
	if (modseq < m->tombs_from) {
		r[(*n)++] = (struct store_range){ 1, UINT32_MAX };
		return r;
	}
	for (i = 0; i < m->ntombs; i++)
		if (m->tombs[i].modseq > modseq)
			r[(*n)++] = m->tombs[i].uids;
	*n = ranges_join(r, *n);
	return r;
}

/* The UIDs of first to last that the view has not. */
static int
holes_add(struct store_view *v, uint32_t first, uint32_t last)
{
	const struct store_msg *m;
	uint32_t seq = store_view_seq_from(v, first);

	for (; first <= last; seq++) {
		m = store_view_msg(v, seq);
		if (m == NULL || m->uid > last)
			return view_range_add(v, first, last);
		if (m->uid > first && view_range_add(v, first, m->uid - 1) ==
		    -1)
			return -1;
		first = m->uid + 1;
	}
	return 0;
}

enum store_result
store_view_vanished(struct store_view *v, uint64_t modseq,
    const struct store_range *asked, size_t nasked,
    const struct store_range **out, size_t *n)
{
	struct store_range *went;
	uint32_t first, last;
	size_t nwent, i = 0, k = 0;

	v->nranges = 0;
	*n = 0;
	if ((went = tombs_since(v->m, modseq, &nwent)) == NULL)
		return STORE_NOMEM;
	while (i < nasked && k < nwent) {
		first = asked[i].first > went[k].first ? asked[i].first :
		    went[k].first;
		last = asked[i].last < went[k].last ? asked[i].last :
		    went[k].last;
		/* No message had a UID from uidnext on. */
		if (last >= v->uidnext)
			last = v->uidnext - 1;
		if (first <= last && holes_add(v, first, last) == -1) {
			free(went);
			return STORE_NOMEM;
		}
		if (asked[i].last < went[k].last)
			i++;
		else
			k++;
	}
	free(went);
	*out = v->ranges;
	*n = v->nranges;
	return STORE_OK;
}
