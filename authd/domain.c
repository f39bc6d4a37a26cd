/*
 * What domains that come into the configuration, or leave it, do to accounts
 * and aliases: told before it is done, to maild, which changes the
 * configuration.  Nothing is changed here.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"
#include "authd/run.h"

#define TEXT_MAX	3000	/* octets of what is told */

struct text {
	char	 p[TEXT_MAX];
	size_t	 n;
};

/* A whole line, or none. */
static void
say(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->p) - t->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->n, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < room)
		t->n += (size_t)n;
	else
		t->p[t->n] = '\0';
}

/* ---- one that leaves ----------------------------------------------------- */

struct leaving {
	const char	*domain;
	size_t		 aliases;
};

static bool
is_at(const char *address, const char *domain)
{
	const char *at = strrchr(address, '@');

	return at != NULL && strcmp(at + 1, domain) == 0;
}

static void
count_alias(const struct alias *al, void *arg)
{
	struct leaving *l = arg;

	l->aliases += is_at(al->address, l->domain);
}

static void
leave(struct dir *d, const char *domain, struct text *t)
{
	struct leaving l = { domain, 0 };
	const struct account *first;
	size_t n = dir_domain_accounts(d, domain, &first);

	dir_each_alias(d, count_alias, &l);
	if (n > 0)
		say(t, "%s has %zu account%s (%s%s)%s: mail to a domain that "
		    "is not in the configuration is refused; who has an "
		    "account there can still log in and read, and what is "
		    "stored stays\n", domain, n, n == 1 ? "" : "s",
		    first->address, n == 1 ? "" : " ...",
		    l.aliases > 0 ? ", and aliases" : "");
	else if (l.aliases > 0)
		say(t, "%s has %zu alias%s: mail to a domain that is not in "
		    "the configuration is refused\n", domain, l.aliases,
		    l.aliases == 1 ? "" : "es");
	if (dir_domain(d, 0) != NULL && strcmp(dir_domain(d, 0), domain) ==
	    0 && dir_domain(d, 1) != NULL && dir_accounts(d) > 0)
		say(t, "%s is the first domain, which names without a domain "
		    "are of at a login\n", domain);
}

/* ---- one that comes ------------------------------------------------------ */

struct coming {
	const struct dir *dir;
	const char	*domain;
	size_t		 aliases;
	const char	*alias, *target;	/* the first one */
};

/* A target of ours would have to be there. */
static void
look_target(const struct alias *al, void *arg)
{
	struct coming *c = arg;
	size_t i;

	for (i = 0; i < al->ntargets; i++) {
		const char *t = al->target[i];

		if (!is_at(t, c->domain) ||
		    dir_account(c->dir, slice_str(t)) != NULL ||
		    dir_alias(c->dir, slice_str(t)) != NULL)
			continue;
		if (c->aliases++ == 0) {
			c->alias = al->address;
			c->target = t;
		}
		return;
	}
}

static void
come(struct dir *d, const char *domain, struct text *t)
{
	struct coming c = { .dir = d, .domain = domain };

	dir_each_alias(d, look_target, &c);
	if (c.aliases > 0)
		say(t, "%zu alias%s to an address of %s that is no account "
		    "here (%s to %s): mail that goes there now is refused\n",
		    c.aliases, c.aliases == 1 ? " leads" : "es lead", domain,
		    c.alias, c.target);
}

void
domain_change(uint32_t ask, const struct args *args)
{
	static struct text t;
	struct dir *d = authd_dir(NULL);
	char domain[256];
	struct slice w;
	size_t i;

	t.n = 0;
	t.p[0] = '\0';
	for (i = 2; i < args->n; i++) {
		w = args->v[i];
		if (w.n < 2 || slice_cpy(slice_of(w.p + 1, w.n - 1), domain,
		    sizeof(domain)) == -1 || (w.p[0] != '+' && w.p[0] != '-')) {
			proc_done(ask, EX_USAGE, "%s: not +DOMAIN or -DOMAIN",
			    log_text(w.p, w.n));
			return;
		}
		ascii_lowercase(domain);
		if (w.p[0] == '-')
			leave(d, domain, &t);
		else
			come(d, domain, &t);
	}
	proc_done(ask, t.n > 0 ? EX_DATAERR : EX_OK, "%.*s", t.n > 0 ?
	    (int)t.n - 1 : 0, t.p);
}
