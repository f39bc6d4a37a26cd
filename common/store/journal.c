/*
 * The form of `journal`: a head, then groups of records.  Pure functions
 * over bytes, used by deliver and the sessions alike; a fuzz entry feeds
 * them.  A group is valid or not there at all.
 *
 * Invariants (little endian, every part a multiple of 8 octets):
 *
 *	head	0 "MAILDJNL", 8 version, 12 its length, 16 uuid[16],
 *		32 generation, 40 0, 48 time made, 56 0, 60 crc of 0..59; of
 *		version 2, which has 128 octets: 64 base, 72 end_seq,
 *		80 end_pos, 88 0, 124 crc of 64..123
 *	group	0 "mGRP", 4 length, 8 seq, 16 time (us), 24 records,
 *		28 crc of 0..27; records; trailer
 *	record	0 type (16 bit), 2 flags (16 bit), 4 length; body, padded
 *	trailer	0 seq, 8 bytes, 16 messages, 20 UIDNEXT of INBOX, 24 segment,
 *		28 next segment, 32 end of facts, 40 features, 44 0,
 *		48 percent of the quota warned of (8 bit), 49 marks (8 bit),
 *		50 0, 52 length, 56 "mEND", 60 crc of the group up to here
 *
 *	seq grows by one a group, but for one that begins with REC_JUMP; it is
 *	the MODSEQ of what the group changes.
 *	All checksums of groups are seeded with the uuid, so bytes a client
 *	chose (a mailbox name) never pass for a group.
 *	The last 64 octets of a whole journal are a trailer, so a writer that
 *	only adds to INBOX needs nothing else.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define LOG_MAGIC	"MAILDJNL"
#define GROUP_MAGIC	0x5052476dU	/* "mGRP" */
#define END_MAGIC	0x444e456dU	/* "mEND" */
#define GROUP_FIRST	1024		/* first allocation */
#define RESYNC_MAX	64		/* groups tried after a bad one */

void
loghead_encode(const struct loghead *h, uint8_t p[LOG_HEADER])
{
	memset(p, 0, LOG_HEADER);
	memcpy(p, LOG_MAGIC, 8);
	put32(p + 8, LOG_VERSION);
	put32(p + 12, LOG_HEADER);
	memcpy(p + 16, h->uuid, 16);
	put64(p + 32, h->generation);
	put64(p + 48, h->created);
	put32(p + 60, crc32c(0, p, 60));
	put64(p + 64, h->base);
	put64(p + 72, h->end_seq);
	put64(p + 80, h->end_pos);
	put32(p + 124, crc32c(0, p + 64, 60));
}

/* The second half of a head.  0 or -1. */
static int
loghead_more(const uint8_t *p, struct loghead *h)
{
	if (get32(p + 124) != crc32c(0, p + 64, 60))
		return -1;
	h->base = get64(p + 64);
	h->end_seq = get64(p + 72);
	h->end_pos = get64(p + 80);
	return h->end_seq < h->base || h->end_pos > INT64_MAX / 2 ||
	    (h->base != 0 && h->end_pos < LOG_HEADER) ? -1 : 0;
}

/*
 * The first n octets of the file.  64 of them have this checksum in every
 * version, so that a newer one is told from damage.
 */
enum store_result
loghead_decode(const uint8_t *p, size_t n, struct loghead *h)
{
	memset(h, 0, sizeof(*h));
	if (n < LOG_HEADER_1 || memcmp(p, LOG_MAGIC, 8) != 0 ||
	    get32(p + 60) != crc32c(0, p, 60))
		return STORE_DAMAGED;
	h->version = get32(p + 8);
	h->len = get32(p + 12);
	if (h->version > LOG_VERSION)
		return STORE_NEWER;
	memcpy(h->uuid, p + 16, 16);
	h->generation = get64(p + 32);
	h->created = get64(p + 48);
	if (h->version == 1)
		return h->len == LOG_HEADER_1 ? STORE_OK : STORE_DAMAGED;
	return h->version == LOG_VERSION && h->len == LOG_HEADER &&
	    n >= LOG_HEADER && loghead_more(p, h) == 0 ? STORE_OK :
	    STORE_DAMAGED;
}

uint32_t
log_seed(const uint8_t uuid[16])
{
	return crc32c(0, uuid, 16);
}

static bool
group_room(struct group *g, size_t n)
{
	size_t cap = g->cap == 0 ? GROUP_FIRST : g->cap;
	uint8_t *p;

	if (g->failed || n > LOG_GROUP_MAX - g->n) {
		g->failed = true;
		return false;
	}
	while (cap < g->n + n)
		cap *= 2;
	if (cap == g->cap)
		return true;
	if ((p = realloc(g->p, cap)) == NULL) {
		g->failed = true;
		return false;
	}
	g->p = p;
	g->cap = cap;
	return true;
}

void
group_start(struct group *g)
{
	g->n = 0;
	g->nrec = 0;
	g->failed = false;
	if (group_room(g, LOG_GROUP_HEAD))
		g->n = LOG_GROUP_HEAD;
}

/* A record with a body of n octets, zeroed; NULL: see group_finish(). */
uint8_t *
group_add(struct group *g, enum rec_type type, uint32_t flags, size_t n)
{
	uint8_t *p;

	if (n > LOG_GROUP_MAX || !group_room(g, LOG_REC_HEAD + PAD8(n)))
		return NULL;
	p = g->p + g->n;
	memset(p, 0, LOG_REC_HEAD + PAD8(n));
	put32(p, (uint32_t)type | flags << 16);
	put32(p + 4, (uint32_t)n);
	g->n += LOG_REC_HEAD + PAD8(n);
	g->nrec++;
	return p + LOG_REC_HEAD;
}

void
trailer_encode(uint8_t t[LOG_TRAILER], const struct trailer *tr, size_t len)
{
	memset(t, 0, LOG_TRAILER);
	put64(t, tr->seq);
	put64(t + 8, tr->bytes);
	put32(t + 16, tr->messages);
	put32(t + 20, tr->inbox_uidnext);
	put32(t + 24, tr->segment);
	put32(t + 28, tr->segment_next);
	put64(t + 32, tr->facts_end);
	put32(t + 40, tr->features);
	t[48] = tr->warned;
	t[49] = tr->marks;
	put32(t + 52, (uint32_t)len);
	put32(t + 56, END_MAGIC);
}

/*
 * What the last group said, for one who writes the next: in a journal of the
 * first forms the end of facts is that of another file.
 */
void
trailer_now(struct trailer *tr)
{
	if ((tr->features & LOG_FORMS) == 0)
		tr->facts_end = FACTS_HEADER;
	tr->features |= LOG_FORMS;
}

/* Closes the group: g->p, g->n are ready to be appended.  0 or -1. */
int
group_finish(struct group *g, uint32_t seed, uint64_t us,
    const struct trailer *tr)
{
	uint8_t *t;

	if (!group_room(g, LOG_TRAILER))
		return -1;
	t = g->p + g->n;
	g->n += LOG_TRAILER;
	trailer_encode(t, tr, g->n);
	put32(g->p, GROUP_MAGIC);
	put32(g->p + 4, (uint32_t)g->n);
	put64(g->p + 8, tr->seq);
	put64(g->p + 16, us);
	put32(g->p + 24, g->nrec);
	put32(g->p + 28, crc32c(seed, g->p, 28));
	put32(t + 60, crc32c(seed, g->p, g->n - 4));
	return 0;
}

void
group_free(struct group *g)
{
	free(g->p);
	memset(g, 0, sizeof(*g));
}

/* The last octets of a group; says how long it is.  Not yet checked. */
int
trailer_parse(const uint8_t t[LOG_TRAILER], struct trailer *tr, size_t *len)
{
	if (get32(t + 56) != END_MAGIC)
		return -1;
	*len = get32(t + 52);
	if (*len < LOG_GROUP_MIN || *len > LOG_GROUP_MAX || *len % 8 != 0)
		return -1;
	tr->seq = get64(t);
	tr->bytes = get64(t + 8);
	tr->messages = get32(t + 16);
	tr->inbox_uidnext = get32(t + 20);
	tr->segment = get32(t + 24);
	tr->segment_next = get32(t + 28);
	tr->facts_end = get64(t + 32);
	tr->features = get32(t + 40);
	tr->warned = t[48];
	tr->marks = t[49];
	if (tr->inbox_uidnext == 0 || tr->segment >= tr->segment_next ||
	    tr->facts_end > INT64_MAX / 2)
		return -1;
	return 0;
}

/*
 * One group at p.  Returns its length, 0 when more octets are needed (*want
 * in all), -1 when there is no valid group here.
 */
ssize_t
loggroup_parse(const uint8_t *p, size_t n, uint32_t seed, struct loggroup *g,
    size_t *want)
{
	size_t len, tlen;

	*want = LOG_GROUP_HEAD;
	if (n < LOG_GROUP_HEAD)
		return 0;
	len = get32(p + 4);
	if (get32(p) != GROUP_MAGIC || len < LOG_GROUP_MIN ||
	    len > LOG_GROUP_MAX || len % 8 != 0 ||
	    get32(p + 28) != crc32c(seed, p, 28))
		return -1;
	*want = len;
	if (n < len)
		return 0;
	if (trailer_parse(p + len - LOG_TRAILER, &g->tr, &tlen) == -1 ||
	    tlen != len ||
	    get32(p + len - 4) != crc32c(seed, p, len - 4))
		return -1;
	g->seq = get64(p + 8);
	g->time = get64(p + 16) / 1000000;
	g->nrec = get32(p + 24);
	g->recs = p + LOG_GROUP_HEAD;
	g->nrecs = len - LOG_GROUP_MIN;
	if (g->seq != g->tr.seq)
		return -1;
	return (ssize_t)len;
}

/* The next record of *p.  1, 0 at the end, -1 damaged. */
int
rec_next(const uint8_t **p, size_t *n, struct rec *r)
{
	size_t len;

	if (*n == 0)
		return 0;
	if (*n < LOG_REC_HEAD)
		return -1;
	len = get32(*p + 4);
	if (len > *n - LOG_REC_HEAD || PAD8(len) > *n - LOG_REC_HEAD)
		return -1;
	r->type = get32(*p) & 0xffff;
	r->flags = get32(*p) >> 16;
	r->p = *p + LOG_REC_HEAD;
	r->n = len;
	*p += LOG_REC_HEAD + PAD8(len);
	*n -= LOG_REC_HEAD + PAD8(len);
	return 1;
}

static bool
rec_known(uint32_t type)
{
	return type >= REC_MAILBOX_CREATE && type <= REC_LAST &&
	    type != REC_QUOTA && type != REC_SIEVE;
}

/* Do we know all that this group says?  If not a newer release wrote it:
 * its checksum is good. */
bool
loggroup_known(const struct loggroup *g)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;

	if ((g->tr.features & ~LOG_FEATURES) != 0)
		return false;
	while (rec_next(&p, &n, &r) == 1)
		if (!rec_known(r.type) && (r.flags & REC_MAY) == 0)
			return false;
	return true;
}

/* May it come after the group of number seq?  The next one may, and one that
 * begins with a leap to its own number. */
bool
loggroup_follows(const struct loggroup *g, uint64_t seq)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;

	if (g->seq == seq + 1)
		return true;
	return g->seq > seq && g->seq <= INT64_MAX / 2 >> 16 &&
	    rec_next(&p, &n, &r) == 1 && r.type == REC_JUMP && r.n >= 8 &&
	    get64(r.p) == g->seq;
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * p[0] is not a valid group.  Is one further on, with no hole before it?
 * Then something in the middle is damaged: its offset.  -1: a torn tail, as
 * a crash leaves it (cut short, or blocks that were never written).
 */
ssize_t
log_resync(const uint8_t *p, size_t n, uint32_t seed)
{
	struct loggroup g;
	size_t off, want, tried = 0;

	for (off = 0; off + LOG_GROUP_MIN <= n; off += 8) {
		if (off % 512 == 0 && n - off >= 512 && is_zero(p + off, 512))
			return -1;
		if (off == 0 || get32(p + off) != GROUP_MAGIC)
			continue;
		if (++tried > RESYNC_MAX ||
		    loggroup_parse(p + off, n - off, seed, &g, &want) > 0)
			return (ssize_t)off;
	}
	return -1;
}
