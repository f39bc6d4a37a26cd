/*
 * A clock that a test sets: in place of the C library's, for a program under
 * test and its libraries.  A unit test links it and moves it with test_clock.h;
 * a whole process has it preloaded (clock.py), the page with what is added comes
 * from the file that CLOCK_FILE names and is mapped before the jail.  Nothing
 * of it is in what is installed: that has no way to move its clock.
 *
 * Who waits for events looks up now and then whether time was moved, and then
 * comes back as if it had waited enough.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "regress/lib/test_clock.h"

#define LOOK_MS		5

static struct test_clock own;
static const volatile struct test_clock *moved = &own;

__attribute__((constructor)) static void
begin(void)
{
	const char *name = getenv("CLOCK_FILE");
	void *page;
	int fd;

	if (name == NULL)
		return;
	if ((fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
		abort();
	page = mmap(NULL, sizeof(*moved), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		abort();
	close(fd);
	moved = page;
}

void
test_clock_pass(int64_t ms)
{
	own.passed += ms;
}

void
test_clock_set(int64_t ahead)
{
	own.ahead = ahead;
}

static void
add(struct timespec *ts, int64_t ms)
{
	int64_t ns = ts->tv_nsec + ms % 1000 * 1000000;

	ts->tv_sec += ms / 1000;
	if (ns < 0 || ns >= 1000000000) {
		ts->tv_sec += ns < 0 ? -1 : 1;
		ns += ns < 0 ? 1000000000 : -1000000000;
	}
	ts->tv_nsec = ns;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		add(ts, moved->passed + moved->ahead);
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
		add(ts, moved->passed);
		break;
	}
	return r;
}

/* ms of the true time that are left till end, from -1 for ever */
static int
left(int ms, const struct timespec *from)
{
	struct timespec now;
	int64_t gone;

	if (ms <= 0)
		return ms;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	gone = (now.tv_sec - from->tv_sec) * 1000 +
	    (now.tv_nsec - from->tv_nsec) / 1000000;
	return gone >= ms ? 0 : ms - (int)gone;
}

int
epoll_wait(int fd, struct epoll_event *ev, int n, int ms)
{
	static int64_t noted;
	struct timespec from;
	int rest, r;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &from);
	for (;;) {
		rest = noted == moved->passed ? left(ms, &from) : 0;
		noted = moved->passed;
		r = (int)syscall(SYS_epoll_pwait, fd, ev, n,
		    rest == -1 || rest > LOOK_MS ? LOOK_MS : rest,
		    NULL, _NSIG / 8);
		if (r != 0 || rest == 0)
			return r;
	}
}
