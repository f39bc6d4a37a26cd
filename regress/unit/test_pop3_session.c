/*
 * pop3-session as a program that tests can start: "serve FD DIR"
 * (nursery_play.c), used by regress/script/t_pop3.  On its own it checks
 * nothing but that a front that says nothing ends the session.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"
#include "nursery_play.h"

static void
test_front_gone(void **state)
{
	int	 sv[2];
	char	 c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	shutdown(sv[0], SHUT_WR);
	assert_int_equal(session_main(sv[1], NULL, NULL), 0);
	close(sv[1]);
	assert_int_equal(recv(sv[0], &c, 1, 0), 0);
	close(sv[0]);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_front_gone),
	};
	int	 r;

	if ((r = nursery_play(argc, argv, session_main)) != -1)
		return (r);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
