/*
 * imap-session: FETCH (RFC 3501 6.4.5, 7.4.2; 7162).  The items are parsed once;
 * then messages go out in order, out of one reused packet.  ENVELOPE, BODY
 * and BODYSTRUCTURE are copied from facts; only sections read messages.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/dates.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

enum item_kind {
	ITEM_FLAGS, ITEM_UID, ITEM_INTERNALDATE, ITEM_SAVEDATE, ITEM_SIZE,
	ITEM_MODSEQ, ITEM_EMAILID, ITEM_THREADID,
	ITEM_ENVELOPE, ITEM_BODY, ITEM_BODYSTRUCTURE,
	ITEM_PREVIEW, ITEM_SECTION, ITEM_BINARY, ITEM_BINARY_SIZE
};

struct item {
	enum item_kind	 kind;
	const char	*label;		/* RFC822...; NULL: BODY[...] */
	struct imap_section *section;
};

struct fetch {
	struct item	 item[IMAP_ITEMS_MAX];
	size_t		 n;
	bool		 facts;		/* an item needs facts */
	bool		 flags;		/* FLAGS was asked for */
	bool		 modseq;	/* MODSEQ is told */
	bool		 seen;		/* an item sets \Seen */
	struct fetch_modifiers modifiers;
	size_t		 set;		/* where the set begins */
	struct store_range *now_seen;	/* messages that got it just now */
	size_t		 nnow_seen, at;
};

static const struct {
	const char	*name;
	enum item_kind	 kind;
} simple_items[] = {
	{ "FLAGS",		ITEM_FLAGS },
	{ "UID",		ITEM_UID },
	{ "INTERNALDATE",	ITEM_INTERNALDATE },
	{ "RFC822.SIZE",	ITEM_SIZE },
	{ "MODSEQ",		ITEM_MODSEQ },
	{ "SAVEDATE",		ITEM_SAVEDATE },
	{ "EMAILID",		ITEM_EMAILID },
	{ "THREADID",		ITEM_THREADID },
	{ "ENVELOPE",		ITEM_ENVELOPE },
	{ "BODYSTRUCTURE",	ITEM_BODYSTRUCTURE },
};

static const struct {
	const char		*name;
	enum imap_section_kind	 kind;
	bool			 peek;
} rfc822_items[] = {
	{ "RFC822",		IMAP_SECTION_ALL,	false },
	{ "RFC822.HEADER",	IMAP_SECTION_HEADER,	true },
	{ "RFC822.TEXT",	IMAP_SECTION_TEXT,	false },
};

static const struct {
	const char	*name;
	enum item_kind	 kind;
	bool		 peek;
} binary_items[] = {
	{ "BINARY",		ITEM_BINARY,		false },
	{ "BINARY.PEEK",	ITEM_BINARY,		true },
	{ "BINARY.SIZE",	ITEM_BINARY_SIZE,	true },
};

/* Parsing */
static enum reply fetch_args(struct session *, struct imap_in *,
	    struct fetch *);
static enum reply fetch_items(struct session *, struct imap_in *,
	    struct fetch *);
static int	fetch_macro(struct imap_in *, struct fetch *);
static int	fetch_item(struct imap_in *, struct fetch *);
static int	fetch_body_item(struct imap_in *, struct fetch *, bool);
static int	fetch_rfc822_item(struct imap_in *, struct fetch *,
	    struct slice);
static int	fetch_binary_item(struct imap_in *, struct fetch *, size_t);
static int	fetch_preview(struct imap_in *, struct fetch *);
static int	fetch_add(struct imap_in *, struct fetch *, enum item_kind);
static struct imap_section *fetch_section(struct imap_in *, struct fetch *,
	    enum item_kind, const char *);
static struct slice fetch_word(struct imap_in *);
static void	fetch_free(struct fetch *);
/* Running */
static enum reply fetch_run(struct session *, struct fetch *);
static enum reply fetch_vanished(struct session *, struct imap_in *,
	    const struct fetch *);
static bool	fetch_wanted(struct session *, const struct fetch *, uint32_t);
static enum store_result fetch_set_seen(struct session *, struct fetch *);
static bool	fetch_was_seen(struct fetch *, uint32_t);
static enum store_result fetch_message(struct session *, struct fetch *,
	    uint32_t);
static enum store_result fetch_put(struct session *, const struct item *,
	    uint32_t, const struct store_msg *, struct slice);
static enum store_result fetch_put_section(struct session *,
	    const struct item *, const struct store_msg *, struct slice);
static enum store_result fetch_put_binary(struct session *,
	    const struct item *, const struct store_msg *, struct slice);
static void	fetch_put_date(struct session *, const char *, int64_t);
static void	fetch_put_facts(struct session *, const char *, struct slice,
	    enum facts_field);

enum reply
cmd_fetch(struct session *s, struct imap_in *in)
{
	struct fetch	 f;
	enum reply	 r;

	f.n = f.nnow_seen = f.at = 0;
	f.facts = f.flags = f.modseq = f.seen = false;
	f.now_seen = NULL;
	f.modifiers = (struct fetch_modifiers){ 0 };
	if ((r = fetch_args(s, in, &f)) == REPLY_OK && f.modifiers.vanished)
		r = fetch_vanished(s, in, &f);
	if (r == REPLY_OK)
		r = fetch_run(s, &f);
	fetch_free(&f);
	return r;
}

static enum reply
fetch_args(struct session *s, struct imap_in *in, struct fetch *f)
{
	enum reply	 r;
	size_t		 i;

	f->set = in->off;
	if ((r = arg_set(s, in)) != REPLY_OK)
		return r;
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and items");
	/* UIDFETCH has it in front (RFC 9586). */
	if (s->uid && !(s->enabled & ENABLED_UIDONLY))
		fetch_add(in, f, ITEM_UID);
	if ((r = fetch_items(s, in, f)) != REPLY_OK)
		return r;
	if (imap_space(in) == 0 &&
	    (r = arg_fetch_modifiers(s, in, &f->modifiers)) != REPLY_OK)
		return r;
	if (f->modifiers.page.from > 0)
		arg_set_page(s, &f->modifiers.page);
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	if (f->modifiers.since > 0 && fetch_add(in, f, ITEM_MODSEQ) == -1)
		return reply_syntax(s, in);
	for (i = 0; i < f->n; i++) {
		f->flags = f->flags || f->item[i].kind == ITEM_FLAGS;
		f->modseq = f->modseq || f->item[i].kind == ITEM_MODSEQ;
	}
	if (f->modseq)
		session_enable(s, ENABLED_CONDSTORE);
	/* RFC 7162 3.1: flags come with it for who knows what it is. */
	if (f->flags && s->enabled & ENABLED_CONDSTORE)
		f->modseq = fetch_add(in, f, ITEM_MODSEQ) == 0;
	return REPLY_OK;
}

/* One, a macro, or several in parentheses. */
static enum reply
fetch_items(struct session *s, struct imap_in *in, struct fetch *f)
{
	if (imap_peek(in) == '(') {
		if (imap_open(in) == -1)
			return reply_syntax(s, in);
		do
			if (fetch_item(in, f) == -1)
				return reply_syntax(s, in);
		while (imap_space(in) == 0);
		if (imap_close(in) == -1)
			return reply_expected(s, in,
			    "a blank and an item, or ')',");
	} else if (!fetch_macro(in, f) && fetch_item(in, f) == -1)
		return reply_syntax(s, in);
	return REPLY_OK;
}

/* Letters, digits and dots: an item's name ends at "[" too. */
static struct slice
fetch_word(struct imap_in *in)
{
	struct slice	 w = { in->p + in->off, 0 };
	int		 c;

	for (; in->off + w.n < in->n; w.n++) {
		c = ascii_lower((unsigned char)w.p[w.n]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '.'))
			break;
	}
	return w;
}

/* ALL, FAST and FULL stand alone.  1 taken, 0. */
static int
fetch_macro(struct imap_in *in, struct fetch *f)
{
	struct slice	 w = fetch_word(in);
	int		 all = slice_caseis(w, "ALL");
	int		 full = slice_caseis(w, "FULL");

	if (!all && !full && !slice_caseis(w, "FAST"))
		return 0;
	in->off += w.n;
	fetch_add(in, f, ITEM_FLAGS);
	fetch_add(in, f, ITEM_INTERNALDATE);
	fetch_add(in, f, ITEM_SIZE);
	if (all || full)
		fetch_add(in, f, ITEM_ENVELOPE);
	if (full)
		fetch_add(in, f, ITEM_BODY);
	return 1;
}

static int
fetch_item(struct imap_in *in, struct fetch *f)
{
	struct slice	 w = fetch_word(in);
	size_t		 i;

	in->off += w.n;
	for (i = 0; i < NITEMS(simple_items); i++)
		if (slice_caseis(w, simple_items[i].name))
			return fetch_add(in, f, simple_items[i].kind);
	if (slice_caseis(w, "BODY"))
		return fetch_body_item(in, f, false);
	if (slice_caseis(w, "BODY.PEEK"))
		return fetch_body_item(in, f, true);
	for (i = 0; i < NITEMS(binary_items); i++)
		if (slice_caseis(w, binary_items[i].name))
			return fetch_binary_item(in, f, i);
	if (slice_caseis(w, "PREVIEW"))
		return fetch_preview(in, f);
	return fetch_rfc822_item(in, f, w);
}

static int
fetch_body_item(struct imap_in *in, struct fetch *f, bool peek)
{
	struct imap_section	*section;

	if (imap_peek(in) != '[') {
		if (peek)
			return imap_fail(in, "a section, as [HEADER],");
		return fetch_add(in, f, ITEM_BODY);
	}
	if ((section = fetch_section(in, f, ITEM_SECTION, NULL)) == NULL)
		return -1;
	if (imap_section(in, section) == -1)
		return -1;
	f->seen = f->seen || !peek;
	f->facts = f->facts || section->npath > 0 ||
	    section->kind != IMAP_SECTION_ALL;
	return 0;
}

static int
fetch_rfc822_item(struct imap_in *in, struct fetch *f, struct slice w)
{
	struct imap_section	*section;
	size_t			 i;

	for (i = 0; i < NITEMS(rfc822_items); i++) {
		if (!slice_caseis(w, rfc822_items[i].name))
			continue;
		section = fetch_section(in, f, ITEM_SECTION,
		    rfc822_items[i].name);
		if (section == NULL)
			return -1;
		section->kind = rfc822_items[i].kind;
		f->seen = f->seen || !rfc822_items[i].peek;
		f->facts = f->facts || section->kind != IMAP_SECTION_ALL;
		return 0;
	}
	in->off -= w.n;
	return imap_fail(in, "an item, as FLAGS, UID or BODY.PEEK[],");
}

/* "[" part numbers "]", or nothing for all of it (RFC 3516 7). */
static int
fetch_binary_item(struct imap_in *in, struct fetch *f, size_t which)
{
	enum item_kind		 kind = binary_items[which].kind;
	struct imap_section	*sec;
	size_t			 at = in->off;

	if ((sec = fetch_section(in, f, kind, NULL)) == NULL ||
	    imap_section(in, sec) == -1)
		return -1;
	if (sec->kind != IMAP_SECTION_ALL ||
	    (sec->partial && kind == ITEM_BINARY_SIZE)) {
		in->off = at;
		return imap_fail(in, "part numbers alone, as [1.2],");
	}
	f->seen = f->seen || !binary_items[which].peek;
	f->facts = f->facts || sec->npath > 0;
	return 0;
}

/* PREVIEW [SP "(LAZY)"]: it is there, and never takes long. */
static int
fetch_preview(struct imap_in *in, struct fetch *f)
{
	if (fetch_add(in, f, ITEM_PREVIEW) == -1)
		return -1;
	f->facts = true;
	if (in->n - in->off < 2 || in->p[in->off] != ' ' ||
	    in->p[in->off + 1] != '(')
		return 0;
	in->off++;
	if (imap_open(in) == -1)
		return -1;
	return imap_word(in, "LAZY") ? imap_close(in) : imap_fail(in, "LAZY");
}

static int
fetch_add(struct imap_in *in, struct fetch *f, enum item_kind kind)
{
	struct item	*it;
	size_t		 i;

	/* UID FETCH adds UID, CHANGEDSINCE MODSEQ, and most clients ask for
	 * them besides. */
	for (i = 0; (kind == ITEM_UID || kind == ITEM_MODSEQ) && i < f->n; i++)
		if (f->item[i].kind == kind)
			return 0;
	if (f->n == IMAP_ITEMS_MAX)
		return imap_fail(in, "at most " IMAP_NUMBER(IMAP_ITEMS_MAX)
		    " items");
	it = &f->item[f->n++];
	it->kind = kind;
	it->label = NULL;
	it->section = NULL;
	if (kind == ITEM_ENVELOPE || kind == ITEM_THREADID || kind == ITEM_BODY ||
	    kind == ITEM_BODYSTRUCTURE)
		f->facts = true;
	return 0;
}

static struct imap_section *
fetch_section(struct imap_in *in, struct fetch *f, enum item_kind kind,
    const char *label)
{
	struct item	*it;

	if (fetch_add(in, f, kind) == -1)
		return NULL;
	it = &f->item[f->n - 1];
	it->label = label;
	if ((it->section = calloc(1, sizeof(*it->section))) == NULL)
		imap_fail(in, "less, for there is no memory,");
	return it->section;
}

static void
fetch_free(struct fetch *f)
{
	size_t	 i;

	for (i = 0; i < f->n; i++)
		free(f->item[i].section);
	free(f->now_seen);
}

/* RFC 7162 3.2.6: of the UIDs that were asked for, also those that are no
 * messages any more; "*" is the last that was ever given. */
static enum reply
fetch_vanished(struct session *s, struct imap_in *in, const struct fetch *f)
{
	struct store_view_info	 info;
	struct imap_in		 again = *in;
	struct imap_range	*v;
	enum store_result	 r = STORE_OK;
	size_t			 i, max = 1;
	int			 n;

	for (i = again.off = f->set; i < in->n && in->p[i] != ' '; i++)
		max += in->p[i] == ',';
	if ((v = calloc(max, sizeof(*v))) == NULL)
		return reply_store(s, STORE_NOMEM);
	store_view_info(s->view, &info);
	if ((n = imap_set(&again, v, max)) > 0) {
		n = (int)imap_set_resolve(v, (size_t)n, info.uidnext - 1);
		r = out_vanished_earlier(s, f->modifiers.since, v, (size_t)n,
		    0);
	}
	free(v);
	return reply_store(s, r);
}

/* By CHANGEDSINCE. */
static bool
fetch_wanted(struct session *s, const struct fetch *f, uint32_t seq)
{
	return f->modifiers.since == 0 ||
	    store_view_modseq(s->view, seq) > f->modifiers.since;
}

static enum reply
fetch_run(struct session *s, struct fetch *f)
{
	enum store_result	 r, worst = STORE_OK;
	uint32_t		 seq;
	size_t			 i;
	bool			 gone = false;

	limit_set(s);
	if (f->seen && (r = fetch_set_seen(s, f)) != STORE_OK)
		return reply_store(s, r);
	for (i = 0; i < s->nset; i++) {
		for (seq = s->set[i].first; seq <= s->set[i].last; seq++) {
			if (!fetch_wanted(s, f, seq))
				continue;
			if ((r = fetch_message(s, f, seq)) != STORE_OK)
				worst = r;
			gone = gone || store_view_gone(s->view, seq);
			if (s->io->gone)
				return REPLY_GONE;
		}
	}
	if (worst == STORE_NOTFOUND)
		return reply_expunged(s);
	if (worst == STORE_INVALID)
		return reply_no(s, "UNKNOWN-CTE",
		    "The encoding of a part is not known");
	if (worst == STORE_OK && gone && !s->uid)
		fbuf_add(&s->code, "EXPUNGEISSUED", 13);
	return reply_store(s, worst);
}

/* Before anything is shown: what is shown is durable. */
static enum store_result
fetch_set_seen(struct session *s, struct fetch *f)
{
	static const struct store_flagset seen = { .sys = STORE_SEEN };
	struct store_view_info	 info;
	const struct store_msg	*m;
	struct store_changed	 changed;
	struct store_range	*v, *last = NULL;
	enum store_result	 r;
	size_t			 i, size = 0;
	uint32_t		 seq;

	store_view_info(s->view, &info);
	if (info.readonly)
		return STORE_OK;
	for (i = 0; i < s->nset; i++) {
		for (seq = s->set[i].first; seq <= s->set[i].last; seq++) {
			m = store_view_msg(s->view, seq);
			if (m == NULL || m->flags & STORE_SEEN ||
			    store_view_gone(s->view, seq) ||
			    !fetch_wanted(s, f, seq))
				continue;
			if (last != NULL && last->last + 1 == seq) {
				last->last = seq;
				continue;
			}
			if (f->nnow_seen == size) {
				size = size == 0 ? 16 : size * 2;
				v = reallocarray(f->now_seen, size,
				    sizeof(*v));
				if (v == NULL)
					return STORE_NOMEM;
				f->now_seen = v;
			}
			last = &f->now_seen[f->nnow_seen++];
			last->first = last->last = seq;
		}
	}
	if (f->nnow_seen == 0)
		return STORE_OK;
	r = store_flags(s->view, f->now_seen, f->nnow_seen, STORE_FLAGS_ADD,
	    &seen, UINT64_MAX, true, &changed);
	return r == STORE_OK ? store_commit(s->store) : r;
}

/* Did this message get \Seen by this command?  Called in ascending order. */
static bool
fetch_was_seen(struct fetch *f, uint32_t seq)
{
	while (f->at < f->nnow_seen && f->now_seen[f->at].last < seq)
		f->at++;
	return f->at < f->nnow_seen && f->now_seen[f->at].first <= seq;
}

static enum store_result
fetch_message(struct session *s, struct fetch *f, uint32_t seq)
{
	static const struct item flags = { .kind = ITEM_FLAGS };
	static const struct item modseq = { .kind = ITEM_MODSEQ };
	const struct store_msg	*mp;
	struct store_msg	 m;
	struct iovec		 blob = { NULL, 0 };
	enum store_result	 r, worst = STORE_OK;
	struct slice		 facts;
	size_t			 i;

	if ((mp = store_view_msg(s->view, seq)) == NULL)
		return STORE_NOTFOUND;
	m = *mp;	/* making facts may move it */
	if (f->facts && (r = store_facts(s->store, &m, &blob)) != STORE_OK)
		return r;
	facts = slice_of(blob.iov_base, blob.iov_len);
	out_fetch_open(s, seq, &m);
	for (i = 0; i < f->n; i++) {
		if (i > 0)
			frames_putc(s->io, ' ');
		r = fetch_put(s, &f->item[i], seq, &m, facts);
		if (r != STORE_OK)
			worst = r;
	}
	if (f->nnow_seen > 0 && !f->flags && fetch_was_seen(f, seq)) {
		frames_putc(s->io, ' ');
		fetch_put(s, &flags, seq, &m, facts);
		if (s->enabled & ENABLED_CONDSTORE && !f->modseq) {
			frames_putc(s->io, ' ');
			fetch_put(s, &modseq, seq, &m, facts);
		}
	}
	frames_puts(s->io, ")\r\n");
	return worst;
}

static enum store_result
fetch_put(struct session *s, const struct item *it, uint32_t seq,
    const struct store_msg *m, struct slice facts)
{
	switch (it->kind) {
	case ITEM_FLAGS:
		frames_puts(s->io, "FLAGS (");
		out_flags(s, seq, m);
		frames_putc(s->io, ')');
		break;
	case ITEM_UID:
		frames_puts(s->io, "UID ");
		frames_num(s->io, m->uid);
		break;
	case ITEM_INTERNALDATE:
		fetch_put_date(s, "INTERNALDATE", m->date);
		break;
	case ITEM_SAVEDATE:
		fetch_put_date(s, "SAVEDATE", m->saved);
		break;
	case ITEM_EMAILID:
		out_emailid(s, m);
		break;
	case ITEM_THREADID:
		out_threadid(s, m, facts);
		break;
	case ITEM_SIZE:
		frames_puts(s->io, "RFC822.SIZE ");
		frames_num(s->io, m->size);
		break;
	case ITEM_MODSEQ:
		out_modseq(s, seq);
		break;
	case ITEM_ENVELOPE:
		fetch_put_facts(s, "ENVELOPE ", facts, FACTS_ENVELOPE);
		break;
	case ITEM_BODY:
		fetch_put_facts(s, "BODY ", facts, FACTS_BODY);
		break;
	case ITEM_BODYSTRUCTURE:
		fetch_put_facts(s, "BODYSTRUCTURE ", facts,
		    FACTS_BODYSTRUCTURE);
		break;
	case ITEM_PREVIEW:
		frames_puts(s->io, "PREVIEW ");
		preview_send(s, facts);
		break;
	case ITEM_SECTION:
		return fetch_put_section(s, it, m, facts);
	case ITEM_BINARY:
	case ITEM_BINARY_SIZE:
		return fetch_put_binary(s, it, m, facts);
	}
	return STORE_OK;
}

static enum store_result
fetch_put_binary(struct session *s, const struct item *it,
    const struct store_msg *m, struct slice facts)
{
	bool	 size = it->kind == ITEM_BINARY_SIZE;

	frames_puts(s->io, size ? "BINARY.SIZE" : "BINARY");
	out_section(s, it->section);
	frames_putc(s->io, ' ');
	return size ? binary_size(s, m, facts, it->section) :
	    binary_send(s, m, facts, it->section);
}

static void
fetch_put_date(struct session *s, const char *label, int64_t t)
{
	char	 date[DATE_TEXT_MAX];

	frames_puts(s->io, label);
	frames_puts(s->io, " \"");
	frames_write(s->io, date, imapdate_print(t, date, sizeof(date)));
	frames_putc(s->io, '"');
}

static void
fetch_put_facts(struct session *s, const char *label, struct slice facts,
    enum facts_field field)
{
	struct slice	 v;

	frames_puts(s->io, label);
	if (facts_get(facts.p, facts.n, field, &v) == 0 && v.n > 0)
		frames_write(s->io, v.p, v.n);
	else
		frames_puts(s->io, "NIL");
}

static enum store_result
fetch_put_section(struct session *s, const struct item *it,
    const struct store_msg *m, struct slice facts)
{
	const struct imap_section *sec = it->section;
	struct body		 body;
	enum store_result	 r;

	if (it->label != NULL)
		frames_puts(s->io, it->label);
	else {
		frames_puts(s->io, "BODY");
		out_section(s, sec);
	}
	frames_putc(s->io, ' ');
	r = body_find(s, m, facts, sec, &body);
	if (r == STORE_OK && !body.missing)
		return body_send(s, m, sec, &body);
	frames_puts(s->io, "NIL");
	return r;
}
