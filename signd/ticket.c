/*
 * Tickets: at submission signd promises to sign one message for one domain,
 * later, when relay sends it.  The ticket is kept in the envelope; a keyed
 * hash over all of it makes it signd's own.  Pure.
 *
 *	u8 version, u32 account, u64 issued, u64 expires, body hash (32),
 *	From hash (32), version 2: body hash of the message made 7-bit (32),
 *	u8 length and octets of the domain, keyed hash (32)
 *
 * Numbers are little endian.  Version 2 is written only where there is such
 * a hash.
 */
#include "base/compat.h"

#include <string.h>

#include <sodium.h>

#include "base/slice.h"
#include "msg/cap.h"
#include "msg/msg.h"
#include "signd/signd.h"

#define HASHES		(1 + 4 + 8 + 8)		/* before them */
#define MAC		32

static size_t
put(uint8_t *p, uint64_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
	return n;
}

static uint64_t
get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static void
ticket_mac(const uint8_t *p, size_t n, const uint8_t key[32], uint8_t *mac)
{
	static const uint8_t what[] = "maild dkim ticket";
	crypto_generichash_state h;

	crypto_generichash_init(&h, key, 32, MAC);
	crypto_generichash_update(&h, what, sizeof(what));
	crypto_generichash_update(&h, p, n);
	crypto_generichash_final(&h, mac, MAC);
}

size_t
ticket_make(const struct ticket *t, const uint8_t key[32],
    uint8_t buf[TICKET_MAX])
{
	size_t n = 0, dn = strlen(t->domain);

	buf[n++] = t->has7 ? 2 : 1;
	n += put(buf + n, t->account, 4);
	n += put(buf + n, t->issued, 8);
	n += put(buf + n, t->expires, 8);
	memcpy(buf + n, t->bodyhash.b, 32);
	memcpy(buf + n + 32, t->fromhash.b, 32);
	n += 64;
	if (t->has7) {
		memcpy(buf + n, t->bodyhash7.b, 32);
		n += 32;
	}
	buf[n++] = (uint8_t)dn;
	memcpy(buf + n, t->domain, dn);
	n += dn;
	ticket_mac(buf, n, key, buf + n);
	return n + MAC;
}

int
ticket_check(struct slice s, const uint8_t key[32], uint64_t now,
    struct ticket *t)
{
	const uint8_t *p = (const uint8_t *)s.p;
	uint8_t mac[MAC];
	size_t at, dn;

	if (s.n == 0 || p[0] < 1 || p[0] > TICKET_VERSION)
		return -1;
	t->has7 = p[0] == 2;
	at = HASHES + (t->has7 ? 96 : 64);	/* the domain */
	if (s.n < at + 1 + MAC)
		return -1;
	dn = p[at++];
	if (s.n != at + dn + MAC)
		return -1;
	ticket_mac(p, at + dn, key, mac);
	if (sodium_memcmp(mac, p + at + dn, MAC) != 0)
		return -1;
	t->account = (uint32_t)get(p + 1, 4);
	t->issued = get(p + 5, 8);
	t->expires = get(p + 13, 8);
	memcpy(t->bodyhash.b, p + HASHES, 32);
	memcpy(t->fromhash.b, p + HASHES + 32, 32);
	if (t->has7)
		memcpy(t->bodyhash7.b, p + HASHES + 64, 32);
	if (slice_cpy(slice_of(s.p + at, dn), t->domain,
	    sizeof(t->domain)) == -1)
		return -1;
	return t->expires > now ? 0 : -1;
}
