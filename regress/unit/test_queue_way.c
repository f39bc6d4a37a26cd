/*
 * The way of a message through queue: commit, delivery, retry and a restart;
 * a deliver that is lost, a failure that makes a report, a spool that was
 * damaged meanwhile.
 */
#include "base/slice.h"
#include "queue_test.h"

#include "regress/lib/test_clock.h"

static void
way_first(void)
{
	struct deliver_msg d;
	struct msg_id id, id2;
	uint32_t ask;

	begin();
	send_one(1, "a@b.test", 1);
	send_one(2, "a@b.test", 2);
	CHECK(nanswers == 0);
	turn();
	CHECK(nanswers == 2 && last_result == QUEUE_OK);
	CHECK((ask = asked(&d, &id)) != 0 && d.maybe_done == 0);
	tell(ask, DELIVERY_OK, "2.0.0");
	CHECK(ndone == 1);
	CHECK((ask = asked(&d, &id)) != 0);
	tell(ask, DELIVERY_TEMP, "4.2.0");
	CHECK(asked(&d, &id2) == 0);	/* it has to wait */
	test_clock_pass(2000);
	turn();
	CHECK((ask = asked(&d, &id2)) != 0 && d.maybe_done == 1);
	CHECK(memcmp(&id, &id2, sizeof(id)) == 0);
	send_one(3, "a@b.test", 3);
	turn();
	/* and now it is killed */
}

/* The second and third are there, the first is not; ids are kept. */
static void
way_second(void)
{
	struct deliver_msg d;
	struct msg_id id, commit = { { 0 } };
	struct ids_place at;
	uint32_t n = 0, ask;

	test_clock_pass(2000);		/* as it was when that one ended */
	begin();
	for (commit.b[0] = 1; commit.b[0] <= 3; commit.b[0]++)
		CHECK(ids_find(&commit, &at));
	CHECK(!ids_find(&commit, &at));
	turn();
	while ((ask = asked(&d, &id)) != 0) {
		CHECK(d.maybe_done == 1);
		tell(ask, DELIVERY_OK, "2.0.0");
		n++;
	}
	CHECK(n == 2);
	CHECK(qlog_sync() == 0);
}

static void
way_third(void)
{
	struct deliver_msg d;
	struct msg_id id;

	begin();
	turn();
	CHECK(asked(&d, &id) == 0);
}

static void
test_way(void **state)
{
	empty_spool();
	in_child(way_first);
	in_child(way_second);
	in_child(way_third);
}

/* deliver is lost with a message: the new one is asked, as maybe done. */
static void
lost_child(void)
{
	struct deliver_msg d;
	struct msg_id id;
	int sv[2];

	begin();
	send_one(1, "a@b.test", 1);
	turn();
	CHECK(asked(&d, &id) != 0);
	close(deliver_end);
	turn();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	deliver_end = sv[1];
	local_channel(base, 0, sv[0]);
	turn();
	CHECK(asked(&d, &id) != 0 && d.maybe_done == 1);
}

static void
test_deliver_lost(void **state)
{
	empty_spool();
	in_child(lost_child);
}

/* A failure makes a report, and one about the null sender makes none. */
static void
bounce_child(void)
{
	static uint8_t buf[MSG_MAX], routes[256];
	union msg_body body;
	struct msg m = { .body = &body };
	struct deliver_msg d;
	struct item_route route = { ROUTE_LOCAL, 9, SLICE_LIT("a@b.test") };
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = SLICE_LIT("a@b.test") };
	struct msg_id id;
	size_t off = 0;
	uint32_t ask;
	char text[64];

	begin();
	send_one(1, "a@b.test", 1);
	turn();
	CHECK((ask = asked(&d, &id)) != 0);
	tell(ask, DELIVERY_PERM, "5.2.0");
	CHECK(ndone == 0);
	CHECK(msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf, &m, 100) == 1);
	CHECK(m.type == DIR_RCPT && body.dir_rcpt.conn == 0);
	CHECK(slice_is(body.dir_rcpt.address, "a@b.test"));
	item_route_put(routes, sizeof(routes), &off, &route);
	r.routes = slice_of((char *)routes, off);
	CHECK(msg_send(auth_end, DIR_RCPT_R, m.id, &r, NULL, 0) == 1);
	turn();
	CHECK(ndone == 1);
	CHECK(asked_msg(buf, &m, text, sizeof(text), 100));
	CHECK(body.deliver_msg.sender.n == 0);
	tell(m.id, DELIVERY_PERM, "5.2.0");
	CHECK(ndone == 2);		/* nobody is told of that */
}

/* A reload while the report's route is asked for: it is signed for the domain
 * that it is from. */
static void
bounce_reload_child(void)
{
	static uint8_t buf[MSG_MAX], routes[256];
	union msg_body body;
	struct msg m = { .body = &body };
	struct item_route route = { ROUTE_REMOTE, 0, SLICE_LIT("a@c.test") };
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = SLICE_LIT("a@c.test") };
	struct msg_id id;
	size_t off = 0;
	int sv[2];

	begin();
	conf->domains[conf->ndomains++] = xstrdup("b.test");
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	post_channel(CHAN_SIGN, base, sv[0]);
	send_one(1, "a@c.test", 1);
	turn();
	tell(asked(&(struct deliver_msg){ 0 }, &id), DELIVERY_PERM, "5.2.0");
	CHECK(msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf, &m, 100) == 1);
	memset(conf->domains[0], 'x', strlen(conf->domains[0]));
	conf_free(proc_conf_use(conf_new()));
	item_route_put(routes, sizeof(routes), &off, &route);
	r.routes = slice_of((char *)routes, off);
	CHECK(msg_send(auth_end, DIR_RCPT_R, m.id, &r, NULL, 0) == 1);
	turn();
	CHECK(msg_recv(sv[1], CHAN_SIGN, SIDE_A, buf, &m, 100) == 1);
	CHECK(m.type == SIGN_TICKET);
	CHECK(slice_is(body.sign_ticket.domain, "b.test"));
}

static void
test_bounce(void **state)
{
	empty_spool();
	in_child(bounce_reload_child);
	empty_spool();
	in_child(bounce_child);
}

/* Many fail at a time: a bounded number of reports is made at once, and all of
 * them in the end. */
static unsigned int
answer_routes(unsigned int *most)
{
	static uint8_t buf[MSG_MAX], routes[256];
	union msg_body body;
	struct msg m = { .body = &body };
	struct item_route route = { ROUTE_LOCAL, 9, SLICE_LIT("a@b.test") };
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = SLICE_LIT("a@b.test") };
	uint32_t id[200];
	unsigned int i, n = 0;
	size_t off = 0;

	item_route_put(routes, sizeof(routes), &off, &route);
	r.routes = slice_of((char *)routes, off);
	while (n < NITEMS(id) && msg_recv(auth_end, CHAN_AUTH, SIDE_A, buf,
	    &m, 20) == 1)
		id[n++] = m.id;
	if (n > *most)
		*most = n;
	for (i = 0; i < n; i++)
		CHECK(msg_send(auth_end, DIR_RCPT_R, id[i], &r, NULL,
		    0) == 1);
	turn();
	return n;
}

static void
many_fail_child(void)
{
	struct item_result fail = { .result = DELIVERY_PERM,
	    .status = SLICE_LIT("5.2.0"), .mta = { "", 0 },
	    .text = SLICE_LIT("words") };
	struct segment *s;
	unsigned int i, n, all = 0, most = 0;

	begin();
	send_next = UINT32_MAX;		/* nobody tries them but we */
	for (i = 0; i < 150; i++)
		send_for((uint8_t)i, 0, 1);
	commit_run();
	s = TAILQ_LAST(spool_segments(), segments);
	for (i = 0; i < 150; i++) {
		result_rcpt(s->slot[i].m, 0, &fail);
		result_end(s->slot[i].m);
		result_end(s->slot[i].m);
	}
	turn();
	while ((n = answer_routes(&most)) > 0)
		all += n;
	CHECK(all == 150 && most <= 64);
	CHECK(ndone == 150);
}

static void
test_many_fail(void **state)
{
	empty_spool();
	in_child(many_fail_child);
}

/* A message that waits for several lines gives its descriptor back when many
 * are kept. */
static void
descriptors_child(void)
{
	struct segment *s;
	unsigned int i;
	int fd;

	begin();
	send_next = UINT32_MAX;
	for (i = 0; i < 600; i++) {
		send_for((uint8_t)i, i / 256 + 1, 1);
		if (i % 100 == 99)
			commit_run();
	}
	s = TAILQ_LAST(spool_segments(), segments);
	for (i = 0; i < 600; i++) {
		s->slot[i].m->nwait++;	/* another line has it */
		CHECK(message_fd(s->slot[i].m) != -1);
		message_used(s->slot[i].m);
	}
	CHECK((fd = dup(0)) != -1 && fd < 450);
}

static void
test_descriptors(void **state)
{
	empty_spool();
	in_child(descriptors_child);
}

/* To the outside, all to one destination. */
static void
send_far(uint8_t commit)
{
	struct env_rcpt r = { .type = ROUTE_REMOTE, .state = RCPT_WAIT,
	    .address = SLICE_LIT("x@c.test"), .orig = { "", 0 } };
	struct commit c = { .fd = -1, .rcpt = &r, .nrcpt = 1,
	    .size = sizeof(TEXT) - 1, .fn = answered };

	c.env = (struct envelope){ .received = now_sec(), .account = 1,
	    .sid = SLICE_LIT("s1"), .sender = SLICE_LIT("a@b.test"),
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = { "", 0 } };
	c.env.commit.b[0] = commit;
	c.body[0] = SLICE_LIT(TEXT);
	commit_add(&c);
}

/* How many more messages relay is given. */
static unsigned int
relayed(int fd)
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	unsigned int n = 0;

	turn();
	while (msg_recv(fd, CHAN_RELAY, SIDE_A, buf, &m, 50) == 1) {
		n += m.type == RELAY_MSG;
		msg_close_fds(&m);
	}
	return n;
}

/* A new number of connections is that of destinations with work too. */
static void
connections_child(void)
{
	uint8_t i;
	int sv[2];

	begin();
	conf->relay.connections = 1;
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	remote_channel(base, 0, sv[0]);
	for (i = 1; i <= 4; i++)
		send_far(i);
	CHECK(relayed(sv[1]) == 1);
	conf->relay.connections = 3;
	schedule_wake();
	CHECK(relayed(sv[1]) == 2);
}

static void
test_connections_reload(void **state)
{
	empty_spool();
	in_child(connections_child);
}

/* Octets of the segment are damaged while queue is down. */
static void
write_child(void)
{
	begin();
	send_one(1, "a@b.test", 1);
	send_one(2, "a@b.test", 2);
	send_one(3, "a@b.test", 3);
	turn();
	CHECK(nanswers == 3);
}

static void
damaged_child(void)
{
	struct deliver_msg d;
	struct msg_id id;
	unsigned int n = 0;
	uint32_t ask;

	begin();
	turn();
	while ((ask = asked(&d, &id)) != 0) {
		tell(ask, DELIVERY_OK, "2.0.0");
		n++;
	}
	CHECK(n == 2);
}

static void
test_damaged(void **state)
{
	char name[64];
	int fd;

	empty_spool();
	in_child(write_child);
	snprintf(name, sizeof(name), "%s/seg/0", dir);
	fd = open(name, O_RDWR);
	assert_int_equal(pwrite(fd, "!", 1, SEG_START + FRAME_HDR + 4), 1);
	close(fd);
	in_child(damaged_child);
	snprintf(name, sizeof(name), "rmdir %s/quarantine 2>/dev/null", dir);
	assert_int_not_equal(system(name), 0);
}

/* A descriptor that is not sealed, or not of the size that was said. */
static void
unsealed_child(void)
{
	struct env_rcpt r = { .type = ROUTE_LOCAL, .state = RCPT_WAIT,
	    .address = SLICE_LIT("x@b.test"), .orig = { "", 0 } };
	struct commit c = { .rcpt = &r, .nrcpt = 1, .fn = answered,
	    .size = sizeof(TEXT) - 1 };
	int fd = memfd_create("m", MFD_ALLOW_SEALING);

	begin();
	c.env = (struct envelope){ .sid = { "", 0 }, .sender = { "", 0 },
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = { "", 0 } };
	CHECK(write(fd, TEXT, sizeof(TEXT) - 1) == sizeof(TEXT) - 1);
	c.fd = dup(fd);
	commit_add(&c);
	turn();
	CHECK(nanswers == 1 && last_result == QUEUE_IO);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	c.fd = dup(fd);
	c.size--;
	commit_add(&c);
	turn();
	CHECK(nanswers == 2 && last_result == QUEUE_IO);
	c.fd = dup(fd);
	c.size += 2;
	commit_add(&c);
	turn();
	CHECK(nanswers == 3 && last_result == QUEUE_IO);
	c.fd = dup(fd);
	c.size--;
	commit_add(&c);
	turn();
	CHECK(nanswers == 4 && last_result == QUEUE_OK);
}

static void
test_unsealed(void **state)
{
	empty_spool();
	in_child(unsealed_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_deliver_lost),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_many_fail),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_connections_reload),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_unsealed),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
