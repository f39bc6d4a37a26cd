/*
 * Fuzz entry: a whole message through the verdict engine; behind a NUL, TXT
 * records for every question, cut at NUL.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "verify.h"
#include "verify_answer.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct verdict *v;
	struct slice message;
	struct pieces p;
	char field[AUTHRES_MAX];
	const char *why;
	size_t h, half;
	int round, bits;

	if (v == NULL && (v = verdict_new()) == NULL)
		abort();
	pieces_cut(&p, (const char *)in, n, '\0');
	message = pieces_next(&p);
	h = header_len(message.p, message.n);
	half = h + (message.n - h) / 2;
	dkim_key_check(p.v[p.n - 1], &bits, &why);
	verdict_start(v, VERDICT_NOSPF, "receiver.example", 1795300000,
	    (int)(n & 1));
	if (verdict_header(v, slice_of(message.p, h)) == -1)
		abort();
	verdict_run(v);
	verdict_body(v, message.p + h, half - h);
	verdict_body(v, message.p + half, message.n - half);
	verdict_end(v);
	for (round = 0; !verdict_run(v); round++) {
		if (round == ROUNDS || answers_open(verdict_answers(v)) == 0)
			abort();
		pieces_answer(&p, verdict_answers(v));
	}
	if (verdict_ndkim(v) > DKIM_VERIFY_MAX ||
	    authres_print(v, NULL, field, sizeof(field)) == -1)
		abort();
	return 0;
}
