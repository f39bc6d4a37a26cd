/*
 * Authenticated Received Chain: validation (RFC 8617 5.2).  Sealing is not
 * built.  A chain is read and hashed in one pass over the header; each seal
 * continues the hash of the one before, so that the work is linear.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "verify/arc_priv.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/fields.h"
#include "verify/verify.h"

struct set {
	struct slice	 aar, ams, seal;	/* whole fields */
	struct slice	 ams_value, seal_value;
};

struct sets {
	int		 n;			/* highest instance */
	struct set	 v[ARC_SETS_MAX];
};

static int	 has_chain(const struct fields *);
static const char *sets_read(struct sets *, const struct fields *);
static const char *sets_put(struct sets *, const struct header_field *);
static int	 instance_tags(struct slice);
static int	 instance_aar(struct slice);
static const char *seals_read(struct arc_chain *, const struct sets *,
		    int64_t);
static const char *seal_read(struct dkim_sig *, struct slice, int, int,
		    int64_t);
static int	 seals_hash(struct arc_chain *, const struct sets *);
static const char *ams_read(struct arc_chain *, const struct set *,
		    struct digest *, struct fields *, int64_t);
static int	 fail(struct arc_chain *, const char *);
static int	 judge(struct arc_chain *, const struct dkim_sig *,
		    const char *);

const char *
arc_name(enum arc_result r)
{
	static const char *const name[] = {
		[ARC_NONE] = "none", [ARC_PASS] = "pass", [ARC_FAIL] = "fail",
		[ARC_TEMPERROR] = "temperror"
	};

	return name[r];
}

int
arc_read(struct arc_chain *c, struct digest *d, struct fields *fields,
    int64_t now)
{
	struct sets *sets;
	struct dkim_sig *v;
	const char *why;

	c->out = (struct arc){ .result = ARC_NONE };
	c->open = 0;
	if (!has_chain(fields))
		return 0;
	if ((sets = calloc(1, sizeof(*sets))) == NULL)
		return -1;
	why = sets_read(sets, fields);
	c->out.n = sets->n;
	if (why == NULL && sets->n > 0) {
		if ((size_t)sets->n > c->room) {
			v = reallocarray(c->seal, (size_t)sets->n, sizeof(*v));
			if (v == NULL) {
				free(sets);
				return -1;
			}
			c->seal = v;
			c->room = (size_t)sets->n;
		}
		c->open = 1;
		why = seals_read(c, sets, now);
		if (why == NULL)
			why = ams_read(c, &sets->v[sets->n - 1], d, fields,
			    now);
		if (why == NULL && seals_hash(c, sets) == -1)
			why = "out of memory";
	}
	if (why != NULL)
		fail(c, why);
	free(sets);
	return 0;
}

void
arc_ask(struct arc_chain *c, struct answers *a)
{
	int i;

	if (!c->open)
		return;
	if (c->ams.open)
		answers_get(a, c->ams.key, DNS_TXT);
	for (i = 0; i < c->out.n; i++)
		answers_get(a, c->seal[i].key, DNS_TXT);
}

int
arc_run(struct arc_chain *c, struct dkim_keys *keys, struct answers *a)
{
	int i;

	if (!c->open)
		return 1;
	if (c->ams.open && dkim_sig_verify(&c->ams, keys, a) == 0)
		return 0;
	if (judge(c, &c->ams, "newest ARC-Message-Signature does not verify"))
		return 1;
	for (i = c->out.n; i-- > 0; ) {
		if (c->seal[i].open &&
		    dkim_sig_verify(&c->seal[i], keys, a) == 0)
			return 0;
		if (judge(c, &c->seal[i], "an ARC-Seal does not verify"))
			return 1;
	}
	c->open = 0;
	c->out.result = ARC_PASS;
	return 1;
}

void
arc_free(struct arc_chain *c)
{
	free(c->seal);
	c->seal = NULL;
	c->room = 0;
}

static int
has_chain(const struct fields *fields)
{
	size_t i;

	for (i = 0; i < fields->n; i++)
		if (slice_casestarts(fields->v[i].f.name, "ARC-"))
			return 1;
	return 0;
}

/* NULL, or what is wrong with the structure (5.2 step 3). */
static const char *
sets_read(struct sets *sets, const struct fields *fields)
{
	const char *why;
	size_t n;
	int i;

	for (n = 0; n < fields->n; n++) {
		if (!slice_casestarts(fields->v[n].f.name, "ARC-"))
			continue;
		if ((why = sets_put(sets, &fields->v[n].f)) != NULL)
			return why;
	}
	for (i = 0; i < sets->n; i++)
		if (sets->v[i].aar.p == NULL || sets->v[i].ams.p == NULL ||
		    sets->v[i].seal.p == NULL)
			return "a field of a set is missing";
	return NULL;
}

static const char *
sets_put(struct sets *sets, const struct header_field *f)
{
	struct slice *raw, *value = NULL;
	struct set *set, none;
	int i;

	if (slice_caseis(f->name, "ARC-Authentication-Results"))
		i = instance_aar(f->value);
	else if (slice_caseis(f->name, "ARC-Message-Signature") ||
	    slice_caseis(f->name, "ARC-Seal"))
		i = f->raw.n > DKIM_FIELD_MAX ? -1 : instance_tags(f->value);
	else
		return NULL;
	if (i > sets->n)
		sets->n = i;
	else if (i == -1 && sets->n == 0)
		sets->n = 1;	/* there is a chain, broken */
	set = i == -1 ? &none : &sets->v[i - 1];
	if (slice_caseis(f->name, "ARC-Seal")) {
		raw = &set->seal;
		value = &set->seal_value;
	} else if (slice_caseis(f->name, "ARC-Message-Signature")) {
		raw = &set->ams;
		value = &set->ams_value;
	} else
		raw = &set->aar;
	if (i == -1)
		return "bad instance";
	if (raw->p != NULL)
		return "a field of a set is there twice";
	*raw = f->raw;
	if (value != NULL)
		*value = f->value;
	return NULL;
}

static int
instance_tags(struct slice value)
{
	struct tags t;
	const char *why;
	struct slice i;
	uint64_t n;

	if (tags_parse(value, &t, &why) == -1)
		return -1;
	i = tags_get(&t, "i");
	if (i.p == NULL || slice_number(i, ARC_SETS_MAX, &n) == -1 || n == 0)
		return -1;
	return (int)n;
}

/* "i=1; ..." (4.1.1) */
static int
instance_aar(struct slice value)
{
	struct slice tag = slice_of(value.p, slice_find(value, ';')), name;
	uint64_t n;
	size_t eq = slice_find(tag, '=');

	name = slice_trim(slice_of(tag.p, eq));
	if (tag.n == value.n || eq == tag.n || !slice_is(name, "i") ||
	    slice_number(slice_trim(slice_of(tag.p + eq + 1,
	    tag.n - eq - 1)), ARC_SETS_MAX, &n) == -1 || n == 0)
		return -1;
	return (int)n;
}

static const char *
seals_read(struct arc_chain *c, const struct sets *sets, int64_t now)
{
	const char *why;
	int i;

	for (i = sets->n; i-- > 0; ) {
		why = seal_read(&c->seal[i], sets->v[i].seal_value, i + 1,
		    sets->n, now);
		if (i + 1 == sets->n) {
			memcpy(c->out.domain, c->seal[i].out.domain,
			    sizeof(c->out.domain));
			memcpy(c->out.selector, c->seal[i].out.selector,
			    sizeof(c->out.selector));
		}
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* The tags of ARC-Seal (4.1.3); cv= says what the sealer before found. */
static const char *
seal_read(struct dkim_sig *s, struct slice value, int i, int n, int64_t now)
{
	struct slice cv;
	struct tags t;
	const char *why;

	dkim_sig_clear(s);
	if (tags_parse(value, &t, &why) == -1)
		return why;
	if (dkim_sig_parse(&t, SIG_AS, now, s) == -1)
		return "ARC-Seal without d= and s=";
	if (!s->open)
		return s->out.why;
	if (tags_get(&t, "h").p != NULL)
		return "ARC-Seal with h=";
	cv = tags_get(&t, "cv");
	if (cv.p != NULL && slice_is(cv, "fail") && i == n)
		return "the sealer before found it broken";
	if (cv.p == NULL || !slice_is(cv, i == 1 ? "none" : "pass"))
		return "wrong cv=";
	return NULL;
}

/* Each seal covers its set and all before it, relaxed (5.1.1). */
static int
seals_hash(struct arc_chain *c, const struct sets *sets)
{
	struct digest *d = calloc(2, sizeof(*d));
	const struct set *set;
	int i, rc = -1;

	if (d == NULL || digest_start(&d[0]) == -1)
		goto out;
	for (i = 0; i < sets->n; i++) {
		set = &sets->v[i];
		dkim_field_put(&d[0], set->aar, DKIM_RELAXED, 1);
		dkim_field_put(&d[0], set->ams, DKIM_RELAXED, 1);
		if (digest_copy(&d[1], &d[0]) == -1 ||
		    dkim_sig_put(&d[1], set->seal, DKIM_RELAXED) == -1 ||
		    digest_end(&d[1], c->seal[i].hash) == -1)
			goto out;
		dkim_field_put(&d[0], set->seal, DKIM_RELAXED, 1);
	}
	rc = d[0].bad ? -1 : 0;
out:
	if (d != NULL) {
		digest_free(&d[0]);
		digest_free(&d[1]);
	}
	free(d);
	return rc;
}

static const char *
ams_read(struct arc_chain *c, const struct set *set, struct digest *d,
    struct fields *fields, int64_t now)
{
	struct tags t;
	const char *why;

	dkim_sig_clear(&c->ams);
	if (tags_parse(set->ams_value, &t, &why) == -1)
		return why;
	if (dkim_sig_parse(&t, SIG_AMS, now, &c->ams) == -1)
		return "ARC-Message-Signature without d= and s=";
	if (!c->ams.open)
		return c->ams.out.why;
	return dkim_fields_hash(d, fields, tags_get(&t, "h"), set->ams,
	    c->ams.header, c->ams.hash) == -1 ? "too many names in h=" : NULL;
}

static int
fail(struct arc_chain *c, const char *why)
{
	c->open = 0;
	c->out.result = ARC_FAIL;
	c->out.why = why;
	return 1;
}

/* 1: this signature decides the chain. */
static int
judge(struct arc_chain *c, const struct dkim_sig *s, const char *why)
{
	if (s->out.result == DKIM_PASS)
		return 0;
	fail(c, s->out.why != NULL ? s->out.why : why);
	if (s->out.result == DKIM_TEMPERROR)
		c->out.result = ARC_TEMPERROR;
	return 1;
}
