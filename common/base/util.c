/*
 * Small things every role needs: memory that cannot fail, files.
 */
#include "base/compat.h"

#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		fatal("calloc %zu * %zu", n, size);
	return p;
}

void *
xreallocarray(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n, size);

	if (p == NULL)
		fatal("reallocarray %zu * %zu", n, size);
	return p;
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t n)
{
	char *p = xcalloc(1, n + 1);

	memcpy(p, s, n);
	return p;
}

void
random_bytes(void *buf, size_t n)
{
	uint8_t *p = buf;
	ssize_t r;

	while (n > 0) {
		if ((r = getrandom(p, n, 0)) == -1) {
			if (errno == EINTR)
				continue;
			fatal("getrandom");
		}
		p += r;
		n -= (size_t)r;
	}
}

uint64_t
random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
fd_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
write_all(int fd, const void *buf, size_t n)
{
	const uint8_t *p = buf;
	ssize_t r;

	while (n > 0) {
		if ((r = write(fd, p, n)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int
read_all(int fd, void *buf, size_t n)
{
	uint8_t *p = buf;
	ssize_t r;

	while (n > 0) {
		if ((r = read(fd, p, n)) == -1 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (r == 0)
				errno = EIO;
			return -1;
		}
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int
pwrite_all(int fd, const void *buf, size_t n, off_t off)
{
	const uint8_t *p = buf;
	ssize_t r;

	while (n > 0) {
		if ((r = pwrite(fd, p, n, off)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

int
pread_all(int fd, void *buf, size_t n, off_t off)
{
	uint8_t *p = buf;
	ssize_t r;

	while (n > 0) {
		if ((r = pread(fd, p, n, off)) == -1 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (r == 0)
				errno = EIO;
			return -1;
		}
		p += r;
		off += r;
		n -= (size_t)r;
	}
	return 0;
}

char *
read_fd(int fd, size_t max, size_t *len)
{
	char *buf = NULL, *p;
	size_t n = 0, cap = 0;
	ssize_t r;

	for (;;) {
		if (cap - n < 2) {
			cap = cap == 0 ? 8192 : cap * 2;
			if ((p = realloc(buf, cap)) == NULL)
				goto fail;
			buf = p;
		}
		if ((r = pread(fd, buf + n, cap - n - 1, (off_t)n)) == -1) {
			if (errno == EINTR)
				continue;
			goto fail;
		}
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > max) {
			errno = EFBIG;
			goto fail;
		}
	}
	buf[n] = '\0';
	if (len != NULL)
		*len = n;
	return buf;
fail:
	freezero(buf, n);
	return NULL;
}

DIR *
listing_open(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	int error = errno;

	if (dir == NULL && fd != -1) {
		close(fd);
		errno = error;
	}
	return dir;
}

void
listing_end(DIR *dir)
{
	int error = errno;

	closedir(dir);
	errno = error;
}

void
hex_encode(char *dst, const void *src, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++) {
		*dst++ = digits[p[i] >> 4];
		*dst++ = digits[p[i] & 15];
	}
	*dst = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(void *dst, size_t n, const char *src)
{
	uint8_t *p = dst;
	size_t i;
	int h, l;

	if (strlen(src) != 2 * n)
		return -1;
	for (i = 0; i < n; i++) {
		h = hex_digit(src[2 * i]);
		l = hex_digit(src[2 * i + 1]);
		if (h == -1 || l == -1)
			return -1;
		p[i] = (uint8_t)(h << 4 | l);
	}
	return 0;
}

void
numset_put(struct numset *s, uint32_t n, bool in)
{
	size_t at = n / 8, size = s->size == 0 ? 64 : s->size;

	if (at >= s->size) {
		if (!in)
			return;
		while (size <= at)
			size *= 2;
		s->bits = xreallocarray(s->bits, size, 1);
		memset(s->bits + s->size, 0, size - s->size);
		s->size = size;
	}
	if (in)
		s->bits[at] |= (uint8_t)(1U << n % 8);
	else
		s->bits[at] &= (uint8_t)~(1U << n % 8);
}

bool
numset_has(const struct numset *s, uint32_t n)
{
	return n / 8 < s->size && (s->bits[n / 8] >> n % 8 & 1) != 0;
}

void
numset_clear(struct numset *s)
{
	free(s->bits);
	*s = (struct numset){ 0 };
}
