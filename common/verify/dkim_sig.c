/*
 * One signature: the tags of DKIM-Signature (RFC 6376 3.5, 6.1.1), of
 * ARC-Message-Signature and ARC-Seal (RFC 8617 4.1), and its check once the
 * key is known.  Hashes are the caller's.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "verify/dkim_priv.h"
#include "verify/verify.h"

static const char *sig_algorithm(struct dkim_sig *, struct slice);
static const char *sig_canon(struct dkim_sig *, struct slice);
static const char *sig_fields(struct slice, enum sig_kind);
static const char *sig_times(const struct tags *, int64_t,
		    enum dkim_result *);
static const char *sig_identity(struct dkim_sig *, struct slice);
static const char *sig_body(struct dkim_sig *, const struct tags *);
static const char *sig_dkim(struct dkim_sig *, const struct tags *);
static const char *sig_value(struct dkim_sig *, struct slice);
static int	 name_valid(struct slice);
static int	 canon_name(struct slice, enum dkim_canon *);

const char *
dkim_name(enum dkim_result r)
{
	static const char *const name[] = {
		[DKIM_NONE] = "none", [DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail", [DKIM_POLICY] = "policy",
		[DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror",
		[DKIM_PERMERROR] = "permerror"
	};

	return name[r];
}

int
dkim_sig_parse(const struct tags *t, enum sig_kind kind, int64_t now,
    struct dkim_sig *s)
{
	struct slice d = tags_get(t, "d"), sel = tags_get(t, "s");
	enum dkim_result r = DKIM_PERMERROR;
	const char *why = NULL;

	dkim_sig_clear(s);
	s->limit = UINT64_MAX;
	s->same_domain = 1;
	if (d.p == NULL && sel.p == NULL)
		return -1;
	if (domain_ascii(d, s->out.domain) == -1)
		why = "bad or missing d=";
	else if (domain_ascii(sel, s->out.selector) == -1)
		why = "bad or missing s=";
	else if (snprintf(s->key, sizeof(s->key), "%s._domainkey.%s",
	    s->out.selector, s->out.domain) >= (int)sizeof(s->key))
		why = "name of the key is too long";
	if (why == NULL)
		why = sig_algorithm(s, tags_get(t, "a"));
	if (why == NULL)
		why = sig_value(s, tags_get(t, "b"));
	if (why == NULL && kind != SIG_AS)
		why = sig_body(s, t);
	if (why == NULL && kind != SIG_AS)
		why = sig_fields(tags_get(t, "h"), kind);
	if (why == NULL && kind == SIG_DKIM)
		why = sig_dkim(s, t);
	if (why == NULL)
		why = sig_times(t, now, &r);
	if (why != NULL)
		dkim_sig_set(s, r, why);
	else
		s->open = 1;
	return 0;
}

void
dkim_sig_clear(struct dkim_sig *s)
{
	struct dkim *d = &s->out;

	s->open = 0;
	s->sign = 0;
	s->key[0] = '\0';
	d->result = DKIM_NONE;
	d->why = NULL;
	d->domain[0] = d->selector[0] = d->identity[0] = '\0';
	d->algorithm[0] = d->b[0] = '\0';
	d->bits = d->testing = d->partial = 0;
}

void
dkim_sig_set(struct dkim_sig *s, enum dkim_result r, const char *why)
{
	s->open = 0;
	s->out.result = r;
	s->out.why = why;
}

/* The first record with a good key counts; if there is none, the last one
 * says why (RFC 6376 3.6.2.2 leaves it open). */
int
dkim_sig_verify(struct dkim_sig *s, struct dkim_keys *keys,
    struct answers *answers)
{
	const struct answer *a = answers_get(answers, s->key, DNS_TXT);
	const char *why = "no key";
	struct dkim_key *k = NULL;
	size_t i;

	if (a == NULL)
		return 0;
	if (a->status == DNS_TEMP) {
		dkim_sig_set(s, DKIM_TEMPERROR, "no answer for the key");
		return 1;
	}
	for (i = 0; i < a->n && k == NULL; i++)
		k = dkim_keys_get(keys, a->rr[i].data, &why);
	if (k == NULL) {
		dkim_sig_set(s, DKIM_PERMERROR, why);
		return 1;
	}
	s->out.bits = k->bits;
	s->out.testing = k->testing;
	if (k->ed25519 != (s->alg == ALG_ED25519_SHA256))
		dkim_sig_set(s, DKIM_PERMERROR, "key is of another type");
	else if (k->strict && !s->same_domain)
		dkim_sig_set(s, DKIM_PERMERROR, "key forbids i= below d=");
	else if (dkim_key_verify(k, s->hash, s->sig, s->sign))
		dkim_sig_set(s, DKIM_PASS, NULL);
	else
		dkim_sig_set(s, DKIM_FAIL, "signature does not match");
	return 1;
}

static const char *
sig_algorithm(struct dkim_sig *s, struct slice a)
{
	if (a.p == NULL)
		return "no a=";
	if (slice_is(a, "rsa-sha256"))
		s->alg = ALG_RSA_SHA256;
	else if (slice_is(a, "ed25519-sha256"))
		s->alg = ALG_ED25519_SHA256;
	else
		return slice_is(a, "rsa-sha1") ?
		    "rsa-sha1 counts no more (RFC 8301)" : "unknown a=";
	slice_cpy(a, s->out.algorithm, sizeof(s->out.algorithm));
	return NULL;
}

static const char *
sig_value(struct dkim_sig *s, struct slice b)
{
	ssize_t n = b.p == NULL ? -1 : tag_base64(b, s->sig, sizeof(s->sig));
	size_t i, k;

	if (n <= 0)
		return "bad or missing b=";
	s->sign = (size_t)n;
	for (i = k = 0; i < b.n && k + 1 < sizeof(s->out.b); i++)
		if (b.p[i] > ' ')
			s->out.b[k++] = b.p[i];
	return NULL;
}

/* bh=, c=, l= */
static const char *
sig_body(struct dkim_sig *s, const struct tags *t)
{
	struct slice bh = tags_get(t, "bh"), l = tags_get(t, "l");

	if (bh.p == NULL || tag_base64(bh, s->bh, sizeof(s->bh)) != DKIM_HASH)
		return "bad or missing bh=";
	if (l.p != NULL && slice_number(l, UINT64_MAX - 1, &s->limit) == -1)
		return "bad l=";
	return sig_canon(s, tags_get(t, "c"));
}

static const char *
sig_canon(struct dkim_sig *s, struct slice c)
{
	size_t n = slice_find(c, '/');

	s->header = s->body = DKIM_SIMPLE;
	if (c.p == NULL)
		return NULL;
	if (canon_name(slice_of(c.p, n), &s->header) == -1 || (n < c.n &&
	    canon_name(slice_of(c.p + n + 1, c.n - n - 1), &s->body) == -1))
		return "unknown c=";
	return NULL;
}

static int
canon_name(struct slice c, enum dkim_canon *canon)
{
	*canon = slice_is(c, "relaxed") ? DKIM_RELAXED : DKIM_SIMPLE;
	return *canon == DKIM_RELAXED || slice_is(c, "simple") ? 0 : -1;
}

static const char *
sig_fields(struct slice h, enum sig_kind kind)
{
	struct slice name;
	int n;

	if (h.p == NULL)
		return "no h=";
	if (kind == SIG_AMS)
		return tag_list_has(h, "arc-seal") ? "h= has ARC-Seal" : NULL;
	if (!tag_list_has(h, "from"))
		return "From is not signed";
	for (n = 0; h.n > 0; n++) {
		name = slice_of(h.p, slice_find(h, ':'));
		if (n == DKIM_H_MAX || !name_valid(slice_trim(name)) ||
		    name.n + 1 == h.n)
			return "bad h=";
		h = name.n == h.n ? slice_of(h.p + h.n, 0) :
		    slice_of(h.p + name.n + 1, h.n - name.n - 1);
	}
	return NULL;
}

static int
name_valid(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return 0;
	return s.n > 0;
}

/* What only DKIM-Signature has: v=, q=, i=. */
static const char *
sig_dkim(struct dkim_sig *s, const struct tags *t)
{
	struct slice v = tags_get(t, "v"), q = tags_get(t, "q");

	if (v.p == NULL || !slice_is(v, "1"))
		return "bad or missing v=";
	if (q.p != NULL && !tag_list_has(q, "dns/txt") &&
	    !tag_list_has(q, "dns"))
		return "unknown q=";
	return sig_identity(s, tags_get(t, "i"));
}

static const char *
sig_identity(struct dkim_sig *s, struct slice i)
{
	char domain[DOMAIN_TEXT];
	size_t at, n, k = 0;

	if (i.p == NULL)
		return NULL;
	for (at = i.n; at > 0 && i.p[at - 1] != '@'; at--)
		;
	if (at == 0 || domain_ascii(slice_of(i.p + at, i.n - at), domain) ==
	    -1 || !domain_within(domain, s->out.domain))
		return "i= is not within d=";
	s->same_domain = strcmp(domain, s->out.domain) == 0;
	for (n = 0; n < at && k + 1 < sizeof(s->out.identity); n++)
		if (i.p[n] > ' ' && i.p[n] <= '~')
			s->out.identity[k++] = i.p[n];
	if (k + strlen(domain) < sizeof(s->out.identity))
		memcpy(s->out.identity + k, domain, strlen(domain) + 1);
	else
		s->out.identity[0] = '\0';
	return NULL;
}

static const char *
sig_times(const struct tags *t, int64_t now, enum dkim_result *r)
{
	struct slice ts = tags_get(t, "t"), xs = tags_get(t, "x");
	uint64_t sign = 0, expire;

	if (ts.p != NULL && slice_number(ts, INT64_MAX, &sign) == -1)
		return "bad t=";
	if (ts.p != NULL && (int64_t)sign > now && (int64_t)sign - now >
	    DKIM_SKEW)
		return "signed in the future";
	if (xs.p == NULL)
		return NULL;
	if (slice_number(xs, INT64_MAX, &expire) == -1 ||
	    (ts.p != NULL && expire < sign))
		return "bad x=";
	if ((int64_t)expire > now)
		return NULL;
	*r = DKIM_FAIL;
	return "signature has expired";
}
