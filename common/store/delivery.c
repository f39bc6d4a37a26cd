/*
 * Delivery: a batch of messages becomes one group of one account.  Runs in
 * deliver, which holds many accounts open and syncs them all at once, so
 * the work here is lock, one write to the segment, one to facts, one to the
 * log, unlock.  Never parses a message; never trusts what it reads here.
 *
 * Large messages are written to segments of their own before the lock is
 * taken.  Bodies that come by descriptor go through one buffer of the
 * process: their checksum has to be made anyway, so nothing would be saved
 * by copy_file_range(2), and from a memfd it could not share blocks.
 */
#include "base/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/util.h"
#include "store/store.h"
#include "store/store_priv.h"

#define PREFIX_IOV	8
#define BODY_IOV	16
#define IOV_MOST	1000		/* of one write */
#define IOV_ITEM	(3 + PREFIX_IOV + BODY_IOV)
#define RUN_MOST	(8U << 20)	/* octets of one write */
#define SCRATCH		STORE_LARGE

struct work {				/* an item on its way */
	struct store_item *it;
	struct store_msg msg;
	uint32_t	 mailbox;	/* 0: not to be delivered */
	size_t		 need;		/* octets in the segment */
	const char	*bytes;		/* in scratch, if by descriptor */
	struct segwrite	 own;		/* large: its segment */
	char		 line[SEGMENT_LINE];
	uint8_t		 entry[FACTS_ENTRY];
};

/* Reused for every batch: pages are dear at first touch. */
static struct work	 works[STORE_BATCH_MAX];
static struct iovec	 iovs[IOV_MOST];
static char		 scratch[SCRATCH];
static size_t		 scratched;
static const char	 pad[8] = "\r\n";
static const char	 zeros[8];

static bool
is_large(const struct work *w)
{
	return w->msg.size >= STORE_LARGE;
}

/* Everything in the item that can be wrong by itself. */
static enum store_result
item_check(const struct store_item *it, struct work *w)
{
	uint64_t prefix = 0, body = 0;
	int i;

	if (it->nprefix < 0 || it->nprefix > PREFIX_IOV || it->nbody < 0 ||
	    it->nbody > BODY_IOV || (it->fd != -1 && it->off < 0))
		return STORE_INVALID;
	for (i = 0; i < it->nprefix; i++)
		prefix += it->prefix[i].iov_len;
	if (it->fd != -1)
		body = it->len;
	else
		for (i = 0; i < it->nbody; i++)
			body += it->body[i].iov_len;
	if (prefix > SCRATCH || body > STORE_MESSAGE_MAX ||
	    prefix + body > STORE_MESSAGE_MAX)
		return STORE_LIMIT;
	memset(&w->msg, 0, sizeof(w->msg));
	w->msg.prefix = (uint32_t)prefix;
	w->msg.size = (uint32_t)(prefix + body);
	w->msg.flags = it->flags & STORE_FLAGS;
	w->msg.date = it->date;
	if (it->facts != NULL && it->facts_len <= STORE_FACTS_MAX)
		w->msg.facts_len = (uint32_t)it->facts_len;
	w->need = SEGMENT_LINE + (size_t)w->msg.size + SEGMENT_TAIL;
	return STORE_OK;
}

static uint32_t
crc_iov(uint32_t crc, const struct iovec *iov, int n)
{
	int i;

	for (i = 0; i < n; i++)
		crc = crc32c(crc, iov[i].iov_base, iov[i].iov_len);
	return crc;
}

/* ---- large messages ---------------------------------------------- */

static enum store_result
large_iov(struct work *w, uint64_t *off, const struct iovec *v, int n)
{
	struct iovec iov[BODY_IOV];
	enum store_result r;

	memcpy(iov, v, (size_t)n * sizeof(*v));
	w->msg.crc = crc_iov(w->msg.crc, v, n);
	if ((r = backend_write(w->own.fd, *off, iov, n)) == STORE_OK)
		for (; n > 0; n--, v++)
			*off += v->iov_len;
	return r;
}

static enum store_result
large_fd(struct work *w, uint64_t *off)
{
	const struct store_item *it = w->it;
	struct iovec iov;
	enum store_result r;
	size_t done, n, got;

	for (done = 0; done < it->len; done += n) {
		n = it->len - done > SCRATCH ? SCRATCH : it->len - done;
		r = backend_read(it->fd, (uint64_t)it->off + done, scratch, n,
		    &got);
		if (r != STORE_OK || got != n)
			return r == STORE_OK ? STORE_IO : r;
		iov = (struct iovec){ scratch, n };
		if ((r = large_iov(w, off, &iov, 1)) != STORE_OK)
			return r;
	}
	return STORE_OK;
}

/* A segment of its own, complete but for the log. */
static enum store_result
large_write(struct store *st, struct work *w)
{
	struct iovec iov = { (void *)(uintptr_t)pad, SEGMENT_TAIL };
	struct store_item *it = w->it;
	enum store_result r;
	uint64_t off;

	if ((r = segment_create(st, &w->own)) != STORE_OK)
		return r;
	off = w->msg.offset = w->own.end + SEGMENT_LINE;
	w->msg.segment = w->own.number;
	r = large_iov(w, &off, it->prefix, it->nprefix);
	if (r == STORE_OK && it->fd != -1)
		r = large_fd(w, &off);
	else if (r == STORE_OK)
		r = large_iov(w, &off, it->body, it->nbody);
	if (r == STORE_OK)
		r = backend_write(w->own.fd, off, &iov, 1);
	segment_line(w->line, w->own.nonce, &w->msg, it->id);
	iov = (struct iovec){ w->line, SEGMENT_LINE };
	if (r == STORE_OK)
		r = backend_write(w->own.fd, w->own.end, &iov, 1);
	if (r != STORE_OK)
		segment_rollback(st, &w->own);
	return r;
}

/* ---- small messages ---------------------------------------------- */

/* The body of a small item into memory, if it is not there: its checksum. */
static enum store_result
small_load(struct work *w)
{
	struct store_item *it = w->it;
	enum store_result r;
	size_t got;

	w->msg.crc = crc_iov(0, it->prefix, it->nprefix);
	if (it->fd == -1) {
		w->msg.crc = crc_iov(w->msg.crc, it->body, it->nbody);
		return STORE_OK;
	}
	w->bytes = scratch + scratched;
	r = backend_read(it->fd, (uint64_t)it->off, scratch + scratched,
	    it->len, &got);
	if (r != STORE_OK || got != it->len)
		return r == STORE_OK ? STORE_IO : r;
	scratched += it->len;
	w->msg.crc = crc32c(w->msg.crc, w->bytes, it->len);
	return STORE_OK;
}

static int
small_iov(struct work *w, struct iovec *iov)
{
	struct store_item *it = w->it;
	int n = 0;

	iov[n++] = (struct iovec){ w->line, SEGMENT_LINE };
	memcpy(iov + n, it->prefix, (size_t)it->nprefix * sizeof(*iov));
	n += it->nprefix;
	if (it->fd != -1)
		iov[n++] = (struct iovec){ (void *)(uintptr_t)w->bytes,
		    it->len };
	else {
		memcpy(iov + n, it->body, (size_t)it->nbody * sizeof(*iov));
		n += it->nbody;
	}
	iov[n++] = (struct iovec){ (void *)(uintptr_t)pad, SEGMENT_TAIL };
	return n;
}

/* As many of v[] as fit one write, in one write; *used were looked at. */
static enum store_result
small_run(struct store *st, struct work *v, size_t n, struct segwrite *sw,
    size_t *used)
{
	enum store_result r;
	uint64_t at;
	size_t i, need = 0;
	int niov = 0;

	scratched = 0;
	for (i = 0; i < n; i++) {
		if (v[i].mailbox == 0 || is_large(&v[i]))
			continue;
		if (need > 0 && (need + v[i].need > RUN_MOST ||
		    niov + IOV_ITEM > IOV_MOST || (v[i].it->fd != -1 &&
		    scratched + v[i].it->len > SCRATCH)))
			break;
		if ((v[i].it->result = small_load(&v[i])) != STORE_OK) {
			v[i].mailbox = 0;
			continue;
		}
		need += v[i].need;
		niov += IOV_ITEM;
	}
	*used = i;
	if (need == 0)
		return STORE_OK;
	if (sw->number == 0 || sw->end + need > STORE_SEGMENT_MAX) {
		if ((r = segment_begin(st, need, sw)) != STORE_OK)
			return r;
	}
	at = sw->end;
	niov = 0;
	for (i = 0; i < *used; i++) {
		if (v[i].mailbox == 0 || is_large(&v[i]))
			continue;
		v[i].msg.segment = sw->number;
		v[i].msg.offset = at + SEGMENT_LINE;
		at += v[i].need;
		segment_line(v[i].line, sw->nonce, &v[i].msg, v[i].it->id);
		niov += small_iov(&v[i], iovs + niov);
	}
	r = backend_write(sw->fd, sw->end, iovs, niov);
	sw->end = at;
	return r;
}

/* ---- facts and records ------------------------------------------- */

/* All blobs of the batch in one write; without room for it, without them.
 * Those of a newer release are no place for ours. */
static enum store_result
write_facts(struct store *st, size_t n, struct segwrite *sw,
    struct trailer *tr)
{
	enum store_result r;
	struct work *w;
	uint64_t off;
	size_t i, len, some = 0;
	int niov = 0;

	for (i = 0; i < n; i++)
		some += works[i].mailbox != 0 && works[i].msg.facts_len != 0;
	if (some > 0 && (r = segment_for_facts(st, sw, tr)) != STORE_OK)
		return r;
	off = tr->facts_end;
	for (i = 0; i < n; i++) {
		w = &works[i];
		if (w->mailbox == 0 || (len = w->msg.facts_len) == 0)
			continue;
		w->msg.facts_off = off;
		w->msg.facts_segment = tr->segment;
		facts_entry(st, w->entry, &w->msg, w->it->facts, len);
		iovs[niov++] = (struct iovec){ w->entry, FACTS_ENTRY };
		iovs[niov++] = (struct iovec){ (void *)(uintptr_t)w->it->facts,
		    len };
		if (PAD8(len) != len)
			iovs[niov++] = (struct iovec){
			    (void *)(uintptr_t)zeros, PAD8(len) - len };
		off += FACTS_ROOM(len);
	}
	if (niov == 0)
		return STORE_OK;
	if (facts_write(st, tr->segment, tr->facts_end, iovs, niov) ==
	    STORE_NEWER)
		return STORE_NEWER;
	tr->facts_end = off;
	return STORE_OK;
}

/* INBOX is the first thing of every account, so its state is not needed. */
static uint32_t
uidvalidity(const struct store *st, uint32_t mailbox)
{
	return st->state == NULL && mailbox == INBOX_ID ?
	    (uint32_t)st->head.created :
	    mailbox_byid(st->state, mailbox)->uidvalidity;
}

static void
write_records(struct store *st, size_t n, const struct segwrite *sw,
    struct trailer *tr)
{
	struct msgrec msg = { .kw.n = 0 };
	struct work *w;
	size_t i;

	tr->inbox_uidnext = st->tr.inbox_uidnext;
	if (sw->number != 0)
		(void)segment_record(&st->g, sw, SEGMENT_SHARED);
	for (i = 0; i < n; i++) {
		w = &works[i];
		if (w->own.number != 0 && w->mailbox != 0) {
			(void)segment_record(&st->g, &w->own, SEGMENT_OWN);
			if (w->own.next > tr->segment_next)
				tr->segment_next = w->own.next;
		}
		if (w->mailbox == 0)
			continue;
		msg.mailbox = w->mailbox;
		msg.m = w->msg;
		msg.id = w->it->id;
		(void)msgrec_encode(&st->g, &msg);
		w->it->uid = w->msg.uid;
		w->it->uidvalidity = uidvalidity(st, w->mailbox);
		w->it->inbox = w->mailbox == INBOX_ID;
		if (w->mailbox == INBOX_ID)
			tr->inbox_uidnext = w->msg.uid + 1;
		tr->messages++;
		tr->bytes += w->msg.size;
	}
}

/* ---- the batch --------------------------------------------------- */

/* The next UID of a mailbox, after those this batch gave out already. */
static uint32_t
next_uid(struct store *st, uint32_t mailbox, size_t i, struct trailer *tr)
{
	if (mailbox == INBOX_ID)
		return tr->inbox_uidnext++;
	while (i-- > 0)
		if (works[i].mailbox == mailbox)
			return works[i].msg.uid + 1;
	return mailbox_byid(st->state, mailbox)->uidnext;
}

/* Where an item goes: a mailbox id; INBOX if the one it names is gone. */
static enum store_result
target(struct store *st, const struct store_item *it, uint32_t *id)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;
	enum store_result r;

	*id = INBOX_ID;
	if (it->mailbox == NULL || name_canon(it->mailbox, name) == -1 ||
	    strcmp(name, "INBOX") == 0)
		return STORE_OK;
	if ((r = store_need_state(st, false)) != STORE_OK)
		return r;
	m = mailbox_byname(st->state, name);
	if (m != NULL && (m->attr & STORE_MB_NOSELECT) == 0)
		*id = m->id;
	return STORE_OK;
}

static unsigned int
percent_used(const struct store *st, const struct trailer *tr)
{
	unsigned int used = percent_of(tr->bytes, st->max_bytes);
	unsigned int messages = percent_of(tr->messages, st->max_messages);

	return messages > used ? messages : used;
}

/*
 * Is the owner to be told how full it is with what is in tr now?  Before that
 * it may have fallen so far that what he was told is forgotten; that a little
 * is deleted and comes again is no news.  Returns the percentage to tell, 0
 * none.
 */
static uint8_t
warn_note(const struct store *st, struct trailer *tr)
{
	unsigned int before = percent_used(st, &st->tr);
	unsigned int after = percent_used(st, tr);
	uint8_t level = 0, kept = 0;
	size_t i;

	for (i = 0; i < STORE_WARN_MAX; i++) {
		if (before + STORE_WARN_SLACK > st->warn[i] &&
		    st->warn[i] > kept)
			kept = st->warn[i];
		if (after >= st->warn[i] && st->warn[i] > level)
			level = st->warn[i];
	}
	if (kept < tr->warned)
		tr->warned = kept;
	if (level <= tr->warned)
		return 0;
	tr->warned = level;
	return level;
}

/* Under the lock: which items are delivered, where, under what UID. */
static enum store_result
decide(struct store *st, size_t n, struct trailer *tr)
{
	uint64_t bytes = 0, messages = 0;
	enum store_result r;
	struct work *w;
	size_t i;

	for (i = 0; i < n; i++) {
		w = &works[i];
		w->mailbox = 0;
		if (w->it->result != STORE_OK)
			continue;
		if (w->it->maybe_done) {
			if ((r = store_need_state(st, false)) != STORE_OK)
				return r;
			if (idset_has(&st->state->ids, w->it->id)) {
				w->it->result = STORE_DUPLICATE;
				continue;
			}
		}
		if (!store_room(st, bytes + w->msg.size, messages + 1)) {
			w->it->result = STORE_OVERQUOTA;
			continue;
		}
		if ((r = target(st, w->it, &w->mailbox)) != STORE_OK)
			return r;
		w->msg.uid = next_uid(st, w->mailbox, i, tr);
		if (w->msg.uid == UINT32_MAX)
			return STORE_LIMIT;
		bytes += w->msg.size;
		messages++;
	}
	return STORE_OK;
}

static void
own_rollback(struct store *st, size_t n, bool all)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (works[i].own.number != 0 && (all || works[i].mailbox == 0))
			segment_rollback(st, &works[i].own);
}

static enum store_result
write_bytes(struct store *st, size_t n, struct segwrite *sw)
{
	enum store_result r = STORE_OK;
	size_t i, used;

	for (i = 0; i < n && r == STORE_OK; i += used)
		r = small_run(st, works + i, n - i, sw, &used);
	return r;
}

/* Locked to unlocked: the shared part of a batch.  *logged: the log has it,
 * whatever else went wrong. */
static enum store_result
deliver_locked(struct store *st, size_t n, bool *logged)
{
	struct segwrite sw = { 0 };
	struct trailer tr;
	enum store_result r;
	uint8_t warned = 0;

	tr = st->tr;
	if ((r = decide(st, n, &tr)) == STORE_OK)
		r = write_bytes(st, n, &sw);
	if (r == STORE_OK && sw.number != 0)
		segment_done(st, &sw, &tr);
	if (r == STORE_OK)
		r = write_facts(st, n, &sw, &tr);
	if (r == STORE_OK) {
		write_records(st, n, &sw, &tr);
		warned = warn_note(st, &tr);
		r = store_group(st, &tr);
	}
	if (r == STORE_OK)
		st->warned = warned;
	*logged = !st->b.locked;
	if (!*logged) {
		segment_rollback(st, &sw);
		store_abort(st);
	}
	return r;
}

static void
set_results(struct store_item *items, size_t n, enum store_result r)
{
	size_t i;

	for (i = 0; i < n; i++)
		items[i].result = r;
}

/* The large ones are written before the lock is taken: not for nothing, if
 * it is clear already that it will not be had. */
static enum store_result
write_large(struct store *st, size_t n)
{
	enum store_result r;
	size_t i;
	bool first = true;

	for (i = 0; i < n; i++) {
		if (works[i].it->result != STORE_OK || !is_large(&works[i]))
			continue;
		if (first) {
			if ((r = store_begin(st)) != STORE_OK)
				return r;
			store_abort(st);
		}
		first = false;
		works[i].it->result = large_write(st, &works[i]);
	}
	return STORE_OK;
}

enum store_result
store_deliver(struct store *st, struct store_item *items, size_t n)
{
	enum store_result r = STORE_OK;
	bool logged = false;
	size_t i;

	if (n > STORE_BATCH_MAX) {
		set_results(items, n, STORE_LIMIT);
		return STORE_LIMIT;
	}
	st->warned = 0;
	if (st->tr.seq == 0)
		(void)store_refresh(st);
	for (i = 0; i < n; i++) {
		works[i].it = &items[i];
		works[i].own.number = 0;
		items[i].uid = 0;
		items[i].result = item_check(&items[i], &works[i]);
	}
	if ((r = write_large(st, n)) == STORE_OK &&
	    (r = store_begin(st)) == STORE_OK)
		r = deliver_locked(st, n, &logged);
	own_rollback(st, n, !logged);
	if (r != STORE_OK)
		set_results(items, n, r);
	return r;
}

/* ---- delivery ids ------------------------------------------------ */

enum store_result
store_forget(struct store *st, const uint8_t (*ids)[STORE_ID_LEN], size_t n)
{
	enum store_result r;
	size_t k;

	while (n > 0) {
		if (st->forget == NULL && (st->forget = calloc(FORGET_MAX,
		    STORE_ID_LEN)) == NULL)
			return STORE_NOMEM;
		k = FORGET_MAX - st->nforget;
		if (k > n)
			k = n;
		memcpy(st->forget + st->nforget, ids, k * STORE_ID_LEN);
		st->nforget += k;
		ids += k;
		n -= k;
		if (st->nforget == FORGET_MAX &&
		    (r = store_flush(st)) != STORE_OK)
			return r;
	}
	return STORE_OK;
}

enum store_result
store_flush(struct store *st)
{
	struct trailer tr;
	enum store_result r;

	if (st->nforget == 0)
		return STORE_OK;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	tr = st->tr;
	return store_finish(st, &tr);
}
