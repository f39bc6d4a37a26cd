/*
 * Who is connected to a front, counted by source over all processes of its
 * role: limits and penalties from the first octet on.  A source is an IPv4
 * address or an IPv6 /64.  The table is a keyed hash in shared memory of
 * fixed size; a process that dies loses its own counts, nobody else's.
 */
#ifndef CONN_H
#define CONN_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg/msg.h"

#define CONN_INSTANCES	16	/* processes of one role that are counted */

/*
 * Once, before the first source.  fd: memory shared by the processes of the
 * role (at least conn_size() octets, zeroed, the same descriptor for all), or
 * -1 for a table of this process alone.  Forgets what this instance counted
 * in an earlier life.  0, or -1 with errno.
 */
int	 conn_start(int fd, unsigned int instance);
size_t	 conn_size(void);

enum conn_verdict {
	CONN_OK,
	CONN_MANY,	/* the process has max connections */
	CONN_SOURCE,	/* the source has max_per_source connections */
	CONN_PENALTY	/* the source misbehaved lately */
};

struct conn {
	struct msg_addr	 peer;
	uint32_t	 slot;		/* of the table, UINT32_MAX: none */
	bool		 counted;
};

/* One more connection from sa.  Fills peer always; when CONN_OK it is
 * counted until conn_close. */
enum conn_verdict conn_open(struct conn *, const struct sockaddr *,
	    unsigned int max, unsigned int max_per_source);
void	 conn_close(struct conn *);
/* It is known who that is: no more one of its source's connections, but still
 * one of this process. */
void	 conn_known(struct conn *);
/*
 * The source did something wrong: points add up over all its connections
 * and halve every minute; from CONN_PENALTY_MAX on new connections get
 * CONN_PENALTY.  For failed logins 10, a bad command 1.  Loopback sources
 * are counted but never punished.
 */
#define CONN_PENALTY_MAX	200
void	 conn_penalty(struct conn *, unsigned int points);
unsigned int conn_count(void);		/* connections of this process */

/* "192.0.2.1" or "2001:db8::1"; out has 46 octets. */
const char *conn_text(const struct msg_addr *, char out[46]);

#endif
