/*
 * Fuzz entry: PLAIN and LOGIN responses: no NUL, CR or LF comes out.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/sasl.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const char *s)
{
	if (strlen(s) > SASL_FIELD_MAX || strpbrk(s, "\r\n") != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice s = slice_of((const char *)in, n);
	struct sasl_cred c;

	if (sasl_plain_raw(s, &c, NULL) == 0 || sasl_plain(s, &c, NULL) == 0) {
		check(c.authzid);
		check(c.authcid);
		check(c.passwd);
		if (c.authcid[0] == '\0' || c.passwd[0] == '\0')
			abort();
	}
	if (sasl_login_user(s, &c, NULL) == 0)
		check(c.authcid);
	if (sasl_login_pass(s, &c, NULL) == 0)
		check(c.passwd);
	return 0;
}
