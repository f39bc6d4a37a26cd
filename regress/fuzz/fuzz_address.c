/*
 * Fuzz entry: an SMTP path. What is accepted prints, and reads back the same.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/err.h"
#include "parse/ipaddr.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define ALL	(PATH_NULL | PATH_BARE | PATH_NODOMAIN | PATH_UTF8 | PATH_DOTS)

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct address a, b;
	struct ipaddr ip;
	struct parse_err e;
	char text[ADDR_TEXT_MAX];
	const char *p = (const char *)in;
	ssize_t k;

	if (n == 0)
		return 0;
	address_parse(slice_of(p, n), ALL, &a, NULL);
	if (ipaddr_parse(slice_of(p, n), &ip) == 0) {
		struct ipaddr back;

		k = ipaddr_print(&ip, text, sizeof(text));
		if (ipaddr_parse(slice_of(text, (size_t)k), &back) == -1 ||
		    memcmp(&ip, &back, sizeof(ip)) != 0)
			abort();
	}
	k = address_path(p + 1, n - 1, in[0] & ALL, &a, &e);
	if (k == -1) {
		if (e.off > n - 1 || e.why == NULL)
			abort();
		return 0;
	}
	if ((size_t)k > n - 1 || strlen(a.local) != a.localn ||
	    strlen(a.domain) != a.domainn)
		abort();
	k = address_print(&a, text, sizeof(text));
	if (k == -1 || strpbrk(text, "\r\n") != NULL)
		abort();
	if (!(a.flags & ADDR_NULLSENDER) &&
	    (address_parse(slice_of(text, (size_t)k), ALL, &b, NULL) == -1 ||
	    !address_eq(&a, &b)))
		abort();
	return 0;
}
