/*
 * How near one word is to another: what was meant by one that is misspelt.
 * Pure.
 */
#ifndef NEAR_H
#define NEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define NEAR_MAX	64	/* octets of a word that is compared */
#define NEAR_BEGIN	3	/* octets with which both begin are enough */

/*
 * Edits from a to b: an octet more, one less, another one, or two neighbours
 * exchanged (the optimal string alignment distance); the case of ASCII
 * letters does not count.  NEAR_MAX when one of them is longer than that.
 */
size_t	 near_edits(struct slice a, struct slice b);
/* Was known meant by the misspelt word?  One of them begins with the other, or
 * they differ by at most one edit up to 4 octets, two up to 8, then three. */
bool	 near_meant(struct slice word, struct slice known);
/* The nearest of the n words that may have been meant, NULL: none. */
const char *near_of(struct slice word, const char *const *known, size_t n);

#endif
