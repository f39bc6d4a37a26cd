/*
 * Whose question resolve sends next.  What is scarce are the sockets on
 * which it waits for its resolvers, and who lets it wait longest is whoever
 * runs silent name servers; so that strangers delay nobody but themselves,
 *
 * - all channels (guests) take turns, and in each of them all connections
 *   and messages asked for (lines): a turn sends one question;
 * - a line has LINE_ACTIVE sockets at most, LINE_NEW of them for names like
 *   none that was asked for lately;
 * - a zone has ZONE_NEW at first, ZONE_ACTIVE once a name in it was answered.
 *   There is no list of public suffixes here: a zone is the last two labels
 *   of a name, so nobody gets around it by names below his own;
 * - a question that was not answered promptly, and one in a zone from which
 *   nothing but that is known, is AGAIN: such share QUERY_AGAIN sockets,
 *   ZONE_AGAIN in a zone.  Where other names of the zone are answered (co.uk)
 *   that goes by the label before it, so that neighbours do not share it;
 * - when the zone or all is full, what is not AGAIN gives way after YIELD_MS
 *   to a line that has no socket.  The resolver goes on with what we leave
 *   and has its own limit, so a guest does that YIELD_MAX times in
 *   YIELD_WINDOW.
 *
 * So with however many names, zones and connections strangers come, the next
 * question of a line waits for the lines before it at a rate of more than
 * (QUERY_ACTIVE - QUERY_AGAIN) / patience, 190 a second.  Where the name
 * servers of a zone live is not seen from here; the resolver bounds what it
 * asks each of them.  Only resolve runs this; no I/O.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define NBUCKET		1024
#define ZONES_IDLE	4096		/* remembered without a question */
#define GOOD_MS		600000		/* an answer speaks for a zone */
#define BAD_MS		60000		/* silence against it */

TAILQ_HEAD(waiting, asker);

struct line {
	LIST_ENTRY(line) bucket;
	TAILQ_ENTRY(line) turn;		/* of its guest */
	struct guest	*guest;		/* NULL: gone */
	uint64_t	 whom;
	struct waiting	 waiting[QUERY_CLASSES];
	unsigned int	 nasker, nactive, nnew;
};

struct guest {
	TAILQ_ENTRY(guest) turn;
	struct chan	*chan;
	TAILQ_HEAD(, line) lines;
	uint64_t	 window;	/* of yields, its end */
	unsigned int	 yields;	/* in it */
};

static struct {
	uint8_t		 key[16];
	TAILQ_HEAD(, guest) guests;	/* who is next comes first */
	LIST_HEAD(, line) line[NBUCKET];
	LIST_HEAD(, zone) zone[NBUCKET];
	TAILQ_HEAD(, zone) idle;	/* the longest idle first */
	size_t		 nidle;
	struct queries	 fresh;		/* active, the oldest first */
	size_t		 nasker, nactive, nagain;
} tn;

static struct zone *zone_get(const char *);
static void	 zone_put(struct zone *);
static struct line *line_find(struct chan *, uint64_t, size_t *);
static struct line *line_get(struct chan *, uint64_t);
static void	 line_detach(struct line *);
static void	 line_drop(struct line *);
static struct guest *guest_get(struct chan *);
static struct query *line_next(struct line *, uint64_t, struct query **);
static bool	 query_room(const struct query *, const struct line *, uint64_t,
	    struct query **);
static bool	 is_new(const struct query *, uint64_t);
static bool	 gives_way(const struct zone *, const struct line *, uint64_t,
	    struct query **);
static void	 query_start(struct query *, struct line *, uint64_t);

void
turn_init(void)
{
	random_bytes(tn.key, sizeof(tn.key));
	TAILQ_INIT(&tn.guests);
	TAILQ_INIT(&tn.fresh);
	TAILQ_INIT(&tn.idle);
}

/* ---- zones --------------------------------------------------------------- */

/* Address blocks as large as one holder has: 192.in-addr.arpa is none. */
static size_t
zone_labels(const char *name, size_t n)
{
	static const struct { const char *tail; size_t labels; } reverse[] = {
		{ ".in-addr.arpa", 4 }, { ".ip6.arpa", 10 }
	};
	size_t i, k;

	for (i = 0; i < NITEMS(reverse); i++) {
		k = strlen(reverse[i].tail);
		if (n > k && strcmp(name + n - k, reverse[i].tail) == 0)
			return reverse[i].labels;
	}
	return 2;
}

const char *
zone_of(const char *name)
{
	size_t n = strlen(name), labels = zone_labels(name, n);

	while (n > 0)
		if (name[n - 1] == '.' && --labels == 0)
			break;
		else
			n--;
	return name + n;
}

/* One label more, if there is one. */
static const char *
part_of(const char *name)
{
	const char *p = zone_of(name);

	if (p == name)
		return name;
	for (p--; p > name && p[-1] != '.'; p--)
		;
	return p;
}

static struct zone *
zone_get(const char *name)
{
	size_t n = strlen(name), b = siphash24(tn.key, name, n) % NBUCKET;
	struct zone *z;

	LIST_FOREACH(z, &tn.zone[b], bucket)
		if (strcmp(z->name, name) == 0)
			break;
	if (z == NULL) {
		z = xcalloc(1, sizeof(*z) + n + 1);
		memcpy(z->name, name, n);
		LIST_INSERT_HEAD(&tn.zone[b], z, bucket);
	} else if (z->nquery == 0) {
		TAILQ_REMOVE(&tn.idle, z, idle);
		tn.nidle--;
	}
	z->nquery++;
	return z;
}

/* What was heard of it is remembered a while. */
static void
zone_put(struct zone *z)
{
	if (--z->nquery > 0)
		return;
	TAILQ_INSERT_TAIL(&tn.idle, z, idle);
	if (++tn.nidle <= ZONES_IDLE)
		return;
	z = TAILQ_FIRST(&tn.idle);
	TAILQ_REMOVE(&tn.idle, z, idle);
	tn.nidle--;
	LIST_REMOVE(z, bucket);
	free(z);
}

void
zone_enter(struct query *q)
{
	q->zone = zone_get(zone_of(q->q.name));
	q->part = zone_get(part_of(q->q.name));
}

void
zone_leave(struct query *q)
{
	zone_put(q->zone);
	zone_put(q->part);
}

void
zone_heard(struct query *q, bool answered, uint64_t now)
{
	if (answered) {
		q->zone->good = q->part->good = now + GOOD_MS;
		q->part->bad = 0;
	} else
		q->zone->bad = q->part->bad = now + BAD_MS;
}

/* Is silence what is to be expected? */
static bool
zone_silent(const struct query *q, uint64_t now)
{
	return q->zone->bad > now &&
	    (q->zone->good <= now || q->part->bad > now);
}

/* ---- lines --------------------------------------------------------------- */

static struct line *
line_find(struct chan *chan, uint64_t whom, size_t *bucket)
{
	struct line *l;

	*bucket = siphash24(tn.key, &whom, sizeof(whom)) % NBUCKET;
	LIST_FOREACH(l, &tn.line[*bucket], bucket)
		if (l->whom == whom && l->guest->chan == chan)
			return l;
	return NULL;
}

static struct guest *
guest_get(struct chan *chan)
{
	struct guest *g;

	TAILQ_FOREACH(g, &tn.guests, turn)
		if (g->chan == chan)
			return g;
	g = xcalloc(1, sizeof(*g));
	g->chan = chan;
	TAILQ_INIT(&g->lines);
	TAILQ_INSERT_TAIL(&tn.guests, g, turn);
	return g;
}

/* A new one is last, or those who come and go all the time would be all that
 * is served. */
static struct line *
line_get(struct chan *chan, uint64_t whom)
{
	struct line *l;
	size_t b, i;

	if ((l = line_find(chan, whom, &b)) != NULL)
		return l;
	l = xcalloc(1, sizeof(*l));
	l->guest = guest_get(chan);
	l->whom = whom;
	for (i = 0; i < QUERY_CLASSES; i++)
		TAILQ_INIT(&l->waiting[i]);
	LIST_INSERT_HEAD(&tn.line[b], l, bucket);
	TAILQ_INSERT_TAIL(&l->guest->lines, l, turn);
	return l;
}

static void
line_detach(struct line *l)
{
	LIST_REMOVE(l, bucket);
	TAILQ_REMOVE(&l->guest->lines, l, turn);
	l->guest = NULL;
}

/* Unless it is still needed. */
static void
line_drop(struct line *l)
{
	if (l->nasker > 0 || l->nactive > 0)
		return;
	if (l->guest != NULL)
		line_detach(l);
	free(l);
}

struct asker *
asker_new(struct chan *chan, uint64_t whom, uint32_t ask, struct query *q)
{
	struct line *l = line_get(chan, whom);
	struct asker *a;

	if (l->nasker == LINE_ASKERS)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->line = l;
	a->query = q;
	a->ask = ask;
	LIST_INSERT_HEAD(&q->askers, a, entry);
	if (!q->active)
		TAILQ_INSERT_TAIL(&l->waiting[q->class], a, turn);
	l->nasker++;
	tn.nasker++;
	return a;
}

void
asker_free(struct asker *a)
{
	struct line *l = a->line;

	if (!a->query->active)
		TAILQ_REMOVE(&l->waiting[a->query->class], a, turn);
	LIST_REMOVE(a, entry);
	free(a);
	tn.nasker--;
	l->nasker--;
	line_drop(l);
}

struct chan *
asker_chan(const struct asker *a)
{
	return a->line->guest->chan;
}

size_t
asker_count(void)
{
	return tn.nasker;
}

static struct asker *
line_last(struct line *l)
{
	struct asker *a = TAILQ_LAST(&l->waiting[AGAIN], waiting);

	return a != NULL ? a : TAILQ_LAST(&l->waiting[FRESH], waiting);
}

struct asker *
asker_last(struct chan *chan, uint64_t whom)
{
	struct line *own, *l, *most = NULL;
	struct guest *g;
	size_t b;

	TAILQ_FOREACH(g, &tn.guests, turn)
		TAILQ_FOREACH(l, &g->lines, turn)
			if ((most == NULL || l->nasker > most->nasker) &&
			    line_last(l) != NULL)
				most = l;
	own = line_find(chan, whom, &b);
	if (most == NULL || (own != NULL && most->nasker <= own->nasker))
		return NULL;
	return line_last(most);
}

struct asker *
asker_waiting(struct chan *chan, uint64_t whom)
{
	struct line *l;
	size_t b;

	l = line_find(chan, whom, &b);
	return l == NULL ? NULL : line_last(l);
}

/* What is active on its account goes on: others may wait for it. */
void
turn_forget(struct chan *chan)
{
	struct guest *g;

	TAILQ_FOREACH(g, &tn.guests, turn)
		if (g->chan == chan)
			break;
	if (g == NULL)
		return;
	while (!TAILQ_EMPTY(&g->lines))
		line_detach(TAILQ_FIRST(&g->lines));
	TAILQ_REMOVE(&tn.guests, g, turn);
	free(g);
}

/* ---- turns --------------------------------------------------------------- */

void
turn_wait(struct query *q)
{
	struct asker *a;

	q->active = false;
	LIST_FOREACH(a, &q->askers, entry)
		TAILQ_INSERT_TAIL(&a->line->waiting[q->class], a, turn);
}

/* Guests and lines that had their turn go behind the others. */
struct query *
turn_next(uint64_t now, struct query **yields)
{
	struct guest *g;
	struct line *l;
	struct query *q;

	*yields = NULL;
	TAILQ_FOREACH(g, &tn.guests, turn)
		TAILQ_FOREACH(l, &g->lines, turn) {
			if (l->nactive == LINE_ACTIVE ||
			    (q = line_next(l, now, yields)) == NULL)
				continue;
			TAILQ_REMOVE(&g->lines, l, turn);
			TAILQ_INSERT_TAIL(&g->lines, l, turn);
			TAILQ_REMOVE(&tn.guests, g, turn);
			TAILQ_INSERT_TAIL(&tn.guests, g, turn);
			query_start(q, l, now);
			return q;
		}
	return NULL;
}

static struct query *
line_next(struct line *l, uint64_t now, struct query **yields)
{
	struct asker *a;
	size_t i;

	for (i = 0; i < QUERY_CLASSES; i++)
		if ((a = TAILQ_FIRST(&l->waiting[i])) != NULL &&
		    query_room(a->query, l, now, yields))
			return a->query;
	return NULL;
}

/* Is there a socket for it, or one that *yields could leave? */
static bool
query_room(const struct query *q, const struct line *l, uint64_t now,
    struct query **yields)
{
	const struct zone *z = q->zone;

	if (q->class == AGAIN || zone_silent(q, now))
		return tn.nagain < QUERY_AGAIN && z->nagain < ZONE_AGAIN &&
		    z->nactive < ZONE_ACTIVE && tn.nactive < QUERY_ACTIVE;
	if (is_new(q, now) && l->nnew == LINE_NEW)
		return false;
	if (z->nactive >= (z->good > now ? ZONE_ACTIVE : ZONE_NEW))
		return gives_way(z, l, now, yields);
	if (tn.nactive == QUERY_ACTIVE)
		return gives_way(NULL, l, now, yields);
	return true;
}

/* Is nothing known of names like that? */
static bool
is_new(const struct query *q, uint64_t now)
{
	return q->part->good <= now && q->part->bad <= now;
}

/* The oldest (of the zone), to a line that has none. */
static bool
gives_way(const struct zone *z, const struct line *l, uint64_t now,
    struct query **yields)
{
	struct guest *g = l->guest;
	struct query *q;

	if (l->nactive > 0)
		return false;
	TAILQ_FOREACH(q, &tn.fresh, fresh)
		if (z == NULL || q->zone == z)
			break;
	if (q == NULL || now - q->since < YIELD_MS)
		return false;
	if (now >= g->window) {
		g->window = now + YIELD_WINDOW;
		g->yields = 0;
	}
	if (g->yields == YIELD_MAX)
		return false;
	g->yields++;
	*yields = q;
	return true;
}

static void
query_start(struct query *q, struct line *l, uint64_t now)
{
	struct asker *a;

	LIST_FOREACH(a, &q->askers, entry)
		TAILQ_REMOVE(&a->line->waiting[q->class], a, turn);
	q->active = true;
	if (zone_silent(q, now))
		q->class = AGAIN;
	q->since = now;
	q->line = l;
	q->new = q->class == FRESH && is_new(q, now);
	l->nactive++;
	l->nnew += q->new;
	tn.nactive++;
	q->zone->nactive++;
	if (q->class == AGAIN) {
		tn.nagain++;
		q->zone->nagain++;
	} else
		TAILQ_INSERT_TAIL(&tn.fresh, q, fresh);
}

void
turn_end(struct query *q)
{
	struct line *l = q->line;

	q->line = NULL;
	tn.nactive--;
	q->zone->nactive--;
	if (q->class == AGAIN) {
		tn.nagain--;
		q->zone->nagain--;
	} else
		TAILQ_REMOVE(&tn.fresh, q, fresh);
	if (l != NULL) {
		l->nactive--;
		l->nnew -= q->new;
		line_drop(l);
	}
}
