/*
 * SPF macros (RFC 7208 7), in domain-specs and explanations.  Every length is
 * bounded before it is used: libspf2 fell here twice (CVE-2021-20314,
 * CVE-2023-42118).
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "verify/spf_priv.h"
#include "verify/verify.h"

#define OUT_MAX		1024	/* octets of an expansion in the making */
#define OUT_KEEP	512	/* of a name, the end is what counts */

/* One %{...} taken apart. */
struct macro {
	int		 letter;	/* lower case */
	int		 escape;	/* it was upper case: as in a URL */
	size_t		 keep;		/* labels, 0 for all */
	int		 reverse;
	struct slice	 delims;
};

struct out {
	size_t		 n;
	int		 name;		/* keep the end, not the start */
	char		 v[OUT_MAX];
};

static int	 macro_next(struct slice *, int, struct macro *);
static int	 macro_parse(struct slice, int, struct macro *);
static int	 expand(struct spf_eval *, struct slice, const char *, int,
		    struct out *);
static int	 value(struct spf_eval *, int, const char *, char *);
static void	 sender(const struct spf_eval *, int, char *);
static void	 transform(const struct macro *, const char *, struct out *);
static void	 put(struct out *, const char *, size_t);
static void	 put_part(struct out *, int, const char *, size_t);

int
spf_macro_check(struct slice s, int exp)
{
	struct macro m;
	int r;

	while ((r = macro_next(&s, exp, &m)) > 0)
		;
	return r;
}

int
spf_expand_name(struct spf_eval *e, struct slice spec, const char *domain,
    char name[DOMAIN_TEXT])
{
	struct out o = { .n = 0, .name = 1 };
	const char *p = o.v, *dot;
	int r;

	if ((r = expand(e, spec, domain, 0, &o)) != 1)
		return r;
	if (o.n > 0 && o.v[o.n - 1] == '.')
		o.n--;		/* so that it does not count */
	/* Too long: labels are dropped from the left (7.3). */
	while (o.n >= DOMAIN_TEXT) {
		if ((dot = memchr(p, '.', o.n)) == NULL)
			return -1;
		o.n -= (size_t)(dot + 1 - p);
		p = dot + 1;
	}
	return spf_name_copy(slice_of(p, o.n), name) == 0 ? 1 : -1;
}

int
spf_expand_text(struct spf_eval *e, struct slice text, const char *domain,
    char *out, size_t size)
{
	struct out o = { .n = 0 };
	size_t i;
	int r;

	if ((r = expand(e, text, domain, 1, &o)) != 1)
		return r;
	if (o.n >= size)
		o.n = size - 1;
	for (i = 0; i < o.n; i++)
		out[i] = o.v[i] < ' ' || o.v[i] > '~' ? '?' : o.v[i];
	out[o.n] = '\0';
	return 1;
}

/*
 * The next macro or run of literals: 1 a macro (letter 0: literals, in
 * delims), 0 at the end, -1 bad.
 */
static int
macro_next(struct slice *s, int exp, struct macro *m)
{
	static const char *const pair[] = { "%%", "%", "_ ", " ", "--", "%20" };
	size_t i, end;

	if (s->n == 0)
		return 0;
	*m = (struct macro){ .letter = 0 };
	for (i = 0; i < s->n && s->p[i] != '%'; i++)
		if (s->p[i] < (exp ? ' ' : '!') || s->p[i] > '~')
			return -1;
	if (i > 0) {
		m->delims = slice_of(s->p, i);
		*s = slice_of(s->p + i, s->n - i);
		return 1;
	}
	if (s->n < 2)
		return -1;
	if (s->p[1] == '{') {
		end = slice_find(*s, '}');
		if (end == s->n || macro_parse(slice_of(s->p + 2, end - 2),
		    exp, m) == -1)
			return -1;
		*s = slice_of(s->p + end + 1, s->n - end - 1);
		return 1;
	}
	for (i = 0; i < 6; i += 2)
		if (s->p[1] == pair[i][0]) {
			m->delims = slice_str(pair[i + 1]);
			*s = slice_of(s->p + 2, s->n - 2);
			return 1;
		}
	return -1;
}

/* letter *DIGIT ["r"] *delimiter */
static int
macro_parse(struct slice s, int exp, struct macro *m)
{
	size_t i = 1;

	if (s.n == 0 || s.p[0] == '\0')
		return -1;
	m->letter = ascii_lower((unsigned char)s.p[0]);
	m->escape = m->letter != s.p[0];
	if (strchr(exp ? "slodiphvcrt" : "slodiphv", m->letter) == NULL)
		return -1;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		if (m->keep < SPF_VALUE_MAX)	/* more is all */
			m->keep = m->keep * 10 + (size_t)(s.p[i] - '0');
	if (i > 1 && m->keep == 0)
		return -1;
	if (i < s.n && ascii_lower((unsigned char)s.p[i]) == 'r') {
		m->reverse = 1;
		i++;
	}
	m->delims = slice_of(s.p + i, s.n - i);
	for (; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(".-+,/_=", s.p[i]) == NULL)
			return -1;
	return 0;
}

static int
expand(struct spf_eval *e, struct slice s, const char *domain, int exp,
    struct out *o)
{
	char v[SPF_VALUE_MAX];
	struct macro m;
	int r;

	while ((r = macro_next(&s, exp, &m)) == 1) {
		if (m.letter == 0) {
			put(o, m.delims.p, m.delims.n);
			continue;
		}
		if ((r = value(e, m.letter, domain, v)) != 1)
			return r;
		transform(&m, v, o);
	}
	return r == 0 ? 1 : -1;
}

/* 1, 0 questions, -1: it has no value in ASCII (RFC 8616 4). */
static int
value(struct spf_eval *e, int letter, const char *domain, char *v)
{
	struct ipaddr ip = e->ip;

	v[0] = '\0';
	switch (letter) {
	case 's':
	case 'l':
	case 'o':
		sender(e, letter, v);
		return has_8bit(v, strlen(v)) ? -1 : 1;
	case 'd':
		strlcpy(v, domain, SPF_VALUE_MAX);
		break;
	case 'i':
		spf_dotted(&ip, v);
		break;
	case 'p':
		return spf_ptr_name(e, domain, v);
	case 'h':
		strlcpy(v, e->q->helo, SPF_VALUE_MAX);
		return has_8bit(v, strlen(v)) ? -1 : 1;
	case 'v':
		strlcpy(v, ip.family == 4 ? "in-addr" : "ip6", SPF_VALUE_MAX);
		break;
	case 'c':
		ipaddr_print(&ip, v, SPF_VALUE_MAX);
		break;
	case 'r':
		strlcpy(v, e->q->receiver == NULL || *e->q->receiver == '\0' ?
		    "unknown" : e->q->receiver, SPF_VALUE_MAX);
		break;
	case 't':
		snprintf(v, SPF_VALUE_MAX, "%lld", (long long)e->q->now);
		break;
	}
	return 1;
}

static void
sender(const struct spf_eval *e, int letter, char *v)
{
	struct slice local = e->q->local;

	if (local.n == 0)
		local = SLICE_LIT("postmaster");
	if (letter == 'o')
		strlcpy(v, e->top, SPF_VALUE_MAX);
	else
		snprintf(v, SPF_VALUE_MAX, "%.*s%s%s",
		    (int)(local.n < ADDR_LOCAL_MAX ? local.n :
		    ADDR_LOCAL_MAX), local.p, letter == 's' ? "@" : "",
		    letter == 's' ? e->top : "");
}

/* Split at the delimiters, turn round, keep the last ones, join by dots. */
static void
transform(const struct macro *m, const char *v, struct out *o)
{
	uint16_t at[SPF_VALUE_MAX + 1];
	size_t i, k, n = 0, len = strlen(v), first;
	struct slice delims = m->delims.n > 0 ? m->delims : SLICE_LIT(".");

	at[n++] = 0;
	for (i = 0; i < len; i++)
		if (slice_find(delims, v[i]) < delims.n)
			at[n++] = (uint16_t)(i + 1);
	at[n] = (uint16_t)(len + 1);
	first = m->keep == 0 || m->keep > n ? 0 : n - m->keep;
	for (i = first; i < n; i++) {
		k = m->reverse ? n - 1 - i : i;
		if (i > first)
			put(o, ".", 1);
		put_part(o, m->escape, v + at[k],
		    (size_t)(at[k + 1] - at[k] - 1));
	}
}

static void
put(struct out *o, const char *p, size_t n)
{
	size_t drop;

	if (n > OUT_MAX - o->n && o->name && o->n > OUT_KEEP) {
		drop = o->n - OUT_KEEP;
		memmove(o->v, o->v + drop, OUT_KEEP);
		o->n = OUT_KEEP;
	}
	if (n > OUT_MAX - o->n && o->name) {
		p += n - (OUT_MAX - o->n);	/* of a run of literals */
		n = OUT_MAX - o->n;
	}
	if (n > OUT_MAX - o->n)
		n = OUT_MAX - o->n;
	memcpy(o->v + o->n, p, n);
	o->n += n;
}

/* escape: all but the unreserved of RFC 3986 as %XX. */
static void
put_part(struct out *o, int escape, const char *p, size_t n)
{
	char hex[4];
	size_t i;
	int c;

	if (!escape) {
		put(o, p, n);
		return;
	}
	for (i = 0; i < n; i++) {
		c = ascii_lower((unsigned char)p[i]);
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("-._~", c) != NULL)) {
			put(o, p + i, 1);
			continue;
		}
		snprintf(hex, sizeof(hex), "%%%02X", (unsigned char)p[i]);
		put(o, hex, 3);
	}
}

int
spf_name_copy(struct slice s, char name[DOMAIN_TEXT])
{
	size_t i, label = 0;

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n >= DOMAIN_TEXT)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~' || (s.p[i] == '.' &&
		    label == 0))
			return -1;
		label = s.p[i] == '.' ? 0 : label + 1;
		if (label > 63)
			return -1;
		name[i] = (char)ascii_lower((unsigned char)s.p[i]);
	}
	name[i] = '\0';
	return label > 0 ? 0 : -1;
}
