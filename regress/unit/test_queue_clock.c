/*
 * Clocks that jump: within a life of queue, between two, to and fro.  Mail is
 * neither given up by it nor frozen; and what is truly old is given up.
 */
#include "queue_test.h"

#include "regress/lib/test_clock.h"

#define DAY	86400

static void
wall_ahead(long long seconds)
{
	test_clock_set(seconds * 1000);
}

static void
begin_clock(void)
{
	begin();
	conf->queue.retry_min = 100;
	conf->queue.retry_max = 300;
	conf->queue.expire = 1000;
	conf->queue.delay_warning = 0;
	turn();
}

/* Later so many seconds, deliver is asked and says: not now. */
static void
tried_after(long long seconds)
{
	struct deliver_msg d;
	struct msg_id id;
	uint32_t ask;

	test_clock_pass(seconds * 1000);
	turn();
	CHECK((ask = asked(&d, &id)) != 0);
	tell(ask, DELIVERY_TEMP, "4.2.0");
}

static bool
is_quiet_after(long long seconds)
{
	struct deliver_msg d;
	struct msg_id id;

	test_clock_pass(seconds * 1000);
	turn();
	return asked(&d, &id) == 0;
}

/* authd is asked for the route of a report: it was given up. */
static bool
is_given_up(void)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };

	return msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf, &m, 20) == 1;
}

/* ---- within a life ------------------------------------------------------ */

static void
jumps_child(void)
{
	begin_clock();
	send_one(1, "a@b.test", 1);
	turn();
	tried_after(0);
	CHECK(is_quiet_after(70));
	wall_ahead(10 * DAY);
	CHECK(is_quiet_after(1) && !is_given_up());
	tried_after(100);
	CHECK(!is_given_up());
	wall_ahead(-13 * DAY);
	tried_after(300);		/* frozen for 23 days, else */
	CHECK(!is_given_up());
	tried_after(400);
	CHECK(!is_given_up());
	tried_after(400);		/* 1271 s: now it is */
	CHECK(is_given_up());
}

static void
test_jumps(void **state)
{
	empty_spool();
	in_child(jumps_child);
}

/* ---- between two -------------------------------------------------------- */

static void
first_child(void)
{
	begin_clock();
	send_one(1, "a@b.test", 1);
	turn();
	tried_after(0);
	CHECK(qlog_sync() == 0);
}

static void
ahead_child(void)
{
	wall_ahead(10 * DAY);
	begin_clock();
	tried_after(0);			/* the second time */
	CHECK(!is_given_up());
	CHECK(schedule_tries(conf, conf->queue.expire / 2) == 3);
	tried_after(300);		/* and that is half of what it had */
	CHECK(is_given_up());
}

static void
test_ahead_at_start(void **state)
{
	empty_spool();
	in_child(first_child);
	in_child(ahead_child);
}

/* Few attempts, as to a host with a long line, but time enough. */
static void
long_line_child(void)
{
	wall_ahead(10 * DAY);
	begin_clock();
	conf->queue.retry_min = 1;
	CHECK(schedule_tries(conf, conf->queue.expire / 2) > 5);
	tried_after(0);
	CHECK(!is_given_up());
	tried_after(1000);
	CHECK(is_given_up());
}

static void
test_long_line(void **state)
{
	empty_spool();
	in_child(first_child);
	in_child(long_line_child);
}

static void
behind_child(void)
{
	struct message *m;

	wall_ahead(-30 * DAY);
	begin_clock();
	CHECK((m = TAILQ_LAST(spool_segments(), segments)->slot[0].m) != NULL);
	CHECK(m->received <= clock_now());
	CHECK(is_quiet_after(10));
	tried_after(5 * 3600);		/* the longest wait, as it was read */
	CHECK(is_given_up());		/* it counts from this start */
}

static void
test_behind_at_start(void **state)
{
	empty_spool();
	in_child(first_child);
	in_child(behind_child);
}

/* What goes to disk is wall time. */
static void
written_child(void)
{
	struct message *m;

	begin_clock();
	wall_ahead(3 * DAY);
	send_one(1, "a@b.test", 1);
	turn();
	tried_after(0);
	CHECK(qlog_sync() == 0);
	m = TAILQ_LAST(spool_segments(), segments)->slot[0].m;
	CHECK(m->received <= clock_now());
}

static void
read_child(void)
{
	wall_ahead(3 * DAY);
	begin_clock();
	CHECK(is_quiet_after(50));	/* its next attempt is not due */
	tried_after(150);
	CHECK(!is_given_up());
}

static void
test_wall_on_disk(void **state)
{
	empty_spool();
	in_child(written_child);
	in_child(read_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_ahead_at_start),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_behind_at_start),
		cmocka_unit_test(test_wall_on_disk),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
