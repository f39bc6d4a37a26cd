/*
 * Substring search without case.
 */
#ifndef PARSE_SEARCH_H
#define PARSE_SEARCH_H

#include <stddef.h>

#include "base/slice.h"

#define SEARCH_NEEDLE_MAX 1024	/* octets, folded; half of it as given */

/* Fold UTF-8 for comparison: simple case folding of Latin, Greek, Cyrillic,
 * Armenian; the rest as it is.  Needs size >= FOLD_MAX(n).  Returns length. */
#define FOLD_MAX(n)	(2 * (n))
size_t	 utf8_fold(const char *, size_t n, char *out, size_t size);
/* A substring of UTF-8 text, case ignored; both whole. */
int	 utf8_casefind(struct slice text, struct slice needle);

struct search {
	size_t		 n;		/* of the folded needle */
	size_t		 keep;		/* octets kept in buf */
	size_t		 part;		/* of a cut character */
	int		 found;
	char		 needle[SEARCH_NEEDLE_MAX];
	char		 cut[4];
	char		 buf[SEARCH_NEEDLE_MAX + 8192];
};

/* 0, or -1: the needle is too long.  An empty needle is found at once. */
int	 search_start(struct search *, struct slice needle);
/* More text (UTF-8), cut anywhere.  1 as soon as it was found. */
int	 search_feed(struct search *, const char *, size_t);

#endif
