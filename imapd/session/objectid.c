/*
 * imap-session: object ids (RFC 8474): of a mailbox, which keeps it when it
 * is renamed, and of a message, which has the same one in all its copies.
 * That of a thread follows from the first message that a message refers to
 * (RFC 5322 3.6.4), whether that is here or not, so nothing is kept of it.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define OBJECTID_MAX	32	/* octets of one of ours, and NUL */

static uint64_t	id_number(struct slice, char);
static const char *mailboxid(char *, uint32_t, uint32_t);

/* A number is never given to another mailbox; should an old state of the
 * account come back, UIDVALIDITY differs. */
static const char *
mailboxid(char *text, uint32_t uidvalidity, uint32_t id)
{
	snprintf(text, OBJECTID_MAX, "F%" PRIu32 "-%" PRIu32, uidvalidity,
	    id);
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
	frames_printf(s->io, "EMAILID (M%" PRIx64 ")", m->email);
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

/* The first of "<...> <...>"; who refers to nothing begins a thread. */
uint64_t
threadid(const struct store_msg *m, struct slice facts)
{
	static const enum facts_field	 field[] = { FACTS_REFERENCES,
	    FACTS_INREPLYTO, FACTS_MSGID };
	static const uint8_t		 key[16] = "THREADID";
	struct slice			 v;
	uint64_t			 h;
	size_t				 i;

	for (i = 0; i < NITEMS(field); i++) {
		if (facts_get(facts.p, facts.n, field[i], &v) == -1 ||
		    v.n == 0)
			continue;
		h = siphash24(key, v.p, slice_find(v, ' '));
		return h != 0 ? h : 1;
	}
	return m->email;
}

void
out_threadid(struct session *s, const struct store_msg *m,
    struct slice facts)
{
	frames_printf(s->io, "THREADID (T%" PRIx64 ")", threadid(m, facts));
}

int
arg_objectid(struct imap_in *in, char kind, uint64_t *number)
{
	struct slice	 v;

	if (imap_atom(in, &v) == -1)
		return -1;
	*number = id_number(v, kind);
	return 0;
}

/* One that is not as we print them is nobody's: 0. */
static uint64_t
id_number(struct slice v, char kind)
{
	uint64_t	 n = 0;
	size_t		 i;

	if (v.n < 2 || v.n > 17 || v.p[0] != kind || v.p[1] == '0')
		return 0;
	for (i = 1; i < v.n; i++) {
		if (v.p[i] >= '0' && v.p[i] <= '9')
			n = n << 4 | (uint64_t)(v.p[i] - '0');
		else if (v.p[i] >= 'a' && v.p[i] <= 'f')
			n = n << 4 | (uint64_t)(v.p[i] - 'a' + 10);
		else
			return 0;
	}
	return n;
}
