/*
 * How many failure reports go out in an hour, and what is left out, which the
 * log tells.  Asked by failure.c and notice.c.  Part of report-out.
 */
#include "base/compat.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/failure.h"

#define TOTAL_FACTOR	100	/* times reports.failure-limit, for all */
#define TOTAL_MAX	1000	/* with FAILURE_RUF + 2 entries of each they
				 * fit into LIMIT_SLOTS */
#define LOST_EVERY	60	/* s between two lines about what is lost */

enum limit_kind { LIMIT_COPIES, LIMIT_COPY, LIMIT_REPORTS, LIMIT_REPORT,
	    LIMIT_ADDRESS };

static struct {
	struct limit	*limit;
	unsigned int	 lost;
	uint64_t	 told;		/* when lost was, 0 never */
} allow;

void
allow_init(void)
{
	uint8_t key[16];

	random_bytes(key, sizeof(key));
	allow.limit = limit_new(key);
}

/* One more about that domain: for the copy, or for ruf=. */
static bool
domain_may(enum limit_kind all, enum limit_kind one, struct slice domain)
{
	unsigned int max = proc_conf()->reports.failure_limit, total;
	uint64_t now = now_ms() / 1000;

	total = max < TOTAL_MAX / TOTAL_FACTOR ? max * TOTAL_FACTOR :
	    TOTAL_MAX;
	return limit_left(allow.limit, (int)all, slice_of("", 0), total,
	    now) && limit_take(allow.limit, (int)one, domain, max, now) &&
	    limit_take(allow.limit, (int)all, slice_of("", 0), total, now);
}

bool
copy_may(struct slice domain)
{
	return domain_may(LIMIT_COPIES, LIMIT_COPY, domain);
}

bool
report_may(struct slice domain)
{
	return domain_may(LIMIT_REPORTS, LIMIT_REPORT, domain);
}

bool
failure_may(const char *address)
{
	return limit_take(allow.limit, LIMIT_ADDRESS, slice_str(address),
	    proc_conf()->reports.failure_limit, now_ms() / 1000);
}

void
failure_lost(const char *why)
{
	uint64_t now = now_ms() / 1000;

	allow.lost++;
	if (allow.told != 0 && now - allow.told < LOST_EVERY)
		return;
	allow.told = now;
	log_notice("failure reports left out: %u, the last as %s",
	    allow.lost, why);
	allow.lost = 0;
}
