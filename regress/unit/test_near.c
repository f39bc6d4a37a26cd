/*
 * common/base/near: which word was meant.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/near.h"
#include "base/slice.h"

static void
test_edits(void **state)
{
	static const struct { const char *a, *b; size_t n; } t[] = {
		{ "", "", 0 }, { "", "abc", 3 }, { "abc", "abc", 0 },
		{ "ABC", "abc", 0 }, { "abd", "abc", 1 }, { "ab", "abc", 1 },
		{ "abcd", "abc", 1 }, { "acb", "abc", 1 }, { "bac", "abc", 1 },
		{ "bca", "abc", 2 }, { "ca", "abc", 3 },
		{ "kitten", "sitting", 3 }, { "xabc", "abcx", 2 },
	};

	for (size_t i = 0; i < NITEMS(t); i++) {
		assert_int_equal(near_edits(slice_str(t[i].a),
		    slice_str(t[i].b)), t[i].n);
		assert_int_equal(near_edits(slice_str(t[i].b),
		    slice_str(t[i].a)), t[i].n);
	}
}

/* Longer words are none that anybody meant. */
static void
test_long(void **state)
{
	char a[NEAR_MAX + 2];

	memset(a, 'a', sizeof(a));
	assert_int_equal(near_edits(slice_of(a, NEAR_MAX),
	    slice_of(a, NEAR_MAX)), 0);
	assert_int_equal(near_edits(slice_of(a, NEAR_MAX + 1),
	    slice_of(a, NEAR_MAX)), NEAR_MAX);
	assert_int_equal(near_edits(slice_of(a, NEAR_MAX),
	    slice_of(a, NEAR_MAX + 1)), NEAR_MAX);
	assert_int_equal(near_edits(slice_of(a, NEAR_MAX), slice_str("")),
	    NEAR_MAX);
}

static void
test_meant(void **state)
{
	static const char *const known[] = { "status", "account", "alias",
	    "log", "stop", "why", "queue", "reload" };
	static const struct { const char *word, *want; } t[] = {
		{ "statsu", "status" }, { "stat", "status" },
		{ "statuses", "status" }, { "acount", "account" },
		{ "accuont", "account" }, { "aliass", "alias" },
		{ "lgo", "log" }, { "lo", "log" }, { "sotp", "stop" },
		{ "whi", "why" }, { "QUEUE", "queue" }, { "relaod", "reload" },
		{ "x", NULL }, { "", NULL }, { "list", NULL },
		{ "xx", NULL }, { "mailbox", NULL }, { "re", NULL },
	};

	for (size_t i = 0; i < NITEMS(t); i++) {
		const char *got = near_of(slice_str(t[i].word), known,
		    NITEMS(known));

		if (t[i].want == NULL ? got != NULL : got == NULL ||
		    strcmp(got, t[i].want) != 0)
			fail_msg("%s: %s", t[i].word, got == NULL ? "none" :
			    got);
	}
	assert_null(near_of(slice_str("log"), known, 0));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
