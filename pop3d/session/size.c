/*
 * pop3-session: how many octets RETR sends: those that are stored, and CRLF
 * behind a message that does not end so.  Which these are is looked up when
 * all sizes are asked for, two octets a message; for one alone, of that one.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"

static void	size_look(struct session *);
static bool	ends_in_crlf(struct session *, const struct store_msg *);

uint64_t
size_sent(struct session *s, uint32_t msg)
{
	const struct store_msg	*m = store_view_msg(s->view, msg);

	return (uint64_t)m->size + ((s->sized ? marks_has(s->noeol, msg) :
	    !ends_in_crlf(s, m)) ? 2 : 0);
}

uint64_t
size_all(struct session *s)
{
	size_look(s);
	return s->octets;
}

/* What cannot be read now, or marked, is told as it is stored. */
static void
size_look(struct session *s)
{
	const struct store_msg	*m;
	uint32_t		 i;

	if (s->sized)
		return;
	s->sized = true;
	for (i = 1; i <= s->n; i++) {
		m = store_view_msg(s->view, i);
		if (!ends_in_crlf(s, m))
			marks_set(s, &s->noeol, i);
		if (!marks_has(s->deleted, i))
			s->octets += m->size +
			    (marks_has(s->noeol, i) ? 2u : 0u);
	}
}

static bool
ends_in_crlf(struct session *s, const struct store_msg *m)
{
	struct iovec	 v;
	uint32_t	 n = m->size < 2 ? m->size : 2;

	return store_peek(s->store, m, m->size - n, n, &v) != STORE_OK ||
	    (v.iov_len == 2 && memcmp(v.iov_base, "\r\n", 2) == 0);
}
