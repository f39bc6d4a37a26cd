/*
 * Commands of mailctl for aliases.  One that would lead nowhere is refused;
 * one that takes somebody's mail away needs --force.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/run.h"

struct targets {
	char	 text[DIR_TARGETS_MAX][DIR_ADDRESS_MAX];
	size_t	 n;
};

/* Put the targets in memory, on top of those that were there. */
static void
alias_put(struct dir *d, const char *key, const struct targets *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		dir_alias_add(d, key, t->text[i]);
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

/* ---- what may not be ----------------------------------------------------- */

/* Does the alias, as it is in memory now, lead somewhere, or, by force, to
 * where somebody may be later? */
static bool
alias_leads(uint32_t ask, struct dir *d, const char *key, bool force)
{
	static struct dir_answer ans;
	enum dir_result r = dir_resolve_key(d, key, NULL, NULL, &ans);

	if (r == DIR_OK || (r == DIR_UNKNOWN && force))
		return true;
	if (r == DIR_TEMP)
		proc_done(ask, EX_DATAERR, "%s would lead back to itself, or "
		    "be too deep or too large", key);
	else
		proc_done(ask, EX_NOUSER, "%s would lead nowhere: no such "
		    "account or alias", key);
	return false;
}

/* Is there an account of that name that gets none of its mail? */
static bool
account_starves(struct dir *d, const char *key)
{
	static struct dir_answer ans;
	const struct account *a = dir_account(d, slice_str(key));

	return a != NULL && (dir_resolve(d, slice_str(key), &ans) != DIR_OK ||
	    !dir_answer_has(&ans, a->id));
}

/* A target that is no account or alias is a slip of the pen. */
static bool
targets_there(uint32_t ask, struct dir *d, const char *key,
    const struct targets *t)
{
	static struct dir_answer ans;
	char near[DIR_ADDRESS_MAX];
	bool meant;
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (dir_resolve(d, slice_str(t->text[i]), &ans) != DIR_UNKNOWN)
			continue;
		meant = near_address(d, slice_str(t->text[i]), NEAR_ANY,
		    near) && strcmp(near, key) != 0;
		proc_done(ask, EX_NOUSER, "%s would lead nowhere: no such "
		    "account or alias%s%s%s; --force takes it all the same",
		    t->text[i], meant ? "; did you mean " : "",
		    meant ? near : "", meant ? "?" : "");
		return false;
	}
	return true;
}

/* With the change in memory: may it be?  The command is answered if not. */
static bool
may_add(uint32_t ask, struct dir *d, const char *key, const struct targets *t,
    bool force, bool fresh, bool starved)
{
	char where[WHERE_MAX];

	if ((!force && !targets_there(ask, d, key, t)) ||
	    !alias_leads(ask, d, key, force))
		return false;
	if (force)
		return true;
	if (!starved && account_starves(d, key)) {
		proc_done(ask, EX_CANTCREAT, "%s is an account, which would "
		    "get no more mail: %s.  To send a copy only, give %s as a "
		    "target too; to take all of it away, --force", key,
		    orphan_where(d, key, where), key);
		return false;
	}
	if (fresh && dir_is_report(d, key) &&
	    dir_account(d, slice_str(key)) == NULL) {
		proc_done(ask, EX_CANTCREAT, "%s is of reports.addresses: "
		    "reports to it would be read by nobody, but go the way of "
		    "other mail; --force does that", key);
		return false;
	}
	return true;
}

/* ---- add ----------------------------------------------------------------- */

static bool
targets_get(uint32_t ask, const struct args *args, struct targets *t)
{
	const char *why = "not an address";
	size_t i;

	for (i = 0, t->n = 0; i + 3 < args->n; i++, t->n++)
		if (dir_target(args->v[i + 3], t->text[i], DIR_ADDRESS_MAX,
		    &why) == -1) {
			proc_done(ask, EX_DATAERR, "%s: %s",
			    log_text(args->v[i + 3].p, args->v[i + 3].n), why);
			return false;
		}
	return true;
}

void
alias_add(uint32_t ask, const struct args *args)
{
	static struct targets t;
	struct dir *d = authd_dir(NULL);
	struct alias *al;
	char key[DIR_ADDRESS_MAX], where[WHERE_MAX];
	size_t before;
	bool starved;

	if (!args_key(ask, args->v[2], true, key) ||
	    !targets_get(ask, args, &t))
		return;
	al = dir_alias(d, slice_str(key));
	before = al != NULL ? al->ntargets : 0;
	if (before + t.n > DIR_TARGETS_MAX) {
		proc_done(ask, EX_DATAERR, "at most %d targets",
		    DIR_TARGETS_MAX);
		return;
	}
	starved = account_starves(d, key);
	alias_put(d, key, &t);
	al = dir_alias(d, slice_str(key));
	if (!may_add(ask, d, key, &t, args->force, before == 0, starved)) {
		alias_cut(d, key, before);
	} else if (db_alias_set(key, al->target, al->ntargets) == -1) {
		alias_cut(d, key, before);
		args_failed(ask);
	} else {
		log_info("alias add address=%s targets=%zu", key,
		    al->ntargets);
		proc_done(ask, EX_OK, "%s", args->force ? orphan_where(d, key,
		    where) : "");
	}
}

/* ---- del ----------------------------------------------------------------- */

/* All of it; args is what orphan_tell was given. */
static void
on_told(uint32_t ask, size_t nowhere, void *arg)
{
	struct dir *d = authd_dir(NULL);
	char *key = arg, where[WHERE_MAX];
	struct alias *al = d == NULL ? NULL : dir_alias(d, slice_str(key));

	if (al == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such alias", key);
	else if (db_alias_delete(key) == -1)
		args_failed(ask);
	else {
		dir_alias_del(d, al);
		log_info("alias del address=%s", key);
		proc_done(ask, EX_OK, "%s%s", orphan_where(d, key, where),
		    orphan_advice(nowhere));
	}
	free(key);
}

/* Which target is that text?  ntargets: none. */
static size_t
target_find(const struct alias *al, const char *text)
{
	size_t i;

	for (i = 0; i < al->ntargets; i++)
		if (strcmp(al->target[i], text) == 0)
			break;
	return i;
}

static bool
targets_known(uint32_t ask, const struct alias *al, const struct targets *t)
{
	char list[1000] = "";
	size_t i, k;

	for (i = 0; i < t->n; i++)
		if (target_find(al, t->text[i]) == al->ntargets)
			break;
	if (i == t->n)
		return true;
	for (k = 0; k < al->ntargets; k++) {
		if (strlcat(list, k == 0 ? "" : ", ", sizeof(list)) >=
		    sizeof(list) - DIR_ADDRESS_MAX) {
			strlcat(list, "...", sizeof(list));
			break;
		}
		strlcat(list, al->target[k], sizeof(list));
	}
	proc_done(ask, EX_NOUSER, "%s is no target of %s, nothing was changed; "
	    "it has: %s", t->text[i], al->address, list);
	return false;
}

/* With some of its targets out of memory: may it be? */
static bool
may_cut(uint32_t ask, struct dir *d, struct alias *al, bool force,
    bool starved)
{
	if (!alias_leads(ask, d, al->address, false))
		return false;
	if (force || starved || !account_starves(d, al->address))
		return true;
	proc_done(ask, EX_CANTCREAT, "%s is an account, and without that "
	    "target would get no more mail; --force does that", al->address);
	return false;
}

/* Some of its targets, moved behind the others while that is tried. */
static void
alias_less(uint32_t ask, struct alias *al, const struct targets *t, bool force)
{
	struct dir *d = authd_dir(NULL);
	size_t i, k, left = al->ntargets, all = al->ntargets;
	char *moved, where[WHERE_MAX];
	bool starved = account_starves(d, al->address), ok;

	for (i = 0; i < t->n; i++) {
		if ((k = target_find(al, t->text[i])) >= left)
			continue;	/* named twice */
		moved = al->target[k];
		left--;
		memmove(&al->target[k], &al->target[k + 1],
		    (all - 1 - k) * sizeof(*al->target));
		al->target[all - 1] = moved;
	}
	al->ntargets = left;
	ok = may_cut(ask, d, al, force, starved);
	if (ok && db_alias_set(al->address, al->target, left) == 0) {
		for (i = left; i < all; i++)
			free(al->target[i]);
		log_info("alias del address=%s targets=%zu", al->address,
		    left);
		proc_done(ask, EX_OK, "%s", orphan_where(d, al->address,
		    where));
		return;
	}
	al->ntargets = all;
	if (ok)
		args_failed(ask);
}

void
alias_del(uint32_t ask, const struct args *args)
{
	static struct targets t;
	struct alias *al = args_alias(ask, args->v[2]);
	size_t i, named = 0;

	if (al == NULL || !targets_get(ask, args, &t) ||
	    !targets_known(ask, al, &t))
		return;
	for (i = 0; i < al->ntargets; i++) {
		size_t k;

		for (k = 0; k < t.n; k++)
			if (strcmp(al->target[i], t.text[k]) == 0)
				break;
		named += k < t.n;
	}
	if (t.n == 0 || named == al->ntargets)
		orphan_tell(ask, 0, al->address, on_told,
		    xstrdup(al->address));
	else
		alias_less(ask, al, &t, args->force);
}

/* ---- show ---------------------------------------------------------------- */

static void
show_route(uint32_t ask, const struct dir *d, const struct dir_answer *ans,
    const struct item_route *r)
{
	static const char *const where[] = {
		[ROUTE_LOCAL] = "account", [ROUTE_REMOTE] = "elsewhere",
		[ROUTE_REPORT] = "reports"
	};
	struct row row = { .n = 0 };

	row_str(&row, "address", slice_of(ans->address, ans->addressn));
	row_str(&row, "to", dir_route_who(d, r));
	row_str(&row, "where", slice_str(where[r->type]));
	proc_row(ask, &row);
}

/* Who gets what comes for it, be it an alias or not: as a program of this host
 * would see it. */
void
alias_show(uint32_t ask, const struct args *args)
{
	static struct dir_answer ans;
	struct dir *d = authd_dir(NULL);
	struct slice list, in = args->v[2];
	struct item_route route;
	enum dir_result r = dir_resolve_here(d, in, &ans);
	size_t off = 0;

	if (r == DIR_TEMP)
		proc_done(ask, EX_TEMPFAIL, "%s: answered \"try later\", it "
		    "leads back to itself, is too deep or too large, or there "
		    "is no account yet", log_text(in.p, in.n));
	else if (r != DIR_OK)
		proc_done(ask, EX_NOUSER, "%s: nobody gets mail for it, it is "
		    "refused", log_text(in.p, in.n));
	if (r != DIR_OK)
		return;
	list = slice_of((const char *)ans.routes, ans.n);
	while (item_route_get(list, &off, &route) == 1)
		show_route(ask, d, &ans, &route);
	proc_done(ask, EX_OK, "%s", "");
}
