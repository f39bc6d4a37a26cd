/*
 * The front's end of the stream to a session: after login octets are only
 * counted, never looked at.  A client that does not read stops the session,
 * a session that does not read stops the client.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/le.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/front.h"
#include "net/io.h"

#define PASS_TURN	16		/* packets of a session a loop turn */

static void	on_readable(evutil_socket_t, short, void *);
static void	on_writable(evutil_socket_t, short, void *);
static int	pass_packet(struct front_conn *);
static int	pass_deflate(struct front_conn *, const uint8_t *, size_t);
static int	pass_send(struct front_conn *, uint8_t, const char *, size_t);
static int	start_put(uint8_t *, size_t *, const char *, const char *);

int
front_pass_start(struct front_conn *c, struct event_base *base,
    const char *hostname)
{
	uint8_t	 buf[4096];
	char	 remote[46], account[16], port[16];
	size_t	 n = 0;

	snprintf(account, sizeof(account), "%u", c->account);
	snprintf(port, sizeof(port), "%u", c->port);
	if (start_put(buf, &n, "tag", c->tag) == -1 ||
	    start_put(buf, &n, "user", c->user) == -1 ||
	    start_put(buf, &n, "host", hostname) == -1 ||
	    start_put(buf, &n, "remote",
	    conn_text(&c->source.peer, remote)) == -1 ||
	    start_put(buf, &n, "tls", c->tls ? "1" : "0") == -1 ||
	    start_put(buf, &n, "conn", connid_text(c->id)) == -1 ||
	    start_put(buf, &n, "client", c->client) == -1 ||
	    start_put(buf, &n, "port", port) == -1 ||
	    start_put(buf, &n, "account", account) == -1 ||
	    (c->parked != NULL && start_put(buf, &n, "parked", "1") == -1))
		return -1;
	event_assign(&c->live->rd, base, c->sock, EV_READ | EV_PERSIST,
	    on_readable, c);
	event_assign(&c->live->wr, base, c->sock, EV_WRITE, on_writable, c);
	c->sent = 0;
	c->held = c->stuck = c->within = false;
	if (pass_send(c, SESSION_START, (const char *)buf, n) != 1)
		return -1;
	return event_add(&c->live->rd, NULL);
}

int
front_pass_parked(struct front_conn *c, struct slice packet, int fd)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int))]; } cm = { 0 };
	struct iovec	 iov = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t		 r;

	if (fd != -1) {
		mh.msg_control = cm.b;
		mh.msg_controllen = sizeof(cm.b);
		cm.h.cmsg_level = SOL_SOCKET;
		cm.h.cmsg_type = SCM_RIGHTS;
		cm.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&cm.h), &fd, sizeof(int));
	}
	do
		r = sendmsg(c->sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r == -1 && errno == EINTR);
	return r == -1 ? -1 : 0;
}

static int
start_put(uint8_t *buf, size_t *n, const char *key, const char *value)
{
	struct item_arg	 k = { slice_str(key) }, v = { slice_str(value) };

	if (item_arg_put(buf, 4096, n, &k) == -1 ||
	    item_arg_put(buf, 4096, n, &v) == -1)
		return -1;
	return 0;
}

/* One packet: 1 sent, 0 the session is busy, -1 it is gone. */
static int
pass_send(struct front_conn *c, uint8_t type, const char *p, size_t n)
{
	struct iovec	 iov[2] = { { &type, 1 }, { (void *)p, n } };
	struct msghdr	 mh = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t		 r;

	do
		r = sendmsg(c->sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r == -1 && errno == EINTR);
	if (r != -1)
		return 1;
	return errno == EAGAIN ? 0 : -1;
}

void
front_pass_input(struct front_conn *c)
{
	struct slice	 in;
	size_t		 n;
	int		 r = 1;

	while (r == 1 && (in = io_peek(c->io)).n > 0) {
		n = in.n < SESSION_PAYLOAD ? in.n : SESSION_PAYLOAD;
		if ((r = pass_send(c, SESSION_DATA, in.p, n)) == 1) {
			io_drain(c->io, n);
			c->sent += n;
		}
	}
	if (r == 1 && c->eof)
		r = pass_send(c, SESSION_BYE, "", 0);
	if (r == -1) {
		/* What it said before it went is still to be read. */
		io_pause(c->io);
		return;
	}
	if (r == 0 && !c->stuck) {
		c->stuck = true;
		io_pause(c->io);
		event_add(&c->live->wr, NULL);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn	*c = arg;

	c->stuck = false;
	io_resume(c->io);
	front_pass_input(c);
}

/* What is queued goes out at the end of the turn; if it did not in the last
 * one, the client is slow. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn	*c = arg;
	int			 i, r = 1;

	if (io_queued(c->io) > IO_OUT_MAX) {
		c->held = true;
		event_del(&c->live->rd);
		return;
	}
	for (i = 0; i < PASS_TURN && r == 1 &&
	    io_queued(c->io) <= IO_OUT_MAX; i++)
		r = pass_packet(c);		/* 0 behind an answer */
}

/* With the one descriptor that may be there, -1 none; others are closed. */
static ssize_t
pass_recv(struct front_conn *c, uint8_t *buf, size_t size, int *fd)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(4 * sizeof(int))]; } cm;
	struct iovec	 iov = { buf, size };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = cm.b, .msg_controllen = sizeof(cm.b) };
	ssize_t		 n;
	size_t		 i;
	int		 v[4];

	*fd = -1;
	/* It is told once that the session ended without having read all;
	 * what it said is there all the same. */
	do
		n = recvmsg(c->sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1 || CMSG_FIRSTHDR(&mh) == NULL ||
	    cm.h.cmsg_type != SCM_RIGHTS)
		return n;
	memset(v, 0xff, sizeof(v));
	memcpy(v, CMSG_DATA(&cm.h), cm.h.cmsg_len - CMSG_LEN(0));
	*fd = v[0];
	for (i = 1; i < NITEMS(v); i++)
		if (v[i] != -1)
			close(v[i]);
	return n;
}

/* One packet of the session: 1 more is sure to come, 0 maybe none, -1: the
 * session is no more c's, or c is gone. */
static int
pass_packet(struct front_conn *c)
{
	static uint8_t	 buf[MSG_MAX];
	ssize_t		 n;
	int		 fd, r;

	n = pass_recv(c, buf, sizeof(buf), &fd);
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n > 0 && buf[0] == SESSION_PARK) {
		r = front_park(c, slice_of((char *)buf, (size_t)n), fd);
		if (r == -1)
			front_pass_done(c, false);
		return r == 1 ? 1 : -1;
	}
	if (fd != -1)
		close(fd);
	if (n > 0 && (buf[0] == SESSION_DATA || buf[0] == SESSION_MORE)) {
		c->within = buf[0] == SESSION_MORE;
		if (io_write(c->io, buf + 1, (size_t)n - 1) == 0)
			return c->within ? 1 : 0;
	} else if (n >= SESSION_COMPRESS_LEN && buf[0] == SESSION_COMPRESS) {
		if (pass_deflate(c, buf, (size_t)n) == 0)
			return 0;
	} else if (n >= SESSION_LEAVE_LEN && buf[0] == SESSION_LEAVE &&
	    front_may_deflate() && get64(buf + 1) == c->sent &&
	    io_peek(c->io).n == 0 && !c->eof) {
		io_write(c->io, buf + SESSION_LEAVE_LEN,
		    (size_t)n - SESSION_LEAVE_LEN);
		front_login_again(c);
		return -1;
	} else if (n > 0 && buf[0] == SESSION_BYE) {
		c->within = false;
		io_write(c->io, buf + 1, (size_t)n - 1);
		front_pass_done(c, true);
		return -1;
	}
	front_pass_done(c, false);
	return -1;
}

/*
 * The client is told that it may compress, and at once what it says is that:
 * it may answer before the session says anything more.  What it said before
 * it could know is neither: no guess is made, and no word said that it would
 * have to guess about.
 */
static int
pass_deflate(struct front_conn *c, const uint8_t *p, size_t n)
{
	if (!front_may_deflate() || io_flated(c->io))
		return -1;
	if (get64(p + 1) != c->sent || io_peek(c->io).n > 0) {
		log_info("%s end why=\"commands behind COMPRESS\"",
		    connid_text(c->id));
		c->within = true;
		return -1;
	}
	c->within = false;
	if (n > SESSION_COMPRESS_LEN && io_write(c->io, p +
	    SESSION_COMPRESS_LEN, n - SESSION_COMPRESS_LEN) == -1)
		return -1;
	return io_flate(c->io);
}

void
front_pass_drained(struct front_conn *c)
{
	front_alive(c);
	if (c->held) {
		c->held = false;
		event_add(&c->live->rd, NULL);
	}
}

void
front_pass_stop(struct front_conn *c)
{
	if (c->sock == -1)
		return;
	if (c->state == FRONT_PASS) {
		event_del(&c->live->rd);
		event_del(&c->live->wr);
	}
	close(c->sock);
	c->sock = -1;
}
