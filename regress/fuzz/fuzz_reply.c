/*
 * Fuzz entry: the lines of a reply as a client reads them.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/smtp.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice rest = slice_of((const char *)in, n), line, text;
	struct smtp_reply r;
	struct parse_err e = { 0, NULL };
	size_t i, k;
	int rc;

	smtp_reply_start(&r);
	while (rest.n > 0) {
		k = slice_find(rest, '\n');
		line = slice_of(rest.p, k);
		k += k < rest.n;
		rest = slice_of(rest.p + k, rest.n - k);
		rc = smtp_reply_line(&r, line, &text, &e);
		if (rc == -1 && (e.why == NULL || e.off > line.n))
			abort();
		if (rc == -1)
			break;
	}
	if (r.textn >= sizeof(r.text) || r.text[r.textn] != '\0')
		abort();
	for (i = 0; i < r.textn; i++)
		if (r.text[i] < 32 || r.text[i] > 126)
			abort();
	return 0;
}
