/*
 * What an account or an alias leaves behind when it goes: the aliases that
 * lead nowhere then, and where mail for its own address goes.  Looked at
 * before, as if it were gone already; nothing is changed here.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/run.h"

#define SHOWN	5	/* targets that are named */

struct scan {
	uint32_t	 account;
	char		*alias;
	size_t		 nowhere;
	void		(*end)(uint32_t, size_t, void *);
	void		*arg;
};

/* ---- where an address leads ---------------------------------------------- */

static void
where_routes(struct dir *d, const struct dir_answer *ans, char *out)
{
	struct slice list = { (const char *)ans->routes, ans->n };
	struct item_route r;
	struct slice who;
	size_t off = 0, n = 0, more = 0;

	while (item_route_get(list, &off, &r) == 1) {
		if (n == SHOWN) {
			more++;
			continue;
		}
		strlcat(out, n++ == 0 ? "goes to " : ", ", WHERE_MAX);
		who = dir_route_who(d, &r);
		snprintf(out + strlen(out), WHERE_MAX - strlen(out), "%.*s",
		    (int)who.n, who.p);
	}
	if (more > 0)
		snprintf(out + strlen(out), WHERE_MAX - strlen(out),
		    " and %zu more", more);
	strlcat(out, " from now on", WHERE_MAX);
}

const char *
orphan_where(struct dir *d, const char *key, char *out)
{
	static struct dir_answer ans;
	enum dir_result r = dir_resolve_key(d, key, NULL, NULL, &ans);

	snprintf(out, WHERE_MAX, "mail for %s%s ", key[0] == '@' ?
	    "other names " : "", key);
	if (r == DIR_OK)
		where_routes(d, &ans, out);
	else
		strlcat(out, r == DIR_TEMP ? "is answered \"try later\"" :
		    "is refused from now on", WHERE_MAX);
	return out;
}

/* ---- who leads there ----------------------------------------------------- */

static void
scan_row(uint32_t ask, const char *key, bool nowhere)
{
	struct row r = { .n = 0 };

	row_str(&r, "alias", slice_str(key));
	row_str(&r, "leads", slice_str(nowhere ? "nowhere" : "elsewhere"));
	proc_row(ask, &r);
}

static void
scan_alias(uint32_t ask, struct dir *d, const char *key, void *arg)
{
	static struct dir_answer now, then;
	struct scan *s = arg;
	struct account *a;
	struct alias *al;
	bool nowhere;

	if (d == NULL || (s->alias != NULL && strcmp(s->alias, key) == 0))
		return;
	a = s->account == 0 ? NULL : dir_account_id(d, s->account);
	al = s->alias == NULL ? NULL : dir_alias(d, slice_str(s->alias));
	if (dir_resolve_key(d, key, NULL, NULL, &now) != DIR_OK)
		return;			/* it was so before */
	nowhere = dir_resolve_key(d, key, a, al, &then) != DIR_OK;
	if (!nowhere && now.n == then.n &&
	    memcmp(now.routes, then.routes, now.n) == 0)
		return;
	scan_row(ask, key, nowhere);
	s->nowhere += nowhere;
}

static void
scan_end(uint32_t ask, void *arg)
{
	struct scan *s = arg;

	s->end(ask, s->nowhere, s->arg);
	free(s->alias);
	free(s);
}

void
orphan_tell(uint32_t ask, uint32_t account, const char *alias,
    void (*end)(uint32_t, size_t, void *), void *arg)
{
	struct scan *s = xcalloc(1, sizeof(*s));

	s->account = account;
	s->alias = alias == NULL ? NULL : xstrdup(alias);
	s->end = end;
	s->arg = arg;
	list_each(ask, true, scan_alias, scan_end, s);
}

const char *
orphan_advice(size_t nowhere)
{
	static char text[256];

	text[0] = '\0';
	if (nowhere > 0)
		snprintf(text, sizeof(text), "\n%zu %s nowhere now, their mail "
		    "is refused: mailctl alias add ADDRESS TARGET, or mailctl "
		    "alias del ADDRESS", nowhere, nowhere == 1 ?
		    "alias leads" : "aliases lead");
	return text;
}
