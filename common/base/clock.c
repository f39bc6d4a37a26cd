/*
 * The clocks of the house, in all its programs: monotonic time for deadlines,
 * wall time for what is written down.  Never a time that was kept from before,
 * and never a way to set it.
 */
#include "base/compat.h"

#include <time.h>

#include "base/clock.h"

/* Where there are none, the others are cheap enough. */
#ifndef CLOCK_MONOTONIC_COARSE
#define CLOCK_MONOTONIC_COARSE	CLOCK_MONOTONIC
#endif
#ifndef CLOCK_REALTIME_COARSE
#define CLOCK_REALTIME_COARSE	CLOCK_REALTIME
#endif

static struct timespec
look(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts;
}

static uint64_t
in_ms(struct timespec ts)
{
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
now_ms(void)
{
	return in_ms(look(CLOCK_MONOTONIC));
}

uint64_t
now_ms_coarse(void)
{
	return in_ms(look(CLOCK_MONOTONIC_COARSE));
}

uint64_t
now_sec(void)
{
	return (uint64_t)look(CLOCK_REALTIME).tv_sec;
}

uint64_t
now_sec_coarse(void)
{
	return (uint64_t)look(CLOCK_REALTIME_COARSE).tv_sec;
}

uint64_t
now_us(void)
{
	struct timespec ts = look(CLOCK_REALTIME);

	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
