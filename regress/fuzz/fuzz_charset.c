/*
 * Fuzz entry: charsets to UTF-8, whole and cut, and mailbox names, which have
 * one encoding.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* An octet more at a time gives the same. */
static void
cut(int id, struct slice in, const char *want, size_t wantn)
{
	struct charset cs = { .id = id };
	char buf[CHARSET_CUT + 1], out[CHARSET_UTF8_MAX(sizeof(buf))];
	size_t i, k, used, have = 0;

	for (i = 0; i < in.n; i++) {
		buf[have++] = in.p[i];
		k = charset_utf8(&cs, buf, have, i + 1 == in.n, out,
		    sizeof(out), &used);
		if (k > wantn || memcmp(out, want, k) != 0)
			abort();
		want += k;
		wantn -= k;
		have -= used;
		if (have > CHARSET_CUT)
			abort();
		memmove(buf, buf + used, have);
	}
	if (wantn != 0 || have != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct charset cs = { 0 };
	struct slice s;
	char *out;
	size_t k, used, i;
	ssize_t a, b;
	char name[512], back[1024];

	if (n < 1)
		return 0;
	s = slice_of((const char *)in + 1, n - 1);
	if ((out = malloc(CHARSET_UTF8_MAX(n))) == NULL)
		abort();
	cs.id = (int)in[0] - 1;
	k = charset_utf8(&cs, s.p, s.n, 1, out, CHARSET_UTF8_MAX(n), &used);
	if (used != s.n)
		abort();
	for (i = 0; i < k && out[i] != '\0'; i++)
		;
	if (i == k && !utf8_valid(out, k))
		abort();
	cut((int)in[0] - 1, s, out, k);
	free(out);
	if ((a = mutf7_decode(s, name, sizeof(name))) >= 0) {
		b = mutf7_encode(slice_of(name, (size_t)a), back,
		    sizeof(back));
		if (!utf8_valid(name, (size_t)a) || b < 0 ||
		    !slice_eq(slice_of(back, (size_t)b), s))
			abort();
	}
	if (s.n < 100 && (a = mutf7_encode(s, back, sizeof(back))) >= 0) {
		b = mutf7_decode(slice_of(back, (size_t)a), name,
		    sizeof(name));
		if (b < 0 || !slice_eq(slice_of(name, (size_t)b), s))
			abort();
	}
	return 0;
}
