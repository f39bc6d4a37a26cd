/*
 * Users and directories: who each role runs as, and the directories with
 * the owners and modes that make them walls.  Run by maild as root at
 * start, and for authd when it makes an account.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define PATH_LIMIT	1024

const char *
directory_user(enum proc_role role)
{
	const char *user = role_row(role)->user;

	return user == NULL ? "account 0" : user;
}

static int
user_ids(struct account_ids *ids, enum proc_role role, char *err,
    size_t errsize)
{
	const struct role_row *r = role_row(role);
	const struct passwd *pw;

	if ((pw = getpwnam(r->user)) == NULL) {
		snprintf(err, errsize, "user %s of %s does not exist; "
		    "run: make install", r->user, r->name);
		return -1;
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0) {
		snprintf(err, errsize, "user %s is root; run: make install",
		    r->user);
		return -1;
	}
	ids->uid = pw->pw_uid;
	ids->gid = pw->pw_gid;
	return 0;
}

int
directory_users(struct house *h, char *err, size_t errsize)
{
	enum proc_role r;

	for (r = 0; r < ROLE_MAX; r++)
		if (role_row(r)->user == NULL)	/* nursery: nobody's number */
			h->ids[r].uid = h->ids[r].gid =
			    h->conf->proc.uid_base;
		else if (user_ids(&h->ids[r], r, err, errsize) == -1)
			return -1;
	h->mailbox = h->ids[ROLE_DELIVER].gid;
	return 0;
}

int
directory_group(const char *name, gid_t *gid)
{
	const struct group *g = getgrnam(name);

	if (g == NULL)
		return -1;
	*gid = g->gr_gid;
	return 0;
}

void
directory_look_group(struct findings *f)
{
	const char *name = f->conf->control_group;
	gid_t gid;

	if (name != NULL && directory_group(name, &gid) == -1)
		finding_wrong(f, EX_CONFIG, "control-group", 0, "%s is no "
		    "group of this machine; would be right: one that is; to "
		    "make it: groupadd %s", name, name);
}

const char *
directory_root(const struct conf *conf, enum proc_role role)
{
#define ROOT(NAME, no, name, program, user, root, ...)			\
	case ROLE_##NAME: return conf->dir.root;
	switch (role) {
	ROLE_LIST(ROOT)
	case ROLE_MAX:
		break;
	}
#undef ROOT
	return conf->dir.empty;
}

/* What leads to it. */
static int
make_parents(const char *path)
{
	char buf[PATH_LIMIT];

	if (strlcpy(buf, path, sizeof(buf)) >= sizeof(buf)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *p = buf + 1; *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			if (mkdir(buf, 0755) == -1 && errno != EEXIST)
				return -1;
			*p = '/';
		}
	return 0;
}

/* Its name is durable where its .maild will be. */
static int
make_one(const struct directory *w, bool first)
{
	if (!w->kept && make_parents(w->path) == -1)
		return -1;
	if (mkdir(w->path, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	if (!first)
		log_warnx("%s: was not there, made again", w->path);
	return w->kept ? key_sync_parent(w->path) : 0;
}

static int
make_path(const struct directory *w, bool first, char *err, size_t errsize)
{
	struct stat st;

	if (make_one(w, first) == -1 || lstat(w->path, &st) == -1)
		goto fail;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		goto fail;
	}
	if ((st.st_uid != w->uid || st.st_gid != w->gid) &&
	    lchown(w->path, w->uid, w->gid) == -1)
		goto fail;
	if ((st.st_mode & 07777) != w->mode && chmod(w->path, w->mode) == -1)
		goto fail;
	return 0;
fail:
	snprintf(err, errsize, "%s: directory cannot be made: %s", w->path,
	    strerror(errno));
	return -1;
}

/* A root that processes live in must hold nothing they could find. */
static int
check_empty(const char *path, char *err, size_t errsize)
{
	struct dirent *e;
	DIR *dir = opendir(path);
	int n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	if (n <= 2)
		return 0;
	snprintf(err, errsize, "%s: must be empty, for it is the root of "
	    "processes that need no files; would be right: a directory of its "
	    "own with nothing in it", path);
	return -1;
}

static int
make_parent(const char *path, bool first, char *err, size_t errsize)
{
	char buf[PATH_LIMIT], *slash;
	struct directory w = { buf, INSIDE_NONE, 0755, 0, 0, false };
	struct stat st;

	strlcpy(buf, path, sizeof(buf));
	slash = strrchr(buf, '/');
	if (slash == buf)
		return 0;
	*slash = '\0';
	if (stat(buf, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;		/* may be /run itself: not ours */
	return make_path(&w, first, err, errsize);
}

/* Those that are a process's own, by their rows. */
static size_t
list_own(const struct house *h, const struct conf *c, enum role_root whose,
    struct directory *d)
{
	size_t n = 0;

	for (enum proc_role r = 0; r < ROLE_MAX; r++)
		if (role_row(r)->whose == whose)
			d[n++] = (struct directory){ directory_root(c, r),
			    INSIDE_OWN, whose == ROOT_KEPT ? 0700 : 0750,
			    h->ids[r].uid, h->ids[r].gid, whose == ROOT_KEPT };
	return n;
}

size_t
directory_list(const struct house *h, const struct conf *c,
    struct directory d[DIRECTORIES_MAX])
{
	size_t n = list_own(h, c, ROOT_KEPT, d);

	d[n++] = (struct directory){ c->dir.store, INSIDE_STORE, 0750, 0,
	    h->mailbox, true };
	d[n++] = (struct directory){ c->dkim.directory, INSIDE_KEYS, 0700, 0,
	    0, true };
	n += list_own(h, c, ROOT_READ, d + n);
	d[n++] = (struct directory){ c->dir.empty, INSIDE_NONE, 0555, 0, 0,
	    false };
	d[n++] = (struct directory){ c->dir.tls, INSIDE_KEYS, 0755, 0, 0,
	    false };
	return n;
}

/* Those that are kept first: what leads to them is not made, and making the
 * others may. */
int
directory_make(const struct house *h, const struct conf *c, char *err,
    size_t errsize)
{
	struct directory d[DIRECTORIES_MAX];
	size_t n = directory_list(h, c, d);

	for (size_t i = 0; i < n; i++)
		if (make_path(&d[i], h->first, err, errsize) == -1)
			return -1;
	if (make_parent(c->dir.socket, h->first, err, errsize) == -1 ||
	    make_parent(c->dir.pid, h->first, err, errsize) == -1)
		return -1;
	return check_empty(c->dir.empty, err, errsize);
}

/* The key that a path is the value of. */
static const char *
key_of(const struct conf *c, const char *path)
{
	const struct conf_key *k;

	for (size_t i = 0; (k = conf_key(i)) != NULL; i++)
		if (k->type == CT_PATH && k->list == NULL &&
		    *(const char *const *)conf_cat(c, k, 0) == path)
			return k->key;
	return NULL;
}

bool
name_ends(const char *name, const char *with)
{
	size_t n = strlen(name), m = strlen(with);

	return n > m && strcmp(name + n - m, with) == 0;
}

/* What logd writes, or a key or certificate of ours. */
static bool
name_ours(const struct directory *d, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	return d->inside == INSIDE_KEYS ? name_ends(name, ".key") ||
	    name_ends(name, ".crt") : strncmp(name, "maild.log", 9) == 0;
}

/* Does it hold nothing else?  Then it may be anybody's, and gets no other
 * owner from us. */
static bool
holds_ours(const struct directory *d)
{
	const struct dirent *e;
	DIR *dir = opendir(d->path);
	bool ours = dir != NULL;

	while (ours && (e = readdir(dir)) != NULL)
		ours = name_ours(d, e->d_name);
	if (dir != NULL)
		closedir(dir);
	return ours;
}

static bool
is_right(const struct directory *d, const struct stat *st)
{
	return st->st_uid == d->uid && st->st_gid == d->gid &&
	    (st->st_mode & 07777) == d->mode;
}

bool
directory_is_ours(const struct directory *d, char *why, size_t size)
{
	struct stat st;

	if (lstat(d->path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    (is_right(d, &st) || holds_ours(d)))
		return true;
	snprintf(why, size, "is not as it should be, and holds what is not "
	    "maild's");
	return false;
}

/* One that has no .maild and is not as it should be. */
static void
look_strange(struct findings *f, const struct directory *d,
    const struct stat *st)
{
	if (is_right(d, st) || holds_ours(d))
		return;
	finding_wrong(f, EX_CONFIG, key_of(f->conf, d->path), 0, "%s: belongs "
	    "to user %u and group %u with mode %04o, and holds what is not "
	    "maild's; would be right: a directory of its own; or, if it is: "
	    "chown %u:%u %s && chmod %04o %s", d->path,
	    (unsigned int)st->st_uid, (unsigned int)st->st_gid,
	    (unsigned int)st->st_mode & 07777, (unsigned int)d->uid,
	    (unsigned int)d->gid, d->path, (unsigned int)d->mode, d->path);
}

void
directory_look(struct findings *f)
{
	struct directory d[DIRECTORIES_MAX];
	size_t n = directory_list(f->house, f->conf, d);
	char err[1200];
	struct stat st;

	for (size_t i = 0; i < n; i++)
		if (lstat(d[i].path, &st) == -1)
			continue;	/* it is made, or told by mark.c */
		else if (!S_ISDIR(st.st_mode))
			finding_wrong(f, EX_CONFIG, key_of(f->conf, d[i].path),
			    0, "%s: is no directory; would be right: one, not "
			    "a symbolic link to it", d[i].path);
		else if (!d[i].kept)
			look_strange(f, &d[i], &st);
	if (access(f->conf->dir.empty, F_OK) == 0 &&
	    check_empty(f->conf->dir.empty, err, sizeof(err)) == -1)
		finding_wrong(f, EX_CONFIG, "directories.empty", 0, "%s", err);
}

uint32_t
directory_number(const struct house *h, const char *name)
{
	const char *why;
	long long n;

	if (name[0] < '1' || name[0] > '9' ||
	    strspn(name, "0123456789") != strlen(name))
		return 0;
	n = strtonum(name, 1, (long long)h->conf->proc.uid_count - 1, &why);
	return why == NULL ? (uint32_t)n : 0;
}

/* An account's directory by its name: its number, 0 for anything else. */
static uint32_t
account_number(const struct house *h, const struct dirent *e)
{
	uint32_t n = directory_number(h, e->d_name);
	struct stat st;

	if (n == 0 || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
		return 0;
	if (e->d_type == DT_UNKNOWN && (fstatat(h->storefd, e->d_name, &st,
	    AT_SYMLINK_NOFOLLOW) == -1 ? errno == ENOENT :
	    !S_ISDIR(st.st_mode)))
		return 0;
	return n;
}

int
directory_highest(const struct house *h, uint32_t *highest)
{
	struct dirent *e;
	uint32_t n;
	DIR *d = listing_open(h->storefd);

	if (d == NULL)
		return -1;
	*highest = 0;
	while ((errno = 0, e = readdir(d)) != NULL)
		if ((n = account_number(h, e)) > *highest)
			*highest = n;
	listing_end(d);
	return errno == 0 ? 0 : -1;
}

int
directory_account(struct house *h, uint32_t account, char *err,
    size_t errsize)
{
	uid_t uid = (uid_t)(h->conf->proc.uid_base + account);
	char name[16];
	struct stat st;
	int fd = -1, ret = -1;

	if (account == 0 || account >= h->conf->proc.uid_count) {
		snprintf(err, errsize, "account %u is none, or beyond "
		    "processes.uid-count", account);
		return -1;
	}
	snprintf(name, sizeof(name), "%u", account);
	if (mkdirat(h->storefd, name, 0700) == -1 && errno != EEXIST)
		goto out;
	if ((fd = openat(h->storefd, name, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC)) == -1 || fstat(fd, &st) == -1)
		goto out;
	if (st.st_uid != 0 && st.st_uid != uid) {
		snprintf(err, errsize, "directory %s of the store belongs to "
		    "user %u", name, (unsigned int)st.st_uid);
		close(fd);
		return -1;
	}
	if (faccessat(fd, "journal", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		snprintf(err, errsize, "directory %s of the store holds the "
		    "mail of an account that authd does not know; move it "
		    "away", name);
		close(fd);
		return -1;
	}
	/* notify/ for the store: deliver, who may come first, makes none */
	if (mkdirat(fd, "notify", 0700) == -1 && errno != EEXIST)
		goto out;
	if (fchownat(fd, "notify", uid, h->mailbox, AT_SYMLINK_NOFOLLOW) == -1)
		goto out;
	if (st.st_uid == 0 && fchmodat(fd, "notify", MODE_NOTIFY, 0) == -1)
		goto out;
	if (fchown(fd, uid, h->mailbox) == -1 || fchmod(fd, MODE_ACCOUNT) == -1 ||
	    fsync(fd) == -1 || fsync(h->storefd) == -1)
		goto out;
	ret = 0;
out:
	if (ret == -1)
		snprintf(err, errsize, "directory %s of the store: %s", name,
		    strerror(errno));
	if (fd != -1)
		close(fd);
	return ret;
}

int
directory_open(const struct house *h, uint32_t account)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", account);
	return openat(h->storefd, name,
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
