/*
 * What report-in reads of strangers: the first octet chooses a whole
 * message, an attachment (XML, JSON, gzip, zip), the trace's results, or a
 * file of its own directory.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What was read must come back from a file as it was. */
static void
file_again(const struct in_report *r)
{
	struct slice rest, line;
	struct in_head h;
	uint64_t count;
	struct in_report same = { .rows = r->rows };
	size_t n, k, i;
	char *p = file_print(r, 0, &n), *q;

	if (file_check(p, n, &h, &rest) == -1)
		abort();
	same.head = h;
	q = file_print(&same, 0, &k);
	if (k != n || memcmp(p, q, n) != 0)
		abort();
	free(q);
	for (i = 0; i < rows_count(r->rows); i++)
		if (file_row(&rest, &count, &line) != 1 ||
		    !slice_eq(line, rows_get(r->rows, i)->line))
			abort();
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char *domains[] = { (char *)"ours.test" };
	static const struct in_house house = { .domains = domains,
	    .ndomains = 1, .max_packed = 1 << 20 };
	struct in_report r = { .rows = NULL };
	struct slice in, rest;
	const char *why = NULL;
	struct in_head h;
	char from[IN_DOMAIN];
	int rc = -1;

	if (n == 0)
		return 0;
	in = slice_of((const char *)data + 1, n - 1);
	r.rows = rows_new();
	switch (data[0] % 4) {
	case 0:
		rc = in_read(in, &r, &house, &why);
		break;
	case 1:
		rc = in_attachment(in, &r, &house, &why);
		break;
	case 2:
		sender_domain(in, from);
		sender_trust(in, "ours.test");
		why = "";
		break;
	case 3:
		file_check(in.p, in.n, &h, &rest);
		why = "";
		break;
	}
	if (rc == 0)
		file_again(&r);
	else if (why == NULL)
		abort();
	rows_free(r.rows);
	return 0;
}
