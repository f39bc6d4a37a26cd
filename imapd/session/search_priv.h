/*
 * imap-session: what the files that make a search program share:
 * search_prog.c search_string.c search_parse.c, each calls those before it.
 */
#ifndef SEARCH_PRIV_H
#define SEARCH_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

/* Keys being parsed. */
struct search_parse {
	struct session		*s;
	struct imap_in		*in;
	struct search_prog	*prog;
	int			 charset;	/* of texts */
	bool			 fuzzy;		/* inside FUZZY */
	enum reply		 reply;		/* of the first error */
};

/* ---- search_prog.c ------------------------------------------------------- */

/* Keep the first error, whose text stands in the session.  0. */
int	 search_fail(struct search_parse *, enum reply);
/* A new node: its index + 1, or 0: search_fail() was called.  Pointers to
 * nodes are good until the next one. */
int	 search_key_new(struct search_parse *, enum search_op, unsigned int cost);
/* Among its siblings by cost, behind those that cost the same. */
void	 search_key_insert(struct search_prog *, int parent, int key);

/* ---- search_string.c ----------------------------------------------------- */

/* The text that node `key' looks for, as UTF-8.  The node, inside FUZZY
 * another one above it, or 0. */
int	 search_string(struct search_parse *, int key);

#endif
