/*
 * The listeners of smtpd, imapd and pop3d: see listen.h.  Whom to take, the
 * role decides; here is when to ask and what to do out of descriptors.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/listen.h"

#define ACCEPT_TURN	16	/* connections of a listener a loop turn */
#define ACCEPT_REST_MS	100	/* out of descriptors: wait so long */

struct listener {
	const struct listen_ops *ops;
	int		 fd;
	uint16_t	 index;		/* of conf->listen */
	bool		 used;
	unsigned int	 burst;		/* leaves some to the other fronts */
	struct event	 ev, rest;	/* rest wakes it again */
};

static struct listener	listeners[CONF_NLIST];
static int		reserve = -1;	/* a descriptor for the worst case */

static void	listen_options(int);
static void	on_accept(evutil_socket_t, short, void *);
static void	on_rested(evutil_socket_t, short, void *);
static const struct conf_listen *conf_of(const struct listener *);
static void	out_of_descriptors(struct listener *);

void
listen_add(const struct listen_ops *ops, uint16_t index, int fd)
{
	struct listener	*l;

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
	listen_options(fd);
	fd_nonblock(fd);
	l->ops = ops;
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

/*
 * Accepted sockets inherit these: answers leave at once; a connection on
 * which nothing is said, for half an hour in IDLE, is not forgotten by what
 * translates addresses on its way, and a peer that is gone is found out.
 */
static void
listen_options(int fd)
{
	int	 on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
#ifdef TCP_KEEPIDLE
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ LISTEN_KEEP_IDLE },
	    sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL,
	    &(int){ LISTEN_KEEP_INTERVAL }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ LISTEN_KEEP_COUNT },
	    sizeof(int));
#endif
}

void
listen_drop(void)
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
listen_stop(void)
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
		l->ops->take(fd, (struct sockaddr *)&ss, conf_of(l));
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

static const struct conf_listen *
conf_of(const struct listener *l)
{
	return (&proc_conf()->listen[l->index]);
}

void
listen_refuse(int fd, const char *text)
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
			listen_refuse(fd, l->ops->busy(conf_of(l)));
		if ((reserve = dup(PROC_FD_MAIN)) != -1)
			fd_cloexec(reserve);
	}
	event_del(&l->ev);
	evtimer_add(&l->rest, &tv);
}
