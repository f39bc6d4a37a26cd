/*
 * imap-session: STATUS (RFC 3501 6.3.10, 7889, 8438), also for LIST (RFC 5819).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

enum {
	MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, SIZE, APPENDLIMIT
};

static const char *const item_names[] = {
	"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE",
	"APPENDLIMIT"
};

static uint64_t	item_value(const struct session *, const struct store_status *,
	    int);

/* "(" item SP item ")"; 0, or -1 with in->err. */
int
status_items(struct imap_in *in, struct status_items *items)
{
	size_t	 i;

	items->n = 0;
	if (imap_open(in) == -1)
		return -1;
	do {
		for (i = 0; i < NITEMS(item_names); i++)
			if (imap_word(in, item_names[i]))
				break;
		if (i == NITEMS(item_names))
			return imap_fail(in, "MESSAGES, RECENT, UIDNEXT, "
			    "UIDVALIDITY, UNSEEN, SIZE or APPENDLIMIT");
		if (items->n == IMAP_STATUS_ITEMS)
			return imap_fail(in, "at most "
			    IMAP_NUMBER(IMAP_STATUS_ITEMS) " items");
		items->item[items->n++] = (int)i;
	} while (imap_space(in) == 0);
	return imap_close(in);
}

static uint64_t
item_value(const struct session *s, const struct store_status *st, int item)
{
	switch (item) {
	case MESSAGES:
		return st->messages;
	case RECENT:
		return st->recent;
	case UIDNEXT:
		return st->uidnext;
	case UIDVALIDITY:
		return st->uidvalidity;
	case UNSEEN:
		return st->unseen;
	case SIZE:
		return st->bytes;
	case APPENDLIMIT:
		return s->max_append;
	}
	return 0;
}

enum store_result
status_send(struct session *s, const char *name,
    const struct status_items *items)
{
	struct store_status	 st;
	enum store_result	 r;
	size_t			 i;

	if ((r = store_status(s->store, name, &st)) != STORE_OK)
		return r;
	frames_puts(s->io, "* STATUS ");
	out_mailbox(s, name);
	for (i = 0; i < items->n; i++) {
		frames_puts(s->io, i == 0 ? " (" : " ");
		frames_puts(s->io, item_names[items->item[i]]);
		frames_putc(s->io, ' ');
		frames_num(s->io, item_value(s, &st, items->item[i]));
	}
	frames_puts(s->io, ")\r\n");
	return STORE_OK;
}

enum reply
cmd_status(struct session *s, struct imap_in *in)
{
	struct status_items	 items;
	enum reply		 r;
	char			 name[STORE_NAME_MAX + 1];

	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and items in "
		    "parentheses");
	if (status_items(in, &items) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	return reply_store(s, status_send(s, name, &items));
}
