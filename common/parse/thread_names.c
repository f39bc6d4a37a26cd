/*
 * Threads: Message-IDs and subjects as numbers, found by a keyed hash.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "parse/thread_priv.h"

static int	 names_room(struct thread_names *, size_t);
static int	 names_rehash(struct thread_names *);
static void	 slot_put(struct thread_names *, uint32_t);

uint32_t
thread_name(struct thread_names *t, const uint8_t key[16], struct slice s)
{
	const struct thread_name *x;
	uint64_t hash = siphash24(key, s.p, s.n);
	size_t i;

	for (i = hash & (t->nslots - 1); t->nslots > 0 && t->slot[i] != 0;
	    i = (i + 1) & (t->nslots - 1)) {
		x = &t->name[t->slot[i]];
		if (x->hash == hash && x->n == s.n &&
		    memcmp(t->text + x->off, s.p, s.n) == 0)
			return t->slot[i];
	}
	if (names_room(t, s.n) == -1)
		return 0;
	t->name[t->n] = (struct thread_name){ .hash = hash,
	    .off = (uint32_t)t->textn, .n = (uint32_t)s.n };
	memcpy(t->text + t->textn, s.p, s.n);
	t->textn += s.n;
	slot_put(t, (uint32_t)t->n);
	return (uint32_t)t->n++;
}

void
thread_names_free(struct thread_names *t)
{
	free(t->text);
	free(t->name);
	free(t->slot);
}

/* Room for one more name of n octets. */
static int
names_room(struct thread_names *t, size_t n)
{
	struct thread_name *name;
	size_t size;
	char *text;

	if (t->n > THREAD_NODES_MAX || n > THREAD_TEXT_MAX - t->textn)
		return -1;
	if (t->n == t->size) {
		size = t->size == 0 ? 256 : t->size * 2;
		name = reallocarray(t->name, size, sizeof(*name));
		if (name == NULL)
			return -1;
		t->name = name;
		t->size = size;
		if (t->n == 0)
			t->name[t->n++] = (struct thread_name){ 0 };
		if (names_rehash(t) == -1)
			return -1;
	}
	for (size = t->text_size == 0 ? 16384 : t->text_size;
	    size - t->textn < n; size *= 2)
		;
	if (size == t->text_size)
		return 0;
	if ((text = realloc(t->text, size)) == NULL)
		return -1;
	t->text = text;
	t->text_size = size;
	return 0;
}

/* Twice as many slots as there can be names. */
static int
names_rehash(struct thread_names *t)
{
	uint32_t *slot, i;

	if ((slot = calloc(t->size * 2, sizeof(*slot))) == NULL)
		return -1;
	free(t->slot);
	t->slot = slot;
	t->nslots = t->size * 2;
	for (i = 1; i < t->n; i++)
		slot_put(t, i);
	return 0;
}

static void
slot_put(struct thread_names *t, uint32_t name)
{
	size_t i = t->name[name].hash & (t->nslots - 1);

	while (t->slot[i] != 0)
		i = (i + 1) & (t->nslots - 1);
	t->slot[i] = name;
}
