/*
 * What the tests of aggregate reports share: no neighbours, and a row.
 * Included after ../../report/out_agg.h.
 */
#define RECORD	"v=DMARC1; p=reject; rua=mailto:agg@a.test"

struct chan *
out_dns(void)
{
	return NULL;
}

uint64_t
out_whom(void)
{
	return 1;
}

struct chan *
out_queue(void)
{
	return NULL;
}

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
