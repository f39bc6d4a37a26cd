/*
 * The recent lines of all processes in memory: a ring of octets and a ring
 * of where lines begin in it, both of fixed size.  Answers "mailctl log"
 * and "mailctl why" without reading a file.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

#define WHY_SESSIONS	32	/* sessions followed for one id */

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

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/* Does s contain word, not as a part of a longer one? */
static bool
has_word(struct slice s, struct slice word)
{
	size_t i;

	while ((i = find(s, word)) < s.n) {
		if ((i == 0 || !is_word(s.p[i - 1])) &&
		    (i + word.n == s.n || !is_word(s.p[i + word.n])))
			return true;
		s = slice_of(s.p + i + 1, s.n - i - 1);
	}
	return false;
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

/* The session id in front of a line's text; n 0 if there is none. */
static struct slice
session_of(struct slice line)
{
	struct logd_parts o;
	struct slice s = { NULL, 0 };
	size_t i;

	if (logd_parse(line, &o) == -1)
		return s;
	s = slice_of(o.text.p, slice_find(o.text, ' '));
	for (i = 0; i < s.n; i++)
		if (s.p[i] >= '0' && s.p[i] <= '9')
			break;
	if (i == s.n || s.n < 6)
		s.n = 0;	/* a plain word */
	return s;
}

static size_t
why_sessions(const struct ring *r, struct slice id, struct slice *v)
{
	struct slice s;
	size_t i, j, n = 0;

	for (i = ring_count(r); i-- > 0 && n < WHY_SESSIONS;) {
		if (!has_word(ring_line(r, i), id) ||
		    (s = session_of(ring_line(r, i))).n == 0)
			continue;
		for (j = 0; j < n && !slice_eq(v[j], s); j++)
			;
		if (j == n)
			v[n++] = s;
	}
	return n;
}

size_t
ring_why(const struct ring *r, struct slice id, size_t *v, size_t max)
{
	struct slice session[WHY_SESSIONS], s;
	size_t i, j, n = 0, ns;

	if (id.n == 0)
		return 0;
	ns = why_sessions(r, id, session);
	for (i = ring_count(r); i-- > 0 && n < max;) {
		s = session_of(ring_line(r, i));
		for (j = 0; j < ns && !slice_eq(session[j], s); j++)
			;
		if (j < ns || has_word(ring_line(r, i), id))
			v[n++] = i;
	}
	return reverse(v, n);
}
