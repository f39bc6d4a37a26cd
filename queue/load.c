/*
 * What a segment holds, into memory: its frames, then what queue.log says of
 * them.  queue only; recover.c says when.
 *
 * A frame that this release cannot read whole, or about which the log says
 * what it does not know, was left by a newer release.  It is not tried, not
 * damage, and keeps its segment (struct newer); its records are carried over
 * from log to log.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/cap.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define GAP_MAX		(SEG_SIZE / FRAME_ALIGN)

static void	 load_frame(struct segment *, const uint8_t *, uint32_t,
		    const struct frame_hdr *, bool);
static bool	 is_superseded(const struct segment *, const struct envelope *,
		    bool late);
static void	 newer_add(struct segment *, uint32_t, enum newer_what,
		    unsigned int, const struct frame_hdr *);
static void	 apply_rcpt(struct message *, struct rcpt *,
		    const struct log_rec *);

/* ---- frames ----------------------------------------------------------- */

int
load_segment(struct segment *s, uint8_t *buf, bool late)
{
	struct frame_hdr h;
	size_t off = SEG_START, to, n;
	ssize_t r;

	/* The one before may have ended between a write and its sync, and
	 * smtpd is told that what is found here is safe.  Where that cannot
	 * be, the disk is asked what it has. */
	if (segment_settle(s) == -1)
		log_warn("spool segment=%llx cannot be synced",
		    (unsigned long long)s->seq);
	if ((r = segment_image(s, buf)) == -1)
		return -1;
	n = (size_t)r;
	for (;;) {
		switch (frame_scan(buf, n, s->nonce, &off, &to, &h)) {
		case SCAN_FRAME:
			load_frame(s, buf + off, (uint32_t)off, &h, late);
			off += frame_len(&h);
			break;
		case SCAN_DAMAGE:
			quarantine_keep(s, buf + off, to - off, off,
			    "frame damaged");
			off = to;
			break;
		case SCAN_TORN:
			log_warnx("spool torn tail cut segment=%llx "
			    "offset=%zu", (unsigned long long)s->seq, off);
			/* FALLTHROUGH */
		case SCAN_END:
			s->off = SEG_SIZE;
			return 0;
		}
	}
}

static void
load_frame(struct segment *s, const uint8_t *p, uint32_t off,
    const struct frame_hdr *h, bool late)
{
	const uint8_t *env = p + FRAME_HDR;
	struct envelope e;
	struct message *m;
	int k = env_get(env, h->env_len, &e);

	if (h->no < s->nslot || h->no - s->nslot > GAP_MAX || k == -1) {
		quarantine_keep(s, p, frame_len(h), off, "envelope damaged");
		return;
	}
	while (s->nslot < h->no)
		segment_slot(s, NULL);
	if (h->flags & ~FRAME_LARGE || k == ENV_NEWER) {
		segment_slot(s, NULL);
		newer_add(s, h->no, k == ENV_NEWER ? NEWER_ENVELOPE :
		    NEWER_FRAME, k == ENV_NEWER ? env[0] : h->flags, h);
		return;
	}
	if (is_superseded(s, &e, late)) {
		ids_add(s, segment_slot(s, NULL), &e.commit);
		qlog_add(&(struct log_rec){ .type = LOG_RANGE, .seg = s->id,
		    .no = h->no, .next = 1 });
		return;
	}
	m = message_new(&e, h);
	m->seg = s;
	m->off = off;
	if (e.ticket.n > 0 && (uint8_t)e.ticket.p[0] > TICKET_VERSION) {
		m->newer = NEWER_TICKET + 1;
		m->newer_version = (uint8_t)e.ticket.p[0];
	}
	ids_add(s, segment_slot(s, m), &e.commit);
	s->live++;
	s->live_bytes += frame_len(h);
}

/*
 * Is another frame the message, by its commit id?  At the start segments come
 * in order, and a copy takes the place of the one before it.  A segment that
 * could be read only later finds what others did meanwhile: a copy of it that
 * is there, or the same message, committed again by an smtpd that was told it
 * is not known.
 */
static bool
is_superseded(const struct segment *s, const struct envelope *e, bool late)
{
	struct ids_place at;
	struct message *old;

	if (!ids_find(&e->commit, &at))
		return false;
	old = at.seg == NULL ? NULL : at.seg->slot[at.no].m;
	if (late)
		return at.seq > s->seq || old != NULL || !e->copy;
	if (e->copy && old != NULL) {
		at.seg->live--;
		at.seg->live_bytes -= frame_len(&old->hdr);
		at.seg->slot[at.no].m = NULL;
		message_free(old);
	}
	return false;
}

void
load_drop(struct segment *s)
{
	uint32_t no;

	for (no = 0; no < s->nslot; no++)
		if (s->slot[no].m != NULL)
			message_free(s->slot[no].m);
	segment_spare(s);
}

/* ---- of a newer release ----------------------------------------------- */

/* Counts as live, so that the segment stays. */
static void
newer_add(struct segment *s, uint32_t no, enum newer_what what,
    unsigned int version, const struct frame_hdr *h)
{
	uint32_t i = s->nnewer;

	if (s->nnewer == s->capnewer) {
		s->capnewer = s->capnewer == 0 ? 16 : s->capnewer * 2;
		s->newer = xreallocarray(s->newer, s->capnewer,
		    sizeof(*s->newer));
	}
	for (; i > 0 && s->newer[i - 1].no > no; i--)
		s->newer[i] = s->newer[i - 1];
	s->newer[i] = (struct newer){ .no = no, .what = what,
	    .version = version, .size = h->size };
	s->nnewer++;
	s->live++;
	s->live_bytes += frame_len(h);
	if (h->flags & FRAME_LARGE)
		large_named(h->large);
}

static int
cmp_newer(const void *key, const void *p)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct newer *)p)->no;

	return a < b ? -1 : a > b;
}

bool
segment_is_newer(const struct segment *s, uint32_t no)
{
	return s->nnewer > 0 && bsearch(&no, s->newer, s->nnewer,
	    sizeof(*s->newer), cmp_newer) != NULL;
}

/* ---- the log ---------------------------------------------------------- */

/* A type that is not known: what it says of the frame is not known either,
 * but where the newer release allowed to pass over it. */
static void
apply_unknown(struct segment *s, const struct log_rec *rec)
{
	struct message *m;

	if (rec->flags & LOG_MAY_PASS)
		return;
	s->keep = true;
	if (rec->no >= s->nslot || (m = s->slot[rec->no].m) == NULL)
		return;
	m->newer = NEWER_RECORD + 1;
	m->newer_version = (uint8_t)rec->type;
}

void
load_apply(struct segment *s, const struct log_rec *rec)
{
	uint32_t no, n = rec->type == LOG_RANGE ? rec->next : 1, i;
	struct message *m;

	if (rec->type >= LOG_TYPE_MAX) {
		apply_unknown(s, rec);
		return;
	}
	if (rec->type == LOG_RETIRED) {
		load_drop(s);
		ids_retire(s);
		return;
	}
	for (no = rec->no; no < s->nslot && no - rec->no < n; no++) {
		if ((m = s->slot[no].m) == NULL)
			continue;
		if (rec->type == LOG_WARNED)
			m->warned = 1;
		else if (rec->type == LOG_RANGE || rec->rcpt == LOG_ALL)
			for (i = 0; i < m->nrcpt; i++)
				apply_rcpt(m, &m->rcpt[i], rec);
		else if (rec->rcpt < m->nrcpt)
			apply_rcpt(m, &m->rcpt[rec->rcpt], rec);
	}
}

static void
apply_rcpt(struct message *m, struct rcpt *r, const struct log_rec *rec)
{
	char text[LOG_TEXT_MAX + 1];

	if (r->state == RCPT_DONE)
		return;
	if (rec->text.n > 0 && slice_cpy(rec->text, text, sizeof(text)) == 0)
		rcpt_error_set(r, text);
	switch ((enum log_type)rec->type) {
	case LOG_DONE:
	case LOG_RANGE:
		rcpt_done(m, r);
		break;
	case LOG_DEFERRED:
	case LOG_DEFER:
		r->next = (uint32_t)clock_due(rec->next);
		r->attempts = rec->attempts;
		break;
	case LOG_HELD:
		r->state = RCPT_HELD;
		break;
	case LOG_RELEASED:
		r->state = RCPT_WAIT;
		r->next = 0;
		break;
	case LOG_WARNED:
	case LOG_RETIRED:
	case LOG_TEXT:
	case LOG_TYPE_MAX:
		break;
	}
}

/* ---- all of it is known ----------------------------------------------- */

/* Ids of what was done are told to deliver once more: it may have missed
 * them, and nothing will ask for them. */
static void
forget(struct message *m)
{
	struct msg_id id;
	uint32_t i;

	for (i = 0; i < m->nrcpt; i++) {
		if (m->rcpt[i].type != ROUTE_LOCAL)
			continue;
		m->rcpt[i].maybe = 1;
		rcpt_delivery_id(m, i, &id);
		if (m->rcpt[i].state == RCPT_DONE)
			forget_add(&id, m->rcpt[i].account);
	}
}

/* Only what waits stays in memory. */
void
load_finish(struct segment *s)
{
	struct message *m;
	uint32_t no;

	for (no = 0; no < s->nslot; no++) {
		if ((m = s->slot[no].m) == NULL)
			continue;
		forget(m);
		if (m->nlive > 0 && m->newer == 0) {
			if (m->hdr.flags & FRAME_LARGE)
				large_named(m->hdr.large);
			continue;
		}
		s->live--;
		s->live_bytes -= frame_len(&m->hdr);
		s->slot[no].m = NULL;
		if (m->nlive > 0)
			newer_add(s, no, (enum newer_what)(m->newer - 1),
			    m->newer_version, &m->hdr);
		message_free(m);
	}
}

/* The segment is not retired sooner than after a commit of now: smtpd may be
 * about to ask what was in it. */
unsigned int
load_begin(struct segment *s)
{
	unsigned int n = 0;
	uint32_t no;

	s->last = now_ms() / 1000;
	for (no = 0; no < s->nslot; no++)
		if (s->slot[no].m != NULL) {
			account_enter(s->slot[no].m);
			schedule_message(s->slot[no].m);
			n++;
		}
	return n;
}
