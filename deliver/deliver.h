/*
 * The nouns of deliver: a delivery that queue asked for, the batch they are
 * collected in, the accounts kept open.
 *
 * Layers, lowest first; a file calls those before it:
 *	trouble account answer batch deliver
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/quota.h"
#include "proc/proc.h"
#include "store/store.h"

struct event_base;

/* ---- deliver.c: as struct role has them ---------------------------------- */

void	 deliver_start(const struct conf *);
/* A queue, in place of the one there was: what that asked is done first. */
void	 deliver_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
/* Does what was asked, and ends the process. */
void	 deliver_stop(void);
/* maild: leave that account alone; answered when nothing of it is open.  And:
 * it may be used again. */
void	 deliver_close(struct chan *, struct msg *, void *);
void	 deliver_open(struct chan *, struct msg *, void *);

/* ---- account.c: accounts kept open ------------------------------------ */

struct account {
	uint32_t	 number;
	dev_t		 dev;		/* of the directory that is open */
	ino_t		 ino;
	struct store	*store;
	struct quota	 limit;		/* 0 none */
	bool		 flush;		/* forgotten ids wait in it */
	uint64_t	 wanted;	/* its log was told, now_ms() */
	bool		 bad;		/* to be dropped after the batch */
	bool		 settling;	/* checked piece by piece */
	struct account	*hash;
	struct account	*older, *newer;
};

/* dirfd: the directory that holds the accounts' directories. */
void	 account_init(struct event_base *, int dirfd);
/* What it may hold from now on, as queue told it (conf/quota.h). */
void	 account_quota(struct account *, const struct quota *);
/* How much of that is used: quota_percent(). */
unsigned int account_percent(struct account *);
/* Tells maild when its log has grown long, once a minute at most. */
void	 account_look(struct account *);
/* Nothing is written to it until it is opened again. */
void	 account_close(uint32_t number);
void	 account_reopen(uint32_t number);
void	 account_reopen_all(void);
bool	 account_closed(uint32_t number);
/* The account, open (NOTFOUND: it is not there, or closed).  Good until the
 * next account_get of another. */
enum store_result account_get(uint32_t number, struct account **);
/* Why it could not be opened (a is NULL) or written, with file and errno. */
const char *account_why(const struct account *, enum store_result);
/* So many stay open at the same time. */
size_t	 account_max(void);
/* Its state is not to be trusted any more: open it anew next time. */
void	 account_drop(struct account *);
/* Is the directory that is open still the one by its name? */
bool	 account_current(const struct account *);
/* It has more to check than was done at once: go on between batches. */
void	 account_settle(struct account *);
/* Write the forgotten ids that still wait. */
void	 account_flush(void);

/* ---- trouble.c: accounts that cannot be used --------------------------- */

/* This happened to the account as a whole.  mailctl status shows it if it is
 * what an operator has to mend. */
void	 trouble_set(uint32_t number, enum store_result, const char *why);
void	 trouble_over(uint32_t number);

/* ---- batch.c: many messages, one sync --------------------------------- */

struct delivery {			/* a message and those it is for */
	struct chan	*chan;		/* NULL: nobody waits */
	uint32_t	 ask;
	int		 fd;		/* of a large one, else -1 */
	uint64_t	 size;
	struct slice	 body, facts;	/* in the arena */
	uint64_t	 received;
	bool		 maybe;
	char		*sid, *folder;	/* C strings in the arena */
	struct slice	 path;		/* Return-Path line */
	struct slice	 trace;
	uint32_t	 first, n;	/* targets */
	size_t		 at, len;	/* its part of the arena */
	uint64_t	 until;		/* it waits till then; 0: it does not */
};

struct target {
	struct delivery	*d;
	uint32_t	 index, account;
	struct msg_id	 id;
	struct quota	 quota;		/* of the account, as queue knows it */
	unsigned int	 percent;	/* of it that is used */
	unsigned int	 warn;		/* tell its owner of so many; 0 no */
	struct slice	 to;		/* Delivered-To line */
	enum store_result result;
	bool		 done;		/* result is final */
	bool		 closed;	/* result apart: the account is shut */
	bool		 own;		/* it is about this message alone */
	uint32_t	 uid, uidvalidity;	/* where it is, if OK */
	bool		 inbox;
};

void	 batch_init(struct event_base *, int dirfd);
/* The octets of the message that this queue asks next, without a descriptor. */
void	 batch_body(const struct deliver_body_ev *);
/* Add what queue asked in m; it is answered when the batch was synced. */
void	 batch_add(struct chan *, struct msg *);
void	 batch_run(void);
/* Nobody waits there any more. */
void	 batch_gone(struct chan *);

/* ---- answer.c: what queue is told ------------------------------------- */

/* What became of the targets at t; closes the message. */
void	 answer_send(struct delivery *, const struct target *t);
/* Nothing of it can be delivered now. */
void	 answer_refuse(struct chan *, uint32_t ask, const struct deliver_msg *);

#endif
