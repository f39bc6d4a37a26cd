/*
 * A certificate for mx.test that signs itself, and its key, made here.
 */
#ifndef KEYPAIR_H
#define KEYPAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <tls.h>

/* *pem is the certificate, to be freed. */
static inline void
keypair_use(struct tls_config *c, char **pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bc = BIO_new(BIO_s_mem()), *bk = BIO_new(BIO_s_mem());
	char *pc, *pk;
	long nc, nk;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_version(x, 2);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)"mx.test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(bc, x);
	PEM_write_bio_PrivateKey(bk, key, NULL, NULL, 0, NULL, NULL);
	nc = BIO_get_mem_data(bc, &pc);
	nk = BIO_get_mem_data(bk, &pk);
	assert_int_equal(tls_config_set_keypair_mem(c, (uint8_t *)pc,
	    (size_t)nc, (uint8_t *)pk, (size_t)nk), 0);
	*pem = strndup(pc, (size_t)nc);
	BIO_free(bc);
	BIO_free(bk);
	X509_free(x);
	EVP_PKEY_free(key);
}

#endif
