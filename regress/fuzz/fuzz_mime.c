/*
 * Fuzz entry: a message. The facts do not depend on how it was cut, fit their
 * limits, and can be read; each part that BODYSTRUCTURE shows is there.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/facts.h"
#include "parse/mime.h"
#include "parse/mime_priv.h"
#include "regress/unit/parts_walk.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void	 walk(const char *, size_t, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct mime *m;
	const char *blob, *p = (const char *)in;
	char *whole;
	size_t bn, wn, i, k, step;

	if (n == 0)
		return 0;
	step = in[0] + 1u;
	p++;
	n--;
	if ((whole = mime_facts(p, n, &wn)) == NULL ||
	    (m = mime_new()) == NULL)
		abort();
	for (i = 0; i < n; i += k) {
		k = n - i < step ? n - i : step;
		if (mime_feed(m, p + i, k) == -1)
			abort();
	}
	if (mime_end(m, &blob, &bn) == -1 || bn != wn || bn > FACTS_MAX ||
	    memcmp(blob, whole, bn) != 0)
		abort();
	walk(blob, bn, n);
	mime_free(m);
	free(whole);
	return 0;
}

static void
walk(const char *blob, size_t bn, size_t n)
{
	struct facts_part p;
	struct slice s;
	uint64_t hdr, len, lines;
	int i;

	if (parts_walk(blob, bn) != NULL)
		abort();
	for (i = 0; i < FACTS_NFIELDS; i++)
		if (facts_get(blob, bn, (enum facts_field)i, &s) == -1 ||
		    slice_find(s, '\0') != s.n)
			abort();
	if (facts_size(blob, bn, &hdr, &len, &lines) == -1 || len != n ||
	    hdr > n)
		abort();
	for (i = 0; i < facts_nparts(blob, bn); i++)
		if (facts_nth(blob, bn, i, &p) == -1 ||
		    p.body_off + p.body_len > n)
			abort();
	if (facts_get(blob, bn, FACTS_SUBJECT, &s) == 0 &&
	    !utf8_valid(s.p, s.n))
		abort();
	if (facts_get(blob, bn, FACTS_PREVIEW, &s) == 0 &&
	    (!utf8_valid(s.p, s.n) || s.n > 200))
		abort();
}
