/*
 * Input of one connection: read in blocks of up to 64 KiB a readiness, given
 * out as lines by the one strict line reader of the house (CR LF ends a
 * line, a stray CR or LF is told, a long line is dropped as it comes) or as
 * it is.  An empty buffer goes back to the pool at once.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <tls.h>

#include "base/slice.h"
#include "net/io.h"
#include "net/io_impl.h"

#define SKIP_REPORT	(64 * 1024)	/* IO_LONGER is told so often */

/* ---- from the socket ---- */

/*
 * Room behind what is there.  A reader that got a full small buffer gets
 * large ones from then on.
 */
int
io_room(struct io *io)
{
	struct iobuf *b = io->in, *big;

	if (b == NULL) {
		io->in = iobuf_get(io->big ? IOBUF_LARGE : IOBUF_SMALL);
		return io->in != NULL ? 0 : -1;
	}
	if (b->w < b->size)
		return 0;
	if (b->r > 0) {
		memmove(b->data, b->data + b->r, b->w - b->r);
		b->w -= b->r;
		b->r = 0;
		return 0;
	}
	if (b->size == IOBUF_LARGE || (big = iobuf_get(IOBUF_LARGE)) == NULL)
		return -1;
	memcpy(big->data, b->data, b->w);
	big->w = b->w;
	iobuf_put(b);
	io->in = big;
	io->big = true;
	return 0;
}

/* One read into in: what read(2) says, a full buffer as EAGAIN. */
static ssize_t
read_in(struct io *io)
{
	struct iobuf *b;
	ssize_t n;

	if (io_room(io) == -1) {
		io->stuck = true;	/* io_drain turns it on again */
		io_read_off(io);
		errno = EAGAIN;
		return -1;
	}
	b = io->in;
	n = read(io->fd, b->data + b->w, b->size - b->w);
	if (n > 0) {
		b->w += (uint32_t)n;
		io->big = (size_t)n > IOBUF_SMALL / 2;
	}
	return n;
}

void
io_read_clear(struct io *io)
{
	size_t had = io_peek(io).n;
	ssize_t n = 1;
	int e = 0;

	if (!io_packed(io)) {
		io_swap(io);
		if ((n = read_in(io)) == -1)
			e = errno;
		io_swap(io);
	}
	if (n == -1 && e != EAGAIN && e != EINTR) {
		io_fail(io, strerror(e));
		return;
	}
	if (n == 0) {
		io->eof = true;
		io_read_off(io);
		if (!io_emit(io, IO_EOF))
			io_settle(io);
		return;
	}
	if (io_unpack(io) == -1) {
		io_fail(io, "not DEFLATE");
		return;
	}
	if (io_peek(io).n == had || !io_emit(io, IO_READ))
		io_settle(io);
}

/* Finishing: what still comes is thrown away, so that closing does not
 * reset the connection under our last reply. */
void
io_read_discard(struct io *io)
{
	static char scratch[IOBUF_SMALL];
	ssize_t n;

	n = read(io->fd, scratch, sizeof(scratch));
	if (n > 0 && (io->skipped += (size_t)n) > IO_DISCARD_MAX) {
		io_free(io);		/* it does not listen any more */
		return;
	}
	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return;
	io->eof = true;
	io_read_off(io);
	if (n == -1 || io->shut)
		io_free(io);
}

/* ---- through a filter ---- */

void
io_swap(struct io *io)
{
	struct iobuf *b = io->in;

	if (io->filter == NULL)
		return;
	io->in = io->packed;
	io->packed = b;
}

bool
io_packed(const struct io *io)
{
	return io->unpacking ||
	    (io->packed != NULL && io->packed->r < io->packed->w);
}

int
io_unpack(struct io *io)
{
	if (io->filter == NULL)
		return 0;
	if (io->filter->unpack(io) == -1)
		return -1;
	if (!io_packed(io)) {
		iobuf_put(io->packed);
		io->packed = NULL;
		if (io->stuck) {
			io->stuck = false;
			io_read_on(io);
			io_again(io);
		}
	} else if (io_room(io) == -1) {
		io->stuck = true;	/* till the owner takes some */
		io_read_off(io);
	} else
		io_again(io);
	return 0;
}

/* An empty buffer goes back to the pool. */
void
io_settle(struct io *io)
{
	if (io->in != NULL && io->in->r == io->in->w) {
		iobuf_put(io->in);
		io->in = NULL;
		io->seen = 0;
	}
}

/* ---- to the owner ---- */

/* Forget up to n octets and what was known about them. */
static void
input_take(struct io *io, size_t n)
{
	io->in->r += (uint32_t)n;
	io->seen = 0;
	if (io->in->r == io->in->w && io->busy == 0)
		io_dirty(io);
	if (io->stuck) {
		io->stuck = false;
		io_read_on(io);
		if (io->tls_state != IO_CLEAR || io->filter != NULL)
			io_again(io);
	}
}

/* The rest of a line that was too long.  True when it ended. */
static bool
line_skip(struct io *io, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);

	if (lf != NULL) {
		io->skipping = false;
		io->skipped = 0;
		input_take(io, (size_t)(lf + 1 - p));
		return true;
	}
	io->skipped += n;
	input_take(io, n);
	return false;
}

enum io_line
io_line(struct io *io, size_t max, struct slice *line)
{
	const char *p, *lf;
	size_t n, len;

	*line = slice_of(NULL, 0);
	for (;;) {
		if (io->in == NULL || io->in->r == io->in->w)
			return IO_MORE;
		p = io->in->data + io->in->r;
		n = io->in->w - io->in->r;
		if (!io->skipping)
			break;
		if (!line_skip(io, p, n) && io->skipped >= SKIP_REPORT) {
			io->skipped = 0;
			return IO_LONGER;
		}
	}
	lf = memchr(p + io->seen, '\n', n - io->seen);
	len = lf != NULL ? (size_t)(lf + 1 - p) : n;
	if (len > max + 2) {
		io->skipping = true;
		line_skip(io, p, n);
		return IO_TOOLONG;
	}
	if (lf == NULL) {
		io->seen = n;
		return IO_MORE;
	}
	input_take(io, len);
	*line = slice_of(p, len - 1);
	if (len < 2 || p[len - 2] != '\r')
		return IO_BARE;
	line->n--;
	return memchr(p, '\r', line->n) != NULL ? IO_BARE : IO_LINE;
}

struct slice
io_peek(struct io *io)
{
	if (io->in == NULL)
		return slice_of(NULL, 0);
	return slice_of(io->in->data + io->in->r, io->in->w - io->in->r);
}

void
io_drain(struct io *io, size_t n)
{
	if (n > 0)
		input_take(io, n);
}
