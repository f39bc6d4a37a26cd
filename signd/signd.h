/*
 * signd: private keys and what may be signed with them.  Two instances of
 * one program: TLS keys of the fronts, DKIM keys of the domains.
 *
 * Layers, lowest first; a file calls those before it:
 *	key cert dkim next tls ticket signd
 */
#ifndef SIGND_H
#define SIGND_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "proc/proc.h"

enum sign_result { SIGN_OK, SIGN_REFUSED, SIGN_NOKEY };

/* ---- key.c --------------------------------------------------------------- */

#define KEYS_MAX	4160	/* as many as maild hands out, and some */
#define KEY_FILE_MAX	16384	/* octets of a key file */

enum key_type { KEY_RSA, KEY_EC, KEY_ED25519 };
enum key_use {
	USE_TLS,
	USE_DKIM,	/* named "DOMAIN/SELECTOR" */
	USE_NEXT	/* the same, not to be signed mail with yet */
};

struct key {
	struct key		*next, *chain;	/* of all; of a bucket */
	struct evp_pkey_st	*pkey;
	struct evp_pkey_ctx_st	*rsa;	/* DKIM: ready to sign */
	struct evp_pkey_ctx_st	*tls[3][3]; /* the same; digest, padding */
	struct evp_md_ctx_st	*ed25519;
	enum key_type		 type;
	enum key_use		 use;
	int			 seen;	/* of next.c, -1: nothing yet */
	struct msg_mac		 spki;	/* SHA-256 of SubjectPublicKeyInfo */
	char			 name[512];	/* of the file, for messages */
	char			 domain[256];	/* DKIM: d= and s= */
	char			 selector[256];
};

/* Before any key is read, as root: lock all memory of this process, give
 * libcrypto a guarded heap for private numbers.  fatal() without. */
void	 key_memory(void);
/* Check and read a private key from fd (closed in every case).  A later one
 * of the same domain and type, or of the same file, takes the place of the
 * earlier; of those that wait each stays.  0, or -1 with *why. */
int	 key_read(struct slice name, int fd, enum key_use, const char **why);
struct key *key_by_spki(const struct msg_mac *);
struct key *key_by_domain(struct slice domain, enum key_type);
bool	 key_has_domain(struct slice domain);
/* The keys of USE_NEXT one after the other: the first when given NULL; NULL
 * at the end. */
struct key *key_waiting(const struct key *);
size_t	 key_count(void);		/* without those of USE_NEXT */

/* ---- cert.c -------------------------------------------------------------- */

/* A chain in PEM of the fronts, the one of that number in the configuration
 * (fd is closed).  fatal() when unusable. */
void	 cert_read(uint16_t index, struct slice name, int fd);
/* The key beside it in the configuration is not used, and why. */
void	 cert_unused(uint16_t index, struct slice key, const char *why);
/* Every one of them must have its key here, else fatal().  Reads what they
 * say of that host. */
void	 cert_check(const char *host);
/* What is wrong with their dates and names, told to maild; again each hour. */
void	 cert_tell(void);

/* ---- tls.c --------------------------------------------------------------- */

/*
 * Is this what a TLS server signs in a handshake and nothing else?  13: 64
 * spaces, "TLS 1.3, server CertificateVerify", NUL, a transcript hash of 32
 * or 48 octets (RFC 8446 4.4.3).  12: both randoms and ECDH parameters of a
 * named curve with a point of its length (RFC 8422 5.4).  Pure.
 */
bool	 tls_text_ok(unsigned int version, struct slice text);
/* Sign it.  Returns the length of sig (size octets), -1: refused or failed. */
ssize_t	 tls_sign(struct key *, const struct sign_tls *, uint8_t *sig,
	    size_t size);

/* ---- ticket.c ------------------------------------------------------------ */

#define TICKET_MAX	512

/* What signd promised to sign later: kept in the envelope meanwhile. */
struct ticket {
	uint32_t	 account;	/* 0: the system itself */
	uint64_t	 issued, expires;	/* seconds UTC */
	struct msg_mac	 bodyhash, fromhash;
	bool		 has7;
	struct msg_mac	 bodyhash7;	/* of the message made 7-bit */
	char		 domain[256];
};

/* Encode with the keyed hash behind it; the length. */
size_t	 ticket_make(const struct ticket *, const uint8_t key[32],
	    uint8_t buf[TICKET_MAX]);
/* 0, or -1: damaged, not ours, or expired. */
int	 ticket_check(struct slice, const uint8_t key[32], uint64_t now,
	    struct ticket *);

/* ---- dkim.c -------------------------------------------------------------- */

struct dkim_options {
	const char	*headers;	/* h= list, NULL: chosen */
	unsigned int	 expire;	/* s, 0: no x= */
	uint64_t	 now;
};

/* Does the head have exactly one From field, all authors of that domain and
 * with that hash?  Pure. */
bool	 dkim_from_ok(struct slice head, const struct ticket *);
/* The private key operation on a SHA-256 hash, as DKIM has it (RFC 6376 3.3,
 * RFC 8463 3).  Length of sig, or -1. */
ssize_t	 key_sign(struct key *, const uint8_t hash[32], uint8_t *sig,
	    size_t size);
/* DKIM-Signature fields with CRLF, one a key of the ticket's domain; their
 * length, 0 if there is no key, -1 if nothing could be signed. */
ssize_t	 dkim_sign(struct slice head, const struct ticket *,
	    const struct dkim_options *, char *out, size_t size);

/* ---- next.c -------------------------------------------------------------- */

/* Look for the records of the keys that wait, from now on every dkim.poll. */
void	 next_start(void);
/* A new end of the channel to resolve. */
void	 next_channel(int fd);

/* ---- signd.c: as struct role has them, of either instance ---------------- */

/* First of all, as root: memory that keys and secrets may lie in.  fatal()
 * without. */
void	 signd_memory(void);
/* A chain or its key; a domain's key.  All close the descriptor. */
void	 signd_tls_file(enum conf_file_kind, uint16_t index,
	    struct slice name, int fd);
void	 signd_dkim_file(enum conf_file_kind, uint16_t index,
	    struct slice name, int fd);
/* Before the jail: each chain has its key, else fatal(). */
void	 signd_tls_load(const struct conf *);
void	 signd_dkim_secret(enum conf_secret_kind, const uint8_t[32]);
/* Secrets are read only from here on. */
void	 signd_tls_start(const struct conf *);
void	 signd_dkim_start(const struct conf *);
/* One more who asks; dkim: or resolve. */
void	 signd_tls_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
void	 signd_dkim_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);

#endif
