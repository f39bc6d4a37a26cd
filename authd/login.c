/*
 * Logins.  An answer never tells an unknown user from a wrong password, in
 * text, cost or delay: both go to a hash worker, one with a hash that fits
 * nothing.  What proved right lately is known without (recent.c).
 * Failures make the next answers wait (slow.c); the front does the
 * waiting.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/connid.h"
#include "authd/authd.h"

#define LOGIN_PENDING	4	/* at once from a network that fails often */
#define LOGIN_OK_WAIT	2000	/* ms at most for a right password of a name
				 * others guess at */

struct login {
	LIST_ENTRY(login) entry;
	struct asker	 asker;
	uint32_t	 account;	/* 0: no such user */
	char		 hash[256];	/* of the account when it was asked */
	size_t		 passwordn;
	char		 password[1024];
};

static struct {
	LIST_HEAD(, login) list;	/* at the hash workers */
	char		 prefix[64];	/* of a hash as it is made now */
	char		 dummy[100];	/* salt and hash that fit no password */
} st = { .list = LIST_HEAD_INITIALIZER(st.list) };

void
login_init(void)
{
	const struct conf *conf = proc_conf();
	uint8_t salt[16], hash[32];
	char s[32], h[64];

	random_bytes(salt, sizeof(salt));
	random_bytes(hash, sizeof(hash));
	sodium_bin2base64(s, sizeof(s), salt, sizeof(salt),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2base64(h, sizeof(h), hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(st.prefix, sizeof(st.prefix), "$argon2id$v=19$m=%u,t=%u,p=1",
	    conf->auth.memory, conf->auth.passes);
	snprintf(st.dummy, sizeof(st.dummy), "$%s$%s", s, h);
}

/*
 * A hash for a name that is no account.  What it costs is what some account's
 * costs, always the same one's for one name: where some were made with other
 * parameters than today's, unknown names are as mixed as known ones.
 */
static void
login_dummy(const struct slow_key *byname, char *hash, size_t size)
{
	const struct account *a;
	size_t n, fields;
	uint64_t h;

	memcpy(&h, byname->b, sizeof(h));
	a = dir_some(authd_dir(NULL), h);
	/* "$argon2id$v=19$m=..,t=..,p=.": up to the fourth dollar */
	for (n = fields = 0; a != NULL && a->hash[n] != '\0'; n++)
		if (a->hash[n] == '$' && ++fields == 4)
			break;
	if (fields == 4 && n < sizeof(st.prefix))
		strlcpy(hash, a->hash, n + 1);
	else
		strlcpy(hash, st.prefix, size);
	strlcat(hash, st.dummy, size);
}

/* In the form that belongs to what was asked. */
static void
login_answer(const struct asker *k, enum auth_result result, uint32_t account,
    const char *user, uint32_t wait)
{
	struct front *f = k->conn == 0 ? NULL : front_find(k->front);
	struct auth_login_r login = { (uint8_t)result, account,
	    slice_str(user), wait };
	struct auth_step_r step = { (uint8_t)result, account, slice_str(user),
	    wait, { NULL, 0 } };
	struct auth_token_r token = { (uint8_t)result, account,
	    slice_str(user), wait };
	struct auth_cert_r cert = { (uint8_t)result, account, slice_str(user),
	    wait };

	if (f == NULL)
		return;		/* whoever asked has gone */
	if (k->answer == AUTH_STEP_R)
		chan_reply(f->chan, k->ask, AUTH_STEP_R, &step, NULL, 0);
	else if (k->answer == AUTH_TOKEN_R)
		chan_reply(f->chan, k->ask, AUTH_TOKEN_R, &token, NULL, 0);
	else if (k->answer == AUTH_CERT_R)
		chan_reply(f->chan, k->ask, AUTH_CERT_R, &cert, NULL, 0);
	else
		chan_reply(f->chan, k->ask, AUTH_LOGIN_R, &login, NULL, 0);
}

static uint32_t
login_wait(const struct slow_key *k, uint64_t now)
{
	return slow_wait(slow_count(k, now), proc_conf()->auth.max_failures);
}

/* Who must know is told before the front. */
void
login_done(const struct asker *k, const struct account *a, uint32_t wait)
{
	struct front *f = k->conn == 0 ? NULL : front_find(k->front);
	struct grant_open_ev grant = { .conn = k->conn, .account = a->id,
	    .octets = a->quota.octets, .messages = a->quota.messages };

	if (f == NULL)
		return;
	grant.front = (uint8_t)f->role;
	grant.instance = f->instance;
	if (f->role == ROLE_SMTPD)
		front_prove(f, k->conn, a->id);
	else if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_OPEN_EV, &grant, NULL, 0);
	login_answer(k, AUTH_OK, a->id, a->address, wait);
}

uint32_t
login_pause(const struct asker *k)
{
	uint64_t now = now_sec();
	uint32_t wait = login_wait(&k->byname, now);
	uint32_t waitnet = login_wait(&k->bynet, now);

	if (wait > LOGIN_OK_WAIT)
		wait = LOGIN_OK_WAIT;
	slow_clear(&k->byname);
	return wait > waitnet ? wait : waitnet;
}

void
login_wrong(const struct asker *k)
{
	uint64_t now = now_sec();
	uint32_t a, b;

	if (k->conn == 0)
		return;
	slow_fail(&k->byname, now);
	slow_fail(&k->bynet, now);
	a = login_wait(&k->byname, now);
	b = login_wait(&k->bynet, now);
	login_answer(k, AUTH_BAD, 0, k->who, a > b ? a : b);
}

void
login_later(const struct asker *k)
{
	login_answer(k, AUTH_TEMP, 0, "", 0);
}

/* A worker says whether the password is right. */
static void
on_verified(const struct pool_answer *r, void *arg)
{
	struct login *l = arg;
	struct slice password = { l->password, l->passwordn };
	struct dir *d = authd_dir(NULL);
	struct account *a = NULL;

	LIST_REMOVE(l, entry);
	if (d != NULL && l->account != 0)
		a = dir_account_id(d, l->account);
	if (a != NULL && (!a->enabled || strcmp(a->hash, l->hash) != 0))
		a = NULL;	/* changed meanwhile */
	if (r->ok == -1 || d == NULL)
		login_later(&l->asker);
	else if (r->ok == 0 || a == NULL)
		login_wrong(&l->asker);
	else if (l->asker.conn != 0) {
		recent_add(a->id, password, now_ms() / 1000);
		login_done(&l->asker, a, login_pause(&l->asker));
		keys_learn(a, password);
	}
	freezero(l, sizeof(*l));
}

/* One network that only fails must not fill the waiting list. */
bool
login_crowded(const struct asker *k, unsigned int n)
{
	struct login *l;

	if (k->bynet.kind == 0 || login_wait(&k->bynet, now_sec()) == 0)
		return false;
	LIST_FOREACH(l, &st.list, entry)
		if (memcmp(&l->asker.bynet, &k->bynet, sizeof(k->bynet)) == 0)
			n++;
	return n >= LOGIN_PENDING;
}

/*
 * The name for the log of the front, "" none, into who.  What is no whole
 * address of ours may be a password typed in the wrong place.  Whether the
 * name is there makes no difference: the front is told no more than a client.
 */
static void
login_who(struct slice user, const char *name, char who[DIR_ADDRESS_MAX])
{
	const char *domain = strchr(name, '@');
	bool ours = memchr(user.p, '@', user.n) != NULL && domain != NULL &&
	    dir_is_local(authd_dir(NULL), domain + 1);
	size_t n = user.n < DIR_ADDRESS_MAX ? user.n : DIR_ADDRESS_MAX - 1;

	who[0] = '\0';
	switch ((enum conf_names)proc_conf()->auth.log_names) {
	case NAMES_NONE:
		break;
	case NAMES_OURS:
		strlcpy(who, ours ? name : "", DIR_ADDRESS_MAX);
		break;
	case NAMES_ALL:
		slice_cpy(slice_of(user.p, n), who, DIR_ADDRESS_MAX);
		break;
	}
}

void
login_asker(struct asker *k, const struct front *f, uint32_t ask,
    enum msg_type answer, uint64_t conn, const struct msg_addr *peer,
    struct slice user, const char *name)
{
	*k = (struct asker){ .front = f->serial, .ask = ask, .answer = answer,
	    .conn = conn, .bynet = slow_network(peer) };
	if (name[0] != '\0')
		k->byname = slow_name(name);
	login_who(user, name, k->who);
}

static void
login_verify(const struct asker *k, struct slice password,
    const struct account *a)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->asker = *k;
	l->account = a != NULL ? a->id : 0;
	if (a != NULL)
		strlcpy(l->hash, a->hash, sizeof(l->hash));
	else
		login_dummy(&k->byname, l->hash, sizeof(l->hash));
	memcpy(l->password, password.p, password.n);
	l->passwordn = password.n;
	LIST_INSERT_HEAD(&st.list, l, entry);
	pool_verify(password, slice_str(l->hash), on_verified, l);
}

void
login_ask(struct front *f, uint32_t ask, const struct auth_login *m)
{
	struct dir *d = authd_dir(NULL);
	struct account *a;
	struct asker k;
	char name[DIR_ADDRESS_MAX];
	uint64_t now = now_sec();

	if (d == NULL) {
		k = (struct asker){ .front = f->serial, .ask = ask,
		    .conn = m->conn, .answer = AUTH_LOGIN_R };
		login_later(&k);
		return;
	}
	a = dir_login(d, m->user, name);
	login_asker(&k, f, ask, AUTH_LOGIN_R, m->conn, &m->peer, m->user,
	    name);
	if (name[0] == '\0' || !sasl_field_valid(m->password))
		login_wrong(&k);
	else if (a == NULL && base_strange())	/* it may well be right */
		login_later(&k);
	else if (recent_has(a != NULL ? a->id : 0, m->password,
	    now_ms() / 1000) && a != NULL && a->enabled)
		login_done(&k, a, 0);
	else if (!pool_room(proc_conf()->auth.max_waiting) ||
	    login_crowded(&k, 0)) {
		log_notice("%s login result=busy", connid_text(m->conn));
		login_answer(&k, AUTH_TEMP, 0, "", login_wait(&k.bynet, now));
	} else
		login_verify(&k, m->password, a);
}

void
login_forget(const struct front *f, uint64_t conn)
{
	struct login *l;

	LIST_FOREACH(l, &st.list, entry)
		if (l->asker.front == f->serial && l->asker.conn == conn)
			l->asker.conn = 0;
}
