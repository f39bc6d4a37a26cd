/*
 * Signing keys on disk and what each is for.  Run by maild, which alone
 * writes in dkim.directory and never reads a private key.
 *
 *	DOMAIN.SELECTOR.key	the private part, till the key is retired
 *	DOMAIN.SELECTOR.txt	its record for the DNS
 *	DOMAIN.SELECTOR.state	one line: state, since (s UTC), algorithm
 *
 * Invariants, whenever the machine stops: a key is signed with only in state
 * active, or without a state file (put there by hand, or of a time before
 * states), which counts as older than any other; of several active ones of
 * an algorithm the newest signs; a state is on disk before what follows from
 * it, and so is the record; a state that cannot be read is waiting, which the
 * DNS will settle.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define LINE_SIZE	80	/* of a state file */
#define ENTRIES_MAX	(4 * DKIM_MAX)	/* retired ones too */
#define RETIRED_KEPT	(90 * 86400)	/* s a retired one is remembered */
#define TMP_SUFFIX	13	/* ".key.XXXXXXXX" */
#define TMP_RANDOM	8

static int	 name_read(const char *, struct signkey *);
static void	 state_read(const char *, struct signkey *);
static void	 record_algorithm(const char *, struct signkey *);
static int	 key_compare(const void *, const void *);
static int	 name_compare(const void *, const void *);

static const char *const state_name[] = {
	[KEY_WAITING] = "waiting", [KEY_ACTIVE] = "active",
	[KEY_REPLACED] = "replaced", [KEY_RETIRED] = "retired",
};

const char *
signkey_state(enum key_state state)
{
	return state_name[state];
}

const char *
signkey_algorithm(enum key_algorithm algorithm)
{
	static const char *const name[] = {
		[ALG_UNKNOWN] = "unknown", [ALG_RSA] = "rsa",
		[ALG_ED25519] = "ed25519"
	};

	return name[algorithm];
}

void
signkey_path(const char *dir, const struct signkey *k, const char *ending,
    char path[SIGNKEY_PATH])
{
	snprintf(path, SIGNKEY_PATH, "%s/%s.%s.%s", dir, k->domain,
	    k->selector, ending);
}

/* ---- reading ------------------------------------------------------------- */

int
signkeys_read(const char *dir, const char *domain, struct signkeys *l,
    char *err, size_t errsize)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	size_t n = 0, i;
	int error;

	l->n = 0;
	l->v = NULL;
	if (d == NULL) {
		snprintf(err, errsize, "%s: cannot be read: %s", dir,
		    strerror(errno));
		return -1;
	}
	l->v = xcalloc(ENTRIES_MAX, sizeof(*l->v));
	while ((void)(errno = 0), n < ENTRIES_MAX && (e = readdir(d)) != NULL)
		if (name_read(e->d_name, &l->v[n]) == 0 && (domain == NULL ||
		    strcmp(l->v[n].domain, domain) == 0))
			n++;
	error = errno;
	closedir(d);
	if (error != 0) {		/* which others there are is unknown */
		snprintf(err, errsize, "%s: cannot be read: %s", dir,
		    strerror(error));
		signkeys_free(l);
		return -1;
	}
	if (n == ENTRIES_MAX) {
		snprintf(err, errsize, "%s: %d keys and states are too many",
		    dir, ENTRIES_MAX);
		signkeys_free(l);
		return -1;
	}
	/* a key and its state have one name */
	qsort(l->v, n, sizeof(*l->v), name_compare);
	for (i = 0; i < n; i++)
		if (l->n == 0 || name_compare(&l->v[l->n - 1], &l->v[i]) != 0)
			l->v[l->n++] = l->v[i];
	for (i = 0; i < l->n; i++)
		state_read(dir, &l->v[i]);
	qsort(l->v, l->n, sizeof(*l->v), key_compare);
	return 0;
}

bool
signkeys_room(const struct signkeys *l, size_t n)
{
	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].kept && (l->v[i].state == KEY_ACTIVE ||
		    l->v[i].state == KEY_WAITING);
	return n <= DKIM_MAX;
}

void
signkeys_free(struct signkeys *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

/* "DOMAIN.SELECTOR.key" or ".state": the selector is the last label. */
static int
name_read(const char *file, struct signkey *k)
{
	size_t n = strlen(file);
	char name[300], *dot;

	if (n > 4 && strcmp(file + n - 4, ".key") == 0)
		n -= 4;
	else if (n > 6 && strcmp(file + n - 6, ".state") == 0)
		n -= 6;
	else
		return -1;
	if (n >= sizeof(name) || strcmp(file, "ticket.key") == 0)
		return -1;
	memcpy(name, file, n);
	name[n] = '\0';
	if ((dot = strrchr(name, '.')) == NULL || dot == name || dot[1] == '\0')
		return -1;
	*dot = '\0';
	memset(k, 0, sizeof(*k));
	return strlcpy(k->domain, name, sizeof(k->domain)) <
	    sizeof(k->domain) && strlcpy(k->selector, dot + 1,
	    sizeof(k->selector)) < sizeof(k->selector) ? 0 : -1;
}

static int
line_parse(const char *line, struct signkey *k)
{
	char state[16], algorithm[16];
	unsigned long long since;

	if (sscanf(line, "%15s %19llu %15s", state, &since, algorithm) != 3)
		return -1;
	k->since = since;
	k->algorithm = strcmp(algorithm, "ed25519") == 0 ? ALG_ED25519 :
	    strcmp(algorithm, "rsa") == 0 ? ALG_RSA : ALG_UNKNOWN;
	for (size_t i = 0; i < NITEMS(state_name); i++)
		if (strcmp(state, state_name[i]) == 0) {
			k->state = (enum key_state)i;
			return k->algorithm == ALG_UNKNOWN ? -1 : 0;
		}
	return -1;
}

static void
state_read(const char *dir, struct signkey *k)
{
	char path[SIGNKEY_PATH], line[LINE_SIZE];
	struct stat st;
	ssize_t n = -1;
	int fd;

	signkey_path(dir, k, "key", path);
	if (stat(path, &st) == 0) {
		k->kept = true;
		k->since = (uint64_t)st.st_mtime;
	} else		/* its state may not be forgotten when in doubt */
		k->kept = errno != ENOENT;
	signkey_path(dir, k, "state", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	k->stated = fd != -1 || errno != ENOENT;
	if (fd != -1) {
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	line[n > 0 ? n : 0] = '\0';
	if (!k->stated)
		k->state = KEY_ACTIVE;
	else if (line_parse(line, k) == 0)
		return;
	else {
		log_warnx("%s is damaged: the key waits for its record", path);
		k->state = KEY_WAITING;
	}
	record_algorithm(dir, k);
}

/* Of a key without a state: as its record says. */
static void
record_algorithm(const char *dir, struct signkey *k)
{
	char record[SIGNKEY_RECORD];

	k->algorithm = ALG_UNKNOWN;
	if (signkey_record(dir, k, record) == 0)
		k->algorithm = strstr(record, "k=ed25519;") != NULL ?
		    ALG_ED25519 : ALG_RSA;
}

int
signkey_record(const char *dir, const struct signkey *k,
    char record[SIGNKEY_RECORD])
{
	char path[SIGNKEY_PATH];
	ssize_t n = -1;
	int fd;

	signkey_path(dir, k, "txt", path);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK)) != -1) {
		n = read(fd, record, SIGNKEY_RECORD - 1);
		close(fd);
	}
	record[n > 0 ? n : 0] = '\0';
	record[strcspn(record, "\n")] = '\0';
	return n > 0 ? 0 : -1;
}

static int
name_compare(const void *a, const void *b)
{
	const struct signkey *x = a, *y = b;
	int d = strcmp(x->domain, y->domain);

	return d != 0 ? d : strcmp(x->selector, y->selector);
}

/* By domain and age: the one that signs is the last active one. */
static int
key_compare(const void *a, const void *b)
{
	const struct signkey *x = a, *y = b;
	int d = strcmp(x->domain, y->domain);

	if (d != 0)
		return d;
	if (x->stated != y->stated)
		return x->stated ? 1 : -1;
	if (x->stated && x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return strcmp(x->selector, y->selector);
}

/* Behind the last key of the domain. */
static size_t
domain_end(const struct signkeys *l, const char *domain)
{
	size_t from = 0, to = l->n, mid;

	while (from < to) {
		mid = from + (to - from) / 2;
		if (strcmp(l->v[mid].domain, domain) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct signkey *
signkeys_find(const struct signkeys *l, const char *domain,
    const char *selector)
{
	for (size_t i = domain_end(l, domain); i-- > 0 &&
	    strcmp(l->v[i].domain, domain) == 0;)
		if (strcmp(l->v[i].selector, selector) == 0)
			return &l->v[i];
	return NULL;
}

struct signkey *
signkeys_last(const struct signkeys *l, const char *domain,
    enum key_algorithm algorithm, enum key_state state)
{
	for (size_t i = domain_end(l, domain); i-- > 0 &&
	    strcmp(l->v[i].domain, domain) == 0;)
		if (l->v[i].kept && l->v[i].state == state &&
		    l->v[i].algorithm == algorithm)
			return &l->v[i];
	return NULL;
}

/* ---- writing ------------------------------------------------------------- */

static int
file_write(const char *path, const char *text)
{
	char tmp[SIGNKEY_PATH + 16];
	int fd, saved;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	unlink(tmp);
	if ((fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0644)) == -1)
		return -1;
	if (write_all(fd, text, strlen(text)) == 0 && fsync(fd) == 0 &&
	    rename(tmp, path) == 0) {
		close(fd);
		return key_sync_parent(path);
	}
	saved = errno;
	close(fd);
	unlink(tmp);
	errno = saved;
	return -1;
}

int
signkey_write_record(const char *dir, const struct signkey *k,
    const char *record)
{
	char path[SIGNKEY_PATH];

	signkey_path(dir, k, "txt", path);
	return file_write(path, record);
}

int
signkey_set(const char *dir, struct signkey *k, enum key_state state,
    uint64_t since)
{
	char path[SIGNKEY_PATH], line[LINE_SIZE];

	snprintf(line, sizeof(line), "%s %llu %s\n", state_name[state],
	    (unsigned long long)since, signkey_algorithm(k->algorithm));
	signkey_path(dir, k, "state", path);
	if (file_write(path, line) == -1) {
		log_warn("%s cannot be written", path);
		return -1;
	}
	k->state = state;
	k->since = since;
	k->stated = true;
	log_notice("dkim key domain=%s selector=%s algorithm=%s state=%s",
	    k->domain, k->selector, signkey_algorithm(k->algorithm),
	    state_name[state]);
	return 0;
}

int
signkey_unlink(const char *dir, const struct signkey *k, const char *ending)
{
	char path[SIGNKEY_PATH];

	signkey_path(dir, k, ending, path);
	if (unlink(path) == -1) {
		if (errno == ENOENT)
			return 0;
		log_warn("%s cannot be removed", path);
		return -1;
	}
	return key_sync_parent(path);
}

/* ---- what becomes of them ------------------------------------------------ */

/* Older ones of its domain and algorithm are not signed with any more.  Those
 * without a state were put there by hand: only a rotation touches them. */
static void
key_replaces(const char *dir, struct signkeys *l, const struct signkey *k,
    bool all)
{
	for (size_t i = domain_end(l, k->domain); i-- > 0 &&
	    strcmp(l->v[i].domain, k->domain) == 0;) {
		struct signkey *o = &l->v[i];

		if (o != k && o->kept && (all || o->stated) &&
		    o->state == KEY_ACTIVE &&
		    o->algorithm == k->algorithm)
			(void)signkey_set(dir, o, KEY_REPLACED, k->since);
	}
}

int
signkeys_promote(const char *dir, struct signkeys *l, struct signkey *k,
    uint64_t now)
{
	for (size_t i = 0; i < l->n; i++)	/* a clock set back */
		if (l->v[i].stated && l->v[i].state == KEY_ACTIVE &&
		    strcmp(l->v[i].domain, k->domain) == 0 &&
		    l->v[i].since >= now)
			now = l->v[i].since + 1;
	if (signkey_set(dir, k, KEY_ACTIVE, now) == -1)
		return -1;
	key_replaces(dir, l, k, true);
	return 0;
}

/* One key: what its state asks for and has not been done. */
static void
key_settle(const char *dir, struct signkeys *l, struct signkey *k,
    uint64_t now, unsigned int keep, uint64_t *next)
{
	if (!k->kept && (k->state == KEY_WAITING || k->state == KEY_ACTIVE)) {
		if (signkey_unlink(dir, k, "txt") == 0)	/* never made */
			(void)signkey_unlink(dir, k, "state");
		return;
	}
	switch (k->state) {
	case KEY_WAITING:
		return;
	case KEY_ACTIVE:
		if (k->stated && k == signkeys_last(l, k->domain,
		    k->algorithm, KEY_ACTIVE))
			key_replaces(dir, l, k, false);
		return;
	case KEY_REPLACED:
		if (k->since + keep > now) {
			if (k->since + keep < *next)
				*next = k->since + keep;
			return;
		}
		if (signkey_unlink(dir, k, "key") == 0) {
			k->kept = false;
			(void)signkey_set(dir, k, KEY_RETIRED, now);
		}
		return;
	case KEY_RETIRED:
		if (k->kept && signkey_unlink(dir, k, "key") == 0)
			k->kept = false;
		if (!k->kept && k->since + RETIRED_KEPT <= now &&
		    signkey_unlink(dir, k, "txt") == 0)
			(void)signkey_unlink(dir, k, "state");
		return;
	}
}

uint64_t
signkeys_settle(const char *dir, uint64_t now, unsigned int keep)
{
	struct signkeys l;
	char err[1200];
	uint64_t next = UINT64_MAX;

	if (signkeys_read(dir, NULL, &l, err, sizeof(err)) == -1) {
		log_warnx("%s", err);
		return next;
	}
	for (size_t i = l.n; i-- > 0;)	/* the newest first */
		key_settle(dir, &l, &l.v[i], now, keep, &next);
	for (size_t i = 0; i < l.n; i++)	/* what that has replaced */
		if (l.v[i].state == KEY_REPLACED && l.v[i].since + keep < next)
			next = l.v[i].since + keep;
	signkeys_free(&l);
	return next;
}

void
signkeys_sweep(const char *dir)
{
	char path[SIGNKEY_PATH];
	struct dirent *e;
	DIR *d = opendir(dir);
	size_t n;

	while (d != NULL && (e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n <= TMP_SUFFIX || strncmp(e->d_name + n - TMP_SUFFIX,
		    ".key.", 5) != 0 || strchr(e->d_name + n - TMP_RANDOM,
		    '.') != NULL)	/* a key of a domain "example.key" */
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		log_notice("%s: of a key that was not finished, removed",
		    path);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
}
