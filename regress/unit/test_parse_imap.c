/*
 * IMAP command syntax: atoms, strings, literals, sets, flags, sections,
 * LIST patterns, and what clients send to make a parser fall.
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
#include "parse/dates.h"
#include "parse/imap_parse.h"
#include "imapd/imap_capa.h"
#include "pop3d/pop3_capa.h"
#include "cut.h"

/* A command in a block of its exact size. */
static struct imap_in
start(const char *text, size_t n)
{
	struct imap_in in;
	char *p = malloc(n + 1);

	memcpy(p, text, n);
	imap_start(&in, p, n);
	return in;
}

#define START(s)	start(s, sizeof(s) - 1)

static void
test_expected(void **state)
{
	struct imap_in in = START("abc FETCH 1:x\r\n");
	struct imap_range v[2];
	struct slice s;
	char text[IMAP_EXPECTED_MAX];

	assert_int_equal(imap_tag(&in, &s), 0);
	assert_int_equal(imap_fail(&in, "a dog"), -1);
	assert_string_equal(imap_expected(&in, "", text),
	    "expected a dog at octet 4");
	imap_space(&in);
	imap_count(&in);
	assert_int_equal(imap_word(&in, "FETCH"), 1);
	imap_space(&in);
	assert_int_equal(imap_set(&in, v, 2), -1);
	assert_int_equal(in.off, 10);
	assert_string_equal(imap_expected(&in, "FETCH", text),
	    "FETCH: expected a message number or * at octet 9");
	in.off = 13;
	imap_fail(&in, "a cat");
	assert_string_equal(imap_expected(&in, "X", text),
	    "X: expected a cat at octet 10, the end of the line");
	free(in.p);
}

static void
test_login(void **state)
{
	struct imap_in in = START("a1 LOGIN \"us\\\"er\" {4}\r\npass\r\n");
	struct slice s;

	assert_int_equal(imap_tag(&in, &s), 0);
	assert_true(slice_is(s, "a1"));
	assert_int_equal(imap_space(&in), 0);
	assert_int_equal(imap_word(&in, "LOGOUT"), 0);
	assert_int_equal(imap_word(&in, "login"), 1);
	assert_int_equal(imap_space(&in), 0);
	assert_int_equal(imap_astring(&in, &s), 0);
	assert_true(slice_is(s, "us\"er"));
	assert_int_equal(imap_end(&in), -1);
	assert_int_equal(imap_space(&in), 0);
	assert_int_equal(imap_space(&in), -1);
	assert_int_equal(imap_astring(&in, &s), 0);
	assert_true(slice_is(s, "pass"));
	assert_int_equal(imap_end(&in), 0);
	free(in.p);
}

static void
trim_is(const char *text, size_t from, const char *want)
{
	size_t n = strlen(text);
	char *p = strdup(text);

	n = imap_trim(p, from, n);
	assert_true(slice_is(slice_of(p, n), want));
	free(p);
}

static void
test_trim(void **state)
{
	trim_is("a NOOP\r\n", 0, "a NOOP\r\n");
	trim_is("a NOOP \r\n", 0, "a NOOP\r\n");
	trim_is("a NOOP     \r\n", 0, "a NOOP\r\n");
	trim_is("a NOOP\t\r\n", 0, "a NOOP\t\r\n");
	trim_is("  \r\n", 0, "\r\n");
	trim_is("\r\n", 0, "\r\n");
	/* Blanks of a literal stay. */
	trim_is("a {3}\r\nx  \r\n", 10, "a {3}\r\nx  \r\n");
	trim_is("a {3}\r\nx   \r\n", 10, "a {3}\r\nx  \r\n");
}

static void
string_is(const char *text, size_t n, const char *want)
{
	struct imap_in in = start(text, n);
	struct slice s;
	int rc = imap_astring(&in, &s);

	assert_int_equal(rc, want == NULL ? -1 : 0);
	if (want != NULL)
		assert_true(slice_is(s, want));
	else {
		assert_int_equal(in.off, 0);
		assert_non_null(in.err.why);
	}
	free(in.p);
}

#define STRING_IS(s, want)	string_is(s, sizeof(s) - 1, want)

static void
test_strings(void **state)
{
	STRING_IS("abc]", "abc]");
	STRING_IS("\"\"", "");
	STRING_IS("\"a\\\\b\"", "a\\b");
	STRING_IS("{0}\r\n", "");
	STRING_IS("{3+}\r\nabc", "abc");
	STRING_IS("{3}\r\na\r\n", "a\r\n");
	STRING_IS("", NULL);
	STRING_IS("(", NULL);
	STRING_IS("\"abc", NULL);
	STRING_IS("\"a\\", NULL);
	STRING_IS("\"a\\\"", NULL);
	STRING_IS("\"a\r\n\"", NULL);
	STRING_IS("{3}\r\nab", NULL);
	STRING_IS("{3}abc", NULL);
	STRING_IS("{}\r\n", NULL);
	STRING_IS("{-1}\r\n", NULL);
	STRING_IS("{99999999999999999999}\r\nabc", NULL);
	STRING_IS("{3} {3}\r\nabc", NULL);
}

/* Row 50: NUL inside a string. */
static void
test_attack_nul(void **state)
{
	STRING_IS("\"a\0b\"", NULL);
	STRING_IS("\"a\\\0\"", NULL);
	STRING_IS("{3}\r\na\0b", NULL);
	STRING_IS("\0", NULL);
}

static void
test_mailbox(void **state)
{
	struct imap_in in = START("inBOX \"a b\" %/*");
	struct slice s;

	assert_int_equal(imap_mailbox(&in, &s), 0);
	assert_true(slice_is(s, "INBOX"));
	imap_space(&in);
	assert_int_equal(imap_mailbox(&in, &s), 0);
	assert_true(slice_is(s, "a b"));
	imap_space(&in);
	assert_int_equal(imap_mailbox(&in, &s), -1);
	assert_int_equal(imap_list_mailbox(&in, &s), 0);
	assert_true(slice_is(s, "%/*"));
	free(in.p);
}

static void
test_numbers(void **state)
{
	struct imap_in in = START("4294967295 4294967296 \"21-Nov-2026 "
	    "18:20:57 +0100\" 1-Nov-2026 \" 1-Nov-2026 00:00:00 +0000\"");
	uint32_t n;
	uint64_t n64;
	int64_t t;
	int zone;

	assert_int_equal(imap_number(&in, &n), 0);
	imap_space(&in);
	assert_int_equal(imap_number(&in, &n), -1);
	assert_int_equal(imap_number64(&in, &n64), 0);
	imap_space(&in);
	assert_int_equal(imap_date_time(&in, &t, &zone), 0);
	assert_int_equal(t, 1795281657);
	assert_int_equal(zone, 60);
	imap_space(&in);
	assert_int_equal(imap_date(&in, &t), 0);
	assert_int_equal(t, date_days(2026, 11, 1));
	imap_space(&in);
	assert_int_equal(imap_date_time(&in, &t, NULL), 0);
	assert_int_equal(imap_end(&in), 0);
	free(in.p);
}

static void
id_is(const char *text, int want)
{
	struct imap_in in = start(text, strlen(text));
	struct slice name;

	assert_int_equal(imap_id(&in, &name), want);
	assert_int_equal(in.depth, 0);
	assert_int_equal(in.off, want == 0 ? strlen(text) : 0);
	free(in.p);
}

static void
test_id(void **state)
{
	id_is("NIL", 0);
	id_is("()", 0);
	id_is("(\"a\" NIL)", 0);
	id_is("(\"a\" \"b\" {1}\r\nc {1+}\r\nd)", 0);
	id_is("(a NIL)", -1);
	id_is("(NIL \"a\")", -1);
	id_is("(\"a\")", -1);
	id_is("(\"a\" NIL", -1);
	id_is("(\"a\" NIL\"b\" NIL)", -1);
	id_is("\"a\"", -1);
	id_is("", -1);
}

static void
modseq_is(const char *text, int zero, int want, uint64_t n)
{
	struct imap_in in = start(text, strlen(text));
	uint64_t got = 0;

	assert_int_equal(imap_modseq(&in, zero, &got), want);
	assert_int_equal(in.off, want == 0 ? strlen(text) : 0);
	if (want == 0)
		assert_int_equal(got, n);
	free(in.p);
}

/* RFC 7162 7: 63 bits, and 0 only in some places. */
static void
test_modseq(void **state)
{
	modseq_is("1", 0, 0, 1);
	modseq_is("9223372036854775807", 0, 0, INT64_MAX);
	modseq_is("0", 1, 0, 0);
	modseq_is("0", 0, -1, 0);
	modseq_is("00", 0, -1, 0);
	modseq_is("9223372036854775808", 1, -1, 0);
	modseq_is("99999999999999999999999", 1, -1, 0);
	modseq_is("-1", 1, -1, 0);
	modseq_is("", 1, -1, 0);
}

static void
count_is(const char *text, int64_t want)
{
	struct imap_in in = start(text, strlen(text));
	struct imap_range v[8];
	int n = imap_set(&in, v, NITEMS(v));

	assert_true(n > 0);
	assert_int_equal(imap_set_count(v, (size_t)n), want);
	free(in.p);
}

static void
test_set_count(void **state)
{
	count_is("1", 1);
	count_is("1:3,5,7:8", 6);
	count_is("1,2,3", 3);
	count_is("1:4294967295", UINT32_MAX);
	count_is("2,1", -1);
	count_is("2:1", -1);
	count_is("1:3,3", -1);
	count_is("1:4294967295,1:4294967295", -1);
}

static void
set_is(const char *text, uint32_t largest, const char *want)
{
	struct imap_in in = start(text, strlen(text));
	struct imap_range v[8];
	char out[256];
	int n = imap_set(&in, v, NITEMS(v));
	ssize_t k;

	if (want == NULL) {
		assert_int_equal(n, -1);
	} else {
		assert_true(n > 0);
		k = imap_set_print(v, imap_set_resolve(v, (size_t)n, largest),
		    out, sizeof(out));
		assert_true(k >= 0);
		assert_true(slice_is(slice_of(out, (size_t)k), want));
	}
	free(in.p);
}

static void
test_set(void **state)
{
	struct imap_range v[] = { { 2, 4 }, { 7, 7 } };
	char out[100];

	set_is("1", 9, "1");
	set_is("1:3,5", 9, "1:3,5");
	set_is("5,1:3", 9, "1:3,5");
	set_is("3:1,2,4", 9, "1:4");
	set_is("*", 9, "9");
	set_is("12:*", 9, "9:12");
	set_is("*:4", 9, "4:9");
	set_is("*", 0, "");
	set_is("1:*", 0, "1");
	set_is("4294967294:4294967295", 9, "4294967294:4294967295");
	set_is("4294967295", 9, "4294967295");
	set_is("4294967295", 0, "4294967295");
	set_is("4294967295:*", 9, "9:4294967295");
	set_is("*:4294967295", 4294967295, "4294967295");
	set_is("2,4294967295,*", 9, "2,9,4294967295");
	set_is("4294967294,4294967295,1", 9, "1,4294967294:4294967295");
	set_is("0", 9, NULL);
	set_is("", 9, NULL);
	set_is("1,", 9, NULL);
	set_is("1:", 9, NULL);
	set_is("a", 9, NULL);
	set_is("4294967296", 9, NULL);
	set_is("1,2,3,4,5,6,7,8,9", 9, NULL);
	assert_true(imap_set_has(v, 2, 2) && imap_set_has(v, 2, 4) &&
	    imap_set_has(v, 2, 7));
	assert_false(imap_set_has(v, 2, 1) || imap_set_has(v, 2, 5) ||
	    imap_set_has(v, 2, 8) || imap_set_has(v, 0, 1));
	assert_int_equal(imap_set_print(v, 2, out, 10), -1);
}

static void
test_flags(void **state)
{
	struct imap_in in = START("(\\Seen \\dELETED $Junk x) () \\Draft y");
	struct imap_flags f;

	assert_int_equal(imap_flags(&in, 0, &f), 0);
	assert_int_equal(f.system, IMAP_SEEN | IMAP_DELETED);
	assert_int_equal(f.n, 2);
	assert_true(slice_is(f.keyword[0], "$Junk"));
	imap_space(&in);
	assert_int_equal(imap_flags(&in, 0, &f), 0);
	assert_int_equal(f.n + (size_t)f.system, 0);
	imap_space(&in);
	assert_int_equal(imap_flags(&in, 0, &f), -1);
	assert_int_equal(imap_flags(&in, 1, &f), 0);
	assert_int_equal(f.system, IMAP_DRAFT);
	assert_int_equal(imap_end(&in), 0);
	free(in.p);
	in = START("(\\Recent)");
	assert_int_equal(imap_flags(&in, 0, &f), -1);
	assert_int_equal(in.depth, 0);
	free(in.p);
	in = START("(\\Nonsense)");
	assert_int_equal(imap_flags(&in, 0, &f), -1);
	free(in.p);
	in = START("(a");
	assert_int_equal(imap_flags(&in, 0, &f), -1);
	free(in.p);
}

static void
section_is(const char *text, int kind, size_t npath, size_t nfields)
{
	struct imap_in in = start(text, strlen(text));
	struct imap_section s;
	int rc = imap_section(&in, &s);

	if (kind == -1) {
		if (rc != -1)
			fail_msg("%s: taken", text);
	} else {
		if (rc == -1)
			fail_msg("%s: %s", text, in.err.why);
		assert_int_equal((int)s.kind, kind);
		assert_int_equal(s.npath, npath);
		assert_int_equal(s.nfields, nfields);
		assert_int_equal(imap_end(&in), 0);
	}
	free(in.p);
}

static void
test_section(void **state)
{
	struct imap_in in = START("[1.2.HEADER.FIELDS (To \"Cc\")]<10.20>");
	struct imap_section s;

	assert_int_equal(imap_section(&in, &s), 0);
	assert_int_equal(s.path[0], 1);
	assert_int_equal(s.path[1], 2);
	assert_true(slice_is(s.field[1], "Cc"));
	assert_true(s.partial && s.first == 10 && s.count == 20);
	free(in.p);
	section_is("[]", IMAP_SECTION_ALL, 0, 0);
	section_is("[1]", IMAP_SECTION_ALL, 1, 0);
	section_is("[1.2.3]<0.1>", IMAP_SECTION_ALL, 3, 0);
	section_is("[header]", IMAP_SECTION_HEADER, 0, 0);
	section_is("[TEXT]", IMAP_SECTION_TEXT, 0, 0);
	section_is("[1.MIME]", IMAP_SECTION_MIME, 1, 0);
	section_is("[HEADER.FIELDS.NOT (a b c)]", IMAP_SECTION_FIELDS_NOT, 0,
	    3);
	section_is("[MIME]", -1, 0, 0);
	section_is("[0]", -1, 0, 0);
	section_is("[1.]", -1, 0, 0);
	section_is("[1", -1, 0, 0);
	section_is("[1.X]", -1, 0, 0);
	section_is("[1TEXT]", -1, 0, 0);
	section_is("[HEADER.FIELDS ()]", -1, 0, 0);
	section_is("[HEADER.FIELDS (a]", -1, 0, 0);
	section_is("[HEADER.FIELDS]", -1, 0, 0);
	section_is("[HEADER.FIELDS (\"a\\\"b\" {3+}\r\na b)]",
	    IMAP_SECTION_FIELDS, 0, 2);
	section_is("[HEADER.FIELDS (\"\")]", -1, 0, 0);
	section_is("[]<1>", -1, 0, 0);
	section_is("[]<1.0>", -1, 0, 0);
	section_is("[99999999999]", -1, 0, 0);
}

static void
list_is(const char *pattern, const char *name, enum imap_match want)
{
	if (imap_list_match(slice_str(pattern), slice_str(name), '/') != want)
		fail_msg("%s on %s", pattern, name);
}

static void
test_list(void **state)
{
	list_is("*", "a/b", IMAP_MATCH);
	list_is("%", "a", IMAP_MATCH);
	list_is("%", "a/b", IMAP_MATCH_PARENT);
	list_is("a/%", "a/b", IMAP_MATCH);
	list_is("a/%", "a/b/c", IMAP_MATCH_PARENT);
	list_is("a/%", "a", IMAP_NOMATCH);
	list_is("%/b", "a/b", IMAP_MATCH);
	list_is("*b", "a/b", IMAP_MATCH);
	list_is("a*c", "a/b/c", IMAP_MATCH);
	list_is("a%c", "a/b/c", IMAP_NOMATCH);
	list_is("inbox", "INBOX", IMAP_MATCH);
	list_is("InBox/%", "INBOX/x", IMAP_MATCH);
	list_is("inboxes", "INBOXES", IMAP_NOMATCH);
	list_is("A", "a", IMAP_NOMATCH);
	list_is("", "", IMAP_MATCH);
	list_is("", "a", IMAP_NOMATCH);
	list_is("*%*%*", "a/b", IMAP_MATCH);
}

/* A name of 1,000 octets, as modified UTF-7 has it: U+00E9 and "&" in turn. */
static void
test_list_long(void **state)
{
	static const char two[] = "&AOk-&-";
	char name[333 * (sizeof(two) - 1) + 1];
	size_t i;

	for (i = 0; i + 1 < sizeof(name); i += sizeof(two) - 1)
		memcpy(name + i, two, sizeof(two));
	list_is("*", name, IMAP_MATCH);
	list_is(name, name, IMAP_MATCH);
	list_is("&AOk-&-%-", name, IMAP_MATCH);
	list_is("&AOk-&-b*", name, IMAP_NOMATCH);
}

/* A pattern for which backtracking would take for ever. */
static void
test_attack_list_pattern(void **state)
{
	char pattern[2001], name[2001];
	int i;

	for (i = 0; i < 2000; i += 2) {
		memcpy(pattern + i, i % 4 ? "%a" : "*a", 2);
		memcpy(name + i, "aa", 2);
	}
	name[1999] = 'b';
	pattern[2000] = name[2000] = '\0';
	list_is(pattern, name, IMAP_NOMATCH);
}

/* Row 37: nesting; the depth is capped and errors leave the cursor. */
static void
test_attack_nesting(void **state)
{
	char buf[10000];
	struct imap_in in;
	int i;

	memset(buf, '(', sizeof(buf));
	in = start(buf, sizeof(buf));
	for (i = 0; i < IMAP_DEPTH_MAX; i++)
		assert_int_equal(imap_open(&in), 0);
	assert_int_equal(imap_open(&in), -1);
	assert_int_equal(imap_close(&in), -1);
	free(in.p);
	in = START("))))");
	assert_int_equal(imap_close(&in), -1);
	free(in.p);
	in = START("(");
	imap_open(&in);
	assert_int_equal(imap_end(&in), -1);
	free(in.p);
}

/* Row 38: announcements, for those who add them up. */
static void
test_literal(void **state)
{
	uint64_t n;
	int f;

	assert_int_equal(imap_literal(SLICE_LIT("a LOGIN {5}"), &n, &f), 1);
	assert_int_equal(n, 5);
	assert_int_equal(f, 0);
	assert_int_equal(imap_literal(SLICE_LIT("a X {1000000+}"), &n, &f),
	    1);
	assert_int_equal(n, 1000000);
	assert_int_equal(f, IMAP_LITERAL_PLUS);
	assert_int_equal(imap_literal(SLICE_LIT("a X ~{7+}"), &n, &f), 1);
	assert_int_equal(f, IMAP_LITERAL_PLUS | IMAP_LITERAL_8);
	assert_int_equal(imap_literal(SLICE_LIT("{99999999999999999999}"), &n,
	    &f), -1);
	assert_int_equal(imap_literal(SLICE_LIT("{}"), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT("{+}"), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT("5}"), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT("55}"), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT("a {-1}"), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT("a {5} "), &n, &f), 0);
	assert_int_equal(imap_literal(SLICE_LIT(""), &n, &f), 0);
}

static void
put_is(const char *in, size_t n, const char *want)
{
	char out[256];
	ssize_t k = imap_put_string(slice_of(in, n), out, sizeof(out));

	assert_true(k > 0);
	assert_true(slice_is(slice_of(out, (size_t)k), want));
	assert_int_equal(imap_put_string(slice_of(in, n), out, 2 * n + 31),
	    -1);
}

static void
test_put(void **state)
{
	char out[64];

	put_is("", 0, "\"\"");
	put_is("a\"b\\", 4, "\"a\\\"b\\\\\"");
	put_is("a\r\nb", 4, "{4}\r\na\r\nb");
	put_is("\xc3\xa5", 2, "{2}\r\n\xc3\xa5");
	put_is("a\0b", 3, "{3}\r\na?b");
	assert_int_equal(imap_put_astring(SLICE_LIT("abc"), out, 64), 3);
	assert_int_equal(imap_put_astring(SLICE_LIT("nil"), out, 64), 5);
	assert_int_equal(imap_put_astring(SLICE_LIT("a b"), out, 64), 5);
	assert_int_equal(imap_put_astring(SLICE_LIT(""), out, 64), 2);
	/* UTF-8 in quotes for those who enabled it; else a literal */
	assert_int_equal(imap_put_utf8(SLICE_LIT("abc"), out, 64), 3);
	assert_int_equal(imap_put_utf8(SLICE_LIT("\xc3\xbc\""), out, 64), 6);
	assert_memory_equal(out, "\"\xc3\xbc\\\"\"", 6);
	assert_int_equal(imap_put_utf8(SLICE_LIT("\xc3"), out, 64), 6);
	assert_int_equal(imap_put_astring(SLICE_LIT("\xc3\xbc"), out, 64), 7);
}

/* Everything at every place: > 0 octets taken or the cursor as it was. */
static void
walk(char *p, size_t n)
{
	struct imap_in in;
	struct imap_flags f;
	struct imap_section sec;
	struct imap_range v[4];
	struct slice s;
	uint64_t n64;
	int64_t t;
	int i, fl;
	size_t at, before;

	imap_literal(slice_of(p, n), &n64, &fl);
	for (at = 0; at <= n; at++)
		for (i = 0; i < 9; i++) {
			imap_start(&in, p, n);
			in.off = before = at;
			switch (i) {
			case 0: fl = imap_flags(&in, 1, &f); break;
			case 1: fl = imap_section(&in, &sec); break;
			case 2: fl = imap_set(&in, v, 4); break;
			case 3: fl = imap_tag(&in, &s); break;
			case 4: fl = imap_list_mailbox(&in, &s); break;
			case 5: fl = imap_nstring(&in, &s); break;
			case 7: fl = imap_id(&in, &s); break;
			case 6: fl = imap_date_time(&in, &t, NULL); break;
			default: fl = imap_date(&in, &t); break;
			}
			assert_true(in.off <= n);
			if (fl == -1)
				assert_int_equal(in.off, before);
			else
				assert_true(in.off > before);
		}
}

static void
test_cut(void **state)
{
	static const char *const in[] = {
		"a UID FETCH 1:*,7 (BODY[1.2.HEADER.FIELDS (To)]<1.2>)\r\n",
		"a STORE 1 +FLAGS (\\Seen $x)\r\n",
		"a APPEND x (\\Seen) \"21-Nov-2026 18:20:57 +0100\" {3+}\r\n",
		"a LOGIN {2}\r\nab \"\\\"\\\\\"\r\n", "{1}\r\n", "\"\\\"", "{{{{",
		"a SEARCH SINCE 1-Nov-2026 NIL"
	};
	size_t i;

	for (i = 0; i < NITEMS(in); i++)
		cut_each(in[i], strlen(in[i]), walk);
}

/* Of 10 results: how many from which place on; n 0: none, -1: bad. */
static void
test_partial(void **state)
{
	static const struct {
		const char	*text;
		int		 n;
		size_t		 first;
		uint32_t	 reach;
	} v[] = {
		{ "1:3", 3, 0, 3 }, { "3:1", 3, 0, 3 }, { "10:10", 1, 9, 10 },
		{ "9:4294967295", 2, 8, UINT32_MAX }, { "11:12", 0, 0, 12 },
		{ "-1:-3", 3, 7, 3 }, { "-3:-1", 3, 7, 3 },
		{ "-10:-10", 1, 0, 10 }, { "-4294967295:-9", 2, 0,
		    UINT32_MAX },
		{ "-11:-12", 0, 0, 12 }, { "0:1", -1, 0, 0 },
		{ "1:0", -1, 0, 0 }, { "1", -1, 0, 0 }, { "1:", -1, 0, 0 },
		{ "1:-2", -1, 0, 0 }, { "-1:2", -1, 0, 0 },
		{ "-:-2", -1, 0, 0 }, { "1:*", -1, 0, 0 },
		{ "4294967296:1", -1, 0, 0 }, { "", -1, 0, 0 },
	};
	struct imap_partial p;
	struct imap_in in;
	char text[IMAP_PARTIAL_TEXT];
	size_t i, first;

	for (i = 0; i < NITEMS(v); i++) {
		in = start(v[i].text, strlen(v[i].text));
		assert_int_equal(imap_partial(&in, &p), v[i].n < 0 ? -1 : 0);
		if (v[i].n >= 0) {
			assert_int_equal(imap_partial_reach(&p), v[i].reach);
			assert_int_equal(imap_partial_pick(&p, 10, &first),
			    v[i].n);
			assert_int_equal(first, v[i].first);
			assert_int_equal(imap_partial_pick(&p, 0, &first), 0);
			imap_partial_print(&p, text, sizeof(text));
			assert_string_equal(text, v[i].text);
		} else
			assert_int_equal(in.off, 0);
		free(in.p);
	}
}

static void
test_saved(void **state)
{
	static const struct { const char *text; int want; } v[] = {
		{ "$", 1 }, { "$ x", 1 }, { "$)", 1 }, { "$\r\n", 1 },
		{ "$x", 0 }, { "$,1", 0 }, { "$:2", 0 }, { "1", 0 },
		{ "", 0 },
	};
	struct imap_in in;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		in = start(v[i].text, strlen(v[i].text));
		assert_int_equal(imap_saved(&in), v[i].want);
		assert_int_equal(in.off, v[i].want);
		free(in.p);
	}
}

/* Each front in each state and each session: what they always said. */
static void
test_capabilities(void **state)
{
	const struct {
		bool		 pop3;
		unsigned int	 when;
		const char	*want;
	} v[] = {
		{ false, CAP_SESSION, "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID IDLE "
		    "UIDPLUS MOVE NAMESPACE UNSELECT "
		    "ESEARCH SEARCHRES PARTIAL WITHIN SEARCH=FUZZY "
		    "SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT "
		    "THREAD=REFERENCES THREAD=REFS "
		    "CHILDREN SPECIAL-USE "
		    "CREATE-SPECIAL-USE MULTIAPPEND LIST-EXTENDED LIST-STATUS STATUS=SIZE "
		    "COMPRESS=DEFLATE ENABLE UTF8=ACCEPT "
		    "CATENATE URL-PARTIAL REPLACE UNAUTHENTICATE "
		    "BINARY PREVIEW "
		    "CONDSTORE QRESYNC UIDONLY "
		    "UIDBATCHES OBJECTID SAVEDATE QUOTA QUOTA=RES-STORAGE "
		    "QUOTA=RES-MESSAGE" },
		{ false, capability_front(true, true), "IMAP4rev1 IMAP4rev2 LITERAL+ "
		    "SASL-IR ID ENABLE STARTTLS" },
		{ false, capability_front(false, true), "IMAP4rev1 IMAP4rev2 LITERAL+ "
		    "SASL-IR ID ENABLE" },
		{ false, capability_front(true, false), "IMAP4rev1 IMAP4rev2 LITERAL+ "
		    "SASL-IR ID ENABLE STARTTLS LOGINDISABLED" },
		{ false, capability_front(false, false), "IMAP4rev1 IMAP4rev2 LITERAL+ "
		    "SASL-IR ID ENABLE LOGINDISABLED" },
		{ true, CAP_SESSION, "TOP|UIDL|PIPELINING|RESP-CODES|"
		    "AUTH-RESP-CODE|EXPIRE NEVER|IMPLEMENTATION maild|"
		    "LANG|UTF8" },
		{ true, capability_front(true, true), "TOP|UIDL|PIPELINING|"
		    "RESP-CODES|AUTH-RESP-CODE|EXPIRE NEVER|"
		    "IMPLEMENTATION maild|LANG|UTF8|STLS|USER" },
		{ true, capability_front(false, false), "TOP|UIDL|PIPELINING|"
		    "RESP-CODES|AUTH-RESP-CODE|EXPIRE NEVER|"
		    "IMPLEMENTATION maild|LANG|UTF8" },
	};
	char text[CAPABILITY_MAX];
	size_t i;

	for (i = 0; i < NITEMS(v); i++)
		assert_string_equal(v[i].pop3 ?
		    capability_print(pop3_capabilities,
		    NITEMS(pop3_capabilities), v[i].when, NULL, "|",
		    text) :
		    capability_print(imap_capabilities,
		    NITEMS(imap_capabilities), v[i].when, NULL, " ",
		    text),
		    v[i].want);
}

static void
test_hidden(void **state)
{
	char text[CAPABILITY_MAX];
	static const struct capability c[] = {
		{ "A", CAP_ALWAYS }, { "AUTH=ONE", CAP_ALWAYS },
		{ "AUTH=TWO", CAP_ALWAYS }, { "B", CAP_ALWAYS },
	};

	assert_string_equal(capability_print(c, NITEMS(c), CAP_SESSION,
	    "b auth=o*", " ", text), "A AUTH=TWO");
	assert_string_equal(capability_print(c, NITEMS(c), CAP_SESSION,
	    "  AUTH  AUTH=ONEX x", " ", text), "A AUTH=ONE AUTH=TWO B");
	assert_string_equal(capability_print(c, NITEMS(c), CAP_SESSION,
	    "*", " ", text), "");
	assert_true(capability_words("A"));
	assert_true(capability_words("AUTH=* X"));
	assert_false(capability_words(""));
	assert_false(capability_words(" A"));
	assert_false(capability_words("A "));
	assert_false(capability_words("A  B"));
	assert_false(capability_words("A\r\nB"));
	assert_false(capability_words("A]B"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_attack_nul),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_modseq),
		cmocka_unit_test(test_set_count),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_long),
		cmocka_unit_test(test_attack_list_pattern),
		cmocka_unit_test(test_attack_nesting),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
