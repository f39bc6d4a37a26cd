/*
 * Header fields (RFC 5322 2.2, 3.6.8).
 */
#ifndef PARSE_HEADER_H
#define PARSE_HEADER_H

#include <sys/types.h>

#include <stddef.h>

#include "base/slice.h"

#define HEADER_MAX	(1024 * 1024)	/* octets of one header block read */
#define HEADER_FIELDS_MAX 10000		/* fields of one header block read */

struct header_field {
	struct slice	 raw;	/* whole field with folding and line end */
	struct slice	 name;	/* without blanks before the colon; empty for
				 * a line that is no field */
	struct slice	 value;	/* after the colon to before the line end,
				 * folding kept; blanks trimmed */
};

/*
 * The next field of *rest, which is advanced.  1, or 0 at the end: then *rest
 * starts with the body (the empty line is consumed).  LF alone ends a line
 * too, as stored messages may have it.  A line that is no field is given with
 * an empty name.
 */
int	 header_next(struct slice *rest, struct header_field *);
/* Octets of the header including the empty line; n if there is none. */
size_t	 header_len(const char *p, size_t n);
/*
 * The same while a message is still arriving: p[0..n) is what there is of it.
 * Returns the header's length once it is certain, -1 before.  *seen, 0 at the
 * start, remembers how far it looked.  A message that does not start with a
 * field (header_first) has a header of 0 octets.
 */
ssize_t	 header_end(const char *p, size_t n, size_t *seen);
/* The idx-th (0..) field called name.  1 found, 0 not. */
int	 header_find(struct slice header, const char *name, int idx,
	    struct header_field *);
/* How many fields are called name. */
int	 header_count(struct slice header, const char *name);
/*
 * Remove CR and LF of folding (RFC 5322 2.2.3); other control characters
 * become blanks.  Returns the length, cut at size.
 */
size_t	 header_unfold(struct slice value, char *, size_t size);
/*
 * Does a message start with a header field (or an mbox "From " line)?  1, or
 * 0: then what is put in front of it as a header must end in an empty line.
 */
int	 header_first(const char *p, size_t n);
/* One msg-id "<...>" out of *rest, brackets included, comments skipped.
 * 1 or 0. */
int	 header_msgid(struct slice *rest, struct slice *id);

#endif
