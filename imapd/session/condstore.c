/*
 * imap-session: mod-sequences (RFC 7162 3.1): the modifiers of FETCH and
 * STORE, the key of SEARCH, and the MODIFIED of a STORE that was refused in
 * part.  All of these enable CONDSTORE.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static bool	entry_type(struct imap_in *);

/* SP "(" modifier *(SP modifier) ")", each at most once. */
enum reply
arg_fetch_modifiers(struct session *s, struct imap_in *in,
    struct fetch_modifiers *m)
{
	bool	 since = false;

	if (imap_open(in) == -1)
		return reply_expected(s, in, "modifiers in parentheses");
	do {
		if (!since && imap_word(in, "CHANGEDSINCE")) {
			since = true;
			if (imap_space(in) == -1 ||
			    imap_modseq(in, 0, &m->since) == -1)
				return reply_syntax(s, in);
		} else if (!m->vanished && imap_word(in, "VANISHED"))
			m->vanished = true;
		else if (m->page.from == 0 && imap_word(in, "PARTIAL")) {
			if (imap_space(in) == -1 ||
			    imap_partial(in, &m->page) == -1)
				return reply_syntax(s, in);
		} else
			return reply_expected(s, in, "CHANGEDSINCE, VANISHED "
			    "or PARTIAL, each once");
	} while (imap_space(in) == 0);
	if (imap_close(in) == -1)
		return reply_syntax(s, in);
	if (m->vanished && (!since || !s->uid ||
	    !(s->enabled & ENABLED_QRESYNC)))
		return reply_bad(s, "expected VANISHED only in UID FETCH with "
		    "CHANGEDSINCE, and QRESYNC enabled");
	if (m->page.from > 0 && !s->uid)
		return reply_bad(s, "expected PARTIAL only in UID FETCH");
	if (since)
		session_enable(s, ENABLED_CONDSTORE);
	return REPLY_OK;
}

/* "(UNCHANGEDSINCE n)" */
enum reply
arg_store_modifiers(struct session *s, struct imap_in *in, uint64_t *since)
{
	if (imap_open(in) == -1)
		return reply_syntax(s, in);
	if (!imap_word(in, "UNCHANGEDSINCE"))
		return reply_expected(s, in, "UNCHANGEDSINCE");
	if (imap_space(in) == -1 || imap_modseq(in, 1, since) == -1 ||
	    imap_close(in) == -1)
		return reply_syntax(s, in);
	session_enable(s, ENABLED_CONDSTORE);
	return REPLY_OK;
}

/* RFC 7162 3.1.5: [entry SP type SP] n.  Flags have one mod-sequence for
 * each message here, so an entry's name says nothing more. */
int
arg_search_modseq(struct session *s, struct imap_in *in, uint64_t *modseq)
{
	struct slice	 name;

	if (imap_peek(in) == '"' && (imap_string(in, &name) == -1 ||
	    imap_space(in) == -1 || !entry_type(in) ||
	    imap_space(in) == -1))
		return -1;
	if (imap_modseq(in, 1, modseq) == -1)
		return -1;
	session_enable(s, ENABLED_CONDSTORE);
	return 0;
}

static bool
entry_type(struct imap_in *in)
{
	return imap_word(in, "all") || imap_word(in, "priv") ||
	    imap_word(in, "shared") ||
	    imap_fail(in, "all, priv or shared") == 0;
}

/* For the tagged line, "MODIFIED 7,9:11", UIDs in a UID command. */
void
code_modified(struct session *s, const uint32_t *seqs, size_t n)
{
	struct store_range	*v, *last = NULL;
	uint32_t		 x;
	size_t			 i;

	if (n == 0 || (v = calloc(n, sizeof(*v))) == NULL)
		return;
	for (i = 0; i < n; i++) {
		x = s->uid ? store_view_msg(s->view, seqs[i])->uid : seqs[i];
		if (last != NULL && last->last + 1 == x)
			last->last = x;
		else {
			last = last == NULL ? v : last + 1;
			last->first = last->last = x;
		}
	}
	s->code.n = 0;
	if (fbuf_add(&s->code, "MODIFIED ", 9) == -1 ||
	    ranges_print(&s->code, v, (size_t)(last - v) + 1) == -1)
		s->code.n = 0;
	free(v);
}

/* For the tagged line, behind what is told of others (RFC 7162 3.2.7). */
void
code_highestmodseq(struct session *s)
{
	struct store_view_info	 info;
	char			 text[40];
	int			 n;

	store_view_info(s->view, &info);
	n = snprintf(text, sizeof(text), "HIGHESTMODSEQ %" PRIu64,
	    info.highestmodseq);
	fbuf_add(&s->code, text, (size_t)n);
}
