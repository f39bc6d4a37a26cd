/*
 * Private keys: read once from descriptors that maild opened, kept in
 * locked memory, used by reference, never given out.  The files are checked
 * again here: maild should have, but the trusting side looks itself.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "msg/msg.h"
#include "signd/signd.h"

#define SECURE_HEAP	(4 * 1024 * 1024)	/* a power of two */
#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	8192
#define NBUCKET		1024

static struct {
	struct key	*keys;
	struct key	*bucket[NBUCKET];	/* USE_DKIM by domain */
	struct key	*waiting;		/* USE_NEXT */
	size_t		 count, nwaiting;
} st;

void
key_memory(void)
{
	const struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	int flags = MCL_CURRENT | MCL_FUTURE;

#ifdef MCL_ONFAULT
	flags |= MCL_ONFAULT;
#endif
	/* all of it where the limit can be raised (CAP_SYS_RESOURCE), else
	 * the heap of private numbers alone */
#ifndef MAILD_SANITIZE		/* its shadow memory cannot be locked */
	if (setrlimit(RLIMIT_MEMLOCK, &lim) == 0 && mlockall(flags) == -1)
		log_warn("memory cannot be locked");
#else
	(void)lim;
	(void)flags;
#endif
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	switch (CRYPTO_secure_malloc_init(SECURE_HEAP, 32)) {
	case 0:
		fatalx("no memory for keys");
	case 2:
		log_warnx("memory of keys is not locked or not guarded");
		break;
	}
}

/* The octets of the file in guarded memory; OPENSSL_secure_clear_free. */
static char *
file_read(int fd, size_t *n, const char **why)
{
	struct stat sb;
	char *p = NULL;

	if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode))
		*why = "not a file";
	else if (sb.st_uid != 0)
		*why = "not owned by root";
	else if ((sb.st_mode & 077) != 0)
		*why = "others may read it; run chmod 600";
	else if (sb.st_size <= 0 || sb.st_size > KEY_FILE_MAX)
		*why = "empty or too large for a key";
	else if ((p = OPENSSL_secure_malloc((size_t)sb.st_size)) == NULL)
		*why = "no memory";
	else if (pread_all(fd, p, (size_t)sb.st_size, 0) == -1) {
		*why = "cannot be read";
		OPENSSL_secure_clear_free(p, (size_t)sb.st_size);
		p = NULL;
	} else
		*n = (size_t)sb.st_size;
	return p;
}

static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	return -1;
}

static EVP_PKEY *
file_parse(int fd, const char **why)
{
	EVP_PKEY *pkey = NULL;
	BIO *bio;
	char *p;
	size_t n;

	if ((p = file_read(fd, &n, why)) == NULL)
		return NULL;
	if ((bio = BIO_new_mem_buf(p, (int)n)) != NULL) {
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
		BIO_free(bio);
	}
	OPENSSL_secure_clear_free(p, n);
	if (pkey == NULL)
		*why = "not a private key in PEM without a passphrase";
	return pkey;
}

/* Those of RFC 8446 4.2.3; others have their length too. */
static bool
curve_ok(const char *name)
{
	int nid = OBJ_sn2nid(name);

	return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1;
}

/* What it is, and what would be right. */
static const char *
kind_wrong(const struct key *k, const char *what)
{
	static char text[160];
	int bits = EVP_PKEY_get_bits(k->pkey);

	snprintf(text, sizeof(text), "it is %s of %d bits; would be right: "
	    "RSA of %d to %d bits%s", what == NULL ? "a key" : what, bits,
	    RSA_BITS_MIN, RSA_BITS_MAX, k->use == USE_TLS ? ", P-256 or P-384" :
	    " or Ed25519");
	return text;
}

/* Type and strength; only DKIM knows Ed25519, only TLS knows P-256. */
static int
key_kind(struct key *k, const char **why)
{
	int bits = EVP_PKEY_get_bits(k->pkey);
	char curve[64] = "a curve";

	switch (EVP_PKEY_get_base_id(k->pkey)) {
	case EVP_PKEY_RSA:
		k->type = KEY_RSA;
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return 0;
		*why = kind_wrong(k, "RSA");
		return -1;
	case EVP_PKEY_EC:
		k->type = KEY_EC;
		(void)EVP_PKEY_get_group_name(k->pkey, curve, sizeof(curve),
		    NULL);
		if (k->use == USE_TLS && curve_ok(curve))
			return 0;
		*why = kind_wrong(k, curve);
		return -1;
	case EVP_PKEY_ED25519:
		k->type = KEY_ED25519;
		if (k->use != USE_TLS)
			return 0;
		break;
	}
	*why = kind_wrong(k, EVP_PKEY_get0_type_name(k->pkey));
	return -1;
}

static int
key_spki(struct key *k)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(k->pkey, &der), ok;

	if (n <= 0)
		return -1;
	ok = EVP_Digest(der, (size_t)n, k->spki.b, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return ok == 1 ? 0 : -1;
}

/* "DOMAIN/SELECTOR". */
static int
key_names(struct key *k, struct slice name)
{
	size_t slash = slice_find(name, '/'), i;

	if (slash == name.n || slice_cpy(slice_of(name.p, slash), k->domain,
	    sizeof(k->domain)) == -1 || slice_cpy(slice_of(name.p + slash + 1,
	    name.n - slash - 1), k->selector, sizeof(k->selector)) == -1)
		return -1;
	for (i = 0; k->domain[i] != '\0'; i++)
		k->domain[i] = (char)ascii_lower((unsigned char)k->domain[i]);
	return domain_valid(slice_str(k->domain), 0) &&
	    domain_valid(slice_str(k->selector), 0) ? 0 : -1;
}

static void
key_free(struct key *k)
{
	size_t d, p;

	for (d = 0; d < NITEMS(k->tls); d++)
		for (p = 0; p < NITEMS(k->tls[d]); p++)
			EVP_PKEY_CTX_free(k->tls[d][p]);
	EVP_PKEY_CTX_free(k->rsa);
	EVP_MD_CTX_free(k->ed25519);
	EVP_PKEY_free(k->pkey);
	free(k);
}

static struct key **
key_bucket(struct slice domain)
{
	uint32_t h = 2166136261u;	/* FNV-1a, for spreading alone */
	size_t i;

	for (i = 0; i < domain.n; i++)
		h = (h ^ (uint32_t)ascii_lower((unsigned char)domain.p[i])) *
		    16777619u;
	return &st.bucket[h % NBUCKET];
}

/* Does b take the place of a? */
static bool
key_same(const struct key *a, const struct key *b)
{
	if (b->use == USE_DKIM)
		return a->type == b->type && strcmp(a->domain, b->domain) == 0;
	return strcmp(a->name, b->name) == 0 ||
	    memcmp(&a->spki, &b->spki, sizeof(a->spki)) == 0;
}

/* Take it out of both lists. */
static void
key_remove(struct key *old)
{
	struct key **p;

	for (p = &st.keys; *p != old; p = &(*p)->next)
		;
	*p = old->next;
	if (old->use == USE_DKIM) {
		for (p = key_bucket(slice_str(old->domain)); *p != old;
		    p = &(*p)->chain)
			;
		*p = old->chain;
	}
	key_free(old);
	st.count--;
}

static int
key_add(struct key *k, const char **why)
{
	struct key **bucket = key_bucket(slice_str(k->domain)), *old;

	*why = "too many keys";
	if (k->use == USE_NEXT) {
		if (st.nwaiting >= KEYS_MAX)
			return -1;
		st.nwaiting++;
		k->next = st.waiting;
		st.waiting = k;
		return 0;
	}
	old = k->use == USE_DKIM ? *bucket : st.keys;
	while (old != NULL && !key_same(old, k))
		old = k->use == USE_DKIM ? old->chain : old->next;
	if (old != NULL)
		key_remove(old);
	if (st.count >= KEYS_MAX)
		return -1;
	k->next = st.keys;
	st.keys = k;
	st.count++;
	if (k->use == USE_DKIM) {
		k->chain = *bucket;
		*bucket = k;
	}
	return 0;
}

int
key_read(struct slice name, int fd, enum key_use use, const char **why)
{
	struct key *k = xcalloc(1, sizeof(*k));

	k->use = use;
	k->seen = -1;
	*why = "its name is not DOMAIN/SELECTOR";
	if (slice_cpy(name, k->name, sizeof(k->name)) == -1 ||
	    (use != USE_TLS && key_names(k, name) == -1) ||
	    (k->pkey = file_parse(fd, why)) == NULL ||
	    key_kind(k, why) == -1)
		goto bad;
	*why = "its public part cannot be told";
	if (key_spki(k) == -1 || key_add(k, why) == -1)
		goto bad;
	close(fd);
	return 0;
bad:
	close(fd);
	key_free(k);
	return -1;
}

struct key *
key_by_spki(const struct msg_mac *spki)
{
	struct key *k;

	for (k = st.keys; k != NULL; k = k->next)
		if (memcmp(&k->spki, spki, sizeof(*spki)) == 0)
			return k;
	return NULL;
}

struct key *
key_by_domain(struct slice domain, enum key_type type)
{
	struct key *k;

	for (k = *key_bucket(domain); k != NULL; k = k->chain)
		if (k->type == type && slice_caseis(domain, k->domain))
			return k;
	return NULL;
}

bool
key_has_domain(struct slice domain)
{
	return key_by_domain(domain, KEY_RSA) != NULL ||
	    key_by_domain(domain, KEY_ED25519) != NULL;
}

struct key *
key_waiting(const struct key *k)
{
	return k == NULL ? st.waiting : k->next;
}

size_t
key_count(void)
{
	return st.count;
}
