/*
 * Commit ids of all frames that are on disk, done or not, so that a commit
 * which smtpd sends or asks about again is recognised.  Open addressing by
 * the first octets of the id; the id itself stands in the segment's slot.
 * The ids are random numbers of smtpd's; a bad one can only slow itself and
 * its like, and queue bounds what it takes.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "util.h"
#include "queue.h"

struct entry {
	struct segment	*seg;		/* NULL: free */
	uint32_t	 no;
};

static struct {
	struct entry	*v;
	size_t		 size, n;	/* size: a power of two */
	uint8_t		 key[16];
} ids;

static void	 grow(void);
static void	 insert(struct segment *, uint32_t);

static size_t
place(const struct msg_id *id)
{
	return (size_t)siphash24(ids.key, id->b, sizeof(id->b)) &
	    (ids.size - 1);
}

static const struct msg_id *
entry_id(const struct entry *e)
{
	return &e->seg->slot[e->no].commit;
}

void
ids_add(struct segment *s, uint32_t no)
{
	if (ids.n * 4 >= ids.size * 3)
		grow();
	insert(s, no);
	ids.n++;
}

/* The latest one, when a frame was copied. */
bool
ids_find(const struct msg_id *id, struct segment **s, uint32_t *no)
{
	bool found = false;
	size_t i;

	if (ids.n == 0)
		return false;
	for (i = place(id); ids.v[i].seg != NULL; i = (i + 1) & (ids.size - 1))
		if (memcmp(entry_id(&ids.v[i])->b, id->b, sizeof(id->b)) == 0 &&
		    (!found || ids.v[i].seg->seq >= (*s)->seq)) {
			*s = ids.v[i].seg;
			*no = ids.v[i].no;
			found = true;
		}
	return found;
}

/* Before the segment's slots go away.  Emptying many places of an open
 * table is as cheap as filling a new one. */
void
ids_remove(struct segment *s)
{
	struct entry *old = ids.v;
	size_t i, size = ids.size;

	if (s->nslot == 0 || ids.n == 0)
		return;
	ids.v = xcalloc(ids.size, sizeof(*ids.v));
	ids.n = 0;
	for (i = 0; i < size; i++)
		if (old[i].seg != NULL && old[i].seg != s) {
			insert(old[i].seg, old[i].no);
			ids.n++;
		}
	free(old);
}

static void
insert(struct segment *s, uint32_t no)
{
	size_t i = place(&s->slot[no].commit);

	while (ids.v[i].seg != NULL)
		i = (i + 1) & (ids.size - 1);
	ids.v[i] = (struct entry){ .seg = s, .no = no };
}

static void
grow(void)
{
	struct entry *old = ids.v;
	size_t i, size = ids.size;

	if (size == 0)
		random_bytes(ids.key, sizeof(ids.key));
	ids.size = size == 0 ? 4096 : size * 2;
	ids.v = xcalloc(ids.size, sizeof(*ids.v));
	for (i = 0; i < size; i++)
		if (old[i].seg != NULL)
			insert(old[i].seg, old[i].no);
	free(old);
}
