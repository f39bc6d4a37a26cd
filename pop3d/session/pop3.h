/*
 * pop3-session: the parts of the session program.
 *
 * Layers, lowest first; a file calls those before it:
 *	marks size retr cmd session
 */
#ifndef POP3_H
#define POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/conf.h"
#include "net/frames.h"
#include "net/start.h"
#include "store/store.h"

#define POP3_LINE_MAX	512	/* octets of a command (RFC 2449 4) */
#define POP3_BAD_MAX	10	/* bad commands of a connection */

struct session {
	struct frames	*io;
	struct store	*store;
	struct store_view *view;
	uint32_t	 n;		/* messages, deleted ones included */
	uint32_t	 uidvalidity;
	bool		 mark_seen;	/* RETR sets \Seen (pop3.mark-seen) */
	enum conf_uidl	 uidl;
	unsigned int	 login_delay;	/* s, told in CAPA; 0 none */
	char		 folder[STORE_NAME_MAX + 1];
	uint32_t	 ndeleted;
	unsigned char	*deleted;	/* bit per message; NULL: none yet */
	unsigned char	*retrieved;	/* whole, by RETR; NULL: none yet */
	unsigned char	*noeol;		/* do not end in CRLF */
	uint64_t	 octets;	/* as sent, of those not deleted, once */
	bool		 sized;		/* noeol is known */
	struct fbuf	 cmd;		/* a line not in one packet */
	unsigned int	 nbad;
	bool		 quit;
	struct start	 start;		/* who it is for */
};

/* ---- session.c ---- */

struct quota;
int	 session_main(int sock, const struct conf *, const struct quota *);

/* ---- marks.c: a bit for each message ---- */

/* 0, or -1: out of memory; *bits is allocated at the first mark. */
int	 marks_set(struct session *, unsigned char **bits, uint32_t msg);
bool	 marks_has(const unsigned char *bits, uint32_t msg);
/* Those of bits that are none of but, as ascending ranges; *v is malloc'ed,
 * NULL for none.  0, or -1: out of memory. */
int	 marks_ranges(struct session *, const unsigned char *bits,
	    const unsigned char *but, struct store_range **v, size_t *n);

/* ---- size.c ---- */

/* Octets of a message as RETR sends it, dots not doubled (RFC 1939 11). */
uint64_t size_sent(struct session *, uint32_t msg);
/* The sum of those that are not deleted; all sizes are known then. */
uint64_t size_all(struct session *);

/* ---- cmd.c ------------ */

/* One command line, without CRLF. */
void	 command_run(struct session *, struct slice line);
/* What RETR gave gets \Seen, if it is to; not what is deleted.  Not durable
 * yet. */
enum store_result command_seen(struct session *);

/* ---- retr.c ------------ */

/* A message, dot-stuffed, with at most lines of its body; UINT64_MAX all.
 * Was it sent to its end? */
bool	 retr_send(struct session *, uint32_t msg, uint64_t lines);

#endif
