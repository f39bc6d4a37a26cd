/*
 * DMARC evaluation (RFC 9989 4.10, 5.3): author domain, record, alignment of
 * what SPF and DKIM authenticated, and the policy asked for.
 */
#include "base/compat.h"

#include <string.h>

#include "verify/dmarc_priv.h"
#include "verify/verify.h"

/* All that one evaluation needs. */
struct eval {
	struct answers	*answers;
	const struct dmarc_id *spf, *dkim;
	size_t		 ndkim;
	struct dmarc	*out;
	struct dmarc_walk walk;		/* of the author domain */
	int		 temp;		/* an identifier might have aligned */
};

static int	 run_author(struct eval *, const char *);
static int	 find_policy(struct eval *, const char *);
static int	 set_policy(struct eval *, const char *, const char *,
		    const struct dmarc_record *);
static int	 align_all(struct eval *, const char *);
static int	 align_one(struct eval *, const struct dmarc_id *,
		    const char *, int, int *);
static int	 done(struct dmarc *, enum dmarc_result, const char *);
static int	 rank(const struct dmarc *);

int
dmarc_run(const struct dmarc_authors *au, const struct dmarc_id *spf,
    const struct dmarc_id *dkim, size_t ndkim, struct answers *a,
    struct dmarc *out)
{
	static const char *const why[] = {
		[DMARC_FROM_OK] = NULL, [DMARC_FROM_MANY] = NULL,
		[DMARC_FROM_MISSING] = "no From field",
		[DMARC_FROM_TWICE] = "more than one From field",
		[DMARC_FROM_EMPTY] = "no domain in From",
		[DMARC_FROM_EXCESS] = "too many domains in From"
	};
	struct dmarc one;
	struct eval e = { .answers = a, .spf = spf, .dkim = dkim,
	    .ndkim = ndkim, .out = &one };
	size_t i;
	int more = 0;

	*out = (struct dmarc){ .result = DMARC_PERMERROR,
	    .why = why[au->from] };
	for (i = 0; i < au->n; i++) {
		one = (struct dmarc){ .adkim = 'r', .aspf = 'r', .psd = 'u' };
		memcpy(one.author, au->domain[i], sizeof(one.author));
		memcpy(one.org, au->domain[i], sizeof(one.org));
		e.temp = 0;
		if (run_author(&e, au->domain[i]) == 0)
			more = 1;
		else if ((i == 0 && out->why == NULL) ||
		    rank(&one) > rank(out))
			*out = one;
	}
	out->from = au->from;
	return !more;
}

const char *
dmarc_name(enum dmarc_result r)
{
	static const char *const name[] = {
		[DMARC_NONE] = "none", [DMARC_PASS] = "pass",
		[DMARC_FAIL] = "fail", [DMARC_TEMPERROR] = "temperror",
		[DMARC_PERMERROR] = "permerror"
	};

	return name[r];
}

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const name[] = {
		[DMARC_P_NONE] = "none", [DMARC_P_QUARANTINE] = "quarantine",
		[DMARC_P_REJECT] = "reject"
	};

	return name[p];
}

/* 1 decided, 0 questions. */
static int
run_author(struct eval *e, const char *author)
{
	struct dmarc *out = e->out;
	int r;

	if ((r = dmarc_walk(e->answers, author, &e->walk)) == 0)
		return 0;
	memcpy(out->org, e->walk.org, strlen(e->walk.org) + 1);
	if ((r = find_policy(e, author)) != -1)
		return r;
	if (align_all(e, author) == 0)
		return 0;
	if (out->spf_aligned || out->dkim_aligned)
		return done(out, DMARC_PASS, NULL);
	return e->temp ? done(out, DMARC_TEMPERROR,
	    "an identifier could not be checked for now") :
	    done(out, DMARC_FAIL, "nothing that passed aligns");
}

/* -1: there is a policy to apply; else as run_author. */
static int
find_policy(struct eval *e, const char *author)
{
	switch (e->walk.own) {
	case DMARC_MORE:
		return 0;
	case DMARC_TEMP:
		return done(e->out, DMARC_TEMPERROR, "no answer from the DNS");
	case DMARC_TWO:
		return done(e->out, DMARC_NONE, "more than one record");
	case DMARC_BROKEN:
		memcpy(e->out->at, author, strlen(author) + 1);
		return done(e->out, DMARC_PERMERROR, e->walk.why);
	case DMARC_RECORD:
		return set_policy(e, author, author, &e->walk.own_record);
	case DMARC_ABSENT:
		break;
	}
	if (e->walk.at == NULL)
		return e->walk.temp ? done(e->out, DMARC_TEMPERROR,
		    "no answer from the DNS") :
		    done(e->out, DMARC_NONE, "no record");
	return set_policy(e, author, e->walk.at, &e->walk.record);
}

/* p, sp or np (4.10.1); a domain that does not exist: NXDOMAIN (3.2.13). */
static int
set_policy(struct eval *e, const char *author, const char *at,
    const struct dmarc_record *r)
{
	const struct answer *a;
	struct dmarc *out = e->out;
	int absent = 0;

	memcpy(out->at, at, strlen(at) + 1);
	if (!r->usable)
		return done(out, DMARC_NONE, "record without policy");
	if (at != author && r->np != r->sp) {
		if ((a = answers_get(e->answers, author, DNS_A)) == NULL)
			return 0;
		if (a->status == DNS_TEMP)
			return done(out, DMARC_TEMPERROR,
			    "no answer from the DNS");
		absent = a->status == DNS_NXDOMAIN;
	}
	out->tag = at == author ? 'p' : absent ? 'n' : 's';
	out->published = at == author ? r->p : absent ? r->np : r->sp;
	out->policy = out->published;
	if (r->t && out->policy != DMARC_P_NONE)
		out->policy--;		/* one step softer (4.7, "t") */
	out->testing = r->t;
	out->adkim = r->adkim;
	out->aspf = r->aspf;
	out->psd = r->psd;
	out->fo = r->fo;
	out->record = r->text;
	out->rua = r->rua;
	out->ruf = r->ruf;
	return -1;
}

static int
align_all(struct eval *e, const char *author)
{
	size_t i;
	int more = 0;

	if (e->spf != NULL && e->spf->domain != NULL)
		more |= !align_one(e, e->spf, author, e->out->aspf,
		    &e->out->spf_aligned);
	for (i = 0; i < e->ndkim && i < DMARC_IDS; i++)
		more |= !align_one(e, &e->dkim[i], author, e->out->adkim,
		    &e->out->dkim_aligned);
	/* One that aligns is enough. */
	return !more || e->out->spf_aligned || e->out->dkim_aligned;
}

/*
 * 0: questions.  What is outside the author's organizational domain cannot
 * have the same one, so that no foreign name is ever walked.
 */
static int
align_one(struct eval *e, const struct dmarc_id *id, const char *author,
    int how, int *aligned)
{
	struct dmarc_walk w;
	int same = strcmp(id->domain, author) == 0;

	if ((!id->pass && !id->temp) || *aligned)
		return 1;
	if (!same && how == 's')
		return 1;
	if (!same && !domain_within(id->domain, e->walk.org)) {
		e->temp |= e->walk.temp;	/* it may be higher up */
		return 1;
	}
	if (!same && strcmp(id->domain, e->walk.org) != 0) {
		if (dmarc_walk(e->answers, id->domain, &w) == 0)
			return 0;
		if (strcmp(w.org, e->walk.org) != 0) {
			e->temp |= w.temp;
			return 1;
		}
	}
	if (id->pass)
		*aligned = 1;
	else
		e->temp = 1;
	return 1;
}

static int
done(struct dmarc *out, enum dmarc_result r, const char *why)
{
	out->result = r;
	out->why = why;
	return 1;
}

/* Of several authors, the strictest outcome counts. */
static int
rank(const struct dmarc *d)
{
	switch (d->result) {
	case DMARC_PASS:
		return 1;
	case DMARC_NONE:
		return 2;
	case DMARC_PERMERROR:
		return 3;
	case DMARC_TEMPERROR:
		return 5;
	case DMARC_FAIL:
		break;
	}
	return d->policy == DMARC_P_NONE ? 4 : 6 + (d->policy ==
	    DMARC_P_REJECT);
}
