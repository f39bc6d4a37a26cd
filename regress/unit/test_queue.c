/*
 * queue: envelope, frames, segments and the log against torn and flipped
 * octets; the schedule; the text of reports; and the way of a message
 * through commit, delivery, retry and a restart, with the test in the place
 * of smtpd, deliver and authd.
 */
#include "compat.h"

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

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "../../smtpd/queue.h"

#define NONCE	UINT64_C(0x1122334455667788)
#define TEXT	"Subject: x\r\n\r\nbody\r\n"

static char dir[] = "/tmp/test_queue.XXXXXX";
static unsigned int ndone;

/* queue.c is the role itself; this is what the others call of it. */
void
queue_message_done(struct message *m)
{
	schedule_forget(m);
	m->seg->slot[m->no].m = NULL;
	m->seg->live--;
	m->seg->live_bytes -= frame_len(&m->hdr);
	message_free(m);
	ndone++;
}

/* ---- envelope --------------------------------------------------------- */

static size_t
make_envelope(uint8_t *buf, size_t size, unsigned int nrcpt)
{
	struct envelope e = { .account = 7, .received = 1700000000,
	    .origin_seg = 5, .origin_no = 6, .flags = QF_8BIT,
	    .sid = SLICE_LIT("sid"), .sender = SLICE_LIT("a@b.test"),
	    .folder = { "", 0 }, .trace = SLICE_LIT("Received: x\r\n"),
	    .ticket = SLICE_LIT("t\0t"), .nrcpt = nrcpt };
	struct env_rcpt r = { .type = ROUTE_REMOTE, .state = RCPT_WAIT,
	    .address = SLICE_LIT("c@d.test"), .orig = SLICE_LIT("e@b.test") };
	size_t n = 0;
	unsigned int i;

	assert_int_equal(env_put(buf, size, &n, &e), 0);
	for (i = 0; i < nrcpt; i++) {
		r.account = i;
		assert_int_equal(env_rcpt_put(buf, size, &n, &r), 0);
	}
	return n;
}

static void
test_envelope(void **state)
{
	uint8_t buf[1024];
	size_t n = make_envelope(buf, sizeof(buf), 3), off = 0, i;
	struct envelope e;
	struct env_rcpt r;

	assert_int_equal(env_get(buf, n, &e), 0);
	assert_true(slice_is(e.sender, "a@b.test"));
	assert_int_equal(e.ticket.n, 3);
	assert_int_equal(e.nrcpt, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(env_rcpt_get(&e, &off, &r), 1);
		assert_int_equal(r.account, i);
		assert_true(slice_is(r.orig, "e@b.test"));
	}
	assert_int_equal(env_rcpt_get(&e, &off, &r), 0);
	for (i = 0; i < n; i++)
		assert_int_equal(env_get(buf, i, &e), -1);
	assert_int_equal(env_get(buf, n + 1, &e), -1);
}

static void
test_envelope_flipped(void **state)
{
	uint8_t buf[1024], *p;
	size_t n = make_envelope(buf, sizeof(buf), 2), i, off;
	struct envelope e;
	struct env_rcpt r;

	for (i = 0; i < n * 8; i++) {
		p = malloc(n);		/* so that ASan sees the end */
		memcpy(p, buf, n);
		p[i / 8] ^= (uint8_t)(1U << i % 8);
		off = 0;
		if (env_get(p, n, &e) == 0)
			while (env_rcpt_get(&e, &off, &r) == 1)
				assert_in_range(r.type, 0, ROUTE_REMOTE);
		free(p);
	}
}

/* ---- frames ----------------------------------------------------------- */

static uint8_t image[SEG_START + 8192];

static size_t
make_frame(size_t off, uint32_t no, const char *msg, uint64_t nonce)
{
	struct frame_hdr h = { .no = no, .size = strlen(msg) };
	uint8_t *p = image + off + FRAME_HDR;

	h.env_len = (uint32_t)make_envelope(p, 1024, 1);
	memcpy(p + h.env_len, msg, strlen(msg));
	h.env_crc = crc32c(0, p, h.env_len);
	h.body_crc = crc32c(0, p + h.env_len, strlen(msg));
	frame_hdr_put(image + off, &h, nonce);
	return off + frame_len(&h);
}

static size_t
make_image(void)
{
	size_t off = SEG_START;

	memset(image, 0, sizeof(image));
	off = make_frame(off, 0, TEXT "zero", NONCE);
	off = make_frame(off, 1, TEXT "one", NONCE);
	return make_frame(off, 2, TEXT "two", NONCE);
}

/* Frames found, as bits of their numbers; each must be as it was made. */
static unsigned int
scan_all(const uint8_t *p, size_t n, bool *damage)
{
	struct frame_hdr h;
	size_t off = SEG_START, to;
	unsigned int found = 0;
	enum scan_result r;

	*damage = false;
	while ((r = frame_scan(p, n, NONCE, &off, &to, &h)) != SCAN_END &&
	    r != SCAN_TORN) {
		if (r == SCAN_DAMAGE) {
			assert_true(to > off && to <= n);
			*damage = true;
			off = to;
			continue;
		}
		assert_in_range(h.no, 0, 2);
		/* the padding behind it may be anything */
		assert_memory_equal(p + off, image + off,
		    FRAME_HDR + h.env_len + h.size);
		found |= 1U << h.no;
		off += frame_len(&h);
	}
	return found;
}

static void
test_frame_torn(void **state)
{
	size_t end = make_image(), n;
	struct frame_hdr h;
	unsigned int want;
	uint8_t *p;
	bool damage;

	for (n = SEG_START; n <= end; n++) {
		p = malloc(n);
		memcpy(p, image, n);
		want = n == end ? 7 : scan_all(p, n, &damage);
		assert_true(want == 0 || want == 1 || want == 3 || want == 7);
		assert_false(n != end && damage);
		free(p);
	}
	assert_int_equal(scan_all(image, sizeof(image), &damage), 7);
	assert_int_equal(frame_hdr_get(image + SEG_START, NONCE + 1, &h), -1);
}

static void
test_frame_flipped(void **state)
{
	static uint8_t copy[sizeof(image)];
	size_t end = make_image(), i, one, two;
	struct frame_hdr h;
	unsigned int found;
	bool damage;

	frame_hdr_get(image + SEG_START, NONCE, &h);
	one = SEG_START + frame_len(&h);
	frame_hdr_get(image + one, NONCE, &h);
	two = one + frame_len(&h);
	for (i = SEG_START * 8; i < end * 8; i++) {
		memcpy(copy, image, sizeof(copy));
		copy[i / 8] ^= (uint8_t)(1U << i % 8);
		found = scan_all(copy, sizeof(copy), &damage);
		if (i / 8 < one)
			assert_true(found == 7 || (found == 6 && damage));
		else if (i / 8 < two)
			assert_true(found == 7 || (found == 5 && damage));
		else
			assert_true(found == 7 || found == 3);
	}
}

/* A message that holds a whole frame, of another nonce or none. */
static void
test_frame_posing(void **state)
{
	size_t off, end;
	bool damage;

	make_image();
	off = make_frame(SEG_START, 0, TEXT, NONCE);
	end = make_frame(off, 1, TEXT, NONCE - 1);
	assert_int_equal(scan_all(image, end, &damage), 1);
	assert_false(damage);
}

/* ---- the log ---------------------------------------------------------- */

static struct log_rec seen[64];
static char seen_text[64][LOG_TEXT_MAX];
static unsigned int nseen;

static void
note(const struct log_rec *r)
{
	assert_true(nseen < NITEMS(seen));
	memcpy(seen_text[nseen], r->text.p, r->text.n);
	seen[nseen++] = *r;
}

static void
test_log_record(void **state)
{
	struct log_rec r = { .type = LOG_DEFERRED, .seg = 9, .no = 8,
	    .rcpt = 7, .attempts = 6, .next = 5, .text = SLICE_LIT("4.4.1 x") };
	uint8_t buf[LOG_REC_MAX], *p;
	size_t n = log_rec_put(buf, &r, 77), i;
	struct log_rec g;

	assert_int_equal(log_rec_get(buf, n, 77, &g), n);
	assert_int_equal(g.type, LOG_DEFERRED);
	assert_int_equal(g.seg, 9);
	assert_int_equal(g.attempts, 6);
	assert_true(slice_is(g.text, "4.4.1 x"));
	assert_int_equal(log_rec_get(buf, n, 78, &g), 0);
	for (i = 0; i < n; i++)
		assert_int_equal(log_rec_get(buf, i, 77, &g), 0);
	for (i = 0; i < n * 8; i++) {
		p = malloc(n);
		memcpy(p, buf, n);
		p[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(log_rec_get(p, n, 77, &g), 0);
		free(p);
	}
}

static void
no_records(void)
{
}

static void
test_log_file(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY), lf, i;
	struct log_rec r = { .type = LOG_DONE, .seg = 1 };

	assert_int_equal(qlog_rewrite(fd, no_records), 0);
	for (i = 0; i < 10; i++) {
		r.no = (uint32_t)i;
		qlog_add(&r);
	}
	assert_true(qlog_dirty());
	assert_int_equal(qlog_sync(), 0);
	assert_false(qlog_dirty());
	nseen = 0;
	assert_int_equal(qlog_read(fd, note), 0);
	assert_int_equal(nseen, 10);
	/* one flipped in the middle costs that record only */
	lf = openat(fd, "queue.log", O_RDWR);
	assert_int_equal(pwrite(lf, "\xff", 1, 32 + 4 * 32 + 17), 1);
	nseen = 0;
	assert_int_equal(qlog_read(fd, note), 0);
	assert_int_equal(nseen, 9);
	assert_int_equal(ftruncate(lf, 32 + 8 * 32 + 5), 0);
	nseen = 0;
	assert_int_equal(qlog_read(fd, note), 0);
	assert_int_equal(nseen, 7);
	close(lf);
	unlinkat(fd, "queue.log", 0);
	close(fd);
}

/* ---- schedule --------------------------------------------------------- */

static void
test_delay(void **state)
{
	struct conf *c = conf_new();
	uint32_t want[] = { 300, 600, 1200, 2400, 4800, 9600, 14400, 14400 };
	uint32_t d, r;
	size_t i;

	for (i = 0; i < NITEMS(want); i++)
		for (r = 0; r < 20000; r += 997) {
			d = schedule_delay(c, (unsigned int)i + 1, r);
			assert_in_range(d, want[i] - want[i] / 4,
			    want[i] + want[i] / 4);
		}
	assert_in_range(schedule_delay(c, 60000, 1), 10000, 20000);
	conf_free(c);
}

/* ---- reports ---------------------------------------------------------- */

static struct dsn_rcpt one_rcpt = { .address = SLICE_LIT("c@d.test"),
	.orig = { "", 0 }, .status = SLICE_LIT("5.1.1"),
	.mta = SLICE_LIT("mx.d.test"),
	.text = SLICE_LIT("550 no\r\nsuch user \xff") };

static struct dsn
make_dsn(void)
{
	return (struct dsn){ .action = DSN_FAILED,
	    .hostname = SLICE_LIT("mx.b.test"), .domain = SLICE_LIT("b.test"),
	    .sender = SLICE_LIT("a@b.test"), .now = 1700000000,
	    .arrival = 1699990000, .expires = 1700100000,
	    .id = SLICE_LIT("abc.1"), .header = SLICE_LIT(
	    "Received: x\r\nSubject: hi\r\n"), .rcpt = &one_rcpt, .nrcpt = 1 };
}

static bool
has(const char *text, size_t n, const char *what)
{
	return memmem(text, n, what, strlen(what)) != NULL;
}

static void
test_dsn(void **state)
{
	struct dsn d = make_dsn();
	struct header_field f;
	size_t n, i;
	char *t = dsn_text(&d, &n);

	assert_non_null(t);
	assert_true(has(t, n, "To: <a@b.test>\r\n"));
	assert_true(has(t, n, "From: Mail Delivery System "
	    "<MAILER-DAEMON@b.test>\r\n"));
	assert_true(has(t, n, "Auto-Submitted: auto-replied\r\n"));
	assert_true(has(t, n, "Content-Type: multipart/report; "
	    "report-type=delivery-status;"));
	assert_true(has(t, n, "Reporting-MTA: dns; mx.b.test\r\n"));
	assert_true(has(t, n, "Final-Recipient: rfc822;c@d.test\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.d.test\r\n"
	    "Diagnostic-Code: smtp; 550 no??such user ?\r\n"));
	assert_true(has(t, n, "Content-Type: text/rfc822-headers\r\n\r\n"
	    "Received: x\r\nSubject: hi\r\n\r\n--"));
	for (i = 0; i < n; i++) {
		assert_true((unsigned char)t[i] < 128);
		if (t[i] == '\n')
			assert_true(i > 0 && t[i - 1] == '\r');
	}
	assert_int_equal(header_find(slice_of(t, n), "subject", 0, &f), 1);
	free(t);
	d.action = DSN_DELAYED;
	t = dsn_text(&d, &n);
	assert_true(has(t, n, "Action: delayed\r\n"));
	assert_true(has(t, n, "Will-Retry-Until: "));
	free(t);
}

static void
test_dsn_8bit(void **state)
{
	struct dsn d = make_dsn();
	char *big = malloc(3000), *t;
	size_t n, i;

	memset(big, 'x', 3000);
	memcpy(big, "Subject: \xc3\xa4 = \r\n", 16);
	memcpy(big + 2998, "\r\n", 2);
	d.header = slice_of(big, 3000);
	t = dsn_text(&d, &n);
	assert_true(has(t, n, "quoted-printable\r\n\r\n"
	    "Subject: =C3=A4 =3D=20\r\nxxx"));
	for (i = 0; i < n; i++)
		assert_true((unsigned char)t[i] < 128);
	free(t);
	free(big);
}

/* In a child: a failure ends it, cmocka is the parent's. */
#define CHECK(x)	do {						\
	if (!(x)) {							\
		fprintf(stderr, "# line %d: %s\n", __LINE__, #x);	\
		_exit(1);						\
	}								\
} while (0)

/* ---- a message's way -------------------------------------------------- */

static struct event_base *base;
static struct conf *conf;
static int deliver_end, auth_end;
static enum queue_result last_result;
static unsigned int nanswers;

static void
answered(void *arg, enum queue_result r, struct message *m)
{
	last_result = r;
	nanswers++;
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 6; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);	/* its clock is a coarse one */
	}
}

/* All of queue but its role, on dir. */
static void
begin(void)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY), sv[2];

	log_setlevel(LOG_L_ERROR);
	conf = conf_new();
	conf->hostname = xstrdup("mx.b.test");
	conf->queue.retry_min = 1;
	base = event_base_new();
	CHECK(spool_init(fd) == 0);
	CHECK(large_init(fd) == 0);
	schedule_init(base, conf);
	result_conf(conf);
	bounce_init(base, conf);
	post_init(base, conf);
	commit_init(base);
	recover_run();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	local_channel(base, 0, sv[0]);
	deliver_end = sv[1];
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	post_channel(CHAN_AUTH, base, sv[0]);
	auth_end = sv[1];
}

static void
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

/* What deliver is asked next: its id, 0 nothing. */
static uint32_t
asked(struct deliver_msg *d, struct msg_id *id)
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	struct item_target t;
	size_t off = 0;
	char text[64];

	if (msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m, 50) != 1)
		return 0;
	if (m.type != DELIVER_MSG)
		return asked(d, id);
	*d = body.deliver_msg;
	CHECK(pread(m.fd[0], text, sizeof(text), 0) == sizeof(TEXT) - 1);
	CHECK(memcmp(text, TEXT, sizeof(TEXT) - 1) == 0);
	CHECK(item_target_get(d->targets, &off, &t) == 1);
	*id = t.id;
	msg_close_fds(&m);
	return m.id;
}

static void
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
static void
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
	sleep(2);
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
	struct segment *s;
	uint32_t no, n = 0, ask;

	begin();
	for (commit.b[0] = 1; commit.b[0] <= 3; commit.b[0]++)
		CHECK(ids_find(&commit, &s, &no));
	CHECK(!ids_find(&commit, &s, &no));
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
empty_spool(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s && mkdir -m 700 %s", dir, dir);
	assert_int_equal(system(cmd), 0);
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
	CHECK(msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m, 100) == 1);
	CHECK(m.type == DELIVER_MSG && body.deliver_msg.sender.n == 0);
	tell(m.id, DELIVERY_PERM, "5.2.0");
	CHECK(ndone == 2);		/* nobody is told of that */
}

static void
test_bounce(void **state)
{
	empty_spool();
	in_child(bounce_child);
}

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
	report_conf(conf);
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
	report_conf(conf);
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

/* Segments that one waiting message keeps are emptied into the current one. */
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

static void
compact_child(void)
{
	unsigned int i, live;
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
	CHECK(qlog_sync() == 0);
}

static bool
count_message(struct message *m, void *arg)
{
	CHECK(m->rcpt[0].attempts == 1 && m->rcpt[0].state == RCPT_WAIT);
	CHECK(m->rcpt[0].error != NULL);
	++*(unsigned int *)arg;
	return true;
}

static void
compacted_child(void)
{
	unsigned int n = 0;

	begin();
	schedule_each(count_message, &n);
	CHECK(n == 10);
}

static void
test_compact(void **state)
{
	empty_spool();
	in_child(compact_child);
	in_child(compacted_child);
}

static int
make_dir(void **state)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_dir(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_envelope_flipped),
		cmocka_unit_test(test_frame_torn),
		cmocka_unit_test(test_frame_flipped),
		cmocka_unit_test(test_frame_posing),
		cmocka_unit_test(test_log_record),
		cmocka_unit_test(test_log_file),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_dsn),
		cmocka_unit_test(test_dsn_8bit),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_deliver_lost),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_unsealed),
		cmocka_unit_test(test_resend_large_keeps_envelope),
		cmocka_unit_test(test_compact),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
