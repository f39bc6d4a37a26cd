/*
 * Where mail for an address goes: sub-addresses, aliases within aliases,
 * catch-alls, postmaster and its like, names at this host (maild(8),
 * Addresses).  Pure but for the marks it leaves in aliases
 * while it expands them.  Every recipient costs at most DIR_TARGETS_MAX
 * steps; a loop or a limit hurts only the recipient it was found under.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"

#define KEY_MAX	(ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX + 1)

struct walk {
	struct dir		*dir;
	const struct account	*no_account;	/* as if it were not there */
	const struct alias	*no_alias;
	struct dir_answer	*out;
	size_t			 steps;		/* targets looked at */
	size_t			 nroutes;
	bool			 here;		/* this host itself asks */
	bool			 role;		/* at conf's postmaster */
	bool			 hit;		/* somebody gets it */
	bool			 looped;	/* an alias led to itself */
	bool			 broken;	/* a limit was met */
};

static void	 walk_address(struct walk *, const struct address *, int);

static bool
route_put(struct walk *w, const struct item_route *r)
{
	if (w->nroutes >= DIR_TARGETS_MAX || item_route_put(w->out->routes,
	    sizeof(w->out->routes), &w->out->n, r) == -1) {
		w->broken = true;
		return false;
	}
	w->nroutes++;
	return true;
}

static void
route_local(struct walk *w, const struct account *a, const char *text)
{
	struct item_route r = { .type = ROUTE_LOCAL, .account = a->id,
	    .address = slice_str(text) };

	w->hit = true;
	if (dir_answer_has(w->out, a->id))
		return;
	if (route_put(w, &r))
		w->out->account[w->out->naccounts++] = a->id;
}

static void
route_remote(struct walk *w, const struct address *a)
{
	struct item_route r = { .type = ROUTE_REMOTE }, seen;
	char text[ADDR_TEXT_MAX];
	struct slice routes = { (const char *)w->out->routes, w->out->n };
	size_t off = 0;
	ssize_t n;

	if ((n = address_print(a, text, sizeof(text))) == -1 ||
	    n >= DIR_ADDRESS_MAX) {
		w->broken = true;
		return;
	}
	w->hit = true;
	r.address = slice_of(text, (size_t)n);
	while (item_route_get(routes, &off, &seen) == 1)
		if (seen.type == ROUTE_REMOTE &&
		    slice_eq(seen.address, r.address))
			return;
	route_put(w, &r);
}

static void
walk_alias(struct walk *w, struct alias *al, int depth)
{
	struct address a;
	size_t i;

	if (depth >= DIR_DEPTH_MAX) {
		w->broken = true;
		return;
	}
	al->active = true;
	for (i = 0; i < al->ntargets; i++) {
		if (w->steps++ >= DIR_TARGETS_MAX) {
			w->broken = true;
			break;
		}
		if (address_parse(slice_str(al->target[i]), PATH_UTF8, &a,
		    NULL) == 0)
			walk_address(w, &a, depth + 1);
	}
	al->active = false;
}

/* Alias first, so that an account's mail can be sent on as well; an alias
 * that names itself means the account of that name. */
static bool
walk_name(struct walk *w, const char *key, const char *text, int depth)
{
	struct slice s = slice_str(key);
	struct alias *al = dir_alias(w->dir, s);
	struct account *ac = dir_account(w->dir, s);

	if (al == w->no_alias)
		al = NULL;
	if (al != NULL && !al->active) {
		walk_alias(w, al, depth);
		return true;
	}
	if (ac != NULL && ac != w->no_account) {
		route_local(w, ac, text);
		return true;
	}
	if (al != NULL)
		w->looped = true;
	return al != NULL;
}

bool
dir_is_report(const struct dir *d, const char *key)
{
	size_t i;

	for (i = 0; i < d->nreports; i++)
		if (strcmp(d->report[i], key) == 0)
			return true;
	return false;
}

/* Reports about us are read by a program. */
static bool
walk_report(struct walk *w, const char *key)
{
	struct item_route r = { .type = ROUTE_REPORT,
	    .address = slice_str(key) };

	return dir_is_report(w->dir, key) && route_put(w, &r);
}

/* RFC 5321 4.5.1, RFC 2142, and what systems and we ourselves write as: these
 * are always read by somebody. */
static bool
is_role_name(const char *local)
{
	static const char *const names[] = { "postmaster", "abuse",
	    "hostmaster", "root", "mailer-daemon" };
	size_t i;

	for (i = 0; i < NITEMS(names); i++)
		if (strcmp(local, names[i]) == 0)
			return true;
	return false;
}

static bool
walk_name_at(struct walk *w, const char *local, const struct domain *dom,
    const char *text, int depth)
{
	char key[KEY_MAX];

	if (dom == NULL)
		return false;
	snprintf(key, sizeof(key), "%s@%s", local, dom->name);
	return walk_name(w, key, text, depth);
}

/* The address that the configuration gives.  False: there is none, or nobody
 * has it. */
static bool
walk_postmaster(struct walk *w, int depth)
{
	struct address a;

	if (w->role || depth >= DIR_DEPTH_MAX ||
	    address_parse(slice_str(w->dir->postmaster), PATH_UTF8, &a,
	    NULL) == -1)
		return false;
	w->role = true;
	w->hit = false;
	walk_address(w, &a, depth + 1);
	w->role = false;
	return w->hit || w->looped || w->broken;
}

/* The order is told by maild(8); what stands before is more to the point. */
static void
walk_role(struct walk *w, const char *local, const struct domain *dom,
    const char *text, int depth)
{
	const struct domain *first = w->dir->ndomains > 0 ?
	    &w->dir->domain[0] : NULL;
	struct account *a = dom != NULL ? dom->first : NULL;
	size_t i;

	if (depth == 0)
		w->out->borrowed = strcmp(local, "postmaster") != 0 &&
		    strcmp(local, "abuse") != 0;
	if (walk_name_at(w, "postmaster", dom, text, depth) ||
	    walk_name_at(w, local, first, text, depth) ||
	    walk_name_at(w, "postmaster", first, text, depth) ||
	    walk_postmaster(w, depth))
		return;
	for (i = 0; a == NULL && i < w->dir->ndomains; i++)
		a = w->dir->domain[i].first;
	if (a != NULL)
		route_local(w, a, text);
	else
		w->broken = true;	/* nobody is there yet */
}

/* An account or alias of that name; *local loses what makes it a sub-address
 * when the whole is none. */
static bool
walk_mailbox(struct walk *w, char *local, const char *domain,
    const char *text, int depth)
{
	char key[KEY_MAX], *plus;

	snprintf(key, sizeof(key), "%s@%s", local, domain);
	if (walk_name(w, key, text, depth))
		return true;
	if ((plus = strchr(local, '+')) == NULL || plus == local)
		return false;
	*plus = '\0';
	snprintf(key, sizeof(key), "%s@%s", local, domain);
	return walk_name(w, key, text, depth);
}

/* The name is one at this host, which has no accounts: it is that of the
 * first domain, of which no catch-all counts here. */
static bool
walk_host(struct walk *w, const struct address *a, const char *text,
    int depth)
{
	char local[ADDR_LOCAL_MAX + 1];

	if (w->dir->ndomains == 0)
		return false;
	memcpy(local, a->local, a->localn + 1);
	ascii_lowercase(local);
	if (!walk_mailbox(w, local, w->dir->domain[0].name, text, depth))
		return false;
	if (depth == 0)
		w->out->borrowed = !is_role_name(local);
	return true;
}

static void
walk_local(struct walk *w, const struct address *a, const struct domain *dom,
    int depth)
{
	char local[ADDR_LOCAL_MAX + 1], key[KEY_MAX];
	char text[ADDR_TEXT_MAX];
	bool role;

	memcpy(local, a->local, a->localn + 1);
	ascii_lowercase(local);
	if (address_print(a, text, sizeof(text)) == -1 ||
	    strlen(local) != a->localn)
		return;
	if (walk_mailbox(w, local, a->domain, text, depth) ||
	    (dom == NULL && walk_host(w, a, text, depth)))
		return;
	snprintf(key, sizeof(key), "%s@%s", local, a->domain);
	if (address_is_routed(a) || walk_report(w, key))
		return;
	role = is_role_name(local) || (w->here && dom == NULL && depth == 0);
	if (role && dom == NULL && w->dir->ndomains > 0)
		dom = &w->dir->domain[0];
	if (walk_name_at(w, "", dom, text, depth))	/* a catch-all */
		return;
	if (role)
		walk_role(w, local, dom, text, depth);
}

static void
walk_address(struct walk *w, const struct address *a, int depth)
{
	struct domain *dom = dir_domain_find(w->dir, a->domain);

	if (dom != NULL || strcmp(a->domain, w->dir->host) == 0)
		walk_local(w, a, dom, depth);
	else
		route_remote(w, a);
}

/* [127.0.0.1] and its like: this host by the back door. */
static bool
literal_is_here(const char *domain)
{
	static const uint8_t zero[15];
	struct ipaddr ip;
	const uint8_t *v4 = ip.b;

	if (ipaddr_literal(slice_str(domain), &ip) == -1)
		return true;
	if (ip.family == 6) {
		if (memcmp(ip.b, zero, 15) == 0)
			return true;		/* :: and ::1 */
		if (memcmp(ip.b, zero, 10) != 0 || ip.b[10] != 0xff ||
		    ip.b[11] != 0xff)
			return false;
		v4 = ip.b + 12;			/* ::ffff:a.b.c.d */
	}
	return v4[0] == 127 || v4[0] == 0;
}

/* Completes and canonicalises a; false when there can be no such mailbox. */
static bool
resolve_parse(struct dir *d, struct slice in, struct address *a)
{
	char domain[ADDR_DOMAIN_MAX + 1];

	if (address_parse(in, PATH_NODOMAIN | PATH_UTF8 | PATH_DOTS, a,
	    NULL) == -1 ||
	    a->flags & ADDR_NULLSENDER || a->localn == 0)
		return false;
	if (a->domainn == 0) {
		if (d->ndomains == 0)
			return false;
		strlcpy(a->domain, d->host[0] != '\0' ? d->host :
		    d->domain[0].name, sizeof(a->domain));
		a->flags &= ~ADDR_NODOMAIN;
	} else if (!(a->flags & ADDR_LITERAL)) {
		if (domain_ascii(a->domain, domain, sizeof(domain)) == -1)
			return false;
		strlcpy(a->domain, domain, sizeof(a->domain));
	}
	a->domainn = strlen(a->domain);
	return true;
}

static enum dir_result
resolve(struct walk *w, struct slice in)
{
	struct dir_answer *out = w->out;
	struct dir *d = w->dir;
	struct address a;
	ssize_t n;

	out->n = out->naccounts = out->addressn = 0;
	out->address[0] = out->domain[0] = '\0';
	out->outside = out->borrowed = false;
	if (!resolve_parse(d, in, &a))
		return DIR_UNKNOWN;
	n = address_print(&a, out->address, sizeof(out->address));
	if (n == -1)
		return DIR_UNKNOWN;
	out->addressn = (size_t)n;
	strlcpy(out->domain, a.domain, sizeof(out->domain));
	out->outside = !dir_is_local(d, a.domain) &&
	    strcmp(a.domain, d->host) != 0;
	if (a.flags & ADDR_LITERAL && literal_is_here(a.domain))
		return DIR_DENIED;
	walk_address(w, &a, 0);
	if (w->broken)
		return DIR_TEMP;
	if (w->nroutes > 0)
		return DIR_OK;
	if (w->looped)
		return DIR_TEMP;
	return address_is_routed(&a) ? DIR_DENIED : DIR_UNKNOWN;
}

enum dir_result
dir_resolve(struct dir *d, struct slice in, struct dir_answer *out)
{
	struct walk w = { .dir = d, .out = out };

	return resolve(&w, in);
}

enum dir_result
dir_resolve_here(struct dir *d, struct slice in, struct dir_answer *out)
{
	struct walk w = { .dir = d, .here = true, .out = out };

	return resolve(&w, in);
}

enum dir_result
dir_resolve_key(struct dir *d, const char *key,
    const struct account *no_account, const struct alias *no_alias,
    struct dir_answer *out)
{
	struct walk w = { .dir = d, .no_account = no_account,
	    .no_alias = no_alias, .out = out };
	char text[DIR_ADDRESS_MAX + 16];

	snprintf(text, sizeof(text), "%s%s", key[0] == '@' ?
	    "catch-all-probe" : "", key);
	return resolve(&w, slice_str(text));
}

bool
dir_answer_has(const struct dir_answer *ans, uint32_t account)
{
	size_t i;

	for (i = 0; i < ans->naccounts; i++)
		if (ans->account[i] == account)
			return true;
	return false;
}

struct slice
dir_route_who(const struct dir *d, const struct item_route *r)
{
	const struct account *a = r->type == ROUTE_LOCAL ?
	    dir_account_id(d, r->account) : NULL;

	return a != NULL ? slice_str(a->address) : r->address;
}
