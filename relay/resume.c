/*
 * TLS sessions that relay resumes (RFC 8446 2.2, RFC 5077), so that the next
 * connection to a host costs a part of a handshake.  A session is offered to
 * the same host name at the same port under the same policy alone, was kept
 * only after a handshake that this policy accepted, and no chain of resumed
 * ones outlives what was verified at its first.  Called by hello.c and
 * session.c; knows OpenSSL's objects, which libtls does not show.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "net/io.h"
#include "relay/relay.h"

/* Whom a session was made with, and how that was verified. */
struct peer {
	char		 host[HOST_TEXT];
	unsigned int	 port;
	bool		 verify;
};

/* A session that may be resumed. */
struct kept {
	TAILQ_ENTRY(kept) entry;
	struct peer	 peer;
	SSL_SESSION	*session;
	uint64_t	 until;		/* ms, not to be offered after */
	uint64_t	 limit;		/* ms, end of what was verified */
};

/* What a connection knows of this; it is the SSL's and goes with it. */
struct attempt {
	struct peer	 peer;
	unsigned int	 generation;
	bool		 secured;	/* the handshake is done and right */
	uint64_t	 limit;		/* of the session that was offered */
	SSL_SESSION	*early;		/* came before it was secured */
};

TAILQ_HEAD(kept_list, kept);

static struct {
	struct kept_list all;		/* used last comes first */
	size_t		 n;
	unsigned int	 generation;	/* of the configuration */
	int		 index;		/* of our ex_data, -1 not yet */
} rs = { .all = TAILQ_HEAD_INITIALIZER(rs.all), .index = -1 };

static struct attempt *attempt_new(SSL *);
static void	 attempt_free(void *, void *, CRYPTO_EX_DATA *, int, long,
	    void *);
static int	 on_session(SSL *, SSL_SESSION *);
static void	 session_keep(SSL *, SSL_SESSION *);
static bool	 session_small(SSL *, SSL_SESSION *);
static bool	 session_once(const SSL_SESSION *);
static uint64_t	 session_until(const SSL_SESSION *, uint64_t limit);
static uint64_t	 verified_until(const SSL *);
static void	 kept_use(struct kept *, SSL *);
static struct kept *kept_find(const struct peer *);
static void	 kept_make_room(const struct peer *);
static void	 kept_forget(const struct peer *);
static void	 kept_free(struct kept *);
static bool	 peer_is(const struct peer *, const struct peer *);

/* ---- one connection ---- */

void
resume_offer(SSL *ssl, const char *host, unsigned int port, bool verify)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);	/* this connection's alone */
	struct attempt *a;
	struct kept *k;

	if ((a = attempt_new(ssl)) == NULL)
		return;
	(void)strlcpy(a->peer.host, host, sizeof(a->peer.host));
	a->peer.port = port;
	a->peer.verify = verify;
	a->generation = rs.generation;
	SSL_clear_options(ssl, SSL_OP_NO_TICKET);	/* libtls's way */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if ((k = kept_find(&a->peer)) != NULL) {
		a->limit = k->limit;
		kept_use(k, ssl);
	}
}

bool
resume_secured(SSL *ssl)
{
	struct attempt *a = SSL_get_ex_data(ssl, rs.index);
	SSL_SESSION *early;

	if (a == NULL)
		return false;
	a->secured = true;
	if (!SSL_session_reused(ssl))
		a->limit = a->peer.verify ? verified_until(ssl) :
		    now_ms() + RESUME_MS;
	early = a->early;
	a->early = NULL;
	if (early != NULL)
		session_keep(ssl, early);
	return SSL_session_reused(ssl);
}

void
resume_clear(void)
{
	rs.generation++;
	while (!TAILQ_EMPTY(&rs.all))
		kept_free(TAILQ_FIRST(&rs.all));
}

/* NULL: no memory, and the connection goes without. */
static struct attempt *
attempt_new(SSL *ssl)
{
	struct attempt *a = xcalloc(1, sizeof(*a));

	if (rs.index == -1)
		rs.index = SSL_get_ex_new_index(0, NULL, NULL, NULL,
		    attempt_free);
	if (rs.index == -1 || SSL_set_ex_data(ssl, rs.index, a) != 1) {
		free(a);
		return NULL;
	}
	return a;
}

/* The SSL is freed.  What was offered in a handshake that did not come to a
 * good end may be why: it is not offered again. */
static void
attempt_free(void *ssl, void *data, CRYPTO_EX_DATA *ad, int index, long argl,
    void *argp)
{
	struct attempt *a = data;

	if (a == NULL)
		return;
	if (!a->secured)
		kept_forget(&a->peer);
	SSL_SESSION_free(a->early);
	free(a);
}

/* ---- sessions ---- */

/* OpenSSL hands over a session: after the handshake with TLS 1.3, with 1.2
 * inside of it, where libtls has not yet looked at the certificate's name. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct attempt *a = SSL_get_ex_data(ssl, rs.index);

	if (a->secured)
		session_keep(ssl, session);
	else {
		SSL_SESSION_free(a->early);
		a->early = session;
	}
	return 1;	/* it is ours to free */
}

static void
session_keep(SSL *ssl, SSL_SESSION *session)
{
	const struct attempt *a = SSL_get_ex_data(ssl, rs.index);
	uint64_t until = session_until(session, a->limit);
	struct kept *k;

	if (a->generation != rs.generation || until <= now_ms() ||
	    !session_small(ssl, session)) {
		SSL_SESSION_free(session);
		return;
	}
	if (session_once(session))
		kept_make_room(&a->peer);
	else
		kept_forget(&a->peer);	/* by the newer one */
	k = xcalloc(1, sizeof(*k));
	k->peer = a->peer;
	k->session = session;
	k->until = until;
	k->limit = a->limit;
	TAILQ_INSERT_HEAD(&rs.all, k, entry);
	if (++rs.n > RESUME_MAX)
		kept_free(TAILQ_LAST(&rs.all, kept_list));
}

/* Ticket and certificates have the size that the host likes. */
static bool
session_small(SSL *ssl, SSL_SESSION *session)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int i, n, total = i2d_SSL_SESSION(session, NULL);

	for (i = 0; i < sk_X509_num(chain); i++) {
		if ((n = i2d_X509(sk_X509_value(chain, i), NULL)) < 0)
			return false;
		total += n;
	}
	return total > 0 && total <= RESUME_OCTETS;
}

/* May it be used once only (RFC 8446 C.4)? */
static bool
session_once(const SSL_SESSION *session)
{
	return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

/* 0 is no lifetime in TLS 1.3 (RFC 8446 4.6.1) and an unknown one before
 * (RFC 5077 3.3). */
static uint64_t
session_until(const SSL_SESSION *session, uint64_t limit)
{
	uint64_t sec = SSL_SESSION_get_ticket_lifetime_hint(session);
	uint64_t until = now_ms() + sec * 1000;

	if (sec == 0 && !session_once(session))
		return limit;
	return until < limit ? until : limit;
}

/* When the first certificate of the verified chain expires, but not later
 * than any session ends; 0: nothing was verified. */
static uint64_t
verified_until(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	uint64_t left, least = RESUME_MS;
	int i, days, secs;

	if (sk_X509_num(chain) <= 0)
		return 0;
	for (i = 0; i < sk_X509_num(chain); i++) {
		if (ASN1_TIME_diff(&days, &secs, NULL,
		    X509_get0_notAfter(sk_X509_value(chain, i))) != 1 ||
		    days < 0 || secs < 0)
			return 0;
		left = ((uint64_t)days * 86400 + (uint64_t)secs) * 1000;
		if (left < least)
			least = left;
	}
	return now_ms() + least;
}

/* ---- the table ---- */

/* Offer it; one of TLS 1.3 is used up by that. */
static void
kept_use(struct kept *k, SSL *ssl)
{
	(void)SSL_set_session(ssl, k->session);	/* or a full handshake */
	if (session_once(k->session)) {
		kept_free(k);
		return;
	}
	TAILQ_REMOVE(&rs.all, k, entry);
	TAILQ_INSERT_HEAD(&rs.all, k, entry);
}

/* The newest one that is still good; older ones go. */
static struct kept *
kept_find(const struct peer *peer)
{
	uint64_t now = now_ms();
	struct kept *k, *next;

	for (k = TAILQ_FIRST(&rs.all); k != NULL; k = next) {
		next = TAILQ_NEXT(k, entry);
		if (!peer_is(&k->peer, peer))
			continue;
		if (k->until > now && SSL_SESSION_is_resumable(k->session))
			return k;
		kept_free(k);
	}
	return NULL;
}

/* For one more of this peer. */
static void
kept_make_room(const struct peer *peer)
{
	struct kept *k, *next;
	size_t n = 0;

	for (k = TAILQ_FIRST(&rs.all); k != NULL; k = next) {
		next = TAILQ_NEXT(k, entry);
		if (peer_is(&k->peer, peer) && ++n >= RESUME_PEER_MAX)
			kept_free(k);
	}
}

static void
kept_forget(const struct peer *peer)
{
	struct kept *k, *next;

	for (k = TAILQ_FIRST(&rs.all); k != NULL; k = next) {
		next = TAILQ_NEXT(k, entry);
		if (peer_is(&k->peer, peer))
			kept_free(k);
	}
}

static void
kept_free(struct kept *k)
{
	TAILQ_REMOVE(&rs.all, k, entry);
	rs.n--;
	SSL_SESSION_free(k->session);
	free(k);
}

static bool
peer_is(const struct peer *a, const struct peer *b)
{
	return a->port == b->port && a->verify == b->verify &&
	    strcasecmp(a->host, b->host) == 0;
}
