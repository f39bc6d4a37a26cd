/*
 * mailctl dkim: which signing keys there are, what they are for and what
 * belongs into the DNS; and what time makes of them.  Whether the record of
 * a waiting key is in the DNS is found out by signd dkim, which tells no more
 * than that; maild writes it down and starts a signd that signs with the key.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define LOOK_SECONDS	3600	/* at the keys' dates, at least so often */
#define AGAIN_SECONDS	60	/* when what is due could not be done */

/* What signd last saw of a key that waits. */
struct seen {
	TAILQ_ENTRY(seen) entry;
	char		 name[400];	/* "DOMAIN/SELECTOR" */
	enum dkim_seen	 what;
};

static TAILQ_HEAD(, seen) seens = TAILQ_HEAD_INITIALIZER(seens);

bool
dkim_domain(const char *s, char *domain, size_t size)
{
	if (!domain_valid(slice_str(s), 0) || strchr(s, '_') != NULL ||
	    s[strlen(s) - 1] == '.' || strlcpy(domain, s, size) >= size)
		return false;
	for (; *domain != '\0'; domain++)
		*domain = (char)ascii_lower((unsigned char)*domain);
	return true;
}

/* ---- what time brings ---------------------------------------------------- */

static void
on_time(evutil_socket_t fd, short ev, void *arg)
{
	dkim_watch(arg);
}

void
dkim_watch(struct house *h)
{
	struct timeval tv = { LOOK_SECONDS, 0 };
	uint64_t now = now_sec(), next;

	if (h->dkim_timer == NULL && (h->dkim_timer = evtimer_new(h->base,
	    on_time, h)) == NULL)
		fatalx("dkim: no event");
	next = signkeys_settle(h->conf->dkim.directory, now,
	    h->conf->dkim.retire);
	if (next < now + LOOK_SECONDS)
		tv.tv_sec = next > now ? (time_t)(next - now) : AGAIN_SECONDS;
	event_add(h->dkim_timer, &tv);
}

void
dkim_begin(struct house *h)
{
	signkeys_sweep(h->conf->dkim.directory);
	dkim_watch(h);
}

static struct seen *
seen_find(const char *name)
{
	struct seen *s;

	TAILQ_FOREACH(s, &seens, entry)
		if (strcmp(s->name, name) == 0)
			break;
	return s;
}

/* Kept for dkim show; forgotten when the key does not wait any more. */
static void
seen_set(const char *name, enum dkim_seen what, bool waits)
{
	struct seen *s = seen_find(name);

	if (!waits && s != NULL) {
		TAILQ_REMOVE(&seens, s, entry);
		free(s);
	}
	if (!waits)
		return;
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		strlcpy(s->name, name, sizeof(s->name));
		TAILQ_INSERT_TAIL(&seens, s, entry);
	}
	s->what = what;
}

/* Its record is in the DNS: what follows must not be undone by an end of any
 * process, so the state comes first.  Until a signd has the key to sign with
 * the one that waits tells us again. */
static void
key_seen(struct house *h, const char *domain, const char *selector)
{
	const char *dir = h->conf->dkim.directory;
	char err[1200], record[SIGNKEY_RECORD];
	struct signkeys l;
	struct signkey *k;

	if (signkeys_read(dir, domain, &l, err, sizeof(err)) == -1) {
		log_warnx("%s", err);
		return;
	}
	k = signkeys_find(&l, domain, selector);
	if (k != NULL && k->algorithm == ALG_UNKNOWN)	/* a state has one */
		(void)dkim_record(h, k, record);
	if (k != NULL && k->kept && (k->state == KEY_ACTIVE ||
	    (k->state == KEY_WAITING &&
	    signkeys_promote(dir, &l, k, now_sec()) == 0)))
		reload_dkim(h, NULL, "");
	signkeys_free(&l);
}

void
dkim_on_seen(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;
	const struct files *f = c->house->files;
	const struct dkim_seen_ev *e = &m->body->dkim_seen_ev;
	char name[400], *slash;
	size_t i;

	if (!c->current || e->seen > SEEN_KEY ||
	    slice_cpy(e->name, name, sizeof(name)) == -1)
		return;
	for (i = 0; i < f->ndkim; i++)	/* only what it was given */
		if (f->dkim[i].waits && strcmp(f->dkim[i].name, name) == 0)
			break;
	if (i == f->ndkim)
		return;
	seen_set(name, (enum dkim_seen)e->seen, e->seen != SEEN_KEY);
	if (e->seen == SEEN_KEY && (slash = strchr(name, '/')) != NULL) {
		*slash = '\0';
		key_seen(c->house, name, slash + 1);
	}
}

/* ---- rows ---------------------------------------------------------------- */

static void
time_text(uint64_t when, char *text, size_t size)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strlcpy(text, "", size);
}

static void
key_note(const struct house *h, const struct signkey *k, char *note,
    size_t size)
{
	static const char *const word[] = {
		[SEEN_NONE] = "no record in the DNS yet",
		[SEEN_OTHER] = "the record in the DNS is not that of this key",
		[SEEN_MANY] = "several records in the DNS; one is right",
		[SEEN_TEMP] = "the DNS gives no answer",
		[SEEN_KEY] = "",
	};
	char name[400], until[32];
	struct seen *s;

	*note = '\0';
	snprintf(name, sizeof(name), "%s/%s", k->domain, k->selector);
	switch (k->state) {
	case KEY_WAITING:
		if ((s = seen_find(name)) != NULL)
			strlcpy(note, word[s->what], size);
		break;
	case KEY_ACTIVE:
		break;
	case KEY_REPLACED:
		time_text(k->since + h->conf->dkim.retire, until,
		    sizeof(until));
		snprintf(note, size, "keep its record till %s", until);
		break;
	case KEY_RETIRED:
		strlcpy(note, "may be removed from the DNS", size);
		break;
	}
}

void
dkim_row(struct house *h, struct command *cmd, const struct signkey *k,
    const char *record, bool used)
{
	struct row row = { .n = 0 };
	char name[400], since[32], note[128];

	snprintf(name, sizeof(name), "%s._domainkey.%s", k->selector,
	    k->domain);
	time_text(k->since, since, sizeof(since));
	key_note(h, k, note, sizeof(note));
	row_str(&row, "domain", slice_str(k->domain));
	row_str(&row, "selector", slice_str(k->selector));
	row_str(&row, "algorithm", slice_str(signkey_algorithm(k->algorithm)));
	row_str(&row, "state", slice_str(k->state == KEY_ACTIVE && !used ?
	    "unused" : signkey_state(k->state)));
	row_str(&row, "since", slice_str(since));
	row_str(&row, "note", slice_str(note));
	row_str(&row, "name", slice_str(name));
	row_str(&row, "type", slice_str("TXT"));
	row_str(&row, "value", slice_str(record));
	command_row(cmd, &row);
}

int
dkim_record(struct house *h, struct signkey *k, char record[SIGNKEY_RECORD])
{
	static const char *const args[] = { "dkim-public", NULL };
	const char *dir = h->conf->dkim.directory;
	char path[SIGNKEY_PATH];
	struct key_job job;
	int fd, ret = -1;

	if (signkey_record(dir, k, record) == 0)
		return 0;
	signkey_path(dir, k, "key", path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK)) == -1)
		return -1;
	if (key_start(h, &job, ROLE_SIGND_DKIM, fd, args) == 0 &&
	    key_finish(&job, record, SIGNKEY_RECORD) == 0)
		ret = 0;
	close(fd);
	record[strcspn(record, "\n")] = '\0';
	if (ret == 0 && k->algorithm == ALG_UNKNOWN)
		k->algorithm = strstr(record, "k=ed25519;") != NULL ?
		    ALG_ED25519 : ALG_RSA;
	return ret;
}

/* ---- commands ------------------------------------------------------------ */

void
dkim_none(const struct house *h, struct command *cmd, const char *domain)
{
	const char *near = domain == NULL ? NULL : domain_near(h->conf,
	    domain);

	if (near != NULL)
		command_done(cmd, EX_DATAERR, "%s: no signing key; did you "
		    "mean %s?", domain, near);
	else
		command_done(cmd, EX_DATAERR, "%s: no signing key; make one: "
		    "mailctl dkim create %s", domain == NULL ? "no domain" :
		    domain, domain == NULL ? "DOMAIN" : domain);
}

static void
dkim_show(struct house *h, struct command *cmd, const char *domain)
{
	char record[SIGNKEY_RECORD], err[1200];
	struct signkeys l;
	size_t rows = 0;

	if (signkeys_read(h->conf->dkim.directory, domain, &l, err,
	    sizeof(err)) == -1) {
		command_done(cmd, EX_OSERR, "%s", err);
		return;
	}
	for (size_t i = 0; i < l.n; i++) {
		struct signkey *k = &l.v[i];

		if (dkim_record(h, k, record) == -1)
			strlcpy(record, "(key cannot be read)",
			    sizeof(record));
		dkim_row(h, cmd, k, record, k == signkeys_last(&l, k->domain,
		    k->algorithm, KEY_ACTIVE));
		rows++;
	}
	signkeys_free(&l);
	if (rows == 0 && domain != NULL)
		dkim_none(h, cmd, domain);
	else
		command_done(cmd, EX_OK, "%s", "");
}

/* Forget a key that mail is not signed with. */
static void
dkim_remove(struct house *h, struct command *cmd, const char *domain,
    const char *selector)
{
	const char *dir = h->conf->dkim.directory;
	char err[1200], name[400];
	struct signkeys l;
	struct signkey *k;

	if (signkeys_read(dir, domain, &l, err, sizeof(err)) == -1) {
		command_done(cmd, EX_OSERR, "%s", err);
		return;
	}
	if ((k = signkeys_find(&l, domain, selector)) == NULL)
		command_done(cmd, EX_DATAERR, "%s has no key %s; there are: "
		    "mailctl dkim show %s", domain, selector, domain);
	else if (k->state == KEY_ACTIVE && k == signkeys_last(&l, domain,
	    k->algorithm, KEY_ACTIVE))
		command_done(cmd, EX_DATAERR, "%s is signed with; first have "
		    "another: mailctl dkim rotate %s", selector, domain);
	else if (signkey_unlink(dir, k, "key") == -1 ||
	    signkey_unlink(dir, k, "txt") == -1 ||
	    signkey_unlink(dir, k, "state") == -1)
		command_done(cmd, EX_OSERR, "%s.%s: cannot be removed; the "
		    "log tells why", domain, selector);
	else {
		snprintf(name, sizeof(name), "%s/%s", domain, selector);
		seen_set(name, SEEN_NONE, false);
		log_notice("dkim key removed domain=%s selector=%s", domain,
		    selector);
		reload_dkim(h, cmd, "removed; its record may be removed "
		    "from the DNS");
	}
	signkeys_free(&l);
}

void
dkim_run(struct house *h, struct command *cmd, char **args, size_t n)
{
	char domain[256];

	if (n >= 2 && strcmp(args[1], "create") == 0)
		dkim_create(h, cmd, args, n);
	else if (n >= 2 && strcmp(args[1], "rotate") == 0)
		dkim_rotate(h, cmd, args, n);
	else if (n == 2 && strcmp(args[1], "show") == 0)
		dkim_show(h, cmd, NULL);
	else if (n == 3 && strcmp(args[1], "show") == 0 &&
	    dkim_domain(args[2], domain, sizeof(domain)))
		dkim_show(h, cmd, domain);
	else if (n == 4 && strcmp(args[1], "remove") == 0 &&
	    dkim_domain(args[2], domain, sizeof(domain)))
		dkim_remove(h, cmd, domain, args[3]);
	else
		command_done(cmd, EX_USAGE, "usage: dkim create DOMAIN "
		    "[SELECTOR [rsa | ed25519]] | rotate DOMAIN | rotate "
		    "--all | show [DOMAIN] | remove DOMAIN SELECTOR");
}
