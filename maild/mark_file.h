/*
 * The file .maild in a directory: read, checked, written.  Which directories
 * have one, and what follows from it, is mark.c.
 */
#ifndef MARK_FILE_H
#define MARK_FILE_H

#include <stdbool.h>

#define MARK_LEVEL	1		/* what this release reads and writes */
#define HOUSE_ID	32		/* hexadecimal digits */

enum mark_state {
	MARK_NONE,		/* there is none */
	MARK_BAD,		/* it cannot be taken for one: why */
	MARK_NEWER,		/* of a level that a newer release writes */
	MARK_GOOD
};

struct mark {
	enum mark_state	 state;
	char		 house[HOUSE_ID + 1], role[16];
	unsigned int	 level;
	const char	*why;
	bool		 loose;		/* bad for its owner or mode alone */
};

/* What the file of that name says; what it is when it says nothing. */
void	 mark_read(int dirfd, const char *name, struct mark *);
/* Under name, whole or not at all; durable.  0, -1 with errno. */
int	 mark_write(int dirfd, const char *name, const char *house,
	    const char *role);

#endif
