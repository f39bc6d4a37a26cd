/*
 * Who may talk to whom: the static table of channels, and the socket pairs
 * made from it.  Run by maild.  A channel is a capability: there is no
 * other way for two processes of the house to meet, and this table is
 * README's drawing (regress/man/t_doc compares them).
 */
#include "base/compat.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define CHANNEL_BUFFER	(512 * 1024)	/* octets in flight each way */
#define GONE_MS		1000	/* one that ended is made anew so often */

/* kind, side A (asks), side B (owns) */
static const struct {
	enum chan_kind	 kind;
	enum proc_role	 a, b;
} graph[] = {
	{ CHAN_AUTH,	ROLE_SMTPD,	ROLE_AUTHD },
	{ CHAN_AUTH,	ROLE_IMAPD,	ROLE_AUTHD },
	{ CHAN_AUTH,	ROLE_POP3D,	ROLE_AUTHD },
	{ CHAN_AUTH,	ROLE_QUEUE,	ROLE_AUTHD },
	{ CHAN_HASH,	ROLE_AUTHD,	ROLE_HASH },
	{ CHAN_QUEUE,	ROLE_SMTPD,	ROLE_QUEUE },
	{ CHAN_DELIVER,	ROLE_QUEUE,	ROLE_DELIVER },
	{ CHAN_RELAY,	ROLE_QUEUE,	ROLE_RELAY },
	{ CHAN_DELIVER,	ROLE_QUEUE,	ROLE_REPORT_IN },
	{ CHAN_REPORT,	ROLE_SMTPD,	ROLE_REPORT_OUT },
	{ CHAN_QUEUE,	ROLE_REPORT_OUT, ROLE_QUEUE },
	{ CHAN_DNS,	ROLE_SMTPD,	ROLE_RESOLVE },
	{ CHAN_DNS,	ROLE_RELAY,	ROLE_RESOLVE },
	{ CHAN_DNS,	ROLE_REPORT_OUT, ROLE_RESOLVE },
	{ CHAN_DNS,	ROLE_SIGND_DKIM, ROLE_RESOLVE },
	{ CHAN_SIGN,	ROLE_SMTPD,	ROLE_SIGND_TLS },
	{ CHAN_SIGN,	ROLE_SMTPD,	ROLE_SIGND_DKIM },
	{ CHAN_SIGN,	ROLE_IMAPD,	ROLE_SIGND_TLS },
	{ CHAN_SIGN,	ROLE_POP3D,	ROLE_SIGND_TLS },
	{ CHAN_SIGN,	ROLE_RELAY,	ROLE_SIGND_DKIM },
	{ CHAN_SIGN,	ROLE_QUEUE,	ROLE_SIGND_DKIM },
};

static bool	 graph_complete(struct house *, enum proc_role);

static void
graph_connect(struct child *a, struct child *b, enum chan_kind kind)
{
	struct proc_channel_ev to_a = { (uint8_t)kind, SIDE_A,
	    (uint8_t)b->role, b->instance };
	struct proc_channel_ev to_b = { (uint8_t)kind, SIDE_B,
	    (uint8_t)a->role, a->instance };
	int sv[2];
	bool ok;

	if (a->chan == NULL || b->chan == NULL)
		return;			/* has just died: once more, then */
	if (graph_pair(sv, CHANNEL_BUFFER) == -1)
		goto fail;
	ok = chan_send(b->chan, PROC_CHANNEL_EV, &to_b, &sv[1], 1) == 0 &&
	    chan_send(a->chan, PROC_CHANNEL_EV, &to_a, &sv[0], 1) == 0;
	close(sv[0]);
	close(sv[1]);
	a->joined = b->joined = now_ms();
	if (ok)
		return;
fail:
	/* without it neither can work: have the asker again */
	log_warn("channel %s to %s", proc_name(a->role), proc_name(b->role));
	kill(a->pid, SIGKILL);
}

/* The channel of a and b, both ready: but deliver hears of no mail before it
 * can know which accounts are closed. */
static void
graph_join(struct child *a, struct child *b, enum chan_kind kind)
{
	if (b->role != ROLE_DELIVER || account_known(a->house))
		graph_connect(a, b, kind);
}

/* authd is there for the first time: what waited for it. */
static void
graph_release(struct house *h)
{
	struct child *queue = child_ready(h, ROLE_QUEUE, 0), *p;

	account_now_known(h);
	TAILQ_FOREACH(p, &h->children, entry)
		if (queue != NULL && p->role == ROLE_DELIVER && p->current &&
		    p->state == CHILD_READY)
			graph_connect(queue, p, CHAN_DELIVER);
}

void
graph_ready(struct child *c)
{
	struct house *h = c->house;
	struct child *p;

	if (c->role == ROLE_AUTHD && !account_known(h))
		graph_release(h);
	TAILQ_FOREACH(p, &h->children, entry) {
		if (!p->current || p->state != CHILD_READY || p->chan == NULL)
			continue;
		for (size_t i = 0; i < NITEMS(graph); i++) {
			if (graph[i].a == c->role && graph[i].b == p->role)
				graph_join(c, p, graph[i].kind);
			else if (graph[i].b == c->role &&
			    graph[i].a == p->role)
				graph_join(p, c, graph[i].kind);
		}
	}
	graph_listen(h);
}

/* Both ends tell of it, and who is told that a peer is gone may have a new one
 * by now: what comes soon after a channel was made is of no interest.  Whom
 * nothing is made for, asks again. */
void
graph_on_gone(struct chan *chan, struct msg *m, void *arg)
{
	const struct proc_gone_ev *e = &m->body->proc_gone_ev;
	struct child *c = arg, *p;

	if (!c->current || c->state != CHILD_READY ||
	    now_ms() - c->joined < GONE_MS)
		return;
	if (e->peer >= ROLE_MAX || (p = child_ready(c->house,
	    (enum proc_role)e->peer, e->instance)) == NULL)
		return;
	for (size_t i = 0; i < NITEMS(graph); i++) {
		bool asks = graph[i].a == c->role && graph[i].b == p->role;
		bool owns = graph[i].b == c->role && graph[i].a == p->role;

		if (graph[i].kind != (enum chan_kind)e->kind ||
		    (!asks && !owns))
			continue;
		log_warnx("channel ended, made anew name=%s peer=%s",
		    proc_name(c->role), proc_name(p->role));
		graph_join(asks ? c : p, asks ? p : c, graph[i].kind);
	}
}

void
graph_listen(struct house *h)
{
	struct child *p;

	TAILQ_FOREACH(p, &h->children, entry)
		if (p->current && p->state == CHILD_READY &&
		    p->chan != NULL && !p->listening &&
		    graph_complete(h, p->role))
			share_listeners(p);
	absent_answer(h);
	if (h->starting && absent_settled(h))
		h->up(h);
}

/* All neighbours of that role, and its nursery, are ready, but those that
 * will not be soon. */
static bool
graph_complete(struct house *h, enum proc_role role)
{
	const struct child *p;

	TAILQ_FOREACH(p, &h->children, entry) {
		bool needed = role_row(role)->nursery == p->role;

		for (size_t i = 0; i < NITEMS(graph); i++)
			if (graph[i].a == role && graph[i].b == p->role)
				needed = true;
		if (needed && p->current && p->state != CHILD_READY &&
		    !p->absent)
			return false;
	}
	return true;
}
