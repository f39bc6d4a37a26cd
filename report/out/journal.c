/*
 * What was counted, on disk: one file an interval, records appended and
 * written once a loop turn, so that a killed process loses nothing it had
 * read before that turn; synced about once a second, so that a power failure
 * loses about the last second, which is little beside what a report is for.
 * A file that grew far beyond what it says, or could not be written, is made
 * anew from memory beside itself and renamed.  What is there at start is read
 * by restore.c.  Part of report-out.
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

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define FILE_NEW	"agg.new"
#define NAMES		60	/* tried for a new file */
#define BUFFER		(1U << 20)	/* written at the latest */
#define GROWTH		(16U << 20)	/* beyond twice what it was */
#define AGAIN		5		/* s till a file is tried again */

static int jdir = -1;

static int	 file_begin(struct period *);
static int	 file_whole(struct period *);
static void	 file_renew(struct period *);
static void	 note_domain(struct period *, struct domain *);
static void	 note_lost(struct period *);
static void	 note_row(struct period *, const struct counted *);
static void	 note_count(struct period *, uint32_t, uint64_t);

/* ---- records ------------------------------------------------------------ */

void
journal_dir(int dirfd)
{
	jdir = dirfd;
}

void
journal_name(char *buf, size_t size, uint64_t begin)
{
	snprintf(buf, size, JOURNAL_NAME "%0*llu", JOURNAL_DIGITS,
	    (unsigned long long)begin);
}

/* Never the name of a file that is there: it may be one that cannot be read
 * now, or that a newer release left. */
void
journal_open(struct period *p)
{
	char name[40];
	struct stat sb;
	int i;

	for (i = 0; i < NAMES; i++) {
		journal_name(name, sizeof(name), p->file.begin);
		if (fstatat(jdir, name, &sb, AT_SYMLINK_NOFOLLOW) == -1 &&
		    errno == ENOENT)
			break;
		p->file.begin++;
	}
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
		journal_bad(p, "write");
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
		journal_bad(p, "sync");
	p->unsynced = false;
}

void
journal_remove(struct period *p)
{
	char name[40];

	journal_name(name, sizeof(name), p->file.begin);
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	if (unlinkat(jdir, name, 0) == -1 && errno != ENOENT)
		log_warn("reports file %s", name);
}

/* ---- the file made anew ------------------------------------------------- */

void
journal_bad(struct period *p, const char *what)
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

	journal_name(name, sizeof(name), p->file.begin);
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
