/*
 * report-out: hears from smtpd what became of mail from outside, and makes
 * the reports that the owners of its domains ask for: aggregate reports
 * (RFC 9990) and failure reports (RFC 9991).  They leave through queue.  No
 * network; asks resolve who may be told.
 */
#include "base/compat.h"

#include <event2/event.h>

#include "base/log.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/out.h"

static void	 on_mail(struct chan *, struct msg *, void *);

static const struct chan_handler handlers[] = {
	{ REPORT_MAIL_EV,	on_mail },
};

static void
on_mail(struct chan *c, struct msg *m, void *arg)
{
	aggregate_mail(&m->body->report_mail_ev);
	failure_mail(&m->body->report_mail_ev);
}

void
out_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	static const struct chan_ops none = { NULL, NULL };

	if (kind == CHAN_REPORT && peer == ROLE_SMTPD)
		chan_new(proc_base(), fd, kind, SIDE_B, handlers,
		    sizeof(handlers) / sizeof(handlers[0]), &none, NULL);
	else if (kind == CHAN_QUEUE) {
		out_join(kind, fd);
		send_again();
	} else if (kind == CHAN_DNS)
		out_join(kind, fd);
	else
		fatalx("channel kind %d to %s is not for report-out", kind,
		    proc_name(peer));
}

void
out_start(const struct conf *conf)
{
	aggregate_init(proc_base());
	failure_init(proc_base());
}

void
out_stop(void)
{
	aggregate_stop();
	proc_exit(0);
}
