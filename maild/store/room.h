/*
 * store: what its files share.
 *
 * Layers, lowest first; a file calls those before it:
 *	row check change space out export room
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

#define ROWS_MAX	1000	/* rows that tell one thing each */

/* One run: a job for the account whose directory is the root. */
struct room {
	int		 sock;		/* to maild */
	uint64_t	 told;		/* how far it is, last, now_ms() */
	int		 fd;		/* the operator's file, or -1 */
	char		 arg[513];	/* what the job is about, or "" */
	int64_t		 from, to;	/* of a time, seconds UTC; to 0: open */
	struct store_keep keep;		/* what is expunged, as configured */
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

/* ---- change.c: restored -------------------------------------------------- */

void	 room_restored(struct room *);

/* ---- space.c: compact, undelete, a day's round --------------------------- */

/* All that can be given back; what is due. */
void	 room_compact(struct room *);
void	 room_round(struct room *);
/* What went from from to to comes back. */
void	 room_undelete(struct room *);

/* ---- out.c: octets of an export, and tar --------------------------------- */

#define TAR_PATH	4096	/* octets of a path, with its NUL */

struct out {
	int		 fd;
	int		 error;		/* errno of the first failure, or 0 */
	size_t		 n;
	uint8_t		 buf[65536];
};

void	 out_begin(struct out *, int fd);
void	 out_put(struct out *, const void *, size_t);
/* All of it is on stable storage, where that is a file: 0, or -1 with errno. */
int	 out_end(struct out *);
/* The head of an entry; type: '0' a file, whose size octets follow and then
 * tar_pad(), '5' a directory.  mtime: seconds UTC. */
void	 tar_entry(struct out *, const char *path, char type, uint64_t size,
	    int64_t mtime);
void	 tar_pad(struct out *, uint64_t size);
/* A whole file. */
void	 tar_file(struct out *, const char *path, struct slice text);
void	 tar_end(struct out *);

/* ---- export.c ------------------------------------------------------------ */

/* Of all as a Maildir++ in a tar, or of the mailbox arg as an mbox. */
void	 room_export(struct room *);

/* ---- room.c: a run ------------------------------------------------------- */

/* See common/proc/nursery.h.  Never 0: a process does one run, so that what
 * one job made of it no other meets. */
int	 room_main(int sock, const struct conf *, const struct quota *);

#endif
