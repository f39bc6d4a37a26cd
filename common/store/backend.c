/*
 * The file calls of the store, all of them under one small interface: where
 * does the log end (and keep others from moving it), append there, read a
 * range, replace a blob, the durable mark.  Runs in deliver, which trusts no
 * account, and in sessions.  A distributed object store would replace this
 * file.  Never follows a symlink, never opens what is not a regular file.
 *
 * Invariants of `lock` (three records of 32 octets, never synced on their
 * own; maild-store(5)):
 *
 *	holder of the OFD write lock	the only one that appends, cuts
 *	0  "MARK"			log and all bytes it names are durable
 *					up to pos; written after that sync
 *	32 "FAIL"			a sync failed: what was durable before
 *	64 "DAMG"			somebody saw damage under the lock
 *
 * Positions are of the log of one generation: a mark of the one before says
 * that ours is durable up to where it was begun to be continued (who made it
 * died before he could), one of another is none, and a failure of another one
 * says that all is in doubt.
 *
 * They are written without the lock, each whole and from what its writer
 * knows: nobody writes back what he read of another's, so no failure is lost
 * when two write at once, and a mark that goes back is merely old.
 */
#include "base/compat.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifdef __linux__
#include <linux/openat2.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define LOCK_WAIT_SESSION	5000	/* milliseconds; deliver has none */
#define MARK_LEN		32	/* octets of a record */
#define MARK_FAIL		1	/* which of them */
#define MARK_DAMAGE		2
#define MARK_RECORDS		3
#define IOV_STEP		1024	/* what one pwritev takes */
#define RANGE_TRIES		2	/* reads of a file that just grew */

/* The call that failed last, for the log. */
static struct {
	int	 fd;		/* -1: of name */
	int	 e;		/* 0: the file ended too early */
	char	 name[32];
} fault = { .fd = -1 };

/* Note what failed on fd, with errno (0: a short read). */
void
backend_fault(int fd, int e)
{
	fault.fd = fd;
	fault.e = e;
}

/* What the descriptor is of, if it is no segment's. */
static const char *
backend_name(const struct backend *b, int fd)
{
	if (fd == b->lock)
		return "lock";
	return fd == b->dir ? "directory" : "journal";
}

/* "name: text of errno" of the call that failed last. */
void
backend_why(const struct backend *b, char *buf, size_t n)
{
	const char *name = fault.name;
	char mail[32];
	size_t i;

	if (fault.fd != -1) {
		name = backend_name(b, fault.fd);
		for (i = 0; i < SEGMENT_CACHE; i++)
			if (b->seg[i].used != 0 && b->seg[i].fd == fault.fd) {
				(void)snprintf(mail, sizeof(mail), "mail.%04u",
				    b->seg[i].number);
				name = mail;
			}
		for (i = 0; i < FACTS_CACHE; i++)
			if (b->facts[i].used != 0 &&
			    b->facts[i].fd == fault.fd) {
				facts_name(mail, b->facts[i].number);
				name = mail;
			}
	}
	(void)snprintf(buf, n, "%s: %s", name, fault.e == 0 ? "short read" :
	    strerror(fault.e));
}

enum store_result
backend_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return STORE_NOSPACE;
	case ENOENT:
	case ENOTDIR:
		return STORE_NOTFOUND;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return STORE_NOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return STORE_ACCESS;
	case ELOOP:
	case EXDEV:
	case ENXIO:
	case EISDIR:
		return STORE_DAMAGED;
	default:
		return STORE_IO;
	}
}

/* The same of a call on fd that failed just now. */
static enum store_result
fd_errno(int fd)
{
	backend_fault(fd, errno);
	return backend_errno(errno);
}

/* One path component beneath dir, no symlink, CLOEXEC. */
static int
open_beneath(int dir, const char *name, int flags)
{
#ifdef SYS_openat2
	struct open_how how = { 0 };
	long fd;

	how.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW);
	how.mode = (flags & O_CREAT) != 0 ? 0666 : 0;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
	    RESOLVE_NO_MAGICLINKS;
	fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd != -1 || (errno != ENOSYS && errno != EPERM))
		return (int)fd;
#endif
	return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0666);
}

/*
 * Opens a regular file (with O_DIRECTORY: a directory) of the account.
 * O_NONBLOCK so that a FIFO put there cannot hold us.  -1 and errno.
 */
int
backend_file(int dir, const char *name, int flags)
{
	struct stat sb;
	int fd, e;

	fd = open_beneath(dir, name, flags | O_NONBLOCK | O_NOCTTY);
	if (fd != -1 && (flags & O_DIRECTORY) != 0)
		return fd;
	if (fd == -1 || fstat(fd, &sb) == -1)
		e = errno;
	else if (!S_ISREG(sb.st_mode))
		e = ENXIO;
	else
		return fd;
	if (fd != -1)
		close(fd);
	fault.fd = -1;
	fault.e = e;
	(void)strlcpy(fault.name, name, sizeof(fault.name));
	errno = e;
	return -1;
}

enum store_result
backend_open(struct backend *b, int dirfd, enum store_mode mode)
{
	enum store_result r;

	memset(b, 0, sizeof(*b));
	b->mode = mode;
	b->lock = b->log = b->notify = -1;
	if ((b->dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 3)) == -1)
		return fd_errno(dirfd);
	if ((b->log = backend_file(b->dir, "journal", O_RDWR)) == -1 ||
	    (b->lock = backend_file(b->dir, "lock", O_RDWR | O_CREAT)) == -1) {
		r = backend_errno(errno);
		backend_close(b);
		return r;
	}
	return STORE_OK;
}

void
backend_close(struct backend *b)
{
	int *fds[] = { &b->dir, &b->lock, &b->log, &b->notify };
	size_t i;

	for (i = 0; i < NITEMS(fds); i++) {
		if (*fds[i] != -1)
			close(*fds[i]);
		*fds[i] = -1;
	}
	for (i = 0; i < SEGMENT_CACHE; i++)
		if (b->seg[i].used != 0)
			close(b->seg[i].fd);
	memset(b->seg, 0, sizeof(b->seg));
	facts_forget(b);
	b->locked = false;
}

static int
lock_try(int fd, short type)
{
#ifdef F_OFD_SETLK
	struct flock fl = { 0 };

	fl.l_type = type;
	fl.l_whence = SEEK_SET;
	return fcntl(fd, F_OFD_SETLK, &fl);
#else
	return flock(fd, type == F_UNLCK ? LOCK_UN : LOCK_EX | LOCK_NB);
#endif
}

/*
 * Is the lock that we have the one by that name?  An operator takes it away
 * to have a repaired account looked at again: then there is another one.
 */
static enum store_result
lock_current(struct backend *b, bool *current)
{
	struct stat sb;
	int fd;

	if (fstat(b->lock, &sb) == -1)
		return fd_errno(b->lock);
	if ((*current = sb.st_nlink > 0))
		return STORE_OK;
	if ((fd = backend_file(b->dir, "lock", O_RDWR | O_CREAT)) == -1)
		return backend_errno(errno);
	close(b->lock);			/* and the lock with it */
	b->lock = fd;
	return STORE_OK;
}

/* Waits for the lock as long as the mode has patience: deliver, which has
 * others to serve, none at all. */
static enum store_result
lock_take(struct backend *b)
{
	struct timespec ts = { 0, 50000 };
	uint64_t until = 0;

	while (lock_try(b->lock, F_WRLCK) == -1) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR &&
		    errno != EWOULDBLOCK)
			return fd_errno(b->lock);
		if (b->mode == STORE_DELIVER && errno != EINTR)
			return STORE_BUSY;
		if (until == 0)
			until = now_ms() + LOCK_WAIT_SESSION;
		else if (now_ms() >= until)
			return STORE_BUSY;
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < 2000000)
			ts.tv_nsec *= 2;
	}
	return STORE_OK;
}

/*
 * The first half of compare-and-append: tells where the log ends and keeps
 * it there until backend_end().  BUSY after the mode's patience.
 */
enum store_result
backend_begin(struct backend *b, uint64_t *end)
{
	enum store_result r;
	bool current = false;

	do {
		if ((r = lock_take(b)) != STORE_OK)
			return r;
		b->locked = true;
		r = lock_current(b, &current);
	} while (r == STORE_OK && !current);
	if (r == STORE_OK)
		r = backend_log_size(b, end);
	if (r != STORE_OK)
		backend_end(b);
	return r;
}

void
backend_end(struct backend *b)
{
	if (b->locked)
		(void)lock_try(b->lock, F_UNLCK);
	b->locked = false;
}

/* GONE: it is no longer the one by that name.  That it has other names, as a
 * backup may give it, says nothing. */
enum store_result
backend_log_size(struct backend *b, uint64_t *end)
{
	struct stat sb, named;

	if (fstat(b->log, &sb) == -1)
		return fd_errno(b->log);
	if (sb.st_nlink == 0)
		return STORE_GONE;
	if (fstatat(b->dir, "journal", &named, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? STORE_GONE : fd_errno(b->dir);
	if (named.st_ino != sb.st_ino || named.st_dev != sb.st_dev)
		return STORE_GONE;
	*end = (uint64_t)sb.st_size;
	return STORE_OK;
}

/* All of iov at off; iov is used up.  Short writes go on to their cause. */
enum store_result
backend_write(int fd, uint64_t off, struct iovec *iov, int n)
{
	ssize_t w;

	while (n > 0) {
		w = pwritev(fd, iov, n > IOV_STEP ? IOV_STEP : n, (off_t)off);
		if (w == -1) {
			if (errno == EINTR)
				continue;
			return fd_errno(fd);
		}
		off += (uint64_t)w;
		while (n > 0 && (size_t)w >= iov->iov_len) {
			w -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return STORE_OK;
}

/* The second half; a part that was written is taken back. */
enum store_result
backend_log_append(struct backend *b, uint64_t end, const void *p, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	enum store_result r;

	if ((r = backend_write(b->log, end, &iov, 1)) != STORE_OK)
		(void)backend_log_cut(b, end);
	return r;
}

enum store_result
backend_log_cut(struct backend *b, uint64_t end)
{
	if (ftruncate(b->log, (off_t)end) == -1)
		return fd_errno(b->log);
	return STORE_OK;
}

/* Up to n octets at off; *got is less only at the end of the file. */
enum store_result
backend_read(int fd, uint64_t off, void *p, size_t n, size_t *got)
{
	ssize_t r;

	*got = 0;
	if (off > INT64_MAX - n)
		return STORE_DAMAGED;
	while (*got < n) {
		r = pread(fd, (char *)p + *got, n - *got, (off_t)(off + *got));
		if (r == -1) {
			if (errno == EINTR)
				continue;
			return fd_errno(fd);
		}
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return STORE_OK;
}

/*
 * All of n octets at off.  NOTFOUND: the file ends before.  A writer may have
 * made it longer after the read, so that is done again; a file that is long
 * enough and gives less each time has failed, which is IO like any other
 * failure.
 */
enum store_result
backend_range(int fd, uint64_t off, void *p, size_t n)
{
	enum store_result r;
	struct stat sb;
	size_t got;
	int tries;

	for (tries = 0; tries < RANGE_TRIES; tries++) {
		r = backend_read(fd, off, p, n, &got);
		if (r != STORE_OK || got == n)
			return r;
		if (fstat(fd, &sb) == -1)
			return fd_errno(fd);
		if ((uint64_t)sb.st_size < off + n)
			return STORE_NOTFOUND;
	}
	backend_fault(fd, 0);
	return STORE_IO;
}

/* A whole file, new, durable, then under its name. */
enum store_result
backend_replace(struct backend *b, const char *name, struct iovec *iov, int n)
{
	char tmp[64];
	enum store_result r;
	int fd;

	(void)snprintf(tmp, sizeof(tmp), "%s.new.%ld", name, (long)getpid());
	(void)unlinkat(b->dir, tmp, 0);
	fd = backend_file(b->dir, tmp, O_RDWR | O_CREAT | O_EXCL);
	if (fd == -1)
		return backend_errno(errno);
	r = backend_write(fd, 0, iov, n);
	if (r == STORE_OK && fsync(fd) == -1)
		r = backend_errno(errno);
	if (close(fd) == -1 && r == STORE_OK)
		r = backend_errno(errno);
	if (r == STORE_OK && renameat(b->dir, tmp, b->dir, name) == -1)
		r = backend_errno(errno);
	if (r != STORE_OK)
		(void)unlinkat(b->dir, tmp, 0);
	return r;
}

/* Record i of what `lock` holds: 1 if it is there, whole and this account's. */
static int
mark_record(const uint8_t *buf, size_t n, unsigned int i, uint32_t seed)
{
	static const char name[MARK_RECORDS][5] = {
		[0] = "MARK", [MARK_FAIL] = "FAIL", [MARK_DAMAGE] = "DAMG"
	};
	const uint8_t *p = buf + i * MARK_LEN;

	return n >= (i + 1) * MARK_LEN && memcmp(p, name[i], 4) == 0 &&
	    get32(p + 28) == crc32c(seed, p, 28);
}

/* Of the log that positions are of.  0 stands for the first. */
static uint32_t
mark_generation(const uint8_t *p)
{
	return get32(p + 24) == 0 ? 1 : get32(p + 24);
}

/* The log that is open is this one. */
void
backend_of(struct backend *b, const struct loghead *h)
{
	b->generation = (uint32_t)h->generation;
	b->end_pos = h->end_pos;
}

/*
 * What all records say together: up to m->pos is durable, and what a sync
 * that failed left in doubt lies behind it (MARK_SYNCFAIL).  No mark, or a
 * bad one, is pos 0: nothing is known to be durable.  One that cannot be read
 * is an error: it may say that a sync failed.
 */
enum store_result
backend_mark_get(struct backend *b, uint32_t seed, struct mark *m)
{
	uint8_t buf[MARK_RECORDS * MARK_LEN];
	const uint8_t *fail = buf + MARK_FAIL * MARK_LEN;
	enum store_result r;
	size_t n;

	memset(m, 0, sizeof(*m));
	if ((r = backend_read(b->lock, 0, buf, sizeof(buf), &n)) != STORE_OK)
		return r;
	if (mark_record(buf, n, 0, seed)) {
		m->mended = get64(buf + 16);
		if (mark_generation(buf) == b->generation) {
			m->flags = get32(buf + 4) & MARK_SYNCFAIL;
			m->pos = get64(buf + 8);
		} else if (mark_generation(buf) + 1 == b->generation)
			m->pos = b->end_pos;
	}
	if (mark_record(buf, n, MARK_DAMAGE, seed))
		m->flags |= MARK_DAMAGED;
	if (!mark_record(buf, n, MARK_FAIL, seed) ||
	    get64(fail + 16) == m->mended)
		return STORE_OK;
	m->flags |= MARK_SYNCFAIL;
	m->mended = get64(fail + 16);
	if (mark_generation(fail) != b->generation)
		m->pos = 0;
	else if (get64(fail + 8) < m->pos)
		m->pos = get64(fail + 8);
	return STORE_OK;
}

static void
mark_write(struct backend *b, unsigned int i, uint32_t seed, uint8_t *p)
{
	struct iovec iov = { p, MARK_LEN };

	put32(p + 24, b->generation);
	put32(p + 28, crc32c(seed, p, 28));
	(void)backend_write(b->lock, (uint64_t)i * MARK_LEN, &iov, 1);
}

/*
 * The mark of one who has synced up to m->pos, and who has written again what
 * failure m->mended left in doubt before it; behind it there is still some if
 * MARK_SYNCFAIL is set.
 */
void
backend_mark_set(struct backend *b, uint32_t seed, const struct mark *m)
{
	uint8_t p[MARK_LEN] = "MARK";

	put32(p + 4, m->flags & MARK_SYNCFAIL);
	put64(p + 8, m->pos);
	put64(p + 16, m->mended);
	mark_write(b, 0, seed, p);
}

/*
 * A sync failed: what lies behind pos is in doubt.  The number tells one
 * failure from another; of two at the same time either stands for both, for
 * both saw the same mark or an older one.
 */
void
backend_mark_fail(struct backend *b, uint32_t seed, uint64_t pos)
{
	uint8_t p[MARK_LEN] = "FAIL";
	uint64_t id = 0;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id) || id == 0)
		id = pos + 1;
	put64(p + 8, pos);
	put64(p + 16, id);
	mark_write(b, MARK_FAIL, seed, p);
}

void
backend_mark_damaged(struct backend *b, uint32_t seed)
{
	uint8_t p[MARK_LEN] = "DAMG";

	mark_write(b, MARK_DAMAGE, seed, p);
}
