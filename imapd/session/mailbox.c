/*
 * imap-session: mailboxes: SELECT, EXAMINE, CLOSE, UNSELECT, CREATE, DELETE,
 * RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3, 6.4.2; 3691; 6154; 7162).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum reply mailbox_open(struct session *, struct imap_in *, bool);
static enum reply mailbox_select(struct session *, const char *, bool,
	    const struct resync *);
static void	mailbox_show(struct session *, const char *);
static void	mailbox_closed(struct session *, const char *);
static bool	mailbox_parent(struct session *, const char *);
static bool	mailbox_selected(struct session *, const char *);
static enum reply mailbox_subscribe(struct session *, struct imap_in *, bool);
static enum reply create_use(struct session *, struct imap_in *, uint32_t *);
static int	use_take(struct imap_in *, uint32_t *);

enum reply
cmd_select(struct session *s, struct imap_in *in)
{
	return mailbox_open(s, in, false);
}

enum reply
cmd_examine(struct session *s, struct imap_in *in)
{
	return mailbox_open(s, in, true);
}

/* The old mailbox is closed even when the new one cannot be opened. */
static enum reply
mailbox_open(struct session *s, struct imap_in *in, bool readonly)
{
	struct resync	 rs = { 0 };
	enum reply	 r, name_r;
	char		 name[STORE_NAME_MAX + 1];

	if ((name_r = r = arg_mailbox(s, in, name)) == REPLY_BAD)
		return r;
	if (imap_space(in) == 0)
		r = arg_select_params(s, in, &rs);
	if (r != REPLY_BAD && imap_end(in) == -1)
		r = reply_syntax(s, in);
	if (r != REPLY_BAD && s->state == SELECTED)
		mailbox_closed(s, "The mailbox before this one is closed");
	if (r != REPLY_BAD && name_r == REPLY_OK)
		r = mailbox_select(s, name, readonly, &rs);
	else if (r != REPLY_BAD)
		r = name_r;
	resync_free(&rs);
	return r;
}

static enum reply
mailbox_select(struct session *s, const char *name, bool readonly,
    const struct resync *rs)
{
	struct store_view	*view;
	enum store_result	 sr;

	sr = store_view_open(&view, s->store, name,
	    readonly ? STORE_VIEW_READONLY : 0);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	session_state(s, SELECTED, view);
	mailbox_show(s, name);
	if (rs->uidvalidity != 0 && (sr = resync_show(s, rs)) != STORE_OK) {
		session_state(s, AUTHENTICATED, NULL);
		return reply_store(s, sr);
	}
	s->text = readonly ? "Examined" : "Selected";
	fbuf_add(&s->code, readonly ? "READ-ONLY" : "READ-WRITE",
	    readonly ? 9 : 10);
	return REPLY_OK;
}

/* IMAP4rev2 knows no RECENT and no UNSEEN here, and tells the name. */
static void
mailbox_show(struct session *s, const char *name)
{
	struct store_view_info	 i;
	bool			 rev2 = s->enabled & ENABLED_REV2;

	store_view_info(s->view, &i);
	out_flags_line(s, true);
	out_exists(s, i.exists, i.recent);
	if (i.first_unseen != 0 && !rev2 && !(s->enabled & ENABLED_UIDONLY))
		frames_printf(s->io, "* OK [UNSEEN %u] First unseen\r\n",
		    i.first_unseen);
	if (rev2)
		list_told(s, name, NULL);
	frames_printf(s->io, "* OK [UIDVALIDITY %u] UIDs are valid\r\n"
	    "* OK [UIDNEXT %u] Next UID\r\n"
	    "* OK [HIGHESTMODSEQ %" PRIu64 "] All up to it is here\r\n",
	    i.uidvalidity, i.uidnext, i.highestmodseq);
	frames_puts(s->io, "* OK [");
	out_mailboxid(s, i.uidvalidity, i.mailbox_id);
	frames_puts(s->io, "] Its id\r\n");
}

/* Not by CLOSE or UNSELECT, whose answer says it (RFC 7162 3.2.11). */
static void
mailbox_closed(struct session *s, const char *why)
{
	frames_printf(s->io, "* OK [CLOSED] %s\r\n", why);
	session_state(s, AUTHENTICATED, NULL);
}

/*
 * Expunges without a word (RFC 3501 6.4.2).  The mod-sequence of that is
 * told when nothing else is behind it that the client was not told (RFC 7162
 * 3.2.8); else it would miss that for good.
 */
enum reply
cmd_close(struct session *s, struct imap_in *in)
{
	struct store_view_info	 info;
	struct store_delta	 d;
	enum store_result	 sr = STORE_OK;
	uint32_t		 n = 0;

	store_view_info(s->view, &info);
	if (!info.readonly) {
		sr = store_expunge(s->view, NULL, 0, false, &n);
		if (sr == STORE_OK && n > 0 &&
		    (sr = store_commit(s->store)) == STORE_OK)
			told_messages(s, "expunged");
	}
	if (n > 0 && sr == STORE_OK && s->enabled & ENABLED_CONDSTORE &&
	    store_view_refresh(s->view, STORE_REFRESH_EXPUNGE, &d) ==
	    STORE_OK && d.nexpunged == n && d.nchanged == 0 && !d.grown)
		code_highestmodseq(s);
	session_state(s, AUTHENTICATED, NULL);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	return REPLY_OK;
}

enum reply
cmd_unselect(struct session *s, struct imap_in *in)
{
	session_state(s, AUTHENTICATED, NULL);
	return REPLY_OK;
}

/* A trailing separator only says that there will be children (6.3.3). */
enum reply
cmd_create(struct session *s, struct imap_in *in)
{
	enum store_result	 sr;
	enum reply		 r;
	uint32_t		 special = 0;
	char			 name[STORE_NAME_MAX + 1];
	size_t			 n;

	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_space(in) == 0 &&
	    (r = create_use(s, in, &special)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	n = strlen(name);
	if (n > 1 && name[n - 1] == STORE_SEP)
		name[n - 1] = '\0';
	sr = store_mailbox_create(s->store, name, special);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) == REPLY_OK)
		code_mailboxid(s, name);
	return r;
}

/* "(USE (\\Sent \\Archive))", RFC 6154 3. */
static enum reply
create_use(struct session *s, struct imap_in *in, uint32_t *special)
{
	uint32_t	 bit;
	bool		 unknown = false;

	if (imap_open(in) == -1)
		return reply_syntax(s, in);
	if (!imap_word(in, "USE"))
		return reply_expected(s, in, "USE (...)");
	if (imap_space(in) == -1 || imap_open(in) == -1)
		return reply_syntax(s, in);
	if (imap_peek(in) != ')')
		do {
			if (use_take(in, &bit) == -1)
				return reply_syntax(s, in);
			unknown = unknown || bit == 0;
			*special |= bit;
		} while (imap_space(in) == 0);
	if (imap_close(in) == -1 || imap_close(in) == -1 ||
	    imap_end(in) == -1)
		return reply_syntax(s, in);
	return unknown ? reply_no(s, "USEATTR",
	    "A mailbox here is for \\Archive, \\Drafts, \\Junk, \\Sent or "
	    "\\Trash") : REPLY_OK;
}

/* One use, *bit is 0 when it is none of ours; 0 or -1.  \\All and \\Flagged
 * are views of other mailboxes, which we have none of. */
static int
use_take(struct imap_in *in, uint32_t *bit)
{
	static const struct {
		const char	*name;
		uint32_t	 bit;
	} uses[] = {
		{ "Drafts", STORE_MB_DRAFTS }, { "Sent", STORE_MB_SENT },
		{ "Junk", STORE_MB_JUNK }, { "Trash", STORE_MB_TRASH },
		{ "Archive", STORE_MB_ARCHIVE },
	};
	struct slice	 v;
	size_t		 i;

	*bit = 0;
	if (imap_peek(in) != '\\')
		return imap_fail(in, "a special use, as \\Sent,");
	in->off++;
	if (imap_atom(in, &v) == -1)
		return -1;
	for (i = 0; i < NITEMS(uses); i++)
		if (slice_caseis(v, uses[i].name))
			*bit = uses[i].bit;
	return 0;
}

/* The one that is selected is closed with it: the client is the one who
 * wanted that.  To others it is a BYE (state.c). */
enum reply
cmd_delete(struct session *s, struct imap_in *in)
{
	enum store_result	 sr;
	enum reply		 r;
	bool			 selected;
	char			 name[STORE_NAME_MAX + 1];

	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	selected = mailbox_selected(s, name);
	sr = store_mailbox_delete(s->store, name);
	if (sr == STORE_INVALID && mailbox_parent(s, name))
		return reply_no(s, "HASCHILDREN", "There are mailboxes below");
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) != REPLY_OK)
		return r;
	told_box(s, name, NULL);
	if (selected && store_view_deleted(s->view))
		mailbox_closed(s, "The selected mailbox was deleted");
	return r;
}

/* Is it a name that has children and is no mailbox? */
static bool
mailbox_parent(struct session *s, const char *name)
{
	struct store_mailbox	 mb;

	return store_mailbox_find(s->store, name, &mb) &&
	    mb.attr & STORE_MB_NOSELECT && mb.attr & STORE_MB_CHILDREN;
}

/* Is this the name of the mailbox that is selected?  When it is another's
 * by now, what was selected is gone all the same. */
static bool
mailbox_selected(struct session *s, const char *name)
{
	struct store_view_info	 info;
	struct store_mailbox	 mb;

	if (s->state != SELECTED ||
	    !store_mailbox_find(s->store, name, &mb))
		return false;
	store_view_info(s->view, &info);
	return mb.id == info.mailbox_id;
}

enum reply
cmd_rename(struct session *s, struct imap_in *in)
{
	enum store_result	 sr;
	enum reply		 r;
	char			 from[STORE_NAME_MAX + 1];
	char			 to[STORE_NAME_MAX + 1];

	if ((r = arg_mailbox(s, in, from)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a mailbox name");
	if ((r = arg_mailbox(s, in, to)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	sr = store_mailbox_rename(s->store, from, to);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) != REPLY_OK)
		return r;
	told_box(s, from, to);
	if (s->enabled & ENABLED_REV2)
		list_told(s, to, from);
	return r;
}

enum reply
cmd_subscribe(struct session *s, struct imap_in *in)
{
	return mailbox_subscribe(s, in, true);
}

enum reply
cmd_unsubscribe(struct session *s, struct imap_in *in)
{
	return mailbox_subscribe(s, in, false);
}

static enum reply
mailbox_subscribe(struct session *s, struct imap_in *in, bool on)
{
	enum store_result	 sr;
	enum reply		 r;
	char			 name[STORE_NAME_MAX + 1];

	if ((r = arg_mailbox(s, in, name)) != REPLY_OK)
		return r;
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	sr = store_mailbox_subscribe(s->store, name, on);
	return sr == STORE_OK ? reply_commit(s) : reply_store(s, sr);
}
