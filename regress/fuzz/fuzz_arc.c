/*
 * Fuzz entry: ARC: a message with a chain; behind a NUL, TXT
 * records for every question, cut at NUL.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "verify_answer.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct verdict *v;
	struct slice message;
	struct pieces p;
	char field[AUTHRES_MAX];
	size_t h;
	int round;

	if (v == NULL && (v = verdict_new()) == NULL)
		abort();
	pieces_cut(&p, (const char *)in, n, '\0');
	message = pieces_next(&p);
	h = header_len(message.p, message.n);
	verdict_start(v, VERDICT_NOSPF, "receiver.example", 1795300000,
	    0);
	if (verdict_header(v, slice_of(message.p, h)) == -1)
		abort();
	verdict_body(v, message.p + h, message.n - h);
	verdict_end(v);
	if (n % 8 == 0)
		verdict_timeout(v);
	for (round = 0; !verdict_run(v); round++) {
		if (round == ROUNDS || answers_open(verdict_answers(v)) == 0)
			abort();
		pieces_answer(&p, verdict_answers(v));
	}
	if (verdict_arc(v)->n > ARC_SETS_MAX ||
	    (verdict_arc(v)->result == ARC_NONE) !=
	    (verdict_arc(v)->n == 0) ||
	    authres_print(v, NULL, field, sizeof(field)) == -1)
		abort();
	return 0;
}
