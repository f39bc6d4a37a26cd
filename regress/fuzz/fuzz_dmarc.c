/*
 * Fuzz entry: DMARC.  Lines: the value of From:, an SPF and a DKIM domain,
 * then records as the DNS gives them.  The first line cut at NUL is that of
 * several From fields.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "verify_answer.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A header with a From field of each piece of value. */
static void
authors(struct slice value, struct dmarc_authors *au)
{
	char header[4096];
	size_t i, n = 0;

	if (memchr(value.p, '\0', value.n) == NULL || value.n > 2000) {
		dmarc_authors_value(value, au);
		return;
	}
	n += (size_t)snprintf(header, sizeof(header), "From: ");
	for (i = 0; i < value.n && n + 16 < sizeof(header); i++) {
		if (value.p[i] != '\0')
			header[n++] = value.p[i];
		else
			n += (size_t)snprintf(header + n, 16, "\r\nFrom: ");
	}
	n += (size_t)snprintf(header + n, 8, "\r\n");
	dmarc_authors(slice_of(header, n), au);
}

static void
record(struct slice s)
{
	struct dmarc_record r;
	struct slice rest, uri;
	const char *why;

	if (dmarc_record_parse(s, &r, &why) == -1)
		return;
	for (rest = r.rua; dmarc_uri_next(&rest, &uri); )
		if (uri.n < 2)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct answers *a = answers_new();
	struct dmarc_authors au;
	struct dmarc_id spf, dkim;
	struct dmarc d;
	struct pieces p;
	char one[DOMAIN_TEXT], two[DOMAIN_TEXT];
	size_t i;
	int round;

	if (a == NULL)
		abort();
	pieces_cut(&p, (const char *)in, n, '\n');
	authors(pieces_next(&p), &au);
	domain_ascii(pieces_next(&p), one);
	domain_ascii(pieces_next(&p), two);
	spf = (struct dmarc_id){ one, 1, 0 };
	dkim = (struct dmarc_id){ two, (int)(n & 1), !(n & 1) };
	if (n % 7 == 0)
		answers_late(a);
	for (i = 0; i < p.n; i++)
		record(p.v[i]);
	for (round = 0; !dmarc_run(&au, &spf, &dkim, 1, a, &d); round++) {
		if (round == ROUNDS || answers_open(a) == 0)
			abort();
		pieces_answer(&p, a);
	}
	if (d.result == DMARC_PASS && !d.spf_aligned && !d.dkim_aligned)
		abort();
	answers_free(a);
	return 0;
}
