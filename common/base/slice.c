/*
 * Slices of text: comparing, trimming, numbers.  Used by every parser and
 * every role.  Pure: no locale, no allocation.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"

static int	 case_equal(const char *, const char *, size_t);
static int	 is_blank(int);

int
slice_caseeq(struct slice a, struct slice b)
{
	return a.n == b.n && case_equal(a.p, b.p, a.n);
}

int
slice_casestarts(struct slice s, const char *str)
{
	size_t n = strlen(str);

	return s.n >= n && case_equal(s.p, str, n);
}

struct slice
slice_trim(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t
slice_find(struct slice s, int c)
{
	const char *q;

	if (s.n == 0 || (q = memchr(s.p, c, s.n)) == NULL)
		return s.n;
	return (size_t)(q - s.p);
}

int
slice_number(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	unsigned d;
	size_t i;

	if (s.n == 0)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		d = (unsigned)(s.p[i] - '0');
		if (d > max || v > (max - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

int
slice_cpy(struct slice s, char *out, size_t size)
{
	if (s.n >= size || slice_find(s, '\0') != s.n)
		return -1;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

int
has_8bit(const char *p, size_t n)
{
	uint64_t w[4], acc = 0;
	size_t i;

	for (i = 0; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(w, p + i, sizeof(w));
		acc |= w[0] | w[1] | w[2] | w[3];
	}
	for (; i < n; i++)
		acc |= (uint64_t)(unsigned char)p[i];
	return (acc & UINT64_C(0x8080808080808080)) != 0;
}

static int
case_equal(const char *a, const char *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ascii_lower((unsigned char)a[i]) !=
		    ascii_lower((unsigned char)b[i]))
			return 0;
	return 1;
}

static int
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
