/*
 * The pure parts of report-in: every reader sees its input cut at each
 * octet, in blocks of exactly that size.
 */
#include "compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "proc.h"
#include "util.h"
#include "../../report/in.h"
#include "cut.h"

static char *domains[] = { (char *)"ours.test", (char *)"sub.ours.test" };
static const struct in_house house = { .domains = domains, .ndomains = 2,
    .max_packed = 1 << 20 };

#define META								\
	"<report_metadata><org_name>R</org_name><report_id>1</report_id>" \
	"<date_range><begin>10</begin><end>20</end></date_range>"	\
	"</report_metadata><policy_published><domain>ours.test</domain>" \
	"<p>none</p></policy_published>"
#define RECORD(ip, n, dkim, spf)					\
	"<record><row><source_ip>" ip "</source_ip><count>" n "</count>" \
	"<policy_evaluated><disposition>none</disposition><dkim>" dkim	\
	"</dkim><spf>" spf "</spf></policy_evaluated></row><identifiers>" \
	"<header_from>ours.test</header_from></identifiers><auth_results>" \
	"<dkim><domain>x.test</domain><selector>s</selector><result>pass" \
	"</result></dkim><spf><domain>y.test</domain><result>fail</result>" \
	"</spf></auth_results></record>"

static const char xml[] = "<?xml version=\"1.0\"?><feedback>" META
    RECORD("192.0.2.1", "2", "pass", "fail")
    RECORD("192.0.2.1", "3", "pass", "fail")
    RECORD("2001:DB8::1", "5", "fail", "fail") "</feedback>";

static struct in_report
report(void)
{
	return (struct in_report){ .rows = rows_new() };
}

static bool
row_is(const struct rows *rows, size_t i, uint64_t count, const char *line)
{
	const struct row_sum *v = rows_get(rows, i);

	return v->count == count && slice_is(v->line, line);
}

/* ---- words --------------------------------------------------------------- */

static void
test_clean(void **state)
{
	char out[IN_TEXT], small[8];

	text_clean(SLICE_LIT(" a \r\n\t b\x01\x7f \xc3\xa9\xff "), out,
	    sizeof(out));
	assert_string_equal(out, "a b?? \xc3\xa9?");
	text_clean(SLICE_LIT("\xe2\x80\xae\xc2\x85"), out, sizeof(out));
	assert_string_equal(out, "??");
	text_clean(SLICE_LIT("\xd8\x9c\xf3\xa0\x81\x81"), out, sizeof(out));
	assert_string_equal(out, "??");
	text_clean(SLICE_LIT("0123456789"), small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
	assert_memory_equal(small, "0123", 4);
	text_clean(SLICE_LIT("a\0b"), out, sizeof(out));
	assert_string_equal(out, "a?b");
}

static void
test_line(void **state)
{
	static const char *const words[] = { "", "-", "--", "a b", "100%",
	    "%41", "\xc3\xa9\n", "x" };
	struct line l = { .n = 0 };
	char word[IN_TEXT], big[2000];
	struct slice rest;
	size_t i;

	for (i = 0; i < NITEMS(words); i++)
		line_word(&l, words[i]);
	assert_null(memchr(l.p, '\n', l.n));
	rest = slice_of(l.p, l.n);
	for (i = 0; i < NITEMS(words); i++) {
		assert_int_equal(line_next(&rest, word, sizeof(word)), 1);
		assert_string_equal(word, words[i]);
	}
	assert_int_equal(line_next(&rest, word, sizeof(word)), 0);
	memset(big, '%', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < 10; i++)
		line_word(&l, big);		/* is cut, no more */
	assert_true(l.n <= sizeof(l.p));
}

static void
test_time(void **state)
{
	static const struct { const char *text; int64_t t; } good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2016-04-01T00:00:00Z", 1459468800 },
		{ "2016-04-01t02:00:00.123+02:00", 1459468800 },
		{ "2016-03-31 22:00:00-0200", 1459468800 },
		{ "2016-04-01", 1459468800 },
		{ " 2016-04-01T00:00:00 ", 1459468800 }
	};
	static const char *const bad[] = { "", "x", "2016", "2016-13-01",
	    "2016-00-01", "2016-04-32", "2016-04-01T", "2016-04-01T99:00:00Z",
	    "2016-04-01T00:00:00X", "2016-04-01T00:00:00+1",
	    "2016-04-01T00:00:00ZZ", "-016-04-01", "1969-12-31" };
	int64_t t;
	size_t i;

	for (i = 0; i < NITEMS(good); i++) {
		assert_int_equal(text_time(slice_str(good[i].text), &t), 0);
		assert_int_equal(t, good[i].t);
	}
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(text_time(slice_str(bad[i]), &t), -1);
}

static void
test_rows(void **state)
{
	struct rows *r = rows_new();
	char line[32], octets[4096] = "";
	size_t i;

	assert_int_equal(rows_add(r, SLICE_LIT("a"), 1), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("b"), 5), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("a"), 2), 0);
	assert_int_equal(rows_add(r, SLICE_LIT(""), UINT64_MAX), 0);
	assert_int_equal(rows_add(r, SLICE_LIT(""), 7), 0);
	rows_sort(r);
	assert_true(row_is(r, 0, INT64_MAX, ""));
	assert_true(row_is(r, 1, 5, "b"));
	assert_true(row_is(r, 2, 3, "a"));
	rows_free(r);
	r = rows_new();
	for (i = 0; i < ROWS_MAX; i++) {
		snprintf(line, sizeof(line), "%zu", i);
		assert_int_equal(rows_add(r, slice_str(line), 1), 0);
	}
	assert_int_equal(rows_add(r, SLICE_LIT("more"), 1), -1);
	assert_int_equal(rows_add(r, SLICE_LIT("7"), 1), 0);
	assert_int_equal(rows_count(r), ROWS_MAX);
	/* there is room for what is told of the rest */
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	assert_int_equal(rows_add(r, SLICE_LIT("more"), 1), -1);
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	for (i = 1; i < ROWS_REST; i++) {
		snprintf(line, sizeof(line), "rest %zu", i);
		assert_int_equal(rows_rest(r, slice_str(line), 1), 0);
	}
	assert_int_equal(rows_rest(r, SLICE_LIT("more"), 1), -1);
	rows_sort(r);
	assert_true(row_is(r, 0, 2, "7"));
	assert_true(row_is(r, 1, 2, "others"));
	rows_free(r);
	r = rows_new();
	for (i = 0; i < ROWS_OCTETS / (sizeof(octets) + ROW_COUNT); i++) {
		snprintf(octets, 16, "%zu", i);
		assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets)),
		    1), 0);
	}
	assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets) - 1), 1),
	    -1);
	assert_int_equal(rows_rest(r, SLICE_LIT("others"), 1), 0);
	rows_allow(r, SUMS_OCTETS);
	assert_int_equal(rows_add(r, slice_of(octets, sizeof(octets) - 1), 1),
	    0);
	rows_free(r);
}

/* ---- who holds most ------------------------------------------------------ */

static void
test_share(void **state)
{
	static char name[6][20] = { "a.evil.test", "b.evil.test", "test",
	    "x.y.none.test", "other.none.test", "" };
	struct stored s[6] = { { .sender = name[0], .octets = 10 },
	    { .sender = name[1], .octets = 20 },
	    { .sender = name[2], .octets = 29 },
	    { .sender = name[3], .octets = 1, .trust = IN_NONE },
	    { .sender = name[4], .octets = 1, .trust = IN_FAIL },
	    { .sender = name[5], .octets = 1, .trust = IN_FAIL } };
	size_t i;

	assert_string_equal(share_name(&s[0]), "evil.test");
	assert_string_equal(share_name(&s[2]), "test");
	assert_string_equal(share_name(&s[3]), "");
	assert_null(share_oldest(C_REPORT, true, NULL));
	for (i = 0; i < NITEMS(s); i++)
		share_add(&s[i], C_REPORT);
	assert_null(share_oldest(C_FAILING, true, NULL));
	assert_ptr_equal(share_oldest(C_REPORT, false, NULL), &s[0]);
	assert_ptr_equal(share_oldest(C_REPORT, true, NULL), &s[3]);
	share_drop(&s[0]);
	assert_ptr_equal(share_oldest(C_REPORT, false, NULL), &s[2]);
	assert_ptr_equal(share_oldest(C_REPORT, false, &s[2]), &s[1]);
	share_drop(&s[3]);
	share_drop(&s[4]);
	share_drop(&s[4]);		/* has none: nothing */
	share_drop(&s[1]);
	share_drop(&s[5]);
	assert_ptr_equal(share_oldest(C_REPORT, true, NULL), &s[2]);
	assert_null(share_oldest(C_REPORT, true, &s[2]));
	share_drop(&s[2]);
	assert_null(share_oldest(C_REPORT, true, NULL));
}

/* ---- XML ----------------------------------------------------------------- */

static void
xml_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	if (n + 1 < sizeof(xml)) {
		assert_int_equal(rc, -1);
		assert_non_null(why);
	} else
		assert_int_equal(rc, 0);
	rows_free(r.rows);
}

/* CVE-2020-12460: an octet too many behind the last one. */
static void
test_xml_cut(void **state)
{
	CUT_LIT(xml, xml_cut);
}

static void
test_xml_whole(void **state)
{
	struct in_report r = report();
	const char *why = NULL;

	assert_int_equal(in_attachment(SLICE_LIT(xml), &r, &house, &why), 0);
	assert_int_equal(r.head.kind, IN_DMARC);
	assert_string_equal(r.head.org, "R");
	assert_string_equal(r.head.id, "1");
	assert_string_equal(r.head.form, "7489");
	assert_string_equal(r.head.policy, "p=none");
	assert_int_equal(r.head.begin, 10);
	assert_int_equal(r.head.end, 20);
	assert_int_equal(r.head.messages, 10);
	assert_int_equal(r.head.pass, 5);
	assert_int_equal(rows_count(r.rows), 2);
	assert_true(row_is(r.rows, 0, 5, "192.0.2.1 none pass fail - "
	    "ours.test - x.test s pass y.test fail"));
	assert_true(row_is(r.rows, 1, 5, "2001:db8::1 none fail fail - "
	    "ours.test - x.test s pass y.test fail"));
	rows_free(r.rows);
}

/* The same in pieces of any size. */
static void
test_xml_pieces(void **state)
{
	const char *why = NULL;
	struct in_report r;
	struct xml *x;
	size_t i, n;

	for (n = 1; n < 40; n++) {
		r = report();
		x = xml_new(&r, &house);
		for (i = 0; i < sizeof(xml) - 1; i += n)
			assert_int_equal(xml_feed(x, xml + i, n <
			    sizeof(xml) - 1 - i ? n : sizeof(xml) - 1 - i), 0);
		assert_int_equal(xml_end(x, &why), 0);
		assert_int_equal(r.head.messages, 10);
		assert_int_equal(rows_count(r.rows), 2);
		xml_free(x);
		rows_free(r.rows);
	}
}

static void
refused(const char *text, const char *want)
{
	struct in_report r = report();
	const char *why = NULL;

	assert_int_equal(in_attachment(slice_str(text), &r, &house, &why), -1);
	assert_string_equal(why, want);
	rows_free(r.rows);
}

static void
test_xml_refused(void **state)
{
	refused("<!DOCTYPE a []><feedback/>", "XML with a document type");
	refused("<!DOCTYPE a [<!ENTITY b \"c\">]><feedback>&b;</feedback>",
	    "XML with a document type");
	refused("<html/>", "XML is no DMARC report");
	refused("<feedback></feedback>", "DMARC report without a domain");
	refused("<feedback><policy_published><domain>else.test</domain>"
	    "</policy_published></feedback>",
	    "DMARC report about another domain");
	refused("<feedback><policy_published><domain>xours.test</domain>"
	    "</policy_published></feedback>",
	    "DMARC report about another domain");
	refused("<feedback><a>&nbsp;</a></feedback>", "XML is damaged");
	refused("<feedback></fedback>", "XML is damaged");
	refused("<?xml version=\"1.0\" encoding=\"x-mine\"?><feedback/>",
	    "XML is damaged");
	refused("plain", "neither XML nor JSON");
	refused(" \r\n", "empty attachment");
	refused("", "empty attachment");
}

/* Other charsets than UTF-8, and what expat alone would not take. */
static void
test_xml_charsets(void **state)
{
	static const char *const names[] = { "ISO-8859-1", "windows-1252",
	    "iso-8859-15", "US-ASCII" };
	const char *why = NULL;
	char text[sizeof(xml) + 100], wide[2 * sizeof(text)];
	struct in_report r;
	size_t i, n;

	for (i = 0; i < NITEMS(names); i++) {
		r = report();
		snprintf(text, sizeof(text), "<?xml version=\"1.0\" encoding="
		    "\"%s\"?>%s", names[i], xml + 21);
		assert_int_equal(in_attachment(slice_str(text), &r, &house,
		    &why), 0);
		assert_int_equal(r.head.messages, 10);
		rows_free(r.rows);
	}
	n = 0;
	memcpy(wide, "\xff\xfe", 2);
	for (i = 0; xml[21 + i] != '\0'; i++) {
		wide[2 + n++] = xml[21 + i];
		wide[2 + n++] = '\0';
	}
	r = report();
	assert_int_equal(in_attachment(slice_of(wide, n + 2), &r, &house,
	    &why), 0);
	assert_int_equal(r.head.messages, 10);
	rows_free(r.rows);
}

/* Elements count where they belong, not under any parent. */
static void
test_xml_places(void **state)
{
	static const char odd[] = "<feedback>" META
	    "<extension><record><row><source_ip>1.2.3.4</source_ip><count>9"
	    "</count></row></record><domain>x</domain></extension>"
	    "<record><row><source_ip>1.2.3.4</source_ip><count> 7 </count>"
	    "<domain>evil.test</domain></row></record></feedback>";
	struct in_report r = report();
	const char *why = NULL;

	assert_int_equal(in_attachment(SLICE_LIT(odd), &r, &house, &why), 0);
	assert_string_equal(r.head.domain, "ours.test");
	assert_int_equal(r.head.messages, 7);
	assert_int_equal(r.head.pass, 0);
	assert_true(row_is(r.rows, 0, 7,
	    "1.2.3.4 none fail fail - - - - - - - -"));
	rows_free(r.rows);
}

/* A million records are a bounded number of rows, and no message is lost. */
static void
test_xml_many(void **state)
{
	struct in_report r = report();
	struct xml *x = xml_new(&r, &house);
	const char *why = NULL;
	char rec[256];
	int i, n;

	xml_feed(x, "<feedback>" META, strlen("<feedback>" META));
	for (i = 0; i < 1000000; i++) {
		n = snprintf(rec, sizeof(rec), "<record><row><source_ip>"
		    "10.%d.%d.%d</source_ip><count>2</count></row></record>",
		    i >> 16, i >> 8 & 255, i & 255);
		if (xml_feed(x, rec, (size_t)n) == -1)
			break;
	}
	assert_int_equal(i, 1000000);
	assert_int_equal(xml_feed(x, "</feedback>", 11), 0);
	assert_int_equal(xml_end(x, &why), 0);
	assert_int_equal(r.head.messages, 2000000);
	assert_int_equal(r.head.skipped, 0);
	assert_int_equal(rows_count(r.rows), ROWS_MAX + 1);
	rows_sort(r.rows);
	assert_true(slice_casestarts(rows_get(r.rows, 0)->line, "others "));
	xml_free(x);
	rows_free(r.rows);
	r = report();
	x = xml_new(&r, &house);
	xml_feed(x, "<feedback>", 10);
	for (i = 0; i <= 1000000 && xml_feed(x, "<record/>", 9) == 0; i++)
		;
	assert_int_equal(xml_end(x, &why), -1);
	assert_string_equal(why, "more than a million records");
	xml_free(x);
	rows_free(r.rows);
}

/* ---- packed -------------------------------------------------------------- */

/* gzip (16) or raw deflate (-15). */
static char *
pack(const char *p, size_t n, int bits, size_t *out)
{
	z_stream z = { 0 };
	size_t size = n + 1000;
	char *buf = xcalloc(1, size);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)buf;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*out = size - z.avail_out;
	deflateEnd(&z);
	return buf;
}

static void
le(char *p, uint32_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (char)(v >> 8 * i);
}

/* An archive of one entry called "a". */
static char *
archive(const char *p, size_t n, size_t *out)
{
	size_t packed, at;
	char *data = pack(p, n, -15, &packed);
	char *z = xcalloc(1, packed + 31 + 47 + 22);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)p, (uInt)n);

	memcpy(z, "PK\3\4", 4);
	le(z + 8, 8, 2);
	le(z + 14, crc, 4);
	le(z + 18, (uint32_t)packed, 4);
	le(z + 22, (uint32_t)n, 4);
	le(z + 26, 1, 2);
	z[30] = 'a';
	memcpy(z + 31, data, packed);
	at = 31 + packed;
	memcpy(z + at, "PK\1\2", 4);
	le(z + at + 10, 8, 2);
	le(z + at + 16, crc, 4);
	le(z + at + 20, (uint32_t)packed, 4);
	le(z + at + 24, (uint32_t)n, 4);
	le(z + at + 28, 1, 2);
	z[at + 46] = 'a';
	memcpy(z + at + 47, "PK\5\6", 4);
	le(z + at + 47 + 8, 1, 2);
	le(z + at + 47 + 10, 1, 2);
	le(z + at + 47 + 12, 47, 4);
	le(z + at + 47 + 16, (uint32_t)at, 4);
	free(data);
	*out = at + 47 + 22;
	return z;
}

static size_t whole;

static void
packed_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	assert_int_equal(rc, n == whole ? 0 : -1);
	if (rc == -1)
		assert_non_null(why);
	else
		assert_int_equal(r.head.messages, 10);
	rows_free(r.rows);
}

static void
test_gzip_cut(void **state)
{
	char *p = pack(xml, sizeof(xml) - 1, 31, &whole);

	cut_each(p, whole, packed_cut);
	free(p);
}

static void
test_zip_cut(void **state)
{
	char *p = archive(xml, sizeof(xml) - 1, &whole);

	cut_each(p, whole, packed_cut);
	free(p);
}

/* Every octet wrong in several ways: an answer, or the report itself where
 * the octet does not matter. */
static void
test_zip_damaged(void **state)
{
	static const int change[] = { 0x01, 0x80, 0xff };
	const char *why;
	struct in_report r;
	size_t n, i, k;
	char *p = archive(xml, sizeof(xml) - 1, &n), *copy = xcalloc(1, n);
	int rc;

	for (i = 0; i < n; i++)
		for (k = 0; k < NITEMS(change); k++) {
			memcpy(copy, p, n);
			copy[i] ^= (char)change[k];
			r = report();
			why = NULL;
			rc = in_attachment(slice_of(copy, n), &r, &house,
			    &why);
			if (rc == 0)
				assert_int_equal(r.head.messages, 10);
			else
				assert_non_null(why);
			rows_free(r.rows);
		}
	free(copy);
	free(p);
}

static void
zip_refused(size_t at, uint32_t v, size_t len, const char *want)
{
	struct in_report r = report();
	const char *why = NULL;
	size_t n, dir;
	char *p = archive(xml, sizeof(xml) - 1, &n);

	dir = n - 22 - 47;
	le(p + dir + at, v, len);
	assert_int_equal(in_attachment(slice_of(p, n), &r, &house, &why), -1);
	assert_string_equal(why, want);
	rows_free(r.rows);
	free(p);
}

static void
test_zip_refused(void **state)
{
	zip_refused(8, 1, 2, "zip entry is encrypted");
	zip_refused(8, 0x40, 2, "zip entry is encrypted");
	zip_refused(10, 12, 2, "zip entry packed in an unknown way");
	zip_refused(10, 0, 2, "zip entry is damaged");
	zip_refused(16, 1, 4, "packed data is not what the archive says");
	zip_refused(20, UINT32_MAX, 4, "zip64 archive");
	zip_refused(20, UINT32_MAX - 1, 4, "zip entry is damaged");
	zip_refused(24, UINT32_MAX - 1, 4, "unpacks to more than 64 MiB");
	zip_refused(24, 7, 4, "packed data is not what the archive says");
	zip_refused(28, 0xffff, 2, "zip directory is damaged");
	zip_refused(34, 1, 2, "zip archive of several disks");
	zip_refused(42, UINT32_MAX, 4, "zip64 archive");
	zip_refused(42, UINT32_MAX - 1, 4, "zip entry is damaged");
	zip_refused(42, 40, 4, "zip entry is damaged");
	zip_refused(47 + 4, 1, 2, "zip archive of several disks");
	zip_refused(47 + 8, 0, 4, "empty zip archive");
	zip_refused(47 + 8, 0x90009, 4, "too many entries in a zip archive");
	zip_refused(47 + 8, UINT32_MAX, 4, "zip64 archive");
	zip_refused(47 + 12, 46, 4, "zip directory is damaged");
	zip_refused(47 + 16, UINT32_MAX - 1, 4, "zip directory is damaged");
	zip_refused(47 + 20, 1, 2, "zip archive without a directory");
}

static int
count(void *arg, const char *p, size_t n)
{
	*(uint64_t *)arg += n;
	return 0;
}

/* The limit is where it is said to be. */
static void
test_bomb(void **state)
{
	size_t n, size = UNPACK_FREE * 2;
	char *zeros = xcalloc(1, size), *p = pack(zeros, size, 31, &n);
	uint64_t got = 0;
	struct unpack u = { .sink = count, .arg = &got };

	assert_true(size / n > UNPACK_RATIO);
	assert_int_equal(gzip_unpack(&u, slice_of(p, n)), -1);
	assert_string_equal(u.why, "unpacks to a thousand times its size");
	assert_true(got <= UNPACK_FREE + 65536);
	free(p);
	p = pack(zeros, UNPACK_FREE, 31, &n);
	u = (struct unpack){ .sink = count, .arg = &got };
	assert_int_equal(gzip_unpack(&u, slice_of(p, n)), 0);
	assert_int_equal(u.out, UNPACK_FREE);
	free(p);
	free(zeros);
}

/* What was packed well before does not count against a small member. */
static void
test_members(void **state)
{
	size_t n, k, size = UNPACK_FREE * 2, i;
	char *octets = xcalloc(1, size), *p, *q;
	uint64_t got = 0;
	struct unpack u = { .sink = count, .arg = &got };

	for (i = 0; i < size; i++)	/* a fifth of its size when packed */
		octets[i] = (char)(i * i >> 7 & i >> 3);
	p = pack(octets, size, 31, &n);
	q = pack("small", 5, 31, &k);
	p = xreallocarray(p, n + k, 1);
	memcpy(p + n, q, k);
	assert_int_equal(gzip_unpack(&u, slice_of(p, n + k)), 0);
	assert_int_equal(got, size + 5);
	assert_int_equal(u.in, n + k);
	free(q);
	free(p);
	free(octets);
}

/* ---- TLS, feedback ------------------------------------------------------- */

static const char json[] = "{\"organization-name\":\"R\",\"report-id\":\"7\","
    "\"date-range\":{\"start-datetime\":\"2016-04-01T00:00:00Z\"},"
    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":"
    "\"ours.test\"},\"summary\":{\"total-successful-session-count\":5,"
    "\"total-failure-session-count\":\"3\"},\"failure-details\":[{"
    "\"result-type\":\"starttls-not-supported\",\"failed-session-count\":2}"
    "]},{\"policy\":{\"policy-domain\":\"else.test\"},\"summary\":{"
    "\"total-successful-session-count\":9}}]}";

static void
json_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	assert_int_equal(rc, n + 1 < sizeof(json) ? -1 : 0);
	if (rc == -1)
		assert_non_null(why);
	rows_free(r.rows);
}

static void
test_tls(void **state)
{
	struct in_report r = report();
	const char *why = NULL;

	CUT_LIT(json, json_cut);
	assert_int_equal(in_attachment(SLICE_LIT(json), &r, &house, &why), 0);
	assert_int_equal(r.head.kind, IN_TLS);
	assert_int_equal(r.head.messages, 8);
	assert_int_equal(r.head.pass, 5);
	assert_int_equal(r.head.begin, 1459468800);
	assert_int_equal(rows_count(r.rows), 3);
	assert_true(row_is(r.rows, 0, 5, "ours.test sts ok - - - -"));
	assert_true(row_is(r.rows, 1, 2,
	    "ours.test sts starttls-not-supported - - - -"));
	assert_true(row_is(r.rows, 2, 1, "ours.test sts unexplained - - - -"));
	rows_free(r.rows);
	refused("{}", "JSON is no TLS report");
	refused("{\"policies\":7}", "JSON is no TLS report");
	refused("{\"policies\":[]}", "TLS report about another domain");
	refused("{\"policies\":[7,null,[],{\"policy\":[]}]}",
	    "TLS report about another domain");
	refused("{]", "JSON is damaged");
	refused("{\"a\":\"\\u0000\"}", "JSON is damaged");
	refused("{}}", "JSON is damaged");
	refused("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
	    "JSON is nested too deep");
}

#define ARF_HEAD							\
	"From: R <fbl@reporter.test>\r\nContent-Type: multipart/report; " \
	"report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n" \
	"--b\r\nContent-Type: message/feedback-report\r\n\r\n"
static const char arf[] = ARF_HEAD "Feedback-Type: abuse\r\nVersion: 1\r\n"
    "Source-IP: 192.0.2.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "From: <u@sub.ours.test>\r\nMessage-ID: <1@x>\r\n\r\nspam\r\n--b--\r\n";

static void
message_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;

	if (in_read(slice_of(p, n), &r, &house, &why) == -1)
		assert_non_null(why);
	else
		assert_int_equal(r.head.kind, IN_ARF);
	rows_free(r.rows);
}

static void
test_arf(void **state)
{
	struct in_report r = report();
	const char *why = NULL;

	CUT_LIT(arf, message_cut);
	assert_int_equal(in_read(SLICE_LIT(arf), &r, &house, &why), 0);
	assert_int_equal(r.head.kind, IN_ARF);
	assert_string_equal(r.head.domain, "sub.ours.test");
	assert_string_equal(r.head.id, "<1@x>");
	assert_int_equal(rows_count(r.rows), 1);
	assert_true(row_is(r.rows, 0, 1, "abuse sub.ours.test 192.0.2.1 - - "
	    "- - - - <u@sub.ours.test> - <1@x> -"));
	rows_free(r.rows);
	r = report();
	assert_int_equal(in_read(SLICE_LIT(ARF_HEAD "Feedback-Type: abuse\r\n"
	    "Reported-Domain: xours.test\r\n\r\n--b--\r\n"), &r, &house,
	    &why), -1);
	assert_string_equal(why, "feedback report about another domain");
	rows_free(r.rows);
}

/* ---- sender -------------------------------------------------------------- */

#define AR(s) SLICE_LIT("Authentication-Results: mx.test;\r\n\t" s "\r\n")

static void
test_sender(void **state)
{
	char from[IN_DOMAIN];

	assert_int_equal(sender_trust(SLICE_LIT(""), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=none;\r\n\tdmarc=pass "
	    "header.from=r.test"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dmarc=pass header.from=r.test"),
	    "other.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dmarc=pass"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dkim=pass header.d=r.test; "
	    "dmarc=none"), "mail.r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dkim=pass header.d=test; "
	    "dmarc=none"), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=pass smtp.mailfrom=a@b.r.test; "
	    "dmarc=none"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("spf=pass smtp.mailfrom=a@evil.test; "
	    "dmarc=none"), "r.test"), IN_NONE);
	assert_int_equal(sender_trust(AR("spf=fail smtp.mailfrom=a@r.test; "
	    "dmarc=none"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("spf=fail smtp.mailfrom=a@b.test; "
	    "dkim=pass header.d=r.test; dmarc=none"), "r.test"), IN_PASS);
	assert_int_equal(sender_trust(AR("dmarc=temperror header.from=r.test"),
	    "r.test"), IN_FAIL);
	/* a policy that failed is not mended by an aligned signature */
	assert_int_equal(sender_trust(AR("dkim=pass header.d=r.test; "
	    "dmarc=fail header.from=r.test"), "r.test"), IN_FAIL);
	/* words in quotes and comments are no results */
	assert_int_equal(sender_trust(AR("spf=fail reason=\"; dmarc=pass "
	    "header.from=r.test\"; dmarc=fail (; dmarc=pass header.from="
	    "r.test)"), "r.test"), IN_FAIL);
	assert_int_equal(sender_trust(AR("dkim=fail reason=\"\\\"; dmarc=pass "
	    "header.from=r.test"), "r.test"), IN_FAIL);
	sender_domain(SLICE_LIT("From: \"A, b@c.test\" <x@R.Test>\r\n"), from);
	assert_string_equal(from, "r.test");
	sender_domain(SLICE_LIT("From: a@b.test, c@d.test\r\n"), from);
	assert_string_equal(from, "");
	sender_domain(SLICE_LIT("Subject: x\r\n"), from);
	assert_string_equal(from, "");
}

/* ---- files --------------------------------------------------------------- */

static char *file;
static size_t filen;

static void
file_cut(char *p, size_t n)
{
	struct in_head h;
	struct slice rest;
	uint32_t a, b;

	assert_int_equal(file_check(p, n, &h, &rest), n == filen ? 0 : -1);
	file_head(p, n, &h, &a, &b);
}

static void
test_file(void **state)
{
	struct in_report r = report();
	const char *why = NULL;
	struct slice rest, line;
	struct in_head h;
	uint64_t count_;
	size_t i;

	assert_int_equal(in_attachment(SLICE_LIT(xml), &r, &house, &why), 0);
	r.head.trust = IN_FAIL;
	r.head.received = 99;
	strlcpy(r.head.subject, "- % \xc3\xa9 x", IN_TEXT);
	file = file_print(&r, 0, &filen);
	assert_int_equal(file_check(file, filen, &h, &rest), 0);
	assert_memory_equal(&h, &r.head, sizeof(h));
	for (i = 0; i < rows_count(r.rows); i++) {
		assert_int_equal(file_row(&rest, &count_, &line), 1);
		assert_true(slice_eq(line, rows_get(r.rows, i)->line));
		assert_int_equal(count_, rows_get(r.rows, i)->count);
	}
	assert_int_equal(file_row(&rest, &count_, &line), 0);
	cut_each(file, filen, file_cut);
	for (i = 0; i < filen; i++) {
		file[i] ^= 1;
		assert_int_equal(file_check(file, filen, &h, &rest), -1);
		file[i] ^= 1;
	}
	free(file);
	rows_free(r.rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_xml_cut),
		cmocka_unit_test(test_xml_whole),
		cmocka_unit_test(test_xml_pieces),
		cmocka_unit_test(test_xml_refused),
		cmocka_unit_test(test_xml_charsets),
		cmocka_unit_test(test_xml_places),
		cmocka_unit_test(test_xml_many),
		cmocka_unit_test(test_gzip_cut),
		cmocka_unit_test(test_zip_cut),
		cmocka_unit_test(test_zip_damaged),
		cmocka_unit_test(test_zip_refused),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_arf),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests_name("report_in", tests, NULL, NULL);
}
