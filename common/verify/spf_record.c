/*
 * The text of an SPF record (RFC 7208 4.5, 4.6.1, 5, 6, 12): its terms one
 * after the other, each checked whole.  Evaluation is spf.c.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/ipaddr.h"
#include "verify/spf_priv.h"
#include "verify/verify.h"

/* What may follow the name of a mechanism. */
#define ARG_NONE	0
#define ARG_MUST	1	/* ":" domain-spec */
#define ARG_MAY		2
#define ARG_CIDR	4	/* dual-cidr-length */
#define ARG_IP		8	/* ":" network */

static const struct mechanism {
	const char	*name;
	enum spf_kind	 kind;
	int		 arg;
} mechanisms[] = {
	{ "all", SPF_ALL, ARG_NONE },
	{ "include", SPF_INCLUDE, ARG_MUST },
	{ "a", SPF_A, ARG_MAY | ARG_CIDR },
	{ "mx", SPF_MX, ARG_MAY | ARG_CIDR },
	{ "ptr", SPF_PTR, ARG_MAY },
	{ "ip4", SPF_IP4, ARG_IP },
	{ "ip6", SPF_IP6, ARG_IP },
	{ "exists", SPF_EXISTS, ARG_MUST },
};
#define MECHANISMS	(sizeof(mechanisms) / sizeof(mechanisms[0]))

static const char *modifier(struct spf_term *, struct slice, struct slice);
static const char *mechanism(struct spf_term *, struct slice);
static const char *argument(struct spf_term *, int, struct slice);
static const char *network(struct spf_term *, struct slice);
static int	 take_cidr(struct slice *, const char *, int, int *);
static int	 domain_spec(struct slice);
static int	 toplabel(struct slice);
static size_t	 name_len(struct slice);

size_t
spf_version(struct slice s)
{
	if (!slice_casestarts(s, "v=spf1") || (s.n > 6 && s.p[6] != ' '))
		return 0;
	return 6;
}

int
spf_check(struct slice record, struct parse_err *err)
{
	struct slice rest = record;
	struct spf_term t;
	const char *why = "no v=spf1";
	int n, r = -1, redirect = 0, exp = 0;
	size_t v = spf_version(record);

	rest = slice_of(record.p + v, record.n - v);
	for (n = 0; v > 0 && n < SPF_TERMS_MAX; n++) {
		if ((r = spf_term_next(&rest, &t, &why)) != 1)
			break;
		redirect += t.kind == SPF_REDIRECT;
		exp += t.kind == SPF_EXP;
		if (redirect < 2 && exp < 2)
			continue;
		why = "modifier given twice";
		r = -1;
		break;
	}
	if (r == 0)
		return 0;
	if (r == 1)
		why = "too many terms";
	if (err != NULL)
		*err = (struct parse_err){ record.n - rest.n, why };
	return -1;
}

int
spf_term_next(struct slice *rest, struct spf_term *t, const char **why)
{
	struct slice s = *rest, name;

	while (s.n > 0 && s.p[0] == ' ')
		s = slice_of(s.p + 1, s.n - 1);
	if (s.n == 0)
		return 0;
	s.n = slice_find(s, ' ');
	*t = (struct spf_term){ .qualifier = '+', .text = s,
	    .cidr4 = 32, .cidr6 = 128 };
	name = slice_of(s.p, name_len(s));
	if (name.n > 0 && name.n < s.n && s.p[name.n] == '=')
		*why = modifier(t, name, slice_of(s.p + name.n + 1,
		    s.n - name.n - 1));
	else
		*why = mechanism(t, s);
	if (*why != NULL)
		return -1;
	*rest = slice_of(s.p + s.n, (size_t)(rest->p + rest->n - s.p) - s.n);
	return 1;
}

static const char *
modifier(struct spf_term *t, struct slice name, struct slice value)
{
	t->kind = slice_caseis(name, "redirect") ? SPF_REDIRECT :
	    slice_caseis(name, "exp") ? SPF_EXP : SPF_UNKNOWN;
	t->spec = value;
	if (t->kind == SPF_UNKNOWN)
		return spf_macro_check(value, 0) == 0 ? NULL :
		    "bad macro in a modifier";
	return domain_spec(value) == 0 ? NULL : "bad domain in a modifier";
}

static const char *
mechanism(struct spf_term *t, struct slice s)
{
	struct slice name;
	size_t i;

	if (strchr("+-~?", s.p[0]) != NULL) {
		t->qualifier = s.p[0];
		s = slice_of(s.p + 1, s.n - 1);
	}
	for (i = 0; i < s.n && s.p[i] != ':' && s.p[i] != '/'; i++)
		;
	name = slice_of(s.p, i);
	s = slice_of(s.p + i, s.n - i);
	for (i = 0; i < MECHANISMS; i++)
		if (slice_caseis(name, mechanisms[i].name)) {
			t->kind = mechanisms[i].kind;
			return argument(t, mechanisms[i].arg, s);
		}
	return "unknown mechanism";
}

/* s: from the colon or slash on. */
static const char *
argument(struct spf_term *t, int arg, struct slice s)
{
	if (arg == ARG_NONE)
		return s.n == 0 ? NULL : "mechanism takes no argument";
	if (arg & ARG_IP)
		return network(t, s);
	if (arg & ARG_CIDR && (take_cidr(&s, "//", 128, &t->cidr6) == -1 ||
	    take_cidr(&s, "/", 32, &t->cidr4) == -1))
		return "bad CIDR length";
	if (s.n == 0)
		return arg & ARG_MUST ? "mechanism wants a domain" : NULL;
	if (s.p[0] != ':')
		return "bad mechanism";
	t->spec = slice_of(s.p + 1, s.n - 1);
	return domain_spec(t->spec) == 0 ? NULL : "bad domain";
}

static const char *
network(struct spf_term *t, struct slice s)
{
	int v6 = t->kind == SPF_IP6;

	if (s.n == 0 || s.p[0] != ':')
		return "mechanism wants an address";
	s = slice_of(s.p + 1, s.n - 1);
	if (take_cidr(&s, "/", v6 ? 128 : 32, v6 ? &t->cidr6 : &t->cidr4) ==
	    -1)
		return "bad CIDR length";
	if (ipaddr_parse(s, &t->ip) == -1 || t->ip.family != (v6 ? 6 : 4))
		return "bad address";
	return NULL;
}

/*
 * Take "/" digits off the end, if it is there.  What is in a macro ("%{d/}")
 * ends in a brace and is never taken.  0, or -1: it is there and bad.
 */
static int
take_cidr(struct slice *s, const char *mark, int max, int *bits)
{
	size_t i = s->n, m = strlen(mark);
	uint64_t n;

	while (i > 0 && s->p[i - 1] >= '0' && s->p[i - 1] <= '9')
		i--;
	if (i < m || memcmp(s->p + i - m, mark, m) != 0)
		return 0;
	if (slice_number(slice_of(s->p + i, s->n - i), (uint64_t)max, &n) ==
	    -1 || (s->p[i] == '0' && s->n - i > 1))
		return -1;
	*bits = (int)n;
	s->n = i - m;
	return 0;
}

/* macro-string domain-end (7.1) */
static int
domain_spec(struct slice s)
{
	size_t i, start = 0;

	if (s.n == 0 || spf_macro_check(s, 0) == -1)
		return -1;
	if (s.p[s.n - 1] == '}') {
		for (i = s.n; i > 0 && s.p[i - 1] != '{'; i--)
			;
		if (i >= 2 && s.p[i - 2] == '%')
			return 0;
	}
	if (s.p[s.n - 1] == '.')
		s.n--;
	for (i = 0; i < s.n; i++)
		if (s.p[i] == '.')
			start = i + 1;
	return start > 0 ? toplabel(slice_of(s.p + start, s.n - start)) : -1;
}

/* Letters, digits, inner hyphens; not digits alone. */
static int
toplabel(struct slice s)
{
	size_t i;
	int c, other = 0;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return -1;
	for (i = 0; i < s.n; i++) {
		c = ascii_lower((unsigned char)s.p[i]);
		other |= c < '0' || c > '9';
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-'))
			return -1;
	}
	return other ? 0 : -1;
}

/* ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static size_t
name_len(struct slice s)
{
	size_t i;
	int c;

	for (i = 0; i < s.n; i++) {
		c = ascii_lower((unsigned char)s.p[i]);
		if (!((c >= 'a' && c <= 'z') || (i > 0 && ((c >= '0' &&
		    c <= '9') || c == '-' || c == '_' || c == '.'))))
			break;
	}
	return i;
}
