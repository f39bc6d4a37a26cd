/*
 * An 8-bit message as hosts without 8BITMIME can take it (RFC 6152 3): relay
 * sends it so, smtpd makes the hash of its body so for a signature.  The
 * structure is that of the facts, which were made when the message came; here
 * it is a row of stretches, headers, bodies of leaves and what lies between,
 * and the octets are walked along them twice: to see what is 8-bit, and to
 * write.
 *
 * Invariants: stretches follow one another without a gap from 0 to the
 * message's end.  What is written depends on the octets and the facts alone,
 * never on where they were cut: a signature stands on it.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/downgrade.h"
#include "parse/facts.h"
#include "parse/header.h"

#define QP_LINE		75	/* octets of a line and no "=" yet */
#define B64_RAW		57	/* octets that become one line */
#define B64_LINE	76
#define OUT		1024	/* octets written at once */

enum stretch_kind { HEADER, LEAF, BETWEEN };

/* What is written of a stretch. */
enum recode {
	KEEP,
	TO_QP, TO_BASE64,	/* a leaf; its header says so too */
	MEND_QP,		/* a leaf that is said to be QP already */
	MASK,			/* octets above 127 that mean nothing: "?" */
	TO_7BIT			/* a header that says 8bit of what is 7-bit */
};

struct stretch {
	uint64_t	 end;
	enum stretch_kind kind;
	enum recode	 recode;
	bool		 eight;		/* octets above 127 were seen */
	/* of a header, and of the leaf behind it */
	bool		 message;	/* of a message, not of a part */
	bool		 sealed;	/* within a multipart/signed */
	enum facts_type	 type;
	enum facts_cte	 cte;
	uint64_t	 part_end;	/* of the body, parts and all */
};

struct downgrade {
	struct stretch	*v;
	size_t		 n;
	bool		 never;		/* something cannot be changed */

	/* where we are */
	size_t		 at;		/* stretch */
	uint64_t	 off;
	uint64_t	 sealed;	/* end of the outermost multipart/signed */
	char		*header;	/* the one we are in */
	size_t		 headern, headercap;

	/* the leaf that is being written */
	size_t		 col;		/* octets of its line */
	char		 blank;		/* held back, 0 none: may be trailing */
	bool		 cr;		/* held back */
	size_t		 nraw;
	char		 raw[B64_RAW];

	/* what comes out */
	const struct downgrade_out *to;
	bool		 in_body;	/* behind the first header */
	size_t		 nout;
	char		 out[OUT];
};

static int	 stretches_make(struct downgrade *, const char *, size_t);
static int	 part_stretches(struct downgrade *, const struct facts_part *,
		    bool, uint64_t *);
static struct stretch *stretch_add(struct downgrade *, enum stretch_kind,
		    uint64_t);
static int	 header_hold(struct downgrade *, const char *, size_t);
static bool	 header_type(struct slice, struct slice *, struct slice *);
static bool	 header_ends(struct slice);
static void	 header_looked(struct downgrade *, struct stretch *);
static void	 leaf_looked(struct downgrade *, struct stretch *);
static enum recode leaf_recode(const struct stretch *);
static void	 put(struct downgrade *, const char *, size_t);
static void	 put_flush(struct downgrade *);
static void	 put_str(struct downgrade *, const char *);
static void	 header_write(struct downgrade *, const struct stretch *);
static void	 leaf_write(struct downgrade *, enum recode, const char *,
		    size_t);
static void	 leaf_end(struct downgrade *, enum recode);
static void	 qp_put(struct downgrade *, const char *, size_t);
static void	 qp_octet(struct downgrade *, int);
static void	 qp_escape(struct downgrade *, int);
static void	 qp_mend(struct downgrade *, int);
static void	 mask(struct downgrade *, const char *, size_t);
static void	 base64(struct downgrade *, const char *, size_t);
static void	 base64_line(struct downgrade *);

/* ---- the stretches ------------------------------------------------------- */

struct downgrade *
downgrade_new(const char *facts, size_t n)
{
	struct downgrade *d;
	int parts = facts_nparts(facts, n);

	if (parts <= 0 || (d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	/* Each part is a header and a leaf, with something before it. */
	d->v = calloc(3 * (size_t)parts + 1, sizeof(*d->v));
	if (d->v == NULL || stretches_make(d, facts, n) == -1) {
		downgrade_free(d);
		return NULL;
	}
	return d;
}

void
downgrade_free(struct downgrade *d)
{
	if (d == NULL)
		return;
	free(d->v);
	free(d->header);
	free(d);
}

uint64_t
downgrade_size(const struct downgrade *d)
{
	return d->v[d->n - 1].end;
}

void
downgrade_rewind(struct downgrade *d)
{
	d->at = 0;
	d->off = d->sealed = 0;
	d->headern = 0;
	d->col = d->nraw = d->nout = 0;
	d->blank = '\0';
	d->cr = d->in_body = false;
}

/* 0, -1: facts that no parser made. */
static int
stretches_make(struct downgrade *d, const char *facts, size_t n)
{
	uint64_t header, size, lines, off = 0;
	int i, parts = facts_nparts(facts, n);
	bool message = true;		/* the next part is a message's own */
	struct facts_part p;

	if (facts_size(facts, n, &header, &size, &lines) == -1)
		return -1;
	for (i = 0; i < parts; i++) {
		if (facts_nth(facts, n, i, &p) == -1 ||
		    p.body_len > size - p.body_off ||
		    part_stretches(d, &p, message, &off) == -1)
			return -1;
		message = p.type == FACTS_MESSAGE;
	}
	if (off < size)
		stretch_add(d, BETWEEN, size);
	return 0;
}

static int
part_stretches(struct downgrade *d, const struct facts_part *p, bool message,
    uint64_t *off)
{
	struct stretch *s;
	bool leaf = p->type == FACTS_TEXT || p->type == FACTS_OTHER;

	if (p->hdr_off < *off || (d->n == 0 && p->hdr_off != 0))
		return -1;
	if (p->hdr_off > *off)
		stretch_add(d, BETWEEN, p->hdr_off);
	s = stretch_add(d, HEADER, p->body_off);
	s->message = message;
	s->type = p->type;
	s->cte = p->cte;
	s->part_end = *off = p->body_off;
	s->part_end += p->body_len;
	if (leaf) {
		*off = s->part_end;
		*stretch_add(d, LEAF, *off) = (struct stretch){ .end = *off,
		    .kind = LEAF, .type = p->type, .cte = p->cte };
	}
	return 0;
}

static struct stretch *
stretch_add(struct downgrade *d, enum stretch_kind kind, uint64_t end)
{
	struct stretch *s = &d->v[d->n++];

	s->kind = kind;
	s->end = end;
	return s;
}

/* ---- the walk ------------------------------------------------------------ */

/* Octets of p that belong to the stretch we are in. */
static size_t
walk_run(const struct downgrade *d, size_t n)
{
	uint64_t left = d->v[d->at].end - d->off;

	return left < n ? (size_t)left : n;
}

int
downgrade_look(struct downgrade *d, const char *p, size_t n)
{
	struct stretch *s;
	size_t k;

	for (; d->at < d->n; p += k, n -= k) {
		s = &d->v[d->at];
		k = walk_run(d, n);
		s->eight = s->eight || (k > 0 && has_8bit(p, k));
		if (s->kind == HEADER && header_hold(d, p, k) == -1)
			return -1;
		d->off += k;
		if (d->off < s->end)
			return 0;
		if (s->kind == HEADER)
			header_looked(d, s);
		else if (s->kind == LEAF)
			leaf_looked(d, s);
		else if (s->eight) {
			s->recode = MASK;
			d->never = d->never || d->off <= d->sealed;
		}
		d->at++;
	}
	return 0;
}

enum downgrade_can
downgrade_looked(struct downgrade *d)
{
	bool whole = d->at == d->n, eight = false;
	size_t i;

	for (i = 0; i < d->n; i++)
		eight = eight || (d->v[i].eight && d->v[i].kind != HEADER);
	downgrade_rewind(d);
	if (!whole || d->never)
		return DOWNGRADE_NO;
	return eight ? DOWNGRADE_YES : DOWNGRADE_NEEDLESS;
}

int
downgrade_feed(struct downgrade *d, const char *p, size_t n,
    const struct downgrade_out *to)
{
	const struct stretch *s;
	size_t k;

	d->to = to;
	for (; d->at < d->n; p += k, n -= k) {
		s = &d->v[d->at];
		k = walk_run(d, n);
		if (s->kind == HEADER) {
			if (header_hold(d, p, k) == -1)
				return -1;
		} else if (k > 0)
			leaf_write(d, s->recode, p, k);
		d->off += k;
		if (d->off < s->end)
			break;
		if (s->kind == HEADER)
			header_write(d, s);
		else
			leaf_end(d, s->recode);
		if (d->at++ == 0) {
			put_flush(d);
			d->in_body = true;
		}
	}
	put_flush(d);
	return d->at == d->n && n > 0 ? -1 : 0;
}

/* ---- what is there ------------------------------------------------------- */

static int
header_hold(struct downgrade *d, const char *p, size_t n)
{
	size_t cap = d->headercap == 0 ? 4096 : d->headercap;
	char *q;

	if (n > DOWNGRADE_HEADER_MAX - d->headern) {
		d->never = true;
		n = DOWNGRADE_HEADER_MAX - d->headern;
	}
	while (cap - d->headern < n)
		cap *= 2;
	if (cap > d->headercap) {
		if ((q = realloc(d->header, cap)) == NULL)
			return -1;
		d->header = q;
		d->headercap = cap;
	}
	if (n > 0)
		memcpy(d->header + d->headern, p, n);
	d->headern += n;
	return 0;
}

/* Its Content-Type in two words.  False: it has one, but not of that form. */
static bool
header_type(struct slice header, struct slice *type, struct slice *sub)
{
	struct header_field f;
	struct slice s;

	*type = SLICE_LIT("text");
	*sub = SLICE_LIT("plain");
	if (!header_find(header, "Content-Type", 0, &f))
		return true;
	s = slice_of(f.value.p, slice_find(f.value, ';'));
	*type = slice_trim(slice_of(s.p, slice_find(s, '/')));
	s.n = slice_find(s, '(');
	*sub = slice_of(s.p, slice_find(s, '/'));
	*sub = sub->n < s.n ? slice_trim(slice_of(s.p + sub->n + 1,
	    s.n - sub->n - 1)) : slice_of(s.p, 0);
	return type->n > 0 && slice_find(*type, '(') == type->n;
}

/* With the empty line, so that a field may be put before that. */
static bool
header_ends(struct slice h)
{
	return (h.n == 2 && memcmp(h.p, "\r\n", 2) == 0) ||
	    (h.n >= 4 && memcmp(h.p + h.n - 4, "\r\n\r\n", 4) == 0);
}

/* Does it say that what follows may have octets above 127? */
static bool
header_is_8bit(struct slice header)
{
	struct header_field f;
	struct slice s;

	if (!header_find(header, "Content-Transfer-Encoding", 0, &f))
		return false;
	s = slice_of(f.value.p, slice_find(f.value, ';'));
	s.n = slice_find(s, '(');
	s = slice_trim(s);
	return slice_caseis(s, "8bit") || slice_caseis(s, "binary");
}

static void
header_looked(struct downgrade *d, struct stretch *s)
{
	struct slice h = slice_of(d->header, d->headern);
	uint64_t start = s == d->v ? 0 : s[-1].end;
	struct slice type, sub;
	bool odd = !header_type(h, &type, &sub);
	bool multipart = slice_caseis(type, "multipart");

	/* Its boundary may have such octets. */
	d->never = d->never || (multipart && s->eight);
	s->sealed = start < d->sealed;
	if (multipart && slice_caseis(sub, "signed") &&
	    s->part_end > d->sealed)
		d->sealed = s->part_end;
	if (!s->sealed && header_is_8bit(h))
		s->recode = TO_7BIT;
	/* Of a leaf that cannot be: see leaf_recode(). */
	if ((s->type == FACTS_TEXT || s->type == FACTS_OTHER) &&
	    (odd || multipart || slice_caseis(type, "message") ||
	    !header_ends(h)))
		s->cte = CTE_UNKNOWN;
	d->headern = 0;
}

/* A leaf's header is the stretch before it. */
static void
leaf_looked(struct downgrade *d, struct stretch *s)
{
	struct stretch *header = s - 1;

	if (!s->eight)
		return;
	s->recode = header->sealed ? KEEP : leaf_recode(header);
	if (s->recode == KEEP)
		d->never = true;
	else if (s->recode == TO_QP || s->recode == TO_BASE64)
		header->recode = s->recode;
}

/* KEEP: it cannot be.  An encoding is never put over another one, nor over a
 * multipart or a message (RFC 2045 6.4). */
static enum recode
leaf_recode(const struct stretch *header)
{
	switch (header->cte) {
	case CTE_NONE:
		return header->type == FACTS_TEXT ? TO_QP : TO_BASE64;
	case CTE_QP:
		return MEND_QP;
	case CTE_BASE64:
		return MASK;		/* it is no octet of base64 */
	case CTE_UNKNOWN:
		break;
	}
	return KEEP;
}

/* ---- what is written ----------------------------------------------------- */

static void
put(struct downgrade *d, const char *p, size_t n)
{
	size_t k;

	for (; n > 0; p += k, n -= k) {
		if (d->nout == sizeof(d->out))
			put_flush(d);
		k = sizeof(d->out) - d->nout < n ? sizeof(d->out) - d->nout :
		    n;
		memcpy(d->out + d->nout, p, k);
		d->nout += k;
	}
}

static void
put_flush(struct downgrade *d)
{
	if (d->nout > 0 && d->in_body)
		d->to->body(d->to->arg, d->out, d->nout);
	else if (d->nout > 0)
		d->to->header(d->to->arg, d->out, d->nout);
	d->nout = 0;
}

static void
put_str(struct downgrade *d, const char *s)
{
	put(d, s, strlen(s));
}

static void
field_write(struct downgrade *d, enum recode to)
{
	put_str(d, "Content-Transfer-Encoding: ");
	put_str(d, to == TO_QP ? "quoted-printable" :
	    to == TO_BASE64 ? "base64" : "7bit");
	put_str(d, "\r\n");
}

/* The field in the place of the first of its name, or at the end. */
static void
header_write(struct downgrade *d, const struct stretch *s)
{
	struct slice h = slice_of(d->header, d->headern), rest = h;
	struct header_field f;
	bool done = false;

	d->headern = 0;
	if (s->recode == KEEP) {
		put(d, h.p, h.n);
		return;
	}
	while (header_next(&rest, &f)) {
		if (!slice_caseis(f.name, "Content-Transfer-Encoding")) {
			put(d, f.raw.p, f.raw.n);
			continue;
		}
		if (!done)
			field_write(d, s->recode);
		done = true;
	}
	if (!done)
		field_write(d, s->recode);
	if (s->message && s->recode != TO_7BIT &&
	    header_count(h, "MIME-Version") == 0)
		put_str(d, "MIME-Version: 1.0\r\n");
	if (header_ends(h))
		put_str(d, "\r\n");
}

static void
leaf_write(struct downgrade *d, enum recode recode, const char *p, size_t n)
{
	size_t i;

	switch (recode) {
	case KEEP:
	case TO_7BIT:
		put(d, p, n);
		break;
	case MASK:
		mask(d, p, n);
		break;
	case TO_BASE64:
		base64(d, p, n);
		break;
	case TO_QP:
		for (i = 0; i < n; i++)
			qp_octet(d, (unsigned char)p[i]);
		break;
	case MEND_QP:
		for (i = 0; i < n; i++)
			qp_mend(d, (unsigned char)p[i]);
		break;
	}
}

static void
leaf_end(struct downgrade *d, enum recode recode)
{
	if (recode == TO_QP && d->blank != '\0')
		qp_escape(d, d->blank);
	if (recode == TO_QP && d->cr)
		qp_escape(d, '\r');
	if (recode == TO_BASE64 && d->nraw > 0)
		base64_line(d);
	/* In front of a boundary there is a line end already. */
	if (recode == TO_BASE64 && d->off == downgrade_size(d))
		put_str(d, "\r\n");
	d->col = d->nraw = 0;
	d->blank = '\0';
	d->cr = false;
}

static void
mask(struct downgrade *d, const char *p, size_t n)
{
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		if ((unsigned char)p[i] < 128)
			continue;
		put(d, p + from, i - from);
		put(d, "?", 1);
		from = i + 1;
	}
	put(d, p + from, n - from);
}

/* ---- quoted-printable (RFC 2045 6.7) ------------------------------------- */

/* What stays together. */
static void
qp_put(struct downgrade *d, const char *p, size_t n)
{
	if (d->col + n > QP_LINE) {
		put(d, "=\r\n", 3);
		d->col = 0;
	}
	put(d, p, n);
	d->col += n;
}

static void
qp_escape(struct downgrade *d, int c)
{
	static const char digit[] = "0123456789ABCDEF";
	char text[3] = { '=', digit[c >> 4 & 15], digit[c & 15] };

	qp_put(d, text, sizeof(text));
}

static void
qp_line(struct downgrade *d)
{
	if (d->blank != '\0')
		qp_escape(d, d->blank);
	put(d, "\r\n", 2);
	d->col = 0;
	d->blank = '\0';
	d->cr = false;
}

/* Of text that is not encoded.  A blank, a CR wait for what follows them. */
static void
qp_octet(struct downgrade *d, int c)
{
	char octet = (char)c;

	if (d->cr && c == '\n') {
		qp_line(d);
		return;
	}
	if (d->blank != '\0' && (d->cr || c != '\r')) {
		qp_put(d, &d->blank, 1);
		d->blank = '\0';
	}
	if (d->cr)
		qp_escape(d, '\r');
	d->cr = c == '\r';
	if (c == '\r')
		return;
	if (c == ' ' || c == '\t')
		d->blank = octet;
	else if (c == '=' || c < 32 || c > 126 ||
	    (c == '-' && (d->col == 0 || d->col == QP_LINE)))
		qp_escape(d, c);	/* no line is to look like a boundary */
	else
		qp_put(d, &octet, 1);
}

/* Of what is quoted-printable already: the octets that it must not have. */
static void
qp_mend(struct downgrade *d, int c)
{
	char octet = (char)c;

	if (c > 127) {
		qp_escape(d, c);
		return;
	}
	put(d, &octet, 1);
	d->col = c == '\n' ? 0 : d->col + 1;
}

/* ---- base64 (RFC 2045 6.8) ----------------------------------------------- */

/* A line when it is known that another octet follows. */
static void
base64(struct downgrade *d, const char *p, size_t n)
{
	size_t k;

	for (; n > 0; p += k, n -= k) {
		if (d->nraw == B64_RAW) {
			base64_line(d);
			put(d, "\r\n", 2);
		}
		k = B64_RAW - d->nraw < n ? B64_RAW - d->nraw : n;
		memcpy(d->raw + d->nraw, p, k);
		d->nraw += k;
	}
}

static void
base64_line(struct downgrade *d)
{
	char line[B64_LINE];
	ssize_t n = base64_encode(d->raw, d->nraw, line, sizeof(line));

	put(d, line, (size_t)n);
	d->nraw = 0;
}
