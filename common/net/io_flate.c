/*
 * DEFLATE of one connection (RFC 4978), between its owner's text and TLS or
 * the socket.  imapd has it from the answer to COMPRESS on.  What waits to
 * be unpacked is at most one buffer, and what comes out of it a turn at most
 * FLATE_TURN octets, however much was packed into it; the rest waits till the
 * owner has taken that.
 *
 * A connection that is used costs 55 KiB to pack and 40 to unpack.  Of one
 * that rests the packer goes, since a fresh one may continue the same raw
 * stream behind a flush.  The unpacker goes between two blocks: its window is
 * kept, packed, and the bits of the last octet that belong to the next block.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "net/io.h"
#include "net/io_impl.h"

#define FLATE_TURN	(64 * 1024)	/* octets unpacked a loop turn */
#define FLATE_CHUNK	4096		/* packed octets at once */
/* Ours: 8 KiB back, and levels above this cost twice the time for a tenth
 * less.  The client's may reach back as far as there is. */
#define PACK_LEVEL	3
#define PACK_BITS	(-13)
#define PACK_MEMORY	5
#define UNPACK_BITS	(-15)
#define WINDOW_MAX	32768

struct flate {
	z_stream	 pack, unpack;
	bool		 packs, unpacks; /* they are there */
	bool		 due;		/* written and not flushed */
	uint8_t		 last;		/* octet that was unpacked */
	/* of an unpacker that rests */
	uint8_t		*window;	/* packed */
	uLong		 nwindow;	/* octets of it */
	uLong		 nplain;	/* and when unpacked */
	int		 bits;		/* of last, not yet used */
};

static int	 flate_write(struct io *, const void *, size_t);
static int	 flate_flush(struct io *);
static int	 flate_unpack(struct io *);
static void	 flate_free(struct io *);
static int	 pack(struct io *, int);
static int	 unpack_some(struct io *, size_t, size_t *);
static int	 unpack_wake(struct flate *);
static void	 unpack_rest(struct flate *);

static const struct io_filter flate_filter = {
	.write = flate_write,
	.flush = flate_flush,
	.unpack = flate_unpack,
	.free = flate_free,
};

int
io_flate(struct io *io)
{
	if ((io->flate = calloc(1, sizeof(struct flate))) == NULL)
		return -1;
	io->filter = &flate_filter;
	return 0;
}

bool
io_flated(const struct io *io)
{
	return io->filter == &flate_filter;
}

static void
flate_free(struct io *io)
{
	struct flate *f = io->flate;

	if (f->packs)
		deflateEnd(&f->pack);
	if (f->unpacks)
		inflateEnd(&f->unpack);
	free(f->window);
	free(f);
	io->flate = NULL;
}

/* ---- output ------------------------------------------------------------ */

static int
flate_write(struct io *io, const void *p, size_t n)
{
	struct flate *f = io->flate;

	if (!f->packs && deflateInit2(&f->pack, PACK_LEVEL, Z_DEFLATED,
	    PACK_BITS, PACK_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return -1;
	f->packs = f->due = true;
	f->pack.next_in = (Bytef *)(uintptr_t)p;
	f->pack.avail_in = (uInt)n;
	return pack(io, Z_NO_FLUSH);
}

static int
flate_flush(struct io *io)
{
	struct flate *f = io->flate;

	if (!f->due)
		return 0;
	f->due = false;
	f->pack.avail_in = 0;
	return pack(io, Z_SYNC_FLUSH);
}

static int
pack(struct io *io, int flush)
{
	struct flate *f = io->flate;
	uint8_t buf[FLATE_CHUNK];

	do {
		f->pack.next_out = buf;
		f->pack.avail_out = sizeof(buf);
		if (deflate(&f->pack, flush) == Z_STREAM_ERROR ||
		    ioq_add(&io->out, buf, sizeof(buf) -
		    f->pack.avail_out) == -1)
			return -1;
	} while (f->pack.avail_out == 0);
	return 0;
}

/* ---- input ------------------------------------------------------------- */

static int
flate_unpack(struct io *io)
{
	struct flate *f = io->flate;
	size_t left = FLATE_TURN, n;

	if (io->packed == NULL)
		return 0;
	if (!f->unpacks && unpack_wake(f) == -1)
		return -1;
	while (left > 0 && io_packed(io) && io_room(io) == 0) {
		if (unpack_some(io, left, &n) == -1)
			return -1;
		left -= n;
	}
	return 0;
}

/* As much as in has room for, at most max. */
static int
unpack_some(struct io *io, size_t max, size_t *n)
{
	struct flate *f = io->flate;
	struct iobuf *b = io->in, *from = io->packed;
	size_t room = b->size - b->w < max ? b->size - b->w : max;
	int r;

	f->unpack.next_in = (Bytef *)from->data + from->r;
	f->unpack.avail_in = from->w - from->r;
	f->unpack.next_out = (Bytef *)b->data + b->w;
	f->unpack.avail_out = (uInt)room;
	r = inflate(&f->unpack, Z_SYNC_FLUSH);
	/* No end was agreed on: whoever says that there is one is done. */
	if (r != Z_OK && r != Z_BUF_ERROR)
		return -1;
	from->r = from->w - f->unpack.avail_in;
	if (from->r > 0)
		f->last = (uint8_t)from->data[from->r - 1];
	*n = room - f->unpack.avail_out;
	b->w += (uint32_t)*n;
	io->unpacking = f->unpack.avail_out == 0;
	return 0;
}

/* ---- rest -------------------------------------------------------------- */

void
io_flate_rest(struct io *io)
{
	struct flate *f = io->flate;

	if (!io_flated(io))
		return;
	if (f->packs && !f->due) {
		deflateEnd(&f->pack);
		f->packs = false;
	}
	if (f->unpacks && !io_packed(io))
		unpack_rest(f);
}

/*
 * Only where zlib stands before the first bit of a block, as it does behind
 * whatever a client can flush with; in the midst of one it stays.
 */
static void
unpack_rest(struct flate *f)
{
	static uint8_t window[WINDOW_MAX];
	uInt n = 0;
	uLong size;
	uint8_t *p = NULL;

	if ((f->unpack.data_type & ~7) != 128 ||
	    inflateGetDictionary(&f->unpack, window, &n) != Z_OK)
		return;
	if (n > 0) {
		size = compressBound(n);
		if ((p = malloc(size)) == NULL)
			return;
		if (compress2(p, &size, window, n, PACK_LEVEL) != Z_OK) {
			free(p);
			return;
		}
		f->window = realloc(p, size);
		if (f->window == NULL)
			f->window = p;
		f->nwindow = size;
	}
	f->nplain = n;
	f->bits = f->unpack.data_type & 7;
	inflateEnd(&f->unpack);
	f->unpacks = false;
}

static int
unpack_wake(struct flate *f)
{
	static uint8_t window[WINDOW_MAX];
	uLong n = sizeof(window);

	f->unpack = (z_stream){ 0 };
	if (inflateInit2(&f->unpack, UNPACK_BITS) != Z_OK)
		return -1;
	f->unpacks = true;
	if (f->nplain > 0 && (uncompress(window, &n, f->window,
	    f->nwindow) != Z_OK || n != f->nplain ||
	    inflateSetDictionary(&f->unpack, window, (uInt)n) != Z_OK))
		return -1;
	free(f->window);
	f->window = NULL;
	f->nplain = 0;
	if (f->bits > 0 && inflatePrime(&f->unpack, f->bits,
	    f->last >> (8 - f->bits)) != Z_OK)
		return -1;
	f->bits = 0;
	return 0;
}
