/*
 * imap-session: STORE and EXPUNGE (RFC 3501 6.4.3, 6.4.6; UID EXPUNGE of
 * 4315).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define FLAGS_ITEM	"FLAGS or FLAGS.SILENT, with + or - before it or not,"

static enum reply store_args(struct session *, struct imap_in *,
	    enum store_flagop *, bool *, struct imap_flags *);
static enum reply store_run(struct session *, enum store_flagop, bool,
	    const struct store_flagset *);

enum reply
cmd_store(struct session *s, struct imap_in *in)
{
	enum store_flagop	 op = STORE_FLAGS_SET;
	struct imap_flags	 flags;
	struct flagset		 fs;
	enum reply		 r;
	bool			 silent = false;

	if ((r = store_args(s, in, &op, &silent, &flags)) != REPLY_OK)
		return r;
	if (flagset_make(&fs, &flags) == -1)
		return reply_store(s, STORE_NOMEM);
	r = store_run(s, op, silent, &fs.set);
	flagset_free(&fs);
	return r;
}

/* set SP [+-]"FLAGS"[".SILENT"] SP flags */
static enum reply
store_args(struct session *s, struct imap_in *in, enum store_flagop *op,
    bool *silent, struct imap_flags *flags)
{
	struct slice	 item;
	enum reply	 r;
	size_t		 at;

	if ((r = arg_set(s, in)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and FLAGS");
	at = in->off;
	if (imap_atom(in, &item) == -1)
		return reply_expected(s, in, FLAGS_ITEM);
	if (item.p[0] == '+' || item.p[0] == '-') {
		*op = item.p[0] == '+' ? STORE_FLAGS_ADD : STORE_FLAGS_DEL;
		item = slice_of(item.p + 1, item.n - 1);
	}
	*silent = slice_caseis(item, "FLAGS.SILENT");
	if (!*silent && !slice_caseis(item, "FLAGS")) {
		in->off = at;
		return reply_expected(s, in, FLAGS_ITEM);
	}
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and flags");
	if (imap_flags(in, 1, flags) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	return REPLY_OK;
}

static enum reply
store_run(struct session *s, enum store_flagop op, bool silent,
    const struct store_flagset *set)
{
	struct store_view_info	 info;
	struct store_changed	 changed;
	enum store_result	 sr;
	enum reply		 r;
	uint32_t		 seq;
	size_t			 i;

	store_view_info(s->view, &info);
	if (info.readonly)
		return reply_store(s, STORE_READONLY);
	if (s->nset == 0)
		return REPLY_OK;
	sr = store_flags(s->view, s->set, s->nset, op, set, UINT64_MAX, true,
	    &changed);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if (changed.nchanged > 0 && (r = reply_commit(s)) != REPLY_OK)
		return r;
	if (changed.nchanged > 0 && (set->sys & STORE_DELETED) != 0 &&
	    op != STORE_FLAGS_DEL)
		told_messages(s, "deleted");
	store_view_info(s->view, &info);
	if (info.nkeywords != s->nkeywords)
		out_flags_line(s, true);
	for (i = 0; i < s->nset && !silent; i++)
		for (seq = s->set[i].first; seq <= s->set[i].last; seq++)
			if (!store_view_gone(s->view, seq))
				out_fetch_flags(s, seq);
	/* RFC 2180 4.2; what has no UID any more is no error (3501 6.4.8). */
	return changed.ngone > 0 && !s->uid ? reply_expunged(s) : REPLY_OK;
}

enum reply
cmd_expunge(struct session *s, struct imap_in *in)
{
	struct store_view_info	 info;
	enum store_result	 sr;
	enum reply		 r;
	uint32_t		 n = 0;

	s->nset = 0;
	if (s->uid) {
		if ((r = arg_set(s, in)) != REPLY_OK)
			return r;
		if (imap_end(in) == -1)
			return reply_syntax(s, in);
	}
	store_view_info(s->view, &info);
	if (info.readonly)
		return reply_store(s, STORE_READONLY);
	if (s->uid && s->nset == 0)
		return REPLY_OK;
	sr = store_expunge(s->view, s->uid ? s->set : NULL, s->nset, false,
	    &n);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if (n == 0)
		return REPLY_OK;
	if ((r = reply_commit(s)) == REPLY_OK)
		told_messages(s, "expunged");
	return r;
}
