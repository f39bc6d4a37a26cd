/*
 * Fuzz entry: a whole message through the verdict engine; behind a NUL, TXT
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

/* What is told of the message agrees with itself. */
static void
results_check(const struct verdict *v)
{
	size_t i;

	for (i = 0; i < verdict_ndkim(v); i++)
		if (verdict_dkim(v, i)->why == NULL &&
		    verdict_dkim(v, i)->result != DKIM_PASS)
			abort();
	if (verdict_dkim_more(v) > 0 && verdict_ndkim(v) != DKIM_VERIFY_MAX)
		abort();
	if (verdict_spf(v)->result != SPF_NONE ||
	    verdict_spf_helo(v) != NULL)
		abort();
	if (verdict_dmarc(v)->result == DMARC_PASS &&
	    !verdict_dmarc(v)->dkim_aligned)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct verdict *v;
	struct slice message;
	struct pieces p;
	char field[AUTHRES_MAX] = "";
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
	if (dkim_key_proves(p.v[p.n - 1], (int)(n & 1), (const uint8_t *)field,
	    (const uint8_t *)field, sizeof(field) / 32, &why))
		abort();	/* what nobody signed */
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
	    authres_print(v, n & 2 ? "auth=pass" : NULL, field,
	    sizeof(field)) == -1)
		abort();
	results_check(v);
	if (n % 16 == 0) {	/* most serve message after message */
		verdict_free(v);
		v = NULL;
	}
	return 0;
}
