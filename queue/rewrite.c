/*
 * A new queue.log from what is true in memory, filled beside the old one a
 * piece at a time, so that no number of waiting messages stops the loop or
 * needs memory.  queue only.
 *
 * First the records that this process cannot make itself are copied out of
 * the old file (recover.c says which), then segment by segment, in
 * order of seq, what became of its frames.  A change that comes meanwhile
 * goes to the new file too if the frame is already in it (rewrite_has), and
 * is found in memory when its turn comes if not.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define TURN_OCTETS	(256 * 1024)	/* read or written in one */
#define AGAIN		10000		/* ms after one that failed */

static struct {
	const struct rewrite_ops *ops;
	struct event	*ev;
	bool		 running, carrying;
	struct log_reader rd;		/* of the old file */
	uint64_t	 seq;		/* frames before this place are */
	uint32_t	 no;		/* in the new file */
	off_t		 carried;	/* octets of the new file so far, */
	off_t		 old;		/* and of the old one */
	uint64_t	 again;		/* now_ms(): not before */
} rw = { .rd = { .fd = -1 }, .old = INT64_MAX };

static const struct timeval soon = { 0, 0 };

static void	 on_event(evutil_socket_t, short, void *);
static bool	 rewrite_has(const struct log_rec *);
static int	 carry(void);
static struct segment *segment_at(void);
static bool	 step(struct segment **);
static void	 record_message(const struct message *);
static int	 rewrite_failed(void);

void
rewrite_init(struct event_base *base, const struct rewrite_ops *ops)
{
	rw.ops = ops;
	if ((rw.ev = event_new(base, -1, 0, on_event, NULL)) == NULL)
		fatalx("event_new");
}

int
rewrite_begin(void)
{
	int fd = qlog_file();

	if (rw.running || now_ms() < rw.again)
		return 0;
	rw.running = true;
	rw.carrying = false;
	rw.seq = rw.no = 0;
	if (qlog_next_begin(spool_dir(), rewrite_has) == -1)
		return rewrite_failed();
	rw.carried = qlog_next_length();
	if (fd != -1 && rw.ops->unknown() && rw.old > LOG_START) {
		if (log_reader_open(&rw.rd, fd, rw.old) == -1)
			return rewrite_failed();
		rw.carrying = true;
	}
	event_add(rw.ev, &soon);
	return 0;
}

int
rewrite_turn(void)
{
	off_t to = qlog_next_length() + TURN_OCTETS;
	struct segment *s;
	bool more = true;
	int k;

	if (!rw.running)
		return 0;
	if (rw.carrying) {
		if (carry() == -1)
			return rewrite_failed();
		if (rw.carrying)
			return qlog_next_write() == -1 ? rewrite_failed() : 1;
	}
	s = segment_at();
	while (more && qlog_next_length() < to)
		more = step(&s);
	if (qlog_next_write() == -1)
		return rewrite_failed();
	if (more)
		return 1;
	if ((k = qlog_next_end(spool_dir())) != -1)
		rw.old = rw.carried;
	if (k != 0)
		return rewrite_failed();
	rw.running = false;
	proc_impaired_over("log");
	return 0;
}

int
rewrite_now(void)
{
	int k;

	rw.again = 0;
	if (rewrite_begin() == -1)
		return -1;
	while ((k = rewrite_turn()) == 1)
		;
	return k;
}

/* The frame that the record is about is in the new file already. */
static bool
rewrite_has(const struct log_rec *r)
{
	const struct segment *s = segment_find(r->seg);

	return s == NULL || r->type == LOG_RETIRED || s->seq < rw.seq ||
	    (s->seq == rw.seq && r->no < rw.no);
}

void
rewrite_stop(void)
{
	if (!rw.running)
		return;
	event_del(rw.ev);
	log_reader_close(&rw.rd);
	qlog_next_drop();
	rw.running = false;
}

off_t
rewrite_carried(void)
{
	return rw.old;
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	if (rewrite_turn() == 1)
		event_add(rw.ev, &soon);
}

static int
rewrite_failed(void)
{
	int e = errno;

	rewrite_stop();
	rw.again = now_ms() + AGAIN;
	proc_impaired("log", "queue.log cannot be written anew in the spool: "
	    "%s; what is delivered now may be delivered again after a "
	    "restart: make room on the disk, or look after it", strerror(e));
	errno = e;
	return -1;
}

/* ---- what only the old file knows ------------------------------------- */

/* One piece of the old file.  0, -1 with errno. */
static int
carry(void)
{
	off_t to = rw.rd.off + (off_t)rw.rd.at + TURN_OCTETS;
	const uint8_t *octets;
	struct log_rec r;
	size_t len;
	int k = 1;

	while (rw.rd.off + (off_t)rw.rd.at < to &&
	    (k = log_reader_next(&rw.rd, &r, &octets, &len)) == 1)
		if (rw.ops->carries(&r))
			qlog_next_carry(octets, len);
	if (k == -1)
		return -1;
	if (k == 0) {
		log_reader_close(&rw.rd);
		rw.carrying = false;
		rw.carried = qlog_next_length();
	}
	return 0;
}

/* ---- what is in memory ------------------------------------------------ */

/* The one at the cursor; in another turn some may be gone. */
static struct segment *
segment_at(void)
{
	struct segment *s;

	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->seq >= rw.seq)
			break;
	if (s != NULL && s->seq != rw.seq) {
		rw.seq = s->seq;
		rw.no = 0;
	}
	return s;
}

/* A run of frames that are done. */
static void
record_done(const struct segment *s)
{
	struct log_rec rec = { .type = LOG_RANGE, .seg = s->id,
	    .no = rw.no };

	while (rw.no < s->nslot && s->slot[rw.no].m == NULL &&
	    !segment_is_newer(s, rw.no))
		rw.no++;
	rec.next = rw.no - rec.no;
	if (rec.next > 0)
		qlog_next_add(&rec);
	else
		rw.no++;		/* its records were carried over */
}

/* The next message, or run of others, and the segment behind the last one;
 * false: that was all. */
static bool
step(struct segment **at)
{
	struct segment *s = *at;

	if (s == NULL)
		return false;
	rw.seq = s->seq;
	if (s->state == SEG_BROKEN)
		rw.no = s->nslot;
	if (s->state == SEG_SPARE || s->state == SEG_RETIRING) {
		if (s->id != 0)
			qlog_next_add(&(struct log_rec){
			    .type = LOG_RETIRED, .seg = s->id });
		rw.no = s->nslot;
	}
	if (rw.no >= s->nslot) {
		*at = TAILQ_NEXT(s, entry);
		rw.no = 0;
		rw.seq++;
	} else if (s->slot[rw.no].m == NULL)
		record_done(s);
	else
		record_message(s->slot[rw.no++].m);
	return true;
}

static void
record_message(const struct message *m)
{
	struct log_rec rec = { .seg = m->seg->id, .no = m->no };
	const struct rcpt *r;
	uint32_t i;

	for (i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		rec.rcpt = (uint16_t)i;
		rec.attempts = r->attempts;
		rec.next = (uint32_t)clock_to_wall(r->next);
		rec.text_id = r->error;
		if (r->state == RCPT_DONE) {
			rec.type = LOG_DONE;
			qlog_next_add(&rec);
			continue;
		}
		rec.type = LOG_DEFER;
		if (r->attempts > 0 || r->next > 0 || r->error != 0)
			qlog_next_add(&rec);
		rec.type = LOG_HELD;
		if (r->state == RCPT_HELD || r->hold)
			qlog_next_add(&rec);
	}
	rec.type = LOG_WARNED;
	if (m->warned)
		qlog_next_add(&rec);
}
