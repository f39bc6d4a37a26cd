/*
 * resolve/packet.c and resolve/cache.c: questions, answers as resolvers send
 * them, answers as nobody should send them (pointer loops, counts, record
 * lengths 0..7, every cut, flipped octets), what is kept and for how long.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define ID	0x1234

/* A packet being made. */
static uint8_t pkt[70000];
static size_t pktn;
static struct dns_answer ans;

static void
put16(unsigned int v)
{
	pkt[pktn++] = (uint8_t)(v >> 8);
	pkt[pktn++] = (uint8_t)v;
}

static void
put_name(const char *s)
{
	size_t n;

	while (*s != '\0') {
		n = strcspn(s, ".");
		pkt[pktn++] = (uint8_t)n;
		memcpy(pkt + pktn, s, n);
		pktn += n;
		s += n + (s[n] == '.');
	}
	pkt[pktn++] = 0;
}

static void
begin(const char *name, unsigned int type, unsigned int flags)
{
	pktn = 0;
	put16(ID);
	put16(flags);
	put16(1);
	put16(0);
	put16(0);
	put16(0);
	put_name(name);
	put16(type);
	put16(1);
}

/* A record in the answer section (or authority: ns), owner is the question
 * when NULL. */
static void
record(const char *owner, unsigned int type, unsigned int ttl, int ns,
    const void *data, size_t n)
{
	uint8_t *count = pkt + (ns ? 8 : 6);

	if (owner != NULL)
		put_name(owner);
	else
		put16(0xc00c);
	put16(type);
	put16(1);
	put16(0);
	put16(ttl);
	put16((unsigned int)n);
	memcpy(pkt + pktn, data, n);
	pktn += n;
	if (++count[1] == 0)
		count[0]++;
}

static void
record_name(const char *owner, unsigned int type, unsigned int ttl, int pref,
    const char *target)
{
	size_t at;

	record(owner, type, ttl, 0, "", 0);
	at = pktn;
	if (pref >= 0)
		put16((unsigned int)pref);
	put_name(target);
	pkt[at - 2] = (uint8_t)((pktn - at) >> 8);
	pkt[at - 1] = (uint8_t)(pktn - at);
}

static enum packet_result
read_as(const char *name, uint16_t type)
{
	struct question q;
	enum packet_result r;
	uint8_t *exact = malloc(pktn);

	assert_int_equal(question_set(&q, slice_str(name), type), 0);
	memcpy(exact, pkt, pktn);	/* so that ASan sees one octet more */
	r = packet_read(exact, pktn, &q, ID, &ans);
	free(exact);
	return r;
}

static struct item_rr
item(size_t k)
{
	struct item_rr rr = { 0 };
	size_t off = 0;

	for (; item_rr_get(slice_of((char *)ans.rrs, ans.nrrs), &off,
	    &rr) == 1; k--)
		if (k == 0)
			return rr;
	fail_msg("no such item");
	return rr;
}

static void
assert_text(struct slice s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

/* What zone files and mailctl call them; the numbers are wire.golden's. */
static void
test_type_names(void **state)
{
	assert_string_equal(dns_type_name(DNS_A), "A");
	assert_string_equal(dns_type_name(DNS_TLSA), "TLSA");
	assert_string_equal(dns_type_name((enum dns_type)65535), "?");
}

static void
test_question(void **state)
{
	static const char *const bad[] = { "", ".", "a..b", ".a",
	    "a\001b", "a\\.b", "a\\b", "a\x7f", "\xc3\xa9.test" };
	struct question q;
	uint8_t buf[DNS_QUERY_MAX];
	char longest[300];
	ssize_t n;
	size_t i;

	assert_int_equal(question_set(&q, slice_str("_DMARC.Example.TEST."),
	    DNS_TXT), 0);
	assert_string_equal(q.name, "_dmarc.example.test");
	for (i = 0; i < NITEMS(bad); i++)
		assert_int_equal(question_set(&q, slice_str(bad[i]),
		    DNS_A), -1);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(question_set(&q, slice_of(longest, 64), DNS_A), -1);
	for (i = 63; i < sizeof(longest); i += 64)
		longest[i] = '.';
	assert_int_equal(question_set(&q, slice_of(longest, 254), DNS_A), -1);
	assert_int_equal(question_set(&q, slice_of(longest, 253), DNS_A), 0);
	n = packet_query(buf, sizeof(buf), &q, ID, true);
	assert_in_range(n, 253 + 12, DNS_QUERY_MAX);
	assert_int_equal(buf[0] << 8 | buf[1], ID);
	assert_int_equal(buf[2] & 0x81, 0x01);	/* a query, RD */
	assert_int_equal(buf[3] & 0x20, 0x20);	/* AD */
	assert_int_equal(buf[11], 1);		/* EDNS */
	assert_int_equal(packet_query(buf, 64, &q, ID, true), -1);
	n = packet_query(buf, sizeof(buf), &q, ID, false);
	assert_int_equal(buf[11], 0);
}

static void
test_answers(void **state)
{
	static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

	begin("example.test", DNS_MX, 0x81a0);
	record_name(NULL, DNS_MX, 300, 20, "MX2.example.test");
	record_name(NULL, DNS_MX, 200, 10, "mx1.example.test");
	assert_int_equal(read_as("example.test", DNS_MX), PACKET_OK);
	assert_int_equal(ans.status, DNS_OK);
	assert_true(ans.secure);
	assert_int_equal(ans.ttl, 200);
	assert_int_equal(item(0).pref, 20);
	assert_text(item(0).data, "mx2.example.test");
	assert_int_equal(item(1).pref, 10);
	assert_text(item(1).data, "mx1.example.test");

	begin("example.test", DNS_MX, 0x8180);
	record_name(NULL, DNS_MX, 300, 0, "");
	assert_int_equal(read_as("EXAMPLE.test", DNS_MX), PACKET_OK);
	assert_false(ans.secure);
	assert_text(item(0).data, "");

	begin("a.test", DNS_A, 0x8180);
	record(NULL, DNS_A, 9, 0, "\x7f\0\0\1", 4);
	assert_int_equal(read_as("a.test", DNS_A), PACKET_OK);
	assert_memory_equal(item(0).data.p, "\x7f\0\0\1", 4);
	begin("a.test", DNS_AAAA, 0x8180);
	record(NULL, DNS_AAAA, 9, 0, v6, 16);
	assert_int_equal(read_as("a.test", DNS_AAAA), PACKET_OK);
	assert_memory_equal(item(0).data.p, v6, 16);

	begin("t.test", DNS_TXT, 0x8180);
	record(NULL, DNS_TXT, 9, 0, "\5hello\6 world\0", 14);
	assert_int_equal(read_as("t.test", DNS_TXT), PACKET_OK);
	assert_text(item(0).data, "hello world");
	begin("t.test", DNS_TLSA, 0x8180);
	record(NULL, DNS_TLSA, 9, 0, "\3\1\1\xab\xcd", 5);
	assert_int_equal(read_as("t.test", DNS_TLSA), PACKET_OK);
	assert_int_equal(item(0).data.n, 5);
	assert_memory_equal(item(0).data.p, "\3\1\1\xab\xcd", 5);
}

static void
test_absent(void **state)
{
	static const uint8_t soa[] = { 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
	    3, 0, 0, 0, 4, 0, 0, 0, 30 };

	begin("no.test", DNS_A, 0x8183);
	record("test", 6, 900, 1, soa, sizeof(soa));
	assert_int_equal(read_as("no.test", DNS_A), PACKET_OK);
	assert_int_equal(ans.status, DNS_NXDOMAIN);
	assert_int_equal(ans.ttl, 30);
	begin("no.test", DNS_A, 0x8180);
	record("test", 6, 20, 1, soa, sizeof(soa));
	assert_int_equal(read_as("no.test", DNS_A), PACKET_OK);
	assert_int_equal(ans.status, DNS_NODATA);
	assert_int_equal(ans.ttl, 20);
	begin("no.test", DNS_A, 0x8180);
	assert_int_equal(read_as("no.test", DNS_A), PACKET_OK);
	assert_int_equal(ans.ttl, DNS_NEG_DEFAULT);
}

static void
test_alias(void **state)
{
	char from[16] = "c0.test", to[16];
	int i, n;

	for (n = DNS_CNAME_MAX; n <= DNS_CNAME_MAX + 1; n++) {
		begin("c0.test", DNS_A, 0x8180);
		for (i = 0; i < n; i++) {
			snprintf(from, sizeof(from), "c%d.test", i);
			snprintf(to, sizeof(to), "c%d.test", i + 1);
			record_name(from, DNS_CNAME, 50, -1, to);
		}
		record(to, DNS_A, 60, 0, "\1\2\3\4", 4);
		record("other.test", DNS_A, 60, 0, "\5\6\7\x8", 4);
		assert_int_equal(read_as("c0.test", DNS_A),
		    n <= DNS_CNAME_MAX ? PACKET_OK : PACKET_BAD);
		if (n > DNS_CNAME_MAX)
			break;
		assert_string_equal(ans.cname, to);
		assert_int_equal(ans.ttl, 50);
		assert_memory_equal(item(0).data.p, "\1\2\3\4", 4);
		assert_true(ans.nrrs < 30);
	}
	/* a loop; an alias that leads nowhere */
	begin("c0.test", DNS_A, 0x8180);
	record_name("c0.test", DNS_CNAME, 5, -1, "c1.test");
	record_name("c1.test", DNS_CNAME, 5, -1, "c0.test");
	assert_int_equal(read_as("c0.test", DNS_A), PACKET_BAD);
	begin("c0.test", DNS_A, 0x8180);
	record_name("c0.test", DNS_CNAME, 5, -1, "c1.test");
	assert_int_equal(read_as("c0.test", DNS_A), PACKET_OK);
	assert_int_equal(ans.status, DNS_NODATA);
	assert_string_equal(ans.cname, "c1.test");
}

static void
test_other_servers(void **state)
{
	static const struct {
		unsigned int flags;
		enum packet_result want;
	} v[] = {
		{ 0x0180, PACKET_FOREIGN },	/* a query */
		{ 0x9180, PACKET_FOREIGN },	/* another opcode */
		{ 0x8380, PACKET_TRUNCATED },
		{ 0x8181, PACKET_NOEDNS },	/* FORMERR */
		{ 0x8184, PACKET_NOEDNS },	/* NOTIMP */
		{ 0x8182, PACKET_SERVFAIL },		/* SERVFAIL */
		{ 0x8185, PACKET_REFUSED },		/* REFUSED */
		{ 0x818f, PACKET_BAD },
	};
	struct question q;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		begin("a.test", DNS_A, v[i].flags);
		assert_int_equal(read_as("a.test", DNS_A), v[i].want);
	}
	begin("a.test", DNS_A, 0x8180);
	assert_int_equal(read_as("b.test", DNS_A), PACKET_FOREIGN);
	assert_int_equal(read_as("a.test", DNS_AAAA), PACKET_FOREIGN);
	pkt[1] ^= 1;
	assert_int_equal(read_as("a.test", DNS_A), PACKET_FOREIGN);
	pkt[1] ^= 1;
	pkt[5] = 2;
	assert_int_equal(read_as("a.test", DNS_A), PACKET_FOREIGN);
	question_set(&q, slice_str("a.test"), DNS_A);
	for (i = 0; i < 12; i++)
		assert_int_equal(packet_read(pkt, i, &q, ID, &ans),
		    PACKET_FOREIGN);
}

/* attacks row 22: records shorter than their type */
static void
test_short_records(void **state)
{
	static const struct { uint16_t type; size_t ok; } v[] = {
		{ DNS_A, 4 }, { DNS_AAAA, 16 }, { DNS_TLSA, 4 }, { DNS_MX, 99 },
		{ DNS_TXT, 99 }
	};
	uint8_t data[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	size_t i, n;

	for (i = 0; i < NITEMS(v); i++)
		for (n = 0; n <= 7; n++) {
			begin("s.test", v[i].type, 0x8180);
			record(NULL, v[i].type, 60, 0, data, n);
			assert_int_equal(read_as("s.test", v[i].type),
			    n == v[i].ok || (v[i].type == DNS_TLSA && n > 4) ?
			    PACKET_OK : PACKET_BAD);
		}
}

static void
test_hostile_pointers(void **state)
{
	size_t i, at;

	/* a pointer to itself, forward, and into the header */
	for (i = 0; i < 3; i++) {
		begin("h.test", DNS_MX, 0x8180);
		record(NULL, DNS_MX, 60, 0, "\0\1\xc0\0", 4);
		at = pktn - 2;
		pkt[at + 1] = (uint8_t)(i == 0 ? at : i == 1 ? at + 2 : 4);
		assert_int_equal(read_as("h.test", DNS_MX), PACKET_BAD);
	}
	/* two that point to each other */
	begin("h.test", DNS_MX, 0x8180);
	record(NULL, DNS_MX, 60, 0, "\0\1\xc0\0", 4);
	at = pktn - 2;
	pkt[at + 1] = (uint8_t)(at + 16 - 2);
	record(NULL, DNS_MX, 60, 0, "\0\1\xc0\0", 4);
	assert_int_equal(pktn - 2, at + 16);
	pkt[at + 17] = (uint8_t)at;
	pkt[at + 1] = (uint8_t)(at + 16);
	assert_int_equal(read_as("h.test", DNS_MX), PACKET_BAD);
}

static void
test_hostile_lengths(void **state)
{
	size_t i;

	/* counts without records */
	begin("h.test", DNS_A, 0x8180);
	pkt[6] = pkt[7] = 0xff;
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
	pkt[6] = 0;
	pkt[7] = 1;
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
	/* more records than we look at */
	begin("h.test", DNS_A, 0x8180);
	for (i = 0; i <= DNS_RR_MAX; i++)
		record(NULL, DNS_A, 60, 0, "\1\1\1\1", 4);
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
	/* a record longer than the packet */
	begin("h.test", DNS_A, 0x8180);
	record(NULL, DNS_A, 60, 0, "\1\1\1\1", 4);
	pkt[pktn - 6] = 0xff;
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
	/* a string longer than its record */
	begin("h.test", DNS_TXT, 0x8180);
	record(NULL, DNS_TXT, 60, 0, "\xffx", 2);
	assert_int_equal(read_as("h.test", DNS_TXT), PACKET_BAD);
	/* a name of more than 255 octets, and one of strange octets */
	begin("h.test", DNS_A, 0x8180);
	pkt[7] = 1;
	for (i = 0; i < 5; i++) {
		pkt[pktn++] = 63;
		memset(pkt + pktn, 'a', 63);
		pktn += 63;
	}
	memset(pkt + pktn, 0, 20);
	pktn += 20;
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
	begin("h.test", DNS_MX, 0x8180);
	record_name(NULL, DNS_MX, 60, 1, "a(b");
	assert_int_equal(read_as("h.test", DNS_MX), PACKET_BAD);
	record_name(NULL, DNS_MX, 60, 1, "good.test");
	assert_int_equal(read_as("h.test", DNS_MX), PACKET_OK);
	assert_text(item(0).data, "good.test");
	/* octets behind the end */
	begin("h.test", DNS_A, 0x8180);
	pkt[pktn++] = 0;
	assert_int_equal(read_as("h.test", DNS_A), PACKET_BAD);
}

/* A chain of pointers, each to the one before, named by many records. */
static void
test_pointer_bomb(void **state)
{
	size_t i, prev, at;

	begin("b.test", 10, 0x8180);
	record(NULL, 10, 60, 0, "", 0);
	at = pktn;
	prev = pktn;
	pkt[pktn++] = 0;
	for (i = 0; i < 3000; i++) {
		size_t me = pktn;
		put16(0xc000 | (unsigned int)prev);
		prev = me;
	}
	pkt[at - 2] = (uint8_t)((pktn - at) >> 8);
	pkt[at - 1] = (uint8_t)(pktn - at);
	for (i = 0; i < 200; i++) {
		put16(0xc000 | (unsigned int)prev);
		put16(10);
		put16(1);
		put16(0);
		put16(0);
		put16(0);
		pkt[7]++;
	}
	assert_int_equal(read_as("b.test", 10), PACKET_BAD);
}

/* attacks row 55: a text as large as TCP carries */
static void
test_huge_text(void **state)
{
	char text[256];
	size_t i;

	memset(text, 'x', sizeof(text));
	text[0] = (char)255;
	begin("x.test", DNS_TXT, 0x8180);
	record(NULL, DNS_TXT, 60, 0, "", 0);
	for (i = 0; i < 32; i++) {
		memcpy(pkt + pktn, text, 256);
		pktn += 256;
	}
	pkt[pktn - 32 * 256 - 2] = 32;
	assert_int_equal(read_as("x.test", DNS_TXT), PACKET_OK);
	assert_int_equal(item(0).data.n, 32 * 255);
	for (i = 0; i < 32; i++) {
		memcpy(pkt + pktn, text, 256);
		pktn += 256;
	}
	pkt[pktn - 64 * 256 - 2] = 64;
	assert_int_equal(read_as("x.test", DNS_TXT), PACKET_BAD);
}

/* Every cut and every octet changed: an outcome, and memory stays whole. */
static void
test_cut_and_flipped(void **state)
{
	static const uint8_t soa[] = { 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
	    3, 0, 0, 0, 4, 0, 0, 0, 30 };
	size_t whole, i;
	uint8_t was;
	int v;

	begin("f.test", DNS_MX, 0x8180);
	record_name("f.test", DNS_CNAME, 5, -1, "g.test");
	record_name("g.test", DNS_MX, 5, 10, "mx.g.test");
	record("g.test", DNS_TXT, 5, 0, "\3abc", 4);
	record("test", 6, 20, 1, soa, sizeof(soa));
	assert_int_equal(read_as("f.test", DNS_MX), PACKET_OK);
	whole = pktn;
	for (pktn = 1; pktn < whole; pktn++)
		assert_int_not_equal(read_as("f.test", DNS_MX), PACKET_OK);
	for (i = 0; i < whole; i++)
		for (v = 0; v < 256; v += 5) {
			was = pkt[i];
			pkt[i] = (uint8_t)v;
			(void)read_as("f.test", DNS_MX);
			pkt[i] = was;
		}
}

static void
put_answer(struct cache *c, const char *name, uint64_t now, uint32_t ttl)
{
	static struct dns_answer a;
	struct question q;

	question_set(&q, slice_str(name), DNS_A);
	a.status = DNS_OK;
	a.ttl = ttl;
	a.nrrs = 5;
	memcpy(a.rrs, "12345", 5);
	strlcpy(a.cname, "alias.test", sizeof(a.cname));
	cache_put(c, &q, now, &a);
}

static bool
get_answer(struct cache *c, const char *name, uint64_t now, uint32_t *ttl)
{
	struct dns_ask_r r;
	struct question q;

	question_set(&q, slice_str(name), DNS_A);
	if (!cache_get(c, &q, now, &r))
		return false;
	assert_text(r.rrs, "12345");
	assert_text(r.cname, "alias.test");
	*ttl = r.ttl;
	return true;
}

static void
test_cache(void **state)
{
	struct cache *c = cache_new(16);
	uint32_t ttl;
	char name[20];
	int i;

	put_answer(c, "a.test", 1000, 10);
	assert_true(get_answer(c, "a.test", 1000, &ttl));
	assert_int_equal(ttl, 10);
	assert_true(get_answer(c, "A.test.", 10999, &ttl));
	assert_int_equal(ttl, 0);
	assert_false(get_answer(c, "a.test", 11000, &ttl));
	assert_int_equal(cache_count(c), 0);
	put_answer(c, "a.test", 0, 0);
	assert_false(get_answer(c, "a.test", 0, &ttl));
	/* the least recently used one goes */
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		put_answer(c, name, 0, 10);
	}
	assert_true(get_answer(c, "n0.test", 0, &ttl));
	put_answer(c, "more.test", 0, 10);
	assert_int_equal(cache_count(c), 16);
	assert_true(get_answer(c, "n0.test", 0, &ttl));
	assert_false(get_answer(c, "n1.test", 0, &ttl));
	cache_free(c);
}

/* Names below one that somebody can have are one; blocks of addresses are
 * not all of one holder. */
static void
test_zone(void **state)
{
	static const struct { const char *name, *zone; } v[] = {
		{ "test", "test" }, { "a.test", "a.test" },
		{ "k1.s._domainkey.a.test", "a.test" },
		{ "x.a.co.uk", "co.uk" },
		{ "1.2.0.192.in-addr.arpa", "0.192.in-addr.arpa" },
		{ "0.192.in-addr.arpa", "0.192.in-addr.arpa" },
		{ "192.in-addr.arpa", "192.in-addr.arpa" },
		{ "in-addr.arpa", "in-addr.arpa" },
		{ "a.xin-addr.arpa", "xin-addr.arpa" },
		{ "1.f.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		    "8.b.d.0.1.0.0.2.ip6.arpa" },
	};
	size_t i;

	for (i = 0; i < NITEMS(v); i++)
		assert_string_equal(zone_of(v[i].name), v[i].zone);
}

static void
test_reverse(void **state)
{
	struct msg_addr a = { 4, { 192, 0, 2, 1 }, 0 };
	char out[74];

	dns_reverse(&a, out);
	assert_string_equal(out, "1.2.0.192.in-addr.arpa");
	a = (struct msg_addr){ 6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xf1 }, 0 };
	dns_reverse(&a, out);
	assert_string_equal(out, "1.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_other_servers),
		cmocka_unit_test(test_short_records),
		cmocka_unit_test(test_hostile_pointers),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_pointer_bomb),
		cmocka_unit_test(test_huge_text),
		cmocka_unit_test(test_cut_and_flipped),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
