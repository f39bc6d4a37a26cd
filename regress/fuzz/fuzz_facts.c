/*
 * Fuzz entry: a facts blob from somebody else.  A version of 1, as the corpus
 * has it, stands for the one that is read.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/slice.h"
#include "parse/facts.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct facts_part p;
	struct slice s;
	uint64_t hdr = 0, len = 0, lines;
	uint32_t path[3];
	int64_t t;
	char *blob;
	int i, size;

	if ((blob = malloc(n + 1)) == NULL)
		abort();
	memcpy(blob, in, n);
	if (n >= 8 && get32((uint8_t *)blob + 4) == 1)
		put32((uint8_t *)blob + 4, FACTS_VERSION);
	for (i = 0; i < FACTS_NFIELDS; i++)
		if (facts_get(blob, n, (enum facts_field)i, &s) == 0 &&
		    (s.p < blob || s.p + s.n > blob + n))
			abort();
	facts_date(blob, n, &t);
	facts_seen(blob, n);
	size = facts_size(blob, n, &hdr, &len, &lines);
	if (size == 0 && hdr > len)
		abort();
	for (i = 0; i < facts_nparts(blob, n) && i < 100; i++)
		if (facts_nth(blob, n, i, &p) == 0 &&
		    (size == -1 && i == 0 ? 1 : size == 0 &&
		    p.body_off + p.body_len > len))
			abort();
	for (i = 0; i < 27; i++) {
		path[0] = (uint32_t)i % 3 + 1;
		path[1] = (uint32_t)i / 3 % 3 + 1;
		path[2] = (uint32_t)i / 9 + 1;
		facts_part(blob, n, path, (size_t)i % 4, &p);
	}
	free(blob);
	return 0;
}
