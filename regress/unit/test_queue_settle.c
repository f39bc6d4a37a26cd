/*
 * Large messages on their way into the spool and out of it: others go on
 * meanwhile, nothing is read whole at an attempt, a checksum that is wrong
 * costs its own message alone.
 */
#include "base/hash.h"
#include "base/slice.h"
#include "queue_test.h"

#include "regress/lib/test_clock.h"

#include <errno.h>

#define SIZE	(40U << 20)

/* What smtpd does: a file of the spool, filled. */
static uint64_t
make_file(size_t size, uint32_t *crc)
{
	static uint8_t block[1 << 20];
	uint64_t file;
	size_t n;
	int fd = large_new(&file);

	CHECK(fd != -1);
	*crc = 0;
	for (n = 0; n < size; n += sizeof(block)) {
		memset(block, (int)(n >> 20), sizeof(block));
		CHECK(write_all(fd, block, sizeof(block)) == 0);
		*crc = crc32c(*crc, block, sizeof(block));
	}
	close(fd);
	return file;
}

static struct commit
large_commit(uint8_t commit, uint64_t file, uint64_t size, uint32_t crc)
{
	static struct env_rcpt r = { .type = ROUTE_LOCAL, .state = RCPT_WAIT,
	    .account = 1, .address = SLICE_LIT("x@b.test"),
	    .orig = { "", 0 } };
	struct commit c = { .fd = -1, .rcpt = &r, .nrcpt = 1, .size = size,
	    .large = file, .large_crc = crc, .fn = answered };

	c.env = (struct envelope){ .received = now_sec(),
	    .sid = SLICE_LIT("large"), .sender = SLICE_LIT("a@b.test"),
	    .folder = { "", 0 }, .trace = SLICE_LIT("Received: x\r\n"),
	    .ticket = { "", 0 } };
	c.env.commit.b[0] = commit;
	return c;
}

static void
wait_for_answers(unsigned int n)
{
	unsigned int i;

	for (i = 0; nanswers < n && i < 20000; i++)
		event_base_loop(base, EVLOOP_ONCE);
	CHECK(nanswers == n);
}

/* Octets that this process read so far. */
static unsigned long long
octets_read(void)
{
	char text[512];
	int fd = open("/proc/self/io", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	CHECK(n > 0);
	close(fd);
	text[n] = '\0';
	return strtoull(strstr(text, "rchar: ") + 7, NULL, 10);
}

static bool
is_there(uint64_t file)
{
	char name[80];

	snprintf(name, sizeof(name), "%s/large/%016llx", dir,
	    (unsigned long long)file);
	return access(name, F_OK) == 0;
}

static uint32_t
asked_large(int *fd)
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };

	while (msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m, 200) == 1)
		if (m.type == DELIVER_MSG) {
			*fd = m.fd[0];
			return m.id;
		}
	return 0;
}

/* ---- others go on ------------------------------------------------------- */

static void
beside_child(void)
{
	unsigned int i, before;
	unsigned long long had;
	struct commit c;
	uint32_t crc, ask;
	uint64_t file;
	int fd;

	begin();
	file = make_file(SIZE, &crc);
	had = octets_read();
	c = large_commit(1, file, SIZE, crc);
	wait_add(&c);
	for (i = 0; i < 10; i++) {
		before = nanswers;
		send_one((uint8_t)(10 + i), "a@b.test", 2);
		event_base_loop(base, EVLOOP_ONCE);
		event_base_loop(base, EVLOOP_ONCE);
		CHECK(nanswers > before && last_result == QUEUE_OK);
	}
	CHECK(nanswers == 10);		/* the large one waits yet */
	wait_for_answers(11);
	CHECK(last_result == QUEUE_OK && is_there(file));
	for (i = 0; i < 11; i++) {
		CHECK((ask = asked_large(&fd)) != 0);
		close(fd);
		tell(ask, DELIVERY_TEMP, "4.2.0");
	}
	test_clock_pass(2000);
	turn();
	CHECK(asked_large(&fd) != 0);	/* a second attempt */
	CHECK(octets_read() - had < 1 << 20);
}

static void
test_others_go_on(void **state)
{
	empty_spool();
	in_child(beside_child);
}

/* ---- a checksum that is wrong ------------------------------------------ */

static void
lie_child(void)
{
	struct commit c;
	uint32_t crc;
	uint64_t file;

	begin();
	file = make_file(4 << 20, &crc);
	c = large_commit(1, file, 4 << 20, crc);
	wait_add(&c);
	file = make_file(4 << 20, &crc);
	c = large_commit(2, file, 4 << 20, crc + 1);
	wait_add(&c);
	send_one(3, "a@b.test", 3);
	wait_for_answers(3);
	CHECK(last_result == QUEUE_OK);
}

struct seen { unsigned int held, other; };

static bool
look(struct message *m, void *arg)
{
	struct seen *s = arg;

	if (m->rcpt[0].state == RCPT_HELD)
		s->held++;
	else
		s->other++;
	return true;
}

static void
lie_again(void)
{
	struct seen s = { 0 };
	unsigned int i;
	int fd, n = 0;

	begin();
	for (i = 0; i < 300; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	turn();
	CHECK(!walk_turn(&(struct walk){ 0 }, look, &s));
	CHECK(s.held == 1 && s.other == 2);
	while (asked_large(&fd) != 0) {
		close(fd);
		n++;
	}
	CHECK(n == 2);
}

static void
test_wrong_checksum(void **state)
{
	empty_spool();
	in_child(lie_child);
	in_child(lie_again);
}

/* ---- what is not as it was said, and who goes --------------------------- */

static void
refused_child(void)
{
	struct commit c;
	uint32_t crc;
	uint64_t file, gone;
	struct chan *chan;
	int sv[2];

	begin();
	file = make_file(2 << 20, &crc);
	c = large_commit(1, file, (2 << 20) + 1, crc);
	wait_add(&c);
	wait_for_answers(1);
	CHECK(last_result == QUEUE_IO);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	chan = chan_new(base, sv[0], CHAN_QUEUE, SIDE_B, NULL, 0,
	    &(struct chan_ops){ 0 }, NULL);
	gone = make_file(2 << 20, &crc);
	c = large_commit(2, gone, 2 << 20, crc);
	c.chan = chan;
	wait_add(&c);
	CHECK(wait_again(&c.env.commit, chan, 7, 0));
	wait_gone(chan);
	CHECK(!wait_again(&c.env.commit, chan, 8, 0));
	turn();
	CHECK(nanswers == 1 && !is_there(file) && !is_there(gone));
	chan_free(chan);
}

static void
test_refused(void **state)
{
	empty_spool();
	in_child(refused_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_wrong_checksum),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
