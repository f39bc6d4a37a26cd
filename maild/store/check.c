/*
 * check and rebuild: an account's files read from one end to the other, and
 * those that can be made again made again.  Part of store.  What is found is
 * told in words, at most ROWS_MAX of it; the answer has the count.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <sysexits.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

static void
on_found(void *arg, enum store_found found, const char *text)
{
	struct room *rm = arg;
	struct row row = { .n = 0 };

	if (found == STORE_FOUND_FAR) {
		room_far(rm, text);
		return;
	}
	if (found == STORE_FOUND_WRONG && ++rm->nwrong > ROWS_MAX)
		return;
	row_str(&row, "found", slice_str(found == STORE_FOUND_WRONG ?
	    "wrong" : "note"));
	row_str(&row, "what", slice_str(text));
	room_row(rm, &row);
}

/* What hindered, when it was not the account. */
static void
say_result(struct room *rm, enum store_result r, const char *fine)
{
	uint64_t bytes, messages;

	store_usage(rm->store, &bytes, &messages);
	if (rm->nwrong > 0)
		room_say(rm, EX_DATAERR, "%llu %s wrong%s",
		    (unsigned long long)rm->nwrong, rm->nwrong == 1 ?
		    "thing is" : "things are", rm->nwrong > ROWS_MAX ?
		    ", of which the first are shown" : "");
	else if (r != STORE_OK)
		room_say(rm, EX_TEMPFAIL, "%s (%s)", store_strerror(r),
		    store_why(rm->store));
	else
		room_say(rm, EX_OK, "%llu messages, %llu octets: %s",
		    (unsigned long long)messages, (unsigned long long)bytes,
		    fine);
}

void
room_check(struct room *rm)
{
	enum store_result r = store_check(rm->store, on_found, rm);

	say_result(rm, r, "nothing is wrong");
}

void
room_rebuild(struct room *rm)
{
	enum store_result r = store_rebuild(rm->store, on_found, rm);

	say_result(rm, r, "index and facts are made again");
}
