/*
 * report-in on DMARC reports: XML whole, cut, in pieces, in other charsets,
 * and what is refused.
 */
#include "report_in_test.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml_cut),
		cmocka_unit_test(test_xml_whole),
		cmocka_unit_test(test_xml_pieces),
		cmocka_unit_test(test_xml_refused),
		cmocka_unit_test(test_xml_charsets),
		cmocka_unit_test(test_xml_places),
		cmocka_unit_test(test_xml_many),
	};

	return cmocka_run_group_tests_name("report_in_xml", tests, NULL, NULL);
}
