/*
 * Bearer tokens that are JSON Web Tokens (RFC 7519), signed by RS256 or ES256
 * (RFC 7518) with a key of the configured file.  Whoever may send a login may
 * send a token: each part has a bound, and nothing of it is believed before
 * the signature is right.  What the key's owner signed for another service,
 * or of another issuer, is nobody's here.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/sasl.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/hash/pwhash.h"

#define PART_MAX	8192	/* octets of one, decoded */
#define SKEW		60	/* s that other clocks may be off */
#define AUDIENCES_MAX	32	/* that one token may name */

/* The parts of a token, and the first two decoded. */
struct token {
	struct slice	 signed_;	/* header and claims, as they came */
	json_t		*header, *claims;
	uint8_t		 sig[PART_MAX];
	size_t		 sign;
};

static const char *token_take(struct slice, struct token *);
static const char *token_signed(const struct token *);
static const char *token_claims(const json_t *, uint64_t now);
static const char *token_times(const json_t *, double now);
static bool	 token_audience(const json_t *, const char *);
static const char *token_user(const json_t *, char *);

const char *
token_check(struct slice text, uint64_t now, char user[SASL_FIELD_MAX + 1])
{
	struct token t = { .header = NULL };
	const char *why;

	if ((why = token_take(text, &t)) == NULL &&
	    (why = token_signed(&t)) == NULL &&
	    (why = token_claims(t.claims, now)) == NULL)
		why = token_user(t.claims, user);
	json_decref(t.header);
	json_decref(t.claims);
	return why;
}

/* ---- its form ------------------------------------------------------------ */

/* JSON of an object, every name once.  NULL: it is none. */
static json_t *
object_take(struct slice b64)
{
	char text[PART_MAX];
	ssize_t n = base64url_decode(b64.p, b64.n, text, sizeof(text));
	json_t *j;

	if (n == -1)
		return NULL;
	j = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static const char *
token_take(struct slice in, struct token *t)
{
	size_t one = slice_find(in, '.'), two;
	struct slice rest;
	ssize_t n;

	if (one == in.n)
		return "it is no JSON Web Token";
	rest = slice_of(in.p + one + 1, in.n - one - 1);
	two = slice_find(rest, '.');
	if (two == rest.n)
		return "it is no JSON Web Token";
	t->signed_ = slice_of(in.p, one + 1 + two);
	t->header = object_take(slice_of(in.p, one));
	t->claims = object_take(slice_of(rest.p, two));
	n = base64url_decode(rest.p + two + 1, rest.n - two - 1, t->sig,
	    sizeof(t->sig));
	if (t->header == NULL || t->claims == NULL || n <= 0)
		return "it is no JSON Web Token";
	t->sign = (size_t)n;
	return NULL;
}

/* ---- the signature ------------------------------------------------------- */

/* Of ES256 it is two numbers of 32 octets (RFC 7518 3.4), which the library
 * wants in DER.  Its length, 0: it is none. */
static size_t
es256_der(const uint8_t *sig, size_t n, uint8_t *der, size_t size)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, 32, NULL);
	BIGNUM *v = n == 64 ? BN_bin2bn(sig + 32, 32, NULL) : NULL;
	int len = 0;

	if (s == NULL || r == NULL || v == NULL ||
	    ECDSA_SIG_set0(s, r, v) != 1) {
		BN_free(r);
		BN_free(v);
	} else if ((len = i2d_ECDSA_SIG(s, NULL)) > 0 && (size_t)len <= size)
		len = i2d_ECDSA_SIG(s, &der);
	else
		len = 0;
	ECDSA_SIG_free(s);
	return len > 0 ? (size_t)len : 0;
}

static bool
signature_right(const struct token *t, const struct token_key *key)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const uint8_t *sig = t->sig;
	size_t n = t->sign;
	uint8_t der[80];
	bool ok;

	if (key->alg == TOKEN_ES256) {
		n = n == 64 ? es256_der(t->sig, n, der, sizeof(der)) : 0;
		sig = der;
	}
	ok = n > 0 && md != NULL && EVP_DigestVerifyInit(md, NULL,
	    EVP_sha256(), NULL, key->pkey) == 1 && EVP_DigestVerify(md, sig,
	    n, (const uint8_t *)t->signed_.p, t->signed_.n) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* By a key of ours, of the kind that the header names; a header that wants
 * what we do not know of (crit, RFC 7515 4.1.11) is not understood. */
static const char *
token_signed(const struct token *t)
{
	const char *alg = json_string_value(json_object_get(t->header, "alg"));
	const char *kid = json_string_value(json_object_get(t->header, "kid"));
	const struct token_key *key;
	bool tried = false;
	size_t i;

	if (alg == NULL || json_object_get(t->header, "crit") != NULL)
		return "its header is not understood";
	for (i = 0; (key = token_key(i)) != NULL; i++) {
		if (strcmp(alg, key->alg == TOKEN_ES256 ? "ES256" :
		    "RS256") != 0 || (kid != NULL && key->kid[0] != '\0' &&
		    strcmp(kid, key->kid) != 0))
			continue;
		tried = true;
		if (signature_right(t, key))
			return NULL;
	}
	return tried ? "its signature is wrong" :
	    "no key of ours is the one it names";
}

/* ---- its claims ---------------------------------------------------------- */

static const char *
token_claims(const json_t *claims, uint64_t now)
{
	const struct conf *conf = proc_conf();
	const char *iss = json_string_value(json_object_get(claims, "iss"));

	if (iss == NULL || conf->oauth.issuer == NULL ||
	    strcmp(iss, conf->oauth.issuer) != 0)
		return "it is of another issuer";
	if (conf->oauth.audience == NULL ||
	    !token_audience(json_object_get(claims, "aud"),
	    conf->oauth.audience))
		return "it is for another service";
	return token_times(claims, (double)now);
}

/* It has an end, which is to come; what it says of its beginning is past. */
static const char *
token_times(const json_t *claims, double now)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");
	const json_t *iat = json_object_get(claims, "iat");

	if (!json_is_number(exp))
		return "it does not say how long it is good";
	if (!(json_number_value(exp) > now - SKEW))
		return "its time is over";
	if ((nbf != NULL && (!json_is_number(nbf) ||
	    !(json_number_value(nbf) <= now + SKEW))) ||
	    (iat != NULL && (!json_is_number(iat) ||
	    !(json_number_value(iat) <= now + SKEW))))
		return "its time is to come";
	return NULL;
}

static bool
token_audience(const json_t *aud, const char *ours)
{
	const char *s = json_string_value(aud);
	size_t i;

	if (s != NULL)
		return strcmp(s, ours) == 0;
	if (json_array_size(aud) > AUDIENCES_MAX)
		return false;
	for (i = 0; i < json_array_size(aud); i++) {
		s = json_string_value(json_array_get(aud, i));
		if (s != NULL && strcmp(s, ours) == 0)
			return true;
	}
	return false;
}

/* An address that its issuer has not verified is what somebody typed. */
static const char *
token_user(const json_t *claims, char *user)
{
	const json_t *j = json_object_get(claims, proc_conf()->oauth.claim);
	const json_t *verified = json_object_get(claims, "email_verified");
	struct slice s = slice_of(json_string_value(j),
	    json_string_length(j));

	if (strcmp(proc_conf()->oauth.claim, "email") == 0 &&
	    verified != NULL && !json_is_true(verified))
		return "its address is not verified";
	if (s.p == NULL || !sasl_field_valid(s) ||
	    slice_cpy(s, user, SASL_FIELD_MAX + 1) == -1)
		return "it names nobody";
	return NULL;
}
