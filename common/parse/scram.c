/*
 * The two messages of a SCRAM client (RFC 5802 7), in authd.  A name that
 * leaves here can go into any line or record, as one of PLAIN; what is kept
 * as it came (nonce, what is signed) is printable ASCII or UTF-8 without NUL.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/charset.h"
#include "parse/err.h"
#include "parse/sasl.h"
#include "parse/scram.h"

static struct slice attribute(struct slice *);
static bool	 is(struct slice, char);
static int	 saslname(struct slice, char *, struct parse_err *);
static bool	 nonce_valid(struct slice, size_t max);
static int	 fail(struct parse_err *, const char *);

int
scram_first(struct slice msg, struct scram_first *f, struct parse_err *err)
{
	struct slice rest = msg, a;

	*f = (struct scram_first){ 0 };
	if (msg.n > SCRAM_MESSAGE_MAX || !utf8_valid(msg.p, msg.n) ||
	    memchr(msg.p, '\0', msg.n) != NULL)
		return fail(err, "SCRAM message too long or not text");
	if (scram_header(&rest, f, err) == -1)
		return -1;
	f->gs2 = slice_of(msg.p, msg.n - rest.n);
	f->bare = rest;
	if (rest.n == 0 || rest.p[rest.n - 1] == ',')
		return fail(err, "SCRAM message ends in a comma");
	a = attribute(&rest);
	if (!is(a, 'n'))
		return fail(err, "SCRAM name expected, or an extension");
	if (saslname(slice_of(a.p + 2, a.n - 2), f->user, err) == -1)
		return -1;
	a = attribute(&rest);
	if (!is(a, 'r') ||
	    !nonce_valid(f->nonce = slice_of(a.p + 2, a.n - 2),
	    SCRAM_NONCE_MAX))
		return fail(err, "SCRAM nonce missing or bad");
	while (rest.n > 0) {
		a = attribute(&rest);
		if (a.n < 2 || a.p[1] != '=' || a.p[0] == 'm')
			return fail(err, "SCRAM extension");
	}
	return 0;
}

int
scram_header(struct slice *rest, struct scram_first *f, struct parse_err *err)
{
	struct slice a;

	if (slice_find(*rest, ',') == rest->n)
		return fail(err, "SCRAM header expected");
	a = attribute(rest);
	if (slice_is(a, "n"))
		f->bind = SCRAM_BIND_NONE;
	else if (slice_is(a, "y"))
		f->bind = SCRAM_BIND_THOUGHT;
	else if (is(a, 'p') && a.n > 2) {
		f->bind = SCRAM_BIND_USED;
		f->type = slice_of(a.p + 2, a.n - 2);
	} else
		return fail(err, "SCRAM flag of channel binding expected");
	if (slice_find(*rest, ',') == rest->n)
		return fail(err, "SCRAM header has no end");
	a = attribute(rest);
	if (a.n == 0)
		return 0;
	if (!is(a, 'a'))
		return fail(err, "SCRAM authzid expected");
	return saslname(slice_of(a.p + 2, a.n - 2), f->authzid, err);
}

int
scram_final(struct slice msg, struct scram_final *f, struct parse_err *err)
{
	struct slice rest = msg, a;
	uint8_t proof[SCRAM_PROOF + 1];

	*f = (struct scram_final){ 0 };
	if (msg.n > SCRAM_MESSAGE_MAX || !utf8_valid(msg.p, msg.n) ||
	    memchr(msg.p, '\0', msg.n) != NULL)
		return fail(err, "SCRAM message too long or not text");
	a = attribute(&rest);
	if (!is(a, 'c'))
		return fail(err, "SCRAM channel binding expected");
	f->binding = slice_of(a.p + 2, a.n - 2);
	a = attribute(&rest);
	if (!is(a, 'r') ||
	    !nonce_valid(f->nonce = slice_of(a.p + 2, a.n - 2),
	    SCRAM_MESSAGE_MAX))
		return fail(err, "SCRAM nonce missing or bad");
	do {
		if (rest.n == 0)
			return fail(err, "SCRAM proof expected");
		a = attribute(&rest);
		if (a.n < 2 || a.p[1] != '=' || a.p[0] == 'm')
			return fail(err, "SCRAM extension");
	} while (a.p[0] != 'p');
	if (rest.n > 0 || a.p + a.n != msg.p + msg.n)
		return fail(err, "SCRAM proof is not the last");
	f->bare = slice_of(msg.p, (size_t)(a.p - 1 - msg.p));
	if (base64_decode(a.p + 2, a.n - 2, (char *)proof, sizeof(proof)) !=
	    SCRAM_PROOF)
		return fail(err, "SCRAM proof has not its size");
	memcpy(f->proof, proof, SCRAM_PROOF);
	return 0;
}

/* Up to the next comma, which is taken; the rest then begins behind it. */
static struct slice
attribute(struct slice *rest)
{
	size_t n = slice_find(*rest, ',');
	struct slice a = slice_of(rest->p, n);

	n += n < rest->n;
	*rest = slice_of(rest->p + n, rest->n - n);
	return a;
}

static bool
is(struct slice a, char name)
{
	return a.n >= 2 && a.p[0] == name && a.p[1] == '=';
}

/* =2C is a comma, =3D an equals sign, and no other one is there.  out has
 * SASL_FIELD_MAX + 1 octets. */
static int
saslname(struct slice in, char *out, struct parse_err *err)
{
	size_t i, n = 0;
	char c;

	for (i = 0; i < in.n && n < SASL_FIELD_MAX; i++) {
		c = in.p[i];
		if (c == '=') {
			if (in.n - i < 3)
				return fail(err, "SCRAM name ends in =");
			if (memcmp(in.p + i, "=2C", 3) == 0)
				c = ',';
			else if (memcmp(in.p + i, "=3D", 3) != 0)
				return fail(err, "SCRAM name has a bare =");
			i += 2;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	if (i < in.n || !sasl_field_valid(slice_of(out, n)))
		return fail(err, "SCRAM name empty, too long or not text");
	return 0;
}

/* printable (RFC 5802 7): %x21-2B / %x2D-7E */
static bool
nonce_valid(struct slice s, size_t max)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0 && s.n <= max;
}

static int
fail(struct parse_err *err, const char *why)
{
	if (err != NULL)
		*err = (struct parse_err){ 0, why };
	return -1;
}
