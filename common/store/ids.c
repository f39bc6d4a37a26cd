/*
 * The set of delivery ids that the queue may still ask about: open
 * addressing, keyed by the id's first octets (they are random: spool id,
 * frame and recipient hashed by queue).  In sessions too, which write it
 * into the checkpoint.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define IDS_FIRST	64
#define IDS_MAX		(1U << 21)

static size_t
idset_home(const struct idset *s, const uint8_t id[STORE_ID_LEN])
{
	uint64_t h = get64(id) ^ get64(id + 8) * 0x9e3779b97f4a7c15ULL;

	return (size_t)(h ^ h >> 29) & (s->cap - 1);
}

static struct idslot *
idset_find(const struct idset *s, const uint8_t id[STORE_ID_LEN])
{
	size_t i, k;

	if (s->cap == 0)
		return NULL;
	i = idset_home(s, id);
	for (k = 0; k < s->cap; k++, i = (i + 1) & (s->cap - 1))
		if (s->v[i].time == 0 ||
		    memcmp(s->v[i].id, id, STORE_ID_LEN) == 0)
			return &s->v[i];
	return NULL;
}

static int
idset_grow(struct idset *s)
{
	struct idset t = { 0 };
	size_t i;

	t.cap = s->cap == 0 ? IDS_FIRST : s->cap * 2;
	if (t.cap > IDS_MAX || (t.v = calloc(t.cap, sizeof(*t.v))) == NULL)
		return -1;
	for (i = 0; i < s->cap; i++)
		if (s->v[i].time != 0)
			*idset_find(&t, s->v[i].id) = s->v[i];
	t.n = s->n;
	free(s->v);
	*s = t;
	return 0;
}

int
idset_add(struct idset *s, const uint8_t id[STORE_ID_LEN], uint64_t now)
{
	struct idslot *e;

	if (s->n >= s->cap / 2 && idset_grow(s) == -1)
		return -1;
	e = idset_find(s, id);
	if (e->time == 0) {
		memcpy(e->id, id, STORE_ID_LEN);
		s->n++;
	}
	e->time = now == 0 ? 1 : now;
	return 0;
}

bool
idset_has(const struct idset *s, const uint8_t id[STORE_ID_LEN])
{
	const struct idslot *e = idset_find(s, id);

	return e != NULL && e->time != 0;
}

/* Takes it out and closes the gap, so that no probe ends early. */
void
idset_del(struct idset *s, const uint8_t id[STORE_ID_LEN])
{
	struct idslot *e = idset_find(s, id), t;
	size_t i, k;

	if (e == NULL || e->time == 0)
		return;
	e->time = 0;
	s->n--;
	i = (size_t)(e - s->v);
	for (k = 1; k < s->cap; k++) {
		i = (i + 1) & (s->cap - 1);
		if (s->v[i].time == 0)
			return;
		t = s->v[i];
		s->v[i].time = 0;
		*idset_find(s, t.id) = t;
	}
}

void
idset_free(struct idset *s)
{
	free(s->v);
	memset(s, 0, sizeof(*s));
}
