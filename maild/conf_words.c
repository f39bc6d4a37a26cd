/*
 * What is said of a wrong maild.yaml beyond the place and the key: libyaml's
 * complaints in words of who writes the file, names that are not ASCII with
 * the ASCII that stands for them, what was written.  Called by the loader
 * (conf_yaml.c) in maild; changes nothing.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/slice.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "maild/conf_words.h"

/* Octets of the character that begins there, 0: none of UTF-8, or a control
 * character. */
static size_t
char_length(const unsigned char *p, size_t n)
{
	size_t len = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 :
	    *p >= 0xc2 ? 2 : 0;

	if (len == 0 || len > n || *p < ' ' || *p == 0x7f ||
	    (*p == 0xc2 && p[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

const char *
words_shown(const char *s, size_t n)
{
	static char buf[64];
	size_t i, len, out = 0;

	for (i = 0; i < n; i += len == 0 ? 1 : len) {
		len = char_length((const unsigned char *)s + i, n - i);
		if (out + (len == 0 ? 1 : len) > sizeof(buf) - 4)
			break;
		if (len == 0)
			buf[out++] = '?';
		memcpy(buf + out, s + i, len);
		out += len;
	}
	snprintf(buf + out, sizeof(buf) - out, "%s", i < n ? "..." : "");
	return buf;
}

/* ---- names --------------------------------------------------------------- */

/* Where the domain name begins in a value of that kind; NULL: it has none. */
static const char *
name_in(const struct conf_key *k, const char *value)
{
	const char *at = strrchr(value, '@');

	if (k->type == CT_HOST || k->type == CT_PEER)
		return value;
	return k->type == CT_MAILBOX && at != NULL ? at + 1 : NULL;
}

const char *
words_right(const struct conf_key *k, const char *value, const char *want)
{
	static char buf[400];
	const char *name = name_in(k, value);
	struct conf *c;
	const char *ignored;
	char text[330], *ascii = NULL;

	if (name == NULL || strlen(value) > 255 ||
	    idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT |
	    IDN2_NONTRANSITIONAL) != IDN2_OK)
		return want;
	snprintf(text, sizeof(text), "%.*s%s", (int)(name - value), value,
	    ascii);
	idn2_free(ascii);
	c = conf_new();			/* is it right then? */
	if (strcmp(text, value) != 0 &&
	    conf_set(c, k->key, 0, text, &ignored) == 0) {
		snprintf(buf, sizeof(buf), "%s, which is its form in the DNS",
		    text);
		want = buf;
	}
	conf_free(c);
	return want;
}

/* ---- syntax -------------------------------------------------------------- */

/* What libyaml says, and what it means to who wrote the file; %zu is the line
 * where that began which it was reading. */
static const struct {
	const char	*problem, *context, *text;
} complaints[] = {
	{ "found character that cannot start any token", NULL,
	    "a value cannot begin with this character; would be right: the "
	    "value in \"quotes\"" },
	{ "did not find expected alphabetic or numeric character", NULL,
	    "a value cannot begin with this character; would be right: the "
	    "value in \"quotes\"" },
	{ "mapping values are not allowed in this context", NULL,
	    "a colon with a blank behind it makes a key, and none can be "
	    "here; would be right: the same indentation as the other keys, or "
	    "the value in \"quotes\"" },
	{ "did not find expected key", "while parsing a flow mapping",
	    "the { of line %zu has no }; would be right: one, and commas "
	    "between" },
	{ "did not find expected ',' or '}'", NULL,
	    "the { of line %zu has no }; would be right: one, and commas "
	    "between" },
	{ "did not find expected ',' or ']'", NULL,
	    "the [ of line %zu has no ]; would be right: one, and commas "
	    "between" },
	{ "did not find expected '-' indicator", NULL,
	    "this is no entry of the list that began in line %zu; would be "
	    "right: a dash as there, or the left margin" },
	{ "did not find expected key", NULL,
	    "this is no key of the section that began in line %zu; would be "
	    "right: the same indentation as there, and KEY: VALUE" },
	{ "could not find expected ':'", NULL,
	    "no colon behind what began in line %zu; would be right: "
	    "KEY: VALUE, with a blank behind the colon" },
	{ "found unexpected end of stream", "while scanning a quoted scalar",
	    "the quote of line %zu is never closed; would be right: one more "
	    "quote" },
	{ "found unknown escape character", NULL,
	    "a backslash in double quotes begins a special character; would "
	    "be right: 'single quotes'" },
	{ "block sequence entries are not allowed in this context", NULL,
	    "a list cannot begin here; would be right: each entry in a line "
	    "of its own, with a dash, below the key" },
};

static bool
is_complaint(size_t i, const yaml_parser_t *p)
{
	return strcmp(complaints[i].problem, p->problem) == 0 &&
	    (complaints[i].context == NULL || (p->context != NULL &&
	    strcmp(complaints[i].context, p->context) == 0));
}

/* The character at that place, 0 behind the end. */
static char
char_at(struct slice text, size_t at)
{
	size_t i = 0;

	for (; i < text.n; i++)		/* a character has one such octet */
		if ((text.p[i] & 0xc0) != 0x80 && at-- == 0)
			return text.p[i];
	return '\0';
}

void
words_key(struct slice line, char *key, size_t size)
{
	size_t n = 0;

	while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '-'))
		line = slice_of(line.p + 1, line.n - 1);
	while (n < line.n && (line.p[n] == '-' || (line.p[n] >= 'a' &&
	    line.p[n] <= 'z')))
		n++;
	if (n == line.n || line.p[n] != ':' || n >= size)
		n = 0;
	(void)slice_cpy(slice_of(line.p, n), key, size);
}

const char *
words_quoted(struct slice text, size_t at)
{
	char c = char_at(text, at);

	return c == '*' || c == '&' || c == '!' ? ", in \"quotes\" if it "
	    "begins so" : "";
}

/* Those of the reader, which have an offset and no line. */
static const char *
words_reader(const yaml_parser_t *p)
{
	if (strcmp(p->problem, "control characters are not allowed") == 0)
		return "a control character; would be right: text alone";
	return "an octet that is no UTF-8; would be right: the whole file in UTF-8";
}

const char *
words_syntax(const yaml_parser_t *p, struct slice text)
{
	static char buf[400];

	if (p->error == YAML_READER_ERROR)
		return words_reader(p);
	if (p->problem == NULL)
		return "out of memory; would be right: a smaller file";
	if (p->error == YAML_SCANNER_ERROR &&
	    char_at(text, p->problem_mark.index) == '\t')
		return "a tab; would be right: blanks";
	for (size_t i = 0; i < NITEMS(complaints); i++)
		if (is_complaint(i, p)) {
			snprintf(buf, sizeof(buf), complaints[i].text,
			    p->context_mark.line + 1);
			return buf;
		}
	snprintf(buf, sizeof(buf), "%s%s%s; would be right: KEY: VALUE",
	    p->problem, p->context == NULL ? "" : " ",
	    p->context == NULL ? "" : p->context);
	return buf;
}
