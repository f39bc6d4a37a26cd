/*
 * Old log files: maild.log.1 is the newest of them.  The log is moved aside
 * when it has reached its size or is a day old; what is older than log.keep
 * goes, and the oldest while all together are more than log.max.
 *
 * Nothing hangs on the clock being right: a day is counted by the monotonic
 * one, the order is that of the numbers, and what age alone would remove goes
 * one file an hour, so that a clock that jumps does not empty the directory.
 * They are not packed: logd holds no more rights than to write here, grep
 * reads them as they are, and log.max bounds them.  Whoever else moves the
 * log aside (logrotate) may; files by other names are not looked at.
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

#include "base/clock.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "logd/logd.h"

#define OLD_MAX		(LOGFILES_MAX - 1) /* files, and the largest number */
#define MOVES_MAX	16	/* moved up so often while it is looked for */
#define DAY_MS		86400000U
#define HOUR_MS		3600000U

struct old {
	bool	 there;
	dev_t	 dev;
	ino_t	 ino;
	off_t	 size;
	time_t	 mtime;
};

static struct {
	uint64_t	 others;	/* octets of the old ones, last seen */
	uint64_t	 began, age;	/* ms, monotonic; how old it was then */
	uint64_t	 aged;		/* ms, when age removed one last */
	struct old	 old[OLD_MAX + 1];
} rt;

/* Octets of the file that is written: one before it must fit too. */
static uint64_t
size_max(void)
{
	uint64_t size = proc_conf()->log.size, max = proc_conf()->log.max;

	return size < max / 2 ? size : max / 2;
}

void
rotate_began(uint64_t age_ms)
{
	rt.began = now_ms();
	rt.age = age_ms;
}

bool
rotate_due(uint64_t size)
{
	return size > 0 && (size >= size_max() ||
	    now_ms() - rt.began + rt.age >= DAY_MS);
}

bool
rotate_room(uint64_t size)
{
	return size + rt.others <= proc_conf()->log.max;
}

/* "maild.log.17" is 17; 0: another file. */
static unsigned int
number(const char *base, const char *name)
{
	size_t n = strlen(base);
	const char *bad;
	long long v;

	if (strncmp(name, base, n) != 0 || name[n] != '.' ||
	    name[n + 1] < '1' || name[n + 1] > '9')
		return 0;
	v = strtonum(name + n + 1, 1, OLD_MAX, &bad);
	return bad == NULL ? (unsigned int)v : 0;
}

static void
old_name(const char *path, unsigned int n, char *out, size_t size)
{
	if (n == 0)
		strlcpy(out, path, size);
	else
		snprintf(out, size, "%s.%u", path, n);
}

/* Which are there.  0, -1 with errno: not known, so nothing is done. */
static int
look(const char *path)
{
	const char *base = strrchr(path, '/');
	char dir[LOGD_PATH], name[LOGD_PATH + 8];
	struct dirent *e;
	struct stat sb;
	unsigned int n;
	int error;
	DIR *d;

	memset(rt.old, 0, sizeof(rt.old));
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - path) + 1, path);
	if ((d = opendir(dir)) == NULL)
		return -1;
	while ((void)(errno = 0), (e = readdir(d)) != NULL) {
		if ((n = number(base + 1, e->d_name)) == 0)
			continue;
		old_name(path, n, name, sizeof(name));
		if (lstat(name, &sb) == -1) {
			error = errno;
			closedir(d);
			errno = error;
			return -1;
		}
		rt.old[n] = (struct old){ true, sb.st_dev, sb.st_ino,
		    sb.st_size, sb.st_mtime };
	}
	error = errno;
	closedir(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
drop(const char *path, unsigned int n)
{
	char name[LOGD_PATH + 8];

	old_name(path, n, name, sizeof(name));
	if (unlink(name) == -1 && errno != ENOENT)
		return -1;
	rt.old[n].there = false;
	return 0;
}

int
rotate_move(const char *path)
{
	char from[LOGD_PATH + 8], to[LOGD_PATH + 8];
	unsigned int n, gap = 1;

	if (look(path) == -1)
		return -1;
	while (gap < OLD_MAX && rt.old[gap].there)
		gap++;
	if (rt.old[gap].there && drop(path, gap) == -1)
		return -1;
	for (n = gap; n > 0; n--) {
		old_name(path, n - 1, from, sizeof(from));
		old_name(path, n, to, sizeof(to));
		if (rename(from, to) == -1 && errno != ENOENT)
			return -1;
	}
	return 0;
}

int
rotate_prune(const char *path, uint64_t current)
{
	uint64_t now = now_ms(), sec = now_sec();
	uint64_t keep = proc_conf()->log.keep, max = proc_conf()->log.max;
	unsigned int n, oldest = 0;

	if (look(path) == -1)
		return -1;
	rt.others = 0;
	for (n = 1; n <= OLD_MAX; n++)
		if (rt.old[n].there) {
			rt.others += (uint64_t)rt.old[n].size;
			oldest = n;
		}
	for (n = oldest; n > 0 && current + rt.others > max; n--)
		if (rt.old[n].there) {
			if (drop(path, n) == -1)
				return -1;
			rt.others -= (uint64_t)rt.old[n].size;
		}
	for (; n > 0 && !rt.old[n].there; n--)
		;
	if (n > 0 && rt.old[n].mtime >= 0 && sec > keep &&
	    (uint64_t)rt.old[n].mtime < sec - keep &&
	    (rt.aged == 0 || now - rt.aged >= HOUR_MS)) {
		rt.aged = now;
		return drop(path, n);
	}
	return 0;
}

size_t
rotate_files(const char *path, struct logfile v[LOGFILES_MAX])
{
	const struct old *o;
	struct stat sb;
	unsigned int n;
	size_t k = 0;

	if (look(path) == 0)
		for (n = OLD_MAX; n > 0; n--)
			if ((o = &rt.old[n])->there)
				v[k++] = (struct logfile){ o->dev, o->ino,
				    (uint64_t)o->size, n };
	if (stat(path, &sb) == 0)
		v[k++] = (struct logfile){ sb.st_dev, sb.st_ino,
		    (uint64_t)sb.st_size, 0 };
	return k;
}

int
rotate_open(const char *path, const struct logfile *f)
{
	char name[LOGD_PATH + 8];
	struct stat sb;
	unsigned int n;
	int fd;

	for (n = f->number; n <= OLD_MAX && n <= f->number + MOVES_MAX; n++) {
		old_name(path, n, name, sizeof(name));
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK);
		if (fd == -1)
			continue;
		if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) &&
		    sb.st_dev == f->dev && sb.st_ino == f->ino)
			return fd;
		close(fd);
	}
	return -1;
}
