/*
 * Chained hash tables of things with a node inside.  Keys come from
 * outside, so the hash is keyed with a key that is random per process.
 * The table owns only its slots, never the things.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define SLOTS_MIN	64

uint64_t
table_hash(const void *p, size_t n)
{
	static uint8_t key[16];
	static bool keyed;

	if (!keyed) {
		random_bytes(key, sizeof(key));
		keyed = true;
	}
	return siphash24(key, p, n);
}

static void
table_grow(struct table *t)
{
	struct node *n, *next, **slot;
	size_t i, nslots = t->nslots == 0 ? SLOTS_MIN : t->nslots * 2;

	slot = xcalloc(nslots, sizeof(*slot));
	for (i = 0; i < t->nslots; i++)
		for (n = t->slot[i]; n != NULL; n = next) {
			next = n->next;
			n->next = slot[n->hash & (nslots - 1)];
			slot[n->hash & (nslots - 1)] = n;
		}
	free(t->slot);
	t->slot = slot;
	t->nslots = nslots;
}

void
table_add(struct table *t, struct node *n, uint64_t hash)
{
	struct node **slot;

	if (t->count >= t->nslots)
		table_grow(t);
	slot = &t->slot[hash & (t->nslots - 1)];
	n->hash = hash;
	n->next = *slot;
	*slot = n;
	t->count++;
}

void
table_del(struct table *t, struct node *n)
{
	struct node **p;

	for (p = &t->slot[n->hash & (t->nslots - 1)]; *p != n;)
		p = &(*p)->next;
	*p = n->next;
	n->next = NULL;
	t->count--;
}

struct node *
table_chain(const struct table *t, uint64_t hash)
{
	if (t->nslots == 0)
		return NULL;
	return t->slot[hash & (t->nslots - 1)];
}

void
table_clear(struct table *t, void (*fn)(struct node *))
{
	struct node *n, *next;
	size_t i;

	for (i = 0; i < t->nslots; i++)
		for (n = t->slot[i]; n != NULL; n = next) {
			next = n->next;
			fn(n);
		}
	free(t->slot);
	*t = (struct table){ 0 };
}
