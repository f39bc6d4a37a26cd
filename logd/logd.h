/*
 * logd: takes the lines of every process, writes them, and remembers the
 * recent ones.
 *
 * Layers, lowest first; a file calls those before it:
 *	rotate line words keys match file ring follow why logd
 */
#ifndef LOGD_H
#define LOGD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "proc/proc.h"

#define LOGD_LINE	2304	/* octets of a whole line, newline included */
#define LOGD_PATH	1024	/* of the log file, NUL included */

/* ---- line.c: records and lines (pure) ------------------------------------ */

struct logd_record {
	unsigned int	 level;
	struct slice	 text;
};

/* The next record of a datagram at *off: 1, 0 at the end, -1 damaged. */
int	 logd_record(struct slice datagram, size_t *off,
	    struct logd_record *);
/* "2026-11-21T18:20:57.123Z" of ms since 1970 into out (25 octets). */
void	 logd_stamp(uint64_t ms, char *out);
/* The seconds since 1970 that a line begins with, 0: none. */
uint64_t logd_stamp_read(struct slice line);
/* One line of LOGD_LINE octets with a newline; what is no printable text
 * becomes '?', a long one is cut.  Returns its length. */
size_t	 logd_line(char *out, const char *stamp, const char *process,
	    unsigned int instance, unsigned int level, struct slice text);
/* A line taken apart again; -1 if it is none. */
struct logd_parts { struct slice time, process, level, text; };
int	 logd_parse(struct slice line, struct logd_parts *);

/* ---- words.c: what is in a line (pure) ----------------------------------- */

/* "key=value", or a word alone, whose key is empty; quotes are taken off. */
struct word { struct slice key, value; };
/* The next one of a line's text; false: no more. */
bool	 words_next(struct slice *rest, struct word *);
/* The next thing in a value that may be looked for: an address or Message-ID
 * without its brackets, a host, an id.  False: no more. */
bool	 words_token(struct slice *value, struct slice *token);
bool	 words_is_id(struct slice);	/* of a message or a connection */

/* Messages of a mailbox: "7:1795000000.3,7-9" has two of these. */
struct place { uint32_t account, uidvalidity, first, last; };
/* Is it one?  at has its first range, uids all of them. */
bool	 words_place(struct slice, struct place *at, struct slice *uids);
/* The next range of uids; false: no more, or none. */
bool	 words_range(struct slice *uids, uint32_t *first, uint32_t *last);

/* ---- keys.c: what is looked for ------------------------------------------ */

#define KEYS_MAX	4096
#define KEY_OCTETS	1024	/* of one */
#define KEY_ASKED	0x1	/* by the operator */
#define KEY_ID		0x2	/* of a message or a report: all its lines */
#define KEY_SESSION	0x4	/* of a connection: what tells of it alone */

struct keys *keys_new(void);
void	 keys_free(struct keys *);
/* The kinds of s as a key, 0: it is none.  Case of ASCII is ignored. */
unsigned int keys_has(struct keys *, struct slice s);
/* True: it is new, of that kind. */
bool	 keys_add(struct keys *, struct slice, unsigned int kind);
bool	 keys_add_place(struct keys *, const struct place *);
/* Is a message of the place known? */
bool	 keys_has_place(const struct keys *, const struct place *);
/* The next part of the place that is known, from *i on, 0 at first. */
bool	 keys_place_part(const struct keys *, const struct place *, size_t *i,
	    struct place *part);
size_t	 keys_count(const struct keys *);
bool	 keys_full(const struct keys *);	/* something was left out */

/* ---- match.c: lines that belong together (pure) -------------------------- */

/* Is this text of a line about one of the keys? */
bool	 match_line(struct keys *, struct slice text);
/* It is: what it leads to becomes keys. */
void	 match_follow(struct keys *, struct slice text);

/* ---- ring.c: the recent lines -------------------------------------------- */

#define RING_BYTES	(8 * 1024 * 1024)
#define RING_LINES	65536

struct ring *ring_new(void);
void	 ring_free(struct ring *);
/* Remember a line (with its newline, which is left out). */
void	 ring_add(struct ring *, struct slice line);
size_t	 ring_count(const struct ring *);
/* The i-th of them, 0 being the oldest; good until the next ring_add. */
struct slice ring_line(const struct ring *, size_t i);
/* The last max lines that contain text (ASCII case ignored; empty: all),
 * in order; returns how many index were filled. */
size_t	 ring_find(const struct ring *, struct slice text, size_t *index,
	    size_t max);
/* The number of the next line that is added, and of the oldest that is still
 * there; they grow as long as the ring lives. */
uint64_t ring_end(const struct ring *);
uint64_t ring_first(const struct ring *);
/* The first max lines from number *from on that contain text, and in *from
 * the number to go on from; returns how many index were filled. */
size_t	 ring_after(const struct ring *, struct slice text, uint64_t *from,
	    size_t *index, size_t max);

/* ---- file.c: the file ---------------------------------------------------- */

/* Open (or make) path for appending.  0, -1 with a note on the next line
 * that can be written. */
int	 file_open(const char *path);
/* Append to what will be written; file_flush does it with one write. */
void	 file_add(struct slice line);
void	 file_flush(void);
/* Open again if somebody moved the file away; begin a new one when it is time
 * to, and remove old ones. */
void	 file_check(void);
/* Move path to path.1 (that to path.2, and so on) unless it was moved
 * already, and start a new one.  0, -1 with errno. */
int	 file_rotate(void);
/* Why lines are lost, or old files stay; NULL: all is well.  Static text. */
const char *file_lost(void);
const char *file_stuck(void);
/* The last max octets of the file, for the ring after a restart; freed by
 * the caller, NULL if there is nothing. */
char	*file_tail(size_t max, size_t *n);

const char *file_path(void);

/* ---- follow.c: lines to mailctl, now and as they come --------------------- */

#define LINES_MAX	10000	/* of one answer */

/* A line as a row; what is none is left out. */
void	 follow_row(uint32_t ask, struct slice line);
/* These lines as rows, and the answer's end. */
void	 follow_show(struct ring *, uint32_t ask, const size_t *v, size_t n);
/*
 * Answer now with the last lines that contain text, when cursor is "0", or
 * with those behind it, as soon as there is one, and at the latest after
 * FOLLOW_SECONDS.  The text of the answer is the cursor to ask with next, a
 * blank, and how many lines were forgotten in between.
 */
void	 follow_ask(struct ring *, uint32_t ask, struct slice cursor,
	    struct slice text, size_t lines);
/* There are new lines. */
void	 follow_new(void);

/* ---- rotate.c: old log files --------------------------------------------- */

/* The current file began so long ago. */
void	 rotate_began(uint64_t ms);
/* Is it time for a new one? */
bool	 rotate_due(uint64_t size);
/* Is there room for a current file of that size beside the old ones? */
bool	 rotate_room(uint64_t size);
/* Make path free by moving it and the old ones up.  0, -1 with errno. */
int	 rotate_move(const char *path);
/* Remove what is too old or too much beside a current file of that size. */
int	 rotate_prune(const char *path, uint64_t current);

/* Files of the log by what they are, not by name, which changes. */
#define LOGFILES_MAX	1000
struct logfile {
	dev_t		 dev;
	ino_t		 ino;
	uint64_t	 size;
	unsigned int	 number;	/* as it was, 0 the current one */
};
/* All that there are, the oldest first; how many. */
size_t	 rotate_files(const char *path, struct logfile v[LOGFILES_MAX]);
/* Open one of them for reading, wherever it is now.  -1: it is gone. */
int	 rotate_open(const char *path, const struct logfile *);

/* ---- why.c --------------------------------------------------------------- */

/* Answers "why" of mailctl: what is an id of a message, a connection or the
 * queue, a Message-ID, an address, the number of an account, a host, or a
 * place. */
void	 why_run(uint32_t ask, struct slice what);

/* ---- logd.c: as struct role has them ------------------------------------- */

/* Before the jail: the socket of a syslogd, if there is to be one. */
void	 logd_load(const struct conf *);
void	 logd_start(const struct conf *);
/* One more who logs. */
void	 logd_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
void	 logd_reload(const struct conf *);
/* Writes the last words of all, and ends the process. */
void	 logd_stop(void);
/* "log" and "why" of mailctl. */
void	 logd_run(uint32_t ask, uint32_t uid, struct slice args);

#endif
