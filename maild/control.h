/*
 * The control socket: who asks, and what is asked.  Of control.c, which takes
 * both, and command.c, which answers.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <sys/queue.h>
#include <sys/stat.h>

#include <stddef.h>
#include <stdint.h>

#define PEER_SECONDS	900	/* a connection lasts no longer */

struct chan;
struct event;
struct house;

struct peer {
	TAILQ_ENTRY(peer) entry;
	struct house	*house;
	struct chan	*chan;
	struct event	*timer;
	struct command	*cmd;		/* under way, or NULL */
	uint32_t	 uid;
};

struct command {
	TAILQ_ENTRY(command) entry;
	struct house	*house;
	struct peer	*peer;		/* NULL: it went away */
	uint32_t	 ask;		/* its id at the peer */
	struct chan	*owner;		/* passed on to, or NULL */
	uint32_t	 owner_ask;
	int		 fd;		/* that came with it, or -1 */
};

struct control {
	int		 fd;
	struct stat	 st;		/* of the socket, as it was made */
	struct event	*ev;		/* NULL: there is none */
	struct event	*look;
	size_t		 npeers;
	TAILQ_HEAD(, peer) peers;
	TAILQ_HEAD(, command) commands;
};

/* A command of that peer, whose number it is there.  command_done frees it. */
struct command *command_new(struct peer *, uint32_t ask);
/* Forget it unanswered: nobody waits for it. */
void	 command_free(struct command *);

#endif
