/*
 * SPF, check_host() (RFC 7208 4): evaluated from the start each time with the
 * DNS answers there are, so that nothing has to be remembered between two
 * rounds.  All limits of 4.6.4 are counted over includes and redirects.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/ipaddr.h"
#include "verify/spf_priv.h"
#include "verify/verify.h"

/* What evaluating a piece came to: a result, or one of these. */
#define MORE		(-1)	/* questions */
#define MATCH		(-2)
#define NOMATCH		(-3)

static int	 check_host(struct spf_eval *, const char *, int);
static int	 get_record(struct spf_eval *, const char *, struct slice *);
static int	 run_terms(struct spf_eval *, struct slice, const char *, int);
static int	 run_redirect(struct spf_eval *, struct slice, const char *, int);
static int	 run_mechanism(struct spf_eval *, const struct spf_term *,
		    const char *);
static int	 run_include(struct spf_eval *, const char *);
static int	 run_mx(struct spf_eval *, const struct spf_term *,
		    const char *);
static int	 run_address(struct spf_eval *, const struct spf_term *,
		    const char *);
static int	 run_ip(struct spf_eval *, const struct spf_term *);
static int	 run_exists(struct spf_eval *, const char *);
static int	 run_ptr(struct spf_eval *, const char *);
static int	 ask(struct spf_eval *, const char *, enum dns_type,
		    const struct answer **);
static int	 explain(struct spf_eval *);
static int	 error(struct spf_eval *, int, const char *);
static void	 unmap(struct ipaddr *);

int
spf_run(const struct spf_query *q, struct answers *answers, struct spf *out)
{
	struct spf_eval e = { .q = q, .answers = answers, .out = out,
	    .ip = q->ip };
	int r;

	spf_clear(out);
	unmap(&e.ip);
	if (domain_ascii(q->domain, e.top) == -1 ||
	    strchr(e.top, '.') == NULL) {
		out->why = "not a domain";
		return 1;
	}
	memcpy(out->domain, e.top, sizeof(out->domain));
	if ((r = check_host(&e, e.top, 1)) == MORE)
		return 0;
	out->result = (enum spf_result)r;
	if (out->result == SPF_FAIL && e.exp.n > 0)
		return explain(&e);
	return 1;
}

void
spf_clear(struct spf *out)
{
	out->result = SPF_NONE;
	out->why = NULL;
	out->lookups = out->voids = 0;
	out->domain[0] = out->term[0] = out->exp[0] = '\0';
}

const char *
spf_name(enum spf_result r)
{
	static const char *const name[] = {
		[SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass", [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror"
	};

	return name[r];
}

/* top: not of an include, whose terms and explanation are its own. */
static int
check_host(struct spf_eval *e, const char *domain, int top)
{
	struct slice record;
	int r;

	if (e->depth > SPF_DEPTH)
		return error(e, SPF_PERMERROR, "nested too deep");
	if ((r = get_record(e, domain, &record)) != MATCH)
		return r;
	return run_terms(e, record, domain, top);
}

/* MATCH: there is one, and its syntax is good. */
static int
get_record(struct spf_eval *e, const char *domain, struct slice *record)
{
	const struct answer *a;
	struct parse_err err;
	size_t i, found = 0;

	if ((a = answers_get(e->answers, domain, DNS_TXT)) == NULL)
		return MORE;
	if (a->status == DNS_TEMP)
		return error(e, SPF_TEMPERROR, "no answer from the DNS");
	for (i = 0; i < a->n; i++)
		if (spf_version(a->rr[i].data) > 0) {
			*record = a->rr[i].data;
			found++;
		}
	if (found == 0)
		return error(e, SPF_NONE, "no SPF record");
	if (found > 1)
		return error(e, SPF_PERMERROR, "more than one SPF record");
	if (record->n > SPF_RECORD_MAX)
		return error(e, SPF_PERMERROR, "record too long");
	if (spf_check(*record, &err) == -1)
		return error(e, SPF_PERMERROR, err.why);
	return MATCH;
}

static int
run_terms(struct spf_eval *e, struct slice record, const char *domain,
    int top)
{
	struct slice redirect = { NULL, 0 }, exp = { NULL, 0 }, rest;
	static const char quals[] = "?+-~";
	struct spf_term t;
	const char *why;
	int r;

	rest = slice_of(record.p + 6, record.n - 6);
	while (spf_term_next(&rest, &t, &why) == 1)
		if (t.kind == SPF_REDIRECT)
			redirect = t.spec;
		else if (t.kind == SPF_EXP)
			exp = t.spec;
	rest = slice_of(record.p + 6, record.n - 6);
	while (spf_term_next(&rest, &t, &why) == 1) {
		if (t.kind > SPF_EXISTS ||
		    (r = run_mechanism(e, &t, domain)) == NOMATCH)
			continue;
		if (r != MATCH)
			return r;
		if (top) {
			e->exp = exp;
			memcpy(e->exp_domain, domain, strlen(domain) + 1);
			if (slice_cpy(t.text, e->out->term,
			    sizeof(e->out->term)) == -1)
				e->out->term[0] = '\0';
		}
		e->out->why = NULL;
		return SPF_NEUTRAL + (int)(strchr(quals, t.qualifier) - quals);
	}
	return redirect.n > 0 ? run_redirect(e, redirect, domain, top) :
	    SPF_NEUTRAL;
}

static int
run_redirect(struct spf_eval *e, struct slice spec, const char *domain,
    int top)
{
	char name[DOMAIN_TEXT];
	int r;

	if (++e->out->lookups > SPF_LOOKUPS)
		return error(e, SPF_PERMERROR, "more than 10 DNS lookups");
	if ((r = spf_expand_name(e, spec, domain, name)) == 0)
		return MORE;
	if (r == -1)
		return error(e, SPF_PERMERROR, "redirect to no domain");
	e->depth++;
	r = check_host(e, name, top);
	e->depth--;
	return r == SPF_NONE ?
	    error(e, SPF_PERMERROR, "redirect without a record") : r;
}

static int
run_mechanism(struct spf_eval *e, const struct spf_term *t, const char *domain)
{
	char name[DOMAIN_TEXT];
	int r;

	if (t->kind == SPF_ALL)
		return MATCH;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return run_ip(e, t);
	if (++e->out->lookups > SPF_LOOKUPS)
		return error(e, SPF_PERMERROR, "more than 10 DNS lookups");
	if (t->spec.n == 0)
		memcpy(name, domain, strlen(domain) + 1);
	else if ((r = spf_expand_name(e, t->spec, domain, name)) == 0)
		return MORE;
	else if (r == -1)	/* no name can match (4.8) */
		return t->kind == SPF_INCLUDE ? error(e, SPF_PERMERROR,
		    "include of no domain") : NOMATCH;
	if (t->kind == SPF_INCLUDE)
		return run_include(e, name);
	if (t->kind == SPF_MX)
		return run_mx(e, t, name);
	if (t->kind == SPF_PTR)
		return run_ptr(e, name);
	return t->kind == SPF_EXISTS ? run_exists(e, name) :
	    run_address(e, t, name);
}

/* RFC 7208 5.2 */
static int
run_include(struct spf_eval *e, const char *name)
{
	int r;

	e->depth++;
	r = check_host(e, name, 0);
	e->depth--;
	switch (r) {
	case SPF_PASS:
		return MATCH;
	case SPF_NONE:
		return error(e, SPF_PERMERROR, "include without a record");
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return NOMATCH;
	}
	return r;		/* MORE or an error */
}

static int
run_mx(struct spf_eval *e, const struct spf_term *t, const char *name)
{
	const struct answer *a;
	char host[DOMAIN_TEXT];
	size_t i;
	int r;

	if ((r = ask(e, name, DNS_MX, &a)) != MATCH)
		return r;
	if (a->n > SPF_NAMES)
		return error(e, SPF_PERMERROR, "more than 10 MX names");
	for (i = 0; i < a->n; i++) {
		if (spf_name_copy(a->rr[i].data, host) == -1)
			continue;
		if ((r = run_address(e, t, host)) != NOMATCH)
			return r;
	}
	return NOMATCH;
}

static int
run_address(struct spf_eval *e, const struct spf_term *t, const char *name)
{
	int v4 = e->ip.family == 4, r;
	const struct answer *a;
	size_t i;

	if ((r = ask(e, name, v4 ? DNS_A : DNS_AAAA, &a)) != MATCH)
		return r;
	for (i = 0; i < a->n; i++)
		if (spf_address_is(e, a->rr[i].data, v4 ? t->cidr4 : t->cidr6))
			return MATCH;
	return NOMATCH;
}

static int
run_ip(struct spf_eval *e, const struct spf_term *t)
{
	int v4 = t->kind == SPF_IP4;

	if (e->ip.family != t->ip.family)
		return NOMATCH;
	return spf_address_is(e, slice_of((const char *)t->ip.b, v4 ? 4 : 16),
	    v4 ? t->cidr4 : t->cidr6) ? MATCH : NOMATCH;
}

/* Always an A record, whatever the client has (5.7). */
static int
run_exists(struct spf_eval *e, const char *name)
{
	const struct answer *a;

	return ask(e, name, DNS_A, &a);
}

/* Errors only make it not match (5.5). */
static int
run_ptr(struct spf_eval *e, const char *name)
{
	const struct answer *a;
	char reverse[74];
	int r;

	spf_reverse(&e->ip, reverse);
	r = ask(e, reverse, DNS_PTR, &a);
	if (r == SPF_TEMPERROR)
		return NOMATCH;
	if (r != MATCH)
		return r;
	r = spf_ptr_within(e, name);
	return r == 0 ? MORE : r == 1 ? MATCH : NOMATCH;
}

/* MATCH: there are records.  Void lookups are counted (4.6.4). */
static int
ask(struct spf_eval *e, const char *name, enum dns_type type,
    const struct answer **a)
{
	if ((*a = answers_get(e->answers, name, type)) == NULL)
		return MORE;
	if ((*a)->status == DNS_TEMP)
		return error(e, SPF_TEMPERROR, "no answer from the DNS");
	if ((*a)->status == DNS_OK)
		return MATCH;
	if (++e->out->voids > SPF_VOIDS)
		return error(e, SPF_PERMERROR,
		    "more than 2 DNS lookups without answer");
	return NOMATCH;
}

/* The domain's own words for a fail (6.2); any trouble leaves them out. */
static int
explain(struct spf_eval *e)
{
	const struct answer *a;
	char name[DOMAIN_TEXT];
	int r;

	if ((r = spf_expand_name(e, e->exp, e->exp_domain, name)) != 1)
		return r == -1;
	if ((a = answers_get(e->answers, name, DNS_TXT)) == NULL)
		return 0;
	if (a->status != DNS_OK || a->n != 1)
		return 1;
	r = spf_expand_text(e, a->rr[0].data, e->exp_domain, e->out->exp,
	    sizeof(e->out->exp));
	return r != 0;
}

static int
error(struct spf_eval *e, int result, const char *why)
{
	e->out->why = why;
	return result;
}

/* ::ffff:1.2.3.4 is 1.2.3.4 (5). */
static void
unmap(struct ipaddr *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (ip->family != 6 || memcmp(ip->b, mapped, 12) != 0)
		return;
	ip->family = 4;
	memmove(ip->b, ip->b + 12, 4);
}
