/*
 * The two ways of TLS in relay: any certificate will do, or one that the
 * operator's CA certificates vouch for (smarthost-tls).  Called by relay.c
 * for the configuration and by hello.c for each connection.  The CA
 * certificates are parsed once for a configuration, not, as libtls does it,
 * by each connection, which takes 40 ms of a common bundle.
 */
#include "base/compat.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <tls.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

static struct {
	char		*ca;
	size_t		 nca;
	X509_STORE	*store;		/* what ca has; NULL: nothing */
	struct tls_config *any, *verify;
} st;

static struct tls_config *config_new(void);
static X509_STORE *store_new(const char *, size_t);
static int	 store_add(X509_STORE *, STACK_OF(X509_INFO) *);

void
starttls_ca(char *pem, size_t n)
{
	free(st.ca);
	st.ca = pem;
	st.nca = n;
}

void
starttls_configure(void)
{
	resume_clear();
	tls_config_free(st.any);
	st.any = config_new();
	tls_config_insecure_noverifycert(st.any);
	tls_config_insecure_noverifyname(st.any);
	tls_config_free(st.verify);
	st.verify = config_new();
	/* libtls wants to have some; these, of our empty root, give way to the
	 * store before they are looked for. */
	if (tls_config_set_ca_path(st.verify, "/") == -1)
		fatalx("TLS configuration: out of memory");
	X509_STORE_free(st.store);
	st.store = NULL;
	if (st.ca != NULL && (st.store = store_new(st.ca, st.nca)) == NULL)
		log_warnx("CA certificates: cannot be read as PEM");
}

int
starttls_begin(struct io *io, const char *name, bool verify,
    const char **why)
{
	*why = "TLS is not configured";
	if (verify && st.store == NULL)
		return -1;
	if (io_start_tls(io, verify ? st.verify : st.any, name) == -1) {
		*why = io_error(io);
		return -1;
	}
	if (verify)
		SSL_CTX_set1_cert_store(SSL_get_SSL_CTX(io_ssl(io)), st.store);
	resume_offer(io_ssl(io), name, proc_conf()->relay.port, verify);
	return 0;
}

static struct tls_config *
config_new(void)
{
	struct tls_config *c;

	if ((c = tls_config_new()) == NULL)
		fatalx("tls_config_new");
	return c;
}

/* All of it, or NULL. */
static X509_STORE *
store_new(const char *pem, size_t n)
{
	BIO *bio = n > INT_MAX ? NULL : BIO_new_mem_buf(pem, (int)n);
	STACK_OF(X509_INFO) *infos = NULL;
	X509_STORE *store = X509_STORE_new();

	if (bio != NULL)
		infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	if (store != NULL && (infos == NULL || store_add(store, infos) <= 0)) {
		X509_STORE_free(store);
		store = NULL;
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	BIO_free(bio);
	return store;
}

/* How many certificates there were, or -1. */
static int
store_add(X509_STORE *store, STACK_OF(X509_INFO) *infos)
{
	const X509_INFO *info;
	int i, n = 0;

	for (i = 0; i < sk_X509_INFO_num(infos); i++) {
		info = sk_X509_INFO_value(infos, i);
		if (info->x509 == NULL)
			continue;
		if (X509_STORE_add_cert(store, info->x509) != 1)
			return -1;
		n++;
	}
	return n;
}

bool
starttls_insist(void)
{
	const struct conf *conf = proc_conf();

	return conf->relay.smarthost != NULL && conf->relay.smarthost_tls;
}

bool
starttls_suits(const struct session *s)
{
	return !starttls_insist() || (io_tls(s->io) != NULL && s->verify);
}
