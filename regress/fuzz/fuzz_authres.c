/*
 * Fuzz entry: a header searched for forged Authentication-Results; and what
 * is printed about a hostile envelope: one well-formed field that is always
 * known as ours again.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "verify_answer.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
field_check(const char *p, ssize_t n)
{
	struct slice rest;
	struct header_field f;
	ssize_t i;

	if (n < 2)
		abort();
	for (i = 0; i < n; i++)
		if (p[i] == '\0' || (p[i] & 0x80) || (p[i] == '\n' &&
		    (i == 0 || p[i - 1] != '\r')))
			abort();
	rest = slice_of(p, (size_t)n);
	if (header_next(&rest, &f) != 1 || rest.n != 0 || f.name.n == 0)
		abort();
	if (slice_is(f.name, "Authentication-Results") &&
	    !authres_forged(&f, "receiver.example"))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct verdict *v;
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };
	struct slice header, rest;
	struct header_field f;
	struct pieces p;
	char field[AUTHRES_MAX], helo[256];

	if (v == NULL && (v = verdict_new()) == NULL)
		abort();
	pieces_cut(&p, (const char *)in, n, '\0');
	header = rest = pieces_next(&p);
	while (header_next(&rest, &f))
		authres_forged(&f, "receiver.example");
	verdict_start(v, VERDICT_HELO, "receiver.example", 1795300000, 0);
	if (slice_cpy(pieces_next(&p), helo, sizeof(helo)) == -1)
		helo[0] = '\0';
	verdict_client(v, &ip, helo);
	verdict_sender(v, pieces_next(&p), pieces_next(&p));
	if (verdict_header(v, header) == -1)
		abort();
	verdict_end(v);
	while (p.n > 4 && !verdict_run(v) &&
	    answers_open(verdict_answers(v)) > 0)
		pieces_answer(&p, verdict_answers(v));
	verdict_timeout(v);
	if (!verdict_run(v))
		abort();
	field_check(field, authres_print(v, NULL, field, sizeof(field)));
	field_check(field, spf_received_print(v, field, sizeof(field)));
	return 0;
}
