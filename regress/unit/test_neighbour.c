/*
 * Clients are held back while any channel of smtpd is full, over real ones:
 * that another one drains, ends or is exchanged lets nobody go on.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "smtpd/smtpd.h"

static struct event_base *base;

struct event_base *
proc_base(void)
{
	return base;
}

static void
on_back(enum chan_kind kind)
{
}

static void
on_logins_over(uint32_t account, enum reply why)
{
}

static const struct neighbour_ops ops = { on_back, on_logins_over };

/* A new neighbour of that kind; our end of its channel. */
static int
neighbour(enum chan_kind kind, enum proc_role peer)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, fd), 0);
	smtpd_channel(kind, peer, 0, fd[0]);
	return fd[1];
}

static void
turn(void)
{
	assert_int_not_equal(event_base_loop(base, EVLOOP_NONBLOCK), -1);
}

/* More than the neighbour reads. */
static void
fill(struct chan *c)
{
	static char body[BODY_MAX];
	struct queue_body_ev e = { .body = slice_of(body, sizeof(body)) };

	while (!chan_full(c))
		assert_int_equal(chan_send(c, QUEUE_BODY_EV, &e, NULL, 0), 0);
	turn();
	assert_true(chan_full(c));
}

/* It reads all that there is. */
static void
drain(int fd, const struct chan *c)
{
	static char buf[MSG_MAX];

	while (chan_full(c)) {
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
		turn();
	}
}

static void
test_any_full_holds(void **state)
{
	int queue = neighbour(CHAN_QUEUE, ROLE_QUEUE);
	int resolve = neighbour(CHAN_DNS, ROLE_RESOLVE);

	assert_false(smtpd()->hold);
	fill(smtpd()->queue);
	fill(smtpd()->resolve);
	assert_true(smtpd()->hold);
	drain(resolve, smtpd()->resolve);
	assert_true(smtpd()->hold);
	drain(queue, smtpd()->queue);
	assert_false(smtpd()->hold);
	close(queue);
	close(resolve);
}

/* What waited for one that is gone waits no more. */
static void
test_exchanged_is_not_full(void **state)
{
	int queue = neighbour(CHAN_QUEUE, ROLE_QUEUE);
	int resolve = neighbour(CHAN_DNS, ROLE_RESOLVE);

	fill(smtpd()->queue);
	fill(smtpd()->resolve);
	close(queue);
	queue = neighbour(CHAN_QUEUE, ROLE_QUEUE);
	assert_true(smtpd()->hold);
	close(resolve);
	while (smtpd()->resolve != NULL)
		turn();
	assert_false(smtpd()->hold);
	close(queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_full_holds),
		cmocka_unit_test(test_exchanged_is_not_full),
	};

	base = event_base_new();
	neighbour_init(&ops);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
