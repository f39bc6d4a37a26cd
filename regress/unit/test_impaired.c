/*
 * What impairs the service, from proc_impaired() in a role to the list that
 * maild keeps: told once, bounded, over when it is over.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/impl.h"
#include "proc/proc.h"
#include "maild/maild.h"

static struct house house;
static struct child queue = { .house = &house, .role = ROLE_QUEUE };
static struct child deliver = { .house = &house, .role = ROLE_DELIVER,
    .instance = 1 };
static int ours;			/* maild's end of the channel */

/* What waits on the channel goes to the list; how many messages. */
static unsigned int
take(struct child *c)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	unsigned int n = 0;

	while (msg_recv(ours, CHAN_MAIN, SIDE_B, buf, &m, 0) == 1) {
		assert_int_equal(m.type, PROC_IMPAIRED_EV);
		impaired_on_ev(NULL, &m, c);
		n++;
	}
	return n;
}

static const char *
list(void)
{
	static char buf[4096];

	impaired_list(&house, buf, sizeof(buf));
	return buf;
}

static const char *
of(const struct child *c)
{
	static char buf[4096];

	impaired_text(&house, c, "; ", buf, sizeof(buf));
	return buf;
}

static void
test_told_once(void **state)
{
	proc_impaired("spool", "/spool has %d MiB free", 3);
	proc_impaired("spool", "/spool has %d MiB free", 3);
	assert_int_equal(take(&queue), 1);
	assert_string_equal(list(), "queue: spool: /spool has 3 MiB free");
	assert_true(impaired_is(&house, &queue));
	assert_false(impaired_is(&house, &deliver));
	proc_impaired("spool", "/spool has %d MiB free", 2);
	proc_impaired("segment", "segment 7 cannot be read");
	assert_int_equal(take(&queue), 2);
	assert_string_equal(of(&queue), "spool: /spool has 2 MiB free; "
	    "segment: segment 7 cannot be read");
	proc_impaired_over("spool");
	proc_impaired_over("spool");
	proc_impaired_over("never");
	assert_int_equal(take(&queue), 1);
	assert_string_equal(of(&queue), "segment: segment 7 cannot be read");
	proc_impaired("spool", "/spool has 3 MiB free");
	assert_int_equal(take(&queue), 1);
	proc_impaired_over("spool");
	proc_impaired_over("segment");
	assert_int_equal(take(&queue), 2);
	assert_false(impaired_any(&house));
}

/* What is longer is cut; nothing of a terminal's controls stays. */
static void
test_bounds(void **state)
{
	char id[16], text[800];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[3] = '\n';
	text[4] = '\033';
	for (int i = 0; i < PROC_IMPAIRED_MAX + 4; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		proc_impaired(id, "%s", text);
		proc_impaired(id, "%s", text);
	}
	assert_int_equal(take(&queue), PROC_IMPAIRED_MAX);
	assert_ptr_equal(strchr(of(&queue), '\n'), NULL);
	assert_ptr_equal(strchr(of(&queue), '\033'), NULL);
	assert_ptr_equal(strstr(list(), "c16:"), NULL);
	assert_int_equal(strlen(list()), 4095);
	/* maild's own stay apart, and are not crowded out */
	impaired_set(&house, &queue, "c0", "mine");
	impaired_set(&house, NULL, "c0", "of the house");
	assert_string_equal(of(NULL), "c0: of the house");
	impaired_died(&queue);
	assert_string_equal(list(), "queue: c0: mine\nmaild: c0: of the house");
	queue.instance = 1;		/* one of several says which it is */
	assert_string_equal(list(),
	    "queue[1]: c0: mine\nmaild: c0: of the house");
	queue.instance = 0;
	impaired_over(&house, NULL, "c0");
	impaired_forget(&queue);
	assert_false(impaired_any(&house));
}

/* A process that does not keep to the rules fills no more than its share. */
static void
test_a_broken_process(void **state)
{
	char id[16];
	union msg_body body;
	struct msg m = { .type = PROC_IMPAIRED_EV, .body = &body };

	memset(&body, 0, sizeof(body));
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "%d", i);
		body.proc_impaired_ev.id = slice_str(id);
		body.proc_impaired_ev.text = slice_str("x");
		impaired_on_ev(NULL, &m, &deliver);
	}
	assert_string_equal(of(&deliver) + strlen(of(&deliver)) - 5, "15: x");
	assert_ptr_equal(strstr(of(&deliver), "16:"), NULL);
	impaired_set(&house, &queue, "x", "y");
	impaired_died(&deliver);
	assert_string_equal(list(), "queue: x: y");
	impaired_over(&house, &queue, "x");
	assert_false(impaired_any(&house));
}

/* A warning is listed and is no harm; it may become one, and is over like one. */
static void
test_warnings(void **state)
{
	char text[200];

	proc_warned("certificate", "ends in %d days", 3);
	proc_warned("certificate", "ends in %d days", 3);
	assert_int_equal(take(&queue), 1);
	assert_string_equal(list(), "warning: queue: certificate: ends in 3 "
	    "days");
	assert_false(impaired_any(&house));
	assert_false(impaired_is(&house, &queue));
	assert_string_equal(of(&queue), "");
	warned_text(&house, &queue, "; ", text, sizeof(text));
	assert_string_equal(text, "certificate: ends in 3 days");
	impaired_set(&house, NULL, "spool", "full");
	assert_string_equal(list(), "maild: spool: full\nwarning: queue: "
	    "certificate: ends in 3 days");
	impaired_over(&house, NULL, "spool");
	proc_impaired("certificate", "ends in %d days", 3);
	assert_int_equal(take(&queue), 1);
	assert_true(impaired_is(&house, &queue));
	assert_string_equal(list(), "queue: certificate: ends in 3 days");
	proc_warned("certificate", "ends in %d days", 3);
	assert_int_equal(take(&queue), 1);
	assert_false(impaired_any(&house));
	proc_impaired_over("certificate");
	assert_int_equal(take(&queue), 1);
	assert_string_equal(list(), "");
}

int
main(void)
{
	static const struct role role = { .id = ROLE_QUEUE };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_a_broken_process),
	};
	int sv[2], big = 1024 * 1024;

	TAILQ_INIT(&house.conditions);
	log_setlevel(LOG_L_ERROR);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1 ||
	    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big)) == -1)
		return 1;
	ours = fcntl(sv[1], F_DUPFD_CLOEXEC, 10);
	if (dup2(sv[0], PROC_FD_MAIN) == -1)
		return 1;
	proc_state.role = &role;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
