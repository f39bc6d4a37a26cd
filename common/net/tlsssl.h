/*
 * What libtls does not show: the OpenSSL objects beneath a struct tls.
 * Idle connections give their record buffers back (33 KB each), and a server
 * outlives a reload as long as a connection looks into it.  Before the jail or in it.
 */
#ifndef TLSSSL_H
#define TLSSSL_H

#include <tls.h>

struct ssl_st;			/* SSL */
struct ssl_ctx_st;		/* SSL_CTX */

/* Server: tls_configure, and the context that its connections begin with.
 * It lives as long as they and the struct tls.  0, -1 (tls_error). */
int	 tlsssl_configure(struct tls *, struct tls_config *,
	    struct ssl_ctx_st **);
/* tls_accept_cbs; the server is there as long as this connection. */
int	 tlsssl_accept(struct tls *server, struct tls **, tls_read_cb,
	    tls_write_cb, void *arg);
/* tls_free of a server from tlsssl_configure, when the last connection that
 * it has now is gone.  NULL: nothing. */
void	 tlsssl_free(struct tls *server);

/* Client: tls_connect_cbs, and the connection that it made, its handshake not
 * yet begun.  0, -1 (tls_error). */
int	 tlsssl_connect(struct tls *, tls_read_cb, tls_write_cb, void *arg,
	    const char *servername, struct ssl_st **);

#endif
