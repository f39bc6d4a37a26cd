/*
 * Channels: what is permitted arrives whole, what is not ends that channel
 * and nothing else; every ask is called back exactly once.
 */
#include "base/compat.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"

static struct {
	struct event_base *base;
	struct chan	*a, *b;
	int		 raw;		/* the test's own end, when one is */
	int		 gone_a, gone_b, asked, answers, nulls, notices;
	char		 user[64];
	const char	*password;	/* where it was received */
	uint32_t	 other;		/* an ask to be forgotten */
} t;

static void
gone_a(struct chan *c, void *arg)
{
	t.gone_a++;
	t.a = NULL;
}

static void
gone_b(struct chan *c, void *arg)
{
	t.gone_b++;
	t.b = NULL;
}

static void
on_login(struct chan *c, struct msg *m, void *arg)
{
	struct auth_login_r r = { AUTH_OK, 7, m->body->auth_login.user, 0 };

	t.asked++;
	slice_cpy(m->body->auth_login.user, t.user, sizeof(t.user));
	t.password = m->body->auth_login.password.p;
	assert_memory_equal(t.password, "secret", 6);
	chan_reply(c, m->id, AUTH_LOGIN_R, &r, NULL, 0);
}

static void
on_close(struct chan *c, struct msg *m, void *arg)
{
	t.notices++;
}

static void
on_silent(struct chan *c, struct msg *m, void *arg)
{
	t.asked++;
}

static void
on_answer(struct chan *c, struct msg *m, void *arg)
{
	if (m == NULL)
		t.nulls++;
	else {
		t.answers++;
		assert_int_equal(m->body->auth_login_r.account, 7);
	}
}

static const struct chan_handler handlers[] = {
	{ AUTH_LOGIN,		on_login },
	{ AUTH_CLOSE_EV,	on_close },
	{ DIR_SENDER,		on_silent },
};

static void
turns(int n)
{
	while (n-- > 0)
		event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static int
setup(void **state)
{
	const struct chan_ops ops_b = { gone_b, NULL };
	int sv[2];
	struct event_base *base = t.base;	/* one a process, as in a role */

	memset(&t, 0, sizeof(t));
	log_setlevel(LOG_L_ERROR);
	t.base = base != NULL ? base : event_base_new();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1)
		return -1;
	t.raw = sv[0];
	t.b = chan_new(t.base, sv[1], CHAN_AUTH, SIDE_B, handlers,
	    NITEMS(handlers), &ops_b, NULL);
	return 0;
}

static void
make_a(void)
{
	const struct chan_ops ops_a = { gone_a, NULL };

	t.a = chan_new(t.base, t.raw, CHAN_AUTH, SIDE_A, NULL, 0, &ops_a, NULL);
	t.raw = -1;
}

static int
teardown(void **state)
{
	chan_free(t.a);
	chan_free(t.b);
	if (t.raw != -1)
		close(t.raw);
	return 0;
}

static const struct auth_login login = {
	1, 2, { 4, { 127, 0, 0, 1 }, 99 }, { "alice", 5 }, { "secret", 6 }
};

static void
test_ask_answer(void **state)
{
	int i;

	make_a();
	for (i = 0; i < 1000; i++)
		assert_true(chan_ask(t.a, AUTH_LOGIN, &login, NULL, 0, 5000,
		    on_answer, NULL) != 0);
	turns(200);
	assert_int_equal(t.asked, 1000);
	assert_int_equal(t.answers, 1000);
	assert_string_equal(t.user, "alice");
}

static void
test_peer_lost_calls_back_once(void **state)
{
	const struct dir_sender q = { 1, { "a@b", 3 } };

	make_a();
	chan_ask(t.a, DIR_SENDER, &q, NULL, 0, 5000, on_answer, NULL);
	turns(3);
	chan_free(t.b);
	t.b = NULL;
	turns(3);
	assert_int_equal(t.nulls, 1);
	assert_int_equal(t.gone_a, 1);
}

static void
test_timeout_calls_back_once(void **state)
{
	const struct dir_sender q = { 1, { "a@b", 3 } };
	int i;

	make_a();
	chan_ask(t.a, DIR_SENDER, &q, NULL, 0, 50, on_answer, NULL);
	for (i = 0; i < 60; i++) {
		usleep(10000);
		turns(1);
	}
	assert_int_equal(t.nulls, 1);
	assert_int_equal(t.gone_a, 0);
}

static void
on_late(struct chan *c, struct msg *m, void *arg)
{
	t.nulls++;
	chan_forget(c, t.other);
}

/* A session that ends at the first of two timeouts forgets the second. */
static void
test_forgotten_in_the_same_tick(void **state)
{
	const struct dir_sender q = { 1, { "a@b", 3 } };
	uint32_t first;
	int i;

	make_a();
	first = chan_ask(t.a, DIR_SENDER, &q, NULL, 0, 50, on_late, NULL);
	t.other = chan_ask(t.a, DIR_SENDER, &q, NULL, 0, 50, on_late, NULL);
	assert_true(first != 0 && t.other != 0);
	for (i = 0; i < 60; i++) {
		usleep(10000);
		turns(1);
	}
	assert_int_equal(t.nulls, 1);
}

static void
test_secret_wiped_after_use(void **state)
{
	static const char zero[6];

	make_a();
	chan_ask(t.a, AUTH_LOGIN, &login, NULL, 0, 5000, on_answer, NULL);
	turns(5);
	assert_int_equal(t.answers, 1);
	assert_memory_equal(t.password, zero, sizeof(zero));
}

/* The queue of a peer that does not read has an end, and so has the channel. */
static void
test_peer_that_does_not_read(void **state)
{
	static char routes[12000];
	const struct dir_rcpt_r r = { DIR_OK, { "a@b", 3 },
	    { routes, sizeof(routes) }, { { 0 } } };
	int i;

	for (i = 0; i < 12000 && t.gone_b == 0; i++) {
		chan_reply(t.b, 1, DIR_RCPT_R, &r, NULL, 0);
		turns(1);
	}
	assert_int_equal(t.gone_b, 1);
	assert_in_range(i, 5000, 11000);
}

/* Descriptors that it does not take are ours, and no more than some. */
static void
test_peer_that_takes_no_descriptors(void **state)
{
	static const struct chan_ops ops = { NULL, NULL };
	const struct nursery_spawn_ev e = { .grant = 1 };
	const int fd[2] = { STDIN_FILENO, STDIN_FILENO };
	struct rlimit rl;
	struct chan *c;
	int sv[2], i;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	if (rl.rlim_max < 8192)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	c = chan_new(t.base, sv[0], CHAN_MAIN, SIDE_A, NULL, 0, &ops, NULL);
	for (i = 0; i < 8192; i++) {
		if (chan_send(c, NURSERY_SPAWN_EV, &e, fd, 2) == -1)
			break;
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	}
	assert_in_range(i, 2048, 4096);
	/* other messages go on, and descriptors when it reads again */
	assert_int_equal(chan_send(c, CONF_END, &(struct conf_end){ 1 }, NULL,
	    0), 0);
	for (; i > 0; i--) {
		char buf[MSG_MAX];

		assert_true(recv(sv[1], buf, sizeof(buf), 0) > 0);
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(chan_send(c, NURSERY_SPAWN_EV, &e, fd, 2), 0);
	chan_free(c);
	close(sv[1]);
}

static int
fds_open(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* Send raw octets; the channel must end, and only it. */
static void
refuse(const void *p, size_t n, const int *fds, int nfd)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int) * 4)]; } c;
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfd > 0) {
		mh.msg_control = c.b;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfd);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfd);
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * (size_t)nfd);
	}
	assert_int_equal(sendmsg(t.raw, &mh, 0), n);
	turns(3);
	assert_int_equal(t.gone_b, 1);
}

static void
test_wrong_sender(void **state)
{
	uint8_t buf[MSG_MAX];
	struct auth_login_r r = { AUTH_OK, 1, { "x", 1 }, 0 };

	refuse(buf, (size_t)msg_encode(buf, AUTH_LOGIN_R, 1, &r), NULL, 0);
}

static void
test_wrong_channel(void **state)
{
	uint8_t buf[MSG_MAX];
	struct queue_known q = { { { 0 } } };

	refuse(buf, (size_t)msg_encode(buf, QUEUE_KNOWN, 1, &q), NULL, 0);
}

static void
test_not_handled(void **state)
{
	uint8_t buf[MSG_MAX];
	struct dir_rcpt q = { 1, { 0 }, { "a", 1 }, 0 };

	refuse(buf, (size_t)msg_encode(buf, DIR_RCPT, 1, &q), NULL, 0);
}

static void
test_too_short(void **state)
{
	uint8_t buf[MSG_MAX];
	ssize_t n = msg_encode(buf, AUTH_LOGIN, 1, &login);

	refuse(buf, (size_t)n - 1, NULL, 0);
}

static void
test_truncated_packet(void **state)
{
	static uint8_t buf[MSG_MAX + 100];

	msg_encode(buf, AUTH_LOGIN, 1, &login);
	refuse(buf, sizeof(buf), NULL, 0);
}

static void
test_nul_in_text(void **state)
{
	uint8_t buf[MSG_MAX];
	ssize_t n = msg_encode(buf, AUTH_LOGIN, 1, &login);

	buf[n - 1] = 0;
	refuse(buf, (size_t)n, NULL, 0);
}

static void
test_ask_without_id(void **state)
{
	uint8_t buf[MSG_MAX];

	refuse(buf, (size_t)msg_encode(buf, AUTH_LOGIN, 0, &login), NULL, 0);
}

static void
test_unwanted_descriptor(void **state)
{
	uint8_t buf[MSG_MAX];
	int fd = open("/dev/null", O_RDONLY);

	refuse(buf, (size_t)msg_encode(buf, AUTH_LOGIN, 1, &login), &fd, 1);
	close(fd);
}

static void
test_superfluous_descriptors(void **state)
{
	uint8_t buf[MSG_MAX];
	int fd = open("/dev/null", O_RDONLY), fds[4] = { fd, fd, fd, fd };
	int n = fds_open();

	refuse(buf, (size_t)msg_encode(buf, AUTH_LOGIN, 1, &login), fds, 4);
	assert_int_equal(fds_open(), n - 1);	/* the channel's own */
	close(fd);
}

/* Who dies with something unread: what he said before is heard all the same. */
static void
test_last_words_of_who_has_not_read(void **state)
{
	static uint8_t buf[MSG_MAX];
	struct auth_login_r r = { AUTH_OK, 7, slice_str("x"), 0 };
	union msg_body body;
	struct msg m = { .body = &body };
	size_t n = (size_t)msg_encode(buf, AUTH_LOGIN, 1, &login);
	int sv[2];

	chan_reply(t.b, 5, AUTH_LOGIN_R, &r, NULL, 0);
	turns(1);			/* it is unread in t.raw */
	assert_int_equal(send(t.raw, buf, n, 0), (ssize_t)n);
	close(t.raw);
	t.raw = -1;
	turns(3);
	assert_int_equal(t.asked, 1);
	assert_int_equal(t.gone_b, 1);
	/* of who reads and waits */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(send(sv[0], buf, n, 0), (ssize_t)n);
	assert_int_equal(send(sv[1], "unread", 6, 0), 6);
	close(sv[0]);
	assert_int_equal(msg_recv(sv[1], CHAN_AUTH, SIDE_A, buf, &m, 1000), 1);
	assert_int_equal(m.type, AUTH_LOGIN);
	assert_int_equal(msg_recv(sv[1], CHAN_AUTH, SIDE_A, buf, &m, 1000), 0);
	close(sv[1]);
}

/* What is queued behind an empty packet is taken, and its descriptors too. */
static void
test_descriptors_behind_an_empty_packet(void **state)
{
	uint8_t buf[MSG_MAX];
	int fd = open("/dev/null", O_RDONLY), n = fds_open();

	assert_int_equal(send(t.raw, buf, 0, 0), 0);
	refuse(buf, (size_t)msg_encode(buf, AUTH_LOGIN, 1, &login), &fd, 1);
	assert_int_equal(fds_open(), n - 1);
	close(fd);
}

static void
test_answer_to_another_question(void **state)
{
	const struct chan_ops ops = { gone_a, NULL };
	const struct dir_sender q = { 1, { "a@b", 3 } };
	struct auth_login_r r = { AUTH_OK, 7, { "x", 1 }, 0 };
	uint8_t buf[MSG_MAX];
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	t.a = chan_new(t.base, sv[0], CHAN_AUTH, SIDE_A, NULL, 0, &ops, NULL);
	assert_int_equal(chan_ask(t.a, DIR_SENDER, &q, NULL, 0, 0, on_answer,
	    NULL), 1);
	turns(2);
	assert_true(send(sv[1], buf,
	    (size_t)msg_encode(buf, AUTH_LOGIN_R, 1, &r), 0) > 0);
	turns(2);
	assert_int_equal(t.gone_a, 1);
	assert_int_equal(t.nulls, 1);
	assert_int_equal(t.answers, 0);
	close(sv[1]);
}

/* Random packets: a channel ends or not, this process goes on. */
static void
test_random_packets(void **state)
{
	static const struct chan_handler any[] = {
		{ AUTH_LOGIN, on_silent }, { AUTH_CLOSE_EV, on_silent },
		{ DIR_SENDER, on_silent },
	};
	const struct chan_ops ops = { gone_b, NULL };
	uint8_t buf[256];
	int i, sv[2];
	size_t n;

	srandom(1);
	for (i = 0; i < 20000; i++) {
		for (n = 0; n < sizeof(buf); n++)
			buf[n] = (uint8_t)random();
		if (i % 2)
			buf[0] %= 16, buf[1] = CHAN_AUTH,
			    buf[2] = buf[3] = 0;
		if (t.b == NULL) {
			close(t.raw);
			assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET,
			    0, sv), 0);
			t.raw = sv[0];
			t.b = chan_new(t.base, sv[1], CHAN_AUTH, SIDE_B,
			    any, NITEMS(any), &ops, NULL);
		}
		send(t.raw, buf, 1 + (size_t)random() % sizeof(buf), 0);
		turns(2);
	}
	assert_true(t.gone_b > 19000);
}

/* Every message with its fields full comes back the same. */
static void
test_every_message_round_trip(void **state)
{
	static uint8_t wire[MSG_MAX], back[MSG_MAX];
	static union msg_body body, got;
	struct msg m = { .body = &got };
	const char *why;
	ssize_t n, k;
	int type;

	for (type = 0; type < MSG_TYPE_MAX; type++) {
		const struct msg_info *info = &msg_info[type];
		int nfd = info->flags & MF_FD ? 1 : info->flags & MF_FD2 ? 2 : 0;

		memset(&body, 0, sizeof(body));
		n = msg_encode(wire, (enum msg_type)type,
		    info->flags & MF_EV ? 0 : 5, &body);
		assert_true(n > MSG_HDR);
		if (type == AUTH_LOGIN) {
			body.auth_login = login;
			n = msg_encode(wire, AUTH_LOGIN, 5, &body);
		}
		assert_int_equal(msg_decode(wire, (size_t)n, info->chan,
		    info->sender, nfd, &m, &why), 0);
		k = msg_encode(back, m.type, m.id, &got);
		assert_int_equal(k, n);
		assert_memory_equal(wire, back, (size_t)n);
	}
}

/* No prefix of a message is read past its end; test_msg has which are
 * refused. */
static void
test_cut_at_every_byte(void **state)
{
	uint8_t wire[MSG_MAX], *copy;
	union msg_body got;
	struct msg m = { .body = &got };
	const char *why;
	ssize_t i, n = msg_encode(wire, AUTH_LOGIN, 5, &login);

	for (i = 0; i < n; i++) {
		copy = malloc((size_t)i + (i == 0));
		memcpy(copy, wire, (size_t)i);
		if (msg_decode(copy, (size_t)i, CHAN_AUTH, SIDE_A, 0, &m,
		    &why) == 0)
			assert_true(got.auth_login.password.n == 0);
		free(copy);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ask_answer), T(test_peer_lost_calls_back_once),
		T(test_timeout_calls_back_once),
		T(test_forgotten_in_the_same_tick),
		T(test_secret_wiped_after_use),
		T(test_peer_that_does_not_read),
		T(test_peer_that_takes_no_descriptors), T(test_wrong_sender),
		T(test_wrong_channel), T(test_not_handled), T(test_too_short),
		T(test_truncated_packet), T(test_nul_in_text),
		T(test_ask_without_id), T(test_unwanted_descriptor),
		T(test_superfluous_descriptors),
		T(test_last_words_of_who_has_not_read),
		T(test_descriptors_behind_an_empty_packet),
		T(test_answer_to_another_question), T(test_random_packets),
		T(test_every_message_round_trip), T(test_cut_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
