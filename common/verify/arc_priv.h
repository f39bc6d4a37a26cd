/*
 * ARC between arc.c and verdict.c.  Private to common/verify.
 */
#ifndef ARC_PRIV_H
#define ARC_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "verify/dkim_priv.h"
#include "verify/verify.h"

/* A chain: what remains of the header once it has been read. */
struct arc_chain {
	struct arc	 out;
	int		 open;		/* not decided yet */
	struct dkim_sig	 ams;		/* the newest one */
	size_t		 room;		/* of seal */
	struct dkim_sig	*seal;		/* out.n of them, oldest first */
};

/* Read the chain, hash what its signatures cover.  0, -1 out of memory. */
int	 arc_read(struct arc_chain *, struct digest *, struct fields *,
	    int64_t now);
/* Raise the questions for keys. */
void	 arc_ask(struct arc_chain *, struct answers *);
/* The body hash of the newest set was checked (ams may be decided).  1
 * decided, 0 questions. */
int	 arc_run(struct arc_chain *, struct dkim_keys *, struct answers *);
void	 arc_free(struct arc_chain *);

#endif
