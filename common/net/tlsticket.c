/*
 * Session tickets (RFC 5077, RFC 8446 4.6.1), sealed and opened by whichever
 * process of a service the client reaches.  In smtpd, imapd and pop3d; what a
 * ticket holds is with the client alone, nothing of it is kept here.  The
 * keys are in memory only, never logged, and wiped when the next but one
 * comes.  A ticket that does not open means a full handshake, never an error.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "base/util.h"
#include "net/tlsticket.h"

#define NAME_LEN	16	/* octets of a key's name, as OpenSSL has it */
#define IV_LEN		16	/* octets, of AES-256-CBC */
#define TICKETS		1	/* of TLS 1.3 at a time: a visit brings one */

/* What a secret gives, by HMAC of two words. */
struct ticket_key {
	struct {
		uint8_t	 aes[32], mac[32];
	} seal;				/* SHA-512 */
	uint8_t		 name[32];	/* SHA-256 */
	bool		 set;
};

static struct {
	struct ticket_key current, former;
} ticket;

static int	 on_ticket(SSL *, unsigned char *, unsigned char *,
		    EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);

void
tlsticket_secret(const uint8_t secret[32])
{
	static const uint8_t seal[] = "seal", name[] = "name";
	struct ticket_key k = { .set = true };

	if (HMAC(EVP_sha512(), secret, 32, seal, sizeof(seal),
	    (unsigned char *)&k.seal, NULL) != NULL &&
	    HMAC(EVP_sha256(), secret, 32, name, sizeof(name), k.name,
	    NULL) != NULL) {
		ticket.former = ticket.current;
		ticket.current = k;
	}
	explicit_bzero(&k, sizeof(k));
}

void
tlsticket_serve(struct ssl_ctx_st *ctx)
{
	if (!ticket.current.set)
		return;
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TLSTICKET_LIFE);
	SSL_CTX_set_num_tickets(ctx, TICKETS);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

/* Names are no secret, they are what a ticket begins with. */
static bool
is_named(const struct ticket_key *k, const unsigned char *name)
{
	return k->set && memcmp(k->name, name, NAME_LEN) == 0;
}

/* The key of that name, NULL: none of ours. */
static const struct ticket_key *
ticket_key(const unsigned char *name)
{
	if (is_named(&ticket.current, name))
		return &ticket.current;
	return is_named(&ticket.former, name) ? &ticket.former : NULL;
}

/* The EVP_MAC_CTX takes a key as one of its parameters.  1, 0. */
static int
ticket_mac(EVP_MAC_CTX *mac, struct ticket_key k)
{
	char sha256[] = "SHA256";
	const OSSL_PARAM param[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    k.seal.mac, sizeof(k.seal.mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    sha256, 0),
		OSSL_PARAM_construct_end()
	};
	int r = EVP_MAC_CTX_set_params(mac, param);

	explicit_bzero(&k, sizeof(k));
	return r;
}

static int
ticket_seal(const struct ticket_key *k, unsigned char *name,
    unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac)
{
	memcpy(name, k->name, NAME_LEN);
	random_bytes(iv, IV_LEN);
	return EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, k->seal.aes,
	    iv) == 1 && ticket_mac(mac, *k) == 1 ? 1 : -1;
}

/*
 * OpenSSL asks for what seals a ticket (1), or opens one: 0 it is none of
 * ours, 1 done, 2 done and a fresh one is due.  In TLS 1.3 it always is: a
 * ticket is to be used once.  -1: out of memory.
 */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *c,
    EVP_MAC_CTX *mac, int seal)
{
	const struct ticket_key *k;

	if (seal)
		return ticket_seal(&ticket.current, name, iv, c, mac);
	if ((k = ticket_key(name)) == NULL)
		return 0;
	if (EVP_DecryptInit_ex(c, EVP_aes_256_cbc(), NULL, k->seal.aes,
	    iv) != 1 || ticket_mac(mac, *k) != 1)
		return -1;
	return k == &ticket.former || SSL_version(ssl) == TLS1_3_VERSION ? 2 :
	    1;
}
