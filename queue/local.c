/*
 * The way to deliver and to report-in: one channel an instance, messages out
 * with their octets or descriptor, results in.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define INSTANCES_MAX	64
#define ANSWER_MS	(600 * 1000)	/* deliver answers in this time */

static struct {
	struct chan	*chan[INSTANCES_MAX];
	struct chan	*report;	/* report-in */
	unsigned int	 n;
} lo;

static void	 on_gone(struct chan *, void *);
static void	 on_full(struct chan *, bool, void *);
static int	 body_send(struct chan *, struct message *);
static void	 on_answer(struct chan *, struct msg *, void *);

static const struct chan_ops ops = { on_gone, on_full };

void
local_init(unsigned int n)
{
	lo.n = n;
}

void
local_channel(struct event_base *base, uint16_t instance, int fd)
{
	if (instance >= INSTANCES_MAX)
		fatalx("deliver instance %u", instance);
	if (lo.chan[instance] != NULL)
		chan_free(lo.chan[instance]);
	lo.chan[instance] = chan_new(base, fd, CHAN_DELIVER, SIDE_A, NULL, 0,
	    &ops, NULL);
	if (instance >= lo.n)
		lo.n = instance + 1U;
	schedule_wake();
}

void
local_report_channel(struct event_base *base, int fd)
{
	chan_free(lo.report);
	lo.report = chan_new(base, fd, CHAN_DELIVER, SIDE_A, NULL, 0, &ops,
	    NULL);
	schedule_wake();
}

unsigned int
local_count(void)
{
	return lo.n;
}

bool
local_send(struct job *j)
{
	static uint8_t targets[10240];
	struct chan *c = j->dest->route == ROUTE_REPORT ? lo.report :
	    lo.chan[j->dest->instance];
	struct message *m = j->m;
	struct deliver_msg d = { 0 };
	struct item_target t;
	struct quota quota;
	struct envelope e;
	size_t off = 0;
	uint32_t i;
	bool small = j->dest->route != ROUTE_REPORT && message_is_small(m);
	int fd = -1;

	if (c == NULL || chan_full(c))
		return false;
	if ((small ? body_send(c, m) : (fd = message_fd(m))) == -1 ||
	    message_envelope(m, &e) == -1) {
		result_unreadable(j);
		return true;
	}
	for (i = 0; i < j->n; i++) {
		quota = quota_of(m->rcpt[j->idx[i]].account);
		t = (struct item_target){ .index = j->idx[i],
		    .octets = quota.octets, .messages = quota.messages,
		    .account = m->rcpt[j->idx[i]].account,
		    .address = slice_str(rcpt_orig(m, &m->rcpt[j->idx[i]])) };
		rcpt_delivery_id(m, j->idx[i], &t.id);
		if (item_target_put(targets, sizeof(targets), &off, &t) == -1)
			break;
		m->rcpt[j->idx[i]].state = RCPT_SENT;
		if (m->rcpt[j->idx[i]].maybe)
			d.maybe_done = 1;
	}
	schedule_job_split(j, i);
	d.sid = e.sid;
	d.sender = e.sender;
	d.folder = e.folder;
	d.trace = e.trace;
	d.size = m->hdr.size;
	d.facts = m->hdr.facts_len;
	d.received = e.received;
	d.targets = slice_of((char *)targets, off);
	j->chan = c;
	if (chan_ask(c, DELIVER_MSG, &d, &fd, small ? 0 : 1, ANSWER_MS,
	    on_answer, j) == 0) {
		j->chan = NULL;
		return false;
	}
	message_used(m);
	return true;
}

/* What the DELIVER_MSG that follows is about.  0, -1 it cannot be read. */
static int
body_send(struct chan *c, struct message *m)
{
	const uint8_t *p = message_octets(m);
	struct deliver_body_ev e;

	if (p == NULL)
		return -1;
	e.body = slice_of((const char *)p, (size_t)m->hdr.size +
	    m->hdr.facts_len);
	chan_send(c, DELIVER_BODY_EV, &e, NULL, 0);
	return 0;
}

static void
on_answer(struct chan *c, struct msg *msg, void *arg)
{
	result_job(arg, msg != NULL ? msg->body->deliver_msg_r.results :
	    slice_of("", 0));
}

static void
on_gone(struct chan *c, void *arg)
{
	unsigned int i;

	for (i = 0; i < lo.n; i++)
		if (lo.chan[i] == c)
			lo.chan[i] = NULL;
	log_warnx("%s is gone", lo.report == c ? "report-in" : "deliver");
	if (lo.report == c)
		lo.report = NULL;
}

static void
on_full(struct chan *c, bool full, void *arg)
{
	if (!full)
		schedule_wake();
}

void
local_forget_send(void)
{
	forget_send(lo.chan, lo.n);
}
