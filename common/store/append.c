/*
 * APPEND and MULTIAPPEND: messages that come from the client block by block,
 * while no lock is held.  Small ones wait in memory, laid out as they will
 * lie in the shared segment, so that commit is one write; large ones go to
 * segments of their own at once, and so does one that gets larger than it was
 * announced.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/store.h"
#include "store/store_priv.h"

#define APPEND_BUFFER	(4U << 20)	/* octets waiting in memory */

struct appended {			/* one message */
	struct store_msg msg;
	char		**keywords;
	size_t		 nkeywords;
	struct segwrite	 own;		/* number 0: in the buffer */
	size_t		 at;		/* of its line in the buffer */
	uint64_t	 written;
	uint8_t		*facts;
	bool		 ended;
};

struct store_append {
	struct store	*st;
	char		 mailbox[STORE_NAME_MAX + 1];
	struct appended	*v;
	size_t		 n;
	uint8_t		*buf;
	size_t		 used, cap;
	uint64_t	 bytes;
	bool		 failed;
	bool		 done;
};

enum store_result
store_append_new(struct store_append **out, struct store *st, const char *in)
{
	struct store_append *a;
	struct store_mailbox mb;
	enum store_result r;

	*out = NULL;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if (!store_mailbox_find(st, in, &mb) ||
	    (mb.attr & STORE_MB_NOSELECT) != 0)
		return STORE_NOTFOUND;
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return STORE_NOMEM;
	a->st = st;
	(void)strlcpy(a->mailbox, mb.name, sizeof(a->mailbox));
	*out = a;
	return STORE_OK;
}

void
store_append_free(struct store_append *a)
{
	size_t i, k;

	if (a == NULL)
		return;
	for (i = 0; i < a->n; i++) {
		if (!a->done)
			segment_rollback(a->st, &a->v[i].own);
		for (k = 0; k < a->v[i].nkeywords; k++)
			free(a->v[i].keywords[k]);
		free(a->v[i].keywords);
		free(a->v[i].facts);
	}
	free(a->v);
	free(a->buf);
	free(a);
}

static int
buffer_room(struct store_append *a, size_t n)
{
	size_t cap = a->cap == 0 ? 16384 : a->cap;
	uint8_t *p;

	while (cap < a->used + n)
		cap *= 2;
	if (cap == a->cap)
		return 0;
	if ((p = realloc(a->buf, cap)) == NULL)
		return -1;
	a->buf = p;
	a->cap = cap;
	return 0;
}

static int
keywords_copy(struct appended *m, const struct store_flagset *fs)
{
	size_t i;

	if (fs == NULL || fs->nkeywords == 0)
		return 0;
	m->keywords = calloc(fs->nkeywords, sizeof(char *));
	if (m->keywords == NULL)
		return -1;
	for (i = 0; i < fs->nkeywords; i++, m->nkeywords++)
		if ((m->keywords[i] = strdup(fs->keywords[i])) == NULL)
			return -1;
	return 0;
}

static enum store_result
fail(struct store_append *a, enum store_result r)
{
	if (r != STORE_OK)
		a->failed = true;
	return r;
}

static enum store_result
own_begin(struct store_append *a, struct appended *m)
{
	enum store_result r;

	if ((r = segment_create(a->st, &m->own)) != STORE_OK)
		return r;
	m->msg.segment = m->own.number;
	m->msg.offset = m->own.end + SEGMENT_LINE;
	return STORE_OK;
}

/*
 * Where the bytes of a message will go, of msg.size octets as far as is
 * known.  What is in the buffer of the last one leaves it when there is no
 * room for it any more.
 */
static enum store_result
message_place(struct store_append *a, struct appended *m)
{
	size_t need = SEGMENT_LINE + (size_t)m->msg.size + SEGMENT_TAIL;
	struct iovec iov;
	enum store_result r;

	if (m->own.number != 0)
		return STORE_OK;
	a->used = m->at;
	if (m->msg.size >= STORE_LARGE || a->used + need > APPEND_BUFFER) {
		if ((r = own_begin(a, m)) != STORE_OK || m->written == 0)
			return r;
		iov = (struct iovec){ a->buf + m->at + SEGMENT_LINE,
		    (size_t)m->written };
		return backend_write(m->own.fd, m->msg.offset, &iov, 1);
	}
	if (buffer_room(a, need) == -1)
		return STORE_NOMEM;
	a->used += need;
	memcpy(a->buf + a->used - SEGMENT_TAIL, "\r\n", SEGMENT_TAIL);
	return STORE_OK;
}

/* The message is to have size octets: those are counted from now on. */
static enum store_result
message_size(struct store_append *a, struct appended *m, uint64_t size)
{
	uint64_t more = size - m->msg.size;

	if (size > STORE_MESSAGE_MAX)
		return STORE_LIMIT;
	if (!store_room(a->st, a->bytes + more, a->n))
		return STORE_OVERQUOTA;
	a->bytes += more;
	m->msg.size = (uint32_t)size;
	return message_place(a, m);
}

enum store_result
store_append_message(struct store_append *a, const struct store_flagset *fs,
    int64_t date, size_t size)
{
	struct appended *v, *m;

	if (a->failed || (a->n > 0 && !a->v[a->n - 1].ended) ||
	    (fs != NULL && (fs->sys & ~(uint32_t)STORE_FLAGS) != 0))
		return STORE_INVALID;
	if (a->n == STORE_BATCH_MAX)
		return fail(a, STORE_LIMIT);
	v = recallocarray(a->v, a->n, a->n + 1, sizeof(*v));
	if (v == NULL)
		return fail(a, STORE_NOMEM);
	a->v = v;
	m = &v[a->n++];
	m->at = a->used;
	m->msg.date = date;
	m->msg.flags = fs != NULL ? fs->sys : 0;
	if (keywords_copy(m, fs) == -1)
		return fail(a, STORE_NOMEM);
	return fail(a, message_size(a, m, size));
}

enum store_result
store_append_write(struct store_append *a, const void *p, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct appended *m;
	enum store_result r;

	if (a->failed || a->n == 0 || a->v[a->n - 1].ended)
		return STORE_INVALID;
	m = &a->v[a->n - 1];
	if (n > m->msg.size - m->written &&
	    (r = message_size(a, m, m->written + n)) != STORE_OK)
		return fail(a, r);
	m->msg.crc = crc32c(m->msg.crc, p, n);
	m->written += n;
	if (m->own.number != 0)
		return fail(a, backend_write(m->own.fd,
		    m->msg.offset + m->written - n, &iov, 1));
	memcpy(a->buf + m->at + SEGMENT_LINE + m->written - n, p, n);
	return STORE_OK;
}

/* The line and the end of a message that has a segment of its own. */
static enum store_result
own_end(struct appended *m)
{
	char line[SEGMENT_LINE], tail[] = "\r\n";
	struct iovec iov = { line, sizeof(line) };
	enum store_result r;

	segment_line(line, m->own.nonce, &m->msg, NULL);
	r = backend_write(m->own.fd, m->msg.offset - SEGMENT_LINE, &iov, 1);
	iov = (struct iovec){ tail, SEGMENT_TAIL };
	if (r == STORE_OK)
		r = backend_write(m->own.fd, m->msg.offset + m->msg.size,
		    &iov, 1);
	return r;
}

enum store_result
store_append_end(struct store_append *a, const void *facts, size_t n)
{
	struct appended *m;

	if (a->failed || a->n == 0 || a->v[a->n - 1].ended)
		return STORE_INVALID;
	m = &a->v[a->n - 1];
	if (m->written != m->msg.size)
		return fail(a, STORE_INVALID);
	if (facts != NULL && n > 0 && n <= STORE_FACTS_MAX) {
		if ((m->facts = malloc(n)) == NULL)
			return fail(a, STORE_NOMEM);
		memcpy(m->facts, facts, n);
		m->msg.facts_len = (uint32_t)n;
	}
	m->ended = true;
	return m->own.number != 0 ? fail(a, own_end(m)) : STORE_OK;
}

/* ---- commit ------------------------------------------------------ */

/* Lines of the buffered messages, then all of it in one write. */
static enum store_result
write_buffer(struct store_append *a, struct segwrite *sw)
{
	struct iovec iov = { a->buf, a->used };
	struct appended *m;
	enum store_result r;
	size_t i;

	if (a->used == 0)
		return STORE_OK;
	if ((r = segment_begin(a->st, a->used, sw)) != STORE_OK)
		return r;
	for (i = 0; i < a->n; i++) {
		m = &a->v[i];
		if (m->own.number != 0)
			continue;
		m->msg.segment = sw->number;
		m->msg.offset = sw->end + m->at + SEGMENT_LINE;
		segment_line((char *)a->buf + m->at, sw->nonce, &m->msg, NULL);
	}
	r = backend_write(sw->fd, sw->end, &iov, 1);
	sw->end += a->used;
	return r;
}

static enum store_result
write_fact(struct store *st, struct appended *m, struct segwrite *sw,
    struct trailer *tr)
{
	static const char zeros[8];
	enum store_result r;
	uint8_t e[FACTS_ENTRY];
	size_t n = m->msg.facts_len;
	struct iovec iov[3];

	if (n == 0)
		return STORE_OK;
	if ((r = segment_for_facts(st, sw, tr)) != STORE_OK)
		return r;
	facts_entry(st, e, &m->msg, m->facts, n);
	iov[0] = (struct iovec){ e, sizeof(e) };
	iov[1] = (struct iovec){ m->facts, n };
	iov[2] = (struct iovec){ (void *)(uintptr_t)zeros, PAD8(n) - n };
	m->msg.facts_segment = tr->segment;
	m->msg.facts_off = tr->facts_end;
	tr->facts_end += FACTS_ROOM(n);
	(void)facts_write(st, tr->segment, m->msg.facts_off, iov, 3);
	return STORE_OK;
}

static enum store_result
write_records(struct store_append *a, struct mailbox *mb,
    struct segwrite *sw, struct trailer *tr)
{
	struct store_flagset fs = { 0 };
	struct msgrec msg = { .mailbox = mb->id };
	struct store *st = a->st;
	struct appended *m;
	struct keyset ks;
	enum store_result r;
	size_t i;

	keyset_start(&ks, mb);
	if (sw->number != 0)
		segment_done(st, sw, tr);
	for (i = 0; i < a->n; i++) {
		m = &a->v[i];
		fs.keywords = (const char *const *)m->keywords;
		fs.nkeywords = m->nkeywords;
		r = keyset_list(&ks, &st->g, &fs, &msg.kw);
		if (r == STORE_OK)
			r = write_fact(st, m, sw, tr);
		if (r != STORE_OK)
			return r;
		if (m->own.number != 0) {
			(void)segment_record(&st->g, &m->own, SEGMENT_OWN);
			if (m->own.next > tr->segment_next)
				tr->segment_next = m->own.next;
		}
		msg.m = m->msg;
		msg.m.uid = mb->uidnext + (uint32_t)i;
		(void)msgrec_encode(&st->g, &msg);
	}
	if (sw->number != 0)
		(void)segment_record(&st->g, sw, SEGMENT_SHARED);
	tr->messages += (uint32_t)a->n;
	tr->bytes += a->bytes;
	if (mb->id == INBOX_ID)
		tr->inbox_uidnext = mb->uidnext + (uint32_t)a->n;
	return STORE_OK;
}

/* Everything between lock and unlock. */
static enum store_result
commit_locked(struct store_append *a, struct store_appended *out)
{
	struct segwrite sw = { 0 };
	struct store *st = a->st;
	struct mailbox *mb;
	struct trailer tr = st->tr;
	enum store_result r;

	mb = mailbox_byname(st->state, a->mailbox);
	if (mb == NULL || (mb->attr & STORE_MB_NOSELECT) != 0)
		r = STORE_NOTFOUND;
	else if (!store_room(st, a->bytes, a->n))
		r = STORE_OVERQUOTA;
	else if (mb->uidnext > UINT32_MAX - 2 * STORE_BATCH_MAX)
		r = STORE_LIMIT;
	else
		r = write_buffer(a, &sw);
	if (r == STORE_OK)
		r = write_records(a, mb, &sw, &tr);
	if (r == STORE_OK) {
		out->uidvalidity = mb->uidvalidity;
		out->uids.first = mb->uidnext;
		out->uids.last = mb->uidnext + (uint32_t)a->n - 1;
		r = store_group(st, &tr);
	}
	if (r != STORE_OK && st->b.locked) {
		segment_rollback(st, &sw);
		store_abort(st);
	}
	return r;
}

enum store_result
store_append_commit(struct store_append *a, struct store_appended *out)
{
	enum store_result r;

	memset(out, 0, sizeof(*out));
	if (a->failed || a->done || a->n == 0 || !a->v[a->n - 1].ended)
		return STORE_INVALID;
	if ((r = store_begin(a->st)) != STORE_OK)
		return r;
	r = commit_locked(a, out);
	if (r == STORE_OK || a->st->failed)
		a->done = true;
	return r;
}
