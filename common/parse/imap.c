/*
 * IMAP command syntax (RFC 3501 section 9): a cursor over one complete
 * command, and what it takes of it: atoms, strings, numbers, dates.
 * imap_args.c has the larger things.  Used by imapd and its sessions; which
 * command wants what, they know.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/dates.h"
#include "parse/err.h"
#include "parse/imap_parse.h"

/* What an octet may be part of. */
#define C_ATOM		0x01
#define C_ASTRING	0x02
#define C_LIST		0x04
#define C_TAG		0x08

static int	 char_class(int);
static int	 span_take(struct imap_in *, int, const char *,
		    struct slice *);
static int	 quoted_take(struct imap_in *, struct slice *);
static int	 literal_take(struct imap_in *, struct slice *);
static ssize_t	 string_put(struct slice, int, char *, size_t);
static ssize_t	 astring_put(struct slice, int, char *, size_t);

void
imap_start(struct imap_in *in, char *p, size_t n)
{
	*in = (struct imap_in){ .p = p, .n = n, .first = 1 };
}

void
imap_count(struct imap_in *in)
{
	in->first = 1 - (int64_t)in->off;
}

int
imap_fail(struct imap_in *in, const char *expected)
{
	in->err = (struct parse_err){ in->off, expected };
	return -1;
}

const char *
imap_expected(const struct imap_in *in, const char *verb, char *text)
{
	const struct parse_err *e = &in->err;
	bool end = e->off >= in->n || in->p[e->off] == '\r';

	snprintf(text, IMAP_EXPECTED_MAX, "%s%sexpected %s at octet %lld%s",
	    verb, verb[0] != '\0' ? ": " : "",
	    e->why != NULL ? e->why : "another command",
	    (long long)(in->first + (int64_t)e->off),
	    end ? ", the end of the line" : "");
	return text;
}

size_t
imap_trim(char *p, size_t from, size_t n)
{
	size_t end = n - 2;

	while (end > from && p[end - 1] == ' ')
		end--;
	p[end] = '\r';
	p[end + 1] = '\n';
	return end + 2;
}

int
imap_end(struct imap_in *in)
{
	size_t left = in->n - in->off;

	if (left == 0 || (left == 2 && in->p[in->off] == '\r' &&
	    in->p[in->off + 1] == '\n'))
		return in->depth == 0 ? 0 : imap_fail(in, "')'");
	return imap_fail(in, "the end of the line");
}

int
imap_space(struct imap_in *in)
{
	if (imap_peek(in) != ' ')
		return imap_fail(in, "a blank");
	in->off++;
	return 0;
}

int
imap_peek(const struct imap_in *in)
{
	return in->off < in->n ? (unsigned char)in->p[in->off] : -1;
}

int
imap_open(struct imap_in *in)
{
	if (imap_peek(in) != '(')
		return imap_fail(in, "'('");
	if (in->depth == IMAP_DEPTH_MAX)
		return imap_fail(in, "at most " IMAP_NUMBER(IMAP_DEPTH_MAX) " open parentheses");
	in->depth++;
	in->off++;
	return 0;
}

int
imap_close(struct imap_in *in)
{
	if (imap_peek(in) != ')' || in->depth == 0)
		return imap_fail(in, "')'");
	in->depth--;
	in->off++;
	return 0;
}

int
imap_tag(struct imap_in *in, struct slice *out)
{
	size_t start = in->off;

	if (span_take(in, C_TAG, "a tag", out) == -1)
		return -1;
	if (out->n > IMAP_TAG_MAX) {
		in->off = start;
		return imap_fail(in, "a tag of at most " IMAP_NUMBER(IMAP_TAG_MAX) " octets");
	}
	return 0;
}

int
imap_atom(struct imap_in *in, struct slice *out)
{
	return span_take(in, C_ATOM, "an atom", out);
}

int
imap_word(struct imap_in *in, const char *word)
{
	size_t start = in->off;
	struct slice s;

	if (span_take(in, C_ATOM, "an atom", &s) == 0 &&
	    slice_caseis(s, word))
		return 1;
	in->off = start;
	return 0;
}

int
imap_string(struct imap_in *in, struct slice *out)
{
	switch (imap_peek(in)) {
	case '"':
		return quoted_take(in, out);
	case '{':
		return literal_take(in, out);
	}
	return imap_fail(in, "a string");
}

int
imap_astring(struct imap_in *in, struct slice *out)
{
	int c = imap_peek(in);

	if (c == '"' || c == '{')
		return imap_string(in, out);
	return span_take(in, C_ASTRING, "an atom or a string", out);
}

int
imap_nstring(struct imap_in *in, struct slice *out)
{
	int c = imap_peek(in);

	*out = slice_of(NULL, 0);
	if (c == '"' || c == '{')
		return imap_string(in, out);
	return imap_word(in, "NIL") ? 0 : imap_fail(in, "a string or NIL");
}

int
imap_mailbox(struct imap_in *in, struct slice *out)
{
	int c = imap_peek(in);

	if (c == '"' || c == '{') {
		if (imap_string(in, out) == -1)
			return -1;
	} else if (span_take(in, C_ASTRING, "a mailbox name", out) == -1)
		return -1;
	if (slice_caseis(*out, "INBOX"))
		*out = SLICE_LIT("INBOX");
	return 0;
}

int
imap_list_mailbox(struct imap_in *in, struct slice *out)
{
	int c = imap_peek(in);

	if (c == '"' || c == '{')
		return imap_string(in, out);
	return span_take(in, C_LIST, "a mailbox name or a pattern", out);
}

int
imap_number(struct imap_in *in, uint32_t *out)
{
	size_t start = in->off;
	uint64_t v;

	if (imap_number64(in, &v) == -1)
		return -1;
	if (v > UINT32_MAX) {
		in->off = start;
		return imap_fail(in, "a number up to 4294967295");
	}
	*out = (uint32_t)v;
	return 0;
}

int
imap_number64(struct imap_in *in, uint64_t *out)
{
	size_t i;

	for (i = in->off; i < in->n && in->p[i] >= '0' && in->p[i] <= '9'; i++)
		;
	if (i == in->off)
		return imap_fail(in, "a number");
	if (slice_number(slice_of(in->p + in->off, i - in->off), INT64_MAX,
	    out) == -1)
		return imap_fail(in, "a number up to 9223372036854775807");
	in->off = i;
	return 0;
}

int
imap_modseq(struct imap_in *in, int zero, uint64_t *out)
{
	size_t start = in->off;

	if (imap_number64(in, out) == -1)
		return -1;
	if (*out > 0 || zero)
		return 0;
	in->off = start;
	return imap_fail(in, "a mod-sequence of 1 or more");
}

int
imap_date_time(struct imap_in *in, int64_t *t, int *zone)
{
	size_t start = in->off;
	struct slice s;

	if (imap_peek(in) == '"' && quoted_take(in, &s) == 0 &&
	    imapdate_parse(s, t, zone) == 0)
		return 0;
	in->off = start;
	return imap_fail(in, "a date and time of the calendar, "
	    "as \"28-Feb-2026 12:00:00 +0000\"");
}

int
imap_date(struct imap_in *in, int64_t *day)
{
	size_t start = in->off;
	struct slice s;

	if (imap_astring(in, &s) == 0 && imapday_parse(s, day) == 0)
		return 0;
	in->off = start;
	return imap_fail(in, "a date of the calendar, as 28-Feb-2026");
}

int
imap_literal(struct slice line, uint64_t *size, int *flags)
{
	size_t end, i;

	*flags = 0;
	if (line.n < 3 || line.p[line.n - 1] != '}')
		return 0;
	end = line.n - 1;
	if (line.p[end - 1] == '+') {
		*flags |= IMAP_LITERAL_PLUS;
		end--;
	}
	for (i = end; i > 0 && line.p[i - 1] >= '0' && line.p[i - 1] <= '9';
	    i--)
		;
	if (i == end || i == 0 || line.p[i - 1] != '{')
		return 0;
	if (i > 1 && line.p[i - 2] == '~')
		*flags |= IMAP_LITERAL_8;
	return slice_number(slice_of(line.p + i, end - i), INT64_MAX, size) ==
	    -1 ? -1 : 1;
}

ssize_t
imap_put_string(struct slice s, char *out, size_t size)
{
	return string_put(s, 127, out, size);
}

/* Octets up to `most' may stand in quotes. */
static ssize_t
string_put(struct slice s, int most, char *out, size_t size)
{
	size_t i, k = 0;
	int c, n;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == 0 || c == '\r' || c == '\n' || c > most)
			break;
	}
	if (size < 2 * s.n + 32)
		return -1;
	if (i < s.n) {
		n = snprintf(out, size, "{%zu}\r\n", s.n);
		for (i = 0, k = (size_t)n; i < s.n; i++)
			out[k++] = s.p[i] == '\0' ? '?' : s.p[i];
		return (ssize_t)k;
	}
	out[k++] = '"';
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			out[k++] = '\\';
		out[k++] = s.p[i];
	}
	out[k++] = '"';
	return (ssize_t)k;
}

ssize_t
imap_put_astring(struct slice s, char *out, size_t size)
{
	return astring_put(s, 127, out, size);
}

ssize_t
imap_put_utf8(struct slice s, char *out, size_t size)
{
	return astring_put(s, utf8_valid(s.p, s.n) ? 255 : 127, out, size);
}

static ssize_t
astring_put(struct slice s, int most, char *out, size_t size)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(char_class((unsigned char)s.p[i]) & C_ASTRING))
			break;
	if (i < s.n || s.n == 0 || slice_caseis(s, "NIL"))
		return string_put(s, most, out, size);
	if (size < s.n)
		return -1;
	memcpy(out, s.p, s.n);
	return (ssize_t)s.n;
}

/* 1*char of a class. */
static int
span_take(struct imap_in *in, int class, const char *why, struct slice *out)
{
	size_t i;

	for (i = in->off; i < in->n; i++)
		if (!(char_class((unsigned char)in->p[i]) & class))
			break;
	if (i == in->off)
		return imap_fail(in, why);
	*out = slice_of(in->p + in->off, i - in->off);
	in->off = i;
	return 0;
}

/* Found whole first, then unescaped in place. */
static int
quoted_take(struct imap_in *in, struct slice *out)
{
	char *p = in->p + in->off + 1;
	size_t i, k, left = in->n - in->off - 1;
	int escapes = 0;

	for (i = 0; i < left && p[i] != '"'; i++) {
		if (p[i] == '\\') {
			escapes = 1;
			if (++i == left)
				break;
		}
		if (p[i] == '\0' || p[i] == '\r' || p[i] == '\n')
			break;
	}
	if (i >= left || p[i] != '"') {
		imap_fail(in, "'\"' at the end of the string");
		in->err.off += i + 1;
		return -1;
	}
	in->off += i + 2;
	*out = slice_of(p, i);
	if (!escapes)
		return 0;
	for (left = i, i = k = 0; i < left; i++) {
		if (p[i] == '\\')
			i++;
		p[k++] = p[i];
	}
	out->n = k;
	return 0;
}

/* "{n}" or "{n+}", CR LF, n octets without NUL. */
static int
literal_take(struct imap_in *in, struct slice *out)
{
	struct slice rest = slice_of(in->p + in->off, in->n - in->off);
	uint64_t size;
	int flags;
	size_t n;

	n = slice_find(rest, '\n');
	if (n < 4 || n == rest.n || rest.p[n - 1] != '\r' ||
	    imap_literal(slice_of(rest.p, n - 1), &size, &flags) != 1 ||
	    slice_find(rest, '}') != n - 2)
		return imap_fail(in, "a literal, as {310}");
	n++;
	if (size > rest.n - n)
		return imap_fail(in, "a literal with all its octets");
	*out = slice_of(rest.p + n, (size_t)size);
	if (slice_find(*out, '\0') < out->n)
		return imap_fail(in, "a literal without NUL");
	in->off += n + out->n;
	return 0;
}

static int
char_class(int c)
{
	if (c <= 32 || c >= 127 || strchr("(){\"\\", c) != NULL)
		return 0;
	switch (c) {
	case '%':
	case '*':
		return C_LIST;
	case ']':
		return C_ASTRING | C_LIST | C_TAG;
	case '+':
		return C_ATOM | C_ASTRING | C_LIST;
	}
	return C_ATOM | C_ASTRING | C_LIST | C_TAG;
}
