/*
 * Reading message bytes and facts, with a window that reads ahead when the
 * reader goes on where it stopped: messages of a mailbox that came one after
 * the other lie so in the segment, and so do their facts.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "parse/facts.h"
#include "parse/mime.h"
#include "store/store.h"
#include "store/store_priv.h"

#define WINDOW_FIRST	(16U << 10)	/* ahead, once it looks sequential */
#define WINDOW_MAX	(256U << 10)
#define WINDOW_GAP	4096		/* still sequential */
#define BUILD_CHUNK	65536

static int
window_room(struct window *w, size_t n)
{
	uint8_t *p;
	size_t cap = w->cap == 0 ? WINDOW_FIRST : w->cap;

	while (cap < n)
		cap *= 2;
	if (cap == w->cap)
		return 0;
	if ((p = malloc(cap)) == NULL)
		return -1;
	free(w->p);
	w->p = p;
	w->cap = cap;
	w->n = 0;
	return 0;
}

/* Are they read already?  Then *out points at them. */
static bool
window_has(const struct window *w, uint32_t file, uint64_t off, size_t want,
    struct iovec *out)
{
	if (w->n == 0 || w->file != file || off < w->off ||
	    off - w->off > w->n || want > w->n - (off - w->off))
		return false;
	*out = (struct iovec){ w->p + (off - w->off), want };
	return true;
}

/*
 * Points *out at octets from off of a file, want of them or as many as there
 * are; file tells one file from another.
 */
static enum store_result
window_get(struct window *w, int fd, uint32_t file, uint64_t off, size_t want,
    struct iovec *out)
{
	enum store_result r;
	size_t n;

	if (window_has(w, file, off, want, out))
		return STORE_OK;
	if (w->n > 0 && w->file == file && off >= w->off &&
	    off - w->off <= w->n + WINDOW_GAP) {
		w->ahead = w->ahead == 0 ? WINDOW_FIRST : w->ahead * 2;
		if (w->ahead > WINDOW_MAX)
			w->ahead = WINDOW_MAX;
	} else
		w->ahead = 0;
	n = w->ahead > want ? w->ahead : want;
	if (window_room(w, n) == -1)
		return STORE_NOMEM;
	w->n = 0;
	if ((r = backend_read(fd, off, w->p, n, &n)) != STORE_OK)
		return r;
	w->n = n;
	w->off = off;
	w->file = file;
	*out = (struct iovec){ w->p, n < want ? n : want };
	return STORE_OK;
}

/* Where the bytes of a message are that moved, by its email id: its copies
 * have the same. */
static bool
message_find(struct store *st, struct store_msg *m)
{
	const struct store_msg *x;
	struct mailbox *mb;
	size_t i = 0;
	uint32_t slot;

	while (st->state != NULL && (mb = mailbox_next(st->state, &i)) != NULL)
		for (slot = 0; slot < mailbox_slots(mb); slot++) {
			x = mailbox_msg(mb, slot);
			if (x->email == m->email && x->segment != 0 &&
			    x->size == m->size && x->crc == m->crc) {
				m->segment = x->segment;
				m->offset = x->offset;
				return true;
			}
		}
	return false;
}

/*
 * Opens the segment of a message, of which m is a copy.  One that is not
 * there was compacted: the log says where its messages went.  NOTFOUND: it
 * was expunged, and is no more.
 */
static enum store_result
message_fd(struct store *st, struct store_msg *m, int *fd)
{
	enum store_result r;

	if (m->segment != 0 && (*fd = segment_fd(&st->b, m->segment)) != -1)
		return STORE_OK;
	if (m->segment != 0 && errno != ENOENT)
		return backend_errno(errno);
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if (!message_find(st, m))
		return STORE_NOTFOUND;
	*fd = segment_fd(&st->b, m->segment);
	return *fd == -1 ? backend_errno(errno) : STORE_OK;
}

enum store_result
store_read(struct store *st, const struct store_msg *msg, uint32_t off,
    void *buf, uint32_t len)
{
	struct store_msg m = *msg;
	enum store_result r;
	size_t got;
	int fd;

	if (off > m.size || len > m.size - off)
		return STORE_INVALID;
	if ((r = message_fd(st, &m, &fd)) != STORE_OK)
		return r;
	r = backend_read(fd, m.offset + off, buf, len, &got);
	return r == STORE_OK && got != len ? STORE_IO : r;
}

enum store_result
store_peek(struct store *st, const struct store_msg *msg, uint32_t off,
    uint32_t want, struct iovec *out)
{
	struct store_msg m = *msg;
	enum store_result r;
	int fd;

	if (off > m.size || want > m.size - off)
		return STORE_INVALID;
	if (want > WINDOW_MAX)
		want = WINDOW_MAX;
	if ((r = message_fd(st, &m, &fd)) != STORE_OK)
		return r;
	r = window_get(&st->mail, fd, m.segment, m.offset + off, want, out);
	return r == STORE_OK && out->iov_len != want ? STORE_IO : r;
}

enum store_result
store_verify(struct store *st, const struct store_msg *msg)
{
	struct store_msg m = *msg;
	enum store_result r;
	int fd;

	if ((r = message_fd(st, &m, &fd)) != STORE_OK)
		return r;
	return segment_check(&st->b, &m);
}

/* ---- facts ------------------------------------------------------- */

/*
 * The blob as the file has it; NOTFOUND if it is missing, not whole or of an
 * older release, so that it is to be made again.
 */
enum store_result
facts_read(struct store *st, const struct store_msg *m, struct iovec *out)
{
	size_t len = FACTS_ENTRY + (size_t)m->facts_len;
	enum store_result r;
	int version, fd;

	if (m->facts_len == 0)
		return STORE_NOTFOUND;
	/* Whether the file is still there is asked once a window: what is in
	 * one names its message and has a sum. */
	if (!window_has(&st->facts, m->facts_segment, m->facts_off, len, out)) {
		r = facts_open(st, m->facts_segment, false, &fd);
		if (r != STORE_OK)
			return r;
		r = window_get(&st->facts, fd, m->facts_segment, m->facts_off,
		    len, out);
		if (r != STORE_OK)
			return r;
	}
	if (facts_check(st, out->iov_base, out->iov_len, m) == -1)
		return STORE_NOTFOUND;
	out->iov_base = (uint8_t *)out->iov_base + FACTS_ENTRY;
	out->iov_len = m->facts_len;
	version = facts_version(out->iov_base, out->iov_len);
	if (version != FACTS_VERSION)
		return version > FACTS_VERSION ? STORE_NEWER : STORE_NOTFOUND;
	return STORE_OK;
}

/* Feeds the body of a message to the parser. */
static enum store_result
facts_feed(struct store *st, const struct store_msg *m, struct mime *mime)
{
	struct iovec v;
	enum store_result r;
	uint32_t off, n;

	for (off = m->prefix; off < m->size; off += n) {
		n = m->size - off > BUILD_CHUNK ? BUILD_CHUNK : m->size - off;
		if ((r = store_peek(st, m, off, n, &v)) != STORE_OK)
			return r;
		if (mime_feed(mime, v.iov_base, v.iov_len) == -1)
			return STORE_NOMEM;
	}
	return STORE_OK;
}

/* Does the mailbox have this very message, with these facts? */
static bool
has_facts(struct mailbox *mb, const struct store_msg *m)
{
	const struct store_msg *x;
	uint32_t slot = mailbox_slot(mb, m->uid);

	if (slot == mailbox_slots(mb))
		return false;
	x = mailbox_msg(mb, slot);
	return x->uid == m->uid && x->segment == m->segment &&
	    x->offset == m->offset && (x->flags & MSG_GONE) == 0 &&
	    x->facts_segment == m->facts_segment &&
	    x->facts_off == m->facts_off && x->facts_len == m->facts_len;
}

/*
 * A blob of another size than before gets a new place, and the log says so.
 * A copy in another mailbox may have the same UID: which of them is meant is
 * not known, so all get it that have the old one.
 */
static enum store_result
facts_move(struct store *st, const struct store_msg *m, struct iovec *iov,
    uint32_t len)
{
	struct segwrite sw = { 0 };
	struct mailbox *mb;
	struct trailer tr;
	enum store_result r;
	uint8_t *p;
	size_t i, found = 0;

	if ((r = store_begin(st)) != STORE_OK)
		return r;
	tr = st->tr;
	if ((r = segment_for_facts(st, &sw, &tr)) != STORE_OK) {
		store_abort(st);
		return r;
	}
	(void)segment_record(&st->g, &sw, SEGMENT_SHARED);
	for (i = 0; st->state != NULL && i < st->state->nnames; i++) {
		mb = st->state->byname[i];
		if (!has_facts(mb, m))
			continue;
		found++;
		if ((p = group_add(&st->g, REC_FACTS, 0, 24)) != NULL) {
			put32(p, mb->id);
			put32(p + 4, m->uid);
			put64(p + 8, tr.facts_end);
			put32(p + 16, len);
			put32(p + 20, tr.segment);
		}
	}
	if (found == 0 ||
	    facts_write(st, tr.segment, tr.facts_end, iov, 3) != STORE_OK)
		r = STORE_NOTFOUND;
	tr.facts_end += FACTS_ROOM(len);
	if (r == STORE_OK)
		r = store_group(st, &tr);
	if (r != STORE_OK && st->b.locked) {
		segment_rollback(st, &sw);
		store_abort(st);
	}
	return r;
}

/* Best effort: without it the facts are made again the next time. */
static void
facts_keep(struct store *st, const struct store_msg *m, const void *blob,
    size_t n)
{
	static const char zeros[8];
	uint8_t e[FACTS_ENTRY];
	struct iovec iov[3];

	if (st->damaged || st->failed || n == 0 || n > STORE_FACTS_MAX)
		return;
	facts_entry(st, e, m, blob, n);
	iov[0] = (struct iovec){ e, sizeof(e) };
	iov[1] = (struct iovec){ (void *)(uintptr_t)blob, n };
	iov[2] = (struct iovec){ (void *)(uintptr_t)zeros, PAD8(n) - n };
	if (m->facts_len == n)
		(void)facts_write(st, m->facts_segment, m->facts_off, iov, 3);
	else
		(void)facts_move(st, m, iov, (uint32_t)n);
}

static enum store_result
facts_build(struct store *st, const struct store_msg *m, bool keep,
    struct iovec *out)
{
	struct mime *mime;
	enum store_result r;
	const char *blob;
	size_t n;

	if ((mime = mime_new()) == NULL)
		return STORE_NOMEM;
	r = facts_feed(st, m, mime);
	if (r == STORE_OK && (mime_end(mime, &blob, &n) == -1 ||
	    window_room(&st->facts, n) == -1))
		r = STORE_NOMEM;
	if (r == STORE_OK) {
		if (keep)
			facts_keep(st, m, blob, n);
		st->facts.n = 0;	/* a buffer now, no window */
		memcpy(st->facts.p, blob, n);
		*out = (struct iovec){ st->facts.p, n };
	}
	mime_free(mime);
	return r;
}

/* The same, but what has to be made again is not kept: its message moves. */
enum store_result
facts_fetch(struct store *st, const struct store_msg *m, struct iovec *out)
{
	enum store_result r = facts_read(st, m, out);

	return r == STORE_OK || r == STORE_NOMEM ? r :
	    facts_build(st, m, false, out);
}

enum store_result
store_facts(struct store *st, const struct store_msg *msg, struct iovec *out)
{
	struct store_msg m = *msg;	/* the log may move under us */
	enum store_result r;

	r = facts_read(st, &m, out);
	if (r == STORE_OK || r == STORE_NOMEM)
		return r;
	/* What is there but cannot be read, or is newer, stays as it is. */
	return facts_build(st, &m, r == STORE_NOTFOUND, out);
}
