/*
 * Charsets of several octets: characters, what is none, text cut anywhere.
 * "charset NAME" converts standard input to standard output: script/t_charset
 * compares all of each with Python's codecs that way.
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
#include "parse/charset.h"

#define BAD	"\xef\xbf\xbd"

/* Fed in steps, what is left of each put before the next. */
static size_t
convert(int id, const char *in, size_t n, size_t step, char *out, size_t size)
{
	struct charset cs = { .id = id };
	char buf[64];
	size_t have = 0, k, used, made = 0;

	do {
		k = n < step ? n : step;
		memcpy(buf + have, in, k);
		have += k;
		in += k;
		n -= k;
		made += charset_utf8(&cs, buf, have, n == 0, out + made,
		    size - made, &used);
		have -= used;
		assert_true(have <= CHARSET_CUT);
		memmove(buf, buf + used, have);
	} while (n > 0);
	assert_int_equal(have, 0);
	return made;
}

static void
text_is(const char *name, const char *in, const char *want)
{
	char out[512];
	size_t n, step;
	int id = charset_find(slice_str(name));

	assert_int_not_equal(id, CHARSET_UNKNOWN);
	for (step = 1; step < 40; step++) {
		n = convert(id, in, strlen(in), step, out, sizeof(out));
		out[n] = '\0';
		if (strcmp(out, want) != 0)
			fail_msg("%s in steps of %zu: %s, not %s", name, step,
			    out, want);
	}
}

static void
test_characters(void **state)
{
	text_is("Shift_JIS", "A\x82\xa0\xb1\x83\\\\~\x81\x60\xf0\x40", "A\xe3\x81\x82"
	    "\xef\xbd\xb1\xe3\x82\xbd\\~\xef\xbd\x9e\xee\x80\x80");
	text_is("EUC-JP", "A\xa4\xa2\x8e\xb1\x8f\xb0\xa1~", "A\xe3\x81\x82"
	    "\xef\xbd\xb1\xe4\xb8\x82~");
	text_is("gb2312", "\xb1\xa8\xb8\xe6", "\xe6\x8a\xa5\xe5\x91\x8a");
	text_is("GBK", "\x81\x40\x80", "\xe4\xb8\x82\xe2\x82\xac");
	text_is("GB18030", "\x81\x30\x81\x30\x81\x30\x84\x36\x84\x31\xa4\x39"
	    "\x90\x30\x81\x30\xe3\x32\x9a\x35", "\xc2\x80\xc2\xa5\xef\xbf\xbf"
	    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
	text_is("Big5", "\xa4\xa4\xa4\xe5\x88\x62\x87\x45\xa1\x45\xa3\xe1",
	    "\xe4\xb8\xad\xe6\x96\x87\xc3\x8a\xcc\x84\xf0\xa7\x89\xa7"
	    "\xe2\x80\xa7\xe2\x82\xac");
	text_is("ks_c_5601-1987", "\xc7\xd1\xb1\xdb\x81\x41",
	    "\xed\x95\x9c\xea\xb8\x80\xea\xb0\x82");
	text_is("windows-874", "\xa1\x80", "\xe0\xb8\x81\xe2\x82\xac");
	text_is("KOI8-T", "\xc1", "\xd0\xb0");
}

static void
test_shifted(void **state)
{
	text_is("ISO-2022-JP", "A\x1b$B$\"\x1b(BB\x1b(J\\~\x1b(I1\x1b(B\\",
	    "A\xe3\x81\x82" "B\xc2\xa5\xe2\x80\xbe\xef\xbd\xb1\\");
	text_is("ISO-2022-JP", "\x1b$@0!\x1b$(D0!\x1b$A0!\x1b$(C0!\x1b$(B0!",
	    "\xe4\xba\x9c\xe4\xb8\x82\xe5\x95\x8a\xea\xb0\x80\xe4\xba\x9c");
	text_is("iso-2022-jp-2", "\x1b.A\x1bN)\x1b.Fa\x1bNa", "\xc2\xa9" "a"
	    "\xce\xb1");
	/* the set lasts over a line's end and a blank */
	text_is("ISO-2022-JP", "\x1b$B$\" $$\r\n$&", "\xe3\x81\x82 "
	    "\xe3\x81\x84\r\n\xe3\x81\x86");
	text_is("ISO-2022-KR", "\x1b$)CA\x0e" "0!\x0f" "0!\x0e" "0!\n0!",
	    "A\xea\xb0\x80" "0!\xea\xb0\x80\n0!");
	text_is("HZ-GB-2312", "~~a~{0!~}b~\nc~{0!\n0!", "~a\xe5\x95\x8a"
	    "bc\xe5\x95\x8a\n0!");
}

/* What is no character takes no ASCII with it. */
static void
test_attack_bad(void **state)
{
	text_is("Shift_JIS", "\x82<\x82\"\x81\xad\x82", BAD "<" BAD "\"" BAD
	    BAD);
	text_is("EUC-JP", "\xa4<\x8f\xa1<\x8e\xff\x80\xff\x8f\xb0", BAD "<"
	    BAD "<" BAD BAD BAD BAD BAD);
	text_is("EUC-JP", "\x8f\xa1\xa1\x8f<", BAD BAD "<");
	text_is("GB18030", "\x81<\x81\x30<\x81\x30\x81<\xff\x81", BAD "<" BAD
	    "0<" BAD "0" BAD "<" BAD BAD);
	text_is("GB18030", "\xfe\x39\xfe\x39\x84\x31\xa5\x30\xe3\x32\x9a\x36",
	    BAD BAD BAD);
	text_is("Big5", "\x87<\xa4\x80\x81\x40\xff", BAD "<" BAD BAD "@" BAD);
	text_is("EUC-KR", "\xc7<\xfe\xa1\xc7\x5b\xff\x80", BAD "<" BAD BAD "["
	    BAD BAD);
	text_is("ISO-2022-JP", "\x1b$C\x1b[\xa4\x1b", BAD "$C" BAD "[" BAD BAD);
	text_is("ISO-2022-JP", "\x1b$B$\n\x1b$B$\x1b(B<", BAD "\n" BAD "<");
	text_is("ISO-2022-JP", "\x1bNa\x1b.F\x1bN\n\x1bN\x7f", BAD "Na" BAD
	    "N\n" BAD);
	text_is("ISO-2022-KR", "\x1b$)D\x1b$B\x0e$", BAD "$)D" BAD "$B" BAD);
	text_is("HZ-GB-2312", "~x~{$ ~~~}~~~", BAD "x" BAD " " BAD BAD "~"
	    BAD);
}

/* Text that ended in the middle of it is not gone on with in the next. */
static void
test_state_ends(void **state)
{
	struct charset cs = { .id = charset_find(SLICE_LIT("iso-2022-jp")) };
	char out[64];
	size_t used;

	assert_int_equal(charset_utf8(&cs, "\x1b$B$\"", 5, 1, out, 64, &used),
	    3);
	assert_int_equal(charset_utf8(&cs, "ab", 2, 1, out, 64, &used), 2);
	assert_memory_equal(out, "ab", 2);
}

static void
test_names(void **state)
{
	static const char *const alias[][2] = {
		{ "sjis", "Shift_JIS" }, { "Windows-31J", "Shift_JIS" },
		{ "ujis", "EUC-JP" }, { "gb2312", "GB18030" },
		{ "cp936", "GB18030" }, { "big5-hkscs", "Big5" },
		{ "ks_c_5601-1987", "EUC-KR" }, { "cp949", "EUC-KR" },
		{ "iso-2022-jp-1", "ISO-2022-JP" }, { "hz", "HZ-GB-2312" },
		{ "TIS-620", "ISO-8859-11" }, { "cp874", "windows-874" }
	};
	const char *name;
	size_t i;
	int id;

	for (i = 0; i < NITEMS(alias); i++)
		assert_string_equal(charset_name(charset_find(slice_str(
		    alias[i][0]))), alias[i][1]);
	for (id = 0; (name = charset_name(id)) != NULL; id++)
		assert_int_equal(charset_find(slice_str(name)), id);
	assert_true(id > 50 && id < 127);	/* facts keep it in an int8_t */
}

static int
filter(const char *name)
{
	struct charset cs = { .id = charset_find(slice_str(name)) };
	static char in[4096], out[CHARSET_UTF8_MAX(sizeof(in))];
	size_t n = 0, k, used;

	do {
		k = fread(in + n, 1, sizeof(in) - n, stdin);
		n += k;
		fwrite(out, 1, charset_utf8(&cs, in, n, k == 0, out,
		    sizeof(out), &used), stdout);
		n -= used;
		memmove(in, in + used, n);
	} while (k > 0);
	return cs.id == CHARSET_UNKNOWN || fflush(stdout) == EOF;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_shifted),
		cmocka_unit_test(test_attack_bad),
		cmocka_unit_test(test_state_ends),
		cmocka_unit_test(test_names),
	};

	if (argc == 2)
		return filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
