/*
 * Owners and modes of what lies in the directories, as a restore from a backup
 * or a move to another machine leaves them: with the numbers of the users that
 * there were.  The start looks at the first files and says what does not fit;
 * maild -F mends all, or with -n says what it would do.  Run by maild as root.
 *
 * It goes through descriptors, follows no symbolic link, touches regular files
 * with one name and directories alone, all on the file system of the directory
 * itself, and only what is maild's: by .maild, or by the names in it.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define LOOK_MAX	256	/* entries of a directory that a start looks at */
#define TELL_MAX	3	/* lines that it says of one */
#define DEPTH_MAX	3
#define WHO_MAX		64

/* As an entry has to be: nothing of it is touched where there is no need. */
struct want {
	uid_t	 uid, also;	/* also: another owner that does as well */
	gid_t	 gid;
	mode_t	 set, clear;
	mode_t	 add;		/* set with the others, and not missed */
};

enum task { LOOK, DRY, MEND };

struct walk {
	const struct house *h;
	const struct directory *d;
	enum task	 task;
	struct findings	*found;		/* LOOK */
	dev_t		 dev;
	unsigned int	 left;		/* entries to be looked at */
	unsigned int	 told[2];	/* by LOOK: others, essential ones */
	unsigned int	 wrong;		/* entries that do not fit */
	unsigned int	 failed;	/* of MEND: still do not */
	unsigned int	 refused;	/* directories that are not maild's */
	bool		 alone;		/* something was left alone */
};

static void	 walk_entry(struct walk *, int, const char *, const char *,
		    uint32_t, unsigned int);

/* ---- words --------------------------------------------------------------- */

static const char *
who(const struct house *h, uid_t uid, char buf[WHO_MAX])
{
	const struct conf *c = h->conf;

	if (uid == 0)
		return "root";
	for (enum proc_role r = 0; r < ROLE_MAX; r++)
		if (role_row(r)->user != NULL && h->ids[r].uid == uid)
			return role_row(r)->user;
	if (uid > c->proc.uid_base && uid - c->proc.uid_base <
	    c->proc.uid_count)
		snprintf(buf, WHO_MAX, "account %u (user %u)",
		    (unsigned int)(uid - c->proc.uid_base), (unsigned int)uid);
	else
		snprintf(buf, WHO_MAX, "user %u", (unsigned int)uid);
	return buf;
}

/* "_mailq, group 990, mode 0600" */
static void
how_it_is(const struct house *h, uid_t uid, gid_t gid, mode_t mode, char *buf,
    size_t size)
{
	char name[WHO_MAX];

	snprintf(buf, size, "%s, group %u, mode %04o", who(h, uid, name),
	    (unsigned int)gid, (unsigned int)mode & 07777);
}

/* ---- what should be ------------------------------------------------------ */

/* A start asks whether it would work: what others may do in a directory that
 * is closed to them is no matter then. */
static bool
fits(const struct want *w, const struct stat *st, enum task task)
{
	return (st->st_uid == w->uid || st->st_uid == w->also) &&
	    st->st_gid == w->gid && (st->st_mode & w->set) == w->set &&
	    (task == LOOK || (st->st_mode & w->clear) == 0);
}

static mode_t
mode_of(const struct want *w, const struct stat *st)
{
	return ((st->st_mode & 07777) & ~w->clear) | w->set | w->add;
}

/* A key is root's alone, files.c opens no other; a certificate may be read. */
static struct want
want_key(const struct stat *st, bool secret)
{
	return (struct want){ .gid = st->st_uid == 0 ? st->st_gid : 0,
	    .set = secret ? 0400 : 0444, .clear = secret ? 07177 : 07133,
	    .add = 0200 };
}

/* An account's directory, and what is in it: the directory is the wall,
 * maild-store(5). */
static bool
want_store(const struct walk *w, const char *name, const struct stat *st,
    uint32_t account, unsigned int depth, struct want *want)
{
	uid_t uid = (uid_t)(w->h->conf->proc.uid_base + account);

	*want = (struct want){ uid, uid, w->h->mailbox, MODE_ACCOUNT,
	    07777 & ~MODE_ACCOUNT };
	if (depth == 1)
		return account != 0 && S_ISDIR(st->st_mode);
	if (S_ISDIR(st->st_mode)) {
		want->set = MODE_NOTIFY;
		want->clear = 07777 & ~MODE_NOTIFY;
		return strcmp(name, "notify") == 0;
	}
	want->also = w->h->ids[ROLE_DELIVER].uid;
	want->set = 0666;
	want->clear = 07111;
	return true;
}

/* False: it is not for us to say. */
static bool
want_of(const struct walk *w, const char *name, const struct stat *st,
    uint32_t account, unsigned int depth, struct want *want)
{
	bool dir = S_ISDIR(st->st_mode);

	if (depth == 1 && w->d->kept && strcmp(name, ".maild") == 0) {
		*want = (struct want){ 0, 0, 0, MODE_MARK, 07333 };
		return !dir && w->task != LOOK;	/* mark.c tells */
	}
	*want = (struct want){ w->d->uid, w->d->uid, w->d->gid,
	    dir ? 0700 : 0600 | (w->d->mode & 0066),
	    (07777 & ~w->d->mode) | (dir ? 0 : 0111) };
	switch (w->d->inside) {
	case INSIDE_OWN:
		return strcmp(name, "lost+found") != 0;
	case INSIDE_KEYS:
		*want = want_key(st, name_ends(name, ".key"));
		return !dir;
	case INSIDE_STORE:
		return want_store(w, name, st, account, depth, want);
	case INSIDE_NONE:
		break;
	}
	return false;
}

/* ---- one entry ----------------------------------------------------------- */

/* The kernel's name of an open file: chmod(2) knows no descriptor of O_PATH. */
static int
mend(int fd, const struct want *w, const struct stat *st)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((st->st_uid != w->uid || st->st_gid != w->gid) &&
	    fchownat(fd, "", w->uid, w->gid, AT_EMPTY_PATH) == -1)
		return -1;
	return chmod(path, mode_of(w, st));
}

/* What cannot be missing, or the house is of no use. */
static bool
is_essential(const struct walk *w, const char *path)
{
	static const char *const names[] = { "/directory.db", "/queue.log",
	    "/seg", "/large" };
	const char *rest = path + strlen(w->d->path);

	for (size_t i = 0; i < NITEMS(names); i++)
		if (strncmp(rest, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The first few of either kind; the rest is counted. */
static void
look_tell(struct walk *w, const char *path, const char *has, const char *want)
{
	bool essential = is_essential(w, path);
	char how[PATH_MAX + 32];

	if (w->told[essential]++ >= TELL_MAX)
		return;
	house_command(w->h, "-F", how, sizeof(how));
	if (essential)
		finding_wrong(w->found, EX_CONFIG, NULL, 0, "%s: is %s; would "
		    "be right: %s; run: %s", path, has, want, how);
	else
		finding_warn(w->found, NULL, 0, "%s: is %s; would be right: "
		    "%s; run: %s", path, has, want, how);
}

/* How many more there are. */
static void
look_rest(struct walk *w)
{
	char how[PATH_MAX + 32];
	unsigned int rest = 0;

	for (size_t i = 0; i < NITEMS(w->told); i++)
		rest += w->told[i] > TELL_MAX ? w->told[i] - TELL_MAX : 0;
	house_command(w->h, "-F -n", how, sizeof(how));
	if (rest > 0)
		finding_warn(w->found, NULL, 0, "%s: and %u more of the first "
		    "%u files there; all of them: %s", w->d->path, rest,
		    LOOK_MAX - w->left, how);
}

static void
entry(struct walk *w, int fd, const char *path, const struct stat *st,
    const struct want *want)
{
	char has[160], right[160];
	int ret;

	if (fits(want, st, w->task))
		return;
	w->wrong++;
	how_it_is(w->h, st->st_uid, st->st_gid, st->st_mode, has, sizeof(has));
	how_it_is(w->h, want->uid, want->gid, mode_of(want, st), right,
	    sizeof(right));
	if (w->task == LOOK) {
		look_tell(w, path, has, right);
		return;
	}
	ret = w->task == DRY ? 0 : mend(fd, want, st);
	if (ret == -1)
		w->failed++;
	if (ret == -1)
		printf("%s: is %s and stays so: %s\n", path, has,
		    strerror(errno));
	else
		printf("%s: %s %s, %s %s\n", path, w->task == DRY ? "is" :
		    "was", has, w->task == DRY ? "would be" : "is now", right);
}

/* Why it is left alone, or NULL. */
static const char *
strange(const struct walk *w, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "a symbolic link";
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return "neither a file nor a directory";
	if (S_ISREG(st->st_mode) && st->st_nlink != 1)
		return "a file that has other names too";
	return st->st_dev != w->dev ? "on another file system" : NULL;
}

/* It is not touched, and so not vouched for. */
static void
alone(struct walk *w, const char *path, const char *why, const char *then)
{
	printf("%s: is %s, and left alone%s\n", path, why, then);
	w->alone = true;
}

/* ---- all of them --------------------------------------------------------- */

static void
walk_list(struct walk *w, int dirfd, const char *path, uint32_t account,
    unsigned int depth)
{
	DIR *d = listing_open(dirfd);
	const struct dirent *e;

	if (d == NULL) {
		if (w->task != LOOK)
			printf("%s: cannot be listed: %s\n", path,
			    strerror(errno));
		w->refused++;
		return;
	}
	while ((e = readdir(d)) != NULL && w->left > 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			walk_entry(w, dirfd, path, e->d_name, account, depth);
	listing_end(d);
}

/* A directory that fits now: what is in it. */
static void
walk_down(struct walk *w, int dirfd, const char *path, const char *name,
    const struct stat *st, uint32_t account, unsigned int depth)
{
	struct stat now;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	if (fd != -1 && fstat(fd, &now) == 0 && now.st_dev == st->st_dev &&
	    now.st_ino == st->st_ino)
		walk_list(w, fd, path, account, depth + 1);
	if (fd != -1)
		close(fd);
}

/* Sockets of sessions come and go; an account's files are many, and the start
 * looks at its directory alone. */
static bool
is_walked(const struct walk *w, const char *name, unsigned int depth)
{
	if (w->d->inside == INSIDE_STORE)
		return depth == 1 && w->task != LOOK;
	return depth < DEPTH_MAX && strcmp(name, "lost+found") != 0;
}

static void
walk_entry(struct walk *w, int dirfd, const char *path, const char *name,
    uint32_t account, unsigned int depth)
{
	char full[PATH_MAX];
	const char *why;
	struct want want;
	struct stat st;
	int fd;

	if (w->task == LOOK)
		w->left--;
	if ((size_t)snprintf(full, sizeof(full), "%s/%s", path, name) >=
	    sizeof(full) || (fd = openat(dirfd, name, O_PATH | O_NOFOLLOW |
	    O_CLOEXEC)) == -1)
		return;			/* gone meanwhile */
	if (depth == 1 && w->d->inside == INSIDE_STORE)
		account = directory_number(w->h, name);
	if (fstat(fd, &st) == -1)
		goto out;
	if ((why = strange(w, &st)) != NULL) {
		if (w->task != LOOK)
			alone(w, full, why, "");
		goto out;
	}
	if (want_of(w, name, &st, account, depth, &want)) {
		entry(w, fd, full, &st, &want);
		if (S_ISDIR(st.st_mode) && is_walked(w, name, depth))
			walk_down(w, dirfd, full, name, &st, account, depth);
	} else if (w->task != LOOK && strcmp(name, "lost+found") != 0)
		printf("%s: is nothing of maild's, and left alone\n", full);
out:
	close(fd);
}

/* The directory itself, and all that is in it. */
static void
walk_directory(struct walk *w)
{
	const struct directory *d = w->d;
	struct want want = { d->uid, d->uid, d->gid, d->mode, 07777 & ~d->mode };
	struct stat st;
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1) {
		if (fd == -1 && errno != ENOENT && w->task != LOOK) {
			printf("%s: %s, and left alone\n", d->path,
			    strerror(errno));
			w->refused++;
		}
	} else {
		w->dev = st.st_dev;
		if (w->task != LOOK)	/* the start makes it right */
			entry(w, fd, d->path, &st, &want);
		walk_list(w, fd, d->path, 0, 1);
	}
	if (fd != -1)
		close(fd);
}

void
owner_look(struct findings *f)
{
	struct directory d[DIRECTORIES_MAX];
	size_t n = directory_list(f->house, f->conf, d);
	char why[1400];

	for (size_t i = 0; i < n; i++) {
		struct walk w = { .h = f->house, .d = &d[i], .task = LOOK,
		    .found = f, .left = LOOK_MAX };

		/* keys are opened, and told, by files.c; strange directories
		 * by mark.c */
		if (d[i].inside == INSIDE_KEYS || d[i].inside ==
		    INSIDE_NONE || (d[i].kept && !mark_ours(f->house,
		    d[i].path, why, sizeof(why))))
			continue;
		walk_directory(&w);
		look_rest(&w);
	}
}

/* ---- maild -F ------------------------------------------------------------ */

/* A key or a password that the configuration names, wherever it is. */
static void
mend_secret(struct walk *w, const char *path)
{
	static const struct directory keys = { .inside = INSIDE_KEYS };
	struct want want;
	const char *why;
	struct stat st;
	int fd;

	if (path == NULL || (fd = open(path, O_PATH | O_NOFOLLOW |
	    O_CLOEXEC)) == -1)
		return;			/* the start tells */
	w->d = &keys;
	if (fstat(fd, &st) == 0) {
		w->dev = st.st_dev;
		want = want_key(&st, true);
		if ((why = strange(w, &st)) != NULL || S_ISDIR(st.st_mode))
			alone(w, path, why != NULL ? why : "a directory",
			    "; maild -n looks at what is there");
		else
			entry(w, fd, path, &st, &want);
	}
	close(fd);
}

static void
mend_directory(struct walk *w)
{
	char why[1400];

	if (w->d->inside == INSIDE_NONE)
		return;			/* the start makes it right */
	if (access(w->d->path, F_OK) == -1)
		return;
	if (w->d->kept ? !mark_ours(w->h, w->d->path, why, sizeof(why)) :
	    !directory_is_ours(w->d, why, sizeof(why))) {
		printf("%s: %s; left alone\n", w->d->path, why);
		w->refused++;
		return;
	}
	walk_directory(w);
}

int
owner_mend(struct house *h, bool dry)
{
	struct directory d[DIRECTORIES_MAX];
	struct walk w = { .h = h, .task = dry ? DRY : MEND,
	    .left = UINT_MAX };
	const struct conf *c = h->conf;
	size_t n = directory_list(h, c, d);

	for (size_t i = 0; i < n; i++) {
		w.d = &d[i];
		mend_directory(&w);
	}
	for (size_t i = 0; i < c->ncert; i++)
		mend_secret(&w, c->cert[i].key);
	mend_secret(&w, c->relay.password_file);
	if (dry && w.wrong > 0)
		printf("%u to be mended; nothing was changed\n", w.wrong);
	else if (w.wrong > 0)
		printf("%u mended, %u not\n", w.wrong - w.failed, w.failed);
	else if (w.refused == 0)
		printf("owners and modes are right%s\n",
		    w.alone ? ", but for what was left alone" : "");
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return w.failed > 0 || w.refused > 0 || (dry && w.wrong > 0) ?
	    EX_CONFIG : EX_OK;
}
