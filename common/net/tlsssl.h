/*
 * What libtls does not show: the OpenSSL objects beneath a struct tls.
 * Idle connections give their record buffers back (33 KB each), and a server
 * outlives a reload as long as a connection looks into it.  Before the jail or in it.
 */
#ifndef TLSSSL_H
#define TLSSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tls.h>

struct ssl_st;			/* SSL */
struct ssl_ctx_st;		/* SSL_CTX */

/* Server: tls_configure, and the context that its connections begin with.
 * It lives as long as they and the struct tls.  0, -1 (tls_error). */
int	 tlsssl_configure(struct tls *, struct tls_config *,
	    struct ssl_ctx_st **);
/* tls_accept_cbs; the server is there as long as this connection, whose SSL
 * is given. */
int	 tlsssl_accept(struct tls *server, struct tls **, tls_read_cb,
	    tls_write_cb, void *arg, struct ssl_st **);
/* tls_free of a server from tlsssl_configure, when the last connection that
 * it has now is gone.  NULL: nothing. */
void	 tlsssl_free(struct tls *server);

/* Client: tls_connect_cbs, and the connection that it made, its handshake not
 * yet begun.  0, -1 (tls_error). */
int	 tlsssl_connect(struct tls *, tls_read_cb, tls_write_cb, void *arg,
	    const char *servername, struct ssl_st **);

/*
 * What binds an authentication to a connection whose handshake is done.
 * bindable: can it be bound by tls-exporter (RFC 9266)?  TLS 1.3 always, 1.2
 * when it has the extended master secret.  Then exporter gives it, and
 * endpoint the digest of the certificate that was shown (tls-server-end-point,
 * RFC 5929 4.1), *n octets of at most *n.  0, -1.
 */
bool	 tlsssl_bindable(struct ssl_st *);
/* Before its handshake: the client is asked for a certificate, and need not
 * have one.  Any is taken: afterwards fingerprint has the SHA-256 of the one
 * whose key it proved to have.  0, -1: it has none. */
void	 tlsssl_want_certificate(struct ssl_st *);
int	 tlsssl_fingerprint(struct ssl_st *, uint8_t out[32]);
int	 tlsssl_exporter(struct ssl_st *, uint8_t out[32]);
int	 tlsssl_endpoint(struct ssl_st *, uint8_t *out, size_t *n);

#endif
