/*
 * imap-session: COMPRESS (RFC 4978).  The front packs and unpacks, from the
 * end of our answer on (cmd.c tells it so).
 */
#include "base/compat.h"

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

enum reply
cmd_compress(struct session *s, struct imap_in *in)
{
	if (!imap_word(in, "DEFLATE"))
		return reply_expected(s, in, "DEFLATE");
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	if (s->deflate)
		return reply_no(s, "COMPRESSIONACTIVE",
		    "DEFLATE is on already");
	/* Clear or compressed?  The client cannot know, so it has to wait. */
	if (frames_ready(s->io))
		return reply_bad(s, "expected nothing behind it before its "
		    "answer");
	s->deflate = true;
	s->text = "DEFLATE is on";
	return REPLY_OK;
}
