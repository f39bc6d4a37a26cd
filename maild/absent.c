/*
 * A process that is not there and will not be soon: it did not become ready,
 * or keeps dying.  It is told, started again with a throttle, and the others
 * go on without it; what needs it is answered "try later" by whoever lacks
 * it.  Where that is a front, maild itself takes the connections to say so,
 * and reads nothing.  Run by maild.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define FAST_DEATHS	2	/* in a row: it is absent */
#define ACCEPT_TURN	16	/* connections answered in a loop turn */
#define REST_MS		1000	/* when there is no descriptor for one */

static void	 on_connection(evutil_socket_t, short, void *);
static void	 on_rested(evutil_socket_t, short, void *);

static void
absent_set(struct child *c)
{
	c->absent = true;
	graph_listen(c->house);		/* who waits for it does no longer */
}

void
absent_unstarted(struct child *c, const char *what)
{
	impaired_set(c->house, c, "process", "cannot be started: %s: %s; it "
	    "is tried again", what, strerror(errno));
	absent_set(c);
}

void
absent_slow(struct child *c, unsigned int seconds)
{
	impaired_set(c->house, c, "process", "is not ready %u s after its "
	    "start (pid %d); the log may tell what it does", seconds,
	    (int)c->pid);
	absent_set(c);
}

void
absent_died(struct child *c, bool young)
{
	char name[32], path[PROGRAM_PATH];

	if (c->fast < FAST_DEATHS)
		return;
	program_path(c->house->libexec, c->role, path);
	if (WIFEXITED(c->exit) && WEXITSTATUS(c->exit) == 127)
		impaired_set(c->house, c, "process", "does not run: its "
		    "program could not be run, a library may be missing; try: "
		    "%s -V; it is started again", path);
	else
		impaired_set(c->house, c, "process", "does not run: %s%s%s%s; "
		    "it is started again", child_exit_name(c, name,
		    sizeof(name)), young ? " before it was ready" :
		    " soon after its start", c->words[0] == '\0' ? "" : ": ",
		    c->words);
	absent_set(c);
}

void
absent_over(struct child *c)
{
	impaired_over(c->house, c, "process");
}

bool
absent_settled(const struct house *h)
{
	const struct child *c;

	TAILQ_FOREACH(c, &h->children, entry)
		if (c->current && !c->absent &&
		    (c->state != CHILD_READY || !c->listening))
			return false;
	return true;
}

/* ---- in place of a front ------------------------------------------------- */

/* No process of that role takes connections, and one should. */
static bool
front_absent(const struct house *h, enum proc_role role)
{
	const struct child *c;
	bool absent = false;

	TAILQ_FOREACH(c, &h->children, entry) {
		if (!c->current || c->role != role)
			continue;
		if (c->state == CHILD_READY)
			return false;
		absent = absent || c->absent;
	}
	return absent;
}

static void
listener_leave(struct house *h, size_t i)
{
	if (h->away[i] == NULL)
		return;
	event_free(h->away[i]);
	h->away[i] = NULL;
}

void
absent_leave(struct house *h)
{
	for (size_t i = 0; i < CONF_NLIST; i++)
		listener_leave(h, i);
}

void
absent_answer(struct house *h)
{
	for (size_t i = 0; i < CONF_NLIST; i++) {
		if (i >= h->conf->nlisten || h->listen[i] == -1 ||
		    h->stop != NULL || !front_absent(h,
		    share_front(h->conf->listen[i].protocol))) {
			listener_leave(h, i);
			continue;
		}
		if (h->away[i] == NULL && (h->away[i] = event_new(h->base,
		    h->listen[i], EV_READ | EV_PERSIST, on_connection,
		    h)) == NULL)
			fatalx("absent: no event");
		event_add(h->away[i], NULL);
	}
}

/* "": it could not be read. */
static const char *
last_word(enum conf_protocol protocol)
{
	switch (protocol) {
	case PROTO_SMTP:
	case PROTO_SUBMISSION:
		return "421 4.3.2 out of service for now, try later\r\n";
	case PROTO_IMAP:
		return "* BYE [UNAVAILABLE] out of service for now, try "
		    "later\r\n";
	case PROTO_POP3:
		return "-ERR [SYS/TEMP] out of service for now, try later\r\n";
	case PROTO_SMTPS:
	case PROTO_IMAPS:
	case PROTO_POP3S:
		break;
	}
	return "";
}

static void
on_connection(evutil_socket_t lfd, short what, void *arg)
{
	const struct timeval rest = { REST_MS / 1000, 0 };
	struct house *h = arg;
	const char *text;
	size_t i = 0;
	int fd;

	while (h->listen[i] != (int)lfd)
		i++;
	text = last_word(h->conf->listen[i].protocol);
	for (int n = 0; n < ACCEPT_TURN; n++) {
		if ((fd = accept4((int)lfd, NULL, NULL, SOCK_CLOEXEC |
		    SOCK_NONBLOCK)) == -1)
			break;
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
		close(fd);
	}
	if (fd == -1 && errno != EAGAIN && errno != ECONNABORTED &&
	    errno != EINTR) {
		log_warn("accept");
		event_del(h->away[i]);
		(void)event_base_once(h->base, -1, EV_TIMEOUT, on_rested, h,
		    &rest);
	}
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	absent_answer(arg);
}
