/*
 * DKIM key records (RFC 6376 3.6.1, RFC 8301, RFC 8463) and the check of a
 * signature with such a key.  The key's DER is read here, strictly and in
 * few lines: libcrypto's general decoders see nothing from the DNS, and cost
 * five times what the signature does.
 */
#include "base/compat.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/slice.h"
#include "verify/dkim_priv.h"
#include "verify/rsa.h"
#include "verify/verify.h"

#define ED25519_KEY	32	/* octets */
#define ED25519_SIG	64
#define EXPONENT_MAX	5	/* octets of a public exponent */
#define DER_INTEGER	0x02
#define DER_BITSTRING	0x03
#define DER_SEQUENCE	0x30

static const char *key_tags(const struct tags *, struct dkim_key *);
static const char *key_data(struct slice, struct dkim_key *);
static int	 rsa_numbers(struct dkim_key *);
static int	 bits_of(struct slice);
static uint64_t	 record_mark(struct slice);
static int	 der_take(struct slice *, int, struct slice *);
static int	 der_number(struct slice *, struct slice *);
static int	 rsa_verify(struct dkim_key *, const uint8_t *,
		    const uint8_t *, size_t);
static int	 ed25519_verify(const struct dkim_key *, const uint8_t *,
		    const uint8_t *, size_t);

int
dkim_key_check(struct slice record, int *bits, const char **why)
{
	struct dkim_key k;

	*bits = 0;
	if (dkim_key_parse(record, &k, why) == -1)
		return -1;
	*bits = k.bits;
	return 0;
}

int
dkim_key_proves(struct slice record, int ed25519, const uint8_t hash[DKIM_HASH],
    const uint8_t *sig, size_t n, const char **why)
{
	struct dkim_key k = { .rsa = NULL };
	int ok;

	if (dkim_key_parse(record, &k, why) == -1)
		return 0;
	*why = "another key";
	ok = k.ed25519 == ed25519 && dkim_key_verify(&k, hash, sig, n);
	rsa_key_free(k.rsa);
	return ok;
}

int
dkim_key_parse(struct slice record, struct dkim_key *k, const char **why)
{
	struct tags t;

	k->ed25519 = k->testing = k->strict = k->bits = 0;
	k->n = 0;
	if (tags_parse(record, &t, why) == -1)
		return -1;
	*why = key_tags(&t, k);
	return *why == NULL ? 0 : -1;
}

struct dkim_key *
dkim_keys_get(struct dkim_keys *keys, struct slice record, const char **why)
{
	uint64_t mark = record_mark(record);
	size_t i;

	for (i = 0; i < KEYS_MAX; i++)
		if (keys->mark[i] == mark && keys->v[i].n == record.n &&
		    record.n > 0 && memcmp(keys->v[i].record, record.p,
		    record.n) == 0)
			return &keys->v[i].key;
	i = keys->next;
	rsa_key_free(keys->v[i].key.rsa);
	keys->v[i].key.rsa = NULL;
	keys->v[i].n = 0;
	if (dkim_key_parse(record, &keys->v[i].key, why) == -1)
		return NULL;
	keys->next = (i + 1) % KEYS_MAX;
	keys->mark[i] = mark;
	if (record.n <= KEYS_RECORD) {
		memcpy(keys->v[i].record, record.p, record.n);
		keys->v[i].n = record.n;
	}
	return &keys->v[i].key;
}

/* Octets from the middle, where keys differ; records are compared whole. */
static uint64_t
record_mark(struct slice record)
{
	uint64_t mark = 0;

	if (record.n >= 2 * sizeof(mark))
		memcpy(&mark, record.p + record.n / 2, sizeof(mark));
	return mark;
}

void
dkim_keys_free(struct dkim_keys *keys)
{
	size_t i;

	for (i = 0; i < KEYS_MAX; i++)
		rsa_key_free(keys->v[i].key.rsa);
}

int
dkim_key_verify(struct dkim_key *k, const uint8_t hash[DKIM_HASH],
    const uint8_t *sig, size_t n)
{
	int ok = k->ed25519 ? ed25519_verify(k, hash, sig, n) :
	    rsa_verify(k, hash, sig, n);

	if (!ok)	/* the queue is the whole thread's, TLS reads it too */
		ERR_clear_error();
	return ok;
}

/* NULL, or what is wrong. */
static const char *
key_tags(const struct tags *t, struct dkim_key *k)
{
	struct slice v = tags_get(t, "v"), type = tags_get(t, "k"), list;

	if (v.p != NULL && (!slice_is(v, "DKIM1") ||
	    !slice_is(t->v[0].name, "v")))
		return "key of another version";
	if (type.p != NULL && slice_is(type, "ed25519"))
		k->ed25519 = 1;
	else if (type.p != NULL && !slice_is(type, "rsa"))
		return "key of an unknown type";
	if ((list = tags_get(t, "h")).p != NULL &&
	    !tag_list_has(list, "sha256"))
		return "key does not allow sha256";
	if ((list = tags_get(t, "s")).p != NULL && !tag_list_has(list, "*") &&
	    !tag_list_has(list, "email"))
		return "key is not for mail";
	if ((list = tags_get(t, "t")).p != NULL) {
		k->testing = tag_list_has(list, "y");
		k->strict = tag_list_has(list, "s");
	}
	v = tags_get(t, "p");
	return v.p == NULL ? "record has no key" : v.n == 0 ?
	    "key is revoked" : key_data(v, k);
}

static const char *
key_data(struct slice p, struct dkim_key *k)
{
	ssize_t n = tag_base64(p, k->data, sizeof(k->data));

	if (n <= 0)
		return "key is not base64";
	k->n = (size_t)n;
	if (k->ed25519) {
		k->bits = 8 * ED25519_KEY;
		return k->n == ED25519_KEY ? NULL : "bad ed25519 key";
	}
	if (rsa_numbers(k) == -1)
		return "bad rsa key";
	k->bits = bits_of(k->modulus);
	if (k->bits < DKIM_RSA_MIN)
		return "rsa key too short";
	return k->bits > DKIM_RSA_MAX ? "rsa key too long" : NULL;
}

/*
 * RSAPublicKey (RFC 8017 A.1.1), as RFC 6376 says, or SubjectPublicKeyInfo
 * around it (RFC 5280 4.1), as everybody does.
 */
static int
rsa_numbers(struct dkim_key *k)
{
	struct slice in = slice_of((char *)k->data, k->n), seq, alg, bits;

	if (der_take(&in, DER_SEQUENCE, &seq) == -1 || in.n > 0)
		return -1;
	if (seq.n > 0 && seq.p[0] == DER_SEQUENCE) {
		if (der_take(&seq, DER_SEQUENCE, &alg) == -1 ||
		    der_take(&seq, DER_BITSTRING, &bits) == -1 ||
		    seq.n > 0 || bits.n < 1 || bits.p[0] != 0)
			return -1;
		bits = slice_of(bits.p + 1, bits.n - 1);
		if (der_take(&bits, DER_SEQUENCE, &seq) == -1 || bits.n > 0)
			return -1;
	}
	if (der_number(&seq, &k->modulus) == -1 ||
	    der_number(&seq, &k->exponent) == -1 || seq.n > 0)
		return -1;
	/* With an exponent of 1 anybody could sign; even ones are no key. */
	if (k->exponent.n > EXPONENT_MAX ||
	    (k->exponent.p[k->exponent.n - 1] & 1) == 0)
		return -1;
	return k->exponent.n == 1 && k->exponent.p[0] == 1 ? -1 : 0;
}

static int
bits_of(struct slice number)
{
	int bits = (int)number.n * 8, top = (unsigned char)number.p[0];

	for (; (top & 0x80) == 0; top <<= 1)
		bits--;
	return bits;
}

/* A value of this tag off the front. */
static int
der_take(struct slice *in, int tag, struct slice *value)
{
	const uint8_t *p = (const uint8_t *)in->p;
	size_t len, head = 2;

	if (in->n < 2 || p[0] != tag)
		return -1;
	len = p[1];
	if (len == 0x81 && in->n >= 3) {
		len = p[2];
		head = 3;
	} else if (len == 0x82 && in->n >= 4) {
		len = (size_t)p[2] << 8 | p[3];
		head = 4;
	} else if (len >= 0x80)
		return -1;
	if (len > in->n - head)
		return -1;
	*value = slice_of(in->p + head, len);
	*in = slice_of(in->p + head + len, in->n - head - len);
	return 0;
}

/* A positive INTEGER, without leading zeros. */
static int
der_number(struct slice *in, struct slice *v)
{
	if (der_take(in, DER_INTEGER, v) == -1 || v->n == 0 ||
	    (v->p[0] & 0x80) != 0)
		return -1;
	while (v->n > 0 && v->p[0] == 0)
		*v = slice_of(v->p + 1, v->n - 1);
	return v->n > 0 ? 0 : -1;
}

static int
rsa_verify(struct dkim_key *k, const uint8_t *hash, const uint8_t *sig,
    size_t n)
{
	if (k->rsa == NULL)
		k->rsa = rsa_key_new(k->modulus, k->exponent);
	return k->rsa != NULL && rsa_key_verify(k->rsa, hash, sig, n);
}

/* PureEdDSA over the SHA-256 hash (RFC 8463 3). */
static int
ed25519_verify(const struct dkim_key *k, const uint8_t *hash,
    const uint8_t *sig, size_t n)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    k->data, k->n);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = n == ED25519_SIG && key != NULL && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, sig, n, hash, DKIM_HASH) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}
