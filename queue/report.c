/*
 * What report-out sends: one report, one recipient.  It may not say more
 * than that: reports.from is the sender and what is signed for, and there is
 * a limit to how many go out in an hour.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define WAITING_MAX	64		/* reports on their way to the disk */
#define HOUR_MAX	5000		/* reports taken in an hour */
#define HOUR		3600

struct report {
	TAILQ_ENTRY(report) entry;
	struct chan	*chan;		/* NULL: it is gone */
	uint32_t	 ask;
	struct post	 post;
	char		 rcpt[331], of[33], sender[331];
};

static struct {
	struct chan	*chan;
	TAILQ_HEAD(, report) waiting;
	unsigned int	 nwaiting;
	uint64_t	 hour;		/* since then */
	unsigned int	 taken;		/* so many */
} rp = { .waiting = TAILQ_HEAD_INITIALIZER(rp.waiting) };

static void	 on_report(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_end(void *, enum queue_result, const char *);

static const struct chan_handler handlers[] = {
	{ QUEUE_REPORT,		on_report },
	{ QUEUE_KNOWN,		commit_on_known },
};

static const struct chan_ops ops = { on_gone, NULL };

void
report_channel(struct event_base *base, int fd)
{
	struct chan *old = rp.chan;

	if (old != NULL) {
		on_gone(old, NULL);
		chan_free(old);
	}
	rp.chan = chan_new(base, fd, CHAN_QUEUE, SIDE_B, handlers,
	    NITEMS(handlers), &ops, NULL);
}

static void
on_gone(struct chan *c, void *arg)
{
	struct report *r;

	TAILQ_FOREACH(r, &rp.waiting, entry)
		if (r->chan == c)
			r->chan = NULL;
	if (rp.chan == c)
		rp.chan = NULL;
}

static void
answer(struct chan *c, uint32_t ask, enum queue_result result,
    const char *text)
{
	struct queue_report_r r = { .result = (uint8_t)result,
	    .id = { "", 0 }, .text = { "", 0 } };

	if (result == QUEUE_OK)
		r.id = slice_str(text);
	else
		r.text = slice_str(text);
	chan_reply(c, ask, QUEUE_REPORT_R, &r, NULL, 0);
}

/* On its way to the disk already: who asked died, and asks in its next life. */
static struct report *
report_find(const struct msg_id *commit)
{
	struct report *r;

	TAILQ_FOREACH(r, &rp.waiting, entry)
		if (memcmp(&r->post.commit, commit, sizeof(*commit)) == 0)
			break;
	return r;
}

/* Why it is not taken; NULL: it is. */
static const char *
refusal(const struct queue_report *b, enum queue_result *r)
{
	uint64_t now = clock_now();

	*r = QUEUE_REFUSED;
	if (b->rcpt.n == 0)
		return "no recipient";
	if (b->size > 2 * proc_conf()->reports.max_size)
		return "too large for reports.max-size";
	*r = QUEUE_FULL;
	if (!space_for(1))
		return "queue.max-waiting";
	*r = QUEUE_IO;
	if (rp.nwaiting == WAITING_MAX)
		return "too many at a time";
	if (now - rp.hour >= HOUR) {
		rp.hour = now;
		rp.taken = 0;
	}
	return rp.taken == HOUR_MAX ? "too many in this hour" : NULL;
}

static void
on_report(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_report *b = &m->body->queue_report;
	enum queue_result result;
	char id[MSG_ID_TEXT];
	struct report *r;
	const char *why;

	if (commit_known(&b->commit, id)) {
		answer(c, m->id, QUEUE_OK, id);
		return;
	}
	if ((r = report_find(&b->commit)) != NULL) {
		r->chan = c;
		r->ask = m->id;
		return;
	}
	if ((why = refusal(b, &result)) != NULL) {
		log_warnx("report refused: %s", why);
		answer(c, m->id, result, why);
		return;
	}
	rp.taken++;
	rp.nwaiting++;
	r = xcalloc(1, sizeof(*r));
	r->chan = c;
	r->ask = m->id;
	(void)slice_cpy(b->rcpt, r->rcpt, sizeof(r->rcpt));
	(void)slice_cpy(b->sid, r->of, sizeof(r->of));
	strlcpy(r->sender, proc_conf()->reports.from, sizeof(r->sender));
	r->post = (struct post){ .commit = b->commit, .rcpt = r->rcpt,
	    .sender = r->sender, .of = r->of,
	    .domain = strrchr(r->sender, '@') + 1, .size = b->size,
	    .facts = b->facts, .fd = m->fd[0], .bodyhash = b->bodyhash,
	    .fromhash = b->fromhash, .end = on_end, .arg = r };
	m->fd[0] = -1;
	TAILQ_INSERT_TAIL(&rp.waiting, r, entry);
	post_start(&r->post);
}

static void
on_end(void *arg, enum queue_result result, const char *text)
{
	struct report *r = arg;

	if (r->chan != NULL)
		answer(r->chan, r->ask, result, text);
	TAILQ_REMOVE(&rp.waiting, r, entry);
	rp.nwaiting--;
	free(r);
}
