/*
 * Long answers to mailctl: rows in pieces, a bounded number a loop turn and
 * none while the channel to maild is full.  What is deleted meanwhile is
 * left out.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/dates.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define LIST_ROWS	100	/* a loop turn */
#define LIST_AGAIN_MS	20	/* when the channel is full */

struct list {
	struct event	*ev;
	uint32_t	 ask;
	void		(*each)(uint32_t, struct dir *, const char *, void *);
	void		(*end)(uint32_t, void *);
	void		*arg;
	char		**key;
	size_t		 n, at;
};

static void
row_date(struct row *r, const char *name, uint64_t t)
{
	char date[DATE_TEXT_MAX];
	size_t n = isodate_print((int64_t)t, date, sizeof(date));

	row_str(r, name, slice_of(date, n));
}

void
list_account_row(uint32_t ask, const struct account *a, const char *password)
{
	struct quota quota = account_quota(a);
	struct row r = { .n = 0 };

	row_str(&r, "address", slice_str(a->address));
	row_num(&r, "id", a->id);
	row_bool(&r, "enabled", a->enabled);
	row_str(&r, "keys", slice_str(a->keys.there ? "argon2id, scram" :
	    "argon2id"));
	row_num(&r, "quota", (long long)quota.octets);
	row_num(&r, "quota-messages", (long long)quota.messages);
	row_bool(&r, "quota-own", account_has_quota(a));
	row_date(&r, "created", a->created);
	if (password != NULL)
		row_str(&r, "password", slice_str(password));
	proc_row(ask, &r);
	if (password != NULL)
		explicit_bzero(&r, sizeof(r));
}

static void
list_alias_rows(uint32_t ask, const struct alias *a)
{
	struct row r;
	size_t i;

	for (i = 0; i < a->ntargets; i++) {
		r.n = 0;
		row_str(&r, "address", slice_str(a->address));
		row_str(&r, "target", slice_str(a->target[i]));
		proc_row(ask, &r);
	}
}

static void
row_account(uint32_t ask, struct dir *d, const char *key, void *arg)
{
	struct account *a = d == NULL ? NULL : dir_account(d, slice_str(key));

	if (a != NULL)
		list_account_row(ask, a, NULL);
}

static void
row_alias(uint32_t ask, struct dir *d, const char *key, void *arg)
{
	struct alias *a = d == NULL ? NULL : dir_alias(d, slice_str(key));

	if (a != NULL)
		list_alias_rows(ask, a);
}

/* An account that sent nothing lately has no row. */
static void
row_guard(uint32_t ask, struct dir *d, const char *key, void *arg)
{
	const struct conf *conf = proc_conf();
	struct account *a = d == NULL ? NULL : dir_account(d, slice_str(key));
	struct guard_counts n;
	struct row r = { .n = 0 };

	if (a == NULL || !guard_counts(a->id, &n, now_sec()))
		return;
	row_str(&r, "address", slice_str(a->address));
	row_num(&r, "id", a->id);
	row_num(&r, "hour", (long long)n.hour);
	row_num(&r, "hour-limit", conf->guard.hour);
	row_num(&r, "day", (long long)n.day);
	row_num(&r, "day-limit", conf->guard.day);
	row_num(&r, "pending", (long long)n.pending);
	proc_row(ask, &r);
}

static void
list_free(struct list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->key[i]);
	free(l->key);
	event_free(l->ev);
	free(l);
}

static void
on_more(evutil_socket_t fd, short ev, void *arg)
{
	struct timeval again = { 0, 0 };
	struct dir *d = authd_dir(NULL);
	struct list *l = arg;
	size_t i;

	if (proc_main() == NULL) {
		list_free(l);
		return;
	}
	if (chan_full(proc_main()))
		again.tv_usec = LIST_AGAIN_MS * 1000;
	else
		for (i = 0; i < LIST_ROWS && l->at < l->n; i++, l->at++)
			l->each(l->ask, d, l->key[l->at], l->arg);
	if (l->at == l->n) {
		l->end(l->ask, l->arg);
		list_free(l);
	} else
		event_add(l->ev, &again);
}

void
list_each(uint32_t ask, bool aliases, void (*each)(uint32_t, struct dir *,
    const char *, void *), void (*end)(uint32_t, void *), void *arg)
{
	struct list *l = xcalloc(1, sizeof(*l));

	l->ask = ask;
	l->each = each;
	l->end = end;
	l->arg = arg;
	l->key = dir_list(authd_dir(NULL), aliases, &l->n);
	if ((l->ev = event_new(proc_base(), -1, 0, on_more, l)) == NULL)
		fatalx("list: no event");
	on_more(-1, 0, l);
}

static void
list_done(uint32_t ask, void *arg)
{
	proc_done(ask, 0, "%s", "");
}

void
list_accounts(uint32_t ask)
{
	list_each(ask, false, row_account, list_done, NULL);
}

void
list_aliases(uint32_t ask)
{
	list_each(ask, true, row_alias, list_done, NULL);
}

void
list_guard(uint32_t ask)
{
	list_each(ask, false, row_guard, list_done, NULL);
}

/* Who gets postmaster's mail there, as far as there is room. */
static void
row_postmaster(struct row *r, struct dir *d, const char *domain)
{
	static struct dir_answer ans;
	char text[1024] = "", who[DIR_ADDRESS_MAX];
	struct item_route route;
	struct slice list;
	size_t off = 0;

	snprintf(who, sizeof(who), "postmaster@%s", domain);
	if (dir_resolve(d, slice_str(who), &ans) != DIR_OK)
		ans.n = 0;
	list = slice_of((const char *)ans.routes, ans.n);
	while (item_route_get(list, &off, &route) == 1) {
		slice_cpy(dir_route_who(d, &route), who, sizeof(who));
		if (text[0] != '\0')
			strlcat(text, ", ", sizeof(text));
		strlcat(text, who, sizeof(text));
	}
	row_str(r, "postmaster", slice_str(text));
}

void
list_domains(uint32_t ask)
{
	struct dir *d = authd_dir(NULL);
	const struct account *first;
	const char *name;
	struct row r;
	size_t i;

	for (i = 0; (name = dir_domain(d, i)) != NULL; i++) {
		r.n = 0;
		row_str(&r, "domain", slice_str(name));
		row_bool(&r, "default", i == 0);
		row_num(&r, "accounts", (long long)dir_domain_accounts(d,
		    name, &first));
		row_postmaster(&r, d, name);
		proc_row(ask, &r);
	}
	proc_done(ask, 0, "%s", "");
}
