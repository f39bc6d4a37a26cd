/*
 * What report-out gives queue to send, and what queue gives report-in to read.
 */
#include "base/slice.h"
#include "queue_test.h"

static void
report_ask(int end, uint32_t id, uint8_t commit, size_t size)
{
	struct queue_report q = { .sid = SLICE_LIT("r1"),
	    .rcpt = SLICE_LIT("rua@c.test"), .size = size };
	int fd = memfd_create("report", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	q.commit.b[0] = commit;
	CHECK(write(fd, TEXT, sizeof(TEXT) - 1) == sizeof(TEXT) - 1);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_WRITE) == 0);
	CHECK(msg_send(end, QUEUE_REPORT, id, &q, &fd, 1) == 1);
	close(fd);
}

static void
report_route(enum dir_result result)
{
	static uint8_t buf[MSG_MAX], routes[256];
	union msg_body body;
	struct msg m = { .body = &body };
	struct item_route route = { ROUTE_REPORT, 0,
	    SLICE_LIT("rua@c.test") };
	struct dir_rcpt_r r = { .result = (uint8_t)result,
	    .address = SLICE_LIT("rua@c.test") };
	size_t off = 0;

	CHECK(msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf, &m, 100) == 1);
	CHECK(m.type == DIR_RCPT && body.dir_rcpt.conn == 0);
	CHECK(slice_is(body.dir_rcpt.address, "rua@c.test"));
	if (result == DIR_OK)
		item_route_put(routes, sizeof(routes), &off, &route);
	r.routes = slice_of((char *)routes, off);
	CHECK(msg_send(auth_end, DIR_RCPT_R, m.id, &r, NULL, 0) == 1);
	turn();
}

static enum queue_result
report_result(int end, uint32_t id)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };

	CHECK(msg_recv(end, CHAN_QUEUE, SIDE_B, buf, &m, 100) == 1);
	CHECK(m.type == QUEUE_REPORT_R && m.id == id);
	CHECK((body.queue_report_r.id.n > 0) ==
	    (body.queue_report_r.result == QUEUE_OK));
	return (enum queue_result)body.queue_report_r.result;
}

/* What report-out sends goes from reports.from, once, to where authd says;
 * here back to report-in. */
static void
report_child(void)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	struct deliver_msg d;
	struct msg_id id;
	int sv[2], end;

	begin();
	conf->reports.from = xstrdup("dmarc@b.test");
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	report_channel(base, sv[0]);
	end = sv[1];
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	local_report_channel(base, sv[0]);
	deliver_end = sv[1];
	report_ask(end, 1, 1, sizeof(TEXT) - 1);
	turn();
	report_route(DIR_OK);
	CHECK(report_result(end, 1) == QUEUE_OK);
	CHECK(asked(&d, &id) != 0);
	CHECK(slice_is(d.sender, "dmarc@b.test"));
	CHECK(d.sid.n > 3 && d.sid.p[0] == 'q');	/* of its own */
	report_ask(end, 2, 1, sizeof(TEXT) - 1);	/* the same again */
	turn();
	CHECK(report_result(end, 2) == QUEUE_OK);
	report_ask(end, 3, 2, sizeof(TEXT) - 1);
	turn();
	report_route(DIR_UNKNOWN);
	CHECK(report_result(end, 3) == QUEUE_REFUSED);
	report_ask(end, 4, 3, sizeof(TEXT) - 1);
	turn();
	report_route(DIR_TEMP);
	CHECK(report_result(end, 4) == QUEUE_IO);
	report_ask(end, 5, 4, 3 * conf->reports.max_size);
	turn();
	CHECK(report_result(end, 5) == QUEUE_REFUSED);
	report_ask(end, 6, 5, sizeof(TEXT));	/* longer than it is */
	turn();
	report_route(DIR_OK);
	CHECK(report_result(end, 6) != QUEUE_OK);
	report_ask(end, 7, 6, sizeof(TEXT) - 1);
	turn();
	close(end);		/* it dies meanwhile: sent all the same */
	turn();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	report_channel(base, sv[0]);
	end = sv[1];
	report_ask(end, 8, 6, sizeof(TEXT) - 1);	/* and only once */
	turn();
	report_route(DIR_OK);
	CHECK(report_result(end, 8) == QUEUE_OK);
	CHECK(asked(&d, &id) != 0);
	CHECK(msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf, &m, 100) != 1);
}

/* report-in reads one after the other and takes so many at once: the rest
 * wait here, and are not deferred. */
static void
report_burst_child(void)
{
	struct deliver_msg d;
	struct msg_id id;
	uint32_t ask[100];
	int sv[2], i, n, end;

	begin();
	conf->reports.from = xstrdup("dmarc@b.test");
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	report_channel(base, sv[0]);
	end = sv[1];
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	local_report_channel(base, sv[0]);
	deliver_end = sv[1];
	for (i = 1; i <= 40; i++) {
		report_ask(end, (uint32_t)i, (uint8_t)i, sizeof(TEXT) - 1);
		turn();
		report_route(DIR_OK);
		CHECK(report_result(end, (uint32_t)i) == QUEUE_OK);
	}
	for (n = 0; (ask[n] = asked(&d, &id)) != 0; n++)
		;
	CHECK(n == 32);
	for (i = 0; i < 8; i++)
		tell(ask[i], DELIVERY_OK, "2.0.0");
	turn();
	for (n = 0; asked(&d, &id) != 0; n++)
		;
	CHECK(n == 8);
}

static void
test_report(void **state)
{
	empty_spool();
	in_child(report_child);
	empty_spool();
	in_child(report_burst_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
