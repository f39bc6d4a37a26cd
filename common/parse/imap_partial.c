/*
 * What picks some of many messages: "$", the result that the last SEARCH
 * saved (RFC 5182), and PARTIAL's range of a result (RFC 9394).
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"
#include "parse/imap_parse.h"

static int	 place_take(struct imap_in *, bool, uint32_t *);

int
imap_saved(struct imap_in *in)
{
	int next;

	if (imap_peek(in) != '$')
		return 0;
	next = in->off + 1 < in->n ? (unsigned char)in->p[in->off + 1] : -1;
	if (next != -1 && next != ' ' && next != ')' && next != '\r')
		return 0;
	in->off++;
	return 1;
}

int
imap_partial(struct imap_in *in, struct imap_partial *p)
{
	size_t start = in->off;

	p->last = imap_peek(in) == '-';
	if (place_take(in, p->last, &p->from) == -1)
		return -1;
	if (imap_peek(in) != ':')
		imap_fail(in, "':' and a second number");
	else {
		in->off++;
		if (place_take(in, p->last, &p->to) == 0)
			return 0;
	}
	in->off = start;
	return -1;
}

uint32_t
imap_partial_reach(const struct imap_partial *p)
{
	return p->from > p->to ? p->from : p->to;
}

size_t
imap_partial_pick(const struct imap_partial *p, size_t n, size_t *first)
{
	size_t lo = p->from < p->to ? p->from : p->to;
	size_t hi = imap_partial_reach(p);

	*first = 0;
	if (lo > n)
		return 0;
	if (hi > n)
		hi = n;
	*first = p->last ? n - hi : lo - 1;
	return hi - lo + 1;
}

int
imap_partial_print(const struct imap_partial *p, char *out, size_t size)
{
	const char *sign = p->last ? "-" : "";

	return snprintf(out, size, "%s%u:%s%u", sign, p->from, sign, p->to);
}

/* nz-number, with "-" before it or not, as the first one had. */
static int
place_take(struct imap_in *in, bool minus, uint32_t *n)
{
	static const char *const wanted[] = { "a number from 1",
	    "'-' and a number from 1" };
	size_t start = in->off;

	if (minus) {
		if (imap_peek(in) != '-')
			return imap_fail(in, wanted[1]);
		in->off++;
	}
	if (imap_number(in, n) == 0 && *n > 0)
		return 0;
	in->off = start;
	return imap_fail(in, wanted[minus]);
}
