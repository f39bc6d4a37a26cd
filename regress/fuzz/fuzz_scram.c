/*
 * Fuzz entry: messages of SCRAM clients: names are text, and what is kept of
 * a message lies within it.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/scram.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
name(const char *s)
{
	if (strlen(s) > SASL_FIELD_MAX || strpbrk(s, "\r\n") != NULL)
		abort();
}

static void
within(struct slice s, struct slice in)
{
	if (s.n > 0 && (s.p < in.p || s.p + s.n > in.p + in.n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice s = slice_of((const char *)in, n);
	struct scram_first f;
	struct scram_final l;

	if (scram_first(s, &f, NULL) == 0) {
		name(f.user);
		name(f.authzid);
		within(f.type, s);
		within(f.nonce, s);
		if (f.user[0] == '\0' || f.nonce.n == 0 ||
		    f.gs2.n + f.bare.n != n)
			abort();
	}
	if (scram_final(s, &l, NULL) == 0) {
		within(l.binding, s);
		within(l.nonce, l.bare);
		if (l.bare.n + 3 >= n || memcmp(l.bare.p + l.bare.n, ",p=",
		    3) != 0)
			abort();
	}
	return 0;
}
