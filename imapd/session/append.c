/*
 * imap-session: APPEND, several messages at once too (RFC 3501 6.3.11,
 * 3502, 4315): its grammar.  append_message.c makes the message.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/append.h"
#include "imapd/session/imap.h"

#define A_MESSAGE "a message as a literal, as {310}, at the end of the line,"

static enum reply append_all(struct session *, struct imap_in *,
	    struct append *);
static bool	another(const struct session *, const struct imap_in *);
static enum reply append_args(struct session *, struct imap_in *,
	    struct append *);
static enum reply append_utf8(struct session *, struct imap_in *,
	    struct append *);
static enum reply append_whole(struct session *, struct imap_in *,
	    struct append *);

enum reply
cmd_append(struct session *s, struct imap_in *in)
{
	struct append		 a = { .to = NULL };
	struct store_appended	 done;
	enum reply		 r;

	r = arg_mailbox(s, in, a.box);
	if (r == REPLY_OK && imap_space(in) == -1)
		r = reply_expected(s, in, "a blank and a message");
	if (r == REPLY_OK)
		r = append_all(s, in, &a);
	if (r == REPLY_OK)
		r = append_commit(s, &a, &done);
	else if (r != REPLY_GONE)
		r = append_refuse(s, r);
	append_free(&a);
	return r;
}

/* Each message, then a blank and another one or the end of the line. */
static enum reply
append_all(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;

	for (;;) {
		if ((r = append_one(s, in, a)) != REPLY_OK)
			return r;
		if (!another(s, in))
			break;
		imap_space(in);
	}
	return imap_end(in) == -1 ? reply_syntax(s, in) : REPLY_OK;
}

/* A blank and one more message: it has a literal, or is CATENATE of URLs. */
static bool
another(const struct session *s, const struct imap_in *in)
{
	if (imap_peek(in) != ' ' || in->n - in->off < 2)
		return false;
	return s->literal || strchr("(\"Cc", in->p[in->off + 1]) != NULL;
}

enum reply
append_one(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;

	if ((r = append_args(s, in, a)) != REPLY_OK)
		return r;
	if (imap_word(in, "CATENATE")) {
		if (imap_space(in) == -1)
			return reply_syntax(s, in);
		r = catenate_parts(s, in, a);
	} else if (imap_word(in, "UTF8"))
		r = append_utf8(s, in, a);
	else
		r = append_whole(s, in, a);
	return r == REPLY_OK ? append_end(s, a) : r;
}

/* [flags SP] [date SP] */
static enum reply
append_args(struct session *s, struct imap_in *in, struct append *a)
{
	struct imap_flags	 flags;
	int			 zone;

	flags.system = 0;
	flags.n = 0;
	if (imap_peek(in) == '(' && (imap_flags(in, 0, &flags) == -1 ||
	    imap_space(in) == -1))
		return reply_syntax(s, in);
	a->date = (int64_t)now_sec();
	if (imap_peek(in) == '"' && (imap_date_time(in, &a->date, &zone) == -1
	    || imap_space(in) == -1))
		return reply_syntax(s, in);
	flagset_free(&a->fs);
	return flagset_make(&a->fs, &flags) == -1 ?
	    reply_store(s, STORE_NOMEM) : REPLY_OK;
}

/* "UTF8 (" literal8 ")", which RFC 6855 had and clients of it still send. */
static enum reply
append_utf8(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;

	if (!(s->enabled & ENABLED_UTF8))
		return reply_bad(s, "expected ENABLE UTF8=ACCEPT before "
		    "UTF8 (...)");
	if (imap_space(in) == -1 || imap_open(in) == -1)
		return reply_syntax(s, in);
	if ((r = append_whole(s, in, a)) != REPLY_OK)
		return r;
	return imap_close(in) == -1 ? reply_syntax(s, in) : REPLY_OK;
}

/* literal, literal8 (RFC 3516 4.4) */
static enum reply
append_whole(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;

	if (!arg_streamed(s, in))
		return reply_expected(s, in, A_MESSAGE);
	if ((r = append_start(s, a, s->literal_size)) != REPLY_OK)
		return r;
	return append_literal(s, in, a);
}
