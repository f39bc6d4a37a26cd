/*
 * The hostile stand-in: what it knows and what it tries.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <sys/types.h>

#include <stddef.h>

#include "msg/roles.h"

struct standin {
	enum proc_role	 id;
	char		 go[256];	/* a file: the test has seen enough */
	char		 control[256], neighbour[256], spool[256], key[256];
	char		 open[256];	/* a socket for everybody */
	unsigned int	 port;
	uid_t		 uid_base, uid_count;
};
extern struct standin st;

/* Each returns 0 when it worked, -1 with errno. */
struct attempt {
	const char	*name;
	int		(*fn)(void);
};
extern const struct attempt attempts[];
extern const size_t nattempts;

/* The same with a descriptor that the role holds. */
#define ON_DIR		0x1
#define ON_FILE		0x2
#define ON_SOCKET	0x4
#define ON_ANY		0x7
struct fd_attempt {
	const char	*name;
	unsigned int	 on;
	int		(*fn)(int fd);
};
extern const struct fd_attempt fd_attempts[];
extern const size_t nfd_attempts;

#endif
