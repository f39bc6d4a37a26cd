/*
 * Space on the disk: what nobody needs of an account's files goes, a piece
 * after the other, and what was expunged comes back as long as it is kept.
 * Part of store.  Sessions and deliver go on beside it; each piece is whole
 * in itself.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

#define PIECES_ALL	1000	/* afterwards only what pays well */
#define BUSY_MAX	10	/* times after each other */

static void
say_failed(struct room *rm, enum store_result r)
{
	static const struct { enum store_result r; int code; } codes[] = {
		{ STORE_DAMAGED, EX_DATAERR }, { STORE_LIMIT, EX_DATAERR },
		{ STORE_NOSPACE, EX_CANTCREAT }, { STORE_IO, EX_IOERR }
	};
	int code = EX_TEMPFAIL;
	size_t i;

	for (i = 0; i < NITEMS(codes); i++)
		if (codes[i].r == r)
			code = codes[i].code;
	room_say(rm, code, "%s (%s)", store_strerror(r), store_why(rm->store));
}

/* All pieces that there are; clients who expunge meanwhile cannot keep it at
 * work for ever. */
static enum store_result
pieces(struct room *rm, bool all)
{
	enum store_result r = STORE_OK;
	unsigned int n = 0, busy = 0;
	char text[64];
	bool more = true;

	while (more && r == STORE_OK) {
		r = store_compact(rm->store, &rm->keep,
		    all && n < PIECES_ALL, &more);
		if (r == STORE_BUSY && ++busy < BUSY_MAX) {
			r = STORE_OK;
			more = true;
			continue;
		}
		busy = 0;
		snprintf(text, sizeof(text), "%u steps", ++n);
		room_far(rm, text);
	}
	return r;
}

static void
compact(struct room *rm, bool all, const struct store_due *before)
{
	enum store_result r = pieces(rm, all);
	struct store_due after;
	uint64_t was = before->log + before->dead, is;

	if (r == STORE_OK)
		r = store_due(rm->store, &rm->keep, &after);
	if (r != STORE_OK) {
		say_failed(rm, r);
		return;
	}
	is = after.log + after.dead;
	room_say(rm, EX_OK, "%llu octets came back; %llu octets of expunged "
	    "mail are kept", (unsigned long long)(was > is ? was - is : 0),
	    (unsigned long long)after.gone_bytes);
}

void
room_compact(struct room *rm)
{
	struct store_due due;
	enum store_result r = store_due(rm->store, &rm->keep, &due);

	if (r != STORE_OK)
		say_failed(rm, r);
	else
		compact(rm, true, &due);
}

void
room_round(struct room *rm)
{
	struct store_due due;
	enum store_result r = store_due(rm->store, &rm->keep, &due);

	if (r != STORE_OK)
		say_failed(rm, r);
	else if (due.journal || due.segments)
		compact(rm, false, &due);
	else
		rm->text[0] = '\0';	/* nothing is due */
}

void
room_undelete(struct room *rm)
{
	enum store_result r;
	uint64_t n = 0;

	r = store_undelete(rm->store, rm->from, rm->to == 0 ? INT64_MAX :
	    rm->to, &n);
	if (r == STORE_OK)
		room_say(rm, EX_OK, "%llu messages came back",
		    (unsigned long long)n);
	else if (n == 0)
		say_failed(rm, r);
	else
		room_say(rm, EX_TEMPFAIL, "%llu messages came back, then: %s "
		    "(%s); once more brings back the others",
		    (unsigned long long)n, store_strerror(r),
		    store_why(rm->store));
}
