/*
 * common/net/serve: who is taken, who is refused with which word, and when
 * the process ends.  What common/proc does for a role is played.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/serve.h"

enum { CLEAR, TLS, LISTENERS };

static struct {
	struct event_base *base;
	struct conf	*conf;
	bool		 exited;
	struct sockaddr_in at[LISTENERS];
	struct conn	 taken[8];
	unsigned int	 ntaken;
	bool		 stopped;
} t;

/* ---- common/proc, played ----------------------------------------------- */

struct event_base *
proc_base(void)
{
	return t.base;
}

uint16_t
proc_instance(void)
{
	return 0;
}

const char *
proc_name(enum proc_role role)
{
	return "test";
}

void
proc_exit(int status)
{
	assert_int_equal(status, 0);
	t.exited = true;
}

/* ---- a protocol -------------------------------------------------------- */

static struct serve_limits
limits(void)
{
	return (struct serve_limits){ 3, 2 };
}

static const char *
refusal(enum serve_refusal why)
{
	static const char *const word[] = {
		[SERVE_BUSY] = "busy", [SERVE_MANY] = "many",
		[SERVE_SOURCE] = "source", [SERVE_PENALTY] = "penalty",
		[SERVE_STOPPING] = "stopping"
	};

	return word[why];
}

static void
begin(int fd, struct conn *conn, const struct conf_listen *cl)
{
	assert_true(t.ntaken < NITEMS(t.taken));
	t.taken[t.ntaken++] = *conn;
	close(fd);
}

static void
stop(void)
{
	t.stopped = true;
}

static const struct serve_ops ops = {
	.role = ROLE_SMTPD,
	.tls = PROTO_SMTPS,
	.stop_ms = 50,
	.limits = limits,
	.refusal = refusal,
	.begin = begin,
	.stop = stop,
};

static void
listener(unsigned int i, enum conf_protocol protocol)
{
	socklen_t len = sizeof(t.at[i]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	t.at[i] = (struct sockaddr_in){ .sin_family = AF_INET };
	t.at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&t.at[i], len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&t.at[i], &len),
	    0);
	t.conf->listen[i].protocol = protocol;
	serve_listener((uint16_t)i, fd);
}

static int
setup_all(void **state)
{
	t.base = event_base_new();
	t.conf = conf_new();
	t.conf->nlisten = LISTENERS;
	proc_conf_use(t.conf);
	return 0;
}

static int
setup(void **state)
{
	t.ntaken = 0;
	serve_load(&ops);
	listener(CLEAR, PROTO_SMTP);
	listener(TLS, PROTO_SMTPS);
	return 0;
}

/* What a client from 127.0.0.n is told before the end; "" nothing. */
static const char *
meet(unsigned int i, uint8_t n)
{
	static char text[64];
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t len;

	from.sin_addr.s_addr = htonl(0x7f000000 | n);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&t.at[i],
	    sizeof(t.at[i])), 0);
	event_base_loop(t.base, EVLOOP_ONCE);
	len = read(fd, text, sizeof(text) - 1);
	assert_true(len >= 0);
	text[len] = '\0';
	close(fd);
	return text;
}

/* ---- tests ------------------------------------------------------------- */

static void
test_refused(void **state)
{
	assert_string_equal(meet(CLEAR, 2), "");
	assert_string_equal(meet(TLS, 2), "");
	assert_int_equal(t.ntaken, 2);
	assert_string_equal(meet(CLEAR, 2), "source");
	assert_string_equal(meet(TLS, 2), "");	/* could not read it */
	assert_string_equal(meet(CLEAR, 3), "");
	assert_int_equal(t.ntaken, 3);
	assert_string_equal(meet(CLEAR, 4), "many");
	serve_close(&t.taken[0]);
	assert_string_equal(meet(CLEAR, 4), "");
	assert_int_equal(t.ntaken, 4);
	assert_false(t.exited);
}

/* Of a flood there is a line a second, and none is forgotten. */
static void
test_refusals_are_told(void **state)
{
	static const char said[] = "refused peer=127.0.0.2 protocol=smtp "
	    "why=\"too many connections from there\" more=";
	char buf[16384], *p;
	unsigned long lines = 0, more = 0, last = 0;
	unsigned int i, n = 0;
	ssize_t got;
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sp), 0);
	log_init("serve", sp[0]);
	meet(CLEAR, 2);
	meet(CLEAR, 2);
	for (i = 0; lines < 2 && i < 2000; i++) {
		assert_string_equal(meet(CLEAR, 2), "source");
		n++;
		log_flush();
		usleep(2000);
		while ((got = recv(sp[1], buf, sizeof(buf) - 1,
		    MSG_DONTWAIT)) > 0) {
			buf[got] = '\0';
			for (p = buf + 3; (p = strstr(p, said)) != NULL;) {
				p += sizeof(said) - 1;
				last = strtoul(p, NULL, 10);
				more += last;
				lines++;
			}
		}
	}
	log_init("serve", -1);
	close(sp[0]);
	close(sp[1]);
	assert_int_equal(lines, 2);
	assert_true(n > 2);
	assert_true(lines + more >= n && last > 0);
}

/* Who is known leaves a place to others of the source, none in the process. */
static void
test_known(void **state)
{
	meet(CLEAR, 2);
	meet(CLEAR, 2);
	conn_known(&t.taken[0]);
	conn_known(&t.taken[0]);
	assert_string_equal(meet(CLEAR, 2), "");
	assert_int_equal(t.ntaken, 3);
	assert_string_equal(meet(CLEAR, 2), "many");
	serve_close(&t.taken[0]);
	assert_string_equal(meet(CLEAR, 2), "source");
	assert_string_equal(meet(CLEAR, 3), "");
	assert_int_equal(t.ntaken, 4);
}

static void
test_last_one_ends_it(void **state)
{
	meet(CLEAR, 2);
	meet(CLEAR, 3);
	serve_stop();
	assert_true(serve_stopping());
	assert_true(t.stopped);
	assert_false(t.exited);
	serve_close(&t.taken[0]);
	assert_false(t.exited);
	serve_close(&t.taken[1]);
	assert_true(t.exited);
	/* maild sends a listener that it made before it knew */
	listener(CLEAR, PROTO_SMTP);
	assert_string_equal(meet(CLEAR, 2), "stopping");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_refusals_are_told, setup),
		cmocka_unit_test_setup(test_known, setup),
		/* the last: a process that stops does not begin again */
		cmocka_unit_test_setup(test_last_one_ends_it, setup),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}
