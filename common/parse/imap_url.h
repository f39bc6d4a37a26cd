/*
 * IMAP URLs (RFC 5092) of a message or a part of one.
 */
#ifndef PARSE_IMAP_URL_H
#define PARSE_IMAP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define IMAP_URL_MAX	4096	/* octets of one */

struct imap_url {
	char		 text[IMAP_URL_MAX + 3]; /* what the slices are of */
	struct slice	 user;		/* n 0: not said */
	struct slice	 host;		/* n 0: this one */
	struct slice	 mailbox;	/* UTF-8; n 0: the one selected */
	uint32_t	 uidvalidity;	/* 0: not said */
	uint32_t	 uid;
	struct slice	 section;	/* "[" ... "]", as in FETCH */
	bool		 partial;
	uint32_t	 first, count;	/* of the octets; UINT32_MAX: to the end */
};

/*
 * imap://user@host/mailbox;UIDVALIDITY=1/;UID=2/;SECTION=1.2/;PARTIAL=0.9, or
 * from the path or the UID on.  Escapes are undone.  0, or -1: it is none, or
 * has a key (EXPIRE, URLAUTH, AUTH) that somebody else has to check.
 */
int	 imap_url_parse(struct slice, struct imap_url *);

#endif
