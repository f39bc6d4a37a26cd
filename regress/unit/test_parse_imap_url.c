/*
 * IMAP URLs: what each names, what is none, cut and changed anywhere.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/imap_url.h"

/* Of the heap, so that a sanitizer sees what is read behind it. */
static int
parse(const char *text, size_t n, struct imap_url *u)
{
	char *copy = malloc(n + 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text, n);
	copy = realloc(copy, n > 0 ? n : 1);
	r = imap_url_parse(slice_of(copy, n), u);
	free(copy);
	return r;
}

static void
test_named(void **state)
{
	static const struct {
		const char	*url, *user, *host, *mailbox, *section;
		uint32_t	 validity, uid;
		bool		 partial;
		uint32_t	 first, count;
	} v[] = {
		{ "/INBOX/;UID=7", "", "", "INBOX", "[]", 0, 7, false, 0,
		    UINT32_MAX },
		{ "/a/b;UIDVALIDITY=12/;uid=4294967295/;Section=1.2.MIME", "",
		    "", "a/b", "[1.2.MIME]", 12, UINT32_MAX, false, 0,
		    UINT32_MAX },
		{ ";UID=1/;PARTIAL=5", "", "", "", "[]", 0, 1, true, 5,
		    UINT32_MAX },
		{ "/;UID=1/;SECTION=TEXT/;PARTIAL=0.1024", NULL, NULL, NULL,
		    NULL, 0, 0, false, 0, 0 },
		{ "imap://host/x/;UID=3/;SECTION=TEXT/;PARTIAL=0.1024", "",
		    "host", "x", "[TEXT]", 0, 3, true, 0, 1024 },
		{ "IMAP://me%40example.test@Host.test:143/x/;UID=3",
		    "me@example.test", "Host.test", "x", "[]", 0, 3, false, 0,
		    UINT32_MAX },
		{ "imap://me@example.test@host/x/;UID=3", "me@example.test",
		    "host", "x", "[]", 0, 3, false, 0, UINT32_MAX },
		{ "/%E6%97%a5%20%26/;UID=3/;SECTION=HEADER.FIELDS%20(To%3b)",
		    "", "", "\xe6\x97\xa5 &", "[HEADER.FIELDS (To;)]", 0, 3,
		    false, 0, UINT32_MAX },
	};
	struct imap_url u;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		if (v[i].user == NULL) {
			assert_int_equal(parse(v[i].url, strlen(v[i].url),
			    &u), -1);
			continue;
		}
		assert_int_equal(parse(v[i].url, strlen(v[i].url), &u), 0);
		assert_true(slice_is(u.user, v[i].user));
		assert_true(slice_is(u.host, v[i].host));
		assert_true(slice_is(u.mailbox, v[i].mailbox));
		assert_true(slice_is(u.section, v[i].section));
		assert_int_equal(u.uidvalidity, v[i].validity);
		assert_int_equal(u.uid, v[i].uid);
		assert_int_equal(u.partial, v[i].partial);
		assert_int_equal(u.first, v[i].first);
		assert_int_equal(u.count, v[i].count);
	}
}

static void
test_none(void **state)
{
	static const char *const v[] = {
		"", "/", "x", "/INBOX", "/INBOX/", "/INBOX;UID=1",
		"/INBOX/;UID=0", "/INBOX/;UID=4294967296", "/INBOX/;UID=",
		"/INBOX/;UID=1x", "/INBOX/;UID=1/", "/INBOX/;UID=1/;FOO=1",
		"/INBOX;UIDVALIDITY=0/;UID=1", "/INBOX;UIDVALIDITY=/;UID=1",
		"/INBOX;UIDVALIDITY=1;UID=1", "/INBOX/;UID=1/;SECTION=",
		"/INBOX/;UID=1/;PARTIAL=", "/INBOX/;UID=1/;PARTIAL=1.",
		"/INBOX/;UID=1/;PARTIAL=1.0", "/INBOX/;UID=1/;PARTIAL=.1",
		"/INBOX/;UID=1/;PARTIAL=1/;SECTION=TEXT",
		"/INBOX/;UID=1;URLAUTH=anonymous:internal:00",
		"/INBOX/;UID=1;EXPIRE=2030-01-01T00:00:00Z",
		"/%00/;UID=1", "/%0a/;UID=1", "/%7f/;UID=1", "/%f/;UID=1",
		"/%/;UID=1", "/%ff/;UID=1", "/%ed%a0%80/;UID=1",
		"imap:///x/;UID=1", "imap://@h/x/;UID=1", "imap://h",
		"imap://u;AUTH=*@h/x/;UID=1", "pop://h/x/;UID=1",
	};
	struct imap_url u;
	size_t i;

	for (i = 0; i < NITEMS(v); i++)
		assert_int_equal(parse(v[i], strlen(v[i]), &u), -1);
	assert_int_equal(parse("/a\0b/;UID=1", 11, &u), -1);
}

/* No octet behind the text is read, and what is found is within it. */
static void
test_cut_and_changed(void **state)
{
	static const char url[] = "imap://a%40b@h:1/x%20y;UIDVALIDITY=1/;UID=2"
	    "/;SECTION=1.HEADER.FIELDS%20(A)/;PARTIAL=3.4";
	char copy[sizeof(url)];
	struct imap_url u;
	size_t i, n = sizeof(url) - 1;
	unsigned int c;

	for (i = 0; i < n; i++)
		parse(url, i, &u);
	for (i = 0; i < n; i++)
		for (c = 0; c < 256; c++) {
			memcpy(copy, url, n);
			copy[i] = (char)c;
			parse(copy, n, &u);
		}
}

static void
test_longest(void **state)
{
	char text[IMAP_URL_MAX + 1];
	struct imap_url u;
	size_t n = IMAP_URL_MAX;

	memset(text, 'a', sizeof(text));
	memcpy(text, "/x/;UID=1/;SECTION=", 19);
	assert_int_equal(parse(text, n, &u), 0);
	assert_int_equal(u.section.n, n - 19 + 2);
	assert_int_equal(parse(text, n + 1, &u), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_cut_and_changed),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
