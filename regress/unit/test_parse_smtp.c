/*
 * SMTP: command lines, ESMTP parameters, replies of others, message data on
 * the wire, and the SASL and base64 in between.
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
#include "parse/address.h"
#include "parse/base64.h"
#include "parse/data.h"
#include "parse/err.h"
#include "parse/sasl.h"
#include "parse/oauth.h"
#include "parse/scram.h"
#include "parse/smtp.h"
#include "cut.h"

static void
test_cmd(void **state)
{
	struct smtp_cmd c;

	assert_int_equal(smtp_cmd_parse(SLICE_LIT("MAIL FROM:<a@b> "), &c,
	    NULL), 0);
	assert_true(slice_is(c.verb, "MAIL"));
	assert_true(slice_is(c.arg, "FROM:<a@b>"));
	assert_int_equal(smtp_cmd_parse(SLICE_LIT("quit"), &c, NULL), 0);
	assert_int_equal(c.arg.n, 0);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT(""), &c, NULL), -1);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT(" QUIT"), &c, NULL), -1);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT("\x16\x03\x01"), &c, NULL),
	    -1);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT("A\0B"), &c, NULL), -1);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT("NOOP a\rb"), &c, NULL),
	    -1);
	assert_int_equal(smtp_cmd_parse(SLICE_LIT("ABCDEFGHIJKLMNOPQ"), &c,
	    NULL), -1);
}

static void
mail_is(const char *arg, enum smtp_path_result want)
{
	struct smtp_path p;
	struct parse_err e = { 0, NULL };
	enum smtp_path_result rc = smtp_mail_parse(slice_str(arg), &p, &e);

	if (rc != want)
		fail_msg("%s: %d", arg, rc);
	assert_true(e.off <= strlen(arg));
}

static void
test_params(void **state)
{
	struct smtp_path p;

	assert_int_equal(smtp_mail_parse(SLICE_LIT("FROM:<a@b.org> SIZE=1000 "
	    "body=8bitmime SMTPUTF8 RET=HDRS ENVID=x+2By AUTH=<> REQUIRETLS"),
	    &p, NULL), SMTP_PATH_OK);
	assert_int_equal(p.size, 1000);
	assert_int_equal(p.body, SMTP_BODY_8BITMIME);
	assert_int_equal(p.ret, 'H');
	assert_true(p.utf8 && p.requiretls);
	assert_true(slice_is(p.auth, "<>"));
	assert_int_equal(smtp_rcpt_parse(SLICE_LIT("TO:<a@b.org> "
	    "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@b.org"), 0, &p, NULL),
	    SMTP_PATH_OK);
	assert_int_equal(p.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE);
	assert_int_equal(smtp_rcpt_parse(SLICE_LIT("TO:<a@b.org> "
	    "NOTIFY=NEVER,DELAY"), 0, &p, NULL), SMTP_PATH_PARAM);
	assert_int_equal(smtp_rcpt_parse(SLICE_LIT("TO:<a@b.org> SIZE=1"), 0,
	    &p, NULL), SMTP_PATH_UNKNOWN);
	mail_is("FROM:<a@b> FOO=1", SMTP_PATH_UNKNOWN);
	mail_is("FROM:<a@b> SIZE=1 SIZE=1", SMTP_PATH_PARAM);
	mail_is("FROM:<a@b> SMTPUTF8=1", SMTP_PATH_PARAM);
	mail_is("FROM:<a@b> SIZE", SMTP_PATH_PARAM);
	mail_is("FROM <a@b>", SMTP_PATH_SYNTAX);
	mail_is("TO:<a@b>", SMTP_PATH_SYNTAX);
	mail_is("FROM : <a@b>", SMTP_PATH_OK);
	mail_is("FROM:<\xc3\xa5@b>", SMTP_PATH_ADDRESS);
	mail_is("FROM:<\xc3\xa5@b> SMTPUTF8", SMTP_PATH_OK);
}

/* Row 27: parameters below the buffer, too many, too large. */
static void
test_attack_params(void **state)
{
	char *big = malloc(400000);
	int i, n = 0;

	mail_is("FROM:<> AUTH=\"\"", SMTP_PATH_OK);
	mail_is("FROM:<> =", SMTP_PATH_UNKNOWN);
	mail_is("FROM:<> =\"", SMTP_PATH_UNKNOWN);
	mail_is("FROM:<> AUTH==", SMTP_PATH_PARAM);
	mail_is("FROM:<> AUTH=+", SMTP_PATH_PARAM);
	mail_is("FROM:<> AUTH=+4", SMTP_PATH_PARAM);
	mail_is("FROM:<> SIZE=2147483648", SMTP_PATH_OK);
	mail_is("FROM:<> SIZE=9223372036854775807", SMTP_PATH_OK);
	mail_is("FROM:<> SIZE=9223372036854775808", SMTP_PATH_PARAM);
	mail_is("FROM:<> SIZE=18446744073709551616", SMTP_PATH_PARAM);
	mail_is("FROM:<> SIZE=-1", SMTP_PATH_PARAM);
	n = sprintf(big, "FROM:<>");
	for (i = 0; i < 100000; i++)
		n += sprintf(big + n, " A");
	mail_is(big, SMTP_PATH_UNKNOWN);
	free(big);
}

static void
test_xtext(void **state)
{
	char out[64];
	ssize_t n;

	n = xtext_encode(SLICE_LIT("a+b=c d\n"), out, sizeof(out));
	assert_true(slice_is(slice_of(out, (size_t)n), "a+2Bb+3Dc+20d+0A"));
	n = xtext_decode(slice_of(out, (size_t)n), out, sizeof(out));
	assert_true(slice_is(slice_of(out, (size_t)n), "a+b=c d\n"));
	assert_int_equal(xtext_decode(SLICE_LIT("+0"), out, 64), -1);
	assert_int_equal(xtext_encode(SLICE_LIT("abc"), out, 2), -1);
}

/* Row 25: the argument of EHLO. */
static void
test_attack_helo(void **state)
{
	char buf[70000];
	size_t n;

	memset(buf, 'a', sizeof(buf));
	for (n = 1; n <= sizeof(buf); n += n < 300 ? 1 : 997)
		assert_int_equal(smtp_helo_valid(slice_of(buf, n)),
		    n <= ADDR_DOMAIN_MAX ? 0 : -1);
	assert_int_equal(smtp_helo_valid(SLICE_LIT("bigfoot")), 0);
	assert_int_equal(smtp_helo_valid(SLICE_LIT("[IPv6:::1]")), 0);
	assert_int_equal(smtp_helo_valid(SLICE_LIT("a b")), -1);
	assert_int_equal(smtp_helo_valid(SLICE_LIT("a\0b")), -1);
	assert_int_equal(smtp_helo_valid(SLICE_LIT("%{}")), -1);
}

/* Row 13: BDAT sizes. */
static void
test_attack_bdat(void **state)
{
	uint64_t n;
	int last;

	assert_int_equal(smtp_bdat_parse(SLICE_LIT("1 LAST"), &n, &last), 0);
	assert_int_equal(n, 1);
	assert_int_equal(last, 1);
	assert_int_equal(smtp_bdat_parse(SLICE_LIT("1"), &n, &last), 0);
	assert_int_equal(last, 0);
	assert_int_equal(smtp_bdat_parse(SLICE_LIT("-1"), &n, &last), -1);
	assert_int_equal(smtp_bdat_parse(SLICE_LIT(""), &n, &last), -1);
	assert_int_equal(smtp_bdat_parse(SLICE_LIT("99999999999999999999"),
	    &n, &last), -1);
	assert_int_equal(smtp_bdat_parse(SLICE_LIT("1 LAST x"), &n, &last),
	    -1);
}

static int
reply(struct smtp_reply *r, const char *line)
{
	return smtp_reply_line(r, slice_str(line), NULL, NULL);
}

static void
test_reply(void **state)
{
	struct smtp_reply r;

	smtp_reply_start(&r);
	assert_int_equal(reply(&r, "250-mx.example.org"), 0);
	assert_int_equal(reply(&r, "250-SIZE 1000"), 0);
	assert_int_equal(reply(&r, "250 HELP"), 1);
	assert_int_equal(r.code, 250);
	assert_string_equal(r.text, "mx.example.org SIZE 1000 HELP");
	smtp_reply_start(&r);
	assert_int_equal(reply(&r, "550-5.1.1 no"), 0);
	assert_int_equal(reply(&r, "550 5.1.1 such user"), 1);
	assert_int_equal(r.enhanced[0], 5);
	assert_int_equal(r.enhanced[2], 1);
	assert_string_equal(r.text, "no such user");
	smtp_reply_start(&r);
	assert_int_equal(reply(&r, "250"), 1);
	assert_string_equal(r.text, "");
}

/* Rows 2, 17, 18: what a server may say to its client. */
static void
test_attack_reply(void **state)
{
	static const char *const bad[] = { "", "5", "55", "abc", "553x",
	    "199 x", "600 x", "553-a\n dispatcher: x", "553 a\rb", "25O ok",
	    "-550 x", " 550 x" };
	static const char *const odd[] = { "550 5.7.2", "550", "550 5.7",
	    "550 ", "550 5.", "550 5.7.", "550 5.7.2345 x", "550 2.0.0 x",
	    "550 5.7.2x" };
	char line[SMTP_REPLY_LINE_MAX + 2];
	struct smtp_reply r;
	size_t i;

	for (i = 0; i < NITEMS(bad); i++) {
		smtp_reply_start(&r);
		assert_int_equal(reply(&r, bad[i]), -1);
	}
	for (i = 0; i < NITEMS(odd); i++) {
		smtp_reply_start(&r);
		assert_int_equal(reply(&r, odd[i]), 1);
		assert_int_equal(r.enhanced[0] != 0, i == 0);
	}
	smtp_reply_start(&r);
	assert_int_equal(smtp_reply_line(&r, SLICE_LIT("250 a\0b"), NULL,
	    NULL), -1);
	smtp_reply_start(&r);
	assert_int_equal(reply(&r, "553-a"), 0);
	assert_int_equal(reply(&r, "554 a"), -1);
	smtp_reply_start(&r);
	for (i = 0; i < SMTP_REPLY_LINES; i++)
		assert_int_equal(reply(&r, "250-\x1b[31m\xff long enough"), 0);
	assert_int_equal(reply(&r, "250 end"), -1);
	assert_int_equal(r.textn, sizeof(r.text) - 1);
	assert_int_equal(memchr(r.text, 27, r.textn) == NULL, 1);
	memset(line, '2', sizeof(line));
	assert_int_equal(smtp_reply_line(&r, slice_of(line, sizeof(line)),
	    NULL, NULL), -1);
}

static void
reply_cut(char *p, size_t n)
{
	struct smtp_reply r;

	smtp_reply_start(&r);
	smtp_reply_line(&r, slice_of(p, n), NULL, NULL);
}

static void
cmd_cut(char *p, size_t n)
{
	struct smtp_cmd c;
	struct smtp_path path;

	if (smtp_cmd_parse(slice_of(p, n), &c, NULL) == 0) {
		smtp_mail_parse(c.arg, &path, NULL);
		smtp_rcpt_parse(c.arg, 1, &path, NULL);
		smtp_bdat_parse(c.arg, &path.size, &path.ret);
	}
}

static void
test_cut(void **state)
{
	static const char *const in[] = {
		"MAIL FROM:<a@b.org> SIZE=1 AUTH=a+2Bb ENVID=+ RET=FULL",
		"RCPT TO:<a@b.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+40b",
		"BDAT 12 LAST"
	};
	size_t i;

	for (i = 0; i < NITEMS(in); i++)
		cut_each(in[i], strlen(in[i]), cmd_cut);
	CUT_LIT("550-5.7.26 rejected for reasons", reply_cut);
}

/*
 * in goes through the scanner in pieces of step octets; what comes out, and
 * where the end was seen, must not depend on step.
 */
static size_t
scan(const char *in, size_t n, size_t step, char *out, size_t *outn,
    struct data_scan *s)
{
	size_t i = 0, k, m;
	struct slice run;
	char *copy;

	*s = (struct data_scan){ 0 };
	*outn = 0;
	while (i < n && !s->done) {
		m = n - i < step ? n - i : step;
		copy = malloc(m);
		memcpy(copy, in + i, m);
		for (k = 0; k < m && !s->done; ) {
			size_t used = data_scan(s, copy + k, m - k, &run);

			assert_true(used > 0 && used <= m - k);
			memcpy(out + *outn, run.p, run.n);
			*outn += run.n;
			k += used;
		}
		free(copy);
		i += k;
	}
	return i;
}

static void
data_is(const char *in, size_t n, const char *want, size_t end, int seen)
{
	char *out = malloc(n + 1);
	struct data_scan s;
	size_t step, outn, used;

	for (step = 1; step <= n; step++) {
		used = scan(in, n, step, out, &outn, &s);
		if ((seen & DATA_BARE) == 0 &&
		    !slice_eq(slice_of(out, outn), slice_str(want)))
			fail_msg("step %zu: \"%.*s\"", step, (int)outn, out);
		if (end != (s.done ? used : 0))
			fail_msg("\"%s\" step %zu ends at %zu", in, step,
			    used);
		assert_int_equal(s.seen, seen);
	}
	free(out);
}

#define DATA_IS(in, want, end, seen)					\
	data_is(in, sizeof(in) - 1, want, end, seen)

static void
test_data(void **state)
{
	DATA_IS("hejsa\r\n.\r\n", "hejsa\r\n", 10, 0);
	DATA_IS(".\r\n", "", 3, 0);
	DATA_IS("..\r\n.\r\n", ".\r\n", 7, 0);
	DATA_IS("a\r\n..b\r\n.c\r\n...\r\n.\r\n", "a\r\n.b\r\nc\r\n..\r\n", 20,
	    0);
	DATA_IS("a\r\n.\r\nMAIL", "a\r\n", 6, 0);
	DATA_IS("a.\r\n.\r\n", "a.\r\n", 7, 0);
	DATA_IS("\r\n\r\n.\r\n", "\r\n\r\n", 7, 0);
	DATA_IS("\xff\r\n.\r\n", "\xff\r\n", 6, DATA_8BIT);
	DATA_IS("no end\r\n.", "no end\r\n", 0, 0);
}

/* Row 5: nothing but CR LF . CR LF ends a message. */
static void
test_attack_smuggling(void **state)
{
	DATA_IS("a\n.\nMAIL\r\n.\r\n", "", 13, DATA_BARE_LF);
	DATA_IS("a\n.\r\nMAIL\r\n.\r\n", "", 14, DATA_BARE_LF);
	DATA_IS("a\r\n.\nMAIL\r\n.\r\n", "", 14, DATA_BARE_LF);
	DATA_IS("a\r.\rMAIL\r\n.\r\n", "", 13, DATA_BARE_CR);
	DATA_IS("a\r\n.\rMAIL\r\n.\r\n", "", 14, DATA_BARE_CR);
	DATA_IS("a\r.\r\nMAIL\r\n.\r\n", "", 14, DATA_BARE_CR);
	DATA_IS("a\n.\rMAIL\r\n.\r\n", "", 13, DATA_BARE);
	DATA_IS("a\r\n.\r\r\nMAIL\r\n.\r\n", "", 16, DATA_BARE_CR);
	DATA_IS("a\r\n..\r\r\n.\r\n", "", 11, DATA_BARE_CR);
	DATA_IS("a\r\r\n.\r\n", "", 7, DATA_BARE_CR);
	DATA_IS(".\n", "", 0, DATA_BARE_LF);
	{
		char out[64];
		struct data_scan s;
		size_t n;

		assert_int_equal(scan("a\r\n\0.\r\nMAIL\r\n.\r\n", 16, 3, out,
		    &n, &s), 16);
		assert_int_equal(s.seen, DATA_NUL);
	}
}

static void
test_data_long(void **state)
{
	char buf[1100];
	struct data_scan s = { 0 };
	struct slice run;

	memset(buf, 'x', sizeof(buf));
	memcpy(buf + 998, "\r\n", 2);
	data_scan(&s, buf, 1000, &run);
	assert_int_equal(s.seen, 0);
	s = (struct data_scan){ 0 };
	memset(buf, 'x', sizeof(buf));
	memcpy(buf + 999, "\r\n", 2);
	data_scan(&s, buf, 500, &run);
	data_scan(&s, buf + 500, 501, &run);
	assert_int_equal(s.seen, DATA_LONG);
}

static void
test_data_counted(void **state)
{
	struct data_scan s = { .counted = 1 };
	struct slice run;

	assert_int_equal(data_scan(&s, ".\r\n..\r\n", 7, &run), 7);
	assert_int_equal(run.n, 7);
	assert_int_equal(s.done, 0);
	assert_int_equal(data_counted_end(&s), 0);
	s = (struct data_scan){ .counted = 1 };
	data_scan(&s, "a\r", 2, &run);
	assert_int_equal(data_counted_end(&s), DATA_BARE_CR | DATA_NOEOL);
}

/* What is stuffed and scanned again is the same; cut everywhere. */
static void
stuff_roundtrip(const char *in, size_t n)
{
	size_t step, i, m, used, k, outn;
	char *wire = malloc(2 * n + 8), *back = malloc(2 * n + 8);
	struct data_stuff st;
	struct data_scan s;
	struct slice run;
	int dot;

	for (step = 1; step <= n + 1; step++) {
		st = (struct data_stuff){ 0 };
		for (i = k = 0; i < n; i += used) {
			m = n - i < step ? n - i : step;
			used = data_stuff(&st, in + i, m, &run, &dot);
			assert_true(used > 0 && used == run.n);
			if (dot)
				wire[k++] = '.';
			memcpy(wire + k, run.p, run.n);
			k += run.n;
		}
		run = data_stuff_end(&st);
		memcpy(wire + k, run.p, run.n);
		k += run.n;
		assert_int_equal(scan(wire, k, 5, back, &outn, &s), k);
		assert_true(s.done);
		assert_true(outn >= n && memcmp(back, in, n) == 0);
	}
	free(wire);
	free(back);
}

static void
test_stuff(void **state)
{
	static const char *const in[] = { "", "a\r\n", ".\r\n", "..\r\n.a\r\n",
	    "a\r\n.\r\n", "\r\n.\r\n.\r\n", "no end", "a\r\n.", "a.\r\n.b" };
	size_t i;

	for (i = 0; i < NITEMS(in); i++)
		stuff_roundtrip(in[i], strlen(in[i]));
}

/* Row 6: even if a stray LF got this far, no second message can. */
static void
test_attack_smuggling_out(void **state)
{
	static const char in[] = "a\n.\r\nMAIL\r\nb\n.\n";
	struct data_stuff st = { 0 };
	struct slice run;
	size_t i, used;
	int dot, dots = 0;

	for (i = 0; i < sizeof(in) - 1; i += used) {
		used = data_stuff(&st, in + i, sizeof(in) - 1 - i, &run, &dot);
		dots += dot;
	}
	assert_int_equal(dots, 2);
	assert_true(slice_is(data_stuff_end(&st), "\r\n.\r\n"));
}

/* Row 23: base64 lengths and what is no base64. */
static void
test_attack_base64(void **state)
{
	static const char *const bad[] = { "A", "AB", "ABC", "AB=", "A===",
	    "====", "AB==CD==", "AB=C", "AA A", "AAA\n", "QQ=", "QR==",
	    "QUJ=", "AAAA=", "=AAA", "Z===" };
	char in[8192], out[6144];
	size_t i, n;

	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), out,
		    sizeof(out)), -1);
	memset(in, 'A', sizeof(in));
	for (n = 0; n <= 64; n++) {
		char *exact = malloc(n / 4 * 3 + 1);

		assert_int_equal(base64_decode(in, n, exact, n / 4 * 3),
		    n % 4 == 0 ? (ssize_t)(n / 4 * 3) : -1);
		if (n >= 4)
			assert_int_equal(base64_decode(in, n, exact,
			    n / 4 * 3 - 1), -1);
		free(exact);
	}
	assert_int_equal(base64_decode(in, 8192, out, 6144), 6144);
	assert_int_equal(base64_decode(in, 8191, out, 6144), -1);
}

static void
test_base64(void **state)
{
	static const char *const v[][2] = { { "", "" }, { "f", "Zg==" },
	    { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	    { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	uint8_t raw[300];
	char text[400];
	size_t i, k;
	ssize_t n;

	for (i = 0; i < NITEMS(v); i++) {
		n = base64_encode(v[i][0], strlen(v[i][0]), text, 400);
		assert_true(slice_is(slice_of(text, (size_t)n), v[i][1]));
	}
	for (i = 0; i < sizeof(raw); i++) {
		for (k = 0; k < i; k++)
			raw[k] = (uint8_t)(k * 7 + i);
		n = base64_encode(raw, i, text, BASE64_LEN(i));
		assert_int_equal(n, BASE64_LEN(i));
		n = base64_decode(text, (size_t)n, text, sizeof(text));
		assert_int_equal(n, i);
		assert_memory_equal(text, raw, i);
		if (i > 0)
			assert_int_equal(base64_encode(raw, i, text,
			    BASE64_LEN(i) - 1), -1);
	}
}

static int
plain(const char *p, size_t n, struct sasl_cred *c)
{
	char b64[2000];
	ssize_t k = base64_encode(p, n, b64, sizeof(b64));

	return sasl_plain(slice_of(b64, (size_t)k), c, NULL);
}

#define PLAIN(s, c)	plain(s, sizeof(s) - 1, c)

static void
test_sasl(void **state)
{
	struct sasl_cred c;

	assert_int_equal(PLAIN("\0user\0pass", &c), 0);
	assert_string_equal(c.authzid, "");
	assert_string_equal(c.authcid, "user");
	assert_string_equal(c.passwd, "pass");
	assert_int_equal(PLAIN("z\0user\0p\xc3\xa5ss", &c), 0);
	assert_string_equal(c.authzid, "z");
	assert_int_equal(sasl_login_user(SLICE_LIT("dXNlcg=="), &c, NULL), 0);
	assert_string_equal(c.authcid, "user");
	assert_int_equal(sasl_login_pass(SLICE_LIT("cGFzcw=="), &c, NULL), 0);
	assert_string_equal(c.passwd, "pass");
}

/* Row 4: no NUL, CR or LF leaves SASL; row 28: cut and too long. */
static void
test_attack_sasl(void **state)
{
	struct sasl_cred c;
	char buf[1024];
	size_t n;

	assert_int_equal(PLAIN("\0a\nb\0p", &c), -1);
	assert_int_equal(PLAIN("\0a\rb\0p", &c), -1);
	assert_int_equal(PLAIN("\0a\0p\0", &c), -1);
	assert_int_equal(PLAIN("\0a\0p\n", &c), -1);
	assert_int_equal(PLAIN("a\n\0a\0p", &c), -1);
	assert_int_equal(PLAIN("\0\0p", &c), -1);
	assert_int_equal(PLAIN("\0a\0", &c), -1);
	assert_int_equal(PLAIN("\0a", &c), -1);
	assert_int_equal(PLAIN("", &c), -1);
	assert_int_equal(PLAIN("\0\xff\0p", &c), -1);
	assert_int_equal(sasl_plain(SLICE_LIT("="), &c, NULL), -1);
	assert_int_equal(sasl_login_user(SLICE_LIT("YQA="), &c, NULL), -1);
	assert_int_equal(sasl_login_user(SLICE_LIT(""), &c, NULL), -1);
	for (n = 250; n < 1000; n++) {
		memset(buf, 'x', sizeof(buf));
		memcpy(buf, "\0u\0", 3);
		assert_int_equal(plain(buf, n, &c), n - 3 <= SASL_FIELD_MAX ?
		    0 : -1);
	}
}

static void
sasl_cut(char *p, size_t n)
{
	struct sasl_cred c;

	sasl_plain_raw(slice_of(p, n), &c, NULL);
	sasl_plain(slice_of(p, n), &c, NULL);
	sasl_login_user(slice_of(p, n), &c, NULL);
}

static void
test_sasl_cut(void **state)
{
	CUT_LIT("auth\0user\0pass", sasl_cut);
	CUT_LIT("AHVzZXIAcGFzcw==", sasl_cut);
}

/* RFC 7677 3, and what stands at the edges. */
static void
test_scram_first(void **state)
{
	static const char *const good[] = {
		"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		"y,a=o=2Cx=3D,n=u=3D=2C,r=!~,x=1,b=2=,y=",
		"p=tls-exporter,,n=\xc3\xbc,r=a",
	};
	static const char *const bad[] = {
		"", "n", "n,", "n,,", "n,,n=user", "n,,n=user,r=", "n,,n=,r=a",
		"n,,m=x,n=user,r=a", "n,,n=user,r=a,m=x", "n,,n=user,r=a,x",
		"n,,n=u=2cx,r=a", "n,,n=u=,r=a", "n,,n=u=2,r=a",
		"n,,n=u=3Dx=,r=a", "n,,r=a,n=user", "p=,,n=user,r=a",
		"p,,n=user,r=a", "x,,n=user,r=a", "N,,n=user,r=a",
		"n,user,n=user,r=a", "n,a=,n=user,r=a", "n,,n=us\ner,r=a",
		"n,,n=user,r=a b", "n,,n=user,r=\x7f", "n,,n=\xff,r=a",
		"n,,n=user,r=\xc3\xbc", "n,,n=user,r=a,",
	};
	struct scram_first f;
	char text[SCRAM_MESSAGE_MAX + 2];
	size_t i;

	for (i = 0; i < NITEMS(good); i++)
		assert_int_equal(scram_first(slice_str(good[i]), &f, NULL),
		    0);
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(scram_first(slice_str(bad[i]), &f, NULL),
		    -1);
	assert_int_equal(scram_first(slice_str(good[1]), &f, NULL), 0);
	assert_int_equal(f.bind, SCRAM_BIND_THOUGHT);
	assert_string_equal(f.authzid, "o,x=");
	assert_string_equal(f.user, "u=,");
	assert_true(slice_is(f.gs2, "y,a=o=2Cx=3D,"));
	assert_true(slice_is(f.bare, "n=u=3D=2C,r=!~,x=1,b=2=,y="));
	assert_true(slice_is(f.nonce, "!~"));
	assert_int_equal(scram_first(slice_str(good[2]), &f, NULL), 0);
	assert_int_equal(f.bind, SCRAM_BIND_USED);
	assert_true(slice_is(f.type, "tls-exporter"));

	assert_int_equal(scram_first(slice_of("n,,n=us\0er,r=a", 14), &f,
	    NULL), -1);
	for (i = SCRAM_NONCE_MAX; i <= SCRAM_NONCE_MAX + 1; i++) {
		snprintf(text, sizeof(text), "n,,n=user,r=%0*d", (int)i, 0);
		assert_int_equal(scram_first(slice_str(text), &f, NULL),
		    i == SCRAM_NONCE_MAX ? 0 : -1);
	}
	for (i = SASL_FIELD_MAX; i <= SASL_FIELD_MAX + 1; i++) {
		snprintf(text, sizeof(text), "n,,n=%0*d,r=a", (int)i, 0);
		assert_int_equal(scram_first(slice_str(text), &f, NULL),
		    i == SASL_FIELD_MAX ? 0 : -1);
	}
	for (i = SCRAM_MESSAGE_MAX; i <= SCRAM_MESSAGE_MAX + 1; i++) {
		snprintf(text, sizeof(text), "n,,n=u,r=a,x=%0*d",
		    (int)i - 13, 0);
		assert_int_equal(strlen(text), i);
		assert_int_equal(scram_first(slice_str(text), &f, NULL),
		    i == SCRAM_MESSAGE_MAX ? 0 : -1);
	}
}

#define PROOF	"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void
test_scram_final(void **state)
{
	static const char *const bad[] = {
		"", "c=biws", "c=biws,r=a", "c=biws,r=a,", "c=biws,r=a,p=",
		"c=biws,r=a,p=AAAA", "c=biws,r=,p=" PROOF, "r=a,c=biws,p=" PROOF,
		"c=biws,r=a,p=" PROOF ",x=1", "c=biws,r=a,p=" PROOF ",",
		"c=biws,r=a,m=1,p=" PROOF, "c=biws,r=a,x,p=" PROOF,
		"c=biws,r=a,p=" PROOF "AAAA", "c=biws,r=a,,p=" PROOF,
	};
	struct scram_final f;
	size_t i;

	assert_int_equal(scram_final(SLICE_LIT("c=biws,r=rOprNG%0,x=,p="
	    PROOF), &f, NULL), 0);
	assert_true(slice_is(f.binding, "biws"));
	assert_true(slice_is(f.nonce, "rOprNG%0"));
	assert_true(slice_is(f.bare, "c=biws,r=rOprNG%0,x="));
	assert_int_equal(f.proof[0], 0x74);
	assert_int_equal(f.proof[31], 0x54);
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(scram_final(slice_str(bad[i]), &f, NULL),
		    -1);
}

static void
scram_cut(char *p, size_t n)
{
	struct scram_first f;
	struct scram_final l;

	scram_first(slice_of(p, n), &f, NULL);
	scram_final(slice_of(p, n), &l, NULL);
}

static void
test_scram_cut(void **state)
{
	CUT_LIT("p=tls-exporter,a=u=2C,n=us=3Der,r=nonce,x=y", scram_cut);
	CUT_LIT("c=biws,r=nonce,x=y,p=" PROOF, scram_cut);
}

#define SEP	"\001"

static void
test_oauth(void **state)
{
	static const char *const bad[] = {
		"", "n,", "n,,", "n,," SEP, "n,," SEP SEP,
		"n,," SEP "auth=Bearer x" SEP, "n,," SEP "auth=Bearer x",
		"n,," SEP "auth=Bearer " SEP SEP, "n,," SEP "auth=Basic x" SEP SEP,
		"n,," SEP "auth=Bearer x" SEP "auth=Bearer x" SEP SEP,
		"n,," SEP "auth=Bearer x" SEP SEP "x",
		"n,," SEP "auth=Bearer a b" SEP SEP, "n,," SEP "x" SEP SEP,
		"p=a,," SEP "auth=Bearer x" SEP SEP,
		"n,a=," SEP "auth=Bearer x" SEP SEP,
	};
	static const char *const bad2[] = {
		"", "user=", "user=" SEP "auth=Bearer x" SEP SEP,
		"user=a\nb" SEP "auth=Bearer x" SEP SEP, "user=x" SEP SEP,
		"auth=Bearer x" SEP SEP, "user=x" SEP "auth=Bearer x" SEP,
	};
	struct oauth o;
	size_t i;

	assert_int_equal(oauth_bearer(SLICE_LIT("n,a=u=2Cx," SEP "host=h" SEP
	    "auth=bearer a-._~+/=" SEP SEP), &o, NULL), 0);
	assert_string_equal(o.user, "u,x");
	assert_true(slice_is(o.token, "a-._~+/="));
	assert_int_equal(oauth_bearer(SLICE_LIT("y,," SEP "auth=Bearer x" SEP
	    SEP), &o, NULL), 0);
	assert_string_equal(o.user, "");
	assert_int_equal(oauth_xoauth2(SLICE_LIT("user=a@b" SEP
	    "auth=Bearer x" SEP SEP), &o, NULL), 0);
	assert_string_equal(o.user, "a@b");
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(oauth_bearer(slice_str(bad[i]), &o, NULL),
		    -1);
	for (i = 0; i < NITEMS(bad2); i++)
		assert_int_equal(oauth_xoauth2(slice_str(bad2[i]), &o, NULL),
		    -1);
}

static void
oauth_cut(char *p, size_t n)
{
	struct oauth o;

	oauth_bearer(slice_of(p, n), &o, NULL);
	oauth_xoauth2(slice_of(p, n), &o, NULL);
}

static void
test_oauth_cut(void **state)
{
	CUT_LIT("n,a=u," SEP "host=h" SEP "auth=Bearer x" SEP SEP, oauth_cut);
	CUT_LIT("user=u" SEP "auth=Bearer x" SEP SEP, oauth_cut);
}

/* RFC 4648 10 without its padding; each text has one reading. */
static void
test_base64url(void **state)
{
	static const struct { const char *text, *want; } row[] = {
		{ "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" },
		{ "Zm9vYg", "foob" }, { "-_-_", "\xfb\xff\xbf" },
		{ "Z", NULL }, { "Zg==", NULL }, { "Zh", NULL },
		{ "Zm9", NULL }, { "+/+/", NULL }, { "Zm 9", NULL },
		{ "Zm9vYmFy", NULL },	/* no room */
	};
	char out[5];
	size_t i;

	for (i = 0; i < NITEMS(row); i++) {
		ssize_t n = base64url_decode(row[i].text, strlen(row[i].text),
		    out, sizeof(out));

		assert_int_equal(n, row[i].want == NULL ? -1 :
		    (ssize_t)strlen(row[i].want));
		if (n > 0)
			assert_memory_equal(out, row[i].want, (size_t)n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmd),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_attack_params),
		cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_attack_helo),
		cmocka_unit_test(test_attack_bdat),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_attack_reply),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_attack_smuggling),
		cmocka_unit_test(test_data_long),
		cmocka_unit_test(test_data_counted),
		cmocka_unit_test(test_stuff),
		cmocka_unit_test(test_attack_smuggling_out),
		cmocka_unit_test(test_attack_base64),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_sasl),
		cmocka_unit_test(test_attack_sasl),
		cmocka_unit_test(test_sasl_cut),
		cmocka_unit_test(test_scram_first),
		cmocka_unit_test(test_scram_final),
		cmocka_unit_test(test_scram_cut),
		cmocka_unit_test(test_oauth),
		cmocka_unit_test(test_oauth_cut),
		cmocka_unit_test(test_base64url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
