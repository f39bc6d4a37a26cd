/*
 * What takes long with large files, a slice in each turn of the loop, so that
 * commits of others go on between: to put one on disk before its commit, to
 * check one against its checksum before its first attempt in this life, and
 * to unlink those that are done.  queue only.
 *
 * Of each kind the one that came first goes on until it is through: the disk
 * is one, and no more descriptors are open.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define SYNC_SLICE	(1024U * 1024)
#define CHECK_SLICE	(256U * 1024)
#define TURN_UNLINKS	4

TAILQ_HEAD(settlings, settling);

struct settling {
	TAILQ_ENTRY(settling) entry;
	struct settlings *list;
	uint64_t	 file, size, off;
	int		 fd;		/* -1: not begun */
	uint32_t	 crc, want;	/* to check */
	settle_cb	 end;
	void		*arg;
};

static struct {
	struct event	*ev;
	struct settlings sync, check;
	uint64_t	*unlink;
	size_t		 nunlink, capunlink;
} se;

static void	 on_turn(evutil_socket_t, short, void *);
static bool	 turn_of(struct settlings *, int (*)(struct settling *));
static int	 open_file(struct settling *);
static int	 sync_slice(struct settling *);
static int	 check_slice(struct settling *);
static void	 begin(void);

void
settle_init(struct event_base *base)
{
	TAILQ_INIT(&se.sync);
	TAILQ_INIT(&se.check);
	if ((se.ev = event_new(base, -1, 0, on_turn, NULL)) == NULL)
		fatalx("event_new");
}

static struct settling *
settling_new(struct settlings *list, uint64_t file, uint64_t size,
    settle_cb end, void *arg)
{
	struct settling *s = xcalloc(1, sizeof(*s));

	s->list = list;
	s->file = file;
	s->size = size;
	s->fd = -1;
	s->end = end;
	s->arg = arg;
	TAILQ_INSERT_TAIL(list, s, entry);
	begin();
	return s;
}

struct settling *
settle_sync(uint64_t file, uint64_t size, settle_cb end, void *arg)
{
	return settling_new(&se.sync, file, size, end, arg);
}

void
settle_check(uint64_t file, uint64_t size, uint32_t crc, settle_cb end,
    void *arg)
{
	settling_new(&se.check, file, size, end, arg)->want = crc;
}

void
settle_stop(struct settling *s)
{
	TAILQ_REMOVE(s->list, s, entry);
	if (s->fd != -1)
		close(s->fd);
	free(s);
}

void
settle_forget(const void *arg)
{
	struct settling *s;

	TAILQ_FOREACH(s, &se.check, entry)
		if (s->arg == arg) {
			settle_stop(s);
			return;
		}
}

void
settle_unlink(uint64_t file)
{
	if (se.nunlink == se.capunlink) {
		se.capunlink = se.capunlink == 0 ? 64 : se.capunlink * 2;
		se.unlink = xreallocarray(se.unlink, se.capunlink,
		    sizeof(*se.unlink));
	}
	se.unlink[se.nunlink++] = file;
	begin();
}

static void
begin(void)
{
	static const struct timeval now = { 0, 0 };

	if (!event_pending(se.ev, EV_TIMEOUT, NULL))
		event_add(se.ev, &now);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	bool more = turn_of(&se.sync, sync_slice);
	unsigned int i;

	more = turn_of(&se.check, check_slice) || more;
	for (i = 0; i < TURN_UNLINKS && se.nunlink > 0; i++)
		large_unlink(se.unlink[--se.nunlink]);
	if (more || se.nunlink > 0)
		begin();
}

/* One slice of the first; is there more to do? */
static bool
turn_of(struct settlings *list, int (*slice)(struct settling *))
{
	struct settling *s = TAILQ_FIRST(list);
	settle_cb end;
	void *arg;
	int r, e;

	if (s == NULL)
		return false;
	r = s->fd == -1 ? open_file(s) : slice(s);
	if (r == 1)
		return true;
	e = r == 0 ? 0 : errno;
	end = s->end;
	arg = s->arg;
	settle_stop(s);
	end(arg, e);
	return !TAILQ_EMPTY(list);
}

/* ---- a slice: 1 there is more, 0 it is done, -1 with errno -------------- */

static int
open_file(struct settling *s)
{
	struct stat st;

	if ((s->fd = large_open(s->file)) == -1 || fstat(s->fd, &st) == -1)
		return -1;
	if ((uint64_t)st.st_size != s->size) {
		errno = EINVAL;
		return -1;
	}
	return 1;
}

static size_t
slice_size(const struct settling *s, size_t max)
{
	return s->size - s->off < max ? (size_t)(s->size - s->off) : max;
}

/* Where the range cannot be waited for, the sync does all of it. */
static int
sync_slice(struct settling *s)
{
	size_t n = slice_size(s, SYNC_SLICE);

	if (n == 0)
		return large_sync(s->fd);
	if (sync_file_range(s->fd, (off_t)s->off, (off_t)n,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
	    SYNC_FILE_RANGE_WAIT_AFTER) == -1 && errno != ESPIPE &&
	    errno != ENOSYS && errno != EINVAL)
		return -1;
	s->off += n;
	return 1;
}

static int
check_slice(struct settling *s)
{
	static uint8_t buf[CHECK_SLICE];
	size_t n = slice_size(s, sizeof(buf));

	if (n == 0) {
		if (s->crc == s->want)
			return 0;
		errno = EBADMSG;
		return -1;
	}
	if (pread_all(s->fd, buf, n, (off_t)s->off) == -1)
		return -1;
	s->crc = crc32c(s->crc, buf, n);
	s->off += n;
	return 1;
}
