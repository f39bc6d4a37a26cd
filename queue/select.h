/*
 * Which messages and recipients a command of the operator is about
 * (select.c).  A mid is the id that a message has in the log and in its
 * Received field, from its arrival on.
 */
#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct message;
struct rcpt;

#define SELECT_IDS	60
#define SELECT_WORD_MAX	512

struct selection {
	char		*from, *to, *domain;	/* NULL: any */
	char		*account_name;		/* NULL: of any */
	uint32_t	 account;	/* 0 while only its name is known */
	bool		 account_known;
	bool		 all;		/* the word, said */
	unsigned int	 nid;
	char		*id[SELECT_IDS];	/* queue ids and mids */
	bool		 found[SELECT_IDS];	/* it was a queue id */
	bool		 named[SELECT_IDS];	/* some message's mid */
};

void	 selection_free(struct selection *);	/* what it points to */
/* Words of a command (list of item_arg) from off on.  NULL, or what is wrong
 * with them; to be freed in both cases. */
const char *selection_parse(struct selection *, struct slice args, size_t off);
/* Is one of the ids the message's mid?  Those found as queue ids are none. */
bool	 selection_named(struct selection *, const struct message *);
bool	 selection_narrows(const struct selection *);	/* by more than ids */
bool	 selection_message(const struct selection *, const struct message *);
bool	 selection_rcpt(const struct selection *, const struct message *,
	    const struct rcpt *);

#endif
