/*
 * The text of a report to the sender (dsn.c), pure.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "queue/queue.h"

struct dsn_rcpt {
	struct slice	 address, orig;	/* orig "" if the same */
	struct slice	 status;	/* "5.1.1" */
	struct slice	 mta;		/* the host that said it, "" we */
	struct slice	 text;		/* the words */
	unsigned int	 attempts;
	uint64_t	 last;		/* of them, seconds UTC; 0 not known */
};

struct dsn {
	enum dsn_action	 action;
	struct slice	 hostname, domain;	/* ours; From is at domain */
	struct slice	 sender;	/* who gets it */
	uint64_t	 now, arrival, expires;	/* seconds UTC */
	struct msg_id	 unique;	/* boundary and Message-ID */
	struct slice	 id;		/* queue id */
	struct slice	 header;	/* of the original */
	const struct dsn_rcpt *rcpt;
	size_t		 nrcpt;
};

#define DSN_HEADER_MAX	(64 * 1024)	/* of the original given back */
#define DSN_RCPTS_MAX	100		/* named in one report */

/* RFC 3464 report, CRLF; malloc'ed, *n octets, or NULL. */
char	*dsn_text(const struct dsn *, size_t *n);
/* The From field of it as it stands there, without its name. */
int	 dsn_from(const struct dsn *, char *buf, size_t size);

#endif
