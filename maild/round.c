/*
 * The daily round: each account has a run of store once a day, at a time of
 * its own, which gives back what space is due; and those that deliver names,
 * or whose clients have left while nothing expunged is kept, have one within
 * a minute.  Run by maild.
 *
 * Invariants: one such run at a time; an account is named by a bit, however
 * often it is wanted, so nothing grows but with their number; no account that
 * is closed has one, for its directory may be exchanged then.  What failed
 * for now waits for the next tick, and that account for its next day.
 */
#include "base/compat.h"

#include <sys/stat.h>
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define DAY		86400
#define TICK_S		60	/* those that are wanted */
#define LOOK_S		900	/* which ones have their time */
#define SPREAD		2654435761U
#define LOOKED		".maild"	/* of the store: its time is when */

struct round {
	struct numset	 due;
	struct numset	 wanted;	/* since the last tick */
	size_t		 at;		/* octet of due, where to go on */
	int64_t		 looked;	/* wall clock */
	bool		 running;
	struct event	*tick, *next;
};

static void	 on_tick(evutil_socket_t, short, void *);
static void	 on_next(evutil_socket_t, short, void *);

/* When it was looked last, by those before us too; a day ago at most. */
static int64_t
looked_get(const struct house *h)
{
	int64_t now = (int64_t)now_sec();
	struct stat sb;

	if (fstatat(h->storefd, LOOKED, &sb, AT_SYMLINK_NOFOLLOW) == -1 ||
	    sb.st_mtime > now)
		return now;
	return sb.st_mtime < now - DAY ? now - DAY : sb.st_mtime;
}

/* Where that fails a start looks at some accounts once more. */
static void
looked_set(struct house *h, int64_t now)
{
	const struct timespec tv[2] = { { 0, UTIME_OMIT }, { now, 0 } };

	h->round->looked = now;
	(void)utimensat(h->storefd, LOOKED, tv, AT_SYMLINK_NOFOLLOW);
}

void
round_init(struct house *h)
{
	const struct timeval tv = { TICK_S, 0 };
	struct round *rd = xcalloc(1, sizeof(*rd));

	h->round = rd;
	rd->looked = looked_get(h);
	if ((rd->tick = event_new(h->base, -1, EV_PERSIST, on_tick, h)) ==
	    NULL || (rd->next = evtimer_new(h->base, on_next, h)) == NULL)
		fatalx("round: no event");
	event_add(rd->tick, &tv);
}

/* ---- which ones ---------------------------------------------------------- */

/* Does its time of the day lie behind from, and not behind to? */
static bool
has_time(uint32_t account, int64_t from, int64_t to)
{
	int64_t t = from - from % DAY + account * SPREAD % DAY;

	return (t > from ? t : t + DAY) <= to;
}

static void
look(struct house *h, int64_t from, int64_t to)
{
	int fd = openat(h->storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	uint32_t account;
	DIR *d;

	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		log_warn("the daily round: %s", h->conf->dir.store);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if ((account = directory_number(h, e->d_name)) != 0 &&
		    has_time(account, from, to))
			numset_put(&h->round->due, account, true);
	closedir(d);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct house *h = arg;
	struct round *rd = h->round;
	int64_t now = (int64_t)now_sec();
	uint32_t i;

	for (i = 0; i / 8 < rd->wanted.size; i++)
		if (numset_has(&rd->wanted, i))
			numset_put(&rd->due, i, true);
	numset_clear(&rd->wanted);
	if (now < rd->looked)		/* the clock was set back */
		looked_set(h, now);
	if (now - rd->looked >= LOOK_S) {
		look(h, rd->looked, now);
		looked_set(h, now);
	}
	on_next(-1, 0, h);
}

/* ---- one after the other ------------------------------------------------- */

/* From the event loop, not from here: runs that fail at once must not nest. */
static void
on_done(struct house *h, int code)
{
	const struct timeval at_once = { 0, 0 };

	h->round->running = false;
	if (code != EX_TEMPFAIL)
		event_add(h->round->next, &at_once);
}

/* One that is due, which it is no more then; 0: none. */
static uint32_t
due_take(struct round *rd)
{
	size_t n;
	uint32_t account;

	for (n = 0; n < rd->due.size; n++, rd->at++) {
		if (rd->at >= rd->due.size)
			rd->at = 0;
		if (rd->due.bits[rd->at] == 0)
			continue;
		for (account = (uint32_t)rd->at * 8;
		    !numset_has(&rd->due, account); account++)
			;
		numset_put(&rd->due, account, false);
		return account;
	}
	return 0;
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct house *h = arg;
	uint32_t account;

	if (h->round->running || !account_known(h))
		return;
	while ((account = due_take(h->round)) != 0)
		if (!account_closed(h, account)) {
			h->round->running = true;
			run_round(h, account, on_done);
			return;
		}
	numset_clear(&h->round->due);
	h->round->at = 0;
}

/* ---- those that are wanted ----------------------------------------------- */

static void
want(struct house *h, uint32_t account)
{
	if (account != 0 && account < h->conf->proc.uid_count)
		numset_put(&h->round->wanted, account, true);
}

void
round_on_want(struct chan *chan, struct msg *m, void *arg)
{
	want(((struct child *)arg)->house, m->body->store_want_ev.account);
}

void
round_client_left(struct house *h, uint32_t account)
{
	if (h->conf->store.undelete == 0)
		want(h, account);
}
