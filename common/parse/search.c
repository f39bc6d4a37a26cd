/*
 * Substring search in UTF-8 text, fed in blocks: what IMAP SEARCH needs.  Both
 * sides are mapped by i;unicode-casemap (casemap.c), then compared as octets.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/casemap.h"
#include "parse/charset.h"
#include "parse/search.h"

#define SEARCH_BLOCK	4096	/* octets mapped at a time */

static int	 search_block(struct search *, const char *, size_t);

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
	size_t used;

	if (needle.n > SEARCH_TEXT_MAX)
		return -1;
	s->n = utf8_casemap(needle.p, needle.n, s->needle, sizeof(s->needle),
	    &used);
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

/* Map behind what was kept, look, keep what a match could start in. */
static int
search_block(struct search *s, const char *p, size_t n)
{
	size_t have, used;

	while (n > 0 && !s->found) {
		have = s->keep + utf8_casemap(p, n, s->buf + s->keep,
		    sizeof(s->buf) - s->keep, &used);
		p += used;
		n -= used;
		if (memmem(s->buf, have, s->needle, s->n) != NULL)
			s->found = 1;
		s->keep = have < s->n - 1 ? have : s->n - 1;
		memmove(s->buf, s->buf + have - s->keep, s->keep);
	}
	return s->found;
}
