/*
 * Reaching the SSL_CTX of a libtls server and the SSL of a libtls client by
 * documented calls alone: the "new" callback of an ex_data index is handed
 * each object as it is made.  Linked by who speaks TLS (smtpd, imapd, pop3d,
 * relay); called by tlskey.c and io_tls.c.  One file, so that another libtls
 * has one place to be fitted in.
 *
 * A server's SSL_CTX calls libtls back with the struct tls when a client names
 * a host (SNI), and libtls does not count its connections: we do.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/util.h"
#include "net/tlsssl.h"

/*
 * Of TLS 1.3, as a server likes them: the first is the one that every TLS 1.3
 * has (RFC 8446 9.1) and as strong as the key exchange.  A handshake derives
 * some 25 secrets, which by SHA-256 costs a tenth less of it than by SHA-384.
 */
#define SUITES	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
		    "TLS_CHACHA20_POLY1305_SHA256"

/* A server, in use or replaced by a reload. */
struct server {
	LIST_ENTRY(server) entry;
	struct tls	*tls;
	unsigned int	 connections;
	bool		 over;		/* goes with the last of them */
};

static LIST_HEAD(, server) servers = LIST_HEAD_INITIALIZER(servers);

static struct {
	int		 ssl_index, ctx_index;
	SSL		*ssl;		/* the last one made */
	SSL_CTX		*ctx;		/* the first one made */
} made = { .ssl_index = -1, .ctx_index = -1 };

static struct server *server_find(const struct tls *);
static void	 server_look(struct server *);

static void
on_ssl(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long l, void *arg)
{
	made.ssl = parent;
}

/* A connection is gone, whose server p is. */
static void
on_ssl_free(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long l,
    void *arg)
{
	struct server *s = p;

	if (s == NULL)
		return;
	s->connections--;
	server_look(s);
}

/* libtls makes one more for each further certificate (SNI): they lend a
 * connection their certificate, it stays one of the first. */
static void
on_ctx(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long l, void *arg)
{
	if (made.ctx == NULL)
		made.ctx = parent;
}

static int
made_ready(void)
{
	made.ssl = NULL;
	made.ctx = NULL;
	if (made.ssl_index == -1)
		made.ssl_index = SSL_get_ex_new_index(0, NULL, on_ssl, NULL,
		    on_ssl_free);
	if (made.ctx_index == -1)
		made.ctx_index = SSL_CTX_get_ex_new_index(0, NULL, on_ctx,
		    NULL, NULL);
	return made.ssl_index == -1 || made.ctx_index == -1 ? -1 : 0;
}

int
tlsssl_configure(struct tls *server, struct tls_config *config,
    struct ssl_ctx_st **ctx)
{
	struct server *s;

	if (made_ready() == -1 || tls_configure(server, config) == -1 ||
	    made.ctx == NULL)
		return -1;
	SSL_CTX_set_mode(made.ctx, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_ciphersuites(made.ctx, SUITES) != 1)
		return -1;
	*ctx = made.ctx;
	s = xcalloc(1, sizeof(*s));
	s->tls = server;
	LIST_INSERT_HEAD(&servers, s, entry);
	return 0;
}

int
tlsssl_accept(struct tls *server, struct tls **conn, tls_read_cb rd,
    tls_write_cb wr, void *arg, struct ssl_st **ssl)
{
	struct server *s = server_find(server);

	if (s == NULL || made_ready() == -1 ||
	    tls_accept_cbs(server, conn, rd, wr, arg) == -1)
		return -1;
	if (made.ssl == NULL || SSL_set_ex_data(made.ssl, made.ssl_index,
	    s) != 1) {
		tls_free(*conn);
		return -1;
	}
	s->connections++;
	*ssl = made.ssl;
	return 0;
}

void
tlsssl_free(struct tls *server)
{
	struct server *s = server_find(server);

	if (s == NULL)
		return;
	s->over = true;
	server_look(s);
}

int
tlsssl_connect(struct tls *client, tls_read_cb rd, tls_write_cb wr, void *arg,
    const char *servername, struct ssl_st **ssl)
{
	if (made_ready() == -1 || tls_connect_cbs(client, rd, wr, arg,
	    servername) == -1 || made.ssl == NULL)
		return -1;
	SSL_set_mode(made.ssl, SSL_MODE_RELEASE_BUFFERS);
	*ssl = made.ssl;
	return 0;
}

/* ---- channel bindings ---------------------------------------------------- */

bool
tlsssl_bindable(struct ssl_st *ssl)
{
	if (!SSL_is_init_finished(ssl))
		return false;
	return SSL_version(ssl) >= TLS1_3_VERSION ||
	    SSL_get_extms_support(ssl) == 1;
}

int
tlsssl_exporter(struct ssl_st *ssl, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const uint8_t context[1];	/* zero octets of it */

	return tlsssl_bindable(ssl) && SSL_export_keying_material(ssl, out, 32,
	    label, sizeof(label) - 1, context, 0, 1) == 1 ? 0 : -1;
}

/* By the digest of the certificate's own signature, but never a weaker one
 * than SHA-256. */
int
tlsssl_endpoint(struct ssl_st *ssl, uint8_t *out, size_t *n)
{
	X509 *cert = SSL_get_certificate(ssl);
	const EVP_MD *md = NULL;
	unsigned int size = 0;
	int nid = NID_undef;

	if (cert == NULL ||
	    X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return -1;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	md = EVP_get_digestbynid(nid);
	if (md == NULL || (size_t)EVP_MD_size(md) > *n ||
	    X509_digest(cert, md, out, &size) != 1)
		return -1;
	*n = size;
	return 0;
}

/* ---- certificates of clients --------------------------------------------- */

/* Whose it is and who signed it is not asked: only its digest counts. */
static int
any_certificate(int ok, X509_STORE_CTX *x)
{
	return 1;
}

void
tlsssl_want_certificate(struct ssl_st *ssl)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, any_certificate);
}

int
tlsssl_fingerprint(struct ssl_st *ssl, uint8_t out[32])
{
	X509 *cert = SSL_is_init_finished(ssl) ?
	    SSL_get1_peer_certificate(ssl) : NULL;
	unsigned int n = 0;
	int r = -1;

	if (cert != NULL && X509_digest(cert, EVP_sha256(), out, &n) == 1 &&
	    n == 32)
		r = 0;
	X509_free(cert);
	return r;
}

static struct server *
server_find(const struct tls *tls)
{
	struct server *s;

	LIST_FOREACH(s, &servers, entry)
		if (s->tls == tls)
			return s;
	return NULL;
}

static void
server_look(struct server *s)
{
	if (!s->over || s->connections > 0)
		return;
	LIST_REMOVE(s, entry);
	tls_free(s->tls);
	free(s);
}
