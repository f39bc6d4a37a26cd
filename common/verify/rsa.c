/*
 * RSASSA-PKCS1-v1_5 verification with SHA-256 (RFC 8017 8.2.2) over the
 * numbers of libcrypto, for dkim_key.c.  Everything here is public, so nothing
 * need take constant time.  RSA_verify() works out less in advance and takes a
 * quarter longer, which is half of what the rest of a verdict costs.
 *
 * What a signature must decode to is made whole and compared whole: nothing
 * in it is parsed, so there is nothing that a forger could hide.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>

#include "base/slice.h"
#include "verify/rsa.h"
#include "verify/verify.h"

#define OCTETS_MAX	(DKIM_RSA_MAX / 8)
#define F4		65537	/* the exponent of nearly all keys */
#define F4_SQUARINGS	16

struct rsa_key {
	size_t		 size;		/* octets of the modulus */
	BIGNUM		*n, *e;
	BIGNUM		*s, *x;		/* scratch */
	BN_CTX		*ctx;
	BN_MONT_CTX	*mont;
};

static int	 power(struct rsa_key *);
static int	 encode(const uint8_t *, uint8_t *, size_t);

struct rsa_key *
rsa_key_new(struct slice modulus, struct slice exponent)
{
	struct rsa_key *k;

	if (modulus.n > OCTETS_MAX || exponent.n > OCTETS_MAX ||
	    (k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	k->n = BN_bin2bn((const uint8_t *)modulus.p, (int)modulus.n, NULL);
	k->e = BN_bin2bn((const uint8_t *)exponent.p, (int)exponent.n, NULL);
	k->s = BN_new();
	k->x = BN_new();
	k->ctx = BN_CTX_new();
	k->mont = BN_MONT_CTX_new();
	if (k->n == NULL || k->e == NULL || k->s == NULL || k->x == NULL ||
	    k->ctx == NULL || k->mont == NULL || !BN_is_odd(k->n) ||
	    BN_MONT_CTX_set(k->mont, k->n, k->ctx) != 1) {
		rsa_key_free(k);
		return NULL;
	}
	k->size = (size_t)BN_num_bytes(k->n);
	return k;
}

int
rsa_key_verify(struct rsa_key *k, const uint8_t hash[DKIM_HASH],
    const uint8_t *sig, size_t n)
{
	uint8_t want[OCTETS_MAX], got[OCTETS_MAX];

	return n == k->size && BN_bin2bn(sig, (int)n, k->s) != NULL &&
	    BN_ucmp(k->s, k->n) < 0 && power(k) == 0 &&
	    BN_bn2binpad(k->x, got, (int)n) == (int)n &&
	    encode(hash, want, n) == 0 && memcmp(got, want, n) == 0;
}

void
rsa_key_free(struct rsa_key *k)
{
	if (k == NULL)
		return;
	BN_free(k->n);
	BN_free(k->e);
	BN_free(k->s);
	BN_free(k->x);
	BN_CTX_free(k->ctx);
	BN_MONT_CTX_free(k->mont);
	free(k);
}

/*
 * x = s ^ e mod n.  In Montgomery form a product of xR and yR is xyR; the last
 * one, of xR and plain s, takes the R out.
 */
static int
power(struct rsa_key *k)
{
	int i, ok;

	if (!BN_is_word(k->e, F4))
		return BN_mod_exp_mont(k->x, k->s, k->e, k->n, k->ctx,
		    k->mont) == 1 ? 0 : -1;
	ok = BN_to_montgomery(k->x, k->s, k->mont, k->ctx) == 1;
	for (i = 0; i < F4_SQUARINGS; i++)
		ok = ok && BN_mod_mul_montgomery(k->x, k->x, k->x, k->mont,
		    k->ctx) == 1;
	return ok && BN_mod_mul_montgomery(k->x, k->x, k->s, k->mont,
	    k->ctx) == 1 ? 0 : -1;
}

/* EMSA-PKCS1-v1_5 (RFC 8017 9.2): 0 1 ff ... ff 0 DigestInfo hash. */
static int
encode(const uint8_t *hash, uint8_t *out, size_t n)
{
	static const uint8_t info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
	    0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
	    0x04, 0x20 };
	size_t tail = sizeof(info) + DKIM_HASH;

	if (n < tail + 11)
		return -1;
	memset(out, 0xff, n - tail);
	out[0] = 0;
	out[1] = 1;
	out[n - tail - 1] = 0;
	memcpy(out + n - tail, info, sizeof(info));
	memcpy(out + n - DKIM_HASH, hash, DKIM_HASH);
	return 0;
}
