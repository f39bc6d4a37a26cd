/*
 * Keywords of a mailbox: its names, each with a number, and the sets of them
 * that its messages have.  A message holds the number of its set, so that a
 * hundred thousand messages with the same three keywords cost three numbers,
 * and whoever prints or searches asks once a set.  Records know names and
 * numbers, no sets: apply.c makes these.  In sessions; deliver has the names.
 *
 * Invariants: set 0 is empty and always there; of two sets in use none is
 * equal to another; numbers in a set ascend, at most STORE_KEYWORDS_MSG; a
 * set is free when no message has it (refs), and so is a number that is in no
 * set, for another name.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "store/store.h"
#include "store/store_priv.h"

#define HEADS_FIRST	16
#define SETS_FIRST	8

/* Number of a name, -1 if there is none. */
int
keyword_number(const struct keywords *k, const char *name)
{
	struct slice s = slice_str(name);
	uint32_t i;

	for (i = 0; i < k->n; i++)
		if (slice_caseis(s, k->names[i]))
			return (int)i;
	return -1;
}

static int
names_room(struct keywords *k)
{
	uint32_t cap = k->cap == 0 ? SETS_FIRST : k->cap * 2;
	char **v;

	if (k->n < k->cap)
		return 0;
	if ((v = reallocarray(k->names, cap, sizeof(char *))) == NULL)
		return -1;
	k->names = v;
	k->cap = cap;
	return 0;
}

/* Gives a number to a name of n octets: the next one, or one that had
 * another.  0 or -1. */
int
keyword_define(struct keywords *k, uint32_t number, const char *name, size_t n)
{
	char *copy;

	if (number > k->n || number >= STORE_KEYWORDS_MAX ||
	    (number == k->n && names_room(k) == -1) ||
	    (copy = strndup(name, n)) == NULL)
		return -1;
	if (number == k->n)
		k->n++;
	else
		free(k->names[number]);
	k->names[number] = copy;
	k->told++;
	return 0;
}

/* A number below n that is in no set and not taken; -1: none. */
int
keywords_spare(const struct keywords *k, const uint8_t *taken)
{
	uint8_t used[STORE_KEYWORDS_MAX / 8];
	uint32_t i, j, number;

	memcpy(used, taken, sizeof(used));
	for (i = 1; i < k->nsets; i++)
		for (j = 0; j < k->sets[i].n; j++) {
			number = k->sets[i].v[j];
			used[number / 8] |= (uint8_t)(1U << number % 8);
		}
	for (i = 0; i < k->n; i++)
		if ((used[i / 8] >> i % 8 & 1) == 0)
			return (int)i;
	return -1;
}

/* Is there no room for another name? */
bool
keywords_full(const struct keywords *k)
{
	static const uint8_t none[STORE_KEYWORDS_MAX / 8];

	return k->n == STORE_KEYWORDS_MAX && keywords_spare(k, none) == -1;
}

/* ---- sets -------------------------------------------------------- */

static uint32_t
set_hash(const uint16_t *v, size_t n)
{
	uint32_t h = 2166136261U;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ v[i]) * 16777619U;
	return h ^ h >> 15;
}

static uint32_t *
set_head(struct keywords *k, const uint16_t *v, size_t n)
{
	return &k->heads[set_hash(v, n) & (k->nheads - 1)];
}

/* Twice as many chains, for sets that are to stay short to find. */
static int
heads_grow(struct keywords *k)
{
	uint32_t n = k->nheads == 0 ? HEADS_FIRST : k->nheads * 2, *v, *head;
	uint32_t i;

	if (k->nsets < k->nheads)
		return 0;
	if ((v = calloc(n, sizeof(*v))) == NULL)
		return -1;
	free(k->heads);
	k->heads = v;
	k->nheads = n;
	for (i = 1; i < k->nsets; i++)
		if (k->sets[i].n > 0) {
			head = set_head(k, k->sets[i].v, k->sets[i].n);
			k->sets[i].next = *head;
			*head = i;
		}
	return 0;
}

/* A place for another set; KWSET_NONE: no memory. */
static uint32_t
set_new(struct keywords *k)
{
	uint32_t i = k->spare, cap = k->capsets == 0 ? SETS_FIRST :
	    k->capsets * 2;
	struct kwset *v;

	if (i != 0) {
		k->spare = k->sets[i].next;
		return i;
	}
	if (k->nsets == 0)
		k->nsets = 1;		/* the empty one */
	if (k->nsets >= k->capsets) {
		v = recallocarray(k->sets, k->capsets, cap, sizeof(*v));
		if (v == NULL)
			return KWSET_NONE;
		k->sets = v;
		k->capsets = cap;
	}
	return k->nsets++;
}

/* The set of these numbers, which ascend; made if it is not there. */
uint32_t
kwset_find(struct keywords *k, const uint16_t *v, size_t n)
{
	uint32_t i, *head;
	uint16_t *copy;

	if (n == 0)
		return 0;
	if (heads_grow(k) == -1)
		return KWSET_NONE;
	for (i = *set_head(k, v, n); i != 0; i = k->sets[i].next)
		if (k->sets[i].n == n &&
		    memcmp(k->sets[i].v, v, n * sizeof(*v)) == 0)
			return i;
	if ((copy = calloc(n, sizeof(*copy))) == NULL)
		return KWSET_NONE;
	if ((i = set_new(k)) == KWSET_NONE) {
		free(copy);
		return KWSET_NONE;
	}
	memcpy(copy, v, n * sizeof(*v));
	head = set_head(k, v, n);
	k->sets[i] = (struct kwset){ copy, (uint32_t)n, 0, *head };
	*head = i;
	return i;
}

/* A set by its number, which may be of a message that is long gone: then it
 * is the empty one. */
const struct kwset *
kwset_at(const struct keywords *k, uint32_t i)
{
	static const struct kwset empty;

	return i < k->nsets && k->sets != NULL ? &k->sets[i] : &empty;
}

bool
kwset_has(const struct kwset *s, uint32_t number)
{
	uint32_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->v[mid] < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->v[lo] == number;
}

/* Puts a number in its place, if it is not there and not max are. */
void
kwlist_add(struct kwlist *l, uint16_t number, size_t max)
{
	size_t i = l->n;

	while (i > 0 && l->v[i - 1] > number)
		i--;
	if ((i > 0 && l->v[i - 1] == number) || l->n >= max)
		return;
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof(l->v[0]));
	l->v[i] = number;
	l->n++;
}

static bool
kwlist_has(const struct kwlist *l, uint16_t number)
{
	return kwset_has(&(struct kwset){ .v = (uint16_t *)(uintptr_t)l->v,
	    .n = (uint32_t)l->n }, number);
}

/* What STORE makes of the keywords of a set; what does not fit on a message
 * any more is passed over. */
void
kwlist_apply(const struct kwset *s, enum store_flagop op,
    const struct kwlist *arg, struct kwlist *out)
{
	const uint16_t *v = op == STORE_FLAGS_SET ? arg->v : s->v;
	size_t i, n = op == STORE_FLAGS_SET ? arg->n : s->n;

	out->n = 0;
	for (i = 0; i < n; i++)
		if (op != STORE_FLAGS_DEL || !kwlist_has(arg, v[i]))
			kwlist_add(out, v[i], STORE_KEYWORDS_MSG);
	for (i = 0; op == STORE_FLAGS_ADD && i < arg->n; i++)
		kwlist_add(out, arg->v[i], STORE_KEYWORDS_MSG);
}

void
kwset_ref(struct keywords *k, uint32_t i)
{
	if (i != 0)
		k->sets[i].refs++;
}

/* One message less has it; without any it is free. */
void
kwset_unref(struct keywords *k, uint32_t i)
{
	struct kwset *s;
	uint32_t *p;

	if (i == 0 || i >= k->nsets || k->sets[i].refs == 0 ||
	    --k->sets[i].refs > 0)
		return;
	s = &k->sets[i];
	for (p = set_head(k, s->v, s->n); *p != i; p = &k->sets[*p].next)
		continue;
	*p = s->next;
	free(s->v);
	*s = (struct kwset){ .next = k->spare };
	k->spare = i;
}

/* How many sets messages have. */
uint32_t
kwset_used(const struct keywords *k)
{
	uint32_t i, n = 0;

	for (i = 1; i < k->nsets; i++)
		n += k->sets[i].refs > 0;
	return n;
}

/* [i] is the place, from 1 on, of set i among those that messages have; freed
 * by the caller.  NULL: no memory. */
uint32_t *
kwset_ranks(const struct keywords *k)
{
	uint32_t i, n = 0, *v;

	if ((v = calloc((size_t)k->nsets + 1, sizeof(*v))) == NULL)
		return NULL;
	for (i = 1; i < k->nsets; i++)
		if (k->sets[i].refs > 0)
			v[i] = ++n;
	return v;
}

/* Those that were made and no message has are free. */
void
kwset_trim(struct keywords *k)
{
	uint32_t i;

	for (i = 1; i < k->nsets; i++)
		if (k->sets[i].refs == 0 && k->sets[i].n > 0) {
			k->sets[i].refs = 1;
			kwset_unref(k, i);
		}
}

void
keywords_free(struct keywords *k)
{
	uint32_t i;

	for (i = 0; i < k->n; i++)
		free(k->names[i]);
	for (i = 0; i < k->nsets && k->sets != NULL; i++)
		free(k->sets[i].v);
	free(k->names);
	free(k->sets);
	free(k->heads);
	memset(k, 0, sizeof(*k));
}
