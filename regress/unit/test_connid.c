/*
 * common/net/connid: numbers of connections, made, compared and written.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/proc.h"
#include "net/connid.h"

static void
test_counted_up(void **state)
{
	uint64_t a = connid_next(ROLE_IMAPD), b = connid_next(ROLE_IMAPD);

	assert_int_equal(b, a + 1);
	assert_true(connid_of(a, ROLE_IMAPD, 0));
}

static void
test_owner(void **state)
{
	uint64_t id = (uint64_t)ROLE_SMTPD << 56 | (uint64_t)3 << 48 |
	    0xffffffffffff;

	assert_true(connid_of(id, ROLE_SMTPD, 3));
	assert_false(connid_of(id, ROLE_SMTPD, 2));
	assert_false(connid_of(id, ROLE_IMAPD, 3));
	assert_false(connid_of(0, ROLE_SMTPD, 0));
}

static void
test_text(void **state)
{
	uint64_t place = (uint64_t)0x0a << 48 | (uint64_t)0xbe << 32;

	assert_string_equal(connid_text((uint64_t)ROLE_SMTPD << 56 | place |
	    0x12), "a00be000012");
	assert_string_equal(connid_text((uint64_t)ROLE_SMTPD << 56 | place |
	    0xfedcba98), "a00befedcba98");
	assert_string_equal(connid_text((uint64_t)0x0f << 56 | place | 0x12),
	    "0f0a00be00000012");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted_up),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
