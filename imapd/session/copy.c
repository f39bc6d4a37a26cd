/*
 * imap-session: COPY and MOVE (RFC 3501 6.4.7, 4315, 6851).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum reply copy_run(struct session *, struct imap_in *, bool);
static int	copyuid(struct fbuf *, const struct store_copied *);

enum reply
cmd_copy(struct session *s, struct imap_in *in)
{
	return copy_run(s, in, false);
}

enum reply
cmd_move(struct session *s, struct imap_in *in)
{
	return copy_run(s, in, true);
}

static enum reply
copy_run(struct session *s, struct imap_in *in, bool move)
{
	struct store_copied	 c = { 0 };
	enum store_result	 sr;
	enum reply		 r;
	char			 name[STORE_NAME_MAX + 1];

	if ((r = arg_set(s, in)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a mailbox name");
	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	if (s->nset == 0) {
		if (!store_mailbox_find(s->store, name,
		    &(struct store_mailbox){ 0 }))
			return reply_no(s, "TRYCREATE", "No such mailbox");
		return REPLY_OK;
	}
	if (move)
		limit_set(s);
	else if ((r = limit_refuse(s)) != REPLY_OK)
		return r;
	/* What has no UID any more is passed over (RFC 3501 6.4.8); by
	 * number, all of it or nothing (6.4.7). */
	sr = store_copy(s->view, s->set, s->nset, name,
	    (move ? STORE_COPY_MOVE : 0) | (s->uid ? 0 : STORE_COPY_ALL), &c);
	if (sr == STORE_NOTFOUND)
		return reply_no(s, "TRYCREATE", "No such mailbox");
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if (c.n == 0)
		return s->uid ? REPLY_OK : reply_expunged(s);
	if (copyuid(&s->code, &c) == -1)
		s->code.n = 0;
	if ((r = reply_commit(s)) != REPLY_OK) {
		if (!move)
			store_take_back(s->store, name, c.dst);
		s->code.n = 0;
		return r;
	}
	told_copied(s, name, &c, move);
	if (!move)
		return r;
	/* RFC 6851 4.3: in an untagged OK, before the EXPUNGEs. */
	frames_puts(s->io, "* OK [");
	frames_write(s->io, s->code.p, s->code.n);
	frames_puts(s->io, "] Moved\r\n");
	s->code.n = 0;
	s->modseq = true;
	return REPLY_OK;
}

static int
copyuid(struct fbuf *b, const struct store_copied *c)
{
	char	 text[32];
	int	 n;

	n = snprintf(text, sizeof(text), "COPYUID %u ", c->uidvalidity);
	if (fbuf_add(b, text, (size_t)n) == -1 ||
	    ranges_print(b, c->src, c->nsrc) == -1 ||
	    fbuf_add(b, " ", 1) == -1)
		return -1;
	return ranges_print(b, &c->dst, 1);
}
