/*
 * The line of maild.yaml that has a domain, put in and taken out: everything
 * else of the file, comments too, stays as somebody wrote it.  Pure.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "maild/domain_line.h"

/* The next line with its end, "" at the end of the text. */
static struct slice
line_at(struct slice text, size_t off)
{
	struct slice rest = slice_of(text.p + off, text.n - off);
	size_t n = slice_find(rest, '\n');

	return slice_of(rest.p, n + (n < rest.n));
}

/* Without the blanks in front, a comment, and what ends the line. */
static struct slice
content(struct slice line)
{
	size_t i;

	for (i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' ||
		    line.p[i - 1] == '\t'))
			break;
	return slice_trim(slice_of(line.p, i));
}

/* The domain of an item "- DOMAIN", in quotes or not; n 0: it is none. */
static struct slice
item_domain(struct slice c)
{
	if (c.n < 3 || c.p[0] != '-' || (c.p[1] != ' ' && c.p[1] != '\t'))
		return slice_of(NULL, 0);
	c = slice_trim(slice_of(c.p + 1, c.n - 1));
	if (c.n >= 2 && (c.p[0] == '"' || c.p[0] == '\'') &&
	    c.p[c.n - 1] == c.p[0])
		c = slice_of(c.p + 1, c.n - 2);
	return c;
}

/* Where the items of domains begin; text.n: they do not stand in lines. */
static size_t
list_begin(struct slice text)
{
	struct slice line;
	size_t off;

	for (off = 0; off < text.n; off += line.n) {
		line = line_at(text, off);
		if (slice_is(content(line), "domains:") && line.p[0] == 'd')
			return off + line.n;
	}
	return text.n;
}

/* Replace the octets [at, at + gone) by those of s. */
static char *
splice(struct slice text, size_t at, size_t gone, struct slice s, size_t *n)
{
	char *out = xcalloc(1, text.n - gone + s.n + 1);

	memcpy(out, text.p, at);
	if (s.n > 0)
		memcpy(out + at, s.p, s.n);
	memcpy(out + at + s.n, text.p + at + gone, text.n - at - gone);
	*n = text.n - gone + s.n;
	return out;
}

/* A line for domain that looks as item does, and behind it. */
static char *
line_add(struct slice text, struct slice item, const char *domain, size_t *n)
{
	size_t at = (size_t)(item.p - text.p) + item.n;
	size_t dash = slice_find(item, '-'), size;
	bool open = item.p[item.n - 1] != '\n';	/* the last one of the file */
	bool cr = item.n > 1 && item.p[item.n - 2] == '\r';
	char *line, *out;

	size = dash + strlen(domain) + 6;
	line = xcalloc(1, size);
	strlcpy(line, open ? "\n" : "", size);
	memcpy(line + open, item.p, dash);
	strlcat(line, "- ", size);
	strlcat(line, domain, size);
	strlcat(line, open ? "" : cr ? "\r\n" : "\n", size);
	out = splice(text, at, 0, slice_str(line), n);
	free(line);
	return out;
}

char *
domain_line(struct slice text, const char *domain, bool add, size_t *n)
{
	struct slice line, c, last = { NULL, 0 };
	size_t off;

	for (off = list_begin(text); off < text.n; off += line.n) {
		line = line_at(text, off);
		c = content(line);
		if (c.n == 0)
			continue;
		if (item_domain(c).n == 0)
			break;
		if (!add && slice_caseis(item_domain(c), domain))
			return splice(text, off, line.n, slice_of(NULL, 0), n);
		last = line;
	}
	return add && last.n > 0 ? line_add(text, last, domain, n) : NULL;
}
