/*
 * The pure parts of report-in: every reader sees its input cut at each
 * octet, in blocks of exactly that size.  XML and packed attachments have
 * programs of their own.
 */
#include "base/slice.h"
#include "report_in_test.h"

/* ---- words --------------------------------------------------------------- */

static void
test_clean(void **state)
{
	char out[IN_TEXT], small[8];

	text_clean(SLICE_LIT(" a \r\n\t b\x01\x7f \xc3\xa9\xff "), out,
	    sizeof(out));
	assert_string_equal(out, "a b?? \xc3\xa9?");
	text_clean(SLICE_LIT("\xe2\x80\xae\xc2\x85"), out, sizeof(out));
	assert_string_equal(out, "??");
	text_clean(SLICE_LIT("\xd8\x9c\xf3\xa0\x81\x81"), out, sizeof(out));
	assert_string_equal(out, "??");
	text_clean(SLICE_LIT("0123456789"), small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
	assert_memory_equal(small, "0123", 4);
	text_clean(SLICE_LIT("a\0b"), out, sizeof(out));
	assert_string_equal(out, "a?b");
}

static void
test_line(void **state)
{
	static const char *const words[] = { "", "-", "--", "a b", "100%",
	    "%41", "\xc3\xa9\n", "x" };
	struct line l = { .n = 0 };
	char word[IN_TEXT], big[2000];
	struct slice rest;
	size_t i;

	for (i = 0; i < NITEMS(words); i++)
		line_word(&l, words[i]);
	assert_null(memchr(l.p, '\n', l.n));
	rest = slice_of(l.p, l.n);
	for (i = 0; i < NITEMS(words); i++) {
		assert_int_equal(line_next(&rest, word, sizeof(word)), 1);
		assert_string_equal(word, words[i]);
	}
	assert_int_equal(line_next(&rest, word, sizeof(word)), 0);
	memset(big, '%', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < 10; i++)
		line_word(&l, big);		/* is cut, no more */
	assert_true(l.n <= sizeof(l.p));
}

static void
test_time(void **state)
{
	static const struct { const char *text; int64_t t; } good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2016-04-01T00:00:00Z", 1459468800 },
		{ "2016-04-01t02:00:00.123+02:00", 1459468800 },
		{ "2016-03-31 22:00:00-0200", 1459468800 },
		{ "2016-04-01", 1459468800 },
		{ " 2016-04-01T00:00:00 ", 1459468800 }
	};
	static const char *const bad[] = { "", "x", "2016", "2016-13-01",
	    "2016-00-01", "2016-04-32", "2016-04-01T", "2016-04-01T99:00:00Z",
	    "2016-04-01T00:00:00X", "2016-04-01T00:00:00+1",
	    "2016-04-01T00:00:00ZZ", "-016-04-01", "1969-12-31" };
	int64_t t;
	size_t i;

	for (i = 0; i < NITEMS(good); i++) {
		assert_int_equal(text_time(slice_str(good[i].text), &t), 0);
		assert_int_equal(t, good[i].t);
	}
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(text_time(slice_str(bad[i]), &t), -1);
}

static void
test_rows(void **state)
{
	struct rows *r = rows_new();
	char line[32], octets[4096] = "";
	size_t i;

	assert_int_equal(rows_add(r, SLICE_LIT("a"), 1), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("b"), 5), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("a"), 2), 0);
	assert_int_equal(rows_add(r, SLICE_LIT(""), UINT64_MAX), 0);
	assert_int_equal(rows_add(r, SLICE_LIT(""), 7), 0);
	rows_sort(r);
	assert_true(row_is(r, 0, INT64_MAX, ""));
	assert_true(row_is(r, 1, 5, "b"));
	assert_true(row_is(r, 2, 3, "a"));
	rows_free(r);
	r = rows_new();
	for (i = 0; i < ROWS_MAX; i++) {
		snprintf(line, sizeof(line), "%zu", i);
		assert_int_equal(rows_add(r, slice_str(line), 1), 0);
	}
	assert_int_equal(rows_add(r, SLICE_LIT("more"), 1), -1);
	assert_int_equal(rows_add(r, SLICE_LIT("7"), 1), 0);
	assert_int_equal(rows_count(r), ROWS_MAX);
	/* there is room for what is told of the rest */
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("more"), 1), -1);
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	for (i = 1; i < ROWS_REST; i++) {
		snprintf(line, sizeof(line), "rest %zu", i);
		assert_int_equal(rows_rest(r, slice_str(line), 1), 0);
	}
	assert_int_equal(rows_rest(r, SLICE_LIT("more"), 1), -1);
	rows_sort(r);
	assert_true(row_is(r, 0, 2, "7"));
	assert_true(row_is(r, 1, 2, "others"));
	rows_free(r);
	r = rows_new();
	for (i = 0; i < ROWS_OCTETS / (sizeof(octets) + ROW_COUNT); i++) {
		snprintf(octets, 16, "%zu", i);
		assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets)),
		    1), 0);
	}
	assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets) - 1), 1),
	    -1);
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	rows_allow(r, SUMS_OCTETS);
	assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets) - 1), 1),
	    0);
	rows_free(r);
}

/* ---- who holds most ------------------------------------------------------ */

static void
test_share(void **state)
{
	static char name[6][20] = { "a.evil.test", "b.evil.test", "test",
	    "x.y.none.test", "other.none.test", "" };
	struct stored s[6] = { { .sender = name[0], .octets = 10 },
	    { .sender = name[1], .octets = 20 },
	    { .sender = name[2], .octets = 29 },
	    { .sender = name[3], .octets = 1, .trust = IN_NONE },
	    { .sender = name[4], .octets = 1, .trust = IN_FAIL },
	    { .sender = name[5], .octets = 1, .trust = IN_FAIL } };
	size_t i;

	assert_string_equal(share_name(&s[0]), "evil.test");
	assert_string_equal(share_name(&s[2]), "test");
	assert_string_equal(share_name(&s[3]), "");
	assert_null(share_oldest(C_REPORT, true, NULL));
	for (i = 0; i < NITEMS(s); i++)
		share_add(&s[i], C_REPORT);
	assert_null(share_oldest(C_FAILING, true, NULL));
	assert_ptr_equal(share_oldest(C_REPORT, false, NULL), &s[0]);
	assert_ptr_equal(share_oldest(C_REPORT, true, NULL), &s[3]);
	share_drop(&s[0]);
	assert_ptr_equal(share_oldest(C_REPORT, false, NULL), &s[2]);
	assert_ptr_equal(share_oldest(C_REPORT, false, &s[2]), &s[1]);
	share_drop(&s[3]);
	share_drop(&s[4]);
	share_drop(&s[4]);		/* has none: nothing */
	share_drop(&s[1]);
	share_drop(&s[5]);
	assert_ptr_equal(share_oldest(C_REPORT, true, NULL), &s[2]);
	assert_null(share_oldest(C_REPORT, true, &s[2]));
	share_drop(&s[2]);
	assert_null(share_oldest(C_REPORT, true, NULL));
}

/* ---- TLS, feedback ------------------------------------------------------- */

static const char json[] = "{\"organization-name\":\"R\",\"report-id\":\"7\","
    "\"date-range\":{\"start-datetime\":\"2016-04-01T00:00:00Z\"},"
    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":"
    "\"ours.test\"},\"summary\":{\"total-successful-session-count\":5,"
    "\"total-failure-session-count\":\"3\"},\"failure-details\":[{"
    "\"result-type\":\"starttls-not-supported\",\"failed-session-count\":2}"
    "]},{\"policy\":{\"policy-domain\":\"else.test\"},\"summary\":{"
    "\"total-successful-session-count\":9}}]}";

static void
json_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	assert_int_equal(rc, n + 1 < sizeof(json) ? -1 : 0);
	if (rc == -1)
		assert_non_null(why);
	rows_free(r.rows);
}

static void
test_tls(void **state)
{
	struct in_report r = report();
	const char *why = NULL;

	CUT_LIT(json, json_cut);
	assert_int_equal(in_attachment(SLICE_LIT(json), &r, &house, &why), 0);
	assert_int_equal(r.head.kind, IN_TLS);
	assert_int_equal(r.head.messages, 8);
	assert_int_equal(r.head.pass, 5);
	assert_int_equal(r.head.begin, 1459468800);
	assert_int_equal(rows_count(r.rows), 3);
	assert_true(row_is(r.rows, 0, 5, "ours.test sts ok - - - -"));
	assert_true(row_is(r.rows, 1, 2,
	    "ours.test sts starttls-not-supported - - - -"));
	assert_true(row_is(r.rows, 2, 1, "ours.test sts unexplained - - - -"));
	rows_free(r.rows);
	refused("{}", "JSON is no TLS report");
	refused("{\"policies\":7}", "JSON is no TLS report");
	refused("{\"policies\":[]}", "TLS report about another domain");
	refused("{\"policies\":[7,null,[],{\"policy\":[]}]}",
	    "TLS report without a policy-domain");
	refused("{]", "JSON is damaged");
	refused("{\"a\":\"\\u0000\"}", "JSON is damaged");
	refused("{}}", "JSON is damaged");
	refused("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
	    "JSON is nested too deep");
}

#define ARF_HEAD							\
	"From: R <fbl@reporter.test>\r\nContent-Type: multipart/report; " \
	"report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n" \
	"--b\r\nContent-Type: message/feedback-report\r\n\r\n"
static const char arf[] = ARF_HEAD "Feedback-Type: abuse\r\nVersion: 1\r\n"
    "Source-IP: 192.0.2.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "From: <u@sub.ours.test>\r\nMessage-ID: <1@x>\r\n\r\nspam\r\n--b--\r\n";

static void
message_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;

	if (in_read(slice_of(p, n), &r, &house, &why) == -1)
		assert_non_null(why);
	else
		assert_int_equal(r.head.kind, IN_ARF);
	rows_free(r.rows);
}

static void
test_arf(void **state)
{
	struct in_report r = report();
	const char *why = NULL;

	CUT_LIT(arf, message_cut);
	assert_int_equal(in_read(SLICE_LIT(arf), &r, &house, &why), 0);
	assert_int_equal(r.head.kind, IN_ARF);
	assert_string_equal(r.head.domain, "sub.ours.test");
	assert_string_equal(r.head.id, "<1@x>");
	assert_int_equal(rows_count(r.rows), 1);
	assert_true(row_is(r.rows, 0, 1, "abuse sub.ours.test 192.0.2.1 - - "
	    "- - - - <u@sub.ours.test> - <1@x> -"));
	rows_free(r.rows);
	r = report();
	assert_int_equal(in_read(SLICE_LIT(ARF_HEAD "Feedback-Type: abuse\r\n"
	    "Reported-Domain: xours.test\r\n\r\n--b--\r\n"), &r, &house,
	    &why), -1);
	assert_string_equal(why, "feedback report about another domain");
	rows_free(r.rows);
}

/* ---- sender -------------------------------------------------------------- */

#define AR(s) SLICE_LIT("Authentication-Results: mx.test;\r\n\t" s "\r\n")

static void
test_sender(void **state)
{
	char from[IN_DOMAIN];

	assert_int_equal(sender_trust(SLICE_LIT(""), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=none;\r\n\tdmarc=pass "
	    "header.from=r.test"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dmarc=pass header.from=r.test"),
	    "other.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dmarc=pass"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dkim=pass header.d=r.test; "
	    "dmarc=none"), "mail.r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dkim=pass header.d=test; "
	    "dmarc=none"), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=pass smtp.mailfrom=a@b.r.test; "
	    "dmarc=none"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("spf=pass smtp.mailfrom=a@evil.test; "
	    "dmarc=none"), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=fail smtp.mailfrom=a@r.test; "
	    "dmarc=none"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("spf=fail smtp.mailfrom=a@b.test; "
	    "dkim=pass header.d=r.test; dmarc=none"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dmarc=temperror header.from=r.test"),
	    "r.test"), IN_FAIL);
	/* a policy that failed is not mended by an aligned signature */
	assert_int_equal(sender_trust(AR("dkim=pass header.d=r.test; "
	    "dmarc=fail header.from=r.test"), "r.test"), IN_FAIL);
	/* words in quotes and comments are no results */
	assert_int_equal(sender_trust(AR("spf=fail reason=\"; dmarc=pass "
	    "header.from=r.test\"; dmarc=fail (; dmarc=pass header.from="
	    "r.test)"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dkim=fail reason=\"\\\"; dmarc=pass "
	    "header.from=r.test"), "r.test"), IN_FAIL);
	sender_domain(SLICE_LIT("From: \"A, b@c.test\" <x@R.Test>\r\n"), from);
	assert_string_equal(from, "r.test");
	sender_domain(SLICE_LIT("From: a@b.test, c@d.test\r\n"), from);
	assert_string_equal(from, "");
	sender_domain(SLICE_LIT("Subject: x\r\n"), from);
	assert_string_equal(from, "");
}

/* ---- files --------------------------------------------------------------- */

static char *file;
static size_t filen;

static void
file_cut(char *p, size_t n)
{
	struct in_head h;
	struct slice rest;
	uint32_t a, b;

	assert_int_equal(file_check(p, n, &h, &rest), n == filen ? 0 : -1);
	file_head(p, n, &h, &a, &b);
}

static void
test_file(void **state)
{
	struct in_report r = report();
	const char *why = NULL;
	struct slice rest, line;
	struct in_head h;
	uint64_t count_;
	size_t i;

	assert_int_equal(in_attachment(SLICE_LIT(xml), &r, &house, &why), 0);
	r.head.trust = IN_FAIL;
	r.head.received = 99;
	strlcpy(r.head.subject, "- % \xc3\xa9 x", IN_TEXT);
	file = file_print(&r, 0, &filen);
	assert_int_equal(file_check(file, filen, &h, &rest), 0);
	assert_memory_equal(&h, &r.head, sizeof(h));
	for (i = 0; i < rows_count(r.rows); i++) {
		assert_int_equal(file_row(&rest, &count_, &line), 1);
		assert_true(slice_eq(line, rows_get(r.rows, i)->line));
		assert_int_equal(count_, rows_get(r.rows, i)->count);
	}
	assert_int_equal(file_row(&rest, &count_, &line), 0);
	cut_each(file, filen, file_cut);
	for (i = 0; i < filen; i++) {
		file[i] ^= 1;
		assert_int_equal(file_check(file, filen, &h, &rest), -1);
		file[i] ^= 1;
	}
	free(file);
	rows_free(r.rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_arf),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests_name("report_in", tests, NULL, NULL);
}
