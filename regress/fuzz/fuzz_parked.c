/*
 * Fuzz entry: the state of a parked session: what is taken is what is put.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/parked.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	uint8_t		 out[PARKED_MAX];
	struct parked	 k;

	if (parked_get(slice_of((const char *)in, n), &k) == 0 &&
	    (parked_put(&k, out, sizeof(out)) != (ssize_t)n ||
	    memcmp(out, in, n) != 0))
		abort();
	return 0;
}
