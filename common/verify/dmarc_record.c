/*
 * The text of a DMARC record (RFC 9989 4.7, 4.8, with the tags of 7489 that
 * are gone ignored): what is wrong after the version is as if it were not
 * there, but a tag that is given twice spoils all (RFC 6376 3.2).
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "verify/verify.h"

struct scan {
	struct dmarc_record *r;
	int		 p, sp, np;	/* 0 absent, 1 good, -1 bad */
	int		 n;
	struct slice	 name[DMARC_TAGS_MAX];
};

static int	 tag_next(struct slice *, struct slice *, struct slice *);
static const char *tag_seen(struct scan *, struct slice);
static void	 tag_put(struct scan *, struct slice, struct slice);
static int	 policy(struct slice, enum dmarc_policy *);
static void	 alignment(struct slice, int *);
static int	 failure_options(struct slice);
static int	 size_suffix(struct slice);

int
dmarc_record_parse(struct slice in, struct dmarc_record *r, const char **why)
{
	struct scan s = { .r = r };
	struct slice name, value, rest, uri;
	int k;

	*why = NULL;
	*r = (struct dmarc_record){ .text = in, .adkim = 'r', .aspf = 'r',
	    .psd = 'u', .fo = DMARC_FO_0 };
	if (tag_next(&in, &name, &value) != 1 || !slice_caseis(name, "v") ||
	    !slice_is(value, "DMARC1"))
		return -1;
	if (in.n > DMARC_RECORD_MAX) {
		*why = "record too long";
		return -1;
	}
	while ((k = tag_next(&in, &name, &value)) != 0) {
		if (k == -1)
			continue;	/* no tag: ignored (4.8) */
		if ((*why = tag_seen(&s, name)) != NULL)
			return -1;
		tag_put(&s, name, value);
	}
	if (s.sp <= 0)
		r->sp = r->p;
	if (s.np <= 0)
		r->np = r->sp;
	if (s.p == 1 && s.sp >= 0 && s.np >= 0) {
		r->usable = 1;
		return 0;
	}
	/* No valid p=, or a bad sp= or np=: monitoring if somebody is there
	 * to be told, else nothing (4.10.1). */
	r->p = r->sp = r->np = DMARC_P_NONE;
	rest = r->rua;
	r->usable = dmarc_uri_next(&rest, &uri);
	return 0;
}

int
dmarc_uri_next(struct slice *rest, struct slice *uri)
{
	struct slice one;
	size_t i, colon;

	while (rest->n > 0) {
		one = slice_of(rest->p, slice_find(*rest, ','));
		*rest = one.n == rest->n ? slice_of(rest->p + rest->n, 0) :
		    slice_of(rest->p + one.n + 1, rest->n - one.n - 1);
		one = slice_trim(one);
		if ((i = slice_find(one, '!')) < one.n) {
			if (!size_suffix(slice_of(one.p + i + 1,
			    one.n - i - 1)))
				continue;
			one.n = i;
		}
		colon = slice_find(one, ':');
		for (i = 0; i < one.n && one.p[i] > ' ' && one.p[i] <= '~';
		    i++)
			;
		if (colon == 0 || colon + 1 >= one.n || i < one.n)
			continue;
		*uri = one;
		return 1;
	}
	return 0;
}

/* 1 a tag, -1 something else, 0 the end. */
static int
tag_next(struct slice *in, struct slice *name, struct slice *value)
{
	struct slice one;
	size_t eq;

	if (in->n == 0)
		return 0;
	one = slice_of(in->p, slice_find(*in, ';'));
	*in = one.n == in->n ? slice_of(in->p + in->n, 0) :
	    slice_of(in->p + one.n + 1, in->n - one.n - 1);
	if ((eq = slice_find(one, '=')) == one.n)
		return -1;
	*name = slice_trim(slice_of(one.p, eq));
	*value = slice_trim(slice_of(one.p + eq + 1, one.n - eq - 1));
	return name->n > 0 ? 1 : -1;
}

static const char *
tag_seen(struct scan *s, struct slice name)
{
	int i;

	if (s->n == DMARC_TAGS_MAX)
		return "too many tags";
	if (slice_caseis(name, "v"))
		return "tag given twice";
	for (i = 0; i < s->n; i++)
		if (slice_caseeq(s->name[i], name))
			return "tag given twice";
	s->name[s->n++] = name;
	return NULL;
}

static void
tag_put(struct scan *s, struct slice name, struct slice value)
{
	struct dmarc_record *r = s->r;

	if (slice_caseis(name, "p"))
		s->p = policy(value, &r->p);
	else if (slice_caseis(name, "sp"))
		s->sp = policy(value, &r->sp);
	else if (slice_caseis(name, "np"))
		s->np = policy(value, &r->np);
	else if (slice_caseis(name, "adkim"))
		alignment(value, &r->adkim);
	else if (slice_caseis(name, "aspf"))
		alignment(value, &r->aspf);
	else if (slice_caseis(name, "psd"))
		r->psd = slice_caseis(value, "y") ? 'y' :
		    slice_caseis(value, "n") ? 'n' : 'u';
	else if (slice_caseis(name, "t"))
		r->t = slice_caseis(value, "y");
	else if (slice_caseis(name, "fo"))
		r->fo = failure_options(value);
	else if (slice_caseis(name, "rua"))
		r->rua = value;
	else if (slice_caseis(name, "ruf"))
		r->ruf = value;
}

static int
policy(struct slice v, enum dmarc_policy *p)
{
	enum dmarc_policy i;

	for (i = DMARC_P_NONE; i <= DMARC_P_REJECT; i++)
		if (slice_caseis(v, dmarc_policy_name(i))) {
			*p = i;
			return 1;
		}
	return -1;
}

static void
alignment(struct slice v, int *how)
{
	if (slice_caseis(v, "s"))
		*how = 's';
}

/* RFC 9991 3; what is unknown in it is left out. */
static int
failure_options(struct slice v)
{
	static const char option[] = "01ds";
	const char *q;
	size_t i;
	int bits = 0;

	for (i = 0; i < v.n; i++) {
		q = memchr(option, ascii_lower((unsigned char)v.p[i]), 4);
		if (q != NULL)
			bits |= 1 << (q - option);
	}
	return bits != 0 ? bits : DMARC_FO_0;
}

/* "10m": of RFC 7489, ignored now. */
static int
size_suffix(struct slice s)
{
	uint64_t n;
	int c;

	if (s.n == 0)
		return 0;
	c = ascii_lower((unsigned char)s.p[s.n - 1]);
	if (c == 'k' || c == 'm' || c == 'g' || c == 't')
		s.n--;
	return slice_number(s, UINT64_MAX, &n) == 0;
}
