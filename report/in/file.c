/*
 * A report as a file: a line for what it is, lines "name value", one for
 * each row, and a last line with a checksum.  Words are percent-encoded, so
 * it can be read with grep and awk.
 *
 *	maild-report 1 dmarc
 *	org example.net
 *	...
 *	rows 2
 *	17 192.0.2.1 none pass fail - example.org ...
 *	4 2001:db8::1 none fail fail - example.org ...
 *	end 1a2b3c4d
 *
 * Of a message that nobody could read (raw) there are no rows; its octets
 * follow the last line.  report-in.  Pure but for memory.
 */
#include "base/compat.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define END_LEN		13	/* "end 1a2b3c4d\n" */

static const char *const kinds[IN_KINDS] = {
	[IN_DMARC] = "dmarc", [IN_TLS] = "tls", [IN_ARF] = "arf",
	[IN_RAW] = "raw"
};

#define TEXT(name, field)						\
	{ name, offsetof(struct in_head, field),			\
	    sizeof(((struct in_head *)0)->field) }
#define NUMBER(name, field) { name, offsetof(struct in_head, field), 0 }

static const struct {
	const char	*name;
	size_t		 off, size;	/* size 0: uint64_t */
} fields[] = {
	TEXT("sender", sender), TEXT("org", org), TEXT("contact", contact),
	TEXT("id", id), TEXT("domain", domain), TEXT("policy", policy),
	TEXT("form", form), TEXT("reason", reason), TEXT("subject", subject),
	TEXT("mended", mended),
	NUMBER("begin", begin), NUMBER("end", end),
	NUMBER("received", received), NUMBER("messages", messages),
	NUMBER("pass", pass), NUMBER("quarantined", quarantined),
	NUMBER("rejected", rejected), NUMBER("skipped", skipped),
	NUMBER("size", size), NUMBER("kept", kept)
};

struct text {
	char	*p;
	size_t	 n, cap;
};

static void
put(struct text *t, const char *p, size_t n)
{
	if (t->cap - t->n < n) {
		t->cap = t->cap * 2 > t->n + n ? t->cap * 2 : t->n + n;
		t->p = xreallocarray(t->p, t->cap, 1);
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void
putf(struct text *t, const char *fmt, ...)
{
	char buf[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	put(t, buf, (size_t)n);
}

static void
put_head(struct text *t, const struct in_head *h, size_t rows, uint32_t rawcrc)
{
	struct line l;
	uint64_t v;
	size_t i;

	putf(t, "maild-report 1 %s\ntrust %d\n", kinds[h->kind], h->trust);
	for (i = 0; i < NITEMS(fields); i++) {
		const char *p = (const char *)h + fields[i].off;

		l.n = 0;
		if (fields[i].size == 0) {
			memcpy(&v, p, sizeof(v));
			if (v > 0)
				putf(t, "%s %" PRIu64 "\n", fields[i].name, v);
			continue;
		}
		if (*p == '\0')
			continue;
		line_word(&l, p);
		putf(t, "%s ", fields[i].name);
		put(t, l.p, l.n);
		put(t, "\n", 1);
	}
	if (h->kind == IN_RAW)
		putf(t, "rawcrc %" PRIu32 "\n", rawcrc);
	putf(t, "rows %zu\n", rows);
}

char *
file_print(const struct in_report *r, uint32_t rawcrc, size_t *n)
{
	size_t rows = r->rows == NULL || r->head.kind == IN_RAW ? 0 :
	    rows_count(r->rows), i;
	const struct row_sum *v;
	struct text t = { NULL, 0, 0 };

	put_head(&t, &r->head, rows, rawcrc);
	for (i = 0; i < rows; i++) {
		v = rows_get(r->rows, i);
		putf(&t, "%" PRIu64 " ", v->count);
		put(&t, v->line.p, v->line.n);
		put(&t, "\n", 1);
	}
	putf(&t, "end %08" PRIx32 "\n", crc32c(0, t.p, t.n));
	*n = t.n;
	return t.p;
}

/* A line without its end: 1, 0 there is no whole one. */
static int
next_line(struct slice *rest, struct slice *line)
{
	size_t n = slice_find(*rest, '\n');

	if (n == rest->n)
		return 0;
	*line = slice_of(rest->p, n);
	*rest = slice_of(rest->p + n + 1, rest->n - n - 1);
	return 1;
}

/* "name value": the value of a field of the head, 0, -1. */
static int
field(struct slice line, struct in_head *h, uint32_t *nrows, uint32_t *crc)
{
	size_t n = slice_find(line, ' '), i;
	struct slice name = slice_of(line.p, n), value;
	uint64_t v = 0;
	bool number;

	if (n == line.n)
		return -1;
	value = slice_of(line.p + n + 1, line.n - n - 1);
	number = slice_number(value, INT64_MAX, &v) == 0;
	if (slice_is(name, "trust") && number && v <= IN_FAIL) {
		h->trust = (enum in_trust)v;
		return 0;
	}
	if ((slice_is(name, "rows") || slice_is(name, "rawcrc")) && number &&
	    v <= UINT32_MAX) {
		*(slice_is(name, "rows") ? nrows : crc) = (uint32_t)v;
		return 0;
	}
	if (slice_is(name, "trust") || slice_is(name, "rows") ||
	    slice_is(name, "rawcrc"))
		return -1;
	for (i = 0; i < NITEMS(fields); i++) {
		char *to = (char *)h + fields[i].off;

		if (!slice_is(name, fields[i].name))
			continue;
		if (fields[i].size > 0)
			return line_next(&value, to, fields[i].size) == 1 ?
			    0 : -1;
		memcpy(to, &v, sizeof(v));
		return number ? 0 : -1;
	}
	return 0;		/* of a newer release, and not needed */
}

bool
file_newer(const char *p, size_t n)
{
	struct slice rest = { p, n < FILE_HEAD_MAX ? n : FILE_HEAD_MAX }, line,
	    word;
	uint64_t version;
	size_t i;

	if (next_line(&rest, &line) == 0 ||
	    !slice_casestarts(line, "maild-report "))
		return false;
	word = slice_of(line.p + 13, line.n - 13);
	i = slice_find(word, ' ');
	if (slice_number(slice_of(word.p, i), UINT32_MAX, &version) == -1 ||
	    i == word.n)
		return false;
	word = slice_of(word.p + i + 1, word.n - i - 1);
	for (i = 0; i < IN_KINDS && !slice_is(word, kinds[i]); i++)
		;
	return version > 1 || (version == 1 && i == IN_KINDS);
}

ssize_t
file_head(const char *p, size_t n, struct in_head *h, uint32_t *nrows,
    uint32_t *rawcrc)
{
	struct slice rest = { p, n < FILE_HEAD_MAX ? n : FILE_HEAD_MAX }, line;
	size_t i;

	memset(h, 0, sizeof(*h));
	*nrows = *rawcrc = 0;
	if (next_line(&rest, &line) == 0 || line.n < 15 ||
	    memcmp(line.p, "maild-report 1 ", 15) != 0)
		return -1;
	for (i = 0; i < IN_KINDS; i++)
		if (slice_is(slice_of(line.p + 15, line.n - 15), kinds[i]))
			break;
	if (i == IN_KINDS)
		return -1;
	h->kind = (enum in_kind)i;
	while (next_line(&rest, &line) == 1) {
		if (field(line, h, nrows, rawcrc) == -1)
			return -1;
		if (slice_casestarts(line, "rows "))
			return rest.p - p;
	}
	return -1;
}

int
file_row(struct slice *rest, uint64_t *count, struct slice *line)
{
	size_t n;

	if (rest->n == 0)
		return 0;
	if (next_line(rest, line) == 0)
		return -1;
	n = slice_find(*line, ' ');
	if (n == line->n || slice_number(slice_of(line->p, n), INT64_MAX,
	    count) == -1)
		return -1;
	*line = slice_of(line->p + n + 1, line->n - n - 1);
	return 1;
}

int
file_check(const char *p, size_t n, struct in_head *h, struct slice *rest)
{
	struct slice all, line;
	uint32_t nrows, rawcrc, i;
	char end[END_LEN + 1];
	uint64_t count;
	ssize_t k;

	if ((k = file_head(p, n, h, &nrows, &rawcrc)) == -1 ||
	    n - (size_t)k < END_LEN)
		return -1;
	snprintf(end, sizeof(end), "end %08" PRIx32 "\n",
	    crc32c(0, p, n - END_LEN));
	if (memcmp(p + n - END_LEN, end, END_LEN) != 0)
		return -1;
	*rest = all = slice_of(p + k, n - (size_t)k - END_LEN);
	for (i = 0; i < nrows; i++)
		if (file_row(&all, &count, &line) != 1)
			return -1;
	return all.n == 0 ? 0 : -1;
}
