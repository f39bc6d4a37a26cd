/*
 * The cache of resolve: a keyed hash table over (name, type) with the least
 * recently used entry in reach.  Outsiders choose the names, hence SipHash
 * with a random key, and a bound on octets besides the one on entries.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define CACHE_MIN	16		/* entries */
#define CACHE_MEAN	1024		/* octets an entry may use on average */

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) lru;
	uint64_t	 expires;	/* ms, monotonic */
	uint64_t	 hash;
	size_t		 size;		/* octets of all of it */
	uint16_t	 type;
	uint8_t		 status;
	bool		 secure;
	uint8_t		 namen, cnamen;
	size_t		 nrrs;
	uint8_t		 data[];	/* name, cname, rrs */
};

LIST_HEAD(bucket, entry);

struct cache {
	TAILQ_HEAD(lru, entry) lru;	/* first: used most recently */
	uint8_t		 key[16];
	size_t		 max, count;
	size_t		 maxbytes, bytes;
	size_t		 mask;		/* buckets - 1 */
	struct bucket	*bucket;
};

static uint64_t	 question_hash(const struct cache *, const struct question *);
static struct entry *entry_find(struct cache *, const struct question *,
	    uint64_t);
static void	 entry_free(struct cache *, struct entry *);

struct cache *
cache_new(unsigned int entries)
{
	struct cache *c = xcalloc(1, sizeof(*c));
	size_t n = CACHE_MIN;

	c->max = entries < CACHE_MIN ? CACHE_MIN : entries;
	while (n < c->max)
		n *= 2;
	c->maxbytes = c->max * CACHE_MEAN;
	c->mask = n - 1;
	c->bucket = xcalloc(n, sizeof(*c->bucket));
	random_bytes(c->key, sizeof(c->key));
	TAILQ_INIT(&c->lru);
	return c;
}

void
cache_free(struct cache *c)
{
	struct entry *e;

	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->lru)) != NULL)
		entry_free(c, e);
	free(c->bucket);
	free(c);
}

size_t
cache_count(const struct cache *c)
{
	return c->count;
}

bool
cache_get(struct cache *c, const struct question *q, uint64_t now,
    struct dns_ask_r *r)
{
	const char *p;
	struct entry *e;

	if ((e = entry_find(c, q, question_hash(c, q))) == NULL)
		return false;
	if (e->expires <= now) {
		entry_free(c, e);
		return false;
	}
	if (e != TAILQ_FIRST(&c->lru)) {
		TAILQ_REMOVE(&c->lru, e, lru);
		TAILQ_INSERT_HEAD(&c->lru, e, lru);
	}
	p = (const char *)e->data + e->namen;
	*r = (struct dns_ask_r){
		.status = e->status,
		.secure = e->secure,
		.ttl = (uint32_t)((e->expires - now) / 1000),
		.cname = slice_of(p, e->cnamen),
		.rrs = slice_of(p + e->cnamen, e->nrrs),
	};
	return true;
}

void
cache_put(struct cache *c, const struct question *q, uint64_t now,
    const struct dns_answer *a)
{
	uint64_t hash = question_hash(c, q);
	size_t namen = strlen(q->name), cnamen = strlen(a->cname);
	struct entry *e;

	if ((e = entry_find(c, q, hash)) != NULL)
		entry_free(c, e);
	if (a->status == DNS_TEMP || a->ttl == 0)
		return;
	e = xcalloc(1, sizeof(*e) + namen + cnamen + a->nrrs);
	e->expires = now + (uint64_t)a->ttl * 1000;
	e->hash = hash;
	e->size = sizeof(*e) + namen + cnamen + a->nrrs;
	e->type = q->type;
	e->status = (uint8_t)a->status;
	e->secure = a->secure;
	e->namen = (uint8_t)namen;
	e->cnamen = (uint8_t)cnamen;
	e->nrrs = a->nrrs;
	memcpy(e->data, q->name, namen);
	memcpy(e->data + namen, a->cname, cnamen);
	memcpy(e->data + namen + cnamen, a->rrs, a->nrrs);
	LIST_INSERT_HEAD(&c->bucket[hash & c->mask], e, bucket);
	TAILQ_INSERT_HEAD(&c->lru, e, lru);
	c->count++;
	c->bytes += e->size;
	while (c->count > c->max || (c->bytes > c->maxbytes && c->count > 1))
		entry_free(c, TAILQ_LAST(&c->lru, lru));
}

static uint64_t
question_hash(const struct cache *c, const struct question *q)
{
	uint8_t buf[DNS_NAME_TEXT + 2];
	size_t n = strlen(q->name);

	buf[0] = (uint8_t)(q->type >> 8);
	buf[1] = (uint8_t)q->type;
	memcpy(buf + 2, q->name, n);
	return siphash24(c->key, buf, n + 2);
}

static struct entry *
entry_find(struct cache *c, const struct question *q, uint64_t hash)
{
	size_t n = strlen(q->name);
	struct entry *e;

	LIST_FOREACH(e, &c->bucket[hash & c->mask], bucket)
		if (e->hash == hash && e->type == q->type && e->namen == n &&
		    memcmp(e->data, q->name, n) == 0)
			return e;
	return NULL;
}

static void
entry_free(struct cache *c, struct entry *e)
{
	LIST_REMOVE(e, bucket);
	TAILQ_REMOVE(&c->lru, e, lru);
	c->count--;
	c->bytes -= e->size;
	free(e);
}
