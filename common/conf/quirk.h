/*
 * Which capabilities of IMAP a client is not told of, or besides, by the
 * configuration (imap-quirks).
 */
#ifndef QUIRK_H
#define QUIRK_H

#include "base/slice.h"
#include "conf/conf.h"

#define QUIRK_CLIENT_MAX 32	/* octets of a client's name that count */
#define QUIRK_WORDS_MAX	1024

struct quirk_who {
	struct slice	 client;	/* by ID; n 0: not told yet */
	struct slice	 user;		/* n 0: not logged in */
	unsigned int	 port;
};

struct quirk_rows {		/* those that may be about one */
	size_t		 n;
	const struct conf_quirk *row[CONF_NLIST];
};

struct quirk {			/* words, blanks between, or "" */
	char		 hide[QUIRK_WORDS_MAX];
	char		 show[QUIRK_WORDS_MAX];
};

/* Of all rows that are about this one. */
void	 quirk_find(const struct conf *, const struct quirk_who *,
	    struct quirk *);
/* The same in two steps, for a client that says its name later, or another:
 * rows, of who but for client, point into the configuration. */
void	 quirk_pick(const struct conf *, const struct quirk_who *,
	    struct quirk_rows *);
void	 quirk_sum(const struct quirk_rows *, struct slice client,
	    struct quirk *);

#endif
