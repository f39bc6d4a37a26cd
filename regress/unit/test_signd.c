/*
 * signd's pure parts: which handshake texts may be signed, tickets, the
 * From field.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "signd/signd.h"

static const char ctx[] = "TLS 1.3, server CertificateVerify";

static size_t
text13(uint8_t *b, size_t hash)
{
	memset(b, ' ', 64);
	memcpy(b + 64, ctx, sizeof(ctx));
	memset(b + 64 + sizeof(ctx), 0x5a, hash);
	return 64 + sizeof(ctx) + hash;
}

static size_t
text12(uint8_t *b, unsigned int curve, size_t point)
{
	randombytes_buf(b, 64);
	b[64] = 3;
	b[65] = (uint8_t)(curve >> 8);
	b[66] = (uint8_t)curve;
	b[67] = (uint8_t)point;
	memset(b + 68, 4, point);
	return 68 + point;
}

static bool
ok(unsigned int version, const uint8_t *b, size_t n)
{
	/* exact-size copy: reading past it shows under ASan */
	uint8_t *p = malloc(n == 0 ? 1 : n);
	bool r;

	memcpy(p, b, n);
	r = tls_text_ok(version, slice_of((const char *)p, n));
	free(p);
	return r;
}

static void
test_tls_right(void **state)
{
	static const struct { unsigned int curve; size_t n; } point[] = {
		{ 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 }
	};
	uint8_t b[512];
	size_t i, n;

	for (i = 32; i <= 48; i += 16) {
		n = text13(b, i);
		assert_true(ok(13, b, n));
		assert_false(ok(12, b, n));
	}
	for (i = 0; i < NITEMS(point); i++) {
		n = text12(b, point[i].curve, point[i].n);
		assert_true(ok(12, b, n));
		assert_false(ok(13, b, n));
		assert_false(ok(11, b, n));
	}
}

/* Every prefix, every changed fixed bit, every other length and curve. */
static void
test_tls_wrong(void **state)
{
	uint8_t b[1100];
	unsigned int curve;
	size_t i, n, m;

	n = text13(b, 32);
	for (i = 0; i < n; i++)
		assert_false(ok(13, b, i));
	for (i = 0; i < (64 + sizeof(ctx)) * 8; i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(ok(13, b, n));
		assert_false(ok(12, b, n));
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < 200; i++)
		assert_int_equal(ok(13, b, text13(b, i)), i == 32 || i == 48);
	for (curve = 0; curve < 70000; curve += curve < 300 ? 1 : 251)
		for (m = 0; m < 256; m += 1 + m % 3) {
			n = text12(b, curve, m);
			assert_int_equal(ok(12, b, n),
			    ((curve & 0xffff) == 23 && m == 65) ||
			    ((curve & 0xffff) == 24 && m == 97) ||
			    ((curve & 0xffff) == 25 && m == 133) ||
			    ((curve & 0xffff) == 29 && m == 32) ||
			    ((curve & 0xffff) == 30 && m == 56));
		}
	n = text12(b, 23, 65);
	for (i = 0; i < n; i++)
		assert_false(ok(12, b, i));
	assert_false(ok(12, b, n + 1));
	for (i = 0; i < 20000; i++) {
		n = randombytes_uniform(1024);
		randombytes_buf(b, n);
		assert_false(ok(12, b, n) && (b[64] != 3 || b[65] != 0));
		assert_false(ok(13, b, n));
	}
}

/* Version 1 is written where version 2 is not needed. */
static void
ticket_of(bool has7)
{
	static const uint8_t key[32] = { 1 }, other[32] = { 2 };
	struct ticket t = { .account = 7, .issued = 1000, .expires = 2000,
	    .bodyhash = { { 3 } }, .fromhash = { { 4 } }, .has7 = has7,
	    .bodyhash7 = { { 5 } }, .domain = "example.test" }, u;
	uint8_t b[TICKET_MAX];
	size_t i, n = ticket_make(&t, key, b);
	struct slice s = { (const char *)b, n };

	assert_int_equal(ticket_check(s, key, 1999, &u), 0);
	assert_int_equal(u.account, 7);
	assert_int_equal(u.issued, 1000);
	assert_int_equal(u.expires, 2000);
	assert_string_equal(u.domain, t.domain);
	assert_memory_equal(&u.bodyhash, &t.bodyhash, 32);
	assert_memory_equal(&u.fromhash, &t.fromhash, 32);
	assert_int_equal(b[0], has7 ? 2 : 1);
	assert_int_equal(u.has7, has7);
	if (has7)
		assert_memory_equal(&u.bodyhash7, &t.bodyhash7, 32);
	assert_int_equal(ticket_check(s, key, 2000, &u), -1);
	assert_int_equal(ticket_check(s, other, 1999, &u), -1);
	for (i = 0; i < n * 8; i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(ticket_check(s, key, 1999, &u), -1);
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (s.n = 0; s.n < n; s.n++)
		assert_int_equal(ticket_check(s, key, 1999, &u), -1);
	memset(t.domain, 'x', 255);
	t.domain[255] = '\0';
	s.n = ticket_make(&t, key, b);
	assert_true(s.n <= TICKET_MAX);
	assert_int_equal(ticket_check(s, key, 1999, &u), 0);
}

static void
test_ticket(void **state)
{
	ticket_of(false);
	ticket_of(true);
}

static bool
from_ok(const char *head, const char *from, const char *domain)
{
	struct ticket t = { 0 };
	char canon[1024];
	ssize_t n;

	n = dkim_header_canon(slice_str(from), DKIM_RELAXED, canon,
	    sizeof(canon));
	assert_true(n > 0);
	assert_int_equal(dkim_sha256(canon, (size_t)n, t.fromhash.b), 0);
	strlcpy(t.domain, domain, sizeof(t.domain));
	return dkim_from_ok(slice_str(head), &t);
}

static void
test_from(void **state)
{
#define A	"From: a@a.test\r\n"
	assert_true(from_ok(A "To: x\r\n\r\n", A, "a.test"));
	assert_true(from_ok("To: x\r\nFROM:\r\n a@A.Test\r\n\r\n",
	    "From: a@A.Test\r\n", "a.test"));
	assert_true(from_ok("From: a@a.test, b@a.test\r\n\r\n",
	    "From: a@a.test, b@a.test\r\n", "a.test"));
	assert_false(from_ok(A A "\r\n", A, "a.test"));
	assert_false(from_ok(A "\r\n", "From: b@a.test\r\n", "a.test"));
	assert_false(from_ok(A "\r\n", A, "b.test"));
	assert_false(from_ok(A "\r\n", A, ""));
	assert_false(from_ok("To: x\r\n\r\n" A, A, "a.test"));
	assert_false(from_ok("From: a@a.test, b@b.test\r\n\r\n",
	    "From: a@a.test, b@b.test\r\n", "a.test"));
	assert_false(from_ok("From: group:;\r\n\r\n", "From: group:;\r\n",
	    "a.test"));
	assert_false(from_ok("From: a@x.a.test\r\n\r\n",
	    "From: a@x.a.test\r\n", "a.test"));
	/* CVE-2020-12272 */
	assert_false(from_ok("From: a@a.test(.b.test\r\n\r\n",
	    "From: a@a.test(.b.test\r\n", "b.test"));
	assert_false(from_ok("\r\n", A, "a.test"));
	assert_false(from_ok("", A, "a.test"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_right),
		cmocka_unit_test(test_tls_wrong),
		cmocka_unit_test(test_ticket),
		cmocka_unit_test(test_from),
	};

	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
