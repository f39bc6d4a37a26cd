/*
 * Fuzz entry: responses of OAUTHBEARER and XOAUTH2: the name is text, the
 * token lies within the response and has none but a token's octets.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/oauth.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct oauth *o, struct slice in)
{
	size_t i;

	if (strlen(o->user) > SASL_FIELD_MAX || strpbrk(o->user, "\r\n") != NULL)
		abort();
	if (o->token.n == 0 || o->token.p < in.p ||
	    o->token.p + o->token.n > in.p + in.n)
		abort();
	for (i = 0; i < o->token.n; i++)
		if (o->token.p[i] <= ' ' || o->token.p[i] > '~')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice s = slice_of((const char *)in, n);
	struct oauth o;

	if (oauth_bearer(s, &o, NULL) == 0)
		check(&o, s);
	if (oauth_xoauth2(s, &o, NULL) == 0)
		check(&o, s);
	return 0;
}
