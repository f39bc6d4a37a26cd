/*
 * A few words of a message to show in a list, and the base subject that
 * sorts and threads (RFC 5256 2.1).
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/mime_priv.h"

#define SUBJECT_ROUNDS	1000	/* prefixes taken off */

static size_t	 html_strip(char *, size_t);
static size_t	 html_skip(const char *, size_t, size_t);
static size_t	 entity(const char *, size_t, char *);
static size_t	 blanks_join(char *, size_t, size_t);
static int	 strip_tail(struct slice *);
static int	 strip_leader(struct slice *);
static int	 strip_blob(struct slice *, int);
static int	 strip_forward(struct slice *);

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

struct slice
subject_base(struct slice s)
{
	int n, more;

	for (n = 0; n < SUBJECT_ROUNDS; n++) {
		while (strip_tail(&s))
			;
		for (more = 1; more && n < SUBJECT_ROUNDS; n++)
			more = strip_leader(&s) || strip_blob(&s, 1);
		if (!strip_forward(&s))
			break;
	}
	return s;
}

/* "(fwd)" and blanks at the end. */
static int
strip_tail(struct slice *s)
{
	if (s->n > 0 && s->p[s->n - 1] == ' ') {
		s->n--;
		return 1;
	}
	if (s->n >= 5 && slice_caseis(slice_of(s->p + s->n - 5, 5), "(fwd)")) {
		s->n -= 5;
		return 1;
	}
	return 0;
}

/* A blank, or blobs and then "re", "fw", "fwd", perhaps a blob, ":". */
static int
strip_leader(struct slice *s)
{
	struct slice t = *s;
	int n;

	if (t.n > 0 && t.p[0] == ' ') {
		*s = slice_of(t.p + 1, t.n - 1);
		return 1;
	}
	for (n = 0; n < SUBJECT_ROUNDS && strip_blob(&t, 0); n++)
		;
	if (slice_casestarts(t, "re"))
		n = 2;
	else if (slice_casestarts(t, "fwd"))
		n = 3;
	else if (slice_casestarts(t, "fw"))
		n = 2;
	else
		return 0;
	t = slice_of(t.p + n, t.n - (size_t)n);
	while (t.n > 0 && t.p[0] == ' ')
		t = slice_of(t.p + 1, t.n - 1);
	strip_blob(&t, 0);
	if (t.n == 0 || t.p[0] != ':')
		return 0;
	*s = slice_of(t.p + 1, t.n - 1);
	return 1;
}

/* "[...]" and blanks at the start; keep: unless nothing would be left. */
static int
strip_blob(struct slice *s, int keep)
{
	size_t i;

	if (s->n == 0 || s->p[0] != '[')
		return 0;
	for (i = 1; i < s->n && s->p[i] != ']'; i++)
		if (s->p[i] == '[')
			return 0;
	if (i == s->n)
		return 0;
	for (i++; i < s->n && s->p[i] == ' '; i++)
		;
	if (keep && i == s->n)
		return 0;
	*s = slice_of(s->p + i, s->n - i);
	return 1;
}

/* "[fwd: ...]" around all of it. */
static int
strip_forward(struct slice *s)
{
	if (!slice_casestarts(*s, "[fwd:") || s->p[s->n - 1] != ']')
		return 0;
	*s = slice_of(s->p + 5, s->n - 6);
	return 1;
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
