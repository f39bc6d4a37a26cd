/*
 * The pure parts of failure reports: redaction of hostile headers, cut at
 * every octet; the text of a report; which messages get one; limits.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/text.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/failure.h"
#include "cut.h"

static const uint8_t key[REDACT_KEY] = { 1, 2, 3 };

static const char hostile[] =
	"Received: from [192.0.2.1] (HELO wilma) (a\\) (nested)) "
	"by b.test with \"q q\" id x@wilma for <\"wil ma\"@c.test>;\r\n"
	" Sat, 21 Nov 2026 20:00:00 +0100\r\n"
	"Received: \"wilma wilma\" from wilma@a.test by (wilma\r\n"
	"Received: from wilma by b.test for wilma; wilma\r\n"
	"From: =?utf-8?q?wilma?= <wilma@\303\251xample.test>, \"wilma\\\"@x\r\n"
	"To: wilma: <wilma@a.test>, (wilma@b.test) wilma ;, <@r.test:wilma@d>\r\n"
	"Cc: wilma\r\n"
	"Sender: <>\r\n"
	"Return-Path: <>\r\n"
	"Reply-To: <wilma@[192.0.2.9]>, <wilma@[wilma]>\r\n"
	"Subject: wilma\r\n"
	"DKIM-Signature: v=1; wilma=wilma; z=From:wilma; i=wilma@a.test; h=\r\n"
	"\tfrom:to;b=AAAA\r\n AAAA; s=\377; d=a.test; i=@a.test\r\n"
	"Authentication-Results: mx.test (wilma) 1; auth=pass smtp.auth=wilma;"
	" spf=pass smtp.mailfrom=\"wilma@a.test\" reason=\"wilma\";"
	" dkim=pass header.i=wilma header.d=a.test header.b=\"x\"\r\n"
	"Received-SPF: pass (wilma: x) client-ip=192.0.2.1;"
	" envelope-from=\"wilma@a.test\"; helo=h.test; x-local=wilma\r\n"
	"Received-SPF: none client-ip=192.0.2.1; helo=wilmas-pc\r\n"
	"Date: Sat, 21 Nov 2026 20:00:00 +0100 (wilma)\r\n"
	"Message-ID: <wilma.123@a.test>\r\n"
	"Message-ID: <123@a.test>\r\n"
	"Content-Type: text/html; name=wilma\r\n"
	"List-Id: <wilma.a.test>\r\n"
	"X-Wilma: wilma\r\n";

static struct text
redacted(struct slice header, const char *sender, const char *rcpt)
{
	struct text t = { 0 };

	redact_header(key, header, slice_str(sender), slice_str(rcpt), &t);
	text_add(&t, slice_of("", 1));
	return t;
}

/* Fields with folding, printable, not a line too long. */
static void
well_formed(struct slice s)
{
	struct slice rest = s;
	struct header_field f;
	size_t n = 0;

	assert_true(text_is_plain(s));
	while (header_next(&rest, &f)) {
		assert_true(f.name.n > 0);
		assert_true(f.raw.n >= 2 &&
		    memcmp(f.raw.p + f.raw.n - 2, "\r\n", 2) == 0);
		n += f.raw.n;
	}
	assert_int_equal(n, s.n);	/* no empty line on the way */
}

static void
test_redact_hostile(void **state)
{
	struct text t = redacted(slice_str(hostile), "wilma@a.test", "b@c");
	static const char *const want[] = {
		"Received: from [192.0.2.1]\r\n\tby b.test\r\n\twith redacted"
		"\r\n\tid redacted\r\n\tfor <redacted-",
		";\r\n\tSat, 21 Nov 2026 19:00:00 +0000\r\nReceived:\r\n"
		"\tfrom redacted\r\n\tby\r\n",
		"@xn--xample-9ua.test>", "Sender: <>\r\n",
		"Return-Path: <>\r\n", "@[192.0.2.9]>",
		"@redacted.invalid>", "h=from:to;", "b=AAAAAAAA;",
		"i=@a.test;", "mx.test;\r\n\tspf=pass\r\n\tsmtp.mailfrom="
		"redacted-", "header.i=redacted\r\n",
		"\r\n\tclient-ip=192.0.2.1\r\n\tenvelope-from=redacted-",
		"helo=h.test\r\n", "\thelo=redacted\r\n",
		"Date: Sat, 21 Nov 2026 19:00:00 +0000\r\n",
		"Message-ID: <redacted-", "Message-ID: <123@a.test>\r\n",
		"Content-Type: text/html\r\n"
	};
	size_t i;

	well_formed(slice_of(t.p, t.n - 1));
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		if (strstr(t.p, want[i]) == NULL)
			fail_msg("no %s in\n%s", want[i], t.p);
	assert_null(strstr(t.p, "Subject"));
	assert_null(strstr(t.p, "List-Id"));
	for (i = 0; i + 5 < t.n; i++)
		assert_false(slice_caseis(slice_of(t.p + i, 5), "wilma"));
	free(t.p);
}

static void
cut_redacted(char *p, size_t n)
{
	struct text t = redacted(slice_of(p, n), "", "");

	well_formed(slice_of(t.p, t.n - 1));
	free(t.p);
}

static void
test_redact_cut(void **state)
{
	CUT_LIT(hostile, cut_redacted);
}

/* Each octet that means something, in each place. */
static void
test_redact_changed(void **state)
{
	static const char odd[] = "\r\n\0\377()\"\\<>@;=:,[] ";
	char copy[sizeof(hostile) - 1];
	struct text t;
	size_t i, k;

	memcpy(copy, hostile, sizeof(copy));
	for (i = 0; i < sizeof(copy); i++) {
		for (k = 0; k < sizeof(odd) - 1; k++) {
			copy[i] = odd[k];
			t = redacted(slice_of(copy, sizeof(copy)), "", "");
			well_formed(slice_of(t.p, t.n - 1));
			free(t.p);
		}
		copy[i] = hostile[i];
	}
}

static void
test_redact_limit(void **state)
{
	struct text big = { 0 }, t;
	int i;

	for (i = 0; i < 3000; i++)
		text_say(&big, "To: a%d@b.test\r\n", i);
	t = redacted(slice_of(big.p, big.n), "", "");
	assert_in_range(t.n, REDACT_MAX - 100, REDACT_MAX + 1);
	well_formed(slice_of(t.p, t.n - 1));
	free(t.p);
	free(big.p);
}

static void
test_redact_address(void **state)
{
	char a[REDACT_ADDR], b[REDACT_ADDR];
	static const uint8_t other[REDACT_KEY];
	char longest[1000];

	redact_address(key, SLICE_LIT("Wilma@A.test"), a);
	redact_address(key, SLICE_LIT("wilma@a.test"), b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), strlen("redacted-0123456789abcdef@a.test"));
	redact_address(other, SLICE_LIT("wilma@a.test"), b);
	assert_string_not_equal(a, b);
	redact_address(key, SLICE_LIT("fred@a.test"), b);
	assert_string_not_equal(a, b);
	redact_address(key, SLICE_LIT("\"a@b\"@c.test"), b);
	assert_string_equal(strchr(b, '@'), "@c.test");
	redact_address(key, SLICE_LIT(""), b);
	assert_string_equal(strchr(b, '@'), "@redacted.invalid");
	memset(longest, 'x', sizeof(longest));
	longest[500] = '@';
	redact_address(key, slice_of(longest, sizeof(longest)), b);
	assert_string_equal(strchr(b, '@'), "@redacted.invalid");
}

/* ---- the report ------------------------------------------------------------- */

static struct report_mail_ev
failed(void)
{
	return (struct report_mail_ev){ .sid = SLICE_LIT("s1"),
	    .peer = { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 }, 0 },
	    .sender = SLICE_LIT("a@b.test"), .rcpt = SLICE_LIT("c@d.test"),
	    .author = SLICE_LIT("b.test"), .at = SLICE_LIT("b.test"),
	    .dmarc = DMARC_FAIL, .spf = SPF_FAIL,
	    .spf_domain = SLICE_LIT("b.test"), .disposition = REPORT_REJECT,
	    .header = SLICE_LIT("From: <a@b.test>\r\n") };
}

static struct slice
signatures(uint8_t *buf, size_t size, int n, int result)
{
	size_t off = 0;
	char domain[40];
	struct item_dkim d = { .result = (uint8_t)result,
	    .selector = SLICE_LIT("s"), .algorithm = SLICE_LIT("rsa-sha256") };

	while (n-- > 0) {
		snprintf(domain, sizeof(domain), "%s", n == 0 ? "x.b.test" :
		    "other.test");
		d.domain = slice_str(domain);
		assert_int_equal(item_dkim_put(buf, size, &off, &d), 0);
	}
	return slice_of((char *)buf, off);
}

static void
test_arf(void **state)
{
	uint8_t buf[4096];
	struct report_mail_ev m = failed();
	struct arf a = { .mail = &m, .hostname = "h.test", .incidents = 3,
	    .spf = SLICE_LIT("v=spf1 \"\\\r\n -all"), .key = key };
	struct text t = { 0 };
	static const char *const want[] = { "\r\nSource-IP: 2001:db8::1\r\n",
	    "\r\nIncidents: 3\r\n", "\r\nIdentity-Alignment: dkim, spf\r\n",
	    "\r\n\t\"v=spf1 \\\"\\\\?? -all\"\r\n", "\r\nDKIM-Domain: x.b.test\r\n",
	    "\r\nDKIM-Identity: @x.b.test\r\n", "\r\nDelivery-Result: reject\r\n",
	    "\r\nOriginal-Mail-From: <redacted-" };
	size_t i;

	m.dkim = signatures(buf, sizeof(buf), 3, DKIM_FAIL);
	arf_text(&a, &t);
	text_add(&t, slice_of("", 1));
	assert_true(text_is_plain(slice_of(t.p, t.n - 1)));
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		if (strstr(t.p, want[i]) == NULL)
			fail_msg("no %s in\n%s", want[i], t.p);
	assert_null(strstr(t.p, "Source-Port"));
	assert_null(strstr(t.p, "Original-Rcpt-To"));
	free(t.p);

	/* another's signature is not to blame; quarantine is spam */
	t = (struct text){ 0 };
	m.dkim = signatures(buf, sizeof(buf), 1, DKIM_PASS);
	m.dkim_aligned = 1;
	m.disposition = REPORT_QUARANTINE;
	a.spf = slice_of(NULL, 0);
	a.incidents = 1;
	arf_text(&a, &t);
	text_add(&t, slice_of("", 1));
	assert_non_null(strstr(t.p, "\r\nIdentity-Alignment: spf\r\n"));
	assert_non_null(strstr(t.p, "\r\nDelivery-Result: spam\r\n"));
	assert_null(strstr(t.p, "DKIM-Domain"));
	assert_null(strstr(t.p, "SPF-DNS"));
	assert_null(strstr(t.p, "Incidents"));
	free(t.p);
}

/* Whatever octet stands in a text from outside, the lines stay ours. */
static void
test_arf_hostile(void **state)
{
	char evil[4] = "a?b";
	uint8_t buf[512];
	struct report_mail_ev m = failed();
	struct arf a = { .mail = &m, .hostname = "h.test" };
	struct item_dkim d;
	struct text t;
	size_t lines = 0, n, i, off;
	int c;

	for (c = 1; c < 256; c++) {	/* no NUL comes over a channel */
		evil[1] = (char)c;
		d = (struct item_dkim){ .result = DKIM_FAIL,
		    .domain = slice_of(evil, 3), .selector = slice_of(evil, 3),
		    .algorithm = slice_of(evil, 3) };
		off = 0;
		item_dkim_put(buf, sizeof(buf), &off, &d);
		m.dkim = slice_of((char *)buf, off);
		m.sid = m.sender = m.rcpt = m.author = m.spf_domain =
		    slice_of(evil, 3);
		a.spf = slice_of(evil, 3);
		t = (struct text){ 0 };
		arf_text(&a, &t);
		assert_true(text_is_plain(slice_of(t.p, t.n)));
		for (n = i = 0; i < t.n; i++)
			n += t.p[i] == '\n' && (t.n - i < 6 ||
			    memcmp(t.p + i + 1, "DKIM-", 5) != 0);
		if (c == 1)
			lines = n;
		assert_int_equal(n, lines);
		free(t.p);
	}
}

static void
test_qp(void **state)
{
	struct text t = { 0 };

	text_qp(&t, SLICE_LIT("a=b \r\n\303\251\rx\n\t\r\n"));
	text_add(&t, slice_of("", 1));
	assert_string_equal(t.p, "a=3Db=20\r\n=C3=A9=0Dx=0A=09\r\n");
	free(t.p);
}

/* ---- which ------------------------------------------------------------------- */

static void
test_wanted(void **state)
{
	static const struct {
		int	 fo, dmarc, spf, spf_aligned, dkim, dkim_aligned;
		bool	 wanted;
	} cases[] = {
		{ DMARC_FO_0, DMARC_FAIL, SPF_FAIL, 0, DKIM_FAIL, 0, true },
		{ DMARC_FO_0, DMARC_FAIL, SPF_PASS, 0, DKIM_PASS, 0, true },
		{ DMARC_FO_0, DMARC_PASS, SPF_FAIL, 0, DKIM_PASS, 1, false },
		{ DMARC_FO_0, DMARC_PASS, SPF_PASS, 1, DKIM_FAIL, 0, false },
		{ DMARC_FO_1, DMARC_PASS, SPF_FAIL, 0, DKIM_PASS, 1, true },
		{ DMARC_FO_1, DMARC_PASS, SPF_PASS, 1, DKIM_FAIL, 0, true },
		{ DMARC_FO_1, DMARC_PASS, SPF_PASS, 1, DKIM_PASS, 1, false },
		{ DMARC_FO_D, DMARC_PASS, SPF_PASS, 1, DKIM_FAIL, 1, true },
		{ DMARC_FO_D, DMARC_FAIL, SPF_FAIL, 0, DKIM_PASS, 0, false },
		{ DMARC_FO_D, DMARC_FAIL, SPF_FAIL, 0, DKIM_TEMPERROR, 0, false },
		{ DMARC_FO_D, DMARC_FAIL, SPF_FAIL, 0, DKIM_PERMERROR, 0, true },
		{ DMARC_FO_S, DMARC_PASS, SPF_SOFTFAIL, 0, DKIM_PASS, 1, true },
		{ DMARC_FO_S, DMARC_FAIL, SPF_PASS, 0, DKIM_FAIL, 0, false },
		{ DMARC_FO_S, DMARC_FAIL, SPF_NEUTRAL, 0, DKIM_FAIL, 0, false },
		{ DMARC_FO_S, DMARC_FAIL, SPF_TEMPERROR, 0, DKIM_FAIL, 0, false },
		{ DMARC_FO_D | DMARC_FO_S, DMARC_FAIL, SPF_FAIL, 0, DKIM_PASS, 0,
		    true },
		{ 15, DMARC_NONE, SPF_FAIL, 0, DKIM_FAIL, 0, false },
		{ 15, DMARC_TEMPERROR, SPF_FAIL, 0, DKIM_FAIL, 0, false },
		{ 15, DMARC_PERMERROR, SPF_FAIL, 0, DKIM_FAIL, 0, false },
		{ 0, DMARC_FAIL, SPF_FAIL, 0, DKIM_FAIL, 0, false },
	};
	uint8_t buf[512];
	struct report_mail_ev m = failed();
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m.dmarc = (uint8_t)cases[i].dmarc;
		m.spf = (uint8_t)cases[i].spf;
		m.spf_aligned = (uint8_t)cases[i].spf_aligned;
		m.dkim_aligned = (uint8_t)cases[i].dkim_aligned;
		m.dkim = signatures(buf, sizeof(buf), 1, cases[i].dkim);
		assert_true(failure_sound(&m));
		if (failure_wanted(cases[i].fo, &m) != cases[i].wanted)
			fail_msg("case %zu", i);
	}
	m.spf = SPF_PERMERROR + 1;
	assert_false(failure_sound(&m));
}

static void
test_is_report(void **state)
{
	char *addresses[] = { (char[]){ "tls@us.test" } };
	static const struct {
		const char	*sender, *rcpt, *header;
		bool		 report;
	} cases[] = {
		{ "a@b", "c@d", "From: <a@b>\r\n", false },
		{ "", "c@d", "From: <a@b>\r\n", false },
		{ "r@us.test", "c@d", "", true },
		{ "a@b", "R@US.test", "", true },
		{ "a@b", "tls@us.test", "", true },
		{ "a@b", "c@d", "From: x, \"r\"@us.test\r\n", true },
		{ "a@b", "c@d", "Content-Type: multipart/report\r\n", true },
		{ "a@b", "c@d", "Content-Type:\r\n multipart/report;x\r\n", true },
		{ "a@b", "c@d", "Content-Type: multipart/mixed\r\n", false },
		{ "a@b", "c@d", "Auto-Submitted: auto-replied\r\n", false },
		{ "", "c@d", "Auto-Submitted: auto-replied\r\n", true },
		{ "", "c@d", "Auto-Submitted: no\r\n", false },
		{ "a@b", "c@d", "Auto-Submitted: auto-generated\r\n"
		    "Content-Type: application/zip\r\n", true },
	};
	struct report_mail_ev m = failed();
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m.sender = slice_str(cases[i].sender);
		m.rcpt = slice_str(cases[i].rcpt);
		m.header = slice_str(cases[i].header);
		if (failure_is_report(&m, "r@us.test", addresses, 1) !=
		    cases[i].report)
			fail_msg("case %zu", i);
	}
}

static void
test_limit(void **state)
{
	uint8_t k[16] = { 7 };
	struct limit *l = limit_new(k);
	char name[20];
	unsigned int i, passed = 0;

	for (i = 0; i < 5; i++)
		assert_int_equal(limit_take(l, 1, SLICE_LIT("a.test"), 3, 100),
		    i < 3);
	assert_false(limit_left(l, 1, SLICE_LIT("A.TEST"), 3, 100));
	assert_true(limit_left(l, 2, SLICE_LIT("a.test"), 3, 100));
	assert_true(limit_take(l, 1, SLICE_LIT("b.test"), 3, 100));
	assert_false(limit_take(l, 1, SLICE_LIT("a.test"), 3, 3699));
	assert_true(limit_take(l, 1, SLICE_LIT("a.test"), 3, 3700));
	assert_false(limit_take(l, 1, SLICE_LIT("c.test"), 0, 100));
	/* many names neither push another out nor get in without end */
	for (i = 0; i < 3; i++)
		limit_take(l, 1, SLICE_LIT("victim.test"), 3, 10000);
	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "d%u.test", i);
		passed += limit_take(l, 1, slice_str(name), 1, 10001);
	}
	assert_in_range(passed, LIMIT_SLOTS / 2, LIMIT_SLOTS);
	assert_false(limit_take(l, 1, SLICE_LIT("victim.test"), 3, 10001));
	/* the clock went back, or an hour on: all is new */
	assert_true(limit_take(l, 1, SLICE_LIT("victim.test"), 3, 14000));
	limit_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact_hostile),
		cmocka_unit_test(test_redact_cut),
		cmocka_unit_test(test_redact_changed),
		cmocka_unit_test(test_redact_limit),
		cmocka_unit_test(test_redact_address),
		cmocka_unit_test(test_arf),
		cmocka_unit_test(test_arf_hostile),
		cmocka_unit_test(test_qp),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_is_report),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
