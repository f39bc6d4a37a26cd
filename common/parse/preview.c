/*
 * A few words of a message to show in a list.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/mime_priv.h"

static size_t	 html_strip(char *, size_t);
static size_t	 html_skip(const char *, size_t, size_t);
static size_t	 entity(const char *, size_t, char *);
static size_t	 blanks_join(char *, size_t, size_t);

size_t
preview_make(const struct mime *m, char *out, size_t size)
{
	const struct sample *s = m->plain.part != PART_NONE ? &m->plain :
	    &m->html;
	const struct part *p;
	struct cte cte = { 0 };
	struct charset cs = { 0 };
	char raw[PREVIEW_RAW + CTE_SLACK], text[3 * PREVIEW_RAW];
	size_t n, used;

	if (s->part == PART_NONE)
		return 0;
	p = &m->parts[s->part];
	cte.cte = (enum facts_cte)p->cte;
	n = cte_decode(&cte, s->raw, s->n, 0, raw, sizeof(raw));
	cs.id = p->charset;
	n = charset_utf8(&cs, raw, n, 0, text, sizeof(text), &used);
	if (p->html)
		n = html_strip(text, n);
	n = blanks_join(text, n, size);
	if (n > size)
		n = utf8_cut(text, size);
	memcpy(out, text, n);
	return n;
}

/* Text between the tags, in place. */
static size_t
html_strip(char *p, size_t n)
{
	size_t i = 0, k = 0, len;

	while (i < n) {
		if (p[i] == '<') {
			i = html_skip(p, n, i);
			p[k++] = ' ';
		} else if (p[i] == '&' && (len = entity(p + i, n - i,
		    p + k)) > 0) {
			i += len;
			k++;
		} else
			p[k++] = p[i++];
	}
	return k;
}

/* Behind the tag at i; behind its end tag for what holds no text. */
static size_t
html_skip(const char *p, size_t n, size_t i)
{
	static const char *const silent[] = { "style", "script", "head",
	    "title" };
	struct slice tag = slice_of(p + i + 1, n - i - 1), end;
	size_t k, len;

	if (slice_casestarts(tag, "!--")) {
		const char *q = memmem(tag.p, tag.n, "-->", 3);

		return q == NULL ? n : (size_t)(q + 3 - p);
	}
	for (k = 0; k < NITEMS(silent); k++) {
		len = strlen(silent[k]);
		if (!slice_casestarts(tag, silent[k]) || tag.n == len ||
		    (tag.p[len] != '>' && tag.p[len] != ' '))
			continue;
		for (; i < n; i++) {
			end = slice_of(p + i, n - i);
			if (slice_casestarts(end, "</") && slice_casestarts(
			    slice_of(end.p + 2, end.n - 2), silent[k]))
				break;
		}
	}
	i += slice_find(slice_of(p + i, n - i), '>');
	return i < n ? i + 1 : n;
}

/* One octet for a few entities; the length of its text, or 0. */
static size_t
entity(const char *p, size_t n, char *out)
{
	static const struct { const char *name; char c; } list[] = {
		{ "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' }, { "&nbsp;", ' ' }, { "&#39;", '\'' },
		{ "&apos;", '\'' }, { "&#160;", ' ' }, { "&zwnj;", ' ' }
	};
	size_t i;

	for (i = 0; i < NITEMS(list); i++)
		if (slice_casestarts(slice_of(p, n), list[i].name)) {
			*out = list[i].c;
			return strlen(list[i].name);
		}
	return 0;
}

/* Blanks, line ends and control characters become one blank.  It ends when
 * it is known what the first max octets are. */
static size_t
blanks_join(char *p, size_t n, size_t max)
{
	size_t i, k = 0;

	for (i = 0; i < n && k <= max + 1; i++) {
		if ((unsigned char)p[i] > ' ' && p[i] != 127)
			p[k++] = p[i];
		else if (k > 0 && p[k - 1] != ' ')
			p[k++] = ' ';
	}
	return k > 0 && p[k - 1] == ' ' ? k - 1 : k;
}
