/*
 * imap-session: LIST and LSUB (RFC 3501 6.3.8, 6.3.9) with the options of
 * RFC 5258 (SUBSCRIBED, RECURSIVEMATCH), 6154 (SPECIAL-USE) and 5819
 * (STATUS).  Patterns are matched against names as the client writes them,
 * in modified UTF-7 or UTF-8.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define CHILDINFO	" (\"CHILDINFO\" (\"SUBSCRIBED\"))"

struct list {
	bool		 xlist;		/* its answers and attributes */
	bool		 lsub;
	bool		 subscribed;	/* select, and show */
	bool		 recursive;	/* RECURSIVEMATCH */
	bool		 special;	/* select SPECIAL-USE */
	bool		 show_sub;
	bool		 show_status;
	struct status_items status;
	struct fbuf	 text;		/* reference + pattern, each */
	size_t		 npattern;
	size_t		 end[IMAP_PATTERNS_MAX];
	char		 prev[STORE_NAME_MAX + 1]; /* its parents were told */
};

static enum reply list_run(struct session *, struct list *);
static enum reply list_args(struct session *, struct imap_in *, struct list *);
static int	list_select(struct imap_in *, struct list *);
static int	list_patterns(struct imap_in *, struct list *);
static int	list_return(struct imap_in *, struct list *);
static enum imap_match list_match(const struct session *, const struct list *,
	    const char *);
static void	list_entry(struct session *, struct list *,
	    const struct store_mailbox *);
static void	list_parents(struct session *, struct list *, const char *);
static void	list_line(struct session *, const struct list *, const char *,
	    uint32_t, const char *);
static bool	sub_below(struct session *, const char *);
static uint32_t	attr_of(struct session *, const char *);

enum reply
cmd_list(struct session *s, struct imap_in *in)
{
	struct list	 l = { 0 };
	enum reply	 r;

	if ((r = list_args(s, in, &l)) == REPLY_OK)
		r = list_run(s, &l);
	fbuf_free(&l.text);
	return r;
}

/*
 * XLIST, which was before RFC 6154 and LIST as it was before RFC 5258: for
 * old clients that know special uses by it alone (imap-quirks).
 */
enum reply
cmd_xlist(struct session *s, struct imap_in *in)
{
	struct list	 l = { .xlist = true };
	enum reply	 r = REPLY_OK;

	if (list_patterns(in, &l) == -1 || imap_end(in) == -1)
		r = reply_syntax(s, in);
	else
		r = list_run(s, &l);
	fbuf_free(&l.text);
	return r;
}

enum reply
cmd_lsub(struct session *s, struct imap_in *in)
{
	struct list	 l = { .lsub = true, .subscribed = true,
			    .recursive = true };
	enum reply	 r = REPLY_OK;

	if (list_patterns(in, &l) == -1 || imap_end(in) == -1)
		r = reply_syntax(s, in);
	else
		r = list_run(s, &l);
	fbuf_free(&l.text);
	return r;
}

static enum reply
list_args(struct session *s, struct imap_in *in, struct list *l)
{
	if (imap_peek(in) == '(' &&
	    (list_select(in, l) == -1 || imap_space(in) == -1))
		return reply_syntax(s, in);
	if (list_patterns(in, l) == -1)
		return reply_syntax(s, in);
	if (imap_space(in) == 0 && list_return(in, l) == -1)
		return reply_syntax(s, in);
	if (imap_end(in) == -1)
		return reply_syntax(s, in);
	if (l->recursive && !l->subscribed)
		return reply_bad(s, "expected SUBSCRIBED with RECURSIVEMATCH");
	return REPLY_OK;
}

static int
list_select(struct imap_in *in, struct list *l)
{
	if (imap_open(in) == -1)
		return -1;
	if (imap_peek(in) == ')')
		return imap_close(in);
	do {
		if (imap_word(in, "SUBSCRIBED"))
			l->subscribed = l->show_sub = true;
		else if (imap_word(in, "RECURSIVEMATCH"))
			l->recursive = true;
		else if (imap_word(in, "SPECIAL-USE"))
			l->special = true;
		else if (!imap_word(in, "REMOTE"))
			return imap_fail(in, "SUBSCRIBED, RECURSIVEMATCH, "
			    "REMOTE or SPECIAL-USE");
	} while (imap_space(in) == 0);
	return imap_close(in);
}

/* Reference and pattern(s): they are joined, as RFC 3501 lets us. */
static int
list_patterns(struct imap_in *in, struct list *l)
{
	struct slice	 ref, pat;
	bool		 many;

	if (imap_mailbox(in, &ref) == -1 || imap_space(in) == -1)
		return -1;
	many = !l->lsub && imap_peek(in) == '(';
	if (many && imap_open(in) == -1)
		return -1;
	do {
		if (l->npattern == IMAP_PATTERNS_MAX)
			return imap_fail(in, "at most "
			    IMAP_NUMBER(IMAP_PATTERNS_MAX) " patterns");
		if (imap_list_mailbox(in, &pat) == -1)
			return -1;
		if ((pat.n > 0 && fbuf_add(&l->text, ref.p, ref.n) == -1) ||
		    fbuf_add(&l->text, pat.p, pat.n) == -1)
			return imap_fail(in, "less, for there is no memory,");
		l->end[l->npattern++] = l->text.n;
	} while (many && imap_space(in) == 0);
	return many ? imap_close(in) : 0;
}

static int
list_return(struct imap_in *in, struct list *l)
{
	if (!imap_word(in, "RETURN"))
		return imap_fail(in, "RETURN (...) or the end of the line");
	if (imap_space(in) == -1 || imap_open(in) == -1)
		return -1;
	if (imap_peek(in) == ')')
		return imap_close(in);
	do {
		if (imap_word(in, "SUBSCRIBED"))
			l->show_sub = true;
		else if (imap_word(in, "STATUS")) {
			l->show_status = true;
			if (imap_space(in) == -1 ||
			    status_items(in, &l->status) == -1)
				return -1;
		} else if (!imap_word(in, "CHILDREN") &&
		    !imap_word(in, "SPECIAL-USE"))
			return imap_fail(in, "SUBSCRIBED, CHILDREN, "
			    "SPECIAL-USE or STATUS (...)");
	} while (imap_space(in) == 0);
	return imap_close(in);
}

static enum reply
list_run(struct session *s, struct list *l)
{
	const struct store_mailbox *mb;
	enum store_result	 r;
	size_t			 iter = 0;

	if (l->npattern == 1 && l->text.n == 0) {
		frames_printf(s->io, "* %s (\\Noselect) \"/\" \"\"\r\n",
		    l->lsub ? "LSUB" : l->xlist ? "XLIST" : "LIST");
		return REPLY_OK;
	}
	if ((r = store_refresh(s->store)) != STORE_OK)
		return reply_store(s, r);
	while ((mb = store_mailbox_next(s->store, &iter)) != NULL)
		list_entry(s, l, mb);
	return REPLY_OK;
}

static enum imap_match
list_match(const struct session *s, const struct list *l, const char *name)
{
	enum imap_match	 m, best = IMAP_NOMATCH;
	struct slice	 pattern, enc;
	char		 buf[NAME_WIRE];
	size_t		 i, begin = 0;

	enc = name_wire(s, name, buf);
	for (i = 0; i < l->npattern; begin = l->end[i++]) {
		pattern = slice_of(l->text.p + begin, l->end[i] - begin);
		m = imap_list_match(pattern, enc, STORE_SEP);
		if (m == IMAP_MATCH || (slice_is(enc, "INBOX") &&
		    slice_caseis(pattern, "INBOX")))
			return IMAP_MATCH;
		if (m == IMAP_MATCH_PARENT)
			best = m;
	}
	return best;
}

static void
list_entry(struct session *s, struct list *l, const struct store_mailbox *mb)
{
	char		 name[STORE_NAME_MAX + 1];
	uint32_t	 attr = mb->attr;
	enum imap_match	 m;

	strlcpy(name, mb->name, sizeof(name));
	m = list_match(s, l, name);
	if (l->subscribed && !(attr & STORE_MB_SUBSCRIBED))
		return;
	if (!l->subscribed && (attr & STORE_MB_NONEXISTENT))
		return;
	if (l->special && !(attr & STORE_MB_SPECIAL))
		return;
	/* A name that is shown itself needs no parent (RFC 5258 3.5). */
	if (l->recursive && m != IMAP_MATCH) {
		list_parents(s, l, name);
		strlcpy(l->prev, name, sizeof(l->prev));
	}
	if (m == IMAP_MATCH) {
		list_line(s, l, name, attr, l->recursive && !l->lsub &&
		    sub_below(s, name) ? CHILDINFO "\r\n" : "\r\n");
		if (l->show_status && !(attr & (STORE_MB_NOSELECT |
		    STORE_MB_NONEXISTENT)))
			status_send(s, name, &l->status);
	}
}

/*
 * Parents of a subscribed name that match and are not subscribed
 * themselves.  Names below one parent stand together, so one that the name
 * before this one has too was told already.
 */
static void
list_parents(struct session *s, struct list *l, const char *name)
{
	char		 parent[STORE_NAME_MAX + 1];
	const char	*sep;
	uint32_t	 attr;
	size_t		 n;

	for (sep = strchr(name, STORE_SEP); sep != NULL;
	    sep = strchr(sep + 1, STORE_SEP)) {
		n = (size_t)(sep - name);
		if (strncmp(l->prev, name, n + 1) == 0)
			continue;
		memcpy(parent, name, n);
		parent[n] = '\0';
		if (list_match(s, l, parent) != IMAP_MATCH)
			continue;
		attr = attr_of(s, parent);
		if (attr & STORE_MB_SUBSCRIBED)
			continue;
		if (l->lsub)
			attr = STORE_MB_NOSELECT;
		list_line(s, l, parent, attr,
		    l->lsub ? "\r\n" : CHILDINFO "\r\n");
	}
}

/* more: what stands behind the name, a CRLF too if that is all */
static void
list_line(struct session *s, const struct list *l, const char *name,
    uint32_t attr, const char *more)
{
	static const struct {
		uint32_t	 bit;
		const char	*name, *xlist;
	} specials[] = {
		{ STORE_MB_DRAFTS, " \\Drafts", " \\Drafts" },
		{ STORE_MB_SENT, " \\Sent", " \\Sent" },
		{ STORE_MB_JUNK, " \\Junk", " \\Spam" },
		{ STORE_MB_TRASH, " \\Trash", " \\Trash" },
		{ STORE_MB_ARCHIVE, " \\Archive", " \\Archive" },
		{ STORE_MB_FLAGGED, " \\Flagged", " \\Starred" },
		{ STORE_MB_ALL, " \\All", " \\AllMail" },
	};
	size_t	 i;

	frames_puts(s->io, l->lsub ? "* LSUB (" : l->xlist ? "* XLIST (" :
	    "* LIST (");
	if (l->lsub)
		frames_puts(s->io, attr & STORE_MB_NOSELECT ?
		    "\\Noselect" : "");
	else {
		frames_puts(s->io, attr & STORE_MB_CHILDREN ?
		    "\\HasChildren" : "\\HasNoChildren");
		if (attr & STORE_MB_NONEXISTENT)
			frames_puts(s->io, " \\NonExistent");
		else if (attr & STORE_MB_NOSELECT)
			frames_puts(s->io, " \\Noselect");
		if (l->show_sub && attr & STORE_MB_SUBSCRIBED)
			frames_puts(s->io, " \\Subscribed");
		for (i = 0; i < NITEMS(specials); i++)
			if (attr & specials[i].bit)
				frames_puts(s->io, l->xlist ?
				    specials[i].xlist : specials[i].name);
		if (l->xlist && strcmp(name, "INBOX") == 0)
			frames_puts(s->io, " \\Inbox");
	}
	frames_puts(s->io, ") \"/\" ");
	out_mailbox(s, name);
	frames_puts(s->io, more);
}

void
list_told(struct session *s, const char *name, const char *was)
{
	struct list	 l = { 0 };

	list_line(s, &l, name, attr_of(s, name), "");
	if (was != NULL) {
		frames_puts(s->io, " (\"OLDNAME\" (");
		out_mailbox(s, was);
		frames_puts(s->io, "))");
	}
	frames_puts(s->io, "\r\n");
}

/* Is something below this name subscribed? */
static bool
sub_below(struct session *s, const char *name)
{
	const struct store_mailbox *mb;
	size_t			 iter = 0, n = strlen(name);

	while ((mb = store_mailbox_next(s->store, &iter)) != NULL)
		if ((mb->attr & STORE_MB_SUBSCRIBED) &&
		    strncmp(mb->name, name, n) == 0 &&
		    mb->name[n] == STORE_SEP)
			return true;
	return false;
}

static uint32_t
attr_of(struct session *s, const char *name)
{
	const struct store_mailbox *mb;
	size_t			 iter = 0;

	while ((mb = store_mailbox_next(s->store, &iter)) != NULL)
		if (strcmp(mb->name, name) == 0)
			return mb->attr;
	return STORE_MB_NONEXISTENT | STORE_MB_CHILDREN;
}
