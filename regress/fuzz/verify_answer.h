/*
 * A hostile DNS for the fuzz entries of the verdict engine: every question is
 * answered from the input's own pieces, so that the fuzzer writes the zones.
 */
#ifndef VERIFY_ANSWER_H
#define VERIFY_ANSWER_H

#include <stddef.h>

#include "base/slice.h"
#include "verify/verify.h"

#define PIECES		32
#define ROUNDS		2000	/* rounds that no evaluation may take */

struct pieces {
	size_t		 n, next;
	struct slice	 v[PIECES];
};

/* Cut the input at an octet. */
static inline void
pieces_cut(struct pieces *p, const char *in, size_t n, char at)
{
	struct slice rest = slice_of(in, n);
	size_t len;

	p->n = p->next = 0;
	while (p->n < PIECES) {
		len = slice_find(rest, at);
		p->v[p->n++] = slice_of(rest.p, len);
		if (len == rest.n)
			break;
		rest = slice_of(rest.p + len + 1, rest.n - len - 1);
	}
}

static inline struct slice
pieces_next(struct pieces *p)
{
	return p->v[p->next++ % p->n];
}

/* An empty piece: NXDOMAIN, or no answer for "!". */
static inline void
pieces_answer(struct pieces *p, struct answers *a)
{
	struct slice s;
	struct rr rr[2];
	enum dns_type type;
	const char *name;

	while (answers_ask(a, &name, &type)) {
		s = pieces_next(p);
		if (s.n == 0 || slice_is(s, "!")) {
			answers_put(a, name, type, s.n == 0 ?
			    DNS_NXDOMAIN : DNS_TEMP, NULL, 0);
			continue;
		}
		rr[0] = rr[1] = (struct rr){ 10, s };
		if (type == DNS_A && s.n > 4)
			rr[0].data.n = 4;
		answers_put(a, name, type, DNS_OK, rr,
		    type == DNS_TXT ? 1 : 2);
	}
}

#endif
