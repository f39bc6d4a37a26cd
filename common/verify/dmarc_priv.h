/*
 * What the files of DMARC share.  Private to common/verify.
 */
#ifndef DMARC_PRIV_H
#define DMARC_PRIV_H

#include "verify/verify.h"

struct fields;

/* dmarc_from.c: as dmarc_authors, of a header that was read. */
void	 dmarc_authors_fields(const struct fields *, struct dmarc_authors *);

/* What is known at _dmarc.DOMAIN. */
enum dmarc_found {
	DMARC_MORE,		/* a question */
	DMARC_TEMP,		/* no answer */
	DMARC_ABSENT,
	DMARC_TWO,		/* more than one: all are discarded */
	DMARC_BROKEN,		/* one, and it cannot be read */
	DMARC_RECORD		/* one */
};

/* The outcome of a tree walk. */
struct dmarc_walk {
	const char	*org;		/* points into the domain walked */
	const char	*at;		/* the record to apply, NULL if none */
	struct dmarc_record record;	/* at that place */
	int		 temp;		/* a query had no answer */
	enum dmarc_found own;		/* at the domain itself */
	struct dmarc_record own_record;
	const char	*why;		/* own is DMARC_BROKEN */
};

/* 1, or 0: questions. */
int	 dmarc_walk(struct answers *, const char *domain,
	    struct dmarc_walk *);

#endif
