/*
 * report-out: hears from smtpd what became of mail from outside, and makes
 * the reports that the owners of its domains ask for: aggregate reports
 * (RFC 9990) and failure reports (RFC 9991).  They leave through queue.  No
 * network; asks resolve who may be told.
 */
#include "compat.h"

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "proc.h"

static void	 on_mail(struct chan *, struct msg *, void *);

static const struct chan_handler handlers[] = {
	{ REPORT_MAIL_EV,	on_mail },
};

static void
on_mail(struct chan *c, struct msg *m, void *arg)
{
}

static void
out_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	static const struct chan_ops ops = { NULL, NULL };

	if (kind == CHAN_REPORT && peer == ROLE_SMTPD)
		chan_new(proc_base(), fd, kind, SIDE_B, handlers,
		    sizeof(handlers) / sizeof(handlers[0]), &ops, NULL);
	else if (kind == CHAN_QUEUE || kind == CHAN_DNS)
		chan_new(proc_base(), fd, kind, SIDE_A, NULL, 0, &ops, NULL);
	else
		fatalx("channel kind %d to %s is not for report-out", kind,
		    proc_name(peer));
}

static const struct role role = {
	.id = ROLE_REPORT_OUT,
	.channel = out_channel,
};

int
main(void)
{
	return proc_enter(&role);
}
