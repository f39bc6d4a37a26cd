/*
 * The distance of words: see near.h.
 */
#include "base/compat.h"

#include "base/near.h"
#include "base/slice.h"

static bool
same(char a, char b)
{
	return ascii_lower((unsigned char)a) == ascii_lower((unsigned char)b);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Row i of the table of distances of beginnings, from the two before it. */
static void
row_fill(size_t row[NEAR_MAX + 1], const size_t one[NEAR_MAX + 1],
    const size_t two[NEAR_MAX + 1], struct slice a, struct slice b, size_t i)
{
	size_t j, d;

	row[0] = i;
	for (j = 1; j <= b.n; j++) {
		d = least(one[j] + 1, row[j - 1] + 1);
		d = least(d, one[j - 1] + !same(a.p[i - 1], b.p[j - 1]));
		if (i > 1 && j > 1 && same(a.p[i - 1], b.p[j - 2]) &&
		    same(a.p[i - 2], b.p[j - 1]))
			d = least(d, two[j - 2] + 1);
		row[j] = d;
	}
}

size_t
near_edits(struct slice a, struct slice b)
{
	size_t row[3][NEAR_MAX + 1], i;

	if (a.n > NEAR_MAX || b.n > NEAR_MAX)
		return NEAR_MAX;
	for (i = 0; i <= b.n; i++)
		row[0][i] = i;
	for (i = 1; i <= a.n; i++)
		row_fill(row[i % 3], row[(i + 2) % 3], row[(i + 1) % 3], a, b,
		    i);
	return row[a.n % 3][b.n];
}

bool
near_meant(struct slice word, struct slice known)
{
	size_t n = word.n > known.n ? word.n : known.n;
	size_t few = word.n < known.n ? word.n : known.n;
	size_t most = n <= 4 ? 1 : n <= 8 ? 2 : 3;

	if (few >= NEAR_BEGIN && slice_caseeq(slice_of(word.p, few),
	    slice_of(known.p, few)))
		return true;
	return few > 1 && near_edits(word, known) <= most;
}

const char *
near_of(struct slice word, const char *const *known, size_t n)
{
	const char *best = NULL;
	size_t i, d, least_d = NEAR_MAX;

	for (i = 0; i < n; i++) {
		if (!near_meant(word, slice_str(known[i])))
			continue;
		d = near_edits(word, slice_str(known[i]));
		if (d < least_d) {
			least_d = d;
			best = known[i];
		}
	}
	return best;
}
