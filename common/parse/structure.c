/*
 * What IMAP says about a message: ENVELOPE, BODY and BODYSTRUCTURE of
 * RFC 3501 7.4.2, made from headers.  mime.c calls structure_part() when the
 * header of a part is complete, and structure_put() puts the pieces together
 * when the message is.
 *
 * Pieces of a part in mime.text:
 *	head	"type" "subtype" (params) id description encoding
 *		of a multipart only "subtype"
 *	ext	 md5 disposition language location, with a blank in front
 *		of a multipart (params) instead of md5
 *	env	(...), if the part is the body of a message
 * A multipart has them besides as the text/plain that it is when its boundary
 * never comes: each part that is shown can be fetched then (RFC 3501 6.4.5).
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/charset.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/imap_parse.h"
#include "parse/mime.h"
#include "parse/mime_priv.h"
#include "parse/words.h"

#define PARAMS_TEXT	4096	/* octets of all parameters of a field */
#define LANGUAGES_MAX	16

static void	 text_lower(struct mime_text *, struct slice);
static void	 text_value(struct mime_text *, struct mime_text *,
		    struct slice);
static struct text_span span_since(const struct mime_text *, size_t);

static void	 type_of(struct mime *, struct part *, const struct params *,
		    struct slice *, struct slice *);
static int8_t	 charset_of(const struct params *);
static int	 type_split(struct slice, struct slice *, struct slice *);
static int	 is_token(struct slice);
static enum facts_cte cte_of(struct slice, struct slice *);
static void	 text_form(struct mime *, struct part *, const struct params *,
		    struct slice[]);
static void	 head_put(struct mime *, struct part *, const struct params *,
		    struct slice, struct slice, struct slice[]);
static void	 ext_put(struct mime *, struct part *, const struct params *,
		    struct slice[]);
static void	 params_put(struct mime_text *, const struct params *, int);
static void	 disposition_put(struct mime_text *, struct slice);
static void	 language_put(struct mime_text *, struct slice);
static void	 envelope_put(struct mime *, struct slice[], uint32_t);
static void	 addresses_put(struct mime *, enum known, struct slice, int);
static int	 list_put(struct mime_text *, struct slice, int);
static void	 part_put(struct mime *, struct mime_text *, uint16_t, int);
static void	 span_put(struct mime_text *, const struct mime *,
		    struct text_span);

#define NAME(s)	{ s, sizeof(s) - 1 }
static const struct slice names[H_KNOWN] = {
	[H_DATE] = NAME("date"),
	[H_SUBJECT] = NAME("subject"),
	[H_FROM] = NAME("from"),
	[H_SENDER] = NAME("sender"),
	[H_REPLYTO] = NAME("reply-to"),
	[H_TO] = NAME("to"),
	[H_CC] = NAME("cc"),
	[H_BCC] = NAME("bcc"),
	[H_INREPLYTO] = NAME("in-reply-to"),
	[H_MSGID] = NAME("message-id"),
	[H_REFERENCES] = NAME("references"),
	[H_TYPE] = NAME("content-type"),
	[H_CTE] = NAME("content-transfer-encoding"),
	[H_ID] = NAME("content-id"),
	[H_DESCRIPTION] = NAME("content-description"),
	[H_MD5] = NAME("content-md5"),
	[H_DISPOSITION] = NAME("content-disposition"),
	[H_LANGUAGE] = NAME("content-language"),
	[H_LOCATION] = NAME("content-location")
};
#undef NAME

void
text_put(struct mime_text *t, const char *p, size_t n)
{
	char *q;

	if (n > 0 && (q = text_room(t, n)) != NULL) {
		memcpy(q, p, n);
		t->n += n;
	}
}

void
text_str(struct mime_text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void
text_num(struct mime_text *t, uint64_t v)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	text_str(t, buf);
}

char *
text_room(struct mime_text *t, size_t n)
{
	size_t cap;
	char *q;

	if (t->bad != TEXT_GOOD)
		return NULL;
	if (n > t->max - t->n) {
		t->bad = TEXT_FULL;
		return NULL;
	}
	if (t->p == NULL || n > t->cap - t->n) {
		for (cap = t->cap == 0 ? 512 : t->cap; cap - t->n < n; )
			cap *= 2;
		if ((q = realloc(t->p, cap)) == NULL) {
			t->bad = TEXT_NOMEM;
			return NULL;
		}
		t->p = q;
		t->cap = cap;
	}
	return t->p + t->n;
}

void
text_string(struct mime_text *t, struct slice s)
{
	ssize_t n;
	char *q;

	if (s.p == NULL) {
		text_str(t, "NIL");
		return;
	}
	if ((q = text_room(t, 2 * s.n + 32)) == NULL)
		return;
	n = imap_put_string(s, q, 2 * s.n + 32);
	t->n += n > 0 ? (size_t)n : 0;
}

uint32_t
known_find(struct slice header, struct slice v[H_KNOWN])
{
	struct header_field f;
	uint32_t again = 0;
	int i, n;

	memset(v, 0, H_KNOWN * sizeof(v[0]));
	for (n = 0; n < HEADER_FIELDS_MAX && header_next(&header, &f); n++)
		for (i = 0; i < H_KNOWN; i++) {
			if (names[i].n != f.name.n ||
			    !slice_caseeq(f.name, names[i]))
				continue;
			if (v[i].p == NULL)
				v[i] = f.value;
			else
				again |= 1u << i;
			break;
		}
	return again;
}

int
known_next(struct known_walk *w, enum known k, struct slice *value)
{
	struct header_field f;

	while (w->fields++ < HEADER_FIELDS_MAX && header_next(&w->rest, &f))
		if (names[k].n == f.name.n &&
		    slice_caseeq(f.name, names[k])) {
			*value = f.value;
			return 1;
		}
	return 0;
}

void
structure_part(struct mime *m)
{
	struct part *p = &m->parts[m->cur];
	struct slice v[H_KNOWN], type, sub;
	struct params params;
	char buf[PARAMS_TEXT];
	uint32_t again;

	again = known_find(slice_of(m->hdr.p, m->hdr.n), v);
	params_parse(v[H_TYPE], &params, buf, sizeof(buf));
	type_of(m, p, &params, &type, &sub);
	p->digest = slice_caseis(sub, "digest");
	if (p->type == FACTS_MULTIPART)
		text_form(m, p, &params, v);
	head_put(m, p, &params, type, sub, v);
	ext_put(m, p, &params, v);
	if (p->parent == PART_NONE ||
	    m->parts[p->parent].type == FACTS_MESSAGE)
		envelope_put(m, v, again);
	if (m->tmp.bad != TEXT_GOOD)
		m->text.bad = m->tmp.bad;
}

void
structure_text(struct part *p)
{
	p->type = FACTS_TEXT;
	p->head = p->text_head;
	p->ext = p->text_ext;
}

void
structure_put(struct mime *m, struct mime_text *out, int ext)
{
	part_put(m, out, 0, ext);
}

/*
 * What the part is.  A missing or unreadable type is text/plain, in a digest
 * message/rfc822 (RFC 2046 5.1.5); what may not nest any more is a leaf.
 */
static void
type_of(struct mime *m, struct part *p, const struct params *params,
    struct slice *type, struct slice *sub)
{
	const struct param *b;
	struct slice s;
	int deeper, digest;

	digest = p->parent != PART_NONE && m->parts[p->parent].digest;
	if (type_split(params->type, type, sub) == -1) {
		*type = digest ? SLICE_LIT("message") : SLICE_LIT("text");
		*sub = digest ? SLICE_LIT("rfc822") : SLICE_LIT("plain");
	}
	deeper = p->depth + 1 < MIME_DEPTH_MAX &&
	    m->nparts < MIME_PARTS_MAX && m->nlevels < MIME_DEPTH_MAX;
	p->type = FACTS_OTHER;
	if (slice_caseis(*type, "multipart")) {
		b = params_get(params, "boundary");
		s = b != NULL ? slice_trim(b->value) : slice_of(NULL, 0);
		if (deeper && s.n > 0 && s.n <= BOUNDARY_MAX) {
			p->type = FACTS_MULTIPART;
			p->charset = charset_of(params);
			memcpy(m->boundary, s.p, s.n);
			m->boundaryn = s.n;
			return;
		}
		*type = SLICE_LIT("text");
		*sub = SLICE_LIT("plain");
	}
	if (slice_caseis(*type, "message") && slice_caseis(*sub, "rfc822")) {
		if (deeper) {
			p->type = FACTS_MESSAGE;
			return;
		}
		*type = SLICE_LIT("application");
		*sub = SLICE_LIT("octet-stream");
	}
	/* Reports and the like are text to read and to search (RFC 3464). */
	if (slice_caseis(*type, "message"))
		p->charset = CHARSET_UTF8;
	if (!slice_caseis(*type, "text"))
		return;
	p->type = FACTS_TEXT;
	p->html = slice_caseis(*sub, "html");
	p->charset = charset_of(params);
}

static int8_t
charset_of(const struct params *params)
{
	const struct param *p = params_get(params, "charset");

	return (int8_t)(p == NULL ? CHARSET_ASCII :
	    charset_find(slice_trim(p->value)));
}

/* "text / plain" into two tokens. */
static int
type_split(struct slice s, struct slice *type, struct slice *sub)
{
	size_t n = slice_find(s, '/');

	if (n == s.n)
		return -1;
	*type = slice_trim(slice_of(s.p, n));
	*sub = slice_trim(slice_of(s.p + n + 1, s.n - n - 1));
	return is_token(*type) && is_token(*sub) ? 0 : -1;
}

/* RFC 2045 5.1, within reason of length. */
static int
is_token(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= 32 || s.p[i] >= 127 ||
		    strchr("()<>@,;:\\\"/[]?=", s.p[i]) != NULL)
			return 0;
	return s.n > 0 && s.n <= 128;
}

/* *word: the token to show. */
static enum facts_cte
cte_of(struct slice v, struct slice *word)
{
	struct slice s = v;

	s.n = slice_find(s, ';');
	s.n = slice_find(s, '(');
	s = slice_trim(s);
	if (!is_token(s)) {
		*word = SLICE_LIT("7bit");
		return v.p == NULL || s.n == 0 ? CTE_NONE : CTE_UNKNOWN;
	}
	*word = s;
	if (slice_caseis(s, "base64"))
		return CTE_BASE64;
	if (slice_caseis(s, "quoted-printable"))
		return CTE_QP;
	return slice_caseis(s, "7bit") || slice_caseis(s, "8bit") ||
	    slice_caseis(s, "binary") ? CTE_NONE : CTE_UNKNOWN;
}

static void
text_form(struct mime *m, struct part *p, const struct params *params,
    struct slice v[])
{
	p->type = FACTS_TEXT;
	head_put(m, p, params, SLICE_LIT("text"), SLICE_LIT("plain"), v);
	ext_put(m, p, params, v);
	p->text_head = p->head;
	p->text_ext = p->ext;
	p->type = FACTS_MULTIPART;
}

static void
head_put(struct mime *m, struct part *p, const struct params *params,
    struct slice type, struct slice sub, struct slice v[])
{
	struct mime_text *t = &m->text;
	size_t start = t->n;
	struct slice word;

	p->cte = (uint8_t)cte_of(v[H_CTE], &word);
	if (p->type != FACTS_MULTIPART) {
		text_lower(t, type);
		text_str(t, " ");
	}
	text_lower(t, sub);
	if (p->type != FACTS_MULTIPART) {
		text_str(t, " ");
		params_put(t, params, p->type == FACTS_TEXT);
		text_str(t, " ");
		text_value(t, &m->tmp, v[H_ID]);
		text_str(t, " ");
		text_value(t, &m->tmp, v[H_DESCRIPTION]);
		text_str(t, " ");
		text_lower(t, word);
	}
	p->head = span_since(t, start);
}

static void
ext_put(struct mime *m, struct part *p, const struct params *params,
    struct slice v[])
{
	struct mime_text *t = &m->text;
	size_t start = t->n;

	text_str(t, " ");
	if (p->type == FACTS_MULTIPART)
		params_put(t, params, 0);
	else
		text_value(t, &m->tmp, v[H_MD5]);
	text_str(t, " ");
	disposition_put(t, v[H_DISPOSITION]);
	text_str(t, " ");
	language_put(t, v[H_LANGUAGE]);
	text_str(t, " ");
	text_value(t, &m->tmp, v[H_LOCATION]);
	p->ext = span_since(t, start);
}

/* (name value ...), or NIL; a text part has a charset always. */
static void
params_put(struct mime_text *t, const struct params *ps, int charset)
{
	char name[128];
	struct slice s;
	size_t i;

	if (charset && params_get(ps, "charset") != NULL)
		charset = 0;
	if (ps->n == 0 && !charset) {
		text_str(t, "NIL");
		return;
	}
	text_str(t, "(");
	for (i = 0; i < ps->n; i++) {
		s = ps->v[i].name;
		if (s.n > sizeof(name) - 1)
			s.n = sizeof(name) - 1;
		memcpy(name, s.p, s.n);
		if (ps->v[i].extended)
			name[s.n++] = '*';
		if (i > 0)
			text_str(t, " ");
		text_lower(t, slice_of(name, s.n));
		text_str(t, " ");
		text_string(t, ps->v[i].value);
	}
	if (charset)
		text_str(t, ps->n > 0 ? " \"charset\" \"us-ascii\"" :
		    "\"charset\" \"us-ascii\"");
	text_str(t, ")");
}

static void
disposition_put(struct mime_text *t, struct slice v)
{
	struct params ps;
	char buf[PARAMS_TEXT];

	if (v.p == NULL) {
		text_str(t, "NIL");
		return;
	}
	params_parse(v, &ps, buf, sizeof(buf));
	if (!is_token(ps.type)) {
		text_str(t, "NIL");
		return;
	}
	text_str(t, "(");
	text_lower(t, ps.type);
	text_str(t, " ");
	params_put(t, &ps, 0);
	text_str(t, ")");
}

/* One tag as a string, several as a list (RFC 3282). */
static void
language_put(struct mime_text *t, struct slice v)
{
	struct slice tag[LANGUAGES_MAX], s;
	size_t n = 0, i;

	while (v.p != NULL && v.n > 0 && n < LANGUAGES_MAX) {
		s = slice_of(v.p, slice_find(v, ','));
		v = s.n < v.n ? slice_of(v.p + s.n + 1, v.n - s.n - 1) :
		    slice_of(v.p + v.n, 0);
		s.n = slice_find(s, '(');
		tag[n] = slice_trim(s);
		n += is_token(tag[n]) != 0;
	}
	if (n == 0) {
		text_str(t, "NIL");
		return;
	}
	if (n > 1)
		text_str(t, "(");
	for (i = 0; i < n; i++) {
		if (i > 0)
			text_str(t, " ");
		text_string(t, tag[i]);
	}
	if (n > 1)
		text_str(t, ")");
}

static void
envelope_put(struct mime *m, struct slice v[], uint32_t again)
{
	static const enum known order[] = { H_FROM, H_SENDER, H_REPLYTO,
	    H_TO, H_CC, H_BCC };
	struct mime_text *t = &m->text;
	size_t start = t->n, i, before;
	struct text_span from = { 0 };

	text_str(t, "(");
	text_value(t, &m->tmp, v[H_DATE]);
	text_str(t, " ");
	text_value(t, &m->tmp, v[H_SUBJECT]);
	for (i = 0; i < NITEMS(order); i++) {
		text_str(t, " ");
		before = t->n;
		addresses_put(m, order[i], v[order[i]],
		    (again & 1u << order[i]) != 0);
		if (order[i] == H_FROM)
			from = span_since(t, before);
		/* Sender and Reply-To default to From. */
		if ((order[i] == H_SENDER || order[i] == H_REPLYTO) &&
		    t->bad == TEXT_GOOD && t->p[before] == 'N') {
			t->n = before;
			if (text_room(t, from.n) != NULL)
				text_put(t, t->p + from.off, from.n);
		}
	}
	text_str(t, " ");
	text_value(t, &m->tmp, v[H_INREPLYTO]);
	text_str(t, " ");
	text_value(t, &m->tmp, v[H_MSGID]);
	text_str(t, ")");
	m->parts[m->cur].env = span_since(t, start);
}

/*
 * ((name adl mailbox host)...), or NIL if there are none.  A field that comes
 * again (RFC 5322 4.5.3) goes on with the list.
 */
static void
addresses_put(struct mime *m, enum known k, struct slice v, int again)
{
	struct known_walk w = { .rest = slice_of(m->hdr.p, m->hdr.n) };
	int n = 0;

	if (!again)
		n = list_put(&m->text, v, 0);
	while (again && known_next(&w, k, &v))
		n = list_put(&m->text, v, n);
	text_str(&m->text, n == 0 ? "NIL" : ")");
}

/* Items behind n others; how many there are then. */
static int
list_put(struct mime_text *t, struct slice v, int n)
{
	struct addrlist l;
	struct addritem it;

	addrlist_start(&l, v);
	l.count = n;
	for (; addrlist_next(&l, &it); n++) {
		text_str(t, n == 0 ? "((" : "(");
		if (it.kind == ADDRITEM_MAILBOX) {
			text_string(t, it.name);
			text_str(t, " ");
			text_string(t, it.route);
			text_str(t, " ");
			text_string(t, it.local);
			text_str(t, " ");
			/* NIL would make it a group */
			text_string(t, it.domain.p == NULL ?
			    SLICE_LIT("") : it.domain);
		} else {
			text_str(t, "NIL NIL ");
			text_string(t, it.kind == ADDRITEM_GROUP ?
			    it.name : slice_of(NULL, 0));
			text_str(t, " NIL");
		}
		text_str(t, ")");
	}
	return n;
}

/* A body, and by recursion what is in it: at most MIME_DEPTH_MAX deep. */
static void
part_put(struct mime *m, struct mime_text *out, uint16_t i, int ext)
{
	const struct part *p = &m->parts[i];
	uint16_t c;

	text_str(out, "(");
	if (p->type == FACTS_MULTIPART) {
		for (c = p->first; c != PART_NONE; c = m->parts[c].next)
			part_put(m, out, c, ext);
		text_str(out, " ");
	}
	span_put(out, m, p->head);
	if (p->type != FACTS_MULTIPART) {
		text_str(out, " ");
		text_num(out, p->body_len);
	}
	if (p->type == FACTS_MESSAGE && p->first != PART_NONE) {
		text_str(out, " ");
		span_put(out, m, m->parts[p->first].env);
		text_str(out, " ");
		part_put(m, out, p->first, ext);
	}
	if (p->type == FACTS_MESSAGE || p->type == FACTS_TEXT) {
		text_str(out, " ");
		text_num(out, p->lines);
	}
	if (ext)
		span_put(out, m, p->ext);
	text_str(out, ")");
}

static void
span_put(struct mime_text *out, const struct mime *m, struct text_span s)
{
	text_put(out, m->text.p + s.off, s.n);
}

static struct text_span
span_since(const struct mime_text *t, size_t start)
{
	return (struct text_span){ (uint32_t)start, (uint32_t)(t->n - start) };
}

static void
text_lower(struct mime_text *t, struct slice s)
{
	size_t i, start = t->n;

	text_string(t, s);
	for (i = start; i < t->n; i++)
		t->p[i] = (char)ascii_lower((unsigned char)t->p[i]);
}

/* A field's value as one line. */
static void
text_value(struct mime_text *t, struct mime_text *tmp, struct slice v)
{
	char *q;

	if (v.p == NULL) {
		text_str(t, "NIL");
		return;
	}
	if ((q = text_room(tmp, v.n)) != NULL)
		text_string(t, slice_of(q, header_unfold(v, q, v.n)));
}
