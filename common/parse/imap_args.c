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

#define LIST_NAME_MAX	4096	/* octets of a mailbox name matched: of 1,000
				   in UTF-8, in modified UTF-7 */

static int	 back(struct imap_in *, size_t);
static int	 seq_number(struct imap_in *, uint32_t *);
static int	 flag_take(struct imap_in *, struct imap_flags *);
static int	 imap_flag_bit(struct slice);
static int	 range_cmp(const void *, const void *);
static int	 section_path(struct imap_in *, struct imap_section *);
static int	 section_text(struct imap_in *, struct imap_section *);
static int	 section_fields(struct imap_in *, struct imap_section *);
static int	 section_partial(struct imap_in *, struct imap_section *);
static int	 same_char(struct slice, size_t, int, char);

int
imap_id(struct imap_in *in, struct slice *name)
{
	size_t start = in->off, depth = (size_t)in->depth;
	struct slice s, v;
	int i;

	*name = slice_of("", 0);
	if (imap_word(in, "NIL"))
		return 0;
	if (imap_open(in) == -1)
		return imap_fail(in, "NIL or a list in parentheses");
	for (i = 0; imap_peek(in) != ')'; i++) {
		if ((i == IMAP_ID_MAX && imap_fail(in, "at most "
		    IMAP_NUMBER(IMAP_ID_MAX) " pairs") == -1) ||
		    (i > 0 && imap_space(in) == -1) ||
		    imap_string(in, &s) == -1 || imap_space(in) == -1 ||
		    imap_nstring(in, &v) == -1) {
			in->depth = (int)depth;
			return back(in, start);
		}
		if (slice_caseis(s, "name") && v.n > 0)
			*name = v;
	}
	return imap_close(in);
}

int
imap_set(struct imap_in *in, struct imap_range *v, size_t max)
{
	size_t start = in->off, n = 0;

	for (;;) {
		if (n == max) {
			imap_fail(in, "fewer ranges");
			return back(in, start);
		}
		if (seq_number(in, &v[n].lo) == -1)
			return back(in, start);
		v[n].hi = v[n].lo;
		if (imap_peek(in) == ':') {
			in->off++;
			if (seq_number(in, &v[n].hi) == -1)
				return back(in, start);
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

int64_t
imap_set_count(const struct imap_range *v, size_t n)
{
	int64_t count = 0;
	uint32_t before = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (v[i].lo <= before || v[i].hi < v[i].lo)
			return -1;
		before = v[i].hi;
		count += (int64_t)(v[i].hi - v[i].lo) + 1;
	}
	return count;
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
	size_t start = in->off;
	int depth = in->depth, paren = imap_peek(in) == '(';

	f->system = 0;
	f->n = 0;
	if (paren ? imap_open(in) == -1 : !bare)
		return imap_fail(in, "a list of flags in parentheses");
	while (!paren || imap_peek(in) != ')') {
		if (flag_take(in, f) == -1)
			goto bad;
		if (imap_peek(in) != ' ')
			break;
		in->off++;
	}
	if (paren && imap_close(in) == -1) {
		imap_fail(in, "a blank and a flag, or ')'");
		goto bad;
	}
	return 0;
bad:
	in->depth = depth;
	return back(in, start);
}

/* One flag, kept.  \Recent is no client's to give. */
static int
flag_take(struct imap_in *in, struct imap_flags *f)
{
	size_t from = in->off;
	struct slice s;
	int bit;

	if (imap_peek(in) == '\\')
		in->off++;
	if (imap_atom(in, &s) == -1)
		return imap_fail(in, "a flag or a keyword");
	s = slice_of(in->p + from, in->off - from);
	bit = imap_flag_bit(s);
	in->off = from;
	if (bit == -1 || bit == IMAP_RECENT)
		return imap_fail(in, "\\Answered, \\Flagged, \\Deleted, \\Seen, "
		    "\\Draft or a keyword");
	if (bit == 0 && s.n > IMAP_KEYWORD_MAX)
		return imap_fail(in, "a keyword of at most "
		    IMAP_NUMBER(IMAP_KEYWORD_MAX) " octets");
	if (bit == 0 && f->n == IMAP_KEYWORDS_MAX)
		return imap_fail(in, "at most "
		    IMAP_NUMBER(IMAP_KEYWORDS_MAX) " keywords");
	f->system |= bit;
	if (bit == 0)
		f->keyword[f->n++] = s;
	in->off = from + s.n;
	return 0;
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
		return imap_fail(in, "'['");
	in->off++;
	if (section_path(in, s) == -1 || (imap_peek(in) != ']' &&
	    section_text(in, s) == -1))
		return back(in, start);
	if (imap_peek(in) != ']') {
		imap_fail(in, "']'");
		return back(in, start);
	}
	in->off++;
	if (imap_peek(in) == '<' && section_partial(in, s) == -1)
		return back(in, start);
	return 0;
}

/* "1.2", with a dot when something follows. */
static int
section_path(struct imap_in *in, struct imap_section *s)
{
	size_t start;
	int dot = 1;

	while (dot && imap_peek(in) >= '0' && imap_peek(in) <= '9') {
		start = in->off;
		if (s->npath == IMAP_PATH_MAX)
			return imap_fail(in, "fewer part numbers");
		if (imap_number(in, &s->path[s->npath]) == -1)
			return -1;
		if (s->path[s->npath++] == 0) {
			in->off = start;
			return imap_fail(in, "a part number from 1");
		}
		if ((dot = imap_peek(in) == '.'))
			in->off++;
	}
	if (!dot && imap_peek(in) != ']')
		return imap_fail(in, "'.' or ']'");
	if (dot && s->npath > 0 && imap_peek(in) == ']')
		return imap_fail(in, "a part number, HEADER, TEXT or MIME");
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
	int c, was, next, some;

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
		for (j = 0, was = some = 0; j <= name.n; j++, was = next) {
			next = can[j];
			can[j] = was && same_char(name, j - 1, c, delim);
			some |= can[j];
		}
		if (!some)
			return IMAP_NOMATCH;
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
	size_t start = in->off;

	if (imap_peek(in) == '*') {
		in->off++;
		*out = IMAP_SEQ_STAR;
		return 0;
	}
	if (imap_number(in, out) == 0 && *out != 0)
		return 0;
	in->off = start;
	return imap_fail(in, "a message number or *");
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
		return imap_fail(in, s->npath > 0 ? "HEADER, HEADER.FIELDS, "
		    "HEADER.FIELDS.NOT, TEXT or MIME" : "a part number, "
		    "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT or TEXT");
	in->off += n;
	return s->kind == IMAP_SECTION_FIELDS ||
	    s->kind == IMAP_SECTION_FIELDS_NOT ? section_fields(in, s) : 0;
}

/* SP "(" name *(SP name) ")" */
static int
section_fields(struct imap_in *in, struct imap_section *s)
{
	struct slice *f;
	size_t start;

	if (imap_space(in) == -1)
		return -1;
	if (imap_peek(in) != '(')
		return imap_fail(in, "names of header fields in parentheses");
	do {
		in->off++;
		start = in->off;
		if (s->nfields == IMAP_FIELDS_MAX)
			return imap_fail(in, "at most "
			    IMAP_NUMBER(IMAP_FIELDS_MAX) " header fields");
		f = &s->field[s->nfields++];
		if (imap_astring(in, f) == -1)
			return -1;
		if (f->n == 0 || f->n > IMAP_FIELD_MAX) {
			in->off = start;
			return imap_fail(in, "a header field's name of 1 to "
			    IMAP_NUMBER(IMAP_FIELD_MAX) " octets");
		}
	} while (imap_peek(in) == ' ');
	if (imap_peek(in) != ')')
		return imap_fail(in, "a blank and a header field, or ')'");
	in->off++;
	return 0;
}

/* "<" number "." nz-number ">" */
static int
section_partial(struct imap_in *in, struct imap_section *s)
{
	in->off++;
	if (imap_number(in, &s->first) == -1)
		return -1;
	if (imap_peek(in) != '.')
		return imap_fail(in, "'.' and a number of octets");
	in->off++;
	if (imap_number(in, &s->count) == -1)
		return -1;
	if (s->count == 0 || imap_peek(in) != '>')
		return imap_fail(in, s->count == 0 ? "more than 0 octets" :
		    "'>'");
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

/* The cursor to where it was; err stays. */
static int
back(struct imap_in *in, size_t off)
{
	in->off = off;
	return -1;
}
