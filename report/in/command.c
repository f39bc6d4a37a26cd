/*
 * mailctl reports: words into a command, and the steps of one.  A command
 * reads a bounded number of files or gives a bounded number of rows, then
 * the event loop goes on.  report-in.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define RUNNING_MAX	4		/* commands at once: each may take
					   SUMS_OCTETS or a raw message */
#define DAYS		30
#define DAYS_MAX	3660
#define DAY		86400U

static const char usage_text[] =
    "usage: reports [DOMAIN [--breaks]] | reject DOMAIN | tls [DOMAIN] | "
    "abuse [DOMAIN] | failures [DOMAIN] | list [DOMAIN] | unread [ID] | "
    "remove ID|unread | pending [--days N] [--all]";

/* Which arguments a verb takes, and who steps. */
static const struct verb {
	const char	*name;
	enum { A_NONE, A_MAY, A_MUST } arg;
	bool		 domain;	/* the argument is one */
	int		(*step)(struct command *);
} verbs[] = {
	{ "",		A_NONE,	false,	summary_step },
	{ "show",	A_MUST,	true,	sum_step },
	{ "reject",	A_MUST,	true,	sum_step },
	{ "tls",	A_MAY,	true,	sum_step },
	{ "list",	A_MAY,	true,	list_step },
	{ "abuse",	A_MAY,	true,	list_step },
	{ "failures",	A_MAY,	true,	list_step },
	{ "unread",	A_MAY,	false,	unread_step },
	{ "remove",	A_MUST,	false,	NULL },
};

struct running {
	LIST_ENTRY(running) of;
	struct command	 c;
	const struct verb *verb;
	struct event	*ev;
};

static struct {
	const struct in_house *house;
	LIST_HEAD(, running) list;
	unsigned int	 n;
} rn = { .list = LIST_HEAD_INITIALIZER(rn.list) };

void
command_init(const struct in_house *house)
{
	rn.house = house;
}

/* ---- steps --------------------------------------------------------------- */

static void
running_end(struct running *r)
{
	LIST_REMOVE(r, of);
	event_free(r->ev);
	rows_free(r->c.rows);
	free(r->c.text);
	free(r);
	rn.n--;
}

/* Rows wait while maild has not taken those before. */
static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0, 0 }, soon = { 0, 10000 };
	struct running *r = arg;

	if (proc_main() != NULL && chan_full(proc_main()))
		event_add(r->ev, &soon);
	else if (r->verb->step(&r->c) == 1)
		event_add(r->ev, &now);
	else
		running_end(r);
}

static void
begin(const struct command *c, const struct verb *verb)
{
	struct running *r;

	if (rn.n == RUNNING_MAX) {
		proc_done(c->ask, EX_TEMPFAIL, "busy, try again");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->c = *c;
	r->c.rows = rows_new();
	rows_allow(r->c.rows, SUMS_OCTETS);
	r->c.walks = verb->step != summary_step &&
	    (verb->step != unread_step || c->arg[0] == '\0');
	r->verb = verb;
	if ((r->ev = event_new(proc_base(), -1, 0, on_step, r)) == NULL)
		fatalx("event_new");
	LIST_INSERT_HEAD(&rn.list, r, of);
	rn.n++;
	on_step(-1, 0, r);
}

bool
command_idle(void)
{
	return LIST_EMPTY(&rn.list);
}

void
command_removed(size_t i)
{
	struct running *r;

	LIST_FOREACH(r, &rn.list, of)
		if (r->c.walks && r->c.at > i)
			r->c.at--;
}

/* ---- remove -------------------------------------------------------------- */

/* All unread messages; *n: how many.  0, -1 with errno: some are there. */
static int
remove_unread(unsigned int *n)
{
	char name[NAME_TEXT];
	int error = 0;
	size_t i;

	for (i = store_count(); i-- > 0;) {
		if (store_get(i)->kind != IN_RAW)
			continue;
		strlcpy(name, store_get(i)->name, sizeof(name));
		if (store_remove(name) == 0)
			++*n;
		else
			error = errno;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

static void
remove_run(const struct command *c)
{
	bool all = strcmp(c->arg, "unread") == 0;
	unsigned int n = 0;
	int rc;

	if (all)
		rc = remove_unread(&n);
	else if ((rc = store_remove(c->arg)) == 0)
		n = 1;
	if (rc == -1 && errno == ENOENT)
		proc_done(c->ask, EX_NOINPUT, "no report %s", c->arg);
	else if (rc == -1)
		proc_done(c->ask, EX_IOERR, "%u removed, then: %s", n,
		    strerror(errno));
	else if (n > 0 && store_sync() == -1)
		proc_done(c->ask, EX_IOERR, "%u removed, but that may not "
		    "outlast a crash: %s", n, strerror(errno));
	else
		proc_done(c->ask, EX_OK, "%u removed", n);
}

/* ---- words --------------------------------------------------------------- */

static const struct verb *
verb_find(const char *name)
{
	size_t i;

	for (i = 1; i < NITEMS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
usage(uint32_t ask)
{
	proc_done(ask, EX_USAGE, "%s", usage_text);
	return -1;
}

/* An option, its value being the next word.  Words used, 0: it is none. */
static size_t
option(struct command *c, struct slice w, struct slice next, bool *breaks)
{
	uint64_t days;

	if (slice_is(w, "--all"))
		c->all = true;
	else if (slice_is(w, "--breaks"))
		*breaks = true;
	else if (slice_is(w, "--days") &&
	    slice_number(next, DAYS_MAX, &days) == 0 && days > 0) {
		c->days = (unsigned int)days;
		return 2;
	} else
		return 0;
	return 1;
}

/* Words to verb and argument; a word that is no verb is a domain. */
static int
words(struct command *c, const struct slice *w, size_t n,
    const struct verb **verb)
{
	struct slice none = { "", 0 };
	bool breaks = false;
	char word[IN_DOMAIN];
	size_t i, k;

	*verb = NULL;
	for (i = 0; i < n; i += k) {
		if ((k = option(c, w[i], i + 1 < n ? w[i + 1] : none,
		    &breaks)) > 0)
			continue;
		k = 1;
		if (slice_cpy(w[i], word, sizeof(word)) == -1 ||
		    word[0] == '-' || c->arg[0] != '\0')
			return -1;
		if (*verb == NULL && (*verb = verb_find(word)) != NULL)
			continue;
		if (*verb == NULL)
			*verb = &verbs[1];
		strlcpy(c->arg, word, sizeof(c->arg));
	}
	if (*verb == NULL)
		*verb = &verbs[0];
	if (breaks && *verb != &verbs[1])
		return -1;
	if (breaks)
		*verb = verb_find("reject");
	return ((*verb)->arg == A_MUST && c->arg[0] == '\0') ||
	    ((*verb)->arg == A_NONE && c->arg[0] != '\0') ? -1 : 0;
}

void
command_run(uint32_t ask, struct slice args)
{
	struct command c = { .ask = ask, .days = DAYS, .house = rn.house };
	const struct verb *verb;
	struct slice w[16];
	struct item_arg it;
	char domain[IN_DOMAIN];
	const char *near;
	size_t off = 0, n = 0;

	while (n < NITEMS(w) && item_arg_get(args, &off, &it) == 1)
		w[n++] = it.text;
	if (n == 0 || n == NITEMS(w) || words(&c, w + 1, n - 1, &verb) == -1) {
		usage(ask);
		return;
	}
	if (verb->domain && c.arg[0] != '\0') {
		if (domain_ascii(slice_str(c.arg), domain) == -1 ||
		    house_domain(rn.house, domain) == NULL) {
			near = house_near(rn.house, c.arg);
			proc_done(ask, EX_DATAERR, "%s is no domain of ours"
			    "%s%s%s", c.arg, near == NULL ? "" : "; did you "
			    "mean ", near == NULL ? "" : near,
			    near == NULL ? "" : "?");
			return;
		}
		strlcpy(c.arg, domain, sizeof(c.arg));
	}
	c.verb = verb->name;
	c.from = now_sec() - (uint64_t)c.days * DAY;
	if (verb->step == NULL)
		remove_run(&c);
	else
		begin(&c, verb);
}
