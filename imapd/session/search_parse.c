/*
 * imap-session: search keys (RFC 3501 6.4.4; RFC 5032, 5182, 6203) become a
 * program, a small tree in one array, of bounded size and depth, for SEARCH,
 * SORT and THREAD; search_match.c runs it.  Keys that need less are asked
 * before those that need more.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "parse/search.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/search_priv.h"

#define WORD_MAX	20	/* letters of the longest key, and some */
enum arg {
	ARG_NONE, ARG_STRING, ARG_HEADER, ARG_KEYWORD, ARG_DATE, ARG_NUMBER,
	ARG_AGE, ARG_UIDS, ARG_MODSEQ, ARG_EMAILID,
	ARG_THREADID, ARG_NOT, ARG_OR, ARG_FUZZY
};

/* number: the flag bits of KEY_FLAG and KEY_NOFLAG */
static const struct word {
	const char	*name;
	enum search_op	 op;
	enum arg	 arg;
	unsigned int	 cost;
	uint32_t	 number;
} words[] = {
	{ "ALL",	KEY_ALL,	ARG_NONE, 0, 0 },
	{ "ANSWERED",	KEY_FLAG,	ARG_NONE, 0, STORE_ANSWERED },
	{ "BCC",	KEY_BCC,	ARG_STRING, 1, 0 },
	{ "BEFORE",	KEY_BEFORE,	ARG_DATE, 0, 0 },
	{ "BODY",	KEY_BODY,	ARG_STRING, 3, 0 },
	{ "CC",		KEY_CC,		ARG_STRING, 1, 0 },
	{ "DELETED",	KEY_FLAG,	ARG_NONE, 0, STORE_DELETED },
	{ "DRAFT",	KEY_FLAG,	ARG_NONE, 0, STORE_DRAFT },
	{ "EMAILID",	KEY_EMAILID,	ARG_EMAILID, 0, 0 },
	{ "FLAGGED",	KEY_FLAG,	ARG_NONE, 0, STORE_FLAGGED },
	{ "FROM",	KEY_FROM,	ARG_STRING, 1, 0 },
	{ "FUZZY",	KEY_AND,	ARG_FUZZY, 0, 0 },
	{ "HEADER",	KEY_HEADER,	ARG_HEADER, 2, 0 },
	{ "KEYWORD",	KEY_KEYWORD,	ARG_KEYWORD, 0, 0 },
	{ "LARGER",	KEY_LARGER,	ARG_NUMBER, 0, 0 },
	{ "MODSEQ",	KEY_MODSEQ,	ARG_MODSEQ, 0, 0 },
	{ "NEW",	KEY_NEW,	ARG_NONE, 0, 0 },
	{ "NOT",	KEY_NOT,	ARG_NOT, 0, 0 },
	{ "OLD",	KEY_OLD,	ARG_NONE, 0, 0 },
	{ "OLDER",	KEY_OLDER,	ARG_AGE, 0, 0 },
	{ "ON",		KEY_ON,		ARG_DATE, 0, 0 },
	{ "OR",		KEY_OR,		ARG_OR, 0, 0 },
	{ "RECENT",	KEY_RECENT,	ARG_NONE, 0, 0 },
	{ "SAVEDATESUPPORTED", KEY_ALL,	ARG_NONE, 0, 0 },
	{ "SAVEDBEFORE", KEY_SAVEDBEFORE, ARG_DATE, 0, 0 },
	{ "SAVEDON",	KEY_SAVEDON,	ARG_DATE, 0, 0 },
	{ "SAVEDSINCE",	KEY_SAVEDSINCE,	ARG_DATE, 0, 0 },
	{ "SEEN",	KEY_FLAG,	ARG_NONE, 0, STORE_SEEN },
	{ "SENTBEFORE",	KEY_SENTBEFORE,	ARG_DATE, 1, 0 },
	{ "SENTON",	KEY_SENTON,	ARG_DATE, 1, 0 },
	{ "SENTSINCE",	KEY_SENTSINCE,	ARG_DATE, 1, 0 },
	{ "SINCE",	KEY_SINCE,	ARG_DATE, 0, 0 },
	{ "SMALLER",	KEY_SMALLER,	ARG_NUMBER, 0, 0 },
	{ "SUBJECT",	KEY_SUBJECT,	ARG_STRING, 1, 0 },
	{ "TEXT",	KEY_TEXT,	ARG_STRING, 3, 0 },
	{ "THREADID",	KEY_THREADID,	ARG_THREADID, 1, 0 },
	{ "TO",		KEY_TO,		ARG_STRING, 1, 0 },
	{ "UID",	KEY_UID,	ARG_UIDS, 0, 0 },
	{ "UIDAFTER",	KEY_UIDAFTER,	ARG_NUMBER, 0, 0 },
	{ "UIDBEFORE",	KEY_UIDBEFORE,	ARG_NUMBER, 0, 0 },
	{ "UNANSWERED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_ANSWERED },
	{ "UNDELETED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_DELETED },
	{ "UNDRAFT",	KEY_NOFLAG,	ARG_NONE, 0, STORE_DRAFT },
	{ "UNFLAGGED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_FLAGGED },
	{ "UNKEYWORD",	KEY_NOKEYWORD,	ARG_KEYWORD, 0, 0 },
	{ "UNSEEN",	KEY_NOFLAG,	ARG_NONE, 0, STORE_SEEN },
	{ "YOUNGER",	KEY_YOUNGER,	ARG_AGE, 0, 0 },
};

static int	parse_list(struct search_parse *, int, int);
static int	parse_key(struct search_parse *, int);
static size_t	parse_word(struct search_parse *);
static int	parse_arg(struct search_parse *, const struct word *, int, int);
static int	parse_keyword(struct search_parse *, int);
static int	parse_age(struct search_parse *, int);
static int	parse_set(struct search_parse *, int, bool);
static int	parse_saved(struct search_parse *, int);
static int	parse_fuzzy(struct search_parse *, int, int);
static int	parse_sub(struct search_parse *, int, int);

enum reply
search_keys(struct session *s, struct imap_in *in, int charset,
    struct search_prog *prog)
{
	struct search_parse	 p = { .s = s, .in = in, .prog = prog,
				    .charset = charset, .reply = REPLY_OK };

	if (parse_list(&p, 0, -1) == 0)
		return p.reply;
	if (imap_end(in) == -1)
		return reply_expected(s, in, "a blank and a search key, or "
		    "the end of the line,");
	if (prog->key[0].cost == 3 &&
	    (prog->needle = malloc(sizeof(*prog->needle))) == NULL)
		return reply_store(s, STORE_NOMEM);
	return REPLY_OK;
}

/*
 * Keys with blanks between them, up to `end' (not taken) or the line's end
 * (-1).  All of these return an index + 1 into the program, or 0 when
 * p->reply has been set.
 */
static int
parse_list(struct search_parse *p, int depth, int end)
{
	int	 list, key;

	if ((list = search_key_new(p, KEY_AND, 0)) == 0)
		return 0;
	do {
		if ((key = parse_key(p, depth)) == 0)
			return 0;
		search_key_insert(p->prog, list, key);
		if (imap_peek(p->in) == end || imap_peek(p->in) == '\r')
			break;
	} while (imap_space(p->in) == 0);
	return list;
}

static int
parse_key(struct search_parse *p, int depth)
{
	struct imap_in	*in = p->in;
	size_t		 i;
	int		 c = imap_peek(in), key;

	if (depth == IMAP_SEARCH_DEPTH) {
		reply_no(p->s, "LIMIT", "Search too deep");
		return search_fail(p, REPLY_NO);
	}
	if (c == '(') {
		if (imap_open(in) == -1)
			return search_fail(p, reply_syntax(p->s, in));
		if ((key = parse_list(p, depth + 1, ')')) == 0)
			return 0;
		if (imap_close(in) == -1)
			return search_fail(p, reply_expected(p->s, in,
			    "a blank and a search key, or ')',"));
		return key;
	}
	if ((c == '*' || (c >= '0' && c <= '9')) &&
	    p->s->enabled & ENABLED_UIDONLY)
		return search_fail(p, reply_uidrequired(p->s));
	if (c == '*' || (c >= '0' && c <= '9'))
		return parse_set(p, search_key_new(p, KEY_SEQ, 0), false);
	if (imap_saved(in))
		return parse_saved(p, search_key_new(p, KEY_UID, 0));
	if ((i = parse_word(p)) == NITEMS(words))
		return search_fail(p, reply_expected(p->s, in,
		    "a search key, as ALL or FROM,"));
	if ((key = search_key_new(p, words[i].op, words[i].cost)) == 0)
		return 0;
	p->prog->key[key - 1].number = words[i].number;
	if (words[i].arg != ARG_NONE && imap_space(in) == -1)
		return search_fail(p, reply_expected(p->s, in,
		    "a blank and what is looked for"));
	return parse_arg(p, &words[i], key, depth);
}

/* Which of the words is next, and taken; NITEMS(words): none. */
static size_t
parse_word(struct search_parse *p)
{
	const char	*w = p->in->p + p->in->off;
	size_t		 i, n;

	for (n = 0; n < WORD_MAX && p->in->off + n < p->in->n; n++)
		if (ascii_lower((unsigned char)w[n]) < 'a' ||
		    ascii_lower((unsigned char)w[n]) > 'z')
			break;
	for (i = 0; i < NITEMS(words); i++)
		if (slice_caseis(slice_of(w, n), words[i].name)) {
			p->in->off += n;
			break;
		}
	return i;
}

static int
parse_arg(struct search_parse *p, const struct word *w, int key, int depth)
{
	struct search_key	*k = &p->prog->key[key - 1];
	int			 ok = 1;

	switch (w->arg) {
	case ARG_NONE:
		return key;
	case ARG_HEADER:
		ok = imap_astring(p->in, &k->name) == 0 &&
		    imap_space(p->in) == 0;
		if (!ok)
			break;
		/* FALLTHROUGH */
	case ARG_STRING:
		return search_string(p, key);
	case ARG_KEYWORD:
		return parse_keyword(p, key);
	case ARG_DATE:
		ok = imap_date(p->in, &k->day) == 0;
		break;
	case ARG_NUMBER:
		ok = imap_number64(p->in, &k->number) == 0;
		break;
	case ARG_AGE:
		return parse_age(p, key);
	case ARG_UIDS:
		return imap_saved(p->in) ? parse_saved(p, key) :
		    parse_set(p, key, true);
	case ARG_FUZZY:
		return parse_fuzzy(p, key, depth);
	case ARG_MODSEQ:
		ok = arg_search_modseq(p->s, p->in, &k->number) == 0;
		p->prog->modseq = true;
		break;
	case ARG_EMAILID:
		ok = arg_objectid(p->in, 'M', &k->number) == 0;
		break;
	case ARG_THREADID:
		ok = arg_objectid(p->in, 'T', &k->number) == 0;
		break;
	case ARG_NOT:
		return parse_sub(p, key, depth);
	case ARG_OR:
		if (parse_sub(p, key, depth) == 0)
			return 0;
		if (imap_space(p->in) == -1)
			return search_fail(p, reply_expected(p->s, p->in,
			    "a blank and one more search key"));
		return parse_sub(p, key, depth);
	}
	return ok ? key : search_fail(p, reply_syntax(p->s, p->in));
}

/* A keyword the mailbox does not have is on no message. */
static int
parse_keyword(struct search_parse *p, int key)
{
	struct slice	 v;
	char		 name[STORE_KEYWORD_LEN + 1];
	int		 number = -1;

	if (imap_atom(p->in, &v) == -1)
		return search_fail(p, reply_syntax(p->s, p->in));
	if (slice_cpy(v, name, sizeof(name)) == 0)
		number = store_view_keyword_number(p->s->view, name);
	/* One more: 0 is on no message. */
	p->prog->key[key - 1].number = (uint64_t)(number + 1);
	return key;
}

/* Seconds before now (RFC 5032): the moment that is meant. */
static int
parse_age(struct search_parse *p, int key)
{
	uint32_t	 age;
	size_t		 start = p->in->off;

	if (imap_number(p->in, &age) == 0 && age > 0) {
		p->prog->key[key - 1].day = (int64_t)now_sec() - age;
		return key;
	}
	p->in->off = start;
	return search_fail(p, reply_expected(p->s, p->in,
	    "seconds, from 1 to 4294967295,"));
}

static int
parse_set(struct search_parse *p, int key, bool uids)
{
	struct store_view_info	 info;
	struct search_key	*k;
	uint32_t		 largest;
	size_t			 i, max = 1;
	ssize_t			 n;

	if (key == 0)
		return 0;
	k = &p->prog->key[key - 1];
	for (i = p->in->off; i < p->in->n && p->in->p[i] != ' '; i++)
		max += p->in->p[i] == ',';
	if ((k->set = calloc(max, sizeof(*k->set))) == NULL)
		return search_fail(p, reply_store(p->s, STORE_NOMEM));
	if ((n = imap_set(p->in, k->set, max)) <= 0) {
		if (uids)
			p->in->err.why = "a UID or *";
		return search_fail(p, reply_syntax(p->s, p->in));
	}
	store_view_info(p->s->view, &info);
	largest = info.exists;
	if (uids && largest > 0)
		largest = store_view_msg(p->s->view, largest)->uid;
	k->nset = imap_set_resolve(k->set, (size_t)n, largest);
	return key;
}

/* "$": a copy, as this command may save another result. */
static int
parse_saved(struct search_parse *p, int key)
{
	struct search_key	*k;

	if (key == 0 || p->s->nsaved == 0)
		return key;
	k = &p->prog->key[key - 1];
	k->set = reallocarray(NULL, p->s->nsaved, sizeof(*k->set));
	if (k->set == NULL)
		return search_fail(p, reply_store(p->s, STORE_NOMEM));
	memcpy(k->set, p->s->saved, p->s->nsaved * sizeof(*k->set));
	k->nset = p->s->nsaved;
	return key;
}

/* The key behind FUZZY, whose texts are no longer taken to the letter. */
static int
parse_fuzzy(struct search_parse *p, int key, int depth)
{
	bool	 outer = p->fuzzy;
	int	 sub;

	p->fuzzy = p->prog->fuzzy = true;
	sub = parse_sub(p, key, depth);
	p->fuzzy = outer;
	return sub;
}

/* One more operand of NOT or OR. */
static int
parse_sub(struct search_parse *p, int key, int depth)
{
	int	 sub;

	if ((sub = parse_key(p, depth + 1)) == 0)
		return 0;
	search_key_insert(p->prog, key, sub);
	return key;
}
