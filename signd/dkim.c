/*
 * DKIM signatures (RFC 6376, 8463).  The body hash and the From field were
 * fixed when the ticket was made; here the head that goes out is compared
 * with it and signed, relaxed/relaxed, once with each key of the domain.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "signd/signd.h"

#define H_MAX		4096	/* octets of an h= list */

static bool
from_hash_ok(struct slice raw, const struct msg_mac *want)
{
	char canon[DKIM_FROM_MAX + 2];
	uint8_t hash[DKIM_HASH];
	ssize_t n;

	n = dkim_header_canon(raw, DKIM_RELAXED, canon, sizeof(canon));
	return n != -1 && dkim_sha256(canon, (size_t)n, hash) == 0 &&
	    sodium_memcmp(hash, want->b, sizeof(hash)) == 0;
}

/* Every author is of that domain, and there is one. */
static bool
from_domain_ok(struct slice value, const char *domain)
{
	static struct addritem item;
	struct addrlist list;
	size_t authors = 0;

	addrlist_start(&list, value);
	while (addrlist_next(&list, &item) == 1) {
		if (item.kind != ADDRITEM_MAILBOX)
			continue;
		if (item.cut || item.domain.p == NULL ||
		    !slice_caseis(item.domain, domain))
			return false;
		authors++;
	}
	return authors > 0 && authors < ADDRLIST_MAX;
}

bool
dkim_from_ok(struct slice head, const struct ticket *t)
{
	struct header_field f;

	return header_count(head, "From") == 1 &&
	    header_find(head, "From", 0, &f) == 1 &&
	    from_hash_ok(f.raw, &t->fromhash) &&
	    from_domain_ok(f.value, t->domain);
}

/* The context of a key is made at its first signature. */
static bool
rsa_start(struct key *k)
{
	if (k->rsa != NULL)
		return true;
	if ((k->rsa = EVP_PKEY_CTX_new(k->pkey, NULL)) != NULL &&
	    EVP_PKEY_sign_init(k->rsa) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(k->rsa, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(k->rsa, EVP_sha256()) == 1)
		return true;
	EVP_PKEY_CTX_free(k->rsa);
	k->rsa = NULL;
	return false;
}

ssize_t
key_sign(struct key *k, const uint8_t hash[DKIM_HASH], uint8_t *sig,
    size_t size)
{
	size_t n = size;
	bool ok;

	if (k->type == KEY_RSA)
		ok = rsa_start(k) &&
		    EVP_PKEY_sign(k->rsa, sig, &n, hash, DKIM_HASH) == 1;
	else		/* one message is all such a context takes */
		ok = (k->ed25519 != NULL ||
		    (k->ed25519 = EVP_MD_CTX_new()) != NULL) &&
		    EVP_DigestSignInit(k->ed25519, NULL, NULL, NULL,
		    k->pkey) == 1 &&
		    EVP_DigestSign(k->ed25519, sig, &n, hash, DKIM_HASH) == 1;
	return ok ? (ssize_t)n : -1;
}

static ssize_t
sign_one(struct key *k, struct slice head, struct slice h,
    const struct ticket *t, const struct dkim_options *o, char *out,
    size_t size)
{
	struct dkim_sign s = {
		.algorithm = k->type == KEY_RSA ? "rsa-sha256" :
		    "ed25519-sha256",
		.domain = k->domain, .selector = k->selector,
		.header = DKIM_RELAXED, .body = DKIM_RELAXED,
		.time = (int64_t)o->now,
		.expire = o->expire == 0 ? -1 : (int64_t)(o->now + o->expire),
		.bodyhash = t->bodyhash.b
	};
	uint8_t hash[DKIM_HASH], sig[DKIM_KEYSIG_MAX];
	ssize_t n, sn;

	if ((n = dkim_sign_start(&s, h, out, size)) == -1 ||
	    dkim_header_hash(head, h, slice_of(out, (size_t)n), DKIM_RELAXED,
	    hash) == -1 || (sn = key_sign(k, hash, sig, sizeof(sig))) == -1)
		return -1;
	return dkim_sign_finish(out, (size_t)n, size, sig, (size_t)sn);
}

ssize_t
dkim_sign(struct slice head, const struct ticket *t,
    const struct dkim_options *o, char *out, size_t size)
{
	static const enum key_type types[] = { KEY_RSA, KEY_ED25519 };
	char chosen[H_MAX];
	struct slice h = { chosen, 0 };
	struct key *k;
	size_t i, used = 0, keys = 0;
	ssize_t n;

	/* of every head: one with more fields than verifiers look at is none */
	if ((n = dkim_sign_fields(head, chosen, sizeof(chosen))) == -1)
		return -1;
	h.n = (size_t)n;
	if (o->headers != NULL)
		h = slice_str(o->headers);
	for (i = 0; i < NITEMS(types); i++) {
		k = key_by_domain(slice_str(t->domain), types[i]);
		if (k == NULL)
			continue;
		keys++;
		n = sign_one(k, head, h, t, o, out + used, size - used);
		if (n > 0)
			used += (size_t)n;
	}
	return used > 0 || keys == 0 ? (ssize_t)used : -1;
}
