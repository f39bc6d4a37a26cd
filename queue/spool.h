/*
 * The nouns of queue that lie on disk: envelope and frame, the segments they
 * are in, large files, what is damaged, the records of queue.log and their
 * words.  See maild-spool(5) for the octets and each file's top for what is
 * always true.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"

struct event_base;
struct ids;
struct message;

/* ---- envelope.c: the envelope of a frame, pure ------------------------ */

#define ENV_MAX		(2U << 20)	/* octets of an encoded envelope */
#define ENV_RCPTS_MAX	4096		/* targets of one message */

enum rcpt_state {
	RCPT_WAIT,		/* due at next */
	RCPT_READY,		/* in a job that waits */
	RCPT_SENT,		/* in a job that deliver or relay has */
	RCPT_HELD,		/* until the operator releases it */
	RCPT_FAILED,		/* to be reported */
	RCPT_BOUNCING,		/* its report is being made */
	RCPT_DONE		/* delivered, relayed, reported or removed */
};

struct envelope {
	struct msg_id	 commit;
	uint64_t	 origin_seg;	/* delivery ids are made of these; */
	uint32_t	 origin_no;	/* a copied frame keeps them */
	uint64_t	 received;	/* seconds UTC */
	uint32_t	 account;	/* submitter, 0 from outside */
	uint8_t		 flags;		/* QF_ */
	uint8_t		 copy;		/* copied out of another segment */
	uint8_t		 warned;	/* the delay warning was sent */
	struct slice	 sid, sender, folder, trace, ticket;
	uint32_t	 nrcpt;
	struct slice	 rcpts;		/* encoded, env_rcpt_get */
};

struct env_rcpt {
	uint8_t		 type;		/* enum route_type */
	uint8_t		 state;		/* WAIT, HELD or DONE */
	uint16_t	 attempts;
	uint32_t	 account;	/* of a local one */
	uint32_t	 next;		/* seconds UTC, 0 at once */
	struct slice	 address;	/* where it goes */
	struct slice	 orig;		/* as RCPT said it, "" if the same */
};

/* Append to buf; 0, or -1 when it does not fit in size. */
int	 env_put(uint8_t *buf, size_t size, size_t *off,
	    const struct envelope *);
int	 env_rcpt_put(uint8_t *buf, size_t size, size_t *off,
	    const struct env_rcpt *);
/* Whole encoded envelope; slices point into it.  Every recipient was checked
 * when 0 comes back.  -1: damaged; ENV_NEWER: of a version that only a newer
 * release knows. */
#define ENV_NEWER	1
int	 env_get(const uint8_t *, size_t, struct envelope *);
/* Next recipient at *off of e->rcpts: 1, 0 at the end, -1 damaged. */
int	 env_rcpt_get(const struct envelope *, size_t *off, struct env_rcpt *);

/* ---- frame.c: a frame in a segment, pure ------------------------------ */

#define SEG_SIZE	(8U << 20)
#define SEG_START	1024U		/* first frame */
#define FRAME_HDR	64U
#define FRAME_ALIGN	64U
#define FRAME_LARGE	0x01		/* message and facts are in large/;
					 * no other flag changes its length */

struct frame_hdr {
	uint32_t	 no;		/* number in its segment */
	uint32_t	 env_len;
	uint32_t	 facts_len;
	uint32_t	 flags;		/* FRAME_ */
	uint64_t	 size;		/* octets of the message */
	uint64_t	 large;		/* number of the file, else 0 */
	uint32_t	 env_crc;
	uint32_t	 body_crc;	/* message and facts */
};

void	 frame_hdr_put(uint8_t *, const struct frame_hdr *, uint64_t nonce);
int	 frame_hdr_get(const uint8_t *, uint64_t nonce, struct frame_hdr *);
/* Octets on disk, header and padding included; 0: not possible. */
uint32_t frame_len(const struct frame_hdr *);
/* Checksums against the octets behind the header: 0, -1. */
int	 frame_check(const uint8_t *frame, const struct frame_hdr *);

enum scan_result {
	SCAN_FRAME,		/* *h, at *off; next is *off + frame_len */
	SCAN_DAMAGE,		/* [*off, *to) is bad, frames follow */
	SCAN_TORN,		/* begun frames at *off, nothing good after */
	SCAN_END		/* nothing of this segment from *off on */
};
/* What is at *off of the segment image buf[0..n)? */
enum scan_result frame_scan(const uint8_t *buf, size_t n, uint64_t nonce,
	    size_t *off, size_t *to, struct frame_hdr *h);

/* ---- spool.c: segments ------------------------------------------------ */

struct slot {				/* one frame of a segment */
	struct message	*m;		/* NULL: done */
};

enum seg_state {
	SEG_ACTIVE,			/* commits go here */
	SEG_FULL,			/* no more commits, frames may live */
	SEG_RETIRING,			/* retired, not yet in the synced log */
	SEG_SPARE,			/* to be used again */
	SEG_BROKEN			/* cannot be read: what is in it is
					 * not known, and kept */
};

/* A frame that a newer release left, or one that it wrote about. */
enum newer_what { NEWER_FRAME, NEWER_ENVELOPE, NEWER_TICKET, NEWER_RECORD };

struct newer {
	uint32_t	 no;
	uint32_t	 what;		/* enum newer_what */
	uint32_t	 version;	/* its, or type or flags */
	uint64_t	 size;
};

struct segment {
	TAILQ_ENTRY(segment) entry;
	enum seg_state	 state;
	uint32_t	 file;		/* name in seg/ */
	int		 fd;		/* -1: closed */
	uint64_t	 seq;		/* grows; the visible name */
	uint64_t	 id;		/* random, of delivery ids */
	uint64_t	 nonce;		/* random, of frame headers */
	uint32_t	 off;		/* where the next frame goes */
	uint32_t	 live;		/* frames not done */
	uint64_t	 live_bytes;
	uint64_t	 last;		/* s of now_ms(): commit or start */
	uint64_t	 begun;		/* now_ms(), 0: before the start */
	uint64_t	 done_gen;	/* log generation of its last done */
	uint32_t	 nslot, capslot;
	struct slot	*slot;
	struct ids	*ids;		/* ids.c */
	int		 err;		/* why the last read of it failed */
	bool		 keep;		/* named by what is not known here */
	struct newer	*newer;		/* by no; they count as live */
	uint32_t	 nnewer, capnewer;
};
TAILQ_HEAD(segments, segment);

/* Use the directory (kept open by the caller); makes seg, large and
 * quarantine.  0, -1 with errno. */
int	 spool_init(int dirfd);
int	 spool_dir(void);		/* dirfd */
struct segments *spool_segments(void);
/* Find every segment that is there and read its header: SEG_FULL, SEG_SPARE
 * (never used) or SEG_BROKEN; one whose header is damaged goes to the
 * quarantine.  0, -1 with errno: the list is empty. */
int	 spool_load(void);
/* Look at one that is SEG_BROKEN again: 0, when its header is known, else -1
 * with errno, and it may be gone. */
int	 segment_again(struct segment *);
/* A segment to write into, a spare one or a new file, its header on disk.
 * NULL with errno. */
struct segment *segment_new(void);
struct segment *segment_find(uint64_t id);
struct segment *segment_seq(uint64_t seq);
/* Read the whole into buf of SEG_SIZE; octets read, -1. */
ssize_t	 segment_image(struct segment *, uint8_t *buf);
int	 segment_read(struct segment *, void *, size_t, off_t);
int	 segment_write(struct segment *, const void *, size_t, off_t);
/* The n octets that were written to the segment at its off are in memory at p,
 * until the next call; NULL: none are. */
void	 segment_recent_set(const struct segment *, const uint8_t *p, size_t n);
/* What lies at off of the segment, if it is among those; else NULL. */
const uint8_t *segment_recent(const struct segment *, size_t off);
int	 segment_sync(struct segment *);	/* fdatasync */
/* Sync what an earlier process wrote; if that fails (-1), the next reads see
 * what the disk has. */
int	 segment_settle(struct segment *);
/* The next slot; its number. */
uint32_t segment_slot(struct segment *, struct message *);
void	 segment_spare(struct segment *);	/* nothing in it counts */
/* Unlink spares beyond what is worth keeping. */
void	 spool_trim(void);

/* ---- quarantine.c: what is damaged ------------------------------------ */

int	 quarantine_init(int spoolfd);		/* 0, -1 with errno */
/* Log it, and keep a copy while there is room. */
void	 quarantine_keep(const struct segment *, const void *, size_t,
	    size_t off, const char *why);
/* Move a file there.  0, -1 with errno: it stays where it is. */
int	 quarantine_take(int dirfd, const char *name, const char *as);
/* Now and then: maild hears when there is room again. */
void	 quarantine_tick(void);

/* ---- large.c: messages that are files of their own -------------------- */

int	 large_init(int spoolfd);
/* Make one; *file is its number.  Descriptor to hand out, or -1. */
int	 large_new(uint64_t *file);
int	 large_open(uint64_t file);		/* read only; -1 */
/* Sync the octets behind the descriptor of one, and its name.  0, or -1 with
 * errno. */
int	 large_sync(int fd);
void	 large_unlink(uint64_t file);
/* At the start: large_named() for each file that a frame names, then
 * large_sweep(), which unlinks all others, unless keep, and forgets the
 * names. */
void	 large_named(uint64_t file);
void	 large_sweep(bool keep);

/* ---- text.c: the words of last errors --------------------------------- */

#define LOG_TEXT_MAX	600

/* The number of a text (cut at LOG_TEXT_MAX), which has one holder more by
 * this; 0 is the empty text. */
uint32_t text_hold(struct slice);
void	 text_drop(uint32_t);		/* one holder less */
const char *text_get(uint32_t);
/* Was the text written to that log file before?  From now on it counts as
 * written. */
bool	 text_told(uint32_t, uint32_t file);
/* While a log file is read: which text its numbers stand for. */
void	 text_map_put(uint32_t, struct slice);
uint32_t text_map_get(uint32_t);	/* not held */
void	 text_map_end(void);

/* ---- record.c: a record of queue.log, pure ---------------------------- */

enum log_type {
	LOG_DONE = 1,		/* rcpt is done */
	LOG_RANGE,		/* frames no .. no + next - 1 are done */
	LOG_DEFERRED,		/* as LOG_DEFER, with text: not written now */
	LOG_HELD,
	LOG_RELEASED,
	LOG_WARNED,		/* delay warning sent for the message */
	LOG_RETIRED,		/* the whole segment */
	LOG_TEXT,		/* text_id stands for text from here on */
	LOG_DEFER,		/* next, attempts, text_id */
	LOG_TYPE_MAX
	/* 10 and 11 are kept for SITE and SEALED. */
};

#define LOG_ALL		UINT16_MAX	/* rcpt: every one */
#define LOG_MAY_PASS	0x80	/* ignored where its type is not known */
#define LOG_HDR		32U		/* octets before text or text_id */
#define LOG_LEN_MAX	4096U		/* of a record, now or later */
#define LOG_REC_MAX	(LOG_HDR + 8 + LOG_TEXT_MAX)	/* of ours */

struct log_rec {
	unsigned int	 type;		/* enum log_type, or of a newer one */
	uint8_t		 flags;		/* LOG_MAY_PASS */
	uint64_t	 seg;		/* id, 0: of no segment */
	uint32_t	 no;
	uint16_t	 rcpt;
	uint16_t	 attempts;
	uint32_t	 next;
	uint32_t	 text_id;
	struct slice	 text;		/* last error */
};

/* Encode into buf of LOG_REC_MAX, aligned length; seed is the file's. */
size_t	 log_rec_put(uint8_t *buf, const struct log_rec *, uint32_t seed);
/* Octets of the record at p, 0: none is there. */
size_t	 log_rec_get(const uint8_t *p, size_t n, uint32_t seed,
	    struct log_rec *);

/* ---- log.c: what became of each recipient ----------------------------- */

#define LOG_START	32
#define LOG_WINDOW	(1U << 20)	/* octets of a file in memory */

struct log_reader {
	int		 fd;		/* -1: closed; the caller's */
	uint32_t	 seed;
	off_t		 off;		/* of the window */
	off_t		 end;		/* not read beyond */
	off_t		 last;		/* behind the last record */
	uint8_t		*buf;		/* LOG_WINDOW */
	size_t		 n, at, bad;
	bool		 whole;		/* the end is in the window */
};

/* Begin to read the file from its first record.  -1 with errno: EBADMSG no
 * header, ENOTSUP one of a newer release. */
int	 log_reader_open(struct log_reader *, int fd, off_t end);
void	 log_reader_close(struct log_reader *);
/* 1: the next record and its octets, good till the next call; 0: the end;
 * -1 with errno: it cannot be read now, and may be called again. */
int	 log_reader_next(struct log_reader *, struct log_rec *,
	    const uint8_t **octets, size_t *len);
/* What LOG_TEXT says is remembered, LOG_DEFER gets its text. */
void	 log_rec_words(struct log_rec *);

/* Read queue.log of the spool, calling fn for each record in order.  0, -1
 * with errno; the next call goes on where this one failed. */
int	 qlog_read(int spoolfd, void (*fn)(const struct log_rec *));
/* Go on with the file that was read.  0, -1 with errno. */
int	 qlog_continue(int spoolfd);
int	 qlog_file(void);		/* its descriptor, -1: none */
void	 qlog_add(const struct log_rec *);	/* collected */
int	 qlog_write(void);			/* 0, -1 */
int	 qlog_sync(void);			/* write and fdatasync */
bool	 qlog_dirty(void);			/* something is not synced */
/* Records added so far have this generation; synced ones are <=
 * qlog_synced(). */
uint64_t qlog_gen(void);
uint64_t qlog_synced(void);
bool	 qlog_long(void);			/* worth a rewrite */

/* A new file beside it, which gets the records of what it has already; 0, -1
 * with errno. */
int	 qlog_next_begin(int spoolfd, bool (*has)(const struct log_rec *));
void	 qlog_next_add(const struct log_rec *);
void	 qlog_next_carry(const uint8_t *octets, size_t);
off_t	 qlog_next_length(void);
int	 qlog_next_write(void);
/* Sync the new file and put it in the place of the old one.  0: done; -1: the
 * old one stays; 1: it is in place, but the directory is not synced, so that
 * the next rewrite has to succeed. */
int	 qlog_next_end(int spoolfd);
void	 qlog_next_drop(void);

/* ---- rewrite.c: a new queue.log, in pieces ---------------------------- */

/* What a rewrite asks of recover.c, which stands above. */
struct rewrite_ops {
	/* There is something that this process does not know or cannot read. */
	bool	(*unknown)(void);
	/* A record of the old log that only it knows. */
	bool	(*carries)(const struct log_rec *);
};

void	 rewrite_init(struct event_base *, const struct rewrite_ops *);
/* Begin one, if none is on its way and the last did not fail just now; it
 * goes on by itself.  0, -1 with errno. */
int	 rewrite_begin(void);
/* The next piece: 1 there is more, 0 the new file is there, -1 with errno. */
int	 rewrite_turn(void);
int	 rewrite_now(void);		/* all at once; 0, -1 */
void	 rewrite_stop(void);
/* Offset behind the records that the last rewrite copied from the file
 * before. */
off_t	 rewrite_carried(void);

#endif
