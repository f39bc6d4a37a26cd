/*
 * The quarantine: octets of the spool that were found damaged, kept for a
 * person to look at.  queue only.
 *
 * Bounded over all lives, by number and size.  When it is full no more is
 * kept, for what came first is what began it, and maild is told until
 * somebody has looked and made room.  A whole segment that would have to go
 * here stays where it is then, and is not used again.
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
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define FILES_MAX	1000
#define OCTETS_MAX	(UINT64_C(1) << 30)
#define LOOK_AGAIN	5		/* s, while it is full */

static struct {
	int		 dirfd;
	unsigned int	 files;
	uint64_t	 octets;
	uint64_t	 again;		/* clock_now() */
	bool		 told;		/* that it is full */
} qu = { .dirfd = -1 };

static int	 look(void);

int
quarantine_init(int spoolfd)
{
	qu.dirfd = openat(spoolfd, "quarantine",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (qu.dirfd == -1)
		return -1;
	if (look() == -1)		/* looked at again before it counts */
		qu.files = FILES_MAX;
	return 0;
}

/* What is there, now.  0, -1 with errno. */
static int
look(void)
{
	struct dirent *d;
	struct stat st;
	DIR *dir;

	if ((dir = listing_open(qu.dirfd)) == NULL)
		return -1;
	qu.files = 0;
	qu.octets = 0;
	while (errno = 0, (d = readdir(dir)) != NULL)
		if (fstatat(qu.dirfd, d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			qu.files++;
			qu.octets += (uint64_t)st.st_size;
		}
	listing_end(dir);
	return errno == 0 ? 0 : -1;
}

static bool
is_full(uint64_t n)
{
	return qu.files >= FILES_MAX || qu.octets > OCTETS_MAX ||
	    n > OCTETS_MAX - qu.octets;
}

/* Is there room for a file of n octets?  It is taken then. */
static bool
room(uint64_t n)
{
	if (is_full(n)) {
		if (clock_now() < qu.again)
			return false;
		qu.again = clock_now() + LOOK_AGAIN;
		if (look() == -1 || is_full(n)) {
			qu.told = true;
			proc_impaired("quarantine", "%s/quarantine is full "
			    "(%u files, %llu MiB): what is damaged is not "
			    "kept any more; look at what is there, then "
			    "remove it", proc_conf()->dir.spool, qu.files,
			    (unsigned long long)qu.octets >> 20);
			return false;
		}
	}
	qu.files++;
	qu.octets += n;
	return true;
}

void
quarantine_tick(void)
{
	if (!qu.told || clock_now() < qu.again)
		return;
	qu.again = clock_now() + LOOK_AGAIN;
	if (look() == -1 || is_full(SEG_SIZE))
		return;
	qu.told = false;
	proc_impaired_over("quarantine");
}

void
quarantine_keep(const struct segment *s, const void *p, size_t n, size_t off,
    const char *why)
{
	char name[64];
	int fd;

	log_warnx("spool damaged segment=%llx file=%u offset=%zu octets=%zu "
	    "reason=\"%s\"", (unsigned long long)s->seq, s->file, off, n, why);
	snprintf(name, sizeof(name), "%llx.%zx", (unsigned long long)s->seq,
	    off);
	if (n == 0 || faccessat(qu.dirfd, name, F_OK, 0) == 0 || !room(n))
		return;
	fd = openat(qu.dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1 || write_all(fd, p, n) == -1)
		log_warn("spool quarantine file=%s", name);
	if (fd != -1)
		close(fd);
}

int
quarantine_take(int dirfd, const char *name, const char *as)
{
	char to[64];
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (!room((uint64_t)st.st_size)) {
		errno = EDQUOT;
		return -1;
	}
	snprintf(to, sizeof(to), "%s.%llx", as,
	    (unsigned long long)now_sec());
	if (renameat(dirfd, name, qu.dirfd, to) == -1)
		return -1;
	log_warnx("spool damaged file=%s reason=\"no readable header\" "
	    "kept=quarantine/%s", as, to);
	return 0;
}
