/*
 * Lower case, a character for a character.
 */
#ifndef PARSE_FOLD_H
#define PARSE_FOLD_H

#include <stddef.h>

/* Fold UTF-8: simple case folding of Latin, Greek, Cyrillic, Armenian; the
 * rest as it is.  Needs size >= FOLD_MAX(n).  Returns length. */
#define FOLD_MAX(n)	(2 * (n))
size_t	 utf8_fold(const char *, size_t n, char *out, size_t size);

#endif
