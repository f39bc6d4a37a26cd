/*
 * The directory in memory: domains, accounts, aliases, and the names they
 * are found under.  Filled from the database at start and kept in step by
 * whoever changes it.  No I/O; where mail goes is resolve.c.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/err.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"

static void	 account_free(struct node *);
static void	 alias_free(struct node *);
static void	 firsts_find(struct dir *);

#define OF_ADDRESS(n)	((struct account *)(n))
#define OF_ID(n)	((struct account *)((char *)(n) - \
			    offsetof(struct account, byid)))
#define OF_ALIAS(n)	((struct alias *)(n))

struct dir *
dir_new(void)
{
	return xcalloc(1, sizeof(struct dir));
}

void
dir_free(struct dir *d)
{
	struct table ids;

	if (d == NULL)
		return;
	ids = d->ids;		/* the same accounts by another name */
	free(ids.slot);
	table_clear(&d->accounts, account_free);
	table_clear(&d->aliases, alias_free);
	dir_certs_free(d);
	free(d->gone);
	free(d);
}

static void
account_free(struct node *n)
{
	struct account *a = OF_ADDRESS(n);

	freezero(a->hash, strlen(a->hash));
	explicit_bzero(&a->keys, sizeof(a->keys));
	free(a);
}

static void
alias_free(struct node *n)
{
	struct alias *a = OF_ALIAS(n);
	size_t i;

	for (i = 0; i < a->ntargets; i++)
		free(a->target[i]);
	free(a->target);
	free(a);
}

void
ascii_lowercase(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)ascii_lower((unsigned char)*s);
}

/* ---- domains ------------------------------------------------------------- */

int
domain_ascii(const char *name, char *out, size_t size)
{
	const char *p;
	char *ascii;
	int ok;

	for (p = name; *p != '\0' && (unsigned char)*p < 0x80; p++)
		;
	if (*p == '\0') {
		if (strlcpy(out, name, size) >= size)
			return -1;
		ascii_lowercase(out);
		return 0;
	}
	if (idn2_lookup_u8((const uint8_t *)name, (uint8_t **)&ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	/* what a letter was taken for may stand in no name */
	ok = strlcpy(out, ascii, size) < size &&
	    domain_valid(slice_str(out), 0);
	idn2_free(ascii);
	return ok ? 0 : -1;
}

static int
domain_set(char *out, size_t size, const char *name)
{
	size_t n;

	if (domain_ascii(name, out, size) == -1 ||
	    !domain_valid(slice_str(out), 0))
		return -1;
	n = strlen(out);
	if (out[n - 1] == '.')
		out[n - 1] = '\0';
	return 0;
}

int
dir_domains(struct dir *d, char *const *names, size_t n, const char *host,
    size_t *bad)
{
	size_t i;

	d->ndomains = 0;
	for (i = 0; i < n && i < CONF_NLIST; i++) {
		if (domain_set(d->domain[i].name, sizeof(d->domain[i].name),
		    names[i]) == -1) {
			*bad = i;
			return -1;
		}
		d->domain[i].n = strlen(d->domain[i].name);
		d->ndomains = i + 1;
	}
	if (host == NULL || domain_set(d->host, sizeof(d->host), host) == -1)
		d->host[0] = '\0';
	firsts_find(d);
	return 0;
}

void
dir_reports(struct dir *d, char *const *addresses, size_t n)
{
	size_t i;

	d->nreports = 0;
	for (i = 0; i < n && i < CONF_NREPORT; i++) {
		char *to = d->report[d->nreports];

		if (strlcpy(to, addresses[i], DIR_ADDRESS_MAX) >=
		    DIR_ADDRESS_MAX)
			continue;
		ascii_lowercase(to);
		d->nreports++;
	}
}

void
dir_postmaster(struct dir *d, const char *address)
{
	if (address == NULL || strlcpy(d->postmaster, address,
	    sizeof(d->postmaster)) >= sizeof(d->postmaster))
		d->postmaster[0] = '\0';
}

const char *
dir_domain(const struct dir *d, size_t i)
{
	return i < d->ndomains ? d->domain[i].name : NULL;
}

struct domain *
dir_domain_find(const struct dir *d, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < d->ndomains; i++)
		if (d->domain[i].n == n &&
		    memcmp(d->domain[i].name, name, n) == 0)
			return (struct domain *)&d->domain[i];
	return NULL;
}

bool
dir_is_local(const struct dir *d, const char *domain)
{
	return dir_domain_find(d, domain) != NULL;
}

size_t
dir_domain_accounts(const struct dir *d, const char *name,
    const struct account **first)
{
	const struct domain *dom = dir_domain_find(d, name);

	*first = dom == NULL ? NULL : dom->first;
	return dom == NULL ? 0 : dom->accounts;
}

/* ---- accounts ------------------------------------------------------------ */

size_t
dir_accounts(const struct dir *d)
{
	return d->accounts.count;
}

static struct domain *
account_domain(const struct dir *d, const struct account *a)
{
	return dir_domain_find(d, strrchr(a->address, '@') + 1);
}

static int
first_try(struct dir *d, struct account *a)
{
	struct domain *dom = account_domain(d, a);

	if (dom == NULL)
		return 0;
	dom->accounts++;
	if (dom->first == NULL || a->id < dom->first->id)
		dom->first = a;
	return 0;
}

/* Find the oldest account of every domain again. */
static void
firsts_find(struct dir *d)
{
	struct node *n;
	size_t i;

	for (i = 0; i < d->ndomains; i++) {
		d->domain[i].first = NULL;
		d->domain[i].accounts = 0;
	}
	for (i = 0; i < d->accounts.nslots; i++)
		for (n = d->accounts.slot[i]; n != NULL; n = n->next)
			first_try(d, OF_ADDRESS(n));
}

size_t
dir_strays(const struct dir *d, const struct account **one)
{
	struct node *n;
	size_t i, count = 0;

	for (i = 0; i < d->accounts.nslots; i++)
		for (n = d->accounts.slot[i]; n != NULL; n = n->next) {
			struct account *a = OF_ADDRESS(n);

			if (!a->enabled || account_domain(d, a) != NULL)
				continue;
			if (count++ == 0 || a->id < (*one)->id)
				*one = a;
		}
	return count;
}

struct account *
dir_account_add(struct dir *d, uint32_t id, const char *address,
    const char *hash, bool enabled, uint64_t created)
{
	struct account *a;
	size_t n = strlen(address);

	if (id == 0 || strchr(address, '@') == NULL ||
	    dir_account(d, slice_of(address, n)) != NULL ||
	    dir_account_id(d, id) != NULL)
		return NULL;
	a = xcalloc(1, sizeof(*a) + n + 1);
	memcpy(a->address, address, n);
	a->id = id;
	a->hash = xstrdup(hash);
	a->enabled = enabled;
	a->created = created;
	table_add(&d->accounts, &a->byaddress, table_hash(address, n));
	table_add(&d->ids, &a->byid, table_hash(&id, sizeof(id)));
	first_try(d, a);
	return a;
}

void
dir_account_del(struct dir *d, struct account *a)
{
	struct domain *dom = account_domain(d, a);

	table_del(&d->accounts, &a->byaddress);
	table_del(&d->ids, &a->byid);
	if (dom != NULL)
		dom->accounts--;
	if (dom != NULL && dom->first == a)
		firsts_find(d);
	account_free(&a->byaddress);
}

void
dir_account_hash(struct account *a, const char *hash, const struct keys *keys)
{
	freezero(a->hash, strlen(a->hash));
	a->hash = xstrdup(hash);
	a->keys = *keys;
}

struct quota
account_quota(const struct account *a)
{
	const struct conf *conf = proc_conf();

	return (struct quota){
	    quota_limit(a->quota.octets, conf->quota),
	    quota_limit(a->quota.messages, conf->quota_messages) };
}

bool
account_has_quota(const struct account *a)
{
	return a->quota.octets != QUOTA_DEFAULT ||
	    a->quota.messages != QUOTA_DEFAULT;
}

struct account *
dir_account(const struct dir *d, struct slice address)
{
	struct node *n;
	uint64_t h = table_hash(address.p, address.n);

	for (n = table_chain(&d->accounts, h); n != NULL; n = n->next)
		if (n->hash == h && slice_is(address, OF_ADDRESS(n)->address))
			return OF_ADDRESS(n);
	return NULL;
}

struct account *
dir_account_id(const struct dir *d, uint32_t id)
{
	struct node *n;
	uint64_t h = table_hash(&id, sizeof(id));

	for (n = table_chain(&d->ids, h); n != NULL; n = n->next)
		if (OF_ID(n)->id == id)
			return OF_ID(n);
	return NULL;
}

struct account *
dir_login(const struct dir *d, struct slice user, char *name)
{
	int n;

	name[0] = '\0';
	if (!sasl_field_valid(user) || d->ndomains == 0)
		return NULL;
	n = memchr(user.p, '@', user.n) != NULL ?
	    snprintf(name, DIR_ADDRESS_MAX, "%.*s", (int)user.n, user.p) :
	    snprintf(name, DIR_ADDRESS_MAX, "%.*s@%s", (int)user.n, user.p,
	    d->domain[0].name);
	if (n < 0 || n >= DIR_ADDRESS_MAX) {
		name[0] = '\0';
		return NULL;
	}
	ascii_lowercase(name);
	return dir_account(d, slice_of(name, (size_t)n));
}

/* ---- aliases ------------------------------------------------------------- */

struct alias *
dir_alias(const struct dir *d, struct slice address)
{
	struct node *n;
	uint64_t h = table_hash(address.p, address.n);

	for (n = table_chain(&d->aliases, h); n != NULL; n = n->next)
		if (n->hash == h && slice_is(address, OF_ALIAS(n)->address))
			return OF_ALIAS(n);
	return NULL;
}

int
dir_alias_add(struct dir *d, const char *address, const char *target)
{
	struct alias *a = dir_alias(d, slice_str(address));
	size_t i, n = strlen(address);

	if (a == NULL) {
		a = xcalloc(1, sizeof(*a) + n + 1);
		memcpy(a->address, address, n);
		table_add(&d->aliases, &a->byaddress, table_hash(address, n));
	}
	for (i = 0; i < a->ntargets; i++)
		if (strcmp(a->target[i], target) == 0)
			return -1;
	a->target = xreallocarray(a->target, a->ntargets + 1,
	    sizeof(*a->target));
	a->target[a->ntargets++] = xstrdup(target);
	return 0;
}

void
dir_alias_del(struct dir *d, struct alias *a)
{
	table_del(&d->aliases, &a->byaddress);
	alias_free(&a->byaddress);
}

/* ---- what an operator types ---------------------------------------------- */

static int
key_catchall(const struct dir *d, struct slice in, char *key, size_t size,
    const char **why)
{
	char domain[256];

	if (slice_cpy(in, key, size) == -1 ||
	    domain_ascii(key + 1, domain, sizeof(domain)) == -1 ||
	    !dir_is_local(d, domain)) {
		*why = "not one of the domains in the configuration";
		return -1;
	}
	snprintf(key, size, "@%s", domain);
	return 0;
}

int
dir_key(const struct dir *d, struct slice in, bool catchall, char *key,
    size_t size, const char **why)
{
	struct address a;
	struct parse_err err;
	char domain[256];

	if (catchall && in.n > 1 && in.p[0] == '@')
		return key_catchall(d, in, key, size, why);
	if (address_parse(in, PATH_NODOMAIN | PATH_UTF8, &a, &err) == -1) {
		*why = err.why;
		return -1;
	}
	if (a.flags & ADDR_NODOMAIN && d->ndomains > 0)
		strlcpy(a.domain, d->domain[0].name, sizeof(a.domain));
	if (domain_ascii(a.domain, domain, sizeof(domain)) == -1 ||
	    !dir_is_local(d, domain))
		*why = strcmp(domain, d->host) == 0 ? "names at this host are "
		    "those of the first domain: say it with that one" :
		    "not one of the domains in the configuration";
	else if (a.flags & (ADDR_QUOTED | ADDR_LITERAL | ADDR_ROUTE) ||
	    address_is_routed(&a))
		*why = "a name here has no quotes, %, ! or second @";
	else if (strchr(a.local, '+') != NULL)
		*why = "+ is kept for sub-addresses (name+anything)";
	else if (snprintf(key, size, "%s@%s", a.local, domain) >= (int)size)
		*why = "too long";
	else {
		ascii_lowercase(key);
		return 0;
	}
	return -1;
}

int
dir_target(struct slice in, char *out, size_t size, const char **why)
{
	struct address a;
	struct parse_err err;
	char domain[256];
	ssize_t n;

	if (address_parse(in, PATH_UTF8 | PATH_DOTS, &a, &err) == -1) {
		*why = err.why;
		return -1;
	}
	if (a.flags & (ADDR_LITERAL | ADDR_NULLSENDER) ||
	    domain_ascii(a.domain, domain, sizeof(domain)) == -1) {
		*why = "a target needs a domain";
		return -1;
	}
	strlcpy(a.domain, domain, sizeof(a.domain));
	a.domainn = strlen(a.domain);
	n = address_print(&a, out, size);
	*why = "too long";
	return n == -1 ? -1 : 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
dir_gone_add(struct dir *d, uint32_t id)
{
	d->gone = xreallocarray(d->gone, d->ngone + 1, sizeof(*d->gone));
	d->gone[d->ngone++] = id;
}

void
dir_gone_each(const struct dir *d, void (*fn)(uint32_t, void *), void *arg)
{
	size_t i;

	for (i = 0; i < d->ngone; i++)
		fn(d->gone[i], arg);
}

const struct account *
dir_some(const struct dir *d, uint64_t n)
{
	const struct table *t = &d->accounts;
	size_t i;

	for (i = 0; i < t->nslots; i++)
		if (t->slot[(n + i) % t->nslots] != NULL)
			return OF_ADDRESS(t->slot[(n + i) % t->nslots]);
	return NULL;
}

void
dir_each(const struct dir *d, void (*fn)(const struct account *, void *),
    void *arg)
{
	struct node *node;
	size_t i;

	for (i = 0; i < d->accounts.nslots; i++)
		for (node = d->accounts.slot[i]; node != NULL;
		    node = node->next)
			fn(OF_ADDRESS(node), arg);
}

void
dir_each_alias(const struct dir *d, void (*fn)(const struct alias *, void *),
    void *arg)
{
	struct node *node;
	size_t i;

	for (i = 0; i < d->aliases.nslots; i++)
		for (node = d->aliases.slot[i]; node != NULL;
		    node = node->next)
			fn(OF_ALIAS(node), arg);
}

char **
dir_list(const struct dir *d, bool aliases, size_t *n)
{
	const struct table *t = aliases ? &d->aliases : &d->accounts;
	struct node *node;
	char **v;
	size_t i;

	v = xcalloc(t->count + 1, sizeof(*v));
	*n = 0;
	for (i = 0; i < t->nslots; i++)
		for (node = t->slot[i]; node != NULL; node = node->next)
			v[(*n)++] = xstrdup(aliases ? OF_ALIAS(node)->address :
			    OF_ADDRESS(node)->address);
	qsort(v, *n, sizeof(*v), by_text);
	return v;
}
