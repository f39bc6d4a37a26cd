/*
 * What the tests of aggregate reports share: no neighbours, and a row.
 */
#ifndef REPORT_OUT_TEST_H
#define REPORT_OUT_TEST_H

#include "base/slice.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"

#define RECORD	"v=DMARC1; p=reject; rua=mailto:agg@a.test"

static inline struct report_row
sample(void)
{
	return (struct report_row){ .ip = { 4, { 192, 0, 2, 1 } },
	    .pass = true, .enforced = true, .dkim = true,
	    .spf_result = SPF_SOFTFAIL, .override = OVERRIDE_LOCAL_POLICY, .comment = SLICE_LIT("Why"),
	    .from = SLICE_LIT("A.test"), .sender = SLICE_LIT("b.test"),
	    .rcpt = SLICE_LIT("c.test"), .spf_domain = SLICE_LIT("d.test"),
	    .nsig = 1, .sig = { { DKIM_PASS, SLICE_LIT("e.test"),
	    SLICE_LIT("s") } } };
}

#endif
