/*
 * Encoded words in header fields (RFC 2047) and the parameters of
 * Content-Type and Content-Disposition with their continuations (RFC 2045
 * 5.1, RFC 2231).  Linear and bounded; broken text is shown, not refused.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "parse/words.h"

#define PIECES_MAX	128	/* parameters looked at in one field */
#define CHUNK		256	/* octets decoded at a time */

/* Decoded text on its way out. */
struct words {
	char	*out;
	size_t	 n, size;
	struct charset cs;	/* of what waits in raw */
	size_t	 rawn;
	char	 raw[2 * CHUNK + CTE_SLACK];
};

/* One parameter as written. */
struct piece {
	struct slice	 name;	/* without *N and * */
	int		 num;	/* *N, or -1 */
	int		 ext;	/* a final * */
	struct slice	 value;	/* quotes included */
};

static int	 word_split(struct slice, struct slice *, int *,
		    struct slice *, size_t *);
static void	 word_put(struct words *, int, int, struct slice);
static void	 raw_flush(struct words *, int);
static void	 plain_put(struct words *, struct slice);
static size_t	 q_decode(const char *, size_t, char *);
static int	 hex_pair(const char *, size_t);
static size_t	 pieces_parse(struct slice, struct piece *);
static size_t	 value_len(struct slice);
static struct slice strip_comment(struct slice);
static void	 piece_name(struct slice, struct piece *);
static size_t	 piece_put(const struct piece *, int, char *, size_t);
static const struct piece *piece_find(const struct piece *, size_t,
		    struct slice, int);

size_t
words_decode(struct slice v, char *out, size_t size)
{
	struct words w = { .out = out, .size = size };
	struct slice cs, text, gap = { v.p, 0 };
	size_t i = 0, start = 0, len, count = 0;
	int enc, after = 0;

	while (i < v.n) {
		const char *q = memchr(v.p + i, '=', v.n - i);

		if (q == NULL || count == WORDS_MAX)
			break;
		i = (size_t)(q - v.p);
		if (!word_split(slice_of(q, v.n - i), &cs, &enc, &text,
		    &len)) {
			i++;
			continue;
		}
		/* Blanks between two encoded words are not there. */
		gap = slice_of(v.p + start, i - start);
		if (!after || slice_trim(gap).n > 0) {
			raw_flush(&w, 1);
			plain_put(&w, gap);
		}
		word_put(&w, charset_find(cs), enc, text);
		after = 1;
		count++;
		i += len;
		start = i;
	}
	raw_flush(&w, 1);
	plain_put(&w, slice_of(v.p + start, v.n - start));
	return w.n;
}

void
params_parse(struct slice v, struct params *out, char *buf, size_t size)
{
	struct piece piece[PIECES_MAX];
	const struct piece *q;
	struct param *p;
	size_t i, n, used = 0, type;
	int k;

	type = slice_find(v, ';');
	out->n = 0;
	out->type = strip_comment(slice_of(v.p, type));
	n = type < v.n ? pieces_parse(slice_of(v.p + type + 1,
	    v.n - type - 1), piece) : 0;
	for (i = 0; i < n && out->n < MIME_PARAMS_MAX; i++) {
		if (piece[i].num > 0 || piece[i].name.n == 0)
			continue;
		p = &out->v[out->n++];
		p->name = piece[i].name;
		p->extended = piece[i].ext;
		p->value.p = buf + used;
		used += piece_put(&piece[i], 0, buf + used, size - used);
		for (k = 1; piece[i].num == 0; k++) {
			if ((q = piece_find(piece, n, p->name, k)) == NULL)
				break;
			used += piece_put(q, p->extended && !q->ext,
			    buf + used, size - used);
		}
		p->value.n = (size_t)(buf + used - p->value.p);
	}
}

const struct param *
params_get(const struct params *ps, const char *name)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		if (slice_caseis(ps->v[i].name, name))
			return &ps->v[i];
	return NULL;
}

size_t
param_utf8(const struct param *p, char *out, size_t size)
{
	struct words w = { .out = out, .size = size };
	struct slice cs, text = p->value;
	size_t i, q;
	int c;

	if (!p->extended)
		return words_decode(p->value, out, size);
	/* charset'language'text */
	cs = slice_of(text.p, slice_find(text, '\''));
	q = cs.n < text.n ? cs.n + 1 : 0;
	q += slice_find(slice_of(text.p + q, text.n - q), '\'');
	if (q < text.n)
		text = slice_of(text.p + q + 1, text.n - q - 1);
	w.cs.id = charset_find(cs);
	for (i = 0; i < text.n; i++) {
		c = text.p[i] == '%' ? hex_pair(text.p + i + 1,
		    text.n - i - 1) : -1;
		if (c != -1)
			i += 2;
		w.raw[w.rawn++] = c != -1 ? (char)c : text.p[i];
		if (w.rawn == CHUNK)
			raw_flush(&w, 0);
	}
	raw_flush(&w, 1);
	return w.n;
}

/* "=?charset*lang?enc?text?=" at the start of s; 1 if it is one. */
static int
word_split(struct slice s, struct slice *cs, int *enc, struct slice *text,
    size_t *len)
{
	size_t a, b;

	if (s.n < 8 || s.p[1] != '?')
		return 0;
	*cs = slice_of(s.p + 2, s.n - 2);
	cs->n = slice_find(*cs, '?');
	a = cs->n + 3;
	if (cs->n == 0 || cs->n > 64 || a + 3 > s.n || s.p[a + 1] != '?')
		return 0;
	*enc = ascii_lower((unsigned char)s.p[a]);
	*text = slice_of(s.p + a + 2, s.n - a - 2);
	text->n = b = slice_find(*text, '?');
	if ((*enc != 'q' && *enc != 'b') || a + b + 4 > s.n ||
	    s.p[a + b + 3] != '=')
		return 0;
	cs->n = slice_find(*cs, '*');
	*len = a + b + 4;
	return 1;
}

static void
word_put(struct words *w, int charset, int enc, struct slice text)
{
	struct cte b64 = { .cte = CTE_BASE64 };
	size_t k;

	if (charset != w->cs.id)
		raw_flush(w, 1);
	w->cs.id = charset;
	while (text.n > 0) {
		k = text.n < CHUNK ? text.n : CHUNK;
		/* do not cut =XX */
		if (enc == 'q' && k < text.n && text.p[k - 1] == '=')
			k -= 1;
		else if (enc == 'q' && k < text.n && text.p[k - 2] == '=')
			k -= 2;
		if (enc == 'q')
			w->rawn += q_decode(text.p, k, w->raw + w->rawn);
		else
			w->rawn += cte_decode(&b64, text.p, k, 0,
			    w->raw + w->rawn, sizeof(w->raw) - w->rawn);
		raw_flush(w, 0);
		text = slice_of(text.p + k, text.n - k);
	}
}

/* Unless last, a cut character stays for the next word of the charset. */
static void
raw_flush(struct words *w, int last)
{
	size_t i, used, start = w->n;

	w->n += charset_utf8(&w->cs, w->raw, w->rawn, last,
	    w->out + w->n, w->size - w->n, &used);
	for (i = start; i < w->n; i++)	/* no line of its own, no NUL */
		if ((unsigned char)w->out[i] < 32 || w->out[i] == 127)
			w->out[i] = ' ';
	w->rawn -= used;
	memmove(w->raw, w->raw + used, w->rawn);
	if (last || w->rawn > CHARSET_CUT)	/* no room left in out */
		w->rawn = 0;
}

/* Text as it stands, unfolded; 8-bit is taken for UTF-8. */
static void
plain_put(struct words *w, struct slice s)
{
	size_t k;

	w->cs.id = CHARSET_UTF8;
	while (s.n > 0) {
		k = s.n < CHUNK ? s.n : utf8_cut(s.p, CHUNK);
		w->rawn = header_unfold(slice_of(s.p, k), w->raw,
		    sizeof(w->raw));
		raw_flush(w, 1);
		s = slice_of(s.p + k, s.n - k);
	}
}

static size_t
q_decode(const char *in, size_t n, char *out)
{
	size_t i, k = 0;
	int c;

	for (i = 0; i < n; i++) {
		c = in[i] == '=' ? hex_pair(in + i + 1, n - i - 1) : -1;
		if (c != -1)
			i += 2;
		out[k++] = c != -1 ? (char)c : in[i] == '_' ? ' ' : in[i];
	}
	return k;
}

/* Two hex digits as an octet, or -1. */
static int
hex_pair(const char *p, size_t n)
{
	int i, c, v = 0;

	if (n < 2)
		return -1;
	for (i = 0; i < 2; i++) {
		c = ascii_lower((unsigned char)p[i]);
		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* name=value;name=value... as written. */
static size_t
pieces_parse(struct slice s, struct piece *piece)
{
	struct slice one, name;
	size_t n = 0;

	while (s.n > 0 && n < PIECES_MAX) {
		one = slice_of(s.p, value_len(s));
		s = one.n < s.n ? slice_of(s.p + one.n + 1, s.n - one.n - 1) :
		    slice_of(s.p + s.n, 0);
		name = slice_of(one.p, slice_find(one, '='));
		if (name.n == one.n)
			continue;
		piece[n].value = slice_trim(slice_of(one.p + name.n + 1,
		    one.n - name.n - 1));
		piece_name(slice_trim(name), &piece[n]);
		n++;
	}
	return n;
}

/* Up to a ";" outside quotes. */
static size_t
value_len(struct slice s)
{
	size_t i;
	int quoted = 0;

	for (i = 0; i < s.n && (quoted || s.p[i] != ';'); i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\' && quoted && i + 1 < s.n)
			i++;
	}
	return i;
}

static struct slice
strip_comment(struct slice s)
{
	s.n = slice_find(s, '(');
	return slice_trim(s);
}

/* "name*2*" into its parts; a number out of sense makes it no name. */
static void
piece_name(struct slice s, struct piece *p)
{
	size_t star;
	uint64_t v;

	p->num = -1;
	p->ext = 0;
	if (s.n > 0 && s.p[s.n - 1] == '*') {
		p->ext = 1;
		s.n--;
	}
	star = slice_find(s, '*');
	if (star < s.n) {
		if (slice_number(slice_of(s.p + star + 1, s.n - star - 1),
		    PIECES_MAX, &v) == -1)
			star = v = 0;
		p->num = (int)v;
		s.n = star;
	}
	p->name = s;
}

/* The value unquoted and unfolded; pct: "%" becomes "%25", so that it can
 * be joined to extended text. */
static size_t
piece_put(const struct piece *p, int pct, char *out, size_t size)
{
	struct slice v = p->value;
	size_t i = 0, n = 0;
	int quoted, c;

	if (v.n > 0 && v.p[0] == '(') {
		i = slice_find(v, ')');
		v = i < v.n ? slice_trim(slice_of(v.p + i + 1, v.n - i - 1)) :
		    slice_of(v.p, 0);
	}
	quoted = v.n > 0 && v.p[0] == '"';
	if (!quoted)
		v = strip_comment(v);
	for (i = (size_t)quoted; i < v.n && n + 3 <= size; i++) {
		c = (unsigned char)v.p[i];
		if (quoted && c == '"')
			break;
		if (quoted && c == '\\' && i + 1 < v.n)
			c = (unsigned char)v.p[++i];
		if (c == '\r' || c == '\n')
			continue;
		out[n++] = c < 32 || c == 127 ? ' ' : (char)c;
		if (pct && c == '%') {
			out[n++] = '2';
			out[n++] = '5';
		}
	}
	return n;
}

static const struct piece *
piece_find(const struct piece *piece, size_t n, struct slice name, int num)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (piece[i].num == num && slice_caseeq(piece[i].name, name))
			return &piece[i];
	return NULL;
}
