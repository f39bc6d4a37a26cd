/*
 * What an account has waiting: the number through commit, delivery, copy and
 * restart.
 */
#include "queue_test.h"

static void
numbers_child(void)
{
	struct deliver_msg d;
	struct msg_id id;
	uint32_t ask, i;

	begin();
	CHECK(account_waiting(7) == 0 && account_waiting(0) == 0);
	send_for(1, 7, 300);
	CHECK(account_waiting(7) == 300);	/* before it is on disk, too */
	send_for(2, 7, 2);
	send_for(3, 8, 5);
	send_for(4, 0, 5);
	turn();
	CHECK(nanswers == 4 && last_result == QUEUE_OK);
	CHECK(account_waiting(7) == 302 && account_waiting(8) == 5);
	CHECK(account_waiting(0) == 0);
	CHECK((ask = asked(&d, &id)) != 0);
	tell(ask, DELIVERY_OK, "2.0.0");	/* one of the 300 */
	CHECK(account_waiting(7) == 301);
	for (i = 1000; i < 3000; i++)		/* a table that grows */
		send_for((uint8_t)i, i, 1);
	for (i = 1000; i < 3000; i++)
		CHECK(account_waiting(i) == 1);
	turn();
	CHECK(qlog_sync() == 0);
}

static void
numbers_again(void)
{
	begin();
	CHECK(account_waiting(7) == 301 && account_waiting(8) == 5);
	CHECK(account_waiting(0) == 0 && account_waiting(2999) == 1);
}

static void
test_numbers(void **state)
{
	empty_spool();
	in_child(numbers_child);
	in_child(numbers_again);
}

/* A group that cannot be written is not waiting. */
static void
refused_child(void)
{
	struct segment *s;

	begin();
	send_for(1, 7, 1);
	turn();
	CHECK(account_waiting(7) == 1);
	send_for(2, 7, 3);
	CHECK(account_waiting(7) == 4);
	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->fd != -1)
			CHECK(dup2(open("/dev/full", O_RDWR), s->fd) != -1);
	turn();
	CHECK(nanswers == 2 && last_result != QUEUE_OK);
	CHECK(account_waiting(7) == 1);
}

static void
test_refused(void **state)
{
	empty_spool();
	in_child(refused_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
