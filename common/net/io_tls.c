/*
 * TLS of one connection, over libtls with its record layer between our own
 * buffers: what libtls writes is queued (so a write never has to be tried
 * again), what it reads comes from one buffer filled by one read.  Both the
 * server side (fronts, smtpd) and the client side (relay).  An end of the
 * connection without close_notify is an end like any other, never an end of
 * data: the protocols above have their own.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/io.h"
#include "net/io_impl.h"
#include "net/tlsssl.h"

static ssize_t	 raw_read(struct tls *, void *, size_t, void *);
static ssize_t	 raw_write(struct tls *, const void *, size_t, void *);
static void	 tls_begin(struct io *);
static int	 raw_fill(struct io *);
static bool	 handshake(struct io *);
static ssize_t	 decrypt(struct io *);
static void	 tls_end(struct io *, ssize_t);
static void	 raw_settle(struct io *);

int
io_accept_tls(struct io *io, struct tls *server)
{
	if (io->tls != NULL || io_peek(io).n > 0)
		return -1;
	if (tlsssl_accept(server, &io->tls, raw_read, raw_write, io,
	    &io->ssl) == -1) {
		io->tls = NULL;
		return -1;
	}
	tls_begin(io);
	return 0;
}

int
io_start_tls(struct io *io, struct tls_config *config, const char *servername)
{
	if (io->tls != NULL || io_peek(io).n > 0)
		return -1;
	if ((io->tls = tls_client()) == NULL)
		return -1;
	if (tls_configure(io->tls, config) == -1 ||
	    tlsssl_connect(io->tls, raw_read, raw_write, io, servername,
	    &io->ssl) == -1) {
		free(io->err);
		io->err = strdup(tls_error(io->tls) != NULL ?
		    tls_error(io->tls) : "TLS configuration");
		tls_free(io->tls);
		io->tls = NULL;
		return -1;
	}
	tls_begin(io);
	/* The client speaks first; not from inside the caller. */
	io_again(io);
	return 0;
}

const char *
io_tls_text(struct io *io, char out[IO_TLS_TEXT])
{
	struct tls *tls = io_tls(io);

	strlcpy(out, "none", IO_TLS_TEXT);
	if (tls != NULL)
		snprintf(out, IO_TLS_TEXT, "%s/%s", tls_conn_version(tls),
		    tls_conn_cipher(tls));
	return out;
}

struct ssl_st *
io_ssl(struct io *io)
{
	return io->ssl;
}

static void
tls_begin(struct io *io)
{
	ioq_move(&io->cipher, &io->out);	/* in clear, before TLS */
	io->tls_state = IO_HANDSHAKE;
	io->hs_tick = wheel_tick(IO_HANDSHAKE_MS);
	io_rewheel(io);
	if (io->cipher.n > 0)
		io_dirty(io);
}

static ssize_t
raw_read(struct tls *tls, void *buf, size_t n, void *arg)
{
	struct io *io = arg;
	struct iobuf *b = io->raw;
	size_t k;

	if (b == NULL || b->r == b->w)
		return io->raw_eof ? 0 : TLS_WANT_POLLIN;
	k = b->w - b->r;
	if (k > n)
		k = n;
	memcpy(buf, b->data + b->r, k);
	b->r += (uint32_t)k;
	return (ssize_t)k;
}

static ssize_t
raw_write(struct tls *tls, const void *buf, size_t n, void *arg)
{
	struct io *io = arg;

	if (ioq_add(&io->cipher, buf, n) == -1)
		return -1;
	io_dirty(io);
	return (ssize_t)n;
}

/* One read of the socket when the last one is used up.  0, -1 error. */
static int
raw_fill(struct io *io)
{
	struct iobuf *b = io->raw;
	ssize_t n;

	if (b != NULL && b->r < b->w)
		return 0;
	if (b == NULL && (b = io->raw = iobuf_get(io->big ? IOBUF_LARGE :
	    IOBUF_SMALL)) == NULL)
		return -1;
	b->r = b->w = 0;
	n = read(io->fd, b->data, b->size);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0) {
		io->raw_eof = true;
		io_read_off(io);
	}
	b->w = (uint32_t)n;
	io->big = (size_t)n > IOBUF_SMALL / 2;
	return 0;
}

void
io_tls_input(struct io *io, bool readable)
{
	size_t had;
	ssize_t n;
	bool behind;

	if (readable && !io->raw_eof && raw_fill(io) == -1) {
		io_fail(io, strerror(errno));
		return;
	}
	if (io->tls_state == IO_HANDSHAKE && !handshake(io))
		return;
	if (io->cb == NULL || io->paused || io->eof)
		return;
	had = io_peek(io).n;
	n = 1;
	behind = io_packed(io);
	if (!behind) {
		io_swap(io);
		n = decrypt(io);
		io_swap(io);
	}
	raw_settle(io);
	if (io_unpack(io) == -1) {
		io_fail(io, "not DEFLATE");
		return;
	}
	/* No readiness tells of the records that waited behind it. */
	if (behind && !io_packed(io))
		io_again(io);
	if (io_peek(io).n > had && io_emit(io, IO_READ))
		return;
	io_settle(io);
	/* What is left of the filter's comes first; then TLS says it again. */
	if ((n == 0 || n == -1) && io->cb != NULL && !io_packed(io))
		tls_end(io, n);
}

static void
raw_settle(struct io *io)
{
	if (io->raw != NULL && io->raw->r == io->raw->w) {
		iobuf_put(io->raw);
		io->raw = NULL;
	}
}

/* True when it is done and the owner still wants the connection. */
static bool
handshake(struct io *io)
{
	int r;

	r = tls_handshake(io->tls);
	if (r == 0) {
		io->tls_state = IO_TLS;
		io->hs_tick = 0;
		io_rewheel(io);
		if (io->out.n > 0)
			io_dirty(io);
		return !io_emit(io, IO_SECURED);
	}
	raw_settle(io);
	if (r == TLS_WANT_POLLIN || r == TLS_WANT_POLLOUT) {
		if (io->raw_eof)
			io_fail(io, "connection closed in TLS handshake");
		return false;
	}
	io_write_queue(io, &io->cipher);	/* our alert */
	io_fail(io, tls_error(io->tls) != NULL ? tls_error(io->tls) :
	    "TLS handshake failed");
	return false;
}

/* Octets read from the socket that TLS has not taken. */
static size_t
raw_left(const struct io *io)
{
	return io->raw == NULL ? 0 : io->raw->w - io->raw->r;
}

/*
 * As much as is there, there is room for and one loop turn allows.  Returns
 * what tls_read said last; > 0: there may be more.
 */
static ssize_t
decrypt(struct io *io)
{
	struct iobuf *b;
	size_t left, total = 0;
	ssize_t n;

	while (total < IO_TURN_MAX) {
		if (io_room(io) == -1) {
			io->stuck = true;
			io_read_off(io);
			return 1;
		}
		b = io->in;
		left = raw_left(io);
		n = tls_read(io->tls, b->data + b->w, b->size - b->w);
		/* a record without data (a ticket) stops it; more may wait */
		if (n == TLS_WANT_POLLIN && raw_left(io) > 0 &&
		    raw_left(io) < left)
			continue;
		if (n <= 0)
			return n;
		b->w += (uint32_t)n;
		total += (size_t)n;
	}
	io_again(io);
	return 1;
}

/* tls_read said 0 or -1. */
static void
tls_end(struct io *io, ssize_t n)
{
	if (n == -1 && !io->raw_eof) {
		io_write_queue(io, &io->cipher);
		io_fail(io, tls_error(io->tls) != NULL ?
		    tls_error(io->tls) : "TLS failed");
		return;
	}
	io->eof = true;
	io_read_off(io);
	if (!io_emit(io, IO_EOF))
		io_settle(io);
}

int
io_tls_output(struct io *io)
{
	struct iobuf *b;
	ssize_t n;

	while (io->out.n > 0 && io->cipher.n < IO_CIPHER_MAX) {
		if (ioq_load(&io->out) == -1)
			return -1;
		b = io->out.head;
		n = tls_write(io->tls, b->data + b->r, b->w - b->r);
		if (n <= 0) {	/* raw_write always takes all */
			free(io->err);
			io->err = strdup(tls_error(io->tls) != NULL ?
			    tls_error(io->tls) : "TLS failed");
			return -1;
		}
		ioq_consume(&io->out, (size_t)n);
	}
	return 0;
}

void
io_tls_close(struct io *io)
{
	tls_close(io->tls);	/* does not wait for the peer's */
}
