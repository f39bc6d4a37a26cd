/*
 * Pure mail authentication.  Like common/parse: no input or output, no clock,
 * no logger, no globals.  The one thing from outside is libcrypto: SHA-256,
 * and the check of a signature with a public key.
 *
 * First what DKIM signing and verifying share (RFC 6376, 8463): body and
 * header canonicalisation, the hashes, the text of DKIM-Signature.  The
 * private key operation is signd's.  Then "evaluate or ask"
 * (doc/design.md section 5): DNS answers, SPF, DKIM, DMARC, ARC, and struct
 * verdict, which is all of them for one message.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "parse/rr.h"

struct header_field;

#define DKIM_HASH	32	/* octets of SHA-256 */
#define DKIM_FIELDS_MAX	2000	/* header fields looked at, from the bottom */
#define DKIM_H_MAX	300	/* names in h= */
#define DKIM_SIG_MAX	8192	/* octets of a DKIM-Signature field made here */
#define DKIM_KEYSIG_MAX	1024	/* octets of a signature (RSA 8192) */

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* ---- dkim_body.c: the body hash, while the body passes by (3.4.3, 3.4.4) -- */

/* limit: octets of the canonical body that are hashed (l=), UINT64_MAX for
 * all.  NULL: out of memory. */
struct dkim_body *dkim_body_new(enum dkim_canon, uint64_t limit);
/* Ready for another body, as it was made, or in another way. */
void	 dkim_body_reset(struct dkim_body *);
void	 dkim_body_start(struct dkim_body *, enum dkim_canon, uint64_t limit);
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

/* ---- answers.c: DNS answers so far, and questions still open -------------- */

#define ANSWERS_MAX	256	/* questions of one message */
#define ANSWERS_BYTES	(256 * 1024)	/* of all answers */
#define ANSWER_RRS	128	/* records of one answer that are kept */
#define ANSWER_NAME	254	/* octets of a name with its NUL */

/* data in the form of parse/rr.h; n is the preference of an MX. */
struct rr {
	uint16_t	 n;
	struct slice	 data;
};

struct answer {
	enum dns_status status;
	size_t		 n;
	const struct rr	*rr;
};

/* NULL: out of memory. */
struct answers *answers_new(void);
void	 answers_reset(struct answers *);
/* Keep what is known for another message: 1; or 0, it was not worth keeping
 * (nearly full, open questions, temporary failures) and was reset. */
int	 answers_keep(struct answers *);
/* No answer is waited for any more: all open and new questions are answered
 * with DNS_TEMP. */
void	 answers_late(struct answers *);
void	 answers_free(struct answers *);
/* What is known about name (lower case, no final dot) and type; or NULL, and
 * it has become a question.  A table that is full answers DNS_TEMP. */
const struct answer *answers_get(struct answers *, const char *name,
	    enum dns_type);
/* The next question nobody was given yet: 1, or 0.  *name stays valid until
 * answers_reset. */
int	 answers_ask(struct answers *, const char **name, enum dns_type *);
/* Questions without an answer. */
size_t	 answers_open(const struct answers *);
/* An answer; what rr holds is copied.  Names are compared without case; a
 * question needs not have been asked.  Records of other types than asked are
 * the caller's to leave out.  What does not fit is taken as DNS_TEMP. */
void	 answers_put(struct answers *, const char *name, enum dns_type,
	    enum dns_status, const struct rr *, size_t n);

/* ---- domain.c ------------------------------------------------------------- */

#define DOMAIN_TEXT	254	/* octets of a domain with its NUL */

/*
 * A domain as DNS and comparisons want it: lower case, no final dot, U-labels
 * as A-labels (RFC 5891, 3492; case folded, not normalised).  Labels of 1..63
 * letters, digits, hyphens and underscores.  0, or -1: it is none.
 */
int	 domain_ascii(struct slice, char out[DOMAIN_TEXT]);
/* Is sub, in that form, the same as or below domain? */
int	 domain_within(const char *sub, const char *domain);

/* ---- spf.c: check_host() (RFC 7208 4) ------------------------------------- */

#define SPF_LOOKUPS	10	/* terms that ask the DNS (4.6.4) */
#define SPF_VOIDS	2	/* lookups without an answer */
#define SPF_NAMES	10	/* MX names, PTR names looked at */
#define SPF_DEPTH	SPF_LOOKUPS	/* includes and redirects nested */
#define SPF_RECORD_MAX	8192	/* octets of a record */
#define SPF_TERMS_MAX	512	/* terms of a record */
#define SPF_EXP_MAX	512	/* octets of an explanation */
#define SPF_TERM_TEXT	128	/* octets kept of the term that matched */

enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL,
	    SPF_TEMPERROR, SPF_PERMERROR };

struct spf_query {
	struct ipaddr	 ip;
	const char	*helo;
	struct slice	 local;		/* of the identity; empty: postmaster */
	struct slice	 domain;	/* of the identity */
	const char	*receiver;	/* our name, for %{r} */
	int64_t		 now;		/* for %{t} */
};

struct spf {
	enum spf_result	 result;
	char		 domain[DOMAIN_TEXT];	/* checked; "" if it is none */
	const char	*why;		/* static text for errors, or NULL */
	int		 lookups, voids;
	char		 term[SPF_TERM_TEXT];	/* that matched, or "" */
	char		 exp[SPF_EXP_MAX];	/* printable ASCII; "": none */
};

/*
 * 1: *out is the result.  0: answers has questions; put the answers and call
 * again.  Goes from the start each time, keeping nothing.
 */
int	 spf_run(const struct spf_query *, struct answers *, struct spf *out);
/* "pass", ... as in RFC 7208 9.1 and RFC 8601. */
const char *spf_name(enum spf_result);
/* Is a record's syntax good?  0, or -1 with the place and reason (4.6). */
int	 spf_check(struct slice record, struct parse_err *);

/* ---- dkim_sig.c, dkim_key.c: DKIM-Signature (RFC 6376 6, 8301, 8463) ------ */

#define DKIM_VERIFY_MAX	8	/* signatures of a message that are verified */
#define DKIM_TAGS_MAX	40	/* tags of one list */
#define DKIM_FIELD_MAX	16384	/* octets of a signature field read */
#define DKIM_FROM_MAX	8192	/* octets of a From field we sign */
#define DKIM_RSA_MIN	1024	/* bits (RFC 8301 3.2) */
#define DKIM_RSA_MAX	8192
#define DKIM_SKEW	3600	/* seconds t= may be ahead of our clock */

enum dkim_result { DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY,
	    DKIM_NEUTRAL, DKIM_TEMPERROR, DKIM_PERMERROR };

struct dkim {
	enum dkim_result result;
	const char	*why;		/* static text, or NULL */
	char		 domain[DOMAIN_TEXT];	/* d=, as of domain_ascii */
	char		 selector[DOMAIN_TEXT];
	char		 identity[ADDR_TEXT_MAX];	/* i=, or "" */
	char		 algorithm[16];		/* a= */
	char		 b[9];			/* start of b=, to tell two */
	int		 bits;		/* of the key, 0 before it is known */
	int		 testing;	/* t=y in the key */
	int		 partial;	/* l= leaves octets out */
};

const char *dkim_name(enum dkim_result);
/* Is a key record good (RFC 6376 3.6.1)?  0, or -1 with the reason.  *bits
 * is the size of its key. */
int	 dkim_key_check(struct slice record, int *bits, const char **why);
/* Is it a good record, and of the key that made this signature over the hash
 * (Ed25519, or RSA)?  1, or 0 with the reason. */
int	 dkim_key_proves(struct slice record, int ed25519,
	    const uint8_t hash[DKIM_HASH], const uint8_t *sig, size_t n,
	    const char **why);

/* ---- dmarc*.c (RFC 9989) -------------------------------------------------- */

#define DMARC_QUERIES	8	/* of one tree walk (4.10) */
#define DMARC_AUTHORS	4	/* domains in From: that are evaluated */
#define DMARC_TAGS_MAX	64
#define DMARC_RECORD_MAX 8192
#define DMARC_URIS_MAX	16	/* in one rua or ruf */
#define DMARC_IDS	(DKIM_VERIFY_MAX + 1)	/* identifiers to align */

enum dmarc_policy { DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };
enum dmarc_result { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR,
	    DMARC_PERMERROR };

/* A record; the slices are in the caller's text. */
struct dmarc_record {
	struct slice	 text;		/* all of it */
	int		 usable;	/* has p=, or counts as p=none */
	enum dmarc_policy p, sp, np;	/* sp and np with their defaults */
	int		 adkim, aspf;	/* 'r' or 's' */
	int		 psd;		/* 'y', 'n' or 'u' */
	int		 t;		/* t=y */
	int		 fo;		/* DMARC_FO_ bits */
	struct slice	 rua, ruf;	/* raw values, or empty */
};

#define DMARC_FO_0	0x01	/* RFC 9991 3 */
#define DMARC_FO_1	0x02
#define DMARC_FO_D	0x04
#define DMARC_FO_S	0x08

/* 0, or -1: not a DMARC record (it is as if it were not there), or a broken
 * one: then *why says what is wrong, else it is NULL. */
int	 dmarc_record_parse(struct slice, struct dmarc_record *,
	    const char **why);
/* The next address of a rua or ruf value: 1 with a URI (size suffix taken
 * off), or 0 at the end. */
int	 dmarc_uri_next(struct slice *rest, struct slice *uri);

enum dmarc_from {
	DMARC_FROM_OK,		/* one domain */
	DMARC_FROM_MANY,	/* several, each is evaluated */
	DMARC_FROM_MISSING,	/* no From field */
	DMARC_FROM_TWICE,	/* more than one From field */
	DMARC_FROM_EMPTY,	/* no domain in it */
	DMARC_FROM_EXCESS	/* more than DMARC_AUTHORS */
};

struct dmarc_authors {
	enum dmarc_from	 from;
	size_t		 n;
	char		 domain[DMARC_AUTHORS][DOMAIN_TEXT];
};

/* The author domains of a header; addresses inside groups count. */
void	 dmarc_authors(struct slice header, struct dmarc_authors *);
/* The same from the value of a From: field. */
void	 dmarc_authors_value(struct slice value, struct dmarc_authors *);

/* An authenticated identifier, or one that failed. */
struct dmarc_id {
	const char	*domain;	/* as of domain_ascii */
	int		 pass, temp;	/* its result was pass, temperror */
};

struct dmarc {
	enum dmarc_result result;
	const char	*why;		/* static text, or NULL */
	enum dmarc_from	 from;
	char		 author[DOMAIN_TEXT];	/* the domain decided on */
	char		 org[DOMAIN_TEXT];	/* its organizational domain */
	char		 at[DOMAIN_TEXT];	/* where the record is, or "" */
	enum dmarc_policy published;	/* what p, sp or np says */
	enum dmarc_policy policy;	/* what is asked for: t=y softens */
	char		 tag;		/* 'p', 's' or 'n': which said so */
	int		 adkim, aspf;
	int		 psd;
	int		 testing;
	int		 spf_aligned, dkim_aligned;
	int		 fo;
	struct slice	 record, rua, ruf;	/* in the answers */
};

/*
 * Author domains, the SPF identifier (domain NULL: none) and those of DKIM.
 * Several authors: each is evaluated, the strictest counts.  1 finished, 0
 * questions, as spf_run.
 */
int	 dmarc_run(const struct dmarc_authors *, const struct dmarc_id *spf,
	    const struct dmarc_id *dkim, size_t ndkim, struct answers *,
	    struct dmarc *);
const char *dmarc_name(enum dmarc_result);
const char *dmarc_policy_name(enum dmarc_policy);
/* A tree walk alone (RFC 9989 4.10): the organizational domain.  1 found,
 * 0 questions, -1 a temporary error.  *found: is there any record? */
int	 dmarc_org(const char *domain, struct answers *, char org[DOMAIN_TEXT],
	    int *found);

/* ---- arc.c (RFC 8617 5.2) ------------------------------------------------- */

#define ARC_SETS_MAX	50	/* (4.2.1) */

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL, ARC_TEMPERROR };

struct arc {
	enum arc_result	 result;
	const char	*why;		/* static text, or NULL */
	int		 n;		/* sets */
	char		 domain[DOMAIN_TEXT];	/* d= of the newest seal */
	char		 selector[DOMAIN_TEXT];
};

const char *arc_name(enum arc_result);

/* ---- verdict.c: all of it for one message --------------------------------- */

#define VERDICT_PARTIAL	0x01	/* a signature with l= may pass though it
				 * leaves body octets out */
#define VERDICT_HELO	0x02	/* check HELO by SPF as well */
#define VERDICT_NOARC	0x04	/* leave ARC out */
#define VERDICT_NOSPF	0x08	/* leave SPF out (no client is known) */
#define VERDICT_NODMARC	0x10	/* leave DMARC out */

/* NULL: out of memory.  One object serves message after message. */
struct verdict *verdict_new(void);
void	 verdict_free(struct verdict *);
/*
 * The last keys, ready for use, and scratch space: what many verdicts of one
 * thread can share.  It must live longer than they.  NULL: out of memory.
 */
struct verdict_kit *verdict_kit_new(void);
void	 verdict_kit_free(struct verdict_kit *);
struct verdict *verdict_new_kit(struct verdict_kit *);
/* A new transaction.  receiver: our name; now: seconds since the epoch.
 * Answers of the last one stay if keep is set (same connection, still
 * fresh); text given out before is gone. */
void	 verdict_start(struct verdict *, int flags, const char *receiver,
	    int64_t now, int keep);
/* Facts, each when it is known.  What they point to is copied. */
void	 verdict_client(struct verdict *, const struct ipaddr *,
	    const char *helo);
/* domain as in MAIL FROM; both empty: the null sender, HELO stands in. */
void	 verdict_sender(struct verdict *, struct slice local,
	    struct slice domain);
/* The whole header without what we put in front of it, empty line included
 * or not.  0, or -1 out of memory. */
int	 verdict_header(struct verdict *, struct slice header);
/* The body as it arrives, cut anywhere; one pass serves all signatures. */
void	 verdict_body(struct verdict *, const char *, size_t);
/* The body is complete. */
void	 verdict_end(struct verdict *);
/*
 * As far as facts and answers reach: 1 all is decided, 0 not yet.  May be
 * called after each new fact, so that questions go out early.  0 with no
 * open question means that facts are missing.
 */
int	 verdict_run(struct verdict *);
/* Its questions and answers: answers_ask, answers_put, answers_open. */
struct answers *verdict_answers(struct verdict *);
/* The time for answers is over: what is still open is DNS_TEMP from now
 * on, so that verdict_run comes to its end. */
void	 verdict_timeout(struct verdict *);

/* Results; before verdict_run returned 1 as far as they are known. */
const struct spf *verdict_spf(const struct verdict *);	/* MAIL FROM, or
				 * HELO for the null sender */
const struct spf *verdict_spf_helo(const struct verdict *);	/* VERDICT_HELO
				 * and a sender; else NULL */
/* Signatures in the order of the header; 0 <= i < verdict_ndkim. */
size_t	 verdict_ndkim(const struct verdict *);
const struct dkim *verdict_dkim(const struct verdict *, size_t i);
/* Signature fields that were not looked at, being too many. */
size_t	 verdict_dkim_more(const struct verdict *);
const struct dmarc *verdict_dmarc(const struct verdict *);
const struct arc *verdict_arc(const struct verdict *);

/* ---- authres.c: Authentication-Results (RFC 8601), Received-SPF ----------- */

#define AUTHRES_MAX	8192	/* octets authres_print may need */

/*
 * The folded field "Authentication-Results: receiver; ..." with CRLF.  more,
 * if not NULL, is added as further results ("auth=pass ...").  The length, or
 * -1: size is too small.  No NUL.
 */
ssize_t	 authres_print(const struct verdict *, const char *more, char *,
	    size_t size);
/* "Received-SPF: ..." (RFC 7208 9.1) with CRLF; the same. */
ssize_t	 spf_received_print(const struct verdict *, char *, size_t size);
/*
 * Is this an Authentication-Results field that claims to be of authserv (RFC
 * 8601 5), or one of which that cannot be told?  1: it must be removed on
 * entry, or 0.
 */
int	 authres_forged(const struct header_field *, const char *authserv);

#endif
