/*
 * What the files of DKIM and ARC verification share.  Private to
 * common/verify.
 */
#ifndef DKIM_PRIV_H
#define DKIM_PRIV_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "verify/verify.h"

#define TAG_TEXT_MAX	1536	/* octets of base64 without blanks: RSA 8192 */

/* ---- dkim_tag.c: tag lists (RFC 6376 3.2) */

struct tags {
	size_t		 n;
	struct {
		struct slice	 name, value;
	} v[DKIM_TAGS_MAX];
};

/* 0, or -1 with *why: bad syntax, a tag twice, too many. */
int	 tags_parse(struct slice, struct tags *, const char **why);
/* The value, trimmed; p is NULL if there is no such tag. */
struct slice tags_get(const struct tags *, const char *name);
/* Base64 with blanks in it, padding optional: the length or -1. */
ssize_t	 tag_base64(struct slice, uint8_t *, size_t size);
/* Is word in a colon separated list (case counts not)? */
int	 tag_list_has(struct slice list, const char *word);

/* ---- dkim_key.c: key records (3.6.1), the check of a signature */

enum dkim_alg { ALG_RSA_SHA256, ALG_ED25519_SHA256, ALG_RSA_SHA1 };

struct dkim_key {
	int		 ed25519;
	int		 testing;	/* t=y */
	int		 strict;	/* t=s */
	int		 bits;
	size_t		 n;		/* of data */
	uint8_t		 data[DKIM_RSA_MAX / 8 + 512];
	struct slice	 modulus, exponent;	/* in data */
	struct rsa_key	*rsa;		/* made at the first use */
};

#define KEYS_MAX	32	/* keys remembered */
#define KEYS_RECORD	2048	/* octets of a record that is remembered */

/* The last keys, ready for use: what libcrypto works out for one is half of
 * what a verification costs.  All zero is empty. */
struct dkim_keys {
	size_t		 next;		/* the oldest */
	uint64_t	 mark[KEYS_MAX];	/* a few octets of each record */
	struct {
		struct dkim_key	 key;
		size_t		 n;	/* of record, 0: another each time */
		char		 record[KEYS_RECORD];
	} v[KEYS_MAX];
};

/* 0, or -1 with *why. */
int	 dkim_key_parse(struct slice record, struct dkim_key *,
	    const char **why);
/* The key of a record, valid until the next call; NULL with *why. */
struct dkim_key *dkim_keys_get(struct dkim_keys *, struct slice record,
	    const char **why);
void	 dkim_keys_free(struct dkim_keys *);
/* Is sig a signature of hash by key?  1 or 0. */
int	 dkim_key_verify(struct dkim_key *, const uint8_t hash[DKIM_HASH],
	    const uint8_t *sig, size_t n);

/* ---- dkim_sig.c: a signature field taken apart */

enum sig_kind { SIG_DKIM, SIG_AMS, SIG_AS };

struct dkim_sig {
	struct dkim	 out;
	int		 open;		/* not decided yet */
	enum dkim_alg	 alg;
	enum dkim_canon	 header, body;
	uint64_t	 limit;		/* l=, UINT64_MAX if none */
	size_t		 hash_i;	/* of verdict.c's body hashes */
	int		 same_domain;	/* of i= and d= */
	uint8_t		 hash[DKIM_HASH];	/* of the header */
	uint8_t		 bh[DKIM_HASH];
	uint8_t		 sig[DKIM_KEYSIG_MAX];
	size_t		 sign;
	char		 key[ANSWER_NAME];	/* its name in the DNS */
};

/* The tags of a signature into s, which is open if they are good and decided
 * if not.  -1: names no signer, so that there is nothing to talk about. */
int	 dkim_sig_parse(const struct tags *, enum sig_kind, int64_t now,
	    struct dkim_sig *);
/* Nothing is known. */
void	 dkim_sig_clear(struct dkim_sig *);
/* Decide: a result and its reason. */
void	 dkim_sig_set(struct dkim_sig *, enum dkim_result, const char *why);
/* 1: decided; 0: the key is a question. */
int	 dkim_sig_verify(struct dkim_sig *, struct dkim_keys *,
	    struct answers *);

/* ---- dkim_header.c, dkim_body.c: what both canonicalise */

struct digest;
struct fields;

/* As dkim_header_hash, over a header that was read; the digest is started. */
int	 dkim_fields_hash(struct digest *, struct fields *, struct slice h,
	    struct slice sig, enum dkim_canon, uint8_t hash[DKIM_HASH]);
/*
 * Octets behind text that stay as they are in relaxed form, whatever follows:
 * no control character and no two blanks in a row, nor one at the end.  Eight
 * at a time; it may end early.
 */
size_t	 dkim_words(const char *, size_t);

#endif
