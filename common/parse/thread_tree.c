/*
 * Threads: the tree of what was linked (RFC 5256 section 3, steps 2 to 6).
 * Only the parents of nodes are changed here; the lists of children, sorted,
 * are then made of them in one pass over the messages by date.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "parse/thread.h"
#include "parse/thread_priv.h"

/* A message in its place by date; of what has one date, in the mailbox's. */
struct by_date {
	int64_t		 date;
	uint32_t	 number, node;
};

static size_t	 sort_messages(const struct thread *, struct by_date *);
static int	 date_cmp(const void *, const void *);
static void	 lists_make(struct thread *, const struct by_date *, size_t);
static void	 list_add(struct thread *, uint32_t, uint32_t);
static void	 dummies_prune(struct thread *);
static uint32_t	 real_above(struct thread_node *, uint32_t);
static int	 subjects_first(struct thread *, const struct by_date *, size_t);
static int	 subjects_merge(struct thread *);
static void	 subjects_table(const struct thread *, uint32_t *);
static int	 merge_one(struct thread *, uint32_t *, uint32_t);
static uint32_t	 subject_of(const struct thread_node *, uint32_t);
static void	 roots_by_newest(struct thread *, struct by_date *);
static uint32_t	 top_of(struct thread_node *, uint32_t);

int
thread_make(struct thread *t)
{
	struct by_date *order;
	size_t n;
	int r = 0;

	if ((order = reallocarray(NULL, t->n, sizeof(*order))) == NULL)
		return -1;
	n = sort_messages(t, order);
	switch (t->how) {
	case THREAD_ORDEREDSUBJECT:
		r = subjects_first(t, order, n);
		break;
	case THREAD_REFERENCES:
		dummies_prune(t);
		lists_make(t, order, n);
		r = subjects_merge(t);
		break;
	case THREAD_REFS:
		dummies_prune(t);
		break;
	}
	lists_make(t, order, n);
	if (t->how == THREAD_REFS)
		roots_by_newest(t, order);
	free(order);
	return r;
}

static size_t
sort_messages(const struct thread *t, struct by_date *order)
{
	size_t i, n = 0;

	for (i = 1; i < t->n; i++)
		if (t->node[i].number != 0)
			order[n++] = (struct by_date){ t->node[i].date,
			    t->node[i].number, (uint32_t)i };
	qsort(order, n, sizeof(*order), date_cmp);
	return n;
}

static int
date_cmp(const void *a, const void *b)
{
	const struct by_date *x = a, *y = b;

	if (x->date != y->date)
		return x->date < y->date ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Steps 4 and 6: each list by date.  A dummy, which is on the first level
 * alone, is there with its first child. */
static void
lists_make(struct thread *t, const struct by_date *order, size_t n)
{
	struct thread_node *v = t->node;
	size_t i;
	uint32_t x, p;

	for (i = 0; i < t->n; i++)
		v[i].child = v[i].last = v[i].next = 0;
	t->root = t->root_last = 0;
	for (i = 0; i < n; i++) {
		x = order[i].node;
		p = v[x].parent;
		if (p != 0 && v[p].number == 0 && v[p].child == 0)
			list_add(t, 0, p);
		list_add(t, p, x);
	}
}

/* To the list of p, or (0) to the first level. */
static void
list_add(struct thread *t, uint32_t p, uint32_t x)
{
	struct thread_node *v = t->node;
	uint32_t *first = p == 0 ? &t->root : &v[p].child;
	uint32_t *last = p == 0 ? &t->root_last : &v[p].last;

	if (*last == 0)
		*first = x;
	else
		v[*last].next = x;
	*last = x;
}

/* Step 3: the parent of a message is the next message above it; where there
 * is none the topmost dummy, if that is so of several. */
static void
dummies_prune(struct thread *t)
{
	struct thread_node *v = t->node;
	uint32_t i;

	for (i = 1; i < t->n; i++)
		v[i].up = v[i].children = 0;
	for (i = 1; i < t->n; i++)
		if (v[i].number != 0 && v[i].parent != 0) {
			v[i].parent = real_above(v, v[i].parent);
			v[v[i].parent].children++;
		}
	for (i = 1; i < t->n; i++) {
		if (v[i].number == 0)
			v[i].parent = 0;
		else if (v[v[i].parent].number == 0 &&
		    v[v[i].parent].children == 1)
			v[i].parent = 0;
	}
}

/* x or what is above it; dummies on the way keep the answer in up. */
static uint32_t
real_above(struct thread_node *v, uint32_t x)
{
	uint32_t at = x, next;

	while (v[at].number == 0 && v[at].up == 0 && v[at].parent != 0)
		at = v[at].parent;
	if (v[at].number == 0 && v[at].up != 0)
		at = v[at].up;
	for (; x != at && v[x].number == 0 && v[x].up == 0; x = next) {
		next = v[x].parent;
		v[x].up = at;
	}
	return at;
}

/* ORDEREDSUBJECT: all of a subject below the first of them. */
static int
subjects_first(struct thread *t, const struct by_date *order, size_t n)
{
	struct thread_node *v = t->node;
	uint32_t *first, s;
	size_t i;

	if ((first = calloc(t->subjects.n + 1, sizeof(*first))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		s = v[order[i].node].subject;
		if (first[s] == 0)
			first[s] = order[i].node;
		else
			v[order[i].node].parent = first[s];
	}
	free(first);
	return 0;
}

/* Step 5: threads of one subject become one. */
static int
subjects_merge(struct thread *t)
{
	uint32_t *table, x;
	int r = 0;

	if ((table = calloc(t->subjects.n + 1, sizeof(*table))) == NULL)
		return -1;
	subjects_table(t, table);
	for (x = t->root; x != 0 && r == 0; x = t->node[x].next)
		r = merge_one(t, table, x);
	free(table);
	return r;
}

/* 5.B: of each subject the message that the others go to. */
static void
subjects_table(const struct thread *t, uint32_t *table)
{
	const struct thread_node *v = t->node;
	uint32_t x, s, old;

	for (x = t->root; x != 0; x = v[x].next) {
		if ((s = subject_of(v, x)) == 0)
			continue;
		old = table[s];
		if (old == 0 || (v[old].number != 0 && (v[x].number == 0 ||
		    (v[old].reply && !v[x].reply))))
			table[s] = x;
	}
}

/* 5.C */
static int
merge_one(struct thread *t, uint32_t *table, uint32_t x)
{
	struct thread_node *v = t->node;
	uint32_t s = subject_of(v, x), to = table[s], c;

	if (s == 0 || to == x || v[x].parent != 0)
		return 0;
	if (v[x].number == 0) {
		for (c = v[x].child; c != 0; c = v[c].next)
			v[c].parent = to;
		return 0;
	}
	if (v[to].number != 0 && (!v[x].reply || v[to].reply)) {
		if ((table[s] = thread_node_new(t)) == 0)
			return -1;
		v = t->node;
		v[to].parent = table[s];
	}
	v[x].parent = table[s];
	return 0;
}

static uint32_t
subject_of(const struct thread_node *v, uint32_t x)
{
	return v[x].number != 0 ? v[x].subject : v[v[x].child].subject;
}

/* REFS: the first level by the newest message of each thread. */
static void
roots_by_newest(struct thread *t, struct by_date *order)
{
	struct thread_node *v = t->node;
	uint32_t x, i;
	size_t n = 0, k;

	for (i = 1; i < t->n; i++)
		v[i].up = 0;
	for (i = 1; i < t->n; i++)
		if (v[i].number == 0)
			v[i].date = INT64_MIN;
	for (i = 1; i < t->n; i++)
		if (v[i].number != 0 && (x = top_of(v, i)) != i &&
		    v[x].date < v[i].date)
			v[x].date = v[i].date;
	for (x = t->root; x != 0; x = v[x].next)
		order[n++] = (struct by_date){ v[x].date, v[x].number, x };
	qsort(order, n, sizeof(*order), date_cmp);
	t->root = t->root_last = 0;
	for (k = 0; k < n; k++) {
		v[order[k].node].next = 0;
		list_add(t, 0, order[k].node);
	}
}

/* What a node is below of, kept in up on the way. */
static uint32_t
top_of(struct thread_node *v, uint32_t x)
{
	uint32_t at = x, next;

	while (v[at].parent != 0 && v[at].up == 0)
		at = v[at].parent;
	if (v[at].up != 0)
		at = v[at].up;
	for (; x != at && v[x].up == 0; x = next) {
		next = v[x].parent;
		v[x].up = at;
	}
	return at;
}
