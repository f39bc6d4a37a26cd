/*
 * relay/route.c from tables: order of mail hosts, null MX, loops, hosts
 * without addresses, addresses nobody may be sent to.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "net/io.h"
#include "relay/relay.h"

static uint8_t rrs[16384];
static size_t nrrs;
static struct route route;
static struct reason why;

static void
mx(unsigned int pref, const char *name)
{
	struct item_rr rr = { DNS_MX, (uint16_t)pref, slice_str(name) };

	assert_int_equal(item_rr_put(rrs, sizeof(rrs), &nrrs, &rr), 0);
}

static struct dns_ask_r
answer(enum dns_status status)
{
	struct dns_ask_r a = { .status = (uint8_t)status };

	if (status == DNS_OK)
		a.rrs = slice_of((char *)rrs, nrrs);
	nrrs = 0;
	return a;
}

static int
make(enum dns_status status, uint64_t seed)
{
	struct dns_ask_r a = answer(status);

	route = (struct route){ 0 };
	return route_mx(&route, "dest.test", "Self.Test", &a, seed, &why);
}

static void
address(size_t host, const char *text)
{
	struct dns_ask_r a;
	struct ipaddr ip;
	struct item_rr rr = { 0 };

	assert_int_equal(ipaddr_parse(slice_str(text), &ip), 0);
	rr.data = slice_of((char *)ip.b, ip.family == 4 ? 4 : 16);
	nrrs = 0;
	assert_int_equal(item_rr_put(rrs, sizeof(rrs), &nrrs, &rr), 0);
	a = answer(DNS_OK);
	route_addresses(&route, host, &a);
}

static void
test_order(void **state)
{
	int first[2] = { 0, 0 };
	uint64_t seed;

	for (seed = 0; seed < 200; seed++) {
		mx(20, "c.test");
		mx(10, "a.test");
		mx(10, "b.test");
		mx(30, "a.test");
		assert_int_equal(make(DNS_OK, seed), 0);
		assert_int_equal(route.nhost, 3);
		assert_string_equal(route.host[2].name, "c.test");
		first[route.host[0].name[0] - 'a']++;
	}
	assert_in_range(first[0], 60, 140);
	assert_int_equal(first[0] + first[1], 200);
}

static void
test_no_mx(void **state)
{
	assert_int_equal(make(DNS_NODATA, 1), 0);
	assert_int_equal(route.nhost, 1);
	assert_string_equal(route.host[0].name, "dest.test");
	assert_int_equal(make(DNS_NXDOMAIN, 1), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	assert_string_equal(why.status, "5.1.2");
	assert_int_equal(make(DNS_TEMP, 1), -1);
	assert_int_equal(why.result, DELIVERY_TEMP);
	assert_string_equal(why.status, "4.4.3");
	assert_int_equal(route_mx(&route, "dest.test", "self.test", NULL, 1,
	    &why), -1);
	assert_int_equal(why.result, DELIVERY_TEMP);
}

static void
test_null_mx(void **state)
{
	mx(0, "");
	assert_int_equal(make(DNS_OK, 1), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	assert_string_equal(why.status, "5.1.10");
	mx(0, "");
	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	assert_int_equal(route.nhost, 1);
}

static void
test_loop(void **state)
{
	mx(10, "a.test");
	mx(20, "self.test");
	mx(20, "b.test");
	mx(30, "c.test");
	assert_int_equal(make(DNS_OK, 7), 0);
	assert_int_equal(route.nhost, 1);
	assert_string_equal(route.host[0].name, "a.test");
	mx(10, "self.test");
	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 7), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	assert_string_equal(why.status, "5.4.6");
	route = (struct route){ 0 };
	{
		struct dns_ask_r a = answer(DNS_NODATA);
		assert_int_equal(route_mx(&route, "self.test", "self.test",
		    &a, 1, &why), -1);
	}
	assert_string_equal(why.status, "5.4.6");
}

/* So many hosts, each with its own preference. */
static void
mx_many(size_t n)
{
	char name[16];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "m%zu.test", i);
		mx((unsigned int)i, name);
	}
}

static void
test_many(void **state)
{
	size_t i;

	mx_many(100);
	assert_int_equal(make(DNS_OK, 1), 0);
	assert_int_equal(route.nhost, ROUTE_HOSTS);
	assert_true(route.more);
	for (i = 0; i < 4 * ROUTE_HOSTS; i++)
		address(i % ROUTE_HOSTS, "192.0.2.1");
	assert_int_equal(route_finish(&route, 1, &why), 0);
	assert_int_equal(route.naddr, ROUTE_ADDRS);
	for (i = 0; i < ROUTE_ADDRS; i++)
		assert_int_equal(route.addr[i].host, i / HOST_SHARE);
	mx_many(ROUTE_HOSTS);
	assert_int_equal(make(DNS_OK, 1), 0);
	assert_int_equal(route.nhost, ROUTE_HOSTS);
	assert_false(route.more);
}

/* Of more hosts than there is room for the first ones always, each other one
 * in some routes, and all in their order. */
static void
test_draw(void **state)
{
	int drawn[100] = { 0 }, n, last;
	uint64_t seed;
	size_t i;

	for (seed = 0; seed < 400; seed++) {
		mx_many(100);
		assert_int_equal(make(DNS_OK, seed), 0);
		assert_int_equal(route.nhost, ROUTE_HOSTS);
		for (i = 0, last = -1; i < ROUTE_HOSTS; i++, last = n) {
			n = route.host[i].pref;
			assert_true(n > last);
			drawn[n]++;
		}
	}
	for (n = 0; n < 100; n++)
		if (n < ROUTE_SURE)
			assert_int_equal(drawn[n], 400);
		else		/* 76 are expected */
			assert_in_range(drawn[n], 40, 120);
}

/* A host with many addresses, and others behind it. */
static void
test_share(void **state)
{
	size_t i, hosts, n[3];

	for (hosts = 1; hosts <= 3; hosts++) {
		mx_many(hosts);
		assert_int_equal(make(DNS_OK, 1), 0);
		for (i = 0; i < 20; i++) {
			address(0, "192.0.2.1");
			address(0, "2001:db8::1");
		}
		for (i = 1; i < hosts; i++)
			address(i, "192.0.2.2");
		assert_int_equal(route_finish(&route, 1, &why), 0);
		memset(n, 0, sizeof(n));
		for (i = 0; i < route.naddr; i++)
			n[route.addr[i].host]++;
		assert_int_equal(n[0], 2 * HOST_ADDRS);
		for (i = 1; i < hosts; i++)
			assert_int_equal(n[i], 1);
	}
}

/* A name twice has one place, the first; one that is too long none. */
static void
test_once(void **state)
{
	char name[301];
	size_t i;

	memset(name, 'x', 300);
	name[300] = '\0';
	mx(1, name);
	for (i = 0; i < 100; i++) {
		mx((unsigned int)(100 - i), "a.test");
		mx((unsigned int)(100 - i), "A.TEST");
	}
	mx(50, "b.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	assert_int_equal(route.nhost, 2);
	assert_int_equal(route.host[0].pref, 1);
	assert_string_equal(route.host[1].name, "b.test");
}

static void
test_addresses(void **state)
{
	mx(10, "a.test");
	mx(20, "b.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	address(1, "192.0.2.9");
	address(0, "192.0.2.1");
	address(0, "2001:db8::1");
	address(0, "127.0.0.1");
	assert_int_equal(route_finish(&route, 1, &why), 0);
	assert_int_equal(route.naddr, 3);
	assert_int_equal(route.addr[0].ip.family, 6);
	assert_int_equal(route.addr[1].ip.family, 4);
	assert_int_equal(route.addr[1].host, 0);
	assert_int_equal(route.addr[2].host, 1);
}

static bool
own(const struct ipaddr *ip)
{
	return ip->b[ip->family == 4 ? 3 : 15] == 77;
}

/* An address of ours under any name: who is not preferred to it goes. */
static void
test_own(void **state)
{
	size_t i, k;

	for (i = 0; i < 4; i++) {
		mx(10, "a.test");
		mx(20, "b.test");
		mx(20, "c.test");
		mx(30, "d.test");
		assert_int_equal(make(DNS_OK, i), 0);
		for (k = 0; k < 4; k++) {
			address(k, "192.0.2.1");
			address(k, k == i ? "2001:db8::4d" : "2001:db8::1");
		}
		assert_int_equal(route_own(&route, "dest.test", own, &why),
		    i == 0 ? -1 : 0);
		if (i > 0)
			assert_int_equal(route.nhost, i == 3 ? 3 : 1);
	}
	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	address(0, "192.0.2.1");
	address(0, "192.0.2.77");
	assert_int_equal(route_own(&route, "dest.test", own, &why), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	assert_string_equal(why.status, "5.4.6");
	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	address(0, "192.0.2.1");
	assert_int_equal(route_own(&route, "dest.test", own, &why), 0);
	assert_int_equal(route.nhost, 1);
}

static void
test_no_address(void **state)
{
	struct dns_ask_r none = answer(DNS_NXDOMAIN), temp = answer(DNS_TEMP);

	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	route_addresses(&route, 0, &none);
	assert_int_equal(route_finish(&route, 1, &why), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	assert_string_equal(why.status, "5.4.4");
	route_addresses(&route, 0, &temp);
	assert_int_equal(route_finish(&route, 1, &why), -1);
	assert_int_equal(why.result, DELIVERY_TEMP);
	mx(10, "a.test");
	assert_int_equal(make(DNS_OK, 1), 0);
	address(0, "127.0.0.1");
	assert_int_equal(route_finish(&route, 1, &why), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
}

static void
test_usable(void **state)
{
	static const struct { const char *ip; bool normal, loopback; } v[] = {
		{ "192.0.2.1", true, true }, { "10.0.0.1", true, true },
		{ "2001:db8::1", true, true }, { "127.0.0.1", false, true },
		{ "127.9.9.9", false, true }, { "::1", false, true },
		{ "0.0.0.0", false, false }, { "0.1.2.3", false, false },
		{ "::", false, false }, { "224.0.0.1", false, false },
		{ "255.255.255.255", false, false },
		{ "ff02::1", false, false }, { "fe80::1", false, false },
		{ "::ffff:127.0.0.1", false, false },
	};
	struct ipaddr ip;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		assert_int_equal(ipaddr_parse(slice_str(v[i].ip), &ip), 0);
		assert_int_equal(route_usable(&ip, false), v[i].normal);
		assert_int_equal(route_usable(&ip, true), v[i].loopback);
	}
}

static void
test_literal(void **state)
{
	route = (struct route){ 0 };
	assert_int_equal(route_literal(&route, "[192.0.2.7]"), 0);
	assert_int_equal(route_finish(&route, 1, &why), 0);
	assert_int_equal(route.naddr, 1);
	route = (struct route){ 0 };
	assert_int_equal(route_literal(&route, "[127.0.0.1]"), 0);
	assert_int_equal(route_finish(&route, 1, &why), -1);
	assert_int_equal(why.result, DELIVERY_PERM);
	route = (struct route){ 0 };
	assert_int_equal(route_literal(&route, "[x]"), -1);
}

static void
test_reason_is_one_line(void **state)
{
	reason_set(&why, DELIVERY_TEMP, "4.0.0", "mx", "a\r\nb\x80\x01%d", 7);
	assert_string_equal(why.text, "a??b??7");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_mx),
		cmocka_unit_test(test_null_mx),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_reason_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
