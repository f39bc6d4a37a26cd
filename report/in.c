/*
 * report-in: takes the reports that others send about us (DMARC aggregate
 * and failure reports, TLS reports) from queue, reads and keeps them, and
 * tells mailctl what they say.  No network, no way to send anything: what
 * it unpacks and parses comes from anybody.
 */
#include "compat.h"

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "proc.h"

static void	 on_message(struct chan *, struct msg *, void *);
static void	 on_forget(struct chan *, struct msg *, void *);

static const struct chan_handler handlers[] = {
	{ DELIVER_MSG,		on_message },
	{ DELIVER_FORGET_EV,	on_forget },
};

static void
on_message(struct chan *c, struct msg *m, void *arg)
{
}

static void
on_forget(struct chan *c, struct msg *m, void *arg)
{
}

static void
in_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance, int fd)
{
	static const struct chan_ops ops = { NULL, NULL };

	if (kind != CHAN_DELIVER || peer != ROLE_QUEUE)
		fatalx("channel kind %d to %s is not for report-in", kind,
		    proc_name(peer));
	chan_new(proc_base(), fd, kind, SIDE_B, handlers,
	    sizeof(handlers) / sizeof(handlers[0]), &ops, NULL);
}

static const struct role role = {
	.id = ROLE_REPORT_IN,
	.channel = in_channel,
};

int
main(void)
{
	return proc_enter(&role);
}
