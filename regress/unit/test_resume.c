/*
 * relay/resume.c between two real ends of TLS in memory, with a clock of the
 * test's: who may resume what, how often, how long, how many are kept.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "net/io.h"
#include "relay/relay.h"

#define HOUR_MS		(3600 * 1000)
#define FULL		false
#define RESUMED		true

uint64_t __wrap_now_ms(void);

static struct {
	uint64_t	 now;
	EVP_PKEY	*key;
	SSL_CTX		*server;
	X509		*cert;
	int		 version;
	bool		 fail;		/* the client accepts no certificate */
} t;

uint64_t
__wrap_now_ms(void)
{
	return t.now;
}

/* A server whose certificate, its own issuer, is good for so long. */
static void
server_make(long seconds, size_t name)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	unsigned char *text = malloc(name);

	memset(text, 'x', name);
	if (t.key == NULL)
		t.key = EVP_EC_gen("P-256");
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mx.test", -1, -1, 0);
	while (name > 0) {	/* an attribute has at most 64 octets */
		size_t n = name < 64 ? name : 64;

		X509_NAME_add_entry_by_txt(subject, "OU", MBSTRING_ASC, text,
		    (int)n, -1, 0);
		name -= n;
	}
	X509_set_issuer_name(x, subject);
	X509_set_pubkey(x, t.key);
	assert_true(X509_sign(x, t.key, EVP_sha256()) > 0);
	SSL_CTX_free(t.server);
	X509_free(t.cert);
	t.cert = x;
	t.server = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(t.server, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(t.server, t.key), 1);
	SSL_CTX_set_session_id_context(t.server, (unsigned char *)"t", 1);
	SSL_CTX_set_num_tickets(t.server, 1);
	SSL_CTX_set_timeout(t.server, 7 * 86400);
	free(text);
}

static int
accept_all(X509_STORE_CTX *store, void *arg)
{
	return !t.fail;
}

/* As libtls makes it: a context for each connection. */
static SSL *
client_new(bool verify)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (verify)
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), t.cert);
	else
		SSL_CTX_set_cert_verify_callback(ctx, accept_all, NULL);
	SSL_CTX_set_max_proto_version(ctx, t.version);
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_connect_state(ssl);
	return ssl;
}

/* Both ends, to and fro; true: the handshake came to a good end. */
static bool
shake(SSL *c, SSL *s)
{
	int i, rc = -1, rs = -1;

	for (i = 0; i < 10 && (rc != 1 || rs != 1); i++) {
		if (rc != 1)
			rc = SSL_do_handshake(c);
		if (rs != 1)
			rs = SSL_do_handshake(s);
	}
	return rc == 1 && rs == 1;
}

struct ends {
	SSL		*c, *s;
};

static struct ends
begin(const char *host, unsigned int port, bool verify)
{
	struct ends e = { client_new(verify), SSL_new(t.server) };
	BIO *a, *b;

	BIO_new_bio_pair(&a, 65536, &b, 65536);
	SSL_set_bio(e.c, a, a);
	SSL_set_bio(e.s, b, b);
	SSL_set_accept_state(e.s);
	resume_offer(e.c, host, port, verify);
	return e;
}

/* What a session does when it is secured, then reads, then ends. */
static bool
secure(struct ends *e)
{
	bool resumed = resume_secured(e->c);
	char byte;

	assert_int_equal(SSL_write(e->s, "x", 1), 1);
	assert_int_equal(SSL_read(e->c, &byte, 1), 1);	/* tickets of 1.3 */
	assert_int_equal(resumed, SSL_session_reused(e->s));
	return resumed;
}

static void
end(struct ends *e)
{
	SSL_shutdown(e->c);
	SSL_shutdown(e->s);
	SSL_free(e->c);
	SSL_free(e->s);
}

/* One connection; did it resume? */
static bool
talk(const char *host, unsigned int port, bool verify)
{
	struct ends e = begin(host, port, verify);
	bool resumed;

	assert_true(shake(e.c, e.s));
	resumed = secure(&e);
	end(&e);
	return resumed;
}

static int
setup(void **state)
{
	resume_clear();
	t.now = 1000000;
	t.version = TLS1_3_VERSION;
	t.fail = false;
	server_make(30 * 86400, 0);
	return 0;
}

static void
each_version(void (*fn)(void))
{
	for (t.version = TLS1_2_VERSION; t.version <= TLS1_3_VERSION;
	    t.version++) {
		resume_clear();
		fn();
	}
}

/* ---- who ---- */

static void
peers(void)
{
	assert_int_equal(talk("mx.test", 25, false), FULL);
	assert_int_equal(talk("mx.test", 26, false), FULL);
	assert_int_equal(talk("mx.test.", 25, false), FULL);
	assert_int_equal(talk("mx2.test", 25, false), FULL);
	assert_int_equal(talk("mx.test", 25, true), FULL);
	assert_int_equal(talk("MX.Test", 25, false), RESUMED);
	assert_int_equal(talk("mx.test", 26, false), RESUMED);
	assert_int_equal(talk("mx2.test", 25, false), RESUMED);
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
}

static void
test_same_host_port_and_policy(void **state)
{
	each_version(peers);
}

/* ---- the configuration changes ---- */

static void
reload(void)
{
	struct ends e;

	assert_int_equal(talk("mx.test", 25, true), FULL);
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
	resume_clear();
	e = begin("mx.test", 25, true);
	resume_clear();		/* in the middle of it */
	assert_true(shake(e.c, e.s));
	assert_int_equal(secure(&e), FULL);
	end(&e);
	assert_int_equal(talk("mx.test", 25, true), FULL);
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
}

static void
test_reload_forgets(void **state)
{
	each_version(reload);
}

static void
test_ticket_behind_a_reload_is_not_kept(void **state)
{
	struct ends e = begin("mx.test", 25, true);

	assert_true(shake(e.c, e.s));
	resume_clear();
	assert_int_equal(secure(&e), FULL);
	end(&e);
	assert_int_equal(talk("mx.test", 25, true), FULL);
}

/* ---- handshakes without a good end ---- */

static void
not_accepted(void)
{
	struct ends e = begin("mx.test", 25, false);

	assert_true(shake(e.c, e.s));	/* but nobody says it is accepted */
	end(&e);
	assert_int_equal(talk("mx.test", 25, false), FULL);
}

static void
test_not_accepted_is_not_kept(void **state)
{
	each_version(not_accepted);
}

static void
bad_end(void)
{
	struct ends e;

	assert_int_equal(talk("mx.test", 25, false), FULL);
	assert_int_equal(talk("mx2.test", 25, false), FULL);
	e = begin("mx.test", 25, false);
	end(&e);		/* lost before its end, with a session */
	assert_int_equal(talk("mx.test", 25, false), FULL);
	assert_int_equal(talk("mx2.test", 25, false), RESUMED);
}

static void
test_bad_end_forgets_the_peer(void **state)
{
	each_version(bad_end);
}

static void
test_failed_verification_is_not_kept(void **state)
{
	struct ends e = begin("mx.test", 25, false);

	t.fail = true;
	assert_false(shake(e.c, e.s));
	end(&e);
	t.fail = false;
	assert_int_equal(talk("mx.test", 25, false), FULL);
}

/* ---- how often ---- */

static void
test_ticket_of_13_once(void **state)
{
	struct ends a, b;

	assert_int_equal(talk("mx.test", 25, false), FULL);
	a = begin("mx.test", 25, false);
	b = begin("mx.test", 25, false);
	assert_null(SSL_get_session(b.c));
	assert_true(shake(a.c, a.s) && shake(b.c, b.s));
	assert_int_equal(secure(&a), RESUMED);
	assert_int_equal(secure(&b), FULL);
	end(&a);
	end(&b);
}

static void
test_session_of_12_often(void **state)
{
	struct ends a, b;

	t.version = TLS1_2_VERSION;
	assert_int_equal(talk("mx.test", 25, false), FULL);
	a = begin("mx.test", 25, false);
	b = begin("mx.test", 25, false);
	assert_true(shake(a.c, a.s) && shake(b.c, b.s));
	assert_int_equal(secure(&a), RESUMED);
	assert_int_equal(secure(&b), RESUMED);
	end(&a);
	end(&b);
}

/* ---- how long ---- */

static void
lifetime_of_ticket(void)
{
	SSL_CTX_set_timeout(t.server, 3600);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	t.now += HOUR_MS - 1;
	assert_int_equal(talk("mx.test", 25, false), RESUMED);
	t.now += HOUR_MS;
	assert_int_equal(talk("mx.test", 25, false), FULL);
}

static void
test_lifetime_of_ticket(void **state)
{
	each_version(lifetime_of_ticket);
}

/* Each brings the next, but the first one's verification ages. */
static void
test_twelve_hours_in_all(void **state)
{
	assert_int_equal(talk("mx.test", 25, true), FULL);
	t.now += 7 * HOUR_MS;
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
	t.now += 5 * HOUR_MS - 1;
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
	t.now += 1;
	assert_int_equal(talk("mx.test", 25, true), FULL);
}

static void
test_no_longer_than_the_certificate(void **state)
{
	server_make(2 * 3600, 0);
	assert_int_equal(talk("mx.test", 25, true), FULL);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	t.now += HOUR_MS;
	assert_int_equal(talk("mx.test", 25, true), RESUMED);
	t.now += HOUR_MS;
	assert_int_equal(talk("mx.test", 25, true), FULL);
	assert_int_equal(talk("mx.test", 25, false), RESUMED);
}

/* The ticket's key is asked for just before its lifetime is written. */
static int
lifetime_zero(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	static unsigned char key[32];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key,
		    sizeof(key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	memset(name, 0, 16);
	memset(iv, 0, 16);
	SSL_SESSION_set_timeout(SSL_get_session(ssl), 0);
	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv) == 1;
}

/* RFC 8446 4.6.1: to be thrown away at once. */
static void
test_lifetime_zero_is_not_kept(void **state)
{
	struct ends e;

	SSL_CTX_set_tlsext_ticket_key_evp_cb(t.server, lifetime_zero);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	e = begin("mx.test", 25, false);
	assert_null(SSL_get_session(e.c));
	end(&e);
}

/* ---- how many ---- */

static void
test_bound_of_a_peer(void **state)
{
	struct ends e[RESUME_PEER_MAX + 1];
	int i, resumed = 0;

	SSL_CTX_set_num_tickets(t.server, RESUME_PEER_MAX + 3);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	SSL_CTX_set_num_tickets(t.server, 0);
	for (i = 0; i <= RESUME_PEER_MAX; i++) {
		e[i] = begin("mx.test", 25, false);
		assert_true(shake(e[i].c, e[i].s));
		resumed += secure(&e[i]);
	}
	for (i = 0; i <= RESUME_PEER_MAX; i++)
		end(&e[i]);
	assert_int_equal(resumed, RESUME_PEER_MAX);
}

static void
test_bound_of_all(void **state)
{
	char host[32];
	int i;

	t.version = TLS1_2_VERSION;
	for (i = 0; i < RESUME_MAX; i++) {
		(void)snprintf(host, sizeof(host), "mx%d.test", i);
		assert_int_equal(talk(host, 25, false), FULL);
	}
	assert_int_equal(talk("mx0.test", 25, false), RESUMED);
	assert_int_equal(talk("new.test", 25, false), FULL);
	assert_int_equal(talk("mx0.test", 25, false), RESUMED);
	assert_int_equal(talk("mx2.test", 25, false), RESUMED);
	assert_int_equal(talk("mx1.test", 25, false), FULL);	/* made room */
}

static void
test_large_certificate_is_not_kept(void **state)
{
	server_make(86400, RESUME_OCTETS);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	server_make(86400, RESUME_OCTETS / 8);
	assert_int_equal(talk("mx.test", 25, false), FULL);
	assert_int_equal(talk("mx.test", 25, false), RESUMED);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_same_host_port_and_policy),
		T(test_reload_forgets),
		T(test_ticket_behind_a_reload_is_not_kept),
		T(test_not_accepted_is_not_kept),
		T(test_bad_end_forgets_the_peer),
		T(test_failed_verification_is_not_kept),
		T(test_ticket_of_13_once),
		T(test_session_of_12_often),
		T(test_lifetime_of_ticket),
		T(test_twelve_hours_in_all),
		T(test_no_longer_than_the_certificate),
		T(test_lifetime_zero_is_not_kept),
		T(test_bound_of_a_peer),
		T(test_bound_of_all),
		T(test_large_certificate_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
