/*
 * The spool on disk: segments in seg/, made of frames.  queue only; commit
 * writes, recover scans, message reads back.  Nothing here knows a channel.
 *
 * A segment is a file of SEG_SIZE octets, filled with zeros and synced with
 * its directory before its first use, so that a later fdatasync writes data
 * and no metadata; when nothing in it counts any more it is used again, with
 * a new header that is synced before its first frame.
 *
 *	0	segment header, and the same again at 512:
 *		"MAILDSP1" | u64 seq | u64 id | u64 nonce | u32 crc
 *	1024	frames, each at a multiple of FRAME_ALIGN, one behind the other:
 *		header (64): u32 magic | u32 crc of the rest | u64 nonce |
 *		    u32 no | u32 env_len | u32 facts_len | u32 flags |
 *		    u64 size | u64 large | u32 env_crc | u32 body_crc | 0
 *		envelope | message | facts	(FRAME_LARGE: envelope only)
 *
 * Invariants: id and nonce are new and random at every use, so frames of an
 * earlier use, or message text, never pass for frames of this one.  Numbers
 * count up from 0.  After a restart nothing is added to an old segment.
 * A segment named by a LOG_RETIRED record is spare whatever it holds.  One
 * that cannot be read, now or by this release, is never spare (SEG_BROKEN).
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
#include "base/hash.h"
#include "base/le.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define SEG_MAGIC	"MAILDSP1"
#define SEG_HDR		36
#define SEG_COPY	512		/* second copy of the header */
#define FILES_MAX	(1U << 20)	/* segments */
#define OPEN_MAX	32		/* segments held open for reading */
#define SPARES_MAX	4
#define ZERO_BLOCK	(256U * 1024)

static struct {
	int		 dirfd, segfd;
	struct segments	 list;
	uint64_t	 lastseq;
	uint32_t	 nextfile;
	unsigned int	 nopen;
	struct {			/* what was written last */
		const struct segment *seg;
		const uint8_t	*p;
		size_t		 off, n;
	} recent;
} sp = { .dirfd = -1, .segfd = -1 };

static int	 segment_open(struct segment *);
static int	 segment_create(struct segment *);
static int	 segment_header_write(struct segment *);
static int	 segment_header_read(struct segment *);
static bool	 segment_look(struct segment *);
static void	 segment_close_some(void);
static void	 segment_free(struct segment *);
static struct segment *segment_alloc(uint32_t);

/* ---- the spool -------------------------------------------------------- */

int
spool_init(int dirfd)
{
	static const char *const sub[] = { "seg", "quarantine" };
	size_t i;

	sp.dirfd = dirfd;
	TAILQ_INIT(&sp.list);
	for (i = 0; i < NITEMS(sub); i++)
		if (mkdirat(dirfd, sub[i], 0700) == -1 && errno != EEXIST)
			return -1;
	sp.segfd = openat(dirfd, "seg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp.segfd == -1 || fsync(dirfd) == -1)
		return -1;
	return quarantine_init(dirfd);
}

int
spool_dir(void)
{
	return sp.dirfd;
}

struct segments *
spool_segments(void)
{
	return &sp.list;
}

static struct segment *
segment_alloc(uint32_t file)
{
	struct segment *s = xcalloc(1, sizeof(*s));

	s->file = file;
	s->fd = -1;
	s->state = SEG_SPARE;
	if (file >= sp.nextfile)
		sp.nextfile = file + 1;
	return s;
}

/* In order of seq, so that a copied frame comes after its original. */
static void
segment_insert(struct segment *s)
{
	struct segment *t;

	TAILQ_FOREACH_REVERSE(t, &sp.list, segments, entry)
		if (t->seq <= s->seq) {
			TAILQ_INSERT_AFTER(&sp.list, t, s, entry);
			return;
		}
	TAILQ_INSERT_HEAD(&sp.list, s, entry);
}

int
spool_load(void)
{
	struct segment *s;
	struct dirent *d;
	DIR *dir;
	long long file;
	const char *bad;
	int e;

	/* A name that one before us made and did not live to sync. */
	if (fsync(sp.segfd) == -1 || (dir = listing_open(sp.segfd)) == NULL)
		return -1;
	while (errno = 0, (d = readdir(dir)) != NULL) {
		file = strtonum(d->d_name, 0, FILES_MAX, &bad);
		if (bad != NULL)
			continue;
		s = segment_alloc((uint32_t)file);
		if (!segment_look(s)) {
			free(s);
			continue;
		}
		segment_insert(s);
	}
	e = errno;
	closedir(dir);
	if (e != 0) {			/* what is there is not known */
		while ((s = TAILQ_FIRST(&sp.list)) != NULL)
			segment_free(s);
		errno = e;
		return -1;
	}
	return 0;
}

/* Out of memory, not off the disk. */
static void
segment_free(struct segment *s)
{
	TAILQ_REMOVE(&sp.list, s, entry);
	if (s->fd != -1) {
		close(s->fd);
		sp.nopen--;
	}
	free(s->newer);
	free(s->slot);
	free(s);
}

/* What the header says of it; false: it is not there any more. */
static bool
segment_look(struct segment *s)
{
	char name[16], as[32];

	if (segment_header_read(s) == 0) {
		s->err = 0;
		s->state = SEG_FULL;
		if (s->seq > sp.lastseq)
			sp.lastseq = s->seq;
		return true;
	}
	s->err = errno;
	s->state = errno == ENODATA ? SEG_SPARE : SEG_BROKEN;
	if (errno != EBADMSG)
		return true;
	snprintf(name, sizeof(name), "%u", s->file);
	snprintf(as, sizeof(as), "segment.%u", s->file);
	if (quarantine_take(sp.segfd, name, as) == -1)
		return true;
	if (s->fd != -1) {
		close(s->fd);
		sp.nopen--;
	}
	return false;
}

int
segment_again(struct segment *s)
{
	int e;

	if (s->seq != 0)
		return 0;
	TAILQ_REMOVE(&sp.list, s, entry);
	if (!segment_look(s)) {
		free(s);
		return -1;
	}
	e = s->err;
	segment_insert(s);
	errno = e;
	return s->state == SEG_FULL ? 0 : -1;
}

static void
segment_unlink(struct segment *s)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", s->file);
	if (unlinkat(sp.segfd, name, 0) == -1 && errno != ENOENT)
		log_warn("spool unlink segment=%s", name);
	segment_free(s);
}

void
spool_trim(void)
{
	struct segment *s, *next;
	unsigned int n = 0;

	for (s = TAILQ_FIRST(&sp.list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->state == SEG_SPARE && ++n > SPARES_MAX)
			segment_unlink(s);
	}
	/* Gone before the log forgets that they were retired. */
	if (n > SPARES_MAX && fsync(sp.segfd) == -1)
		log_warn("spool directory");
}

/* ---- a segment -------------------------------------------------------- */

struct segment *
segment_new(void)
{
	struct segment *s;
	uint64_t seq = now_sec();
	int e;

	TAILQ_FOREACH(s, &sp.list, entry)
		if (s->state == SEG_SPARE)
			break;
	if (s == NULL) {
		if (sp.nextfile >= FILES_MAX) {
			errno = ENOSPC;
			return NULL;
		}
		s = segment_alloc(sp.nextfile);
		if (segment_create(s) == -1) {
			sp.nextfile = s->file;
			free(s);
			return NULL;
		}
	} else
		TAILQ_REMOVE(&sp.list, s, entry);
	s->seq = seq > sp.lastseq ? seq : sp.lastseq + 1;
	sp.lastseq = s->seq;
	s->id = random_u64();
	s->nonce = random_u64();
	s->off = SEG_START;
	s->live = s->nslot = 0;
	s->live_bytes = 0;
	s->last = now_ms() / 1000;
	s->begun = now_ms();
	s->err = 0;
	TAILQ_INSERT_TAIL(&sp.list, s, entry);
	/* Before a frame, and before the log forgets that the old use was
	 * retired: with the old header the old frames would come back. */
	if (segment_header_write(s) == -1 || segment_sync(s) == -1) {
		e = errno;
		segment_unlink(s);
		if (fsync(sp.segfd) == -1)
			log_warn("spool directory");
		errno = e;
		return NULL;
	}
	s->state = SEG_ACTIVE;
	return s;
}

struct segment *
segment_find(uint64_t id)
{
	struct segment *s;

	TAILQ_FOREACH_REVERSE(s, &sp.list, segments, entry)
		if (s->id == id && s->state != SEG_SPARE)
			return s;
	return NULL;
}

struct segment *
segment_seq(uint64_t seq)
{
	struct segment *s;

	TAILQ_FOREACH(s, &sp.list, entry)
		if (s->seq == seq && s->state != SEG_SPARE)
			return s;
	return NULL;
}

/* The first n octets of the file, or all; its end is where fstat says. */
static ssize_t
segment_fill(struct segment *s, uint8_t *buf, size_t max)
{
	struct stat st;
	size_t n = 0;
	ssize_t r = 1;

	if (segment_open(s) == -1)
		return -1;
	while (n < max && r != 0) {
		r = pread(s->fd, buf + n, max - n, (off_t)n);
		if (r == -1 && errno != EINTR)
			return -1;
		if (r > 0)
			n += (size_t)r;
	}
	if (n < max) {
		if (fstat(s->fd, &st) == -1)
			return -1;
		if ((off_t)n < st.st_size) {
			errno = EIO;
			return -1;
		}
	}
	return (ssize_t)n;
}

ssize_t
segment_image(struct segment *s, uint8_t *buf)
{
	return segment_fill(s, buf, SEG_SIZE);
}

int
segment_read(struct segment *s, void *p, size_t n, off_t off)
{
	if (segment_open(s) == -1)
		return -1;
	return pread_all(s->fd, p, n, off);
}

int
segment_write(struct segment *s, const void *p, size_t n, off_t off)
{
	if (segment_open(s) == -1)
		return -1;
	return pwrite_all(s->fd, p, n, off);
}

void
segment_recent_set(const struct segment *s, const uint8_t *p, size_t n)
{
	sp.recent.seg = s;
	sp.recent.p = p;
	sp.recent.off = s == NULL ? 0 : s->off;
	sp.recent.n = n;
}

const uint8_t *
segment_recent(const struct segment *s, size_t off)
{
	if (sp.recent.seg == NULL || s != sp.recent.seg ||
	    off < sp.recent.off || off - sp.recent.off >= sp.recent.n)
		return NULL;
	return sp.recent.p + (off - sp.recent.off);
}

int
segment_sync(struct segment *s)
{
#ifdef FAULT_NOSYNC
	return 0;
#else
	return fdatasync(s->fd);
#endif
}

int
segment_settle(struct segment *s)
{
	if (segment_open(s) == -1)
		return -1;
	if (segment_sync(s) == 0)
		return 0;
	posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
	return -1;
}

uint32_t
segment_slot(struct segment *s, struct message *m)
{
	if (s->nslot == s->capslot) {
		s->capslot = s->capslot == 0 ? 256 : s->capslot * 2;
		s->slot = xreallocarray(s->slot, s->capslot,
		    sizeof(*s->slot));
	}
	s->slot[s->nslot] = (struct slot){ .m = m };
	return s->nslot++;
}

void
segment_spare(struct segment *s)
{
	s->state = SEG_SPARE;
	s->nslot = s->capslot = s->nnewer = s->capnewer = 0;
	s->live = 0;
	s->live_bytes = 0;
	s->keep = false;
	free(s->slot);
	free(s->newer);
	s->slot = NULL;
	s->newer = NULL;
}

/* ---- its file --------------------------------------------------------- */

static int
segment_open(struct segment *s)
{
	char name[16];

	if (s->fd != -1)
		return 0;
	if (sp.nopen >= OPEN_MAX)
		segment_close_some();
	snprintf(name, sizeof(name), "%u", s->file);
	s->fd = openat(sp.segfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd == -1)
		return -1;
	sp.nopen++;
	return 0;
}

static void
segment_close_some(void)
{
	struct segment *s;

	TAILQ_FOREACH(s, &sp.list, entry)
		if (s->fd != -1 && s->state != SEG_ACTIVE) {
			close(s->fd);
			s->fd = -1;
			sp.nopen--;
		}
}

/* A fresh file of zeros, on disk with its name; in the list afterwards. */
static int
segment_create(struct segment *s)
{
	static uint8_t zero[ZERO_BLOCK];
	char name[16];
	size_t off;
	int e;

	snprintf(name, sizeof(name), "%u", s->file);
	s->fd = openat(sp.segfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (s->fd == -1)
		return -1;
	for (off = 0; off < SEG_SIZE; off += sizeof(zero))
		if (pwrite_all(s->fd, zero, sizeof(zero), (off_t)off) == -1)
			goto fail;
	if (fsync(s->fd) == -1 || fsync(sp.segfd) == -1)
		goto fail;
	sp.nopen++;
	return 0;
fail:
	e = errno;
	close(s->fd);
	unlinkat(sp.segfd, name, 0);
	errno = e;
	return -1;
}

static int
segment_header_write(struct segment *s)
{
	uint8_t b[SEG_START] = { 0 };

	memcpy(b, SEG_MAGIC, 8);
	put64(b + 8, s->seq);
	put64(b + 16, s->id);
	put64(b + 24, s->nonce);
	put32(b + 32, crc32c(0, b, 32));
	memcpy(b + SEG_COPY, b, SEG_HDR);
	return segment_write(s, b, sizeof(b), 0);
}

/* 0, or -1 with errno: ENODATA never used, EBADMSG damaged, ENOTSUP of a
 * newer release, else it cannot be read now. */
static int
segment_header_read(struct segment *s)
{
	static const uint8_t zero[SEG_START];
	uint8_t b[SEG_START] = { 0 };
	const uint8_t *p;

	if (segment_fill(s, b, sizeof(b)) == -1)
		return -1;
	errno = memcmp(b, zero, sizeof(b)) == 0 ? ENODATA : EBADMSG;
	for (p = b; p <= b + SEG_COPY; p += SEG_COPY) {
		if (memcmp(p, SEG_MAGIC, 7) != 0 ||
		    get32(p + 32) != crc32c(0, p, 32))
			continue;
		if (p[7] != SEG_MAGIC[7]) {
			errno = ENOTSUP;
			break;
		}
		s->seq = get64(p + 8);
		s->id = get64(p + 16);
		s->nonce = get64(p + 24);
		return 0;
	}
	return -1;
}
