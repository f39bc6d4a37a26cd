/*
 * The client's address as names: for the ptr mechanism and %{p} (RFC 7208
 * 5.5, 7.3), and the comparison of addresses.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/spf_priv.h"
#include "verify/verify.h"

static int	 proven(struct spf_eval *, const char *);
static int	 find_within(struct spf_eval *, const struct answer *,
		    const char *, int, char *);

int
spf_ptr_within(struct spf_eval *e, const char *domain)
{
	const struct answer *a;
	char name[74], lower[DOMAIN_TEXT], found[DOMAIN_TEXT];

	spf_reverse(&e->ip, name);
	if ((a = answers_get(e->answers, name, DNS_PTR)) == NULL)
		return 0;
	if (domain_ascii(slice_str(domain), lower) == -1)
		return -1;
	return find_within(e, a, lower, 0, found);
}

int
spf_ptr_name(struct spf_eval *e, const char *domain, char out[DOMAIN_TEXT])
{
	const struct answer *a;
	char name[74], lower[DOMAIN_TEXT];
	int r, any;

	spf_reverse(&e->ip, name);
	if ((a = answers_get(e->answers, name, DNS_PTR)) == NULL)
		return 0;
	if (domain_ascii(slice_str(domain), lower) == -1)
		lower[0] = '\0';
	/* The domain itself, else one below it, else any. */
	for (any = -1; any <= 1; any++)
		if ((r = find_within(e, a, lower, any, out)) != -1)
			return r;
	strlcpy(out, "unknown", DOMAIN_TEXT);
	return 1;
}

/* any: -1 the domain itself, 0 or one below it, 1 every name. */
static int
find_within(struct spf_eval *e, const struct answer *a, const char *domain,
    int any, char *out)
{
	size_t i, n = a->status == DNS_OK ? a->n : 0;
	int r;

	for (i = 0; i < n && i < SPF_NAMES; i++) {
		if (domain_ascii(a->rr[i].data, out) == -1 ||
		    (any == 0 && !domain_within(out, domain)) ||
		    (any == -1 && strcmp(out, domain) != 0))
			continue;
		if ((r = proven(e, out)) != -1)
			return r;
	}
	return -1;
}

static int
proven(struct spf_eval *e, const char *name)
{
	const struct answer *a;
	size_t i;

	a = answers_get(e->answers, name,
	    e->ip.family == 4 ? DNS_A : DNS_AAAA);
	if (a == NULL)
		return 0;
	for (i = 0; a->status == DNS_OK && i < a->n; i++)
		if (spf_address_is(e, a->rr[i].data, 128))
			return 1;
	return -1;
}

int
spf_address_is(const struct spf_eval *e, struct slice data, int bits)
{
	size_t n = e->ip.family == 4 ? 4 : 16, whole;
	const uint8_t *p = (const uint8_t *)data.p;
	int rest;

	if (data.n != n)
		return 0;
	if (bits > (int)n * 8)
		bits = (int)n * 8;
	whole = (size_t)bits / 8;
	rest = bits % 8;
	if (whole > 0 && memcmp(p, e->ip.b, whole) != 0)
		return 0;
	return rest == 0 ||
	    ((p[whole] ^ e->ip.b[whole]) & (0xff << (8 - rest))) == 0;
}

void
spf_dotted(const struct ipaddr *ip, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	if (ip->family == 4) {
		snprintf(out, 64, "%u.%u.%u.%u", ip->b[0], ip->b[1], ip->b[2],
		    ip->b[3]);
		return;
	}
	for (i = 0; i < 16; i++) {
		*out++ = hex[ip->b[i] >> 4];
		*out++ = '.';
		*out++ = hex[ip->b[i] & 15];
		*out++ = i < 15 ? '.' : '\0';
	}
}

void
spf_reverse(const struct ipaddr *ip, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	if (ip->family == 4) {
		snprintf(out, 74, "%u.%u.%u.%u.in-addr.arpa", ip->b[3],
		    ip->b[2], ip->b[1], ip->b[0]);
		return;
	}
	for (i = 16; i-- > 0; ) {
		*out++ = hex[ip->b[i] & 15];
		*out++ = '.';
		*out++ = hex[ip->b[i] >> 4];
		*out++ = '.';
	}
	memcpy(out, "ip6.arpa", 9);
}
