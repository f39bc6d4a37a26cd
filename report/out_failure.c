/*
 * Failure reports (RFC 9991): what becomes of the facts of one message.
 * Part of report-out.
 */
#include "compat.h"

#include "parse.h"
#include "verify.h"
#include "msg.h"
#include "out.h"

void
failure_init(struct event_base *base, const struct conf *conf)
{
}

void
failure_conf(const struct conf *conf)
{
}

void
failure_mail(const struct report_mail_ev *ev)
{
}
