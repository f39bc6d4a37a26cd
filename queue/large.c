/*
 * Messages too large for a memfd: files of their own in large/, named by a
 * random number, made here and filled by smtpd through the descriptor.
 * queue only.
 *
 * Invariants: a file is either promised to one smtpd (queue.c knows) or
 * named by exactly one frame; a start that could read all segments unlinks
 * every other one.  A frame that names one was written after the file and its
 * name were synced.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define NAME_LEN	17

static int largefd = -1;

static struct named {			/* by frames, at the start */
	uint64_t	*file;		/* sorted before it is looked at */
	size_t		 n, cap;
} named;

static void	 unlink_unnamed(void);

static void
name_of(uint64_t file, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "%016llx", (unsigned long long)file);
}

int
large_init(int spoolfd)
{
	if (mkdirat(spoolfd, "large", 0700) == -1 && errno != EEXIST)
		return -1;
	largefd = openat(spoolfd, "large",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return largefd == -1 ? -1 : fsync(spoolfd);
}

int
large_new(uint64_t *file)
{
	char name[NAME_LEN];

	do
		*file = random_u64();
	while (*file == 0);
	name_of(*file, name);
	return openat(largefd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
}

int
large_open(uint64_t file)
{
	char name[NAME_LEN];

	name_of(file, name);
	return openat(largefd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

int
large_sync(int fd)
{
#ifndef FAULT_NOSYNC
	if (fsync(fd) == -1 || fsync(largefd) == -1)
		return -1;
#endif
	return 0;
}

void
large_unlink(uint64_t file)
{
	char name[NAME_LEN];

	name_of(file, name);
	if (unlinkat(largefd, name, 0) == -1 && errno != ENOENT)
		log_warn("spool unlink large=%s", name);
}

/* ---- those that no frame names ----------------------------------------- */

void
large_named(uint64_t file)
{
	if (named.n == named.cap) {
		named.cap = named.cap == 0 ? 256 : named.cap * 2;
		named.file = xreallocarray(named.file, named.cap,
		    sizeof(*named.file));
	}
	named.file[named.n++] = file;
}

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
is_named(uint64_t file)
{
	return named.n > 0 && bsearch(&file, named.file, named.n,
	    sizeof(*named.file), cmp_u64) != NULL;
}

void
large_sweep(bool keep)
{
	if (named.n > 0)
		qsort(named.file, named.n, sizeof(*named.file), cmp_u64);
	if (!keep)
		unlink_unnamed();
	free(named.file);
	named = (struct named){ 0 };
}

static void
unlink_unnamed(void)
{
	unsigned long long file;
	struct dirent *d;
	DIR *dir;
	char *end;

	if ((dir = listing_open(largefd)) == NULL) {
		log_warn("spool large");
		return;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		file = strtoull(d->d_name, &end, 16);
		if (*end == '\0' && end - d->d_name == NAME_LEN - 1 &&
		    !is_named(file))
			large_unlink(file);
	}
	if (errno != 0)			/* the rest is for another start */
		log_warn("spool large");
	closedir(dir);
}
