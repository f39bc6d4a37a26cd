/*
 * What the operator has store change in an account: numbers that leap after a
 * restore.  Part of store.  Each is one group of the journal, or several of
 * which each is a whole.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <sysexits.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

void
room_restored(struct room *rm)
{
	enum store_result r = store_restored(rm->store);

	if (r == STORE_OK)
		room_say(rm, EX_OK, "the numbers of all mailboxes leap");
	else if (r == STORE_LIMIT)
		room_say(rm, EX_DATAERR, "they have leapt too often; nothing "
		    "was changed");
	else
		room_say(rm, r == STORE_DAMAGED ? EX_DATAERR : EX_TEMPFAIL,
		    "%s (%s)", store_strerror(r), store_why(rm->store));
}
