/*
 * authd-hash: verifies and makes password hashes (argon2id) for authd, one
 * at a time, so that authd never waits.  Holds nothing, sees only what it
 * is asked now; no files, no network.
 */
#include "base/compat.h"

#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/hash/pwhash.h"

#define HASH_TEXT_MAX	256

static void	 on_verify(struct chan *, struct msg *, void *);
static void	 on_make(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static const struct chan_handler handlers[] = {
	{ HASH_VERIFY,	on_verify },
	{ HASH_MAKE,	on_make },
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
	} else
		log_warn("no memory for a password hash");
	explicit_bzero((void *)(uintptr_t)q->password.p, q->password.n);
	chan_reply(c, m->id, HASH_MAKE_R, &r, NULL, 0);
}

static void
on_gone(struct chan *c, void *arg)
{
	st.authd = NULL;
}

void
pwhash_load(const struct conf *conf)
{
	if (sodium_init() == -1)
		fatalx("sodium_init");
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
