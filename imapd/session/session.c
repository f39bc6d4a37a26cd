/*
 * imap-session: main of the program that maild starts as nursery, and the
 * life of one session: greet, read a command, run it, answer.  The session
 * runs with the account's uid in the account's directory; all it can reach
 * is that directory and its front.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/capability.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static struct frames	frames;
static struct session	session;

static int	session_start(struct session *, const struct conf *);
static int	session_open(struct session *);
static void	session_quota(struct session *, const struct conf *,
		    const struct quota *);
static void	session_loop(struct session *, const struct conf *);

int
session_main(int sock, const struct conf *conf, const struct quota *quota)
{
	struct session	*s = &session;

	frames_init(&frames, sock);
	s->io = &frames;
	s->state = AUTHENTICATED;
	s->max_append = conf->imap.max_append < STORE_MESSAGE_MAX ?
	    conf->imap.max_append : STORE_MESSAGE_MAX;
	s->max_messages = conf->imap.max_messages;
	s->park_ms = conf->imap.park == 0 ? -1 : (int)conf->imap.park * 1000;
	if (conf->hostname != NULL)
		strlcpy(s->hostname, conf->hostname, sizeof(s->hostname));
	if (session_start(s, conf) == 0) {
		session_quota(s, conf, s->io->raised ? &s->io->quota :
		    quota);
		if (s->idle)
			command_idle(s);
		session_loop(s, conf);
		if (s->parked)
			session_rested(s);
		else if (s->leave)
			frames_leave(s->io);
		else
			frames_bye(s->io);
		store_maintain(s->store);
		store_unwatch(s->store);
	}
	frames_bye(s->io);
	session_free();
	return 0;
}

void
session_free(void)
{
	struct session	*s = &session;

	store_view_close(s->view);
	store_close(s->store);
	fbuf_free(&s->code);
	fbuf_free(&s->cmd);
	fbuf_free(&s->tmp);
	fbuf_free(&s->hdr);
	free(s->set);
	free(s->saved);
	memset(s, 0, sizeof(*s));
}

/* The answer to LOGIN or AUTHENTICATE is given here, when the account is
 * open: its tag came with SESSION_START. */
static int
session_start(struct session *s, const struct conf *conf)
{
	struct slice	 payload, state;
	char		 text[CAPABILITY_MAX];
	int		 fd = -1;

	if (frames_start(s->io, &payload) == -1 ||
	    start_get(payload, &s->start) == -1)
		return -1;
	strlcpy(s->tag, s->start.tag, sizeof(s->tag));
	quirk_pick(conf, &(struct quirk_who){ .user = slice_str(s->start.user),
	    .port = s->start.port }, &s->quirks);
	client_named(s, slice_str(s->start.client));
	if ((s->start.parked && frames_parked(s->io, &state, &fd) == -1) ||
	    session_open(s) == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (s->start.parked)
		return session_wake(s, state, fd);
	frames_printf(s->io, "%s OK [CAPABILITY ", s->tag);
	frames_puts(s->io, capabilities(s, text));
	frames_puts(s->io, "] Logged in\r\n");
	return 0;
}

/* The account's store; who waits for it is told why there is none. */
static int
session_open(struct session *s)
{
	enum store_result r;
	int		 dir;

	if ((dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		r = STORE_IO;
	else {
		r = store_open(&s->store, dir, STORE_SESSION);
		close(dir);
	}
	if (r == STORE_OK && store_damaged(s->store) != 0)
		log_warnx("imap-session: uid=%u journal is damaged at %llu: "
		    "what stands behind is not shown", (unsigned int)getuid(),
		    (unsigned long long)store_damaged(s->store));
	if (r != STORE_OK) {
		log_warnx("imap-session: store: %s (%s)", store_strerror(r),
		    store_why(NULL));
		frames_printf(s->io, "%s NO [UNAVAILABLE] Mailbox is not "
		    "available now\r\n* BYE Try again later\r\n", s->tag);
		return -1;
	}
	return 0;
}

/* What the account may hold. */
static void
session_quota(struct session *s, const struct conf *conf,
    const struct quota *told)
{
	s->quota.octets = quota_limit(told->octets, conf->quota);
	s->quota.messages = quota_limit(told->messages, conf->quota_messages);
	store_limit(s->store, s->quota.octets, s->quota.messages);
	s->io->raised = false;
}

static void
session_loop(struct session *s, const struct conf *conf)
{
	char	*p;
	size_t	 n;

	while (s->state != LOGGED_OUT) {
		switch (input_command(s, &p, &n)) {
		case INPUT_COMMAND:
			if (s->io->raised)
				session_quota(s, conf, &s->io->quota);
			command_run(s, p, n);
			log_flush();
			/* A sync failed; what it left is for a new one. */
			if (s->state != LOGGED_OUT && store_failed(s->store))
				session_bye(s, IMAP_STORE_FAILED);
			break;
		case INPUT_BAD:
			if (++s->nbad >= IMAP_BAD_MAX)
				session_bye(s, "Too many bad commands");
			break;
		case INPUT_GONE:
			return;
		}
		if (!s->again)
			s->cmd.n = 0;
	}
}
