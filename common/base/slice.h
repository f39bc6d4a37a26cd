/*
 * Slices of text: a pointer and a length, nothing behind it.  Comparing,
 * trimming, numbers: small things everybody needs.  Pure.
 */
#ifndef SLICE_H
#define SLICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char	*p;
	size_t		 n;
};

#define SLICE_LIT(s)	((struct slice){ (s), sizeof(s) - 1 })

static inline struct slice
slice_of(const char *p, size_t n)
{
	return (struct slice){ p, n };
}

/* A slice of the C string s. */
static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline int
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII lower case, without a locale. */
static inline int
ascii_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Equal but for the case of ASCII letters. */
int	 slice_caseeq(struct slice, struct slice);

/* Equal to a C string; the second ignores the case of ASCII letters.  Here,
 * so that the length of a literal is known when it is compiled. */
static inline int
slice_is(struct slice s, const char *str)
{
	return slice_eq(s, slice_str(str));
}

static inline int
slice_caseis(struct slice s, const char *str)
{
	return s.n == strlen(str) && slice_caseeq(s, slice_str(str));
}

/* Does s start with the C string (ASCII case ignored)? */
int	 slice_casestarts(struct slice s, const char *);
/* Without leading and trailing SP, HTAB, CR, LF. */
struct slice slice_trim(struct slice);
/* Where c is in s, or s.n. */
size_t	 slice_find(struct slice s, int c);
/* Decimal digits only, at least one, at most max.  0, or -1. */
int	 slice_number(struct slice, uint64_t max, uint64_t *);
/* Is there an octet above 127? */
int	 has_8bit(const char *, size_t);
/* Copy to a C string of size bytes; -1 if it does not fit or holds NUL. */
int	 slice_cpy(struct slice, char *, size_t size);

#endif
