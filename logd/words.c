/*
 * A line's text taken apart: words, keys and values, and what may be looked up
 * in them.  Pure.  The text was made by log_text() and log_quote(), so a value
 * ends at a blank, or at its second quote; lines of an older release and of
 * others are read as well as they can be.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "logd/logd.h"

/* What stands between tokens. */
static const bool between[256] = {
	[' '] = true, ['"'] = true, ['<'] = true, ['>'] = true, [','] = true,
	['('] = true, [')'] = true, ['['] = true, [']'] = true, [';'] = true,
};

bool
words_next(struct slice *rest, struct word *w)
{
	struct slice s = *rest;
	size_t n = 0, end;

	while (s.n > 0 && s.p[0] == ' ')
		s = slice_of(s.p + 1, s.n - 1);
	if (s.n == 0)
		return false;
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '=')
		n++;
	w->key = slice_of(s.p, 0);
	if (n < s.n && s.p[n] == '=') {
		w->key.n = n;
		s = slice_of(s.p + n + 1, s.n - n - 1);
	}
	if (s.n > 0 && s.p[0] == '"') {
		end = slice_find(slice_of(s.p + 1, s.n - 1), '"') + 1;
		w->value = slice_of(s.p + 1, end - 1);
		end += end < s.n;
	} else {
		end = slice_find(s, ' ');
		w->value = slice_of(s.p, end);
	}
	*rest = slice_of(s.p + end, s.n - end);
	return true;
}

/* What stands around a token in a sentence. */
static struct slice
bare(const char *p, const char *q)
{
	while (q > p && (q[-1] == '.' || q[-1] == ':' || q[-1] == '\''))
		q--;
	while (p < q && (*p == '\'' || *p == ':'))
		p++;
	return slice_of(p, (size_t)(q - p));
}

/* "<a@b>" and "mx.test[192.0.2.1]:25," in pieces. */
bool
words_token(struct slice *value, struct slice *token)
{
	const char *p = value->p, *end = p + value->n, *q;

	for (token->n = 0; token->n == 0 && p < end; p = q) {
		if (*p == '<') {
			for (q = ++p; q < end && *q != '>' && *q != ' '; q++)
				;
			*token = slice_of(p, (size_t)(q - p));
		} else if (between[(unsigned char)*p])
			q = p + 1;
		else {
			for (q = p; q < end && !between[(unsigned char)*q];
			    q++)
				;
			*token = bare(p, q);
		}
	}
	*value = slice_of(p, (size_t)(end - p));
	return token->n > 0;
}

static bool
number_take(struct slice *s, uint32_t *v)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s->n && s->p[i] >= '0' && s->p[i] <= '9' &&
	    n <= UINT32_MAX; i++)
		n = n * 10 + (uint64_t)(s->p[i] - '0');
	if (i == 0 || n > UINT32_MAX)
		return false;
	*v = (uint32_t)n;
	*s = slice_of(s->p + i, s->n - i);
	return true;
}

static bool
take(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_of(s->p + 1, s->n - 1);
	return true;
}

bool
words_place(struct slice s, struct place *at, struct slice *uids)
{
	*at = (struct place){ 0 };
	if (!number_take(&s, &at->account) || !take(&s, ':') ||
	    !number_take(&s, &at->uidvalidity) || !take(&s, '.'))
		return false;
	*uids = s;
	return words_range(&s, &at->first, &at->last);
}

bool
words_range(struct slice *s, uint32_t *first, uint32_t *last)
{
	take(s, ',');
	if (!number_take(s, first))
		return false;
	*last = *first;
	if (take(s, '-') && !number_take(s, last))
		return false;
	return *last >= *first;
}

/* "0104f2a9b3c1d.12", "6b0d2fb5.1f", "q6b0d2fb5.2", "0f0038df002c3dfa". */
bool
words_is_id(struct slice s)
{
	size_t i, dots = 0, digits = 0;
	char c;

	if (s.n > 1 && s.p[0] == 'q')
		s = slice_of(s.p + 1, s.n - 1);
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '.' && i > 0 && i + 1 < s.n && ++dots == 1)
			continue;
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return false;
		digits += c <= '9';
	}
	return s.n >= 6 && s.n <= 40 && digits > 0;
}
