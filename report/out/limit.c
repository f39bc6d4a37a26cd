/*
 * So many of a kind and name an hour.  What is counted comes from strangers,
 * so the table is hashed with a key, has a fixed size, and holds only what
 * was allowed: the caller asks a total for all first, which bounds how many
 * that can be.  A full neighbourhood refuses; nothing live is ever put out.
 * Pure.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "report/out/failure.h"

#define PROBES		64	/* slots looked at for one name */
#define NAME_MAX_LIMIT	400	/* octets of a name that count */

struct slot {
	uint64_t	 hash;
	uint64_t	 since;		/* 0: free */
	unsigned int	 n;
};

struct limit {
	uint8_t		 key[16];
	struct slot	 slot[LIMIT_SLOTS];
};

struct limit *
limit_new(const uint8_t key[16])
{
	struct limit *l = xcalloc(1, sizeof(*l));

	memcpy(l->key, key, sizeof(l->key));
	return l;
}

void
limit_free(struct limit *l)
{
	free(l);
}

static uint64_t
hash_of(const struct limit *l, int kind, struct slice name)
{
	char b[NAME_MAX_LIMIT + 1];
	size_t i, n = name.n < NAME_MAX_LIMIT ? name.n : NAME_MAX_LIMIT;

	b[0] = (char)kind;
	for (i = 0; i < n; i++)
		b[1 + i] = (char)ascii_lower((unsigned char)name.p[i]);
	return siphash24(l->key, b, n + 1);
}

/* The live slot of h, or NULL; *room, if there is none, where it may go. */
static struct slot *
find(struct slot *slots, uint64_t h, uint64_t now, struct slot **room)
{
	struct slot *s;
	size_t i;

	*room = NULL;
	for (i = 0; i < PROBES; i++) {
		s = &slots[(h + i) % LIMIT_SLOTS];
		if (s->since == 0 || now - s->since >= LIMIT_PERIOD) {
			if (*room == NULL)
				*room = s;
			if (s->since == 0)
				return NULL;	/* nothing behind it */
		} else if (s->hash == h)
			return s;
	}
	return NULL;
}

bool
limit_left(const struct limit *l, int kind, struct slice name,
    unsigned int max, uint64_t now)
{
	struct slot *room, *s = find((struct slot *)l->slot,
	    hash_of(l, kind, name), now, &room);

	return s != NULL ? s->n < max : room != NULL && max > 0;
}

bool
limit_take(struct limit *l, int kind, struct slice name, unsigned int max,
    uint64_t now)
{
	uint64_t h = hash_of(l, kind, name);
	struct slot *room, *s = find(l->slot, h, now, &room);

	if (s != NULL ? s->n >= max : room == NULL || max == 0)
		return false;
	if (s == NULL)
		*(s = room) = (struct slot){ h, now == 0 ? 1 : now, 0 };
	s->n++;
	return true;
}
