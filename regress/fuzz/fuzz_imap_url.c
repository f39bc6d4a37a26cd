/*
 * Fuzz entry: an IMAP URL.  What is found is in the copy that was made of it.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/slice.h"
#include "parse/imap_url.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
within(const struct imap_url *u, struct slice s)
{
	if (s.n > 0 && (s.p < u->text ||
	    s.n > (size_t)(u->text + sizeof(u->text) - s.p)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static struct imap_url u;

	if (imap_url_parse(slice_of((const char *)in, n), &u) == -1)
		return 0;
	within(&u, u.user);
	within(&u, u.host);
	within(&u, u.mailbox);
	if (u.section.n != 2)		/* "[]" is a constant */
		within(&u, u.section);
	if (u.uid == 0 || u.count == 0)
		abort();
	return 0;
}
