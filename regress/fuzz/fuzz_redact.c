/*
 * Fuzz entry: a header made fit for strangers.  What comes out is a header
 * of printable ASCII with CRLF, not longer than it may be; and no word that
 * stands as the local part of an address is in an address of it.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/failure.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
addresses_check(struct slice value)
{
	struct addrlist list;
	struct addritem item;

	addrlist_start(&list, value);
	while (addrlist_next(&list, &item))
		if (item.kind == ADDRITEM_MAILBOX &&
		    !slice_casestarts(item.local, "redacted-"))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static const uint8_t key[REDACT_KEY] = { 42 };
	static const char *const lists[] = { "From", "To", "Cc", "Sender",
	    "Reply-To" };
	struct slice all = slice_of((const char *)in, n), rest;
	struct header_field f;
	struct text t = { 0 };
	size_t i;

	redact_header(key, all, SLICE_LIT("wilma@a.test"), SLICE_LIT(""), &t);
	rest = slice_of(t.p, t.n);
	if (t.n > REDACT_MAX || !text_is_plain(rest))
		abort();
	while (header_next(&rest, &f)) {
		if (f.name.n == 0)
			abort();
		for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			if (slice_is(f.name, lists[i]) &&
			    !slice_is(f.value, "<>"))
				addresses_check(f.value);
	}
	if (rest.n != 0)
		abort();
	free(t.p);
	if (trace_identity(all, SLICE_LIT("a.test"), SLICE_LIT("s"), &rest) &&
	    (rest.n == 0 || rest.p < all.p ||
	    rest.p + rest.n > all.p + all.n))
		abort();
	return 0;
}
