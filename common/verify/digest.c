/*
 * SHA-256 as a stream, over libcrypto.
 */
#include "base/compat.h"

#include <string.h>

#include <openssl/evp.h>

#include "verify/digest.h"
#include "verify/verify.h"

int
dkim_sha256(const void *p, size_t n, uint8_t hash[DKIM_HASH])
{
	return EVP_Digest(p, n, hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

int
digest_start(struct digest *d)
{
	const EVP_MD *md = NULL;	/* the one it has: looking costs */

	d->n = 0;
	if (d->ctx == NULL)
		d->ctx = EVP_MD_CTX_new();
	if (d->ctx != NULL && EVP_MD_CTX_get0_md(d->ctx) == NULL)
		md = EVP_sha256();
	d->bad = d->ctx == NULL || EVP_DigestInit_ex(d->ctx, md, NULL) != 1;
	return d->bad ? -1 : 0;
}

void
digest_put(struct digest *d, const char *p, size_t n)
{
	if (d->n > 0 && (n >= DIGEST_RUN || n > sizeof(d->buf) - d->n)) {
		d->bad |= EVP_DigestUpdate(d->ctx, d->buf, d->n) != 1;
		d->n = 0;
	}
	if (n >= DIGEST_RUN) {
		d->bad |= EVP_DigestUpdate(d->ctx, p, n) != 1;
		return;
	}
	memcpy(d->buf + d->n, p, n);
	d->n += n;
}

char *
digest_room(struct digest *d, size_t n)
{
	if (n > sizeof(d->buf))
		return NULL;
	if (n > sizeof(d->buf) - d->n) {
		d->bad |= EVP_DigestUpdate(d->ctx, d->buf, d->n) != 1;
		d->n = 0;
	}
	return d->buf + d->n;
}

void
digest_took(struct digest *d, size_t n)
{
	d->n += n;
}

int
digest_end(struct digest *d, uint8_t *hash)
{
	d->bad |= EVP_DigestUpdate(d->ctx, d->buf, d->n) != 1 ||
	    EVP_DigestFinal_ex(d->ctx, hash, NULL) != 1;
	d->n = 0;
	return d->bad ? -1 : 0;
}

int
digest_copy(struct digest *to, struct digest *from)
{
	if (to->ctx == NULL)
		to->ctx = EVP_MD_CTX_new();
	to->bad = from->bad || to->ctx == NULL ||
	    EVP_MD_CTX_copy_ex(to->ctx, from->ctx) != 1;
	to->n = from->n;
	memcpy(to->buf, from->buf, from->n);
	return to->bad ? -1 : 0;
}

void
digest_free(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}
