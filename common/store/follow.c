/*
 * A journal that was made anew while we had the old one open: what we know
 * stays, messages, views and all, and we read on in the new one, where the
 * group stands that we know as the last.  Called by all who ask where the log
 * ends.
 *
 * Invariants: the old one is read to its end first: nobody writes there any
 * more, and the new one has all of it.  What was promised of the old one is
 * durable in the new one; that the name is, the next promise sees to.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define FOLLOW_MAX	4		/* generations in one go */
#define SEEK_CHUNK	(256U << 10)

static enum store_result seek_seq(int, const struct loghead *, uint32_t,
		    uint64_t, uint64_t *);
static enum store_result log_follow(struct store *);

/* The head of the log at fd. */
enum store_result
log_head(int fd, struct loghead *h)
{
	uint8_t p[LOG_HEADER];
	enum store_result r;
	size_t n = LOG_HEADER_1;

	r = backend_range(fd, 0, p, n);
	if (r == STORE_OK && get32(p + 8) == LOG_VERSION) {
		r = backend_range(fd, n, p + n, LOG_HEADER - n);
		n = LOG_HEADER;
	}
	if (r == STORE_OK)
		return loghead_decode(p, n, h);
	return r == STORE_NOTFOUND ? STORE_DAMAGED : r;
}

/*
 * Where in a log the last group of number seq ends.  GONE: it has none, for
 * what we know is older than its snapshot.
 */
static enum store_result
seek_seq(int fd, const struct loghead *h, uint32_t seed, uint64_t seq,
    uint64_t *pos)
{
	uint64_t at = h->len, found = 0;
	struct loggroup g;
	enum store_result r;
	size_t need = SEEK_CHUNK, n, off, want = 0;
	ssize_t len = 0;
	uint8_t *p;

	for (;;) {
		if ((p = store_buffer(need)) == NULL)
			return STORE_NOMEM;
		if ((r = backend_read(fd, at, p, need, &n)) != STORE_OK)
			return r;
		for (off = 0; off < n; off += (size_t)len) {
			len = loggroup_parse(p + off, n - off, seed, &g,
			    &want);
			if (len <= 0 || g.seq > seq)
				break;
			if (g.seq == seq)
				found = at + off + (size_t)len;
		}
		if (off == 0 && n == need && len == 0 && want > need) {
			need = want;
			continue;
		}
		at += off;
		if (off == 0 || len < 0 || (off < n && g.seq > seq))
			break;
	}
	*pos = found;
	return found == 0 ? STORE_GONE : STORE_OK;
}

/* Reads the log that has no name any more to its end. */
static enum store_result
old_finish(struct store *st)
{
	struct stat sb;
	enum store_result r;

	if (fstat(st->b.log, &sb) == -1)
		return STORE_IO;
	if ((r = store_catch_up(st, (uint64_t)sb.st_size)) != STORE_OK)
		return r;
	return st->pos == (uint64_t)sb.st_size ? STORE_OK : STORE_GONE;
}

/* Goes over to the log that has the name now.  GONE: it is none that
 * continues ours. */
static enum store_result
log_follow(struct store *st)
{
	struct loghead h;
	enum store_result r;
	struct mark m = { 0 };
	uint64_t pos = 0;
	int fd;

	if (st->damaged || (fd = backend_file(st->b.dir,
	    "journal", O_RDWR)) == -1)
		return STORE_GONE;
	r = log_head(fd, &h);
	if (r == STORE_OK && (h.generation <= st->head.generation ||
	    memcmp(h.uuid, st->head.uuid, sizeof(h.uuid)) != 0))
		r = STORE_GONE;
	if (r == STORE_OK)
		r = old_finish(st);
	if (r == STORE_OK && h.generation == st->head.generation + 1 &&
	    h.end_seq == st->tr.seq)
		pos = h.end_pos;
	else if (r == STORE_OK)
		r = seek_seq(fd, &h, st->seed, st->tr.seq, &pos);
	if (r != STORE_OK) {
		close(fd);
		return r;
	}
	close(st->b.log);
	st->b.log = fd;
	st->head = h;
	backend_of(&st->b, &h);
	st->pos = st->want = st->index_pos = pos;
	st->durable = 0;
	st->dirty_dir = true;
	if (!st->look.due)
		return STORE_OK;
	/* What was to be looked at of the old one was, by who read it all. */
	st->nlost = 0;
	r = backend_mark_get(&st->b, st->seed, &m);
	store_recover_from(st, pos, &m);
	return r;
}

/* Where our log ends, or the one that took its place. */
enum store_result
store_log_end(struct store *st, uint64_t *end)
{
	enum store_result r;
	int i;

	for (i = 0; i < FOLLOW_MAX; i++) {
		r = backend_log_size(&st->b, end);
		if (r != STORE_GONE || (r = log_follow(st)) != STORE_OK)
			return r;
	}
	return STORE_BUSY;
}

/* Takes the lock, and is at the log that has the name then. */
enum store_result
store_lock(struct store *st, uint64_t *end)
{
	enum store_result r;
	int i;

	for (i = 0; i < FOLLOW_MAX; i++) {
		r = backend_begin(&st->b, end);
		if (r != STORE_GONE || (r = log_follow(st)) != STORE_OK)
			return r;
	}
	return STORE_BUSY;
}
