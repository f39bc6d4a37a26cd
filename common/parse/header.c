/*
 * Header fields of a message in memory (RFC 5322 2.2, 3.6.8, 4.5.3): walking
 * them, finding one, unfolding.  For whole headers; mime.c collects them from
 * the stream.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/header.h"

#define FIRST_MAX	256	/* octets of the first line that must tell */

static size_t	 field_len(const char *, size_t);
static size_t	 name_len(const char *, size_t);

int
header_next(struct slice *rest, struct header_field *f)
{
	struct slice line = *rest;
	size_t n;

	if (line.n == 0)
		return 0;
	if (line.p[0] == '\n')
		n = 1;
	else if (line.n > 1 && line.p[0] == '\r' && line.p[1] == '\n')
		n = 2;
	else
		n = 0;
	if (n > 0) {
		*rest = slice_of(line.p + n, line.n - n);
		return 0;
	}
	line.n = field_len(line.p, line.n);
	*rest = slice_of(line.p + line.n, rest->n - line.n);
	f->raw = line;
	f->name = slice_of(line.p, name_len(line.p, line.n));
	n = slice_find(line, ':');
	f->value = f->name.n == 0 ? slice_trim(line) :
	    slice_trim(slice_of(line.p + n + 1, line.n - n - 1));
	return 1;
}

size_t
header_len(const char *p, size_t n)
{
	const char *q = p, *end = p + n;

	while (q < end) {
		if (*q == '\n')
			return (size_t)(q + 1 - p);
		if (end - q > 1 && q[0] == '\r' && q[1] == '\n')
			return (size_t)(q + 2 - p);
		if ((q = memchr(q, '\n', (size_t)(end - q))) == NULL)
			break;
		q++;
	}
	return n;
}

ssize_t
header_end(const char *p, size_t n, size_t *seen)
{
	const char *line = p + *seen, *end = p + n, *q;

	if (*seen == 0 && (n >= FIRST_MAX || memchr(p, '\n', n) != NULL) &&
	    !header_first(p, n < FIRST_MAX ? n : FIRST_MAX))
		return 0;
	while (line < end &&
	    (q = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		if (q == line || (q == line + 1 && *line == '\r'))
			return q + 1 - p;
		line = q + 1;
	}
	*seen = (size_t)(line - p);	/* this one is not complete */
	return -1;
}

int
header_find(struct slice header, const char *name, int idx,
    struct header_field *f)
{
	struct slice want = slice_str(name);
	int n;

	for (n = 0; n < HEADER_FIELDS_MAX && header_next(&header, f); n++)
		if (slice_caseeq(f->name, want) && idx-- == 0)
			return 1;
	return 0;
}

int
header_count(struct slice header, const char *name)
{
	struct slice want = slice_str(name);
	struct header_field f;
	int n, found = 0;

	for (n = 0; n < HEADER_FIELDS_MAX && header_next(&header, &f); n++)
		found += slice_caseeq(f.name, want);
	return found;
}

int
header_first(const char *p, size_t n)
{
	struct slice s = slice_of(p, n);

	return name_len(p, n) > 0 || slice_casestarts(s, "From ") ||
	    slice_casestarts(s, ">From ") || n == 0 || p[0] == '\n' ||
	    slice_casestarts(s, "\r\n");
}

size_t
header_unfold(struct slice v, char *out, size_t size)
{
	size_t i, n = 0;
	int c;

	for (i = 0; i < v.n && n < size; i++) {
		c = (unsigned char)v.p[i];
		if (c == '\n' || (c == '\r' && i + 1 < v.n &&
		    v.p[i + 1] == '\n'))
			continue;
		out[n++] = c < 32 || c == 127 ? ' ' : (char)c;
	}
	return n;
}

int
header_msgid(struct slice *rest, struct slice *id)
{
	size_t i = 0, start, depth = 0;

	for (; i < rest->n; i++) {
		if (rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '(')
			depth++;
		else if (rest->p[i] == ')' && depth > 0)
			depth--;
		else if (rest->p[i] == '<' && depth == 0)
			break;
	}
	for (start = i; i < rest->n; i++) {
		if (rest->p[i] != '>')
			continue;
		*id = slice_of(rest->p + start, i + 1 - start);
		*rest = slice_of(rest->p + i + 1, rest->n - i - 1);
		return 1;
	}
	if (rest->n > 0)
		*rest = slice_of(rest->p + rest->n, 0);
	return 0;
}

/* A line and those after it that start with a blank. */
static size_t
field_len(const char *p, size_t n)
{
	const char *q = p, *end = p + n;

	do {
		q = memchr(q, '\n', (size_t)(end - q));
		if (q == NULL)
			return n;
		q++;
	} while (q < end && (*q == ' ' || *q == '\t'));
	return (size_t)(q - p);
}

/* ftext before the colon; blanks there are let pass (RFC 5322 4.5). */
static size_t
name_len(const char *p, size_t n)
{
	size_t i, len;

	for (i = 0; i < n && p[i] > 32 && p[i] < 127 && p[i] != ':'; i++)
		;
	len = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i < n && p[i] == ':' ? len : 0;
}
