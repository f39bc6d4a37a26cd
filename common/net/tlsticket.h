/*
 * Session tickets of the TLS servers of one service: a client that comes
 * again is spared the key exchange's signature, the server asks signd for
 * nothing.  maild tells the secrets (SECRET_TLS), the same to all processes
 * of the service, a new one each TLSTICKET_LIFE seconds.
 */
#ifndef TLSTICKET_H
#define TLSTICKET_H

#include <stdint.h>

struct ssl_ctx_st;		/* SSL_CTX */

#define TLSTICKET_LIFE	43200	/* s, of a ticket and of a secret in use */

/* Seal with this secret from now on; the one told before still opens, and no
 * other.  The caller's copy is the caller's to wipe. */
void	 tlsticket_secret(const uint8_t secret[32]);
/* Connections of this server take tickets and are given some. */
void	 tlsticket_serve(struct ssl_ctx_st *);

#endif
