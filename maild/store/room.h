/*
 * store: what its files share.
 *
 * Layers, lowest first; a file calls those before it:
 *	row check room
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/conf.h"
#include "proc/nursery.h"
#include "proc/proc.h"
#include "store/store.h"

/* One run: a job for the account whose directory is the root. */
struct room {
	int		 sock;		/* to maild */
	uint64_t	 told;		/* how far it is, last, now_ms() */
	struct store	*store;
	uint64_t	 nwrong;	/* things that check found */
	int		 code;		/* the answer: sysexits */
	char		 text[1024];
};

/* ---- row.c: what maild is told ------------------------------------------- */

/* Send a row.  maild gone: the run is over, the process ends. */
void	 room_row(struct room *, const struct row *);
/* How far it is, in words; at most one a second is sent. */
void	 room_far(struct room *, const char *text);
/* The answer in the end. */
void	 room_say(struct room *, int code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* ---- check.c: check, rebuild --------------------------------------------- */

void	 room_check(struct room *);
void	 room_rebuild(struct room *);

/* ---- room.c: a run ------------------------------------------------------- */

/* See common/proc/nursery.h.  Never 0: a process does one run, so that what
 * one job made of it no other meets. */
int	 room_main(int sock, const struct conf *, const struct quota *);

#endif
