/*
 * Letters on their way to queue: handed over with a commit id that is the
 * same each time for the same report, so that a crash of either side never
 * makes two of one.  What queue cannot take now is tried again for as long
 * as the caller said.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/out/letter.h"
#include "report/out/out.h"

#define KNOWN_MS	30000	/* queue may be in a sync */
#define REPORT_MS	120000	/* authd, signd and the disk besides */
#define AGAIN_MIN	2	/* s, doubled each time */
#define AGAIN_MAX	64

struct sending {
	TAILQ_ENTRY(sending) entry;
	struct letter	*letter;
	struct msg_id	 commit;
	char		 sid[33], rcpt[331];
	bool		 ask;		/* queue may have it already */
	bool		 waits;		/* for time, or another queue */
	unsigned int	 pause;		/* s before the next try */
	uint64_t	 until;
	sent_cb		 cb;
	void		*arg;
	struct event	*ev;
};

static TAILQ_HEAD(, sending) sendings = TAILQ_HEAD_INITIALIZER(sendings);

static void	 on_time(evutil_socket_t, short, void *);
static void	 send_known(struct sending *);
static void	 on_known(struct chan *, struct msg *, void *);
static void	 send_report(struct sending *);
static void	 on_report(struct chan *, struct msg *, void *);
static void	 send_later(struct sending *, const char *);
static void	 send_end(struct sending *, enum sent, const char *);

void
letter_send(struct letter *l, const struct msg_id *commit, const char *sid,
    const char *rcpt, bool ask, unsigned int keep, sent_cb cb, void *arg)
{
	struct sending *s = xcalloc(1, sizeof(*s));

	s->letter = l;
	s->commit = *commit;
	strlcpy(s->sid, sid, sizeof(s->sid));
	s->ask = ask;
	s->pause = AGAIN_MIN;
	s->until = now_sec() + keep;
	s->cb = cb;
	s->arg = arg;
	if (l->facts == 0 || strlcpy(s->rcpt, rcpt, sizeof(s->rcpt)) >=
	    sizeof(s->rcpt))
		s->rcpt[0] = '\0';	/* refused: not a whole letter */
	if ((s->ev = event_new(proc_base(), -1, 0, on_time, s)) == NULL)
		fatalx("event_new");
	TAILQ_INSERT_TAIL(&sendings, s, entry);
	event_active(s->ev, 0, 0);
}

void
send_again(void)
{
	struct sending *s;

	TAILQ_FOREACH(s, &sendings, entry)
		if (s->waits)
			event_active(s->ev, 0, 0);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct sending *s = arg;

	event_del(s->ev);
	s->waits = false;
	if (s->rcpt[0] == '\0')
		send_end(s, SENT_REFUSED, "it could not be made");
	else if (s->ask)
		send_known(s);
	else
		send_report(s);
}

static void
send_known(struct sending *s)
{
	struct queue_known q = { s->commit };

	if (out_queue() == NULL || chan_ask(out_queue(), QUEUE_KNOWN, &q,
	    NULL, 0, KNOWN_MS, on_known, s) == 0)
		send_later(s, "queue is away");
}

static void
on_known(struct chan *c, struct msg *m, void *arg)
{
	struct sending *s = arg;

	if (m == NULL)
		send_later(s, "queue did not answer");
	else if (m->body->queue_known_r.known)
		send_end(s, SENT_OK, "");
	else
		send_report(s);
}

static void
send_report(struct sending *s)
{
	struct queue_report q = { .commit = s->commit,
	    .sid = slice_str(s->sid), .rcpt = slice_str(s->rcpt),
	    .size = s->letter->size, .facts = s->letter->facts,
	    .bodyhash = s->letter->bodyhash,
	    .fromhash = s->letter->fromhash };

	if (out_queue() == NULL || chan_ask(out_queue(), QUEUE_REPORT, &q,
	    &s->letter->fd, 1, REPORT_MS, on_report, s) == 0)
		send_later(s, "queue is away");
}

static void
on_report(struct chan *c, struct msg *m, void *arg)
{
	struct sending *s = arg;
	const struct queue_report_r *r;
	char text[257];

	if (m == NULL) {
		s->ask = true;		/* it may have come that far */
		send_later(s, "queue did not answer");
		return;
	}
	r = &m->body->queue_report_r;
	if (slice_cpy(r->text, text, sizeof(text)) == -1 || r->text.n == 0)
		strlcpy(text, "not now", sizeof(text));
	switch ((enum queue_result)r->result) {
	case QUEUE_OK:
		send_end(s, SENT_OK, "");
		return;
	case QUEUE_REFUSED:
		send_end(s, SENT_REFUSED, text);
		return;
	case QUEUE_IO:
	case QUEUE_FULL:
	case QUEUE_LIMIT:
		break;
	}
	send_later(s, text);
}

static void
send_later(struct sending *s, const char *why)
{
	struct timeval tv = { s->pause, 0 };

	if (now_sec() >= s->until) {
		send_end(s, SENT_LATER, why);
		return;
	}
	s->waits = true;
	if (s->pause < AGAIN_MAX)
		s->pause *= 2;
	if (event_add(s->ev, &tv) == -1)
		fatalx("event_add");
}

static void
send_end(struct sending *s, enum sent how, const char *why)
{
	TAILQ_REMOVE(&sendings, s, entry);
	event_free(s->ev);
	letter_free(s->letter);
	s->cb(how, why, s->arg);
	free(s);
}
