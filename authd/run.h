/*
 * What the commands of mailctl share: run.c has the accounts and hands on,
 * alias.c has the aliases.
 */
#ifndef AUTHD_RUN_H
#define AUTHD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/conf.h"
#include "authd/authd.h"

#define ARGS_MAX	(2 * CONF_NLIST + 3)

_Static_assert(ARGS_MAX >= DIR_TARGETS_MAX + 3, "an alias with all targets");

/* The words of a command, without --force. */
struct args {
	struct slice	 v[ARGS_MAX];
	size_t		 n;
	bool		 force;
};

/* ---- args.c -------------------------------------------------------------- */

/* 0, or -1: damaged, or too many. */
int	 args_get(struct slice list, struct args *);
/* An argument as the key of an account, an alias or (catchall) "@domain".
 * When it can be none the command is answered, and false returned. */
bool	 args_key(uint32_t ask, struct slice, bool catchall, char *key);
/* The account with that address, also in a domain that the configuration has
 * no more; NULL: the command is answered. */
struct account *args_account(uint32_t ask, struct slice);
/* The same for an alias. */
struct alias *args_alias(uint32_t ask, struct slice);
/* Answer a command whose write failed, after reading all of it again. */
void	 args_failed(uint32_t ask);

/* ---- orphan.c ------------------------------------------------------------ */

/* Where mail for an address or "@domain" goes now, in words; out of size
 * WHERE_MAX. */
#define WHERE_MAX	1200
const char *orphan_where(struct dir *, const char *key, char *out);
/*
 * A row for each alias that leads nowhere, or to fewer, without that account
 * (0: none) or that alias (NULL: none); nothing is changed.  Then end is
 * called with how many lead nowhere: later, in pieces, and not when maild is
 * gone.
 */
void	 orphan_tell(uint32_t ask, uint32_t account, const char *alias,
	    void (*end)(uint32_t ask, size_t nowhere, void *), void *arg);
/* "; 2 aliases ..." of that number, "" for 0. */
const char *orphan_advice(size_t nowhere);

/* ---- domain.c ------------------------------------------------------------ */

/* "domain change", of maild: words +DOMAIN and -DOMAIN come into the
 * configuration or leave it.  What that does, a line each, with EX_DATAERR;
 * EX_OK: nothing. */
void	 domain_change(uint32_t ask, const struct args *);

/* ---- quota.c ------------------------------------------------------------- */

void	 account_quota_run(uint32_t ask, const struct args *);

/* ---- alias.c ------------------------------------------------------------- */

void	 alias_add(uint32_t ask, const struct args *);
void	 alias_del(uint32_t ask, const struct args *);
void	 alias_show(uint32_t ask, const struct args *);

/* ---- cert.c -------------------------------------------------------------- */

void	 account_cert_run(uint32_t ask, const struct args *);

#endif
