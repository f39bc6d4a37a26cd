/*
 * Packets between a front and its session, the session's side: see
 * frames.h.  Sequential and blocking.  Nothing here may reach libevent or
 * any other library: it is linked into the static session programs.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"

#define FBUF_FIRST	4096

static ssize_t	frames_recv(struct frames *, int);
static bool	frames_skip(struct frames *, size_t);
static enum frames_line line_check(const char *, size_t);

void
frames_init(struct frames *f, int sock)
{
	f->sock = sock;
	f->gone = false;
	f->raised = false;
	f->off = f->len = 0;
	f->got = 0;
	f->outn = 1;
}

/* Is the packet of n octets another quota?  It is kept. */
static bool
frames_quota(struct frames *f, ssize_t n)
{
	if (n != SESSION_QUOTA_LEN || f->in[0] != SESSION_QUOTA)
		return false;
	f->quota.octets = get64(f->in + 1);
	f->quota.messages = get64(f->in + 9);
	f->raised = true;
	return true;
}

/* One packet into in[]; its length, 0 when the other side is gone; with
 * MSG_DONTWAIT -1, there is none. */
static ssize_t
frames_recv(struct frames *f, int flags)
{
	ssize_t	 n;

	f->off = f->len = 0;
	if (f->gone)
		return 0;
	do
		n = recv(f->sock, f->in, sizeof(f->in), flags);
	while ((n == -1 && errno == EINTR) || frames_quota(f, n));
	if (n == -1 && errno == EAGAIN)
		return -1;
	if (n <= 0 || n > MSG_MAX || f->in[0] == SESSION_BYE) {
		f->gone = true;
		return 0;
	}
	return n;
}

int
frames_start(struct frames *f, struct slice *payload)
{
	ssize_t	 n;

	n = frames_recv(f, 0);
	if (n < 1 || f->in[0] != SESSION_START)
		return -1;
	*payload = slice_of(f->in + 1, (size_t)n - 1);
	return 0;
}

int
frames_parked(struct frames *f, struct slice *state, int *fd)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	struct iovec	 iov = { f->in, sizeof(f->in) };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = c.b, .msg_controllen = sizeof(c.b) };
	ssize_t		 n;

	*fd = -1;
	do {
		mh.msg_controllen = sizeof(c.b);
		n = recvmsg(f->sock, &mh, MSG_CMSG_CLOEXEC);
	} while ((n == -1 && errno == EINTR) || frames_quota(f, n));
	if (n > 0 && CMSG_FIRSTHDR(&mh) != NULL &&
	    c.h.cmsg_type == SCM_RIGHTS && c.h.cmsg_len >=
	    CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(&c.h), sizeof(int));
	if (n < SESSION_PARK_HEAD || f->in[0] != SESSION_PARK) {
		f->gone = true;
		return -1;
	}
	*state = slice_of(f->in + SESSION_PARK_HEAD, (size_t)n -
	    SESSION_PARK_HEAD);
	return 0;
}

/* A packet of n octets is in in[]: is it input? */
static bool
frames_take(struct frames *f, ssize_t n)
{
	if (n == 0)
		return false;
	if (f->in[0] != SESSION_DATA) {
		f->gone = true;
		return false;
	}
	f->off = 1;
	f->len = (size_t)n;
	f->got += (size_t)n - 1;
	return true;
}

bool
frames_fill(struct frames *f)
{
	ssize_t	 n;

	if (f->off < f->len)
		return true;
	frames_flush(f);
	do
		n = frames_recv(f, 0);
	while (n == 1 && f->in[0] == SESSION_DATA);
	return frames_take(f, n);
}

bool
frames_look(struct frames *f)
{
	ssize_t	 n = frames_recv(f, MSG_DONTWAIT);

	if (n > 1 || (n == 1 && f->in[0] != SESSION_DATA))
		frames_take(f, n);
	return frames_ready(f);
}

bool
frames_ready(const struct frames *f)
{
	return f->gone || f->off < f->len;
}

/* Drop input up to the next LF, at most max octets of it. */
static bool
frames_skip(struct frames *f, size_t max)
{
	const char	*lf;
	size_t		 n;

	while (frames_fill(f)) {
		n = f->len - f->off;
		lf = memchr(f->in + f->off, '\n', n);
		if (lf != NULL) {
			f->off = (size_t)(lf + 1 - f->in);
			return true;
		}
		f->off = f->len;
		if (n > max)
			return false;
		max -= n;
	}
	return false;
}

/* A line ends in CRLF and has no other CR, and no NUL. */
static enum frames_line
line_check(const char *p, size_t n)
{
	if (n < 2 || memchr(p, '\r', n) != p + n - 2 ||
	    memchr(p, '\0', n) != NULL)
		return FRAMES_BARE;
	return FRAMES_LINE;
}

enum frames_line
frames_line(struct frames *f, struct fbuf *acc, size_t max, char **p,
    size_t *n)
{
	char	*lf, *from;
	size_t	 begin = acc->n, len;

	for (;;) {
		if (!frames_fill(f))
			return FRAMES_GONE;
		from = f->in + f->off;
		lf = memchr(from, '\n', f->len - f->off);
		len = lf != NULL ? (size_t)(lf + 1 - from) : f->len - f->off;
		if (len > max || acc->n > max - len) {
			if (lf == NULL && !frames_skip(f, FRAMES_SKIP_MAX))
				return FRAMES_GONE;
			if (lf != NULL)
				f->off += len;
			return FRAMES_TOOLONG;
		}
		f->off += len;
		if (lf != NULL && acc->n == 0) {
			*p = from;
			*n = len;
			return line_check(from, len);
		}
		if (fbuf_add(acc, from, len) == -1)
			return FRAMES_GONE;
		if (lf != NULL)
			break;
	}
	*p = acc->p;
	*n = acc->n;
	return line_check(acc->p + begin, acc->n - begin);
}

int
frames_read(struct frames *f, struct fbuf *acc, size_t n)
{
	struct slice	 s;

	for (; n > 0; n -= s.n) {
		s = frames_chunk(f, n);
		if (s.n == 0 || fbuf_add(acc, s.p, s.n) == -1)
			return -1;
	}
	return 0;
}

struct slice
frames_chunk(struct frames *f, size_t max)
{
	struct slice	 s = { NULL, 0 };

	if (max == 0 || !frames_fill(f))
		return s;
	s.p = f->in + f->off;
	s.n = f->len - f->off < max ? f->len - f->off : max;
	f->off += s.n;
	return s;
}

int
fbuf_room(struct fbuf *b, size_t n)
{
	char	*np;
	size_t	 size = b->size == 0 ? FBUF_FIRST : b->size;

	if (b->size - b->n >= n)
		return 0;
	while (size - b->n < n) {
		if (size > SIZE_MAX / 2)
			return -1;
		size *= 2;
	}
	if ((np = realloc(b->p, size)) == NULL)
		return -1;
	b->p = np;
	b->size = size;
	return 0;
}

int
fbuf_add(struct fbuf *b, const char *p, size_t n)
{
	if (fbuf_room(b, n) == -1)
		return -1;
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

void
fbuf_free(struct fbuf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = b->size = 0;
}

void
frames_write(struct frames *f, const char *p, size_t n)
{
	size_t	 room;

	while (n > 0) {
		room = sizeof(f->out) - f->outn;
		if (room == 0) {
			frames_more(f);
			continue;
		}
		if (room > n)
			room = n;
		memcpy(f->out + f->outn, p, room);
		f->outn += room;
		p += room;
		n -= room;
	}
}

void
frames_puts(struct frames *f, const char *s)
{
	frames_write(f, s, strlen(s));
}

void
frames_num(struct frames *f, uint64_t v)
{
	char	 buf[20], *p = buf + sizeof(buf);

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	frames_write(f, p, (size_t)(buf + sizeof(buf) - p));
}

/* For short lines; what is longer than 1 KiB is cut. */
void
frames_printf(struct frames *f, const char *fmt, ...)
{
	char	 buf[1024];
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(buf))
		n = sizeof(buf) - 1;
	frames_write(f, buf, (size_t)n);
}

static void
frames_send(struct frames *f, char type)
{
	ssize_t	 n;

	if (f->outn > 1 && !f->gone) {
		f->out[0] = type;
		do
			n = send(f->sock, f->out, f->outn, MSG_NOSIGNAL);
		while (n == -1 && errno == EINTR);
		if (n == -1)
			f->gone = true;
	}
	f->outn = 1;
}

void
frames_flush(struct frames *f)
{
	frames_send(f, SESSION_DATA);
}

void
frames_more(struct frames *f)
{
	frames_send(f, SESSION_MORE);
}

/* A packet of its own behind what was collected. */
static void
frames_tell(struct frames *f, const uint8_t *p, size_t len)
{
	ssize_t	 n;

	frames_flush(f);
	if (f->gone)
		return;
	do
		n = send(f->sock, p, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		f->gone = true;
}

bool
frames_park(struct frames *f, unsigned int flags, struct slice state, int fd)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	uint8_t		 head[SESSION_PARK_HEAD] = { SESSION_PARK };
	struct iovec	 iov[2] = { { head, sizeof(head) },
			    { (void *)(uintptr_t)state.p, state.n } };
	struct msghdr	 mh = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t		 n;

	frames_flush(f);
	if (f->gone)
		return false;
	put64(head + 1, f->got);
	head[9] = (uint8_t)flags;
	if (fd != -1) {
		mh.msg_control = c.b;
		mh.msg_controllen = sizeof(c.b);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(int));
	}
	do
		n = sendmsg(f->sock, &mh, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1) {
		f->gone = true;
		return false;
	}
	f->in[0] = 0;
	if ((n = frames_recv(f, 0)) == 0)
		return f->in[0] != SESSION_BYE;
	frames_take(f, n);
	return false;
}

_Static_assert(SESSION_LEAVE_LEN == SESSION_COMPRESS_LEN, "one head of both");

/* With the answer in one packet: a client that has it may speak at once, and
 * the front has to know what that is. */
static void
frames_turn(struct frames *f, uint8_t type)
{
	uint8_t	 p[SESSION_LEAVE_LEN + 1024] = { type };
	size_t	 n = f->outn - 1;

	if (n > sizeof(p) - SESSION_LEAVE_LEN) {
		frames_flush(f);
		n = 0;
	}
	put64(p + 1, f->got);
	memcpy(p + SESSION_LEAVE_LEN, f->out + 1, n);
	f->outn = 1;
	frames_tell(f, p, SESSION_LEAVE_LEN + n);
}

void
frames_compress(struct frames *f)
{
	frames_turn(f, SESSION_COMPRESS);
}

void
frames_leave(struct frames *f)
{
	frames_turn(f, SESSION_LEAVE);
	f->gone = true;
}

void
frames_bye(struct frames *f)
{
	if (f->outn == 1)
		frames_tell(f, &(uint8_t){ SESSION_BYE }, 1);
	else
		frames_send(f, SESSION_BYE);
	f->gone = true;
}
