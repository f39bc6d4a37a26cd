/*
 * imap-session: ENABLE (RFC 5161): what a client has to ask for before the
 * session speaks so, and what other commands enable besides (RFC 7162 3.1).
 * Each is a bit of s->enabled for the rest of the connection; who acts on it
 * asks for the bit.
 */
#include "base/compat.h"

#include <sys/types.h>

#include "base/slice.h"
#include "parse/capability.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static const struct {
	const char	*name;
	unsigned int	 bits;		/* itself, and what it brings along */
} enables[] = {
	{ "IMAP4rev2",		ENABLED_REV2 },
	{ "UTF8=ACCEPT",	ENABLED_UTF8 },
	{ "CONDSTORE",		ENABLED_CONDSTORE },
	{ "QRESYNC",		ENABLED_QRESYNC | ENABLED_CONDSTORE },
	{ "UIDONLY",		ENABLED_UIDONLY },
};

void
session_enable(struct session *s, unsigned int bits)
{
	s->enabled |= bits;
}

/* What is not known, or not told of here, is passed over. */
enum reply
cmd_enable(struct session *s, struct imap_in *in)
{
	unsigned int	 asked = 0;	/* rows */
	struct slice	 v;
	size_t		 i;

	do {
		if (imap_atom(in, &v) == -1)
			return reply_syntax(s, in);
		for (i = 0; i < NITEMS(enables); i++)
			if (slice_caseis(v, enables[i].name) &&
			    enables[i].bits & ~s->enabled &&
			    !capability_among(s->quirk.hide,
			    enables[i].name))
				asked |= 1U << i;
	} while (imap_space(in) == 0);
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	frames_puts(s->io, "* ENABLED");
	for (i = 0; i < NITEMS(enables); i++) {
		if (!(asked >> i & 1))
			continue;
		session_enable(s, enables[i].bits);
		frames_printf(s->io, " %s", enables[i].name);
	}
	frames_puts(s->io, "\r\n");
	return REPLY_OK;
}
