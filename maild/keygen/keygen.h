/*
 * What keygen makes, reads and prints.  All of it ends the program when it
 * fails.
 */
#ifndef KEYGEN_H
#define KEYGEN_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A new key: EVP_PKEY_RSA, EVP_PKEY_EC or EVP_PKEY_ED25519. */
EVP_PKEY *keygen_make(int type);
/* To the key's file, PKCS#8 in PEM; from there. */
void	 keygen_write(EVP_PKEY *);
EVP_PKEY *keygen_read(void);
/* A certificate that the key signs itself, for n names, the host's first. */
X509	*keygen_certificate(EVP_PKEY *, int n, char **names);
/* To standard output: the DKIM record of the public key, a certificate. */
void	 keygen_record(EVP_PKEY *);
void	 keygen_pem(X509 *);

#endif
