/*
 * The way to relay: one channel an instance, a message with the recipients
 * of one destination out, a result for each in.
 *
 * An attempt that ended with the relay process may have been made or not; it
 * counts as one that failed, for relaying is at least once, as SMTP is; but
 * what it had told of by then (RELAY_SAID_EV) is done.
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
#define LATE_MS		60000U		/* an answer may be under way */
#define ACTIVE_MAX	500		/* messages one relay may have */

static struct {
	LIST_HEAD(, job) sent;
	struct chan	*chan[INSTANCES_MAX];
	unsigned int	 active[INSTANCES_MAX];
	unsigned int	 n;
} re;

static void	 on_gone(struct chan *, void *);
static void	 on_full(struct chan *, bool, void *);
static void	 on_answer(struct chan *, struct msg *, void *);
static void	 on_said(struct chan *, struct msg *, void *);
static int	 pick(const char *);

static const struct chan_handler handlers[] = {
	{ RELAY_SAID_EV,	on_said },
};
static const struct chan_ops ops = { on_gone, on_full };

void
remote_channel(struct event_base *base, uint16_t instance, int fd)
{
	if (instance >= INSTANCES_MAX)
		fatalx("relay instance %u", instance);
	if (re.chan[instance] != NULL)
		chan_free(re.chan[instance]);
	re.active[instance] = 0;
	re.chan[instance] = chan_new(base, fd, CHAN_RELAY, SIDE_A, handlers,
	    NITEMS(handlers), &ops, &re.active[instance]);
	if (instance >= re.n)
		re.n = instance + 1U;
	schedule_wake();
}

bool
remote_send(struct job *j)
{
	static uint8_t targets[9216];
	struct message *m = j->m;
	struct relay_msg d = { 0 };
	struct item_rcptto t;
	struct envelope e;
	size_t off = 0;
	uint32_t i;
	int fd, k = pick(j->dest->key);

	if (k == -1)
		return false;
	if ((fd = message_fd(m)) == -1 || message_envelope(m, &e) == -1) {
		result_unreadable(j);
		return true;
	}
	for (i = 0; i < j->n; i++) {
		t = (struct item_rcptto){ .index = j->idx[i],
		    .address = slice_str(rcpt_address(m,
		    &m->rcpt[j->idx[i]])) };
		if (item_rcptto_put(targets, sizeof(targets), &off, &t) == -1)
			break;
		m->rcpt[j->idx[i]].state = RCPT_SENT;
	}
	schedule_job_split(j, i);
	d.sid = e.sid;
	d.sender = e.sender;
	d.domain = slice_str(j->dest->key);
	d.size = m->hdr.size;
	d.facts = m->hdr.facts_len;
	d.flags = e.flags;
	d.trace = e.trace;
	d.ticket = e.ticket;
	d.targets = slice_of((char *)targets, off);
	j->chan = re.chan[k];
	j->ask = chan_ask(re.chan[k], RELAY_MSG, &d, &fd, 1,
	    (unsigned int)RELAY_MS(d.size) + LATE_MS, on_answer, j);
	if (j->ask == 0) {
		j->chan = NULL;
		return false;
	}
	LIST_INSERT_HEAD(&re.sent, j, sent);
	re.active[k]++;
	message_used(m);
	return true;
}

/* Always the same instance for a destination, so that it can use its
 * connections again; another one when that is away. */
static int
pick(const char *key)
{
	unsigned int i, k, h = 0;

	for (; *key != '\0'; key++)
		h = h * 31 + (unsigned char)*key;
	for (i = 0; i < re.n; i++) {
		k = (h + i) % re.n;
		if (re.chan[k] != NULL && !chan_full(re.chan[k]) &&
		    re.active[k] < ACTIVE_MAX)
			return (int)k;
	}
	return -1;
}

static void
on_answer(struct chan *c, struct msg *msg, void *arg)
{
	unsigned int *active = chan_arg(c);
	struct job *j = arg;

	if (*active > 0 && (*active)-- == ACTIVE_MAX)
		schedule_wake();
	LIST_REMOVE(j, sent);
	result_job(j, msg != NULL ? msg->body->relay_msg_r.results :
	    slice_of("", 0));
}

/* Taken or refused for good, before all of them are. */
static void
on_said(struct chan *c, struct msg *msg, void *arg)
{
	const struct relay_said_ev *e = &msg->body->relay_said_ev;
	struct job *j;

	LIST_FOREACH(j, &re.sent, sent)
		if (j->chan == c && j->ask == e->ask) {
			result_some(j, e->results);
			return;
		}
}

static void
on_gone(struct chan *c, void *arg)
{
	unsigned int i;

	for (i = 0; i < re.n; i++)
		if (re.chan[i] == c)
			re.chan[i] = NULL;
	log_warnx("relay is gone");
}

static void
on_full(struct chan *c, bool full, void *arg)
{
	if (!full)
		schedule_wake();
}
