/*
 * Commands of mailctl for the directory: accounts, aliases, domains.  maild
 * checked who asks.  A change is in the database before memory and before
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

#define ARGS_MAX	(DIR_TARGETS_MAX + 3)
#define CREATE_MS	30000	/* maild makes the directory in this time */
#define STATE_MS	20000	/* and deliver lets go of one in this */

struct args {
	struct slice	 v[ARGS_MAX];
	size_t		 n;
};

struct command {
	const char	*noun, *verb;
	size_t		 min, max;	/* arguments behind the verb */
	void		(*fn)(uint32_t, const struct args *);
	const char	*usage;
};

/* What the operator hears once deliver has let go of an account, or may have
 * it again. */
struct told {
	uint32_t	 ask;
	char		 text[640];
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
static void	 alias_add(uint32_t, const struct args *);
static void	 alias_del(uint32_t, const struct args *);
static void	 alias_list(uint32_t, const struct args *);
static void	 domain_list(uint32_t, const struct args *);
static void	 guard_list(uint32_t, const struct args *);

static const struct command commands[] = {
	{ "account", "add", 1, 2, account_add, "ADDRESS [PASSWORD]" },
	{ "account", "del", 1, 1, account_del, "ADDRESS" },
	{ "account", "passwd", 1, 2, account_passwd, "ADDRESS [PASSWORD]" },
	{ "account", "enable", 1, 1, account_enable, "ADDRESS" },
	{ "account", "disable", 1, 1, account_disable, "ADDRESS" },
	{ "account", "adopt", 0, 0, account_adopt, "" },
	{ "account", "list", 0, 0, account_list, "" },
	{ "alias", "add", 2, DIR_TARGETS_MAX + 1, alias_add,
	    "ADDRESS|@DOMAIN TARGET ..." },
	{ "alias", "del", 1, 1, alias_del, "ADDRESS|@DOMAIN" },
	{ "alias", "list", 0, 0, alias_list, "" },
	{ "domain", "list", 0, 0, domain_list, "" },
	{ "guard", "list", 0, 0, guard_list, "" },
};

/* ---- helpers ------------------------------------------------------------- */

/* An argument as the key of an account; answers and returns false if bad. */
static bool
key_arg(uint32_t ask, struct slice in, bool catchall, char *key)
{
	const char *why = "not an address";

	if (dir_key(authd_dir(NULL), in, catchall, key, DIR_ADDRESS_MAX,
	    &why) == 0)
		return true;
	proc_done(ask, EX_DATAERR, "%s: %s", log_text(in.p, in.n), why);
	return false;
}

static struct account *
account_arg(uint32_t ask, struct slice in)
{
	struct account *a;
	char key[DIR_ADDRESS_MAX];

	if (!key_arg(ask, in, false, key))
		return NULL;
	if ((a = dir_account(authd_dir(NULL), slice_str(key))) == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such account", key);
	return a;
}

/* A write that failed may have taken place all the same, when its last step
 * was what failed: what counts is what can be read. */
static void
database_failed(uint32_t ask)
{
	char why[256];

	strlcpy(why, db_error(), sizeof(why));
	log_warnx("directory write error=%s", why);
	base_reread();
	proc_done(ask, EX_TEMPFAIL, "the directory could not be written: %s; "
	    "what is in it now is told by account list, alias list", why);
}

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

/* The hash is there, or answers why not. */
static bool
change_hashed(struct change *c, int ok, struct slice hash)
{
	const char *why;

	if (ok != 1 || slice_cpy(hash, c->hash, sizeof(c->hash)) == -1)
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
		    c->hash, 0, true, now_sec());
	else {
		base_reread();
		if ((d = authd_dir(NULL)) != NULL)
			a = dir_account_id(d, c->id);
	}
	if (a == NULL) {
		database_failed(c->ask);
		return;
	}
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
on_add_hashed(int ok, struct slice hash, void *arg)
{
	struct change *c = arg;
	struct account_create q;

	if (!change_hashed(c, ok, hash)) {
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
	if (db_account_insert(c->address, c->hash, now_sec(), &c->id) == -1) {
		database_failed(c->ask);
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
	char key[DIR_ADDRESS_MAX];

	if (!key_arg(ask, args->v[2], false, key))
		return;
	if (base_strange())
		proc_done(ask, EX_TEMPFAIL, "the store has account numbers "
		    "that the directory never gave, see mailctl status; put "
		    "the right directory in its place, or keep this one with: "
		    "mailctl account adopt");
	else if (dir_account(d, slice_str(key)) != NULL)
		proc_done(ask, EX_CANTCREAT, "%s exists already", key);
	else if (dir_alias(d, slice_str(key)) != NULL)
		proc_done(ask, EX_CANTCREAT, "%s is an alias; remove that "
		    "first", key);
	else if ((c = change_new(ask, key, args)) != NULL)
		pool_ask(slice_str(c->password), slice_of(NULL, 0),
		    on_add_hashed, c);
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

static void
account_del(uint32_t ask, const struct args *args)
{
	struct account *a = account_arg(ask, args->v[2]);
	uint32_t id;

	if (a == NULL)
		return;
	id = a->id;
	if (db_account_delete(id) == -1) {
		database_failed(ask);
		return;
	}
	log_info("account del address=%s id=%u", a->address, id);
	dir_account_del(authd_dir(NULL), a);
	dir_gone_add(authd_dir(NULL), id);
	front_revoke_all(id, REVOKED_DELETED);
	state_tell(ask, id, true, "deleted; its mail stays in the store as "
	    "account %u", id);
}

static void
on_passwd_hashed(int ok, struct slice hash, void *arg)
{
	struct change *c = arg;
	struct account *a;

	if (!change_hashed(c, ok, hash))
		;
	else if ((a = dir_account_id(authd_dir(NULL), c->id)) == NULL)
		proc_done(c->ask, EX_NOUSER, "%s: no such account", c->address);
	else if (db_account_hash(a->id, c->hash) == -1)
		database_failed(c->ask);
	else {
		dir_account_hash(a, c->hash);
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
	struct account *a = account_arg(ask, args->v[2]);
	struct change *c;

	if (a == NULL || (c = change_new(ask, a->address, args)) == NULL)
		return;
	c->id = a->id;
	pool_ask(slice_str(c->password), slice_of(NULL, 0), on_passwd_hashed,
	    c);
}

static void
account_state(uint32_t ask, const struct args *args, bool enabled)
{
	struct account *a = account_arg(ask, args->v[2]);

	if (a == NULL)
		return;
	if (db_account_state(a->id, enabled) == -1) {
		database_failed(ask);
		return;
	}
	a->enabled = enabled;
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

/* ---- aliases ------------------------------------------------------------- */

/* Put the targets in memory, on top of those that were there. */
static void
alias_put(struct dir *d, const char *key, char *const *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dir_alias_add(d, key, v[i]);
}

/* Back to what it was: the first n targets, none: gone. */
static void
alias_cut(struct dir *d, const char *key, size_t n)
{
	struct alias *al = dir_alias(d, slice_str(key));

	if (n == 0)
		dir_alias_del(d, al);
	else
		while (al->ntargets > n)
			free(al->target[--al->ntargets]);
}

/* Does the alias, as it is in memory now, lead somewhere? */
static bool
alias_leads(uint32_t ask, struct dir *d, const char *key)
{
	static struct dir_answer ans;
	char probe[DIR_ADDRESS_MAX + 16];

	snprintf(probe, sizeof(probe), "%s%s", key[0] == '@' ?
	    "catch-all-probe" : "", key);
	switch (dir_resolve(d, slice_str(probe), &ans)) {
	case DIR_OK:
		return true;
	case DIR_TEMP:
		proc_done(ask, EX_DATAERR, "%s would lead back to itself, or "
		    "be too deep or too large", key);
		break;
	case DIR_UNKNOWN:
	case DIR_DENIED:
	case DIR_FULL:
	case DIR_LIMIT:
		proc_done(ask, EX_NOUSER, "%s would lead nowhere: no such "
		    "account or alias", key);
		break;
	}
	return false;
}

static void
alias_commit(uint32_t ask, struct dir *d, const char *key, char *const *v,
    size_t n)
{
	struct alias *al = dir_alias(d, slice_str(key));
	size_t before = al != NULL ? al->ntargets : 0;

	if (before + n > DIR_TARGETS_MAX) {
		proc_done(ask, EX_DATAERR, "at most %d targets",
		    DIR_TARGETS_MAX);
		return;
	}
	alias_put(d, key, v, n);
	al = dir_alias(d, slice_str(key));
	if (!alias_leads(ask, d, key))
		alias_cut(d, key, before);
	else if (db_alias_set(key, al->target, al->ntargets) == -1) {
		alias_cut(d, key, before);
		database_failed(ask);
	} else {
		log_info("alias add address=%s targets=%zu", key,
		    al->ntargets);
		proc_done(ask, EX_OK, "%s", "");
	}
}

static void
alias_add(uint32_t ask, const struct args *args)
{
	static char text[DIR_TARGETS_MAX][DIR_ADDRESS_MAX];
	char *v[DIR_TARGETS_MAX], key[DIR_ADDRESS_MAX];
	const char *why = "not an address";
	size_t i, n = args->n - 3;

	if (!key_arg(ask, args->v[2], true, key))
		return;
	for (i = 0; i < n; i++) {
		v[i] = text[i];
		if (dir_target(args->v[i + 3], text[i], sizeof(text[i]),
		    &why) == -1) {
			proc_done(ask, EX_DATAERR, "%s: %s",
			    log_text(args->v[i + 3].p, args->v[i + 3].n), why);
			return;
		}
	}
	alias_commit(ask, authd_dir(NULL), key, v, n);
}

static void
alias_del(uint32_t ask, const struct args *args)
{
	struct dir *d = authd_dir(NULL);
	struct alias *al;
	char key[DIR_ADDRESS_MAX];

	if (!key_arg(ask, args->v[2], true, key))
		return;
	if ((al = dir_alias(d, slice_str(key))) == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such alias", key);
	else if (db_alias_delete(key) == -1)
		database_failed(ask);
	else {
		dir_alias_del(d, al);
		log_info("alias del address=%s", key);
		proc_done(ask, EX_OK, "%s", "");
	}
}

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

static int
args_get(struct slice list, struct args *args)
{
	struct item_arg arg;
	size_t off = 0;
	int r;

	args->n = 0;
	while ((r = item_arg_get(list, &off, &arg)) == 1) {
		if (args->n == ARGS_MAX)
			return -1;
		args->v[args->n++] = arg.text;
	}
	return r;
}

static void
run_usage(uint32_t ask, const char *noun)
{
	char text[512] = "";
	size_t i;

	for (i = 0; i < NITEMS(commands); i++)
		if (noun == NULL || strcmp(noun, commands[i].noun) == 0) {
			strlcat(text, "\n  ", sizeof(text));
			strlcat(text, commands[i].noun, sizeof(text));
			strlcat(text, " ", sizeof(text));
			strlcat(text, commands[i].verb, sizeof(text));
			if (commands[i].max > 0)
				strlcat(text, " ", sizeof(text));
			strlcat(text, commands[i].usage, sizeof(text));
		}
	proc_done(ask, EX_USAGE, "usage:%s", text);
}

static bool
run_one(uint32_t ask, const struct command *c, const struct args *args)
{
	const char *why;

	if (!slice_is(args->v[0], c->noun) || !slice_is(args->v[1], c->verb))
		return false;
	if (args->n - 2 < c->min || args->n - 2 > c->max)
		proc_done(ask, EX_USAGE, "usage: %s %s %s", c->noun, c->verb,
		    c->usage);
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
