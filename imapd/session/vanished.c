/*
 * imap-session: VANISHED (RFC 7162 3.2.10), which says by UID what EXPUNGE
 * says by number, and with EARLIER what went while the client was away.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>

#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define VANISHED_LINE	512	/* ranges of one line */

static void	vanished_range(struct session *, bool, size_t,
	    struct store_range);

enum store_result
out_vanished_earlier(struct session *s, uint64_t since,
    const struct imap_range *asked, size_t n, uint32_t above)
{
	const struct store_range *out;
	struct store_range	*v;
	enum store_result	 r = STORE_NOMEM;
	size_t			 i, k = 0, nout = 0;

	if ((v = calloc(n + 1, sizeof(*v))) != NULL) {
		for (i = 0; i < n; i++) {
			if (asked[i].hi <= above)
				continue;
			v[k].first = asked[i].lo > above ? asked[i].lo :
			    above + 1;
			v[k++].last = asked[i].hi;
		}
		r = store_view_vanished(s->view, since, v, k, &out, &nout);
	}
	free(v);
	for (i = 0; i < nout; i++)
		vanished_range(s, true, i, out[i]);
	if (nout > 0)
		frames_puts(s->io, "\r\n");
	return r;
}

/* uids: descending, as the store tells of expunges. */
void
out_vanished(struct session *s, const uint32_t *uids, size_t n)
{
	struct store_range	 r;
	size_t			 lines = 0;

	if (n == 0)
		return;
	while (n > 0) {
		r.first = r.last = uids[--n];
		while (n > 0 && uids[n - 1] == r.last + 1)
			r.last = uids[--n];
		vanished_range(s, false, lines++, r);
	}
	frames_puts(s->io, "\r\n");
}

/* Range i of a VANISHED; long ones go on several lines. */
static void
vanished_range(struct session *s, bool earlier, size_t i,
    struct store_range r)
{
	if (i % VANISHED_LINE == 0) {
		frames_puts(s->io, i > 0 ? "\r\n* VANISHED " :
		    "* VANISHED ");
		if (earlier)
			frames_puts(s->io, "(EARLIER) ");
	} else
		frames_putc(s->io, ',');
	frames_num(s->io, r.first);
	if (r.last > r.first) {
		frames_putc(s->io, ':');
		frames_num(s->io, r.last);
	}
}
