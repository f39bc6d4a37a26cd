/*
 * The DKIM body hash, computed while the body passes by (RFC 6376 3.4.3,
 * 3.4.4, 3.7).  smtpd runs it over what it receives, the verifier over
 * what it checks.  Runs that stay as they are go into the digest whole; only
 * blanks and line ends are looked at one by one.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/verify.h"

struct dkim_body {
	enum dkim_canon	 canon;
	uint64_t	 limit;		/* l= */
	uint64_t	 len;		/* canonical octets so far */
	uint64_t	 newlines;	/* CRLFs that wait for what follows */
	int		 cr;		/* a CR that waits */
	int		 blank;		/* blanks that wait (relaxed) */
	int		 some;		/* there was anything but CRLF */
	struct digest	 digest;
};

/* An octet, eight times. */
#define EACH(c)	(UINT64_C(0x0101010101010101) * (c))

static size_t	 run_relaxed(const char *, size_t);
static size_t	 run_simple(const char *, size_t);
static void	 body_octet(struct dkim_body *, char);
static void	 body_put(struct dkim_body *, const char *, size_t);
static void	 body_waiting(struct dkim_body *);

struct dkim_body *
dkim_body_new(enum dkim_canon canon, uint64_t limit)
{
	struct dkim_body *b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->canon = canon;
	b->limit = limit;
	dkim_body_reset(b);
	if (b->digest.ctx == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

void
dkim_body_start(struct dkim_body *b, enum dkim_canon canon, uint64_t limit)
{
	b->canon = canon;
	b->limit = limit;
	dkim_body_reset(b);
}

void
dkim_body_reset(struct dkim_body *b)
{
	b->len = b->newlines = 0;
	b->cr = b->blank = b->some = 0;
	digest_start(&b->digest);
}

void
dkim_body_feed(struct dkim_body *b, const char *p, size_t n)
{
	size_t i = 0, run;

	while (i < n) {
		if (b->cr || b->blank || b->newlines > 0) {
			body_octet(b, p[i++]);
			continue;
		}
		run = b->canon == DKIM_RELAXED ? run_relaxed(p + i, n - i) :
		    run_simple(p + i, n - i);
		if (run > 0)
			body_put(b, p + i, run);
		i += run;
		if (i < n)
			body_octet(b, p[i++]);
	}
}

int
dkim_body_end(struct dkim_body *b, uint8_t hash[DKIM_HASH], uint64_t *len)
{
	if (b->cr) {
		body_waiting(b);
		body_put(b, "\r", 1);
	}
	/* Blanks that end the body are dropped, as at any line's end. */
	if (b->some || b->canon == DKIM_SIMPLE)
		body_put(b, "\r\n", 2);
	if (len != NULL)
		*len = b->len;
	return digest_end(&b->digest, hash);
}

void
dkim_body_free(struct dkim_body *b)
{
	if (b == NULL)
		return;
	digest_free(&b->digest);
	free(b);
}

/*
 * Octets from p on that are canonical as they are, whatever follows them: a
 * single space before text, a CRLF before text, text.
 */
static size_t
run_relaxed(const char *p, size_t n)
{
	const uint8_t *s = (const uint8_t *)p;
	size_t i = 0;

	for (;;) {
		i += dkim_words(p + i, n - i);
		while (i < n && s[i] > ' ')
			i++;
		if (i + 1 < n && s[i] == ' ' && s[i + 1] > ' ')
			i += 2;
		else if (i + 2 < n && s[i] == '\r' && s[i + 1] == '\n' &&
		    s[i + 2] > ' ')
			i += 3;
		else
			return i;
	}
}

/* The octets above one that is found may be taken for another, which only
 * ends the run early. */
size_t
dkim_words(const char *p, size_t n)
{
	uint64_t x, control, space;
	size_t i = 0;

	while (n - i >= sizeof(x)) {
		memcpy(&x, p + i, sizeof(x));
		control = (x - EACH(0x20)) & ~x & EACH(0x80);
		space = x ^ EACH(0x20);
		space = (space - EACH(0x01)) & ~space & EACH(0x80);
		if (control != 0 || (space & space << 8) != 0)
			break;
		i += sizeof(x) - (p[i + sizeof(x) - 1] == ' ');
	}
	return i;
}

/* As above; only line ends can be in doubt. */
static size_t
run_simple(const char *p, size_t n)
{
	const char *q = p, *end = p + n;

	for (;;) {
		q = memchr(q, '\r', (size_t)(end - q));
		if (q == NULL)
			return n;
		if (end - q < 3 || q[1] != '\n' || q[2] == '\r')
			return (size_t)(q - p);
		q += 3;
	}
}

static void
body_octet(struct dkim_body *b, char c)
{
	if (b->cr && c == '\n') {
		b->cr = b->blank = 0;
		b->newlines++;
		return;
	}
	if (b->cr) {			/* a CR alone is text */
		b->cr = 0;
		body_waiting(b);
		body_put(b, "\r", 1);
	}
	if (c == '\r') {
		b->cr = 1;
	} else if (b->canon == DKIM_RELAXED && (c == ' ' || c == '\t')) {
		b->blank = 1;
	} else {
		body_waiting(b);
		body_put(b, &c, 1);
	}
}

/* What waited is followed by text, so it counts. */
static void
body_waiting(struct dkim_body *b)
{
	uint64_t n = b->newlines;

	for (b->newlines = 0; n > 0; n--)
		body_put(b, "\r\n", 2);
	if (b->blank)
		body_put(b, " ", 1);
	b->blank = 0;
}

static void
body_put(struct dkim_body *b, const char *p, size_t n)
{
	uint64_t room = b->len < b->limit ? b->limit - b->len : 0;

	b->some = 1;
	b->len += n;
	digest_put(&b->digest, p, n < room ? n : (size_t)room);
}
