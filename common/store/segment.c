/*
 * `mail.NNNN`: message bytes in wire form behind one readable line each.
 * Small messages share a segment, which is written under the account's lock
 * alone; a large one has a segment of its own, written before the lock is
 * taken.  grep, less and regress/store/recover.py read them without us.
 *
 * Invariants:
 *
 *	first line	"maild-segment 1 number= nonce= uuid=", 160 octets
 *			with CRLF; the nonce is random
 *	before each	"MSG nonce size= prefix= crc= date= id=", 160 octets
 *	message		with CRLF; size octets follow, of which prefix are
 *			deliver's own headers, then CRLF
 *	bytes that a REC_MSG names are never written again
 *	bytes that none names (a crash before the log) may be anything
 *	a shared one takes no message beyond 64 MiB: then it never changes
 */
#include "base/compat.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "parse/dates.h"
#include "store/store.h"
#include "store/store_priv.h"

#define SEGMENT_TRIES	10000		/* numbers left over by crashes */
#define NONCE_AT	40		/* column of the nonce's digits */

static char *
hex(char *p, const void *v, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = v;
	size_t i;

	for (i = 0; i < n; i++) {
		*p++ = digits[b[i] >> 4];
		*p++ = digits[b[i] & 15];
	}
	return p;
}

static char *
hex64(char *p, uint64_t v)
{
	uint8_t b[8];

	put32(b, __builtin_bswap32((uint32_t)(v >> 32)));
	put32(b + 4, __builtin_bswap32((uint32_t)v));
	return hex(p, b, 8);
}

static char *
text(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

/* Ten digits, leading zeros: a fixed width that a person can read. */
static char *
dec10(char *p, uint32_t v)
{
	int i;

	for (i = 9; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + 10;
}

/* The readable line of a message, without the help of stdio: it is hot. */
void
segment_line(char line[SEGMENT_LINE], uint64_t nonce,
    const struct store_msg *m, const uint8_t id[STORE_ID_LEN])
{
	static const uint8_t none[STORE_ID_LEN];
	char date[DATE_TEXT_MAX];
	uint8_t crc[4];
	char *p;

	memset(line, ' ', SEGMENT_LINE);
	p = hex64(text(line, "MSG "), nonce);
	p = dec10(text(p, " size="), m->size);
	p = dec10(text(p, " prefix="), m->prefix);
	put32(crc, __builtin_bswap32(m->crc));
	p = hex(text(p, " crc="), crc, 4);
	p = text(p, " date=");
	(void)isodate_print(m->date, date, sizeof(date));
	p = text(p, date);
	(void)hex(text(p, " id="), id == NULL ? none : id, STORE_ID_LEN);
	line[SEGMENT_LINE - 2] = '\r';
	line[SEGMENT_LINE - 1] = '\n';
}

void
segment_name(char name[32], uint32_t number)
{
	(void)snprintf(name, 32, "mail.%04u", number);
}

/* A free place of n for open files; closes the one unused longest. */
struct segment *
segment_slot(struct segment *v, size_t n)
{
	struct segment *s = v;
	size_t i;

	for (i = 1; i < n; i++)
		if (v[i].used < s->used)
			s = &v[i];
	if (s->used != 0)
		close(s->fd);
	s->used = 0;
	return s;
}

static int
segment_keep(struct backend *b, uint32_t number, int fd)
{
	*segment_slot(b->seg, b->mode == STORE_DELIVER ?
	    SEGMENT_CACHE_DELIVER : SEGMENT_CACHE) =
	    (struct segment){ number, fd, ++b->clock };
	return fd;
}

/* An open descriptor of a segment, kept for later; -1 and errno. */
int
segment_fd(struct backend *b, uint32_t number)
{
	char name[32];
	size_t i;
	int fd;

	for (i = 0; i < SEGMENT_CACHE; i++)
		if (b->seg[i].number == number && b->seg[i].used != 0) {
			b->seg[i].used = ++b->clock;
			return b->seg[i].fd;
		}
	segment_name(name, number);
	if ((fd = backend_file(b->dir, name, O_RDWR)) == -1)
		return -1;
	return segment_keep(b, number, fd);
}

/* Closes a segment that is kept open. */
static void
segment_forget(struct backend *b, uint32_t number)
{
	size_t i;

	for (i = 0; i < SEGMENT_CACHE; i++)
		if (b->seg[i].number == number && b->seg[i].used != 0) {
			close(b->seg[i].fd);
			memset(&b->seg[i], 0, sizeof(b->seg[i]));
		}
}

/* A segment is no more: no descriptor of ours keeps its octets on the disk. */
void
segment_gone(struct backend *b, uint32_t number)
{
	segment_forget(b, number);
	facts_gone(b, number);
}

static enum store_result
segment_head(struct store *st, struct segwrite *w)
{
	char line[SEGMENT_LINE], *p;
	struct iovec iov = { line, sizeof(line) };

	memset(line, ' ', sizeof(line));
	p = dec10(text(line, "maild-segment 1 number="), w->number);
	p = hex64(text(p, " nonce="), w->nonce);
	(void)hex(text(p, " uuid="), st->head.uuid, 16);
	line[SEGMENT_LINE - 2] = '\r';
	line[SEGMENT_LINE - 1] = '\n';
	return backend_write(w->fd, 0, &iov, 1);
}

/*
 * A new segment under the next free number, with its first line.  Needs no
 * lock: creation itself decides.  The number has to go into the log.
 */
enum store_result
segment_create(struct store *st, struct segwrite *w)
{
	char name[32];
	uint32_t number = st->tr.segment_next, tries;
	enum store_result r;
	int fd = -1;

	for (tries = 0; tries < SEGMENT_TRIES; tries++, number++) {
		segment_name(name, number);
		fd = backend_file(st->b.dir, name, O_RDWR | O_CREAT | O_EXCL);
		if (fd != -1 || errno != EEXIST)
			break;
	}
	if (fd == -1)
		return errno == EEXIST ? STORE_LIMIT : backend_errno(errno);
	memset(w, 0, sizeof(*w));
	w->number = number;
	w->next = number + 1;
	w->fd = segment_keep(&st->b, number, fd);
	w->created = true;
	w->end = SEGMENT_LINE;
	if (getrandom(&w->nonce, sizeof(w->nonce), 0) !=
	    (ssize_t)sizeof(w->nonce))
		r = STORE_IO;
	else
		r = segment_head(st, w);
	if (r != STORE_OK)
		segment_rollback(st, w);
	return r;
}

/* Its descriptor is the caller's: others that are opened do not close it. */
void
segment_hold(struct backend *b, struct segwrite *w)
{
	size_t i;

	for (i = 0; i < SEGMENT_CACHE; i++)
		if (b->seg[i].used != 0 && b->seg[i].number == w->number)
			b->seg[i].used = 0;
}

/* The line before a message, with another segment's nonce. */
enum store_result
segment_line_again(struct backend *b, const struct store_msg *m,
    uint64_t nonce, char line[SEGMENT_LINE])
{
	enum store_result r;
	int fd;

	if (m->offset < SEGMENT_LINE)
		return STORE_DAMAGED;
	if ((fd = segment_fd(b, m->segment)) == -1)
		return backend_errno(errno);
	r = backend_range(fd, m->offset - SEGMENT_LINE, line, SEGMENT_LINE);
	if (r == STORE_OK)
		(void)hex64(line + 4, nonce);
	return r == STORE_NOTFOUND ? STORE_DAMAGED : r;
}

/* Reads the nonce of the shared segment. */
static enum store_result
segment_nonce(struct store *st, int fd)
{
	char line[SEGMENT_LINE], *end;
	enum store_result r;

	r = backend_range(fd, 0, line, sizeof(line));
	if (r != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_DAMAGED : r;
	if (memcmp(line, "maild-segment 1 ", 16) != 0 ||
	    memcmp(line + NONCE_AT - 6, "nonce=", 6) != 0)
		return STORE_DAMAGED;
	line[NONCE_AT + 16] = '\0';
	st->seg_nonce = strtoull(line + NONCE_AT, &end, 16);
	return STORE_OK;
}

/*
 * Under the lock: where need octets of messages go now, in the shared
 * segment or in a new one if it is full.
 */
enum store_result
segment_begin(struct store *st, size_t need, struct segwrite *w)
{
	struct stat sb;
	enum store_result r;
	int fd;

	memset(w, 0, sizeof(*w));
	if (st->tr.segment == 0)
		return segment_create(st, w);
	if ((fd = segment_fd(&st->b, st->tr.segment)) == -1)
		return backend_errno(errno) == STORE_NOTFOUND ?
		    segment_create(st, w) : backend_errno(errno);
	if (fstat(fd, &sb) == -1)
		return backend_errno(errno);
	if (sb.st_nlink == 0) {
		segment_forget(&st->b, st->tr.segment);
		return segment_create(st, w);
	}
	if (st->seg != st->tr.segment) {
		if ((r = segment_nonce(st, fd)) != STORE_OK)
			return r == STORE_DAMAGED ? segment_create(st, w) : r;
		st->seg = st->tr.segment;
	}
	if ((uint64_t)sb.st_size + need > STORE_SEGMENT_MAX)
		return segment_create(st, w);
	w->number = st->tr.segment;
	w->next = st->tr.segment_next;
	w->fd = fd;
	w->nonce = st->seg_nonce;
	w->start = w->end = (uint64_t)sb.st_size;
	return STORE_OK;
}

/* The group was not written: nothing of it stays. */
void
segment_rollback(struct store *st, struct segwrite *w)
{
	char name[32];

	if (w->number == 0)
		return;
	if (!w->created) {
		if (ftruncate(w->fd, (off_t)w->start) == -1)
			return;	/* nobody names these bytes */
		return;
	}
	segment_forget(&st->b, w->number);
	if (st->seg == w->number)
		st->seg = 0;		/* the number may be another's */
	segment_name(name, w->number);
	(void)unlinkat(st->b.dir, name, 0);
	facts_name(name, w->number);
	(void)unlinkat(st->b.dir, name, 0);
	w->number = 0;
}

/* Messages go there now: what the next writer has to know. */
void
segment_done(struct store *st, const struct segwrite *w, struct trailer *tr)
{
	if (tr->segment != w->number)
		tr->facts_end = FACTS_HEADER;
	tr->segment = w->number;
	if (w->next > tr->segment_next)
		tr->segment_next = w->next;
	st->seg = w->number;
	st->seg_nonce = w->nonce;
}

/* Facts are to be written: beside a shared segment, which may have to be made
 * for that (so far the account has large messages only). */
enum store_result
segment_for_facts(struct store *st, struct segwrite *w, struct trailer *tr)
{
	enum store_result r;

	if (tr->segment != 0)
		return STORE_OK;
	if ((r = segment_begin(st, 0, w)) == STORE_OK)
		segment_done(st, w, tr);
	return r;
}

/* Tells the log of a segment that was made. */
int
segment_record(struct group *g, const struct segwrite *w,
    enum segment_kind kind)
{
	uint8_t *p;

	if (!w->created)
		return 0;
	if ((p = group_add(g, REC_SEGMENT, 0, 16)) == NULL)
		return -1;
	put32(p, w->number);
	put32(p + 4, kind);
	put64(p + 8, w->nonce);
	return 0;
}

/* The same octets once more: see recover.c. */
static enum store_result
segment_again(int fd, uint64_t off, void *p, size_t n)
{
	struct iovec iov = { p, n };

	return backend_write(fd, off, &iov, 1);
}

/* The line before a message, with the one that begins the file. */
static enum store_result
line_again(int fd, const struct store_msg *m)
{
	char line[2 * SEGMENT_LINE];
	uint64_t from = m->offset < sizeof(line) ? 0 :
	    m->offset - sizeof(line);
	size_t n = (size_t)(m->offset - from);
	enum store_result r;

	if ((r = backend_range(fd, from, line, n)) != STORE_OK)
		return r;
	return segment_again(fd, from, line, n);
}

/*
 * n octets from octet off of a message go into its checksum, and are written
 * again where they are if that is wanted.  DAMAGED: the file ends before.
 */
enum store_result
segment_piece(struct backend *b, const struct store_msg *m, uint32_t off,
    uint32_t n, uint32_t *crc, bool again)
{
	static uint8_t buf[SEGMENT_PIECE];
	enum store_result r;
	int fd;

	if ((fd = segment_fd(b, m->segment)) == -1)
		return backend_errno(errno);
	r = backend_range(fd, m->offset + off, buf, n);
	if (r == STORE_OK && again && off == 0)
		r = line_again(fd, m);
	if (r == STORE_OK && again)
		r = segment_again(fd, m->offset + off, buf, n);
	if (r != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_DAMAGED : r;
	*crc = crc32c(*crc, buf, n);
	return STORE_OK;
}

/* Are the bytes of a message what the log says? */
enum store_result
segment_check(struct backend *b, const struct store_msg *m)
{
	enum store_result r;
	uint32_t crc = 0, done, n;

	for (done = 0; done < m->size; done += n) {
		n = m->size - done > SEGMENT_PIECE ? SEGMENT_PIECE :
		    m->size - done;
		r = segment_piece(b, m, done, n, &crc, false);
		if (r != STORE_OK)
			return r;
	}
	return crc == m->crc ? STORE_OK : STORE_DAMAGED;
}
