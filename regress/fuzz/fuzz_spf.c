/*
 * Fuzz entry: SPF.  Lines: domain, local part, HELO, then records and names
 * as the DNS gives them.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "verify_answer.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct spf_query q = { .ip = { 4, { 192, 0, 2, 1 } },
	    .receiver = "receiver.example", .now = 1795300000 };
	struct answers *a = answers_new();
	struct pieces p;
	struct spf out;
	char helo[256];
	int round;

	if (a == NULL)
		abort();
	if (n > 0 && in[0] == 6) {
		q.ip = (struct ipaddr){ 6, { 0x20, 1, 0xd, 0xb8 } };
		in++;
		n--;
	}
	pieces_cut(&p, (const char *)in, n, '\n');
	q.domain = pieces_next(&p);
	q.local = pieces_next(&p);
	if (slice_cpy(pieces_next(&p), helo, sizeof(helo)) == -1)
		helo[0] = '\0';
	q.helo = helo;
	if (n % 7 == 0)
		answers_late(a);
	for (round = 0; !spf_run(&q, a, &out); round++) {
		if (round == ROUNDS || answers_open(a) == 0)
			abort();
		pieces_answer(&p, a);
	}
	if (out.lookups > SPF_LOOKUPS + 1 || out.voids > SPF_VOIDS + 1 ||
	    strlen(out.exp) >= sizeof(out.exp))
		abort();
	answers_free(a);
	return 0;
}
