/*
 * imap-session: STATUS (RFC 9051 6.3.11, 7162, 7889, 8438, 9208), also for LIST
 * (RFC 5819).
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
	MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, SIZE, DELETED,
	DELETED_STORAGE, APPENDLIMIT, HIGHESTMODSEQ, MAILBOXID
};

static const char *const item_names[] = {
	"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE",
	"DELETED", "DELETED-STORAGE", "APPENDLIMIT", "HIGHESTMODSEQ",
	"MAILBOXID"
};

struct figures {
	struct store_status st;
	uint64_t	 deleted;	/* messages with \Deleted */
	uint64_t	 deleted_bytes;
};

static uint64_t	item_value(const struct session *, const struct figures *, int);
static enum store_result deleted_count(struct session *, const char *,
	    const struct status_items *, struct figures *);

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
			    "UIDVALIDITY, UNSEEN, SIZE, DELETED, "
			    "DELETED-STORAGE, APPENDLIMIT, HIGHESTMODSEQ or "
			    "MAILBOXID");
		if (items->n == IMAP_STATUS_ITEMS)
			return imap_fail(in, "at most "
			    IMAP_NUMBER(IMAP_STATUS_ITEMS) " items");
		items->item[items->n++] = (int)i;
	} while (imap_space(in) == 0);
	return imap_close(in);
}

static uint64_t
item_value(const struct session *s, const struct figures *f, int item)
{
	const struct store_status *st = &f->st;

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
	case DELETED:
		return f->deleted;
	case DELETED_STORAGE:		/* RFC 9208 5.1: units of 1024 */
		return f->deleted_bytes / 1024;
	case APPENDLIMIT:
		return s->max_append;
	case HIGHESTMODSEQ:
		return st->highestmodseq;
	}
	return 0;
}

enum store_result
status_send(struct session *s, const char *name,
    const struct status_items *items)
{
	struct store_mailbox	 mb;
	struct figures		 f;
	enum store_result	 r;
	size_t			 i;

	r = store_status(s->store, name, &f.st);
	if (r == STORE_OK && !store_mailbox_find(s->store, name, &mb))
		r = STORE_NOTFOUND;
	if (r == STORE_OK)
		r = deleted_count(s, name, items, &f);
	if (r != STORE_OK)
		return r;
	for (i = 0; i < items->n; i++)
		if (items->item[i] == HIGHESTMODSEQ)
			session_enable(s, ENABLED_CONDSTORE);
	frames_puts(s->io, "* STATUS ");
	out_mailbox(s, name);
	for (i = 0; i < items->n; i++) {
		frames_puts(s->io, i == 0 ? " (" : " ");
		if (items->item[i] == MAILBOXID) {
			out_mailboxid(s, f.st.uidvalidity, mb.id);
			continue;
		}
		frames_puts(s->io, item_names[items->item[i]]);
		frames_putc(s->io, ' ');
		frames_num(s->io, item_value(s, &f, items->item[i]));
	}
	frames_puts(s->io, ")\r\n");
	return STORE_OK;
}

/* How many have \Deleted, and their octets, if one of these is asked for: the
 * store keeps no count. */
static enum store_result
deleted_count(struct session *s, const char *name,
    const struct status_items *items, struct figures *f)
{
	const struct store_msg	*m;
	struct store_view	*v;
	struct store_view_info	 info;
	enum store_result	 r;
	uint32_t		 seq;
	size_t			 i;

	f->deleted = f->deleted_bytes = 0;
	for (i = 0; i < items->n; i++)
		if (items->item[i] == DELETED ||
		    items->item[i] == DELETED_STORAGE)
			break;
	if (i == items->n)
		return STORE_OK;
	r = store_view_open(&v, s->store, name, STORE_VIEW_READONLY);
	if (r != STORE_OK)
		return r;
	store_view_info(v, &info);
	for (seq = 1; seq <= info.exists; seq++) {
		m = store_view_msg(v, seq);
		if ((m->flags & STORE_DELETED) == 0)
			continue;
		f->deleted++;
		f->deleted_bytes += m->size;
	}
	store_view_close(v);
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
