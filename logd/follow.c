/*
 * Lines to mailctl: those that are there, and with "log -f" those that come.
 * Who follows asks again and again, each time from where the last answer
 * ended; it waits here for the next line, and nothing is kept for it, so one
 * that does not read costs nothing.
 *
 * Where an answer ended is a line's number in the ring of this life of logd,
 * and besides its time and a checksum, by which a new life, which has read
 * the file, finds it again.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "logd/logd.h"

#define FOLLOW_SECONDS	25
#define FOLLOWERS_MAX	32	/* the oldest is answered when there are more */
#define FOLLOW_LINES	1000	/* of one answer */
#define STAMP_LEN	24
#define CURSOR_LEN	(16 + 16 + 8 + STAMP_LEN)

struct cursor {
	uint8_t	 life[8];
	uint64_t number;		/* of the next line */
	uint32_t crc;			/* of the line before it */
	char	 stamp[STAMP_LEN + 1];	/* of that line too; "" none */
};

struct follower {
	TAILQ_ENTRY(follower) entry;
	struct event	*timer;
	uint32_t	 ask;
	uint64_t	 from;
	char		*text;
};

static struct {
	struct ring	*ring;
	uint8_t		 life[8];
	TAILQ_HEAD(, follower) followers;
	size_t		 n;
} st = { .followers = TAILQ_HEAD_INITIALIZER(st.followers) };

/* ---- rows ---------------------------------------------------------------- */

void
follow_row(uint32_t ask, struct slice line)
{
	struct logd_parts o;
	struct row row = { .n = 0 };

	if (logd_parse(line, &o) == -1)
		return;
	row_str(&row, "time", o.time);
	row_str(&row, "process", o.process);
	row_str(&row, "level", o.level);
	row_str(&row, "text", o.text);
	proc_row(ask, &row);
}

static void
show_rows(const struct ring *r, uint32_t ask, const size_t *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		follow_row(ask, ring_line(r, v[i]));
}

void
follow_show(struct ring *r, uint32_t ask, const size_t *v, size_t n)
{
	show_rows(r, ask, v, n);
	proc_done(ask, n == 0 ? EX_DATAERR : EX_OK, "%s", n == 0 ?
	    "nothing of that in the recent log" : "");
}

/* ---- cursors ------------------------------------------------------------- */

/* The time of the line before that number, and its checksum. */
static void
cursor_line(struct cursor *c, const struct ring *r, uint64_t number)
{
	struct slice line;

	c->crc = 0;
	c->stamp[0] = '\0';
	if (number == ring_first(r))
		return;
	line = ring_line(r, (size_t)(number - 1 - ring_first(r)));
	c->crc = crc32c(0, line.p, line.n);
	if (line.n >= STAMP_LEN)
		slice_cpy(slice_of(line.p, STAMP_LEN), c->stamp,
		    sizeof(c->stamp));
}

static void
cursor_print(uint64_t number, char out[CURSOR_LEN + 1])
{
	struct cursor c;
	char life[17];

	cursor_line(&c, st.ring, number);
	hex_encode(life, st.life, sizeof(st.life));
	snprintf(out, CURSOR_LEN + 1, "%s%016llx%08x%s", life,
	    (unsigned long long)number, c.crc, c.stamp[0] == '\0' ?
	    "0000-00-00T00:00:00.000Z" : c.stamp);
}

static int
cursor_parse(struct slice s, struct cursor *c)
{
	char hex[2 * 20 + 1];
	uint8_t b[20];
	size_t i;

	if (s.n != CURSOR_LEN || slice_cpy(slice_of(s.p, sizeof(hex) - 1), hex,
	    sizeof(hex)) == -1 || hex_decode(b, sizeof(b), hex) == -1)
		return -1;
	memcpy(c->life, b, 8);
	c->number = 0;
	c->crc = 0;
	for (i = 8; i < 16; i++)
		c->number = c->number << 8 | b[i];
	for (; i < 20; i++)
		c->crc = c->crc << 8 | b[i];
	return slice_cpy(slice_of(s.p + 40, STAMP_LEN), c->stamp,
	    sizeof(c->stamp));
}

/* Where to go on in this life: behind that very line, else behind its time. */
static uint64_t
cursor_find(const struct cursor *c, const struct ring *r)
{
	uint64_t n;
	struct cursor is;
	int order;

	if (memcmp(c->life, st.life, sizeof(c->life)) == 0)
		return c->number < ring_end(r) ? c->number : ring_end(r);
	for (n = ring_end(r); n > ring_first(r); n--) {
		cursor_line(&is, r, n);
		order = strcmp(is.stamp, c->stamp);
		if (order < 0 || (order == 0 && is.crc == c->crc))
			break;
	}
	return n;
}

/* ---- followers ----------------------------------------------------------- */

/* What there is from that number on, and where to go on.  Lines that were
 * forgotten before they were asked for are counted. */
static void
answer(uint32_t ask, uint64_t from, struct slice text)
{
	static size_t v[FOLLOW_LINES];
	char cursor[CURSOR_LEN + 1];
	uint64_t first = ring_first(st.ring);
	uint64_t lost = from < first ? first - from : 0;
	size_t n = ring_after(st.ring, text, &from, v, FOLLOW_LINES);

	show_rows(st.ring, ask, v, n);
	cursor_print(from, cursor);
	proc_done(ask, EX_OK, "%s %llu", cursor, (unsigned long long)lost);
}

static void
follower_end(struct follower *f)
{
	answer(f->ask, f->from, slice_str(f->text));
	TAILQ_REMOVE(&st.followers, f, entry);
	st.n--;
	event_free(f->timer);
	free(f->text);
	free(f);
}

static void
on_late(evutil_socket_t fd, short ev, void *arg)
{
	follower_end(arg);
}

/* Is there a line for it?  What is none is not looked at again. */
static bool
follower_has(struct follower *f)
{
	uint64_t from = f->from;
	size_t i;

	if (f->from < ring_first(st.ring) ||
	    ring_after(st.ring, slice_str(f->text), &from, &i, 1) > 0)
		return true;
	f->from = from;
	return false;
}

void
follow_new(void)
{
	struct follower *f, *next;

	for (f = TAILQ_FIRST(&st.followers); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (follower_has(f))
			follower_end(f);
	}
}

static void
follower_new(uint32_t ask, uint64_t from, struct slice text)
{
	const struct timeval tv = { FOLLOW_SECONDS, 0 };
	struct follower *f = xcalloc(1, sizeof(*f));

	if (st.n == FOLLOWERS_MAX)
		follower_end(TAILQ_FIRST(&st.followers));
	f->ask = ask;
	f->from = from;
	f->text = xcalloc(1, text.n + 1);
	if (text.n > 0)
		memcpy(f->text, text.p, text.n);
	if ((f->timer = evtimer_new(proc_base(), on_late, f)) == NULL)
		fatalx("follow: no event");
	event_add(f->timer, &tv);
	TAILQ_INSERT_TAIL(&st.followers, f, entry);
	st.n++;
	if (follower_has(f))
		follower_end(f);
}

void
follow_ask(struct ring *r, uint32_t ask, struct slice cursor,
    struct slice text, size_t lines)
{
	static const uint8_t none[8];
	static size_t v[LINES_MAX];
	char out[CURSOR_LEN + 1];
	struct cursor c;

	st.ring = r;
	if (memcmp(st.life, none, sizeof(none)) == 0)
		random_bytes(st.life, sizeof(st.life));
	if (slice_is(cursor, "0")) {
		show_rows(r, ask, v, ring_find(r, text, v, lines));
		cursor_print(ring_end(r), out);
		proc_done(ask, EX_OK, "%s 0", out);
	} else if (cursor_parse(cursor, &c) == -1)
		proc_done(ask, EX_USAGE, "log -f: that is no cursor");
	else
		follower_new(ask, cursor_find(&c, r), text);
}
