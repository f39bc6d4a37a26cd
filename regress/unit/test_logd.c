/*
 * logd's lines and its ring of recent ones.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

static void
test_records(void **state)
{
	static const char two[] = "\1\2\0ab\3\0\0";
	struct slice d = slice_of(two, sizeof(two) - 1);
	struct logd_record r;
	size_t off = 0, i, n;
	int got;

	assert_int_equal(logd_record(d, &off, &r), 1);
	assert_int_equal(r.level, 1);
	assert_true(slice_is(r.text, "ab"));
	assert_int_equal(logd_record(d, &off, &r), 1);
	assert_int_equal(r.text.n, 0);
	assert_int_equal(logd_record(d, &off, &r), 0);
	for (n = 0; n < d.n; n++)		/* cut at every octet */
		for (off = 0, i = 0; i < 3; i++)
			if ((got = logd_record(slice_of(two, n), &off,
			    &r)) != 1) {
				assert_int_equal(got, n == 0 || n == 5 ? 0 :
				    -1);
				break;
			}
}

static void
test_lines(void **state)
{
	char stamp[25], out[LOGD_LINE], text[8192];
	struct logd_parts o;
	size_t i, n;

	logd_stamp(1795285257123ULL, stamp);
	assert_string_equal(stamp, "2026-11-21T18:20:57.123Z");
	assert_int_equal(logd_stamp_read(slice_str(stamp)), 1795285257);
	assert_int_equal(logd_stamp_read(slice_of(stamp, 19)), 0);
	stamp[5] = '2';
	assert_int_equal(logd_stamp_read(slice_str(stamp)), 0);
	stamp[5] = '1';
	n = logd_line(out, stamp, "smtpd", 3, 1, slice_str("c1 hello"));
	assert_true(slice_is(slice_of(out, n), "2026-11-21T18:20:57.123Z "
	    "smtpd[3] info: c1 hello\n"));
	assert_int_equal(logd_parse(slice_of(out, n), &o), 0);
	assert_true(slice_is(o.process, "smtpd[3]"));
	assert_true(slice_is(o.level, "info"));
	assert_true(slice_is(o.text, "c1 hello"));
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	n = logd_line(out, stamp, "imap-session", 65535, 255,
	    slice_of(text, sizeof(text)));
	assert_true(n <= sizeof(out));
	assert_int_equal(out[n - 1], '\n');
	for (i = 0; i < n - 1; i++)
		assert_true(out[i] >= ' ' && out[i] < 0x7f);
	assert_int_equal(logd_parse(slice_str(""), &o), -1);
	assert_int_equal(logd_parse(slice_str("x y: z"), &o), -1);
}

static void
add(struct ring *r, const char *text)
{
	char out[LOGD_LINE];

	ring_add(r, slice_of(out, logd_line(out, "2026-11-21T18:20:57.123Z",
	    "smtpd", 0, 1, slice_str(text))));
}

static void
test_ring(void **state)
{
	struct ring *r = ring_new();
	char text[2000], want[64];
	struct slice l;
	size_t i, k, v[10];

	assert_int_equal(ring_find(r, slice_str(""), v, 10), 0);
	for (i = 0; i < 200000; i++) {
		memset(text, 'x', sizeof(text));
		k = (size_t)snprintf(text, sizeof(text), "n%zu ", i);
		text[k] = 'x';
		text[k + i * 7919 % 1900] = '\0';
		add(r, text);
		assert_true(ring_count(r) <= RING_LINES);
	}
	assert_true(ring_count(r) > 5000);
	for (k = 0; k < ring_count(r); k++) {	/* none overwrote another */
		snprintf(want, sizeof(want), " n%zu ", i - ring_count(r) + k);
		l = ring_line(r, k);
		assert_true(l.n > 40);
		assert_memory_equal(l.p + 40, want + 1, strlen(want) - 2);
	}
	assert_int_equal(ring_find(r, slice_str("N199999 "), v, 10), 1);
	assert_int_equal(v[0], ring_count(r) - 1);
	assert_int_equal(ring_find(r, slice_str("n0 "), v, 10), 0);
	ring_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
