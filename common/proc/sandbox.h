/*
 * What the sandbox's parts for Linux share: how each makes the rights hold
 * that a role's row names (msg/roles.h).  filter_linux.c turns them into
 * system calls of this processor, landlock_linux.c into what is reached
 * beneath a directory, sandbox_linux.c calls both.  Nobody else includes this
 * but their unit test.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <sys/types.h>

#include <linux/filter.h>
#include <stdbool.h>

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

/* Confine this process to what is beneath dirfd (closed; -1: to nothing).
 * Where the kernel has no Landlock nothing is done. */
void	 landlock_install(unsigned int may, int dirfd);

#endif
