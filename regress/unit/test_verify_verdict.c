/*
 * The verdict engine at its edges: its table of answers, domain names, ARC, the
 * fields it prints, and facts in any order.  What public suites cover is
 * regress/vectors.
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
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "zone.h"

/* ---- answers, domains ---------------------------------------------------- */

static void
test_answers(void **state)
{
	struct answers *a = answers_new();
	struct rr rr = { 1, SLICE_LIT("text") };
	const struct answer *got;
	enum dns_type type;
	const char *name;
	char text[32];
	int i;

	assert_null(answers_get(a, "example.com", DNS_TXT));
	assert_null(answers_get(a, "EXAMPLE.com", DNS_TXT));
	assert_int_equal(answers_open(a), 1);
	assert_true(answers_ask(a, &name, &type));
	assert_false(answers_ask(a, &name, &type));
	answers_put(a, "Example.COM", DNS_TXT, DNS_OK, &rr, 1);
	got = answers_get(a, "example.com", DNS_TXT);
	assert_non_null(got);
	assert_true(slice_is(got->rr[0].data, "text"));
	assert_int_equal(answers_open(a), 0);
	assert_true(answers_keep(a));
	assert_null(answers_get(a, "example.com", DNS_A));
	assert_false(answers_keep(a));
	/* A table that is full says so without growing. */
	for (i = 0; i < ANSWERS_MAX + 10; i++) {
		snprintf(text, sizeof(text), "n%d.example", i);
		got = answers_get(a, text, DNS_A);
		assert_true((got == NULL) == (i < ANSWERS_MAX));
	}
	answers_late(a);
	assert_int_equal(answers_open(a), 0);
	assert_int_equal(answers_get(a, "n1.example", DNS_A)->status,
	    DNS_TEMP);
	answers_free(a);
}

static void
test_answers_bytes(void **state)
{
	struct answers *a = answers_new();
	char *big = calloc(1, 60000), name[32];
	struct rr rr = { 0, { big, 60000 } };
	int i, ok = 0;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		answers_put(a, name, DNS_TXT, DNS_OK, &rr, 1);
		ok += answers_get(a, name, DNS_TXT)->status == DNS_OK;
	}
	assert_true(ok >= 3 && ok * 60000 <= ANSWERS_BYTES);
	answers_free(a);
	free(big);
}

static void
test_domain(void **state)
{
	static const char *const pair[][2] = {
		{ "Example.COM.", "example.com" },
		{ "_spf.Ex-ample.com", "_spf.ex-ample.com" },
		{ "m\xc3\xbcnchen.de", "xn--mnchen-3ya.de" },
		{ "M\xc3\x9cNCHEN.de", "xn--mnchen-3ya.de" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" },
		{ "\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95",
		    "xn--fsqu00a.xn--0zwm56d" },
		{ "\xcf\x80\xcf\x8c\xcf\x82.gr", "xn--1xae3a.gr" },
	};
	static const char *const bad[] = { "", ".", "a..b", "-a.b", "a-.b",
	    "a b.c", "example.net(.example.com", "a@b", "\xff\xfe.com",
	    "a\x7f.b", ("a\xc2\xa0" "b.c"), "\xe3\x80\x82.com" };
	char out[DOMAIN_TEXT], longest[300];
	size_t i;

	for (i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		assert_int_equal(domain_ascii(slice_str(pair[i][0]), out), 0);
		assert_string_equal(out, pair[i][1]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(domain_ascii(slice_str(bad[i]), out), -1);
	assert_int_equal(domain_ascii(slice_of("a\0b.c", 5), out), -1);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(domain_ascii(slice_of(longest, 63), out), 0);
	assert_int_equal(domain_ascii(slice_of(longest, 64), out), -1);
	for (i = 49; i < 300; i += 50)
		longest[i] = '.';
	assert_int_equal(domain_ascii(slice_of(longest, 253), out), 0);
	assert_int_equal(domain_ascii(slice_of(longest, 254), out), -1);
	assert_true(domain_within("a.b", "b") && domain_within("b", "b"));
	assert_false(domain_within("ab", "b") || domain_within("b", "a.b"));
}

/* ---- ARC, fields, time ----------------------------------------------------- */

static void
test_arc_structure(void **state)
{
	struct verdict *v = verdict_new();
	char *m = malloc(400000);
	size_t n = 0;
	int i;

	for (i = 51; i > 0; i--)
		n += (size_t)sprintf(m + n, "ARC-Seal: i=%d; a=rsa-sha256; "
		    "d=a.example; s=s; cv=pass; b=AAAA\r\n"
		    "ARC-Message-Signature: i=%d; a=rsa-sha256; d=a.example; "
		    "s=s; h=from; bh=AAAA; b=AAAA\r\n"
		    "ARC-Authentication-Results: i=%d; none\r\n", i, i, i);
	verdict_start(v, VERDICT_NOSPF, "mx.example", NOW, 0);
	verdict_header(v, slice_of(m, n));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), NULL);
	assert_int_equal(verdict_arc(v)->result, ARC_FAIL);
	verdict_free(v);
	free(m);
}

static void
test_authres_forged(void **state)
{
	static const struct {
		const char	*field;
		int		 forged;
	} t[] = {
		{ "Authentication-Results: mx.example; spf=pass\r\n", 1 },
		{ "AUTHENTICATION-results : MX.Example;x\r\n", 1 },
		{ "Authentication-Results:\r\n\tmx.example 1; none\r\n", 1 },
		{ "Authentication-Results: (c (d) \\)) mx.example; x\r\n", 1 },
		{ "Authentication-Results: \"mx.example\"; x\r\n", 1 },
		{ "Authentication-Results: \"mx\\.example\"; x\r\n", 1 },
		{ "Authentication-Results: mx.example.; x\r\n", 1 },
		{ "Authentication-Results: mx.example(c); x\r\n", 1 },
		{ "Authentication-Results: mx.example\r\n", 1 },
		{ "Authentication-Results: ; x\r\n", 1 },
		{ "Authentication-Results:\r\n", 1 },
		{ "Authentication-Results: \"mx.example\r\n", 1 },
		{ "Authentication-Results: other mx.example; x\r\n", 1 },
		{ "Authentication-Results: other.example; spf=pass\r\n", 0 },
		{ "Authentication-Results: a.mx.example; spf=pass\r\n", 0 },
		{ "X-Authentication-Results: mx.example; x\r\n", 0 },
		{ "ARC-Authentication-Results: i=1; mx.example\r\n", 0 },
	};
	struct header_field f;
	struct slice rest;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		rest = slice_str(t[i].field);
		assert_true(header_next(&rest, &f));
		if (authres_forged(&f, "mx.example") != t[i].forged)
			fail_msg("%s", t[i].field);
	}
}

/* What a stranger chose stays inside its quotes. */
static void
test_authres_print(void **state)
{
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 6, { 0x20, 1, 0xd, 0xb8 } };
	char out[AUTHRES_MAX];
	ssize_t n;

	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 0);
	verdict_client(v, &ip, "a\" ;spf=pass\r\nX: y");
	verdict_sender(v, slice_str("u;dmarc=pass"), slice_str("b.example"));
	verdict_header(v, SLICE_LIT("From: x@y.example\r\n\r\n"));
	verdict_end(v);
	verdict_timeout(v);
	assert_true(verdict_run(v));
	assert_int_equal(verdict_spf(v)->result, SPF_TEMPERROR);
	assert_int_equal(verdict_dmarc(v)->result, DMARC_TEMPERROR);
	n = authres_print(v, "auth=pass smtp.auth=x", out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_null(strstr(out, "dmarc=pass"));
	assert_null(strstr(out, "\r\nX:"));
	assert_null(strstr(out, "smtp.helo"));	/* no result, none told */
	assert_non_null(strstr(out, ";\r\n\tauth=pass smtp.auth=x\r\n"));
	assert_int_equal(authres_print(v, NULL, out, 20), -1);
	n = spf_received_print(v, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "client-ip=\"2001:db8::\""));
	verdict_sender(v, slice_of("", 0), slice_of("", 0));
	n = authres_print(v, NULL, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "smtp.helo=\"a\\\" ;spf=pass??X: y\""));
	assert_null(strstr(out, "\r\nX:"));
	verdict_free(v);
}

/* RFC 7208 9.1: a mailbox is no dot-atom, so it is quoted, whatever is in it;
 * Authentication-Results has what needs no quotes. */
static void
test_received_spf_mailbox(void **state)
{
	static const struct { const char *local, *from, *mailfrom; } t[] = {
		{ "bob", "\"bob@b.example\"", "bob@b.example" },
		{ "hana..ko", "\"\\\"hana..ko\\\"@b.example\"", "b.example" },
		{ "hanako.", "\"\\\"hanako.\\\"@b.example\"", "b.example" },
		{ "a b", "\"\\\"a b\\\"@b.example\"", "b.example" },
		{ "a\"\\", "\"\\\"a\\\\\\\"\\\\\\\\\\\"@b.example\"",
		    "b.example" },
		{ "x@y", "\"\\\"x@y\\\"@b.example\"", "b.example" },
		{ "l+a=c.example", "\"l+a=c.example@b.example\"",
		    "b.example" },
		{ "a;helo=z", "\"\\\"a;helo=z\\\"@b.example\"", "b.example" },
	};
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };
	struct verdict *v = verdict_new();
	char out[AUTHRES_MAX], want[200];
	size_t i;
	ssize_t n;

	for (i = 0; i < NITEMS(t); i++) {
		verdict_start(v, VERDICT_HELO, "mx.example", NOW, 0);
		verdict_client(v, &ip, "h..x");
		verdict_sender(v, slice_str(t[i].local), slice_str("b.example"));
		verdict_header(v, SLICE_LIT("From: x@y.example\r\n\r\n"));
		verdict_end(v);
		verdict_timeout(v);
		assert_true(verdict_run(v));
		n = spf_received_print(v, out, sizeof(out) - 1);
		assert_true(n > 0);
		out[n] = '\0';
		snprintf(want, sizeof(want), "receiver=mx.example; "
		    "client-ip=192.0.2.1;\r\n\tenvelope-from=%s;\r\n\t"
		    "helo=\"h..x\"; identity=mailfrom", t[i].from);
		if (strstr(out, want) == NULL)
			fail_msg("%s: %s", t[i].local, out);
		n = authres_print(v, NULL, out, sizeof(out) - 1);
		assert_true(n > 0);
		out[n] = '\0';
		snprintf(want, sizeof(want), " smtp.mailfrom=%s;",
		    t[i].mailfrom);
		if (strstr(out, want) == NULL)
			fail_msg("%s: %s", t[i].local, out);
	}
	verdict_sender(v, slice_of("", 0), slice_of("", 0));
	n = spf_received_print(v, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "envelope-from=\"\";"));
	verdict_free(v);
}

/* Facts may come in any cut; questions go out as soon as they are known. */
static void
test_verdict_order(void **state)
{
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };
	enum dns_type type;
	const char *name;

	verdict_start(v, 0, "mx.example", NOW, 0);
	assert_false(verdict_run(v));
	assert_int_equal(answers_open(verdict_answers(v)), 0);
	verdict_client(v, &ip, "h.example");
	verdict_sender(v, slice_str("a"), slice_str("a.example"));
	assert_false(verdict_run(v));
	assert_true(answers_ask(verdict_answers(v), &name, &type));
	assert_string_equal(name, "a.example");
	verdict_header(v, SLICE_LIT("From: a@b.example\r\n\r\n"));
	assert_false(verdict_run(v));
	assert_true(answers_ask(verdict_answers(v), &name, &type));
	assert_string_equal(name, "_dmarc.b.example");
	verdict_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answers_bytes),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_arc_structure),
		cmocka_unit_test(test_authres_forged),
		cmocka_unit_test(test_authres_print),
		cmocka_unit_test(test_received_spf_mailbox),
		cmocka_unit_test(test_verdict_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
