/*
 * .maild: whose a directory is and what it is for, so that a strange, missing
 * or exchanged one is not taken for a fresh one.  Each directory that holds
 * what cannot be made again has one, root's and read-only: the house's id,
 * the directory's role, the level of what is written there.  Run by maild as
 * root before anything is started; nothing else reads or writes it.
 *
 *	no .maild anywhere, nothing there,	a new house: all are adopted
 *	  or a directory.db in auth
 *	all of one house, each in its place	the house
 *	anything else				told, and nothing is started
 *
 * All six are adopted or none: each is written as .maild.new, durably, before
 * the first gets its name, and who finds that half done finishes it.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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
#include "maild/mark_file.h"

#define MARK		".maild"
#define MARK_NEW	".maild.new"	/* of an adoption under way */

enum mark_dir { DIR_AUTH, DIR_STORE, DIR_SPOOL, DIR_REPORTS_IN,
	DIR_REPORTS_OUT, DIR_DKIM, DIR_MAX };

struct place {			/* one of the directories */
	const char	*path;
	struct stat	 st;
	int		 fd;		/* -1: it does not exist */
	bool		 empty;
	struct mark	 mark, begun;	/* begun: MARK_NEW */
};

static const struct { const char *role, *key; } names[DIR_MAX] = {
	[DIR_AUTH] =		{ "auth", "directories.auth" },
	[DIR_STORE] =		{ "store", "directories.store" },
	[DIR_SPOOL] =		{ "spool", "directories.spool" },
	[DIR_REPORTS_IN] =	{ "reports-in", "directories.reports-in" },
	[DIR_REPORTS_OUT] =	{ "reports-out", "directories.reports-out" },
	[DIR_DKIM] =		{ "dkim", "dkim.directory" },
};

struct text { char *p; size_t size; };	/* messages, a line each */

static void	 complain(struct text *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
complain(struct text *t, const char *fmt, ...)
{
	size_t n = strlen(t->p);
	va_list ap;

	if (n > 0 && n + 1 < t->size) {
		t->p[n++] = '\n';
		t->p[n] = '\0';
	}
	va_start(ap, fmt);
	vsnprintf(t->p + n, t->size - n, fmt, ap);
	va_end(ap);
}

/* ---- a directory --------------------------------------------------------- */

static const char *
place_path(const struct conf *c, enum mark_dir d)
{
	switch (d) {
	case DIR_AUTH:
		return c->dir.auth;
	case DIR_STORE:
		return c->dir.store;
	case DIR_SPOOL:
		return c->dir.spool;
	case DIR_REPORTS_IN:
		return c->dir.reports_in;
	case DIR_REPORTS_OUT:
		return c->dir.reports_out;
	case DIR_DKIM:
		return c->dkim.directory;
	case DIR_MAX:
		break;
	}
	return NULL;
}

/* Nothing but marks, and what a new file system has.  What cannot be read may
 * be there. */
static bool
place_is_empty(int dirfd)
{
	DIR *dir = listing_open(dirfd);
	const struct dirent *e;
	bool empty = true;

	if (dir == NULL)
		return false;
	while (empty && (errno = 0, e = readdir(dir)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    strcmp(e->d_name, "lost+found") == 0 ||
		    strncmp(e->d_name, MARK, strlen(MARK)) == 0;
	listing_end(dir);
	return empty && errno == 0;
}

/* What leads to it is the operator's to make, or to mount. */
static int
parent_check(const char *path, const char *key, struct text *t)
{
	char buf[1024];
	char *slash;
	struct stat st;

	if (strlcpy(buf, path, sizeof(buf)) >= sizeof(buf))
		return 0;		/* told when it is made */
	if ((slash = strrchr(buf, '/')) == NULL || slash == buf)
		return 0;
	*slash = '\0';
	if (stat(buf, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	complain(t, "%s (%s): %s is not there; mount it, or run: mkdir -p %s",
	    path, key, buf, buf);
	return -1;
}

static int
place_look(struct place *p, const struct conf *c, enum mark_dir d,
    struct text *t)
{
	*p = (struct place){ .path = place_path(c, d), .empty = true };
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd == -1 && errno == ENOENT)
		return parent_check(p->path, names[d].key, t);
	if (p->fd == -1 || fstat(p->fd, &p->st) == -1) {
		complain(t, "%s (%s): %s", p->path, names[d].key,
		    strerror(errno));
		return -1;
	}
	p->empty = place_is_empty(p->fd);
	mark_read(p->fd, MARK, &p->mark);
	mark_read(p->fd, MARK_NEW, &p->begun);
	return 0;
}

static void
places_close(struct place *p)
{
	for (int d = 0; d < DIR_MAX; d++)
		if (p[d].fd != -1)
			close(p[d].fd);
}

/* Look at all; -1 when one cannot be. */
static int
places_look(struct place *p, const struct conf *c, struct text *t)
{
	int ret = 0;

	for (int d = 0; d < DIR_MAX; d++)
		if (place_look(&p[d], c, (enum mark_dir)d, t) == -1)
			ret = -1;
	for (int d = 0; d < DIR_MAX; d++)
		for (int o = 0; o < d; o++)
			if (p[d].fd != -1 && p[o].fd != -1 &&
			    p[d].st.st_dev == p[o].st.st_dev &&
			    p[d].st.st_ino == p[o].st.st_ino) {
				complain(t, "%s: is %s and %s; each needs one "
				    "of its own", p[d].path, names[o].key,
				    names[d].key);
				ret = -1;
			}
	return ret;
}

/* ---- the house ----------------------------------------------------------- */

static bool
has_house(const struct place *p, bool loose)
{
	return p->mark.state == MARK_GOOD || (loose && p->mark.loose);
}

/* The house that most of them are of, but for skip; NULL: none has a mark.
 * loose: marks that others may write count too. */
static const char *
house_of(const struct place *p, int skip, bool loose)
{
	const char *house = NULL;
	int most = 0;

	for (int d = 0; d < DIR_MAX; d++) {
		int n = 0;

		if (d == skip || !has_house(&p[d], loose))
			continue;
		for (int o = 0; o < DIR_MAX; o++)
			n += o != skip && has_house(&p[o], loose) &&
			    strcmp(p[o].mark.house, p[d].mark.house) == 0;
		if (n > most) {
			most = n;
			house = p[d].mark.house;
		}
	}
	return house;
}

/* An adoption that was interrupted: it only lacks its name. */
static bool
is_begun(const struct place *p, enum mark_dir d, const char *house)
{
	return p->mark.state == MARK_NONE && p->begun.state == MARK_GOOD &&
	    strcmp(p->begun.house, house) == 0 &&
	    strcmp(p->begun.role, names[d].role) == 0;
}

/* Why it has no mark. */
static const char *
place_lacks(const struct place *p)
{
	if (p->fd == -1)
		return "is not there";
	return p->empty ? "is empty" : "has no " MARK;
}

/* What is wrong with it in that house, and what cures it; how: maild -F. */
static bool
place_check(const struct place *p, enum mark_dir d, const char *house,
    const char *how, struct text *t)
{
	const char *key = names[d].key;

	switch (p->mark.state) {
	case MARK_NONE:
		if (p->fd != -1 && is_begun(p, d, house))
			return true;
		complain(t, "%s (%s): %s, and the other directories are of "
		    "the house %.8s; is it the right one, and mounted?  %s: "
		    "%s --adopt %s", p->path, key, place_lacks(p), house,
		    p->fd == -1 ? "To begin a new one" : "If so", how,
		    p->path);
		return false;
	case MARK_BAD:
		if (p->mark.loose)
			complain(t, "%s/" MARK " (%s): %s; if all of it was "
			    "restored or moved: %s -n, then without -n; else: "
			    "%s --adopt %s", p->path, key, p->mark.why, how,
			    how, p->path);
		else
			complain(t, "%s/" MARK " (%s): %s; if it is the right "
			    "directory: %s --adopt %s", p->path, key,
			    p->mark.why, how, p->path);
		return false;
	case MARK_NEWER:
		complain(t, "%s (%s): is of level %u, which a newer release "
		    "has written; this one reads up to %d: install the newer "
		    "one again", p->path, key, p->mark.level, MARK_LEVEL);
		return false;
	case MARK_GOOD:
		break;
	}
	if (strcmp(p->mark.role, names[d].role) != 0)
		complain(t, "%s (%s): is a directory for %s, not for %s; "
		    "change %s, or if it is right: %s --adopt %s", p->path, key,
		    p->mark.role, names[d].role, key, how, p->path);
	else if (strcmp(p->mark.house, house) != 0)
		complain(t, "%s (%s): is of the house %.8s, the others are of "
		    "%.8s; change %s, or if it belongs here now: %s --adopt %s",
		    p->path, key, p->mark.house, house, key, how, p->path);
	else
		return true;
	return false;
}

/* No directory has a mark: is it a house that comes to be, or one from before
 * there were marks?  Keys may wait for a house that is not yet there. */
static int
first_check(const struct place *p, const char *how, struct text *t)
{
	if (p[DIR_AUTH].fd != -1 && faccessat(p[DIR_AUTH].fd, "directory.db",
	    F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	for (int d = 0; d < DIR_MAX; d++)
		if (d != DIR_DKIM && !p[d].empty) {
			complain(t, "%s (%s): holds something, but %s (%s) "
			    "has no directory.db with its accounts; is that "
			    "the right one, and mounted?  If so: %s --adopt %s",
			    p[d].path, names[d].key, p[DIR_AUTH].path,
			    names[DIR_AUTH].key, how, p[DIR_AUTH].path);
			return -1;
		}
	return 0;
}

int
mark_check(const struct house *h, const struct conf *c, bool *first,
    char *err, size_t errsize)
{
	struct text t = { err, errsize };
	struct place p[DIR_MAX];
	const char *house;
	char how[1100];
	int ret;

	err[0] = '\0';
	*first = false;
	house_command(h, "-F", how, sizeof(how));
	ret = places_look(p, c, &t);
	house = house_of(p, -1, false);
	for (int d = 0; ret == 0 && house == NULL && d < DIR_MAX; d++)
		if (p[d].mark.state != MARK_NONE)
			house = "unknown";	/* bad or newer: told below */
	if (ret == 0 && house == NULL) {
		*first = true;
		ret = first_check(p, how, &t);
	} else if (ret == 0)
		for (int d = 0; d < DIR_MAX; d++)
			if (!place_check(&p[d], (enum mark_dir)d, house, how,
			    &t))
				ret = -1;
	places_close(p);
	return ret;
}

/* ---- whose owners may be mended ----------------------------------------- */

/* It says so itself, whoever may have written it. */
static bool
claims(const struct place *p, enum mark_dir d)
{
	return has_house(p, true) &&
	    strcmp(p->mark.role, names[d].role) == 0;
}

/* Place d of all of them: its mark is of the house that most are of, or none
 * has one and it is a house from before there were marks. */
static bool
place_ours(const struct place *p, int d, const char *how, struct text *t)
{
	const char *house = house_of(p, -1, true);

	if (house == NULL && p[d].mark.state == MARK_NONE)
		return first_check(p, how, t) == 0;
	if (house != NULL && claims(&p[d], (enum mark_dir)d) &&
	    strcmp(p[d].mark.house, house) == 0)
		return true;
	complain(t, "has no " MARK " of this house as %s; if it is: %s "
	    "--adopt %s", names[d].key, how, p[d].path);
	return false;
}

bool
mark_ours(const struct house *h, const char *path, char *why, size_t size)
{
	struct text t = { why, size };
	struct place p[DIR_MAX];
	char how[1100];
	bool ours = false;

	why[0] = '\0';
	house_command(h, "-F", how, sizeof(how));
	if (places_look(p, h->conf, &t) == 0)
		for (int d = 0; d < DIR_MAX; d++)
			if (strcmp(p[d].path, path) == 0)
				ours = place_ours(p, d, how, &t);
	places_close(p);
	return ours;
}

/* ---- adoption ------------------------------------------------------------ */

static void
house_new(char house[HOUSE_ID + 1])
{
	uint8_t id[HOUSE_ID / 2];

	random_bytes(id, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(house + 2 * i, 3, "%02x", id[i]);
}

/* Both passes over those without a mark; all six exist. */
static int
adopt(struct place *p, const char *house)
{
	for (int d = 0; d < DIR_MAX; d++)
		if (p[d].mark.state == MARK_NONE &&
		    !is_begun(&p[d], (enum mark_dir)d, house) &&
		    mark_write(p[d].fd, MARK_NEW, house,
		    names[d].role) == -1)
			return d;
	for (int d = 0; d < DIR_MAX; d++)
		if (p[d].mark.state == MARK_NONE && (renameat(p[d].fd,
		    MARK_NEW, p[d].fd, MARK) == -1 || fsync(p[d].fd) == -1))
			return d;
	return DIR_MAX;
}

int
mark_adopt_all(const struct conf *c, char *err, size_t errsize)
{
	struct text t = { err, errsize };
	struct place p[DIR_MAX];
	char house[HOUSE_ID + 1];
	const char *old;
	int d, ret;

	err[0] = '\0';
	if ((ret = places_look(p, c, &t)) == 0) {
		if ((old = house_of(p, -1, false)) != NULL)
			strlcpy(house, old, sizeof(house));
		else
			house_new(house);
		if ((d = adopt(p, house)) != DIR_MAX) {
			complain(&t, "%s/" MARK ": cannot be made: %s",
			    p[d].path, strerror(errno));
			ret = -1;
		} else if (old == NULL)
			log_info("house=%.8s directories adopted", house);
	}
	places_close(p);
	return ret;
}

/* The one that is missing and has that name, or DIR_MAX. */
static int
place_missing(const struct place *p, const char *dir)
{
	size_t n = strlen(dir);
	int d = 0;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	while (d < DIR_MAX && (p[d].fd != -1 || strlen(p[d].path) != n ||
	    memcmp(p[d].path, dir, n) != 0))
		d++;
	return d;
}

/* The one that dir is a name of, or DIR_MAX. */
static int
place_named(const struct place *p, const char *dir)
{
	struct stat st;
	int d = 0;

	if (stat(dir, &st) == -1)
		return errno == ENOENT ? place_missing(p, dir) : DIR_MAX;
	while (d < DIR_MAX && (p[d].fd == -1 || p[d].st.st_dev != st.st_dev ||
	    p[d].st.st_ino != st.st_ino))
		d++;
	return d;
}

/* Who names it wants it; the start gives it its owner and mode. */
static int
place_make(struct place *p)
{
	if (p->fd == -1 && (mkdir(p->path, 0700) == -1 ||
	    key_sync_parent(p->path) == -1 || (p->fd = open(p->path, O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC)) == -1))
		return -1;
	return 0;
}

int
mark_adopt(const struct conf *c, const char *dir, char *text, size_t size)
{
	struct text t = { text, size };
	struct place p[DIR_MAX];
	char house[HOUSE_ID + 1];
	const char *old;
	int d, ret = -1;

	text[0] = '\0';
	(void)places_look(p, c, &t);
	text[0] = '\0';			/* the others are not asked for */
	d = place_named(p, dir);
	if (d != DIR_MAX && (old = house_of(p, d, false)) != NULL)
		strlcpy(house, old, sizeof(house));
	else
		house_new(house);
	if (d == DIR_MAX) {
		complain(&t, "%s: is none of the directories of the "
		    "configuration, which are:", dir);
		for (d = 0; d < DIR_MAX; d++)
			complain(&t, "%s (%s)", p[d].path, names[d].key);
	} else if (p[d].mark.state == MARK_NEWER)
		complain(&t, "%s: is of level %u, which a newer release has "
		    "written; only that can read it", dir, p[d].mark.level);
	else if (place_make(&p[d]) == -1)
		complain(&t, "%s: cannot be made: %s", dir, strerror(errno));
	else if (mark_write(p[d].fd, MARK, house, names[d].role) == -1)
		complain(&t, "%s/" MARK ": cannot be written: %s", dir,
		    strerror(errno));
	else {
		complain(&t, "%s: is %s of the house %.8s now", p[d].path,
		    names[d].key, house);
		ret = 0;
	}
	places_close(p);
	return ret;
}
