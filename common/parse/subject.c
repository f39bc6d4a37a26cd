/*
 * The base subject (RFC 5256 2.1): without "Re:", "[list]", "(fwd)" and what
 * else grows around it.  For whoever makes facts, sorts or threads.
 */
#include "base/compat.h"

#include "base/slice.h"
#include "parse/subject.h"

static int	 strip_tail(struct slice *, int *);
static int	 strip_head(struct slice *, int *);
static int	 strip_refwd(struct slice *);
static int	 strip_blob(struct slice *);
static int	 strip_forward(struct slice *);
static void	 strip_blanks(struct slice *);

struct slice
subject_base(struct slice s, int *reply)
{
	int unused;

	if (reply == NULL)
		reply = &unused;
	*reply = 0;
	for (;;) {
		while (strip_tail(&s, reply))
			;
		while (strip_head(&s, reply))
			;
		if (!strip_forward(&s))
			return s;
		*reply = 1;
	}
}

/* A subj-trailer: "(fwd)" or a blank at the end. */
static int
strip_tail(struct slice *s, int *reply)
{
	if (s->n > 0 && s->p[s->n - 1] == ' ') {
		s->n--;
		return 1;
	}
	if (s->n >= 5 && slice_caseis(slice_of(s->p + s->n - 5, 5), "(fwd)")) {
		s->n -= 5;
		return *reply = 1;
	}
	return 0;
}

/*
 * Steps 3 and 4: blobs with "re:" behind them, or a blank; else the blobs
 * alone, but for one that would leave nothing.  They are looked at once: no
 * other blob stands before a "re" when the first is gone.
 */
static int
strip_head(struct slice *s, int *reply)
{
	struct slice rest = *s, some = *s;

	if (s->n > 0 && s->p[0] == ' ') {
		strip_blanks(s);
		return 1;
	}
	while (strip_blob(&rest))
		if (rest.n > 0)
			some = rest;
	if (strip_refwd(&rest)) {
		*s = rest;
		return *reply = 1;
	}
	if (some.n == s->n)
		return 0;
	*s = some;
	return 1;
}

/* "re", "fw" or "fwd", blanks, perhaps a blob, ":". */
static int
strip_refwd(struct slice *s)
{
	struct slice t = *s;
	size_t n;

	if (slice_casestarts(t, "fwd"))
		n = 3;
	else if (slice_casestarts(t, "re") || slice_casestarts(t, "fw"))
		n = 2;
	else
		return 0;
	t = slice_of(t.p + n, t.n - n);
	strip_blanks(&t);
	strip_blob(&t);
	if (t.n == 0 || t.p[0] != ':')
		return 0;
	*s = slice_of(t.p + 1, t.n - 1);
	return 1;
}

/* "[...]" and the blanks behind it. */
static int
strip_blob(struct slice *s)
{
	size_t i;

	if (s->n == 0 || s->p[0] != '[')
		return 0;
	for (i = 1; i < s->n && s->p[i] != ']'; i++)
		if (s->p[i] == '[')
			return 0;
	if (i == s->n)
		return 0;
	*s = slice_of(s->p + i + 1, s->n - i - 1);
	strip_blanks(s);
	return 1;
}

/* "[fwd: ...]" around all of it. */
static int
strip_forward(struct slice *s)
{
	if (!slice_casestarts(*s, "[fwd:") || s->p[s->n - 1] != ']')
		return 0;
	*s = slice_of(s->p + 5, s->n - 6);
	return 1;
}

static void
strip_blanks(struct slice *s)
{
	size_t i;

	for (i = 0; i < s->n && s->p[i] == ' '; i++)
		;
	*s = slice_of(s->p + i, s->n - i);
}
