/*
 * imap-session: UIDBATCHES (RFC 10022): UID ranges that part the mailbox into
 * batches of as many messages, the newest first.  They lie side by side from
 * the last message's UID down to 1.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define BATCH_MIN	500	/* smaller ones would be sequence numbers */
#define BATCHES_MAX	10000	/* ranges of one answer */

struct batches {
	uint32_t	 size;
	uint32_t	 first, last;	/* of the batches, from 1 */
};

static enum reply batches_args(struct session *, struct imap_in *,
	    struct batches *);
static uint32_t	batches_there(struct session *, const struct batches *);
static void	batches_show(struct session *, const struct batches *,
	    uint32_t);

enum reply
cmd_uidbatches(struct session *s, struct imap_in *in)
{
	struct batches	 b = { 0, 1, UINT32_MAX };
	enum reply	 r;
	uint32_t	 n;

	if ((r = batches_args(s, in, &b)) != REPLY_OK)
		return r;
	n = batches_there(s, &b);
	if (b.last > n)
		b.last = n;
	if (b.first <= b.last && b.last - b.first >= BATCHES_MAX)
		return reply_no(s, "TOOMANY", "At most "
		    IMAP_NUMBER(BATCHES_MAX) " batches");
	frames_printf(s->io, "* UIDBATCHES (TAG \"%s\")", s->tag);
	batches_show(s, &b, n);
	frames_puts(s->io, "\r\n");
	return REPLY_OK;
}

/* size [SP first ":" last] */
static enum reply
batches_args(struct session *s, struct imap_in *in, struct batches *b)
{
	if (imap_number(in, &b->size) == -1)
		return reply_syntax(s, in);
	if (imap_space(in) == 0) {
		if (imap_number(in, &b->first) == -1)
			return reply_syntax(s, in);
		if (imap_peek(in) != ':')
			return reply_expected(s, in, "two numbers with ':' "
			    "between them");
		in->off++;
		if (imap_number(in, &b->last) == -1)
			return reply_syntax(s, in);
	}
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	if (b->size == 0 || b->first == 0 || b->last == 0)
		return reply_bad(s, "expected numbers of 1 or more");
	if (b->first > b->last) {
		reply_bad(s, "expected the lower number first");
		fbuf_add(&s->code, "CLIENTBUG", 9);
		return REPLY_BAD;
	}
	if (b->size < BATCH_MIN)
		return reply_no(s, "TOOFEW", "At least "
		    IMAP_NUMBER(BATCH_MIN) " messages a batch");
	return REPLY_OK;
}

/* How many there are; messages that others expunged do not count. */
static uint32_t
batches_there(struct session *s, const struct batches *b)
{
	uint32_t	 seq, n = 0;

	for (seq = 1; store_view_msg(s->view, seq) != NULL; seq++)
		n += !store_view_gone(s->view, seq);
	return n / b->size + (n % b->size != 0);
}

static void
batches_show(struct session *s, const struct batches *b, uint32_t there)
{
	struct store_view_info	 info;
	uint32_t		 seq, low, high = 0, n = 0, batch = 1;

	store_view_info(s->view, &info);
	for (seq = info.exists; seq > 0 && batch <= b->last; seq--) {
		if (store_view_gone(s->view, seq))
			continue;
		low = store_view_msg(s->view, seq)->uid;
		if (high == 0)
			high = low;
		if (batch == there)
			low = 1;
		else if (++n < b->size)
			continue;
		if (batch >= b->first)
			frames_printf(s->io, "%c%" PRIu32 ":%" PRIu32,
			    batch == b->first ? ' ' : ',', high, low);
		high = low - 1;
		n = 0;
		batch++;
	}
}
