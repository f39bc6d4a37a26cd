/*
 * Keys and what is public of them, for keygen's main.c.  The key goes to
 * descriptor KEY_FD or comes from there; what may be public goes to standard
 * output.  Opens nothing.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/util.h"
#include "maild/keygen/keygen.h"

#define KEY_FD		3
#define RSA_BITS	2048
#define CERT_DAYS	3650
#define SAN_MAX		32768	/* octets of the list of names */
#define ED25519_OCTETS	32

EVP_PKEY *
keygen_make(int type)
{
	EVP_PKEY *key;

	if (type == EVP_PKEY_RSA)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
		    (size_t)RSA_BITS);
	else if (type == EVP_PKEY_EC)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (key == NULL)
		fatalx("key cannot be made");
	return key;
}

/* PKCS#8 in PEM, in one piece, wiped after. */
void
keygen_write(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long n;

	if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL) != 1 || (n = BIO_get_mem_data(bio, &pem)) <= 0)
		fatalx("key cannot be encoded");
	if (write_all(KEY_FD, pem, (size_t)n) == -1)
		fatal("key file");
	explicit_bzero(pem, (size_t)n);
	BIO_free(bio);
}

EVP_PKEY *
keygen_read(void)
{
	size_t n;
	char *pem = read_fd(KEY_FD, 65536, &n);
	BIO *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, (int)n);
	EVP_PKEY *key = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	if (key == NULL)
		fatalx("no private key in PEM");
	BIO_free(bio);
	freezero(pem, n);
	return key;
}

/* The TXT record of RFC 6376 3.6.1, RFC 8463 for Ed25519. */
void
keygen_record(EVP_PKEY *key)
{
	unsigned char raw[ED25519_OCTETS], *der = NULL, *text;
	size_t rawn = sizeof(raw);
	bool ed = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519;
	int n;

	if (ed) {
		if (EVP_PKEY_get_raw_public_key(key, raw, &rawn) != 1)
			fatalx("public key");
		n = (int)rawn;
	} else if ((n = i2d_PUBKEY(key, &der)) <= 0)
		fatalx("public key");
	text = xcalloc(1, (size_t)n * 2 + 8);
	EVP_EncodeBlock(text, ed ? raw : der, n);
	printf("v=DKIM1; k=%s; p=%s\n", ed ? "ed25519" : "rsa", text);
	free(text);
	OPENSSL_free(der);
}

/* ---- certificates -------------------------------------------------------- */

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	if ((e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL ||
	    X509_add_ext(x, e, -1) != 1)
		fatalx("certificate extension");
	X509_EXTENSION_free(e);
}

/* Every name once; the host name comes first. */
static void
add_names(X509 *x, int n, char **names)
{
	char *san = xcalloc(1, SAN_MAX);

	for (int i = 0; i < n; i++) {
		bool seen = false;

		for (int j = 0; j < i; j++)
			seen = seen || strcmp(names[i], names[j]) == 0;
		if (seen)
			continue;
		if (i > 0)
			strlcat(san, ",", SAN_MAX);
		strlcat(san, "DNS:", SAN_MAX);
		if (strlcat(san, names[i], SAN_MAX) >= SAN_MAX)
			fatalx("too many names");
	}
	add_extension(x, NID_subject_alt_name, san);
	free(san);
}

X509 *
keygen_certificate(EVP_PKEY *key, int n, char **names)
{
	X509 *x = X509_new();
	X509_NAME *name;
	uint64_t serial;
	char cn[65];

	random_bytes(&serial, sizeof(serial));
	strlcpy(cn, names[0], sizeof(cn));	/* RFC 5280: at most 64 */
	if (x == NULL || X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x),
	    (serial >> 1) | 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), CERT_DAYS * 86400L) == NULL ||
	    X509_set_pubkey(x, key) != 1 ||
	    (name = X509_get_subject_name(x)) == NULL ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1)
		fatalx("certificate");
	add_names(x, n, names);
	add_extension(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_extension(x, NID_key_usage, "critical,digitalSignature,keyCertSign");
	add_extension(x, NID_ext_key_usage, "serverAuth");
	add_extension(x, NID_subject_key_identifier, "hash");
	if (X509_sign(x, key, EVP_sha256()) == 0)
		fatalx("certificate cannot be signed");
	return x;
}

void
keygen_pem(X509 *x)
{
	if (PEM_write_X509(stdout, x) != 1)
		fatalx("certificate cannot be printed");
	X509_free(x);
}
