/*
 * imap-session: object ids (RFC 8474): of a mailbox, which keeps it when it
 * is renamed, and of a message, which has the same one in all its copies.
 * Threads have none here: THREADID is NIL.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define OBJECTID_MAX	32	/* octets of one of ours, and NUL */

static const char *mailboxid(char *, uint32_t, uint32_t);
static const char *emailid(char *, uint64_t);

/* A number is never given to another mailbox; should an old state of the
 * account come back, UIDVALIDITY differs. */
static const char *
mailboxid(char *text, uint32_t uidvalidity, uint32_t id)
{
	snprintf(text, OBJECTID_MAX, "F%" PRIu32 "-%" PRIu32, uidvalidity,
	    id);
	return text;
}

static const char *
emailid(char *text, uint64_t email)
{
	snprintf(text, OBJECTID_MAX, "M%" PRIx64, email);
	return text;
}

void
out_mailboxid(struct session *s, uint32_t uidvalidity, uint32_t id)
{
	char	 text[OBJECTID_MAX];

	frames_printf(s->io, "MAILBOXID (%s)", mailboxid(text, uidvalidity,
	    id));
}

void
out_emailid(struct session *s, const struct store_msg *m)
{
	char	 text[OBJECTID_MAX];

	frames_printf(s->io, "EMAILID (%s)", emailid(text, m->email));
}

void
code_mailboxid(struct session *s, const char *name)
{
	struct store_status	 st;
	struct store_mailbox	 mb;
	char			 text[OBJECTID_MAX];

	if (store_status(s->store, name, &st) != STORE_OK ||
	    !store_mailbox_find(s->store, name, &mb))
		return;
	mailboxid(text, st.uidvalidity, mb.id);
	s->code.n = 0;
	if (fbuf_add(&s->code, "MAILBOXID (", 11) == -1 ||
	    fbuf_add(&s->code, text, strlen(text)) == -1 ||
	    fbuf_add(&s->code, ")", 1) == -1)
		s->code.n = 0;
}

/* One that is not as we print them is no message's: 0. */
int
arg_emailid(struct imap_in *in, uint64_t *email)
{
	struct slice	 v;
	char		 text[OBJECTID_MAX];
	size_t		 i;
	int		 c;

	*email = 0;
	if (imap_atom(in, &v) == -1)
		return -1;
	for (i = 1; v.n <= 17 && i < v.n; i++) {
		c = ascii_lower((unsigned char)v.p[i]);
		*email = *email << 4 | (uint64_t)(c <= '9' ? c - '0' :
		    c - 'a' + 10);
	}
	if (!slice_is(v, emailid(text, *email)))
		*email = 0;
	return 0;
}
