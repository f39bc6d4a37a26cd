/*
 * imap-session: how many messages one command is about (RFC 9738).  What is
 * more is left to the client: the newest are taken, and the answer tells the
 * lowest UID of them.  COPY, which is whole or not at all, is refused.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static bool	set_cut(struct session *);

/* Cuts s->set to its last messages; was there more? */
static bool
set_cut(struct session *s)
{
	uint64_t	 left = s->max_messages, n;
	size_t		 i = s->nset;

	while (i > 0 && left > 0) {
		n = (uint64_t)s->set[i - 1].last - s->set[i - 1].first + 1;
		if (n > left)
			break;
		left -= n;
		i--;
	}
	if (i == 0)
		return false;
	if (left > 0) {
		i--;
		s->set[i].first = s->set[i].last - (uint32_t)(left - 1);
	}
	memmove(s->set, s->set + i, (s->nset - i) * sizeof(*s->set));
	s->nset -= i;
	return true;
}

void
limit_set(struct session *s)
{
	if (set_cut(s))
		s->lowest = store_view_msg(s->view, s->set[0].first)->uid;
}

enum reply
limit_refuse(struct session *s)
{
	char	 code[40];

	if (!set_cut(s))
		return REPLY_OK;
	snprintf(code, sizeof(code), "MESSAGELIMIT %" PRIu32,
	    s->max_messages);
	return reply_no(s, code, "Too many messages for one command");
}

/* In the tagged line, or before it when that has another code. */
void
limit_tell(struct session *s)
{
	char	 code[60];
	int	 n;

	n = snprintf(code, sizeof(code), "MESSAGELIMIT %" PRIu32 " %" PRIu32,
	    s->max_messages, s->lowest);
	if (s->code.n == 0)
		fbuf_add(&s->code, code, (size_t)n);
	else
		frames_printf(s->io, "* NO [%s] Only the newest\r\n", code);
}
