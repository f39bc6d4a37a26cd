/*
 * What is in the directory of reports at start.  A file is taken, or it is
 *
 *	unread	cannot be read now: as it is, tried again
 *	newer	a newer release wrote it: as it is, for that release
 *	damaged	as it is, for the operator; not counted
 *
 * and in each of these cases known by its name, so that what queue hands over
 * again is not written over it.  Listing breaks off at an error, it does not
 * end there.  report-in.
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
#include "proc/proc.h"
#include "report/in/in.h"

enum state { F_TAKEN, F_UNREAD, F_NEWER, F_DAMAGED, F_STATES };

struct odd {
	TAILQ_ENTRY(odd) of;
	char		 name[NAME_TEXT + 1];	/* with its type */
	enum state	 state;
};

static struct {
	TAILQ_HEAD(, odd) odd;
	size_t		 n[F_STATES];
	bool		 begun;
} rs = { .odd = TAILQ_HEAD_INITIALIZER(rs.odd) };

static enum state take(int, const char *, restore_took);
static void	 odd_add(const char *, enum state);
static bool	 odd_is(const char *);
static void	 tell(int);

int
restore_list(int dir, restore_took took)
{
	struct dirent *e;
	enum state s;
	int error, last = 0;
	DIR *d;

	if ((d = listing_open(dir)) == NULL)
		return -1;
	while ((void)(errno = 0), (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) != NAME_TEXT)
			continue;
		if (e->d_name[0] == 't' && !rs.begun)
			unlinkat(dir, e->d_name, 0);
		if ((e->d_name[0] != 'r' && e->d_name[0] != 'u') ||
		    odd_is(e->d_name))
			continue;
		if ((s = take(dir, e->d_name, took)) == F_UNREAD)
			last = errno;
		if (s != F_TAKEN)
			odd_add(e->d_name, s);
	}
	error = errno;
	closedir(d);
	tell(last);
	errno = error;
	rs.begun = error == 0;
	return error == 0 ? 0 : -1;
}

bool
restore_again(int dir, restore_took took)
{
	struct odd *o, *next;
	enum state s;
	int last = 0;

	if (rs.n[F_UNREAD] == 0)
		return false;
	for (o = TAILQ_FIRST(&rs.odd); o != NULL; o = next) {
		next = TAILQ_NEXT(o, of);
		if (o->state != F_UNREAD)
			continue;
		if ((s = take(dir, o->name, took)) == F_UNREAD) {
			last = errno;
			continue;
		}
		rs.n[F_UNREAD]--;
		rs.n[s] += s != F_TAKEN;
		o->state = s;
		if (s == F_TAKEN) {
			TAILQ_REMOVE(&rs.odd, o, of);
			free(o);
		}
	}
	tell(last);
	return true;
}

/* It is told if it is a report; F_UNREAD with errno. */
static enum state
take(int dir, const char *name, restore_took took)
{
	static char buf[FILE_HEAD_MAX];
	uint32_t nrows, crc;
	struct in_head h;
	struct stat sb;
	size_t n = 0;
	int fd, error;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT)
		return F_TAKEN;		/* gone meanwhile */
	if (fd == -1 && errno != ELOOP)
		return F_UNREAD;
	if (fd == -1)
		return F_DAMAGED;
	if (fstat(fd, &sb) == -1)
		goto unread;
	if (S_ISREG(sb.st_mode)) {
		n = (uint64_t)sb.st_size < sizeof(buf) ? (size_t)sb.st_size :
		    sizeof(buf);
		if (pread_all(fd, buf, n, 0) == -1)
			goto unread;
	}
	close(fd);
	if (file_newer(buf, n))
		return F_NEWER;
	if (file_head(buf, n, &h, &nrows, &crc) == -1 ||
	    (h.kind == IN_RAW) != (name[0] == 'u')) {
		log_warnx("%s is damaged, not counted", name);
		return F_DAMAGED;
	}
	took(name + 1, &h, (uint64_t)sb.st_size);
	return F_TAKEN;
unread:
	error = errno;
	close(fd);
	errno = error;
	return F_UNREAD;
}

/* ---- what was not taken -------------------------------------------------- */

static void
odd_add(const char *name, enum state s)
{
	struct odd *o = xcalloc(1, sizeof(*o));

	strlcpy(o->name, name, sizeof(o->name));
	o->state = s;
	TAILQ_INSERT_TAIL(&rs.odd, o, of);
	rs.n[s]++;
}

static bool
odd_is(const char *name)
{
	struct odd *o;

	TAILQ_FOREACH(o, &rs.odd, of)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

bool
restore_has(const char *name)
{
	struct odd *o;

	TAILQ_FOREACH(o, &rs.odd, of)
		if (strcmp(o->name + 1, name) == 0)
			return true;
	return false;
}

void
restore_words(char *out, size_t size)
{
	static const char *const what[F_STATES] = {
		[F_UNREAD] = "cannot be read now",
		[F_NEWER] = "of a newer release",
		[F_DAMAGED] = "damaged"
	};
	char more[64];
	size_t s;

	for (s = F_UNREAD; s < F_STATES; s++) {
		if (rs.n[s] == 0)
			continue;
		snprintf(more, sizeof(more), "; %zu %s, not counted", rs.n[s],
		    what[s]);
		strlcat(out, more, size);
	}
}

/* error: of the last file that could not be read. */
static void
tell(int error)
{
	if (error != 0)
		proc_impaired("reports-unread", "reports in "
		    "directories.reports-in cannot be read now: %s; they stay "
		    "as they are, are not counted and are tried again: look "
		    "at the disk", strerror(error));
	else
		proc_impaired_over("reports-unread");
	if (rs.n[F_NEWER] > 0)
		proc_impaired("newer", "%zu reports of a newer release in "
		    "directories.reports-in are kept and not counted: start "
		    "that release again, or remove them", rs.n[F_NEWER]);
}
