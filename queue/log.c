/*
 * queue.log: what became of each recipient of each frame.  queue only.
 *
 *	0	"MAILDLG1" | u64 nonce | u32 crc | zeros up to 32
 *	32	records, each at a multiple of 8:
 *		u32 crc | u16 length | u8 type | u8 flags | u64 seg | u32 no |
 *		u16 rcpt | u16 attempts | u32 next | u16 textlen | 0 | text
 *	LOG_TEXT, LOG_DEFER: u32 number of a text at 32, the text behind it
 *
 * Invariants: the checksum of a record begins with the file's nonce, so
 * octets of another file or of a message do not pass; the first octets that
 * are no record end the file, unless a record follows later (damage: the
 * ones between are lost, which costs an attempt again, never a message).
 * Records are collected and written once a loop turn.  They are synced
 * before anything is thrown away because of them; a file whose write or sync
 * failed is not trusted any more, and another one has to take its place.
 *
 * A new file is filled beside the old one in pieces (rewrite.c says
 * with what) and takes its place by rename, after its sync.  The old one
 * gets every record until then and is complete at every moment.  Room is
 * reserved ahead, so that a full disk can still note what left it.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define LOG_MAGIC	"MAILDLG1"
#define LOG_NAME	"queue.log"
#define LOG_NEW		"queue.log.new"
#define RESERVE		(4U << 20)
#define REWRITE_AT	(8U << 20)	/* beyond three times a new one */
#define BUFFER		(256U * 1024)	/* octets collected of a file */
#define SYNC_EACH	(8U << 20)	/* of a new file, not all at its end */

struct logfile {
	int		 fd;		/* -1: none */
	uint32_t	 seed;
	uint32_t	 number;	/* of this process, for text_told() */
	off_t		 off, reserved, synced;
	uint8_t		*buf;
	size_t		 n;
	bool		 bad;		/* not all that was added is in it */
};

static struct {
	struct logfile	 cur, next;
	struct log_reader rd;		/* at the start */
	off_t		 read_end;	/* behind the last record read */
	off_t		 first;		/* length when it was new */
	uint32_t	 lastnumber;
	bool		(*has)(const struct log_rec *);	/* next has it */
	uint64_t	 gen, written, synced;
} lg = { .cur = { .fd = -1 }, .next = { .fd = -1 }, .rd = { .fd = -1 } };

static int	 file_write(struct logfile *);
static void	 file_close(struct logfile *);

/* ---- a file ----------------------------------------------------------- */

static uint32_t
seed_of(uint64_t nonce)
{
	return (uint32_t)(nonce ^ nonce >> 32);
}

/* Of another number than any before it, odd when the other one is even. */
static uint32_t
file_number(void)
{
	if (++lg.lastnumber % 2 == lg.cur.number % 2)
		lg.lastnumber++;
	return lg.lastnumber;
}

/* A file with its header, not yet known by its name. */
static int
file_create(int spoolfd, struct logfile *f)
{
	uint8_t h[LOG_START] = { 0 };
	uint64_t nonce = random_u64();
	int e;

	*f = (struct logfile){ .fd = -1, .off = LOG_START,
	    .reserved = LOG_START, .number = file_number(),
	    .seed = seed_of(nonce) };
	if (unlinkat(spoolfd, LOG_NEW, 0) == -1 && errno != ENOENT)
		return -1;
	f->fd = openat(spoolfd, LOG_NEW, O_RDWR | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd == -1)
		return -1;
	memcpy(h, LOG_MAGIC, 8);
	put64(h + 8, nonce);
	put32(h + 16, crc32c(0, h, 16));
	if (pwrite_all(f->fd, h, sizeof(h), 0) == -1) {
		e = errno;
		file_close(f);
		errno = e;
		return -1;
	}
	return 0;
}

static void
file_close(struct logfile *f)
{
	if (f->fd != -1)
		close(f->fd);
	free(f->buf);
	*f = (struct logfile){ .fd = -1 };
}

/* Where the next n octets go; what cannot be kept is missing in the file. */
static uint8_t *
file_room(struct logfile *f, size_t n)
{
	if (f->buf == NULL)
		f->buf = xcalloc(1, BUFFER);
	if (f->n + n > BUFFER && file_write(f) == -1) {
		f->bad = true;
		f->n = 0;
	}
	return f->buf + f->n;
}

static void
file_add(struct logfile *f, const struct log_rec *r)
{
	struct log_rec text = { .type = LOG_TEXT };

	if (r->type == LOG_DEFER && r->text_id != 0 &&
	    !text_told(r->text_id, f->number)) {
		text.text_id = r->text_id;
		text.text = slice_str(text_get(r->text_id));
		f->n += log_rec_put(file_room(f, LOG_REC_MAX), &text,
		    f->seed);
	}
	f->n += log_rec_put(file_room(f, LOG_REC_MAX), r, f->seed);
}

static int
file_write(struct logfile *f)
{
	if (f->n == 0)
		return 0;
	if (f->off + (off_t)f->n > f->reserved) {
		/* Without the reserve the write itself finds out. */
		if (fallocate(f->fd, FALLOC_FL_KEEP_SIZE, f->off,
		    (off_t)f->n + RESERVE) == 0)
			f->reserved = f->off + (off_t)f->n + RESERVE;
	}
	if (pwrite_all(f->fd, f->buf, f->n, f->off) == -1)
		return -1;
	f->off += (off_t)f->n;
	f->n = 0;
	return 0;
}

/* ---- reading ---------------------------------------------------------- */

int
log_reader_open(struct log_reader *r, int fd, off_t end)
{
	uint8_t h[LOG_START];

	*r = (struct log_reader){ .fd = -1, .off = LOG_START, .end = end };
	if (pread_all(fd, h, sizeof(h), 0) == -1)
		return -1;
	if (memcmp(h, LOG_MAGIC, 7) != 0 ||
	    get32(h + 16) != crc32c(0, h, 16)) {
		errno = EBADMSG;
		return -1;
	}
	if (h[7] != LOG_MAGIC[7]) {
		errno = ENOTSUP;
		return -1;
	}
	r->seed = seed_of(get64(h + 8));
	r->buf = xcalloc(1, LOG_WINDOW);
	r->fd = fd;
	return 0;
}

void
log_reader_close(struct log_reader *r)
{
	free(r->buf);
	*r = (struct log_reader){ .fd = -1 };
}

/* The window goes on behind what was taken. */
static int
reader_fill(struct log_reader *r)
{
	struct stat st;
	ssize_t k = 1;
	size_t want;

	r->off += (off_t)r->at;
	r->n -= r->at;
	memmove(r->buf, r->buf + r->at, r->n);
	r->at = 0;
	while (r->n < LOG_WINDOW && k > 0) {
		want = LOG_WINDOW - r->n;
		if (r->off + (off_t)(r->n + want) > r->end)
			want = (size_t)(r->end - r->off) - r->n;
		k = want == 0 ? 0 : pread(r->fd, r->buf + r->n, want,
		    r->off + (off_t)r->n);
		if (k == -1 && errno != EINTR)
			return -1;
		if (k > 0)
			r->n += (size_t)k;
		if (k == -1)
			k = 1;
	}
	if (k > 0)
		return 0;
	/* No octet comes any more, so that has to be its end. */
	if (fstat(r->fd, &st) == -1)
		return -1;
	if (r->off + (off_t)r->n < st.st_size &&
	    r->off + (off_t)r->n < r->end) {
		errno = EIO;
		return -1;
	}
	r->whole = true;
	return 0;
}

int
log_reader_next(struct log_reader *r, struct log_rec *rec,
    const uint8_t **octets, size_t *len)
{
	for (;;) {
		if (!r->whole && r->n - r->at < LOG_LEN_MAX &&
		    reader_fill(r) == -1)
			return -1;
		if (r->n - r->at < LOG_HDR)
			return 0;
		*octets = r->buf + r->at;
		*len = log_rec_get(*octets, r->n - r->at, r->seed, rec);
		if (*len > 0)
			break;
		r->at += 8;
		r->bad += 8;
	}
	if (r->bad > 0)
		log_warnx("queue.log damaged offset=%lld octets=%zu",
		    (long long)(r->off + (off_t)r->at) - (long long)r->bad,
		    r->bad);
	r->bad = 0;
	r->at += *len;
	r->last = r->off + (off_t)r->at;
	return 1;
}

/* The words of a deferral are those that the file gave the number last. */
void
log_rec_words(struct log_rec *r)
{
	if (r->type == LOG_TEXT)
		text_map_put(r->text_id, r->text);
	else if (r->type == LOG_DEFER)
		r->text = slice_str(text_get(text_map_get(r->text_id)));
}

int
qlog_read(int spoolfd, void (*fn)(const struct log_rec *))
{
	struct log_rec r;
	const uint8_t *octets;
	size_t len;
	int fd, k;

	if (lg.rd.fd == -1) {
		fd = openat(spoolfd, LOG_NAME, O_RDONLY | O_CLOEXEC |
		    O_NOFOLLOW);
		if (fd == -1)
			return errno == ENOENT ? 0 : -1;
		if (log_reader_open(&lg.rd, fd, INT64_MAX) == -1) {
			k = errno;
			close(fd);
			if (k == EBADMSG)	/* chance, as far as one sees */
				return quarantine_take(spoolfd, LOG_NAME,
				    LOG_NAME);
			errno = k;
			return -1;
		}
	}
	while ((k = log_reader_next(&lg.rd, &r, &octets, &len)) == 1) {
		log_rec_words(&r);
		fn(&r);
	}
	if (k == -1)
		return -1;		/* it goes on from there */
	text_map_end();
	file_close(&lg.cur);
	lg.cur = (struct logfile){ .fd = -1, .seed = lg.rd.seed,
	    .number = file_number() };
	lg.read_end = lg.rd.last == 0 ? LOG_START : lg.rd.last;
	close(lg.rd.fd);
	log_reader_close(&lg.rd);
	return 0;
}

/* ---- writing ---------------------------------------------------------- */

int
qlog_continue(int spoolfd)
{
	struct stat st;

	if (lg.read_end == 0) {
		errno = ENOENT;
		return -1;
	}
	lg.cur.fd = openat(spoolfd, LOG_NAME, O_RDWR | O_CLOEXEC |
	    O_NOFOLLOW);
	/* What was read from it has to be there tomorrow. */
	if (lg.cur.fd == -1 || fstat(lg.cur.fd, &st) == -1 ||
	    fdatasync(lg.cur.fd) == -1) {
		if (lg.cur.fd != -1)
			close(lg.cur.fd);
		lg.cur.fd = -1;
		return -1;
	}
	lg.cur.off = lg.first = lg.read_end;
	lg.cur.reserved = (off_t)st.st_blocks * 512;
	return 0;
}

int
qlog_file(void)
{
	return lg.cur.fd;
}

void
qlog_add(const struct log_rec *r)
{
	file_add(&lg.cur, r);
	if (lg.next.fd != -1 && lg.has(r))
		file_add(&lg.next, r);
	lg.gen++;
}

int
qlog_write(void)
{
	if (lg.cur.fd == -1 || file_write(&lg.cur) == -1)
		return -1;
	lg.written = lg.gen;
	return 0;
}

int
qlog_sync(void)
{
	if (qlog_write() == -1)
		return -1;
	if (lg.cur.bad) {
		errno = EIO;
		return -1;
	}
#ifndef FAULT_NOSYNC
	if (lg.written > lg.synced && fdatasync(lg.cur.fd) == -1) {
		lg.cur.bad = true;
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
	return lg.cur.off > 3 * lg.first + REWRITE_AT;
}

/* ---- the file that is to take its place ------------------------------- */

int
qlog_next_begin(int spoolfd, bool (*has)(const struct log_rec *))
{
	file_close(&lg.next);
	lg.has = has;
	return file_create(spoolfd, &lg.next);
}

void
qlog_next_add(const struct log_rec *r)
{
	file_add(&lg.next, r);
}

void
qlog_next_carry(const uint8_t *octets, size_t n)
{
	uint8_t *p = file_room(&lg.next, n);

	memcpy(p, octets, n);
	put32(p, crc32c(lg.next.seed, p + 4, n - 4));
	lg.next.n += n;
}

off_t
qlog_next_length(void)
{
	return lg.next.off + (off_t)lg.next.n;
}

int
qlog_next_write(void)
{
	struct logfile *f = &lg.next;

	if (file_write(f) == -1 || f->bad)
		return -1;
	if (f->off - f->synced < SYNC_EACH)
		return 0;
	if (fdatasync(f->fd) == -1)
		return -1;
	f->synced = f->off;
	return 0;
}

int
qlog_next_end(int spoolfd)
{
	if (qlog_next_write() == -1 || fsync(lg.next.fd) == -1 ||
	    renameat(spoolfd, LOG_NEW, spoolfd, LOG_NAME) == -1)
		return -1;
	file_close(&lg.cur);
	lg.cur = lg.next;
	lg.next = (struct logfile){ .fd = -1 };
	lg.first = lg.cur.off;
	if (fsync(spoolfd) == -1) {	/* it may have its old name yet */
		lg.cur.bad = true;
		return 1;
	}
	lg.synced = lg.written = lg.gen;
	return 0;
}

void
qlog_next_drop(void)
{
	file_close(&lg.next);
}
