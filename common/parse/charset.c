/*
 * Charsets to UTF-8 from tables, as jails have no iconv; UTF-8 itself; and
 * the modified UTF-7 of IMAP mailbox names (RFC 3501 5.1.3).  For SEARCH,
 * previews and decoded header fields.  Characters of several octets are read
 * by charset_cjk.c and charset_2022.c.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/charset_priv.h"
#include "parse/charset_table.h"

/* As gentab.py numbers them; behind the first five ASCII is not ASCII. */
static charset_get *const multi[] = {
	sjis_get, eucjp_get, gb18030_get, big5_get, euckr_get,
	iso2022jp_get, iso2022kr_get, hz_get
};
#define CHARSET_MULTI	(2 + CHARSETS_8BIT)
#define CHARSET_SHIFTED	(CHARSET_MULTI + 5)

static int	 char_get(struct charset *, const uint8_t *, size_t,
		    uint32_t *);
static size_t	 char_put(uint32_t, char *);
static int	 mutf7_value(int);
static ssize_t	 mutf7_shift_out(struct slice, char *, size_t, size_t *);
static ssize_t	 mutf7_shift_in(struct slice, char *, size_t, size_t *);
static int	 utf16_put(char *, size_t, size_t *, uint32_t *, unsigned);

int
charset_find(struct slice name)
{
	size_t i;

	for (i = 0; i < NITEMS(charset_names); i++)
		if (slice_caseis(name, charset_names[i].name))
			return charset_names[i].id;
	return CHARSET_UNKNOWN;
}

const char *
charset_name(int id)
{
	return id >= 0 && id < CHARSETS ? charset_names[id].name : NULL;
}

/* ASCII at the start of both, eight octets at a time; how many were copied. */
static size_t
ascii_copy(const char *in, char *out, size_t n)
{
	uint64_t w;
	size_t i;

	for (i = 0; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, in + i, sizeof(w));
		if ((w & UINT64_C(0x8080808080808080)) != 0)
			break;
		memcpy(out + i, &w, sizeof(w));
	}
	return i;
}

size_t
charset_utf8(struct charset *cs, const char *in, size_t n, int last, char *out,
    size_t size, size_t *used)
{
	int ascii = cs->id < CHARSET_SHIFTED;
	size_t room = size < 4 ? 0 : n < size - 3 ? n : size - 3;
	size_t i = ascii ? ascii_copy(in, out, room) : 0, k = i;
	uint32_t u;
	int len;

	while (i < n && size - k >= 4) {
		if (ascii && (unsigned char)in[i] < 128) {
			out[k++] = in[i++];
			continue;
		}
		len = char_get(cs, (const uint8_t *)in + i, n - i, &u);
		if (len == 0 && !last)
			break;
		if (len <= 0) {
			len = 1;
			u = REPLACEMENT;
		}
		i += (size_t)len;
		k += char_put(u, out + k);
	}
	if (last)
		cs->set = cs->g2 = 0;
	*used = i;
	return k;
}

uint32_t
charset_high_char(int charset, int c)
{
	return charset_high[charset - 2][c - 128];
}

/* As a charset_get: any charset, for all that is no ASCII. */
static int
char_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	if (cs->id == CHARSET_UTF8)
		return utf8_get((const char *)p, n, u);
	if (cs->id >= CHARSET_MULTI && cs->id < CHARSETS)
		return multi[cs->id - CHARSET_MULTI](cs, p, n, u);
	if (cs->id < 2 || cs->id >= CHARSETS)
		return -1;
	*u = charset_high_char(cs->id, p[0]);
	return *u == 0 ? -1 : 1;
}

/* At most 4 octets. */
static size_t
char_put(uint32_t u, char *out)
{
	size_t n;

	if (u == CHAR_NONE)
		return 0;
	if (u < CHAR_NONE)
		return utf8_put(u, out);
	n = utf8_put(u >> 16 & 0x7fff, out);
	return n + utf8_put(u & 0xffff, out + n);
}

int
utf8_valid(const char *p, size_t n)
{
	uint64_t w;
	uint32_t u;
	size_t i = 0;
	int len;

	while (i < n) {
		if (n - i >= sizeof(w)) {
			memcpy(&w, p + i, sizeof(w));
			/* eight octets of 1..127 */
			if (((w | (w - UINT64_C(0x0101010101010101))) &
			    UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(w);
				continue;
			}
		}
		len = utf8_get(p + i, n - i, &u);
		if (len <= 0 || u == 0)
			return 0;
		i += (size_t)len;
	}
	return 1;
}

int
utf8_get(const char *s, size_t n, uint32_t *u)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	int len, i;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*u = p[0];
		return 1;
	}
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return -1;
	*u = p[0] & (0xffu >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((size_t)i == n)
			return 0;
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		*u = *u << 6 | (p[i] & 0x3f);
	}
	if (*u < least[len] || *u > 0x10ffff ||
	    (*u >= 0xd800 && *u < 0xe000))
		return -1;
	return len;
}

size_t
utf8_put(uint32_t u, char *out)
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 0x3f));
		out[2] = (char)(0x80 | (u & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 0x3f));
	out[2] = (char)(0x80 | (u >> 6 & 0x3f));
	out[3] = (char)(0x80 | (u & 0x3f));
	return 4;
}

size_t
utf8_cut(const char *p, size_t n)
{
	uint32_t u;
	size_t i;

	for (i = 1; i <= 3 && i <= n; i++) {
		if ((p[n - i] & 0xc0) == 0x80)
			continue;
		return utf8_get(p + n - i, i, &u) == 0 ? n - i : n;
	}
	return n;
}

ssize_t
mutf7_decode(struct slice s, char *out, size_t size)
{
	size_t i, k = 0;
	ssize_t used;
	int c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c < 32 || c > 126 || k == size)
			return -1;
		if (c != '&') {
			out[k++] = (char)c;
			continue;
		}
		used = mutf7_shift_in(slice_of(s.p + i + 1, s.n - i - 1), out,
		    size, &k);
		if (used == -1)
			return -1;
		i += (size_t)used;
	}
	return (ssize_t)k;
}

ssize_t
mutf7_encode(struct slice s, char *out, size_t size)
{
	size_t i, k = 0;
	ssize_t used;
	int c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (size - k < 2)
			return -1;
		if (c >= 32 && c <= 126) {
			out[k++] = (char)c;
			if (c == '&')
				out[k++] = '-';
			continue;
		}
		used = mutf7_shift_out(slice_of(s.p + i, s.n - i), out, size,
		    &k);
		if (used == -1)
			return -1;
		i += (size_t)used - 1;
	}
	return (ssize_t)k;
}

/*
 * What follows "&" up to and with "-".  One encoding only: no printable
 * ASCII inside, no left-over bits, no shift right after another.
 */
static ssize_t
mutf7_shift_in(struct slice s, char *out, size_t size, size_t *k)
{
	uint32_t bits = 0, high = 0;
	size_t i, start = *k;
	int n = 0, v;

	for (i = 0; i < s.n && s.p[i] != '-'; i++) {
		if ((v = mutf7_value((unsigned char)s.p[i])) == -1)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (utf16_put(out, size, k, &high, bits >> n & 0xffff) == -1)
			return -1;
		bits &= (1u << n) - 1;
	}
	if (i == s.n || n >= 6 || bits != 0 || high != 0)
		return -1;
	if (i == 0) {			/* "&-" */
		if (*k == size)
			return -1;
		out[(*k)++] = '&';
	} else if (*k == start || (i + 1 < s.n && s.p[i + 1] == '&' &&
	    i + 2 < s.n && s.p[i + 2] != '-'))
		return -1;
	return (ssize_t)(i + 1);
}

/* One UTF-16 unit; *high is a surrogate that waits for its other half. */
static int
utf16_put(char *out, size_t size, size_t *k, uint32_t *high, unsigned u)
{
	uint32_t c = u;

	if (*high != 0) {
		if (u < 0xdc00 || u > 0xdfff)
			return -1;
		c = 0x10000 + ((*high & 0x3ff) << 10) + (u & 0x3ff);
		*high = 0;
	} else if (u >= 0xdc00 && u <= 0xdfff) {
		return -1;
	} else if (u >= 0xd800 && u <= 0xdbff) {
		*high = u;
		return 0;
	}
	if ((c >= 32 && c <= 126) || c == 0 || size - *k < 4)
		return -1;
	*k += utf8_put(c, out + *k);
	return 0;
}

/* A run of characters that need it, as "&...-". */
static ssize_t
mutf7_shift_out(struct slice s, char *out, size_t size, size_t *k)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+,";
	uint64_t bits = 0;
	uint32_t u;
	size_t i = 0;
	int n = 0, len;

	out[(*k)++] = '&';
	while (i < s.n && (s.p[i] < 32 || s.p[i] > 126)) {
		len = utf8_get(s.p + i, s.n - i, &u);
		if (len <= 0 || u == 0 || size - *k < 8)
			return -1;
		i += (size_t)len;
		if (u > 0xffff) {
			u -= 0x10000;
			bits = bits << 32 | (uint32_t)(0xd800 | u >> 10) << 16 |
			    0xdc00 | (u & 0x3ff);
			n += 32;
		} else {
			bits = bits << 16 | u;
			n += 16;
		}
		for (; n >= 6; n -= 6)
			out[(*k)++] = set[bits >> (n - 6) & 63];
	}
	if (size - *k < 2)
		return -1;
	if (n > 0)
		out[(*k)++] = set[bits << (6 - n) & 63];
	out[(*k)++] = '-';
	return (ssize_t)i;
}

static int
mutf7_value(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}
