/*
 * What was counted, on disk: one file an interval, records appended and
 * written once a loop turn, so that a killed process loses nothing it had
 * read before that turn; synced about once a second, so that a power failure
 * loses about the last second, which is little beside what a report is for.
 * A file that grew far beyond what it says, or could not be written, is made
 * anew from memory beside itself and renamed.  Part of report-out.
 */
#include "compat.h"

#include <sys/queue.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "verify.h"
#include "msg.h"
#include "log.h"
#include "util.h"
#include "out.h"
#include "out_agg.h"

#define FILE_NAME	"agg."
#define FILE_DIGITS	20
#define FILE_NEW	"agg.new"
#define FILE_ASIDE	".bad"		/* behind the name: not read again */
#define KEY_NAME	"key"
#define KEY_NEW		"key.new"
#define FILES_MAX	4096		/* intervals that are read back */
#define BUFFER		(1U << 20)	/* written at the latest */
#define READ_SIZE	(256U << 10)
#define GROWTH		(16U << 20)	/* beyond twice what it was */
#define AGAIN		5		/* s till a file is tried again */

static int jdir = -1;

static void	 key_load(uint8_t *);
static int	 key_read(uint8_t *);
static int	 by_number(const void *, const void *);
static void	 file_name(char *, size_t, uint64_t);
static struct period *file_load(const char *);
static int	 file_replay(struct period *);
static void	 file_aside(const char *, const char *);
static int	 file_begin(struct period *);
static int	 file_whole(struct period *);
static void	 file_renew(struct period *);
static void	 file_bad(struct period *, const char *);
static void	 note_domain(struct period *, struct domain *);
static void	 note_lost(struct period *);
static void	 note_row(struct period *, const struct counted *);
static void	 note_count(struct period *, uint32_t, uint64_t);

/* ---- at start ----------------------------------------------------------- */

void
journal_init(int dirfd, void (*fn)(struct period *), uint8_t key[JOURNAL_KEY])
{
	static uint64_t begin[FILES_MAX];
	char name[40];
	struct dirent *e;
	struct period *p;
	const char *bad;
	size_t n = 0, i;
	DIR *d;
	int fd;

	jdir = dirfd;
	key_load(key);
	if ((fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1 || (d = fdopendir(fd)) == NULL)
		fatal("reports directory");
	while (n < FILES_MAX && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, FILE_NAME, strlen(FILE_NAME)) != 0 ||
		    strlen(e->d_name) != strlen(FILE_NAME) + FILE_DIGITS)
			continue;
		begin[n] = (uint64_t)strtonum(e->d_name + strlen(FILE_NAME),
		    0, INT64_MAX, &bad);
		n += bad == NULL;
	}
	closedir(d);
	unlinkat(jdir, FILE_NEW, 0);
	qsort(begin, n, sizeof(begin[0]), by_number);
	for (i = 0; i < n; i++) {
		file_name(name, sizeof(name), begin[i]);
		if ((p = file_load(name)) != NULL)
			fn(p);
	}
}

static void
key_load(uint8_t *key)
{
	uint8_t b[JOURNAL_KEY + 4];
	uint32_t crc;
	int fd;

	if (key_read(key) == 0)
		return;
	random_bytes(key, JOURNAL_KEY);
	crc = crc32c(0, key, JOURNAL_KEY);
	memcpy(b, key, JOURNAL_KEY);
	memcpy(b + JOURNAL_KEY, &crc, sizeof(crc));
	unlinkat(jdir, KEY_NEW, 0);
	fd = openat(jdir, KEY_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1 || write_all(fd, b, sizeof(b)) == -1 ||
	    fsync(fd) == -1 || renameat(jdir, KEY_NEW, jdir, KEY_NAME) == -1)
		log_warn("reports key");
	if (fd != -1)
		close(fd);
}

static int
key_read(uint8_t *key)
{
	uint8_t b[JOURNAL_KEY + 4];
	uint32_t crc;
	int fd, r;

	fd = openat(jdir, KEY_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	r = read_all(fd, b, sizeof(b));
	close(fd);
	if (r == -1)
		return -1;
	memcpy(key, b, JOURNAL_KEY);
	memcpy(&crc, b + JOURNAL_KEY, sizeof(crc));
	return crc == crc32c(0, key, JOURNAL_KEY) ? 0 : -1;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
file_name(char *buf, size_t size, uint64_t begin)
{
	snprintf(buf, size, FILE_NAME "%0*llu", FILE_DIGITS,
	    (unsigned long long)begin);
}

static struct period *
file_load(const char *name)
{
	uint8_t b[REC_START];
	struct rec_file f;
	struct period *p;
	int fd;

	fd = openat(jdir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1) {
		log_warn("reports file %s", name);
		return NULL;
	}
	if (pread_all(fd, b, sizeof(b), 0) == -1 ||
	    rec_start_get(b, sizeof(b), &f) == -1) {
		file_aside(name, "has no readable start");
		close(fd);
		return NULL;
	}
	p = period_new(&f);
	p->fd = fd;
	p->replayed = true;
	if (file_replay(p) == -1) {
		file_bad(p, "read");	/* made anew of what was read */
		file_aside(name, "cannot be read to its end");
		journal_sync(p);
	}
	return p;
}

/* Not lost: somebody, or another version, may make sense of it. */
static void
file_aside(const char *name, const char *why)
{
	char aside[60];

	snprintf(aside, sizeof(aside), "%s" FILE_ASIDE, name);
	if (renameat(jdir, name, jdir, aside) == -1)
		log_warn("reports file %s %s; rename", name, why);
	else
		log_warnx("reports file %s %s, kept as %s", name, why, aside);
}

/* What follows the last good record is a torn tail and is cut.  -1: the file
 * could not be read, and is as it was. */
static int
file_replay(struct period *p)
{
	static uint8_t b[READ_SIZE];
	size_t n = 0, off = 0, len, bad = 0, odd = 0;
	off_t at = REC_START;		/* in the file, of b */
	struct rec r;
	ssize_t k = 1;

	p->off = REC_START;
	for (;;) {
		if (k > 0 && n - off < REC_MAX) {
			memmove(b, b + off, n - off);
			at += (off_t)off;
			n -= off;
			off = 0;
			k = pread(p->fd, b + n, sizeof(b) - n, at + (off_t)n);
			if (k > 0)
				n += (size_t)k;
			continue;
		}
		if (n - off < REC_HDR)
			break;
		len = rec_get(b + off, n - off, p->file.nonce, &r);
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
	if (k == -1)
		return -1;
	if (ftruncate(p->fd, p->off) == -1)
		file_bad(p, "truncate");
	return 0;
}

/* ---- records ------------------------------------------------------------ */

void
journal_open(struct period *p)
{
	file_renew(p);
}

void
journal_add(struct period *p, const struct rec *r)
{
	if (p->fd == -1)
		return;			/* it will be made from memory */
	if (p->cap == 0) {
		p->cap = BUFFER + REC_MAX;
		p->buf = xreallocarray(p->buf, p->cap, 1);
	}
	p->n += rec_put(p->buf + p->n, r, p->file.nonce);
	if (p->n >= BUFFER)
		journal_write(p);
}

void
journal_count(struct period *p, struct counted *c, bool fresh)
{
	struct domain *d = p->domain[c->domain];

	if (!d->noted)
		note_domain(p, d);
	if (fresh)
		note_row(p, c);
	c->fresh++;
	if (c->listed)
		return;
	c->listed = true;
	c->dirty = p->dirty;
	p->dirty = c;
}

void
journal_target(struct domain *d, const struct target *t)
{
	struct rec r = { .type = REC_TARGET, .no = d->no, .target = {
	    .target = (uint8_t)(t - d->target), .state = t->state,
	    .tries = t->tries, .part = t->part, .row = t->row,
	    .next = t->next,
	    .why = slice_str(t->why != NULL ? t->why : "") } };

	journal_add(d->period, &r);
}

static void
note_domain(struct period *p, struct domain *d)
{
	struct rec r = { .type = REC_DOMAIN, .no = d->no,
	    .at = slice_str(d->at), .record = slice_str(d->record) };

	journal_add(p, &r);
	d->noted = true;
}

static void
note_row(struct period *p, const struct counted *c)
{
	struct rec r = { .type = REC_ROW, .no = c->no, .domain = c->domain,
	    .key = slice_of((const char *)c->key, c->n) };

	journal_add(p, &r);
}

static void
note_count(struct period *p, uint32_t row, uint64_t n)
{
	struct rec r = { .type = REC_COUNT, .no = row, .n = n };

	journal_add(p, &r);
}

static void
note_lost(struct period *p)
{
	struct rec r = { .type = REC_LOST, .no = REC_NODOMAIN,
	    .n = p->lost };
	uint32_t i;

	if (!p->lost_fresh)
		return;
	p->lost_fresh = false;
	if (p->lost > 0)
		journal_add(p, &r);
	for (i = 0; i < p->ndomain; i++) {
		if (p->domain[i] == NULL || !p->domain[i]->lost_fresh)
			continue;
		p->domain[i]->lost_fresh = false;
		if (!p->domain[i]->noted)
			note_domain(p, p->domain[i]);
		r.no = i;
		r.n = p->domain[i]->lost;
		journal_add(p, &r);
	}
}

void
journal_write(struct period *p)
{
	struct counted *c;

	while ((c = p->dirty) != NULL && p->n < BUFFER) {
		p->dirty = c->dirty;
		c->listed = false;
		note_count(p, c->no, c->fresh);
		c->fresh = 0;
	}
	if (p->n == 0 || p->fd == -1)
		return;
	if (pwrite_all(p->fd, p->buf, p->n, p->off) == -1) {
		file_bad(p, "write");
		return;
	}
	p->off += (off_t)p->n;
	p->n = 0;
	p->unsynced = true;
	if (p->dirty != NULL)
		journal_write(p);
}

void
journal_sync(struct period *p)
{
	note_lost(p);
	journal_write(p);
	if ((p->fd == -1 || p->off > 2 * p->whole + (off_t)GROWTH) &&
	    (now_sec() >= p->again || p->again > now_sec() + AGAIN))
		file_renew(p);
	if (p->fd != -1 && p->unsynced && fdatasync(p->fd) == -1)
		file_bad(p, "sync");
	p->unsynced = false;
}

void
journal_remove(struct period *p)
{
	char name[40];

	file_name(name, sizeof(name), p->file.begin);
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	if (unlinkat(jdir, name, 0) == -1 && errno != ENOENT)
		log_warn("reports file %s", name);
}

/* ---- the file made anew ------------------------------------------------- */

static void
file_bad(struct period *p, const char *what)
{
	log_warn("reports file begin=%llu %s", (unsigned long long)
	    p->file.begin, what);
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	p->n = 0;
}

static void
file_renew(struct period *p)
{
	char name[40];
	int old = p->fd;
	off_t off = p->off;
	uint64_t nonce = p->file.nonce;

	file_name(name, sizeof(name), p->file.begin);
	if (file_begin(p) == 0 && file_whole(p) == 0 &&
	    fsync(p->fd) == 0 && renameat(jdir, FILE_NEW, jdir, name) == 0) {
		if (fsync(jdir) == -1)
			log_warn("reports directory");
		if (old != -1)
			close(old);
		p->whole = p->off;
		p->unsynced = false;
		return;
	}
	log_warn("reports file begin=%llu cannot be made",
	    (unsigned long long)p->file.begin);
	p->again = now_sec() + AGAIN;
	if (p->fd != -1 && p->fd != old)
		close(p->fd);
	p->fd = old;
	p->off = off;
	p->file.nonce = nonce;
	p->n = 0;
}

static int
file_begin(struct period *p)
{
	uint8_t b[REC_START];
	int fd;

	unlinkat(jdir, FILE_NEW, 0);
	fd = openat(jdir, FILE_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	p->file.nonce = random_u64();
	rec_start_put(b, &p->file);
	p->fd = fd;
	p->n = 0;
	p->off = REC_START;
	return pwrite_all(fd, b, sizeof(b), 0);
}

/* All that memory knows; what was fresh is in it. */
static int
file_whole(struct period *p)
{
	int fd = p->fd;
	struct rec done = { .type = REC_DONE };
	struct domain *d;
	struct counted *c;
	uint32_t i;
	size_t k;

	for (c = p->dirty; c != NULL; c = c->dirty) {
		c->listed = false;
		c->fresh = 0;
	}
	p->dirty = NULL;
	for (i = 0; i < p->ndomain; i++) {
		if ((d = p->domain[i]) == NULL)
			continue;
		note_domain(p, d);
		for (c = d->first; c != NULL; c = c->next) {
			note_row(p, c);
			note_count(p, c->no, c->count);
		}
		for (k = 0; k < d->ntarget; k++)
			journal_target(d, &d->target[k]);
		d->lost_fresh = d->lost > 0;
		done.no = i;
		if (d->done)
			journal_add(p, &done);
	}
	p->lost_fresh = true;
	note_lost(p);
	journal_write(p);
	return p->fd == fd ? 0 : -1;
}
