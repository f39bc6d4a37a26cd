/*
 * The ends of channels that maild handed to this role, whatever became of
 * them.  An end that is closed while both processes live (its peer did not
 * read, or said what is not permitted) is missed by nobody else: when no new
 * one has come after a moment, maild is told, and again until one comes.
 * That the peer has died maild knows itself, and makes nothing of it.  Called
 * by loop.c; it must never say which of its ends a role has to have.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/impl.h"
#include "proc/proc.h"

#define GONE_S		2	/* a peer that died is back before */
#define GONE_MAX_S	64	/* doubled each time up to it */

struct end {
	LIST_ENTRY(end)	 entry;
	struct proc_gone_ev what;	/* kind and peer: its name */
	int		 fd;		/* -1: closed */
	unsigned int	 wait;		/* seconds */
	struct event	*timer;
};

static LIST_HEAD(, end) ends = LIST_HEAD_INITIALIZER(ends);

static void	 on_missed(evutil_socket_t, short, void *);

static void
end_wait(struct end *e, unsigned int seconds)
{
	const struct timeval tv = { seconds, 0 };

	e->wait = seconds;
	evtimer_add(e->timer, &tv);
}

/* Still no other end: maild may not know. */
static void
on_missed(evutil_socket_t fd, short what, void *arg)
{
	struct end *e = arg;

	if (proc_main() == NULL)
		return;
	chan_send(proc_main(), PROC_GONE_EV, &e->what, NULL, 0);
	end_wait(e, e->wait < GONE_MAX_S ? e->wait * 2 : GONE_MAX_S);
}

/* An end is closed.  One that was replaced before is not here any more, nor
 * are those that maild did not hand out. */
static void
on_closing(int fd)
{
	struct end *e;

	LIST_FOREACH(e, &ends, entry)
		if (e->fd == fd) {
			e->fd = -1;
			end_wait(e, GONE_S);
			return;
		}
}

static struct end *
end_find(const struct proc_channel_ev *ev)
{
	struct end *e;

	LIST_FOREACH(e, &ends, entry)
		if (e->what.kind == ev->kind && e->what.peer == ev->peer &&
		    e->what.instance == ev->instance)
			return e;
	e = xcalloc(1, sizeof(*e));
	e->what = (struct proc_gone_ev){ ev->kind, ev->peer, ev->instance };
	if ((e->timer = evtimer_new(proc_base(), on_missed, e)) == NULL)
		fatalx("channel: no event");
	LIST_INSERT_HEAD(&ends, e, entry);
	return e;
}

void
proc_channel_new(const struct proc_channel_ev *ev, int fd)
{
	struct end *e;

	chan_closing(on_closing);
	LIST_FOREACH(e, &ends, entry)
		if (e->fd == fd)	/* closed, but never a struct chan */
			e->fd = -1;
	e = end_find(ev);
	e->fd = fd;
	evtimer_del(e->timer);
}
