/*
 * imap-session: REPLACE and UID REPLACE (RFC 8508): a message takes the place
 * of another one, as a draft does that was edited.  The new one is durable
 * before the old one goes: whatever fails, one of them is there.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/append.h"
#include "imapd/session/imap.h"

static enum reply replace_args(struct session *, struct imap_in *,
	    struct append *, uint32_t *);
static enum reply replace_old(struct session *, uint32_t);

enum reply
cmd_replace(struct session *s, struct imap_in *in)
{
	struct append		 a = { .to = NULL };
	struct store_appended	 done;
	enum reply		 r;
	uint32_t		 seq = 0;

	r = replace_args(s, in, &a, &seq);
	if (r == REPLY_OK)
		r = append_one(s, in, &a);
	if (r == REPLY_OK && imap_end(in) == -1)
		r = reply_syntax(s, in);
	if (r == REPLY_OK && store_view_gone(s->view, seq))
		r = reply_expunged(s);
	if (r == REPLY_OK && (r = append_commit(s, &a, &done)) == REPLY_OK)
		r = replace_old(s, seq);
	else if (r != REPLY_GONE)
		r = append_refuse(s, r);
	append_free(&a);
	return r;
}

/* One message's number or UID, and where the new one goes. */
static enum reply
replace_args(struct session *s, struct imap_in *in, struct append *a,
    uint32_t *seq)
{
	struct store_view_info	 info;
	enum reply		 r;
	size_t			 at = in->off;

	if ((r = arg_set(s, in)) != REPLY_OK)
		return r;
	if (in->p[at] == '$' ||		/* RFC 5182: it may be many */
	    memchr(in->p + at, ',', in->off - at) != NULL ||
	    memchr(in->p + at, ':', in->off - at) != NULL) {
		in->off = at;
		return reply_expected(s, in, "the number of one message");
	}
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a mailbox name");
	if ((r = arg_mailbox(s, in, a->box)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a message");
	store_view_info(s->view, &info);
	if (info.readonly)
		return reply_store(s, STORE_READONLY);
	if (s->nset == 0)
		return reply_no(s, "NONEXISTENT", "No such message");
	*seq = s->set[0].first;
	return REPLY_OK;
}

/*
 * APPENDUID comes in an untagged OK, before the EXPUNGE (RFC 8508 3.5).  One
 * that others expunged meanwhile is gone as it should be.
 */
static enum reply
replace_old(struct session *s, uint32_t seq)
{
	const struct store_range old = { seq, seq };
	enum store_result	 sr;
	enum reply		 r;

	frames_puts(s->io, "* OK [");
	frames_write(s->io, s->code.p, s->code.n);
	frames_puts(s->io, "] Replacement is stored\r\n");
	s->code.n = 0;
	sr = store_expunge(s->view, &old, 1, true, NULL);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) == REPLY_OK)
		told_messages(s, "expunged");
	return r;
}
