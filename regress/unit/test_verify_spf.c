/*
 * SPF at its edges: limits, loops, hostile macros, and whose identity counts.
 * What public suites cover is regress/vectors.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "zone.h"

static struct spf
spf(const struct record *zone, const char *local, const char *domain)
{
	struct spf_query q = { .ip = { 4, { 192, 0, 2, 1 } },
	    .helo = "mail.example", .local = slice_str(local),
	    .domain = slice_str(domain), .receiver = "mx.example",
	    .now = NOW };
	struct answers *a = answers_new();
	struct spf out;
	int round;

	asked = 0;
	for (round = 0; !spf_run(&q, a, &out); round++) {
		assert_true(round < 100 && answers_open(a) > 0);
		answer_all(a, zone);
	}
	answers_free(a);
	return out;
}

static void
test_spf_limits(void **state)
{
	static const struct record loop[] = {
		{ "a.example", DNS_TXT, "v=spf1 include:a.example -all" },
		{ "b.example", DNS_TXT, "v=spf1 redirect=b.example" },
		{ "c.example", DNS_TXT, "v=spf1 a:1.c.example a:2.c.example "
		    "a:3.c.example +all" },
		{ "d.example", DNS_TXT, "v=spf1 a:1.d.example a:2.d.example "
		    "+all" },
		{ "e.example", DNS_TXT, "v=spf1 a a a a a a a a a a +all" },
		{ "e.example", DNS_A, "\1\1\1\1" },
		{ "f.example", DNS_TXT, "v=spf1 a a a a a a a a a a a +all" },
		{ "f.example", DNS_A, "\1\1\1\1" },
		{ "g.example", DNS_TXT, "v=spf1 a:x.g.example +all" },
		{ "x.g.example", DNS_A, "!" },
		{ NULL }
	};

	assert_int_equal(spf(loop, "u", "a.example").result, SPF_PERMERROR);
	assert_int_equal(asked, 1);
	assert_int_equal(spf(loop, "u", "b.example").result, SPF_PERMERROR);
	assert_int_equal(asked, 1);
	assert_int_equal(spf(loop, "u", "c.example").result, SPF_PERMERROR);
	assert_int_equal(spf(loop, "u", "d.example").result, SPF_PASS);
	assert_int_equal(spf(loop, "u", "e.example").result, SPF_PASS);
	assert_int_equal(spf(loop, "u", "f.example").result, SPF_PERMERROR);
	assert_int_equal(spf(loop, "u", "g.example").result, SPF_TEMPERROR);
	assert_int_equal(spf(loop, "u", "none.example").result, SPF_NONE);
}

/* attacks: libspf2's two, and others of their kind */
static void
test_spf_macros(void **state)
{
	static const char *const bad[] = { "v=spf1 a:%{", "v=spf1 a:%{}",
	    "v=spf1 a:%{l0r}.x.example", "v=spf1 a:%{d0}", "v=spf1 a:%%%",
	    "v=spf1 a:%", "v=spf1 a:%{c}.x.example", "v=spf1 exists:%{d",
	    "v=spf1 exp=%{x}.example", "v=spf1 a:%{dr2}", "v=spf1 a:%{d2r;}" };
	static const struct record zone[] = {
		{ "a.example", DNS_TXT,
		    "v=spf1 exists:%{d999999999999999999999}.ok.example -all" },
		{ "a.example.ok.example", DNS_A, "\177\0\0\2" },
		{ "b.example", DNS_TXT, "v=spf1 exists:%{l}.b.example +all" },
		{ "c.example", DNS_TXT, "v=spf1 exists:%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{S}%{S}%{S}%{S}%{S}.c.example ~all" },
		{ "d.example", DNS_TXT, "v=spf1 exp=e.d.example -all" },
		{ "e.d.example", DNS_TXT, "go %{S} %{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}" },
		{ NULL }
	};
	char local[64];
	struct spf out;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spf_check(slice_str(bad[i]), NULL), -1);
	assert_int_equal(spf(zone, "u", "a.example").result, SPF_PASS);
	/* A local part in UTF-8 matches nothing (RFC 8616 4). */
	assert_int_equal(spf(zone, "\xc3\xbc", "b.example").result, SPF_PASS);
	assert_int_equal(asked, 1);
	memset(local, 'x', 63);
	local[63] = '\0';
	assert_int_equal(spf(zone, local, "c.example").result, SPF_SOFTFAIL);
	out = spf(zone, "a\"\\\r\n%", "d.example");
	assert_int_equal(out.result, SPF_FAIL);
	assert_int_equal(strlen(out.exp), SPF_EXP_MAX - 1);
	assert_null(strpbrk(out.exp, "\r\n"));
	assert_int_equal(strncmp(out.exp, "go a%22%5C%0D%0A%25@", 16), 0);
}

static void
test_spf_identity(void **state)
{
	static const struct record zone[] = {
		{ "xn--mnchen-3ya.de", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all" },
		{ "mail.example", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all" },
		{ "other.example", DNS_TXT, "v=spf1 -all" },
		{ NULL }
	};
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };

	assert_int_equal(spf(zone, "u", "m\xc3\xbcnchen.de").result, SPF_PASS);
	/* HELO of a domain that passes does not help MAIL FROM. */
	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 0);
	verdict_client(v, &ip, "mail.example");
	verdict_sender(v, slice_str("u"), slice_str("other.example"));
	verdict_header(v, SLICE_LIT("From: u@other.example\r\n"));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), zone);
	assert_int_equal(verdict_spf(v)->result, SPF_FAIL);
	assert_int_equal(verdict_spf_helo(v)->result, SPF_PASS);
	/* The null sender: HELO stands in. */
	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 1);
	verdict_client(v, &ip, "mail.example");
	verdict_sender(v, slice_str(""), slice_str(""));
	verdict_header(v, SLICE_LIT("From: u@other.example\r\n"));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), zone);
	assert_int_equal(verdict_spf(v)->result, SPF_PASS);
	assert_string_equal(verdict_spf(v)->domain, "mail.example");
	assert_null(verdict_spf_helo(v));
	verdict_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spf_limits),
		cmocka_unit_test(test_spf_macros),
		cmocka_unit_test(test_spf_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
