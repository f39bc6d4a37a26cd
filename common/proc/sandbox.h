/*
 * What the sandbox's parts for Linux share: the rights that a role's row
 * names, and how each part makes them hold.  sandbox_linux.c has the rows,
 * filter_linux.c turns rights into system calls of this processor,
 * landlock_linux.c into what is reached beneath a directory.  Nobody else
 * includes this but their unit test.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <sys/types.h>

#include <linux/filter.h>
#include <stdbool.h>

#include "proc/proc.h"

/* What a role may besides what all may. */
#define MAY_ACCEPT	0x0001	/* take connections from a listener */
#define MAY_CONNECT	0x0002	/* make IPv4 and IPv6 sockets, connect */
#define MAY_FILES	0x0004	/* files below its root */
#define MAY_MEMFD	0x0008	/* anonymous files for messages */
#define MAY_LOCK	0x0010	/* lock memory */
#define MAY_FORK	0x0020	/* fork and jail sessions (nursery): what
				 * these may besides, beneath the store */
#define MAY_NOTIFY	0x0040	/* datagram sockets below its root */
#define MAY_WRITE	0x0080	/* write files it was handed */
#define MAY_MKDIR	0x0100	/* make directories below its root */

#define FILTER_MAX	512	/* instructions of one filter */

struct filter {
	struct sock_filter	 insn[FILTER_MAX];
	unsigned short		 n;
};

/* Whose filter it is to be. */
struct filter_of {
	unsigned int	 may;
	bool		 beneath;	/* a filter is on already, by ... */
	unsigned int	 before;	/* ... these rights */
	uid_t		 first, last;	/* ids that MAY_FORK may take */
};

/* The filter for these rights; beneath another one it says only what it takes
 * from that.  fatal() when it is too long. */
void	 filter_make(struct filter *, const struct filter_of *);

/* The rights of a role. */
unsigned int sandbox_rights(enum proc_role);

/* Confine this process to what is beneath dirfd (closed; -1: to nothing).
 * Where the kernel has no Landlock nothing is done. */
void	 landlock_install(unsigned int may, int dirfd);

#endif
