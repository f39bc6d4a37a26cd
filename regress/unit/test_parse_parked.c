/*
 * The state of a parked session: what is put comes back; each truncation is
 * refused, and each bit flipped is refused or holds in itself.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/parked.h"

static const struct parked none, idle = { .idle = true, .tag = "a1" };
static const struct parked all = {
	.deflate = true, .selected = true, .idle = true, .enabled = 0x80000001,
	.nkeywords = 60, .tag = "A.0001+", .watch = "w0123456789abcdef",
	.client = "Old Mailer \x80",
	.view = { .mailbox = 7, .uidvalidity = 4000000000, .uidnext = 1000,
	    .exists = 998, .nkeywords = 59, .readonly = true,
	    .seq = 1ULL << 40, .reported = (1ULL << 40) - 1,
	    .told = (1ULL << 40) - 2, .nrecent = 2,
	    .ngone = 1, .recent = { { 1, 1 }, { 3, 999 } },
	    .gone = { { 500, 600 } }, .nsaved = 1, .saved = { { 7, 8 } } },
};

static void
same(const struct parked *k)
{
	uint8_t	 buf[PARKED_MAX], again[PARKED_MAX];
	struct parked back;
	ssize_t	 n = parked_put(k, buf, sizeof(buf)), i;

	assert_true(n > 0);
	assert_int_equal(parked_get(slice_of((char *)buf, (size_t)n), &back),
	    0);
	assert_memory_equal(&back, k, sizeof(back));
	assert_int_equal(parked_put(&back, again, sizeof(again)), n);
	assert_memory_equal(again, buf, (size_t)n);
	for (i = 0; i < n; i++) {
		assert_int_equal(parked_get(slice_of((char *)buf, (size_t)i),
		    &back), -1);
		assert_int_equal(parked_put(k, again, (size_t)i), -1);
	}
	buf[n] = 0;
	assert_int_equal(parked_get(slice_of((char *)buf, (size_t)n + 1),
	    &back), -1);
}

static void
test_comes_back(void **state)
{
	struct parked	 full = all;
	size_t		 i;

	same(&none);
	same(&idle);
	same(&all);
	full.view.nrecent = PARKED_RECENT_MAX;
	full.view.ngone = PARKED_GONE_MAX;
	full.view.nsaved = PARKED_SAVED_MAX;
	full.view.uidnext = UINT32_MAX;
	for (i = 0; i < PARKED_RECENT_MAX; i++)
		full.view.recent[i] = (struct parked_run){ (uint32_t)i * 2 + 1,
		    (uint32_t)i * 2 + 1 };
	for (i = 0; i < PARKED_GONE_MAX; i++)
		full.view.gone[i] = (struct parked_run){ (uint32_t)i * 9 + 4,
		    (uint32_t)i * 9 + 8 };
	memcpy(full.view.saved, full.view.gone, sizeof(full.view.gone));
	memset(full.tag, 't', PARKED_TAG_MAX);
	memset(full.client, 'c', PARKED_CLIENT_MAX);
	same(&full);
}

static void
check_runs(const struct parked_run *v, size_t n, size_t max, uint32_t end)
{
	size_t	 i;

	assert_true(n <= max);
	for (i = 0; i < n; i++) {
		assert_true(v[i].first >= 1 && v[i].first <= v[i].last);
		assert_true(v[i].last < end);
		assert_true(i == 0 || v[i].first > v[i - 1].last + 1);
	}
}

static void
test_each_bit(void **state)
{
	uint8_t	 buf[PARKED_MAX], other[PARKED_MAX];
	struct parked k;
	ssize_t	 n = parked_put(&all, buf, sizeof(buf)), i;

	for (i = 0; i < n * 8; i++) {
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		if (parked_get(slice_of((char *)buf, (size_t)n), &k) == 0) {
			assert_int_equal(parked_put(&k, other, sizeof(other)),
			    n);
			assert_memory_equal(buf, other, (size_t)n);
			check_runs(k.view.recent, k.view.nrecent,
			    PARKED_RECENT_MAX, k.view.uidnext);
			check_runs(k.view.gone, k.view.ngone, PARKED_GONE_MAX,
			    k.view.uidnext);
			check_runs(k.view.saved, k.view.nsaved,
			    PARKED_SAVED_MAX, k.view.uidnext);
		}
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void
refused(const struct parked *k)
{
	uint8_t	 buf[PARKED_MAX + 100];
	struct parked back;
	ssize_t	 n = parked_put(k, buf, sizeof(buf));

	assert_true(n > 0);
	assert_int_equal(parked_get(slice_of((char *)buf, (size_t)n), &back),
	    -1);
}

static void
test_what_cannot_be(void **state)
{
	static const char *const names[] = { "journal", "../../../etc/pas",
	    "w0123456789abcde/", "w0123456789ABCDEF", "x0123456789abcdef",
	    "w0123456789abcd", ".", "w/../journal.new.1" };
	static const struct parked_run runs[] = { { 0, 1 }, { 2, 1 },
	    { 1, 1000 }, { 1000, 1000 }, { 5, UINT32_MAX } };
	struct parked	 k;
	size_t		 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		k = all;
		memset(k.watch, 0, sizeof(k.watch));
		strlcpy(k.watch, names[i], sizeof(k.watch));
		refused(&k);
	}
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		k = all;
		k.view.gone[0] = runs[i];
		refused(&k);
	}
	for (i = 1; i <= 4; i++) {		/* not ascending, or touching */
		k = all;
		k.view.recent[1].first = (uint32_t)i - 1;
		if (i < 4)
			refused(&k);
	}
	k = all;
	k.view.exists = k.view.uidnext;
	refused(&k);
	k = all;
	k.view.reported = k.view.seq + 1;
	refused(&k);
	k = all;
	k.view.told = k.view.reported + 1;
	refused(&k);
	for (i = 0; i < 4; i++) {
		k = all;
		strlcpy(k.tag, i == 0 ? "" : i == 1 ? "a b" : i == 2 ?
		    "a\r\nb" : "\x80", sizeof(k.tag));
		refused(&k);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
