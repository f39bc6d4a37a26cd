/*
 * SMTP paths: what stands after MAIL FROM: and RCPT TO:, as a typed address
 * (RFC 5321 4.1.2, RFC 6531).  Parsed once, by allow-list; nobody looks at
 * the text again.  Used by smtpd, authd, mailctl and the configuration.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/charset.h"
#include "parse/err.h"
#include "parse/ipaddr.h"

/* The cursor over one path, and where it is written to. */
struct path {
	const char	*p;
	size_t		 n;
	size_t		 off;
	int		 opts;
	struct address	*a;
	const char	*why;
};

static int	 is_atext(int, int);
static int	 is_blank(int);
static int	 peek(const struct path *);
static int	 fail(struct path *, const char *);
static int	 local_put(struct path *, int);
static int	 local_quoted(const struct address *);
static size_t	 text_len(const struct address *);
static int	 path_mailbox(struct path *);
static int	 path_local(struct path *);
static int	 path_quoted(struct path *);
static int	 path_dotstring(struct path *);
static int	 path_route(struct path *);
static int	 path_domain(struct path *);
static int	 path_literal(struct path *);
static int	 path_inside(struct path *);
static size_t	 domain_span(const struct path *);

ssize_t
address_path(const char *p, size_t n, int opts, struct address *a,
    struct parse_err *err)
{
	struct path t = { p, n, 0, opts, a, NULL };
	int rc;

	*a = (struct address){ 0 };
	while (is_blank(peek(&t)))
		t.off++;
	if (peek(&t) == '<') {
		t.off++;
		rc = path_inside(&t);
	} else if (opts & PATH_BARE) {
		a->flags |= ADDR_BARE;
		rc = path_mailbox(&t);
	} else
		rc = fail(&t, "path is not in angle brackets");
	if (rc == 0 && t.off < n && !is_blank(peek(&t)))
		rc = fail(&t, "bad character in address");
	if (rc == -1) {
		if (err != NULL)
			*err = (struct parse_err){ t.off, t.why };
		return -1;
	}
	return (ssize_t)t.off;
}

int
address_parse(struct slice s, int opts, struct address *a,
    struct parse_err *err)
{
	struct path t = { s.p, s.n, 0, opts, a, NULL };

	*a = (struct address){ 0 };
	if (s.n == 0 && (opts & PATH_NULL)) {
		a->flags = ADDR_NULLSENDER;
		return 0;
	}
	if (path_mailbox(&t) == 0 &&
	    (t.off == s.n || fail(&t, "bad character in address") == 0))
		return 0;
	if (err != NULL)
		*err = (struct parse_err){ t.off, t.why };
	return -1;
}

ssize_t
address_print(const struct address *a, char *out, size_t size)
{
	size_t i, n = 0;
	int quote = local_quoted(a);

	if (size <= text_len(a))
		return -1;
	if (quote)
		out[n++] = '"';
	for (i = 0; i < a->localn; i++) {
		if (a->local[i] == '"' || a->local[i] == '\\')
			out[n++] = '\\';
		out[n++] = a->local[i];
	}
	if (quote)
		out[n++] = '"';
	if (a->domainn > 0) {
		out[n++] = '@';
		memcpy(out + n, a->domain, a->domainn);
		n += a->domainn;
	}
	out[n] = '\0';
	return (ssize_t)n;
}

/* Is it no dot-string?  (RFC 5321 4.1.2) */
static int
local_quoted(const struct address *a)
{
	size_t i;
	int c, last = '.';

	if (a->flags & ADDR_NULLSENDER)
		return 0;
	for (i = 0; i < a->localn; i++, last = c) {
		c = (unsigned char)a->local[i];
		if (c == '.' ? last == '.' : !is_atext(c, 1))
			return 1;
	}
	return last == '.';
}

/* Octets of what address_print() makes of it. */
static size_t
text_len(const struct address *a)
{
	size_t i, n = a->localn + (local_quoted(a) ? 2 : 0);

	for (i = 0; i < a->localn; i++)
		n += a->local[i] == '"' || a->local[i] == '\\';
	return n + (a->domainn > 0 ? 1 + a->domainn : 0);
}

int
address_eq(const struct address *a, const struct address *b)
{
	return a->localn == b->localn && a->domainn == b->domainn &&
	    memcmp(a->local, b->local, a->localn) == 0 &&
	    memcmp(a->domain, b->domain, a->domainn) == 0;
}

int
address_is_routed(const struct address *a)
{
	struct slice local = { a->local, a->localn };

	return slice_find(local, '%') < local.n ||
	    slice_find(local, '!') < local.n ||
	    slice_find(local, '@') < local.n;
}

int
domain_valid(struct slice d, int utf8)
{
	size_t i, label = 0;
	int c, last = '.';

	if (d.n > 0 && d.p[d.n - 1] == '.')
		d.n--;
	if (d.n == 0 || d.n > (utf8 ? ADDR_DOMAIN_MAX : 253))
		return 0;
	for (i = 0; i < d.n; i++, last = c) {
		c = (unsigned char)d.p[i];
		if (c == '.') {
			if (label == 0 || last == '-')
				return 0;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' ||
		    (c == '-' && label > 0) || (c > 127 && utf8)))
			return 0;
		if (++label > 63)
			return 0;
	}
	return label > 0 && last != '-' &&
	    (!utf8 || utf8_valid(d.p, d.n));
}

/* Between the brackets, and the closing one. */
static int
path_inside(struct path *t)
{
	if (peek(t) == '>') {
		if (!(t->opts & PATH_NULL))
			return fail(t, "empty address");
		t->off++;
		t->a->flags |= ADDR_NULLSENDER;
		return 0;
	}
	if (peek(t) == '@' && path_route(t) == -1)
		return -1;
	if (path_mailbox(t) == -1)
		return -1;
	if (peek(t) != '>')
		return fail(t, t->off == t->n ? "'>' is missing" :
		    "bad character in address");
	t->off++;
	return 0;
}

/* "@a,@b:" is recognised and dropped (RFC 5321 appendix C). */
static int
path_route(struct path *t)
{
	size_t n;

	for (;;) {
		if (peek(t) != '@')
			return fail(t, "bad source route");
		t->off++;
		n = domain_span(t);
		if (!domain_valid(slice_of(t->p + t->off, n), 0))
			return fail(t, "bad domain in source route");
		t->off += n;
		if (peek(t) != ',')
			break;
		t->off++;
	}
	if (peek(t) != ':')
		return fail(t, "bad source route");
	t->off++;
	t->a->flags |= ADDR_ROUTE;
	return 0;
}

static int
path_mailbox(struct path *t)
{
	if (path_local(t) == -1)
		return -1;
	if (peek(t) == '@') {
		t->off++;
		if ((peek(t) == '[' ? path_literal(t) : path_domain(t)) == -1)
			return -1;
	} else if (t->opts & PATH_NODOMAIN)
		t->a->flags |= ADDR_NODOMAIN;
	else
		return fail(t, "address has no domain");
	return text_len(t->a) < ADDR_TEXT_MAX ? 0 :
	    fail(t, "address is too long");
}

static int
path_local(struct path *t)
{
	size_t start = t->off;
	int rc;

	rc = peek(t) == '"' ? path_quoted(t) : path_dotstring(t);
	if (rc == -1)
		return -1;
	t->a->local[t->a->localn] = '\0';
	if ((t->a->flags & ADDR_UTF8) &&
	    !utf8_valid(t->a->local, t->a->localn)) {
		t->off = start;
		return fail(t, "local part is not valid UTF-8");
	}
	return 0;
}

/* RFC 5321 Quoted-string; an empty one is refused, it names nobody. */
static int
path_quoted(struct path *t)
{
	int c;

	t->a->flags |= ADDR_QUOTED;
	t->off++;
	for (;;) {
		if ((c = peek(t)) == '"')
			break;
		if (c == '\\') {
			t->off++;
			c = peek(t);
		}
		if (c == -1)
			return fail(t, "quote is not closed");
		if (c < 32 || c == 127)
			return fail(t, "control character in local part");
		if (local_put(t, c) == -1)
			return -1;
	}
	t->off++;
	return t->a->localn > 0 ? 0 : fail(t, "empty local part");
}

/* With PATH_DOTS dots may stand anywhere, as some providers gave out. */
static int
path_dotstring(struct path *t)
{
	int c, last = '.', odd = 0;

	while ((c = peek(t)) == '.' || is_atext(c, 1)) {
		if (c == '.' && last == '.')
			odd = 1;
		if (odd && !(t->opts & PATH_DOTS))
			break;
		if (local_put(t, c) == -1)
			return -1;
		last = c;
	}
	if (t->a->localn == 0 && !odd)
		return fail(t, "empty local part");
	return (odd || last == '.') && !(t->opts & PATH_DOTS) ?
	    fail(t, "misplaced dot in local part") : 0;
}

static int
path_domain(struct path *t)
{
	size_t i, n = domain_span(t);
	struct slice d = slice_of(t->p + t->off, n);
	int c;

	if (n > ADDR_DOMAIN_MAX)
		return fail(t, "domain is too long");
	if (!domain_valid(d, t->opts & PATH_UTF8))
		return fail(t, n == 0 ? "domain is missing" :
		    "domain is not valid");
	if (d.p[d.n - 1] == '.')
		d.n--;
	for (i = 0; i < d.n; i++) {
		c = (unsigned char)d.p[i];
		if (c > 127)
			t->a->flags |= ADDR_UTF8;
		t->a->domain[i] = (char)ascii_lower(c);
	}
	t->a->domain[d.n] = '\0';
	t->a->domainn = d.n;
	t->off += n;
	return 0;
}

/* The literal is kept in one spelling, so that two are equal if they are. */
static int
path_literal(struct path *t)
{
	struct slice s = slice_of(t->p + t->off, t->n - t->off);
	struct ipaddr ip;
	char *d = t->a->domain;
	ssize_t n;
	size_t k = 0;

	s.n = slice_find(s, ']');
	if (s.n == t->n - t->off)
		return fail(t, "']' is missing");
	s.n++;
	if (ipaddr_literal(s, &ip) == -1)
		return fail(t, "address literal is not valid");
	d[k++] = '[';
	if (ip.family == 6) {
		memcpy(d + k, "IPv6:", 5);
		k += 5;
	}
	n = ipaddr_print(&ip, d + k, ADDR_DOMAIN_MAX - k);
	k += (size_t)n;
	d[k++] = ']';
	d[k] = '\0';
	t->a->domainn = k;
	t->a->flags |= ADDR_LITERAL;
	t->off += s.n;
	return 0;
}

/* Octets up to what cannot be in a domain. */
static size_t
domain_span(const struct path *t)
{
	size_t i;

	for (i = t->off; i < t->n; i++)
		if (memchr("<>@,:;\"\\()[] \t\r\n", t->p[i], 17) != NULL)
			break;
	return i - t->off;
}

static int
local_put(struct path *t, int c)
{
	if (t->a->localn == ADDR_LOCAL_MAX)
		return fail(t, "local part is too long");
	if (c > 127) {
		if (!(t->opts & PATH_UTF8))
			return fail(t, "8-bit address without SMTPUTF8");
		t->a->flags |= ADDR_UTF8;
	}
	t->a->local[t->a->localn++] = (char)c;
	t->off++;
	return 0;
}

static int
is_atext(int c, int utf8)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (utf8 && c > 127))
		return 1;
	return c > 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static int
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static int
peek(const struct path *t)
{
	return t->off < t->n ? (unsigned char)t->p[t->off] : -1;
}

static int
fail(struct path *t, const char *why)
{
	t->why = why;
	return -1;
}
