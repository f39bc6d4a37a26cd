/*
 * TLS of servers whose private keys live in signd: the one file that knows
 * how a handshake reaches them (libtls with a fake key and an EVP_PKEY_METHOD
 * whose digestsign asks signd).
 *
 * SIGN_TLS: spki is SHA-256 of the certificate's SubjectPublicKeyInfo;
 * version 12 or 13; padding 0 ECDSA, 1 PKCS#1 v1.5, 2 PSS; digest is the
 * NID; text is what is to be hashed and signed: signd checks that it is
 * TLS 1.3 server CertificateVerify text or TLS 1.2 ServerKeyExchange
 * parameters before it signs.
 */
#ifndef TLSKEY_H
#define TLSKEY_H

#include <stdbool.h>
#include <stddef.h>

/* sock: channel end of kind CHAN_SIGN to signd tls, used blocking (2 s
 * limit) from inside handshakes.  Called again, the new signd is asked first,
 * and the one before it for what the new one refuses. */
void	 tlskey_signer(int sock);
/* Is signd there, now?  Without it no handshake comes to an end. */
bool	 tlskey_ready(void);
/* Collect PEM chains (before the jail and at reload), then make the server
 * context with all of them (SNI by certificate name), whose sessions resume
 * with that service and those chains alone (tlsticket.h).  NULL with a log
 * line when a chain does not parse; the caller keeps the old context.  Freed by
 * tlsssl_free. */
struct tlskey *tlskey_new(void);
int	 tlskey_add(struct tlskey *, const char *name, const char *pem, size_t);
struct tls *tlskey_server(struct tlskey *, const char *service);
void	 tlskey_free(struct tlskey *);
#endif
