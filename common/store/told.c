/*
 * What the log is told of messages of an account that were changed: their
 * places, ACCOUNT:UIDVALIDITY.UIDs, by which a message is found again.  Called
 * by the sessions, once it is on disk.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/store.h"

#define LINES_MAX	32	/* of one change; the rest is counted */

const char *
store_place(char *out, uint32_t uidvalidity, const struct store_range *v,
    size_t n, size_t *i)
{
	size_t len, first = *i;

	len = (size_t)snprintf(out, STORE_PLACE_TEXT, "%u", uidvalidity);
	for (; *i < n && len < STORE_PLACE_TEXT - 24; (*i)++)
		len += (size_t)snprintf(out + len, STORE_PLACE_TEXT - len,
		    v[*i].last > v[*i].first ? "%c%u-%u" : "%c%u",
		    *i == first ? '.' : ',', v[*i].first, v[*i].last);
	return out;
}

void
store_told(const char *id, const char *verb, uint32_t account,
    uint32_t uidvalidity, const struct store_range *v, size_t n,
    const char *more)
{
	char place[STORE_PLACE_TEXT];
	unsigned int lines;
	size_t i = 0;

	for (lines = 0; i < n && lines < LINES_MAX; lines++) {
		store_place(place, uidvalidity, v, n, &i);
		log_info("%s %s place=%u:%s %s", id, verb, account, place,
		    more);
	}
	if (i < n)
		log_info("%s %s place=%u:%u ranges=%zu %s", id, verb, account,
		    uidvalidity, n - i, more);
}
