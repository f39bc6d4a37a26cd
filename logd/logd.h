/*
 * logd: takes the lines of every process, writes them, and remembers the
 * recent ones.  Included after parse.h.
 */
#ifndef LOGD_H
#define LOGD_H

#include <stdbool.h>

#define LOGD_LINE	2304	/* octets of a whole line, newline included */

/* ---- logd_line.c: records and lines (pure) ------------------------------- */

struct logd_record {
	unsigned int	 level;
	struct slice	 text;
};

/* The next record of a datagram at *off: 1, 0 at the end, -1 damaged. */
int	 logd_record(struct slice datagram, size_t *off,
	    struct logd_record *);
/* "2026-11-21T18:20:57.123Z" of ms since 1970 into out (25 octets). */
void	 logd_stamp(uint64_t ms, char *out);
/* One line of LOGD_LINE octets with a newline; what is no printable text
 * becomes '?', a long one is cut.  Returns its length. */
size_t	 logd_line(char *out, const char *stamp, const char *process,
	    unsigned int instance, unsigned int level, struct slice text);
const char *logd_level(unsigned int level);
/* A line taken apart again; -1 if it is none. */
struct logd_parts { struct slice time, process, level, text; };
int	 logd_parse(struct slice line, struct logd_parts *);

/* ---- logd_ring.c: the recent lines --------------------------------------- */

#define RING_BYTES	(8 * 1024 * 1024)
#define RING_LINES	65536

struct ring;

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
/* The last max lines about one message, session or address: those with id
 * as a word, and those of the sessions that these belong to. */
size_t	 ring_why(const struct ring *, struct slice id, size_t *index,
	    size_t max);

/* ---- logd_file.c: the file ----------------------------------------------- */

/* Open (or make) path for appending.  0, -1 with a note on the next line
 * that can be written. */
int	 file_open(const char *path);
/* Append to what will be written; file_flush does it with one write. */
void	 file_add(struct slice line);
void	 file_flush(void);
/* Open again if somebody moved the file away. */
void	 file_check(void);
/* Move path to path.1 (that to path.2, up to path.9) unless it was moved
 * already, and start a new one.  0, -1 with errno. */
int	 file_rotate(void);
/* The last max octets of the file, for the ring after a restart; freed by
 * the caller, NULL if there is nothing. */
char	*file_tail(size_t max, size_t *n);

#endif
