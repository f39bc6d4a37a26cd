/*
 * A DNS in a table, for the tests of the verdict engine, and the time they
 * live in.  Each test of them has its own.
 */
#ifndef ZONE_H
#define ZONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "verify/verify.h"

#define NOW	1795300000

struct record {
	const char	*name;
	enum dns_type	 type;
	const char	*data;		/* "!": no answer, "-": NODATA */
};

static int asked;		/* questions of the last evaluation */

static void
answer_all(struct answers *a, const struct record *zone)
{
	const struct record *z;
	struct rr rr[64];
	enum dns_status status;
	enum dns_type type;
	const char *name;
	size_t n;

	while (answers_ask(a, &name, &type)) {
		asked++;
		status = DNS_NXDOMAIN;
		for (n = 0, z = zone; z != NULL && z->name != NULL; z++) {
			if (strcmp(z->name, name) != 0)
				continue;
			if (status == DNS_NXDOMAIN)
				status = DNS_NODATA;
			if (z->type != type || strcmp(z->data, "-") == 0)
				continue;
			status = strcmp(z->data, "!") == 0 ? DNS_TEMP :
			    DNS_OK;
			assert_true(n < 64);
			rr[n++] = (struct rr){ 10, slice_str(z->data) };
		}
		answers_put(a, name, type, status, rr,
		    status == DNS_OK ? n : 0);
	}
}

#endif
