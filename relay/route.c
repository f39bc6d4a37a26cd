/*
 * Where mail for a domain goes: mail hosts in order of preference, their
 * addresses, loops and null MX (RFC 5321 5.1, RFC 7505).  Pure: DNS answers
 * in, a list out; lookup.c asks the questions.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "net/io.h"
#include "relay/relay.h"

struct mx {
	struct slice	 name;
	uint16_t	 pref;
	uint64_t	 order;		/* random, for equal preferences */
};

static size_t	 mx_read(struct slice, struct mx *, uint64_t, bool *);
static int	 mx_compare(const void *, const void *);
static size_t	 mx_before_self(const struct mx *, size_t, const char *);
static size_t	 mx_once(struct mx *, size_t);
static size_t	 mx_draw(struct mx *, size_t, uint64_t *);
static bool	 host_own(const struct route_host *,
	    bool (*)(const struct ipaddr *));
static void	 host_push(struct route *, size_t, size_t);
static void	 addr_push(struct route *, size_t, const struct ipaddr *);
static void	 shuffle(struct ipaddr *, size_t, uint64_t *);
static uint64_t	 random_next(uint64_t *);

void
reason_set(struct reason *r, enum delivery_result result, const char *status,
    const char *mta, const char *fmt, ...)
{
	va_list ap;
	char *p;

	r->result = result;
	r->said = false;
	(void)strlcpy(r->status, status, sizeof(r->status));
	(void)strlcpy(r->mta, mta, sizeof(r->mta));
	va_start(ap, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	for (p = r->text; *p != '\0'; p++)
		if (*p < 32 || *p > 126)
			*p = '?';
}

void
reason_later(struct reason *r)
{
	r->result = DELIVERY_TEMP;
	r->status[0] = '4';
}

int
route_mx(struct route *r, const char *domain, const char *self,
    const struct dns_ask_r *a, uint64_t seed, struct reason *why)
{
	struct mx mx[ROUTE_MX_MAX];
	size_t i, n;
	bool null = false;

	if (a == NULL || a->status == DNS_TEMP) {
		reason_set(why, DELIVERY_TEMP, "4.4.3", "",
		    "look-up of MX for %s failed", domain);
		return -1;
	}
	if (a->status == DNS_NXDOMAIN) {
		reason_set(why, DELIVERY_PERM, "5.1.2", "",
		    "domain %s does not exist", domain);
		return -1;
	}
	if (a->status == DNS_NODATA) {
		if (slice_caseis(slice_str(domain), self))
			goto loop;
		route_single(r, domain);
		return 0;
	}
	n = mx_read(a->rrs, mx, seed, &null);
	if (n == 0 && null) {
		reason_set(why, DELIVERY_PERM, "5.1.10", "",
		    "domain %s takes no mail (null MX)", domain);
		return -1;
	}
	qsort(mx, n, sizeof(*mx), mx_compare);
	n = mx_once(mx, mx_before_self(mx, n, self));
	r->more = n > ROUTE_HOSTS;
	n = mx_draw(mx, n, &seed);
	for (i = 0; i < n; i++) {
		(void)slice_cpy(mx[i].name, r->host[i].name,
		    sizeof(r->host[i].name));
		r->host[i].pref = mx[i].pref;
	}
	r->nhost = n;
	if (r->nhost > 0)
		return 0;
loop:
	reason_set(why, DELIVERY_PERM, "5.4.6", "",
	    "mail for %s loops back to this host", domain);
	return -1;
}

void
route_single(struct route *r, const char *host)
{
	(void)strlcpy(r->host[0].name, host, sizeof(r->host[0].name));
	r->nhost = 1;
}

int
route_literal(struct route *r, const char *literal)
{
	struct route_host *h = &r->host[0];
	struct ipaddr ip;

	if (ipaddr_literal(slice_str(literal), &ip) == -1)
		return -1;
	route_single(r, literal);
	if (!route_usable(&ip, r->loopback))
		r->skipped++;
	else if (ip.family == 4)
		h->v4[h->n4++] = ip;
	else
		h->v6[h->n6++] = ip;
	return 0;
}

void
route_addresses(struct route *r, size_t host, const struct dns_ask_r *a)
{
	struct route_host *h = &r->host[host];
	struct ipaddr ip = { 0 };
	struct item_rr rr;
	size_t off = 0;

	if (a == NULL || a->status == DNS_TEMP) {
		h->temp = true;
		return;
	}
	while (a->status == DNS_OK && item_rr_get(a->rrs, &off, &rr) == 1) {
		if (rr.data.n != 4 && rr.data.n != 16)
			continue;
		ip.family = rr.data.n == 4 ? 4 : 6;
		memcpy(ip.b, rr.data.p, rr.data.n);
		if (!route_usable(&ip, r->loopback))
			r->skipped++;
		else if (ip.family == 4 && h->n4 < HOST_ADDRS)
			h->v4[h->n4++] = ip;
		else if (ip.family == 6 && h->n6 < HOST_ADDRS)
			h->v6[h->n6++] = ip;
	}
}

int
route_own(struct route *r, const char *domain,
    bool (*own)(const struct ipaddr *), struct reason *why)
{
	const struct route_host *h = r->host, *end = r->host + r->nhost;

	while (h < end && !host_own(h, own))
		h++;
	if (h == end)
		return 0;
	for (r->nhost = 0; r->host[r->nhost].pref < h->pref; r->nhost++)
		;
	if (r->nhost > 0)
		return 0;
	reason_set(why, DELIVERY_PERM, "5.4.6", "",
	    "mail for %s loops back to this host, whose address is that of %s",
	    domain, h->name);
	return -1;
}

static bool
host_own(const struct route_host *h, bool (*own)(const struct ipaddr *))
{
	size_t i;

	for (i = 0; i < h->n4; i++)
		if (own(&h->v4[i]))
			return true;
	for (i = 0; i < h->n6; i++)
		if (own(&h->v6[i]))
			return true;
	return false;
}

int
route_finish(struct route *r, uint64_t seed, struct reason *why)
{
	struct route_host *h;
	bool temp = false;
	size_t i, share = HOST_SHARE;

	if (r->nhost > 0 && ROUTE_ADDRS / r->nhost > share)
		share = ROUTE_ADDRS / r->nhost;
	for (i = 0; i < r->nhost; i++) {
		h = &r->host[i];
		temp = temp || h->temp;
		shuffle(h->v4, h->n4, &seed);
		shuffle(h->v6, h->n6, &seed);
		host_push(r, i, share);
	}
	r->more = r->more || temp;
	if (r->naddr > 0)
		return 0;
	if (temp)
		reason_set(why, DELIVERY_TEMP, "4.4.3", "",
		    "look-up of addresses of %s failed", r->host[0].name);
	else if (r->skipped > 0)
		reason_set(why, DELIVERY_PERM, "5.4.4", "",
		    "no usable address for %s", r->host[0].name);
	else
		reason_set(why, DELIVERY_PERM, "5.4.4", "",
		    "no address for %s", r->host[0].name);
	return -1;
}

bool
route_usable(const struct ipaddr *ip, bool loopback)
{
	static const uint8_t zero[16], one[16] = { [15] = 1 };
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (ip->family == 4) {
		if (ip->b[0] == 127)
			return loopback;
		return ip->b[0] != 0 && ip->b[0] < 224;
	}
	if (memcmp(ip->b, one, sizeof(one)) == 0)
		return loopback;
	return memcmp(ip->b, zero, sizeof(zero)) != 0 && ip->b[0] != 0xff &&
	    !(ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80) &&
	    memcmp(ip->b, mapped, sizeof(mapped)) != 0;
}

/* Records with a name; *null is set when there is one without. */
static size_t
mx_read(struct slice rrs, struct mx *mx, uint64_t seed, bool *null)
{
	struct item_rr rr;
	size_t n = 0, off = 0;

	while (n < ROUTE_MX_MAX && item_rr_get(rrs, &off, &rr) == 1) {
		if (rr.type != DNS_MX)
			continue;
		if (rr.data.n == 0) {
			*null = true;
			continue;
		}
		mx[n++] = (struct mx){ rr.data, rr.pref, random_next(&seed) };
	}
	return n;
}

static int
mx_compare(const void *va, const void *vb)
{
	const struct mx *a = va, *b = vb;

	if (a->pref != b->pref)
		return a->pref < b->pref ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* We are in the list: only who is preferred to us may have it. */
static size_t
mx_before_self(const struct mx *mx, size_t n, const char *self)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		if (slice_caseis(mx[i].name, self)) {
			for (k = 0; k < i && mx[k].pref < mx[i].pref; )
				k++;
			return k;
		}
	return n;
}

/* Each name in its first place alone, and what is too long for one not at
 * all.  Returns how many are left. */
static size_t
mx_once(struct mx *mx, size_t n)
{
	size_t i, k, left = 0;

	for (i = 0; i < n; i++) {
		for (k = 0; k < left; k++)
			if (slice_caseeq(mx[i].name, mx[k].name))
				break;
		if (k == left && mx[i].name.n < HOST_TEXT)
			mx[left++] = mx[i];
	}
	return left;
}

/* As many as a route has place for, in their order: the first ROUTE_SURE,
 * and of the others each with the same chance. */
static size_t
mx_draw(struct mx *mx, size_t n, uint64_t *seed)
{
	size_t i, left = ROUTE_SURE;

	if (n <= ROUTE_HOSTS)
		return n;
	for (i = ROUTE_SURE; i < n; i++)
		if (random_next(seed) % (n - i) < ROUTE_HOSTS - left)
			mx[left++] = mx[i];
	return left;
}

/* At most share addresses of a host, so that those behind it have some; both
 * kinds early, so that a dead one costs one try. */
static void
host_push(struct route *r, size_t host, size_t share)
{
	const struct route_host *h = &r->host[host];
	size_t k, end = r->naddr + share;

	for (k = 0; k < HOST_ADDRS; k++) {
		if (k < h->n6 && r->family != 4 && r->naddr < end)
			addr_push(r, host, &h->v6[k]);
		if (k < h->n4 && r->family != 6 && r->naddr < end)
			addr_push(r, host, &h->v4[k]);
	}
}

static void
addr_push(struct route *r, size_t host, const struct ipaddr *ip)
{
	r->addr[r->naddr].ip = *ip;
	r->addr[r->naddr++].host = host;
}

static void
shuffle(struct ipaddr *v, size_t n, uint64_t *seed)
{
	struct ipaddr t;
	size_t k;

	for (; n > 1; n--) {
		k = random_next(seed) % n;
		t = v[k];
		v[k] = v[n - 1];
		v[n - 1] = t;
	}
}

/* splitmix64: only for fairness. */
static uint64_t
random_next(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
