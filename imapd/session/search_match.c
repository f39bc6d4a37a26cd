/*
 * imap-session: does a message match a search program?  Flags, numbers and
 * dates come from the index, address fields and subject from facts; only
 * HEADER, BODY and TEXT read the message, and text parts are decoded to
 * UTF-8 block by block on the way.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/dates.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/imap_parse.h"
#include "parse/search.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

#define DAY		86400
#define BLOCK		8192	/* octets of a part decoded at a time */

/* The message being looked at, with what was fetched for it so far. */
struct look {
	struct session		*s;
	const struct search_prog *prog;
	uint32_t		 seq;
	struct store_msg	 m;
	struct slice		 facts;	/* p NULL: not yet */
	unsigned int		 fuzzy, exact;	/* of FUZZY's texts */
	enum store_result	 error;
};

/* In bss: not touched by sessions that never search bodies. */
static char	 raw[BLOCK + CTE_SLACK + CHARSET_CUT];
static char	 text[CHARSET_UTF8_MAX(BLOCK + CTE_SLACK + CHARSET_CUT)];

static int	match_key(struct look *, int);
static int	match_fuzzy(struct look *, const struct search_key *);
static int	match_list(struct look *, const struct search_key *);
static int	match_thread(struct look *, const struct search_key *);
static int	match_day(unsigned int, int64_t, int64_t);
static int	match_index(struct look *, const struct search_key *);
static int	match_sent(struct look *, const struct search_key *);
static int	match_field(struct look *, const struct search_key *);
static int	match_lines(struct look *, struct slice, struct slice);
static int	match_header(struct look *, const struct search_key *);
static int	match_text(struct look *, const struct search_key *);
static int	match_fields(struct look *, uint64_t, uint64_t,
	    struct slice, const struct slice *);
static int	match_part(struct look *, const struct facts_part *,
	    struct slice);
static int	match_body(struct look *, const struct facts_part *,
	    struct search *);
static int	look_facts(struct look *);
static int	look_error(struct look *, enum store_result);

int
search_match(struct session *s, const struct search_prog *prog, uint32_t seq,
    unsigned int *score, enum store_result *r)
{
	struct look		 l = { .s = s, .prog = prog, .seq = seq };
	const struct store_msg	*m;
	int			 match;

	if ((m = store_view_msg(s->view, seq)) == NULL)
		return 0;
	l.m = *m;
	match = match_key(&l, 1);
	*score = l.fuzzy == 0 ? 100 : 1 + 99 * l.exact / l.fuzzy;
	*r = l.error;
	return match;
}

/* 1, 0, or -1: l->error.  Depth is bounded by the parser. */
static int
match_key(struct look *l, int key)
{
	const struct search_key	*k = &l->prog->key[key - 1];
	int			 r;

	switch (k->op) {
	case KEY_AND:
	case KEY_OR:
		return match_list(l, k);
	case KEY_NOT:
		return (r = match_key(l, k->sub)) == -1 ? -1 : !r;
	case KEY_FUZZY:
		return match_fuzzy(l, k);
	case KEY_SENTBEFORE:
	case KEY_SENTON:
	case KEY_SENTSINCE:
		return match_sent(l, k);
	case KEY_THREADID:
		return match_thread(l, k);
	case KEY_SUBJECT:
	case KEY_FROM:
	case KEY_TO:
	case KEY_CC:
	case KEY_BCC:
		return match_field(l, k);
	case KEY_HEADER:
		return match_header(l, k);
	case KEY_BODY:
	case KEY_TEXT:
		return match_text(l, k);
	case KEY_ALL:
	case KEY_FLAG:
	case KEY_NOFLAG:
	case KEY_KEYWORD:
	case KEY_NOKEYWORD:
	case KEY_RECENT:
	case KEY_OLD:
	case KEY_NEW:
	case KEY_SEQ:
	case KEY_UID:
	case KEY_MODSEQ:
	case KEY_LARGER:
	case KEY_SMALLER:
	case KEY_BEFORE:
	case KEY_ON:
	case KEY_SINCE:
	case KEY_OLDER:
	case KEY_YOUNGER:
	case KEY_SAVEDBEFORE:
	case KEY_SAVEDON:
	case KEY_SAVEDSINCE:
	case KEY_EMAILID:
	case KEY_UIDAFTER:
	case KEY_UIDBEFORE:
		return match_index(l, k);
	}
	return 0;
}

/* AND ends with the first that is not so, OR with the first that is. */
static int
match_list(struct look *l, const struct search_key *k)
{
	int	 sub, r;

	for (sub = k->sub; sub != 0; sub = l->prog->key[sub - 1].next)
		if ((r = match_key(l, sub)) == -1 || r == (k->op == KEY_OR))
			return r;
	return k->op == KEY_AND;
}

/* The text as it is, else all its words. */
static int
match_fuzzy(struct look *l, const struct search_key *k)
{
	int	 words = l->prog->key[k->sub - 1].next;
	int	 exact = match_key(l, k->sub), r = exact;

	if (r == 0 && words != 0)
		r = match_key(l, words);
	if (r == 1) {
		l->fuzzy++;
		l->exact += exact == 1;
	}
	return r;
}

static bool
has_keyword(const struct look *l, const struct search_key *k)
{
	return store_view_keyword_in(l->s->view, l->m.kwset,
	    (int)k->number - 1);
}

static int
match_thread(struct look *l, const struct search_key *k)
{
	if (look_facts(l) == -1)
		return -1;
	return threadid(&l->m, l->facts) == k->number;
}

/* Is the day of t before (0), on (1) or since (2) a day? */
static int
match_day(unsigned int how, int64_t t, int64_t than)
{
	int64_t	 day = t / DAY;

	if (t < 0 && t % DAY != 0)
		day--;
	return how == 0 ? day < than : how == 1 ? day == than : day >= than;
}

/* Keys that the index alone can answer. */
static int
match_index(struct look *l, const struct search_key *k)
{
	const struct store_msg	*m = &l->m;

	switch (k->op) {
	case KEY_FLAG:
		return (m->flags & k->number) != 0;
	case KEY_NOFLAG:
		return (m->flags & k->number) == 0;
	case KEY_KEYWORD:
		return has_keyword(l, k);
	case KEY_NOKEYWORD:
		return !has_keyword(l, k);
	case KEY_RECENT:
		return store_view_recent(l->s->view, l->seq);
	case KEY_OLD:
		return !store_view_recent(l->s->view, l->seq);
	case KEY_NEW:
		return !(m->flags & STORE_SEEN) &&
		    store_view_recent(l->s->view, l->seq);
	case KEY_SEQ:
		return imap_set_has(k->set, k->nset, l->seq);
	case KEY_UID:
		return imap_set_has(k->set, k->nset, m->uid);
	case KEY_MODSEQ:
		return store_view_modseq(l->s->view, l->seq) >= k->number;
	case KEY_LARGER:
		return m->size > k->number;
	case KEY_SMALLER:
		return m->size < k->number;
	case KEY_BEFORE:
	case KEY_ON:
	case KEY_SINCE:
		return match_day(k->op - KEY_BEFORE, m->date, k->day);
	case KEY_SAVEDBEFORE:
	case KEY_SAVEDON:
	case KEY_SAVEDSINCE:
		return match_day(k->op - KEY_SAVEDBEFORE, m->saved, k->day);
	case KEY_EMAILID:
		return k->number != 0 && m->email == k->number;
	case KEY_UIDAFTER:
		return m->uid > k->number;
	case KEY_UIDBEFORE:
		return m->uid < k->number;
	case KEY_OLDER:
		return m->date <= k->day;
	case KEY_YOUNGER:
		return m->date >= k->day;
	default:
		return 1;	/* ALL */
	}
}

/* The day as the Date: field has it, whatever its zone (6.4.4). */
static int
match_sent(struct look *l, const struct search_key *k)
{
	struct slice	 v;
	int64_t		 t;
	int		 zone;

	if (look_facts(l) == -1)
		return -1;
	if (facts_get(l->facts.p, l->facts.n, FACTS_DATE, &v) == -1)
		return look_error(l, STORE_DAMAGED);
	if (date_parse(v, &t, &zone) == -1)
		return 0;
	t += (int64_t)zone * 60;
	t = t >= 0 ? t / DAY : -((-t + DAY - 1) / DAY);
	if (k->op == KEY_SENTBEFORE)
		return t < k->day;
	return k->op == KEY_SENTON ? t == k->day : t >= k->day;
}

static int
match_field(struct look *l, const struct search_key *k)
{
	enum facts_field	 field = FACTS_SUBJECT;
	struct slice		 v;

	if (look_facts(l) == -1)
		return -1;
	switch (k->op) {
	case KEY_FROM:
		field = FACTS_FROM;
		break;
	case KEY_TO:
		field = FACTS_TO;
		break;
	case KEY_CC:
		field = FACTS_CC;
		break;
	case KEY_BCC:
		field = FACTS_BCC;
		break;
	default:
		break;
	}
	if (facts_get(l->facts.p, l->facts.n, field, &v) == -1)
		return look_error(l, STORE_DAMAGED);
	if (field == FACTS_SUBJECT)
		return utf8_casefind(v, k->value);
	return match_lines(l, v, k->value);
}

/* Addresses: a line for each field of the name. */
static int
match_lines(struct look *l, struct slice v, struct slice needle)
{
	size_t	 n;
	int	 r;

	for (;;) {
		n = slice_find(v, '\n');
		r = field_match_list(l->s, slice_of(v.p, n), needle);
		if (r == -1)
			return look_error(l, STORE_NOMEM);
		if (r == 1 || n == v.n)
			return r;
		v = slice_of(v.p + n + 1, v.n - n - 1);
	}
}

/* HEADER name "": is there such a field?  Else, is the text in one? */
static int
match_header(struct look *l, const struct search_key *k)
{
	uint64_t	 hdr, len, lines;

	if (look_facts(l) == -1)
		return -1;
	if (facts_size(l->facts.p, l->facts.n, &hdr, &len, &lines) == -1)
		return look_error(l, STORE_DAMAGED);
	return match_fields(l, 0, hdr + l->m.prefix, k->value, &k->name);
}

/* Fields of a header: those called *name, or all with their names. */
static int
match_fields(struct look *l, uint64_t off, uint64_t len, struct slice needle,
    const struct slice *name)
{
	struct header_field	 f;
	struct slice		 rest;
	enum store_result	 r;
	int			 match;

	if ((r = body_bytes(l->s, &l->m, off, len, &rest)) != STORE_OK)
		return look_error(l, r);
	while (header_next(&rest, &f)) {
		if (name == NULL)
			match = field_match(l->s, slice_trim(f.raw), needle);
		else if (!slice_caseeq(f.name, *name))
			continue;
		else if (field_is_list(f.name))
			match = field_match_list(l->s, f.value, needle);
		else
			match = field_match(l->s, f.value, needle);
		if (match == -1)
			return look_error(l, STORE_NOMEM);
		if (match == 1)
			return 1;
	}
	return 0;
}

/* TEXT is the header and BODY; BODY is every text part, reports too, the
 * headers of parts and of messages in the message. */
static int
match_text(struct look *l, const struct search_key *k)
{
	struct facts_part	 part;
	uint64_t		 hdr, len, lines;
	int			 i, n, r;

	if (k->value.n == 0)
		return 1;
	if (look_facts(l) == -1)
		return -1;
	n = facts_nparts(l->facts.p, l->facts.n);
	if (n == -1 ||
	    facts_size(l->facts.p, l->facts.n, &hdr, &len, &lines) == -1)
		return look_error(l, STORE_DAMAGED);
	if (k->op == KEY_TEXT && (r = match_fields(l, 0, hdr + l->m.prefix,
	    k->value, NULL)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if (facts_nth(l->facts.p, l->facts.n, i, &part) == -1)
			return look_error(l, STORE_DAMAGED);
		if ((r = match_part(l, &part, k->value)) != 0)
			return r;
	}
	return 0;
}

static int
match_part(struct look *l, const struct facts_part *part, struct slice needle)
{
	struct search	*search = l->prog->needle;
	int		 r = 0;

	if (part->hdr_off != 0 && part->hdr_len > 0)
		r = match_fields(l, part->hdr_off + l->m.prefix,
		    part->hdr_len, needle, NULL);
	if (r == 0 && part->type == FACTS_MESSAGE && part->msg_hdr_off != 0)
		r = match_fields(l, part->msg_hdr_off + l->m.prefix,
		    part->msg_hdr_len, needle, NULL);
	if (r != 0 || (part->type != FACTS_TEXT &&
	    (part->type != FACTS_OTHER || part->charset == CHARSET_UNKNOWN)))
		return r;
	if (search_start(search, needle) == -1)
		return 0;
	return match_body(l, part, search);
}

/* The text of one part, decoded. */
static int
match_body(struct look *l, const struct facts_part *part, struct search *search)
{
	struct cte		 cte = { .cte = part->cte };
	struct charset		 cs = { .id = part->charset };
	struct iovec		 v;
	enum store_result	 r;
	uint64_t		 off = part->body_off + l->m.prefix;
	uint64_t		 left = part->body_len;
	size_t			 n = 0, made, used;
	bool			 plain;

	if (off > l->m.size || left > l->m.size - off)
		return look_error(l, STORE_DAMAGED);
	plain = part->cte == CTE_NONE && (part->charset == CHARSET_ASCII ||
	    part->charset == CHARSET_UTF8);
	for (; left > 0 && !search->found; off += v.iov_len,
	    left -= v.iov_len) {
		r = store_peek(l->s->store, &l->m, (uint32_t)off,
		    (uint32_t)(plain || left < BLOCK ? left : BLOCK), &v);
		if (r != STORE_OK)
			return look_error(l, r);
		if (v.iov_len > left)
			v.iov_len = left;
		if (plain) {
			search_feed(search, v.iov_base, v.iov_len);
			continue;
		}
		if (v.iov_len > BLOCK)
			v.iov_len = BLOCK;
		n += cte_decode(&cte, v.iov_base, v.iov_len,
		    v.iov_len == left, raw + n, sizeof(raw) - n);
		made = charset_utf8(&cs, raw, n, v.iov_len == left,
		    text, sizeof(text), &used);
		search_feed(search, text, made);
		n -= used;
		memmove(raw, raw + used, n);
		if (n > CHARSET_CUT)
			n = 0;
	}
	return search->found;
}

/* The facts of the message, fetched once. */
static int
look_facts(struct look *l)
{
	struct iovec		 v;
	enum store_result	 r;

	if (l->facts.p != NULL)
		return 0;
	if ((r = store_facts(l->s->store, &l->m, &v)) != STORE_OK)
		return look_error(l, r);
	l->facts = slice_of(v.iov_base, v.iov_len);
	return 0;
}

static int
look_error(struct look *l, enum store_result r)
{
	l->error = r;
	return -1;
}
