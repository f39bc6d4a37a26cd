/*
 * RSA signatures (RFC 8017 8.2.2): those that libcrypto makes are good, with
 * keys of several sizes and exponents; whatever else a key's owner, or a
 * forger, could send is not.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/slice.h"
#include "verify/rsa.h"
#include "verify/verify.h"

struct fixture {
	EVP_PKEY	*pair;
	struct rsa_key	*key;
	char		 n[1024], e[16];
	size_t		 size;
	uint8_t		 hash[DKIM_HASH];
};

static const uint8_t info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
    0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

static void
setup(struct fixture *x, int bits, unsigned long exponent)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	BIGNUM *e = BN_new(), *n = NULL;
	size_t i;

	*x = (struct fixture){ .size = (size_t)(bits + 7) / 8 };
	BN_set_word(e, exponent);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
	assert_int_equal(EVP_PKEY_keygen(ctx, &x->pair), 1);
	EVP_PKEY_get_bn_param(x->pair, "n", &n);
	x->key = rsa_key_new(
	    slice_of(x->n, (size_t)BN_bn2bin(n, (unsigned char *)x->n)),
	    slice_of(x->e, (size_t)BN_bn2bin(e, (unsigned char *)x->e)));
	assert_non_null(x->key);
	for (i = 0; i < DKIM_HASH; i++)
		x->hash[i] = (uint8_t)(i * 7 + 1);
	BN_free(n);
	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
}

static void
teardown(struct fixture *x)
{
	rsa_key_free(x->key);
	EVP_PKEY_free(x->pair);
}

/* padding: a signature of a hash, or of whole octets as they are */
static size_t
sign(struct fixture *x, int padding, const uint8_t *p, size_t n, uint8_t *sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(x->pair, NULL);
	size_t len = 1024;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	if (padding == RSA_PKCS1_PADDING)
		EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, p, n), 1);
	EVP_PKEY_CTX_free(ctx);
	return len;
}

static void
test_good(void **state)
{
	static const struct {
		int		 bits;
		unsigned long	 e;
	} t[] = { { 1024, 65537 }, { 1024, 3 }, { 1024, 17 },
	    { 1025, 65537 }, { 1031, 3 }, { 2048, 65537 }, { 2048, 65539 } };
	uint8_t sig[1024];
	struct fixture x;
	size_t i, k, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setup(&x, t[i].bits, t[i].e);
		for (k = 0; k < 20; k++) {
			x.hash[k] ^= (uint8_t)(0x5a + k);
			n = sign(&x, RSA_PKCS1_PADDING, x.hash, DKIM_HASH,
			    sig);
			assert_int_equal(n, x.size);
			assert_true(rsa_key_verify(x.key, x.hash, sig, n));
		}
		teardown(&x);
	}
}

/* Each bit of the signature and of the hash counts. */
static void
test_changed(void **state)
{
	uint8_t sig[1024];
	struct fixture x;
	size_t i, n;

	setup(&x, 1024, 65537);
	n = sign(&x, RSA_PKCS1_PADDING, x.hash, DKIM_HASH, sig);
	for (i = 0; i < 8 * n; i++) {
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(rsa_key_verify(x.key, x.hash, sig, n));
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < 8 * DKIM_HASH; i++) {
		x.hash[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(rsa_key_verify(x.key, x.hash, sig, n));
		x.hash[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(rsa_key_verify(x.key, x.hash, sig, n));
	teardown(&x);
}

/* A signature is as long as the modulus, and less than it. */
static void
test_length(void **state)
{
	uint8_t sig[1026] = { 0 };
	struct fixture x;
	BIGNUM *s, *m;
	size_t n;

	setup(&x, 1024, 65537);
	n = sign(&x, RSA_PKCS1_PADDING, x.hash, DKIM_HASH, sig + 1);
	assert_true(rsa_key_verify(x.key, x.hash, sig + 1, n));
	assert_false(rsa_key_verify(x.key, x.hash, sig, n + 1));
	assert_false(rsa_key_verify(x.key, x.hash, sig + 1, n - 1));
	assert_false(rsa_key_verify(x.key, x.hash, sig + 1, 0));
	/* the same number modulo n, where it still has room */
	s = BN_bin2bn(sig + 1, (int)n, NULL);
	m = BN_bin2bn((unsigned char *)x.n, (int)n, NULL);
	BN_add(s, s, m);
	if (BN_num_bytes(s) == (int)n) {
		BN_bn2bin(s, sig + 1);
		assert_false(rsa_key_verify(x.key, x.hash, sig + 1, n));
	}
	BN_free(s);
	BN_free(m);
	memset(sig, 0xff, sizeof(sig));
	assert_false(rsa_key_verify(x.key, x.hash, sig, n));
	memset(sig, 0, sizeof(sig));
	assert_false(rsa_key_verify(x.key, x.hash, sig, n));
	teardown(&x);
}

static size_t
put(uint8_t *p, size_t n, const void *what, size_t len)
{
	memcpy(p + n, what, len);
	return n + len;
}

/* Signed by the key, but not in the one form there is. */
static void
test_encoding(void **state)
{
	static const uint8_t nonull[] = { 0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09,
	    0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20 };
	uint8_t em[128], sig[1024];
	struct fixture x;
	size_t n, start = 128 - sizeof(info) - DKIM_HASH;
	int i;

	setup(&x, 1024, 3);
	for (i = 0; i < 8; i++) {
		memset(em, 0xff, sizeof(em));
		em[0] = 0;
		em[1] = 1;
		em[start - 1] = 0;
		put(em, put(em, start, info, sizeof(info)), x.hash, DKIM_HASH);
		switch (i) {
		case 1:
			em[1] = 2;
			break;
		case 2:
			em[start - 1] = 0xff;
			break;
		case 3:
			em[5] = 0xfe;
			break;
		case 4:		/* SHA-512/256 */
			em[start + 14] = 6;
			break;
		case 5:		/* short padding, the rest at will */
			n = put(em, 10, "\0", 1);
			n = put(em, n, info, sizeof(info));
			n = put(em, n, x.hash, DKIM_HASH);
			memset(em + n, 0x41, sizeof(em) - n);
			break;
		case 6:		/* no parameters */
			memset(em + start - 1, 0xff, 2);
			em[start + 1] = 0;
			put(em, start + 2, nonull, sizeof(nonull));
			break;
		case 7:		/* the hash alone */
			memset(em + start - 1, 0xff, sizeof(info));
			em[start + sizeof(info) - 1] = 0;
			break;
		}
		n = sign(&x, RSA_NO_PADDING, em, sizeof(em), sig);
		assert_int_equal(rsa_key_verify(x.key, x.hash, sig, n),
		    i == 0);
	}
	teardown(&x);
}

/* Numbers that are no key. */
static void
test_keys(void **state)
{
	char even[128], big[DKIM_RSA_MAX / 8 + 1];
	struct slice three = SLICE_LIT("\x03");

	memset(even, 0xfe, sizeof(even));
	memset(big, 0xff, sizeof(big));
	assert_null(rsa_key_new(slice_of(even, sizeof(even)), three));
	assert_null(rsa_key_new(slice_of(big, sizeof(big)), three));
	assert_null(rsa_key_new(slice_of("", 0), three));
	rsa_key_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
