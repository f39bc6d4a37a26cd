/*
 * The larger arguments of IMAP commands: sequence sets, flag lists, FETCH
 * sections (RFC 3501 section 9, 6.4.5), and the matching of LIST patterns
 * (6.3.8).
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/imap_parse.h"

#define LIST_NAME_MAX	2048	/* octets of a mailbox name matched */

static int	 fail(struct imap_in *, size_t, const char *);
static int	 seq_number(struct imap_in *, uint32_t *);
static int	 imap_flag_bit(struct slice);
static int	 range_cmp(const void *, const void *);
static int	 section_text(struct imap_in *, struct imap_section *);
static int	 section_fields(struct imap_in *, struct imap_section *);
static int	 section_partial(struct imap_in *, struct imap_section *);
static int	 same_char(struct slice, size_t, int, char);

int
imap_id(struct imap_in *in)
{
	size_t start = in->off, depth = (size_t)in->depth;
	struct slice s;
	int i;

	if (imap_word(in, "NIL"))
		return 0;
	if (imap_open(in) == -1)
		return fail(in, start, "NIL or a list expected");
	for (i = 0; imap_peek(in) != ')'; i++)
		if (i == IMAP_ID_MAX || (i > 0 && imap_space(in) == -1) ||
		    imap_string(in, &s) == -1 || imap_space(in) == -1 ||
		    imap_nstring(in, &s) == -1) {
			in->depth = (int)depth;
			return fail(in, start, "bad list of pairs");
		}
	return imap_close(in);
}

int
imap_set(struct imap_in *in, struct imap_range *v, size_t max)
{
	size_t start = in->off, n = 0;

	for (;;) {
		if (n == max)
			return fail(in, start, "too many ranges");
		if (seq_number(in, &v[n].lo) == -1)
			return fail(in, start, "bad sequence set");
		v[n].hi = v[n].lo;
		if (imap_peek(in) == ':') {
			in->off++;
			if (seq_number(in, &v[n].hi) == -1)
				return fail(in, start, "bad sequence set");
		}
		n++;
		if (imap_peek(in) != ',')
			return (int)n;
		in->off++;
	}
}

size_t
imap_set_resolve(struct imap_range *v, size_t n, uint32_t largest)
{
	size_t i, k;
	uint32_t t;
	int sorted = 1;

	for (i = 0; i < n; i++) {
		if (v[i].lo == IMAP_SEQ_STAR)
			v[i].lo = largest;
		if (v[i].hi == IMAP_SEQ_STAR)
			v[i].hi = largest;
		if (v[i].lo > v[i].hi) {
			t = v[i].lo;
			v[i].lo = v[i].hi;
			v[i].hi = t;
		}
		sorted &= i == 0 || v[i - 1].lo <= v[i].lo;
	}
	if (!sorted)
		qsort(v, n, sizeof(*v), range_cmp);
	for (i = k = 0; i < n; i++) {
		/* "*" of an empty mailbox is still none. */
		if (v[i].hi == IMAP_SEQ_STAR)
			continue;
		if (v[i].lo == IMAP_SEQ_STAR)
			v[i].lo = 1;
		if (k > 0 && v[i].lo - 1 <= v[k - 1].hi) {
			if (v[i].hi > v[k - 1].hi)
				v[k - 1].hi = v[i].hi;
		} else
			v[k++] = v[i];
	}
	return k;
}

int
imap_set_has(const struct imap_range *v, size_t n, uint32_t x)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (x < v[mid].lo)
			hi = mid;
		else if (x > v[mid].hi)
			lo = mid + 1;
		else
			return 1;
	}
	return 0;
}

ssize_t
imap_set_print(const struct imap_range *v, size_t n, char *out, size_t size)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (size - k < 24)
			return -1;
		k += (size_t)snprintf(out + k, size - k,
		    v[i].lo == v[i].hi ? "%s%u" : "%s%u:%u",
		    i > 0 ? "," : "", v[i].lo, v[i].hi);
	}
	return (ssize_t)k;
}

int
imap_flags(struct imap_in *in, int bare, struct imap_flags *f)
{
	size_t start = in->off, depth = (size_t)in->depth;
	int bit, paren = imap_peek(in) == '(';
	struct slice s;

	f->system = 0;
	f->n = 0;
	if (paren ? imap_open(in) == -1 : !bare)
		return fail(in, start, "flag list expected");
	while (!paren || imap_peek(in) != ')') {
		size_t from = in->off;

		if (imap_peek(in) == '\\')
			in->off++;
		if (imap_atom(in, &s) == -1)
			goto bad;
		s = slice_of(in->p + from, in->off - from);
		if ((bit = imap_flag_bit(s)) == -1 || bit == IMAP_RECENT)
			goto bad;
		f->system |= bit;
		if (bit == 0) {
			if (f->n == IMAP_KEYWORDS_MAX ||
			    s.n > IMAP_KEYWORD_MAX)
				goto bad;
			f->keyword[f->n++] = s;
		}
		if (imap_peek(in) != ' ')
			break;
		in->off++;
	}
	if (paren && imap_close(in) == -1)
		goto bad;
	return 0;
bad:
	in->depth = (int)depth;
	return fail(in, start, "bad flag");
}

/* One flag word: its IMAP_ bit, 0 for a keyword, -1 for another \flag. */
static int
imap_flag_bit(struct slice s)
{
	static const struct { const char *name; int bit; } flags[] = {
		{ "\\Seen", IMAP_SEEN }, { "\\Answered", IMAP_ANSWERED },
		{ "\\Flagged", IMAP_FLAGGED }, { "\\Deleted", IMAP_DELETED },
		{ "\\Draft", IMAP_DRAFT }, { "\\Recent", IMAP_RECENT }
	};
	size_t i;

	if (s.n == 0 || s.p[0] != '\\')
		return 0;
	for (i = 0; i < NITEMS(flags); i++)
		if (slice_caseis(s, flags[i].name))
			return flags[i].bit;
	return -1;
}

int
imap_section(struct imap_in *in, struct imap_section *s)
{
	size_t start = in->off;

	*s = (struct imap_section){ 0 };
	if (imap_peek(in) != '[')
		return fail(in, start, "'[' expected");
	in->off++;
	while (imap_peek(in) >= '0' && imap_peek(in) <= '9') {
		if (s->npath == IMAP_PATH_MAX ||
		    imap_number(in, &s->path[s->npath]) == -1 ||
		    s->path[s->npath] == 0)
			return fail(in, start, "bad part number");
		s->npath++;
		if (imap_peek(in) == ']')
			break;
		if (imap_peek(in) != '.')
			return fail(in, start, "bad section");
		in->off++;
		if (imap_peek(in) == ']')
			return fail(in, start, "bad section");
	}
	if (imap_peek(in) != ']' && (section_text(in, s) == -1 ||
	    imap_peek(in) != ']'))
		return fail(in, start, "bad section");
	in->off++;
	if (imap_peek(in) == '<' && section_partial(in, s) == -1)
		return fail(in, start, "bad partial");
	return 0;
}

/*
 * One row of a table for each octet of the pattern: can[j] tells whether the
 * pattern so far matches the first j octets of the name.  The last row knows
 * about the name and about all its parents.
 */
enum imap_match
imap_list_match(struct slice pattern, struct slice name, char delim)
{
	uint8_t can[LIST_NAME_MAX + 1];
	size_t i, j;
	int c, was, next;

	if (name.n > LIST_NAME_MAX || pattern.n > LIST_NAME_MAX)
		return IMAP_NOMATCH;
	memset(can, 0, name.n + 1);
	can[0] = 1;
	for (i = 0; i < pattern.n; i++) {
		c = (unsigned char)pattern.p[i];
		if (c == '*' || c == '%') {
			for (j = 1; j <= name.n; j++)
				if (can[j - 1] && (c == '*' ||
				    name.p[j - 1] != delim))
					can[j] = 1;
			continue;
		}
		for (j = 0, was = 0; j <= name.n; j++, was = next) {
			next = can[j];
			can[j] = was && same_char(name, j - 1, c, delim);
		}
	}
	if (can[name.n])
		return IMAP_MATCH;
	for (j = 1; j < name.n; j++)
		if (can[j] && name.p[j] == delim)
			return IMAP_MATCH_PARENT;
	return IMAP_NOMATCH;
}

/* nz-number or "*". */
static int
seq_number(struct imap_in *in, uint32_t *out)
{
	if (imap_peek(in) == '*') {
		in->off++;
		*out = IMAP_SEQ_STAR;
		return 0;
	}
	return imap_number(in, out) == -1 || *out == 0 ? -1 : 0;
}

static int
range_cmp(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* section-text; MIME only behind a part number. */
static int
section_text(struct imap_in *in, struct imap_section *s)
{
	struct slice w;
	size_t n;

	w = slice_of(in->p + in->off, in->n - in->off);
	for (n = 0; n < w.n && (w.p[n] == '.' || (ascii_lower(w.p[n]) >= 'a' &&
	    ascii_lower(w.p[n]) <= 'z')); n++)
		;
	w.n = n;
	in->off += n;
	if (slice_caseis(w, "HEADER"))
		s->kind = IMAP_SECTION_HEADER;
	else if (slice_caseis(w, "TEXT"))
		s->kind = IMAP_SECTION_TEXT;
	else if (slice_caseis(w, "MIME") && s->npath > 0)
		s->kind = IMAP_SECTION_MIME;
	else if (slice_caseis(w, "HEADER.FIELDS"))
		s->kind = IMAP_SECTION_FIELDS;
	else if (slice_caseis(w, "HEADER.FIELDS.NOT"))
		s->kind = IMAP_SECTION_FIELDS_NOT;
	else
		return -1;
	return s->kind == IMAP_SECTION_FIELDS ||
	    s->kind == IMAP_SECTION_FIELDS_NOT ? section_fields(in, s) : 0;
}

/* SP "(" name *(SP name) ")" */
static int
section_fields(struct imap_in *in, struct imap_section *s)
{
	struct slice *f;

	if (imap_space(in) == -1 || imap_peek(in) != '(')
		return -1;
	do {
		in->off++;
		if (s->nfields == IMAP_FIELDS_MAX)
			return -1;
		f = &s->field[s->nfields++];
		if (imap_astring(in, f) == -1 || f->n == 0 ||
		    f->n > IMAP_FIELD_MAX)
			return -1;
	} while (imap_peek(in) == ' ');
	if (imap_peek(in) != ')')
		return -1;
	in->off++;
	return 0;
}

/* "<" number "." nz-number ">" */
static int
section_partial(struct imap_in *in, struct imap_section *s)
{
	in->off++;
	if (imap_number(in, &s->first) == -1 || imap_peek(in) != '.')
		return -1;
	in->off++;
	if (imap_number(in, &s->count) == -1 || s->count == 0 ||
	    imap_peek(in) != '>')
		return -1;
	in->off++;
	s->partial = 1;
	return 0;
}

/* INBOX has no case, at the start of a name. */
static int
same_char(struct slice name, size_t i, int c, char delim)
{
	int inbox = i < 5 && slice_casestarts(name, "INBOX") &&
	    (name.n == 5 || name.p[5] == delim);

	if (inbox)
		return ascii_lower((unsigned char)name.p[i]) == ascii_lower(c);
	return (unsigned char)name.p[i] == c;
}

static int
fail(struct imap_in *in, size_t off, const char *why)
{
	in->err = (struct parse_err){ in->off, why };
	in->off = off;
	return -1;
}
