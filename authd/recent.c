/*
 * Recent successful logins, so that a client that comes every minute does
 * not cost argon2id every time.  Kept: a keyed hash over account number and
 * password, the key random per start and never written anywhere; a hit for
 * one account can never be one for another (attacks 43).  Bounded: sets of
 * four, the oldest gives way.
 */
#include "base/compat.h"

#include <string.h>

#include <sodium.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define RECENT_SETS	4096
#define RECENT_WAYS	4

struct recent {
	uint64_t	 until;		/* 0: empty */
	uint32_t	 account;
	struct msg_mac	 mac;
};

static struct {
	uint8_t		 key[crypto_generichash_KEYBYTES];
	struct recent	 set[RECENT_SETS][RECENT_WAYS];
} st;

void
recent_init(void)
{
	random_bytes(st.key, sizeof(st.key));
	memset(st.set, 0, sizeof(st.set));
}

static struct recent *
recent_set(uint32_t account, struct slice password, struct msg_mac *mac)
{
	crypto_generichash_state h;
	uint8_t id[4] = { (uint8_t)account, (uint8_t)(account >> 8),
	    (uint8_t)(account >> 16), (uint8_t)(account >> 24) };
	uint32_t i;

	crypto_generichash_init(&h, st.key, sizeof(st.key), sizeof(mac->b));
	crypto_generichash_update(&h, id, sizeof(id));
	crypto_generichash_update(&h, (const uint8_t *)password.p,
	    password.n);
	crypto_generichash_final(&h, mac->b, sizeof(mac->b));
	sodium_memzero(&h, sizeof(h));
	memcpy(&i, mac->b, sizeof(i));
	return st.set[i % RECENT_SETS];
}

bool
recent_has(uint32_t account, struct slice password, uint64_t now)
{
	struct msg_mac mac;
	struct recent *r = recent_set(account, password, &mac);
	bool found = false;
	size_t i;

	for (i = 0; i < RECENT_WAYS; i++)
		found |= (sodium_memcmp(r[i].mac.b, mac.b,
		    sizeof(mac.b)) == 0) & (r[i].account == account) &
		    (r[i].until > now);
	return found;
}

void
recent_add(uint32_t account, struct slice password, uint64_t now)
{
	struct msg_mac mac;
	struct recent *r = recent_set(account, password, &mac), *old = r;
	size_t i;

	for (i = 1; i < RECENT_WAYS; i++)
		if (r[i].until < old->until)
			old = &r[i];
	old->until = now + RECENT_SECONDS;
	old->account = account;
	old->mac = mac;
}

void
recent_drop(uint32_t account)
{
	size_t i, j;

	for (i = 0; i < RECENT_SETS; i++)
		for (j = 0; j < RECENT_WAYS; j++)
			if (st.set[i][j].account == account)
				sodium_memzero(&st.set[i][j],
				    sizeof(st.set[i][j]));
}
