/*
 * A new journal: what the account is now, and nothing of how it came to be.
 * Run by the process store, while sessions and deliver go on.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "store/store_priv.h"

#define LONG_TIMES	2		/* as long as a new one */
#define LONG_MORE	(4U << 20)	/* and so much more */

/* About how long a new one would be. */
uint64_t
journal_need(const struct store *st)
{
	const struct mailbox *m;
	uint64_t n = 0;
	size_t i = 0;

	while ((m = mailbox_next(st->state, &i)) != NULL)
		n += mailbox_slots(m);
	return n * (LOG_REC_HEAD + REC_MSG_LEN);
}

/* Is ours so long that a new one pays? */
bool
journal_long(const struct store *st)
{
	return st->pos > LONG_TIMES * journal_need(st) + LONG_MORE;
}
