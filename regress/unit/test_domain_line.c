/*
 * maild/domain_line: one line more or less, everything else octet for octet.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/util.h"
#include "maild/domain_line.h"

static void
expect(const char *text, const char *domain, bool add, const char *want)
{
	size_t n;
	char *copy = malloc(strlen(text) + 1), *got;

	memcpy(copy, text, strlen(text));	/* no NUL behind it is read */
	got = domain_line(slice_of(copy, strlen(text)), domain, add, &n);
	if (want == NULL ? got != NULL : got == NULL || n != strlen(want) ||
	    memcmp(got, want, n) != 0)
		fail_msg("%s %s: %s", text, domain, got == NULL ? "none" :
		    got);
	free(got);
	free(copy);
}

static void
test_add(void **state)
{
	expect("hostname: a\ndomains:\n  - x.test\nlisten:\n", "y.test", true,
	    "hostname: a\ndomains:\n  - x.test\n  - y.test\nlisten:\n");
	expect("domains:\n- x.test\n", "y.test", true,
	    "domains:\n- x.test\n- y.test\n");
	expect("domains: # ours\n\n  # first\n  - 'x.test' # main\n"
	    "  - \"z.test\"\n\n# end\na: b\n", "y.test", true,
	    "domains: # ours\n\n  # first\n  - 'x.test' # main\n"
	    "  - \"z.test\"\n  - y.test\n\n# end\na: b\n");
	expect("domains:\r\n  - x.test\r\na: b\r\n", "y.test", true,
	    "domains:\r\n  - x.test\r\n  - y.test\r\na: b\r\n");
	expect("a: b\ndomains:\n    - x.test", "y.test", true,
	    "a: b\ndomains:\n    - x.test\n    - y.test");
	expect("domains:   \n  - x.test\n", "y.test", true,
	    "domains:   \n  - x.test\n  - y.test\n");
}

static void
test_del(void **state)
{
	expect("domains:\n  - x.test\n  - y.test\na: b\n", "y.test", false,
	    "domains:\n  - x.test\na: b\n");
	expect("domains:\n  - x.test\n  - y.test\na: b\n", "X.Test", false,
	    "domains:\n  - y.test\na: b\n");
	expect("domains:\n  - x.test\n  # of the shop\n  - 'y.test' # since\n"
	    "  - z.test", "y.test", false,
	    "domains:\n  - x.test\n  # of the shop\n  - z.test");
	expect("domains:\n  - x.test\n  - z.test", "z.test", false,
	    "domains:\n  - x.test\n");
	expect("domains:\r\n  - x.test\r\n  - z.test\r\n", "x.test", false,
	    "domains:\r\n  - z.test\r\n");
	expect("domains:\n  - x.test\nreports:\n  - y.test\n", "y.test", false,
	    NULL);
	expect("domains:\n  - x.test\n", "xx.test", false, NULL);
	expect("domains:\n  - x.test\n", ".test", false, NULL);
}

/* What does not stand line by line is left to people. */
static void
test_none(void **state)
{
	static const char *const texts[] = { "", "\n", "domains",
	    "domains:", "domains:\n", "domains: [x.test]\n",
	    "domains: x.test\n", "domains:\n  x.test\n",
	    "  domains:\n    - x.test\n", "{domains: [x.test]}\n",
	    "# domains:\n  - x.test\n", "domains: &a\n  - x.test\n",
	    "\"domains\":\n  - x.test\n", "domains :\n  - x.test\n",
	    "a:\n  domains:\n    - x.test\n", "domains:\n  -x.test\n",
	    "domains:\n# - x.test\n", "domains:\n\n\n" };

	for (size_t i = 0; i < NITEMS(texts); i++) {
		expect(texts[i], "y.test", true, NULL);
		expect(texts[i], "x.test", false, NULL);
	}
}

/* Cut anywhere: nothing but the text is read, and all of it comes back. */
static void
test_cut(void **state)
{
	static const char text[] = "hostname: a\r\ndomains: # c\n  - 'x.test'\n"
	    "\n  - y.test # d\nlisten:\n  - z\n";
	size_t n, size, dash;
	char *copy, *out;

	for (n = 0; n < sizeof(text); n++) {
		copy = malloc(n + (n == 0));
		memcpy(copy, text, n);
		out = domain_line(slice_of(copy, n), "w.test", true, &size);
		if (out != NULL) {
			dash = (size_t)(strstr(out, "- w.test") - out);
			assert_true(size > n && dash < size);
			assert_int_equal(size - n, strlen("  - w.test\n"));
		}
		free(out);
		out = domain_line(slice_of(copy, n), "y.test", false, &size);
		if (out != NULL)
			assert_true(size < n);
		free(out);
		free(copy);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_del),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
