/*
 * Octets out of gzip and deflate, handed on in pieces, with a limit to how
 * many come and how many come out of how few (zip bombs).  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include <zlib.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define PIECE		65536U	/* octets handed on at once */
#define MEMBERS_MAX	64	/* of one gzip file */

static int
fail(struct unpack *u, const char *why)
{
	u->why = why;
	return -1;
}

/* n octets more, after in octets of this stream. */
static int
give(struct unpack *u, const char *p, size_t n, uint64_t in)
{
	if (n > UNPACK_MAX - u->out)
		return fail(u, "unpacks to more than 64 MiB");
	u->out += n;
	if (u->out > UNPACK_FREE && u->out / UNPACK_RATIO > u->in + in)
		return fail(u, "unpacks to a thousand times its size");
	if (u->sink(u->arg, p, n) == -1)
		return fail(u, NULL);
	return 0;
}

/* One stream to its end.  Returns octets of in used, -1. */
static ssize_t
stream(struct unpack *u, z_stream *z, struct slice in, uint32_t *crc,
    uint64_t *size)
{
	uint8_t out[PIECE];
	size_t n;
	int r = Z_OK;

	z->next_in = (Bytef *)(uintptr_t)in.p;
	z->avail_in = (uInt)in.n;
	*size = 0;
	*crc = (uint32_t)crc32(0, NULL, 0);
	while (r != Z_STREAM_END) {
		z->next_out = out;
		z->avail_out = sizeof(out);
		r = inflate(z, Z_NO_FLUSH);
		n = sizeof(out) - z->avail_out;
		if (r == Z_BUF_ERROR && n == 0)
			return fail(u, "packed data ends early");
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return fail(u, r == Z_MEM_ERROR ? "out of memory" :
			    "packed data is damaged");
		*crc = (uint32_t)crc32(*crc, out, (uInt)n);
		*size += n;
		if (give(u, (char *)out, n, in.n - z->avail_in) == -1)
			return -1;
	}
	u->in += in.n - z->avail_in;
	return (ssize_t)(in.n - z->avail_in);
}

/* What follows the last member and is none is padding. */
int
gzip_unpack(struct unpack *u, struct slice in)
{
	z_stream z = { 0 };
	uint64_t size;
	uint32_t crc;
	ssize_t n = -1;
	int i;

	if (in.n > UINT32_MAX || inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
		return fail(u, "out of memory");
	for (i = 0; i < MEMBERS_MAX; i++) {
		if ((n = stream(u, &z, in, &crc, &size)) == -1)
			break;
		in = slice_of(in.p + n, in.n - (size_t)n);
		if (in.n < 2 || memcmp(in.p, "\x1f\x8b", 2) != 0 ||
		    inflateReset(&z) != Z_OK)
			break;
	}
	inflateEnd(&z);
	if (i == MEMBERS_MAX)
		return fail(u, "too many members in a gzip file");
	return n == -1 ? -1 : 0;
}

static int
stored(struct unpack *u, struct slice in, uint32_t *crc)
{
	size_t i, n;

	*crc = (uint32_t)crc32(0, NULL, 0);
	for (i = 0; i < in.n; i += n) {
		n = in.n - i < PIECE ? in.n - i : PIECE;
		*crc = (uint32_t)crc32(*crc, (const Bytef *)in.p + i, (uInt)n);
		if (give(u, in.p + i, n, in.n) == -1)
			return -1;
	}
	u->in += in.n;
	return 0;
}

int
entry_unpack(struct unpack *u, struct slice in, int method, uint64_t size,
    uint32_t crc)
{
	z_stream z = { 0 };
	uint64_t got = in.n;
	uint32_t sum;
	ssize_t n;

	if (size > UNPACK_MAX)
		return fail(u, "unpacks to more than 64 MiB");
	if (in.n > UINT32_MAX)
		return fail(u, "packed data is too large");
	if (method == 0) {
		if (stored(u, in, &sum) == -1)
			return -1;
	} else {
		if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
			return fail(u, "out of memory");
		n = stream(u, &z, in, &sum, &got);
		inflateEnd(&z);
		if (n == -1)
			return -1;
	}
	if (got != size || sum != crc)
		return fail(u, "packed data is not what the archive says");
	return 0;
}
