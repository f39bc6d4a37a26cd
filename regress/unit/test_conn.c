/*
 * common/conn: limits and penalties by source, over two "processes" that
 * share the memory.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "msg/msg.h"
#include "net/conn.h"

static enum conn_verdict
open_from(struct conn *c, const char *ip, unsigned int max)
{
	struct sockaddr_in s4 = { .sin_family = AF_INET };
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, ip, &s4.sin_addr) == 1)
		return conn_open(c, (struct sockaddr *)&s4, 1000, max);
	assert_int_equal(inet_pton(AF_INET6, ip, &s6.sin6_addr), 1);
	return conn_open(c, (struct sockaddr *)&s6, 1000, max);
}

static void
test_limits(void **state)
{
	struct conn a[3], b, c;
	char text[46];
	int i;

	assert_int_equal(conn_start(-1, 0), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(open_from(&a[i], "192.0.2.1", 3), CONN_OK);
	assert_int_equal(open_from(&b, "192.0.2.1", 3), CONN_SOURCE);
	conn_close(&b);			/* was not counted */
	assert_int_equal(open_from(&b, "192.0.2.2", 3), CONN_OK);
	assert_int_equal(conn_count(), 4);
	conn_close(&a[0]);
	conn_close(&a[0]);		/* once only */
	assert_int_equal(conn_count(), 3);
	assert_int_equal(open_from(&c, "::ffff:192.0.2.1", 3), CONN_OK);
	assert_string_equal(conn_text(&c.peer, text), "192.0.2.1");
	/* one /64 is one source */
	assert_int_equal(open_from(&a[0], "2001:db8::1", 1), CONN_OK);
	assert_int_equal(open_from(&c, "2001:db8::2", 1), CONN_SOURCE);
	assert_int_equal(open_from(&c, "2001:db8:0:1::2", 1), CONN_OK);
	assert_string_equal(conn_text(&c.peer, text), "2001:db8:0:1::2");
}

static void
test_total(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct conn c;

	assert_int_equal(conn_start(-1, 0), 0);
	assert_int_equal(conn_open(&c, (struct sockaddr *)&sin, 1, 10),
	    CONN_OK);
	assert_int_equal(conn_open(&c, (struct sockaddr *)&sin, 1, 10),
	    CONN_MANY);
}

static void
test_penalty(void **state)
{
	struct conn a, b;
	int i;

	assert_int_equal(conn_start(-1, 0), 0);
	assert_int_equal(open_from(&a, "198.51.100.1", 9), CONN_OK);
	conn_penalty(&a, CONN_PENALTY_MAX - 1);
	assert_int_equal(open_from(&b, "198.51.100.1", 9), CONN_OK);
	conn_penalty(&a, 1);
	assert_int_equal(open_from(&b, "198.51.100.1", 9), CONN_PENALTY);
	assert_int_equal(open_from(&b, "198.51.100.2", 9), CONN_OK);
	assert_int_equal(open_from(&a, "127.0.0.1", 9), CONN_OK);
	for (i = 0; i < 10; i++)
		conn_penalty(&a, CONN_PENALTY_MAX);
	assert_int_equal(open_from(&b, "127.0.0.1", 9), CONN_OK);
}

/* Two processes count together; one that starts again forgets its own. */
static void
test_shared(void **state)
{
	int fd = memfd_create("t", MFD_CLOEXEC);
	struct conn a, b;

	assert_int_equal(ftruncate(fd, (off_t)conn_size()), 0);
	assert_int_equal(conn_start(fd, 0), 0);
	assert_int_equal(open_from(&a, "203.0.113.9", 2), CONN_OK);
	assert_int_equal(conn_start(fd, 1), 0);
	assert_int_equal(open_from(&a, "203.0.113.9", 2), CONN_OK);
	assert_int_equal(open_from(&b, "203.0.113.9", 2), CONN_SOURCE);
	assert_int_equal(conn_start(fd, 0), 0);
	assert_int_equal(open_from(&a, "203.0.113.9", 2), CONN_OK);
	assert_int_equal(open_from(&b, "203.0.113.9", 2), CONN_SOURCE);
	close(fd);
}

/* More sources than places: the table stays what it is. */
static void
test_many(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct conn c;
	uint32_t i;

	assert_int_equal(conn_start(-1, 0), 0);
	for (i = 0; i < 100000; i++) {
		sin.sin_addr.s_addr = htonl(0x0a000000 + i);
		assert_int_equal(conn_open(&c, (struct sockaddr *)&sin,
		    200000, 1), CONN_OK);
		if (i % 2)
			conn_close(&c);
	}
	assert_int_equal(conn_count(), 50000);
}

/* The 17th process starts and forgets what the first one counted; that one
 * goes on without ever counting below zero. */
static void
test_more_processes_than_counters(void **state)
{
	struct conn a, b;
	int fd = memfd_create("sources", 0), status = -1;
	pid_t pid;

	assert_int_equal(ftruncate(fd, (off_t)conn_size()), 0);
	assert_int_equal(conn_start(fd, 0), 0);
	assert_int_equal(open_from(&a, "192.0.2.9", 2), CONN_OK);
	if ((pid = fork()) == 0)
		_exit(conn_start(fd, CONN_INSTANCES) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	conn_close(&a);
	assert_int_equal(open_from(&a, "192.0.2.9", 2), CONN_OK);
	assert_int_equal(open_from(&b, "192.0.2.9", 2), CONN_OK);
	assert_int_equal(open_from(&b, "192.0.2.9", 2), CONN_SOURCE);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_penalty),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_more_processes_than_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
