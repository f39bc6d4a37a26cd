/*
 * Aggregate reports without their neighbours: the text for hostile values,
 * rows and records in and out, when a report is due, who is told.
 */
#include "base/compat.h"

#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/charset.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "report/out/agg.h"
#include "report/out/out.h"
#include "cut.h"
#include "report_out_test.h"

/* ---- text --------------------------------------------------------------- */

struct sink {
	char	 p[65536];
	size_t	 n;
};

static void
take(void *arg, const char *p, size_t n)
{
	struct sink *s = arg;

	assert_true(n < sizeof(s->p) - s->n);
	memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = '\0';
}

static const char *
text_of(const char *p, size_t n, size_t max)
{
	static struct sink s;

	s.n = 0;
	s.p[0] = '\0';
	xml_text(take, &s, slice_of(p, n), max);
	assert_true(utf8_valid(s.p, s.n));
	return s.p;
}

static void
test_text(void **state)
{
	static const struct { const char *in, *out; } v[] = {
		{ "plain", "plain" },
		{ "<a b=\"c\">&'", "&lt;a b=\"c\"&gt;&amp;'" },
		{ "]]>", "]]&gt;" }, { "a\tb\r\nc", "a?b??c" },
		{ "\x01\x1f\x7f", "???" }, { "\xc3\xa4", "\xc3\xa4" },
		{ "\xc3", "?" }, { "\xc3(", "?(" }, { "\xff\xfe", "??" },
		{ "\xc0\x80", "??" }, { "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" }, { "\xef\xbf\xbe", "?" },
		{ "\xef\xbf\xbf", "?" }, { "\xc2\x80", "?" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};
	size_t i;

	for (i = 0; i < NITEMS(v); i++)
		assert_string_equal(text_of(v[i].in, strlen(v[i].in), 512),
		    v[i].out);
	assert_string_equal(text_of("a\0b", 3, 512), "a?b");
	assert_string_equal(text_of("aa\xc3\xa4", 4, 3), "aa");
	for (i = 0; i < 256; i++)
		text_of((char []){ (char)i, 'x', (char)i }, 3, 512);
}

static void
test_row_xml(void **state)
{
	static struct sink s;
	struct report_row r = sample();

	s.n = 0;
	xml_row(take, &s, &r, 7);
	assert_non_null(strstr(s.p, "<source_ip>192.0.2.1</source_ip>"));
	assert_non_null(strstr(s.p, "<count>7</count>"));
	assert_non_null(strstr(s.p, "<disposition>pass</disposition>"));
	assert_non_null(strstr(s.p, "<type>local_policy</type>"));
	assert_non_null(strstr(s.p, "<result>softfail</result>"));
	assert_non_null(strstr(s.p, "<scope>mfrom</scope>"));
	r.enforced = false;		/* p=none: there is no action */
	s.n = 0;
	xml_row(take, &s, &r, 7);
	assert_non_null(strstr(s.p, "<disposition>none</disposition>"));
	r.pass = false;
	r.disposition = REPORT_QUARANTINE;
	r.spf_domain.n = 0;
	r.ip = (struct ipaddr){ 6, { [10] = 0xff, 0xff, 1, 2, 3, 4 } };
	s.n = 0;
	xml_row(take, &s, &r, 1);
	assert_non_null(strstr(s.p, "<disposition>quarantine</"));
	assert_non_null(strstr(s.p, "<source_ip>0:0:0:0:0:ffff:102:304</"));
	assert_null(strstr(s.p, "<spf>\n"));
}

static void
test_policy_xml(void **state)
{
	static const struct { const char *record, *want; } v[] = {
		{ "v=DMARC1; p=reject", "<p>reject</p>\n  <sp>reject</sp>\n"
		    "  <np>reject</np>\n  <fo>0</fo>\n  <adkim>r</adkim>\n"
		    "  <aspf>r</aspf>\n  <testing>n</testing>" },
		{ "v=DMARC1; p=quarantine; sp=none; np=reject; t=y; aspf=s; "
		    "fo=d:s", "<p>quarantine</p>\n  <sp>none</sp>\n"
		    "  <np>reject</np>\n  <fo>d:s</fo>\n  <adkim>r</adkim>\n"
		    "  <aspf>s</aspf>\n  <testing>y</testing>" },
		{ "v=DMARC1; p=none; fo=1:0", "<fo>0:1</fo>" },
	};
	static struct sink s;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		struct xml_head h = { .organization = "o", .contact = "c@x",
		    .generator = "g", .id = "i", .domain = "a.test",
		    .record = v[i].record, .begin = 10, .end = 19 };

		s.n = 0;
		xml_head(take, &s, &h);
		assert_non_null(strstr(s.p, v[i].want));
		assert_non_null(strstr(s.p, "<begin>10</begin>"));
		assert_null(strstr(s.p, "<error>"));
	}
}

/* ---- rows and records --------------------------------------------------- */

static void
row_cut(char *p, size_t n)
{
	struct report_row r;

	row_get((uint8_t *)p, n, &r);
}

static void
test_row(void **state)
{
	struct report_row r = sample(), back;
	uint8_t b[ROW_MAX], again[ROW_MAX];
	static char big[4096];
	size_t n = row_put(b, &r), i;

	assert_int_equal(row_get(b, n, &back), 0);
	assert_true(slice_is(back.from, "a.test"));
	assert_true(slice_is(back.comment, "Why"));
	assert_int_equal(row_put(again, &back), n);
	assert_memory_equal(again, b, n);
	for (i = 0; i < n; i++)
		assert_int_equal(row_get(b, i, &back), -1);
	b[n] = 0;
	assert_int_equal(row_get(b, n + 1, &back), -1);
	cut_each((char *)b, n, row_cut);
	/* the longest there is */
	memset(big, 'x', sizeof(big));
	r.comment = r.from = r.sender = r.rcpt = r.spf_domain =
	    slice_of(big, sizeof(big));
	r.ip.family = 6;
	for (i = 0; i < DKIM_VERIFY_MAX; i++)
		r.sig[i] = (struct row_dkim){ DKIM_FAIL,
		    slice_of(big, sizeof(big)), slice_of(big, 500) };
	r.nsig = DKIM_VERIFY_MAX;
	n = row_put(b, &r);
	assert_true(n <= ROW_MAX);
	assert_int_equal(row_get(b, n, &back), 0);
}

static void
test_signatures_best_first(void **state)
{
	static const struct item_dkim v[] = {
		{ DKIM_FAIL, SLICE_LIT("a.test"), SLICE_LIT("1"), { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("z.test"), SLICE_LIT("2"), { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("sub.a.test"), SLICE_LIT("3"),
		    { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("A.test"), SLICE_LIT("4"), { "", 0 } },
	};
	uint8_t b[2048];
	struct report_mail_ev ev = { .author = SLICE_LIT("a.test"),
	    .dkim_aligned = 1, .peer = { .family = 4 } };
	struct report_row r;
	size_t i, n = 0;

	for (i = 0; i < NITEMS(v); i++)
		assert_int_equal(item_dkim_put(b, sizeof(b), &n, &v[i]), 0);
	ev.dkim = slice_of((char *)b, n);
	row_of(&ev, &r);
	assert_int_equal(r.nsig, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(r.sig[i].selector.p[0], "4321"[i]);
}

static void
test_records(void **state)
{
	struct report_row row = sample();
	uint8_t key[ROW_MAX], b[REC_MAX], again[REC_MAX];
	size_t keyn = row_put(key, &row), n, i;
	struct rec v[] = {
		{ .type = REC_DOMAIN, .no = 3, .at = SLICE_LIT("a.test"),
		    .record = SLICE_LIT(RECORD) },
		{ .type = REC_ROW, .no = 9, .domain = 3,
		    .key = slice_of((char *)key, keyn) },
		{ .type = REC_COUNT, .no = 9, .n = 1ULL << 40 },
		{ .type = REC_LOST, .no = REC_NODOMAIN, .n = 5 },
		{ .type = REC_TARGET, .no = 3, .target = { 2, TARGET_DROPPED,
		    500, 3, 70000, 1ULL << 33, SLICE_LIT("no") } },
		{ .type = REC_DONE, .no = 3 },
	}, r;

	for (i = 0; i < NITEMS(v); i++) {
		n = rec_put(b, &v[i], 77);
		assert_true(n % 8 == 0 && n <= REC_MAX);
		assert_int_equal(rec_get(b, n, 77, &r), n);
		assert_int_equal(rec_put(again, &r, 77), n);
		assert_memory_equal(again, b, n);
		assert_int_equal(rec_get(b, n, 78, &r), 0);
		assert_int_equal(rec_get(b, n - 1, 77, &r), 0);
		b[n / 2] ^= 1;
		assert_int_equal(rec_get(b, n, 77, &r), 0);
	}
}

static void
test_spread(void **state)
{
	struct rec_file f = { 0, 86400, 2 * 86400 };
	struct period *p = period_new(&f);
	unsigned int hour[13] = { 0 };
	struct domain d = { .period = p };
	char at[40];
	uint64_t due;
	int i;

	d.at = at;
	for (i = 0; i < 12000; i++) {
		snprintf(at, sizeof(at), "d%d.test", i);
		due = domain_due(&d);
		assert_true(due >= f.end && due <= f.end + 43200);
		assert_int_equal(due, domain_due(&d));
		hour[(due - f.end) / 3600]++;
	}
	for (i = 0; i < 12; i++)
		assert_in_range(hour[i], 800, 1200);
	period_free(p);
}

/* ---- who is told -------------------------------------------------------- */

static void
address_cut(char *p, size_t n)
{
	struct dest d;
	struct slice rest = slice_of(p, n);

	dest_address(slice_of(p, n), &d);
	while (dest_next(&rest, NULL, 0, &d))
		;
}

static void
test_addresses(void **state)
{
	static const struct { const char *uri, *address, *host; } v[] = {
		{ "mailto:a@b.test", "a@b.test", "b.test" },
		{ "MAILTO:A@B.test", "A@b.test", "b.test" },
		{ "mailto:a%2bb@b.test?subject=x", "a+b@b.test", "b.test" },
		{ "mailto:a@b.test,c@d.test", "a@b.test", "b.test" },
		{ "mailto:a@b%C3%BC.test", "a@xn--b-eha.test",
		    "xn--b-eha.test" },
		{ "mailto:%22a%20b%22@b.test", "\"a b\"@b.test", "b.test" },
		{ "mailto:", NULL, NULL }, { "mailto:a", NULL, NULL },
		{ "mailto:@b.test", NULL, NULL },
		{ "mailto:a@[192.0.2.1]", NULL, NULL },
		{ "mailto:a%0d%0a@b.test", NULL, NULL },
		{ "mailto:a%00@b.test", NULL, NULL },
		{ "mailto:a%@b.test", NULL, NULL },
		{ "mailto:a%4", NULL, NULL },
		{ "mailto:%C3%BC@b.test", NULL, NULL },
		{ "mailto:a%25c@b.test", NULL, NULL },
		{ "https://b.test/", NULL, NULL }, { "", NULL, NULL },
	};
	struct dest d, seen[3];
	struct slice rest = SLICE_LIT("mailto:a@b.test!5m,x:y,mailto:a@B.test,"
	    " mailto:c@b.test ,,mailto:a@b.test");
	size_t i, n = 0;

	for (i = 0; i < NITEMS(v); i++) {
		assert_int_equal(dest_address(slice_str(v[i].uri), &d),
		    v[i].address != NULL ? 0 : -1);
		cut_each(v[i].uri, strlen(v[i].uri), address_cut);
		if (v[i].address == NULL)
			continue;
		assert_string_equal(d.address, v[i].address);
		assert_string_equal(d.host, v[i].host);
	}
	while (n < 3 && dest_next(&rest, seen, n, &seen[n]))
		n++;
	assert_int_equal(n, 2);
	assert_string_equal(seen[1].address, "c@b.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_row_xml),
		cmocka_unit_test(test_policy_xml),
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_signatures_best_first),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_addresses),
	};

	log_init("test", open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
