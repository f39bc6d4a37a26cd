/*
 * Fuzz entry: DKIM: the body hash cut in two, header hashes, signature text.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "verify.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void	 body(const char *, size_t, size_t, enum dkim_canon);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	const char *p = (const char *)in + 2;
	struct slice s;
	uint8_t hash[DKIM_HASH];
	char *out, h[4096];
	size_t half;

	if (n < 2)
		return 0;
	n -= 2;
	half = n > 0 ? in[1] % (n + 1) : 0;
	body(p, n, half, in[0] & 1 ? DKIM_RELAXED : DKIM_SIMPLE);
	s = slice_of(p, half);
	dkim_sign_fields(s, h, sizeof(h));
	dkim_header_hash(s, slice_of(p + half, n - half),
	    slice_of(p + half, n - half), DKIM_RELAXED, hash);
	if ((out = malloc(n + 2)) == NULL)
		abort();
	dkim_header_canon(slice_of(p, n), DKIM_RELAXED, out, n + 2);
	free(out);
	return 0;
}

static void
body(const char *p, size_t n, size_t cut, enum dkim_canon canon)
{
	struct dkim_body *b = dkim_body_new(canon, UINT64_MAX);
	uint8_t one[DKIM_HASH], two[DKIM_HASH];
	uint64_t l1, l2;

	if (b == NULL)
		abort();
	dkim_body_feed(b, p, n);
	dkim_body_end(b, one, &l1);
	dkim_body_reset(b);
	dkim_body_feed(b, p, cut);
	dkim_body_feed(b, p + cut, n - cut);
	dkim_body_end(b, two, &l2);
	if (l1 != l2 || memcmp(one, two, sizeof(one)) != 0)
		abort();
	dkim_body_free(b);
}
