/*
 * i;unicode-casemap (RFC 5051 2): simple title case and full decomposition,
 * out of a table of Unicode's data; Hangul by its arithmetic (Unicode 3.12).
 * For whoever searches, sorts or threads.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/casemap.h"
#include "parse/casemap_table.h"
#include "parse/charset.h"

#define MAPPED_MAX	33	/* octets of the longest, U+FDFA */

#define HANGUL		0xac00	/* the first of the syllables */
#define HANGUL_END	0xd7a4
#define JAMO_L		0x1100
#define JAMO_V		0x1161
#define JAMO_T		0x11a7
#define NJAMO_V		21
#define NJAMO_T		28

static size_t	 char_map(uint32_t, const char *, size_t, char *);
static size_t	 hangul_map(uint32_t, char *);

size_t
utf8_casemap(const char *in, size_t n, char *out, size_t size, size_t *used)
{
	char map[MAPPED_MAX];
	size_t i = 0, k = 0, len;
	uint32_t u;
	int c;

	while (i < n) {
		c = (unsigned char)in[i];
		if (c < 0x80) {
			if (k == size)
				break;
			out[k++] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
			i++;
			continue;
		}
		if ((c = utf8_get(in + i, n - i, &u)) <= 0) {
			c = 1;
			map[0] = in[i];
			len = 1;
		} else
			len = char_map(u, in + i, (size_t)c, map);
		if (len > size - k)
			break;
		memcpy(out + k, map, len);
		k += len;
		i += (size_t)c;
	}
	*used = i;
	return k;
}

/* One character, which is n octets at p. */
static size_t
char_map(uint32_t u, const char *p, size_t n, char *out)
{
	const unsigned char *m;
	uint32_t page = u >> CASEMAP_SHIFT;
	uint16_t at = 0;

	if (u >= HANGUL && u < HANGUL_END)
		return hangul_map(u - HANGUL, out);
	if (page < NITEMS(casemap_page))
		at = casemap_at[casemap_page[page]]
		    [u & ((1u << CASEMAP_SHIFT) - 1)];
	if (at == 0) {
		memcpy(out, p, n);
		return n;
	}
	m = casemap_text + at;
	memcpy(out, m + 1, m[0]);
	return m[0];
}

static size_t
hangul_map(uint32_t s, char *out)
{
	size_t k;

	k = utf8_put(JAMO_L + s / (NJAMO_V * NJAMO_T), out);
	k += utf8_put(JAMO_V + s % (NJAMO_V * NJAMO_T) / NJAMO_T, out + k);
	if (s % NJAMO_T != 0)
		k += utf8_put(JAMO_T + s % NJAMO_T, out + k);
	return k;
}
