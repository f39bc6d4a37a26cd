/*
 * mailctl domain add and del: one line of the configuration changes.  The
 * file is written beside, read as at a start, and takes its place only when
 * all of it means what the old one did, but for that domain; then it is
 * applied, and when it cannot be, the old one comes back.  What that does to
 * accounts and aliases is asked of authd before.
 *
 * Only root may: who is of the control socket's group has no say in the
 * configuration.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/near.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/conf_yaml.h"
#include "maild/domain_line.h"
#include "maild/maild.h"

#define ASK_MS		10000	/* authd, which goes through its aliases */
#define WHY_MAX		3000

struct change {
	struct house	*house;
	struct command	*cmd;
	bool		 add, force;
	char		 domain[DOMAIN_TEXT];
	char		 path[PATH_MAX];	/* without symbolic links */
};

/* ---- what it would be ---------------------------------------------------- */

/* All values as text, but for those that the domains shape. */
struct values {
	char	*p;
	size_t	 n, cap;
};

static void
value_add(const char *key, unsigned int index, const char *value, void *arg)
{
	static const char *const shaped[] = { "domains", "reports.addresses",
	    "dns.resolvers" };
	struct values *v = arg;
	size_t i, len = strlen(key) + strlen(value) + 16;

	for (i = 0; i < NITEMS(shaped); i++)
		if (strcmp(key, shaped[i]) == 0)
			return;
	if (v->cap - v->n < len) {
		v->cap = 2 * v->cap + len + 4096;
		v->p = xreallocarray(v->p, v->cap, 1);
	}
	v->n += (size_t)snprintf(v->p + v->n, len, "%s.%u=%s\n", key, index,
	    value);
}

static bool
same_values(const struct conf *a, const struct conf *b)
{
	struct values va = { NULL, 0, 0 }, vb = { NULL, 0, 0 };
	bool same;

	conf_each(a, -1, value_add, &va);
	conf_each(b, -1, value_add, &vb);
	same = slice_eq(slice_of(va.p, va.n), slice_of(vb.p, vb.n));
	free(va.p);
	free(vb.p);
	return same;
}

/* The domains of b are those of a, but for one that a has not (add) or b has
 * not; in their order. */
static bool
same_domains(const struct conf *a, const struct conf *b, const char *domain,
    bool add)
{
	const struct conf *more = add ? b : a, *less = add ? a : b;
	size_t i, at = domain == NULL ? more->ndomains :
	    conf_domain(more, domain);

	if (less->ndomains + (domain != NULL) != more->ndomains ||
	    (domain != NULL && at == more->ndomains))
		return false;
	for (i = 0; i < less->ndomains; i++)
		if (strcasecmp(less->domains[i],
		    more->domains[i + (i >= at)]) != 0)
			return false;
	return true;
}

static struct conf *
load(const char *path, char *why)
{
	struct conf_errors *errors = xcalloc(1, sizeof(*errors));
	struct conf *conf = conf_yaml_load(path, errors);

	if (conf == NULL)
		snprintf(why, WHY_MAX, "%.*s", (int)strlen(errors->text) - 1,
		    errors->text);
	free(errors);
	return conf;
}

/* ---- files --------------------------------------------------------------- */

static char *
read_file(const char *path, size_t *n, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;

	if (fd != -1 && fstat(fd, st) == 0)
		text = read_fd(fd, CONF_FILE_MAX, n);
	if (fd != -1)
		close(fd);
	return text;
}

/* A new file with owner and mode of the old one, on the disk.  0, -1. */
static int
write_file(const char *path, const struct stat *st, const char *text, size_t n)
{
	int ret, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);

	if (fd == -1)
		return -1;
	ret = write_all(fd, text, n);
	if (ret == 0 && (st->st_uid != 0 || st->st_gid != 0))
		ret = fchown(fd, st->st_uid, st->st_gid);
	if (ret == 0)
		ret = fchmod(fd, st->st_mode & 07777);
	if (ret == 0)
		ret = fsync(fd);
	close(fd);
	return ret;
}

/* Put next in the place of path, whose old text stays under the name old.  0,
 * or -1: all is as it was. */
static int
file_replace(const char *path, const char *next, const char *old)
{
	unlink(old);
	if (link(path, old) == -1)
		return -1;
	if (rename(next, path) == 0) {
		if (key_sync_parent(path) == 0)
			return 0;
		(void)rename(old, path);
	}
	unlink(old);
	return -1;
}

/* ---- the change ---------------------------------------------------------- */

static void
by_hand(const struct change *g, char *why, const char *reason)
{
	snprintf(why, WHY_MAX, "%.1000s: %s, nothing was changed; %s \"%s\" %s "
	    "\"domains\" there yourself, then: mailctl reload", g->path, reason,
	    g->add ? "add" : "take", g->domain, g->add ? "to" : "out of");
}

/* The file is what runs: else more would be applied than was asked for. */
static bool
file_is_current(const struct change *g, char *why)
{
	struct conf *conf = load(g->path, why);
	bool same;

	if (conf == NULL)
		return false;
	same = same_values(conf, g->house->conf) &&
	    same_domains(conf, g->house->conf, NULL, false);
	conf_free(conf);
	if (!same)
		snprintf(why, WHY_MAX, "%.1000s was changed and is not applied yet; "
		    "first: mailctl reload", g->path);
	return same;
}

/* The new file beside the old one, read as at a start. */
static bool
file_make(const struct change *g, const char *path, char *why)
{
	struct conf *conf;
	struct stat st;
	size_t n, size;
	char *text = read_file(g->path, &n, &st), *out;
	bool ok = false;

	if (text == NULL) {
		by_hand(g, why, strerror(errno));
		return false;
	}
	out = domain_line(slice_of(text, n), g->domain, g->add, &size);
	free(text);
	if (out == NULL) {
		by_hand(g, why, "\"domains\" is no list with a line for each");
		return false;
	}
	unlink(path);
	if (write_file(path, &st, out, size) == -1)
		by_hand(g, why, strerror(errno));
	else if ((conf = load(path, why)) != NULL) {
		ok = same_values(conf, g->house->conf) &&
		    same_domains(g->house->conf, conf, g->domain, g->add);
		if (!ok)
			by_hand(g, why, "one line does not do it");
		conf_free(conf);
	}
	free(out);
	return ok;
}

static void
change_apply(struct change *g)
{
	char next[PATH_MAX], old[PATH_MAX], why[WHY_MAX], reason[128];

	if (snprintf(next, sizeof(next), "%s.new", g->path) >=
	    (int)sizeof(next) || snprintf(old, sizeof(old), "%s.old",
	    g->path) >= (int)sizeof(old)) {
		command_done(g->cmd, EX_CANTCREAT, "%s: too long", g->path);
		return;
	}
	if (g->house->reload != NULL || g->house->stop != NULL) {
		command_done(g->cmd, EX_TEMPFAIL, "a reload is under way; try "
		    "again");
		return;
	}
	if (!file_is_current(g, why) || !file_make(g, next, why)) {
		unlink(next);
		command_done(g->cmd, EX_CONFIG, "%s", why);
		return;
	}
	if (file_replace(g->path, next, old) == -1) {
		snprintf(reason, sizeof(reason), "it cannot be replaced (%s)",
		    strerror(errno));
		by_hand(g, why, reason);
		unlink(next);
		command_done(g->cmd, EX_CANTCREAT, "%s", why);
		return;
	}
	log_notice("domain %s domain=%s file=%s", g->add ? "add" : "del",
	    g->domain, g->path);
	reload_file(g->house, g->cmd, g->path, old);
}

/* ---- what it does to others ---------------------------------------------- */

static void
on_asked(struct chan *chan, struct msg *m, void *arg)
{
	struct change *g = arg;

	if (m != NULL && m->body->main_run_r.code == EX_OK)
		change_apply(g);
	else
		command_done(g->cmd, m == NULL ? EX_TEMPFAIL : EX_DATAERR,
		    "%.*s\nnothing was changed; to do it all the same: "
		    "mailctl domain %s %s --force",
		    m == NULL ? 30 : (int)m->body->main_run_r.text.n,
		    m == NULL ? "authd does not answer" :
		    m->body->main_run_r.text.p, g->add ? "add" : "del",
		    g->domain);
	free(g);
}

static void
change_ask(struct change *g)
{
	char word[DOMAIN_TEXT + 1];

	snprintf(word, sizeof(word), "%c%s", g->add ? '+' : '-', g->domain);
	if (domain_ask(g->house, word, ASK_MS, on_asked, g) == 0) {
		command_done(g->cmd, EX_TEMPFAIL, "authd is not running now, "
		    "who has accounts there cannot be told; try again");
		free(g);
	}
}

uint32_t
domain_ask(struct house *h, const char *words, int ms,
    void (*fn)(struct chan *, struct msg *, void *), void *arg)
{
	struct child *c = child_ready(h, ROLE_AUTHD, 0);
	struct main_run run = { .uid = 0 };
	struct item_arg it = { SLICE_LIT("domain") };
	uint8_t buf[CONF_NLIST * 2 * (DOMAIN_TEXT + 4)];
	struct slice rest = slice_str(words);
	size_t off = 0, n;

	if (c == NULL || c->silent)
		return 0;
	item_arg_put(buf, sizeof(buf), &off, &it);
	it.text = SLICE_LIT("change");
	item_arg_put(buf, sizeof(buf), &off, &it);
	for (; rest.n > 0; rest = slice_of(rest.p + n, rest.n - n)) {
		it.text = slice_of(rest.p, slice_find(rest, ' '));
		n = it.text.n + (it.text.n < rest.n);
		if (item_arg_put(buf, sizeof(buf), &off, &it) == -1)
			return 0;
	}
	run.args = slice_of((char *)buf, off);
	return chan_ask(c->chan, MAIN_RUN, &run, NULL, 0, ms, fn, arg);
}

/* ---- which one was meant ------------------------------------------------- */

const char *
domain_near(const struct conf *c, const char *domain)
{
	const char *known[CONF_NLIST];
	size_t i;

	for (i = 0; i < c->ndomains; i++) {
		known[i] = c->domains[i];
		if (domain_within(domain, known[i]) ||
		    domain_within(known[i], domain))
			return NULL;
	}
	return near_of(slice_str(domain), known, c->ndomains);
}

/* ---- commands ------------------------------------------------------------ */

static bool
change_valid(struct change *g, const char *name)
{
	const struct conf *conf = g->house->conf;
	const char *near;
	bool there;

	if (domain_ascii(slice_str(name), g->domain) == -1 ||
	    !domain_valid(slice_str(g->domain), 0)) {
		command_done(g->cmd, EX_DATAERR, "%s: no domain",
		    log_text(name, strlen(name)));
		return false;
	}
	there = conf_domain(conf, g->domain) < conf->ndomains;
	near = domain_near(conf, g->domain);
	if (there && g->add)
		command_done(g->cmd, EX_CANTCREAT, "%s is one of the domains "
		    "already", g->domain);
	else if (!there && !g->add)
		command_done(g->cmd, EX_NOHOST, "%s is none of the domains; "
		    "%s%s", g->domain, near == NULL ? "there are: mailctl "
		    "domain list" : "did you mean ", near == NULL ? "" : near);
	else if (g->add && conf->ndomains == CONF_NLIST)
		command_done(g->cmd, EX_DATAERR, "at most %d domains",
		    CONF_NLIST);
	else if (!g->add && conf->ndomains == 1)
		command_done(g->cmd, EX_DATAERR, "%s is the only domain; one "
		    "has to be there", g->domain);
	else
		return true;
	return false;
}

void
domain_run(struct house *h, struct command *cmd, uint32_t uid, char **args,
    size_t n)
{
	struct change *g = xcalloc(1, sizeof(*g));
	bool force = command_force(args, &n);

	*g = (struct change){ .house = h, .cmd = cmd, .force = force,
	    .add = strcmp(args[1], "add") == 0 };
	if (n != 3)
		command_done(cmd, EX_USAGE, "usage: domain %s DOMAIN "
		    "[--force]", args[1]);
	else if (uid != 0)
		command_done(cmd, EX_NOPERM, "this changes the configuration: "
		    "only root may");
	else if (realpath(h->conffile, g->path) == NULL)
		command_done(cmd, EX_NOINPUT, "%s: %s", h->conffile,
		    strerror(errno));
	else if (change_valid(g, args[2])) {
		if (!g->force) {
			change_ask(g);
			return;
		}
		change_apply(g);
	}
	free(g);
}
