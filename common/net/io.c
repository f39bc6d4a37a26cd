/*
 * One connection of an event-driven role (smtpd, imapd, pop3d, relay): its
 * life, its events, its output, which is collected and goes out with one
 * writev at the end of the loop turn.  The owner may free the io from any of
 * its callbacks.  Input is in io_input.c, TLS in io_tls.c.  Never blocks (but
 * for the TLS signature, see tlskey.h).
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tls.h>

#include "net/io.h"
#include "net/io_impl.h"

#define SPARE_IO	64		/* structs kept for the next */
#define PRINTF_MAX	4096		/* octets of one io_printf */

/* life */
static struct io *io_alloc(struct event_base *, int, io_cb, void *);
static void	 io_release(struct io *);
/* events */
static void	 on_readable(evutil_socket_t, short, void *);
static void	 on_writable(evutil_socket_t, short, void *);
static void	 on_turn_end(evutil_socket_t, short, void *);
static void	 on_again(evutil_socket_t, short, void *);
static void	 connect_done(struct io *);
/* output */
static void	 io_flush(struct io *);
static void	 io_drained(struct io *);
static void	 io_unchoke(struct io *);
static void	 finish_next(struct io *);

TAILQ_HEAD(io_list, io);

static struct {
	struct event_base *base;
	struct event	*turn;		/* end of this loop turn */
	struct event	*again_ev;
	struct io_list	 dirty, again;
	LIST_HEAD(, io)	 spare;
	unsigned int	 nspare;
} mill = {
	.dirty = TAILQ_HEAD_INITIALIZER(mill.dirty),
	.again = TAILQ_HEAD_INITIALIZER(mill.again),
};

/* ---- life ---- */

static int
mill_start(struct event_base *base)
{
	if (mill.base == base)
		return 0;
	if (mill.turn != NULL)
		event_free(mill.turn);
	if (mill.again_ev != NULL)
		event_free(mill.again_ev);
	mill.turn = event_new(base, -1, 0, on_turn_end, NULL);
	mill.again_ev = evtimer_new(base, on_again, NULL);
	if (mill.turn == NULL || mill.again_ev == NULL)
		return -1;
	mill.base = base;
	return 0;
}

static struct io *
io_alloc(struct event_base *base, int fd, io_cb cb, void *arg)
{
	struct io *io;

	if (mill_start(base) == -1)
		return NULL;
	if ((io = LIST_FIRST(&mill.spare)) != NULL) {
		LIST_REMOVE(io, wheel);
		mill.nspare--;
		memset(io, 0, sizeof(*io));
	} else if ((io = calloc(1, sizeof(*io))) == NULL)
		return NULL;
	io->base = base;
	io->fd = fd;
	io->cb = cb;
	io->arg = arg;
	event_assign(&io->rd, base, fd, EV_READ | EV_PERSIST, on_readable, io);
	event_assign(&io->wr, base, fd, EV_WRITE, on_writable, io);
	return io;
}

struct io *
io_new(struct event_base *base, int fd, io_cb cb, void *arg)
{
	struct io *io;

	if ((io = io_alloc(base, fd, cb, arg)) != NULL) {
		io->taken = true;
		io_read_on(io);
	}
	return io;
}

struct io *
io_connect(struct event_base *base, const struct sockaddr *sa,
    unsigned int len, const struct sockaddr *src, unsigned int srclen,
    io_cb cb, void *arg)
{
	struct io *io;
	int fd, on = 1;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((io = io_alloc(base, fd, cb, arg)) == NULL) {
		close(fd);
		return NULL;
	}
	io->connecting = true;
	if ((src != NULL && bind(fd, src, srclen) == -1) ||
	    (connect(fd, sa, len) == -1 && errno != EINPROGRESS)) {
		/* Told from the loop, as every other outcome. */
		io->err = strdup(strerror(errno));
		io->failed = true;
		io_dirty(io);
		return io;
	}
	event_add(&io->wr, NULL);
	io->wr_on = true;
	return io;
}

void
io_free(struct io *io)
{
	if (io == NULL || io->dead)
		return;
	io->dead = true;
	io->cb = NULL;
	wheel_unset(io);
	if (io->in_dirty)
		TAILQ_REMOVE(&mill.dirty, io, dirty);
	if (io->in_again)
		TAILQ_REMOVE(&mill.again, io, again);
	io->in_dirty = io->in_again = false;
	io_read_off(io);
	if (io->wr_on)
		event_del(&io->wr);
	io->wr_on = false;
	tls_free(io->tls);
	io->tls = NULL;
	io->ssl = NULL;
	close(io->fd);
	io->fd = -1;
	ioq_clear(&io->out);
	ioq_clear(&io->cipher);
	iobuf_put(io->raw);
	iobuf_put(io->packed);
	io->raw = io->packed = NULL;
	if (io->filter != NULL)
		io->filter->free(io);
	io->filter = NULL;
	if (io->busy == 0)
		io_release(io);
}

/* Slices of the line in work stay good until the callback returned. */
static void
io_release(struct io *io)
{
	iobuf_put(io->in);
	free(io->err);
	if (mill.nspare == SPARE_IO) {
		free(io);
		return;
	}
	LIST_INSERT_HEAD(&mill.spare, io, wheel);
	mill.nspare++;
}

void
io_finish(struct io *io, unsigned int linger_ms)
{
	io->cb = NULL;
	io->skipped = 0;
	io->corked = false;
	io->linger = linger_ms > 0;
	io->hs_tick = 0;
	io->user_tick = wheel_tick(linger_ms > 0 ? linger_ms : IO_DRAIN_MS);
	wheel_set(io, io->user_tick);
	io_dirty(io);
}

bool
io_emit(struct io *io, enum io_event ev)
{
	if (io->cb == NULL)
		return io->dead;
	io->busy++;
	io->cb(io, ev, io->arg);
	io->busy--;
	if (io->dead && io->busy == 0) {
		io_release(io);
		return true;
	}
	return io->dead;
}

void
io_fail(struct io *io, const char *why)
{
	io->failed = true;
	if (io->err == NULL)
		io->err = strdup(why);
	io_read_off(io);
	if (io->cb == NULL)
		io_free(io);
	else
		io_emit(io, IO_ERROR);
}

const char *
io_error(const struct io *io)
{
	return io->err != NULL ? io->err : "no error";
}

struct tls *
io_tls(struct io *io)
{
	return io->tls_state == IO_TLS ? io->tls : NULL;
}

void
io_dirty(struct io *io)
{
	if (io->in_dirty || io->dead)
		return;
	if (TAILQ_EMPTY(&mill.dirty))
		event_active(mill.turn, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&mill.dirty, io, dirty);
	io->in_dirty = true;
}

void
io_read_on(struct io *io)
{
	if (io->rd_on || io->eof || io->failed || io->connecting)
		return;
	event_add(&io->rd, NULL);
	io->rd_on = true;
}

void
io_read_off(struct io *io)
{
	if (io->rd_on)
		event_del(&io->rd);
	io->rd_on = false;
}

/* ---- events ---- */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	if (io->cb == NULL)
		io_read_discard(io);
	else if (io->paused || io_full(io))
		io_read_off(io);	/* io_resume, io_unchoke: on again */
	else if (io->tls_state != IO_CLEAR)
		io_tls_input(io, true);
	else
		io_read_clear(io);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	io->wr_on = false;
	if (io->connecting)
		connect_done(io);
	else
		io_flush(io);
}

static void
connect_done(struct io *io)
{
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		e = errno;
	if (e != 0) {
		io_fail(io, strerror(e));
		return;
	}
	io->connecting = false;
	io_read_on(io);
	if (!io_emit(io, IO_CONNECTED) && io->out.n > 0)
		io_dirty(io);
}

/* Everything that was made active in this turn has run by now. */
static void
on_turn_end(evutil_socket_t fd, short what, void *arg)
{
	struct io *io;

	while ((io = TAILQ_FIRST(&mill.dirty)) != NULL) {
		TAILQ_REMOVE(&mill.dirty, io, dirty);
		io->in_dirty = false;
		if (io->connecting && io->failed) {
			io_fail(io, "connect failed");
			continue;
		}
		io_settle(io);
		if (!io->wr_on && !io->connecting && !io->corked)
			io_flush(io);
	}
}

void
io_again(struct io *io)
{
	struct timeval zero = { 0, 0 };

	if (io->in_again || io->dead)
		return;
	if (TAILQ_EMPTY(&mill.again))
		evtimer_add(mill.again_ev, &zero);
	TAILQ_INSERT_TAIL(&mill.again, io, again);
	io->in_again = true;
}

/* Those that are there now; who comes again waits for the next turn. */
static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct timeval zero = { 0, 0 };
	struct io *io, *last = TAILQ_LAST(&mill.again, io_list);
	bool end = false;

	while (!end && (io = TAILQ_FIRST(&mill.again)) != NULL) {
		end = io == last;
		TAILQ_REMOVE(&mill.again, io, again);
		io->in_again = false;
		if (io->paused || io->cb == NULL || io_full(io))
			continue;
		if (io->in != NULL && io->in->r < io->in->w &&
		    io_emit(io, IO_READ))
			continue;
		if (io->cb == NULL || io->paused)
			io_settle(io);
		else if (io->tls_state != IO_CLEAR)
			io_tls_input(io, false);
		else if (io->filter != NULL && !io->eof)
			io_read_clear(io);
		else
			io_settle(io);
	}
	if (!TAILQ_EMPTY(&mill.again))
		evtimer_add(mill.again_ev, &zero);
}

/* ---- output ---- */

int
io_write(struct io *io, const void *p, size_t n)
{
	if (io->failed || io->dead || n == 0)
		return n == 0 ? 0 : -1;
	if ((io->filter != NULL ? io->filter->write(io, p, n) :
	    ioq_add(&io->out, p, n)) == -1)
		return -1;
	io->announce = true;
	io_dirty(io);
	return 0;
}

int
io_printf(struct io *io, const char *fmt, ...)
{
	char buf[PRINTF_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf))
		return -1;
	return io_write(io, buf, (size_t)n);
}

int
io_sendfile(struct io *io, int fd, off_t off, size_t n)
{
	if (io->failed || io->dead || ioq_file(&io->out, fd, off, n) == -1)
		return -1;
	io->announce = true;
	io_dirty(io);
	return 0;
}

size_t
io_queued(const struct io *io)
{
	return io->out.n + io->cipher.n;
}

void
io_cork(struct io *io, bool on)
{
	io->corked = on;
	if (!on && io->out.n > 0)
		io_dirty(io);
}

/* What TLS has said by itself, `out', and close_notify of one who is finished
 * are one write.  0, -1. */
static int
io_seal(struct io *io)
{
	if (io->filter != NULL && io->filter->flush(io) == -1)
		return -1;
	if (io->tls_state != IO_TLS)
		return 0;
	if (io_tls_output(io) == -1)
		return -1;
	if (io->cb == NULL && io->out.n == 0 && !io->closed) {
		io->closed = true;
		io_tls_close(io);
	}
	return 0;
}

/*
 * Write until all is out or the socket is full.  Clear text goes straight
 * from `out'; under TLS `out' is encrypted into `cipher' and that is
 * written.
 */
static void
io_flush(struct io *io)
{
	int r;

	if (io->failed) {
		if (io->cb == NULL)
			io_free(io);
		return;
	}
	do {
		if ((r = io_seal(io)) == 0)
			r = io_write_queue(io, io->tls_state == IO_CLEAR ?
			    &io->out : &io->cipher);
	} while (r == 0 && io->tls_state == IO_TLS && io->out.n > 0);
	if (r == 0 && io->out.n > 0) {		/* a handshake first */
		if (io->cb == NULL)
			io_free(io);
		return;
	}
	if (r == -1) {
		io_fail(io, io->err != NULL ? io->err : strerror(errno));
		return;
	}
	if (io->choked && io_queued(io) <= IO_OUT_MAX / 2)
		io_unchoke(io);
	if (r > 0) {
		event_add(&io->wr, NULL);
		io->wr_on = true;
		return;
	}
	io_drained(io);
}

/* 0 all written, 1 the socket is full, -1 error. */
int
io_write_queue(struct io *io, struct ioqueue *q)
{
	struct iovec iov[IO_IOV];
	ssize_t n;
	int k;

	while (q->n > 0) {
		if (ioq_load(q) == -1)
			return -1;
		k = ioq_iov(q, iov, IO_IOV);
		n = k == 1 ? write(io->fd, iov[0].iov_base, iov[0].iov_len) :
		    writev(io->fd, iov, k);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? 1 : -1;
		ioq_consume(q, (size_t)n);
	}
	return 0;
}

static void
io_drained(struct io *io)
{
	if (io->cb == NULL) {
		finish_next(io);
		return;
	}
	if (io->announce) {
		io->announce = false;
		io_emit(io, IO_DRAINED);
	}
}

/* All output of a finishing io is with the kernel: the end of our side, then
 * wait for the peer's end if that was asked for. */
static void
finish_next(struct io *io)
{
	if (!io->linger || io->eof) {
		io_free(io);
		return;
	}
	if (!io->shut) {
		io->shut = true;
		shutdown(io->fd, SHUT_WR);
		io->paused = false;
		io_read_on(io);
	}
}

/* ---- flow ---- */

bool
io_full(struct io *io)
{
	if (!io->taken || io_queued(io) <= IO_OUT_MAX)
		return false;
	io->choked = true;
	return true;
}

/* The peer has read: so do we. */
static void
io_unchoke(struct io *io)
{
	io->choked = false;
	if (io->cb == NULL || io->paused)
		return;
	if (!io->stuck)
		io_read_on(io);
	io_again(io);
}

void
io_pause(struct io *io)
{
	io->paused = true;
}

void
io_resume(struct io *io)
{
	if (!io->paused)
		return;
	io->paused = false;
	if (io->dead || io->cb == NULL)
		return;
	if (!io->stuck)
		io_read_on(io);
	/* TLS may have some that no readiness tells of. */
	if ((io->in != NULL && io->in->r < io->in->w) || io->ssl != NULL ||
	    io_packed(io))
		io_again(io);
}

void
io_deadline(struct io *io, unsigned int ms)
{
	io->user_tick = ms > 0 ? wheel_tick(ms) : 0;
	io_rewheel(io);
}

void
io_rewheel(struct io *io)
{
	uint64_t t = io->user_tick;

	if (io->hs_tick != 0 && (t == 0 || io->hs_tick < t))
		t = io->hs_tick;
	wheel_set(io, t);
}
