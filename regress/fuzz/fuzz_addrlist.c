/*
 * Fuzz entry: an address list of a header field.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/mailboxes.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct addrlist l;
	struct addritem it;
	struct slice value = slice_of((const char *)in, n);
	int count = 0, sure = mailboxes_check(value, NULL);

	addrlist_start(&l, value);
	while (addrlist_next(&l, &it)) {
		if (it.name.n + it.route.n + it.local.n + it.domain.n >
		    sizeof(it.buf) || ++count > ADDRLIST_MAX + 1)
			abort();
		if (slice_find(it.local, '\n') != it.local.n ||
		    slice_find(it.domain, '\n') != it.domain.n ||
		    slice_find(it.name, '\0') != it.name.n)
			abort();
		if (sure != -1 && (it.kind != ADDRITEM_MAILBOX || it.odd ||
		    it.route.p != NULL || (!it.cut && (it.local.p == NULL ||
		    it.domain.n == 0))))
			abort();
	}
	if (sure != -1 && sure != count)
		abort();
	return 0;
}
