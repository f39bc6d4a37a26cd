/*
 * The channels to queue and resolve, for those who ask them (send.c, dest.c,
 * notice.c).  out.c brings them.  Part of report-out.
 */
#include "base/compat.h"

#include "msg/chan.h"
#include "proc/proc.h"
#include "report/out/out.h"

static struct {
	struct chan	*queue, *dns;
} ch;

struct chan *
out_dns(void)
{
	return ch.dns;
}

uint64_t
out_whom(void)
{
	static uint64_t last;

	return ++last;
}

struct chan *
out_queue(void)
{
	return ch.queue;
}

static void
on_gone(struct chan *c, void *arg)
{
	if (ch.queue == c)
		ch.queue = NULL;
	if (ch.dns == c)
		ch.dns = NULL;
}

void
out_join(enum chan_kind kind, int fd)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct chan **c = kind == CHAN_QUEUE ? &ch.queue : &ch.dns;
	struct chan *old = *c;

	*c = NULL;			/* its open asks end now */
	chan_free(old);
	*c = chan_new(proc_base(), fd, kind, SIDE_A, NULL, 0, &ops, NULL);
}
