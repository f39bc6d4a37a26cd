/*
 * Which lines belong together: words, keys, and what leads to what.
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

/* "key|value/key|value" of a line. */
static const char *
words(const char *line)
{
	static char text[2048];
	struct slice rest = slice_str(line);
	struct word w;
	size_t n = 0;

	text[0] = '\0';
	while (words_next(&rest, &w))
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s%.*s|%.*s", n > 0 ? "/" : "", (int)w.key.n, w.key.p,
		    (int)w.value.n, w.value.p);
	return text;
}

static void
test_words(void **state)
{
	assert_string_equal(words("a b=c d=\"e f\" g=\"\" h="),
	    "|a/b|c/d|e f/g|/h|");
	assert_string_equal(words("  a   b  "), "|a/|b");
	assert_string_equal(words("a=b=c x=\"y=\\x22z\""), "a|b=c/x|y=\\x22z");
	assert_string_equal(words("a=\"never ends"), "a|never ends");
	assert_string_equal(words("a=\"b\"c d"), "a|b/|c/|d");
	assert_string_equal(words(""), "");
}

static const char *
tokens(const char *value)
{
	static char text[2048];
	struct slice rest = slice_str(value), t;
	size_t n = 0;

	text[0] = '\0';
	while (words_token(&rest, &t))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s",
		    n > 0 ? " " : "", (int)t.n, t.p);
	return text;
}

static void
test_tokens(void **state)
{
	assert_string_equal(tokens("<a@b>"), "a@b");
	assert_string_equal(tokens("<CAF=x+y,(z)@mail.test>"),
	    "CAF=x+y,(z)@mail.test");
	assert_string_equal(tokens("<a@b>,<c@d>,+3"), "a@b c@d +3");
	assert_string_equal(tokens("mx.test[192.0.2.1]:25"),
	    "mx.test 192.0.2.1 25");
	assert_string_equal(tokens("mx.test[2001:db8::1]:25"),
	    "mx.test 2001:db8::1 25");
	assert_string_equal(tokens("2001:db8::1"), "2001:db8::1");
	assert_string_equal(tokens("4.4.1 mx.test said: 'no' (01ab.1)."),
	    "4.4.1 mx.test said no 01ab.1");
	assert_string_equal(tokens("<"), "");
	assert_string_equal(tokens("<never ends"), "never ends");
	assert_string_equal(tokens(",;()[]"), "");
}

static void
test_ids(void **state)
{
	static const char *const ids[] = { "0104f2a9b3c1d.12", "6b0d2fb5.1f",
	    "q6b0d2fb5.2", "0f0038df002c3dfa" };
	static const char *const none[] = { "", "q", "up", "resolver", "abcdef",
	    "12345", "1.2.3.4.5", ".12345", "123456.", "12345g", "q.123456",
	    "192.0.2.1", "report", "account=7" };
	size_t i;

	for (i = 0; i < NITEMS(ids); i++)
		if (!words_is_id(slice_str(ids[i])))
			fail_msg("%s", ids[i]);
	for (i = 0; i < NITEMS(none); i++)
		if (words_is_id(slice_str(none[i])))
			fail_msg("%s", none[i]);
}

static void
test_places(void **state)
{
	static const char *const none[] = { "", "7", "7:", "7:1", "7:1.", ":1.1",
	    "7:x.1", "4294967296:1.1", "7:1.4294967296", "7:1.-2", "7:1.2-1",
	    "mx.test[192.0.2.1]:25", "192.0.2.1:25", "25" };
	struct slice uids;
	struct place p;
	uint32_t a, b;
	size_t i;

	assert_true(words_place(slice_str("7:1795000000.3,7-9,12"), &p,
	    &uids));
	assert_int_equal(p.account, 7);
	assert_int_equal(p.uidvalidity, 1795000000);
	assert_int_equal(p.first, 3);
	assert_int_equal(p.last, 3);
	assert_true(words_range(&uids, &a, &b));
	assert_true(words_range(&uids, &a, &b));
	assert_int_equal(a, 7);
	assert_int_equal(b, 9);
	assert_true(words_range(&uids, &a, &b));
	assert_int_equal(a, 12);
	assert_false(words_range(&uids, &a, &b));
	assert_true(words_place(slice_str("4294967295:4294967295.4294967295"),
	    &p, &uids));
	for (i = 0; i < NITEMS(none); i++)
		if (words_place(slice_str(none[i]), &p, &uids))
			fail_msg("%s", none[i]);
}

/* What is full takes no more, and says so. */
static void
test_keys(void **state)
{
	struct keys *k = keys_new();
	struct place p = { 7, 1, 0, 0 }, part;
	char text[2 * KEY_OCTETS];
	size_t i, n;

	assert_int_equal(keys_has(k, slice_str("a@b")), 0);
	assert_true(keys_add(k, slice_str("A@b"), KEY_ASKED));
	assert_false(keys_add(k, slice_str("a@B"), KEY_ASKED));
	assert_true(keys_add(k, slice_str("a@b"), KEY_ID));
	assert_int_equal(keys_has(k, slice_str("a@b")), KEY_ASKED | KEY_ID);
	assert_int_equal(keys_count(k), 1);
	memset(text, 'x', sizeof(text));
	assert_false(keys_add(k, slice_of(text, KEY_OCTETS + 1), KEY_ID));
	assert_true(keys_full(k));
	keys_free(k);

	k = keys_new();
	for (i = 0; i < 2 * KEYS_MAX; i++) {
		n = (size_t)snprintf(text, sizeof(text), "key %zu", i);
		assert_int_equal(keys_add(k, slice_of(text, n), KEY_ID),
		    i < KEYS_MAX);
		assert_int_equal(keys_has(k, slice_of(text, n)),
		    i < KEYS_MAX ? KEY_ID : 0);
		assert_int_equal(keys_full(k), i >= KEYS_MAX);
	}
	keys_free(k);

	k = keys_new();
	for (i = 0; i < 10 && !keys_full(k); i++)
		for (n = 0; n < 900; n++) {
			text[0] = (char)i;
			text[1] = (char)(n >> 8);
			text[2] = (char)n;
			keys_add(k, slice_of(text, KEY_OCTETS), KEY_ID);
		}
	assert_true(keys_full(k));	/* of octets, not of keys */
	assert_true(keys_count(k) < 200);
	for (i = 1; !keys_add_place(k, &(struct place){ 7, 1, 10, 20 }); i++)
		;
	assert_false(keys_add_place(k, &(struct place){ 7, 1, 11, 19 }));
	assert_true(keys_add_place(k, &(struct place){ 7, 1, 30, 40 }));
	p.first = 15;
	p.last = 35;
	assert_true(keys_has_place(k, &p));
	i = 0;
	assert_true(keys_place_part(k, &p, &i, &part));
	assert_int_equal(part.first, 15);
	assert_int_equal(part.last, 20);
	assert_true(keys_place_part(k, &p, &i, &part));
	assert_int_equal(part.first, 30);
	assert_int_equal(part.last, 35);
	assert_false(keys_place_part(k, &p, &i, &part));
	p.uidvalidity = 2;
	assert_false(keys_has_place(k, &p));
	keys_free(k);
}

/* ---- a log, and what is found in it --------------------------------------- */

/* One message to an alias, its delivery, its way through a mailbox; a report
 * about it that bounced; others beside it. */
static const char *const history[] = {
	/* 0 */ "0aaaa00000001 connect peer=192.0.2.1 protocol=smtp tls=none "
	    "helo=mx.far.test",
	/* 1 */ "0aaaa00000001.1 message queue=6b0d2fb5.1 size=9 peer=192.0.2.1"
	    " tls=none sender=<x@far.test> rcpts=2 helo=mx.far.test "
	    "msgid=<one=1@far.test>",
	/* 2 */ "0aaaa00000001.1 recipients to=<list+a@ours.test> "
	    "became=<bob@ours.test>,<c@out.test> to=<d@ours.test>",
	/* 3 */ "0aaaa00000001.1 queued id=6b0d2fb5.1 size=9 rcpts=3 "
	    "sender=<x@far.test>",
	/* 4 */ "0aaaa00000001.2 message queue=6b0d2fb5.2 sender=<x@far.test> "
	    "rcpts=1 to=<eve@ours.test> msgid=<two@far.test>",
	/* 5 */ "0aaaa00000001.1 stored account=7 box=\"INBOX\" "
	    "place=7:1795.12 size=9 to=<list+a@ours.test>",
	/* 6 */ "0aaaa00000001.1 relay to=<c@out.test> "
	    "relay=mx.out.test[203.0.113.1]:25 status=failed",
	/* 7 */ "0aaaa00000001.1 failed id=6b0d2fb5.1 to=<c@out.test>",
	/* 8 */ "q6b0d2fb5.9 queued id=6b0d2fb5.9 of=0aaaa00000001.1 "
	    "sender=<>",
	/* 9 */ "q6b0d2fb5.9 relay to=<x@far.test> "
	    "relay=mx.far.test[192.0.2.1]:25 status=sent",
	/* 10 */ "0f00bbbbcccc0001 login result=ok account=7 "
	    "peer=198.51.100.4 user=<bob@ours.test>",
	/* 11 */ "0f00bbbbcccc0001 moved place=7:1795.3,12-14 "
	    "to=7:1796.101-104 box=\"Trash\" account=7 user=<bob@ours.test>",
	/* 12 */ "0f00bbbbcccc0001 expunged place=7:1795.2 account=7",
	/* 13 */ "0f00bbbbcccc0001 logout account=7 user=<bob@ours.test>",
	/* 14 */ "0f00bbbbcccc0002 login result=ok account=7 peer=198.51.100.5",
	/* 15 */ "0f00bbbbcccc0002 expunged place=7:1796.90-102 account=7",
	/* 16 */ "0f00bbbbcccc0002 expunged place=7:1796.103 account=7",
	/* 17 */ "0aaaa00000001 end why=\"421 4.4.2 took too long\"",
	/* 18 */ "0aaaa00000002 connect peer=192.0.2.9 helo=mx.other.test",
	/* 19 */ "0aaaa00000003.1 message sender=<> "
	    "msgid=<news+3@lists.test>",
};

/* The numbers of the lines that are found. */
static const char *
why(const char *key, unsigned int kind)
{
	static char text[256];
	struct keys *k = keys_new();
	struct slice uids;
	struct place p;
	size_t i, n, before;

	if (words_place(slice_str(key), &p, &uids))
		keys_add_place(k, &p);
	else
		keys_add(k, slice_str(key), kind);
	do {
		before = keys_count(k);
		for (i = n = 0; i < NITEMS(history); i++)
			if (match_line(k, slice_str(history[i]))) {
				match_follow(k, slice_str(history[i]));
				n += (size_t)snprintf(text + n,
				    sizeof(text) - n, "%s%zu", n > 0 ? " " :
				    "", i);
			}
	} while (keys_count(k) != before);
	if (n == 0)
		text[0] = '\0';
	keys_free(k);
	return text;
}

#define MESSAGE	"0 1 2 3 5 6 7 8 9 10 11 13 14 15 17"

static void
test_every_key_leads_there(void **state)
{
	static const char *const keys[] = {
		"0aaaa00000001.1", "6b0d2fb5.1", "one=1@far.test",
		"ONE=1@FAR.TEST", "list+a@ours.test", "list@ours.test",
		"c@out.test", "d@ours.test", "mx.out.test", "out.test",
		"203.0.113.1", "7:1795.12", "7:1796.102", "q6b0d2fb5.9",
		"6b0d2fb5.9",
	};
	size_t i;

	for (i = 0; i < NITEMS(keys); i++)
		if (strcmp(why(keys[i], KEY_ASKED), MESSAGE) != 0)
			fail_msg("%s: %s", keys[i], why(keys[i], KEY_ASKED));
}

static void
test_no_further(void **state)
{
	assert_string_equal(why("two@far.test", KEY_ASKED), "0 4 17");
	assert_string_equal(why("eve@ours.test", KEY_ASKED), "0 4 17");
	assert_string_equal(why("mx.other.test", KEY_ASKED), "18");
	assert_string_equal(why("7:1796.104", KEY_ASKED), "10 11 13");
	assert_string_equal(why("7:1795.2", KEY_ASKED), "10 12 13");
	assert_string_equal(why("aaaa00000001.1", KEY_ASKED), "");
	assert_string_equal(why("6b0d2fb5", KEY_ASKED), "");
	assert_string_equal(why("ours.test.", KEY_ASKED), "");
	assert_string_equal(why("list", KEY_ASKED), "");
	/* a Message-ID is no address */
	assert_string_equal(why("lists.test", KEY_ASKED), "");
	assert_string_equal(why("news@lists.test", KEY_ASKED), "");
	assert_string_equal(why("news+3@lists.test", KEY_ASKED), "19");
	/* all that a connection did, when that was asked for */
	assert_string_equal(why("0f00bbbbcccc0002", KEY_ASKED), "14 15 16");
	assert_string_equal(why("0aaaa00000002", KEY_ASKED), "18");
}

/* By account all of it, whatever it was. */
static void
test_account(void **state)
{
	const char *got = why("account=7", KEY_ASKED);

	assert_non_null(strstr(got, "10 11 12 13 14 15 16"));
	assert_non_null(strstr(got, "0 1 2 3 5"));
	assert_string_equal(why("account=9", KEY_ASKED), "");
}

/* Where UIDs are missing in a range nobody knows which is which. */
static void
test_gaps(void **state)
{
	static const char moved[] = "0f00bbbbcccc0001 moved place=7:5.1-10 "
	    "to=7:6.1-%u";
	struct keys *k;
	char line[100];
	struct place p = { 7, 6, 3, 3 };
	unsigned int n;

	for (n = 2; n < 40; n++) {
		k = keys_new();
		keys_add_place(k, &(struct place){ 7, 5, 3, 3 });
		snprintf(line, sizeof(line), moved, n);
		assert_true(match_line(k, slice_str(line)));
		match_follow(k, slice_str(line));
		assert_int_equal(keys_has_place(k, &p), n >= 3 && n <= 16);
		p.first = p.last = 4;
		assert_int_equal(keys_has_place(k, &p), n >= 4 && n <= 16 &&
		    n != 10);
		p.first = p.last = 3;
		keys_free(k);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_every_key_leads_there),
		cmocka_unit_test(test_no_further),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
