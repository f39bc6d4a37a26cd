/*
 * Stragglers: when a few messages keep a mostly finished segment, they are
 * copied into the current one through the same group commit as new ones, and
 * the segment can go.
 *
 * A copy keeps commit id and delivery ids, and carries the recipients' state
 * in its envelope.  It counts from the moment it is synced; a start that
 * finds both takes the copy (recover.c).  While it waits for the sync
 * the message is touched by nothing (m->copying).
 */
#include "base/compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define SEGMENTS_MIN	8		/* fewer are not worth it */
#define LIVE_MAX	(SEG_SIZE / 8)	/* octets worth copying out of one */
#define TURN_COPIES	64		/* a second */

static struct segment *candidate(void);
static bool	 copy_message(struct message *);
static void	 on_commit(void *, enum queue_result, struct message *);

void
compact_look(void)
{
	struct segment *s = candidate();
	unsigned int n = 0;
	uint32_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nslot && n < TURN_COPIES; i++)
		if (s->slot[i].m != NULL && copy_message(s->slot[i].m))
			n++;
}

static struct segment *
candidate(void)
{
	struct segment *s, *best = NULL;
	unsigned int n = 0;

	TAILQ_FOREACH(s, spool_segments(), entry) {
		if (s->state != SEG_FULL || s->nnewer > 0 || s->keep)
			continue;
		n++;
		if (s->live > 0 && s->live_bytes < LIVE_MAX &&
		    (best == NULL || s->live_bytes < best->live_bytes))
			best = s;
	}
	return n < SEGMENTS_MIN ? NULL : best;
}

/* Nothing of it is on its way anywhere. */
static bool
is_idle(const struct message *m)
{
	unsigned int i;

	if (m->copying || m->checking || m->njobs > 0)
		return false;
	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state != RCPT_WAIT &&
		    m->rcpt[i].state != RCPT_HELD &&
		    m->rcpt[i].state != RCPT_DONE)
			return false;
	return true;
}

static bool
copy_message(struct message *m)
{
	struct env_rcpt *r;
	struct commit c = { .fd = -1, .fn = on_commit, .arg = m,
	    .size = m->hdr.size, .facts = m->hdr.facts_len,
	    .large = m->hdr.large, .large_crc = m->hdr.body_crc };
	struct envelope e;
	uint8_t *env;
	size_t off = 0, i;

	if (!is_idle(m) || segment_recent(m->seg, m->off) != NULL)
		return false;
	if (c.large == 0 && (message_fd(m) == -1 || (c.fd =
	    fcntl(m->fd, F_DUPFD_CLOEXEC, 0)) == -1))
		return false;
	message_release(m);
	/* Its own copy: commit_add may run the group before, and others read
	 * their messages then. */
	if ((env = message_envelope_copy(m, &e)) == NULL) {
		if (c.fd != -1)
			close(c.fd);
		return false;
	}
	r = xcalloc(m->nrcpt, sizeof(*r));
	for (i = 0; i < m->nrcpt && env_rcpt_get(&e, &off, &r[i]) == 1; i++) {
		r[i].state = m->rcpt[i].state;
		r[i].attempts = m->rcpt[i].attempts;
		r[i].next = (uint32_t)clock_to_wall(m->rcpt[i].next);
	}
	e.copy = 1;
	e.warned = m->warned;
	c.env = e;
	c.rcpt = r;
	c.nrcpt = m->nrcpt;
	m->copying = 1;
	schedule_forget(m);
	commit_add(&c);
	free(r);
	free(env);
	return true;
}

/* The copy takes over, or everything stays as it was. */
static void
on_commit(void *arg, enum queue_result result, struct message *copy)
{
	struct message *m = arg;
	struct segment *s = m->seg;
	unsigned int i;

	m->copying = 0;
	if (result != QUEUE_OK) {
		schedule_message(m);
		return;
	}
	for (i = 0; i < m->nrcpt; i++) {
		copy->rcpt[i].error = m->rcpt[i].error;
		copy->rcpt[i].maybe = m->rcpt[i].maybe;
		copy->rcpt[i].tried = m->rcpt[i].tried;
		m->rcpt[i].error = 0;
		if (copy->rcpt[i].error != 0 &&
		    copy->rcpt[i].state == RCPT_WAIT)
			qlog_add(&(struct log_rec){ .type = LOG_DEFER,
			    .seg = copy->seg->id, .no = copy->no,
			    .rcpt = (uint16_t)i,
			    .attempts = copy->rcpt[i].attempts,
			    .next = (uint32_t)clock_to_wall(
			    copy->rcpt[i].next),
			    .text_id = copy->rcpt[i].error });
	}
	copy->checked = m->checked;
	account_leave(m);
	account_enter(copy);
	qlog_add(&(struct log_rec){ .type = LOG_RANGE, .seg = s->id,
	    .no = m->no, .next = 1 });
	s->done_gen = qlog_gen();
	s->slot[m->no].m = NULL;
	s->live--;
	s->live_bytes -= frame_len(&m->hdr);
	message_free(m);
}
