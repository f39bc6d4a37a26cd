/*
 * Address lists in header fields (RFC 5322 3.4, 4.4).
 */
#ifndef PARSE_ADDRLIST_H
#define PARSE_ADDRLIST_H

#include <stddef.h>

#include "base/slice.h"

#define ADDRLIST_MAX	2000	/* items given out of one list */
#define ADDRITEM_TEXT	1536	/* octets of all strings of one item */

enum addritem_kind {
	ADDRITEM_MAILBOX,	/* name, route, local, domain */
	ADDRITEM_GROUP,		/* name: a group opens */
	ADDRITEM_GROUP_END
};

struct addritem {
	enum addritem_kind kind;
	int		 cut;		/* something did not fit */
	int		 odd;		/* a mailbox with words around it
					 * that have no place there: others
					 * may read another address */
	struct slice	 name;		/* display name or trailing comment;
					 * unquoted, unfolded, still encoded
					 * as of RFC 2047; p NULL if none */
	struct slice	 route;		/* "@a,@b"; p NULL if none */
	struct slice	 local;		/* unquoted */
	struct slice	 domain;	/* p NULL if none */
	char		 buf[ADDRITEM_TEXT];	/* what the slices point into */
};

struct addrlist {
	struct slice	 in;
	size_t		 off;
	int		 count;
	int		 ingroup;
};

/* Start on the (folded) value of a field. */
void	 addrlist_start(struct addrlist *, struct slice value);
/*
 * The next item: 1, or 0 at the end.  Broken input gives its best reading,
 * never an error, and always goes forward.  The item is overwritten.
 */
int	 addrlist_next(struct addrlist *, struct addritem *);

#endif
