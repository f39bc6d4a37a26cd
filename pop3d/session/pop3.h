/*
 * pop3-session: the parts of the session program.
 *
 * Layers, lowest first; a file calls those before it:
 *	retr cmd session
 */
#ifndef POP3_H
#define POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/frames.h"

#define POP3_LINE_MAX	512	/* octets of a command (RFC 2449 4) */
#define POP3_BAD_MAX	10	/* bad commands of a connection */

struct session {
	struct frames	*io;
	struct store	*store;
	struct store_view *view;
	uint32_t	 n;		/* messages, deleted ones included */
	uint32_t	 uidvalidity;
	uint32_t	 ndeleted;
	uint64_t	 octets;	/* of those not deleted */
	unsigned char	*deleted;	/* bit per message; NULL: none yet */
	struct fbuf	 cmd;		/* a line not in one packet */
	unsigned int	 nbad;
	bool		 quit;
};

/* ---- session.c ---- */

struct conf;
int	 session_main(int sock, const struct conf *);

/* ---- cmd.c ------------ */

/* One command line, without CRLF. */
void	 command_run(struct session *, struct slice line);

/* ---- retr.c ------------ */

/* A message, dot-stuffed, with at most lines of its body; UINT64_MAX all. */
void	 retr_send(struct session *, uint32_t msg, uint64_t lines);

#endif
