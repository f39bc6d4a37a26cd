/*
 * When: which interval a moment belongs to, which one a wrong clock made,
 * how long a report that cannot leave is tried, and how often.  All by the
 * clock it is given.  Pure.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define GIVE_UP		5	/* intervals after it was due */
#define GIVE_UP_MIN	3600	/* s, but at least so long */
#define AGAIN_MIN	60	/* s before the second try, doubled each time */
#define AGAIN_PARTS	24	/* but no more than this part of an interval */
#define SHORT		60	/* s: a shorter interval is of a test, and
				 * what it gives is taken as it is */

void
time_interval(const struct periods *ps, const struct period *but,
    uint64_t now, uint64_t length, struct rec_file *f)
{
	const struct period *p;

	f->begin = now - now % length;
	f->end = f->begin + length;
	TAILQ_FOREACH(p, ps, entry)
		if (p != but && p->file.begin <= now &&
		    f->begin < p->file.end)
			f->begin = p->file.end;
	TAILQ_FOREACH(p, ps, entry)	/* it names the file */
		if (p != but && p->file.begin == f->begin)
			f->begin++;
	if (f->begin >= f->end)
		f->end = f->begin + length;
}

bool
time_ahead(const struct periods *ps, const struct period *p, uint64_t now)
{
	struct rec_file f = { 0 };

	if (p->file.begin <= now + p->length)
		return false;
	time_interval(ps, p, now, p->length, &f);
	return p->file.begin > f.begin + p->length;
}

uint64_t
time_give_up(uint64_t interval)
{
	uint64_t t = GIVE_UP * interval;

	return interval >= SHORT && t < GIVE_UP_MIN ? GIVE_UP_MIN : t;
}

uint64_t
time_again(uint64_t interval, unsigned int tries)
{
	uint64_t most = interval / AGAIN_PARTS + 1;
	uint64_t t = (uint64_t)AGAIN_MIN << (tries < 16 ? tries : 16);

	if (interval >= SHORT && most < AGAIN_MIN)
		most = AGAIN_MIN;
	return t < most ? t : most;
}
