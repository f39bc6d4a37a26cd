/*
 * The log file: lines are collected and written once a loop turn.  A full
 * disk or a missing directory loses lines and says so later; it never stops
 * logd or who logs.  Run in the log directory as root directory.
 */
#include "compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "util.h"
#include "logd.h"

#define FILE_BUF	(256 * 1024)
#define FILE_KEEP	9	/* rotated ones */

static struct {
	char		 path[1024];
	int		 fd;
	size_t		 used;
	unsigned long	 lost;		/* lines not written */
	unsigned long	 pending;	/* lines in buf */
	bool		 midline;	/* a write was cut in a line */
	char		 buf[FILE_BUF];
} st = { .fd = -1 };

int
file_open(const char *path)
{
	if (path != st.path)
		strlcpy(st.path, path, sizeof(st.path));
	if (st.fd != -1)
		close(st.fd);
	st.fd = open(st.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0640);
	return st.fd == -1 ? -1 : 0;
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
	if (st.fd == -1)
		file_open(st.path);
	if (st.fd != -1 && st.lost > 0)
		file_note();
	n = st.fd == -1 || st.lost > 0 ? -1 : write(st.fd, st.buf, st.used);
	if (n != (ssize_t)st.used) {
		st.lost += st.pending;
		st.midline = n > 0;
	}
	st.used = 0;
	st.pending = 0;
}

/* Does the path still lead to the file that is open? */
static bool
file_same(void)
{
	struct stat a, b;

	return st.fd != -1 && fstat(st.fd, &a) == 0 &&
	    stat(st.path, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino;
}

void
file_check(void)
{
	if (!file_same()) {
		file_flush();
		file_open(st.path);
	}
}

int
file_rotate(void)
{
	char from[sizeof(st.path) + 8], to[sizeof(st.path) + 8];
	int i;

	file_flush();
	if (file_same()) {
		for (i = FILE_KEEP - 1; i >= 0; i--) {
			snprintf(from, sizeof(from), i == 0 ? "%s" : "%s.%d",
			    st.path, i);
			snprintf(to, sizeof(to), "%s.%d", st.path, i + 1);
			if (rename(from, to) == -1 && errno != ENOENT)
				return -1;
		}
	}
	return file_open(st.path);
}

char *
file_tail(size_t max, size_t *n)
{
	struct stat sb;
	char *p = NULL;
	off_t at;
	int fd;

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
	close(fd);
	return p;
}
