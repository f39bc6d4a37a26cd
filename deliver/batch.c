/*
 * A batch: messages from queue, taken over as they come, written account by
 * account, made durable by one sync, answered after it.
 *
 * When nothing went on for a while a message is delivered in the turn it
 * came; in a stream of mail the next batch begins queue.batch-delay after
 * the last one began, and takes what came until then.  Everything of a batch
 * lies in one arena that is used again, for a page touched the first time
 * costs more than the message in it.
 */
#include "base/compat.h"

#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "store/store.h"
#include "deliver/deliver.h"

#define BATCH_MESSAGES	256
#define BATCH_TARGETS	2048
#define ARENA		(16U << 20)
#define BY_FD		(1U << 20)	/* larger messages stay in their file */
#define SYNC_FILES	2		/* accounts synced file by file */
#define ONE_MAX		(32 * 1024)	/* octets of one's names and traces */
#define WAIT_MESSAGES	64		/* that wait for an account */
#define WAIT_TARGETS	(BATCH_TARGETS / 2)
#define WAIT_OCTETS	(ARENA / 2)
#define WAIT_MS		2000		/* so long at most */
#define PAUSE_FIRST	1		/* ms between two tries, doubled */
#define PAUSE_MOST	50

static struct {
	int		 dirfd;
	struct event	*ev;
	uint64_t	 planned;	/* now_ms() of the next batch, or 0 */
	uint64_t	 began;		/* and of the last one */
	unsigned int	 pause;		/* ms until the next try of who waits */
	uint8_t		*arena;
	size_t		 used;
	char		 body[BODY_MAX];	/* of the next message */
	size_t		 nbody;		/* 0: none came */
	struct delivery	 d[BATCH_MESSAGES];
	struct target	 t[BATCH_TARGETS];
	uint32_t	 nd, nt;
} b;

static void	 delivery_add(struct chan *, struct msg *);
static void	 plan(uint64_t);
static void	 on_event(evutil_socket_t, short, void *);
static int	 body_take(struct delivery *, const struct deliver_msg *, int);
static int	 body_read(struct delivery *, const struct deliver_msg *, int);
static int	 targets_read(struct delivery *, struct slice);
static void	*take(size_t);
static struct slice line(const char *, struct slice, const char *);
static char	*string(struct slice);
static int	 cmp_target(const void *, const void *);
static struct account *deliver_account(struct target **, size_t);
static void	 sync_batch(struct target **, uint32_t, struct account **,
		    size_t);
static void	 told(const struct target *);
static bool	 waits(struct delivery *, uint64_t);
static void	 keep(struct delivery *, struct delivery *, uint32_t, size_t);
static void	 batch_end(void);

void
batch_init(struct event_base *base, int dirfd)
{
	b.dirfd = dirfd;
	b.arena = xcalloc(1, ARENA);
	if ((b.ev = event_new(base, -1, 0, on_event, NULL)) == NULL)
		fatalx("event_new");
}

/* ---- collecting ------------------------------------------------------- */

void
batch_add(struct chan *c, struct msg *m)
{
	delivery_add(c, m);
	b.nbody = 0;
}

static void
delivery_add(struct chan *c, struct msg *m)
{
	const struct deliver_msg *q = &m->body->deliver_msg;
	struct delivery *d;
	size_t need = ONE_MAX + q->facts + q->targets.n * 2 +
	    (q->size > BY_FD ? 0 : (size_t)q->size), used;

	if (q->facts > STORE_FACTS_MAX || q->size > STORE_MESSAGE_MAX) {
		answer_refuse(c, m->id, q);
		return;
	}
	if (b.nd == BATCH_MESSAGES || need > ARENA - b.used ||
	    b.nt + q->targets.n / 24 > BATCH_TARGETS)
		batch_run();
	used = b.used;
	d = &b.d[b.nd];
	*d = (struct delivery){ .chan = c, .ask = m->id, .fd = -1,
	    .size = q->size, .received = q->received,
	    .maybe = q->maybe_done != 0, .first = b.nt, .at = used };
	d->sid = string(q->sid);
	d->folder = q->folder.n > 0 ? string(q->folder) : NULL;
	d->path = line("Return-Path: <", q->sender, ">\r\n");
	d->trace = line("", q->trace, "");
	if (targets_read(d, q->targets) == -1 ||
	    body_take(d, q, m->fd[0]) == -1) {
		log_warnx("%s unread why=\"%s\"", d->sid, strerror(errno));
		b.nt = d->first;
		b.used = used;
		answer_refuse(c, m->id, q);
		return;
	}
	if (d->fd != -1)
		m->fd[0] = -1;
	d->len = b.used - used;
	b.nd++;
	plan(b.began + proc_conf()->queue.batch_delay);
}

void
batch_gone(struct chan *c)
{
	uint32_t i;

	for (i = 0; i < b.nd; i++)
		if (b.d[i].chan == c)
			b.d[i].chan = NULL;
	b.nbody = 0;
}

/* A batch at that time, or earlier if there is one planned. */
static void
plan(uint64_t at)
{
	struct timeval tv = { 0, 0 };
	uint64_t now = now_ms();

	if (b.planned != 0 && b.planned <= at)
		return;
	b.planned = at;
	if (at <= now) {
		event_active(b.ev, 0, 0);
		return;
	}
	tv.tv_sec = (time_t)((at - now) / 1000);
	tv.tv_usec = (suseconds_t)((at - now) % 1000 * 1000);
	event_add(b.ev, &tv);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	batch_run();
}

void
batch_body(const struct deliver_body_ev *e)
{
	memcpy(b.body, e->body.p, e->body.n);
	b.nbody = e->body.n;
}

/* What the descriptor has, or without one what came just before. */
static int
body_take(struct delivery *d, const struct deliver_msg *q, int fd)
{
	size_t n = b.nbody;
	char *p;

	if (fd != -1)
		return body_read(d, q, fd);
	if (n == 0 || q->size > n || n - q->size != q->facts)
		return -1;
	p = take(n);
	memcpy(p, b.body, n);
	d->body = slice_of(p, (size_t)q->size);
	d->facts = slice_of(p + q->size, q->facts);
	return 0;
}

/* Message and facts with one read; a large message stays where it is. */
static int
body_read(struct delivery *d, const struct deliver_msg *q, int fd)
{
	size_t n = (q->size > BY_FD ? 0 : (size_t)q->size) + q->facts;
	uint64_t off = q->offset + (q->size > BY_FD ? q->size : 0);
	char *p = take(n);

	if (off > INT64_MAX || (n > 0 && pread_all(fd, p, n, (off_t)off) == -1))
		return -1;
	if (q->size > BY_FD) {
		d->fd = fd;
		d->facts = slice_of(p, q->facts);
	} else {
		d->body = slice_of(p, (size_t)q->size);
		d->facts = slice_of(p + q->size, q->facts);
	}
	return 0;
}

static int
targets_read(struct delivery *d, struct slice list)
{
	struct item_target it;
	struct target *t;
	size_t off = 0;
	int r;

	while ((r = item_target_get(list, &off, &it)) == 1) {
		if (b.nt == BATCH_TARGETS)
			return -1;
		t = &b.t[b.nt++];
		*t = (struct target){ .d = d, .index = it.index,
		    .account = it.account, .id = it.id,
		    .quota = { it.octets, it.messages } };
		t->to = line("Delivered-To: ", it.address, "\r\n");
		d->n++;
	}
	return r;
}

/* batch_add has seen to it that there is room. */
static void *
take(size_t n)
{
	void *p = b.arena + b.used;

	b.used += n;
	if (b.used > ARENA)
		fatalx("arena");
	return p;
}

/* A header line; what must not stand in one becomes '?'.  With no name it
 * is whole lines already. */
static struct slice
line(const char *name, struct slice value, const char *end)
{
	size_t n = strlen(name), e = strlen(end), i;
	char *p = take(n + value.n + e);

	memcpy(p, name, n);
	if (value.n > 0)
		memcpy(p + n, value.p, value.n);
	for (i = 0; n > 0 && i < value.n; i++)
		if ((unsigned char)p[n + i] < 32 || p[n + i] == 127)
			p[n + i] = '?';
	memcpy(p + n + value.n, end, e);
	return slice_of(p, n + value.n + e);
}

static char *
string(struct slice s)
{
	char *p = take(s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

/* ---- the batch -------------------------------------------------------- */

void
batch_run(void)
{
	static struct target *order[BATCH_TARGETS];
	static struct account *account[BATCH_TARGETS];
	uint32_t i, from, start = 0, nt = 0;
	size_t n = 0, used = 0;

	event_del(b.ev);
	b.planned = 0;
	if (b.nd == 0)
		return;
	b.began = now_ms();
	for (i = 0; i < b.nt; i++)
		if (!b.t[i].done)
			order[nt++] = &b.t[i];
	qsort(order, nt, sizeof(order[0]), cmp_target);
	for (from = 0; from < nt; from = i) {
		/* one more, also of those that are busy, might close one */
		if (used++ == account_max()) {
			sync_batch(order + start, from - start, account, n);
			start = from;
			n = 0;
			used = 1;
		}
		for (i = from + 1; i < nt && i - from < STORE_BATCH_MAX &&
		    order[i]->account == order[from]->account; i++)
			;
		account[n] = deliver_account(order + from, i - from);
		if (account[n] != NULL)
			n++;
	}
	sync_batch(order + start, nt - start, account, n);
	batch_end();
}

/* ---- those that wait --------------------------------------------------- */

/*
 * An account that another process has locked, that is checked after a crash,
 * or whose directory was exchanged under us holds up nobody else: what is for
 * it stays for the next batches, a bounded time, and the others go.
 */
static void
batch_end(void)
{
	struct delivery *d, *to = b.d;
	uint64_t now = now_ms();
	uint32_t i, nd = b.nd, nt = 0;
	size_t used = 0;

	for (i = 0; i < nd; i++) {
		d = &b.d[i];
		if (!waits(d, now) || to - b.d == WAIT_MESSAGES ||
		    d->len > WAIT_OCTETS - used ||
		    d->n > WAIT_TARGETS - nt) {
			answer_send(d, &b.t[d->first]);
			continue;
		}
		keep(to++, d, nt, used);
		nt += to[-1].n;
		used += to[-1].len;
	}
	b.nd = (uint32_t)(to - b.d);
	b.nt = nt;
	b.used = used;
	if (b.nd == 0) {
		b.pause = PAUSE_FIRST;
		return;
	}
	plan(now + b.pause);
	b.pause = b.pause * 2 > PAUSE_MOST ? PAUSE_MOST : b.pause * 2;
}

/* Is there an account worth waiting for?  What was written to a directory
 * that is no longer there may be in the one that is: it is looked up. */
static bool
waits(struct delivery *d, uint64_t now)
{
	struct target *t = &b.t[d->first];
	bool wait = false;
	uint32_t i;

	if (d->until == 0)
		d->until = now + WAIT_MS;
	for (i = 0; i < d->n; i++) {
		t[i].done = t[i].done || t[i].closed ||
		    (t[i].result != STORE_BUSY && t[i].result != STORE_GONE);
		wait = wait || !t[i].done;
		if (!t[i].done && t[i].result == STORE_GONE)
			d->maybe = true;
	}
	return wait && d->chan != NULL && now < d->until;
}

static struct slice
moved(struct slice s, size_t by)
{
	return s.n == 0 ? s : slice_of(s.p - by, s.n);
}

/* Moves d to the front: its part of the arena to used, its targets to nt. */
static void
keep(struct delivery *to, struct delivery *d, uint32_t nt, size_t used)
{
	size_t by = d->at - used;
	uint32_t i;

	memmove(b.arena + used, b.arena + d->at, d->len);
	memmove(&b.t[nt], &b.t[d->first], d->n * sizeof(b.t[0]));
	*to = *d;
	to->at = used;
	to->first = nt;
	to->body = moved(to->body, by);
	to->facts = moved(to->facts, by);
	to->path = moved(to->path, by);
	to->trace = moved(to->trace, by);
	to->sid -= by;
	if (to->folder != NULL)
		to->folder -= by;
	for (i = nt; i < nt + to->n; i++) {
		b.t[i].d = to;
		b.t[i].to = moved(b.t[i].to, by);
	}
}

/* ---- accounts ---------------------------------------------------------- */

/* By account, in the order they came. */
static int
cmp_target(const void *x, const void *y)
{
	const struct target *s = *(struct target *const *)x;
	const struct target *t = *(struct target *const *)y;

	if (s->account != t->account)
		return s->account < t->account ? -1 : 1;
	return s < t ? -1 : s > t;
}

static void
item_fill(struct store_item *it, struct target *t, struct iovec *iov)
{
	struct delivery *d = t->d;

	iov[0] = (struct iovec){ (void *)(uintptr_t)d->path.p, d->path.n };
	iov[1] = (struct iovec){ (void *)(uintptr_t)t->to.p, t->to.n };
	iov[2] = (struct iovec){ (void *)(uintptr_t)d->trace.p, d->trace.n };
	iov[3] = (struct iovec){ (void *)(uintptr_t)d->body.p, d->body.n };
	*it = (struct store_item){ .prefix = iov, .nprefix = 3,
	    .body = iov + 3, .nbody = 1, .fd = d->fd,
	    .len = (size_t)d->size, .facts = d->facts.p,
	    .facts_len = d->facts.n, .date = (int64_t)d->received,
	    .mailbox = d->folder, .maybe_done = d->maybe };
	memcpy(it->id, t->id.b, sizeof(it->id));
#ifdef FAULT_NODEDUP
	it->maybe_done = false;
#endif
}

/* How full it is now; one of the targets that were delivered tells that its
 * owner is to hear of it. */
static void
quota_note(struct account *a, struct target **t, size_t n)
{
	unsigned int percent = account_percent(a);
	unsigned int warn = store_warned(a->store);
	size_t i;

	for (i = 0; i < n; i++) {
		t[i]->percent = percent;
		if (t[i]->result == STORE_OK) {
			t[i]->warn = warn;
			warn = 0;
		}
	}
}

/* One group of one account, which is returned if it has to be synced, or to
 * be dropped. */
static struct account *
deliver_account(struct target **t, size_t n)
{
	static struct store_item item[STORE_BATCH_MAX];
	static struct iovec iov[STORE_BATCH_MAX][4];
	struct account *a = NULL;
	enum store_result r;
	const char *why;
	bool closed;
	size_t i;

	if ((r = account_get(t[0]->account, &a)) == STORE_OK) {
		for (i = 0; i < n; i++)
			item_fill(&item[i], t[i], iov[i]);
		account_quota(a, &t[n - 1]->quota);	/* queue's last word */
		r = store_deliver(a->store, item, n);
	}
	if (r == STORE_BUSY && a != NULL && store_behind(a->store))
		account_settle(a);
	else if (r != STORE_OK && a != NULL && !account_current(a))
		r = STORE_GONE;
	closed = r == STORE_NOTFOUND && account_closed(t[0]->account);
	if (r == STORE_OK)
		trouble_over(t[0]->account);
	else if (r != STORE_BUSY && !closed) {
		why = account_why(a, r);
		log_warnx("%s stuck account=%u messages=%zu why=%s",
		    t[0]->d->sid, t[0]->account, n, log_quote(why,
		    strlen(why)));
		trouble_set(t[0]->account, r, account_why(a, r));
	}
	for (i = 0; i < n; i++) {
		t[i]->result = r == STORE_OK ? item[i].result : r;
		t[i]->own = r == STORE_OK;
		t[i]->closed = closed;
		t[i]->uid = r == STORE_OK ? item[i].uid : 0;
		t[i]->uidvalidity = r == STORE_OK ? item[i].uidvalidity : 0;
		t[i]->inbox = r == STORE_OK && item[i].inbox;
	}
	if (r == STORE_OK) {
		quota_note(a, t, n);
		account_look(a);
	}
	if (a != NULL && r != STORE_OK && r != STORE_BUSY &&
	    r != STORE_NOSPACE && r != STORE_LIMIT)
		a->bad = true;
	return r == STORE_OK || (a != NULL && a->bad) ? a : NULL;
}

/* One account, after syncfs if there was one: OK, or what its targets get.
 * After a failed syncfs nobody knows whose octets are missing, so all of the
 * batch are written again when they are opened next. */
static enum store_result
sync_account(struct account *a, bool all, bool failed)
{
	if (failed) {
		store_sync_failed(a->store);
		return STORE_IO;
	}
	if (all)
		return store_synced(a->store);
#ifdef FAULT_NOSYNC
	return STORE_OK;
#else
	return store_sync(a->store);
#endif
}

/*
 * Make nt targets in n accounts durable and wake the watchers.  An account
 * may stand in the list twice, side by side.  Only what is in the directory
 * by that name now, after the sync, is delivered: an operator may have put
 * another one in its place.
 */
static void
sync_batch(struct target **t, uint32_t nt, struct account **a, size_t n)
{
	bool all = n > SYNC_FILES, failed = false;
	enum store_result r;
	uint32_t j;
	size_t i;

#ifndef FAULT_NOSYNC
	if (all && syncfs(b.dirfd) == -1) {
		log_warn("syncfs");
		failed = true;
	}
#endif
	for (i = 0; i < n; i++) {
		if (i + 1 < n && a[i] == a[i + 1])
			continue;
		r = sync_account(a[i], all, failed);
		if (r == STORE_OK && !account_current(a[i]))
			r = STORE_GONE;
		if (r == STORE_OK)
			store_poke(a[i]->store);
		else
			log_warnx("account=%u not synced: %s", a[i]->number,
			    account_why(a[i], r));
		for (j = 0; r != STORE_OK && j < nt; j++)
			if (t[j]->account == a[i]->number &&
			    (t[j]->result == STORE_OK ||
			    t[j]->result == STORE_DUPLICATE))
				t[j]->result = r;
		if (r != STORE_OK || a[i]->bad)
			account_drop(a[i]);
	}
	for (j = 0; j < nt; j++)
		told(t[j]);
}

/* Which message of which folder it has become. */
static void
told(const struct target *t)
{
	const struct delivery *d = t->d;
	const char *box = t->inbox ? "INBOX" : d->folder;
	struct slice to = slice_trim(t->to);
	size_t n = slice_find(to, ' ') + 1;

	to = slice_of(to.p + n, to.n > n ? to.n - n : 0);
	if (t->result == STORE_DUPLICATE)
		log_info("%s stored account=%u to=<%s> again=yes", d->sid,
		    t->account, log_text(to.p, to.n));
	else if (t->result == STORE_OK)
		log_info("%s stored account=%u box=%s place=%u:%u.%u size=%llu "
		    "to=<%s>", d->sid, t->account, log_quote(box, strlen(box)),
		    t->account, t->uidvalidity, t->uid,
		    (unsigned long long)d->size, log_text(to.p, to.n));
}
