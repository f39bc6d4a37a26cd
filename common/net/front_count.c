/*
 * How many connections each account has in this front: a small hash with
 * one entry for each account that is connected.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"

#define BUCKETS	4096		/* accounts are small numbers in a row */

struct count {
	struct count	*next;
	uint32_t	 account;
	unsigned int	 n;
};

static struct count	*buckets[BUCKETS];

bool
front_count_add(uint32_t account, unsigned int max)
{
	struct count	**at = &buckets[account % BUCKETS], *c;

	for (c = *at; c != NULL; c = c->next)
		if (c->account == account)
			break;
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		c->account = account;
		c->next = *at;
		*at = c;
	}
	if (c->n >= max)
		return false;
	c->n++;
	return true;
}

void
front_count_del(uint32_t account)
{
	struct count	**at = &buckets[account % BUCKETS], *c;

	for (; (c = *at) != NULL; at = &c->next) {
		if (c->account != account)
			continue;
		if (--c->n == 0) {
			*at = c->next;
			free(c);
		}
		return;
	}
}
