/*
 * What a front tells a session of the connection it is for: SESSION_START
 * (msg/session.h).
 */
#ifndef START_H
#define START_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "conf/quirk.h"
#include "net/connid.h"

#define START_TAG_MAX	65	/* octets, NUL included */

struct start {
	char		 tag[START_TAG_MAX];	/* of the first answer */
	char		 id[CONNID_TEXT];	/* as the log has the connection */
	char		 user[SASL_FIELD_MAX + 1];
	char		 peer[46];
	char		 client[QUIRK_CLIENT_MAX + 1];	/* name by ID, its start */
	unsigned int	 port;		/* of the listener */
	uint32_t	 account;
	bool		 parked;	/* PARK follows */
};

/* From the payload: what is missing is empty, what is unknown is passed over.
 * 0, or -1: it has no tag, or something is too long. */
int	 start_get(struct slice payload, struct start *);
/* "account=7 user=<a@example.org> peer=192.0.2.1": whose doing it is, as the
 * lines of sessions end.  Good until the next call. */
const char *start_whose(const struct start *);

#endif
