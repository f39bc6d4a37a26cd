/*
 * Parsers see every prefix of their input in a block of exactly that size, so
 * that ASan notices one octet too many.
 */
#ifndef CUT_H
#define CUT_H

#include <stdlib.h>
#include <string.h>

static inline void
cut_each(const char *p, size_t n, void (*fn)(char *, size_t))
{
	size_t k;
	char *copy;

	for (k = 0; k <= n; k++) {
		if ((copy = malloc(k > 0 ? k : 1)) == NULL)
			abort();
		memcpy(copy, p, k);
		fn(copy, k);
		free(copy);
	}
}

/* The same for a string literal. */
#define CUT_LIT(s, fn)	cut_each(s, sizeof(s) - 1, fn)

#endif
