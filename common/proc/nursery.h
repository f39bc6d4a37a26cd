/*
 * nursery: the one program that forks instead of being exec'd.  The static
 * session program itself is started by maild as nursery; its main() is
 * nursery_main().  For each NURSERY_SPAWN_EV it forks; the child enters the
 * account's jail and runs the session.
 */
#ifndef NURSERY_H
#define NURSERY_H

#include "proc/proc.h"

struct quota;

/* A session: runs in its jail, working directory = root = the account's
 * directory, until its client is served; sock is its end of CHAN_SESSION.
 * Leaves nothing behind: it may be called again for another connection of
 * the same account.  quota: as it was told (conf/quota.h).  Returns the exit status; not 0 ends the process. */
typedef int (*nursery_fn)(int sock, const struct conf *, const struct quota *);

/* main() of both: nursery is the role this process has, session the role
 * of the children.  Returns the exit status when maild is gone. */
int	 nursery_main(enum proc_role nursery, enum proc_role session,
	    nursery_fn, int argc, char *const *argv);

#endif
