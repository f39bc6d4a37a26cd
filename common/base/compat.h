/*
 * What one system lacks and another has: the BSD string and memory
 * functions that glibc 2.36 is missing.  Included first by every file.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#ifndef __OpenBSD__
/* Copy src to dst of dsize bytes, always terminated.  Returns strlen(src);
 * >= dsize means it was cut. */
size_t	 strlcpy(char *dst, const char *src, size_t dsize);
/* Append src to the string in dst of dsize bytes.  Returns the length it
 * tried to make. */
size_t	 strlcat(char *dst, const char *src, size_t dsize);
/* Text to number within [min, max]; *errstr is NULL or "invalid",
 * "too small", "too large" (then 0 is returned). */
long long strtonum(const char *, long long min, long long max,
	    const char **errstr);
/* reallocarray that clears what it gives back and what it leaves. */
void	*recallocarray(void *, size_t oldn, size_t newn, size_t size);
/* Clear n bytes at p, then free p.  NULL is fine. */
void	 freezero(void *p, size_t n);
#endif

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

#endif
