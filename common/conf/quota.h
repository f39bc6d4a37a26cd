/*
 * What an account may hold.  authd's table has the accounts whose quota is
 * not the default, and tells it with a grant to maild, and to queue, which
 * tells deliver; whoever writes to an account resolves it with the
 * configuration it has then, so that a default counts from its reload on.
 */
#ifndef CONF_QUOTA_H
#define CONF_QUOTA_H

#include <stdint.h>

#include "base/util.h"

/* As messages and authd's table have them. */
#define QUOTA_DEFAULT	0		/* as it is configured */
#define QUOTA_NONE	UINT64_MAX	/* no limit, whatever is configured */

struct quota {
	uint64_t	 octets, messages;
};

/* What is told, with the default that is configured (0 none): the limit, 0
 * none. */
static inline uint64_t
quota_limit(uint64_t told, uint64_t configured)
{
	if (told == QUOTA_NONE)
		return 0;
	return told == QUOTA_DEFAULT ? configured : told;
}

/*
 * How much of a quota is used, 0 to 100: of its octets, and 100 too when no
 * message more has room.  0 also where there is no limit.
 */
static inline unsigned int
quota_percent(const struct quota *limit, const struct quota *used)
{
	if (limit->messages != 0 && used->messages >= limit->messages)
		return 100;
	return percent_of(used->octets, limit->octets);
}

#endif
