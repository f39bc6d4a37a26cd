/*
 * What is counted for aggregate reports, in memory: an interval has domains
 * (one for each policy that was seen), a domain has rows, a row a count.
 * Everything has a limit, since whoever sends mail chooses the domains and
 * most of what makes a row; what does not fit is counted as lost, and said.
 * Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define BUCKETS_MIN	64
#define COST		64	/* octets of tables and allocator per object */

static struct {
	uint8_t		 key[16];
	bool		 keyed;
	size_t		 bytes;		/* of all periods */
} tb;

static struct domain *domain_get(struct period *, struct slice, struct slice);
static struct domain *domain_new(struct period *, uint32_t, struct slice,
		    struct slice);
static bool	 domain_room(struct period *, struct slice, struct slice);
static bool	 policy_same(const char *, const struct dmarc_record *);
static struct counted *row_find(struct period *, const struct domain *,
		    const uint8_t *, size_t);
static struct counted *row_new(struct domain *, uint32_t, const uint8_t *,
		    size_t);
static void	 row_count(struct period *, struct counted *, uint64_t);
static size_t	 targets_size(struct slice);
static size_t	 domain_size(struct slice, struct slice);
static bool	 row_room(struct domain *, size_t);
static bool	 fits(const struct period *, size_t);
static void	 cost(struct period *, size_t);
static int	 replay_row(struct period *, const struct rec *);
static int	 replay_target(struct domain *, const struct rec_target *);

struct period *
period_new(const struct rec_file *f)
{
	struct period *p = xcalloc(1, sizeof(*p));

	if (!tb.keyed)
		random_bytes(tb.key, sizeof(tb.key));
	tb.keyed = true;
	p->file = *f;
	p->length = f->end - f->begin;
	p->from = f->end;
	p->groups = groups_new();
	p->fd = -1;
	p->domains_size = p->rows_size = BUCKETS_MIN;
	p->domains = xcalloc(BUCKETS_MIN, sizeof(*p->domains));
	p->rows = xcalloc(BUCKETS_MIN, sizeof(*p->rows));
	return p;
}

void
period_free(struct period *p)
{
	uint32_t i;

	for (i = 0; i < p->ndomain; i++) {
		if (p->domain[i] == NULL)
			continue;
		period_drop(p->domain[i]);
		free(p->domain[i]->at);
		free(p->domain[i]->record);
		free(p->domain[i]);
	}
	tb.bytes -= p->bytes;
	free(p->domain);
	free(p->row);
	period_close(p);
	free(p->buf);
	free(p);
}

void
period_close(struct period *p)
{
	free(p->domains);
	free(p->rows);
	groups_free(p->groups);
	p->groups = NULL;
	p->domains = NULL;
	p->rows = NULL;
	p->closed = true;
}

void
period_drop(struct domain *d)
{
	struct period *p = d->period;
	struct counted *c;
	size_t bytes = 0;

	while ((c = d->first) != NULL) {
		d->first = c->next;
		bytes += sizeof(*c) + c->n + COST;
		p->row[c->no] = NULL;
		free(c);
	}
	d->last = NULL;
	d->nrow = 0;
	while (d->ntarget > 0) {
		d->ntarget--;
		free(d->target[d->ntarget].address);
		free(d->target[d->ntarget].why);
	}
	free(d->target);
	d->target = NULL;
	bytes += d->reserved;
	d->reserved = 0;
	p->bytes -= bytes;
	tb.bytes -= bytes;
	if (!d->done)
		p->left--;
	d->done = true;
}

bool
period_tried(const struct period *p)
{
	const struct domain *d;
	uint32_t i;
	size_t k;

	for (i = 0; i < p->ndomain; i++) {
		if ((d = p->domain[i]) == NULL)
			continue;
		if (d->done)
			return true;
		for (k = 0; k < d->ntarget; k++)
			if (d->target[k].state != TARGET_WAIT ||
			    d->target[k].tries > 0 || d->target[k].part > 0)
				return true;
	}
	return false;
}

size_t
table_bytes(void)
{
	return tb.bytes;
}

/* The most its targets can take: an address has a place in the record. */
static size_t
targets_size(struct slice record)
{
	size_t i, n = 1;

	for (i = 0; i < record.n && n < AGG_RUA; i++)
		n += record.p[i] == ',';
	return record.n + n * (sizeof(struct target) + REC_TEXT_MAX + 1 +
	    2 * COST);
}

/* Itself, tables and allocator, two groups, targets. */
static size_t
domain_size(struct slice at, struct slice record)
{
	return sizeof(struct domain) + at.n + record.n +
	    2 * sizeof(struct group) + 3 * COST + targets_size(record);
}

static bool
fits(const struct period *p, size_t n)
{
	return p->bytes + n <= PERIOD_BYTES && tb.bytes + n <= TABLE_BYTES;
}

static void
cost(struct period *p, size_t n)
{
	p->bytes += n;
	tb.bytes += n;
}

/* ---- counting ----------------------------------------------------------- */

struct counted *
period_count(struct period *p, struct slice at, struct slice record,
    const uint8_t *key, size_t n, bool *fresh)
{
	struct domain *d = domain_get(p, at, record);
	struct counted *c;

	*fresh = false;
	if (d == NULL)
		return NULL;
	if ((c = row_find(p, d, key, n)) == NULL) {
		if (!row_room(d, sizeof(*c) + n + COST)) {
			d->lost++;
			d->lost_fresh = p->lost_fresh = true;
			return NULL;
		}
		c = row_new(d, p->nrow, key, n);
		*fresh = true;
	}
	row_count(p, c, 1);
	return c;
}

static bool
row_room(struct domain *d, size_t n)
{
	struct period *p = d->period;

	if (d->group->bytes + n > GROUP_BYTES)
		p->lack = LACK_GROUP_BYTES;
	else if (d->nrow >= ROWS_MAX || p->nrow >= TABLE_ROWS || !fits(p, n))
		p->lack = LACK_ROWS;
	else
		return true;
	return false;
}

static uint64_t
domain_hash(struct slice at)
{
	return siphash24(tb.key, at.p, at.n);
}

/* Nobody to be told: NULL, and nothing lost. */
static struct domain *
domain_get(struct period *p, struct slice at, struct slice record)
{
	struct domain *d, *newest = NULL;
	struct dmarc_record r;
	struct slice rest;
	struct dest dest;
	const char *why;
	unsigned int n = 0;

	d = p->domains[domain_hash(at) & (p->domains_size - 1)];
	for (; d != NULL; d = d->hash) {
		if (!slice_is(at, d->at))
			continue;
		if (slice_is(record, d->record))
			return d;
		if (n++ == 0)
			newest = d;
	}
	if (dmarc_record_parse(record, &r, &why) == -1)
		return NULL;
	for (d = newest; d != NULL; d = d->hash)
		if (slice_is(at, d->at) && policy_same(d->record, &r))
			return d;
	rest = r.rua;
	if (!dest_next(&rest, NULL, 0, &dest))
		return NULL;
	if (n >= CONFIGS_MAX)
		return newest;
	if (domain_room(p, at, record))
		return domain_new(p, p->ndomain, at, record);
	p->lost++;
	p->lost_fresh = true;
	return NULL;
}

static bool
domain_room(struct period *p, struct slice at, struct slice record)
{
	if (p->ndomain >= DOMAINS_MAX || !fits(p, domain_size(at, record)))
		p->lack = LACK_DOMAINS;
	else if (!group_room(p->groups, at))
		p->lack = LACK_GROUP;
	else
		return true;
	return false;
}

/* What of a record a report shows, or decides where it goes. */
static bool
policy_same(const char *record, const struct dmarc_record *b)
{
	struct dmarc_record a;
	const char *why;

	dmarc_record_parse(slice_str(record), &a, &why);
	return a.p == b->p && a.sp == b->sp && a.np == b->np &&
	    a.adkim == b->adkim && a.aspf == b->aspf && a.t == b->t &&
	    a.fo == b->fo && slice_eq(a.rua, b->rua);
}

static void
domains_link(struct period *p, struct domain *d)
{
	struct domain **b = &p->domains[domain_hash(slice_str(d->at)) &
	    (p->domains_size - 1)];

	d->hash = *b;
	*b = d;
}

static struct domain *
domain_new(struct period *p, uint32_t no, struct slice at,
    struct slice record)
{
	struct domain *d = xcalloc(1, sizeof(*d));
	uint32_t i;

	d->period = p;
	d->no = no;
	d->at = xstrndup(at.p, at.n);
	d->record = xstrndup(record.p, record.n);
	d->reserved = targets_size(record);
	d->group = group_add(p->groups, at);
	cost(p, domain_size(at, record));
	if (no >= p->domain_cap) {
		p->domain_cap = no + 1 > 32 ? 2 * (no + 1) : 64;
		p->domain = xreallocarray(p->domain, p->domain_cap,
		    sizeof(*p->domain));
	}
	for (i = p->ndomain; i < no; i++)
		p->domain[i] = NULL;
	p->domain[no] = d;
	if (no >= p->ndomain)		/* else it fills a gap */
		p->ndomain = no + 1;
	p->left++;
	if (p->ndomain > p->domains_size) {
		p->domains_size *= 2;
		free(p->domains);
		p->domains = xcalloc(p->domains_size, sizeof(*p->domains));
		for (i = 0; i < p->ndomain; i++)
			if (p->domain[i] != NULL && p->domain[i] != d)
				domains_link(p, p->domain[i]);
	}
	domains_link(p, d);
	return d;
}

static size_t
row_place(const struct period *p, uint32_t domain, const uint8_t *key,
    size_t n)
{
	uint64_t h = siphash24(tb.key, key, n) ^
	    (uint64_t)domain * 0x9e3779b97f4a7c15ULL;

	return (size_t)(h ^ h >> 32) & (p->rows_size - 1);
}

static struct counted *
row_find(struct period *p, const struct domain *d, const uint8_t *key,
    size_t n)
{
	struct counted *c = p->rows[row_place(p, d->no, key, n)];

	while (c != NULL && (c->domain != d->no || c->n != n ||
	    memcmp(c->key, key, n) != 0))
		c = c->hash;
	return c;
}

static void
rows_link(struct period *p, struct counted *c)
{
	struct counted **b = &p->rows[row_place(p, c->domain, c->key, c->n)];

	c->hash = *b;
	*b = c;
}

static struct counted *
row_new(struct domain *d, uint32_t no, const uint8_t *key, size_t n)
{
	struct period *p = d->period;
	struct counted *c = xcalloc(1, sizeof(*c) + n);
	uint32_t i;

	c->domain = d->no;
	c->no = no;
	c->n = (uint16_t)n;
	memcpy(c->key, key, n);
	d->group->bytes += sizeof(*c) + n + COST;
	cost(p, sizeof(*c) + n + COST);
	if (no >= p->row_cap) {
		p->row_cap = no + 1 > 512 ? 2 * (no + 1) : 1024;
		p->row = xreallocarray(p->row, p->row_cap, sizeof(*p->row));
	}
	for (i = p->nrow; i < no; i++)
		p->row[i] = NULL;
	p->row[no] = c;
	if (no >= p->nrow)
		p->nrow = no + 1;
	if (d->last == NULL)
		d->first = c;
	else
		d->last->next = c;
	d->last = c;
	d->nrow++;
	if (p->nrow > p->rows_size) {
		p->rows_size *= 2;
		free(p->rows);
		p->rows = xcalloc(p->rows_size, sizeof(*p->rows));
		for (i = 0; i < p->nrow; i++)
			if (p->row[i] != NULL && p->row[i] != c)
				rows_link(p, p->row[i]);
	}
	rows_link(p, c);
	return c;
}

static void
row_count(struct period *p, struct counted *c, uint64_t n)
{
	if (n > COUNT_MAX - c->count)
		n = COUNT_MAX - c->count;
	c->count += (uint32_t)n;
	p->domain[c->domain]->messages += n;
}

/* ---- read back ---------------------------------------------------------- */

int
period_replay(struct period *p, const struct rec *r)
{
	struct domain *d = r->no < p->ndomain ? p->domain[r->no] : NULL;

	switch (r->type) {
	case REC_DOMAIN:
		if (d != NULL || r->no >= DOMAINS_MAX)
			return -1;
		domain_new(p, r->no, r->at, r->record)->noted = true;
		return 0;
	case REC_ROW:
		return replay_row(p, r);
	case REC_COUNT:
		if (r->no >= p->nrow || p->row[r->no] == NULL)
			return -1;
		row_count(p, p->row[r->no], r->n);
		return 0;
	case REC_LOST:
		if (r->no == REC_NODOMAIN)
			p->lost = r->n;
		else if (d == NULL)
			return -1;
		else
			d->lost = r->n;
		return 0;
	case REC_TARGET:
		return d == NULL || d->done ? -1 :
		    replay_target(d, &r->target);
	case REC_DONE:
		if (d == NULL || d->done)
			return -1;
		period_drop(d);
		return 0;
	}
	return -1;
}

static int
replay_row(struct period *p, const struct rec *r)
{
	struct domain *d = r->domain < p->ndomain ? p->domain[r->domain] :
	    NULL;

	if (d == NULL || d->done || r->no >= TABLE_ROWS ||
	    (r->no < p->nrow && p->row[r->no] != NULL) ||
	    d->nrow >= ROWS_MAX)
		return -1;
	row_new(d, r->no, (const uint8_t *)r->key.p, r->key.n);
	return 0;
}

static int
replay_target(struct domain *d, const struct rec_target *t)
{
	struct target *to;

	domain_targets(d);
	if (t->target >= d->ntarget)
		return -1;
	to = &d->target[t->target];
	to->state = t->state;
	to->tries = t->tries;
	to->part = t->part;
	to->row = t->row;
	to->next = t->next;
	target_why(to, t->why);
	return 0;
}

void
domain_targets(struct domain *d)
{
	static struct dest seen[AGG_RUA];
	struct dmarc_record r;
	struct slice rest;
	const char *why;
	size_t n = 0, i;

	if (d->target != NULL)
		return;
	dmarc_record_parse(slice_str(d->record), &r, &why);
	rest = r.rua;
	while (n < AGG_RUA && dest_next(&rest, seen, n, &seen[n]))
		n++;
	d->target = xcalloc(n + 1, sizeof(*d->target));
	for (i = 0; i < n; i++)
		d->target[i].address = xstrdup(seen[i].address);
	d->ntarget = n;
}

void
target_why(struct target *t, struct slice why)
{
	char text[REC_TEXT_MAX + 1];

	free(t->why);
	t->why = why.n == 0 ? NULL : xstrdup(text_ascii_in(why, text,
	    sizeof(text)));
}
