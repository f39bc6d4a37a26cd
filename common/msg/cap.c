/*
 * Capabilities: keyed BLAKE2b-256 over length-prefixed fields (cap.h).
 */
#include "base/compat.h"

#include <string.h>

#include <sodium.h>

#include "base/slice.h"
#include "msg/cap.h"
#include "msg/msg.h"

static void
cap_num(crypto_generichash_state *st, uint64_t v)
{
	uint8_t b[8];
	size_t i;

	for (i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(v >> (8 * i));
	crypto_generichash_update(st, b, sizeof(b));
}

static void
cap_slice(crypto_generichash_state *st, struct slice s)
{
	cap_num(st, s.n);
	if (s.n > 0)
		crypto_generichash_update(st, (const uint8_t *)s.p, s.n);
}

void
cap_rcpt(struct msg_mac *out, const uint8_t key[32], uint64_t conn,
    struct slice address, struct slice routes)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, 32, sizeof(out->b));
	cap_slice(&st, slice_str("rcpt"));
	cap_num(&st, conn);
	cap_slice(&st, address);
	cap_slice(&st, routes);
	crypto_generichash_final(&st, out->b, sizeof(out->b));
}

void
cap_sender(struct msg_mac *out, const uint8_t key[32], uint64_t conn,
    uint32_t account, struct slice domain, uint64_t expires)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, 32, sizeof(out->b));
	cap_slice(&st, slice_str("sender"));
	cap_num(&st, conn);
	cap_num(&st, account);
	cap_slice(&st, domain);
	cap_num(&st, expires);
	crypto_generichash_final(&st, out->b, sizeof(out->b));
}

bool
cap_equal(const struct msg_mac *a, const struct msg_mac *b)
{
	return sodium_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
