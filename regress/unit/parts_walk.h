/*
 * BODYSTRUCTURE and the parts of a blob agree.
 */
#ifndef PARTS_WALK_H
#define PARTS_WALK_H

#include <stddef.h>

/*
 * Reads the BODYSTRUCTURE of the blob as a client does and asks for every
 * part that it names: each is there, of its type, size and lines, and none
 * beyond them.  NULL, or what is wrong.
 */
const char	*parts_walk(const char *blob, size_t n);

#endif
