/*
 * What the tests of report-in's pure parts share: a house, a report in XML,
 * and a reader to be asked.
 */
#ifndef REPORT_IN_TEST_H
#define REPORT_IN_TEST_H

#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"
#include "cut.h"

#define UNUSED	__attribute__((unused))

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

static UNUSED struct in_report
report(void)
{
	return (struct in_report){ .rows = rows_new() };
}

static UNUSED bool
row_is(const struct rows *rows, size_t i, uint64_t count, const char *line)
{
	const struct row_sum *v = rows_get(rows, i);

	return v->count == count && slice_is(v->line, line);
}

static UNUSED void
refused(const char *text, const char *want)
{
	struct in_report r = report();
	const char *why = NULL;

	assert_int_equal(in_attachment(slice_str(text), &r, &house, &why), -1);
	assert_string_equal(why, want);
	rows_free(r.rows);
}

#endif
