/*
 * Base64 for protocol elements, strict (RFC 4648 section 4): what does not
 * have exactly one encoding is refused.  Sizes are checked before a byte is
 * written.  Mail bodies go through cte.c instead.
 */
#include "base/compat.h"

#include <string.h>

#include "parse/base64.h"

static int	 four(const char *);
static int	 value(unsigned char);

ssize_t
base64_decode(const char *in, size_t n, void *out, size_t size)
{
	uint8_t *o = out;
	size_t i, len, pad = 0;
	char last[4];
	int bits;

	if (n % 4 != 0)
		return -1;
	if (n > 0 && in[n - 1] == '=')
		pad = in[n - 2] == '=' ? 2 : 1;
	len = n / 4 * 3 - pad;
	if (len > size)
		return -1;
	for (i = 0; i < (pad > 0 ? n - 4 : n); i += 4) {
		if ((bits = four(in + i)) == -1)
			return -1;
		*o++ = (uint8_t)(bits >> 16);
		*o++ = (uint8_t)(bits >> 8);
		*o++ = (uint8_t)bits;
	}
	if (pad == 0)
		return (ssize_t)len;
	memcpy(last, in + i, 4);
	last[3] = 'A';			/* nothing */
	if (pad == 2)
		last[2] = 'A';
	if ((bits = four(last)) == -1 || bits & (pad == 2 ? 0xffff : 0xff))
		return -1;
	*o++ = (uint8_t)(bits >> 16);
	if (pad == 1)
		*o++ = (uint8_t)(bits >> 8);
	return (ssize_t)len;
}

/* By the other alphabet: four characters at a time, padded. */
ssize_t
base64url_decode(const char *in, size_t n, void *out, size_t size)
{
	uint8_t *o = out;
	size_t i, j, len = 0;
	char c, part[4];
	ssize_t k;

	if (n % 4 == 1)
		return -1;
	for (i = 0; i < n; i += 4) {
		for (j = 0; j < 4; j++) {
			c = i + j < n ? in[i + j] : '=';
			if (i + j < n && (c == '+' || c == '/' || c == '='))
				return -1;
			part[j] = c == '-' ? '+' : c == '_' ? '/' : c;
		}
		if ((k = base64_decode(part, 4, o + len, size - len)) == -1)
			return -1;
		len += (size_t)k;
	}
	return (ssize_t)len;
}

ssize_t
base64_encode(const void *in, size_t n, char *out, size_t size)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = in;
	size_t i, k = 0;
	uint32_t bits;

	if (n > SIZE_MAX / 2 || BASE64_LEN(n) > size)
		return -1;
	for (i = 0; i < n; i += 3) {
		bits = (uint32_t)p[i] << 16;
		if (i + 1 < n)
			bits |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			bits |= p[i + 2];
		out[k++] = set[bits >> 18];
		out[k++] = set[bits >> 12 & 63];
		out[k++] = i + 1 < n ? set[bits >> 6 & 63] : '=';
		out[k++] = i + 2 < n ? set[bits & 63] : '=';
	}
	return (ssize_t)k;
}

/* One more than a digit's value; 0 is none. */
static const uint8_t values[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
	['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
	['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
	['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static int
value(unsigned char c)
{
	return values[c] - 1;
}

/* 24 bits, or -1: not of the alphabet. */
static int
four(const char *p)
{
	int a = value((unsigned char)p[0]), b = value((unsigned char)p[1]);
	int c = value((unsigned char)p[2]), d = value((unsigned char)p[3]);

	return (a | b | c | d) < 0 ? -1 : a << 18 | b << 12 | c << 6 | d;
}
