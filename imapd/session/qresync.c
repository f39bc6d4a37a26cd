/*
 * imap-session: quick resynchronization (RFC 7162 3.2): the parameters of
 * SELECT, and what a client that was away is told of the mailbox.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum reply qresync_args(struct session *, struct imap_in *,
	    struct resync *);
static enum reply qresync_match(struct session *, struct imap_in *,
	    struct resync *);
static int	set_take(struct imap_in *, struct resync_set *);
static uint32_t	match_last(struct session *, const struct resync *);
static enum store_result resync_vanished(struct session *,
	    const struct resync *, uint64_t);

/* "(CONDSTORE)", "(QRESYNC (...))"; the caller frees with resync_free. */
enum reply
arg_select_params(struct session *s, struct imap_in *in, struct resync *rs)
{
	enum reply	 r;

	if (imap_open(in) == -1)
		return reply_syntax(s, in);
	do {
		if (imap_word(in, "CONDSTORE"))
			session_enable(s, ENABLED_CONDSTORE);
		else if (rs->uidvalidity == 0 && imap_word(in, "QRESYNC")) {
			if ((r = qresync_args(s, in, rs)) != REPLY_OK)
				return r;
		} else
			return reply_expected(s, in,
			    "CONDSTORE or QRESYNC, each once");
	} while (imap_space(in) == 0);
	return imap_close(in) == -1 ? reply_syntax(s, in) : REPLY_OK;
}

/* SP "(" uidvalidity SP modseq [SP known-uids] [SP match] ")" */
static enum reply
qresync_args(struct session *s, struct imap_in *in, struct resync *rs)
{
	enum reply	 r;

	if (!(s->enabled & ENABLED_QRESYNC))
		return reply_bad(s, "expected ENABLE QRESYNC before it");
	if (imap_space(in) == -1 || imap_open(in) == -1 ||
	    imap_number(in, &rs->uidvalidity) == -1)
		return reply_syntax(s, in);
	if (rs->uidvalidity == 0)
		return reply_bad(s, "expected a UIDVALIDITY of 1 or more");
	if (imap_space(in) == -1 || imap_modseq(in, 0, &rs->modseq) == -1)
		return reply_syntax(s, in);
	if (imap_peek(in) == ' ' && in->off + 1 < in->n &&
	    in->p[in->off + 1] != '(') {
		if (imap_space(in) == -1 || set_take(in, &rs->known) == -1)
			return reply_syntax(s, in);
		rs->known.n = imap_set_resolve(rs->known.v, rs->known.n, 0);
	}
	if (imap_space(in) == 0 && (r = qresync_match(s, in, rs)) != REPLY_OK)
		return r;
	return imap_close(in) == -1 ? reply_syntax(s, in) : REPLY_OK;
}

/* "(" sequence numbers SP their UIDs ")" */
static enum reply
qresync_match(struct session *s, struct imap_in *in, struct resync *rs)
{
	int64_t	 n;

	if (s->enabled & ENABLED_UIDONLY)
		return reply_uidrequired(s);
	if (imap_open(in) == -1 || set_take(in, &rs->seqs) == -1 ||
	    imap_space(in) == -1 || set_take(in, &rs->uids) == -1 ||
	    imap_close(in) == -1)
		return reply_syntax(s, in);
	n = imap_set_count(rs->seqs.v, rs->seqs.n);
	if (n == -1 || n != imap_set_count(rs->uids.v, rs->uids.n))
		return reply_bad(s, "expected as many UIDs as sequence "
		    "numbers, both ascending");
	return REPLY_OK;
}

/* A set without "*", in the order of the client. */
static int
set_take(struct imap_in *in, struct resync_set *set)
{
	size_t	 i, start = in->off, max = 1;
	int	 n;

	for (i = in->off; i < in->n && in->p[i] != ' ' && in->p[i] != ')'; i++)
		max += in->p[i] == ',';
	if ((set->v = calloc(max, sizeof(*set->v))) == NULL)
		return imap_fail(in, "less, for there is no memory,");
	if ((n = imap_set(in, set->v, max)) == -1)
		return -1;
	set->n = (size_t)n;
	for (i = 0; i < set->n; i++)
		if (set->v[i].lo == IMAP_SEQ_STAR ||
		    set->v[i].hi == IMAP_SEQ_STAR) {
			in->off = start;
			return imap_fail(in, "a set without *");
		}
	return 0;
}

void
resync_free(struct resync *rs)
{
	free(rs->known.v);
	free(rs->seqs.v);
	free(rs->uids.v);
	memset(rs, 0, sizeof(*rs));
}

/*
 * The mailbox has just been opened: what went and what changed since the
 * client left (3.2.5).  Nothing of a mailbox with another UIDVALIDITY.  A
 * mod-sequence that was never given (3.1.1 has them only grow) says nothing
 * about what the client saw: it is told all.
 */
enum store_result
resync_show(struct session *s, const struct resync *rs)
{
	struct store_view_info	 info;
	const struct store_msg	*m;
	enum store_result	 r;
	uint64_t		 since = rs->modseq;
	uint32_t		 seq;

	store_view_info(s->view, &info);
	if (rs->uidvalidity != info.uidvalidity)
		return STORE_OK;
	if (since > info.highestmodseq)
		since = 0;
	if ((r = resync_vanished(s, rs, since)) != STORE_OK)
		return r;
	for (seq = 1; seq <= info.exists && !s->io->gone; seq++) {
		m = store_view_msg(s->view, seq);
		if (m->modseq > since && (rs->known.v == NULL ||
		    imap_set_has(rs->known.v, rs->known.n, m->uid)))
			out_fetch_flags(s, seq);
	}
	return STORE_OK;
}

/* What the client says of its numbers helps only where memory does not. */
static enum store_result
resync_vanished(struct session *s, const struct resync *rs, uint64_t since)
{
	struct imap_range	 all = { 1, UINT32_MAX };
	const struct imap_range	*known = rs->known.v;
	uint32_t		 above = 0;
	size_t			 n = rs->known.n;

	if (known == NULL) {
		known = &all;
		n = 1;
	}
	if (!store_view_remembers(s->view, since))
		above = match_last(s, rs);
	return out_vanished_earlier(s, since, known, n, above);
}

/* The last UID that has the number the client knows: below it nothing went.
 * Both sets ascend, so the first that differs ends it. */
static uint32_t
match_last(struct session *s, const struct resync *rs)
{
	const struct store_msg	*m;
	struct imap_range	*q = rs->seqs.v, *u = rs->uids.v;
	uint32_t		 last = 0, i = 0, k = 0;

	while (q < rs->seqs.v + rs->seqs.n) {
		m = store_view_msg(s->view, q->lo + i);
		if (m == NULL || m->uid != u->lo + k)
			break;
		last = m->uid;
		if (q->lo + i++ == q->hi) {
			q++;
			i = 0;
		}
		if (u->lo + k++ == u->hi) {
			u++;
			k = 0;
		}
	}
	return last;
}
