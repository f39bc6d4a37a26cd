/*
 * mailctl dkim create, dkim rotate: new signing keys, one after the other.
 * The private part goes from keygen straight into a file that only signd
 * dkim is handed; maild keeps the public record beside it.  The first keys
 * of a domain are signed with at once, others when their record is in the
 * DNS (dkim.c); that is on disk before the key has its name.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define STRING_MAX	255	/* octets of one string of a TXT record */
#define PER_DAY		99	/* selectors of a domain made of one date */
#define TEXT_SIZE	3500	/* of an answer */
#define TEXT_KEYS	4	/* as many records are told in it */

static const enum key_algorithm algorithms[] = { ALG_RSA, ALG_ED25519 };

struct dkim_job {
	struct house	*house;
	struct command	*cmd;
	struct key_job	 key;
	struct event	*ev;
	int		 fd;		/* the key's file, under tmp */
	char		 tmp[SIGNKEY_PATH];
	struct signkey	*v;		/* to be made */
	size_t		 n, at;
	char		 text[TEXT_SIZE];	/* zone file lines so far */
};

static void	 job_next(struct dkim_job *);
static void	 on_key(evutil_socket_t, short, void *);

static bool	 busy;		/* with a job: one at a time */

/* ---- names --------------------------------------------------------------- */

/* One label of lower-case letters, digits and hyphens: never a path. */
static bool
selector_valid(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 64 && s[0] != '-' && s[n - 1] != '-' &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* That of an Ed25519 key has an "e" behind it.  -1: it is too long. */
static int
selector_set(struct signkey *k, const char *base, bool marked)
{
	return snprintf(k->selector, sizeof(k->selector), "%s%s", base,
	    marked && k->algorithm == ALG_ED25519 ? "e" : "") <
	    (int)sizeof(k->selector) ? 0 : -1;
}

/* A date that no key of the domain has, nor had. */
static int
selector_make(const struct signkeys *l, const char *domain, char *base,
    size_t size)
{
	char date[32], other[64];
	time_t now = (time_t)now_sec();
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "m%Y%m%d", &tm);
	strlcpy(base, date, size);
	for (int i = 2; i <= PER_DAY; i++) {
		snprintf(other, sizeof(other), "%se", base);
		if (signkeys_find(l, domain, base) == NULL &&
		    signkeys_find(l, domain, other) == NULL)
			return 0;
		snprintf(base, size, "%s-%d", date, i);
	}
	return -1;
}

/* ---- a job --------------------------------------------------------------- */

static void
job_free(struct dkim_job *j)
{
	busy = false;
	if (j->ev != NULL)
		event_free(j->ev);
	free(j->v);
	free(j);
}

static void
job_fail(struct dkim_job *j, int code, const char *what)
{
	const struct signkey *k = &j->v[j->at];

	if (j->fd != -1) {
		close(j->fd);
		unlink(j->tmp);
	}
	command_done(j->cmd, code, "%s.%s: %s", k->domain, k->selector, what);
	if (j->at > 0)			/* those before it are good */
		reload_dkim(j->house, NULL, "");
	job_free(j);
}

/* v of n keys is taken over. */
static void
job_start(struct house *h, struct command *cmd, struct signkey *v, size_t n)
{
	struct dkim_job *j = xcalloc(1, sizeof(*j));

	busy = true;
	j->house = h;
	j->cmd = cmd;
	j->v = v;
	j->n = n;
	j->fd = -1;
	job_next(j);
}

/* What to do with the records. */
static void
job_done(struct dkim_job *j)
{
	const struct conf *conf = j->house->conf;
	char text[TEXT_SIZE + 400];
	const char *when = "mail is signed with it when the domain is among "
	    "domains in the configuration";

	if (conf_domain(conf, j->v[0].domain) < conf->ndomains)
		when = j->v[0].state == KEY_WAITING ? "a key is signed with "
		    "when its record is seen there, the one before it till "
		    "then" : "it is signed with from now on";
	snprintf(text, sizeof(text), "put %s into the zone%s%s; %s.%s%s",
	    j->n == 1 ? "this TXT record" : "these TXT records",
	    j->n > TEXT_KEYS ? "s" : " of ",
	    j->n > TEXT_KEYS ? "" : j->v[0].domain, when,
	    *j->text != '\0' ? "  In a zone file:" : "", j->text);
	reload_dkim(j->house, j->cmd, text);
	job_free(j);
}

static void
job_next(struct dkim_job *j)
{
	const char *dir = j->house->conf->dkim.directory;
	const char *make[2] = { NULL, NULL };
	char path[SIGNKEY_PATH];
	struct signkey *k = &j->v[j->at];

	if (j->at == j->n) {
		job_done(j);
		return;
	}
	make[0] = k->algorithm == ALG_RSA ? "dkim-rsa" : "dkim-ed25519";
	signkey_path(dir, k, "key", path);
	if (access(path, F_OK) == 0)
		job_fail(j, EX_CANTCREAT, "exists; give another selector");
	else if ((j->fd = key_create(path, j->tmp, sizeof(j->tmp))) == -1 ||
	    key_start(j->house, &j->key, ROLE_SIGND_DKIM, j->fd, make) == -1)
		job_fail(j, EX_OSERR, strerror(errno));
	else if ((j->ev = event_new(j->house->base, j->key.out, EV_READ,
	    on_key, j)) == NULL || event_add(j->ev, NULL) == -1)
		fatalx("dkim: no event");
}

/* How a zone file wants it: in strings of at most 255 octets (RFC 1035
 * section 3.3). */
static void
job_record(struct dkim_job *j, const struct signkey *k, const char *record)
{
	char piece[STRING_MAX + 512];

	if (j->n > TEXT_KEYS)
		return;
	snprintf(piece, sizeof(piece), "\n%s._domainkey.%s. IN TXT (",
	    k->selector, k->domain);
	strlcat(j->text, piece, sizeof(j->text));
	for (size_t n = strlen(record), i = 0; i < n; i += STRING_MAX) {
		snprintf(piece, sizeof(piece), " \"%.*s\"", STRING_MAX,
		    record + i);
		strlcat(j->text, piece, sizeof(j->text));
	}
	strlcat(j->text, " )", sizeof(j->text));
}

/* keygen has written: it is done but for its exit. */
static void
on_key(evutil_socket_t fd, short ev, void *arg)
{
	struct dkim_job *j = arg;
	struct signkey *k = &j->v[j->at];
	const char *dir = j->house->conf->dkim.directory;
	char record[SIGNKEY_RECORD], path[SIGNKEY_PATH];
	int keyfd = j->fd;

	event_free(j->ev);
	j->ev = NULL;
	if (key_finish(&j->key, record, sizeof(record)) == -1) {
		job_fail(j, EX_SOFTWARE, "keygen failed");
		return;
	}
	record[strcspn(record, "\n")] = '\0';
	if (signkey_set(dir, k, k->state, now_sec()) == -1 ||
	    signkey_write_record(dir, k, record) == -1) {
		job_fail(j, EX_CANTCREAT, "its state cannot be written");
		return;
	}
	signkey_path(dir, k, "key", path);
	j->fd = -1;
	if (key_commit(keyfd, j->tmp, path) == -1) {
		job_fail(j, EX_CANTCREAT, strerror(errno));
		return;
	}
	k->kept = true;
	dkim_row(j->house, j->cmd, k, record, true);
	job_record(j, k, record);
	j->at++;
	job_next(j);
}

/* ---- create -------------------------------------------------------------- */

static bool
create_args(char **args, size_t n, char *domain, size_t size)
{
	return dkim_domain(args[2], domain, size) &&
	    (n == 3 || selector_valid(args[3]));
}

/* A key for a domain that is none of ours is odd, but may be wanted; for one
 * that is nearly one of ours it is a slip of the pen.  Answered if not. */
static bool
create_meant(const struct house *h, struct command *cmd, const char *domain)
{
	const char *near = domain_near(h->conf, domain);

	if (near != NULL)
		command_done(cmd, EX_DATAERR, "%s is none of the domains; did "
		    "you mean %s?  With --force keys are made for it all the "
		    "same", domain, near);
	return near == NULL;
}

/* The keys wanted, in v; how many, 0 with a message. */
static size_t
create_keys(const struct signkeys *l, const char *domain, char **args,
    size_t n, struct signkey *v, char *err, size_t errsize)
{
	bool first = true;
	char base[64];
	size_t i, k = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].kept && l->v[i].state == KEY_ACTIVE &&
		    strcmp(l->v[i].domain, domain) == 0)
			first = false;
	if (n > 3)
		strlcpy(base, args[3], sizeof(base));
	else if (selector_make(l, domain, base, sizeof(base)) == -1) {
		snprintf(err, errsize, "%s: enough keys for today", domain);
		return 0;
	}
	for (i = 0; i < NITEMS(algorithms); i++) {
		if (n == 5 && strcmp(args[4],
		    signkey_algorithm(algorithms[i])) != 0)
			continue;
		v[k].algorithm = algorithms[i];
		v[k].state = first ? KEY_ACTIVE : KEY_WAITING;
		strlcpy(v[k].domain, domain, sizeof(v[k].domain));
		if (selector_set(&v[k], base, n < 5) == -1 ||
		    signkeys_find(l, domain, v[k].selector) != NULL) {
			snprintf(err, errsize, "%s.%s: exists; give another "
			    "selector", domain, v[k].selector);
			return 0;
		}
		k++;
	}
	return k;
}

/* Keys may be made; the answer is given otherwise. */
static bool
make_ready(struct house *h, struct command *cmd, struct signkeys *l)
{
	char err[1200];

	if (busy) {
		command_done(cmd, EX_TEMPFAIL, "another key is being made; "
		    "try again");
		return false;
	}
	if (signkeys_read(h->conf->dkim.directory, NULL, l, err,
	    sizeof(err)) == -1) {
		command_done(cmd, EX_OSERR, "%s", err);
		return false;
	}
	return true;
}

/* More than signd is handed would keep maild from starting. */
static bool
make_room(struct command *cmd, const struct signkeys *l, size_t n)
{
	if (signkeys_room(l, n))
		return true;
	command_done(cmd, EX_CANTCREAT, "%zu more would be too many: there "
	    "may be %d signing keys, waiting ones counted", n, DKIM_MAX);
	return false;
}

void
dkim_create(struct house *h, struct command *cmd, char **args, size_t n)
{
	char domain[256], err[400];
	struct signkeys l;
	struct signkey *v;
	size_t made;
	bool room, force = command_force(args, &n);

	if (n < 3 || n > 5 || (n == 5 && strcmp(args[4], "rsa") != 0 &&
	    strcmp(args[4], "ed25519") != 0)) {
		command_done(cmd, EX_USAGE, "usage: dkim create DOMAIN "
		    "[SELECTOR [rsa | ed25519]] [--force]");
		return;
	}
	if (!create_args(args, n, domain, sizeof(domain))) {
		command_done(cmd, EX_DATAERR, "dkim: the domain or the "
		    "selector is not right; would be right: example.org %s",
		    "m20260101");
		return;
	}
	if ((!force && !create_meant(h, cmd, domain)) ||
	    !make_ready(h, cmd, &l))
		return;
	v = xcalloc(NITEMS(algorithms), sizeof(*v));
	made = create_keys(&l, domain, args, n, v, err, sizeof(err));
	room = made == 0 || make_room(cmd, &l, made);
	signkeys_free(&l);
	if (!room) {
		free(v);
		return;
	}
	if (made > 0)
		job_start(h, cmd, v, made);
	else {
		free(v);
		command_done(cmd, EX_CANTCREAT, "%s", err);
	}
}

/* ---- rotate -------------------------------------------------------------- */

/* The next keys of a domain: one for each algorithm it signs with, unless
 * one waits already, which is told again.  How many are in v; *told how many
 * wait. */
static size_t
rotate_domain(struct house *h, struct command *cmd, const struct signkeys *l,
    const char *domain, struct signkey *v, size_t *told)
{
	char record[SIGNKEY_RECORD], base[64];
	struct signkey *waiting;
	size_t n = 0;

	if (selector_make(l, domain, base, sizeof(base)) == -1)
		return 0;
	for (size_t i = 0; i < NITEMS(algorithms); i++) {
		waiting = signkeys_last(l, domain, algorithms[i],
		    KEY_WAITING);
		if (waiting != NULL) {
			if (dkim_record(h, waiting, record) == 0)
				dkim_row(h, cmd, waiting, record, false);
			(*told)++;
		} else if (signkeys_last(l, domain, algorithms[i],
		    KEY_ACTIVE) != NULL) {
			strlcpy(v[n].domain, domain, sizeof(v[n].domain));
			v[n].algorithm = algorithms[i];
			v[n].state = KEY_WAITING;
			if (selector_set(&v[n], base, true) == 0)
				n++;
		}
	}
	return n;
}

/* Keys put there by hand have no record beside them: keygen makes it, once. */
static void
rotate_learn(struct house *h, struct signkeys *l, const char *domain)
{
	char record[SIGNKEY_RECORD];

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].algorithm == ALG_UNKNOWN && l->v[i].kept &&
		    (domain == NULL || strcmp(l->v[i].domain, domain) == 0) &&
		    dkim_record(h, &l->v[i], record) == 0)
			(void)signkey_write_record(h->conf->dkim.directory,
			    &l->v[i], record);
}

void
dkim_rotate(struct house *h, struct command *cmd, char **args, size_t n)
{
	bool all = n == 3 && strcmp(args[2], "--all") == 0;
	char domain[256] = "";
	struct signkeys l;
	struct signkey *v;
	size_t made = 0, told = 0, i;
	bool room;

	if (n != 3 || (!all && !dkim_domain(args[2], domain,
	    sizeof(domain)))) {
		command_done(cmd, EX_USAGE, "usage: dkim rotate DOMAIN | "
		    "dkim rotate --all");
		return;
	}
	if (!make_ready(h, cmd, &l))
		return;
	rotate_learn(h, &l, all ? NULL : domain);
	/* a domain's keys lie side by side; two algorithms each at most */
	v = xcalloc(2 * l.n + NITEMS(algorithms), sizeof(*v));
	for (i = 0; i < l.n; i++)
		if ((all || strcmp(l.v[i].domain, domain) == 0) && (i == 0 ||
		    strcmp(l.v[i].domain, l.v[i - 1].domain) != 0))
			made += rotate_domain(h, cmd, &l, l.v[i].domain,
			    v + made, &told);
	room = made == 0 || make_room(cmd, &l, made);
	signkeys_free(&l);
	if (room && made > 0) {
		job_start(h, cmd, v, made);
		return;
	}
	free(v);
	if (!room)
		return;
	if (told > 0)
		command_done(cmd, EX_OK, "waits already: it is signed with "
		    "when its record is in the DNS");
	else
		dkim_none(h, cmd, all ? NULL : domain);
}
