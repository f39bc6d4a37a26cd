/*
 * Content-Transfer-Encoding undone (RFC 2045 6.7, 6.8).
 */
#ifndef PARSE_CTE_H
#define PARSE_CTE_H

#include <stddef.h>
#include <stdint.h>

#include "parse/facts.h"

/* Content-Transfer-Encoding undone, block by block, tolerant (RFC 2045 6.7,
 * 6.8).  Zeroed but for cte is the start. */
struct cte {
	enum facts_cte	 cte;
	uint32_t	 bits;
	uint8_t		 nbits;
	uint8_t		 held;		/* octets in hold */
	char		 hold[3];
	uint32_t	 blanks;	/* held back at a line's end */
};

#define CTE_SLACK	1024	/* room out needs beyond n */

/* Returns octets written; size must be at least n + CTE_SLACK.  last: the
 * part ended.  out must not overlap in. */
size_t	 cte_decode(struct cte *, const char *in, size_t n, int last,
	    char *out, size_t size);

#endif
