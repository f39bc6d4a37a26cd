/*
 * Group commit: everything that waits when a sync ends shares the next one.
 * queue.c adds what smtpd sends, bounce adds reports, control copies; the
 * group is built in one buffer as it will lie on disk, written with one
 * call, synced with one, and only then is anybody told.
 *
 * How long a group stays open adapts: with one client a message is synced in
 * the turn it came.  When messages come side by side the group stays open
 * for some milliseconds while it grows, until it is as large as the one
 * before, because a sync costs more than the wait.  The wait is a sleep, not
 * a timer: libevent's clock ticks every 4 ms, and nothing here is urgent.
 *
 * A write or sync that fails, or takes longer than smtpd waits, ends the
 * segment: its good frames stay, what the group put behind them is refused,
 * and the next group gets a new one.
 */
#include "base/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define GROUP_MAX	256		/* messages of one group */
#define GROUP_LOOKS	4		/* times a group is left open for */
#define GROUP_LOOK_NS	1000000		/* so long */
#define GROUP_IDLE	100		/* ms of silence: begin at once again */
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct pending {
	struct message	*m;		/* NULL: refused */
	struct msg_id	 commit;
	enum queue_result result;
	const char	*why;
	bool		 copy;		/* of a message that is on disk */
	const char	*of;		/* as in its commit */
	struct chan	*chan;
	uint32_t	 ask;
	uint64_t	 conn;
	uint32_t	 outside;	/* recipients, for the guard */
	uint64_t	 sent;		/* as in its commit */
	void		(*fn)(void *, enum queue_result, struct message *);
	void		*arg;
};

static struct {
	const struct commit_ops *ops;
	struct segment	*seg;
	uint8_t		*buf;		/* SEG_SIZE, touched as needed */
	size_t		 n;
	uint32_t	 nframes;
	struct pending	 v[GROUP_MAX];
	size_t		 nv;
	struct event	*ev;
	bool		 planned, running;
	bool		 busy;		/* messages come side by side */
	unsigned int	 looks;		/* at this group so far */
	size_t		 seen;		/* messages at the last look */
	size_t		 last;		/* messages of the last group */
	uint64_t	 ended;		/* now_ms() of the last sync */
} g;

static bool	 may_join(struct commit *);
static size_t	 frame_room(const struct commit *);
static bool	 is_late(uint64_t);
static void	 plan(void);
static void	 on_event(evutil_socket_t, short, void *);
static int	 open_segment(size_t);
static enum queue_result result_errno(void);
static size_t	 frame_make(struct commit *, struct frame_hdr *);
static int	 body_read(struct commit *, uint8_t *);
static struct pending *pend(const struct commit *);
static void	 answer(struct pending *);
static void	 group_failed(enum queue_result, const char *);
static bool	 group_is_late(void);
static int	 group_unwrite(void);
static void	 group_good(void);
static void	 adapt(void);

void
commit_init(struct event_base *base, const struct commit_ops *ops)
{
	g.ops = ops;
	if ((g.ev = event_new(base, -1, 0, on_event, NULL)) == NULL)
		fatalx("event_new");
	g.buf = xcalloc(1, SEG_SIZE);
}

/* Else it has been answered. */
static bool
may_join(struct commit *c)
{
	if (!recover_done())
		commit_refuse(c, QUEUE_IO, "the spool is not read yet");
	else if (is_late(c->sent))
		commit_refuse(c, QUEUE_IO, "it comes too late");
	else if (commit_is_over_limit(c))
		commit_refuse(c, QUEUE_LIMIT, "account's limit");
	else
		return true;
	return false;
}

/* Octets that its frame needs at most. */
static size_t
frame_room(const struct commit *c)
{
	size_t i, room = FRAME_HDR + FRAME_ALIGN + 8192 +
	    (c->large != 0 ? 0 : (size_t)c->size + c->facts);

	for (i = 0; i < c->nrcpt; i++)
		room += 16 + c->rcpt[i].address.n + c->rcpt[i].orig.n;
	return room;
}

void
commit_add(struct commit *c)
{
	struct frame_hdr h = { 0 };
	struct envelope e;
	struct message *m;
	struct pending *p;
	enum queue_result r;
	size_t off, len, room;

	if (g.running)
		fatalx("commit from within a commit");
	if (!may_join(c))
		return;
	room = frame_room(c);
	if (room > SEG_SIZE - SEG_START) {
		commit_refuse(c, QUEUE_FULL, "message too large");
		return;
	}
	if (open_segment(room) == -1) {
		r = result_errno();
		commit_refuse(c, r, r == QUEUE_FULL ? "no space in the queue" :
		    "spool cannot be written");
		return;
	}
	off = g.n;
	if ((len = frame_make(c, &h)) == 0) {
		commit_refuse(c, QUEUE_IO,
		    "message descriptor is not as promised");
		return;
	}
	if (env_get(g.buf + off + FRAME_HDR, h.env_len, &e) != 0) {
		commit_refuse(c, QUEUE_REFUSED, "envelope out of bounds");
		return;
	}
	m = message_new(&e, &h);
	m->seg = g.seg;
	m->off = g.seg->off + (uint32_t)off;
	if (!c->env.copy) {
		m->checked = 1;		/* nothing lies between */
		account_enter(m);
	}
	g.n += len;
	g.nframes++;
	if (c->fd != -1)
		message_keep(m, c->fd);
	c->fd = -1;
	p = pend(c);
	p->m = m;
	plan();
}

static bool
is_late(uint64_t sent)
{
	return sent != 0 && now_ms() > sent + COMMIT_LATE;
}

bool
commit_is_over_limit(const struct commit *c)
{
	uint32_t n = account_waiting(c->env.account);

	if (c->env.account == 0 || c->limit == 0 ||
	    (n < c->limit && c->nrcpt <= c->limit - n))
		return false;
	log_notice("%s limit account=%u waiting=%u rcpts=%zu max=%u",
	    log_text(c->env.sid.p, c->env.sid.n), c->env.account, n,
	    c->nrcpt, c->limit);
	return true;
}

bool
commit_known(const struct msg_id *commit, char id[MSG_ID_TEXT])
{
	struct ids_place p;

	if (!ids_find(commit, &p))
		return false;
	queue_id(p.seq, p.no, id);
	return true;
}

void
commit_on_known(struct chan *c, struct msg *m, void *arg)
{
	struct queue_known_r r = { .id = { "", 0 } };
	char text[MSG_ID_TEXT];

	if (commit_known(&m->body->queue_known.commit, text)) {
		r.known = 1;
		r.id = slice_str(text);
	} else if (!recover_done())
		return;			/* nobody can tell */
	chan_reply(c, m->id, QUEUE_KNOWN_R, &r, NULL, 0);
}

void
commit_gone(struct chan *chan)
{
	size_t i;

	for (i = 0; i < g.nv; i++)
		if (g.v[i].chan == chan)
			g.v[i].chan = NULL;
}

/* ---- the group -------------------------------------------------------- */

void
commit_run(void)
{
	const char *why = NULL;
	enum queue_result r = QUEUE_OK;

	event_del(g.ev);
	g.planned = false;
	if (g.nv == 0 || g.running)
		return;
	g.running = true;
	if (g.n > 0) {
		if (segment_write(g.seg, g.buf, g.n, g.seg->off) == -1)
			why = "write";
		else if (segment_sync(g.seg) == -1)
			why = "sync";
		if (why != NULL)
			r = result_errno();
		else if (group_is_late()) {
			errno = ETIMEDOUT;
			why = "late";
			r = QUEUE_IO;
		}
	}
	if (r == QUEUE_OK)
		group_good();
	else
		group_failed(r, why);
	adapt();
	g.nv = 0;
	g.n = 0;
	g.nframes = 0;
	g.running = false;
	schedule_run();
}

static void
group_good(void)
{
	struct message *m;
	size_t i;

	segment_recent_set(g.seg, g.buf, g.n);
	if (g.seg != NULL) {
		g.seg->off += (uint32_t)g.n;
		g.seg->last = now_ms() / 1000;
	}
	for (i = 0; i < g.nv; i++) {
		if ((m = g.v[i].m) == NULL)
			continue;
		m->no = segment_slot(g.seg, m);
		ids_add(g.seg, m->no, &g.v[i].commit);
		g.seg->live++;
		g.seg->live_bytes += frame_len(&m->hdr);
	}
	for (i = 0; i < g.nv; i++)
		answer(&g.v[i]);
}

static void
group_failed(enum queue_result r, const char *why)
{
	size_t i;

	log_warn("spool failed segment=%llx step=%s messages=%zu",
	    (unsigned long long)g.seg->seq, why, g.nv);
	/* So that a restart does not find what was refused; the file may
	 * be beyond this, then the refused messages come all the same. */
	if (group_unwrite() == -1)
		log_warn("spool roll back segment=%llx",
		    (unsigned long long)g.seg->seq);
	g.seg->state = SEG_FULL;
	g.seg = NULL;
	segment_recent_set(NULL, NULL, 0);
	for (i = 0; i < g.nv; i++) {
		if (g.v[i].m != NULL) {
			if ((g.v[i].m->hdr.flags & FRAME_LARGE) &&
			    !g.v[i].copy)
				settle_unlink(g.v[i].m->hdr.large);
			message_free(g.v[i].m);
			g.v[i].m = NULL;
			g.v[i].result = r;
			g.v[i].why = r == QUEUE_FULL ?
			    "no space in the queue" : "queue file error";
		}
		answer(&g.v[i]);
	}
}

/* The disk took so long that not all of them are waited for any more. */
static bool
group_is_late(void)
{
	size_t i;

	for (i = 0; i < g.nv; i++)
		if (is_late(g.v[i].sent))
			return true;
	return false;
}

/* No header of the group stays: one alone would bring the rest back. */
static int
group_unwrite(void)
{
	static const uint8_t zero[FRAME_HDR];
	size_t i;

	for (i = 0; i < g.nv; i++)
		if (g.v[i].m != NULL && segment_write(g.seg, zero,
		    sizeof(zero), (off_t)g.v[i].m->off) == -1)
			return -1;
	return segment_sync(g.seg);
}

/* Side by side arrivals make the next group wait, a lone client does not. */
static void
adapt(void)
{
	g.busy = g.nv > 1;
	g.last = g.nv;
	g.ended = now_ms();
}

static void
plan(void)
{
	static const struct timeval next_turn = { 0, 0 };

	if (g.nv >= GROUP_MAX) {
		commit_run();
		return;
	}
	if (g.planned)
		return;
	g.planned = true;
	g.looks = 0;
	g.seen = 0;
	if (g.busy && now_ms() - g.ended > GROUP_IDLE)
		g.busy = false;
	event_add(g.ev, &next_turn);
}

/* After everything that was there has been read. */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval next_turn = { 0, 0 };
	static const struct timespec look = { 0, GROUP_LOOK_NS };

	if (g.busy && g.nv < g.last && g.looks < GROUP_LOOKS &&
	    (g.looks == 0 || g.nv > g.seen)) {
		g.looks++;
		g.seen = g.nv;
		nanosleep(&look, NULL);
		event_add(g.ev, &next_turn);
		return;
	}
	commit_run();
}

/* A segment with room for need more octets behind the group so far. */
static int
open_segment(size_t need)
{
	if (g.seg != NULL && g.seg->off + g.n + need > SEG_SIZE) {
		if (g.nv > 0)
			commit_run();
		if (g.seg != NULL && g.seg->off + need > SEG_SIZE) {
			g.seg->state = SEG_FULL;
			g.seg = NULL;
		}
	}
	if (g.seg == NULL)
		g.seg = segment_new();
	if (g.n == 0)
		segment_recent_set(NULL, NULL, 0);
	return g.seg == NULL ? -1 : 0;
}

static enum queue_result
result_errno(void)
{
	return errno == ENOSPC || errno == EDQUOT ? QUEUE_FULL : QUEUE_IO;
}

/* The frame at g.buf + g.n; its length, or 0 when the descriptor is not
 * what its sender said. */
static size_t
frame_make(struct commit *c, struct frame_hdr *h)
{
	static char own[MSG_ID_TEXT + 1];
	uint8_t *p = g.buf + g.n, *env = p + FRAME_HDR;
	char id[MSG_ID_TEXT];
	size_t n = 0, i, len, max = SEG_SIZE - g.n - FRAME_HDR;

	if (!c->env.copy) {
		c->env.origin_seg = g.seg->id;
		c->env.origin_no = g.seg->nslot + g.nframes;
	}
	if (c->env.sid.n == 0) {
		queue_id(g.seg->seq, g.seg->nslot + g.nframes, id);
		snprintf(own, sizeof(own), "q%s", id);
		c->env.sid = slice_str(own);
	}
	c->env.nrcpt = (uint32_t)c->nrcpt;
	if (env_put(env, max, &n, &c->env) == -1)
		return 0;
	for (i = 0; i < c->nrcpt; i++)
		if (env_rcpt_put(env, max, &n, &c->rcpt[i]) == -1)
			return 0;
	h->no = g.seg->nslot + g.nframes;
	h->env_len = (uint32_t)n;
	h->facts_len = c->facts;
	h->size = c->size;
	h->large = c->large;
	h->flags = c->large != 0 ? FRAME_LARGE : 0;
	h->env_crc = crc32c(0, env, n);
	if (c->large == 0) {
		if (body_read(c, env + n) == -1)
			return 0;
		h->body_crc = crc32c(0, env + n, (size_t)c->size + c->facts);
	} else
		h->body_crc = c->large_crc;
	frame_hdr_put(p, h, g.seg->nonce);
	if ((len = frame_len(h)) == 0)
		return 0;
	n += FRAME_HDR + (c->large != 0 ? 0 : (size_t)c->size + c->facts);
	memset(p + n, 0, len - n);
	return len;
}

/* Message and facts; one octet more is asked for, to see that none is. */
static int
body_read(struct commit *c, uint8_t *p)
{
	size_t n = (size_t)c->size + c->facts;
	int seals;

	if (c->fd == -1) {
		memcpy(p, c->body[0].p, c->body[0].n);
		if (c->body[1].n > 0)
			memcpy(p + c->body[0].n, c->body[1].p, c->body[1].n);
		return 0;
	}
	seals = fcntl(c->fd, F_GET_SEALS);
	if (seals == -1 || (seals & SEALS) != SEALS)
		return -1;
	return pread(c->fd, p, n + 1, 0) == (ssize_t)n ? 0 : -1;
}

/* ---- who waits -------------------------------------------------------- */

static struct pending *
pend(const struct commit *c)
{
	struct pending *p = &g.v[g.nv++];

	*p = (struct pending){ .commit = c->env.commit,
	    .copy = c->env.copy != 0, .chan = c->chan, .ask = c->ask,
	    .conn = c->conn, .outside = c->outside, .sent = c->sent,
	    .of = c->of,
	    .fn = c->fn, .arg = c->arg };
	return p;
}

void
commit_refuse(struct commit *c, enum queue_result r, const char *why)
{
	struct pending p = { .result = r, .why = why, .chan = c->chan,
	    .ask = c->ask, .fn = c->fn, .arg = c->arg };

	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	if (c->large != 0 && !c->env.copy)
		settle_unlink(c->large);
	log_warnx("%s not-queued why=\"%s\" sender=<%s>",
	    c->of != NULL ? log_text(c->of, strlen(c->of)) :
	    log_text(c->env.sid.p, c->env.sid.n),
	    why, log_text(c->env.sender.p, c->env.sender.n));
	answer(&p);
}

static void
answer(struct pending *p)
{
	struct queue_commit_r r = { .result = (uint8_t)p->result };
	char id[MSG_ID_TEXT] = "", account[24] = "";

	if (p->m != NULL)
		message_id(p->m, id);
	if (p->m != NULL && p->m->account != 0)
		snprintf(account, sizeof(account), " account=%u",
		    p->m->account);
	if (p->m != NULL && !p->copy) {
		log_info("%s queued id=%s%s%s size=%llu rcpts=%u%s "
		    "sender=<%s>", message_sid(p->m), id,
		    p->of != NULL ? " of=" : "",
		    p->of != NULL ? log_text(p->of, strlen(p->of)) : "",
		    (unsigned long long)p->m->hdr.size, p->m->nlive, account,
		    log_text(message_sender(p->m),
		    strlen(message_sender(p->m))));
	}
	if (p->chan != NULL) {
		r.id = slice_str(id);
		if (p->why != NULL)
			r.text = slice_str(p->why);
		chan_reply(p->chan, p->ask, QUEUE_COMMIT_R, &r, NULL, 0);
	}
	if (p->fn != NULL)
		p->fn(p->arg, p->result, p->m);
	if (p->m != NULL && !p->copy)
		g.ops->taken(p->m, p->conn, p->outside);
	if (p->m != NULL)
		schedule_message(p->m);
}
