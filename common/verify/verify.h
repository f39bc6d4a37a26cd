/*
 * Pure mail authentication.  Like common/parse: no input or output, no clock,
 * no logger, no globals.  The one thing from outside is libcrypto's EVP
 * digest, which DKIM needs as a stream.  Needs parse.h first.
 *
 * Here is what DKIM signing and verifying share (RFC 6376, 8463): body and
 * header canonicalisation, the hashes, the text of DKIM-Signature.  The
 * private key operation is signd's.
 */
#ifndef VERIFY_H
#define VERIFY_H

#define DKIM_HASH	32	/* octets of SHA-256 */
#define DKIM_FIELDS_MAX	2000	/* header fields looked at, from the bottom */
#define DKIM_H_MAX	300	/* names in h= */
#define DKIM_SIG_MAX	8192	/* octets of a DKIM-Signature field made here */
#define DKIM_KEYSIG_MAX	1024	/* octets of a signature (RSA 8192) */

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* ---- dkim_body.c: the body hash, while the body passes by (3.4.3, 3.4.4) -- */

struct dkim_body;

/* limit: octets of the canonical body that are hashed (l=), UINT64_MAX for
 * all.  NULL: out of memory. */
struct dkim_body *dkim_body_new(enum dkim_canon, uint64_t limit);
/* Ready for another body. */
void	 dkim_body_reset(struct dkim_body *);
/* Body octets, cut anywhere; not the empty line before them. */
void	 dkim_body_feed(struct dkim_body *, const char *, size_t);
/* The hash; *len, if not NULL, gets the canonical length without limit.
 * 0, or -1: libcrypto failed. */
int	 dkim_body_end(struct dkim_body *, uint8_t hash[DKIM_HASH],
	    uint64_t *len);
void	 dkim_body_free(struct dkim_body *);

/* ---- dkim_header.c: the header hash (3.4.1, 3.4.2, 3.7) ------------------- */

/*
 * SHA-256 of the fields that h names (a colon separated list as in h=; each
 * name takes the next instance from the bottom, a name without instance left
 * adds nothing), then of sig, the DKIM-Signature field itself, with the value
 * of its b= taken out and without its final CRLF.  header may or may not
 * contain sig itself; it is skipped if it is the same memory.
 * 0, -1: too many names, or libcrypto failed.
 */
int	 dkim_header_hash(struct slice header, struct slice h,
	    struct slice sig, enum dkim_canon, uint8_t hash[DKIM_HASH]);
/* One field in canonical form, CRLF included.  The length, or -1 if size is
 * too small (raw.n + 2 always do). */
ssize_t	 dkim_header_canon(struct slice raw, enum dkim_canon, char *,
	    size_t size);
/* SHA-256 of a buffer.  0 or -1. */
int	 dkim_sha256(const void *, size_t, uint8_t hash[DKIM_HASH]);

/* ---- dkim_sign.c: making a DKIM-Signature (3.5, 5.4, 8.15) ---------------- */

struct dkim_sign {
	const char	*algorithm;	/* "rsa-sha256", "ed25519-sha256" */
	const char	*domain;	/* d=, A-labels */
	const char	*selector;	/* s= */
	const char	*identity;	/* i=, NULL for none */
	enum dkim_canon	 header, body;	/* c= */
	int64_t		 time;		/* t=, seconds; -1 for none */
	int64_t		 expire;	/* x=, seconds; -1 for none */
	const uint8_t	*bodyhash;	/* DKIM_HASH octets */
};

/*
 * The h= list for a header: every instance of the fields worth signing, and
 * one more of those that must not be added later (oversigning).  The length,
 * or -1: no From field, or size too small.  No NUL.
 */
ssize_t	 dkim_sign_fields(struct slice header, char *, size_t size);
/*
 * The folded DKIM-Signature field up to and with "b=", without CRLF: what
 * goes into dkim_header_hash as sig.  Lines stay below 78 octets where the
 * values allow.  The length, or -1: size too small, or a value that has no
 * place in a header.
 */
ssize_t	 dkim_sign_start(const struct dkim_sign *, struct slice h, char *,
	    size_t size);
/* Add the signature as folded base64, and CRLF, to the n octets in field.
 * The new length, or -1 if size is too small. */
ssize_t	 dkim_sign_finish(char *field, size_t n, size_t size,
	    const uint8_t *sig, size_t sign);

#endif
