/*
 * Signatures of TLS handshakes.  The fronts send the whole text, not its
 * hash, so that nothing but the text of a server's handshake is ever
 * signed: a broken front gets no oracle for other protocols or clients.
 */
#include "base/compat.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "signd/signd.h"

#define RANDOMS		64	/* client's and server's */
#define PARAMS		4	/* type, curve, length of the point */

static const char context13[] = "TLS 1.3, server CertificateVerify";

static bool
is_spaces(struct slice s)
{
	size_t i;

	for (i = 0; i < RANDOMS && i < s.n; i++)
		if (s.p[i] != ' ')
			return false;
	return s.n >= RANDOMS;
}

static bool
text13_ok(struct slice s)
{
	size_t n = RANDOMS + sizeof(context13);	/* with its NUL */

	return is_spaces(s) && (s.n == n + 32 || s.n == n + 48) &&
	    memcmp(s.p + RANDOMS, context13, sizeof(context13)) == 0;
}

static bool
text12_ok(struct slice s)
{
	/* curve, octets of a point, its first octet (0: any) */
	static const struct { unsigned int curve, n, first; } points[] = {
		{ 23, 65, 4 }, { 24, 97, 4 }, { 25, 133, 4 },
		{ 29, 32, 0 }, { 30, 56, 0 }
	};
	const uint8_t *p = (const uint8_t *)s.p + RANDOMS;
	unsigned int curve;
	size_t i;

	if (s.n < RANDOMS + PARAMS + 1 || is_spaces(s) || p[0] != 3)
		return false;
	curve = (unsigned int)p[1] << 8 | p[2];
	for (i = 0; i < NITEMS(points); i++)
		if (points[i].curve == curve)
			return p[3] == points[i].n &&
			    s.n == RANDOMS + PARAMS + points[i].n &&
			    (points[i].first == 0 || p[4] == points[i].first);
	return false;
}

bool
tls_text_ok(unsigned int version, struct slice text)
{
	if (version == 13)
		return text13_ok(text);
	return version == 12 && text12_ok(text);
}

/* What handshakes hash with, as struct key has them. */
static const struct digest {
	unsigned int	 nid;
	const EVP_MD	*(*md)(void);
} digests[] = {
	{ NID_sha256, EVP_sha256 },
	{ NID_sha384, EVP_sha384 },
	{ NID_sha512, EVP_sha512 }
};

/* Its place in digests, NITEMS(digests): none of them. */
static size_t
digest_of(unsigned int nid)
{
	size_t i;

	for (i = 0; i < NITEMS(digests) && digests[i].nid != nid; i++)
		;
	return i;
}

/* Padding as the key and the version want it (RFC 8446 4.2.3). */
static bool
padding_ok(const struct key *k, const struct sign_tls *q)
{
	if (k->type == KEY_EC)
		return q->padding == 0;
	return q->padding == 2 || (q->padding == 1 && q->version == 12);
}

static int
padding_set(EVP_PKEY_CTX *pc, unsigned int padding)
{
	if (padding == 0)
		return 1;
	if (padding == 1)
		return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PADDING);
	if (EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) != 1)
		return 0;
	return EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, RSA_PSS_SALTLEN_DIGEST);
}

/* Made at the first signature of its kind: to make it costs half as much as
 * to sign with P-256. */
static EVP_PKEY_CTX *
context_of(struct key *k, size_t digest, unsigned int padding)
{
	EVP_PKEY_CTX **c = &k->tls[digest][padding];

	if (*c != NULL)
		return *c;
	if ((*c = EVP_PKEY_CTX_new(k->pkey, NULL)) != NULL &&
	    EVP_PKEY_sign_init(*c) == 1 && padding_set(*c, padding) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(*c, digests[digest].md()) == 1)
		return *c;
	EVP_PKEY_CTX_free(*c);
	*c = NULL;
	return NULL;
}

ssize_t
tls_sign(struct key *k, const struct sign_tls *q, uint8_t *sig, size_t size)
{
	size_t digest = digest_of(q->digest), n = size;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int len;
	EVP_PKEY_CTX *c;

	if (digest == NITEMS(digests) || !padding_ok(k, q) ||
	    k->type == KEY_ED25519 || !tls_text_ok(q->version, q->text))
		return -1;
	if ((c = context_of(k, digest, q->padding)) == NULL ||
	    EVP_Digest(q->text.p, q->text.n, hash, &len,
	    digests[digest].md(), NULL) != 1 ||
	    EVP_PKEY_sign(c, sig, &n, hash, len) != 1)
		return -1;
	return (ssize_t)n;
}
