/*
 * Distinct lines and their sums: a report of a million records becomes a
 * bounded number of rows.  A keyed hash table, as outsiders fill it.
 * report-in.  Pure but for memory.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define SLOTS		65536U	/* power of two, well above ROWS_MAX */

struct rows {
	uint8_t		 key[16];
	uint32_t	*slot;		/* index + 1 in v, 0 free */
	struct row_sum	*v;
	size_t		 n, cap, octets, max;
};

struct rows *
rows_new(void)
{
	struct rows *r = xcalloc(1, sizeof(*r));

	random_bytes(r->key, sizeof(r->key));
	r->slot = xcalloc(SLOTS, sizeof(*r->slot));
	r->max = ROWS_OCTETS;
	return r;
}

void
rows_allow(struct rows *r, size_t octets)
{
	r->max = octets;
}

void
rows_free(struct rows *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++)
		free((void *)(uintptr_t)r->v[i].line.p);
	free(r->v);
	free(r->slot);
	free(r);
}

uint64_t
sum_add(uint64_t a, uint64_t b)
{
	return a > INT64_MAX - b || b > INT64_MAX ? INT64_MAX : a + b;
}

static int
add(struct rows *r, struct slice line, uint64_t count, size_t max,
    size_t octets)
{
	size_t i = siphash24(r->key, line.p, line.n) & (SLOTS - 1);
	size_t n = line.n + ROW_COUNT;
	struct row_sum *v;

	for (; r->slot[i] != 0; i = (i + 1) & (SLOTS - 1)) {
		v = &r->v[r->slot[i] - 1];
		if (slice_eq(v->line, line)) {
			v->count = sum_add(v->count, count);
			return 0;
		}
	}
	if (r->n >= max || r->octets > octets || n > octets - r->octets)
		return -1;
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : r->cap * 2;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->n].count = sum_add(0, count);
	r->v[r->n].line = slice_of(xstrndup(line.p, line.n), line.n);
	r->octets += n;
	r->slot[i] = (uint32_t)++r->n;
	return 0;
}

int
rows_add(struct rows *r, struct slice line, uint64_t count)
{
	return add(r, line, count, ROWS_MAX, r->max);
}

int
rows_rest(struct rows *r, struct slice line, uint64_t count)
{
	return add(r, line, count, ROWS_MAX + ROWS_REST, r->max +
	    ROWS_REST * (IN_TEXT + ROW_COUNT));
}

size_t
rows_count(const struct rows *r)
{
	return r->n;
}

const struct row_sum *
rows_get(const struct rows *r, size_t i)
{
	return &r->v[i];
}

static int
larger(const void *a, const void *b)
{
	const struct row_sum *x = a, *y = b;
	size_t n = x->line.n < y->line.n ? x->line.n : y->line.n;
	int c;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if ((c = memcmp(x->line.p, y->line.p, n)) != 0)
		return c;
	return x->line.n < y->line.n ? -1 : x->line.n > y->line.n;
}

/* The hash table is of no use afterwards. */
void
rows_sort(struct rows *r)
{
	if (r->n > 0)
		qsort(r->v, r->n, sizeof(*r->v), larger);
}
