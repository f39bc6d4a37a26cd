/*
 * imap-session: rest.  A client that says nothing for a while (imap.park)
 * needs no process: what the session knows goes to the front and the session
 * is over; another one goes on with it when the client speaks or, in IDLE,
 * when somebody changes the account (common/net/front_park.c, msg/session.h).
 * Nothing of it shows.  What comes back is hostile: with it the front gains
 * nothing that it could not ask for as its client.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/imap_parse.h"
#include "parse/parked.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static bool	park(struct session *, bool);
static bool	saved_park(const struct session *, struct parked_view *);
static int	saved_wake(struct session *, const struct parked_view *);

enum quiet
session_quiet(struct session *s, int fd, bool idle)
{
	struct pollfd	 pfd[2] = {
		{ .fd = s->io->sock, .events = POLLIN },
		{ .fd = fd, .events = POLLIN }
	};
	int		 n;

	frames_flush(s->io);
	while (!frames_ready(s->io)) {
		n = poll(pfd, 2, s->stays ? -1 : s->park_ms);
		if (n == -1 && errno != EINTR) {
			log_warn("imap-session: poll");
			return QUIET_SAID;
		}
		if (n == 0 && park(s, idle))
			return QUIET_PARKED;
		/* what is not the client's is no end of its silence */
		if (n > 0 && pfd[0].revents != 0)
			(void)frames_look(s->io);
		else if (n > 0)
			return QUIET_STIRRED;
	}
	return QUIET_SAID;
}

/* The result that a SEARCH saved.  False: it is too much. */
static bool
saved_park(const struct session *s, struct parked_view *v)
{
	if (s->nsaved > PARKED_SAVED_MAX)
		return false;
	for (; v->nsaved < s->nsaved; v->nsaved++)
		v->saved[v->nsaved] = (struct parked_run){
		    s->saved[v->nsaved].lo, s->saved[v->nsaved].hi };
	return true;
}

static int
saved_wake(struct session *s, const struct parked_view *v)
{
	size_t	 i;

	if (v->nsaved == 0)
		return 0;
	free(s->saved);
	if ((s->saved = calloc(v->nsaved, sizeof(*s->saved))) == NULL)
		return -1;
	for (i = 0; i < v->nsaved; i++)
		s->saved[i] = (struct imap_range){ v->saved[i].first,
		    v->saved[i].last };
	s->nsaved = v->nsaved;
	return 0;
}

/* True: the front has it.  False: something was said meanwhile, or the front
 * was not asked, since it is more than is kept. */
static bool
park(struct session *s, bool idle)
{
	struct parked	 k = { .deflate = s->deflate, .idle = idle,
			    .selected = s->state == SELECTED,
			    .enabled = s->enabled,
			    .nkeywords = s->keywords_told };
	uint8_t		 buf[PARKED_MAX];
	ssize_t		 n;
	int		 fd = -1;

	strlcpy(k.client, s->start.client, sizeof(k.client));
	s->stays = true;
	if (store_failed(s->store) || (k.selected &&
	    (!store_view_park(s->view, &k.view) || !saved_park(s, &k.view))))
		return false;
	if (idle) {
		strlcpy(k.tag, s->tag, sizeof(k.tag));
		strlcpy(k.watch, store_watch_name(s->store), sizeof(k.watch));
		fd = k.watch[0] != '\0' ? store_watch(s->store) : -1;
	}
	if ((n = parked_put(&k, buf, sizeof(buf))) == -1)
		return false;
	s->stays = false;
	s->parked = frames_park(s->io, idle ? SESSION_PARK_STILL : 0,
	    slice_of((char *)buf, (size_t)n), fd);
	return s->parked;
}

void
session_rested(struct session *s)
{
	int	 fd = store_watch_release(s->store);

	if (fd != -1)
		close(fd);
}

int
session_wake(struct session *s, struct slice state, int fd)
{
	struct store_view	*view;
	enum store_result	 r = STORE_OK;
	struct parked		 k;

	if (parked_get(state, &k) == -1 || (fd != -1 && (k.watch[0] == '\0' ||
	    store_watch_adopt(s->store, fd, k.watch) == -1))) {
		if (fd != -1)
			close(fd);
		r = STORE_INVALID;
	}
	if (r == STORE_OK && k.selected &&
	    (r = store_view_wake(&view, s->store, &k.view)) == STORE_OK) {
		session_state(s, SELECTED, view);
		if (saved_wake(s, &k.view) == -1)
			r = STORE_NOMEM;
	}
	if (r != STORE_OK) {
		log_warnx("imap-session: parked: %s %s", r == STORE_INVALID ?
		    "what it showed is not known any more" : store_strerror(r),
		    start_whose(&s->start));
		session_bye(s, r == STORE_NOTFOUND ?
		    "The mailbox was deleted" : "[UNAVAILABLE] Log in again");
		return -1;
	}
	strlcpy(s->start.client, k.client, sizeof(s->start.client));
	client_named(s, slice_str(s->start.client));
	s->deflate = k.deflate;
	s->enabled = k.enabled;
	s->keywords_told = k.nkeywords;
	s->idle = k.idle;
	strlcpy(s->tag, k.tag, sizeof(s->tag));
	return 0;
}
