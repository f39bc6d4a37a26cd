/*
 * Deadlines of common/io: one wheel of 100 ms steps for all connections of
 * a process and one timer, armed for the next step that has someone in it.
 * Moving a deadline is two list operations, whatever the number of
 * connections.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>

#include "base/clock.h"
#include "net/io.h"
#include "net/io_impl.h"

#define TICK_MS		100
#define SLOTS		1024	/* 102 s a round; later ones stay a round */

static struct {
	LIST_HEAD(, io)	 slot[SLOTS];
	struct event	*ev;
	uint64_t	 done;		/* tick handled last */
	uint64_t	 armed;		/* tick the timer is set for, 0 none */
	size_t		 n;
} wheel;

static void	 wheel_turn(evutil_socket_t, short, void *);
static void	 wheel_arm(struct event_base *, uint64_t now, uint64_t tick);
static void	 slot_turn(unsigned int, uint64_t now);

static uint64_t
tick_now(void)
{
	return now_ms_coarse() / TICK_MS;
}

/* Never early: the running step does not count. */
uint64_t
wheel_tick(unsigned int ms)
{
	return tick_now() + (ms + TICK_MS - 1) / TICK_MS + 1;
}

void
wheel_set(struct io *io, uint64_t tick)
{
	uint64_t now = tick_now();

	wheel_unset(io);
	if (tick == 0)
		return;
	if (wheel.n == 0)
		wheel.done = now;
	io->tick = tick;
	LIST_INSERT_HEAD(&wheel.slot[io->tick % SLOTS], io, wheel);
	io->in_wheel = true;
	wheel.n++;
	if (wheel.armed == 0 || io->tick < wheel.armed)
		wheel_arm(io->base, now, io->tick);
}

void
wheel_unset(struct io *io)
{
	if (!io->in_wheel)
		return;
	LIST_REMOVE(io, wheel);
	io->in_wheel = false;
	wheel.n--;
}

static void
wheel_arm(struct event_base *base, uint64_t now, uint64_t tick)
{
	struct timeval tv;
	uint64_t ms = tick > now ? (tick - now) * TICK_MS : TICK_MS;

	if (wheel.ev != NULL && event_get_base(wheel.ev) != base) {
		event_free(wheel.ev);
		wheel.ev = NULL;
	}
	if (wheel.ev == NULL &&
	    (wheel.ev = evtimer_new(base, wheel_turn, NULL)) == NULL)
		return;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	wheel.armed = tick;
	evtimer_add(wheel.ev, &tv);
}

/*
 * Everybody whose tick has come.  One call back may free any other io, so
 * a slot is started over after each.
 */
static void
slot_turn(unsigned int i, uint64_t now)
{
	struct io *io;

	for (;;) {
		LIST_FOREACH(io, &wheel.slot[i], wheel)
			if (io->tick <= now)
				break;
		if (io == NULL)
			return;
		wheel_unset(io);
		if (io->cb == NULL)		/* io_finish waited enough */
			io_free(io);
		else if (io->tick != io->user_tick)
			io_fail(io, "TLS handshake took too long");
		else {
			io->user_tick = 0;
			io_emit(io, IO_DEADLINE);
		}
	}
}

static void
wheel_turn(evutil_socket_t fd, short what, void *arg)
{
	struct event_base *base = event_get_base(wheel.ev);
	uint64_t now = tick_now(), t;
	unsigned int i;

	wheel.armed = 0;
	t = wheel.done + 1;
	if (now >= SLOTS && t < now - SLOTS)
		t = now - SLOTS;	/* once around is enough */
	for (; t <= now; t++)
		slot_turn((unsigned int)(t % SLOTS), now);
	wheel.done = now;
	for (i = 1; wheel.n > 0 && i <= SLOTS; i++) {
		if (LIST_EMPTY(&wheel.slot[(now + i) % SLOTS]))
			continue;
		if (wheel.armed == 0 || now + i < wheel.armed)
			wheel_arm(base, now, now + i);
		break;
	}
}
