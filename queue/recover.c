/*
 * The start: read every segment, then queue.log over it, and go on with what
 * is not done.
 *
 * What cannot be read now is not taken for empty.  Without the directory or
 * the log nothing begins: no mail is taken or handed out, and it is tried
 * again.  A segment that cannot be read is left alone (SEG_BROKEN) and tried
 * again, and as long as there is one, nothing is thrown away that only it
 * may name: large files that seem to be nobody's, records of the log whose
 * segment is not known, and segments in which it may find that a frame of
 * its own was copied or committed again.
 *
 * After a start every local recipient that is not done counts as maybe done:
 * deliver may have had it when queue ended.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define AGAIN		60		/* s */

static struct {
	enum { AT_DIRECTORY, AT_SEGMENTS, AT_LOG, AT_FILE, AT_END } step;
	struct segment	*last;		/* of the last record */
	unsigned int	 unknown;	/* records of a newer release */
	unsigned int	 broken;	/* segments that cannot be read */
	unsigned int	 nnewer;	/* frames of a newer release */
	uint64_t	 started;	/* now_ms() */
	uint64_t	 again;
} rc;

static int	 advance(void);
static int	 read_segments(void);
static int	 read_log(void);
static int	 open_log(void);
static void	 begin(void);
static void	 broken_again(struct segment *);
static int	 read_log_of(struct segment *);
static void	 recover_count(void);

bool
recover_run(void)
{
	static const char *const what[] = {
		[AT_DIRECTORY] = "seg", [AT_SEGMENTS] = "seg",
		[AT_LOG] = "queue.log", [AT_FILE] = "queue.log",
		[AT_END] = ""
	};

	if (rc.started == 0)
		rc.started = now_ms();
	rc.again = now_ms() + AGAIN * 1000;
	while (rc.step != AT_END)
		if (advance() == -1) {
			proc_impaired("spool", "%s/%s cannot be %s: %s; until "
			    "it can be, no mail is taken or delivered; it is "
			    "tried again each minute", proc_conf()->dir.spool,
			    what[rc.step], rc.step == AT_FILE ? "written" :
			    "read", errno == ENOTSUP ? "a newer release wrote "
			    "it, run that one" : strerror(errno));
			log_warn("spool %s", what[rc.step]);
			return false;
		}
	proc_impaired_over("spool");
	return true;
}

bool
recover_done(void)
{
	return rc.step == AT_END;
}

/* One step; -1 with errno: the same is to be done again. */
static int
advance(void)
{
	int r = -1;

	switch (rc.step) {
	case AT_DIRECTORY:
		r = spool_load();
		break;
	case AT_SEGMENTS:
		r = read_segments();
		break;
	case AT_LOG:
		r = read_log();
		break;
	case AT_FILE:
		if ((r = open_log()) == 0)
			begin();
		break;
	case AT_END:
		return 0;
	}
	if (r == 0)
		rc.step++;
	return r;
}

static int
read_segments(void)
{
	uint8_t *buf = xcalloc(1, SEG_SIZE);
	struct segment *s;

	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL && load_segment(s, buf, false) == -1) {
			s->err = errno;
			s->state = SEG_BROKEN;
		}
	free(buf);
	return 0;
}

static void
apply(const struct log_rec *rec)
{
	if (rec->type >= LOG_TYPE_MAX)
		rc.unknown++;
	if (rec->seg == 0 || rec->type == LOG_TEXT)
		return;
	if (rc.last == NULL || rc.last->id != rec->seg ||
	    rc.last->state != SEG_FULL)
		rc.last = segment_find(rec->seg);
	if (rc.last != NULL && rc.last->state == SEG_FULL)
		load_apply(rc.last, rec);
}

static int
read_log(void)
{
	struct segment *s;

	if (qlog_read(spool_dir(), apply) == -1)
		return -1;
	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL)
			load_finish(s);
	return 0;
}

/* A new file; when there is no room for one, the old one goes on. */
static int
open_log(void)
{
	recover_count();
	if (qlog_file() == -1 && qlog_continue(spool_dir()) == -1 &&
	    errno != ENOENT)
		return -1;
	if (rewrite_now() == 0 || qlog_file() != -1)
		return 0;		/* it goes on, and is told of */
	return -1;
}

static void
begin(void)
{
	struct segment *s;
	unsigned int n = 0;

	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state == SEG_FULL)
			n += load_begin(s);
	large_sweep(rc.broken > 0);
	log_info("spool read messages=%u newer=%u unreadable=%u in %llu ms",
	    n, rc.nnewer, rc.broken,
	    (unsigned long long)(now_ms() - rc.started));
}

/* ---- what cannot be read yet ------------------------------------------ */

void
recover_tick(void)
{
	struct segment *s, *next;

	if (now_ms() >= rc.again) {
		if (!recover_run())
			return;
		for (s = TAILQ_FIRST(spool_segments()); s != NULL; s = next) {
			next = TAILQ_NEXT(s, entry);
			if (s->state == SEG_BROKEN)
				broken_again(s);
		}
	}
	if (rc.step == AT_END)
		recover_count();
}

/* How much is not known, told to maild. */
static void
recover_count(void)
{
	const struct segment *s, *bad = NULL;
	unsigned int unread = 0, newer = 0;

	rc.broken = rc.nnewer = 0;
	TAILQ_FOREACH(s, spool_segments(), entry) {
		rc.broken += s->state == SEG_BROKEN;
		newer += s->state == SEG_BROKEN && s->err == ENOTSUP;
		rc.nnewer += s->nnewer;
		if (s->state == SEG_SPARE || s->err == 0 || s->err == ENOTSUP)
			continue;
		unread++;
		bad = bad == NULL ? s : bad;
	}
	if (bad == NULL)
		proc_impaired_over("unreadable");
	else
		proc_impaired("unreadable", "%s/seg/%u, or a file in large "
		    "of its, cannot be read: %s (%u such segments); the mail "
		    "in it is kept and waits, and it is tried again each "
		    "minute; look after the disk", proc_conf()->dir.spool,
		    bad->file, strerror(bad->err), unread);
	if (rc.nnewer + newer + rc.unknown == 0)
		proc_impaired_over("newer");
	else
		proc_impaired("newer", "%s has %u messages, %u segments and "
		    "%u records that a newer release left: they are kept and "
		    "wait for it (mailctl queue list)", proc_conf()->dir.spool,
		    rc.nnewer, newer, rc.unknown);
}

static void
broken_again(struct segment *s)
{
	uint8_t *buf;
	int r;

	rewrite_stop();			/* it may have gone past */
	if (segment_again(s) == -1)
		return;
	buf = xcalloc(1, SEG_SIZE);
	s->state = SEG_FULL;
	if ((r = load_segment(s, buf, true)) == 0)
		r = read_log_of(s);
	free(buf);
	if (r == -1) {
		s->err = errno;
		ids_drop(s);
		load_drop(s);
		s->state = SEG_BROKEN;
		return;
	}
	s->err = 0;
	if (s->state != SEG_FULL)	/* retired before it broke */
		return;
	load_finish(s);
	log_notice("spool segment=%llx file=%u can be read again messages=%u",
	    (unsigned long long)s->seq, s->file, load_begin(s));
}

/* Its records are among those that were carried over. */
static int
read_log_of(struct segment *s)
{
	struct log_reader r;
	struct log_rec rec;
	const uint8_t *octets;
	size_t len;
	int k, e;

	if (qlog_write() == -1 ||
	    log_reader_open(&r, qlog_file(), rewrite_carried()) == -1)
		return -1;
	while ((k = log_reader_next(&r, &rec, &octets, &len)) == 1) {
		log_rec_words(&rec);
		if (rec.seg == s->id && s->state == SEG_FULL &&
		    rec.type != LOG_TEXT)
			load_apply(s, &rec);
	}
	e = errno;
	text_map_end();
	log_reader_close(&r);
	errno = e;
	return k;
}

/* ---- what must not go ------------------------------------------------- */

bool
recover_unknown(void)
{
	return rc.unknown + rc.broken + rc.nnewer > 0;
}

/* The ids of what was there at the start, or was committed when smtpd may
 * still have been told that a commit is not known, tell which frames of a
 * segment that cannot be read yet are somebody else's by now. */
bool
recover_keeps(const struct segment *s)
{
	return rc.broken > 0 && s->begun < rc.started + IDS_KEEP * 1000;
}

bool
recover_carries(const struct log_rec *r)
{
	const struct segment *s;
	uint32_t i;

	if (r->type == LOG_TEXT || (r->seg == 0 && r->type >= LOG_TYPE_MAX))
		return true;
	if ((s = segment_find(r->seg)) == NULL)
		return rc.broken > 0 || (r->type >= LOG_TYPE_MAX &&
		    (r->flags & LOG_MAY_PASS) == 0);
	if (s->state == SEG_BROKEN || r->type >= LOG_TYPE_MAX)
		return true;
	for (i = 0; i < s->nnewer; i++)
		if (s->newer[i].no == r->no || (r->type == LOG_RANGE &&
		    s->newer[i].no - r->no < r->next))
			return true;
	return false;
}
