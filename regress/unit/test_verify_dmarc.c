/*
 * DMARC at its edges: policies, alignment, the walk up the tree, and From fields
 * that hide their author.  What public suites cover is regress/vectors.
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
#include "verify/verify.h"
#include "zone.h"

static struct dmarc
dmarc(const struct record *zone, const char *from, const char *id, int pass)
{
	struct answers *a = answers_new();
	struct dmarc_authors au;
	struct dmarc_id dkim = { id, pass, 0 };
	struct dmarc out;
	int round;

	asked = 0;
	dmarc_authors_value(slice_str(from), &au);
	for (round = 0; !dmarc_run(&au, NULL, &dkim, id != NULL, a, &out);
	    round++) {
		assert_true(round < 20 && answers_open(a) > 0);
		answer_all(a, zone);
	}
	out.rua = out.ruf = slice_of(NULL, 0);
	answers_free(a);
	return out;
}

static const struct record policies[] = {
	{ "_dmarc.reject.example", DNS_TXT,
	    "v=DMARC1; p=reject; sp=quarantine; np=reject" },
	{ "is.reject.example", DNS_A, "\1\1\1\1" },
	{ "_dmarc.none.example", DNS_TXT, "v=DMARC1; p=none" },
	{ "_dmarc.test.example", DNS_TXT, "v=DMARC1; p=quarantine; t=y" },
	{ "_dmarc.temp.example", DNS_TXT, "!" },
	{ "_dmarc.org.example", DNS_TXT, "v=DMARC1; p=reject" },
	{ "_dmarc.n.org.example", DNS_TXT, "v=DMARC1; p=reject; psd=n" },
	{ "_dmarc.psd", DNS_TXT, "v=DMARC1; p=none; sp=reject; psd=y" },
	{ "a.psd", DNS_A, "\1\1\1\1" },
	{ "_dmarc.dup.example", DNS_TXT, "v=DMARC1; p=reject; p=none" },
	{ NULL }
};

static void
test_dmarc_policy(void **state)
{
	struct dmarc d;

	d = dmarc(policies, "x@reject.example", NULL, 0);
	assert_true(d.result == DMARC_FAIL && d.policy == DMARC_P_REJECT);
	assert_int_equal(d.tag, 'p');
	d = dmarc(policies, "x@is.reject.example", NULL, 0);
	assert_true(d.policy == DMARC_P_QUARANTINE && d.tag == 's');
	d = dmarc(policies, "x@not.reject.example", NULL, 0);
	assert_true(d.policy == DMARC_P_REJECT && d.tag == 'n');
	d = dmarc(policies, "x@test.example", NULL, 0);
	assert_true(d.published == DMARC_P_QUARANTINE && d.testing);
	assert_int_equal(d.policy, DMARC_P_NONE);
	assert_int_equal(dmarc(policies, "x@temp.example", NULL, 0).result,
	    DMARC_TEMPERROR);
	assert_int_equal(dmarc(policies, "x@sub.temp.example", NULL,
	    0).result, DMARC_TEMPERROR);
	assert_int_equal(dmarc(policies, "x@dup.example", NULL, 0).result,
	    DMARC_PERMERROR);
	d = dmarc(policies, "x@a.psd", NULL, 0);
	assert_true(d.policy == DMARC_P_REJECT && d.tag == 's');
	assert_string_equal(d.org, "a.psd");
	assert_string_equal(d.at, "psd");
}

static void
test_dmarc_align(void **state)
{
	static const struct {
		const char	*from, *id;
		enum dmarc_result want;
	} t[] = {
		{ "x@a.org.example", "b.org.example", DMARC_PASS },
		{ "x@a.org.example", "org.example", DMARC_PASS },
		{ "x@a.n.org.example", "org.example", DMARC_FAIL },
		{ "x@a.n.org.example", "b.n.org.example", DMARC_PASS },
		{ "x@org.example", "n.org.example", DMARC_FAIL },
		{ "x@org.example", "example", DMARC_FAIL },
		{ "x@org.example", "aorg.example", DMARC_FAIL },
		{ "x@a.psd", "b.psd", DMARC_FAIL },
		{ "x@a.psd", "c.a.psd", DMARC_PASS },
		{ "x@a.psd", "psd", DMARC_FAIL },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (dmarc(policies, t[i].from, t[i].id, 1).result !=
		    t[i].want)
			fail_msg("%s with %s", t[i].from, t[i].id);
		assert_int_equal(dmarc(policies, t[i].from, t[i].id,
		    0).result, DMARC_FAIL);
	}
	/* A foreign identifier is never asked about. */
	dmarc(policies, "x@org.example", "a.b.c.d.e.f.g.h.hostile.example", 1);
	assert_int_equal(asked, 2);
}

static void
test_dmarc_walk(void **state)
{
	struct dmarc d;
	char from[300] = "x@";
	int i;

	for (i = 0; i < 60; i++)
		strcat(from, "a.b.");
	strcat(from, "c");
	d = dmarc(policies, from, "y.example", 1);
	assert_int_equal(asked, DMARC_QUERIES);
	assert_int_equal(d.result, DMARC_NONE);
}

static void
test_dmarc_from(void **state)
{
	static const struct {
		const char	*header;
		enum dmarc_from	 from;
		enum dmarc_result result;
	} t[] = {
		{ "Subject: x\r\n", DMARC_FROM_MISSING, DMARC_PERMERROR },
		{ "From: \r\n", DMARC_FROM_EMPTY, DMARC_PERMERROR },
		{ "From: x\r\n", DMARC_FROM_EMPTY, DMARC_PERMERROR },
		{ "From: x@[192.0.2.1]\r\n", DMARC_FROM_EMPTY,
		    DMARC_PERMERROR },
		{ "From: undisclosed:;\r\n", DMARC_FROM_EMPTY,
		    DMARC_PERMERROR },
		{ "From: g: a@none.example, b@none.example;\r\n",
		    DMARC_FROM_OK, DMARC_FAIL },
		{ "From: a@none.example, b@reject.example\r\n",
		    DMARC_FROM_MANY, DMARC_FAIL },
		{ "From: a@reject.example, b@none.example\r\n",
		    DMARC_FROM_MANY, DMARC_FAIL },
		{ "From: a@none.example\r\nFROM : b@reject.example\r\n",
		    DMARC_FROM_TWICE, DMARC_FAIL },
		{ "From: a@x.test\r\nFrom: a@x.test\r\n", DMARC_FROM_TWICE,
		    DMARC_PERMERROR },
		{ "From: a@a.test,b@b.test,c@c.test,d@d.test,e@e.test\r\n",
		    DMARC_FROM_EXCESS, DMARC_PERMERROR },
	};
	struct answers *a;
	struct dmarc_authors au;
	struct dmarc d;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = answers_new();
		dmarc_authors(slice_str(t[i].header), &au);
		while (!dmarc_run(&au, NULL, NULL, 0, a, &d))
			answer_all(a, policies);
		if (d.from != t[i].from || d.result != t[i].result)
			fail_msg("%s: %d %s", t[i].header, d.from,
			    dmarc_name(d.result));
		if (i >= 6 && i <= 8) {
			assert_string_equal(d.author, "reject.example");
			assert_int_equal(d.policy, DMARC_P_REJECT);
		}
		answers_free(a);
	}
}

static void
test_dmarc_uris(void **state)
{
	struct slice rest = SLICE_LIT("mailto:a@b, ,nothing,mailto:c@d!10m,"
	    "mailto:e@f!x, https://x/y"), uri;

	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "mailto:a@b"));
	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "mailto:c@d"));
	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "https://x/y"));
	assert_false(dmarc_uri_next(&rest, &uri));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dmarc_policy),
		cmocka_unit_test(test_dmarc_align),
		cmocka_unit_test(test_dmarc_walk),
		cmocka_unit_test(test_dmarc_from),
		cmocka_unit_test(test_dmarc_uris),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
