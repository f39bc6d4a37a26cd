/*
 * Addresses of peers in networks of the configuration.  Called by authd and
 * smtpd.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "msg/addr.h"
#include "msg/msg.h"

/* Does an address (family of, first octets) lie in CIDR text? */
static bool
addr_in_one(const struct msg_addr *a, const char *cidr)
{
	struct ipaddr net;
	struct slice s = slice_str(cidr);
	size_t slash = slice_find(s, '/'), i;
	uint64_t bits;
	uint8_t mask;

	if (ipaddr_parse(slice_of(s.p, slash), &net) == -1 ||
	    net.family != a->family)
		return false;
	bits = net.family == 4 ? 32 : 128;
	if (slash < s.n && slice_number(slice_of(s.p + slash + 1,
	    s.n - slash - 1), bits, &bits) == -1)
		return false;
	for (i = 0; bits > 0; i++) {
		mask = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));
		if ((a->b[i] ^ net.b[i]) & mask)
			return false;
		bits -= bits >= 8 ? 8 : bits;
	}
	return true;
}

bool
addr_in(const struct msg_addr *a, char *const *cidr, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (addr_in_one(a, cidr[i]))
			return true;
	return false;
}
