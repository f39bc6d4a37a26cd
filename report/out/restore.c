/*
 * What earlier processes counted, read back at start.  A file is in one of
 * these states, and only the first two ever change it:
 *
 *	read	to its end; what follows the last good record is torn, and cut
 *	bad	its start makes no sense: kept aside under another name
 *	unread	cannot be read now: as it is, tried again
 *	newer	a newer release wrote it: as it is, for that release
 *
 * Nothing else is written under the name of a file that is there
 * (journal_open), and no key is made while there may be one.  Part of
 * report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define FILE_NEW	"agg.new"
#define FILE_ASIDE	".bad"		/* behind the name: not read again */
#define KEY_NAME	"key"
#define KEY_NEW		"key.new"
#define FILES_MAX	4096		/* intervals that are read back */
#define READ_SIZE	(256U << 10)

enum state { F_READ, F_BAD, F_UNREAD, F_NEWER };

static struct {
	int		 dir;
	uint64_t	 unread[FILES_MAX];	/* names */
	size_t		 nunread, nnewer;
} rs = { .dir = -1 };

static int	 names_read(uint64_t *, size_t *);
static int	 by_number(const void *, const void *);
static int	 key_load(uint8_t *);
static int	 key_read(uint8_t *);
static void	 key_make(uint8_t *);
static void	 files_read(const uint64_t *, size_t,
		    void (*)(struct period *));
static enum state file_load(const char *, struct period **);
static enum state file_replay(struct period *, off_t);
static void	 file_aside(const char *, const char *);
static void	 tell(int);

int
journal_init(int dirfd, void (*fn)(struct period *), uint8_t key[JOURNAL_KEY])
{
	static uint64_t begin[FILES_MAX];
	size_t n = 0;

	rs.dir = dirfd;
	journal_dir(dirfd);
	if (key_load(key) == -1 || names_read(begin, &n) == -1) {
		tell(errno);
		return -1;
	}
	unlinkat(rs.dir, FILE_NEW, 0);
	qsort(begin, n, sizeof(begin[0]), by_number);
	files_read(begin, n, fn);
	return 0;
}

void
journal_again(void (*fn)(struct period *))
{
	static uint64_t begin[FILES_MAX];
	size_t n = rs.nunread;

	if (n == 0)
		return;
	memcpy(begin, rs.unread, n * sizeof(begin[0]));
	files_read(begin, n, fn);
}

/* A listing that breaks off is none. */
static int
names_read(uint64_t *begin, size_t *n)
{
	const size_t len = strlen(JOURNAL_NAME);
	struct dirent *e;
	const char *bad;
	DIR *d;

	if ((d = listing_open(rs.dir)) == NULL)
		return -1;
	while ((void)(errno = 0), *n < FILES_MAX && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, JOURNAL_NAME, len) != 0 ||
		    strlen(e->d_name) != len + JOURNAL_DIGITS)
			continue;
		begin[*n] = (uint64_t)strtonum(e->d_name + len, 0, INT64_MAX,
		    &bad);
		*n += bad == NULL;
	}
	listing_end(d);
	return errno == 0 ? 0 : -1;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* ---- the key ------------------------------------------------------------ */

static int
key_load(uint8_t *key)
{
	int r = key_read(key);

	if (r == 0)
		key_make(key);
	return r == -1 ? -1 : 0;
}

/* 1; 0: there is none, or what is there was never one; -1: not now. */
static int
key_read(uint8_t *key)
{
	uint8_t b[JOURNAL_KEY + 4];
	struct stat sb;
	uint32_t crc;
	int fd, r = -1;

	fd = openat(rs.dir, KEY_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &sb) == -1)
		r = -1;
	else if (sb.st_size < (off_t)sizeof(b))
		r = 0;
	else if (pread_all(fd, b, sizeof(b), 0) == 0)
		r = 1;
	close(fd);
	if (r != 1)
		return r;
	memcpy(key, b, JOURNAL_KEY);
	memcpy(&crc, b + JOURNAL_KEY, sizeof(crc));
	return crc == crc32c(0, key, JOURNAL_KEY);
}

static void
key_make(uint8_t *key)
{
	uint8_t b[JOURNAL_KEY + 4];
	uint32_t crc;
	int fd;

	random_bytes(key, JOURNAL_KEY);
	crc = crc32c(0, key, JOURNAL_KEY);
	memcpy(b, key, JOURNAL_KEY);
	memcpy(b + JOURNAL_KEY, &crc, sizeof(crc));
	unlinkat(rs.dir, KEY_NEW, 0);
	fd = openat(rs.dir, KEY_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1 || write_all(fd, b, sizeof(b)) == -1 ||
	    fsync(fd) == -1 ||
	    renameat(rs.dir, KEY_NEW, rs.dir, KEY_NAME) == -1)
		log_warn("reports key");
	if (fd != -1)
		close(fd);
}

/* ---- files -------------------------------------------------------------- */

static void
files_read(const uint64_t *begin, size_t n, void (*fn)(struct period *))
{
	struct period *p;
	char name[40];
	int error = 0;
	size_t i;

	rs.nunread = 0;
	for (i = 0; i < n; i++) {
		journal_name(name, sizeof(name), begin[i]);
		switch (file_load(name, &p)) {
		case F_READ:
			fn(p);
			break;
		case F_UNREAD:
			error = errno;
			rs.unread[rs.nunread++] = begin[i];
			break;
		case F_NEWER:
			log_warnx("reports file %s is of a newer release",
			    name);
			rs.nnewer++;
			break;
		case F_BAD:
			break;
		}
	}
	tell(error);
}

/* Of a file, by its first REC_START octets. */
static enum state
start_read(const uint8_t *b, struct rec_file *f)
{
	if (rec_start_newer(b, REC_START))
		return F_NEWER;
	return rec_start_get(b, REC_START, f) == -1 ? F_BAD : F_READ;
}

static enum state
file_load(const char *name, struct period **to)
{
	uint8_t b[REC_START];
	struct rec_file f;
	struct stat sb;
	enum state s = F_UNREAD;
	int fd;

	fd = openat(rs.dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 && (errno == ENOENT || errno == ELOOP)) {
		log_warn("reports file %s", name);
		return F_BAD;
	}
	if (fd == -1)
		return F_UNREAD;
	*to = NULL;
	if (fstat(fd, &sb) == 0 && sb.st_size < REC_START)
		s = F_BAD;
	else if (fstat(fd, &sb) == 0 && pread_all(fd, b, sizeof(b), 0) == 0)
		s = start_read(b, &f);
	if (s == F_BAD)
		file_aside(name, "has no readable start");
	if (s == F_READ) {
		*to = period_new(&f);
		(*to)->fd = fd;
		(*to)->replayed = true;
		s = file_replay(*to, sb.st_size);
	}
	if (s != F_READ) {
		int error = errno;

		if (*to != NULL)
			period_free(*to);
		close(fd);
		errno = error;
	}
	return s;
}

/* Not lost: somebody may make sense of it. */
static void
file_aside(const char *name, const char *why)
{
	char aside[60];

	snprintf(aside, sizeof(aside), "%s" FILE_ASIDE, name);
	if (renameat(rs.dir, name, rs.dir, aside) == -1)
		log_warn("reports file %s %s; rename", name, why);
	else
		log_warnx("reports file %s %s, kept as %s", name, why, aside);
}

/* The next octets of the file behind b[0..*n): 1, 0 at its end, which is
 * where its size says and not where a read stops short; -1. */
static int
more(int fd, uint8_t *b, size_t *n, off_t at, off_t size)
{
	ssize_t k;

	if (at + (off_t)*n >= size)
		return 0;
	k = pread(fd, b + *n, READ_SIZE - *n, at + (off_t)*n);
	if (k == 0)
		errno = EIO;
	if (k <= 0)
		return k == -1 && errno == EINTR ? 1 : -1;
	*n += (size_t)k;
	return 1;
}

/* What follows the last good record is a torn tail and is cut. */
static enum state
file_replay(struct period *p, off_t size)
{
	static uint8_t b[READ_SIZE];
	size_t n = 0, off = 0, len, bad = 0, odd = 0;
	off_t at = REC_START;		/* in the file, of b */
	struct rec r;
	int k = 1;

	p->off = REC_START;
	for (;;) {
		if (k == 1 && n - off < REC_MAX) {
			memmove(b, b + off, n - off);
			at += (off_t)off;
			n -= off;
			off = 0;
			if ((k = more(p->fd, b, &n, at, size)) == -1)
				return F_UNREAD;
			continue;
		}
		if (n - off < REC_HDR)
			break;
		len = rec_get(b + off, n - off, p->file.nonce, &r);
		if (len == 0 && rec_newer(b + off, n - off, p->file.nonce))
			return F_NEWER;
		if (len == 0) {
			off += 8;
			bad += 8;
			if (off > n)
				off = n;
			continue;
		}
		if (bad > 0)
			log_warnx("reports file damaged begin=%llu octets=%zu",
			    (unsigned long long)p->file.begin, bad);
		bad = 0;
		odd += period_replay(p, &r) == -1;
		off += len;
		p->off = at + (off_t)off;
	}
	if (odd > 0)
		log_warnx("reports file begin=%llu records=%zu do not fit the "
		    "others", (unsigned long long)p->file.begin, odd);
	p->whole = p->off;
	if (ftruncate(p->fd, p->off) == -1)
		journal_bad(p, "truncate");
	return F_READ;
}

/* error: of the last thing that could not be read. */
static void
tell(int error)
{
	if (error != 0)
		proc_impaired("journal", "what was counted for DMARC reports "
		    "cannot be read now: %s; it stays as it is and is tried "
		    "again: look at the disk of directories.reports-out",
		    strerror(error));
	else
		proc_impaired_over("journal");
	if (rs.nnewer > 0)
		proc_impaired("newer", "%zu files of a newer release in "
		    "directories.reports-out (agg.*) are kept and not "
		    "reported: start that release again, or remove them",
		    rs.nnewer);
}
