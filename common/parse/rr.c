/*
 * What zone files call the types of DNS records (rr.h).
 */
#include "base/compat.h"

#include "parse/rr.h"

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
#define DNS_TYPE(name, number)	case DNS_##name: return #name;
	DNS_TYPES(DNS_TYPE)
#undef DNS_TYPE
	case DNS_NOTYPE:
		break;
	}
	return "?";
}
