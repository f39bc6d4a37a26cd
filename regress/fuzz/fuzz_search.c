/*
 * Fuzz entry: substring search, in blocks and whole.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/search.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

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
