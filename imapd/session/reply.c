/*
 * imap-session: what the tagged line of a command is to say, kept until
 * command_run() sends it.  Sends nothing itself.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "parse/imap_parse.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

enum reply
reply_no(struct session *s, const char *code, const char *text)
{
	s->code.n = 0;
	if (code != NULL)
		fbuf_add(&s->code, code, strlen(code));
	s->text = text;
	return REPLY_NO;
}

enum reply
reply_bad(struct session *s, const char *text)
{
	s->code.n = 0;
	snprintf(s->bad, sizeof(s->bad), "%s%s%s", s->verb,
	    s->verb[0] != '\0' ? ": " : "", text);
	s->text = s->bad;
	return REPLY_BAD;
}

enum reply
reply_expected(struct session *s, struct imap_in *in, const char *expected)
{
	imap_fail(in, expected);
	return reply_syntax(s, in);
}

enum reply
reply_syntax(struct session *s, const struct imap_in *in)
{
	s->code.n = 0;
	s->text = imap_expected(in, s->verb, s->bad);
	return REPLY_BAD;
}

enum reply
reply_expunged(struct session *s)
{
	return reply_no(s, "EXPUNGEISSUED",
	    "Some messages are no longer there");
}

enum reply
reply_uidrequired(struct session *s)
{
	reply_bad(s, "expected UIDs only, for UIDONLY is enabled");
	fbuf_add(&s->code, "UIDREQUIRED", 11);
	return REPLY_BAD;
}

enum reply
reply_store(struct session *s, enum store_result r)
{
	switch (r) {
	case STORE_OK:
		return REPLY_OK;
	case STORE_BUSY:
		return reply_no(s, "INUSE", "Busy, try again");
	case STORE_DAMAGED:
		return reply_no(s, "CORRUPTION", "The mailbox is damaged");
	case STORE_NOSPACE:
		return reply_no(s, "UNAVAILABLE", "Out of disk space");
	case STORE_OVERQUOTA:
		return reply_no(s, "OVERQUOTA", "Over quota");
	case STORE_IO:
	case STORE_NOMEM:
	case STORE_ACCESS:
	case STORE_NEWER:
	case STORE_GONE:
		return reply_no(s, "UNAVAILABLE", "Try again later");
	case STORE_NOTFOUND:
		return reply_no(s, "NONEXISTENT", "No such mailbox");
	case STORE_EXISTS:
	case STORE_DUPLICATE:
		return reply_no(s, "ALREADYEXISTS", "It exists already");
	case STORE_INVALID:
		return reply_no(s, "CANNOT", "Not possible with this name");
	case STORE_LIMIT:
		return reply_no(s, "LIMIT", "Too many or too large");
	case STORE_READONLY:
		return reply_no(s, "NOPERM", "The mailbox is read-only");
	}
	return REPLY_NO;
}

enum reply
reply_commit(struct session *s)
{
	return reply_store(s, store_commit(s->store));
}
