/*
 * imap-session: THREAD (RFC 5256): what SEARCH found, as threads.  They are
 * made by parse/thread.c out of facts; no message is read.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/casemap.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "parse/subject.h"
#include "parse/thread.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

static const struct {
	const char	*name;
	enum thread_how	 how;
} algorithms[] = {
	{ "ORDEREDSUBJECT",	THREAD_ORDEREDSUBJECT },
	{ "REFERENCES",		THREAD_REFERENCES },
	{ "REFS",		THREAD_REFS },
};

static enum reply thread_answer(struct session *, enum thread_how,
	    const struct search_prog *);
static enum store_result thread_fill(struct session *, struct thread *,
	    enum thread_how, const struct search_result *);
static enum store_result thread_message(struct session *, struct thread *,
	    enum thread_how, uint32_t);
static int	thread_subject(struct session *, struct slice,
	    struct thread_msg *);
static void	thread_send(struct session *, struct thread *);

enum reply
cmd_thread(struct session *s, struct imap_in *in)
{
	struct search_prog	 prog = { 0 };
	enum reply		 r;
	size_t			 i;
	int			 charset;

	for (i = 0; i < NITEMS(algorithms); i++)
		if (imap_word(in, algorithms[i].name))
			break;
	if (i == NITEMS(algorithms))
		return reply_expected(s, in,
		    "ORDEREDSUBJECT, REFERENCES or REFS");
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a charset");
	if ((r = search_charset(s, in, &charset)) == REPLY_OK &&
	    (r = search_keys(s, in, charset, &prog)) == REPLY_OK)
		r = thread_answer(s, algorithms[i].how, &prog);
	search_free(&prog);
	return r;
}

static enum reply
thread_answer(struct session *s, enum thread_how how,
    const struct search_prog *prog)
{
	struct search_result	 res = { 0 };
	enum store_result	 r;
	struct thread		*t;
	uint8_t			 key[16];
	enum reply		 found;

	found = search_run(s, prog, UINT32_MAX, false, &res);
	random_bytes(key, sizeof(key));
	t = thread_new(how, key);
	r = t == NULL ? STORE_NOMEM : thread_fill(s, t, how, &res);
	if (r != STORE_NOMEM && r != STORE_LIMIT && thread_make(t) == -1)
		r = STORE_NOMEM;
	if (r != STORE_NOMEM && r != STORE_LIMIT)
		thread_send(s, t);
	thread_free(t);
	result_free(&res);
	return r != STORE_OK ? reply_store(s, r) : found;
}

static enum store_result
thread_fill(struct session *s, struct thread *t, enum thread_how how,
    const struct search_result *res)
{
	enum store_result	 r, worst = STORE_OK;
	size_t			 i;

	for (i = 0; i < res->n; i++) {
		r = thread_message(s, t, how, res->seq[i]);
		if (r == STORE_NOMEM || r == STORE_LIMIT)
			return r;
		if (r != STORE_OK)	/* a thread of its own */
			worst = r;
	}
	return worst;
}

static enum store_result
thread_message(struct session *s, struct thread *t, enum thread_how how,
    uint32_t seq)
{
	struct store_msg	 m = *store_view_msg(s->view, seq);
	struct thread_msg	 tm = { .number = seq, .date = m.date };
	struct iovec		 v = { NULL, 0 };
	enum store_result	 r;
	struct slice		 facts;
	int64_t			 date;

	r = store_facts(s->store, &m, &v);
	if (r == STORE_NOMEM)
		return r;
	facts = slice_of(v.iov_base, r == STORE_OK ? v.iov_len : 0);
	if (facts_date(facts.p, facts.n, &date) == 1)
		tm.date = date;
	facts_get(facts.p, facts.n, FACTS_MSGID, &tm.id);
	if (facts_get(facts.p, facts.n, FACTS_REFERENCES, &tm.refs) == 0 &&
	    tm.refs.n == 0)
		facts_get(facts.p, facts.n, FACTS_INREPLYTO, &tm.refs);
	if (how != THREAD_REFS && thread_subject(s, facts, &tm) == -1)
		return STORE_NOMEM;
	return thread_add(t, &tm) == -1 ? STORE_LIMIT : r;
}

/* The base subject, mapped in s->tmp. */
static int
thread_subject(struct session *s, struct slice facts, struct thread_msg *tm)
{
	struct slice	 subject, base;
	size_t		 used;

	if (facts_get(facts.p, facts.n, FACTS_SUBJECT, &subject) == -1 ||
	    subject.n == 0)
		return 0;
	base = subject_base(subject, &tm->reply);
	s->tmp.n = 0;
	if (fbuf_room(&s->tmp, CASEMAP_MAX(base.n)) == -1)
		return -1;
	tm->subject = slice_of(s->tmp.p, utf8_casemap(base.p, base.n,
	    s->tmp.p, CASEMAP_MAX(base.n), &used));
	return 0;
}

static void
thread_send(struct session *s, struct thread *t)
{
	enum thread_token	 token, last = THREAD_END;
	uint32_t		 seq;

	frames_puts(s->io, "* THREAD");
	while ((token = thread_next(t, &seq)) != THREAD_END) {
		if (last == THREAD_END || last == THREAD_NUMBER)
			if (token != THREAD_CLOSE)
				frames_putc(s->io, ' ');
		if (token == THREAD_NUMBER)
			frames_num(s->io, s->uid ?
			    store_view_msg(s->view, seq)->uid : seq);
		else
			frames_putc(s->io, token == THREAD_OPEN ? '(' : ')');
		last = token;
	}
	frames_puts(s->io, "\r\n");
}
