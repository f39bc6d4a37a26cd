/*
 * Fuzz entry: an address list of a header field.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct addrlist l;
	struct addritem it;
	int count = 0;

	addrlist_start(&l, slice_of((const char *)in, n));
	while (addrlist_next(&l, &it)) {
		if (it.name.n + it.route.n + it.local.n + it.domain.n >
		    sizeof(it.buf) || ++count > ADDRLIST_MAX + 1)
			abort();
		if (slice_find(it.local, '\n') != it.local.n ||
		    slice_find(it.domain, '\n') != it.domain.n ||
		    slice_find(it.name, '\0') != it.name.n)
			abort();
	}
	return 0;
}
