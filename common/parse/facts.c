/*
 * The facts of a message as one block of bytes: made once by mime.c when the
 * message arrives, kept by spool and store, read by sessions.  A reader
 * trusts nothing in it: every offset is checked at every use.
 *
 * Little-endian:
 *	0	magic		4	version		8	length of all
 *	12	parts		16	u64 message length
 *	24	u64 lines	32	i64 date	40	flags
 *	44	0
 *	48	FACTS_NFIELDS times: offset, length
 *	176	parts, PART_SIZE each, in message order:
 *		u64 hdr_off, u64 body_off, u64 body_len, u32 lines,
 *		u16 parent, u16 children, u8 type, u8 cte, i8 charset, 0
 *	then	text
 * Invariants: hdr_off <= body_off, body_off + body_len <= message length,
 * parent < own number (PART_NONE for part 0), children follow their parent.
 */
#include "base/compat.h"

#include <string.h>

#include "base/le.h"
#include "base/slice.h"
#include "parse/charset.h"
#include "parse/data.h"
#include "parse/dates.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/imap_parse.h"
#include "parse/mime.h"
#include "parse/mime_priv.h"
#include "parse/subject.h"
#include "parse/words.h"

#define MAGIC		0x7463464du	/* "MFct" */
#define FIXED		48
#define PARTS_AT	(FIXED + 8 * FACTS_NFIELDS)
#define PART_SIZE	36
#define FLAG_DATE	0x100		/* the low bits are DATA_ bits */

/* A part as it stands in a blob. */
struct record {
	uint64_t	 hdr_off, body_off, body_len;
	uint32_t	 lines;
	uint16_t	 parent, nparts;
	uint8_t		 type, cte;
	int8_t		 charset;
};

static void	 field_set(struct mime *, enum facts_field, const char *,
		    size_t);
static void	 field_value(struct mime *, enum facts_field, struct slice);
static void	 field_values(struct mime *, enum facts_field, enum known);
static void	 field_subject(struct mime *, struct slice);
static void	 field_ids(struct mime *, enum facts_field, struct slice, int);
static void	 blob_put(struct mime *);
static void	 blob_field(struct mime_text *, enum facts_field, size_t,
		    size_t);
static void	 make_flat(struct mime *);

static void	 record_put(uint8_t *, const struct part *);
static int	 record_get(const char *, size_t, size_t, struct record *);

static int	 child_find(const char *, size_t, size_t, uint32_t, size_t *);
static int	 part_fill(const char *, size_t, size_t, struct facts_part *);

void
facts_fields(struct mime *m)
{
	static const struct { enum facts_field f; enum known h; } lists[] = {
		{ FACTS_FROM, H_FROM }, { FACTS_TO, H_TO },
		{ FACTS_CC, H_CC }, { FACTS_BCC, H_BCC },
		{ FACTS_SENDER, H_SENDER }, { FACTS_REPLYTO, H_REPLYTO }
	};
	struct slice v[H_KNOWN];
	uint32_t again;
	size_t i;

	again = known_find(slice_of(m->hdr.p, m->hdr.n), v);
	for (i = 0; i < NITEMS(lists); i++) {
		if (again & 1u << lists[i].h)
			field_values(m, lists[i].f, lists[i].h);
		else
			field_value(m, lists[i].f, v[lists[i].h]);
	}
	field_value(m, FACTS_DATE, v[H_DATE]);
	field_subject(m, v[H_SUBJECT]);
	field_ids(m, FACTS_MSGID, v[H_MSGID], 1);
	field_ids(m, FACTS_INREPLYTO, v[H_INREPLYTO], 1);
	field_ids(m, FACTS_REFERENCES, v[H_REFERENCES], REFERENCES_MAX);
	if (v[H_DATE].p != NULL)
		m->hasdate = date_parse(v[H_DATE], &m->date, NULL) == 0;
}

void
facts_make(struct mime *m)
{
	enum text_bad bad = m->text.bad;

	if (bad == TEXT_GOOD)
		bad = m->fields.bad;
	if (bad == TEXT_GOOD) {
		blob_put(m);
		bad = m->blob.bad;
	}
	if (bad == TEXT_FULL) {
		make_flat(m);
		blob_put(m);
	} else
		m->blob.bad = bad;
}

int
facts_version(const char *blob, size_t n)
{
	const uint8_t *b = (const uint8_t *)blob;
	uint32_t v, nparts;

	if (n < PARTS_AT || get32(b) != MAGIC || get32(b + 8) != n)
		return -1;
	v = get32(b + 4);
	nparts = get32(b + 12);
	if (v > INT32_MAX || (v == FACTS_VERSION && (nparts == 0 ||
	    nparts > MIME_PARTS_MAX || nparts > (n - PARTS_AT) / PART_SIZE)))
		return -1;
	return (int)v;
}

int
facts_get(const char *blob, size_t n, enum facts_field f, struct slice *out)
{
	const uint8_t *b = (const uint8_t *)blob;
	uint32_t off, len;

	if (facts_version(blob, n) != FACTS_VERSION || (int)f < 0 ||
	    f >= FACTS_NFIELDS)
		return -1;
	off = get32(b + FIXED + 8 * f);
	len = get32(b + FIXED + 8 * f + 4);
	if (off < PARTS_AT || off > n || len > n - off)
		return -1;
	*out = slice_of(blob + off, len);
	return 0;
}

int
facts_date(const char *blob, size_t n, int64_t *t)
{
	const uint8_t *b = (const uint8_t *)blob;

	if (facts_version(blob, n) != FACTS_VERSION)
		return -1;
	*t = (int64_t)get64(b + 32);
	return (get32(b + 40) & FLAG_DATE) != 0;
}

int
facts_size(const char *blob, size_t n, uint64_t *hdrlen, uint64_t *len,
    uint64_t *lines)
{
	struct record r;

	if (record_get(blob, n, 0, &r) == -1)
		return -1;
	*hdrlen = r.body_off;
	*len = get64((const uint8_t *)blob + 16);
	*lines = get64((const uint8_t *)blob + 24);
	return 0;
}

int
facts_seen(const char *blob, size_t n)
{
	if (facts_version(blob, n) != FACTS_VERSION)
		return -1;
	return (int)(get32((const uint8_t *)blob + 40) &
	    (DATA_8BIT | DATA_NUL));
}

/*
 * A number steps into the children of a multipart; in a message whose body
 * is no multipart, 1 is that body (RFC 3501 6.4.5).
 */
int
facts_part(const char *blob, size_t n, const uint32_t *path, size_t npath,
    struct facts_part *out)
{
	struct record r;
	size_t in = 0, k;	/* the body we are in */
	int rc, leaf = 0;

	if (npath > IMAP_PATH_MAX || record_get(blob, n, 0, &r) == -1)
		return npath > IMAP_PATH_MAX ? 0 : -1;
	if (npath == 0) {
		memset(out, 0, sizeof(*out));
		out->type = FACTS_MESSAGE;
		out->charset = CHARSET_UNKNOWN;
		out->nparts = 1;
		out->hdr_len = out->msg_hdr_len = r.body_off;
		out->body_off = out->msg_body_off = r.body_off;
		out->body_len = out->msg_body_len = r.body_len;
		out->lines = get64((const uint8_t *)blob + 24);
		return 1;
	}
	for (k = 0; k < npath; k++) {
		if (leaf)
			return 0;
		if (k > 0 && r.type == FACTS_MESSAGE) {
			/* into the message that part is */
			rc = child_find(blob, n, in, 1, &in);
			if (rc != 1 || record_get(blob, n, in, &r) == -1)
				return rc == 0 ? 0 : -1;
		}
		if (r.type == FACTS_MULTIPART) {
			rc = child_find(blob, n, in, path[k], &in);
			if (rc != 1 || record_get(blob, n, in, &r) == -1)
				return rc == 0 ? 0 : -1;
		} else if (path[k] != 1)
			return 0;
		leaf = r.type == FACTS_TEXT || r.type == FACTS_OTHER;
	}
	return part_fill(blob, n, in, out);
}

int
facts_nparts(const char *blob, size_t n)
{
	if (facts_version(blob, n) != FACTS_VERSION)
		return -1;
	return (int)get32((const uint8_t *)blob + 12);
}

int
facts_nth(const char *blob, size_t n, int i, struct facts_part *out)
{
	if (i < 0)
		return -1;
	return part_fill(blob, n, (size_t)i, out) == 1 ? 0 : -1;
}

/* A value, or where the ENVELOPE has the same. */
static void
field_set(struct mime *m, enum facts_field f, const char *p, size_t n)
{
	const struct text_span *env = &m->parts[0].env;
	struct field_span *s = &m->field[f];
	const char *q = NULL;

	*s = (struct field_span){ 0 };
	if (n == 0)
		return;
	s->n = (uint32_t)n;
	if (m->text.bad == TEXT_GOOD && n <= 512)
		q = memmem(m->text.p + env->off, env->n, p, n);
	if (q != NULL) {
		s->inenv = 1;
		s->off = (uint32_t)(q - (m->text.p + env->off));
		return;
	}
	s->off = (uint32_t)m->fields.n;
	text_put(&m->fields, p, n);
}

static void
field_value(struct mime *m, enum facts_field f, struct slice v)
{
	char *q;

	m->tmp.n = 0;
	if (v.p != NULL && (q = text_room(&m->tmp, v.n)) != NULL)
		field_set(m, f, q, header_unfold(v, q, v.n));
}

/* Those of a field that comes more than once, a line each.  A value and its
 * line end are shorter than the field. */
static void
field_values(struct mime *m, enum facts_field f, enum known k)
{
	struct known_walk w = { .rest = slice_of(m->hdr.p, m->hdr.n) };
	struct slice v;
	size_t n = 0;
	char *q;

	m->tmp.n = 0;
	if ((q = text_room(&m->tmp, m->hdr.n)) == NULL)
		return;
	while (known_next(&w, k, &v)) {
		if (n > 0)
			q[n++] = '\n';
		n += header_unfold(v, q + n, v.n);
	}
	field_set(m, f, q, n);
}

/* Decoded, runs of blanks as one. */
static void
field_subject(struct mime *m, struct slice v)
{
	char buf[SUBJECT_MAX];
	struct slice base;
	size_t n, i, k = 0;

	if (v.p == NULL)
		return;
	n = words_decode(v, buf, sizeof(buf));
	for (i = 0; i < n; i++)
		if (buf[i] != ' ' || (k > 0 && buf[k - 1] != ' '))
			buf[k++] = buf[i];
	if (k > 0 && buf[k - 1] == ' ')
		k--;
	field_set(m, FACTS_SUBJECT, buf, k);
	base = subject_base(slice_of(buf, k), NULL);
	m->field[FACTS_BASESUBJECT] = m->field[FACTS_SUBJECT];
	m->field[FACTS_BASESUBJECT].off += (uint32_t)(base.p - buf);
	m->field[FACTS_BASESUBJECT].n = (uint32_t)base.n;
}

/* The last max ids of a field, a blank between them. */
static void
field_ids(struct mime *m, enum facts_field f, struct slice v, int max)
{
	struct slice ring[REFERENCES_MAX], id;
	size_t n = 0, i, k = 0;
	char *q;

	m->tmp.n = 0;
	if (v.p == NULL || (q = text_room(&m->tmp, v.n + REFERENCES_MAX)) ==
	    NULL)
		return;
	if (max == 1)	/* the first counts */
		n = (size_t)header_msgid(&v, &ring[0]);
	else
		while (header_msgid(&v, &id))
			ring[n++ % REFERENCES_MAX] = id;
	for (i = n > (size_t)max ? n - (size_t)max : 0; i < n; i++) {
		if (k > 0)
			q[k++] = ' ';
		id = ring[i % REFERENCES_MAX];
		k += header_unfold(id, q + k, id.n);
	}
	field_set(m, f, q, k);
}

static void
blob_put(struct mime *m)
{
	struct mime_text *t = &m->blob;
	size_t i, at, env, fields, head = PARTS_AT + PART_SIZE * m->nparts;
	char preview[PREVIEW_MAX];
	uint8_t *b;

	t->n = 0;
	t->bad = TEXT_GOOD;
	if (text_room(t, head) == NULL)
		return;
	memset(t->p, 0, head);
	t->n = head;
	for (i = 0; i < m->nparts; i++)
		record_put((uint8_t *)t->p + PARTS_AT + PART_SIZE * i,
		    &m->parts[i]);
	env = t->n;
	text_put(t, m->text.p + m->parts[0].env.off, m->parts[0].env.n);
	fields = t->n;
	blob_field(t, FACTS_ENVELOPE, env, fields - env);
	text_put(t, m->fields.p, m->fields.n);
	for (i = FACTS_SUBJECT; i < FACTS_PREVIEW; i++)
		blob_field(t, (enum facts_field)i, m->field[i].off +
		    (m->field[i].inenv ? env : fields), m->field[i].n);
	at = t->n;
	structure_put(m, t, 1);
	blob_field(t, FACTS_BODYSTRUCTURE, at, t->n - at);
	at = t->n;
	structure_put(m, t, 0);
	blob_field(t, FACTS_BODY, at, t->n - at);
	at = t->n;
	text_put(t, preview, preview_make(m, preview, sizeof(preview)));
	blob_field(t, FACTS_PREVIEW, at, t->n - at);
	b = (uint8_t *)t->p;
	put32(b, MAGIC);
	put32(b + 4, FACTS_VERSION);
	put32(b + 8, (uint32_t)t->n);
	put32(b + 12, (uint32_t)m->nparts);
	put64(b + 16, m->off);
	put64(b + 24, m->lines);
	put64(b + 32, (uint64_t)m->date);
	put32(b + 40, (uint32_t)m->seen | (m->hasdate ? FLAG_DATE : 0));
}

static void
blob_field(struct mime_text *t, enum facts_field f, size_t off, size_t n)
{
	uint8_t *b = (uint8_t *)t->p + FIXED + 8 * f;

	put32(b, (uint32_t)off);
	put32(b + 4, (uint32_t)n);
}

/* What is said of a message whose facts would be too long: one text. */
static void
make_flat(struct mime *m)
{
	static const char head[] = "\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\"";
	static const char ext[] = " NIL NIL NIL NIL";
	static const char env[] = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
	struct part *p = &m->parts[0];

	m->text.n = m->fields.n = 0;
	m->text.bad = m->fields.bad = TEXT_GOOD;
	memset(m->field, 0, sizeof(m->field));
	text_str(&m->text, head);
	text_str(&m->text, ext);
	text_str(&m->text, env);
	p->head = (struct text_span){ 0, sizeof(head) - 1 };
	p->ext = (struct text_span){ sizeof(head) - 1, sizeof(ext) - 1 };
	p->env = (struct text_span){ sizeof(head) + sizeof(ext) - 2,
	    sizeof(env) - 1 };
	p->type = FACTS_TEXT;
	p->cte = CTE_NONE;
	p->charset = CHARSET_ASCII;
	p->first = PART_NONE;
	p->nparts = 0;
	m->nparts = 1;
	m->plain.part = m->html.part = PART_NONE;
}

static void
record_put(uint8_t *b, const struct part *p)
{
	put64(b, p->hdr_off);
	put64(b + 8, p->body_off);
	put64(b + 16, p->body_len);
	put32(b + 24, p->lines);
	put16(b + 28, p->parent);
	put16(b + 30, p->nparts);
	b[32] = p->type;
	b[33] = p->cte;
	b[34] = (uint8_t)p->charset;
	b[35] = 0;
}

/* Part i, its invariants checked; 0 or -1. */
static int
record_get(const char *blob, size_t n, size_t i, struct record *r)
{
	const uint8_t *b = (const uint8_t *)blob;
	uint64_t len;

	if (facts_version(blob, n) != FACTS_VERSION || i >= get32(b + 12))
		return -1;
	len = get64(b + 16);
	b += PARTS_AT + PART_SIZE * i;
	r->hdr_off = get64(b);
	r->body_off = get64(b + 8);
	r->body_len = get64(b + 16);
	r->lines = get32(b + 24);
	r->parent = get16(b + 28);
	r->nparts = get16(b + 30);
	r->type = b[32];
	r->cte = b[33];
	r->charset = (int8_t)b[34];
	if (r->hdr_off > r->body_off || r->body_off > len ||
	    r->body_len > len - r->body_off || r->type > FACTS_MULTIPART ||
	    r->cte > CTE_UNKNOWN || (i == 0 ? r->parent != PART_NONE ||
	    r->hdr_off != 0 : r->parent >= i))
		return -1;
	return 0;
}

/* The nth (1..) child of a part: 1, 0 if there is none, -1. */
static int
child_find(const char *blob, size_t n, size_t parent, uint32_t nth,
    size_t *out)
{
	struct record r;
	size_t i, count = get32((const uint8_t *)blob + 12);

	for (i = parent + 1; i < count && nth > 0; i++) {
		if (record_get(blob, n, i, &r) == -1)
			return -1;
		if (r.parent == parent && --nth == 0) {
			*out = i;
			return 1;
		}
	}
	return 0;
}

static int
part_fill(const char *blob, size_t n, size_t i, struct facts_part *out)
{
	struct record r;
	size_t child;
	int rc;

	if (record_get(blob, n, i, &r) == -1)
		return -1;
	memset(out, 0, sizeof(*out));
	out->type = (enum facts_type)r.type;
	out->cte = (enum facts_cte)r.cte;
	out->charset = r.charset;
	out->hdr_off = r.hdr_off;
	out->hdr_len = r.body_off - r.hdr_off;
	out->body_off = r.body_off;
	out->body_len = r.body_len;
	out->lines = r.lines;
	out->nparts = r.nparts;
	if (out->type != FACTS_MESSAGE)
		return 1;
	if ((rc = child_find(blob, n, i, 1, &child)) != 1 ||
	    record_get(blob, n, child, &r) == -1)
		return -1;
	out->msg_hdr_off = r.hdr_off;
	out->msg_hdr_len = r.body_off - r.hdr_off;
	out->msg_body_off = r.body_off;
	out->msg_body_len = r.body_len;
	return 1;
}
