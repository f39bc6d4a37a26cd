/*
 * TLS servers whose private keys live in signd (tlskey.h).  libtls is told
 * to make a fake key from each certificate; our EVP_PKEY_METHOD for RSA and
 * EC then gets the whole text that a handshake wants signed and asks signd
 * over a channel of its own, blocking for at most two seconds.  No process
 * that links this may sign anything else: the method is process-wide.
 *
 * Debian's libtls exports what is needed without declaring it; another
 * libtls brings its own way (tls_signer of LibreSSL) to this one file.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/msg.h"
#include "net/tlskey.h"
#include "net/tlsssl.h"
#include "net/tlsticket.h"

#define SIGN_TIMEOUT_MS	2000
#define CHAINS_MAX	64

/* Exported by libtls.so.26 of Debian, absent from its tls.h. */
void	 tls_config_use_fake_private_key(struct tls_config *);

struct chain {
	char	*name;
	char	*pem;
	size_t	 n;
};

struct tlskey {
	struct chain	 chain[CHAINS_MAX];
	size_t		 n;
};

static struct {
	int		 sock;
	int		 former;	/* the one before: it has other keys */
	uint32_t	 id;
	int		 spki_index;	/* ex_data of EVP_PKEY */
	bool		 ready;
} signer = { .sock = -1, .former = -1 };

enum signed_as { SIGN_DONE, SIGN_REFUSED, SIGN_FAILED };

static int	 method_install(int);
static int	 key_spki(EVP_PKEY *, struct msg_mac *);
static int	 sign_remote(const struct sign_tls *, unsigned char *,
		    size_t *);
static enum signed_as sign_by(int, const struct sign_tls *, unsigned char *,
		    size_t *);
static enum signed_as sign_wait(int, uint32_t, unsigned char *, size_t *);
static void	 spki_free(void *, void *, CRYPTO_EX_DATA *, int, long, void *);

void
tlskey_signer(int sock)
{
	const struct timeval tv = { SIGN_TIMEOUT_MS / 1000, 0 };
	int flags;

	if (signer.former != -1)
		close(signer.former);
	signer.former = signer.sock;
	signer.sock = sock;
	if (sock == -1)
		return;
	/* Blocking: the answer is waited for inside the handshake, but never
	 * for ever, also when a signal interrupts the poll. */
	if ((flags = fcntl(sock, F_GETFL)) != -1)
		fcntl(sock, F_SETFL, flags & ~O_NONBLOCK);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

bool
tlskey_ready(void)
{
	struct pollfd pfd = { signer.sock, 0, 0 };

	/* the end of what was a channel shows without asking for it */
	return signer.sock != -1 && poll(&pfd, 1, 0) == 0;
}

struct tlskey *
tlskey_new(void)
{
	return xcalloc(1, sizeof(struct tlskey));
}

int
tlskey_add(struct tlskey *k, const char *name, const char *pem, size_t n)
{
	struct chain *c;

	if (k->n == CHAINS_MAX || n == 0)
		return -1;
	c = &k->chain[k->n++];
	c->name = xstrdup(name);
	c->pem = xstrndup(pem, n);
	c->n = n;
	return 0;
}

void
tlskey_free(struct tlskey *k)
{
	size_t i;

	if (k == NULL)
		return;
	for (i = 0; i < k->n; i++) {
		free(k->chain[i].name);
		free(k->chain[i].pem);
	}
	free(k);
}

static int
methods_ready(void)
{
	if (signer.ready)
		return 0;
	signer.spki_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY,
	    0, NULL, NULL, NULL, spki_free);
	if (signer.spki_index == -1 || method_install(EVP_PKEY_RSA) == -1 ||
	    method_install(EVP_PKEY_EC) == -1) {
		log_warnx("tls no signing method");
		return -1;
	}
	signer.ready = true;
	return 0;
}

/* A session is resumed by the service that it was made with alone, and as
 * long as that shows the same certificates. */
static int
session_context(const struct tlskey *k, const char *service,
    struct tls_config *config)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char id[32];
	size_t i;
	int ok;

	ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, service, strlen(service) + 1) == 1;
	for (i = 0; ok && i < k->n; i++)
		ok = EVP_DigestUpdate(md, k->chain[i].pem, k->chain[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(md, id, NULL) == 1 &&
	    tls_config_set_session_id(config, id, sizeof(id)) == 0;
	EVP_MD_CTX_free(md);
	return ok ? 0 : -1;
}

struct tls *
tlskey_server(struct tlskey *k, const char *service)
{
	struct ssl_ctx_st *ctx;
	struct tls_config *config = tls_config_new();
	struct tls *tls = NULL;
	struct chain *c;
	size_t i;
	int r;

	if (config == NULL || k->n == 0 || methods_ready() == -1)
		goto out;
	tls_config_use_fake_private_key(config);
	for (i = 0; i < k->n; i++) {
		c = &k->chain[i];
		r = i == 0 ? tls_config_set_keypair_mem(config,
		    (const uint8_t *)c->pem, c->n, NULL, 0) :
		    tls_config_add_keypair_mem(config,
		    (const uint8_t *)c->pem, c->n, NULL, 0);
		if (r == -1) {
			log_warnx("tls certificate=%s error=\"%s\"", c->name,
			    tls_config_error(config));
			goto out;
		}
	}
	if ((tls = tls_server()) == NULL ||
	    session_context(k, service, config) == -1 ||
	    tlsssl_configure(tls, config, &ctx) == -1) {
		log_warnx("tls certificate=%s error=\"%s\"", k->chain[0].name,
		    tls != NULL && tls_error(tls) != NULL ? tls_error(tls) :
		    "out of memory");
		tls_free(tls);
		tls = NULL;
	} else
		tlsticket_serve(ctx);
out:
	tls_config_free(config);
	return tls;
}

/* ---- the method ---------------------------------------------------------- */

/* 13 when the text begins as RFC 8446 4.4.3 says: 64 spaces.  A TLS 1.2
 * text begins with the client's random octets. */
static uint8_t
text_version(const unsigned char *text, size_t n)
{
	size_t i;

	for (i = 0; i < 64 && i < n; i++)
		if (text[i] != ' ')
			return 12;
	return i == 64 ? 13 : 12;
}

/*
 * One-shot sign of a whole text (OpenSSL calls it for CertificateVerify and
 * for ServerKeyExchange).  sig NULL asks for the size.
 */
static int
key_digestsign(EVP_MD_CTX *mc, unsigned char *sig, size_t *siglen,
    const unsigned char *text, size_t n)
{
	EVP_PKEY_CTX *c = EVP_MD_CTX_pkey_ctx(mc);
	EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(c);
	struct sign_tls ask = { 0 };
	const EVP_MD *md = NULL;
	int padding = 0;

	if (sig == NULL) {
		*siglen = (size_t)EVP_PKEY_size(key);
		return 1;
	}
	if (EVP_PKEY_CTX_get_signature_md(c, &md) <= 0 || md == NULL)
		return 0;
	if (EVP_PKEY_base_id(key) == EVP_PKEY_RSA) {
		if (EVP_PKEY_CTX_get_rsa_padding(c, &padding) <= 0)
			return 0;
		ask.padding = padding == RSA_PKCS1_PSS_PADDING ? 2 : 1;
	}
	ask.digest = (uint16_t)EVP_MD_type(md);
	ask.version = text_version(text, n);
	ask.text = slice_of((const char *)text, n);
	if (key_spki(key, &ask.spki) == -1)
		return 0;
	return sign_remote(&ask, sig, siglen) == 0;
}

static int
method_install(int type)
{
	const EVP_PKEY_METHOD *old = EVP_PKEY_meth_find(type);
	EVP_PKEY_METHOD *new;
	int flags;

	if (old == NULL)
		return -1;
	EVP_PKEY_meth_get0_info(NULL, &flags, old);
	if ((new = EVP_PKEY_meth_new(type, flags)) == NULL)
		return -1;
	EVP_PKEY_meth_copy(new, old);
	EVP_PKEY_meth_set_digestsign(new, key_digestsign);
	return EVP_PKEY_meth_add0(new) == 1 ? 0 : -1;
}

/* SHA-256 of the key's SubjectPublicKeyInfo, kept with the key. */
static int
key_spki(EVP_PKEY *key, struct msg_mac *out)
{
	struct msg_mac *mac;
	unsigned char *der = NULL;
	int n;

	if ((mac = EVP_PKEY_get_ex_data(key, signer.spki_index)) != NULL) {
		*out = *mac;
		return 0;
	}
	if ((n = i2d_PUBKEY(key, &der)) <= 0)
		return -1;
	n = EVP_Digest(der, (size_t)n, out->b, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	if (n != 1)
		return -1;
	if ((mac = malloc(sizeof(*mac))) != NULL) {
		*mac = *out;
		if (EVP_PKEY_set_ex_data(key, signer.spki_index, mac) != 1)
			free(mac);
	}
	return 0;
}

static void
spki_free(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long l, void *arg)
{
	free(p);
}

/* ---- asking signd -------------------------------------------------------- */

/* A connection that was there before a reload has the certificate of then,
 * whose key the signer before has; it stays for a while. */
static int
sign_remote(const struct sign_tls *ask, unsigned char *sig, size_t *siglen)
{
	enum signed_as r;

	if (signer.sock == -1) {
		log_warnx("tls no signer");
		return -1;
	}
	r = sign_by(signer.sock, ask, sig, siglen);
	if (r == SIGN_REFUSED && signer.former != -1)
		r = sign_by(signer.former, ask, sig, siglen);
	if (r == SIGN_REFUSED)
		log_warnx("tls signer refused");
	return r == SIGN_DONE ? 0 : -1;
}

static enum signed_as
sign_by(int sock, const struct sign_tls *ask, unsigned char *sig,
    size_t *siglen)
{
	uint32_t id = ++signer.id != 0 ? signer.id : ++signer.id;

	if (msg_send(sock, SIGN_TLS, id, ask, NULL, 0) == -1) {
		log_warn("tls asking the signer");
		return SIGN_FAILED;
	}
	return sign_wait(sock, id, sig, siglen);
}

/* An answer to an earlier question that took too long is passed over. */
static enum signed_as
sign_wait(int sock, uint32_t id, unsigned char *sig, size_t *siglen)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	uint64_t end = now_ms() + SIGN_TIMEOUT_MS, now;
	const struct sign_tls_r *a = &body.sign_tls_r;
	int r;

	do {
		now = now_ms();
		r = msg_recv(sock, CHAN_SIGN, SIDE_B, buf, &m,
		    now < end ? (int)(end - now) : 0);
		if (r <= 0) {
			log_warnx("tls signer: %s", r == 0 ? "gone" :
			    strerror(errno));
			return SIGN_FAILED;
		}
		msg_close_fds(&m);
	} while (m.type != SIGN_TLS_R || m.id != id);
	if (!a->ok || a->sig.n == 0 || a->sig.n > *siglen)
		return SIGN_REFUSED;
	memcpy(sig, a->sig.p, a->sig.n);
	*siglen = a->sig.n;
	return SIGN_DONE;
}
