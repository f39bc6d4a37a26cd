/*
 * When each account logged in last at this front, as long as that matters
 * (LOGIN-DELAY, RFC 2449 6.5).  Kept in memory alone: after a restart
 * everybody may come at once.  A small hash; what is older than the delay
 * goes when its bucket is looked at, so that it has at most one entry for
 * each account that logged in within the delay, and a few old ones.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"

#define BUCKETS	4096		/* accounts are small numbers in a row */

struct last {
	struct last	*next;
	uint32_t	 account;
	uint64_t	 at;		/* now_ms() */
};

static struct last	*buckets[BUCKETS];

bool
front_delay_over(uint32_t account, unsigned int seconds)
{
	struct last	**at = &buckets[account % BUCKETS], *l;
	uint64_t	 now = now_ms();

	if (seconds == 0)
		return true;
	while ((l = *at) != NULL) {
		if (now - l->at >= seconds * 1000ULL) {
			*at = l->next;
			free(l);
			continue;
		}
		if (l->account == account)
			return false;
		at = &l->next;
	}
	l = xcalloc(1, sizeof(*l));
	l->account = account;
	l->at = now;
	*at = l;
	return true;
}
