/*
 * imap-session: the texts of a search program: from the charset of the
 * command to UTF-8, within stated limits, and what FUZZY makes of them
 * (RFC 6203): the text as it is, or else all its words in any order.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "parse/search.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/search_priv.h"

#define CODE_MAX	1024	/* BADCHARSET with all names */

static enum reply badcharset(struct session *);
static int	string_convert(struct search_parse *, struct search_key *);
static int	string_words(struct search_parse *, int);
static struct slice word_next(struct slice *);

enum reply
search_charset(struct session *s, struct imap_in *in, int *charset)
{
	struct slice	 name;

	if (imap_astring(in, &name) == -1)
		return reply_expected(s, in, "a charset");
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a search key");
	if ((*charset = charset_find(name)) == CHARSET_UNKNOWN)
		return badcharset(s);
	return REPLY_OK;
}

/* BADCHARSET and all that are known: those that bodies are decoded from. */
static enum reply
badcharset(struct session *s)
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

int
search_string(struct search_parse *p, int key)
{
	struct search_key	*k = &p->prog->key[key - 1];

	if (imap_astring(p->in, &k->value) == -1)
		return search_fail(p, reply_syntax(p->s, p->in));
	/* No character of a charset has more than four octets. */
	if (k->value.n <= 4 * SEARCH_TEXT_MAX && string_convert(p, k) == -1)
		return 0;
	if (k->value.n > SEARCH_TEXT_MAX)
		return search_fail(p, reply_no(p->s, "LIMIT",
		    "Text too long"));
	return p->fuzzy ? string_words(p, key) : key;
}

/* The value from the charset of the command; what is no text in it is BAD. */
static int
string_convert(struct search_parse *p, struct search_key *k)
{
	struct charset	 cs = { .id = p->charset };
	size_t		 n = CHARSET_UTF8_MAX(k->value.n), used;
	bool		 bad = !utf8_valid(k->value.p, k->value.n);

	if (p->charset != CHARSET_UTF8) {
		if ((k->text = malloc(n)) == NULL) {
			search_fail(p, reply_store(p->s, STORE_NOMEM));
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
	search_fail(p, reply_bad(p->s,
	    "expected text in the charset that was named"));
	return -1;
}

/* A node that has the exact one and, of several words, one with a node for
 * each of them. */
static int
string_words(struct search_parse *p, int key)
{
	struct search_key	 exact = p->prog->key[key - 1];
	struct slice		 rest = exact.value, word = word_next(&rest);
	int			 fuzzy, all, one;

	if ((fuzzy = search_key_new(p, KEY_FUZZY, exact.cost)) == 0)
		return 0;
	p->prog->key[fuzzy - 1].sub = key;
	if (word.n == exact.value.n || word.n == 0)
		return fuzzy;
	if ((all = search_key_new(p, KEY_AND, exact.cost)) == 0)
		return 0;
	p->prog->key[key - 1].next = all;
	for (; word.n > 0; word = word_next(&rest)) {
		if ((one = search_key_new(p, exact.op, exact.cost)) == 0)
			return 0;
		p->prog->key[one - 1].name = exact.name;
		p->prog->key[one - 1].value = word;
		search_key_insert(p->prog, all, one);
	}
	return fuzzy;
}

static struct slice
word_next(struct slice *rest)
{
	struct slice	 s = slice_trim(*rest), word;

	word = slice_of(s.p, slice_find(s, ' '));
	*rest = slice_of(s.p + word.n, s.n - word.n);
	return word;
}
