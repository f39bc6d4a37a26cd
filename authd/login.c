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
	uint32_t	 front;		/* serial */
	uint32_t	 ask;
	uint64_t	 conn;
	uint32_t	 account;	/* 0: no such user */
	struct slow_key	 byname, bynet;
	char		 who[DIR_ADDRESS_MAX];	/* for the log */
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

static void
login_answer(struct front *f, uint32_t ask, enum auth_result result,
    uint32_t account, const char *user, uint32_t wait)
{
	struct auth_login_r r = { .result = (uint8_t)result,
	    .account = account, .user = slice_str(user), .wait_ms = wait };

	chan_reply(f->chan, ask, AUTH_LOGIN_R, &r, NULL, 0);
}

/* The client proved to be account: tell who must know before the front. */
static void
login_ok(struct front *f, uint32_t ask, uint64_t conn,
    const struct account *a, uint32_t wait)
{
	struct grant_open_ev grant = { .front = (uint8_t)f->role,
	    .instance = f->instance, .conn = conn, .account = a->id,
	    .octets = a->quota.octets, .messages = a->quota.messages };

	if (f->role == ROLE_SMTPD)
		front_prove(f, conn, a->id);
	else if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_OPEN_EV, &grant, NULL, 0);
	login_answer(f, ask, AUTH_OK, a->id, a->address, wait);
}

static uint32_t
login_wait(const struct slow_key *k, uint64_t now)
{
	return slow_wait(slow_count(k, now), proc_conf()->auth.max_failures);
}

static void
login_bad(struct front *f, uint32_t ask, const struct slow_key *byname,
    const struct slow_key *bynet, const char *who)
{
	uint64_t now = now_sec();
	uint32_t a, b;

	slow_fail(byname, now);
	slow_fail(bynet, now);
	a = login_wait(byname, now);
	b = login_wait(bynet, now);
	login_answer(f, ask, AUTH_BAD, 0, who, a > b ? a : b);
}

/* A worker says whether the password is right. */
static void
on_verified(int ok, struct slice hash, void *arg)
{
	struct login *l = arg;
	struct front *f = l->conn == 0 ? NULL : front_find(l->front);
	struct dir *d = authd_dir(NULL);
	struct account *a = NULL;
	uint64_t now = now_sec();
	uint32_t wait, waitnet;

	LIST_REMOVE(l, entry);
	if (d != NULL && l->account != 0)
		a = dir_account_id(d, l->account);
	if (a != NULL && (!a->enabled || strcmp(a->hash, l->hash) != 0))
		a = NULL;	/* changed meanwhile */
	if (f == NULL)
		;		/* whoever asked has gone */
	else if (ok == -1 || d == NULL)
		login_answer(f, l->ask, AUTH_TEMP, 0, "", 0);
	else if (ok == 0 || a == NULL)
		login_bad(f, l->ask, &l->byname, &l->bynet, l->who);
	else {
		wait = login_wait(&l->byname, now);
		wait = wait > LOGIN_OK_WAIT ? LOGIN_OK_WAIT : wait;
		waitnet = login_wait(&l->bynet, now);
		slow_clear(&l->byname);
		recent_add(a->id, slice_of(l->password, l->passwordn),
		    now_ms() / 1000);
		login_ok(f, l->ask, l->conn, a, wait > waitnet ? wait :
		    waitnet);
	}
	freezero(l, sizeof(*l));
}

/* One network that only fails must not fill the waiting list. */
static bool
login_crowded(const struct slow_key *bynet, uint64_t now)
{
	struct login *l;
	unsigned int n = 0;

	if (bynet->kind == 0 || login_wait(bynet, now) == 0)
		return false;
	LIST_FOREACH(l, &st.list, entry)
		if (memcmp(&l->bynet, bynet, sizeof(*bynet)) == 0)
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

static void
login_verify(struct front *f, uint32_t ask, const struct auth_login *m,
    const struct account *a, const char *name, const struct slow_key *bynet)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->front = f->serial;
	l->ask = ask;
	l->conn = m->conn;
	l->account = a != NULL ? a->id : 0;
	l->byname = slow_name(name);
	l->bynet = *bynet;
	login_who(m->user, name, l->who);
	if (a != NULL)
		strlcpy(l->hash, a->hash, sizeof(l->hash));
	else
		login_dummy(&l->byname, l->hash, sizeof(l->hash));
	memcpy(l->password, m->password.p, m->password.n);
	l->passwordn = m->password.n;
	LIST_INSERT_HEAD(&st.list, l, entry);
	pool_ask(m->password, slice_str(l->hash), on_verified, l);
}

void
login_ask(struct front *f, uint32_t ask, const struct auth_login *m)
{
	struct slow_key bynet = slow_network(&m->peer), none = { 0 };
	struct dir *d = authd_dir(NULL);
	struct account *a;
	char name[DIR_ADDRESS_MAX], who[DIR_ADDRESS_MAX];
	uint64_t now = now_sec();

	if (d == NULL) {
		login_answer(f, ask, AUTH_TEMP, 0, "", 0);
		return;
	}
	a = dir_login(d, m->user, name);
	if (name[0] == '\0' || !sasl_field_valid(m->password)) {
		login_who(m->user, name, who);
		login_bad(f, ask, &none, &bynet, who);
		return;
	}
	if (a == NULL && base_strange()) {	/* it may well be right */
		login_answer(f, ask, AUTH_TEMP, 0, "", 0);
		return;
	}
	if (recent_has(a != NULL ? a->id : 0, m->password,
	    now_ms() / 1000) && a != NULL && a->enabled)
		login_ok(f, ask, m->conn, a, 0);
	else if (!pool_room(proc_conf()->auth.max_waiting) ||
	    login_crowded(&bynet, now)) {
		log_notice("%s login result=busy", connid_text(m->conn));
		login_answer(f, ask, AUTH_TEMP, 0, "",
		    login_wait(&bynet, now));
	} else
		login_verify(f, ask, m, a, name, &bynet);
}

void
login_forget(const struct front *f, uint64_t conn)
{
	struct login *l;

	LIST_FOREACH(l, &st.list, entry)
		if (l->front == f->serial && l->conn == conn)
			l->conn = 0;
}
