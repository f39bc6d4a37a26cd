/*
 * Commands of mailctl for the directory: accounts, and who answers the others.
 * maild checked who asks.  A change is in the database before memory and before
 * the answer; codes are those of sysexits(3).
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

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
#include "authd/authd.h"
#include "authd/run.h"

#define CREATE_MS	30000	/* maild makes the directory in this time */
#define STATE_MS	20000	/* and deliver lets go of one in this */

struct command {
	const char	*noun, *verb;
	size_t		 min, max;	/* arguments behind the verb */
	bool		 force;		/* --force may stand there */
	void		(*fn)(uint32_t, const struct args *);
	const char	*usage;
};

/* What the operator hears once deliver has let go of an account, or may have
 * it again. */
struct told {
	uint32_t	 ask;
	char		 text[3000];
};

/* An account that is to be deleted. */
struct gone {
	uint32_t	 id;
	char		 address[DIR_ADDRESS_MAX];
};

/* An account being made, or one getting a new password. */
struct change {
	LIST_ENTRY(change) entry;
	bool		 making;	/* it has a row that is not yet to be */
	uint32_t	 ask;
	uint32_t	 id;
	bool		 generated;
	char		 address[DIR_ADDRESS_MAX];
	char		 password[SASL_FIELD_MAX + 1];
	char		 hash[256];
	struct keys	 keys;
};

static void	 account_add(uint32_t, const struct args *);
static void	 account_del(uint32_t, const struct args *);
static void	 account_passwd(uint32_t, const struct args *);
static void	 account_enable(uint32_t, const struct args *);
static void	 account_disable(uint32_t, const struct args *);
static void	 account_adopt(uint32_t, const struct args *);
static void	 state_tell(uint32_t, uint32_t, bool, const char *, ...)
		    __attribute__((format(printf, 4, 5)));
static void	 account_list(uint32_t, const struct args *);
static void	 account_show(uint32_t, const struct args *);
static void	 account_number(uint32_t, const struct args *);
static void	 alias_list(uint32_t, const struct args *);
static void	 domain_list(uint32_t, const struct args *);
static void	 guard_list(uint32_t, const struct args *);

static const struct command commands[] = {
	{ "account", "add", 1, 2, true, account_add,
	    "ADDRESS [PASSWORD] [--force]" },
	{ "account", "del", 1, 1, false, account_del, "ADDRESS" },
	{ "account", "passwd", 1, 2, false, account_passwd,
	    "ADDRESS [PASSWORD]" },
	{ "account", "enable", 1, 1, false, account_enable, "ADDRESS" },
	{ "account", "disable", 1, 1, false, account_disable, "ADDRESS" },
	{ "account", "cert", 1, 3, false, account_cert_run,
	    "ADDRESS [add|del FINGERPRINT]" },
	{ "account", "adopt", 0, 0, false, account_adopt, "" },
	{ "account", "list", 0, 0, false, account_list, "" },
	{ "account", "show", 1, 1, false, account_show, "ADDRESS" },
	{ "account", "quota", 1, 3, false, account_quota_run,
	    "ADDRESS [SIZE [MESSAGES] | default | none]" },
	/* of maild */
	{ "account", "number", 1, 1, false, account_number, NULL },
	{ "alias", "add", 2, DIR_TARGETS_MAX + 1, true, alias_add,
	    "ADDRESS|@DOMAIN TARGET ... [--force]" },
	{ "alias", "del", 1, DIR_TARGETS_MAX + 1, true, alias_del,
	    "ADDRESS|@DOMAIN [TARGET ...] [--force]" },
	{ "alias", "list", 0, 0, false, alias_list, "" },
	{ "alias", "show", 1, 1, false, alias_show, "ADDRESS|NAME" },
	{ "domain", "list", 0, 0, false, domain_list, "" },
	/* for people these two are maild's, which asks the third of us */
	{ "domain", "add", 1, 0, false, NULL, "DOMAIN [--force]" },
	{ "domain", "del", 1, 0, false, NULL, "DOMAIN [--force]" },
	{ "domain", "change", 1, 2 * CONF_NLIST, false, domain_change, NULL },
	{ "guard", "list", 0, 0, false, guard_list, "" },
};

/* ---- helpers ------------------------------------------------------------- */

/* Sixteen letters and digits that are not mistaken for others: 80 bits. */
static void
password_make(char *out)
{
	static const char set[] = "abcdefghjkmnpqrstuvwxyz123456789";
	uint8_t b[16];
	size_t i, n = 0;

	random_bytes(b, sizeof(b));
	for (i = 0; i < sizeof(b); i++) {
		if (i > 0 && i % 4 == 0)
			out[n++] = '-';
		out[n++] = set[b[i] % (sizeof(set) - 1)];
	}
	out[n] = '\0';
	explicit_bzero(b, sizeof(b));
}

static LIST_HEAD(, change) changes = LIST_HEAD_INITIALIZER(changes);

static void
change_free(struct change *c)
{
	LIST_REMOVE(c, entry);
	freezero(c, sizeof(*c));
}

static struct change *
change_new(uint32_t ask, const char *address, const struct args *args)
{
	struct change *c = xcalloc(1, sizeof(*c));

	LIST_INSERT_HEAD(&changes, c, entry);
	c->ask = ask;
	strlcpy(c->address, address, sizeof(c->address));
	if (args->n < 4) {
		c->generated = true;
		password_make(c->password);
	} else if (!sasl_field_valid(args->v[3]) ||
	    slice_cpy(args->v[3], c->password, sizeof(c->password)) == -1) {
		proc_done(ask, EX_DATAERR, "a password has 1 to %d octets of "
		    "UTF-8 and no line end", SASL_FIELD_MAX);
		change_free(c);
		return NULL;
	}
	return c;
}

/* Is an account of that name being made already? */
static bool
change_making(const char *address)
{
	struct change *c;

	LIST_FOREACH(c, &changes, entry)
		if (c->making && strcmp(c->address, address) == 0)
			return true;
	return false;
}

/* Its hash and its keys are made.  The salt stays the account's. */
static void
change_hash(struct change *c, const struct account *a, pool_cb done)
{
	if (keys_wanted())
		keys_salt(a, c->address, &c->keys);
	pool_make(slice_str(c->password), &c->keys, done, c);
}

/* The hash is there, or answers why not. */
static bool
change_hashed(struct change *c, const struct pool_answer *r)
{
	const char *why;

	c->keys.there = r->keys;
	memcpy(c->keys.stored, r->stored.b, sizeof(c->keys.stored));
	memcpy(c->keys.server, r->server.b, sizeof(c->keys.server));
	if (r->ok != 1 || slice_cpy(r->hash, c->hash, sizeof(c->hash)) == -1)
		proc_done(c->ask, EX_TEMPFAIL, "the password could not be "
		    "hashed now, nothing was changed");
	else if (authd_dir(&why) == NULL)
		proc_done(c->ask, EX_TEMPFAIL, "the directory cannot be used: "
		    "%s", why);
	else
		return true;
	return false;
}

/* ---- accounts ------------------------------------------------------------ */

static void
account_made(struct change *c)
{
	struct dir *d;
	struct account *a = NULL;

	if (db_account_state(c->id, true) == 0)
		a = dir_account_add(authd_dir(NULL), c->id, c->address,
		    c->hash, true, now_sec());
	else {
		base_reread();
		if ((d = authd_dir(NULL)) != NULL)
			a = dir_account_id(d, c->id);
	}
	if (a == NULL) {
		args_failed(c->ask);
		return;
	}
	a->keys = c->keys;
	keys_changed();
	log_info("account add address=%s id=%u", a->address, a->id);
	list_account_row(c->ask, a, c->generated ? c->password : NULL);
	proc_done(c->ask, EX_OK, "%s", "");
}

/* maild made the directory of the account, or could not. */
static void
on_created(struct chan *chan, struct msg *m, void *arg)
{
	struct change *c = arg;
	struct slice why = SLICE_LIT("no answer");

	if (m != NULL)
		why = m->body->account_create_r.error;
	if (m != NULL && m->body->account_create_r.ok == 1)
		account_made(c);
	else {
		/* a row that stays is in nobody's way */
		db_account_delete(c->id);
		proc_done(c->ask, EX_CANTCREAT, "the account's directory could "
		    "not be made: %.*s", (int)why.n, why.p);
	}
	change_free(c);
}

static void
on_add_hashed(const struct pool_answer *r, void *arg)
{
	struct change *c = arg;
	struct account_create q;

	if (!change_hashed(c, r)) {
		change_free(c);
		return;
	}
	if (dir_account(authd_dir(NULL), slice_str(c->address)) != NULL ||
	    change_making(c->address)) {
		proc_done(c->ask, EX_CANTCREAT, "%s exists already",
		    c->address);
		change_free(c);
		return;
	}
	if (db_account_insert(c->address, c->hash, &c->keys, now_sec(),
	    &c->id) == -1) {
		args_failed(c->ask);
		change_free(c);
		return;
	}
	if (c->id >= proc_conf()->proc.uid_count) {
		db_account_delete(c->id);
		proc_done(c->ask, EX_CANTCREAT, "no account number below "
		    "processes.uid-count is left");
		change_free(c);
		return;
	}
	c->making = true;
	q.account = c->id;
	if (chan_ask(proc_main(), ACCOUNT_CREATE, &q, NULL, 0, CREATE_MS,
	    on_created, c) == 0)
		change_free(c);		/* maild is gone, so are we */
}

static void
account_add(uint32_t ask, const struct args *args)
{
	struct dir *d = authd_dir(NULL);
	struct change *c;
	char key[DIR_ADDRESS_MAX], where[WHERE_MAX];

	if (!args_key(ask, args->v[2], false, key))
		return;
	if (strlen(key) > SASL_FIELD_MAX)
		proc_done(ask, EX_DATAERR, "the address of an account has at "
		    "most %d octets, it is the name to log in with",
		    SASL_FIELD_MAX);
	else if (base_strange())
		proc_done(ask, EX_TEMPFAIL, "the store has account numbers "
		    "that the directory never gave, see mailctl status; put "
		    "the right directory in its place, or keep this one with: "
		    "mailctl account adopt");
	else if (dir_account(d, slice_str(key)) != NULL)
		proc_done(ask, EX_CANTCREAT, "%s exists already", key);
	else if (!args->force && dir_alias(d, slice_str(key)) != NULL)
		proc_done(ask, EX_CANTCREAT, "%s is an alias, and the account "
		    "would get nothing: %s.  Take it away first: mailctl alias "
		    "del %s; or make the account all the same: --force", key,
		    orphan_where(d, key, where), key);
	else if (!args->force && dir_is_report(d, key))
		proc_done(ask, EX_CANTCREAT, "%s is of reports.addresses: "
		    "reports to it would go to the account and not be read by "
		    "mailctl reports; --force does that", key);
	else if ((c = change_new(ask, key, args)) != NULL)
		change_hash(c, NULL, on_add_hashed);
}

static void
on_told(struct chan *chan, struct msg *m, void *arg)
{
	struct told *t = arg;

	if (m != NULL && m->body->account_state_r.ok)
		proc_done(t->ask, EX_OK, "%s", t->text);
	else
		proc_done(t->ask, EX_TEMPFAIL, "%s; but deliver has not "
		    "confirmed it: give the command again before you touch "
		    "the account's directory", t->text);
	free(t);
}

/* The database and memory have it: maild and deliver hear of it before the
 * operator does. */
static void
state_tell(uint32_t ask, uint32_t account, bool closed, const char *fmt, ...)
{
	struct account_state q = { account, closed };
	struct told *t = xcalloc(1, sizeof(*t));
	va_list ap;

	t->ask = ask;
	va_start(ap, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	if (chan_ask(proc_main(), ACCOUNT_STATE, &q, NULL, 0, STATE_MS,
	    on_told, t) == 0)
		free(t);		/* maild is gone, so are we */
}

/* Of which domains does postmaster lead to that account? */
static void
postmaster_of(struct dir *d, uint32_t id, bool of[CONF_NLIST])
{
	static struct dir_answer ans;
	char key[DIR_ADDRESS_MAX];
	const char *name;
	size_t i;

	for (i = 0; i < CONF_NLIST && (name = dir_domain(d, i)) != NULL; i++) {
		snprintf(key, sizeof(key), "postmaster@%s", name);
		of[i] = dir_resolve(d, slice_str(key), &ans) == DIR_OK &&
		    dir_answer_has(&ans, id);
	}
}

/* A line for each of them, as long as there is room. */
static void
postmaster_tell(struct dir *d, const bool of[CONF_NLIST], char *out,
    size_t size)
{
	char key[DIR_ADDRESS_MAX], where[WHERE_MAX];
	size_t i;

	out[0] = '\0';
	for (i = 0; i < CONF_NLIST && dir_domain(d, i) != NULL; i++) {
		if (!of[i])
			continue;
		snprintf(key, sizeof(key), "postmaster@%s", dir_domain(d, i));
		orphan_where(d, key, where);
		if (strlen(out) + strlen(where) + 2 > size)
			break;
		strlcat(out, "\n", size);
		strlcat(out, where, size);
	}
}

/* Who led to it was told. */
static void
on_orphans(uint32_t ask, size_t nowhere, void *arg)
{
	struct dir *d = authd_dir(NULL);
	struct gone *g = arg;
	struct account *a = d == NULL ? NULL : dir_account_id(d, g->id);
	bool of[CONF_NLIST] = { false };
	char where[WHERE_MAX], post[WHERE_MAX];

	if (a == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such account", g->address);
	else if (db_account_delete(g->id) == -1)
		args_failed(ask);
	else {
		log_info("account del address=%s id=%u", a->address, g->id);
		postmaster_of(d, g->id, of);
		dir_account_del(d, a);
		base_account_changed(g->address);
		keys_changed();
		dir_gone_add(d, g->id);
		front_revoke_all(g->id, REVOKED_DELETED);
		postmaster_tell(d, of, post, sizeof(post));
		state_tell(ask, g->id, true, "deleted; its mail stays in the "
		    "store as account %u\n%s%s%s", g->id, orphan_where(d,
		    g->address, where), post, orphan_advice(nowhere));
	}
	free(g);
}

static void
account_del(uint32_t ask, const struct args *args)
{
	struct account *a = args_account(ask, args->v[2]);
	struct gone *g;

	if (a == NULL)
		return;
	g = xcalloc(1, sizeof(*g));
	g->id = a->id;
	strlcpy(g->address, a->address, sizeof(g->address));
	orphan_tell(ask, a->id, NULL, on_orphans, g);
}

static void
on_passwd_hashed(const struct pool_answer *r, void *arg)
{
	struct change *c = arg;
	struct account *a;

	if (!change_hashed(c, r))
		;
	else if ((a = dir_account_id(authd_dir(NULL), c->id)) == NULL)
		proc_done(c->ask, EX_NOUSER, "%s: no such account", c->address);
	else if (db_account_hash(a->id, c->hash, &c->keys) == -1)
		args_failed(c->ask);
	else {
		dir_account_hash(a, c->hash, &c->keys);
		keys_changed();
		front_revoke_all(a->id, REVOKED_PASSWORD);
		log_info("account passwd address=%s id=%u", a->address, a->id);
		if (c->generated)
			list_account_row(c->ask, a, c->password);
		proc_done(c->ask, EX_OK, "%s", "");
	}
	change_free(c);
}

static void
account_passwd(uint32_t ask, const struct args *args)
{
	struct account *a = args_account(ask, args->v[2]);
	struct change *c;

	if (a == NULL || (c = change_new(ask, a->address, args)) == NULL)
		return;
	c->id = a->id;
	change_hash(c, a, on_passwd_hashed);
}

static void
account_state(uint32_t ask, const struct args *args, bool enabled)
{
	struct account *a = args_account(ask, args->v[2]);

	if (a == NULL)
		return;
	if (db_account_state(a->id, enabled) == -1) {
		args_failed(ask);
		return;
	}
	a->enabled = enabled;
	base_account_changed(a->address);
	keys_changed();
	if (enabled)
		front_restore_all(a->id);
	else
		front_revoke_all(a->id, REVOKED_DISABLED);
	log_info("account %s address=%s id=%u", enabled ? "enable" : "disable",
	    a->address, a->id);
	if (enabled)
		state_tell(ask, a->id, false, "enabled; mail that waits for "
		    "it is tried in its turn, or now with: mailctl queue "
		    "flush --to %s\nwhat was held of its own mail stays so "
		    "until: mailctl queue release --account %u", a->address,
		    a->id);
	else
		state_tell(ask, a->id, true, "disabled; its sessions end, "
		    "mail of it in the queue is held, mail to it is "
		    "deferred");
}

static void
account_enable(uint32_t ask, const struct args *args)
{
	account_state(ask, args, true);
}

static void
account_disable(uint32_t ask, const struct args *args)
{
	account_state(ask, args, false);
}

static void
account_adopt(uint32_t ask, const struct args *args)
{
	base_adopt(ask);
}

static void
account_list(uint32_t ask, const struct args *args)
{
	list_accounts(ask);
}

static void
account_show(uint32_t ask, const struct args *args)
{
	const struct account *a = args_account(ask, args->v[2]);

	if (a == NULL)
		return;
	list_account_row(ask, a, NULL);
	proc_done(ask, EX_OK, "%s", "");
}

/* For store, which runs for accounts by their number, disabled ones too. */
static void
account_number(uint32_t ask, const struct args *args)
{
	const struct account *a = args_account(ask, args->v[2]);

	if (a != NULL)
		proc_done(ask, EX_OK, "%u", a->id);
}

/* ---- aliases ------------------------------------------------------------- */

static void
alias_list(uint32_t ask, const struct args *args)
{
	list_aliases(ask);
}

static void
domain_list(uint32_t ask, const struct args *args)
{
	list_domains(ask);
}

static void
guard_list(uint32_t ask, const struct args *args)
{
	list_guard(ask);
}

/* ---- dispatch ------------------------------------------------------------ */

static void
run_usage(uint32_t ask, const char *noun)
{
	const struct command *c;
	char text[1024] = "";

	for (c = commands; c < commands + NITEMS(commands); c++)
		if (c->usage != NULL && (noun == NULL ||
		    strcmp(noun, c->noun) == 0))
			snprintf(text + strlen(text), sizeof(text) -
			    strlen(text), "\n  %s %s%s%s", c->noun, c->verb,
			    c->usage[0] == '\0' ? "" : " ", c->usage);
	proc_done(ask, EX_USAGE, "usage:%s", text);
}

static bool
run_one(uint32_t ask, const struct command *c, const struct args *args)
{
	const char *why;

	if (!slice_is(args->v[0], c->noun) || !slice_is(args->v[1], c->verb))
		return false;
	if (args->n - 2 < c->min || args->n - 2 > c->max ||
	    (args->force && !c->force))
		proc_done(ask, EX_USAGE, "usage: %s %s %s", c->noun, c->verb,
		    c->usage == NULL ? "..." : c->usage);
	else if (authd_dir(&why) == NULL)
		proc_done(ask, EX_TEMPFAIL, "the directory cannot be used: %s",
		    why);
	else
		c->fn(ask, args);
	return true;
}

/* The noun that word is, NULL none. */
static const char *
noun_of(struct slice word)
{
	size_t i;

	for (i = 0; i < NITEMS(commands); i++)
		if (slice_is(word, commands[i].noun))
			return commands[i].noun;
	return NULL;
}

void
run_command(uint32_t ask, uint32_t uid, struct slice list)
{
	struct args args;
	size_t i;

	if (args_get(list, &args) == -1 || args.n < 1) {
		proc_done(ask, EX_USAGE, "too many or damaged arguments");
		return;
	}
	for (i = 0; args.n >= 2 && i < NITEMS(commands); i++)
		if (run_one(ask, &commands[i], &args))
			return;
	run_usage(ask, noun_of(args.v[0]));
}
