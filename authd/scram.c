/*
 * Exchanges of SCRAM-SHA-256 and -PLUS (RFC 5802, 7677): a front passes the
 * client's messages on, what is secret stays here.  An exchange is of one
 * connection and of one try: whatever is wrong ends it, and its nonce is used
 * once.  A name that is no account, or has no keys, gets as far as one that
 * has: salt and count that stay the same, and a proof that is never right.
 *
 * Downgrades: while the connection can be bound (the front then offers -PLUS)
 * a client that says "you cannot" was lied to; and what it says in the clear
 * of its first message is compared with what it signed.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/base64.h"
#include "parse/scram.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define EXCHANGES_MAX	4096	/* at once; the oldest gives way */
#define EXCHANGE_SECONDS 60	/* from its first message to its last */
#define NONCE		18	/* octets of ours; base64 of them is sent */
#define NONCE_TEXT	BASE64_LEN(NONCE)
#define FIRST_MAX	(SCRAM_NONCE_MAX + NONCE_TEXT + 64)
#define HMAC		crypto_auth_hmacsha256_BYTES

/* What is expected of the client. */
enum expected {
	FINAL_EXPECTED,		/* its proof */
	NOTHING_EXPECTED	/* it has our signature: an empty response */
};

struct exchange {
	TAILQ_ENTRY(exchange) entry;
	enum expected	 expected;
	uint64_t	 deadline;	/* s, monotonic */
	struct asker	 asker;
	uint32_t	 account;	/* 0: the proof is never right */
	struct keys	 keys;
	uint8_t		 binding[32];	/* SHA-256 of what c= has to be */
	char		 nonce[SCRAM_NONCE_MAX + NONCE_TEXT + 1];
	/* HMACs of AuthMessage, as far as it has come */
	crypto_auth_hmacsha256_state client, server;
};

static TAILQ_HEAD(exchanges, exchange) exchanges =
    TAILQ_HEAD_INITIALIZER(exchanges);	/* the oldest first */
static size_t	 nexchanges;

static struct exchange *exchange_find(const struct front *, uint64_t conn);
static struct exchange *exchange_new(void);
static void	 exchange_free(struct exchange *);
static void	 first_take(struct front *, uint32_t, const struct auth_step *);
static bool	 first_bound(const struct auth_step *,
		    const struct scram_first *, uint8_t binding[32]);
static bool	 first_self(const struct scram_first *, const char *name);
static void	 first_keys(struct exchange *, const struct account *,
		    const char *name);
static void	 first_answer(struct exchange *, const struct scram_first *);
static void	 final_take(struct exchange *, struct slice);
static bool	 final_right(struct exchange *, struct slice,
		    uint8_t server[HMAC]);
static struct account *exchange_account(const struct exchange *);
static void	 more(const struct asker *, uint32_t wait, const char *);

void
scram_step(struct front *f, uint32_t ask, const struct auth_step *m)
{
	struct exchange *x = exchange_find(f, m->conn);
	struct asker lost = { .front = f->serial, .ask = ask,
	    .answer = AUTH_STEP_R, .conn = m->conn };
	struct account *a;

	if (m->first) {
		exchange_free(x);
		first_take(f, ask, m);
		return;
	}
	if (x == NULL) {		/* it took too long */
		login_later(&lost);
		return;
	}
	x->asker.ask = ask;
	if (authd_dir(NULL) == NULL)
		login_later(&x->asker);
	else if (x->expected == FINAL_EXPECTED) {
		final_take(x, m->response);
		return;
	} else if (m->response.n > 0 || (a = exchange_account(x)) == NULL)
		login_wrong(&x->asker);
	else
		login_done(&x->asker, a, 0);
	exchange_free(x);
}

/* ---- exchanges ----------------------------------------------------------- */

static struct exchange *
exchange_find(const struct front *f, uint64_t conn)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &exchanges, entry)
		if (x->asker.conn == conn && x->asker.front == f->serial)
			return x;
	return NULL;
}

static struct exchange *
exchange_new(void)
{
	struct exchange *x;

	if (nexchanges == EXCHANGES_MAX)
		exchange_free(TAILQ_FIRST(&exchanges));
	x = xcalloc(1, sizeof(*x));
	x->deadline = now_ms() / 1000 + EXCHANGE_SECONDS;
	TAILQ_INSERT_TAIL(&exchanges, x, entry);
	nexchanges++;
	return x;
}

static void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	TAILQ_REMOVE(&exchanges, x, entry);
	nexchanges--;
	freezero(x, sizeof(*x));
}

void
scram_forget(const struct front *f, uint64_t conn)
{
	exchange_free(exchange_find(f, conn));
}

void
scram_tick(void)
{
	struct exchange *x;

	while ((x = TAILQ_FIRST(&exchanges)) != NULL &&
	    x->deadline <= now_ms() / 1000)
		exchange_free(x);
}

/* The account, if it still is the one that the exchange began with. */
static struct account *
exchange_account(const struct exchange *x)
{
	struct account *a = dir_account_id(authd_dir(NULL), x->account);

	if (a == NULL || !a->enabled || !a->keys.there ||
	    sodium_memcmp(a->keys.stored, x->keys.stored,
	    sizeof(a->keys.stored)) != 0)
		return NULL;
	return a;
}

static void
more(const struct asker *k, uint32_t wait, const char *challenge)
{
	struct front *f = front_find(k->front);
	struct auth_step_r r = { .result = AUTH_MORE, .wait_ms = wait,
	    .user = { "", 0 }, .challenge = slice_str(challenge) };

	if (f != NULL)
		chan_reply(f->chan, k->ask, AUTH_STEP_R, &r, NULL, 0);
}

/* ---- client-first-message ------------------------------------------------ */

static void
first_take(struct front *f, uint32_t ask, const struct auth_step *m)
{
	char name[DIR_ADDRESS_MAX] = "";
	struct dir *d = authd_dir(NULL);
	const struct account *a = NULL;
	struct scram_first first;
	struct exchange *x;
	struct asker k;
	uint8_t binding[32];
	bool good;

	good = scram_first(m->response, &first, NULL) == 0;
	if (good && d != NULL)
		a = dir_login(d, slice_str(first.user), name);
	if (d == NULL) {
		k = (struct asker){ .front = f->serial, .ask = ask,
		    .answer = AUTH_STEP_R, .conn = m->conn };
		login_later(&k);
		return;
	}
	login_asker(&k, f, ask, AUTH_STEP_R, m->conn, &m->peer,
	    slice_str(first.user), name);
	if (!keys_wanted() || (good && a == NULL && base_strange()))
		login_later(&k);
	else if (!good || name[0] == '\0' || !first_self(&first, name) ||
	    !first_bound(m, &first, binding))
		login_wrong(&k);
	else {
		x = exchange_new();
		x->asker = k;
		memcpy(x->binding, binding, sizeof(x->binding));
		first_keys(x, a, name);
		first_answer(x, &first);
	}
}

/* Everybody is only who he is: an authzid has to mean the same account. */
static bool
first_self(const struct scram_first *first, const char *name)
{
	char other[DIR_ADDRESS_MAX];

	if (first->authzid[0] == '\0')
		return true;
	dir_login(authd_dir(NULL), slice_str(first->authzid), other);
	return strcmp(other, name) == 0;
}

/*
 * What the client says of channel binding fits what it was offered
 * (RFC 5802 6): then the digest of what it has to sign, the header of its
 * message and what binds it.
 */
static bool
first_bound(const struct auth_step *m, const struct scram_first *first,
    uint8_t digest[32])
{
	bool bindable = m->exporter.n > 0 || m->endpoint.n > 0;
	struct slice data = { NULL, 0 };
	crypto_hash_sha256_state h;

	if (m->plus != (first->bind == SCRAM_BIND_USED) ||
	    (first->bind == SCRAM_BIND_THOUGHT && bindable))
		return false;
	if (m->plus) {
		if (slice_is(first->type, "tls-exporter"))
			data = m->exporter;
		else if (slice_is(first->type, "tls-server-end-point"))
			data = m->endpoint;
		if (data.n == 0)
			return false;
	}
	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, (const uint8_t *)first->gs2.p,
	    first->gs2.n);
	if (data.n > 0)
		crypto_hash_sha256_update(&h, (const uint8_t *)data.p, data.n);
	crypto_hash_sha256_final(&h, digest);
	return true;
}

static void
first_keys(struct exchange *x, const struct account *a, const char *name)
{
	keys_salt(a, name, &x->keys);
	if (a != NULL && a->enabled && a->keys.there) {
		x->account = a->id;
		x->keys = a->keys;
	} else {
		random_bytes(x->keys.stored, sizeof(x->keys.stored));
		random_bytes(x->keys.server, sizeof(x->keys.server));
	}
}

/* server-first-message: nonce, salt, count. */
static void
first_answer(struct exchange *x, const struct scram_first *first)
{
	char salt[BASE64_LEN(KEYS_SALT) + 1] = "";
	char text[FIRST_MAX];
	uint8_t ours[NONCE];
	int n;

	random_bytes(ours, sizeof(ours));
	slice_cpy(first->nonce, x->nonce, sizeof(x->nonce));
	base64_encode(ours, sizeof(ours), x->nonce + first->nonce.n,
	    NONCE_TEXT);
	base64_encode(x->keys.salt, sizeof(x->keys.salt), salt, sizeof(salt));
	n = snprintf(text, sizeof(text), "r=%s,s=%s,i=%u", x->nonce, salt,
	    x->keys.count);

	crypto_auth_hmacsha256_init(&x->client, x->keys.stored,
	    sizeof(x->keys.stored));
	crypto_auth_hmacsha256_update(&x->client,
	    (const uint8_t *)first->bare.p, first->bare.n);
	crypto_auth_hmacsha256_update(&x->client, (const uint8_t *)",", 1);
	crypto_auth_hmacsha256_update(&x->client, (const uint8_t *)text,
	    (size_t)n);
	crypto_auth_hmacsha256_update(&x->client, (const uint8_t *)",", 1);

	crypto_auth_hmacsha256_init(&x->server, x->keys.server,
	    sizeof(x->keys.server));
	crypto_auth_hmacsha256_update(&x->server,
	    (const uint8_t *)first->bare.p, first->bare.n);
	crypto_auth_hmacsha256_update(&x->server, (const uint8_t *)",", 1);
	crypto_auth_hmacsha256_update(&x->server, (const uint8_t *)text,
	    (size_t)n);
	crypto_auth_hmacsha256_update(&x->server, (const uint8_t *)",", 1);
	more(&x->asker, 0, text);
}

/* ---- client-final-message ------------------------------------------------ */

static void
final_take(struct exchange *x, struct slice message)
{
	char text[2 + BASE64_LEN(HMAC) + 1] = "v=";
	uint8_t server[HMAC];

	if (!final_right(x, message, server) || exchange_account(x) == NULL) {
		login_wrong(&x->asker);
		exchange_free(x);
		return;
	}
	base64_encode(server, sizeof(server), text + 2, BASE64_LEN(HMAC));
	x->expected = NOTHING_EXPECTED;
	more(&x->asker, login_pause(&x->asker), text);
	explicit_bzero(server, sizeof(server));
}

/* Is it of this exchange, and the proof that of the password? */
static bool
final_right(struct exchange *x, struct slice message, uint8_t server[HMAC])
{
	uint8_t binding[SCRAM_MESSAGE_MAX], digest[32], sig[HMAC], key[32];
	struct scram_final f;
	ssize_t n;
	size_t i;

	if (scram_final(message, &f, NULL) == -1 ||
	    !slice_is(f.nonce, x->nonce) || (n = base64_decode(f.binding.p,
	    f.binding.n, binding, sizeof(binding))) == -1)
		return false;
	crypto_hash_sha256(digest, binding, (size_t)n);
	crypto_auth_hmacsha256_update(&x->client, (const uint8_t *)f.bare.p,
	    f.bare.n);
	crypto_auth_hmacsha256_final(&x->client, sig);
	crypto_auth_hmacsha256_update(&x->server, (const uint8_t *)f.bare.p,
	    f.bare.n);
	crypto_auth_hmacsha256_final(&x->server, server);
	for (i = 0; i < sizeof(key); i++)	/* ClientKey */
		key[i] = f.proof[i] ^ sig[i];
	crypto_hash_sha256(key, key, sizeof(key));
	i = (size_t)(sodium_memcmp(key, x->keys.stored, sizeof(key)) |
	    sodium_memcmp(digest, x->binding, sizeof(digest)));
	explicit_bzero(&f, sizeof(f));
	explicit_bzero(sig, sizeof(sig));
	explicit_bzero(key, sizeof(key));
	return i == 0 && x->account != 0;
}
