/*
 * Walks a BODYSTRUCTURE (RFC 3501 7.4.2) and compares it with facts_part(),
 * which answers FETCH BODY[path]: for unit/parse_mime and fuzz_mime.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "parts_walk.h"

struct walk {
	struct slice	 in;		/* what is left of it */
	const char	*blob;
	size_t		 n;
	uint32_t	 path[IMAP_PATH_MAX + 1];
	size_t		 npath;
	int		 parts;
	const char	*why;		/* what is wrong */
};

static void	 body(struct walk *, int);
static void	 multipart(struct walk *);
static void	 leaf(struct walk *, int);
static void	 ask(struct walk *, struct facts_part *, uint64_t);
static void	 value(struct walk *);
static struct slice string(struct walk *);
static uint64_t	 number(struct walk *);
static int	 peek(const struct walk *);
static int	 take(struct walk *, int);

const char *
parts_walk(const char *blob, size_t n)
{
	struct walk w = { .blob = blob, .n = n };

	if (facts_get(blob, n, FACTS_BODYSTRUCTURE, &w.in) == -1)
		return "no BODYSTRUCTURE";
	body(&w, 1);
	if (w.why == NULL && w.in.n != 0)
		w.why = "something behind the structure";
	if (w.why == NULL && w.parts != facts_nparts(blob, n))
		w.why = "not all parts are shown";
	return w.why;
}

/* own: a body that is no multipart is part 1 of what it is in. */
static void
body(struct walk *w, int own)
{
	take(w, '(');
	w->parts++;
	if (peek(w) == '(')
		multipart(w);
	else
		leaf(w, own);
	while (w->why == NULL && peek(w) == ' ') {
		take(w, ' ');
		value(w);
	}
	take(w, ')');
}

static void
multipart(struct walk *w)
{
	struct facts_part p;
	size_t at = w->npath;
	uint32_t i;

	if (at >= IMAP_PATH_MAX) {
		w->why = "too deep";
		return;
	}
	for (i = 1; w->why == NULL && peek(w) == '('; i++) {
		w->path[at] = i;
		w->npath = at + 1;
		body(w, 0);
	}
	w->path[at] = i;
	if (w->why == NULL && facts_part(w->blob, w->n, w->path, at + 1,
	    &p) != 0)
		w->why = "a part more than is shown";
	w->npath = at;
	/* The one in a message has the path of that message. */
	if (w->why == NULL && at > 0 && (facts_part(w->blob, w->n, w->path,
	    at, &p) != 1 || (p.type != FACTS_MESSAGE &&
	    (p.type != FACTS_MULTIPART || p.nparts != (int)i - 1))))
		w->why = "a multipart that is shown is not there";
	take(w, ' ');
	string(w);
}

static void
leaf(struct walk *w, int own)
{
	struct facts_part p = { 0 };
	struct slice type = string(w), sub;
	size_t at = w->npath;
	uint64_t lines = 0;
	int i, message;

	take(w, ' ');
	sub = string(w);
	for (i = 0; i < 4; i++) {	/* parameters, id, description, cte */
		take(w, ' ');
		value(w);
	}
	take(w, ' ');
	if (own)
		w->path[w->npath++] = 1;
	ask(w, &p, number(w));
	message = slice_caseis(type, "message") && slice_caseis(sub, "rfc822");
	if (message) {
		take(w, ' ');
		value(w);		/* ENVELOPE */
		take(w, ' ');
		body(w, 1);
	}
	if (message || slice_caseis(type, "text")) {
		take(w, ' ');
		lines = number(w);
	}
	if (w->why == NULL && ((p.type == FACTS_MESSAGE) != message ||
	    (p.type == FACTS_TEXT) != slice_caseis(type, "text")))
		w->why = "a part of another type";
	if (w->why == NULL && p.type != FACTS_OTHER && p.lines != lines)
		w->why = "a part of another number of lines";
	w->npath = at;
}

static void
ask(struct walk *w, struct facts_part *p, uint64_t size)
{
	if (w->why != NULL)
		return;
	if (facts_part(w->blob, w->n, w->path, w->npath, p) != 1)
		w->why = "a part that is shown is not there";
	else if (p->body_len != size)
		w->why = "a part of another size";
}

/* A string, number, NIL or list, passed over. */
static void
value(struct walk *w)
{
	int depth = 0;

	do {
		if (peek(w) == '(' || peek(w) == ')') {
			depth += peek(w) == '(' ? 1 : -1;
			take(w, peek(w));
		} else if (peek(w) == '"' || peek(w) == '{')
			string(w);
		else if (w->in.n == 0 && w->why == NULL)
			w->why = "the structure is cut";
		else
			take(w, peek(w));
		if (depth == 0 && (peek(w) == ' ' || peek(w) == ')' ||
		    peek(w) == '('))
			return;
	} while (w->why == NULL);
}

static struct slice
string(struct walk *w)
{
	struct slice s = w->in;
	size_t i;

	if (peek(w) == '{') {
		take(w, '{');
		s.n = (size_t)number(w);
		if (!take(w, '}') || !take(w, '\r') || !take(w, '\n') ||
		    s.n > w->in.n) {
			w->why = "not a literal";
			return slice_of("", 0);
		}
		s.p = w->in.p;
		w->in = slice_of(s.p + s.n, w->in.n - s.n);
		return s;
	}
	if (!take(w, '"'))
		return slice_of("", 0);
	for (i = 1; i < s.n && s.p[i] != '"'; i++)
		i += s.p[i] == '\\';
	if (i >= s.n) {
		w->why = "a string that does not end";
		return slice_of("", 0);
	}
	w->in = slice_of(s.p + i + 1, s.n - i - 1);
	return slice_of(s.p + 1, i - 1);
}

static uint64_t
number(struct walk *w)
{
	uint64_t v = 0;

	if (w->why == NULL && (peek(w) < '0' || peek(w) > '9'))
		w->why = "not a number";
	while (w->why == NULL && peek(w) >= '0' && peek(w) <= '9') {
		v = v * 10 + (uint64_t)(peek(w) - '0');
		take(w, peek(w));
	}
	return v;
}

static int
peek(const struct walk *w)
{
	return w->in.n > 0 ? (unsigned char)w->in.p[0] : -1;
}

static int
take(struct walk *w, int c)
{
	if (w->why == NULL && (w->in.n == 0 || peek(w) != c))
		w->why = "not the grammar of BODYSTRUCTURE";
	if (w->why != NULL)
		return 0;
	w->in = slice_of(w->in.p + 1, w->in.n - 1);
	return 1;
}
