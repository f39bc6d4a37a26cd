/*
 * imap-session: SEARCH (RFC 3501 6.4.4, 4731): a program of keys is asked of
 * each message of the view.  SORT and THREAD start with search_run() too.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>

#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

static enum reply search_args(struct session *, struct imap_in *,
	    struct search_return *, struct search_prog *);
static enum reply search_answer(struct session *,
	    const struct search_return *, const struct search_prog *);
static int	result_add(struct search_result *, uint32_t, unsigned int);
static void	result_turn(struct search_result *);

enum reply
cmd_search(struct session *s, struct imap_in *in)
{
	struct search_return	 ret = { 0 };
	struct search_prog	 prog = { 0 };
	enum reply		 r;

	if ((r = search_args(s, in, &ret, &prog)) == REPLY_OK)
		r = search_answer(s, &ret, &prog);
	search_free(&prog);
	/* RFC 5182 2.1: what was saved before goes with NO, not with BAD. */
	if (r == REPLY_NO && ret.what & RETURN_SAVE)
		s->nsaved = 0;
	return r;
}

static enum reply
search_args(struct session *s, struct imap_in *in, struct search_return *ret,
    struct search_prog *prog)
{
	enum reply	 r;
	int		 charset = CHARSET_UTF8;

	if ((r = return_parse(s, in, ret)) != REPLY_OK)
		return r;
	if (!ret->asked && s->enabled & ENABLED_REV2) {	/* RFC 9051 6.4.4 */
		ret->asked = true;
		ret->what = RETURN_ALL;
	}
	if (imap_word(in, "CHARSET")) {
		if (s->enabled & ENABLED_UTF8)	/* RFC 6855 3 */
			return reply_bad(s, "expected no CHARSET behind "
			    "ENABLE UTF8=ACCEPT");
		if (imap_space(in) == -1)
			return reply_expected(s, in, "a blank and a charset");
		if ((r = search_charset(s, in, &charset)) != REPLY_OK)
			return r;
	}
	if ((r = search_keys(s, in, charset, prog)) != REPLY_OK)
		return r;
	if (ret->what & RETURN_RELEVANCY && !prog->fuzzy)
		return reply_bad(s, "expected FUZZY with RELEVANCY");
	return REPLY_OK;
}

static enum reply
search_answer(struct session *s, const struct search_return *ret,
    const struct search_prog *prog)
{
	struct search_result	 res = { 0 };
	enum reply		 r, saved;
	uint32_t		 most;
	bool			 last;

	most = return_reach(ret, &last);
	r = search_run(s, prog, most, last, &res);
	if (r == REPLY_OK && (saved = return_save(s, ret, &res)) != REPLY_OK)
		r = saved;
	res.modseq = prog->modseq;
	if (ret->asked)
		return_send(s, ret, &res);
	else
		result_send(s, "SEARCH", &res);
	result_free(&res);
	return r;
}

enum reply
search_run(struct session *s, const struct search_prog *prog, uint32_t most,
    bool last, struct search_result *res)
{
	struct store_view_info	 info;
	enum store_result	 r = STORE_OK, worst = STORE_OK;
	uint32_t		 i, seq;
	unsigned int		 score;
	int			 match;

	store_view_info(s->view, &info);
	for (i = 1; i <= info.exists && res->n < most; i++) {
		seq = last ? info.exists + 1 - i : i;
		match = search_match(s, prog, seq, &score, &r);
		if (match == 1 && result_add(res, seq, score) == -1)
			return reply_store(s, STORE_NOMEM);
		if (match == -1)
			worst = r;
	}
	if (last)
		result_turn(res);
	return reply_store(s, worst);
}

/* Five octets for each message that was found. */
static int
result_add(struct search_result *res, uint32_t seq, unsigned int score)
{
	uint32_t	*v;
	uint8_t		*w;
	size_t		 size;

	if (res->n == res->size) {
		size = res->size == 0 ? 64 : res->size * 2;
		if ((v = reallocarray(res->seq, size, sizeof(*v))) == NULL)
			return -1;
		res->seq = v;
		if ((w = realloc(res->score, size)) == NULL)
			return -1;
		res->score = w;
		res->size = size;
	}
	res->seq[res->n] = seq;
	res->score[res->n++] = (uint8_t)score;
	return 0;
}

/* What was found from the last message on. */
static void
result_turn(struct search_result *res)
{
	size_t		 i, k;
	uint32_t	 seq;
	uint8_t		 score;

	for (i = 0, k = res->n; i + 1 < k; i++) {
		k--;
		seq = res->seq[i];
		res->seq[i] = res->seq[k];
		res->seq[k] = seq;
		score = res->score[i];
		res->score[i] = res->score[k];
		res->score[k] = score;
	}
}

void
result_free(struct search_result *res)
{
	free(res->seq);
	free(res->score);
	*res = (struct search_result){ 0 };
}
