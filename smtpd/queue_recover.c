/*
 * The start: read every segment, then queue.log over it, and go on with what
 * is not done.
 *
 * After a start every local recipient that is not done counts as maybe done:
 * deliver may have had it when queue ended.
 */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "log.h"
#include "util.h"
#include "queue.h"

#define GAP_MAX		(SEG_SIZE / FRAME_ALIGN)

static struct {
	uint64_t	*large;		/* files that frames name, sorted */
	size_t		 nlarge, caplarge;
	unsigned int	 messages;
	unsigned int	 unknown;	/* records of another release */
} rc;

static void	 load_segment(struct segment *, uint8_t *);
static void	 load_frame(struct segment *, const uint8_t *, uint32_t,
		    const struct frame_hdr *);
static void	 apply(const struct log_rec *);
static void	 begin_segment(struct segment *);
static void	 note_large(uint64_t);
static bool	 is_named(uint64_t);
static int	 cmp_u64(const void *, const void *);

void
recover_run(void)
{
	struct segment *s;
	uint8_t *buf;

	if (spool_load() == -1)
		fatal("spool cannot be read");
	buf = xcalloc(1, SEG_SIZE);
	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL)
			load_segment(s, buf);
	free(buf);
	if (qlog_read(spool_dir(), apply) == -1)
		fatal("queue.log cannot be read");
	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL)
			begin_segment(s);
	if (rc.nlarge > 0)
		qsort(rc.large, rc.nlarge, sizeof(*rc.large), cmp_u64);
	large_sweep(is_named);
	free(rc.large);
	rc.large = NULL;
	if (qlog_continue(spool_dir()) == -1 && errno != ENOENT)
		fatal("queue.log cannot be written");
	if (rewrite_now() == -1) {
		log_warn("queue.log cannot be written anew");
		if (qlog_file() == -1)
			fatal("queue.log cannot be written");
	}
	log_info("spool read messages=%u", rc.messages);
}

bool
recover_unknown(void)
{
	return rc.unknown > 0;
}

bool
recover_carries(const struct log_rec *r)
{
	return r->type >= LOG_TYPE_MAX || r->type == LOG_TEXT;
}

/* ---- segments --------------------------------------------------------- */

static void
load_segment(struct segment *s, uint8_t *buf)
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
	r = segment_image(s, buf);
	if (r == -1) {
		log_warn("spool segment=%llx cannot be read",
		    (unsigned long long)s->seq);
		return;
	}
	n = (size_t)r;
	for (;;) {
		switch (frame_scan(buf, n, s->nonce, &off, &to, &h)) {
		case SCAN_FRAME:
			load_frame(s, buf + off, (uint32_t)off, &h);
			off += frame_len(&h);
			break;
		case SCAN_DAMAGE:
			spool_quarantine(s, buf + off, to - off, off,
			    "frame damaged");
			off = to;
			break;
		case SCAN_TORN:
			log_warnx("spool torn tail cut segment=%llx "
			    "offset=%zu", (unsigned long long)s->seq, off);
			/* FALLTHROUGH */
		case SCAN_END:
			s->off = SEG_SIZE;
			return;
		}
	}
}

static void
load_frame(struct segment *s, const uint8_t *p, uint32_t off,
    const struct frame_hdr *h)
{
	struct envelope e;
	struct message *m, *old;
	struct ids_place at;

	if (h->no < s->nslot || h->no - s->nslot > GAP_MAX ||
	    env_get(p + FRAME_HDR, h->env_len, &e) == -1) {
		spool_quarantine(s, p, frame_len(h), off, "envelope damaged");
		return;
	}
	while (s->nslot < h->no)
		segment_slot(s, NULL);
	if (e.copy && ids_find(&e.commit, &at) && at.seg != NULL &&
	    (old = at.seg->slot[at.no].m) != NULL) {
		at.seg->live--;
		at.seg->live_bytes -= frame_len(&old->hdr);
		at.seg->slot[at.no].m = NULL;
		message_free(old);
	}
	m = message_new(&e, h);
	m->seg = s;
	m->off = off;
	ids_add(s, segment_slot(s, m), &e.commit);
	s->live++;
	s->live_bytes += frame_len(h);
}

/* ---- the log ---------------------------------------------------------- */

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
		r->next = rec->next;
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

static void
apply(const struct log_rec *rec)
{
	struct segment *s = segment_find(rec->seg);
	struct message *m;
	uint32_t no, n = rec->type == LOG_RANGE ? rec->next : 1, i;

	if (rec->type >= LOG_TYPE_MAX)
		rc.unknown++;
	if (rec->type >= LOG_TYPE_MAX || rec->type == LOG_TEXT ||
	    s == NULL || s->state != SEG_FULL)
		return;
	if (rec->type == LOG_RETIRED) {
		for (i = 0; i < s->nslot; i++)
			if (s->slot[i].m != NULL)
				message_free(s->slot[i].m);
		ids_retire(s);
		segment_spare(s);
		s->live = 0;
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

/* Ids of what was done are told to deliver once more: it may have missed
 * them, and nothing will ask for them.  The segment is not retired sooner
 * than after a commit of now: smtpd may be about to ask what was in it. */
static void
begin_segment(struct segment *s)
{
	struct message *m;
	struct msg_id id;
	uint32_t no, i;

	s->last = now_ms() / 1000;
	for (no = 0; no < s->nslot; no++) {
		if ((m = s->slot[no].m) == NULL)
			continue;
		for (i = 0; i < m->nrcpt; i++) {
			if (m->rcpt[i].type != ROUTE_LOCAL)
				continue;
			m->rcpt[i].maybe = 1;
			rcpt_delivery_id(m, i, &id);
			if (m->rcpt[i].state == RCPT_DONE)
				local_forget(&id, m->rcpt[i].account);
		}
		if (m->nlive == 0) {
			s->live--;
			s->live_bytes -= frame_len(&m->hdr);
			s->slot[no].m = NULL;
			message_free(m);
			continue;
		}
		rc.messages++;
		account_enter(m);
		if (m->hdr.flags & FRAME_LARGE)
			note_large(m->hdr.large);
		schedule_message(m);
	}
}

/* ---- large files that are named --------------------------------------- */

static void
note_large(uint64_t file)
{
	if (rc.nlarge == rc.caplarge) {
		rc.caplarge = rc.caplarge == 0 ? 256 : rc.caplarge * 2;
		rc.large = xreallocarray(rc.large, rc.caplarge,
		    sizeof(*rc.large));
	}
	rc.large[rc.nlarge++] = file;
}

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool
is_named(uint64_t file)
{
	return rc.nlarge > 0 && bsearch(&file, rc.large, rc.nlarge,
	    sizeof(*rc.large), cmp_u64) != NULL;
}
