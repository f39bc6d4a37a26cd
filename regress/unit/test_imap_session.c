/*
 * imap-session as a program that tests can start: "serve FD DIR"
 * (nursery_play.c), used by regress/script/t_imap.  On its own it checks the
 * reader: lines and literals out of packets cut anywhere.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "nursery_play.h"

static struct frames	frames;
static int		front;

static void
put(const char *p, size_t n)
{
	char	 buf[MSG_MAX];

	buf[0] = SESSION_DATA;
	memcpy(buf + 1, p, n);
	assert_int_equal(send(front, buf, n + 1, 0), n + 1);
}

static void
open_pair(void)
{
	int	 sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	front = sv[0];
	frames_init(&frames, sv[1]);
}

static void
close_pair(void)
{
	close(front);
	close(frames.sock);
}

static void
test_line_cut_anywhere(void **state)
{
	static const char	 text[] = "a NOOP\r\nb LOGOUT\r\n";
	struct fbuf		 acc;
	size_t			 cut, n;
	char			*p;

	for (cut = 1; cut < sizeof(text) - 1; cut++) {
		memset(&acc, 0, sizeof(acc));
		open_pair();
		put(text, cut);
		put(text + cut, sizeof(text) - 1 - cut);
		assert_int_equal(frames_line(&frames, &acc, 100, &p, &n),
		    FRAMES_LINE);
		assert_int_equal(n, 8);
		assert_memory_equal(p, "a NOOP\r\n", 8);
		acc.n = 0;
		assert_int_equal(frames_line(&frames, &acc, 100, &p, &n),
		    FRAMES_LINE);
		assert_int_equal(n, 10);
		assert_memory_equal(p, "b LOGOUT\r\n", 10);
		fbuf_free(&acc);
		close_pair();
	}
}

static void
test_line_refused(void **state)
{
	static const struct {
		const char	*text;
		size_t		 n;
		enum frames_line want;
	} t[] = {
		{ "a\n", 2, FRAMES_BARE },
		{ "\n", 1, FRAMES_BARE },
		{ "a\rb\r\n", 5, FRAMES_BARE },
		{ "a\r\r\n", 4, FRAMES_BARE },
		{ "a\0\r\n", 4, FRAMES_BARE },
		{ "\r\n", 2, FRAMES_LINE },
		{ "12345678\r\n", 10, FRAMES_LINE },
		{ "123456789\r\n", 11, FRAMES_TOOLONG },
	};
	struct fbuf	 acc;
	size_t		 i, cut, n;
	char		*p;

	for (i = 0; i < NITEMS(t); i++)
		for (cut = 0; cut < t[i].n; cut++) {
			memset(&acc, 0, sizeof(acc));
			open_pair();
			put(t[i].text, cut);
			put(t[i].text + cut, t[i].n - cut);
			put("ok\r\n", 4);
			assert_int_equal(frames_line(&frames, &acc, 10, &p,
			    &n), t[i].want);
			acc.n = 0;
			assert_int_equal(frames_line(&frames, &acc, 10, &p,
			    &n), FRAMES_LINE);
			assert_int_equal(n, 4);
			fbuf_free(&acc);
			close_pair();
		}
}

static void
test_flood_ends(void **state)
{
	static char	 block[MSG_MAX - 1];
	struct fbuf	 acc = { 0 };
	size_t		 n;
	char		*p;
	int		 i, status;
	pid_t		 pid;

	open_pair();
	memset(block, 'x', sizeof(block));
	block[0] = SESSION_DATA;
	if ((pid = fork()) == 0) {
		close(frames.sock);
		for (i = 0; i < 1000; i++)
			if (send(front, block, sizeof(block),
			    MSG_NOSIGNAL) == -1)
				_exit(0);
		_exit(1);
	}
	close(front);
	assert_int_equal(frames_line(&frames, &acc, 1000, &p, &n),
	    FRAMES_GONE);
	close(frames.sock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fbuf_free(&acc);
}

static void
test_bye_and_eof(void **state)
{
	char		 bye = SESSION_BYE;
	struct fbuf	 acc = { 0 };
	size_t		 n;
	char		*p;

	open_pair();
	put("half a li", 9);
	assert_int_equal(send(front, &bye, 1, 0), 1);
	assert_int_equal(frames_line(&frames, &acc, 100, &p, &n),
	    FRAMES_GONE);
	fbuf_free(&acc);
	close_pair();
	open_pair();
	close(front);
	front = -1;
	assert_int_equal(frames_line(&frames, &acc, 100, &p, &n),
	    FRAMES_GONE);
	frames_puts(&frames, "nobody hears");
	frames_flush(&frames);
	close_pair();
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_cut_anywhere),
		cmocka_unit_test(test_line_refused),
		cmocka_unit_test(test_flood_ends),
		cmocka_unit_test(test_bye_and_eof),
	};
	int	 r;

	if ((r = nursery_play(argc, argv, session_main)) != -1)
		return (r);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
