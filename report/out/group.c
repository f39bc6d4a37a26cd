/*
 * Domains that may well be of one owner, by their names alone: whoever has a
 * domain has all the names below it, and with psd=y in its record each is an
 * organization of its own (RFC 9989 4.10), so the DNS cannot tell.  What one
 * group may have in an interval is limited.  The table lies in buckets by a
 * random key, since strangers choose the names; two names whose hashes are
 * the same share one limit.  Pure.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define BUCKETS_MIN	64
#define TLD_COUNTRY	2	/* octets of the last label */
#define SECOND_SHORT	3	/* octets of one like "co" or "com" below it */

struct groups {
	uint8_t		 key[16];
	struct group	**bucket;
	size_t		 size, n;	/* size: a power of two */
};

static struct slice last_labels(struct slice, unsigned int);
static bool	 is_wide(struct slice);
static struct group *find(const struct groups *, struct slice);
static struct group *find_or_add(struct groups *, struct slice);

struct groups *
groups_new(void)
{
	struct groups *gs = xcalloc(1, sizeof(*gs));

	random_bytes(gs->key, sizeof(gs->key));
	gs->size = BUCKETS_MIN;
	gs->bucket = xcalloc(gs->size, sizeof(gs->bucket[0]));
	return gs;
}

void
groups_free(struct groups *gs)
{
	struct group *g;
	size_t i;

	if (gs == NULL)
		return;
	for (i = 0; i < gs->size; i++)
		while ((g = gs->bucket[i]) != NULL) {
			gs->bucket[i] = g->next;
			free(g);
		}
	free(gs->bucket);
	free(gs);
}

struct slice
group_of(struct slice at)
{
	return last_labels(at, is_wide(last_labels(at, 2)) ? 3 : 2);
}

/* n of them, or all there are. */
static struct slice
last_labels(struct slice s, unsigned int n)
{
	size_t i;

	for (i = s.n; i > 0; i--)
		if (s.p[i - 1] == '.' && --n == 0)
			break;
	return slice_of(s.p + i, s.n - i);
}

/* Two labels that may be a registry's, as in co.uk? */
static bool
is_wide(struct slice s)
{
	size_t dot = slice_find(s, '.');

	return dot < s.n && dot <= SECOND_SHORT &&
	    s.n - dot - 1 == TLD_COUNTRY;
}

bool
group_room(const struct groups *gs, struct slice at)
{
	struct slice name = group_of(at), wide = last_labels(at, 2);
	const struct group *g = find(gs, name);

	if (g != NULL && g->n >= GROUP_DOMAINS)
		return false;
	if (wide.n == name.n)
		return true;
	g = find(gs, wide);
	return g == NULL || g->n < GROUP_WIDE;
}

struct group *
group_add(struct groups *gs, struct slice at)
{
	struct slice name = group_of(at), wide = last_labels(at, 2);
	struct group *g;

	if (wide.n != name.n)
		find_or_add(gs, wide)->n++;
	g = find_or_add(gs, name);
	g->n++;
	return g;
}

static struct group *
find(const struct groups *gs, struct slice name)
{
	uint64_t h = siphash24(gs->key, name.p, name.n);
	struct group *g = gs->bucket[h & (gs->size - 1)];

	while (g != NULL && g->hash != h)
		g = g->next;
	return g;
}

static void
grow(struct groups *gs)
{
	struct group **old = gs->bucket, **b, *g;
	size_t i, size = gs->size;

	gs->size *= 2;
	gs->bucket = xcalloc(gs->size, sizeof(gs->bucket[0]));
	for (i = 0; i < size; i++)
		while ((g = old[i]) != NULL) {
			old[i] = g->next;
			b = &gs->bucket[g->hash & (gs->size - 1)];
			g->next = *b;
			*b = g;
		}
	free(old);
}

static struct group *
find_or_add(struct groups *gs, struct slice name)
{
	struct group *g = find(gs, name), **b;

	if (g != NULL)
		return g;
	if (gs->n == gs->size)
		grow(gs);
	gs->n++;
	g = xcalloc(1, sizeof(*g));
	g->hash = siphash24(gs->key, name.p, name.n);
	b = &gs->bucket[g->hash & (gs->size - 1)];
	g->next = *b;
	*b = g;
	return g;
}
