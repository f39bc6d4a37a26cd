/*
 * Capabilities of IMAP and POP3 (capability.h).
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/capability.h"

unsigned int
capability_front(bool starttls, bool login)
{
	return CAP_FRONT | (starttls ? CAP_TLS : 0) |
	    (login ? CAP_LOGIN : CAP_NOLOGIN);
}

const char *
capability_print(const struct capability *c, size_t n, unsigned int when,
    const char *hidden, const char *sep, char *text)
{
	size_t i;

	text[0] = '\0';
	for (i = 0; i < n; i++) {
		if (!(c[i].when & when) || (hidden != NULL &&
		    capability_among(hidden, c[i].name)))
			continue;
		if (text[0] != '\0')
			strlcat(text, sep, CAPABILITY_MAX);
		strlcat(text, c[i].name, CAPABILITY_MAX);
	}
	return text;
}

static bool
word_is(struct slice w, const char *name)
{
	struct slice n = slice_str(name);

	if (w.p[w.n - 1] != '*')
		return slice_caseeq(w, n);
	w.n--;
	return n.n >= w.n && slice_caseeq(w, slice_of(n.p, w.n));
}

bool
capability_among(const char *words, const char *name)
{
	struct slice left = slice_str(words), w;

	for (; left.n > 0; left = slice_of(w.p + w.n, left.n - w.n)) {
		if (left.p[0] == ' ') {
			w = slice_of(left.p, 1);
			continue;
		}
		w = slice_of(left.p, slice_find(left, ' '));
		if (word_is(w, name))
			return true;
	}
	return false;
}

bool
capability_words(const char *p)
{
	char last = ' ';

	for (; *p != '\0'; last = *p++)
		if ((*p == ' ' && last == ' ') || *p < ' ' || *p == 127 ||
		    strchr("(){%\"\\]", *p) != NULL)
			return false;
	return last != ' ';
}
