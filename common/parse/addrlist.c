/*
 * Address lists of From, To, Cc and the like (RFC 5322 3.4 with the obsolete
 * forms of 4.4), item by item.  Everything that people and programs write is
 * given some reading; each octet is looked at a fixed number of times.
 * mime.c makes ENVELOPE from it; DMARC takes the author from it.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/charset.h"

/* Room in addritem.buf for each string. */
#define NAME_MAX_	768
#define ROUTE_MAX_	160
#define LOCAL_MAX_	288
#define DOMAIN_MAX_	320

/* What one item reaches over, and where its marks are. */
struct span {
	struct slice	 text;		/* without the delimiter */
	int		 delim;		/* ',' ';' ':' or 0 at the end */
	size_t		 angle;		/* offset of '<', or text.n */
	size_t		 comment;	/* offset of the last '(', or text.n */
};

static void	 span_find(const struct addrlist *, struct span *);
static size_t	 skip_quoted(struct slice, size_t);
static size_t	 skip_comment(struct slice, size_t);
static void	 item_mailbox(struct addritem *, const struct span *);
static void	 item_spec(struct addritem *, struct slice);
static size_t	 find_outside(struct slice, int);
static size_t	 word_next(struct slice, size_t);
static int	 has_word(struct slice);
static int	 only_comments(struct slice);
static struct slice put_words(struct addritem *, struct slice, size_t,
		    size_t, int);
static struct slice put_comment(struct addritem *, struct slice);
static int	 is_blank(int);

void
addrlist_start(struct addrlist *l, struct slice value)
{
	*l = (struct addrlist){ .in = value };
}

int
addrlist_next(struct addrlist *l, struct addritem *it)
{
	struct span s;

	it->cut = it->odd = 0;
	it->name = it->route = it->domain = slice_of(NULL, 0);
	it->local = slice_of(it->buf, 0);
	while (l->off < l->in.n && l->count < ADDRLIST_MAX) {
		span_find(l, &s);
		l->off += s.text.n + (s.delim != 0);
		if (s.delim == ':') {
			l->ingroup = 1;
			l->count++;
			it->kind = ADDRITEM_GROUP;
			it->name = put_words(it, s.text, 0, NAME_MAX_, ' ');
			return 1;
		}
		if (s.delim == ';' && l->ingroup && only_comments(s.text)) {
			l->ingroup = 0;
			l->count++;
			it->kind = ADDRITEM_GROUP_END;
			return 1;
		}
		if (s.delim == ';' && l->ingroup)
			l->off--;	/* the end comes next, by itself */
		if (only_comments(s.text))
			continue;	/* ",," and lone comments */
		it->kind = ADDRITEM_MAILBOX;
		item_mailbox(it, &s);
		if (it->name.p == NULL && it->local.n == 0 &&
		    it->domain.p == NULL)
			continue;	/* "<>" */
		l->count++;
		return 1;
	}
	if (!l->ingroup)
		return 0;
	l->ingroup = 0;
	it->kind = ADDRITEM_GROUP_END;
	return 1;
}

/* Up to "," or ";", or ":" that makes a group. */
static void
span_find(const struct addrlist *l, struct span *s)
{
	struct slice in = slice_of(l->in.p + l->off, l->in.n - l->off);
	size_t i;
	int at = 0, angle = 0;

	*s = (struct span){ .text = in, .angle = in.n, .comment = in.n };
	for (i = 0; i < in.n; i++) {
		switch (in.p[i]) {
		case '"':
			i = skip_quoted(in, i);
			break;
		case '(':
			s->comment = i;
			i = skip_comment(in, i);
			break;
		case '@':
			at = 1;
			break;
		case '<':
			if (s->angle == in.n)
				s->angle = i;
			angle = 1;
			break;
		case '>':
			angle = 0;
			break;
		case ':':
			if (at || angle || l->ingroup || s->angle < in.n)
				break;
			/* FALLTHROUGH */
		case ',':
		case ';':
			if (angle)
				break;
			s->delim = in.p[i];
			s->text.n = i;
			if (s->angle == in.n)
				s->angle = i;
			if (s->comment == in.n)
				s->comment = i;
			return;
		}
	}
}

/* Offset of the closing quote, or of the last octet. */
static size_t
skip_quoted(struct slice s, size_t i)
{
	for (i++; i < s.n && s.p[i] != '"'; i++)
		if (s.p[i] == '\\')
			i++;
	return i < s.n ? i : s.n - 1;
}

/* Offset of the parenthesis that closes it, or of the last octet. */
static size_t
skip_comment(struct slice s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i;
	}
	return s.n - 1;
}

static void
item_mailbox(struct addritem *it, const struct span *s)
{
	struct slice spec = s->text, phrase;
	size_t n;

	if (s->angle < s->text.n) {
		phrase = slice_of(s->text.p, s->angle);
		spec = slice_of(s->text.p + s->angle + 1,
		    s->text.n - s->angle - 1);
		n = find_outside(spec, '>');
		it->odd = n < spec.n && has_word(slice_of(spec.p + n + 1,
		    spec.n - n - 1));
		spec.n = n;
		it->name = put_words(it, phrase, 0, NAME_MAX_, ' ');
		spec = slice_trim(spec);
		n = find_outside(spec, ':');
		if (spec.n > 0 && spec.p[0] == '@' && n < spec.n) {
			it->route = put_words(it, slice_of(spec.p, n),
			    NAME_MAX_, ROUTE_MAX_, 0);
			spec = slice_of(spec.p + n + 1, spec.n - n - 1);
		}
	}
	item_spec(it, spec);
	if (it->name.n == 0)
		it->name = slice_of(NULL, 0);
	if (it->name.p == NULL && s->comment < s->text.n)
		it->name = put_comment(it, slice_of(s->text.p + s->comment,
		    s->text.n - s->comment));
}

/*
 * local@domain.  Words in front of it are a name, words behind it nothing;
 * without "@" one word is the local part, several are a name.
 */
static void
item_spec(struct addritem *it, struct slice spec)
{
	struct slice local, domain;
	size_t at = find_outside(spec, '@'), start = 0, i;

	local = slice_of(spec.p, at);
	while ((i = word_next(local, start)) < local.n)
		start = i;
	it->odd |= start > 0 && at < spec.n;
	if (start > 0 && it->name.n == 0)
		it->name = put_words(it, slice_of(local.p,
		    at < spec.n ? start : local.n), 0, NAME_MAX_, ' ');
	if (start > 0 && at == spec.n)
		start = local.n;
	it->local = put_words(it, slice_of(local.p + start, local.n - start),
	    NAME_MAX_ + ROUTE_MAX_, LOCAL_MAX_, 0);
	if (at == spec.n)
		return;
	domain = slice_of(spec.p + at + 1, spec.n - at - 1);
	i = find_outside(domain, '>');
	i = word_next(slice_of(domain.p, i), 0);
	it->odd |= i < domain.n;
	domain.n = i;
	it->domain = put_words(it, domain, NAME_MAX_ + ROUTE_MAX_ +
	    LOCAL_MAX_, DOMAIN_MAX_, 0);
}

/*
 * Where the word behind the one at i starts, or s.n.  Blanks and comments
 * part words, but not around a dot (RFC 5322 4.4).
 */
static size_t
word_next(struct slice s, size_t i)
{
	int prev = '.', blank = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '(' || is_blank((unsigned char)s.p[i])) {
			if (s.p[i] == '(')
				i = skip_comment(s, i);
			blank = 1;
			continue;
		}
		if (blank && prev != '.' && s.p[i] != '.')
			return i;
		blank = 0;
		if (s.p[i] == '"')
			i = skip_quoted(s, i);
		prev = s.p[i];
	}
	return s.n;
}

/* Is there anything but blanks and comments? */
static int
has_word(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '(')
			i = skip_comment(s, i);
		else if (!is_blank((unsigned char)s.p[i]))
			return 1;
	}
	return 0;
}

/* None at all, too.  A comment that nothing closes is broken text, to show. */
static int
only_comments(struct slice s)
{
	s = slice_trim(s);
	return !has_word(s) && (s.n == 0 || s.p[s.n - 1] == ')');
}

/* Where c is outside quotes and comments, or s.n. */
static size_t
find_outside(struct slice s, int c)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] != c; i++) {
		if (s.p[i] == '"')
			i = skip_quoted(s, i);
		else if (s.p[i] == '(')
			i = skip_comment(s, i);
	}
	return i;
}

/*
 * Words without quotes and comments into buf[off..off+max), blanks between
 * them as one sep, or none if sep is 0.
 */
static struct slice
put_words(struct addritem *it, struct slice s, size_t off, size_t max,
    int sep)
{
	char *out = it->buf + off;
	size_t i, n = 0;
	int quoted = 0, blank = 0;

	for (i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && quoted && i + 1 < s.n)
			c = (unsigned char)s.p[++i];
		else if (!quoted && (c == '(' || is_blank(c))) {
			if (c == '(')
				i = skip_comment(s, i);
			blank = sep != 0 && n > 0;
			continue;
		}
		if (c == '\r' || c == '\n')
			continue;
		if (n + 2 > max) {
			it->cut = 1;
			break;
		}
		if (blank)
			out[n++] = (char)sep;
		blank = 0;
		out[n++] = c < 32 || c == 127 ? ' ' : (char)c;
	}
	return slice_of(out, it->cut ? utf8_cut(out, n) : n);
}

/* The text in the parentheses, as a display name. */
static struct slice
put_comment(struct addritem *it, struct slice s)
{
	size_t i, n = 0, end = skip_comment(s, 0);
	int c;

	if (end > 0 && s.p[end] != ')')
		end++;			/* not closed */
	for (i = 1; i < end && n < NAME_MAX_; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\\' && i + 1 < end)
			c = (unsigned char)s.p[++i];
		if (c == '\r' || c == '\n')
			continue;
		it->buf[n++] = c < 32 || c == 127 ? ' ' : (char)c;
	}
	return n > 0 ? slice_of(it->buf, n) : slice_of(NULL, 0);
}

static int
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
