/*
 * queue.log: what became of each recipient of each frame.  queue only.
 *
 *	0	"MAILDLG1" | u64 nonce | u32 crc | zeros up to 32
 *	32	records, each at a multiple of 8:
 *		u32 crc | u16 length | u8 type | 0 | u64 seg | u32 no |
 *		u16 rcpt | u16 attempts | u32 next | u16 textlen | 0 | text
 *
 * Invariants: the checksum of a record begins with the file's nonce, so
 * octets of another file or of a message do not pass; the first octets that
 * are no record end the file, unless a record follows later (damage: the
 * ones between are lost, which costs an attempt again, never a message).
 * Records are collected and written once a loop turn.  They are synced
 * before anything is thrown away because of them; a file whose sync failed is
 * not trusted any more.  A new file replaces the old one by rename, after its
 * sync.  Room is reserved ahead, so that a full
 * disk can still note what left it.
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
#include "msg.h"
#include "chan.h"
#include "log.h"
#include "util.h"
#include "queue.h"

#define LOG_MAGIC	"MAILDLG1"
#define LOG_START	32
#define REC_HDR		32
#define LOG_NAME	"queue.log"
#define LOG_NEW		"queue.log.new"
#define RESERVE		(4U << 20)
#define REWRITE_AT	(8U << 20)	/* beyond what a new one would be */
#define BUFFER_MAX	(64U << 20)
#define FILE_MAX	(1U << 30)

static struct qlog {
	int		 fd;
	uint32_t	 seed;
	off_t		 off, reserved, first;
	off_t		 read_end;	/* behind the last record read */
	uint8_t		*buf;
	size_t		 n, cap;
	uint64_t	 gen, written, synced;
	bool		 bad;		/* a sync failed: write another one */
} lg = { .fd = -1 };

static void
put(uint8_t *p, uint64_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t
get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

size_t
log_rec_put(uint8_t *p, const struct log_rec *r, uint32_t seed)
{
	size_t text = r->text.n > LOG_TEXT_MAX ? LOG_TEXT_MAX : r->text.n;
	size_t n = (REC_HDR + text + 7) / 8 * 8;

	memset(p, 0, n);
	put(p + 4, n, 2);
	p[6] = (uint8_t)r->type;
	put(p + 8, r->seg, 8);
	put(p + 16, r->no, 4);
	put(p + 20, r->rcpt, 2);
	put(p + 22, r->attempts, 2);
	put(p + 24, r->next, 4);
	put(p + 28, text, 2);
	if (text > 0)
		memcpy(p + REC_HDR, r->text.p, text);
	put(p, crc32c(seed, p + 4, n - 4), 4);
	return n;
}

size_t
log_rec_get(const uint8_t *p, size_t n, uint32_t seed, struct log_rec *r)
{
	size_t len, text;

	if (n < REC_HDR)
		return 0;
	len = (size_t)get(p + 4, 2);
	text = (size_t)get(p + 28, 2);
	if (len < REC_HDR || len > n || len % 8 != 0 ||
	    text > len - REC_HDR || text > LOG_TEXT_MAX ||
	    p[6] == 0 || p[6] >= LOG_TYPE_MAX ||
	    get(p, 4) != crc32c(seed, p + 4, len - 4))
		return 0;
	r->type = (enum log_type)p[6];
	r->seg = get(p + 8, 8);
	r->no = (uint32_t)get(p + 16, 4);
	r->rcpt = (uint16_t)get(p + 20, 2);
	r->attempts = (uint16_t)get(p + 22, 2);
	r->next = (uint32_t)get(p + 24, 4);
	r->text = slice_of((const char *)p + REC_HDR, text);
	return len;
}

static uint32_t
seed_of(uint64_t nonce)
{
	return (uint32_t)(nonce ^ nonce >> 32);
}

int
qlog_read(int spoolfd, void (*fn)(const struct log_rec *))
{
	struct log_rec r;
	size_t n, off, len, bad = 0;
	uint32_t seed;
	char *b;
	int fd;

	fd = openat(spoolfd, LOG_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	b = read_fd(fd, FILE_MAX, &n);
	close(fd);
	if (b == NULL)
		return -1;
	if (n < LOG_START || memcmp(b, LOG_MAGIC, 8) != 0 ||
	    get((uint8_t *)b + 16, 4) != crc32c(0, b, 16)) {
		log_warnx("queue.log has no readable header, ignored");
		free(b);
		return 0;
	}
	lg.seed = seed = seed_of(get((uint8_t *)b + 8, 8));
	lg.read_end = LOG_START;
	for (off = LOG_START; off < n; off += len) {
		len = log_rec_get((uint8_t *)b + off, n - off, seed, &r);
		if (len > 0) {
			if (bad > 0)
				log_warnx("queue.log damaged offset=%zu "
				    "octets=%zu", off - bad, bad);
			bad = 0;
			lg.read_end = (off_t)(off + len);
			fn(&r);
		} else {
			len = 8;
			bad += len;
		}
	}
	free(b);
	return 0;
}

/* A file with its header, not yet known by its name. */
static int
log_create(int spoolfd)
{
	uint8_t h[LOG_START] = { 0 };
	uint64_t nonce = random_u64();
	int fd;

	if (unlinkat(spoolfd, LOG_NEW, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(spoolfd, LOG_NEW, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	memcpy(h, LOG_MAGIC, 8);
	put(h + 8, nonce, 8);
	put(h + 16, crc32c(0, h, 16), 4);
	if (pwrite_all(fd, h, sizeof(h), 0) == -1) {
		close(fd);
		return -1;
	}
	lg.seed = seed_of(nonce);
	return fd;
}

int
qlog_rewrite(int spoolfd, void (*all)(void))
{
	struct qlog old;
	int e;

	if (lg.fd != -1)
		qlog_write();
	old = lg;
	lg = (struct qlog){ .fd = -1, .gen = old.gen,
	    .read_end = old.read_end };
	if ((lg.fd = log_create(spoolfd)) == -1)
		goto fail;
	lg.off = lg.reserved = LOG_START;
	all();
	if (qlog_write() == -1 || fsync(lg.fd) == -1 ||
	    renameat(spoolfd, LOG_NEW, spoolfd, LOG_NAME) == -1)
		goto fail;
	if (old.fd != -1)
		close(old.fd);
	free(old.buf);
	lg.first = lg.read_end = lg.off;
	if (fsync(spoolfd) == -1) {	/* it may have its old name yet */
		lg.synced = old.synced;
		lg.bad = true;
		return -1;
	}
	lg.synced = lg.gen;
	return 0;
fail:
	e = errno;
	if (lg.fd != -1)
		close(lg.fd);
	free(lg.buf);
	lg = old;
	errno = e;
	return -1;
}

int
qlog_continue(int spoolfd)
{
	struct stat st;

	if (lg.read_end == 0)
		return -1;
	if (lg.fd != -1)
		close(lg.fd);
	lg.fd = openat(spoolfd, LOG_NAME, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (lg.fd == -1 || fstat(lg.fd, &st) == -1)
		return -1;
	/* What was read from it has to be there tomorrow. */
	if (fdatasync(lg.fd) == -1)
		return -1;
	lg.off = lg.first = lg.read_end;
	lg.reserved = (off_t)st.st_blocks * 512;
	return 0;
}

void
qlog_add(const struct log_rec *r)
{
	if (lg.n + LOG_REC_MAX > lg.cap) {
		if (lg.cap >= BUFFER_MAX)
			fatalx("queue.log cannot be written");
		lg.cap = lg.cap == 0 ? 64 * 1024 : lg.cap * 2;
		lg.buf = xreallocarray(lg.buf, lg.cap, 1);
	}
	lg.n += log_rec_put(lg.buf + lg.n, r, lg.seed);
	lg.gen++;
}

int
qlog_write(void)
{
	if (lg.n == 0)
		return 0;
	if (lg.off + (off_t)lg.n > lg.reserved) {
		/* Without the reserve the write itself finds out. */
		if (fallocate(lg.fd, FALLOC_FL_KEEP_SIZE, lg.off,
		    (off_t)lg.n + RESERVE) == 0)
			lg.reserved = lg.off + (off_t)lg.n + RESERVE;
	}
	if (pwrite_all(lg.fd, lg.buf, lg.n, lg.off) == -1)
		return -1;
	lg.off += (off_t)lg.n;
	lg.n = 0;
	lg.written = lg.gen;
	return 0;
}

int
qlog_sync(void)
{
	if (qlog_write() == -1)
		return -1;
	if (lg.bad) {
		errno = EIO;
		return -1;
	}
#ifndef FAULT_NOSYNC
	if (lg.written > lg.synced && fdatasync(lg.fd) == -1) {
		lg.bad = true;
		return -1;
	}
#endif
	lg.synced = lg.gen;
	return 0;
}

bool
qlog_dirty(void)
{
	return lg.gen > lg.synced;
}

uint64_t
qlog_gen(void)
{
	return lg.gen;
}

uint64_t
qlog_synced(void)
{
	return lg.synced;
}

bool
qlog_long(void)
{
	return lg.off - lg.first > REWRITE_AT;
}
