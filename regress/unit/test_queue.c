/*
 * queue, what is pure of it: envelope, frames, segments and the log against
 * torn and flipped octets; the schedule; the text of reports.
 */
#include "base/hash.h"
#include "base/slice.h"
#include "parse/header.h"
#include "queue/dsn.h"
#include "queue_test.h"

#define NONCE	UINT64_C(0x1122334455667788)

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
test_log_file(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY), lf, i;
	struct log_rec r = { .type = LOG_DONE, .seg = 1 };

	assert_int_equal(qlog_next_begin(fd, NULL), 0);
	assert_int_equal(qlog_next_end(fd), 0);
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
	.text = SLICE_LIT("550 no\r\nsuch user \xff"), .attempts = 1,
	.last = 1699999990 };

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
	    "Diagnostic-Code: smtp; 550 no??such user ?\r\n"
	    "Last-Attempt-Date: Tue, 14 Nov 2023 22:13:10 +0000\r\n\r\n"));
	assert_false(has(t, n, "It was tried"));
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

/* What we found ourselves is no word of a host. */
static void
test_dsn_ours(void **state)
{
	struct dsn_rcpt r = one_rcpt;
	struct dsn d = make_dsn();
	size_t n;
	char *t;

	r.mta = slice_of("", 0);
	r.status = SLICE_LIT("4.4.1");
	r.text = SLICE_LIT("mx.d.test[192.0.2.1]:25: Connection refused");
	r.last = 0;
	d.rcpt = &r;
	t = dsn_text(&d, &n);
	assert_true(has(t, n, "Status: 4.4.1\r\nDiagnostic-Code: X-maild; "
	    "mx.d.test[192.0.2.1]:25: Connection refused\r\n\r\n--"));
	assert_false(has(t, n, "Remote-MTA"));
	assert_false(has(t, n, " said: "));
	assert_false(has(t, n, "Last-Attempt-Date"));
	free(t);
}

static void
test_dsn_how_long(void **state)
{
	static const struct {
		unsigned int	 attempts;
		uint64_t	 seconds;
		const char	*status, *want;
	} v[] = {
		{ 1, 0, "4.0.0", "once in 0 seconds" },
		{ 1, 1, "4.0.0", "once in 1 second" },
		{ 3, 119, "4.0.0", "3 times in 119 seconds" },
		{ 3, 120, "4.0.0", "3 times in 2 minutes" },
		{ 9, 7199, "4.0.0", "9 times in 119 minutes" },
		{ 9, 7200, "4.0.0", "9 times in 2 hours" },
		{ 9, 172799, "4.0.0", "9 times in 47 hours" },
		{ 2, 172800, "5.1.1", "2 times in 2 days" },
		{ 65535, 432010, "4.4.1", "65535 times in 5 days" },
	};
	struct dsn_rcpt r = one_rcpt;
	struct dsn d = make_dsn();
	char want[64], *t;
	size_t i, n;

	d.rcpt = &r;
	for (i = 0; i < NITEMS(v); i++) {
		r.attempts = v[i].attempts;
		r.status = slice_str(v[i].status);
		d.now = d.arrival + v[i].seconds;
		snprintf(want, sizeof(want), "    It was tried %s.\r\n",
		    v[i].want);
		t = dsn_text(&d, &n);
		assert_true(has(t, n, want));
		free(t);
	}
	d.now = d.arrival - 100;	/* the clock was set */
	t = dsn_text(&d, &n);
	assert_true(has(t, n, "times in 0 seconds.\r\n"));
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
		cmocka_unit_test(test_dsn_ours),
		cmocka_unit_test(test_dsn_how_long),
		cmocka_unit_test(test_dsn_8bit),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
