/*
 * Fuzz entry: strict base64: what decodes encodes to the same.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse/base64.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	char *raw = malloc(n + 1), *text = malloc(BASE64_LEN(n) + 1);
	ssize_t k;

	if (raw == NULL || text == NULL)
		abort();
	k = base64_decode((const char *)in, n, raw, BASE64_DECODED_MAX(n));
	if (k >= 0 && (base64_encode(raw, (size_t)k, text, n) != (ssize_t)n ||
	    memcmp(text, in, n) != 0))
		abort();
	k = base64_encode(in, n, text, BASE64_LEN(n));
	if (k != (ssize_t)BASE64_LEN(n) ||
	    base64_decode(text, (size_t)k, text, (size_t)k) != (ssize_t)n ||
	    memcmp(text, in, n) != 0)
		abort();
	free(raw);
	free(text);
	return 0;
}
