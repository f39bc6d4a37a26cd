/*
 * Substring search without case.
 */
#ifndef PARSE_SEARCH_H
#define PARSE_SEARCH_H

#include <stddef.h>

#include "base/slice.h"
#include "parse/casemap.h"

#define SEARCH_TEXT_MAX	508	/* octets of what is looked for, as given */
#define SEARCH_NEEDLE_MAX CASEMAP_MAX(SEARCH_TEXT_MAX)	/* and mapped */

/* A substring of UTF-8 text, case ignored; both whole. */
int	 utf8_casefind(struct slice text, struct slice needle);

struct search {
	size_t		 n;		/* of the folded needle */
	size_t		 keep;		/* octets kept in buf */
	size_t		 part;		/* of a cut character */
	int		 found;
	char		 needle[SEARCH_NEEDLE_MAX];
	char		 cut[4];
	char		 buf[SEARCH_NEEDLE_MAX + 4096];
};

/* 0, or -1: the needle is too long.  An empty needle is found at once. */
int	 search_start(struct search *, struct slice needle);
/* More text (UTF-8), cut anywhere.  1 as soon as it was found. */
int	 search_feed(struct search *, const char *, size_t);

#endif
