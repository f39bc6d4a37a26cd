/*
 * pop3-session: the TRANSACTION and UPDATE states of RFC 1939 for one
 * connection.  One folder as it was at login; nothing is removed but by QUIT.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"

static struct frames	frames;
static struct session	session;

static int	session_start(struct session *, const struct conf *);
static void	session_free(struct session *);
static enum store_result session_open(struct session *);
static void	session_loop(struct session *);
static void	session_leave(struct session *);

int
session_main(int sock, const struct conf *conf, const struct quota *quota)
{
	struct session	*s = &session;

	frames_init(&frames, sock);
	s->io = &frames;
	if (session_start(s, conf) == 0) {
		session_loop(s);
		session_leave(s);
		frames_bye(s->io);
		store_maintain(s->store);
	}
	frames_bye(s->io);
	session_free(s);
	return 0;
}

static void
session_free(struct session *s)
{
	store_view_close(s->view);
	store_close(s->store);
	fbuf_free(&s->cmd);
	free(s->deleted);
	free(s->retrieved);
	free(s->noeol);
	memset(s, 0, sizeof(*s));
}

/* The answer to PASS or AUTH is given here, when the folder is open. */
static int
session_start(struct session *s, const struct conf *conf)
{
	enum store_result	 r;
	struct slice		 payload;

	if (frames_start(s->io, &payload) == -1 ||
	    start_get(payload, &s->start) == -1)
		return -1;
	s->mark_seen = conf->pop3.mark_seen;
	s->uidl = (enum conf_uidl)conf->pop3.uidl;
	s->login_delay = conf->pop3.login_delay;
	strlcpy(s->folder, conf->pop3.folder, sizeof(s->folder));
	r = session_open(s);
	if (r == STORE_NOTFOUND) {
		frames_puts(s->io, "-ERR [SYS/PERM] This account has no folder "
		    "for POP3\r\n");
		return -1;
	}
	if (r != STORE_OK) {
		log_warnx("pop3-session: store: %s (%s)", store_strerror(r),
		    store_why(NULL));
		frames_puts(s->io, "-ERR [SYS/TEMP] Mailbox is not available "
		    "now\r\n");
		return -1;
	}
	frames_printf(s->io, "+OK %u messages\r\n", s->n);
	return 0;
}

static enum store_result
session_open(struct session *s)
{
	struct store_view_info	 info;
	enum store_result	 r = STORE_IO;
	int			 dir;

	if ((dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1) {
		r = store_open(&s->store, dir, STORE_SESSION);
		close(dir);
	}
	if (r == STORE_OK && store_damaged(s->store) != 0)
		log_warnx("pop3-session: uid=%u journal is damaged at %llu: "
		    "what stands behind is not shown", (unsigned int)getuid(),
		    (unsigned long long)store_damaged(s->store));
	if (r == STORE_OK)
		r = store_view_open(&s->view, s->store, s->folder,
		    STORE_VIEW_NORECENT);
	if (r != STORE_OK)
		return r;
	store_view_info(s->view, &info);
	s->n = info.exists;
	s->uidvalidity = info.uidvalidity;
	return STORE_OK;
}

static void
session_loop(struct session *s)
{
	char		*p;
	size_t		 n;

	while (!s->quit) {
		s->cmd.n = 0;
		switch (frames_line(s->io, &s->cmd, POP3_LINE_MAX, &p, &n)) {
		case FRAMES_LINE:
			command_run(s, slice_of(p, n - 2));
			break;
		case FRAMES_TOOLONG:
		case FRAMES_BARE:
			frames_puts(s->io, "-ERR Not a command line\r\n");
			s->nbad++;
			break;
		case FRAMES_GONE:
			return;
		}
		if (s->nbad >= POP3_BAD_MAX) {
			frames_puts(s->io, "-ERR Too many errors\r\n");
			return;
		}
	}
}

/* Gone without QUIT: nothing is removed, what was read stays so. */
static void
session_leave(struct session *s)
{
	enum store_result	 r;

	if (s->quit || s->retrieved == NULL)
		return;
	if ((r = command_seen(s)) == STORE_OK)
		r = store_commit(s->store);
	if (r != STORE_OK)
		log_warnx("pop3-session: flags: %s", store_strerror(r));
}
