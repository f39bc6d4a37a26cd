/*
 * A message and what parse/downgrade.c makes of it mean the same.
 */
#ifndef DOWNGRADE_WALK_H
#define DOWNGRADE_WALK_H

#include <stddef.h>

#include "parse/downgrade.h"

/* The message in pieces of step octets, made 7-bit: malloc'ed, NULL when
 * *can is not DOWNGRADE_YES.  *header: octets of its header. */
char	*downgrade_text(const char *msg, size_t n, size_t step,
	    enum downgrade_can *can, size_t *header, size_t *outn);
/*
 * Compares: no octet above 127 outside headers, the same parts with the same
 * content once it is decoded, the same however it was cut, and nothing more
 * to be done.  NULL, or what is wrong.
 */
const char *downgrade_walk(const char *msg, size_t n, size_t step,
	    enum downgrade_can *can);

#endif
