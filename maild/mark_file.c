/*
 * The file .maild (mark_file.h): lines of key=value, root's and read-only.
 * Called by mark.c as root.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"
#include "maild/mark_file.h"

#define MARK_TMP	".maild.tmp"	/* being written */
#define MARK_MAX	1024		/* octets */

static void
mark_line(struct mark *m, struct slice key, struct slice value)
{
	uint64_t n;

	if (slice_is(key, "house") && slice_cpy(value, m->house,
	    sizeof(m->house)) == -1)
		m->house[0] = '\0';
	if (slice_is(key, "role") && slice_cpy(value, m->role,
	    sizeof(m->role)) == -1)
		m->role[0] = '\0';
	if (slice_is(key, "level") && slice_number(value, UINT16_MAX, &n) == 0)
		m->level = (unsigned int)n;
}

/* Lines of key=value; keys that are not known are of later releases. */
static void
mark_parse(struct mark *m, struct slice text)
{
	struct slice line;
	size_t n;

	while (text.n > 0) {
		line = slice_of(text.p, slice_find(text, '\n'));
		text = slice_of(text.p + line.n, text.n - line.n);
		if (text.n > 0)
			text = slice_of(text.p + 1, text.n - 1);
		n = slice_find(line, '=');
		if (n < line.n)
			mark_line(m, slice_of(line.p, n),
			    slice_of(line.p + n + 1, line.n - n - 1));
	}
	if (strspn(m->house, "0123456789abcdef") != HOUSE_ID ||
	    m->role[0] == '\0' || m->level == 0)
		m->why = "is damaged";
	else
		m->state = m->level > MARK_LEVEL ? MARK_NEWER : MARK_GOOD;
}

void
mark_read(int dirfd, const char *name, struct mark *m)
{
	char buf[MARK_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	*m = (struct mark){ .state = MARK_BAD };
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		m->state = MARK_NONE;
	else if (fd == -1)
		m->why = strerror(errno);
	else if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		m->why = "is no file";
	else if ((n = pread(fd, buf, sizeof(buf), 0)) == -1)
		m->why = strerror(errno);
	else
		mark_parse(m, slice_of(buf, (size_t)n));
	if (m->state == MARK_GOOD && (st.st_uid != 0 ||
	    (st.st_mode & 022) != 0)) {
		m->state = MARK_BAD;
		m->why = "is not root's alone to write";
		m->loose = st.st_nlink == 1;
	}
	if (fd != -1)
		close(fd);
}

int
mark_write(int dirfd, const char *name, const char *house, const char *role)
{
	char text[128];
	int fd, n, ret = -1;

	n = snprintf(text, sizeof(text), "house=%s\nrole=%s\nlevel=%d\n",
	    house, role, MARK_LEVEL);
	if (unlinkat(dirfd, MARK_TMP, 0) == -1 && errno != ENOENT)
		return -1;
	if ((fd = openat(dirfd, MARK_TMP, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, MODE_MARK)) == -1)
		return -1;
	if (fchmod(fd, MODE_MARK) == 0 && write_all(fd, text, (size_t)n) == 0 &&
	    fsync(fd) == 0 && renameat(dirfd, MARK_TMP, dirfd, name) == 0 &&
	    fsync(dirfd) == 0)
		ret = 0;
	close(fd);
	return ret;
}
