/*
 * RSA public keys that are used again and again.  Private to common/verify.
 */
#ifndef RSA_H
#define RSA_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "verify/verify.h"

/* Numbers as big-endian octets.  NULL: no key, or out of memory. */
struct rsa_key *rsa_key_new(struct slice modulus, struct slice exponent);
/* Is sig a PKCS #1 v1.5 signature of this SHA-256 hash (RFC 8017 8.2.2)?  1
 * or 0. */
int	 rsa_key_verify(struct rsa_key *, const uint8_t hash[DKIM_HASH],
	    const uint8_t *sig, size_t n);
void	 rsa_key_free(struct rsa_key *);

#endif
