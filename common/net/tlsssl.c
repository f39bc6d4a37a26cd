/*
 * Reaching the SSL_CTX of a libtls server and the SSL of a libtls client by
 * documented calls alone: the "new" callback of an ex_data index is handed
 * each object as it is made.  Linked by who speaks TLS (smtpd, imapd, pop3d,
 * relay); called by tlskey.c and io_tls.c.  One file, so that another libtls
 * has one place to be fitted in; no object is kept here longer than a call.
 */
#include "base/compat.h"

#include <stddef.h>

#include <openssl/ssl.h>

#include "net/tlsssl.h"

static struct {
	int		 ssl_index, ctx_index;
	SSL		*ssl;		/* the last one made */
	SSL_CTX		*ctx;		/* the first one made */
} made = { .ssl_index = -1, .ctx_index = -1 };

static void
on_ssl(void *parent, void *p, CRYPTO_EX_DATA *ad, int i, long l, void *arg)
{
	made.ssl = parent;
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
		    NULL);
	if (made.ctx_index == -1)
		made.ctx_index = SSL_CTX_get_ex_new_index(0, NULL, on_ctx,
		    NULL, NULL);
	return made.ssl_index == -1 || made.ctx_index == -1 ? -1 : 0;
}

int
tlsssl_configure(struct tls *server, struct tls_config *config,
    struct ssl_ctx_st **ctx)
{
	if (made_ready() == -1 || tls_configure(server, config) == -1 ||
	    made.ctx == NULL)
		return -1;
	SSL_CTX_set_mode(made.ctx, SSL_MODE_RELEASE_BUFFERS);
	*ctx = made.ctx;
	return 0;
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
