/*
 * Commit ids of all frames that are on disk, done or not, so that a commit
 * which smtpd sends or asks about again is recognised.  The ids of a segment
 * stand in a block of their own, which outlives the segment by IDS_KEEP: who
 * asks late is still told that his message is safe, when all of it has been
 * delivered and its place is used again.
 *
 * Open addressing by a keyed hash of the id, linear, without tombstones.
 * The ids are random numbers of smtpd's; a bad one can only slow itself and
 * its like, and queue bounds what it takes.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

struct ids {				/* of one segment */
	TAILQ_ENTRY(ids) entry;		/* of the retired ones */
	struct segment	*seg;		/* NULL: retired */
	uint64_t	 seq;
	uint64_t	 until;		/* now_ms() */
	uint32_t	 n, cap;
	struct msg_id	*v;		/* by number of the frame */
};

struct entry {
	struct ids	*ids;		/* NULL: free */
	uint32_t	 no;
};

static struct {
	struct entry	*v;
	size_t		 size, n;	/* size: a power of two */
	uint8_t		 key[16];
	TAILQ_HEAD(, ids) retired;	/* in order of until */
} t = { .retired = TAILQ_HEAD_INITIALIZER(t.retired) };

static const struct msg_id none;

static void	 table_grow(void);
static void	 table_insert(struct ids *, uint32_t);
static void	 table_remove(const struct ids *, uint32_t);

static size_t
place(const struct msg_id *id)
{
	return (size_t)siphash24(t.key, id->b, sizeof(id->b)) & (t.size - 1);
}

static bool
is_same(const struct msg_id *a, const struct msg_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void
ids_add(struct segment *s, uint32_t no, const struct msg_id *id)
{
	struct ids *i = s->ids;

	if (i == NULL) {
		i = s->ids = xcalloc(1, sizeof(*i));
		i->seg = s;
		i->seq = s->seq;
	}
	if (no >= i->cap) {
		i->cap = i->cap == 0 ? 256 : i->cap * 2;
		if (i->cap <= no)
			i->cap = no + 1;
		i->v = xreallocarray(i->v, i->cap, sizeof(*i->v));
	}
	while (i->n <= no)
		i->v[i->n++] = none;
	i->v[no] = *id;
	if (is_same(id, &none))
		return;
	if (t.n * 4 >= t.size * 3)
		table_grow();
	table_insert(i, no);
	t.n++;
}

/* The latest one, when a frame was copied. */
bool
ids_find(const struct msg_id *id, struct ids_place *p)
{
	const struct entry *e;
	bool found = false;
	size_t i;

	if (t.n == 0)
		return false;
	for (i = place(id); (e = &t.v[i])->ids != NULL;
	    i = (i + 1) & (t.size - 1)) {
		if (!is_same(&e->ids->v[e->no], id) ||
		    (found && e->ids->seq < p->seq))
			continue;
		*p = (struct ids_place){ e->ids->seg, e->ids->seq, e->no };
		found = true;
	}
	return found;
}

/* The segment is used again; they are known for some time yet. */
void
ids_retire(struct segment *s)
{
	struct ids *i = s->ids;

	if (i == NULL)
		return;
	s->ids = NULL;
	i->seg = NULL;
	i->until = now_ms() + IDS_KEEP * 1000;
	TAILQ_INSERT_TAIL(&t.retired, i, entry);
}

static void
ids_free(struct ids *i)
{
	uint32_t no;

	for (no = 0; no < i->n; no++)
		if (!is_same(&i->v[no], &none))
			table_remove(i, no);
	free(i->v);
	free(i);
}

void
ids_drop(struct segment *s)
{
	if (s->ids != NULL)
		ids_free(s->ids);
	s->ids = NULL;
}

void
ids_expire(uint64_t now)
{
	struct ids *i;

	while ((i = TAILQ_FIRST(&t.retired)) != NULL && i->until <= now) {
		TAILQ_REMOVE(&t.retired, i, entry);
		ids_free(i);
	}
}

/* ---- the table -------------------------------------------------------- */

static void
table_insert(struct ids *ids, uint32_t no)
{
	size_t i = place(&ids->v[no]);

	while (t.v[i].ids != NULL)
		i = (i + 1) & (t.size - 1);
	t.v[i] = (struct entry){ .ids = ids, .no = no };
}

/* What stands behind it and could not have its own place moves up. */
static void
table_remove(const struct ids *ids, uint32_t no)
{
	size_t mask = t.size - 1, i = place(&ids->v[no]), j, home;

	while (t.v[i].ids != ids || t.v[i].no != no)
		i = (i + 1) & mask;
	for (j = (i + 1) & mask; t.v[j].ids != NULL; j = (j + 1) & mask) {
		home = place(&t.v[j].ids->v[t.v[j].no]);
		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		t.v[i] = t.v[j];
		i = j;
	}
	t.v[i].ids = NULL;
	t.n--;
}

static void
table_grow(void)
{
	struct entry *old = t.v;
	size_t i, size = t.size;

	if (size == 0)
		random_bytes(t.key, sizeof(t.key));
	t.size = size == 0 ? 4096 : size * 2;
	t.v = xcalloc(t.size, sizeof(*t.v));
	for (i = 0; i < size; i++)
		if (old[i].ids != NULL)
			table_insert(old[i].ids, old[i].no);
	free(old);
}
