/*
 * Fuzz entry: header fields. They cover the header; its end is found alike by
 * all who look for it.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	const char *p = (const char *)in;
	struct slice rest = slice_of(p, n), ids, id;
	struct header_field f;
	size_t total = 0, len = header_len(p, n), seen = 0, k;
	char buf[128];
	ssize_t end;

	while (header_next(&rest, &f)) {
		if (f.raw.n == 0 || f.raw.p != p + total)
			abort();
		total += f.raw.n;
		ids = f.value;
		while (header_msgid(&ids, &id))
			if (id.n < 2)
				abort();
		header_unfold(f.value, buf, sizeof(buf));
	}
	if ((size_t)(rest.p - p) != len)
		abort();
	for (k = 0, end = -1; k <= n && end == -1; k++)
		end = header_end(p, k, &seen);
	if (end > 0 && (size_t)end != len)
		abort();
	header_count(slice_of(p, n), "to");
	return 0;
}
