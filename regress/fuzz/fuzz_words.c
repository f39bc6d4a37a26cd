/*
 * Fuzz entry: encoded words and parameters; UTF-8 comes out.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/mime.h"
#include "parse/words.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice s = slice_of((const char *)in, n);
	struct params ps;
	char buf[512], out[300];
	size_t i, k;

	k = words_decode(s, out, sizeof(out));
	if (k > sizeof(out) || !utf8_valid(out, k))
		abort();
	params_parse(s, &ps, buf, sizeof(buf));
	if (ps.n > MIME_PARAMS_MAX)
		abort();
	for (i = 0; i < ps.n; i++) {
		k = param_utf8(&ps.v[i], out, sizeof(out));
		if (k > sizeof(out) || !utf8_valid(out, k))
			abort();
	}
	return 0;
}
