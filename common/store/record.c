/*
 * Messages and ranges as records have them: REC_MSG, and REC_ADD_1 of
 * journals that were begun before it.  Pure functions over bytes; used by
 * whoever writes messages, and by all who read the log: apply.c, sync.c,
 * recover.c.  Records are hostile input: -1 is damage.
 *
 *	MSG	0 mailbox, 4 uid, 8 flags (0x100 gone), 12 size, 16 date,
 *		24 offset, 32 facts offset, 40 email id, 48 modseq,
 *		56 time saved, or expunged, 64 segment, 68 facts segment,
 *		72 prefix, 76 facts length, 80 crc, 84 n; flag 1: delivery
 *		id[16]; n keyword numbers (16 bit), ascending
 *	ADD	0 mailbox, 4 uid, 8 flags, 12 size, 16 keywords (bits),
 *		24 date, 32 offset, 40 facts offset, 48 prefix, 52 segment,
 *		56 facts length, 60 crc; flag 1: 64 delivery id[16]
 *
 *	email id, modseq and time saved of 0 are those of the group: its number
 *	(with the message's place among those of the group in the low 16 bits),
 *	its number, its time
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define RANGE_LEN	8
#define ORDINAL_BITS	16

bool
rec_is_message(const struct rec *r)
{
	return r->type == REC_MSG || r->type == REC_ADD_1;
}

static int
decode_add(const struct rec *r, struct msgrec *out)
{
	struct store_msg *m = &out->m;
	uint64_t bits;
	uint16_t i;

	if (r->n != REC_ADD_1_LEN + (out->id != NULL ? STORE_ID_LEN : 0))
		return -1;
	if (out->id != NULL)
		out->id = r->p + REC_ADD_1_LEN;
	m->flags = get32(r->p + 8) & STORE_FLAGS;
	bits = get64(r->p + 16);
	for (i = 0; bits != 0; i++, bits >>= 1)
		if ((bits & 1) != 0)
			out->kw.v[out->kw.n++] = i;
	m->date = (int64_t)get64(r->p + 24);
	m->offset = get64(r->p + 32);
	m->facts_off = get64(r->p + 40);
	m->prefix = get32(r->p + 48);
	m->segment = get32(r->p + 52);
	m->facts_len = get32(r->p + 56);
	m->crc = get32(r->p + 60);
	return 0;
}

/* n numbers, which ascend.  0 or -1. */
int
kwlist_get(const uint8_t *p, uint32_t n, struct kwlist *out)
{
	uint32_t i;

	if (n > STORE_KEYWORDS_MAX)
		return -1;
	for (i = 0; i < n; i++, p += 2) {
		out->v[i] = get16(p);
		if (out->v[i] >= STORE_KEYWORDS_MAX ||
		    (i > 0 && out->v[i] <= out->v[i - 1]))
			return -1;
	}
	out->n = n;
	return 0;
}

static int
decode_msg(const struct rec *r, struct msgrec *out)
{
	struct store_msg *m = &out->m;
	size_t at = REC_MSG_LEN;
	uint32_t n;

	if (r->n < REC_MSG_LEN)
		return -1;
	if (out->id != NULL) {
		out->id = r->p + at;
		at += STORE_ID_LEN;
	}
	n = get32(r->p + 84);
	if (n > STORE_KEYWORDS_MSG || r->n != at + (size_t)n * 2)
		return -1;
	m->flags = get32(r->p + 8) & (STORE_FLAGS | MSG_GONE);
	m->date = (int64_t)get64(r->p + 16);
	m->offset = get64(r->p + 24);
	m->facts_off = get64(r->p + 32);
	m->email = get64(r->p + 40);
	m->modseq = get64(r->p + 48);
	m->saved = (int64_t)get64(r->p + 56);
	m->segment = get32(r->p + 64);
	m->facts_segment = get32(r->p + 68);
	m->prefix = get32(r->p + 72);
	m->facts_len = get32(r->p + 76);
	m->crc = get32(r->p + 80);
	return kwlist_get(r->p + at, n, &out->kw);
}

/* One of group g, the ordinal-th message of it.  0 or -1. */
int
msgrec_decode(const struct rec *r, const struct loggroup *g, uint32_t ordinal,
    struct msgrec *out)
{
	struct store_msg *m = &out->m;

	memset(m, 0, sizeof(*m));
	out->kw.n = 0;
	out->id = (r->flags & REC_MSG_ID) != 0 ? r->p : NULL;
	if ((r->type == REC_MSG ? decode_msg(r, out) :
	    decode_add(r, out)) == -1)
		return -1;
	out->mailbox = get32(r->p);
	m->uid = get32(r->p + 4);
	m->size = get32(r->p + 12);
	if (m->email == 0)
		m->email = g->seq << ORDINAL_BITS |
		    (ordinal & ((1U << ORDINAL_BITS) - 1));
	if (m->modseq == 0)
		m->modseq = g->seq;
	if (m->saved == 0)
		m->saved = (int64_t)g->time;
	if (m->uid == 0 || m->uid == UINT32_MAX || m->prefix > m->size ||
	    m->offset > INT64_MAX / 2 || m->facts_off > INT64_MAX / 2 ||
	    m->facts_len > STORE_FACTS_MAX || m->modseq > g->seq)
		return -1;
	return 0;
}

void
kwlist_put(uint8_t *p, const struct kwlist *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		put16(p + i * 2, l->v[i]);
}

/* Adds REC_MSG.  0 or -1. */
int
msgrec_encode(struct group *g, const struct msgrec *in)
{
	const struct store_msg *m = &in->m;
	size_t id = in->id != NULL ? STORE_ID_LEN : 0;
	uint8_t *p;

	if ((p = group_add(g, REC_MSG, id != 0 ? REC_MSG_ID : 0,
	    REC_MSG_LEN + id + in->kw.n * 2)) == NULL)
		return -1;
	put32(p, in->mailbox);
	put32(p + 4, m->uid);
	put32(p + 8, m->flags & (STORE_FLAGS | MSG_GONE));
	put32(p + 12, m->size);
	put64(p + 16, (uint64_t)m->date);
	put64(p + 24, m->offset);
	put64(p + 32, m->facts_off);
	put64(p + 40, m->email);
	put64(p + 48, m->modseq);
	put64(p + 56, (uint64_t)m->saved);
	put32(p + 64, m->segment);
	put32(p + 68, m->facts_segment);
	put32(p + 72, m->prefix);
	put32(p + 76, m->facts_len);
	put32(p + 80, m->crc);
	put32(p + 84, (uint32_t)in->kw.n);
	if (id != 0)
		memcpy(p + REC_MSG_LEN, in->id, STORE_ID_LEN);
	kwlist_put(p + REC_MSG_LEN + id, &in->kw);
	return 0;
}

/* n ranges that fill the record from off on, ascending. */
int
get_ranges(const struct rec *r, size_t off, uint32_t n)
{
	uint32_t i, first, last, before = 0;

	if (r->n < off || n != (r->n - off) / RANGE_LEN ||
	    (r->n - off) % RANGE_LEN != 0)
		return -1;
	for (i = 0; i < n; i++) {
		first = get32(r->p + off + (size_t)i * RANGE_LEN);
		last = get32(r->p + off + (size_t)i * RANGE_LEN + 4);
		if (first <= before || last < first)
			return -1;
		before = last;
	}
	return 0;
}

struct store_range
range_at(const struct rec *r, size_t off, uint32_t i)
{
	const uint8_t *p = r->p + off + (size_t)i * RANGE_LEN;

	return (struct store_range){ get32(p), get32(p + 4) };
}

uint8_t *
put_ranges(uint8_t *p, const struct store_range *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++, p += RANGE_LEN) {
		put32(p, v[i].first);
		put32(p + 4, v[i].last);
	}
	return p;
}
