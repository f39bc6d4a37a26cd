/*
 * Substring search without case in UTF-8 text, fed in blocks: what IMAP
 * SEARCH needs (in the manner of i;unicode-casemap, RFC 5051, but folding
 * one character to one).  Both sides are folded, then compared as octets.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/fold_table.h"
#include "parse/search.h"

#define SEARCH_BLOCK	4096	/* octets folded at a time */

static uint32_t	 fold_char(uint32_t);
static int	 search_block(struct search *, const char *, size_t);

size_t
utf8_fold(const char *in, size_t n, char *out, size_t size)
{
	size_t i = 0, k = 0;
	uint32_t u;
	int len;

	while (i < n && size - k >= 4) {
		if ((unsigned char)in[i] < 0x80) {
			out[k++] = (char)ascii_lower(in[i++]);
			continue;
		}
		len = utf8_get(in + i, n - i, &u);
		if (len <= 0) {		/* not UTF-8: compared as it is */
			out[k++] = in[i++];
			continue;
		}
		k += utf8_put(fold_char(u), out + k);
		i += (size_t)len;
	}
	/* The last three octets of room, for text that is ASCII. */
	for (; i < n && k < size && (unsigned char)in[i] < 0x80; i++)
		out[k++] = (char)ascii_lower(in[i]);
	return k;
}

int
utf8_casefind(struct slice text, struct slice needle)
{
	struct search s;

	return search_start(&s, needle) == 0 &&
	    (s.found || search_feed(&s, text.p, text.n));
}

int
search_start(struct search *s, struct slice needle)
{
	if (needle.n > SEARCH_NEEDLE_MAX / 2 - 4)
		return -1;
	s->n = utf8_fold(needle.p, needle.n, s->needle, sizeof(s->needle));
	s->keep = s->part = 0;
	s->found = s->n == 0;
	return 0;
}

int
search_feed(struct search *s, const char *p, size_t n)
{
	size_t k;
	uint32_t u;

	/* The rest of a character that the last block cut. */
	while (s->part > 0 && n > 0 && !s->found) {
		s->cut[s->part++] = *p++;
		n--;
		if (utf8_get(s->cut, s->part, &u) == 0)
			continue;
		/* An octet that does not belong to it is looked at again. */
		if (utf8_get(s->cut, s->part, &u) == -1) {
			s->part--;
			p--;
			n++;
		}
		search_block(s, s->cut, s->part);
		s->part = 0;
	}
	while (n > 0 && !s->found) {
		k = n < SEARCH_BLOCK ? n : SEARCH_BLOCK;
		if ((k = utf8_cut(p, k)) == 0) {
			memcpy(s->cut, p, n);
			s->part = n;
			break;
		}
		search_block(s, p, k);
		p += k;
		n -= k;
	}
	return s->found;
}

/* Fold behind what was kept, look, keep what a match could start in. */
static int
search_block(struct search *s, const char *p, size_t n)
{
	size_t have;

	have = s->keep + utf8_fold(p, n, s->buf + s->keep,
	    sizeof(s->buf) - s->keep);
	if (memmem(s->buf, have, s->needle, s->n) != NULL)
		s->found = 1;
	s->keep = have < s->n - 1 ? have : s->n - 1;
	memmove(s->buf, s->buf + have - s->keep, s->keep);
	return s->found;
}

static uint32_t
fold_char(uint32_t u)
{
	if (u < FOLD_LOW)
		return fold_low[u];
	if (u >= FOLD_HIGH && u < FOLD_HIGH_END)
		return fold_high[u - FOLD_HIGH];
	return u;
}
