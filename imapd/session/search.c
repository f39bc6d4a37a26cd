/*
 * imap-session: SEARCH (RFC 3501 6.4.4): the keys become a program, a small
 * tree in one array, of bounded size and depth; search_match.c runs
 * it.  Keys that need less are asked before those that need more.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "parse/search.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define WORD_MAX	16	/* letters of the longest key, and some */
#define NEEDLE_MAX	(SEARCH_NEEDLE_MAX / 2 - 4)	/* octets of a text */
#define CODE_MAX	1024	/* BADCHARSET with all names */

enum arg {
	ARG_NONE, ARG_STRING, ARG_HEADER, ARG_KEYWORD, ARG_DATE, ARG_NUMBER,
	ARG_UIDS, ARG_MODSEQ, ARG_NOT, ARG_OR
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
	{ "FLAGGED",	KEY_FLAG,	ARG_NONE, 0, STORE_FLAGGED },
	{ "FROM",	KEY_FROM,	ARG_STRING, 1, 0 },
	{ "HEADER",	KEY_HEADER,	ARG_HEADER, 2, 0 },
	{ "KEYWORD",	KEY_KEYWORD,	ARG_KEYWORD, 0, 0 },
	{ "LARGER",	KEY_LARGER,	ARG_NUMBER, 0, 0 },
	{ "MODSEQ",	KEY_MODSEQ,	ARG_MODSEQ, 0, 0 },
	{ "NEW",	KEY_NEW,	ARG_NONE, 0, 0 },
	{ "NOT",	KEY_NOT,	ARG_NOT, 0, 0 },
	{ "OLD",	KEY_OLD,	ARG_NONE, 0, 0 },
	{ "ON",		KEY_ON,		ARG_DATE, 0, 0 },
	{ "OR",		KEY_OR,		ARG_OR, 0, 0 },
	{ "RECENT",	KEY_RECENT,	ARG_NONE, 0, 0 },
	{ "SEEN",	KEY_FLAG,	ARG_NONE, 0, STORE_SEEN },
	{ "SENTBEFORE",	KEY_SENTBEFORE,	ARG_DATE, 1, 0 },
	{ "SENTON",	KEY_SENTON,	ARG_DATE, 1, 0 },
	{ "SENTSINCE",	KEY_SENTSINCE,	ARG_DATE, 1, 0 },
	{ "SINCE",	KEY_SINCE,	ARG_DATE, 0, 0 },
	{ "SMALLER",	KEY_SMALLER,	ARG_NUMBER, 0, 0 },
	{ "SUBJECT",	KEY_SUBJECT,	ARG_STRING, 1, 0 },
	{ "TEXT",	KEY_TEXT,	ARG_STRING, 3, 0 },
	{ "TO",		KEY_TO,		ARG_STRING, 1, 0 },
	{ "UID",	KEY_UID,	ARG_UIDS, 0, 0 },
	{ "UNANSWERED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_ANSWERED },
	{ "UNDELETED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_DELETED },
	{ "UNDRAFT",	KEY_NOFLAG,	ARG_NONE, 0, STORE_DRAFT },
	{ "UNFLAGGED",	KEY_NOFLAG,	ARG_NONE, 0, STORE_FLAGGED },
	{ "UNKEYWORD",	KEY_NOKEYWORD,	ARG_KEYWORD, 0, 0 },
	{ "UNSEEN",	KEY_NOFLAG,	ARG_NONE, 0, STORE_SEEN },
};

/* One SEARCH being parsed. */
struct parse {
	struct session		*s;
	struct imap_in		*in;
	struct search_prog	*prog;
	int			 charset;	/* of texts */
	enum reply		 reply;		/* of the first error */
};

static enum reply search_charset(struct parse *);
static enum reply search_badcharset(struct session *);
static enum reply search_run(struct session *, const struct search_prog *);
static void	search_free(struct search_prog *);
static int	parse_list(struct parse *, int, int);
static int	parse_key(struct parse *, int);
static int	parse_arg(struct parse *, const struct word *, int, int);
static int	parse_string(struct parse *, struct search_key *);
static int	parse_convert(struct parse *, struct search_key *);
static int	parse_keyword(struct parse *, int);
static int	parse_set(struct parse *, int, bool);
static int	parse_sub(struct parse *, int, int);
static int	parse_fail(struct parse *, enum reply);
static int	key_new(struct parse *, enum search_op, unsigned int);
static void	key_insert(struct search_prog *, int, int);

enum reply
cmd_search(struct session *s, struct imap_in *in)
{
	struct search_prog	 prog = { 0 };
	struct parse		 p = { .s = s, .in = in, .prog = &prog,
				    .charset = CHARSET_UTF8,
				    .reply = REPLY_OK };

	if (search_charset(&p) == REPLY_OK && parse_list(&p, 0, -1) != 0) {
		if (prog.key[0].cost == 3)
			prog.needle = malloc(sizeof(*prog.needle));
		if (imap_end(in) == -1)
			p.reply = reply_expected(s, in, "a blank and a search "
			    "key, or the end of the line,");
		else
			p.reply = search_run(s, &prog);
	}
	search_free(&prog);
	return p.reply;
}

static enum reply
search_charset(struct parse *p)
{
	struct slice	 name;

	if (!imap_word(p->in, "CHARSET"))
		return REPLY_OK;
	if (imap_space(p->in) == -1 || imap_astring(p->in, &name) == -1 ||
	    imap_space(p->in) == -1)
		return p->reply = reply_syntax(p->s, p->in);
	if ((p->charset = charset_find(name)) == CHARSET_UNKNOWN)
		p->reply = search_badcharset(p->s);
	return p->reply;
}

/* BADCHARSET and all that are known: those that bodies are decoded from. */
static enum reply
search_badcharset(struct session *s)
{
	char		 code[CODE_MAX] = "BADCHARSET (";
	const char	*name;
	int		 id;

	for (id = 0; (name = charset_name(id)) != NULL; id++) {
		if (id > 0)
			strlcat(code, " ", sizeof(code));
		strlcat(code, name, sizeof(code));
	}
	strlcat(code, ")", sizeof(code));
	return reply_no(s, code, "Charset not known");
}

static enum reply
search_run(struct session *s, const struct search_prog *prog)
{
	struct store_view_info	 info;
	const struct store_msg	*m;
	enum store_result	 r = STORE_OK, worst = STORE_OK;
	uint64_t		 modseq = 0, one;
	uint32_t		 seq, n;
	int			 match;

	if (prog->key[0].cost == 3 && prog->needle == NULL)
		return reply_store(s, STORE_NOMEM);
	store_view_info(s->view, &info);
	frames_puts(s->io, "* SEARCH");
	for (seq = 1; seq <= info.exists; seq++) {
		if ((match = search_match(s, prog, seq, &r)) == -1)
			worst = r;
		if (match != 1)
			continue;
		m = store_view_msg(s->view, seq);
		n = s->uid ? m->uid : seq;
		one = store_view_modseq(s->view, seq);
		if (modseq < one)
			modseq = one;
		frames_putc(s->io, ' ');
		frames_num(s->io, n);
	}
	if (prog->modseq && modseq > 0) {
		frames_puts(s->io, " (MODSEQ ");
		frames_num(s->io, modseq);
		frames_putc(s->io, ')');
	}
	frames_puts(s->io, "\r\n");
	return reply_store(s, worst);
}

static void
search_free(struct search_prog *prog)
{
	size_t	 i;

	for (i = 0; i < prog->n; i++) {
		free(prog->key[i].set);
		free(prog->key[i].text);
	}
	free(prog->key);
	free(prog->needle);
}

/*
 * Keys with blanks between them, up to `end' (not taken) or the line's end
 * (-1).  All of these return an index + 1 into the program, or 0 when
 * p->reply has been set.
 */
static int
parse_list(struct parse *p, int depth, int end)
{
	int	 list, key;

	if ((list = key_new(p, KEY_AND, 0)) == 0)
		return 0;
	do {
		if ((key = parse_key(p, depth)) == 0)
			return 0;
		key_insert(p->prog, list, key);
		if (imap_peek(p->in) == end || imap_peek(p->in) == '\r')
			break;
	} while (imap_space(p->in) == 0);
	return list;
}

static int
parse_key(struct parse *p, int depth)
{
	struct imap_in	*in = p->in;
	const char	*w = in->p + in->off;
	size_t		 i, n;
	int		 c = imap_peek(in), key;

	if (depth == IMAP_SEARCH_DEPTH) {
		reply_no(p->s, "LIMIT", "Search too deep");
		return parse_fail(p, REPLY_NO);
	}
	if (c == '(') {
		if (imap_open(in) == -1)
			return parse_fail(p, reply_syntax(p->s, in));
		if ((key = parse_list(p, depth + 1, ')')) == 0)
			return 0;
		if (imap_close(in) == -1)
			return parse_fail(p, reply_expected(p->s, in,
			    "a blank and a search key, or ')',"));
		return key;
	}
	if ((c == '*' || (c >= '0' && c <= '9')) &&
	    p->s->enabled & ENABLED_UIDONLY)
		return parse_fail(p, reply_uidrequired(p->s));
	if (c == '*' || (c >= '0' && c <= '9'))
		return parse_set(p, key_new(p, KEY_SEQ, 0), false);
	for (n = 0; n < WORD_MAX && in->off + n < in->n; n++)
		if (ascii_lower((unsigned char)w[n]) < 'a' ||
		    ascii_lower((unsigned char)w[n]) > 'z')
			break;
	for (i = 0; i < NITEMS(words); i++)
		if (slice_caseis(slice_of(w, n), words[i].name))
			break;
	if (i == NITEMS(words))
		return parse_fail(p, reply_expected(p->s, in,
		    "a search key, as ALL or FROM,"));
	in->off += n;
	if ((key = key_new(p, words[i].op, words[i].cost)) == 0)
		return 0;
	p->prog->key[key - 1].number = words[i].number;
	if (words[i].arg != ARG_NONE && imap_space(in) == -1)
		return parse_fail(p, reply_expected(p->s, in,
		    "a blank and what is looked for"));
	return parse_arg(p, &words[i], key, depth);
}

static int
parse_arg(struct parse *p, const struct word *w, int key, int depth)
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
		return parse_string(p, k) == 0 ? key : 0;
	case ARG_KEYWORD:
		return parse_keyword(p, key);
	case ARG_DATE:
		ok = imap_date(p->in, &k->day) == 0;
		break;
	case ARG_NUMBER:
		ok = imap_number64(p->in, &k->number) == 0;
		break;
	case ARG_UIDS:
		return parse_set(p, key, true);
	case ARG_MODSEQ:
		ok = arg_search_modseq(p->s, p->in, &k->number) == 0;
		p->prog->modseq = true;
		break;
	case ARG_NOT:
		return parse_sub(p, key, depth);
	case ARG_OR:
		if (parse_sub(p, key, depth) == 0)
			return 0;
		if (imap_space(p->in) == -1)
			return parse_fail(p, reply_expected(p->s, p->in,
			    "a blank and one more search key"));
		return parse_sub(p, key, depth);
	}
	return ok ? key : parse_fail(p, reply_syntax(p->s, p->in));
}

/* What is looked for, as UTF-8, and not too long.  0, -1. */
static int
parse_string(struct parse *p, struct search_key *k)
{
	if (imap_astring(p->in, &k->value) == -1) {
		parse_fail(p, reply_syntax(p->s, p->in));
		return -1;
	}
	/* No character of a charset has more than four octets. */
	if (k->value.n <= 4 * NEEDLE_MAX && parse_convert(p, k) == -1)
		return -1;
	if (k->value.n > NEEDLE_MAX) {
		parse_fail(p, reply_no(p->s, "LIMIT", "Text too long"));
		return -1;
	}
	return 0;
}

/* The value from the charset of the command; what is no text in it is BAD. */
static int
parse_convert(struct parse *p, struct search_key *k)
{
	struct charset	 cs = { .id = p->charset };
	size_t		 n = CHARSET_UTF8_MAX(k->value.n), used;
	bool		 bad = !utf8_valid(k->value.p, k->value.n);

	if (p->charset != CHARSET_UTF8) {
		if ((k->text = malloc(n)) == NULL) {
			parse_fail(p, reply_store(p->s, STORE_NOMEM));
			return -1;
		}
		n = charset_utf8(&cs, k->value.p, k->value.n, 1, k->text, n,
		    &used);
		k->value = slice_of(k->text, n);
		bad = !utf8_valid(k->text, n) ||
		    memmem(k->text, n, "\xef\xbf\xbd", 3) != NULL;
	}
	if (!bad)
		return 0;
	parse_fail(p, reply_bad(p->s,
	    "expected text in the charset that was named"));
	return -1;
}

/* A keyword the mailbox does not have is on no message. */
static int
parse_keyword(struct parse *p, int key)
{
	struct slice	 v;
	char		 name[STORE_KEYWORD_LEN + 1];
	int		 number = -1;

	if (imap_atom(p->in, &v) == -1)
		return parse_fail(p, reply_syntax(p->s, p->in));
	if (slice_cpy(v, name, sizeof(name)) == 0)
		number = store_view_keyword_number(p->s->view, name);
	/* One more: 0 is on no message. */
	p->prog->key[key - 1].number = (uint64_t)(number + 1);
	return key;
}

static int
parse_set(struct parse *p, int key, bool uids)
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
		return parse_fail(p, reply_store(p->s, STORE_NOMEM));
	if ((n = imap_set(p->in, k->set, max)) <= 0) {
		if (uids)
			p->in->err.why = "a UID or *";
		return parse_fail(p, reply_syntax(p->s, p->in));
	}
	store_view_info(p->s->view, &info);
	largest = info.exists;
	if (uids && largest > 0)
		largest = store_view_msg(p->s->view, largest)->uid;
	k->nset = imap_set_resolve(k->set, (size_t)n, largest);
	return key;
}

/* One more operand of NOT or OR. */
static int
parse_sub(struct parse *p, int key, int depth)
{
	int	 sub;

	if ((sub = parse_key(p, depth + 1)) == 0)
		return 0;
	key_insert(p->prog, key, sub);
	return key;
}

/* Keep the first error, whose text stands in the session. */
static int
parse_fail(struct parse *p, enum reply r)
{
	if (p->reply == REPLY_OK)
		p->reply = r;
	return 0;
}

static int
key_new(struct parse *p, enum search_op op, unsigned int cost)
{
	struct search_prog	*prog = p->prog;
	struct search_key	*key;
	size_t			 size;

	if (prog->n == IMAP_SEARCH_KEYS)
		return parse_fail(p,
		    reply_no(p->s, "LIMIT", "Too many search keys"));
	if (prog->n == prog->size) {
		size = prog->size == 0 ? 16 : prog->size * 2;
		key = reallocarray(prog->key, size, sizeof(*key));
		if (key == NULL)
			return parse_fail(p, reply_store(p->s, STORE_NOMEM));
		prog->key = key;
		prog->size = size;
	}
	key = &prog->key[prog->n++];
	memset(key, 0, sizeof(*key));
	key->op = op;
	key->cost = cost;
	return (int)prog->n;
}

/* Among its siblings by cost, behind those that cost the same. */
static void
key_insert(struct search_prog *prog, int parent, int key)
{
	struct search_key	*k = prog->key;
	int			*at = &k[parent - 1].sub;

	while (*at != 0 && k[*at - 1].cost <= k[key - 1].cost)
		at = &k[*at - 1].next;
	k[key - 1].next = *at;
	*at = key;
	if (k[parent - 1].cost < k[key - 1].cost)
		k[parent - 1].cost = k[key - 1].cost;
}
