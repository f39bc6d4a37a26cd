/*
 * What an IMAP session knows between two commands, as octets: it is kept by
 * its front while nobody runs the session (SESSION_PARK in msg/session.h), and
 * what comes back is hostile until it was read here.  One build writes and
 * reads it; it never lies on a disk.
 */
#ifndef PARSE_PARKED_H
#define PARSE_PARKED_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define PARKED_MAX	4096	/* octets of all of it */
#define PARKED_RECENT_MAX 16	/* runs of \Recent messages */
#define PARKED_GONE_MAX	64	/* runs of expunged ones not yet told */
#define PARKED_SAVED_MAX 64	/* runs of a result that was saved */
#define PARKED_TAG_MAX	64	/* octets of IDLE's tag */
#define PARKED_CLIENT_MAX 32	/* octets of the client's name */
#define PARKED_WATCH_LEN 17	/* octets of the name of its socket */

struct parked_run {		/* of UIDs, inclusive */
	uint32_t	 first, last;
};

/* A mailbox as the client sees it. */
struct parked_view {
	uint32_t	 mailbox;	/* its id */
	uint32_t	 uidvalidity;
	uint32_t	 uidnext;	/* no message from here on was shown */
	uint32_t	 exists;
	uint32_t	 nkeywords;	/* that the view has told */
	bool		 readonly;
	uint64_t	 seq;		/* the log was known up to here */
	uint64_t	 reported;	/* and flags were told up to here */
	uint64_t	 told;		/* and all else */
	size_t		 nrecent, ngone, nsaved;
	struct parked_run saved[PARKED_SAVED_MAX]; /* "$" (RFC 5182) */
	struct parked_run recent[PARKED_RECENT_MAX];
	struct parked_run gone[PARKED_GONE_MAX]; /* in exists, not in seq */
};

struct parked {
	bool		 deflate;	/* COMPRESS was answered OK */
	bool		 selected;	/* there is a view */
	bool		 idle;		/* IDLE waits for its DONE */
	uint32_t	 enabled;	/* by ENABLE, bits of the session */
	uint32_t	 nkeywords;	/* told in FLAGS */
	char		 client[PARKED_CLIENT_MAX + 1]; /* by ID */
	char		 tag[PARKED_TAG_MAX + 1]; /* of IDLE */
	char		 watch[PARKED_WATCH_LEN + 1]; /* "": has no socket */
	struct parked_view view;
};

/* Octets of it, or -1: they do not fit. */
ssize_t	 parked_put(const struct parked *, uint8_t *, size_t);
/*
 * 0 or -1: these are no octets of parked_put.  What is read holds in itself:
 * runs ascend and do not touch one another, below uidnext; there is a tag
 * where there is IDLE; a name of a socket looks like one.
 */
int	 parked_get(struct slice, struct parked *);

#endif
