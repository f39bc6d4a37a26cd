/*
 * What one "why" looks for: ids, names and places, the one that was asked for
 * and those that its lines led to.  Of fixed size: when it is full nothing
 * more is followed, and whoever asked is told.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

#define SLOTS		8192		/* of the table, a power of two */
#define POOL		(128 * 1024)	/* octets of all keys */
#define PLACES_MAX	1024

struct key {
	uint32_t	 hash, at;
	uint16_t	 n;
	uint8_t		 kinds;
};

struct keys {
	uint16_t	 slot[SLOTS];	/* index + 1, 0 none */
	struct key	 key[KEYS_MAX];
	size_t		 n, used;
	struct place	 place[PLACES_MAX];
	size_t		 nplaces;
	bool		 full;
	uint8_t		 hashkey[16];	/* of hashes: what is looked up is
					 * what strangers wrote */
	char		 pool[POOL];
};

struct keys *
keys_new(void)
{
	struct keys *k = xcalloc(1, sizeof(*k));

	random_bytes(k->hashkey, sizeof(k->hashkey));
	return k;
}

void
keys_free(struct keys *k)
{
	free(k);
}

/* Over lower case.  What is longer than a key is none. */
static uint32_t
hash_of(const struct keys *k, struct slice s)
{
	char low[KEY_OCTETS];
	size_t i;

	for (i = 0; i < s.n && i < sizeof(low); i++)
		low[i] = (char)ascii_lower((unsigned char)s.p[i]);
	return (uint32_t)siphash24(k->hashkey, low, i);
}

static struct key *
find(struct keys *k, struct slice s, uint32_t hash, uint32_t *slot)
{
	struct key *e;

	for (*slot = hash % SLOTS; k->slot[*slot] != 0;
	    *slot = (*slot + 1) % SLOTS) {
		e = &k->key[k->slot[*slot] - 1];
		if (e->hash == hash && slice_caseeq(slice_of(k->pool + e->at,
		    e->n), s))
			return e;
	}
	return NULL;
}

unsigned int
keys_has(struct keys *k, struct slice s)
{
	uint32_t slot;
	struct key *e = find(k, s, hash_of(k, s), &slot);

	return e != NULL ? e->kinds : 0;
}

bool
keys_add(struct keys *k, struct slice s, unsigned int kind)
{
	uint32_t hash = hash_of(k, s), slot;
	struct key *e = find(k, s, hash, &slot);

	if (e != NULL) {
		if ((e->kinds & kind) == kind)
			return false;
		e->kinds |= (uint8_t)kind;
		return true;
	}
	if (k->n == KEYS_MAX || s.n > KEY_OCTETS || s.n > POOL - k->used) {
		k->full = true;
		return false;
	}
	e = &k->key[k->n++];
	*e = (struct key){ hash, (uint32_t)k->used, (uint16_t)s.n,
	    (uint8_t)kind };
	memcpy(k->pool + k->used, s.p, s.n);
	k->used += s.n;
	k->slot[slot] = (uint16_t)k->n;
	return true;
}

bool
keys_place_part(const struct keys *k, const struct place *p, size_t *i,
    struct place *part)
{
	const struct place *q;

	for (; *i < k->nplaces; (*i)++) {
		q = &k->place[*i];
		if (q->account != p->account ||
		    q->uidvalidity != p->uidvalidity ||
		    q->first > p->last || q->last < p->first)
			continue;
		*part = *p;
		if (q->first > p->first)
			part->first = q->first;
		if (q->last < p->last)
			part->last = q->last;
		(*i)++;
		return true;
	}
	return false;
}

bool
keys_add_place(struct keys *k, const struct place *p)
{
	struct place part;
	size_t i = 0;

	while (keys_place_part(k, p, &i, &part))
		if (part.first == p->first && part.last == p->last)
			return false;
	if (k->nplaces == PLACES_MAX) {
		k->full = true;
		return false;
	}
	k->place[k->nplaces++] = *p;
	return true;
}

bool
keys_has_place(const struct keys *k, const struct place *p)
{
	struct place part;
	size_t i = 0;

	return keys_place_part(k, p, &i, &part);
}

size_t
keys_count(const struct keys *k)
{
	return k->n + k->nplaces;
}

bool
keys_full(const struct keys *k)
{
	return k->full;
}
