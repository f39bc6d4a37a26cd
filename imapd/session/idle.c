/*
 * imap-session: IDLE (RFC 2177): wait for the client's DONE and for pokes
 * of whoever commits to the account.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum reply idle_end(struct session *);
static enum reply idle_next(struct session *, const char *, size_t);

enum reply
cmd_idle(struct session *s, struct imap_in *in)
{
	frames_puts(s->io, "+ idling\r\n");
	return idle_run(s);
}

enum reply
idle_run(struct session *s)
{
	enum quiet	 q;
	int		 fd;

	if ((fd = store_watch(s->store)) == -1)
		log_warn("imap-session: watch");
	do {
		if (s->state == SELECTED)
			session_update(s, true);
		if (s->state != LOGGED_OUT && store_failed(s->store))
			session_bye(s, IMAP_STORE_FAILED);
		frames_flush(s->io);
		if (s->state == LOGGED_OUT)
			break;
		/* What is readable and has nothing is no socket of ours. */
		while ((q = session_quiet(s, fd, true)) == QUIET_STIRRED &&
		    !store_watch_drain(s->store))
			fd = -1;
	} while (q == QUIET_STIRRED);
	if (s->parked)
		return REPLY_GONE;
	store_unwatch(s->store);
	/* BYE was said; the client did not end the command, so nor do we. */
	return s->state == LOGGED_OUT ? REPLY_GONE : idle_end(s);
}

static enum reply
idle_end(struct session *s)
{
	char	*p;
	size_t	 n;

	s->cmd.n = 0;
	switch (frames_line(s->io, &s->cmd, IMAP_LINE_MAX, &p, &n)) {
	case FRAMES_LINE:
		if (slice_caseis(slice_of(p, imap_trim(p, 0, n) - 2), "DONE"))
			return REPLY_OK;
		return idle_next(s, p, n);
	case FRAMES_TOOLONG:
	case FRAMES_BARE:
		return reply_bad(s, "expected a line with DONE");
	case FRAMES_GONE:
		break;
	}
	return REPLY_GONE;
}

/*
 * Some clients say what they want next and not DONE, which RFC 2177 3 wants
 * first.  A line that may be a command ends IDLE as DONE does, and is taken
 * then.
 */
static enum reply
idle_next(struct session *s, const char *p, size_t n)
{
	struct imap_in	 in;
	struct slice	 tag, verb;

	imap_start(&in, (char *)p, n);
	if (imap_tag(&in, &tag) == -1 || imap_space(&in) == -1 ||
	    imap_atom(&in, &verb) == -1)
		return reply_bad(s, "expected a line with DONE");
	if (p != s->cmd.p && fbuf_add(&s->cmd, p, n) == -1)
		return REPLY_GONE;
	s->again = true;
	return REPLY_OK;
}
