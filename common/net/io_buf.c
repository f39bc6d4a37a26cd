/*
 * Buffers of common/io: two sizes, kept and used again (the first touch of
 * a page costs more than a system call), and the output queue made of them.
 * A connection without unread input and unsent output holds none.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/io.h"
#include "net/io_impl.h"

#define SPARE_SMALL	256	/* buffers kept: 4 MiB */
#define SPARE_LARGE	32	/* 2 MiB */

static struct {
	struct iobuf	*small, *large;
	unsigned int	 nsmall, nlarge;
} spare;

struct iobuf *
iobuf_get(size_t n)
{
	struct iobuf *b, **list = &spare.small;
	unsigned int *count = &spare.nsmall;
	uint32_t size = IOBUF_SMALL;

	if (n > IOBUF_SMALL) {
		list = &spare.large;
		count = &spare.nlarge;
		size = IOBUF_LARGE;
	}
	if ((b = *list) != NULL) {
		*list = b->next;
		(*count)--;
	} else {
		if ((b = malloc(sizeof(*b) + size)) == NULL)
			return NULL;
		b->size = size;
	}
	b->next = NULL;
	b->r = b->w = 0;
	b->fd = -1;
	b->left = 0;
	return b;
}

void
iobuf_put(struct iobuf *b)
{
	if (b == NULL)
		return;
	if (b->size == IOBUF_SMALL && spare.nsmall < SPARE_SMALL) {
		b->next = spare.small;
		spare.small = b;
		spare.nsmall++;
	} else if (b->size == IOBUF_LARGE && spare.nlarge < SPARE_LARGE) {
		b->next = spare.large;
		spare.large = b;
		spare.nlarge++;
	} else
		free(b);
}

static void
ioq_append(struct ioqueue *q, struct iobuf *b)
{
	if (q->tail != NULL)
		q->tail->next = b;
	else
		q->head = b;
	q->tail = b;
}

int
ioq_add(struct ioqueue *q, const void *p, size_t n)
{
	const char *c = p;
	struct iobuf *b = q->tail;
	size_t k;

	while (n > 0) {
		if (b == NULL || b->w == b->size) {
			if ((b = iobuf_get(n)) == NULL)
				return -1;
			ioq_append(q, b);
		}
		k = b->size - b->w;
		if (k > n)
			k = n;
		memcpy(b->data + b->w, c, k);
		b->w += (uint32_t)k;
		q->n += k;
		c += k;
		n -= k;
	}
	return 0;
}

int
ioq_file(struct ioqueue *q, int fd, off_t off, size_t n)
{
	struct iobuf *b;

	if (n == 0)
		return 0;
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return -1;
	b->fd = fd;
	b->off = off;
	b->left = n;
	q->n += n;
	ioq_append(q, b);
	return 0;
}

void
ioq_move(struct ioqueue *dst, struct ioqueue *src)
{
	if (src->head == NULL)
		return;
	if (dst->tail != NULL)
		dst->tail->next = src->head;
	else
		dst->head = src->head;
	dst->tail = src->tail;
	dst->n += src->n;
	*src = (struct ioqueue){ 0 };
}

int
ioq_load(struct ioqueue *q)
{
	struct iobuf *f = q->head, *b;
	ssize_t n;

	if (f == NULL || f->size != 0)
		return 0;
	if ((b = iobuf_get(f->left)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	do {
		n = pread(f->fd, b->data, f->left < b->size ? f->left :
		    b->size, f->off);
	} while (n == -1 && errno == EINTR);
	if (n <= 0) {
		if (n == 0)
			errno = EIO;	/* the file is shorter than said */
		iobuf_put(b);
		return -1;
	}
	b->w = (uint32_t)n;
	f->off += n;
	f->left -= (size_t)n;
	b->next = f;
	q->head = b;
	if (f->left == 0) {
		b->next = f->next;
		if (q->tail == f)
			q->tail = b;
		free(f);
	}
	return 0;
}

int
ioq_iov(struct ioqueue *q, struct iovec *iov, int max)
{
	struct iobuf *b;
	int n = 0;

	for (b = q->head; b != NULL && b->size != 0 && n < max; b = b->next) {
		iov[n].iov_base = b->data + b->r;
		iov[n++].iov_len = b->w - b->r;
	}
	return n;
}

void
ioq_consume(struct ioqueue *q, size_t n)
{
	struct iobuf *b;
	size_t k;

	q->n -= n;
	while ((b = q->head) != NULL && b->size != 0) {
		k = b->w - b->r;
		if (k > n) {
			b->r += (uint32_t)n;
			return;
		}
		n -= k;
		if ((q->head = b->next) == NULL)
			q->tail = NULL;
		iobuf_put(b);
	}
}

void
ioq_clear(struct ioqueue *q)
{
	struct iobuf *b;

	while ((b = q->head) != NULL) {
		q->head = b->next;
		if (b->size == 0)
			free(b);
		else
			iobuf_put(b);
	}
	*q = (struct ioqueue){ 0 };
}
