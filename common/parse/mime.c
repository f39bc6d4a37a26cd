/*
 * The message parser: finds the parts of a MIME message (RFC 2045, 2046) as
 * its bytes arrive, in one pass and bounded memory.  Used by smtpd while it
 * receives, by sessions for APPEND, and to make lost facts again.  Here is
 * the splitting; structure.c reads headers, facts.c writes the result.
 *
 * A boundary line counts only if it is the boundary exactly, so a boundary
 * that is the start of another one misleads nobody.  What a limit leaves
 * without a part of its own is in the body of the last part there is: nothing
 * of a message is in none of those that BODYSTRUCTURE shows.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/data.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "parse/mime_priv.h"

#define KEEP_MAX	(64 * 1024)	/* buffers above it are freed by reset */

static void	 text_clear(struct mime_text *, size_t);
static struct part *part_new(struct mime *, uint16_t, uint64_t);
static void	 part_close(struct mime *, uint16_t, uint64_t, uint64_t);

static size_t	 header_feed(struct mime *, const char *, size_t);
static void	 header_line(struct mime *, int);
static void	 header_done(struct mime *, uint64_t, uint64_t);

static size_t	 body_plain(struct mime *, const char *, size_t);
static size_t	 body_feed(struct mime *, const char *, size_t);
static size_t	 body_skip(struct mime *, const char *, size_t);
static size_t	 body_hold(struct mime *, const char *, size_t);
static void	 sample_start(struct mime *, uint16_t);
static void	 sample_put(struct mime *, const char *, size_t);

static void	 line_ends(struct mime *, int);
static int	 boundary_find(const struct mime *, size_t *, int *);
static void	 boundary_push(struct mime *);
static void	 boundary_hit(struct mime *, size_t, int, int);
static void	 last_goes_on(struct mime *, int);

struct mime *
mime_new(void)
{
	struct mime *m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	mime_reset(m);
	return m;
}

void
mime_reset(struct mime *m)
{
	m->nparts = 0;
	text_clear(&m->text, FACTS_MAX);
	text_clear(&m->fields, FACTS_MAX);
	text_clear(&m->bounds, MIME_DEPTH_MAX * BOUNDARY_MAX);
	text_clear(&m->hdr, MIME_HEADER_MAX);
	text_clear(&m->tmp, 2 * MIME_HEADER_MAX);
	text_clear(&m->blob, FACTS_MAX);
	memset(m->field, 0, sizeof(m->field));
	m->date = 0;
	m->hasdate = m->seen = 0;
	m->plain.part = m->html.part = PART_NONE;
	m->plain.n = m->html.n = 0;
	m->off = m->lines = m->line_off = 0;
	m->eol = m->skip = 0;
	m->prev = '\n';
	m->linen = m->nlevels = 0;
	m->sample = NULL;
	m->hdr_left = MIME_HEADER_TOTAL;
	m->mode = IN_HEADER;
	m->first = 1;
	m->cur = 0;
	part_new(m, PART_NONE, 0);
}

int
mime_feed(struct mime *m, const char *p, size_t n)
{
	size_t k;

	if (m->nparts == 0)		/* no memory for the first part */
		return -1;
	if (n > 0 && !(m->seen & DATA_8BIT) && has_8bit(p, n))
		m->seen |= DATA_8BIT;
	if (n > 0 && !(m->seen & DATA_NUL) && memchr(p, '\0', n) != NULL)
		m->seen |= DATA_NUL;
	for (; n > 0; p += k, n -= k) {
		if (m->mode == IN_HEADER)
			k = header_feed(m, p, n);
		else if (m->nlevels == 0)
			k = body_plain(m, p, n);
		else
			k = body_feed(m, p, n);
	}
	return m->text.bad == TEXT_NOMEM || m->hdr.bad == TEXT_NOMEM ? -1 : 0;
}

int
mime_end(struct mime *m, const char **blob, size_t *n)
{
	uint16_t i;
	size_t level;
	int end;

	if (m->nparts == 0)
		return -1;
	/* A last line without its end, and a header without a body. */
	if (m->linen > 0) {
		if (m->mode == IN_HEADER)
			header_line(m, 0);
		else if (boundary_find(m, &level, &end))
			boundary_hit(m, level, end, 0);
	}
	while (m->mode == IN_HEADER)
		header_done(m, m->off, m->lines);
	for (i = m->cur; i != PART_NONE; i = m->parts[i].parent)
		part_close(m, i, m->off, m->lines);
	facts_make(m);
	*blob = m->blob.p;
	*n = m->blob.n;
	return m->blob.bad == TEXT_GOOD ? 0 : -1;
}

void
mime_free(struct mime *m)
{
	if (m == NULL)
		return;
	free(m->parts);
	free(m->text.p);
	free(m->fields.p);
	free(m->bounds.p);
	free(m->hdr.p);
	free(m->tmp.p);
	free(m->blob.p);
	free(m);
}

char *
mime_facts(const char *msg, size_t msgn, size_t *n)
{
	struct mime *m;
	const char *blob;
	char *out = NULL;

	if ((m = mime_new()) == NULL)
		return NULL;
	if (mime_feed(m, msg, msgn) == 0 && mime_end(m, &blob, n) == 0 &&
	    (out = malloc(*n)) != NULL)
		memcpy(out, blob, *n);
	mime_free(m);
	return out;
}

static void
text_clear(struct mime_text *t, size_t max)
{
	if (t->cap > KEEP_MAX) {
		free(t->p);
		t->p = NULL;
		t->cap = 0;
	}
	t->n = 0;
	t->max = max;
	t->bad = TEXT_GOOD;
}

/* NULL: out of memory (then text.bad), or as many as there may be. */
static struct part *
part_new(struct mime *m, uint16_t parent, uint64_t off)
{
	struct part *p;
	size_t cap;
	uint16_t i = (uint16_t)m->nparts;

	if (m->nparts == MIME_PARTS_MAX)
		return NULL;
	if (m->nparts == m->partcap) {
		cap = m->partcap == 0 ? 8 : m->partcap * 2;
		p = reallocarray(m->parts, cap, sizeof(*p));
		if (p == NULL) {
			m->text.bad = TEXT_NOMEM;
			return NULL;
		}
		m->parts = p;
		m->partcap = cap;
	}
	p = &m->parts[m->nparts++];
	*p = (struct part){ .hdr_off = off, .body_off = off,
	    .parent = parent, .first = PART_NONE, .last = PART_NONE,
	    .next = PART_NONE, .charset = CHARSET_UNKNOWN };
	if (parent != PART_NONE) {
		struct part *up = &m->parts[parent];

		p->depth = up->depth + 1;
		if (up->last == PART_NONE)
			up->first = i;
		else
			m->parts[up->last].next = i;
		up->last = i;
		up->nparts++;
	}
	m->cur = i;
	m->mode = IN_HEADER;
	m->first = 1;
	return p;
}

static void
part_close(struct mime *m, uint16_t i, uint64_t end, uint64_t lines)
{
	struct part *p = &m->parts[i];

	/* The line end in front of the boundary may be that of the header. */
	if (p->body_off > end)
		p->body_off = end > p->hdr_off ? end : p->hdr_off;
	p->body_len = end > p->body_off ? end - p->body_off : 0;
	if (p->type == FACTS_MULTIPART && p->first == PART_NONE)
		structure_text(p);
	lines = lines > p->lines0 ? lines - p->lines0 : 0;
	if (p->body_len == 0)
		lines = 0;
	p->lines = lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines;
}

/* At most one line of a header. */
static size_t
header_feed(struct mime *m, const char *p, size_t n)
{
	const char *q = memchr(p, '\n', n);
	size_t k, room;

	if (q != NULL)
		n = (size_t)(q + 1 - p);
	k = n < m->hdr_left ? n : m->hdr_left;
	room = m->hdr.max - m->hdr.n;
	k = k < room ? k : room;
	text_put(&m->hdr, p, k);
	m->hdr_left -= k;
	k = n < LINE_HOLD - m->linen ? n : LINE_HOLD - m->linen;
	memcpy(m->line + m->linen, p, k);
	m->linen += k;
	m->off += n;
	if (q != NULL)
		header_line(m, 1);
	return n;
}

/*
 * A line of a header is complete, or (not whole) the message ended in it.
 * Empty: the body starts behind it.  A boundary: the part ends.  The first
 * line is no field: there is no header, and the body starts with it.
 */
static void
header_line(struct mime *m, int whole)
{
	int end, first = m->first;
	size_t level;

	m->first = 0;
	if (m->line[0] == '\n' || (m->linen > 1 && m->line[0] == '\r' &&
	    m->line[1] == '\n')) {
		line_ends(m, 1);
		header_done(m, m->off, m->lines);
		return;
	}
	if (boundary_find(m, &level, &end)) {
		uint64_t len = m->off - m->line_off;

		m->hdr.n -= m->hdr.n < len ? m->hdr.n : (size_t)len;
		while (m->mode == IN_HEADER)	/* a message in it, too */
			header_done(m, m->line_off, m->lines);
		boundary_hit(m, level, end, whole);
		return;
	}
	if (first && !header_first(m->line, m->linen)) {
		m->hdr.n = 0;
		while (m->mode == IN_HEADER)
			header_done(m, m->line_off, m->lines);
		sample_put(m, m->line, m->linen);
	}
	line_ends(m, whole);
}

/* The header of m->cur is read; its body starts at off. */
static void
header_done(struct mime *m, uint64_t off, uint64_t lines)
{
	struct part *p = &m->parts[m->cur];

	structure_part(m);
	if (m->cur == 0)
		facts_fields(m);
	p->body_off = m->body0 = off;
	p->lines0 = lines;
	m->mode = IN_BODY;
	m->hdr.n = 0;
	switch ((enum facts_type)p->type) {
	case FACTS_MULTIPART:
		boundary_push(m);
		sample_start(m, m->cur);	/* if it stays without parts */
		break;
	case FACTS_MESSAGE:
		part_new(m, m->cur, off);	/* structure_part saw room */
		break;
	case FACTS_TEXT:
		sample_start(m, m->cur);
		break;
	case FACTS_OTHER:
		break;
	}
}

/* No multipart is open: nothing can end the body but the end. */
static size_t
body_plain(struct mime *m, const char *p, size_t n)
{
	const char *q = p, *end = p + n;

	sample_put(m, p, n);
	while ((q = memchr(q, '\n', (size_t)(end - q))) != NULL) {
		m->lines++;
		q++;
	}
	m->off += n;
	return n;
}

static size_t
body_feed(struct mime *m, const char *p, size_t n)
{
	if (m->linen == 0 && !m->skip && *p != '-')
		m->skip = 1;
	return m->skip ? body_skip(m, p, n) : body_hold(m, p, n);
}

/* Lines that are no boundary, up to one that may be. */
static size_t
body_skip(struct mime *m, const char *p, size_t n)
{
	const char *q = p, *end = p + n;

	for (;;) {
		q = memchr(q, '\n', (size_t)(end - q));
		if (q == NULL) {
			m->prev = end[-1];
			break;
		}
		m->eol = (q > p ? q[-1] : m->prev) == '\r' ? 2 : 1;
		m->prev = '\n';
		m->lines++;
		if (++q == end || *q == '-') {
			n = (size_t)(q - p);
			m->skip = 0;
			m->line_off = m->off + n;
			break;
		}
	}
	sample_put(m, p, n);
	m->off += n;
	return n;
}

/* A line that may be a boundary, as much of it as tells. */
static size_t
body_hold(struct mime *m, const char *p, size_t n)
{
	size_t k = n < LINE_HOLD - m->linen ? n : LINE_HOLD - m->linen, level;
	const char *q = memchr(p, '\n', k);
	int end;

	if (q != NULL)
		k = (size_t)(q + 1 - p);
	memcpy(m->line + m->linen, p, k);
	m->linen += k;
	m->off += k;
	m->prev = p[k - 1];
	if (q != NULL) {
		if (boundary_find(m, &level, &end)) {
			boundary_hit(m, level, end, 1);
			return k;
		}
		sample_put(m, m->line, m->linen);
		line_ends(m, 1);
	} else if (m->linen == LINE_HOLD ||
	    (m->linen > 1 && m->line[1] != '-')) {
		sample_put(m, m->line, m->linen);
		m->linen = 0;
		m->skip = 1;
	}
	return k;
}

/* The line in m->line is done with; whole: it had its end. */
static void
line_ends(struct mime *m, int whole)
{
	size_t n = m->linen;

	if (whole) {
		m->eol = n > 1 && m->line[n - 1] == '\n' &&
		    m->line[n - 2] == '\r' ? 2 : 1;
		m->lines++;
		m->prev = '\n';
	}
	m->linen = 0;
	m->skip = 0;
	m->line_off = m->off;
}

/*
 * Is the line in m->line a boundary of an open multipart?  Innermost first;
 * *end: with "--" behind it.  RFC 2046 5.1.1.
 */
static int
boundary_find(const struct mime *m, size_t *level, int *end)
{
	struct slice s, b;
	size_t i;

	if (m->nlevels == 0 || m->linen < 3 || m->line[0] != '-' ||
	    m->line[1] != '-')
		return 0;
	s = slice_trim(slice_of(m->line, m->linen));
	s = slice_of(s.p + 2, s.n - 2);
	for (i = m->nlevels; i-- > 0; ) {
		b = slice_of(m->bounds.p + m->level[i].off, m->level[i].n);
		*end = s.n == b.n + 2 && s.p[b.n] == '-' &&
		    s.p[b.n + 1] == '-';
		if ((s.n == b.n || *end) && memcmp(s.p, b.p, b.n) == 0) {
			*level = i;
			return 1;
		}
	}
	return 0;
}

static void
boundary_push(struct mime *m)
{
	struct level *l = &m->level[m->nlevels];

	l->part = m->cur;
	l->n = (uint16_t)m->boundaryn;
	l->off = (uint32_t)m->bounds.n;
	text_put(&m->bounds, m->boundary, m->boundaryn);
	if (m->bounds.bad == TEXT_GOOD)
		m->nlevels++;
	else
		m->text.bad = m->bounds.bad;
}

/*
 * The line is a boundary of that level.  What was inside ends before the
 * line end in front of it, which belongs to the boundary.
 */
static void
boundary_hit(struct mime *m, size_t level, int end, int whole)
{
	uint16_t multi = m->level[level].part, i;
	uint64_t lines = m->lines - (m->eol > 0 && m->lines > 0);

	if (!end && m->nparts == MIME_PARTS_MAX) {
		last_goes_on(m, whole);
		return;
	}
	for (i = m->cur; i != multi; i = m->parts[i].parent)
		part_close(m, i, m->line_off - m->eol, lines);
	m->nlevels = level + 1;
	m->bounds.n = m->level[level].off + m->level[level].n;
	m->cur = multi;
	m->mode = IN_BODY;
	m->sample = NULL;
	if (end) {
		m->nlevels = level;
		m->bounds.n = m->level[level].off;
	}
	line_ends(m, whole);
	if (end)
		return;
	if (m->plain.part == multi) {
		m->plain.part = PART_NONE;
		m->plain.n = 0;
	}
	part_new(m, multi, m->off);
}

/*
 * The line would start one part too many: it and the rest of the message are
 * the body of the last part, which can be no multipart and no message.
 */
static void
last_goes_on(struct mime *m, int whole)
{
	m->cur = (uint16_t)(m->nparts - 1);
	m->parts[m->cur].body_off = m->body0;
	m->mode = IN_BODY;
	m->nlevels = m->bounds.n = 0;
	sample_put(m, m->line, m->linen);
	line_ends(m, whole);
}

/* The first plain text is the one to show, or else the first HTML. */
static void
sample_start(struct mime *m, uint16_t part)
{
	struct sample *s = m->parts[part].html ? &m->html : &m->plain;

	if (s->part != PART_NONE)
		return;
	s->part = part;
	m->sample = s;
}

static void
sample_put(struct mime *m, const char *p, size_t n)
{
	struct sample *s = m->sample;

	if (s == NULL)
		return;
	if (n > sizeof(s->raw) - s->n)
		n = sizeof(s->raw) - s->n;
	memcpy(s->raw + s->n, p, n);
	s->n = (uint16_t)(s->n + n);
	if (s->n == sizeof(s->raw))
		m->sample = NULL;
}
