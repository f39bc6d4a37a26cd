/*
 * The listeners of a front: accept, count, refuse with a reason.
 */
#include "compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "io.h"
#include "conn.h"
#include "chan.h"
#include "conf.h"
#include "proc.h"
#include "log.h"
#include "util.h"
#include "front.h"
#include "front_impl.h"

#define ACCEPT_TURN	32	/* connections of a listener a loop turn */
#define ACCEPT_REST_MS	100	/* out of descriptors: wait so long */

struct listener {
	int		 fd;
	uint16_t	 index;		/* of conf->listen */
	bool		 used;
	unsigned int	 burst;		/* leaves some to the other fronts */
	struct event	 ev, rest;
};

static struct listener	listeners[CONF_NLIST];
static int		reserve = -1;	/* a descriptor for the worst case */

static void	on_accept(evutil_socket_t, short, void *);
static void	on_rested(evutil_socket_t, short, void *);
static void	take(struct listener *, int, const struct sockaddr *);
static void	refuse(int, const char *);
static void	out_of_descriptors(struct listener *);

void
front_listen(uint16_t index, int fd)
{
	struct listener	*l;
	int		 on = 1;

	if (index >= CONF_NLIST) {
		close(fd);
		return;
	}
	if (reserve == -1 && (reserve = dup(PROC_FD_MAIN)) != -1)
		fd_cloexec(reserve);
	l = &listeners[index];
	if (l->used) {
		event_del(&l->ev);
		event_del(&l->rest);
		close(l->fd);
	}
	/* Accepted sockets inherit it: answers leave at once. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fd_nonblock(fd);
	l->fd = fd;
	l->index = index;
	l->used = true;
	l->burst = 1;
	event_assign(&l->ev, proc_base(), fd, EV_READ | EV_PERSIST, on_accept,
	    l);
	evtimer_assign(&l->rest, proc_base(), on_rested, l);
	if (event_add(&l->ev, NULL) == -1)
		fatalx("listener: no event");
}

void
front_listen_drop(void)
{
	size_t	 i;

	for (i = 0; i < NITEMS(listeners); i++)
		if (listeners[i].used) {
			event_del(&listeners[i].ev);
			event_del(&listeners[i].rest);
			close(listeners[i].fd);
			listeners[i].used = false;
		}
}

void
front_listen_stop(void)
{
	size_t	 i;

	for (i = 0; i < NITEMS(listeners); i++)
		if (listeners[i].used) {
			event_del(&listeners[i].ev);
			event_del(&listeners[i].rest);
		}
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct listener		*l = arg;
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	unsigned int		 i;
	int			 fd;

	for (i = 0; i < l->burst; i++) {
		len = sizeof(ss);
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			l->burst = 1;
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS)
				out_of_descriptors(l);
			return;
		}
		take(l, fd, (struct sockaddr *)&ss);
	}
	if (l->burst < ACCEPT_TURN)
		l->burst *= 2;
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct listener	*l = arg;

	event_add(&l->ev, NULL);
}

static void
take(struct listener *l, int fd, const struct sockaddr *sa)
{
	const struct conf_listen *cl = &proc_conf()->listen[l->index];
	struct conn		 source;

	if (front_room() && conn_open(&source, sa, UINT32_MAX,
	    FRONT_PENDING_MAX) == CONN_OK) {
		front_new(fd, &source, cl->protocol, cl->plaintext_auth);
		return;
	}
	/* One that starts with TLS could not read it. */
	refuse(fd, front_implicit(cl->protocol) ? "" : front_bye(FRONT_BUSY));
}

static void
refuse(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		log_debug("refusal not sent");
	close(fd);
}

/* The reserve takes the connection and says so; then rest. */
static void
out_of_descriptors(struct listener *l)
{
	struct timeval	 tv = { 0, ACCEPT_REST_MS * 1000 };
	int		 fd;

	log_warn("accept");
	if (reserve != -1) {
		close(reserve);
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd != -1)
			refuse(fd, front_bye(FRONT_BUSY));
		if ((reserve = dup(PROC_FD_MAIN)) != -1)
			fd_cloexec(reserve);
	}
	event_del(&l->ev);
	evtimer_add(&l->rest, &tv);
}
