/*
 * What proc.c (start, no event loop), loop.c and nursery.c share.
 * Nobody else includes this.
 */
#ifndef PROC_IMPL_H
#define PROC_IMPL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "msg/roles.h"

struct conf_item;
struct conf_secret;
struct msg;
struct proc_channel_ev;

struct proc_state {
	const struct role *role;
	struct conf	*next;		/* being received in a reload */
	uint32_t	 generation;
	uint16_t	 instance;
	uid_t		 uid;
	gid_t		 gid;
	char		 root[1025];
	int		 status;
	bool		 stopping;
};
extern struct proc_state proc_state;

/* First of all: --version, --help, and the end of a process that maild has
 * not started.  Before it makes a descriptor, for that could be number 3. */
void	 proc_words(enum proc_role, int argc, char *const *argv);
void	 proc_conf_item(struct conf *, const struct conf_item *);
void	 proc_conf_file(const struct role *, struct msg *);
void	 proc_conf_secret(const struct role *, const struct conf_secret *);
void	 proc_log_level(const struct conf *);
/* An end of a channel from maild, before the role gets it: it is watched. */
void	 proc_channel_new(const struct proc_channel_ev *, int fd);
/* "This configuration is in use", and of which build we are. */
struct proc_ready_ev proc_ready(uint32_t generation);
#endif
