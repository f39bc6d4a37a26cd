/*
 * imap-session: STORE and EXPUNGE (RFC 3501 6.4.3, 6.4.6; UID EXPUNGE of
 * 4315; UNCHANGEDSINCE of 7162).
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

struct storing {			/* what the command says, but for flags */
	enum store_flagop	 op;
	bool			 silent;
	uint64_t		 since;	/* UINT64_MAX: none */
};

static enum reply store_args(struct session *, struct imap_in *,
	    struct storing *, struct imap_flags *);
static enum reply store_item(struct session *, struct imap_in *,
	    struct storing *);
static enum reply store_run(struct session *, const struct storing *,
	    const struct store_flagset *);
static void	store_show(struct session *, const struct storing *,
	    const struct store_changed *);

enum reply
cmd_store(struct session *s, struct imap_in *in)
{
	struct storing		 st = { STORE_FLAGS_SET, false, UINT64_MAX };
	struct imap_flags	 flags;
	struct flagset		 fs;
	enum reply		 r;

	if ((r = store_args(s, in, &st, &flags)) != REPLY_OK)
		return r;
	if (flagset_make(&fs, &flags) == -1)
		return reply_store(s, STORE_NOMEM);
	r = store_run(s, &st, &fs.set);
	flagset_free(&fs);
	return r;
}

/* set SP ["(UNCHANGEDSINCE n)" SP] item SP flags */
static enum reply
store_args(struct session *s, struct imap_in *in, struct storing *st,
    struct imap_flags *flags)
{
	enum reply	 r;

	if ((r = arg_set(s, in)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and FLAGS");
	if (imap_peek(in) == '(') {
		if ((r = arg_store_modifiers(s, in, &st->since)) != REPLY_OK)
			return r;
		if (imap_space(in) == -1)
			return reply_expected(s, in, "a blank and FLAGS");
	}
	if ((r = store_item(s, in, st)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and flags");
	if (imap_flags(in, 1, flags) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	return REPLY_OK;
}

/* [+-]"FLAGS"[".SILENT"] */
static enum reply
store_item(struct session *s, struct imap_in *in, struct storing *st)
{
	struct slice	 item;
	size_t		 at = in->off;

	if (imap_atom(in, &item) == -1)
		return reply_expected(s, in, FLAGS_ITEM);
	if (item.p[0] == '+' || item.p[0] == '-') {
		st->op = item.p[0] == '+' ? STORE_FLAGS_ADD : STORE_FLAGS_DEL;
		item = slice_of(item.p + 1, item.n - 1);
	}
	st->silent = slice_caseis(item, "FLAGS.SILENT");
	if (!st->silent && !slice_caseis(item, "FLAGS")) {
		in->off = at;
		return reply_expected(s, in, FLAGS_ITEM);
	}
	return REPLY_OK;
}

static enum reply
store_run(struct session *s, const struct storing *st,
    const struct store_flagset *set)
{
	struct store_view_info	 info;
	struct store_changed	 changed;
	enum store_result	 sr;
	enum reply		 r;

	store_view_info(s->view, &info);
	if (info.readonly)
		return reply_store(s, STORE_READONLY);
	if (s->nset == 0)
		return REPLY_OK;
	limit_set(s);
	sr = store_flags(s->view, s->set, s->nset, st->op, set, st->since,
	    true, &changed);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if (changed.nchanged > 0 && (r = reply_commit(s)) != REPLY_OK)
		return r;
	if (changed.nchanged > 0 && (set->sys & STORE_DELETED) != 0 &&
	    st->op != STORE_FLAGS_DEL)
		told_messages(s, "deleted");
	store_view_info(s->view, &info);
	if (info.keywords_told != s->keywords_told)
		out_flags_line(s, true);
	store_show(s, st, &changed);
	/* RFC 2180 4.2; what has no UID any more is no error (3501 6.4.8). */
	r = changed.ngone > 0 && !s->uid ? reply_expunged(s) : REPLY_OK;
	code_modified(s, changed.modified, changed.nmodified);
	if (changed.nmodified > 0 && r == REPLY_OK)
		s->text = "Some were changed since";
	return r;
}

/* What was stored; with .SILENT the mod-sequences, for a client that wants
 * them (RFC 7162 3.1.3).  Those that were refused are in MODIFIED. */
static void
store_show(struct session *s, const struct storing *st,
    const struct store_changed *changed)
{
	uint32_t	 seq;
	size_t		 i, k = 0;

	if (st->silent && !(s->enabled & ENABLED_CONDSTORE))
		return;
	for (i = 0; i < s->nset; i++)
		for (seq = s->set[i].first; seq <= s->set[i].last; seq++) {
			if (k < changed->nmodified &&
			    changed->modified[k] == seq)
				k++;
			else if (store_view_gone(s->view, seq))
				continue;
			else if (st->silent)
				out_fetch_modseq(s, seq);
			else
				out_fetch_flags(s, seq);
		}
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
	if (s->uid)
		limit_set(s);
	sr = store_expunge(s->view, s->uid ? s->set : NULL, s->nset, false,
	    &n);
	if (sr != STORE_OK)
		return reply_store(s, sr);
	if (n == 0)
		return REPLY_OK;
	if ((r = reply_commit(s)) == REPLY_OK)
		told_messages(s, "expunged");
	s->modseq = true;
	return r;
}
