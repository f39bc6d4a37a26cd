/*
 * What the tests of queue share: a spool in a scratch directory and all of
 * queue on it, with the test in the place of smtpd, deliver and
 * authd.
 */
#ifndef QUEUE_TEST_H
#define QUEUE_TEST_H

#include "base/compat.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define TEXT	"Subject: x\r\n\r\nbody\r\n"
#define UNUSED	__attribute__((unused))

static char dir[] = "/tmp/test_queue.XXXXXX";
static unsigned int ndone;

/* Those that are done are counted. */
static UNUSED void
done(struct message *m)
{
	ndone++;
	queue_message_done(m);
}

/* In a child: a failure ends it, cmocka is the parent's. */
#define CHECK(x)	do {						\
	if (!(x)) {							\
		fprintf(stderr, "# line %d: %s\n", __LINE__, #x);	\
		_exit(1);						\
	}								\
} while (0)

static struct event_base *base;
static struct conf *conf;
static int deliver_end, auth_end;
static enum queue_result last_result;
static unsigned int nanswers;

static UNUSED void
answered(void *arg, enum queue_result r, struct message *m)
{
	last_result = r;
	nanswers++;
}

static UNUSED void
turn(void)
{
	int i;

	for (i = 0; i < 6; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);	/* its clock is a coarse one */
	}
}

/* All of queue, on dir. */
static UNUSED void
begin(void)
{
	static const struct result_ops counted = { bounce_message,
	    bounce_room, post_full, post_used, warning_send, done };
	int fd = open(dir, O_RDONLY | O_DIRECTORY), sv[2];

	log_setlevel(LOG_L_ERROR);
	conf = conf_new();
	conf->hostname = xstrdup("mx.b.test");
	conf->queue.retry_min = 1;
	proc_conf_use(conf);
	base = event_base_new();
	CHECK(queue_init(base, fd) == 0);
	result_init(&counted);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	local_channel(base, 0, sv[0]);
	deliver_end = sv[1];
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	post_channel(CHAN_AUTH, base, sv[0]);
	auth_end = sv[1];
}

static UNUSED void
send_one(uint8_t commit, const char *sender, uint32_t account)
{
	struct env_rcpt r = { .type = ROUTE_LOCAL, .state = RCPT_WAIT,
	    .account = account, .address = SLICE_LIT("x@b.test"),
	    .orig = { "", 0 } };
	struct commit c = { .fd = -1, .rcpt = &r, .nrcpt = 1,
	    .size = sizeof(TEXT) - 1, .fn = answered };

	c.env = (struct envelope){ .received = now_sec(),
	    .sid = SLICE_LIT("s1"), .sender = slice_str(sender),
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = { "", 0 } };
	c.env.commit.b[0] = commit;
	c.body[0] = SLICE_LIT(TEXT);
	commit_add(&c);
}

static uint32_t send_next;		/* when they are to be tried */

/* Submitted by account, to n others. */
static UNUSED void
send_for(uint8_t commit, uint32_t account, unsigned int n)
{
	struct env_rcpt *r = xcalloc(n, sizeof(*r));
	struct commit c = { .fd = -1, .rcpt = r, .nrcpt = n,
	    .size = sizeof(TEXT) - 1, .fn = answered };
	unsigned int i;

	for (i = 0; i < n; i++)
		r[i] = (struct env_rcpt){ .type = ROUTE_LOCAL,
		    .state = RCPT_WAIT, .account = 100 + i,
		    .next = send_next,
		    .address = SLICE_LIT("x@b.test"), .orig = { "", 0 } };
	c.env = (struct envelope){ .received = now_sec(),
	    .account = account, .sid = SLICE_LIT("s1"),
	    .sender = SLICE_LIT("a@b.test"), .folder = { "", 0 },
	    .trace = { "", 0 }, .ticket = { "", 0 } };
	c.env.commit.b[0] = commit;
	memcpy(c.env.commit.b + 1, &account, sizeof(account));
	c.body[0] = SLICE_LIT(TEXT);
	commit_add(&c);
	free(r);
}

/* Every message, in order of the spool. */
static UNUSED void
each_message(bool (*fn)(struct message *, void *), void *arg)
{
	struct walk w = { 0 };

	while (walk_turn(&w, fn, arg))
		;
}

/* The next DELIVER_MSG; its octets, when they came before it, in text. */
static UNUSED bool
asked_msg(uint8_t *buf, struct msg *m, char *text, size_t size, int ms)
{
	struct slice body;
	size_t n = 0;

	while (msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, m, ms) == 1) {
		if (m->type == DELIVER_MSG) {
			CHECK((m->fd[0] == -1) == (n > 0));
			CHECK(n == 0 || n == m->body->deliver_msg.size +
			    m->body->deliver_msg.facts);
			return true;
		}
		if (m->type == DELIVER_BODY_EV) {
			body = m->body->deliver_body_ev.body;
			n = body.n;
			memcpy(text, body.p, n < size ? n : size);
		}
		msg_close_fds(m);
	}
	return false;
}

/* What deliver is asked next: its id, 0 nothing. */
static UNUSED uint32_t
asked(struct deliver_msg *d, struct msg_id *id)
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	struct item_target t;
	size_t off = 0;
	char text[64];

	if (!asked_msg(buf, &m, text, sizeof(text), 50))
		return 0;
	*d = body.deliver_msg;
	CHECK(d->size == sizeof(TEXT) - 1);
	if (m.fd[0] != -1)
		CHECK(pread(m.fd[0], text, sizeof(text), 0) ==
		    sizeof(TEXT) - 1);
	CHECK(memcmp(text, TEXT, sizeof(TEXT) - 1) == 0);
	CHECK(item_target_get(d->targets, &off, &t) == 1);
	*id = t.id;
	msg_close_fds(&m);
	return m.id;
}

static UNUSED void
tell(uint32_t id, enum delivery_result r, const char *status)
{
	uint8_t buf[1024];
	size_t off = 0;
	struct item_result it = { .result = (uint8_t)r,
	    .status = slice_str(status), .mta = { "", 0 },
	    .text = SLICE_LIT("words") };
	struct deliver_msg_r a;

	item_result_put(buf, sizeof(buf), &off, &it);
	a.results = slice_of((char *)buf, off);
	CHECK(msg_send(deliver_end, DELIVER_MSG_R, id, &a, NULL, 0) == 1);
	turn();
}

/* Run fn in a process of its own: queue's state is the process. */
static UNUSED void
in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static UNUSED void
empty_spool(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s && mkdir -m 700 %s", dir, dir);
	assert_int_equal(system(cmd), 0);
}

static UNUSED int
make_dir(void **state)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static UNUSED int
remove_dir(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

#endif
