/*
 * Keys of SCRAM-SHA-256: which account has them, who makes them when, and
 * whether the mechanism is offered.  They are made with a password, and of an
 * older account at its next login with one; by a hash worker, when it has
 * nothing else to do.  One salt and count an account for all that it logs in
 * with.
 */
#include "base/compat.h"

#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define LEARNT_MAX	256	/* accounts whose keys wait to be written */

static struct {
	struct db_keys	 learnt[LEARNT_MAX];
	size_t		 nlearnt;
	bool		 changed;	/* look who has keys */
	bool		 offered;
	size_t		 without;	/* accounts that log in and have none */
} st;

bool
keys_wanted(void)
{
	return proc_conf()->auth.scram != SCRAM_NO;
}

/*
 * The salt that a name has for ever, whether it is an account's or not: that
 * keys of an older account are made shows to nobody.  The count of a name
 * that has none is some account's, as costs are with hashes (login.c).
 */
void
keys_salt(const struct account *a, const char *name, struct keys *k)
{
	const struct account *some;
	uint64_t h;

	*k = (struct keys){ .count = KEYS_COUNT };
	if (a != NULL && a->keys.there) {
		k->count = a->keys.count;
		memcpy(k->salt, a->keys.salt, sizeof(k->salt));
		return;
	}
	crypto_generichash(k->salt, sizeof(k->salt), (const uint8_t *)name,
	    strlen(name), db_secret(), 32);
	memcpy(&h, k->salt, sizeof(h));
	some = a == NULL ? dir_some(authd_dir(NULL), h) : NULL;
	if (some != NULL && some->keys.there)
		k->count = some->keys.count;
}

/* ---- of older accounts --------------------------------------------------- */

static void
on_keys(const struct pool_answer *r, void *arg)
{
	struct db_keys *l = arg;
	struct db_keys *k;

	if (r->ok == 1 && r->keys && st.nlearnt < LEARNT_MAX) {
		k = &st.learnt[st.nlearnt++];
		*k = *l;
		k->keys.there = true;
		memcpy(k->keys.stored, r->stored.b, sizeof(k->keys.stored));
		memcpy(k->keys.server, r->server.b, sizeof(k->keys.server));
	}
	freezero(l, sizeof(*l));
}

void
keys_learn(const struct account *a, struct slice password)
{
	struct db_keys *l;

	if (a->keys.there || !keys_wanted())
		return;
	l = xcalloc(1, sizeof(*l));
	l->id = a->id;
	strlcpy(l->hash, a->hash, sizeof(l->hash));
	keys_salt(a, a->address, &l->keys);
	if (!pool_keys(password, &l->keys, on_keys, l))
		freezero(l, sizeof(*l));	/* the next login does it */
}

/* One write for all that were made in a second. */
static void
keys_write(struct dir *d)
{
	struct account *a;
	size_t i, n = 0;

	for (i = 0; i < st.nlearnt; i++) {
		a = dir_account_id(d, st.learnt[i].id);
		if (a != NULL && strcmp(a->hash, st.learnt[i].hash) == 0)
			st.learnt[n++] = st.learnt[i];
	}
	if (n > 0 && db_keys_add(st.learnt, n) == -1) {
		log_warnx("directory write error=%s", db_error());
		n = 0;			/* they are made again */
	}
	for (i = 0; i < n; i++)
		dir_account_id(d, st.learnt[i].id)->keys = st.learnt[i].keys;
	explicit_bzero(st.learnt, sizeof(st.learnt));
	st.nlearnt = 0;
	st.changed = true;
}

/* ---- the offer ----------------------------------------------------------- */

static void
keys_count(const struct account *a, void *arg)
{
	if (a->enabled && !a->keys.there)
		st.without++;
}

static bool
keys_offer(const struct dir *d)
{
	switch ((enum conf_scram)proc_conf()->auth.scram) {
	case SCRAM_AUTO:
		break;
	case SCRAM_YES:
		return true;
	case SCRAM_NO:
		return false;
	}
	st.without = 0;
	dir_each(d, keys_count, NULL);
	return st.without == 0;
}

static void
keys_tell(struct front *f)
{
	struct auth_offer_ev ev = { .scram = st.offered,
	    .token = proc_conf()->oauth.keys != NULL };

	if (f->role != ROLE_QUEUE)
		chan_send(f->chan, AUTH_OFFER_EV, &ev, NULL, 0);
}

/* It takes nothing for offered. */
void
keys_tell_new(struct front *f)
{
	if (st.offered || proc_conf()->oauth.keys != NULL)
		keys_tell(f);
}

void
keys_changed(void)
{
	st.changed = true;
}

static void
keys_none(const struct account *a, void *arg)
{
	struct dir *d = arg;

	explicit_bzero(&dir_account_id(d, a->id)->keys, sizeof(a->keys));
}

/* A stolen database that has none is dearer to guess with. */
static void
keys_forget(struct dir *d)
{
	if (db_keys_forget() == -1)
		log_warnx("directory write error=%s", db_error());
	else
		dir_each(d, keys_none, d);
}

/* What may be offered now; fronts are told when it is something new. */
static void
keys_look(const struct dir *d)
{
	bool offer;

	if (d == NULL || !st.changed)
		return;
	st.changed = false;
	offer = keys_offer(d);
	if (offer == st.offered)
		return;
	st.offered = offer;
	log_info("scram offered=%s without=%zu", offer ? "yes" : "no",
	    st.without);
	front_each(keys_tell);
}

void
keys_opened(void)
{
	struct dir *d = authd_dir(NULL);

	if (d != NULL && !keys_wanted())
		keys_forget(d);
	st.changed = true;
	keys_look(d);
	front_each(keys_tell);
}

void
keys_tick(void)
{
	struct dir *d = authd_dir(NULL);

	if (d != NULL && st.nlearnt > 0)
		keys_write(d);
	keys_look(d);
}
