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

static ssize_t	frames_recv(struct frames *);
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

/* One packet into in[]; its length, 0 when the other side is gone. */
static ssize_t
frames_recv(struct frames *f)
{
	ssize_t	 n;

	f->off = f->len = 0;
	if (f->gone)
		return 0;
	do
		n = recv(f->sock, f->in, sizeof(f->in), 0);
	while ((n == -1 && errno == EINTR) || frames_quota(f, n));
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

	n = frames_recv(f);
	if (n < 1 || f->in[0] != SESSION_START)
		return -1;
	*payload = slice_of(f->in + 1, (size_t)n - 1);
	return 0;
}

bool
frames_fill(struct frames *f)
{
	ssize_t	 n;

	if (f->off < f->len)
		return true;
	frames_flush(f);
	do {
		n = frames_recv(f);
		if (n == 0)
			return false;
	} while (n == 1 && f->in[0] == SESSION_DATA);
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

void
frames_compress(struct frames *f)
{
	uint8_t	 p[SESSION_COMPRESS_LEN] = { SESSION_COMPRESS };

	put64(p + 1, f->got);
	frames_tell(f, p, sizeof(p));
}

void
frames_bye(struct frames *f)
{
	const uint8_t	 bye = SESSION_BYE;

	frames_tell(f, &bye, 1);
	f->gone = true;
}
