/*
 * Octets of an export on their way to the operator's file, and tar around
 * them (POSIX.1-2001 pax: ustar, with a longer path in a record before it).
 * Part of store; the descriptor is mailctl's and may be a pipe.  After a
 * failure nothing more is written, and out_end() says so.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/util.h"
#include "store/store.h"
#include "maild/store/room.h"

#define BLOCK		512
#define NAME_USTAR	100
#define MTIME_MAX	077777777777LL

void
out_begin(struct out *o, int fd)
{
	o->fd = fd;
	o->n = 0;
	o->error = fd == -1 ? EBADF : 0;
}

static void
out_flush(struct out *o)
{
	if (o->error == 0 && write_all(o->fd, o->buf, o->n) == -1)
		o->error = errno;
	o->n = 0;
}

void
out_put(struct out *o, const void *p, size_t n)
{
	const uint8_t *from = p;
	size_t k;

	for (; n > 0; n -= k, from += k) {
		if (o->n == sizeof(o->buf))
			out_flush(o);
		k = n < sizeof(o->buf) - o->n ? n : sizeof(o->buf) - o->n;
		memcpy(o->buf + o->n, from, k);
		o->n += k;
	}
}

/* On stable storage, where it is a file; 0, or -1 with errno. */
int
out_end(struct out *o)
{
	out_flush(o);
	if (o->error == 0 && fdatasync(o->fd) == -1 && errno != EINVAL &&
	    errno != EROFS && errno != ENOTSUP)
		o->error = errno;
	errno = o->error;
	return o->error == 0 ? 0 : -1;
}

/* ---- tar ----------------------------------------------------------------- */

/* size octets with the NUL behind the digits. */
static void
octal(char *field, size_t size, unsigned long long v)
{
	field[--size] = '\0';
	for (; size > 0; v /= 8)
		field[--size] = (char)('0' + v % 8);
}

static void
header_put(struct out *o, const char *path, char type, unsigned long long size,
    int64_t mtime)
{
	char h[BLOCK] = { 0 };
	unsigned int sum = 0;
	size_t i;

	(void)strlcpy(h, path, NAME_USTAR + 1);
	octal(h + 100, 8, type == '5' ? 0700 : 0600);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, size);
	octal(h + 136, 12, mtime < 0 ? 0 : mtime > MTIME_MAX ? MTIME_MAX :
	    (unsigned long long)mtime);
	h[156] = type;
	memcpy(h + 257, "ustar\0" "00", 8);
	memset(h + 148, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	octal(h + 148, 7, sum);
	out_put(o, h, BLOCK);
}

void
tar_pad(struct out *o, uint64_t size)
{
	static const char zeros[BLOCK];

	out_put(o, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

/* "LENGTH path=PATH\n", LENGTH with its own digits in it. */
static void
path_put(struct out *o, const char *path)
{
	char text[TAR_PATH + 32];
	size_t n = strlen(path) + 7, len = n + 1;
	int k;

	while ((size_t)snprintf(text, sizeof(text), "%zu", len) + n != len)
		len = (size_t)snprintf(text, sizeof(text), "%zu", len) + n;
	k = snprintf(text, sizeof(text), "%zu path=%s\n", len, path);
	header_put(o, "pax", 'x', (unsigned long long)k, 0);
	out_put(o, text, (size_t)k);
	tar_pad(o, (uint64_t)k);
}

void
tar_entry(struct out *o, const char *path, char type, uint64_t size,
    int64_t mtime)
{
	if (strlen(path) > NAME_USTAR)
		path_put(o, path);
	header_put(o, path, type, size, mtime);
}

void
tar_file(struct out *o, const char *path, struct slice text)
{
	tar_entry(o, path, '0', text.n, 0);
	out_put(o, text.p, text.n);
	tar_pad(o, text.n);
}

void
tar_end(struct out *o)
{
	static const char zeros[2 * BLOCK];

	out_put(o, zeros, sizeof(zeros));
}
