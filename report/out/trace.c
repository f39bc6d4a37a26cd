/*
 * The fields that hosts on the way wrote, for redact.c: Received (RFC
 * 5321 4.4), Authentication-Results (RFC 8601), Received-SPF (RFC 7208 9.1),
 * and tag lists (RFC 6376 3.2, RFC 8617 4).  They are written anew from the
 * words that are known to name hosts, methods and results; comments go, but
 * for an address literal in one.  Pure.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "parse/dates.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/failure.h"

#define TRACE_WORD	255	/* octets of a word that is kept */
#define TAG_MAX		2048	/* octets of a tag's value */
#define TAG_LINE	70

enum word { WORD_END, WORD_TEXT, WORD_COMMENT, WORD_SEMICOLON };

static enum word word_next(struct slice *, struct slice *);
static bool	 is_plain_word(struct slice);
static void	 put_host(struct text *, struct slice);
static void	 put_literal(struct text *, struct slice);
static void	 put_tag(const uint8_t *, struct text *, struct slice,
		    struct slice);

/* ---- words ----------------------------------------------------------------- */

static size_t
comment_len(struct slice s)
{
	size_t i;
	int depth = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Quoted strings are part of the word around them. */
static size_t
text_len(struct slice s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && (is_blank(s.p[i]) || s.p[i] == '(' ||
		    s.p[i] == ';'))
			break;
	}
	return i < s.n ? i : s.n;
}

static enum word
word_next(struct slice *rest, struct slice *word)
{
	enum word kind = WORD_TEXT;
	size_t n;

	while (rest->n > 0 && is_blank(rest->p[0]))
		*rest = slice_of(rest->p + 1, rest->n - 1);
	if (rest->n == 0)
		return WORD_END;
	if (rest->p[0] == '(') {
		kind = WORD_COMMENT;
		n = comment_len(*rest);
	} else if (rest->p[0] == ';') {
		kind = WORD_SEMICOLON;
		n = 1;
	} else
		n = text_len(*rest);
	*word = slice_of(rest->p, n);
	*rest = slice_of(rest->p + n, rest->n - n);
	return kind;
}

static bool
is_plain_word(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= 32 || s.p[i] > 126 ||
		    strchr("()<>@,;\"\\", s.p[i]) != NULL)
			return false;
	return s.n > 0 && s.n <= TRACE_WORD;
}

static struct slice
unwrap(struct slice s, char open, char close)
{
	if (s.n >= 2 && s.p[0] == open && s.p[s.n - 1] == close)
		return slice_of(s.p + 1, s.n - 2);
	return s;
}

static void
put_redacted(const uint8_t *key, struct text *t, struct slice s)
{
	char a[REDACT_ADDR];

	redact_address(key, s, a);
	text_add(t, slice_str(a));
}

/* ---- Received ---------------------------------------------------------------- */

enum clause { CLAUSE_NONE, CLAUSE_HOST, CLAUSE_WORD, CLAUSE_FOR };

static enum clause
clause_of(struct slice w)
{
	static const struct {
		const char	*name;
		enum clause	 clause;
	} clauses[] = {
		{ "from",	CLAUSE_HOST },
		{ "by",		CLAUSE_HOST },
		{ "via",	CLAUSE_WORD },
		{ "with",	CLAUSE_WORD },
		{ "id",		CLAUSE_WORD },
		{ "for",	CLAUSE_FOR },
	};
	size_t i;

	for (i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++)
		if (slice_caseis(w, clauses[i].name))
			return clauses[i].clause;
	return CLAUSE_NONE;
}

static void
put_clause(const uint8_t *key, struct text *t, enum clause clause,
    struct slice w)
{
	switch (clause) {
	case CLAUSE_NONE:
		break;
	case CLAUSE_HOST:
		put_host(t, w);
		break;
	case CLAUSE_WORD:
		text_add(t, SLICE_LIT(" "));
		text_add(t, is_plain_word(w) ? w : SLICE_LIT("redacted"));
		break;
	case CLAUSE_FOR:
		text_add(t, SLICE_LIT(" <"));
		put_redacted(key, t, unwrap(w, '<', '>'));
		text_add(t, SLICE_LIT(">"));
		break;
	}
}

void
trace_received(const uint8_t key[REDACT_KEY], struct slice in,
    struct text *t)
{
	enum clause clause = CLAUSE_NONE, named;
	enum word kind;
	struct slice w;
	char date[DATE_TEXT_MAX];
	int64_t when;
	size_t n;
	int i;

	for (i = 0; i < REDACT_ITEMS; i++) {
		kind = word_next(&in, &w);
		if (kind == WORD_END || kind == WORD_SEMICOLON)
			break;
		if (kind == WORD_COMMENT) {
			put_literal(t, w);
			continue;
		}
		named = clause == CLAUSE_NONE ? clause_of(w) : CLAUSE_NONE;
		if (named != CLAUSE_NONE)
			text_say(t, "%s%.*s", i == 0 ? " " : "\r\n\t",
			    (int)w.n, w.p);
		else
			put_clause(key, t, clause, w);
		clause = named;
	}
	if (date_parse(in, &when, NULL) == -1)
		return;
	n = date_print(when, date, sizeof(date));
	text_say(t, ";\r\n\t%.*s", (int)n, date);
}

/* A host as it called itself: a literal or a domain name; one label alone is
 * as often the name of its owner. */
static void
put_host(struct text *t, struct slice w)
{
	struct ipaddr ip;
	char ascii[DOMAIN_TEXT];

	if (ipaddr_literal(w, &ip) == 0 || ipaddr_parse(w, &ip) == 0)
		text_say(t, " %.*s", (int)w.n, w.p);
	else if (slice_find(w, '.') < w.n && domain_ascii(w, ascii) == 0)
		text_say(t, " %s", ascii);
	else
		text_add(t, SLICE_LIT(" redacted"));
}

/* The address that a comment tells of a host: "(name [192.0.2.1])". */
static void
put_literal(struct text *t, struct slice c)
{
	struct slice s;
	struct ipaddr ip;
	char text[IPADDR_TEXT_MAX];
	size_t at = slice_find(c, '[');

	s = slice_of(c.p + at, c.n - at);
	s.n = slice_find(s, ']');
	if (at == c.n || s.n == 0 || at + s.n == c.n)
		return;
	s = slice_of(s.p + 1, s.n - 1);
	if (slice_casestarts(s, "IPv6:"))
		s = slice_of(s.p + 5, s.n - 5);
	if (ipaddr_parse(s, &ip) == -1 ||
	    ipaddr_print(&ip, text, sizeof(text)) == -1)
		return;
	text_say(t, " ([%s%s])", ip.family == 6 ? "IPv6:" : "", text);
}

/* ---- results ------------------------------------------------------------------ */

enum property { PROP_DROP, PROP_METHOD, PROP_WORD, PROP_ADDRESS };

static enum property
property_of(struct slice name)
{
	static const struct {
		const char	*name;
		enum property	 kind;
	} props[] = {
		{ "i",			PROP_WORD },
		{ "arc",		PROP_METHOD },
		{ "dkim",		PROP_METHOD },
		{ "dmarc",		PROP_METHOD },
		{ "spf",		PROP_METHOD },
		{ "header.a",		PROP_WORD },
		{ "header.b",		PROP_WORD },
		{ "header.d",		PROP_WORD },
		{ "header.from",	PROP_ADDRESS },
		{ "header.i",		PROP_ADDRESS },
		{ "header.s",		PROP_WORD },
		{ "smtp.helo",		PROP_ADDRESS },
		{ "smtp.mailfrom",	PROP_ADDRESS },
		{ "smtp.remote-ip",	PROP_WORD },
		/* Received-SPF */
		{ "client-ip",		PROP_WORD },
		{ "envelope-from",	PROP_ADDRESS },
		{ "helo",		PROP_ADDRESS },
		{ "identity",		PROP_WORD },
		{ "receiver",		PROP_WORD },
	};
	size_t i;

	for (i = 0; i < sizeof(props) / sizeof(props[0]); i++)
		if (slice_caseis(name, props[i].name))
			return props[i].kind;
	return PROP_DROP;
}

/* An address, "@domain" or a domain. */
static void
put_identity(const uint8_t *key, struct text *t, struct slice v)
{
	size_t at = slice_find(v, '@');
	char ascii[DOMAIN_TEXT];

	if (at < v.n && at > 0)
		put_redacted(key, t, v);
	else if (slice_find(v, '.') < v.n && domain_ascii(at == 0 && v.n > 0 ?
	    slice_of(v.p + 1, v.n - 1) : v, ascii) == 0)
		text_say(t, "%s%s", at == 0 ? "@" : "", ascii);
	else
		text_add(t, SLICE_LIT("redacted"));
}

static void
put_property(const uint8_t *key, struct text *t, struct slice name,
    struct slice v)
{
	enum property kind = property_of(name);

	v = unwrap(unwrap(v, '"', '"'), '<', '>');
	if (kind == PROP_DROP || (kind != PROP_ADDRESS && !is_plain_word(v)))
		return;
	text_say(t, "%s%.*s=", kind == PROP_METHOD ? ";\r\n\t" : "\r\n\t",
	    (int)name.n, name.p);
	if (kind == PROP_ADDRESS)
		put_identity(key, t, v);
	else
		text_add(t, v);
}

/* The first word of Received-SPF (RFC 7208 9.1). */
static bool
is_result(struct slice w)
{
	int r;

	for (r = SPF_NONE; r <= SPF_PERMERROR; r++)
		if (slice_caseis(w, spf_name((enum spf_result)r)))
			return true;
	return false;
}

void
trace_results(const uint8_t key[REDACT_KEY], struct slice in, struct text *t)
{
	enum word kind;
	struct slice w;
	size_t eq;
	int i;
	bool first = true;

	for (i = 0; i < REDACT_ITEMS; i++) {
		if ((kind = word_next(&in, &w)) == WORD_END)
			break;
		if (kind != WORD_TEXT)
			continue;
		eq = slice_find(w, '=');
		if (eq < w.n)
			put_property(key, t, slice_of(w.p, eq),
			    slice_of(w.p + eq + 1, w.n - eq - 1));
		else if (first) {	/* authserv-id, or the result */
			if (is_result(w))
				text_say(t, " %.*s", (int)w.n, w.p);
			else
				put_host(t, w);
		}
		first = false;
	}
}

/* ---- tags --------------------------------------------------------------------- */

/* The next "name=value"; 1, or 0 at the end.  What is none is left out. */
static int
tag_next(struct slice *in, struct slice *name, struct slice *value)
{
	struct slice tag;
	size_t eq;

	while (in->n > 0) {
		tag = slice_of(in->p, slice_find(*in, ';'));
		*in = tag.n == in->n ? slice_of(in->p + in->n, 0) :
		    slice_of(in->p + tag.n + 1, in->n - tag.n - 1);
		if ((eq = slice_find(tag, '=')) == tag.n)
			continue;
		*name = slice_trim(slice_of(tag.p, eq));
		*value = slice_trim(slice_of(tag.p + eq + 1, tag.n - eq - 1));
		return 1;
	}
	return 0;
}

int
trace_identity(struct slice header, struct slice domain,
    struct slice selector, struct slice *identity)
{
	struct header_field f;
	struct slice name, value, d, s;
	int i, k;

	for (i = 0; i < HEADER_FIELDS_MAX && header_next(&header, &f); i++) {
		if (!slice_caseis(f.name, "DKIM-Signature"))
			continue;
		d = s = *identity = slice_of(NULL, 0);
		for (k = 0; k < REDACT_ITEMS &&
		    tag_next(&f.value, &name, &value); k++)
			if (slice_is(name, "d"))
				d = value;
			else if (slice_is(name, "s"))
				s = value;
			else if (slice_is(name, "i"))
				*identity = value;
		if (identity->n > 0 && slice_caseeq(d, domain) &&
		    slice_caseeq(s, selector))
			return 1;
	}
	return 0;
}

void
trace_tags(const uint8_t key[REDACT_KEY], struct slice in, struct text *t)
{
	/* Not z=, which is a copy of the header. */
	static const char *const known[] = { "i", "v", "a", "b", "bh", "c",
	    "cv", "d", "h", "l", "q", "s", "t", "x" };
	struct slice name, value;
	size_t k;
	int i;

	for (i = 0; i < REDACT_ITEMS && tag_next(&in, &name, &value); i++)
		for (k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (slice_is(name, known[k]))
				put_tag(key, t, name, value);
}

static void
put_tag(const uint8_t *key, struct text *t, struct slice name,
    struct slice in)
{
	char v[TAG_MAX];
	struct slice s = { v, 0 };
	size_t i, line = 0;

	for (i = 0; i < in.n; i++) {
		if (is_blank(in.p[i]))
			continue;
		if (in.p[i] <= 32 || in.p[i] > 126 || s.n == sizeof(v))
			return;
		v[s.n++] = in.p[i];
	}
	text_say(t, "\r\n\t%.*s=", (int)name.n, name.p);
	if (slice_find(s, '@') < s.n)
		put_identity(key, t, s);
	else
		for (i = 0; i < s.n; i++) {
			if (++line > TAG_LINE && (name.p[0] == 'b' ||
			    s.p[i] == ':')) {
				text_add(t, SLICE_LIT("\r\n\t "));
				line = 0;
			}
			text_add(t, slice_of(s.p + i, 1));
		}
	text_add(t, SLICE_LIT(";"));
}
