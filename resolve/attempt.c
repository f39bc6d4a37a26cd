/*
 * One question to one resolver: a fresh connected UDP socket (so a random
 * port) with a random id, or TCP after truncation.  Only resolve runs this.
 * Answers that do not fit the question are passed over, for anybody can
 * send datagrams; after too many of them the attempt has failed, and the
 * next one goes elsewhere.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define FOREIGN_MAX	32	/* datagrams that did not fit */
#define ID_POOL		64

struct attempt {
	struct event	 ev;
	struct event_base *base;
	struct question	 q;
	attempt_cb	 cb;
	void		*arg;
	uint64_t	 deadline;	/* ms */
	int		 fd;
	uint16_t	 id;
	unsigned int	 foreign;
	size_t		 nquery;
	size_t		 nreply;
	uint8_t		*reply;		/* TCP: length, packet */
	uint8_t		 query[2 + DNS_QUERY_MAX]; /* TCP: length first */
};

static int	 attempt_open(struct attempt *, const struct server *, bool);
static void	 attempt_wait(struct attempt *, short, event_callback_fn);
static void	 attempt_done(struct attempt *, enum packet_result,
	    const struct dns_answer *);
static uint16_t	 random_id(void);

static void	 on_failed(evutil_socket_t, short, void *);
static void	 on_datagram(evutil_socket_t, short, void *);
static void	 on_connected(evutil_socket_t, short, void *);
static void	 on_stream(evutil_socket_t, short, void *);

struct attempt *
attempt_start(struct event_base *base, const struct server *server,
    const struct question *q, bool tcp, bool edns, unsigned int ms,
    attempt_cb cb, void *arg)
{
	struct attempt *a = xcalloc(1, sizeof(*a));
	ssize_t n;

	a->base = base;
	a->q = *q;
	a->cb = cb;
	a->arg = arg;
	a->id = random_id();
	a->deadline = now_ms() + ms;
	n = packet_query(a->query + 2, DNS_QUERY_MAX, q, a->id, edns);
	if (n == -1 || (a->fd = socket(server->sa.ss_family,
	    (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0)) == -1) {
		free(a);
		return NULL;
	}
	a->nquery = (size_t)n;
	if (attempt_open(a, server, tcp) == -1) {
		event_assign(&a->ev, base, -1, 0, on_failed, a);
		event_active(&a->ev, EV_TIMEOUT, 0);
	}
	return a;
}

void
attempt_free(struct attempt *a)
{
	if (a == NULL)
		return;
	event_del(&a->ev);
	close(a->fd);
	free(a->reply);
	free(a);
}

static int
attempt_open(struct attempt *a, const struct server *server, bool tcp)
{
	const struct sockaddr *sa = (const struct sockaddr *)&server->sa;

	if (connect(a->fd, sa, server->len) == -1 && errno != EINPROGRESS)
		return -1;
	if (tcp) {
		a->query[0] = (uint8_t)(a->nquery >> 8);
		a->query[1] = (uint8_t)a->nquery;
		a->reply = xcalloc(1, 2 + DNS_TCP_MAX);
		attempt_wait(a, EV_WRITE, on_connected);
		return 0;
	}
	if (send(a->fd, a->query + 2, a->nquery, 0) == -1)
		return -1;
	attempt_wait(a, EV_READ, on_datagram);
	return 0;
}

/* Until the deadline of the whole attempt, however often it is renewed. */
static void
attempt_wait(struct attempt *a, short what, event_callback_fn fn)
{
	uint64_t now = now_ms(), ms;
	struct timeval tv;

	ms = a->deadline > now ? a->deadline - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_assign(&a->ev, a->base, a->fd, what, fn, a);
	event_add(&a->ev, &tv);
}

static void
attempt_done(struct attempt *a, enum packet_result r,
    const struct dns_answer *ans)
{
	attempt_cb cb = a->cb;
	void *arg = a->arg;

	attempt_free(a);
	cb(r, ans, arg);
}

/* Could not even be sent; told from the loop as every other outcome. */
static void
on_failed(evutil_socket_t fd, short what, void *arg)
{
	attempt_done(arg, PACKET_CLOSED, NULL);
}

static void
on_datagram(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t buf[DNS_UDP_MAX];
	static struct dns_answer answer;
	struct attempt *a = arg;
	enum packet_result r = PACKET_FOREIGN;
	ssize_t n;

	if (!(what & EV_READ)) {
		attempt_done(a, PACKET_SILENT, NULL);
		return;
	}
	while (r == PACKET_FOREIGN && a->foreign <= FOREIGN_MAX) {
		n = recv(a->fd, buf, sizeof(buf), MSG_TRUNC);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			attempt_wait(a, EV_READ, on_datagram);
			return;
		}
		if (n == -1)
			r = PACKET_CLOSED;	/* nobody is there */
		else if ((size_t)n <= sizeof(buf))
			r = packet_read(buf, (size_t)n, &a->q, a->id, &answer);
		a->foreign++;
	}
	attempt_done(a, r == PACKET_FOREIGN ? PACKET_BAD : r,
	    r == PACKET_OK ? &answer : NULL);
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;

	/* So short a text goes whole into a fresh socket or not at all. */
	if (!(what & EV_WRITE) || send(a->fd, a->query, a->nquery + 2,
	    MSG_NOSIGNAL) != (ssize_t)a->nquery + 2) {
		attempt_done(a, what & EV_WRITE ? PACKET_CLOSED :
		    PACKET_SILENT, NULL);
		return;
	}
	attempt_wait(a, EV_READ, on_stream);
}

static void
on_stream(evutil_socket_t fd, short what, void *arg)
{
	static struct dns_answer answer;
	struct attempt *a = arg;
	enum packet_result r = what & EV_READ ? PACKET_BAD : PACKET_SILENT;
	size_t want = 2;
	ssize_t n;

	if (a->nreply >= 2)
		want += (size_t)a->reply[0] << 8 | a->reply[1];
	if (!(what & EV_READ) || want > 2 + DNS_TCP_MAX)
		goto done;
	n = recv(a->fd, a->reply + a->nreply, want - a->nreply, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	else if (n <= 0)
		goto done;
	a->nreply += (size_t)n;
	if (want == 2 || a->nreply < want) {
		attempt_wait(a, EV_READ, on_stream);
		return;
	}
	r = packet_read(a->reply + 2, want - 2, &a->q, a->id, &answer);
	if (r == PACKET_FOREIGN || r == PACKET_TRUNCATED)
		r = PACKET_BAD;
done:
	attempt_done(a, r, r == PACKET_OK ? &answer : NULL);
}

static uint16_t
random_id(void)
{
	static uint16_t pool[ID_POOL];
	static size_t left;

	if (left == 0) {
		random_bytes(pool, sizeof(pool));
		left = NITEMS(pool);
	}
	return pool[--left];
}
