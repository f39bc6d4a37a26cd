/*
 * The directory as it stands: open, not to be used now, or not the one that
 * belongs to the store.  Only an open one that is the store's says that a
 * name does not exist; all else is "try later", for what is refused for good
 * does not come again.  Whatever is wrong is told maild, and looked at again
 * every few seconds.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define DB_PATH		"/directory.db"
#define SLOW_PATH	"/failures.db"
#define GUARD_PATH	"/guard.db"
#define LIST_MAX	14336	/* octets of a list in a message */
#define REOPEN_SECONDS	5	/* between tries with a broken database */

static struct {
	struct dir	*dir;		/* NULL: the database is broken */
	char		 error[256];
	uint64_t	 reopen_at;	/* seconds, monotonic */
	uint32_t	 highest;	/* account number in the store */
	bool		 unread;	/* the store could not be looked at */
	void		(*opened)(void);
} st;

static void	 base_compare(void);

struct dir *
authd_dir(const char **why)
{
	if (why != NULL)
		*why = st.error;
	return st.dir;
}

/* Accounts that no mail reaches: a domain was taken out of the configuration,
 * or mistyped there. */
static void
strays_tell(const struct dir *d)
{
	const struct account *one = NULL;
	size_t n = dir_strays(d, &one);

	if (n == 0) {
		proc_impaired_over("domains");
		return;
	}
	proc_impaired("domains", "%zu account%s in no domain of the "
	    "configuration (%s%s), mail for %s is refused: put the domain back "
	    "(mailctl domain add %s), or disable or delete %s (mailctl account "
	    "list)", n, n == 1 ? " is" : "s are", one->address,
	    n == 1 ? "" : " ...", n == 1 ? "it" : "them",
	    strrchr(one->address, '@') + 1, n == 1 ? "it" : "them");
}

void
base_account_changed(const char *address)
{
	if (st.dir != NULL && !dir_is_local(st.dir, strrchr(address, '@') + 1))
		strays_tell(st.dir);
}

static void
set_domains(struct dir *d)
{
	const struct conf *conf = proc_conf();
	size_t bad = 0;

	if (dir_domains(d, conf->domains, conf->ndomains, conf->hostname,
	    &bad) == -1)
		log_warnx("domains[%zu] is not a domain name: %s", bad,
		    log_text(conf->domains[bad], strlen(conf->domains[bad])));
	dir_reports(d, conf->reports.addresses, conf->reports.naddresses);
	dir_postmaster(d, conf->postmaster);
	strays_tell(d);
}

static const char *
base_path(void)
{
	const char *path = proc_conf()->dir.auth;

	return path != NULL ? path : "";
}

static const char *
cure(enum db_result r)
{
	switch (r) {
	case DB_OK:
		break;
	case DB_FAILED:
		return "mend what keeps it from being read";
	case DB_DAMAGED:
		return "put a backup of it in its place";
	case DB_NEWER:
		return "nothing is written to it; install the release that "
		    "made it";
	}
	return "";
}

/* ---- the accounts that are closed ---------------------------------------- */

struct closed {				/* a list on its way to maild */
	struct account_closed_ev ev;
	uint8_t		 buf[LIST_MAX];
	size_t		 off;
};

/* At the start there is no event loop yet. */
static void
closed_send(struct closed *c, bool last)
{
	c->ev.last = last;
	c->ev.accounts = slice_of((char *)c->buf, c->off);
	if (proc_main() != NULL)
		chan_send(proc_main(), ACCOUNT_CLOSED_EV, &c->ev, NULL, 0);
	else
		(void)msg_send(PROC_FD_MAIN, ACCOUNT_CLOSED_EV, 0, &c->ev,
		    NULL, 0);
	c->ev.first = 0;
	c->off = 0;
}

static void
closed_add(uint32_t account, void *arg)
{
	struct item_account it = { account };
	struct closed *c = arg;

	if (item_account_put(c->buf, sizeof(c->buf), &c->off, &it) == 0)
		return;
	closed_send(c, false);
	item_account_put(c->buf, sizeof(c->buf), &c->off, &it);
}

static void
closed_each(const struct account *a, void *arg)
{
	if (!a->enabled)
		closed_add(a->id, arg);
}

/* deliver, whoever was started again, writes to none of these. */
static void
closed_tell(const struct dir *d)
{
	struct closed c = { .ev.first = 1 };

	dir_each(d, closed_each, &c);
	dir_gone_each(d, closed_add, &c);
	closed_send(&c, true);
}

static void
directory_open(void)
{
	struct dir *d = dir_new();
	enum db_result r;

	st.reopen_at = now_ms() / 1000 + REOPEN_SECONDS;
	r = db_open(DB_PATH, d, st.error, sizeof(st.error));
	if (r == DB_DAMAGED) {	/* a read that fails may look like it */
		dir_free(d);
		d = dir_new();
		r = db_open(DB_PATH, d, st.error, sizeof(st.error));
	}
	if (r != DB_OK) {
		proc_impaired("directory", "%s" DB_PATH " cannot be used, "
		    "logins and recipients are answered \"try later\": %s; "
		    "%s, it is tried again every %d s", base_path(), st.error,
		    cure(r), REOPEN_SECONDS);
		dir_free(d);
		return;
	}
	set_domains(d);
	proc_impaired_over("directory");
	st.error[0] = '\0';
	st.dir = d;
	slow_open(SLOW_PATH, now_sec());
	guard_open(GUARD_PATH, now_sec());
	closed_tell(d);
	st.opened();
	log_info("directory open accounts=%zu", dir_accounts(d));
	base_compare();
}

void
base_open(void (*opened)(void))
{
	st.opened = opened;
	directory_open();
}

void
base_reread(void)
{
	struct dir *old = st.dir;

	st.dir = NULL;
	dir_free(old);
	directory_open();
}

void
base_tick(void)
{
	if (st.dir == NULL && now_ms() / 1000 >= st.reopen_at)
		directory_open();
}

void
base_reload(void)
{
	if (st.dir != NULL)
		set_domains(st.dir);
	else
		directory_open();
}

/* ---- is it the store's? -------------------------------------------------- */

bool
base_strange(void)
{
	return st.unread || (st.dir != NULL && st.highest > db_highest());
}

enum dir_result
base_resolve(struct slice address, bool here, struct dir_answer *ans)
{
	enum dir_result r;

	if (st.dir == NULL) {
		ans->n = ans->naccounts = ans->addressn = 0;
		ans->outside = ans->borrowed = false;
		return DIR_TEMP;
	}
	r = here ? dir_resolve_here(st.dir, address, ans) :
	    dir_resolve(st.dir, address, ans);
	return r == DIR_UNKNOWN && base_strange() ? DIR_TEMP : r;
}

static void
base_compare(void)
{
	if (st.dir == NULL)
		return;
	if (st.unread)
		proc_impaired("store", "maild cannot read the store: whether "
		    "%s" DB_PATH " knows all its accounts cannot be told, "
		    "unknown names are answered \"try later\"", base_path());
	else if (base_strange())
		proc_impaired("store", "%s" DB_PATH " has given account "
		    "numbers up to %u, the store has one of %u: it is "
		    "new, older, or another's; unknown names are answered "
		    "\"try later\"; put the right directory in its place and "
		    "start again, or keep this one with: mailctl account "
		    "adopt", base_path(), db_highest(), st.highest);
	else
		proc_impaired_over("store");
}

void
base_on_highest(struct chan *c, struct msg *m, void *arg)
{
	st.unread = m->body->account_highest_ev.known != 1;
	st.highest = m->body->account_highest_ev.account;
	base_compare();
}

void
base_adopt(uint32_t ask)
{
	uint32_t from = db_highest() + 1;

	if (st.unread)
		proc_done(ask, EX_TEMPFAIL, "maild cannot read the store");
	else if (!base_strange())
		proc_done(ask, EX_OK, "nothing is to be adopted: the "
		    "directory knows all account numbers of the store");
	else if (db_adopt(st.highest) == -1)
		proc_done(ask, EX_TEMPFAIL, "the directory could not be "
		    "written, nothing was changed: %s", db_error());
	else {
		base_compare();
		log_notice("account adopt from=%u to=%u", from, st.highest);
		proc_done(ask, EX_OK, "adopted: this directory is the "
		    "store's.  What the store has under the numbers %u to %u "
		    "stays there and is nobody's; new accounts are numbered "
		    "from %u.  Names that are unknown are refused from now on.",
		    from, st.highest, st.highest + 1);
	}
}
