/*
 * Large messages in queue: sent again from the spool, and segments that few
 * of them keep, compacted.
 */
#include "base/slice.h"
#include "queue_test.h"

static void
send_large(uint8_t commit)
{
	static char text[1 << 20];
	struct env_rcpt r = { .type = ROUTE_LOCAL, .state = RCPT_WAIT,
	    .account = 1, .address = SLICE_LIT("x@b.test"),
	    .orig = { "", 0 } };
	struct commit c = { .fd = -1, .rcpt = &r, .nrcpt = 1,
	    .size = sizeof(text), .fn = answered };

	c.env = (struct envelope){ .received = now_sec(),
	    .sid = { "", 0 }, .sender = { "", 0 }, .folder = { "", 0 },
	    .trace = SLICE_LIT("Received: large\r\n"),
	    .ticket = { "", 0 } };
	c.env.commit.b[0] = commit;
	c.body[0] = slice_of(text, sizeof(text));
	commit_add(&c);
	turn();
}

static uint32_t
asked_any(void)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };

	while (msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m,
	    200) == 1) {
		msg_close_fds(&m);
		if (m.type == DELIVER_MSG)
			return m.id;
	}
	return 0;
}

/* Sent again from the spool, with all that stands in its envelope: the
 * descriptor made of a large frame once moved the buffer under it. */
static void
resend_child(void)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	int sv[2];

	begin();
	send_large(1);
	CHECK(asked_any() != 0);
	close(deliver_end);
	turn();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	deliver_end = sv[1];
	local_channel(base, 0, sv[0]);
	turn();
	CHECK(msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m, 500) == 1);
	CHECK(slice_is(body.deliver_msg.trace, "Received: large\r\n"));
	CHECK(body.deliver_msg.size == 1 << 20);
}

static void
test_resend_large_keeps_envelope(void **state)
{
	empty_spool();
	in_child(resend_child);
}

static unsigned int
full_segments(unsigned int *live)
{
	struct segment *s;
	unsigned int n = 0;

	*live = 0;
	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL && s->live > 0) {
			n++;
			*live += s->live;
		}
	return n;
}

static bool
tried_message(struct message *m, void *arg)
{
	CHECK(m->rcpt[0].tried != 0);
	++*(unsigned int *)arg;
	return true;
}

/* Segments that one waiting message keeps are emptied into the current one. */
static void
compact_child(void)
{
	unsigned int i, live, n = 0;
	uint32_t ask;

	begin();
	conf->queue.retry_min = conf->queue.retry_max = 100000;
	for (i = 0; i < 70; i++) {
		if (i % 7 == 3)
			send_one((uint8_t)i, "a@b.test", 1);
		else
			send_large((uint8_t)i);
		turn();
		CHECK((ask = asked_any()) != 0);
		tell(ask, i % 7 == 3 ? DELIVERY_TEMP : DELIVERY_OK, "4.2.0");
	}
	CHECK(full_segments(&live) >= 7);
	for (i = 0; i < 20 && full_segments(&live) >= 7; i++) {
		compact_look();
		turn();
	}
	for (i = 0; i < 20; i++) {
		compact_look();
		turn();
	}
	CHECK(full_segments(&live) < 7);
	CHECK(!walk_turn(&(struct walk){ 0 }, tried_message, &n));
	CHECK(n == 10);
	CHECK(qlog_sync() == 0);
}

static bool
count_message(struct message *m, void *arg)
{
	CHECK(m->rcpt[0].attempts == 1 && m->rcpt[0].state == RCPT_WAIT);
	CHECK(m->rcpt[0].error != 0);
	++*(unsigned int *)arg;
	return true;
}

static void
compacted_child(void)
{
	unsigned int n = 0;

	begin();
	CHECK(!walk_turn(&(struct walk){ 0 }, count_message, &n));
	CHECK(n == 10);
}

static void
test_compact(void **state)
{
	empty_spool();
	in_child(compact_child);
	in_child(compacted_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resend_large_keeps_envelope),
		cmocka_unit_test(test_compact),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
