/*
 * report-in on DMARC reports: XML whole, cut, in pieces, in other charsets,
 * and what is refused.
 */
#include "base/slice.h"
#include "report_in_test.h"

#include <time.h>

/* Messages of the records that are whole in the first n octets. */
static uint64_t
whole(size_t n)
{
	static const uint64_t count[] = { 2, 3, 5 };
	const char *p = xml;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < 3; i++) {
		p = strstr(p, "</auth_results>") + 15;
		if ((size_t)(p - xml) <= n)
			sum += count[i];
	}
	return sum;
}

static void
xml_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	assert_int_equal(rc, whole(n) > 0 ? 0 : -1);
	if (rc == -1)
		assert_non_null(why);
	else {
		assert_int_equal(r.head.messages, whole(n));
		assert_int_equal(r.head.mended[0] != '\0',
		    n + 1 < sizeof(xml));
		assert_string_equal(r.head.org, "R");
	}
	rows_free(r.rows);
}

/* text with what was broken: the records that lost stands in are all that it
 * may cost. */
static void
mended(const char *text, size_t n, uint64_t lost, bool head)
{
	struct in_report r = report();
	const char *why = NULL;
	char *exact = malloc(n);
	int rc;

	memcpy(exact, text, n);
	rc = in_attachment(slice_of(exact, n), &r, &house, &why);
	if (rc == 0) {
		if (r.head.messages != 10 && (r.head.messages != 10 - lost ||
		    (r.head.mended[0] == '\0' && r.head.skipped == 0)))
			fail_msg("%.*s: %llu messages, mended: %s", (int)n,
			    text, (unsigned long long)r.head.messages,
			    r.head.mended);
	} else if (!head)
		fail_msg("%.*s: %s", (int)n, text, why);
	free(exact);
	rows_free(r.rows);
}

/* The count of the record that octet i stands in, 0: none. */
static uint64_t
record_of(size_t i)
{
	static const uint64_t count[] = { 2, 3, 5 };
	const char *p = xml;
	size_t k;

	for (k = 0; k < 3; k++) {
		p = strstr(p, "<record>");
		if (i < (size_t)(p - xml))
			return 0;
		p = strstr(p, "</record>") + 9;
		if (i <= (size_t)(p - xml))
			return count[k];
	}
	return 0;
}

/* Each fault at each place, and each tag left out. */
static void
test_xml_mended(void **state)
{
	static const char *const faults[] = { "\xe9", "\x07", "\x1b[2J", "&",
	    "&#7;", "&nbsp;", "<", "< ", "<x", "<x@y>", "<q>", "</q>", "<q/>",
	    "<q a=\"", "]]>", "\xff\xfe", "&#xd800;", "<!--", "<![CDATA[",
	    "\xed\xa0\x80" };
	const char *first = strstr(xml, "<record>"), *p, *end;
	char text[sizeof(xml) + 16];
	size_t i, k, n;

	for (i = 0; i < sizeof(xml); i++)
		for (k = 0; k < NITEMS(faults); k++) {
			n = strlen(faults[k]);
			memcpy(text, xml, i);
			memcpy(text + i, faults[k], n);
			memcpy(text + i + n, xml + i, sizeof(xml) - 1 - i);
			if (strcmp(faults[k], "<!--") == 0 ||
			    strcmp(faults[k], "<q a=\"") == 0)
				continue;	/* may swallow all the rest */
			mended(text, sizeof(xml) - 1 + n, record_of(i),
			    xml + i <= first);
		}
	for (p = strchr(first, '<'); p != NULL; p = strchr(end, '<')) {
		end = strchr(p, '>') + 1;
		memcpy(text, xml, (size_t)(p - xml));
		strcpy(text + (p - xml), end);
		mended(text, strlen(text), record_of((size_t)(p - xml) + 1),
		    false);
	}
}

/* What was seen of reporters, and what is before and behind a report. */
static void
test_xml_seen(void **state)
{
	static const struct {
		const char	*before, *what, *with, *behind, *org, *contact;
	} v[] = {
		{ "", ">R<", ">Caf\xe9 Nord<", "", "Caf\xc3\xa9 Nord", "" },
		{ "", ">R<", ">A & B<", "", "A & B", "" },
		{ "", ">R<", ">A &amp; B < C<", "", "A & B < C", "" },
		{ "", ">R<", ">A &lt;&#65;&nbsp;\x07<", "", "A <A&nbsp;?",
		    "" },
		{ "", ">R<", ">R</org_name><email><r@x.test></email><org_name>R"
		    "<", "", "R", "<r@x.test>" },
		{ "", ">R<", ">R</org_name><email>Joe <joe></email><org_name>R"
		    "<", "", "R", "Joe <joe>" },
		{ "", ">R<", "><![CDATA[A & <b>]]> &<", "", "A & <b> &", "" },
		{ "", "<feedback>", "<feedback>\n<xs:schema xmlns:xs=\"a>b\" "
		    "version=\"9\">", "", "R", "" },
		{ "Sehr geehrte <b>Damen", "", "", "", "R", "" },
		{ "\x01\x02", "", "", "\x01", "R", "" },
		{ "<html><body>", "", "", "</body></html>", "R", "" },
		{ "", "", "", "rubbish", "R", "" },
		{ "", "", "", "<feedback></feedback>", "R", "" },
		{ "", "", "", "\n\n<!-- made by x -->\n<", "R", "" },
	};
	char text[2 * sizeof(xml)];
	const char *why = NULL, *at;
	struct in_report r;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		at = strstr(xml, v[i].what);
		snprintf(text, sizeof(text), "%s%.*s%s%s%s", v[i].before,
		    (int)(at - xml), xml, v[i].with, at + strlen(v[i].what),
		    v[i].behind);
		r = report();
		if (in_attachment(slice_str(text), &r, &house, &why) == -1)
			fail_msg("%zu: %s", i, why);
		assert_int_equal(r.head.messages, 10);
		assert_string_equal(r.head.org, v[i].org);
		assert_string_equal(r.head.contact, v[i].contact);
		assert_true(r.head.mended[0] != '\0');
		rows_free(r.rows);
	}
	snprintf(text, sizeof(text), "&<feedback xmlns=\"urn:ietf:params:xml:"
	    "ns:dmarc-2.0\">%s", strstr(xml, "<report_metadata>"));
	r = report();
	assert_int_equal(in_attachment(slice_str(text), &r, &house, &why), 0);
	assert_string_equal(r.head.form, "9990");
	assert_int_equal(r.head.messages, 10);
	rows_free(r.rows);
	snprintf(text, sizeof(text), "%s \r\n<!-- a comment -->\n", xml);
	r = report();
	assert_int_equal(in_attachment(slice_str(text), &r, &house, &why), 0);
	assert_int_equal(r.head.messages, 10);
	rows_free(r.rows);
}

/* What repeats itself is not looked at again and again: a mail of 64 KiB may
 * unpack to 64 times as much as this. */
static void
test_mend_time(void **state)
{
	static const char *const v[] = { "<![CDATA[", "<![CDATA[ ", "&", "&a",
	    "<", "<a", "<a>", "</a>", "<!--", "<?", "<!", "]]>" };
	static const char head[] = "<feedback>&<record><row>";
	size_t n = house.max_packed, i, k;
	char *p = xcalloc(1, n);
	const char *why = NULL;
	struct in_report r;
	struct timespec from, to;
	double took;

	for (i = 0; i < NITEMS(v); i++) {
		memcpy(p, head, sizeof(head) - 1);
		for (k = sizeof(head) - 1; k < n; k++)
			p[k] = v[i][(k - sizeof(head) + 1) % strlen(v[i])];
		r = report();
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		(void)in_attachment(slice_of(p, n), &r, &house, &why);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		rows_free(r.rows);
		took = (double)(to.tv_sec - from.tv_sec) +
		    (double)(to.tv_nsec - from.tv_nsec) / 1e9;
		if (took > 0.15)
			fail_msg("%s: %.2f s", v[i], took);
	}
	free(p);
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
		x = xml_new(&r, &house, NULL);
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
	struct xml *x = xml_new(&r, &house, NULL);
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
	x = xml_new(&r, &house, NULL);
	xml_feed(x, "<feedback>", 10);
	for (i = 0; i <= 1000000 && xml_feed(x, "<record/>", 9) == 0; i++)
		;
	assert_int_equal(xml_end(x, &why), -1);
	assert_string_equal(why, "more than a million records");
	xml_free(x);
	rows_free(r.rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mend_time),
		cmocka_unit_test(test_xml_cut),
		cmocka_unit_test(test_xml_mended),
		cmocka_unit_test(test_xml_seen),
		cmocka_unit_test(test_xml_whole),
		cmocka_unit_test(test_xml_pieces),
		cmocka_unit_test(test_xml_refused),
		cmocka_unit_test(test_xml_charsets),
		cmocka_unit_test(test_xml_places),
		cmocka_unit_test(test_xml_many),
	};

	return cmocka_run_group_tests_name("report_in_xml", tests, NULL, NULL);
}
