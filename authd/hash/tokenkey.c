/*
 * The keys that tokens are verified with: a JSON Web Key Set (RFC 7517), as
 * issuers publish it, from the configured file.  Public keys alone, RSA of
 * 2048 bits or more and P-256; what else is there is for others.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/base64.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/hash/pwhash.h"

#define FILE_OCTETS	(256 * 1024)
#define KEYS_MAX	32
#define RSA_OCTETS_MIN	256
#define RSA_OCTETS_MAX	1024
#define P256_OCTETS	32

static struct {
	struct token_key key[KEYS_MAX];
	size_t		 n;
} st;

const struct token_key *
token_key(size_t i)
{
	return i < st.n ? &st.key[i] : NULL;
}

/* A member that is base64url of octets; their number, 0: it is none. */
static size_t
octets(const json_t *jwk, const char *name, uint8_t *out, size_t size)
{
	const json_t *j = json_object_get(jwk, name);
	ssize_t n = json_is_string(j) ? base64url_decode(json_string_value(j),
	    json_string_length(j), out, size) : -1;

	return n > 0 ? (size_t)n : 0;
}

static EVP_PKEY *
pkey_make(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params == NULL || ctx == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey,
	    EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *
rsa_make(const json_t *jwk)
{
	uint8_t n[RSA_OCTETS_MAX], e[8];
	size_t nn = octets(jwk, "n", n, sizeof(n));
	size_t en = octets(jwk, "e", e, sizeof(e));
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn(n, (int)nn, NULL);
	BIGNUM *be = BN_bin2bn(e, (int)en, NULL);
	EVP_PKEY *pkey = NULL;

	if (bld != NULL && bn != NULL && be != NULL && en > 0 &&
	    BN_num_bits(bn) >= RSA_OCTETS_MIN * 8 && BN_is_odd(be) &&
	    !BN_is_one(be) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		pkey = pkey_make("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return pkey;
}

static EVP_PKEY *
p256_make(const json_t *jwk)
{
	static const char group[] = "prime256v1";
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	uint8_t point[1 + 2 * P256_OCTETS] = { 0x04 };	/* both, SEC 1 2.3.3 */
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (bld != NULL && crv != NULL && strcmp(crv, "P-256") == 0 &&
	    octets(jwk, "x", point + 1, P256_OCTETS) == P256_OCTETS &&
	    octets(jwk, "y", point + 1 + P256_OCTETS, P256_OCTETS) ==
	    P256_OCTETS &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
	    group, sizeof(group) - 1) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point, sizeof(point)) == 1)
		pkey = pkey_make("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

/* Is it there and something else? */
static bool
differs(const json_t *jwk, const char *name, const char *want)
{
	const json_t *j = json_object_get(jwk, name);
	const char *s = json_string_value(j);

	return j != NULL && (s == NULL || strcmp(s, want) != 0);
}

/* false: it is for others, or not right. */
static bool
key_take(const json_t *jwk, struct token_key *k)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	const char *kid = json_string_value(json_object_get(jwk, "kid"));

	*k = (struct token_key){ .alg = TOKEN_RS256 };
	if (kty == NULL || differs(jwk, "use", "sig") ||
	    (kid != NULL && strlcpy(k->kid, kid, sizeof(k->kid)) >=
	    sizeof(k->kid)))
		return false;
	if (strcmp(kty, "RSA") == 0 && !differs(jwk, "alg", "RS256"))
		k->pkey = rsa_make(jwk);
	else if (strcmp(kty, "EC") == 0 && !differs(jwk, "alg", "ES256")) {
		k->alg = TOKEN_ES256;
		k->pkey = p256_make(jwk);
	}
	return k->pkey != NULL;
}

static void
keys_forget(void)
{
	size_t i;

	for (i = 0; i < st.n; i++)
		EVP_PKEY_free(st.key[i].pkey);
	memset(&st, 0, sizeof(st));
}

/* Takes a set, or a lone key. */
static void
keys_take(const json_t *set)
{
	const json_t *list = json_object_get(set, "keys");
	size_t i;

	for (i = 0; i < json_array_size(list) && st.n < KEYS_MAX; i++)
		if (key_take(json_array_get(list, i), &st.key[st.n]))
			st.n++;
	if (list == NULL && key_take(set, &st.key[0]))
		st.n = 1;
}

void
token_keys(struct slice name, int fd)
{
	json_t *set = NULL;
	size_t n = 0;
	char *text;

	keys_forget();
	if ((text = read_fd(fd, FILE_OCTETS, &n)) != NULL)
		set = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	keys_take(set);
	json_decref(set);
	free(text);
	if (st.n == 0)
		log_warnx("%s: no public key of RSA (2048 bits) or P-256 in "
		    "it, all tokens are refused", log_text(name.p, name.n));
	else
		log_info("tokens keys=%zu", st.n);
}
