/*
 * "why": all lines about one message, connection, address, account or host,
 * out of the log and its old files.  They are read from the oldest on, a
 * window a loop turn, again and again until nothing new is led to; only where
 * the lines stand is remembered, and at the end they are read once more and
 * sent.  So it takes the same memory whatever the log has, and logd goes on
 * meanwhile.
 *
 * What is logged after the start is not looked at.  A file that is moved up
 * meanwhile is known by its inode; one that is removed is left out.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/err.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "logd/logd.h"

#define WINDOW		(256 * 1024)	/* octets read in a turn */
#define JOBS_MAX	4		/* at the same time */
#define PASSES_MAX	8		/* over all files */
#define TURN_ROWS	200
#define BUSY_US		10000		/* until maild has taken some */

struct found {
	uint64_t	 off;
	uint16_t	 file, n;
};

struct job {
	uint32_t	 ask;
	struct keys	*keys;
	struct logfile	 file[LOGFILES_MAX];	/* the oldest first */
	size_t		 nfiles, at;
	int		 fd;		/* of file[at], -1 not open */
	uint64_t	 off;		/* in it */
	unsigned int	 pass;
	size_t		 before;	/* keys when the pass began */
	struct found	 found[LINES_MAX];	/* a ring */
	size_t		 n;		/* ever put there in this pass */
	size_t		 sent;
	bool		 sending;
	struct event	*ev;
};

static unsigned int njobs;
static char window[WINDOW];

static void	 on_turn(evutil_socket_t, short, void *);
static bool	 pass_begin(struct job *);
static bool	 read_turn(struct job *);
static bool	 send_turn(struct job *);
static void	 job_end(struct job *);

/* As addresses stand in the log: quoted where it has to be; -1: it is none. */
static int
canonical(struct slice s, char text[ADDR_TEXT_MAX])
{
	struct parse_err err;
	struct address a;

	return address_parse(s, PATH_DOTS | PATH_UTF8, &a, &err) == 0 &&
	    address_print(&a, text, ADDR_TEXT_MAX) != -1 ? 0 : -1;
}

/* NULL, or why it cannot be looked for. */
static const char *
asked(struct keys *k, struct slice s)
{
	char text[KEY_OCTETS + 16], address[ADDR_TEXT_MAX];
	struct slice uids, token;
	struct place p;
	uint64_t number;

	if (s.n > 0 && memchr("<([\"", s.p[0], 4) != NULL &&
	    canonical(s, address) == -1) {
		uids = s;		/* as it stood in a reply or a field */
		if (words_token(&uids, &token))
			s = token;
	}
	if (slice_number(s, UINT32_MAX, &number) == 0) {
		snprintf(text, sizeof(text), "account=%llu",
		    (unsigned long long)number);
		keys_add(k, slice_str(text), KEY_ASKED);
	} else if (words_place(s, &p, &uids))
		while (words_range(&uids, &p.first, &p.last))
			keys_add_place(k, &p);
	else if (s.n < 3)
		return "three characters or more";
	else if (!keys_add(k, slice_str(log_text(s.p, s.n)), KEY_ASKED))
		return "too long";	/* never: log_text() cuts */
	else if (canonical(s, address) == 0)
		keys_add(k, slice_str(log_text(address, strlen(address))),
		    KEY_ASKED);
	return NULL;
}

void
why_run(uint32_t ask, struct slice what)
{
	struct job *j;
	const char *bad;

	if (njobs == JOBS_MAX) {
		proc_done(ask, EX_TEMPFAIL, "%d of these are under way; try "
		    "again later", JOBS_MAX);
		return;
	}
	j = xcalloc(1, sizeof(*j));
	j->ask = ask;
	j->fd = -1;
	j->keys = keys_new();
	njobs++;
	if ((bad = asked(j->keys, what)) != NULL) {
		proc_done(ask, EX_USAGE, "usage: why ID|MESSAGE-ID|ADDRESS|"
		    "ACCOUNT|HOST|PLACE: %s", bad);
		job_end(j);
		return;
	}
	file_flush();
	j->nfiles = rotate_files(file_path(), j->file);
	pass_begin(j);
	if ((j->ev = event_new(proc_base(), -1, 0, on_turn, j)) == NULL)
		fatalx("event_new");
	event_active(j->ev, 0, 0);
}

static void
job_end(struct job *j)
{
	if (j->ev != NULL)
		event_free(j->ev);
	if (j->fd != -1)
		close(j->fd);
	keys_free(j->keys);
	free(j);
	njobs--;
}

/* Has to be called from the loop, so that others come in between. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, 0 };
	struct job *j = arg;

	if (proc_main() != NULL && chan_full(proc_main()))
		tv.tv_usec = BUSY_US;
	else if (!j->sending)
		j->sending = !read_turn(j) && !pass_begin(j);
	else if (!send_turn(j)) {
		job_end(j);
		return;
	}
	event_add(j->ev, &tv);
}

/* ---- reading ------------------------------------------------------------- */

/* False: nothing new was led to, so that another one would find the same. */
static bool
pass_begin(struct job *j)
{
	if (j->pass > 0 && (keys_count(j->keys) == j->before ||
	    j->pass == PASSES_MAX))
		return false;
	j->pass++;
	j->before = keys_count(j->keys);
	j->at = j->n = 0;
	return true;
}

static void
take_line(struct job *j, struct slice line, uint64_t off)
{
	struct logd_parts o;

	if (line.n > LOGD_LINE || logd_parse(line, &o) == -1 ||
	    !match_line(j->keys, o.text))
		return;
	match_follow(j->keys, o.text);
	j->found[j->n++ % LINES_MAX] = (struct found){ off,
	    (uint16_t)j->at, (uint16_t)line.n };
}

/* Whole lines of the window; the octets they take. */
static size_t
take_lines(struct job *j, size_t n)
{
	struct slice rest = slice_of(window, n), line;

	while (rest.n > 0) {
		line = slice_of(rest.p, slice_find(rest, '\n'));
		if (line.n == rest.n)
			break;
		take_line(j, line, j->off + (uint64_t)(line.p - window));
		rest = slice_of(rest.p + line.n + 1, rest.n - line.n - 1);
	}
	/* What has no end in so many octets is no line. */
	return rest.n == n && n == WINDOW ? n : n - rest.n;
}

static void
file_next(struct job *j)
{
	if (j->fd != -1)
		close(j->fd);
	j->fd = -1;
	j->at++;
	j->off = 0;
}

/* A window of a file; false: that was the last. */
static bool
read_turn(struct job *j)
{
	const struct logfile *f = &j->file[j->at];
	size_t want;
	ssize_t n = -1;

	if (j->at == j->nfiles)
		return false;
	if (j->fd == -1) {
		j->off = 0;
		j->fd = rotate_open(file_path(), f);
	}
	want = f->size - j->off < WINDOW ? (size_t)(f->size - j->off) : WINDOW;
	if (j->fd != -1 && want > 0)
		n = pread(j->fd, window, want, (off_t)j->off);
	if (n > 0)
		n = (ssize_t)take_lines(j, (size_t)n);
	if (n > 0)
		j->off += (uint64_t)n;
	else
		file_next(j);
	return true;
}

/* ---- the answer ---------------------------------------------------------- */

static void
row_send(struct job *j, const struct found *f)
{
	char line[LOGD_LINE];

	if (j->fd == -1 || j->at != f->file) {
		if (j->fd != -1)
			close(j->fd);
		j->at = f->file;
		j->fd = rotate_open(file_path(), &j->file[j->at]);
	}
	/* else it was removed meanwhile */
	if (j->fd != -1 && pread_all(j->fd, line, f->n, (off_t)f->off) == 0)
		follow_row(j->ask, slice_of(line, f->n));
}

/* False: that was all, and it is answered. */
static bool
send_turn(struct job *j)
{
	size_t i, kept = j->n < LINES_MAX ? j->n : LINES_MAX;

	for (i = 0; i < TURN_ROWS && j->sent < kept; i++)
		row_send(j, &j->found[(j->n - kept + j->sent++) % LINES_MAX]);
	if (j->sent < kept)
		return true;
	if (j->n == 0)
		proc_done(j->ask, EX_DATAERR, "nothing of that in the log's "
		    "%zu file%s; what can be asked for: mailctl help why",
		    j->nfiles, j->nfiles == 1 ? "" : "s");
	else if (j->n > kept)
		proc_done(j->ask, EX_OK, "%zu older lines are left out",
		    j->n - kept);
	else if (keys_full(j->keys) || j->pass == PASSES_MAX)
		proc_done(j->ask, EX_OK, "it leads to more messages than are "
		    "followed: ask for one of them");
	else
		proc_done(j->ask, EX_OK, "%s", "");
	return false;
}
