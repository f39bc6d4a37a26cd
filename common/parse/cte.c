/*
 * Content-Transfer-Encoding undone as far as it can be (RFC 2045 6.7, 6.8):
 * for searching and previews, so broken input gives its best reading and
 * never an error.  Block by block; state is a few octets.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/cte.h"
#include "parse/facts.h"

#define BLANKS_MAX	CTE_SLACK	/* trailing blanks of a line held back */

static size_t	 base64_block(struct cte *, const char *, size_t, char *);
static size_t	 qp_block(struct cte *, const char *, size_t, char *);
static size_t	 qp_escape(struct cte *, int, char *, int *);
static size_t	 qp_blanks(struct cte *, char *);
static size_t	 qp_flush(struct cte *, char *);
static int	 hex(int);

/* The value plus one; 0 for anything else, 65 for "=". */
static const uint8_t b64[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41,
	42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['+'] = 63, ['/'] = 64, ['='] = 65
};

size_t
cte_decode(struct cte *c, const char *in, size_t n, int last, char *out,
    size_t size)
{
	size_t k = 0;

	if (size < n + CTE_SLACK)
		return 0;
	switch (c->cte) {
	case CTE_NONE:
	case CTE_UNKNOWN:
		if (n > 0)
			memcpy(out, in, n);
		return n;
	case CTE_BASE64:
		return base64_block(c, in, n, out);
	case CTE_QP:
		k = qp_block(c, in, n, out);
		if (last) {
			c->blanks = 0;
			k += qp_flush(c, out + k);
		}
		return k;
	}
	return 0;
}

/* Other octets are skipped (RFC 2045 6.8); "=" starts anew, as when pieces
 * were encoded each for itself. */
static size_t
base64_block(struct cte *c, const char *in, size_t n, char *out)
{
	size_t i, k = 0;
	unsigned v;

	for (i = 0; i < n; i++) {
		v = b64[(unsigned char)in[i]];
		if (v == 65)
			c->bits = c->nbits = 0;
		if (v == 0 || v == 65)
			continue;
		c->bits = c->bits << 6 | (v - 1);
		c->nbits += 6;
		if (c->nbits >= 8) {
			c->nbits -= 8;
			out[k++] = (char)(c->bits >> c->nbits);
			c->bits &= (1u << c->nbits) - 1;
		}
	}
	return k;
}

/* hold has what follows an "=" that is not settled yet. */
static size_t
qp_block(struct cte *c, const char *in, size_t n, char *out)
{
	size_t i = 0, k = 0;
	int ch, taken;

	while (i < n) {
		ch = (unsigned char)in[i];
		if (c->held > 0) {
			k += qp_escape(c, ch, out + k, &taken);
			i += taken != 0;
		} else if (ch == '=') {
			k += qp_blanks(c, out + k);
			c->hold[c->held++] = '=';
			i++;
		} else if (ch == ' ') {
			if (c->blanks < BLANKS_MAX - sizeof(c->hold))
				c->blanks++;
			i++;
		} else {
			if (ch == '\r' || ch == '\n')
				c->blanks = 0;
			k += qp_blanks(c, out + k);
			while (i < n && in[i] != '=' && in[i] != ' ')
				out[k++] = in[i++];
		}
	}
	return k;
}

/*
 * One octet after "=", taken or to be looked at again.  "=" CRLF, with blanks
 * between, is a soft line break; "=XX" an octet; anything else is literal.
 */
static size_t
qp_escape(struct cte *c, int ch, char *out, int *taken)
{
	int first = (unsigned char)c->hold[1];

	*taken = 1;
	if (c->held == 1 && (hex(ch) != -1 || ch == '\r' || ch == ' ' ||
	    ch == '\t')) {
		c->hold[c->held++] = (char)ch;
		return 0;
	}
	if (ch == '\n' && (c->held == 1 || hex(first) == -1)) {
		c->held = 0;
		return 0;
	}
	if (c->held == 2 && hex(first) != -1 && hex(ch) != -1) {
		c->held = 0;
		out[0] = (char)(hex(first) << 4 | hex(ch));
		return 1;
	}
	if (c->held == 2 && (first == ' ' || first == '\t') &&
	    (ch == ' ' || ch == '\t' || ch == '\r'))
		return 0;
	*taken = 0;
	return qp_flush(c, out);
}

/* Blanks that turned out not to end the line. */
static size_t
qp_blanks(struct cte *c, char *out)
{
	size_t n = c->blanks;

	memset(out, ' ', n);
	c->blanks = 0;
	return n;
}

static size_t
qp_flush(struct cte *c, char *out)
{
	size_t n = c->held;

	if (n > 0)
		memcpy(out, c->hold, n);
	c->held = 0;
	return n;
}

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
