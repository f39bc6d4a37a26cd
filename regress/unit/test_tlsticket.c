/*
 * common/tlsticket: a server of libtls and a client of OpenSSL with their
 * records in memory.  Tickets that resume, in TLS 1.2 and 1.3; those of the
 * secret before, of an older one, of another service, and damaged ones.  Which
 * suite of TLS 1.3 a server takes.
 */
#include "base/compat.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/util.h"
#include "net/tlsssl.h"
#include "net/tlsticket.h"
#include "keypair.h"

#define PIPE_MAX	65536

struct pipe {
	char	 b[PIPE_MAX];
	size_t	 n;
};

/* What one handshake came to. */
struct result {
	bool		 resumed;
	SSL_SESSION	*session;	/* to come again with */
	int		 tickets;	/* that it was given */
};

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static struct pipe up, down;		/* to the server, to the client */
static SSL_CTX	*client;
static int	 told;

static ssize_t
server_read(struct tls *tls, void *buf, size_t n, void *arg)
{
	if (up.n == 0)
		return TLS_WANT_POLLIN;
	if (n > up.n)
		n = up.n;
	memcpy(buf, up.b, n);
	memmove(up.b, up.b + n, up.n - n);
	up.n -= n;
	return (ssize_t)n;
}

static ssize_t
server_write(struct tls *tls, const void *buf, size_t n, void *arg)
{
	assert_true(n <= PIPE_MAX - down.n);
	memcpy(down.b + down.n, buf, n);
	down.n += n;
	return (ssize_t)n;
}

/* Between the client's own buffers and the pipes. */
static void
carry(SSL *c)
{
	int n;

	if ((n = BIO_read(SSL_get_wbio(c), up.b + up.n,
	    (int)(PIPE_MAX - up.n))) > 0)
		up.n += (size_t)n;
	if (down.n > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(c), down.b,
		    (int)down.n), down.n);
	down.n = 0;
}

static struct tls *
server_new(const char *service)
{
	static char *pem;
	static struct tls_config *c;
	struct tls *server = tls_server();
	struct ssl_ctx_st *ctx;

	if (c == NULL) {
		c = tls_config_new();
		keypair_use(c, &pem);
	}
	tls_config_set_session_id(c, (const unsigned char *)service,
	    strlen(service));
	assert_int_equal(tlsssl_configure(server, c, &ctx), 0);
	tlsticket_serve(ctx);
	return server;
}

static int
on_session(SSL *c, SSL_SESSION *s)
{
	told++;
	return 0;
}

static SSL *
client_new(int version, SSL_SESSION *with)
{
	SSL *c;

	if (client == NULL) {
		client = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT |
		    SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(client, on_session);
	}
	c = SSL_new(client);
	SSL_set_min_proto_version(c, version);
	SSL_set_max_proto_version(c, version);
	SSL_set_bio(c, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(c);
	if (with != NULL)
		SSL_set_session(c, with);
	return c;
}

static void
shake_hands(SSL *c, struct tls *s)
{
	int i, done = 0, accepted = TLS_WANT_POLLIN;

	for (i = 0; i < 8 && (done != 1 || accepted != 0); i++) {
		if (done != 1)
			done = SSL_do_handshake(c);
		carry(c);
		if (accepted != 0)
			accepted = tls_handshake(s);
		carry(c);
	}
	assert_int_equal(accepted, 0);
}

static struct tls *
accept_client(struct tls *server)
{
	struct ssl_st *ssl;
	struct tls *s;

	up.n = down.n = 0;
	assert_int_equal(tlsssl_accept(server, &s, server_read, server_write,
	    NULL, &ssl), 0);
	return s;
}

/* A whole connection, which has to come about in any case. */
static struct result
meet(struct tls *server, int version, SSL_SESSION *with)
{
	struct result r = { 0 };
	SSL *c = client_new(version, with);
	struct tls *s = accept_client(server);
	char word[8];

	told = 0;
	shake_hands(c, s);
	assert_int_equal(tls_write(s, "hello", 5), 5);
	carry(c);
	assert_int_equal(SSL_read(c, word, sizeof(word)), 5);
	r.resumed = SSL_session_reused(c) == 1;
	assert_int_equal(tls_conn_session_resumed(s), r.resumed);
	r.session = SSL_get1_session(c);
	r.tickets = told;
	SSL_set_shutdown(c, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c);
	tls_free(s);
	return r;
}

static bool
resumes(struct tls *server, int version, SSL_SESSION *with)
{
	struct result r = meet(server, version, with);

	SSL_SESSION_free(r.session);
	return r.resumed;
}

static SSL_SESSION *
first(struct tls *server, int version)
{
	struct result r = meet(server, version, NULL);

	assert_false(r.resumed);
	assert_true(SSL_SESSION_has_ticket(r.session));
	return r.session;
}

/* Each costs what a whole session does to be written and sealed. */
static void
test_one_ticket_at_a_time(void **state)
{
	struct tls *server = server_new("a");
	struct result r;
	size_t i;

	for (i = 0; i < NITEMS(versions); i++) {
		r = meet(server, versions[i], NULL);
		assert_int_equal(r.tickets, 1);
		SSL_SESSION_free(r.session);
	}
	tlsssl_free(server);
}

/* A secret like no other one. */
static void
new_secret(void)
{
	uint8_t secret[32];

	random_bytes(secret, sizeof(secret));
	tlsticket_secret(secret);
}

/* The first of all tests. */
static void
test_no_secret_no_ticket(void **state)
{
	struct tls *server = server_new("a");
	struct result r;
	size_t i;

	for (i = 0; i < NITEMS(versions); i++) {
		r = meet(server, versions[i], NULL);
		assert_false(resumes(server, versions[i], r.session));
		SSL_SESSION_free(r.session);
	}
	tlsssl_free(server);
}

static bool
same_ticket(SSL_SESSION *a, SSL_SESSION *b)
{
	const unsigned char *ta, *tb;
	size_t na, nb;

	SSL_SESSION_get0_ticket(a, &ta, &na);
	SSL_SESSION_get0_ticket(b, &tb, &nb);
	return na == nb && memcmp(ta, tb, na) == 0;
}

static void
test_resumes(void **state)
{
	struct tls *server;
	struct result r;
	SSL_SESSION *s;
	size_t i;
	int k;

	new_secret();
	server = server_new("a");
	for (i = 0; i < NITEMS(versions); i++) {
		s = first(server, versions[i]);
		assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(s),
		    TLSTICKET_LIFE);
		assert_int_equal(SSL_SESSION_get_max_early_data(s), 0);
		/* a new ticket each time in TLS 1.3, the same one in 1.2 */
		for (k = 0; k < 3; k++) {
			r = meet(server, versions[i], s);
			assert_true(r.resumed);
			assert_int_equal(same_ticket(s, r.session),
			    versions[i] == TLS1_2_VERSION);
			assert_int_equal(r.tickets,
			    versions[i] == TLS1_3_VERSION);
			SSL_SESSION_free(s);
			s = r.session;
		}
		SSL_SESSION_free(s);
	}
	tlsssl_free(server);
}

static void
key_name(SSL_SESSION *s, unsigned char name[16])
{
	const unsigned char *ticket;
	size_t n;

	SSL_SESSION_get0_ticket(s, &ticket, &n);
	assert_true(n > 16);
	memcpy(name, ticket, 16);
}

/* The same key, but never the same start of its cipher. */
static void
test_sealed_unlike(void **state)
{
	struct tls *server = server_new("a");
	SSL_SESSION *s = first(server, TLS1_3_VERSION),
	    *t = first(server, TLS1_3_VERSION);
	const unsigned char *a, *b;
	size_t na, nb;

	SSL_SESSION_get0_ticket(s, &a, &na);
	SSL_SESSION_get0_ticket(t, &b, &nb);
	assert_true(na > 32 && nb > 32);
	assert_memory_equal(a, b, 16);
	assert_memory_not_equal(a + 16, b + 16, 16);
	SSL_SESSION_free(s);
	SSL_SESSION_free(t);
	tlsssl_free(server);
}

/* A server is made once, secrets come while it runs. */
static void
test_secret_before_opens(void **state)
{
	struct tls *server = server_new("a");
	unsigned char was[16], is[16];
	SSL_SESSION *s;
	struct result r;
	size_t i;

	for (i = 0; i < NITEMS(versions); i++) {
		s = first(server, versions[i]);
		key_name(s, was);
		new_secret();
		r = meet(server, versions[i], s);
		assert_true(r.resumed);
		key_name(r.session, is);
		assert_memory_not_equal(was, is, sizeof(was));	/* fresh */
		new_secret();
		assert_false(resumes(server, versions[i], s));
		assert_true(resumes(server, versions[i], r.session));
		SSL_SESSION_free(r.session);
		SSL_SESSION_free(s);
	}
	tlsssl_free(server);
}

static void
test_other_service(void **state)
{
	struct tls *a = server_new("a"), *b = server_new("b");
	SSL_SESSION *s;
	size_t i;

	for (i = 0; i < NITEMS(versions); i++) {
		s = first(a, versions[i]);
		assert_false(resumes(b, versions[i], s));
		SSL_SESSION_free(s);
		s = first(a, versions[i]);
		assert_true(resumes(a, versions[i], s));
		SSL_SESSION_free(s);
	}
	tlsssl_free(a);
	tlsssl_free(b);
}

/* The same session with octet k of its ticket changed; NULL: it has none. */
static SSL_SESSION *
damage(SSL_SESSION *s, size_t k)
{
	const unsigned char *ticket, *p;
	unsigned char *der = NULL, *at;
	SSL_SESSION *bad;
	size_t n;
	int len = i2d_SSL_SESSION(s, &der);

	SSL_SESSION_get0_ticket(s, &ticket, &n);
	assert_true(len > 0);
	at = memmem(der, (size_t)len, ticket, n);
	assert_non_null(at);
	if (k >= n) {
		OPENSSL_free(der);
		return NULL;
	}
	at[k] ^= 0x20;
	p = der;
	bad = d2i_SSL_SESSION(NULL, &p, len);
	assert_non_null(bad);
	OPENSSL_free(der);
	return bad;
}

static void
test_damaged(void **state)
{
	struct tls *server = server_new("a");
	SSL_SESSION *s, *bad;
	size_t i, k;

	for (i = 0; i < NITEMS(versions); i++) {
		s = first(server, versions[i]);
		for (k = 0; (bad = damage(s, k)) != NULL; k++) {
			assert_false(resumes(server, versions[i], bad));
			SSL_SESSION_free(bad);
		}
		assert_true(k > 64);
		SSL_SESSION_free(s);
	}
	tlsssl_free(server);
}

/* A reload comes between the connection and the host that the client names:
 * libtls looks that up in the server.  What is freed is overwritten here, so
 * that a look at it fails. */
static void
test_server_is_replaced(void **state)
{
	struct tls *server, *conn[2];
	SSL *c;
	size_t i;

	mallopt(M_PERTURB, 0xa5);
	server = server_new("one");
	for (i = 0; i < NITEMS(conn); i++)
		conn[i] = accept_client(server);
	tlsssl_free(server);
	for (i = 0; i < NITEMS(conn); i++) {
		up.n = down.n = 0;
		c = client_new(versions[i], NULL);
		SSL_set_tlsext_host_name(c, "localhost");
		shake_hands(c, conn[i]);
		SSL_free(c);
		tls_free(conn[i]);
	}
	mallopt(M_PERTURB, 0);
}

/* Of what the client has, whatever it likes best.  It comes back. */
static void
test_suites(void **state)
{
	static const struct { const char *offer, *want; } rows[] = {
		{ "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
		    "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
		{ "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
		    "TLS_AES_256_GCM_SHA384" },
		{ "TLS_CHACHA20_POLY1305_SHA256",
		    "TLS_CHACHA20_POLY1305_SHA256" },
		{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
		{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" }
	};
	struct tls *server = server_new("a");
	SSL_SESSION *s;
	size_t i;

	for (i = 0; i < NITEMS(rows); i++) {
		assert_int_equal(SSL_CTX_set_ciphersuites(client,
		    rows[i].offer), 1);
		s = first(server, TLS1_3_VERSION);
		assert_string_equal(SSL_CIPHER_get_name(
		    SSL_SESSION_get0_cipher(s)), rows[i].want);
		assert_true(resumes(server, TLS1_3_VERSION, s));
		SSL_SESSION_free(s);
	}
	SSL_CTX_set_ciphersuites(client, TLS_DEFAULT_CIPHERSUITES);
	tlsssl_free(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_secret_no_ticket),
		cmocka_unit_test(test_resumes),
		cmocka_unit_test(test_one_ticket_at_a_time),
		cmocka_unit_test(test_sealed_unlike),
		cmocka_unit_test(test_secret_before_opens),
		cmocka_unit_test(test_other_service),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_server_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
