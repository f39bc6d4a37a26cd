/*
 * imap-session: GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208, and 2087 for
 * who knows no other).  All mailboxes of an account have one quota root, "";
 * where nothing is limited there is none, for a root without a resource
 * cannot be told.  What the limits are is authd's to say: nobody sets them
 * here.
 */
#include "base/compat.h"

#include <sys/types.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define QUOTA_RESOURCES	16	/* of one SETQUOTA */

static bool
has_root(const struct session *s)
{
	return s->quota.octets != 0 || s->quota.messages != 0;
}

/* Octets in units of 1024 (RFC 9208 5.1), of what has begun. */
static uint64_t
kib(uint64_t octets)
{
	return octets / 1024 + (octets % 1024 != 0);
}

static void
resource(struct session *s, char before, const char *name, uint64_t used,
    uint64_t limit)
{
	frames_putc(s->io, before);
	frames_puts(s->io, name);
	frames_putc(s->io, ' ');
	frames_num(s->io, used);
	frames_putc(s->io, ' ');
	frames_num(s->io, limit);
}

/* "* QUOTA", as the account is now. */
static enum store_result
quota_send(struct session *s)
{
	uint64_t		 octets, messages;
	enum store_result	 r;
	char			 before = '(';

	if ((r = store_refresh(s->store)) != STORE_OK)
		return r;
	store_usage(s->store, &octets, &messages);
	frames_puts(s->io, "* QUOTA \"\" ");
	if (s->quota.octets != 0) {
		resource(s, before, "STORAGE", kib(octets),
		    kib(s->quota.octets));
		before = ' ';
	}
	if (s->quota.messages != 0)
		resource(s, before, "MESSAGE", messages, s->quota.messages);
	frames_puts(s->io, ")\r\n");
	return STORE_OK;
}

enum reply
cmd_getquota(struct session *s, struct imap_in *in)
{
	struct slice	 root;

	if (imap_astring(in, &root) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	if (root.n > 0 || !has_root(s))
		return reply_no(s, "NONEXISTENT", "No such quota root");
	return reply_store(s, quota_send(s));
}

/* A mailbox need not be there (RFC 9208 4.1.2). */
enum reply
cmd_getquotaroot(struct session *s, struct imap_in *in)
{
	enum reply	 r;
	char		 name[STORE_NAME_MAX + 1];

	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	frames_puts(s->io, "* QUOTAROOT ");
	out_mailbox(s, name);
	frames_puts(s->io, has_root(s) ? " \"\"\r\n" : "\r\n");
	return has_root(s) ? reply_store(s, quota_send(s)) : REPLY_OK;
}

/* "(" [atom SP number *(SP atom SP number)] ")" */
static int
resources_skip(struct imap_in *in)
{
	struct slice	 name;
	uint64_t	 limit;
	unsigned int	 n = 0;

	if (imap_open(in) == -1)
		return -1;
	if (imap_close(in) == 0)
		return 0;
	do {
		if (n++ == QUOTA_RESOURCES)
			return imap_fail(in, "at most "
			    IMAP_NUMBER(QUOTA_RESOURCES) " resources");
		if (imap_atom(in, &name) == -1 || imap_space(in) == -1 ||
		    imap_number64(in, &limit) == -1)
			return -1;
	} while (imap_space(in) == 0);
	return imap_close(in);
}

enum reply
cmd_setquota(struct session *s, struct imap_in *in)
{
	struct slice	 root;

	if (imap_astring(in, &root) == -1 || imap_space(in) == -1 ||
	    resources_skip(in) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	return reply_no(s, "NOPERM", "Only the operator sets a quota");
}
