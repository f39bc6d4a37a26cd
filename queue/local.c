/*
 * The way to deliver and to report-in: one channel an instance, messages out
 * with their octets or descriptor, results in, and the list of delivery ids that
 * deliver may forget once the log is synced.
 *
 * Invariants: an id is told to be forgotten only after the record that its
 * recipient is done is on disk; after that queue never asks for it again.
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
#define FORGET_MAX	14336

struct forget {
	struct msg_id	 id;
	uint32_t	 account;
};

static struct {
	struct chan	*chan[INSTANCES_MAX];
	struct chan	*report;	/* report-in */
	unsigned int	 n;
	struct forget	*forget;
	size_t		 nforget, capforget;
} lo;

static void	 on_gone(struct chan *, void *);
static void	 on_full(struct chan *, bool, void *);
static int	 body_send(struct chan *, struct message *);
static void	 on_answer(struct chan *, struct msg *, void *);
static void	 forget_send(unsigned int);

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
		t = (struct item_target){ .index = j->idx[i],
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

/* ---- forgetting ------------------------------------------------------- */

void
local_forget(const struct msg_id *id, uint32_t account)
{
	if (lo.nforget == lo.capforget) {
		lo.capforget = lo.capforget == 0 ? 1024 : lo.capforget * 2;
		lo.forget = xreallocarray(lo.forget, lo.capforget,
		    sizeof(*lo.forget));
	}
	lo.forget[lo.nforget++] = (struct forget){ *id, account };
}

size_t
local_forget_count(void)
{
	return lo.nforget;
}

/* Those of an instance that is away wait for it. */
void
local_forget_send(void)
{
	size_t i, n = 0;

	if (lo.n == 0)
		return;
	for (i = 0; i < lo.n; i++)
		forget_send((unsigned int)i);
	for (i = 0; i < lo.nforget; i++)
		if (lo.chan[lo.forget[i].account % lo.n] == NULL)
			lo.forget[n++] = lo.forget[i];
	lo.nforget = n;
}

static void
forget_send(unsigned int instance)
{
	static uint8_t buf[FORGET_MAX];
	struct deliver_forget_ev e;
	struct item_target t = { .address = { "", 0 } };
	size_t i, off = 0;

	if (lo.chan[instance] == NULL)
		return;
	for (i = 0; i < lo.nforget; i++) {
		if (lo.forget[i].account % lo.n != instance)
			continue;
		t.id = lo.forget[i].id;
		t.account = lo.forget[i].account;
		if (item_target_put(buf, sizeof(buf), &off, &t) == 0)
			continue;
		e.targets = slice_of((char *)buf, off);
		chan_send(lo.chan[instance], DELIVER_FORGET_EV, &e, NULL, 0);
		off = 0;
		item_target_put(buf, sizeof(buf), &off, &t);
	}
	e.targets = slice_of((char *)buf, off);
	if (off > 0)
		chan_send(lo.chan[instance], DELIVER_FORGET_EV, &e, NULL, 0);
}
