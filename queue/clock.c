/*
 * The clock of the queue: it begins with the wall clock at the start and then
 * goes on by itself, so that a wall clock that is set, or was wrong, neither
 * ages mail by days nor freezes it.  All times in memory are of this clock;
 * what lies on disk is wall time, turned at the edge.  While the machine
 * sleeps it stands, and mail waits so much longer.  queue only.
 *
 * A jump between two lives cannot be seen; what it could do is bounded:
 * nothing is in the future but the next attempt, and that by no more than the
 * longest wait; and result.c gives nothing up for its age alone that was
 * hardly tried.
 */
#include "base/compat.h"

#include "base/clock.h"
#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define JUMP		60		/* s worth a line in the log */

static struct {
	uint64_t	 start;		/* wall clock then, */
	uint64_t	 mono;		/* and now_ms(), which does not jump */
	int64_t		 told;		/* how far the wall clock was off */
} cl;

void
clock_init(void)
{
	cl.start = now_sec();
	cl.mono = now_ms();
}

uint64_t
clock_now(void)
{
	return cl.start + (now_ms() - cl.mono) / 1000;
}

uint64_t
clock_start(void)
{
	return cl.start;
}

/* How far the wall clock is ahead. */
static int64_t
ahead(void)
{
	return (int64_t)(now_sec() - clock_now());
}

uint64_t
clock_to_wall(uint64_t t)
{
	return t == 0 ? 0 : t + (uint64_t)ahead();
}

static uint64_t
from_wall(uint64_t wall, uint64_t max)
{
	int64_t t = (int64_t)wall - ahead();

	return t < 0 ? 0 : (uint64_t)t > max ? max : (uint64_t)t;
}

uint64_t
clock_past(uint64_t wall)
{
	return from_wall(wall, clock_now());
}

uint64_t
clock_due(uint64_t wall)
{
	uint64_t wait_max = (uint64_t)proc_conf()->queue.retry_max * 5 / 4;

	return wall == 0 ? 0 : from_wall(wall, clock_now() + wait_max);
}

void
clock_look(void)
{
	int64_t off = ahead(), by = off - cl.told;

	if (by > -JUMP && by < JUMP)
		return;
	log_notice("the clock jumped seconds=%lld: queued mail keeps its age",
	    (long long)by);
	cl.told = off;
}
