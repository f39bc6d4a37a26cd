/*
 * authd-hash: verifies and makes password hashes (argon2id) for authd, and
 * keys of SCRAM-SHA-256, and verifies tokens, one at a time, so that authd
 * never waits.  Holds public keys alone, sees only what it is asked now; no
 * files, no network.
 */
#include "base/compat.h"

#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/hash/pwhash.h"

#define HASH_TEXT_MAX	256
#define KEYS_COUNT_MAX	1000000	/* rounds, about a second of work */

static void	 on_verify(struct chan *, struct msg *, void *);
static void	 on_make(struct chan *, struct msg *, void *);
static void	 on_keys(struct chan *, struct msg *, void *);
static void	 on_token(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static const struct chan_handler handlers[] = {
	{ HASH_VERIFY,	on_verify },
	{ HASH_MAKE,	on_make },
	{ HASH_KEYS,	on_keys },
	{ HASH_TOKEN,	on_token },
};

static struct {
	struct chan	*authd;
} st;

static void
on_verify(struct chan *c, struct msg *m, void *arg)
{
	const struct hash_verify *q = &m->body->hash_verify;
	struct hash_verify_r r = { 0 };
	char hash[HASH_TEXT_MAX + 1];

	/* what is not a hash of ours fits no password (attacks 60) */
	if (slice_cpy(q->hash, hash, sizeof(hash)) == 0 &&
	    strncmp(hash, "$argon2id$", 10) == 0 &&
	    crypto_pwhash_str_verify(hash, q->password.p, q->password.n) == 0)
		r.ok = 1;
	explicit_bzero((void *)(uintptr_t)q->password.p, q->password.n);
	chan_reply(c, m->id, HASH_VERIFY_R, &r, NULL, 0);
}

/* StoredKey and ServerKey (RFC 5802 3).  0, -1. */
static int
keys_make(struct slice password, struct slice salt, uint32_t count,
    struct msg_mac *stored, struct msg_mac *server)
{
	static const uint8_t client_key[] = "Client Key";
	static const uint8_t server_key[] = "Server Key";
	uint8_t salted[32], client[32];
	int r = -1;

	if (salt.n == 0 || count == 0 || count > KEYS_COUNT_MAX)
		return -1;
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
	    (const uint8_t *)salt.p, (int)salt.n, (int)count, EVP_sha256(),
	    sizeof(salted), salted) == 1 &&
	    HMAC(EVP_sha256(), salted, sizeof(salted), client_key,
	    sizeof(client_key) - 1, client, NULL) != NULL &&
	    HMAC(EVP_sha256(), salted, sizeof(salted), server_key,
	    sizeof(server_key) - 1, server->b, NULL) != NULL &&
	    SHA256(client, sizeof(client), stored->b) != NULL)
		r = 0;
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return r;
}

static void
on_make(struct chan *c, struct msg *m, void *arg)
{
	const struct conf *conf = proc_conf();
	const struct hash_make *q = &m->body->hash_make;
	struct hash_make_r r = { 0 };
	char hash[crypto_pwhash_STRBYTES];

	if (crypto_pwhash_str_alg(hash, q->password.p, q->password.n,
	    conf->auth.passes, (size_t)conf->auth.memory * 1024,
	    crypto_pwhash_ALG_ARGON2ID13) == 0) {
		r.ok = 1;
		r.hash = slice_str(hash);
		r.keys = keys_make(q->password, q->salt, q->count, &r.stored,
		    &r.server) == 0;
	} else
		log_warn("no memory for a password hash");
	explicit_bzero((void *)(uintptr_t)q->password.p, q->password.n);
	chan_reply(c, m->id, HASH_MAKE_R, &r, NULL, 0);
	explicit_bzero(&r, sizeof(r));
}

static void
on_keys(struct chan *c, struct msg *m, void *arg)
{
	const struct hash_keys *q = &m->body->hash_keys;
	struct hash_keys_r r = { 0 };

	r.ok = keys_make(q->password, q->salt, q->count, &r.stored,
	    &r.server) == 0;
	explicit_bzero((void *)(uintptr_t)q->password.p, q->password.n);
	chan_reply(c, m->id, HASH_KEYS_R, &r, NULL, 0);
	explicit_bzero(&r, sizeof(r));
}

static void
on_gone(struct chan *c, void *arg)
{
	st.authd = NULL;
}

static void
on_token(struct chan *c, struct msg *m, void *arg)
{
	struct hash_token_r r = { .ok = 1 };
	char user[SASL_FIELD_MAX + 1] = "";
	const char *why;

	why = token_check(m->body->hash_token.token, now_sec(), user);
	if (why != NULL)
		r = (struct hash_token_r){ .why = slice_str(why),
		    .user = { "", 0 } };
	else
		r.user = slice_str(user);
	chan_reply(c, m->id, HASH_TOKEN_R, &r, NULL, 0);
}

void
pwhash_file(enum conf_file_kind what, uint16_t index, struct slice name,
    int fd)
{
	if (what == FILE_TOKEN_KEYS)
		token_keys(name, fd);
	close(fd);
}

void
pwhash_reload(const struct conf *conf)
{
}

void
pwhash_load(const struct conf *conf)
{
	size_t seed = 0;

	if (sodium_init() == -1)
		fatalx("sodium_init");
	/* of its tables; by itself it would open a file for it */
	random_bytes(&seed, sizeof(seed));
	json_object_seed(seed | 1);
}

void
pwhash_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	static const struct chan_ops ops = { on_gone, NULL };

	if (kind != CHAN_HASH || peer != ROLE_AUTHD)
		fatalx("channel kind %d is not for authd-hash", kind);
	chan_free(st.authd);
	st.authd = chan_new(proc_base(), fd, CHAN_HASH, SIDE_B, handlers,
	    NITEMS(handlers), &ops, NULL);
}
