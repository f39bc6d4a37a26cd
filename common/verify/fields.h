/*
 * The fields of a header, walked once for all that look at them: authors,
 * signatures, what signatures cover, chains.  Private to common/verify.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/header.h"

struct field {
	struct header_field f;
	uint32_t	 hash;		/* of the name, field_hash() */
	uint32_t	 taken;		/* by this take of fields_start() */
};

/* All zero is empty; serves header after header. */
struct fields {
	size_t		 n, room;
	uint32_t	 take;
	struct field	*v;		/* from the top */
};

/* The first HEADER_FIELDS_MAX fields; they point into header.  0, -1 out of
 * memory. */
int	 fields_read(struct fields *, struct slice header);
/* From here on every field is there again to be taken. */
void	 fields_start(struct fields *);
/* The next instance from the bottom, which skip is not, among the last
 * DKIM_FIELDS_MAX; empty if there is none left. */
struct slice fields_take(struct fields *, struct slice name,
	    struct slice skip);
void	 fields_free(struct fields *);

#endif
