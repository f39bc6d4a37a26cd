/*
 * Certificates of the fronts, seen by signd tls at its start alone: each
 * must have its private key here, or this generation does not start and the
 * old one stays.  Otherwise every handshake would fail later.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/msg.h"
#include "signd/signd.h"

#define CERTS_MAX	64
#define CHAIN_MAX	(256 * 1024)	/* octets of a chain */

static struct {
	size_t		 n;
	struct {
		char		 name[512];
		struct msg_mac	 spki;
	} cert[CERTS_MAX];
} certs;

/* SHA-256 of the SubjectPublicKeyInfo of the first certificate.  0, -1. */
static int
cert_spki(const char *pem, size_t n, struct msg_mac *spki)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)n);
	X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	unsigned char *der = NULL;
	int len = x == NULL ? -1 : i2d_PUBKEY(X509_get0_pubkey(x), &der);
	int ret = -1;

	if (len > 0 && EVP_Digest(der, (size_t)len, spki->b, NULL,
	    EVP_sha256(), NULL) == 1)
		ret = 0;
	OPENSSL_free(der);
	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	return ret;
}

void
cert_read(struct slice name, int fd)
{
	char *pem;
	size_t n;

	if (certs.n == CERTS_MAX)
		fatalx("more than %d certificates", CERTS_MAX);
	if (slice_cpy(name, certs.cert[certs.n].name,
	    sizeof(certs.cert[0].name)) == -1)
		fatalx("name of a certificate is too long");
	if ((pem = read_fd(fd, CHAIN_MAX, &n)) == NULL)
		fatal("certificate %s", certs.cert[certs.n].name);
	close(fd);
	if (cert_spki(pem, n, &certs.cert[certs.n].spki) == -1)
		fatalx("certificate %s has no usable public key",
		    certs.cert[certs.n].name);
	free(pem);
	certs.n++;
}

void
cert_check(void)
{
	for (size_t i = 0; i < certs.n; i++)
		if (key_by_spki(&certs.cert[i].spki) == NULL)
			fatalx("certificate %s: none of the keys given belongs "
			    "to it; check tls.key", certs.cert[i].name);
}
