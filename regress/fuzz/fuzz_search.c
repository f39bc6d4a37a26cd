/*
 * Fuzz entry: substring search, in blocks and whole; i;unicode-casemap, whole
 * and as far as there is room.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/casemap.h"
#include "parse/charset.h"
#include "parse/search.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
casemap(struct slice text, size_t size)
{
	char *whole, *part;
	size_t n, k, used, at, done;

	n = CASEMAP_MAX(text.n);
	if ((whole = malloc(n + 1)) == NULL || (part = malloc(size)) == NULL)
		abort();
	n = utf8_casemap(text.p, text.n, whole, n, &used);
	if (used != text.n)
		abort();
	for (at = done = 0; at < text.n; at += used, done += k) {
		k = utf8_casemap(text.p + at, text.n - at, part, size, &used);
		if (used == 0 || k > n - done ||
		    memcmp(part, whole + done, k) != 0)
			abort();
	}
	if (done != n)
		abort();
	free(whole);
	free(part);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice needle, text;
	struct search s;
	size_t k, step, i, m;

	if (n < 2)
		return 0;
	k = in[0] % 32 < n - 2 ? in[0] % 32 : n - 2;
	step = (size_t)in[1] % 7 + 1;
	needle = slice_of((const char *)in + 2, k);
	text = slice_of(needle.p + k, n - 2 - k);
	casemap(text, 33 + (size_t)in[1] % 64);
	if (search_start(&s, needle) == -1)
		abort();
	for (i = 0; i < text.n; i += m) {
		m = text.n - i < step ? text.n - i : step;
		search_feed(&s, text.p + i, m);
	}
	/* Text that ends in a cut character may differ only there. */
	if (utf8_valid(text.p, text.n) && utf8_valid(needle.p, needle.n) &&
	    s.found != utf8_casefind(text, needle))
		abort();
	return 0;
}
