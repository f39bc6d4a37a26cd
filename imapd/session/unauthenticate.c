/*
 * imap-session: UNAUTHENTICATE (RFC 8437): the session ends and the front waits
 * for a login again, over the same connection and TLS.  What was enabled, the
 * mailbox and all else the session knew ends with its process.
 */
#include "base/compat.h"

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

enum reply
cmd_unauthenticate(struct session *s, struct imap_in *in)
{
	if (s->deflate)
		return reply_bad(s, "expected no COMPRESS before it");
	/* What is behind it may be meant for either of us. */
	if (frames_ready(s->io))
		return reply_bad(s, "expected nothing behind it before its "
		    "answer");
	session_state(s, LOGGED_OUT, NULL);
	s->leave = true;
	s->text = "Logged out, log in again";
	return REPLY_OK;
}
