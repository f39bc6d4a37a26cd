/*
 * XML that is none, taken for what it was meant to be: tags and text of an
 * octet stream that a parser refused, found again by what can be a tag.  A
 * tag has a name, a "<" that begins none is text, and so is an entity that
 * does not exist; elements that nobody closed are closed with the one they
 * stand in, ends of what is not open are passed over, as is everything
 * before the first element that the taker wants and after its end.
 *
 * Only for reports that expat refused (xml.c); bounded as it is: a tag by
 * TAG_MAX, the depth by MEND_DEPTH, what is read twice by REOPEN_MAX, the rest
 * by the taker.  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define REOPEN_MAX	64		/* CDATA that is looked at once more */

static void	 text_octet(struct mend *, char);
static void	 text_flush(struct mend *);
static void	 text_tag(struct mend *);
static int	 tag_octet(struct mend *, char);
static int	 tag_end(struct mend *);
static size_t	 tag_name(struct slice, char *, size_t);
static int	 element_open(struct mend *, const char *);
static void	 element_close(struct mend *, const char *);
static int	 cdata_open(struct mend *);
static int	 skip_octet(struct mend *, char);
static void	 entity(struct mend *);

int
mend_feed(struct mend *m, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		switch (m->state) {
		case MEND_TEXT:
			if (p[i] == '<') {
				m->state = MEND_TAG;
				m->n = 0;
			} else
				text_octet(m, p[i]);
			break;
		case MEND_TAG:
			if (tag_octet(m, p[i]) == -1)
				return -1;
			break;
		case MEND_SKIP:
			if (skip_octet(m, p[i]) == -1)
				return -1;
			break;
		}
	return 0;
}

void
mend_end(struct mend *m)
{
	if (m->state == MEND_SKIP && m->n > 8 && memcmp(m->tag, "![CDATA[",
	    8) == 0)
		(void)cdata_open(m);
	if (m->state != MEND_TEXT)
		m->mended = true;	/* a tag that was cut is nothing */
	text_flush(m);
	if (m->depth > 0) {
		m->mended = true;
		while (m->depth > 0)
			m->end(m->arg, m->depth--, false);
	}
}

/* ---- text ---------------------------------------------------------------- */

static void
text_octet(struct mend *m, char c)
{
	if (m->textn == sizeof(m->text) || (m->amp && c == '&'))
		text_flush(m);
	m->text[m->textn++] = c;
	if (c == '&')
		m->amp = true;
	else if (m->amp && c == ';')
		entity(m);
}

static void
text_flush(struct mend *m)
{
	if (m->amp)			/* an ampersand that is no entity */
		m->mended = true;
	m->amp = false;
	if (m->textn > 0 && m->depth > 0)
		m->chars(m->arg, m->text, m->textn);
	m->textn = 0;
}

/* What was taken for a tag is text. */
static void
text_tag(struct mend *m)
{
	size_t i;

	m->mended = true;
	m->state = MEND_TEXT;
	text_octet(m, '<');
	for (i = 0; i < m->n; i++)
		text_octet(m, m->tag[i]);
}

/* The end of text is "&...;". */
static void
entity(struct mend *m)
{
	static const struct { const char *name; char c; } known[] = {
		{ "amp", '&' }, { "lt", '<' }, { "gt", '>' },
		{ "quot", '"' }, { "apos", '\'' }
	};
	struct slice e;
	size_t at = m->textn, i;
	uint64_t c;

	while (m->text[at - 1] != '&')
		at--;
	e = slice_of(m->text + at, m->textn - at - 1);
	m->amp = false;
	for (i = 0; i < NITEMS(known); i++)
		if (slice_is(e, known[i].name)) {
			m->text[at - 1] = known[i].c;
			m->textn = at;
			return;
		}
	if (e.n > 1 && e.p[0] == '#' && slice_number(slice_of(e.p + 1,
	    e.n - 1), 0x7e, &c) == 0 && c >= ' ') {
		m->text[at - 1] = (char)c;
		m->textn = at;
	} else
		m->mended = true;	/* as it stands */
}

/* ---- tags ---------------------------------------------------------------- */

static int
tag_octet(struct mend *m, char c)
{
	if (m->n == 0 && c != '/' && c != '!' && c != '?' && c != '_' &&
	    !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
		text_tag(m);		/* "<" alone */
		return mend_feed(m, &c, 1);
	}
	if (m->n == 0 && (c == '!' || c == '?'))
		m->state = MEND_SKIP;
	else if (c == '>')
		return tag_end(m);
	else if (c == '<' || m->n == TAG_MAX) {
		text_tag(m);
		return mend_feed(m, &c, 1);
	}
	m->tag[m->n++] = c;
	return 0;
}

/* What is in it so far is what it would be without. */
static int
cdata_open(struct mend *m)
{
	char in[TAG_MAX];
	size_t n = m->n - 8;

	memcpy(in, m->tag + 8, n);
	m->reopened++;
	m->mended = true;
	m->state = MEND_TEXT;
	return mend_feed(m, in, n);
}

/* Comments, CDATA, declarations: the first octets tell which, the last ones
 * the end.  CDATA does not end beyond TAG_MAX; after many of that kind there
 * is none in this report, for what is in each is read twice. */
static int
skip_octet(struct mend *m, char c)
{
	static const char cdata[] = "![CDATA[", comment[] = "!--";
	const char *end = ">";
	size_t i, k;

	if (m->n == TAG_MAX && memcmp(m->tag, cdata, 8) == 0)
		return cdata_open(m) == -1 ? -1 : mend_feed(m, &c, 1);
	if (m->n == TAG_MAX) {
		memcpy(m->tag + 8, m->tag + m->n - 2, 2);
		m->n = 10;
	}
	m->tag[m->n++] = c;
	if (m->n == 8 && m->reopened >= REOPEN_MAX &&
	    memcmp(m->tag, cdata, 8) == 0) {
		m->state = MEND_TEXT;
		return 0;
	}
	if (m->n >= 8 && memcmp(m->tag, cdata, 8) == 0)
		end = "]]>";
	else if (m->n >= 3 && memcmp(m->tag, comment, 3) == 0)
		end = "-->";
	else if (m->tag[0] == '?')
		end = "?>";
	k = strlen(end);
	if (m->n < k || memcmp(m->tag + m->n - k, end, k) != 0)
		return 0;
	m->state = MEND_TEXT;
	if (end[0] == ']' && m->n >= 11)
		for (i = 8; i < m->n - 3; i++) {
			text_octet(m, m->tag[i]);
			m->amp = false;
		}
	return 0;
}

/* The name without its prefix; the octets it takes, 0: it is none. */
static size_t
tag_name(struct slice s, char *out, size_t size)
{
	size_t i, from = 0;

	for (i = 0; i < s.n && (s.p[i] == '_' || s.p[i] == '-' ||
	    s.p[i] == '.' || s.p[i] == ':' || (s.p[i] >= '0' &&
	    s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
	    (s.p[i] >= 'A' && s.p[i] <= 'Z')); i++)
		if (s.p[i] == ':')
			from = i + 1;
	if (i == from || slice_cpy(slice_of(s.p + from, i - from), out,
	    size) == -1)
		return 0;
	return i;
}

static int
tag_end(struct mend *m)
{
	struct slice s = { m->tag, m->n };
	bool close = s.n > 0 && s.p[0] == '/', empty;
	char name[MEND_NAME];
	size_t n;

	if (close)
		s = slice_of(s.p + 1, s.n - 1);
	empty = !close && s.n > 0 && s.p[s.n - 1] == '/';
	n = tag_name(s, name, sizeof(name));
	if (n == 0 || (n < s.n && strchr(" \t\r\n/", s.p[n]) == NULL)) {
		text_tag(m);
		text_octet(m, '>');
		return 0;
	}
	m->tag[m->n] = '\0';
	m->state = MEND_TEXT;
	text_flush(m);
	if (close) {
		element_close(m, name);
		return 0;
	}
	n = element_open(m, name) == 0;
	if (n == 0 && m->why == NULL && m->depth > 0) {
		text_tag(m);		/* stands where text does */
		text_octet(m, '>');
	}
	if (n == 1 && empty)
		m->end(m->arg, m->depth--, true);
	return m->why == NULL ? 0 : -1;
}

/* ---- elements ------------------------------------------------------------ */

/* 0; -1: nothing was opened, or with why set, no more of this. */
static int
element_open(struct mend *m, const char *name)
{
	unsigned int at;

	/* Where does it belong?  What is open in between was never closed. */
	at = m->place(m->arg, m->depth, name);
	if (at == MEND_NOWHERE)
		return -1;
	while (m->depth > at) {
		m->mended = true;
		m->end(m->arg, m->depth--, false);
	}
	if (m->depth == MEND_DEPTH) {
		m->why = "XML is nested too deep";
		return -1;
	}
	strlcpy(m->name[m->depth++], name, MEND_NAME);
	if ((m->why = m->start(m->arg, m->depth, name)) != NULL)
		return -1;
	return 0;
}

static void
element_close(struct mend *m, const char *name)
{
	unsigned int at;

	for (at = m->depth; at > 0; at--)
		if (strcmp(m->name[at - 1], name) == 0)
			break;
	if (at == 0) {
		m->mended = true;	/* of nothing that is open */
		return;
	}
	while (m->depth > at) {
		m->mended = true;
		m->end(m->arg, m->depth--, false);
	}
	m->end(m->arg, m->depth--, true);
}
