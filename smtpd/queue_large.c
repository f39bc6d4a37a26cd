/*
 * Messages too large for a memfd: files of their own in large/, named by a
 * random number, made here and filled by smtpd through the descriptor.
 * queue only.
 *
 * Invariants: a file is either promised to one smtpd (queue.c knows) or
 * named by exactly one frame; at start every other one is unlinked.  A frame
 * that names one was written after the file and its name were synced.
 */
#include "compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "log.h"
#include "util.h"
#include "queue.h"

#define LARGE_BLOCK	(256U * 1024)
#define NAME_LEN	17

static int largefd = -1;

static int	 large_sum(int, uint64_t, uint32_t *);

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
large_commit(uint64_t file, uint64_t size, uint32_t *crc)
{
	int fd, e, r = -1;

	if ((fd = large_open(file)) == -1)
		return -1;
	if (large_sum(fd, size, crc) == -1)
		goto out;
#ifndef FAULT_NOSYNC
	if (fsync(fd) == -1 || fsync(largefd) == -1)
		goto out;
#endif
	r = 0;
out:
	e = errno;
	close(fd);
	errno = e;
	return r;
}

int
large_check(uint64_t file, uint64_t size, uint32_t crc)
{
	uint32_t sum;
	int fd, r;

	if ((fd = large_open(file)) == -1)
		return -1;
	r = large_sum(fd, size, &sum);
	close(fd);
	if (r == 0 && sum == crc)
		return 0;
	errno = EBADMSG;
	return -1;
}

void
large_unlink(uint64_t file)
{
	char name[NAME_LEN];

	name_of(file, name);
	if (unlinkat(largefd, name, 0) == -1 && errno != ENOENT)
		log_warn("spool unlink large=%s", name);
}

void
large_sweep(bool (*keep)(uint64_t))
{
	unsigned long long file;
	struct dirent *d;
	DIR *dir;
	char *end;
	int fd;

	fd = openat(largefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		log_warn("spool large");
		if (fd != -1)
			close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		file = strtoull(d->d_name, &end, 16);
		if (*end == '\0' && end - d->d_name == NAME_LEN - 1 &&
		    !keep(file))
			large_unlink(file);
	}
	closedir(dir);
}

/* Checksum of exactly size octets; EINVAL when there are more or fewer. */
static int
large_sum(int fd, uint64_t size, uint32_t *crc)
{
	static uint8_t block[LARGE_BLOCK];
	struct stat st;
	uint64_t off;
	size_t n;

	if (fstat(fd, &st) == -1)
		return -1;
	if ((uint64_t)st.st_size != size) {
		errno = EINVAL;
		return -1;
	}
	*crc = 0;
	for (off = 0; off < size; off += n) {
		n = size - off < sizeof(block) ? (size_t)(size - off) :
		    sizeof(block);
		if (pread_all(fd, block, n, (off_t)off) == -1)
			return -1;
		*crc = crc32c(*crc, block, n);
	}
	return 0;
}
