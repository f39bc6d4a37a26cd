/*
 * A process that runs and does nothing: one that was stopped, waits for a
 * disk that hangs, or turns in a circle.  Every process is asked now and then
 * whether it is there; who does not answer for a while is told, with what to
 * do, and commands for it end.  It is not killed: a process that waits for a
 * disk would not die, and the next one would wait for the same.  Run by maild.
 */
#include "base/compat.h"

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define LOOK_MS		5000	/* between two rounds */
#define SILENT_MS	20000	/* without an answer */

static void	 on_look(evutil_socket_t, short, void *);

void
alive_init(struct house *h)
{
	static const struct timeval tv = { LOOK_MS / 1000, 0 };
	struct event *ev = event_new(h->base, -1, EV_PERSIST, on_look, h);

	if (ev == NULL || event_add(ev, &tv) == -1)
		fatalx("alive: no event");
}

/* m is NULL when it died: alive_died() says the rest. */
static void
on_answer(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;

	c->asked = 0;
	if (m == NULL || !c->silent)
		return;
	c->silent = false;
	impaired_over(c->house, c, "silent");
}

static void
silent(struct child *c)
{
	c->silent = true;
	impaired_set(c->house, c, "silent", "does not answer for %d s (pid "
	    "%d): it was stopped, turns in a circle, or waits for a disk that "
	    "hangs; what needs it waits; if the disks are well: kill -9 %d",
	    SILENT_MS / 1000, (int)c->pid, (int)c->pid);
	control_silent(c);
}

static void
look_at(struct child *c, uint64_t now)
{
	const struct proc_ping q = { 0 };

	if (c->state != CHILD_READY || !c->current || c->chan == NULL)
		return;
	if (c->asked == 0) {
		if (chan_ask(c->chan, PROC_PING, &q, NULL, 0, 0, on_answer,
		    c) != 0)
			c->asked = now;
	} else if (!c->silent && now - c->asked >= SILENT_MS)
		silent(c);
}

/* When maild itself stood still, its processes have the whole time again. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	static uint64_t last;
	struct house *h = arg;
	uint64_t now = now_ms();
	struct child *c;

	TAILQ_FOREACH(c, &h->children, entry) {
		if (now - last >= 2 * LOOK_MS && c->asked != 0)
			c->asked = now;
		look_at(c, now);
	}
	last = now;
}

void
alive_died(struct child *c)
{
	c->asked = 0;
	c->silent = false;
	impaired_over(c->house, c, "silent");
}
