/*
 * Is the value of a From field what RFC 5322 3.4 lets one write?  addrlist.c
 * finds some reading in everything; this says whether there is only one, so
 * that whoever looks at the same value later finds the same addresses.  UTF-8
 * (RFC 6532) and a bare dot in a display name are taken; groups, routes,
 * literals, obsolete forms and empty places in the list are not.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/mailboxes.h"

#define COMMENT_DEPTH	16	/* comments within comments */

struct scan {
	struct slice	 in;
	size_t		 i;
	const char	*why;		/* of the error, else NULL */
};

static int	 mailbox(struct scan *);
static int	 spec_rest(struct scan *, struct slice local, int quoted);
static int	 dot_atom(struct slice);
static int	 word(struct scan *, struct slice *, int *quoted);
static int	 quoted_string(struct scan *);
static void	 cfws(struct scan *);
static void	 comment(struct scan *);
static int	 is_atom(int);
static int	 peek(const struct scan *);
static int	 wrong(struct scan *, const char *);

int
mailboxes_check(struct slice value, struct parse_err *err)
{
	struct scan s = { .in = value };
	int n = 0;

	while (mailbox(&s) == 0) {
		if (++n > MAILBOXES_MAX)
			wrong(&s, "too many addresses");
		else if (peek(&s) == ',') {
			s.i++;
			continue;
		} else if (s.i < value.n)
			wrong(&s, "something behind the address");
		break;
	}
	if (s.why == NULL)
		return n;
	if (err != NULL)
		*err = (struct parse_err){ s.i, s.why };
	return -1;
}

/*
 * phrase <local@domain>, or local@domain; and blanks behind it.  Programs
 * also write "local@domain <local@domain>", which is one address either way.
 */
static int
mailbox(struct scan *s)
{
	struct slice w, name = { NULL, 0 };
	int quoted = 0, words = 0;

	cfws(s);
	while (s->why == NULL && word(s, &w, &quoted)) {
		words++;
		cfws(s);
	}
	if (s->why != NULL)
		return -1;
	if (peek(s) == '@' && words == 1) {
		if (spec_rest(s, w, quoted) == -1 || peek(s) != '<')
			return s->why == NULL ? 0 : -1;
		name = slice_trim(slice_of(w.p,
		    (size_t)(s->in.p + s->i - w.p)));
	}
	if (peek(s) != '<')
		return wrong(s, words == 0 ? "no address" :
		    "a name without an address");
	s->i++;
	cfws(s);
	if (s->why != NULL || !word(s, &w, &quoted))
		return wrong(s, "no address in <>");
	cfws(s);
	if (spec_rest(s, w, quoted) == -1)
		return -1;
	if (peek(s) != '>')
		return wrong(s, "> is missing");
	if (name.p != NULL && !slice_caseeq(name, slice_of(w.p,
	    (size_t)(s->in.p + s->i - w.p))))
		return wrong(s, "an address as the name of another");
	s->i++;
	cfws(s);
	return s->why == NULL ? 0 : -1;
}

/* "@domain" behind a local part, and blanks behind that */
static int
spec_rest(struct scan *s, struct slice local, int quoted)
{
	struct slice domain;

	if (s->why != NULL || peek(s) != '@')
		return wrong(s, "an address has an @");
	if (!quoted && !dot_atom(local))
		return wrong(s, "a dot out of place");
	s->i++;
	cfws(s);
	if (s->why != NULL || !word(s, &domain, &quoted) || quoted ||
	    !dot_atom(domain))
		return wrong(s, "bad domain");
	cfws(s);
	return s->why == NULL ? 0 : -1;
}

static int
dot_atom(struct slice w)
{
	size_t i;

	if (w.p[0] == '.' || w.p[w.n - 1] == '.')
		return 0;
	for (i = 1; i < w.n; i++)
		if (w.p[i] == '.' && w.p[i - 1] == '.')
			return 0;
	return 1;
}

/* An atom, dots included, or a quoted string: 1; or 0, and w is as before. */
static int
word(struct scan *s, struct slice *w, int *quoted)
{
	size_t start = s->i;
	int quote = peek(s) == '"';

	if (quote && quoted_string(s) == -1)
		return 0;
	while (!quote && is_atom(peek(s)))
		s->i++;
	if (s->i == start)
		return 0;
	*w = slice_of(s->in.p + start, s->i - start);
	*quoted = quote;
	return 1;
}

static int
quoted_string(struct scan *s)
{
	int c;

	for (s->i++; (c = peek(s)) != '"'; s->i++) {
		if (c == '\\') {
			s->i++;
			c = peek(s);
		}
		if (c == -1)
			return wrong(s, "a quote is not closed");
		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') ||
		    c == 127)
			return wrong(s, "a control character");
	}
	s->i++;
	return 0;
}

static void
cfws(struct scan *s)
{
	int c;

	while (s->why == NULL && (c = peek(s)) != -1) {
		if (c == '(')
			comment(s);
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			s->i++;
		else
			break;
	}
}

static void
comment(struct scan *s)
{
	int c, depth = 0;

	do {
		c = peek(s);
		s->i += c == '\\';
		depth += (c == '(') - (c == ')');
		if (peek(s) == -1 || depth > COMMENT_DEPTH) {
			wrong(s, "a comment is not closed");
			return;
		}
		if (c == 0) {
			wrong(s, "a control character");
			return;
		}
		s->i++;
	} while (depth > 0);
}

/* atext (RFC 5322 3.2.3, RFC 6532 3.1) or a dot */
static int
is_atom(int c)
{
	if (c <= ' ' || c == 127)
		return 0;
	return c >= 128 || strchr("()<>[]:;@\\,\"", c) == NULL;
}

/* The octet to come, or -1 at the end. */
static int
peek(const struct scan *s)
{
	return s->i < s->in.n ? (unsigned char)s->in.p[s->i] : -1;
}

static int
wrong(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return -1;
}
