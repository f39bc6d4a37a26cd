/*
 * common/base/log: what strangers wrote, in a line.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/slice.h"

#define QUOTED(s)	log_quote((s), sizeof(s) - 1)

static void
test_quote_is_readable(void **state)
{
	assert_string_equal(QUOTED("550 5.1.1 no such user"),
	    "\"550 5.1.1 no such user\"");
	assert_string_equal(QUOTED(""), "\"\"");
	assert_string_equal(log_quote(NULL, 0), "\"\"");
	assert_string_equal(QUOTED("a\"b\\c"), "\"a\\x22b\\x5cc\"");
	assert_string_equal(QUOTED("a\r\nb\tc\0d\x1b[2J\x7f\xc3\xa9"),
	    "\"a\\x0d\\x0ab\\x09c\\x00d\\x1b[2J\\x7f\\xc3\\xa9\"");
}

/* Whatever is in it, between its ends there is no quote and no control, and
 * it is never longer than it may be. */
static void
test_quote_holds(void **state)
{
	char in[2 * LOG_QUOTE_MAX];
	const char *q;
	size_t n, i;
	int c;

	for (c = 0; c < 256; c++) {
		memset(in, c, sizeof(in));
		for (n = 0; n < sizeof(in); n += 7) {
			q = log_quote(in, n);
			i = strlen(q);
			assert_in_range(i, 2, LOG_QUOTE_MAX);
			assert_int_equal(q[0], '"');
			assert_int_equal(q[i - 1], '"');
			assert_null(memchr(q + 1, '"', i - 2));
			while (i-- > 0)
				assert_in_range(q[i], ' ', '~');
		}
		assert_string_equal(q + strlen(q) - 4, "...\"");
	}
}

/* Several in one call of log_info() do not overwrite each other. */
static void
test_quotes_side_by_side(void **state)
{
	const char *q[4];
	char c;
	int i;

	for (i = 0; i < 4; i++) {
		c = (char)('a' + i);
		q[i] = log_quote(&c, 1);
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(q[i][1], 'a' + i);
}

static void
test_text_has_no_blank(void **state)
{
	char in[LOG_WORD_MAX + 2];
	const char *t;
	size_t i;

	/* the longest address whole, what is longer cut */
	memset(in, 'a', sizeof(in));
	for (i = LOG_WORD_MAX - 1; i <= LOG_WORD_MAX; i++)
		assert_int_equal(strlen(log_text(in, i)), i);
	t = log_text(in, i);
	assert_int_equal(strlen(t), LOG_WORD_MAX + 3);
	assert_string_equal(t + LOG_WORD_MAX, "...");
	for (i = 0; i < 256; i++)
		in[i] = (char)i;
	for (i = 0; i <= 256; i++)
		for (t = log_text(in, i); *t != '\0'; t++)
			assert_in_range(*t, '!', '~');
	assert_string_equal(log_text("a b", 3), "a\\x20b");
	assert_string_equal(log_text("x@y", 3), "x@y");
	assert_string_equal(log_text("\"a\"@y", 5), "\\x22a\\x22@y");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote_is_readable),
		cmocka_unit_test(test_quote_holds),
		cmocka_unit_test(test_quotes_side_by_side),
		cmocka_unit_test(test_text_has_no_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
