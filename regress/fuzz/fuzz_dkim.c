/*
 * Fuzz entry: DKIM: the body hash cut in two, header hashes, and a signature
 * made with hostile values, which has to be one field again.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "verify/verify.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void	 body(const char *, size_t, size_t, enum dkim_canon);
static void	 sign(uint8_t, struct slice, struct slice);

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
	sign(in[0], s, slice_of(p + half, n - half));
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

/* how: which of the optional tags there are; text: the values, cut at NUL. */
static void
sign(uint8_t how, struct slice header, struct slice text)
{
	struct dkim_sign d = { .algorithm = "rsa-sha256", .time = -1,
	    .expire = -1, .header = how >> 1 & 1, .body = how >> 2 & 1 };
	uint8_t hash[512];
	char value[3][256], h[1024], field[2048];
	struct slice rest = text, one;
	struct header_field f;
	ssize_t n, hn;
	size_t i;

	memset(hash, how, sizeof(hash));
	for (i = 0; i < NITEMS(value); i++) {
		one = slice_of(rest.p, slice_find(rest, '\0'));
		if (slice_cpy(one, value[i], sizeof(value[i])) == -1)
			value[i][0] = '\0';
		rest = slice_of(rest.p + one.n, rest.n - one.n);
		if (rest.n > 0)
			rest = slice_of(rest.p + 1, rest.n - 1);
	}
	d.domain = value[0];
	d.selector = value[1];
	d.identity = how & 8 ? value[2] : NULL;
	d.time = how & 16 ? 1795300000 : -1;
	d.expire = how & 32 ? INT64_MAX : -1;
	d.bodyhash = hash;
	if ((hn = dkim_sign_fields(header, h, sizeof(h))) == -1)
		return;
	n = dkim_sign_start(&d, slice_of(h, (size_t)hn), field,
	    how & 64 ? 200 : sizeof(field));
	if (n == -1)
		return;
	n = dkim_sign_finish(field, (size_t)n, sizeof(field), hash,
	    how & 128 ? 256 : 64);
	if (n == -1)
		return;
	rest = slice_of(field, (size_t)n);
	if (header_next(&rest, &f) != 1 || rest.n != 0 ||
	    !slice_is(f.name, "DKIM-Signature"))
		abort();
}
