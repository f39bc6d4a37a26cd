/*
 * The log file: lines are collected and written once a loop turn.  A full
 * disk or a missing directory loses lines and says so later; it never stops
 * logd or who logs.  Run in the log directory as root directory.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

#define FILE_BUF	(256 * 1024)
#define FIRST_MAX	32	/* octets that a line's time is in */

static struct {
	char		 path[LOGD_PATH];
	int		 fd;
	uint64_t	 size;		/* of the file, as far as we wrote */
	char		 why[128];	/* lines are lost, "" none */
	char		 stuck[128];	/* old files cannot be moved, "" */
	size_t		 used;
	unsigned long	 lost;		/* lines not written */
	unsigned long	 pending;	/* lines in buf */
	bool		 midline;	/* a write was cut in a line */
	char		 buf[FILE_BUF];
} st = { .fd = -1 };

static void
lost(const char *why)
{
	st.lost += st.pending;
	strlcpy(st.why, why, sizeof(st.why));
}

/* When what is in the file began, by the time of its first line. */
static void
file_began(void)
{
	char first[FIRST_MAX];
	uint64_t then = 0, now = now_sec();
	ssize_t n = -1;
	int fd;

	fd = open(st.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd != -1) {
		n = pread(fd, first, sizeof(first), 0);
		close(fd);
	}
	if (n > 0)
		then = logd_stamp_read(slice_of(first, (size_t)n));
	rotate_began(then > 0 && then < now ? (now - then) * 1000 : 0);
}

int
file_open(const char *path)
{
	struct stat sb;

	if (path != st.path)
		strlcpy(st.path, path, sizeof(st.path));
	if (st.fd != -1)
		close(st.fd);
	st.fd = open(st.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0640);
	if (st.fd == -1)
		return -1;
	st.size = fstat(st.fd, &sb) == 0 ? (uint64_t)sb.st_size : 0;
	file_began();
	return 0;
}

void
file_add(struct slice line)
{
	if (st.used + line.n > sizeof(st.buf))
		file_flush();
	memcpy(st.buf + st.used, line.p, line.n);
	st.used += line.n;
	st.pending++;
}

/* Tell in the file itself that lines are missing before this place. */
static void
file_note(void)
{
	char note[80];
	int n;

	n = snprintf(note, sizeof(note), "%s%lu lines could not be written "
	    "here\n", st.midline ? "\n" : "", st.lost);
	if (write(st.fd, note, (size_t)n) == n) {
		st.lost = 0;
		st.midline = false;
	}
}

void
file_flush(void)
{
	ssize_t n;

	if (st.used == 0)
		return;
	if (rotate_due(st.size) || !rotate_room(st.size + st.used))
		file_check();
	if (st.fd == -1 && file_open(st.path) == -1)
		lost(strerror(errno));
	else if (!rotate_room(st.size + st.used))
		lost("log.max is reached");
	else {
		if (st.lost > 0)
			file_note();
		n = st.lost > 0 ? -1 : write(st.fd, st.buf, st.used);
		if (n != (ssize_t)st.used) {
			lost(n == -1 ? strerror(errno) : strerror(ENOSPC));
			st.midline = n > 0;
		} else
			st.why[0] = '\0';
		st.size += n > 0 ? (uint64_t)n : 0;
	}
	st.used = 0;
	st.pending = 0;
}

/* Does the path still lead to the file that is open?  1, 0; -1 with errno: it
 * cannot be told now. */
static int
file_same(void)
{
	struct stat a, b;

	if (st.fd == -1)
		return 0;
	if (fstat(st.fd, &a) == -1)
		return -1;
	st.size = (uint64_t)a.st_size;	/* somebody may have cut it */
	if (stat(st.path, &b) == -1)
		return errno == ENOENT ? 0 : -1;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* What is in buf goes to the file it is for, or with this flush: not here,
 * for file_flush calls this. */
void
file_check(void)
{
	int same = file_same();

	st.stuck[0] = '\0';
	if (same == 0 || (same == 1 && rotate_due(st.size) &&
	    rotate_move(st.path) == 0))
		file_open(st.path);
	else if (same == -1 || rotate_due(st.size))
		strlcpy(st.stuck, strerror(errno), sizeof(st.stuck));
	if (rotate_prune(st.path, st.size + st.used) == -1)
		strlcpy(st.stuck, strerror(errno), sizeof(st.stuck));
}

int
file_rotate(void)
{
	int same;

	file_flush();
	same = file_same();
	if (same == -1 || (same == 1 && rotate_move(st.path) == -1) ||
	    file_open(st.path) == -1)
		return -1;
	return rotate_prune(st.path, st.size);
}

const char *
file_lost(void)
{
	return st.why[0] != '\0' ? st.why : NULL;
}

const char *
file_stuck(void)
{
	return st.stuck[0] != '\0' ? st.stuck : NULL;
}

const char *
file_path(void)
{
	return st.path;
}

char *
file_tail(size_t max, size_t *n)
{
	struct stat sb;
	char *p = NULL;
	off_t at;
	int fd, error;

	if ((fd = open(st.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return NULL;
	if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_size > 0) {
		*n = (uint64_t)sb.st_size < max ? (size_t)sb.st_size : max;
		at = sb.st_size - (off_t)*n;
		p = xcalloc(1, *n);
		if (pread_all(fd, p, *n, at) == -1) {
			free(p);
			p = NULL;
		}
	}
	error = errno;
	close(fd);
	errno = error;
	return p;
}
