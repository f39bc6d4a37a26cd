/*
 * What RFC 5322 3.4 lets one write in From, strictly.
 */
#ifndef PARSE_MAILBOXES_H
#define PARSE_MAILBOXES_H

#include "base/slice.h"

struct parse_err;

#define MAILBOXES_MAX	64	/* in one field */

/*
 * How many mailboxes the (folded) value of a From field has, if it has no
 * group, no obsolete form and nothing in it that may be read in two ways;
 * addrlist_next gives the same ones.  -1 with place and reason if it does.
 */
int	 mailboxes_check(struct slice value, struct parse_err *);

#endif
