/*
 * Header fields, encoded words, parameters, charsets, transfer encodings,
 * search, dates and hashes.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/crlf.h"
#include "parse/dates.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/casemap.h"
#include "parse/search.h"
#include "parse/words.h"
#include "cut.h"

static void
test_slice(void **state)
{
	uint64_t v;
	char out[4];

	assert_int_equal(slice_number(SLICE_LIT("18446744073709551615"),
	    UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(slice_number(SLICE_LIT("18446744073709551616"),
	    UINT64_MAX, &v), -1);
	assert_int_equal(slice_number(SLICE_LIT("5"), 4, &v), -1);
	assert_int_equal(slice_number(SLICE_LIT("10"), 10, &v), 0);
	assert_int_equal(slice_number(SLICE_LIT("11"), 10, &v), -1);
	assert_int_equal(slice_number(SLICE_LIT(""), 10, &v), -1);
	assert_int_equal(slice_number(SLICE_LIT("+1"), 10, &v), -1);
	assert_int_equal(slice_cpy(SLICE_LIT("abc"), out, 4), 0);
	assert_int_equal(slice_cpy(SLICE_LIT("abcd"), out, 4), -1);
	assert_int_equal(slice_cpy(SLICE_LIT("a\0"), out, 4), -1);
	assert_true(slice_caseeq(SLICE_LIT("aBc"), SLICE_LIT("AbC")));
	assert_true(slice_casestarts(SLICE_LIT("FROM:<"), "from"));
	assert_false(slice_casestarts(SLICE_LIT("FRO"), "from"));
	assert_int_equal(has_8bit("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x80",
	    37), 1);
	assert_int_equal(has_8bit("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x7f",
	    37), 0);
}

static const char header[] =
    "From: a@b\r\n"
    "Subject : one\r\n"
    " two\r\n"
    "\tthree\r\n"
    "junk without colon\r\n"
    "subject:second\n"
    "\r\n"
    "body\r\n";

static void
test_header(void **state)
{
	struct slice h = slice_of(header, sizeof(header) - 1), rest = h;
	struct header_field f;
	char out[64];
	size_t n;

	assert_int_equal(header_count(h, "SUBJECT"), 2);
	assert_int_equal(header_find(h, "subject", 0, &f), 1);
	n = header_unfold(f.value, out, sizeof(out));
	assert_true(slice_is(slice_of(out, n), "one two\tthree") ||
	    slice_is(slice_of(out, n), "one two three"));
	assert_int_equal(header_find(h, "subject", 1, &f), 1);
	assert_true(slice_is(f.value, "second"));
	assert_int_equal(header_find(h, "subject", 2, &f), 0);
	for (n = 0; header_next(&rest, &f); n++)
		;
	assert_int_equal(n, 4);
	assert_true(slice_is(rest, "body\r\n"));
	assert_int_equal(header_len(header, sizeof(header) - 1),
	    sizeof(header) - 1 - 6);
	assert_int_equal(header_len("a: b\r\n", 6), 6);
	assert_int_equal(header_len("\r\nx", 3), 2);
	assert_int_equal(header_len("", 0), 0);
}

static void
test_header_end(void **state)
{
	size_t n = sizeof(header) - 1, len = n - 6, k, seen = 0;
	ssize_t got;

	for (k = 0; k <= n; k++) {
		char *exact = malloc(k + 1);

		memcpy(exact, header, k);
		got = header_end(exact, k, &seen);
		assert_int_equal(got, k < len ? -1 : (ssize_t)len);
		free(exact);
	}
	seen = 0;
	assert_int_equal(header_end("hejsa\r\n", 7, &seen), 0);
	seen = 0;
	assert_int_equal(header_end("hejsa", 5, &seen), -1);
	assert_int_equal(header_end("hejsa\r\n", 7, &seen), 0);
	seen = 0;
	assert_int_equal(header_end("From x\r\nA: b\r\n\r\n", 16, &seen), 16);
	assert_int_equal(header_first("From: x", 7), 1);
	assert_int_equal(header_first("hejsa", 5), 0);
	assert_int_equal(header_first("a b: c", 6), 0);
	assert_int_equal(header_first("\r\nx", 3), 1);
	assert_int_equal(header_first("", 0), 1);
	assert_int_equal(header_first(" a: b", 5), 0);
}

static void
header_cut(char *p, size_t n)
{
	struct slice rest = slice_of(p, n), id;
	struct header_field f;
	size_t total = 0, seen = 0;

	while (header_next(&rest, &f)) {
		assert_true(f.raw.n > 0);
		total += f.raw.n;
		id = f.value;
		while (header_msgid(&id, &f.name))
			;
	}
	assert_true(total + rest.n <= n && total + rest.n + 2 >= n);
	assert_true(header_len(p, n) <= n);
	header_end(p, n, &seen);
	assert_true(seen <= n);
}

static void
test_header_cut(void **state)
{
	cut_each(header, sizeof(header) - 1, header_cut);
	CUT_LIT("A\r\n:\r\n : \r\nR: (\\<) <a> <b\r\n\n", header_cut);
}

static void
words_are(const char *in, const char *want)
{
	char out[256];
	size_t n = words_decode(slice_str(in), out, sizeof(out));

	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
test_words(void **state)
{
	words_are("plain text", "plain text");
	words_are("=?utf-8?q?a=C3=A5_b?=", "a\xc3\xa5 b");
	words_are("=?ISO-8859-1?B?5eb4?=", "\xc3\xa5\xc3\xa6\xc3\xb8");
	words_are("=?us-ascii*en?q?a?= =?us-ascii?q?b?= c", "ab c");
	words_are("a =?us-ascii?q?b?=\r\n =?us-ascii?q?c?=", "a bc");
	/* a character cut in two words */
	words_are("=?utf-8?b?w6XD?= =?utf-8?b?pg==?=", "\xc3\xa5\xc3\xa6");
	words_are("=?utf-8?q?=C3?= x", "\xef\xbf\xbd x");
	words_are("=?nonsense?q?=E5?=", "\xef\xbf\xbd");
	words_are("=?utf-8?x?abc?=", "=?utf-8?x?abc?=");
	words_are("=?utf-8?q?abc", "=?utf-8?q?abc");
	words_are("=?=?=?", "=?=?=?");
	words_are("a = b", "a = b");
	words_are("=?utf-8?q?a=0D=0Ab=00?=", "a  b ");
	words_are("=?utf-8?q?=zz?=", "=zz");
	words_are("\xe5", "\xef\xbf\xbd");
	words_are("", "");
	words_are("(=?utf-8?q?a?=)", "(a)");
	words_are("=?gb2312?B?sai45g==?= =?iso-8859-1?Q?Avalia=E7=E3o?=",
	    "\xe6\x8a\xa5\xe5\x91\x8a" "Avalia\xc3\xa7\xc3\xa3o");
	words_are("=?ISO-2022-JP?B?GyRCTT1Eakk9GyhC?= =?iso-2022-jp?q?a?= b",
	    "\xe4\xba\x88\xe5\xae\x9a\xe8\xa1\xa8" "a b");
	/* cut in the middle of a character and of what is shifted in */
	words_are("=?iso-2022-jp?B?GyRCTT1E?= =?iso-2022-jp?B?akk9GyhC?=",
	    "\xe4\xba\x88\xe5\xae\x9a\xe8\xa1\xa8");
	words_are("=?iso-2022-jp?B?GyRCTT0=?= a =?iso-2022-jp?q?b?=",
	    "\xe4\xba\x88 a b");
	words_are("=?big5?b?pKSk?= =?Big5?b?5Q==?=", "\xe4\xb8\xad\xe6\x96\x87");
}

static void
words_cut(char *p, size_t n)
{
	char out[40];
	size_t size, k;

	for (size = 0; size <= sizeof(out); size += 5) {
		char *exact = malloc(size + 1);

		k = words_decode(slice_of(p, n), exact, size);
		assert_true(k <= size);
		assert_true(utf8_valid(exact, k));
		free(exact);
	}
}

/* Rows 31, 52 and words cut at every octet. */
static void
test_words_cut(void **state)
{
	static const char *const in[] = {
		"=?utf-8?q?a=C3=A5_b?= =?utf-8?b?w6XD?= =?utf-8?b?pg==?= x",
		"=?iso-8859-1?b?5eb4?= \xc3\xa5\xf0\x9f\x98\x80",
		"=?" "?=?=?q?" "?==?" "?="
	};
	size_t i;

	for (i = 0; i < NITEMS(in); i++)
		cut_each(in[i], strlen(in[i]), words_cut);
}

static void
param_is(const char *field, const char *name, const char *want)
{
	struct params ps;
	const struct param *p;
	char buf[512], out[256];
	size_t n;

	params_parse(slice_str(field), &ps, buf, sizeof(buf));
	p = params_get(&ps, name);
	if (want == NULL) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	n = param_utf8(p, out, sizeof(out) - 1);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
test_params(void **state)
{
	param_is("text/plain; charset=utf-8", "CHARSET", "utf-8");
	param_is("text/plain; charset=\"a;b\\\"c\"", "charset", "a;b\"c");
	param_is("text/plain; charset=us-ascii (Plain)", "charset",
	    "us-ascii");
	param_is("a/b; name=my file.txt; x=y", "name", "my file.txt");
	param_is("a/b; x=y", "name", NULL);
	/* RFC 2231 3, 4 */
	param_is("a/b; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"", "url",
	    "ftp://cs.utk.edu/pub");
	param_is("a/b; URL*1=\"b\"; URL*0=\"a\"", "url", "ab");
	param_is("a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A",
	    "title", "This is ***fun*");
	param_is("a/b; t*0*=us-ascii'en'This%20is%20; t*1*=%2A; t*2=\"it's "
	    "100%!\"", "t", "This is *it's 100%!");
	param_is("a/b; t*=iso-8859-1''%E5", "t", "\xc3\xa5");
	param_is("a/b; t*=broken%E", "t", "broken%E");
	param_is("a/b; t*x=1", "t", NULL);
	param_is("a/b; name==?utf-8?q?=C3=A5?=", "name", "\xc3\xa5");
	param_is("a/b;;; =x; y", "y", NULL);
}

static void
params_cut(char *p, size_t n)
{
	struct params ps;
	char out[64];
	size_t size, i;

	for (size = 0; size < 40; size += 3) {
		char *exact = malloc(size + 1);

		params_parse(slice_of(p, n), &ps, exact, size);
		for (i = 0; i < ps.n; i++) {
			assert_true(ps.v[i].value.p + ps.v[i].value.n <=
			    exact + size);
			param_utf8(&ps.v[i], out, sizeof(out));
		}
		free(exact);
	}
}

static void
test_params_cut(void **state)
{
	static const char *const in[] = {
		"a/b; c=\"d\\\"e\"; t*0*=us-ascii'en'%20; t*1*=%2A; t*2=\"x%\"",
		"a (x; b=c", "; *=*; *0*=; **=%", "a/b; c=\"\\"
	};
	size_t i;

	for (i = 0; i < NITEMS(in); i++)
		cut_each(in[i], strlen(in[i]), params_cut);
}

static void
charset_is(const char *name, const char *in, const char *want)
{
	struct charset cs = { .id = charset_find(slice_str(name)) };
	char out[256];
	size_t used, n;

	n = charset_utf8(&cs, in, strlen(in), 1, out, sizeof(out), &used);
	assert_int_equal(used, strlen(in));
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
test_charset(void **state)
{
	struct charset utf8 = { .id = CHARSET_UTF8 };
	char out[64];
	size_t used, n;

	charset_is("iso-8859-1", "\xe5\xff", "\xc3\xa5\xc3\xbf");
	charset_is("Latin1", "\xa4", "\xc2\xa4");
	charset_is("ISO-8859-15", "\xa4", "\xe2\x82\xac");
	charset_is("iso-8859-2", "\xb1", "\xc4\x85");
	charset_is("iso-8859-7", "\xe1", "\xce\xb1");
	charset_is("windows-1252", "\x80", "\xe2\x82\xac");
	charset_is("windows-1251", "\xcf", "\xd0\x9f");
	charset_is("koi8-r", "\xf0", "\xd0\x9f");
	charset_is("utf-8", "\xc3\xa5\xc3", "\xc3\xa5\xef\xbf\xbd");
	charset_is("us-ascii", "a\xe5", "a\xef\xbf\xbd");
	charset_is("x-unknown", "a\xe5", "a\xef\xbf\xbd");
	assert_int_equal(charset_find(SLICE_LIT("x")), CHARSET_UNKNOWN);
	assert_string_equal(charset_name(CHARSET_UTF8), "UTF-8");
	assert_null(charset_name(CHARSET_UNKNOWN));
	assert_null(charset_name(1000));
	n = charset_utf8(&utf8, "a\xc3", 2, 0, out, 64, &used);
	assert_int_equal(n, 1);
	assert_int_equal(used, 1);
}

static void
test_utf8(void **state)
{
	static const char *const bad[] = { "\xc0\x80", "\xc1\xbf", "\xed\xa0\x80",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff",
	    "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xc3", "abcdefg\xc3",
	    "abcdefgh\xc3(" };
	uint32_t u, v;
	char buf[8];
	size_t i, n;

	for (i = 0; i < NITEMS(bad); i++)
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
	assert_false(utf8_valid("abcdefgh\0", 9));
	assert_true(utf8_valid("abcdefgh\xc3\xa5jklmnopq", 18));
	for (u = 1; u < 0x110000; u += u < 0x3000 ? 1 : 101) {
		n = utf8_put(u, buf);
		if (u >= 0xd800 && u < 0xe000)
			continue;
		assert_int_equal(utf8_get(buf, n, &v), n);
		assert_int_equal(v, u);
		for (i = 0; i < n; i++) {
			assert_int_equal(utf8_get(buf, i, &v), 0);
			assert_int_equal(utf8_cut(buf, i), 0);
		}
		assert_int_equal(utf8_cut(buf, n), n);
	}
}

static void
mutf7_is(const char *utf7, const char *utf8)
{
	char out[128];
	ssize_t n = mutf7_decode(slice_str(utf7), out, sizeof(out));

	if (utf8 == NULL) {
		if (n != -1)
			fail_msg("%s: taken", utf7);
		return;
	}
	assert_true(slice_is(slice_of(out, n > 0 ? (size_t)n : 0), utf8));
	n = mutf7_encode(slice_str(utf8), out, sizeof(out));
	assert_true(slice_is(slice_of(out, n > 0 ? (size_t)n : 0), utf7));
}

static void
test_mutf7(void **state)
{
	mutf7_is("INBOX", "INBOX");
	mutf7_is("a&-b", "a&b");
	mutf7_is("&AOU-", "\xc3\xa5");
	mutf7_is("~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	    "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	mutf7_is("&2D3eAA-", "\xf0\x9f\x98\x80");
	mutf7_is("&AOUA5g-&-", "\xc3\xa5\xc3\xa6&");
	mutf7_is("&", NULL);
	mutf7_is("&AOU", NULL);
	mutf7_is("&AGE-", NULL);		/* "a" needs no shift */
	mutf7_is("&AOV-", NULL);		/* left-over bits */
	mutf7_is("&AOU-&AOY-", NULL);		/* two where one does */
	mutf7_is("&2D0-", NULL);		/* half a pair */
	mutf7_is("&3gA-", NULL);
	mutf7_is("&A-", NULL);
	mutf7_is("&AAA-", NULL);		/* NUL */
	mutf7_is("\xc3\xa5", NULL);
	mutf7_is("a\tb", NULL);
}

static void
mutf7_cut(char *p, size_t n)
{
	char out[64], back[64];
	ssize_t k, m;

	k = mutf7_decode(slice_of(p, n), out, sizeof(out));
	if (k > 0) {
		m = mutf7_encode(slice_of(out, (size_t)k), back,
		    sizeof(back));
		assert_true(slice_eq(slice_of(back, (size_t)m),
		    slice_of(p, n)));
	}
	mutf7_encode(slice_of(p, n), back, sizeof(back));
}

static void
test_mutf7_cut(void **state)
{
	CUT_LIT("a&U,BTFw-b&2D3eAA-&-", mutf7_cut);
	CUT_LIT("\xc3\xa5\xf0\x9f\x98\x80&", mutf7_cut);
}

static void
cte_is(enum facts_cte cte, const char *in, const char *want)
{
	size_t n = strlen(in), step, i, k, m;
	char out[8192];

	for (step = 1; step <= n + 1; step++) {
		struct cte c = { .cte = cte };

		for (i = k = 0; i < n; i += m) {
			char *copy;

			m = n - i < step ? n - i : step;
			copy = malloc(m);
			memcpy(copy, in + i, m);
			k += cte_decode(&c, copy, m, i + m == n, out + k,
			    m + CTE_SLACK);
			free(copy);
		}
		if (!slice_is(slice_of(out, k), want))
			fail_msg("\"%s\" step %zu: \"%.*s\"", in, step,
			    (int)k, out);
	}
}

static void
test_cte(void **state)
{
	cte_is(CTE_NONE, "a=20\r\n", "a=20\r\n");
	cte_is(CTE_QP, "a=20b=C3=A5=\r\nc  \r\nd =\r\ne", "a b\xc3\xa5" "c\r\n"
	    "d e");
	cte_is(CTE_QP, "a=\nb=  \r\nc", "abc");
	cte_is(CTE_QP, "=zz = =4 =", "=zz = =4 =");
	cte_is(CTE_QP, "=3d=3D", "==");
	cte_is(CTE_QP, "x==41", "x=A");
	cte_is(CTE_QP, "=\rX", "=\rX");
	cte_is(CTE_BASE64, "aGVq\r\nc2E=\r\n", "hejsa");
	cte_is(CTE_BASE64, "aG!Vqc2E", "hejsa");
	cte_is(CTE_BASE64, "aA==aA==", "hh");
	cte_is(CTE_BASE64, "=", "");
}

static void
test_search(void **state)
{
	char text[20000], big[300];
	struct search s;
	size_t step, i, m;

	assert_true(utf8_casefind(SLICE_LIT("Hello World"),
	    SLICE_LIT("O wO")));
	assert_false(utf8_casefind(SLICE_LIT("Hello"), SLICE_LIT("hellx")));
	assert_true(utf8_casefind(SLICE_LIT("BL\xc3\x85" "B\xc3\x86R"),
	    SLICE_LIT("bl\xc3\xa5" "b\xc3\xa6r")));
	assert_true(utf8_casefind(SLICE_LIT("\xd0\x9f\xd0\xa0\xd0\x98"),
	    SLICE_LIT("\xd0\xbf\xd1\x80\xd0\xb8")));
	assert_true(utf8_casefind(SLICE_LIT("\xce\x91\xce\xa3"),
	    SLICE_LIT("\xce\xb1\xcf\x82")));	/* final sigma */
	assert_true(utf8_casefind(SLICE_LIT("x"), SLICE_LIT("")));
	assert_true(utf8_casefind(SLICE_LIT("a\xff" "b"),
	    SLICE_LIT("\xff" "B")));
	assert_int_equal(search_start(&s, slice_of(text, sizeof(text))), -1);
	/* found across any cut, in folded characters too */
	memset(text, 'x', sizeof(text));
	memcpy(text + 9000, "N\xc3\x85l\xe1\xba\x9e", 7);
	memcpy(text + 9500, "n\xc3\xa5\xc3", 4);
	for (step = 1; step < 9000; step = step * 3 / 2 + 1) {
		search_start(&s, SLICE_LIT("xn\xc3\xa5L\xe1\xba\x9ex"));
		for (i = 0; i < sizeof(text); i += m) {
			char *copy;

			m = sizeof(text) - i < step ? sizeof(text) - i : step;
			copy = malloc(m);
			memcpy(copy, text + i, m);
			search_feed(&s, copy, m);
			free(copy);
		}
		assert_true(s.found);
	}
	/* A letter is found without its ring (RFC 5051), but no other. */
	search_start(&s, SLICE_LIT("na"));
	assert_true(search_feed(&s, text, sizeof(text)));
	search_start(&s, SLICE_LIT("no"));
	assert_false(search_feed(&s, text, sizeof(text)));
	memset(big, 'x', sizeof(big));
	assert_true(utf8_casefind(slice_of(text, sizeof(text)),
	    slice_of(big, sizeof(big))));
}

/* Values of UnicodeData: simple title case, then taken apart. */
static void
test_casemap(void **state)
{
	static const struct { const char *in, *want; } v[] = {
		{ "", "" }, { "aZ[_~", "AZ[_~" },
		{ "\xc3\xbc", "U\xcc\x88" }, { "U\xcc\x88", "U\xcc\x88" },
		{ "\xc3\x9f", "\xc3\x9f" },		/* sharp s: its own */
		{ "\xc7\x86", "Dz\xcc\x8c" },	/* dz: Dz in titles */
		{ "\xe1\xbe\xb3", "\xce\x91\xcd\x85" },
		{ "\xe2\x84\xaa", "K" },		/* Kelvin */
		{ "\xef\xac\x81", "fi" },		/* a ligature */
		{ "\xef\xbd\x81", "A" },		/* full width */
		{ "\xea\xb0\x80", "\xe1\x84\x80\xe1\x85\xa1" },
		{ "\xed\x9e\xa3", "\xe1\x84\x92\xe1\x85\xb5\xe1\x87\x82" },
		{ "\xef\xa5\x90", "\xe7\xb8\xb7" },	/* compatible */
		{ "\xf0\x90\x90\xa8", "\xf0\x90\x90\x80" },
		{ "\xf0\xaf\xa8\x9d", "\xf0\xaa\x98\x80" },	/* the last */
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "a\xff" "b\xc3", "A\xff" "B\xc3" },	/* no UTF-8 */
	};
	char out[CASEMAP_MAX(8)], *p;
	size_t i, n, k, size, used;

	for (i = 0; i < NITEMS(v); i++) {
		n = strlen(v[i].in);
		k = utf8_casemap(v[i].in, n, out, sizeof(out), &used);
		assert_int_equal(used, n);
		assert_true(slice_is(slice_of(out, k), v[i].want));
	}
	/* What has no room is left whole; the longest is 11 times as long. */
	for (size = 0; size <= CASEMAP_MAX(3) + 1; size++) {
		p = malloc(size + 1);
		k = utf8_casemap("\xef\xb7\xba" "a", 4, p, size, &used);
		assert_int_equal(k, size < 33 ? 0 : size);
		assert_int_equal(used, size < 33 ? 0 : size == 33 ? 3 : 4);
		free(p);
	}
}

static void
search_cut(char *p, size_t n)
{
	struct search s;
	size_t i;

	search_start(&s, SLICE_LIT("\xc3\xa5" "a"));
	for (i = 0; i < n; i++) {
		char *one = malloc(1);

		*one = p[i];
		search_feed(&s, one, 1);
		free(one);
	}
	assert_int_equal(s.found, utf8_casefind(slice_of(p, n),
	    SLICE_LIT("\xc3\x85" "A")));
}

static void
test_search_cut(void **state)
{
	CUT_LIT("\xe2\x82" "a\xf0\x9f\xc3\x85" "A\xff\xe2", search_cut);
	CUT_LIT("\xe2\xc3\xa5\x61", search_cut);
	CUT_LIT("\xf0\x9f\x98\xc3\x85\x41", search_cut);
}

static void
date_is(const char *in, int64_t want, int zone)
{
	int64_t t;
	int z;

	if (date_parse(slice_str(in), &t, &z) == -1)
		fail_msg("%s: refused", in);
	if (t != want || z != zone)
		fail_msg("%s: %lld %d", in, (long long)t, z);
}

static void
test_dates(void **state)
{
	static const char *const bad[] = { "", "x", "Sat,", "32 Nov 2026 1:00",
	    "1 Foo 2026 10:00", "1 Nov 2026 24:00:00", "1 Nov 2026 10:60",
	    "1 Nov", "1 Nov 2026 10", "Sat, 21 Nov 2026 18:20:", "(((" };
	char buf[DATE_TEXT_MAX];
	int64_t t, d;
	size_t i;

	date_is("Sat, 21 Nov 2026 18:20:57 +0100", 1795281657, 60);
	date_is("21 Nov 2026 17:20:57 GMT", 1795281657, 0);
	date_is("Sat,21 Nov 2026 17:20:57 -0000 (UTC)", 1795281657, 0);
	date_is("Sat, 21 (x (y)) Nov\r\n 2026 12:20:57 EST", 1795281657, -300);
	date_is("21 Nov 26 17:20:57 Z", 1795281657, 0);
	date_is("21 Nov 126 17:20:57 Z", 1795281657, 0);
	date_is("Thu, 1 Jan 1970 00:00 +0000", 0, 0);
	date_is("1 Jan 70 00:00:00 PDT", 7 * 3600, -420);
	date_is("29 Feb 2000 00:00:00 UT", 951782400, 0);
	date_is("Sat, 21-Nov-2026 17:20:57", 1795281657, 0);
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(date_parse(slice_str(bad[i]), &t, NULL), -1);
	date_print(1795281657, buf, sizeof(buf));
	assert_string_equal(buf, "Sat, 21 Nov 2026 17:20:57 +0000");
	imapdate_print(1793491200, buf, sizeof(buf));
	assert_string_equal(buf, " 1-Nov-2026 00:00:00 +0000");
	isodate_print(1795281657, buf, sizeof(buf));
	assert_string_equal(buf, "2026-11-21T17:20:57Z");
	date_print(INT64_MAX, buf, sizeof(buf));
	date_print(INT64_MIN, buf, sizeof(buf));
	for (t = -30000000000; t < 30000000000; t += 86400 * 37 + 12345) {
		imapdate_print(t, buf, sizeof(buf));
		if (imapdate_parse(slice_str(buf), &d, NULL) == 0)
			assert_int_equal(d, t);
		else
			assert_true(t < -2208988800);	/* before 1900 */
	}
	assert_int_equal(imapday_parse(SLICE_LIT("1-Jan-1970"), &d), 0);
	assert_int_equal(d, 0);
	assert_int_equal(imapday_parse(SLICE_LIT("31-Apr-2026"), &d), -1);
	assert_int_equal(imapday_parse(SLICE_LIT("29-Feb-2023"), &d), -1);
	assert_int_equal(imapday_parse(SLICE_LIT("29-Feb-1900"), &d), -1);
	assert_int_equal(imapday_parse(SLICE_LIT("30-Feb-2024"), &d), -1);
	assert_int_equal(imapday_parse(SLICE_LIT("29-Feb-2024"), &d), 0);
	assert_int_equal(imapday_parse(SLICE_LIT("29-Feb-2000"), &d), 0);
	assert_int_equal(imapday_parse(SLICE_LIT("28-Feb-2023"), &d), 0);
	assert_int_equal(imapdate_parse(SLICE_LIT("29-Feb-2023 12:00:00 "
	    "+0000"), &t, NULL), -1);
	assert_int_equal(imapdate_parse(SLICE_LIT("29-Feb-2024 12:00:00 "
	    "+0000"), &t, NULL), 0);
	assert_int_equal(t, 1709208000);
	/* Not of ours to correct: a date in a message. */
	date_is("29 Feb 2023 00:00:00 +0000", 1677628800, 0);
	assert_int_equal(imapday_parse(SLICE_LIT("1-Jan-70"), &d), -1);
	assert_int_equal(imapdate_parse(SLICE_LIT("21-Nov-2026 18:20:57"), &t,
	    NULL), -1);
}

/* What an operator may write, and what not. */
static void
test_when(void **state)
{
	static const struct { const char *text; int64_t t; } good[] = {
		{ "0s", 1000000000 }, { "90s", 999999910 },
		{ "90m", 999994600 }, { "3h", 999989200 },
		{ "999999d", 1000000000 - INT64_C(86399913600) },
		{ "2026-11-21", 1795219200 },
		{ "2026-11-21T17:20", 1795281600 },
		{ "2026-11-21 17:20:57", 1795281657 },
		{ "2026-11-21T17:20:57Z", 1795281657 },
		{ "2024-02-29", 1709164800 },
	};
	static const char *const bad[] = { "", "s", "1", "1w", "1ss", "-1s",
	    "1000000d", " 1s", "1s ", "2026", "2026-1-1", "2026-11-21T",
	    "2026-11-21T17", "2026-11-21T17:20:", "2026-11-21Z",
	    "2026-11-21T17:20ZZ", "2026-13-01", "2026-00-01", "2026-11-31",
	    "2023-02-29", "2026-11-21T24:00", "2026-11-21T17:60" };
	int64_t t;
	size_t i;

	for (i = 0; i < NITEMS(good); i++) {
		assert_int_equal(when_parse(slice_str(good[i].text),
		    1000000000, &t), 0);
		assert_true(t == good[i].t);
	}
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(when_parse(slice_str(bad[i]), 0, &t), -1);
}

static void
date_cut(char *p, size_t n)
{
	int64_t t;

	date_parse(slice_of(p, n), &t, NULL);
	imapdate_parse(slice_of(p, n), &t, NULL);
	imapday_parse(slice_of(p, n), &t);
}

static void
test_date_cut(void **state)
{
	CUT_LIT("Sat, 21 (x\\) Nov 2026 18:20:57 +0100 (CET)", date_cut);
	CUT_LIT("21-Nov-2026 18:20:57 +0100", date_cut);
}

/* Cut in two anywhere, the same comes out. */
static void
crlf_is(const char *in, const char *want)
{
	size_t cut, k, n = strlen(in);
	struct crlf s;
	char out[64];

	for (cut = 0; cut <= n; cut++) {
		s = (struct crlf){ 0 };
		k = crlf_feed(&s, in, cut, out);
		assert_true(k <= 2 * cut);
		k += crlf_feed(&s, in + cut, n - cut, out + k);
		k += crlf_end(&s, out + k);
		assert_true(slice_is(slice_of(out, k), want));
		assert_int_equal(crlf_end(&s, out), 0);
	}
}

static void
test_crlf(void **state)
{
	crlf_is("", "");
	crlf_is("a\r\nb\r\n", "a\r\nb\r\n");
	crlf_is("a\nb\n\n", "a\r\nb\r\n\r\n");
	crlf_is("a\rb\r\r", "a\r\nb\r\n\r\n");
	crlf_is("\n\r\n\r", "\r\n\r\n\r\n");
	crlf_is("\r\r\n\n", "\r\n\r\n\r\n");
	crlf_is("a", "a");
	crlf_is("\n", "\r\n");
	crlf_is("\r", "\r\n");
}

/* Row 53: keys of strangers go through a keyed hash; its vectors. */
static void
test_hash(void **state)
{
	uint8_t key[16], in[64], buf[100];
	uint32_t whole, part;
	size_t i, k;

	for (i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	assert_true(siphash24(key, in, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(siphash24(key, in, 7) == UINT64_C(0xab0200f58b01d137));
	assert_true(siphash24(key, in, 8) == UINT64_C(0x93f5f5799a932462));
	assert_true(siphash24(key, in, 15) == UINT64_C(0xa129ca6149be45e5));
	assert_true(siphash24(key, in, 63) == UINT64_C(0x958a324ceb064572));
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(buf, 0, 32);
	assert_int_equal(crc32c(0, buf, 32), 0x8a9136aa);
	memset(buf, 0xff, 32);
	assert_int_equal(crc32c(0, buf, 32), 0x62a8ab43);
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 31);
	whole = crc32c(0, buf, sizeof(buf));
	for (k = 0; k <= sizeof(buf); k++) {
		part = crc32c(0, buf, k);
		assert_int_equal(crc32c(part, buf + k, sizeof(buf) - k),
		    whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_crlf),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_end),
		cmocka_unit_test(test_header_cut),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_cut),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_params_cut),
		cmocka_unit_test(test_charset),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_mutf7),
		cmocka_unit_test(test_mutf7_cut),
		cmocka_unit_test(test_cte),
		cmocka_unit_test(test_casemap),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_search_cut),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_date_cut),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
