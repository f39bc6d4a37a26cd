/*
 * The nouns of deliver: a delivery that queue asked for, the batch they are
 * collected in, the accounts kept open.  Included after parse.h, msg.h,
 * chan.h and store.h.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct event_base;

/* ---- deliver_account.c: accounts kept open ---------------------------- */

struct account {
	uint32_t	 number;
	struct store	*store;
	bool		 flush;		/* forgotten ids wait in it */
	bool		 bad;		/* to be dropped after the batch */
	uint64_t	 used;
	struct account	*hash;
	struct account	*older, *newer;
};

/* dirfd: the directory that holds the accounts' directories. */
void	 account_init(int dirfd, const struct conf *);
void	 account_conf(const struct conf *);
/* The account, open.  Good until the next account_get of another. */
enum store_result account_get(uint32_t number, struct account **);
/* Why it could not be opened (a is NULL) or written, with file and errno. */
const char *account_why(const struct account *, enum store_result);
/* So many stay open at the same time. */
size_t	 account_max(void);
/* Its state is not to be trusted any more: open it anew next time. */
void	 account_drop(struct account *);
/* Write the forgotten ids that still wait. */
void	 account_flush(void);

/* ---- deliver_batch.c: many messages, one sync ------------------------- */

void	 batch_init(struct event_base *, int dirfd, const struct conf *);
void	 batch_conf(const struct conf *);
/* Add what queue asked in m; it is answered when the batch was synced. */
void	 batch_add(struct chan *, struct msg *);
void	 batch_run(void);
/* Nobody waits there any more. */
void	 batch_gone(struct chan *);

#endif
