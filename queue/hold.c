/*
 * Recipients that are held: they wait until the operator releases them.  For
 * the operator (control.c) and for accounts that may send no more
 * (revoked.c).  queue.log has a record of each, so that a restart keeps it.
 */
#include "base/compat.h"

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

static void
note(struct message *m, unsigned int i, enum log_type type)
{
	qlog_add(&(struct log_rec){ .type = type, .seg = m->seg->id,
	    .no = m->no, .rcpt = (uint16_t)i });
}

bool
hold_rcpt(struct message *m, unsigned int i)
{
	struct rcpt *r = &m->rcpt[i];

	if (r->state == RCPT_SENT && !r->hold)
		r->hold = 1;		/* when it comes back */
	else if (r->state == RCPT_WAIT || r->state == RCPT_READY)
		r->state = RCPT_HELD;
	else
		return false;
	note(m, i, LOG_HELD);
	return true;
}

bool
hold_end(struct message *m, unsigned int i)
{
	struct rcpt *r = &m->rcpt[i];

	if (r->state == RCPT_SENT && r->hold)
		r->hold = 0;
	else if (r->state == RCPT_HELD) {
		r->state = RCPT_WAIT;
		r->next = 0;
	} else
		return false;
	note(m, i, LOG_RELEASED);
	return true;
}

unsigned int
hold_message(struct message *m, const char *by)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->nrcpt; i++)
		n += hold_rcpt(m, i);
	if (n == 0)
		return 0;
	message_changed(m, "hold", n, by);
	result_end(m);
	return n;
}
