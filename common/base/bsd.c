/*
 * The BSD string and memory functions of compat.h for systems without
 * them.  Pure: no input or output, no globals.
 */
#include "base/compat.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#ifndef __OpenBSD__

size_t
strlcpy(char *dst, const char *src, size_t dsize)
{
	size_t n = strlen(src), c;

	if (dsize != 0) {
		c = n < dsize ? n : dsize - 1;
		memcpy(dst, src, c);
		dst[c] = '\0';
	}
	return n;
}

size_t
strlcat(char *dst, const char *src, size_t dsize)
{
	size_t used = strnlen(dst, dsize);

	if (used == dsize)
		return dsize + strlen(src);
	return used + strlcpy(dst + used, src, dsize - used);
}

long long
strtonum(const char *s, long long min, long long max, const char **errstr)
{
	long long v;
	char *end;
	int saved = errno;

	*errstr = NULL;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (min > max || s == end || *end != '\0')
		*errstr = "invalid";
	else if (v < min || (v == LLONG_MIN && errno == ERANGE))
		*errstr = "too small";
	else if (v > max || (v == LLONG_MAX && errno == ERANGE))
		*errstr = "too large";
	errno = *errstr == NULL ? saved : errno == 0 ? EINVAL : errno;
	return *errstr == NULL ? v : 0;
}

void *
recallocarray(void *p, size_t oldn, size_t newn, size_t size)
{
	size_t oldlen, newlen;
	void *q;

	if (__builtin_mul_overflow(oldn, size, &oldlen) ||
	    __builtin_mul_overflow(newn, size, &newlen)) {
		errno = ENOMEM;
		return NULL;
	}
	if ((q = calloc(newn, size)) == NULL)
		return NULL;
	if (p != NULL) {
		memcpy(q, p, oldlen < newlen ? oldlen : newlen);
		freezero(p, oldlen);
	}
	return q;
}

void
freezero(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	free(p);
}

#endif
