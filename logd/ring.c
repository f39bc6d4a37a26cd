/*
 * The recent lines of all processes in memory: a ring of octets and a ring
 * of where lines begin in it, both of fixed size.  Answers "mailctl log"
 * without reading a file.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

struct ring {
	struct { uint32_t at, n; } line[RING_LINES];
	uint64_t	 first, end;	/* numbers of lines ever added */
	size_t		 head;		/* where the next octet goes */
	char		 text[RING_BYTES];
};

struct ring *
ring_new(void)
{
	return xcalloc(1, sizeof(struct ring));
}

void
ring_free(struct ring *r)
{
	free(r);
}

size_t
ring_count(const struct ring *r)
{
	return (size_t)(r->end - r->first);
}

struct slice
ring_line(const struct ring *r, size_t i)
{
	size_t k = (r->first + i) % RING_LINES;

	return slice_of(r->text + r->line[k].at, r->line[k].n);
}

/* Forget the oldest lines that stand in [at, at + n). */
static void
ring_room(struct ring *r, size_t at, size_t n)
{
	size_t k;

	while (r->first < r->end) {
		k = r->first % RING_LINES;
		if (r->end - r->first < RING_LINES &&
		    (r->line[k].at >= at + n ||
		    r->line[k].at + r->line[k].n <= at))
			return;
		r->first++;
	}
}

void
ring_add(struct ring *r, struct slice line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n == 0 || line.n > LOGD_LINE)
		return;
	if (r->head + line.n > RING_BYTES) {
		ring_room(r, r->head, RING_BYTES - r->head);
		r->head = 0;
	}
	ring_room(r, r->head, line.n);
	memcpy(r->text + r->head, line.p, line.n);
	r->line[r->end % RING_LINES].at = (uint32_t)r->head;
	r->line[r->end % RING_LINES].n = (uint32_t)line.n;
	r->end++;
	r->head += line.n;
}

/* Where needle begins in s, case of ASCII ignored; s.n if nowhere. */
static size_t
find(struct slice s, struct slice needle)
{
	int lo = ascii_lower((unsigned char)needle.p[0]);
	size_t i;

	for (i = 0; i + needle.n <= s.n; i++)
		if (ascii_lower((unsigned char)s.p[i]) == lo &&
		    slice_caseeq(slice_of(s.p + i, needle.n), needle))
			return i;
	return s.n;
}

/* Put the numbers of found lines, newest first, in order. */
static size_t
reverse(size_t *v, size_t n)
{
	size_t i, t;

	for (i = 0; i < n / 2; i++) {
		t = v[i];
		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
	return n;
}

size_t
ring_find(const struct ring *r, struct slice text, size_t *v, size_t max)
{
	size_t i, n = 0;

	for (i = ring_count(r); i-- > 0 && n < max;)
		if (text.n == 0 ||
		    find(ring_line(r, i), text) < ring_line(r, i).n)
			v[n++] = i;
	return reverse(v, n);
}

uint64_t
ring_end(const struct ring *r)
{
	return r->end;
}

uint64_t
ring_first(const struct ring *r)
{
	return r->first;
}

size_t
ring_after(const struct ring *r, struct slice text, uint64_t *from, size_t *v,
    size_t max)
{
	struct slice line;
	size_t n = 0, i;

	if (*from < r->first)
		*from = r->first;
	for (; *from < r->end && n < max; ++*from) {
		i = (size_t)(*from - r->first);
		line = ring_line(r, i);
		if (text.n == 0 || find(line, text) < line.n)
			v[n++] = i;
	}
	return n;
}
