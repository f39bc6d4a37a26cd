/*
 * Records of the journal of aggregate reports, in and out; the form stands
 * in agg.h.  Pure.  What is read back may be damaged: a record that does
 * not fit its checksum, or says what none can say, is no record.  Part of
 * report-out.
 *
 *	DOMAIN	u32 no | u16 n | at | record, to the end
 *	ROW	u32 no | u32 domain | the row, to the end
 *	COUNT	u32 row | u64 n
 *	LOST	u32 domain | u64 n
 *	TARGET	u32 domain | u8 target | u8 state | u16 tries | u16 part |
 *		u32 row | u64 next | why, to the end
 *	DONE	u32 domain
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define START_MAGIC	"MAILDAG1"
#define START_USED	36

struct in {
	const uint8_t	*p;
	size_t		 n;
	bool		 bad;
};

static size_t	 body_put(uint8_t *, const struct rec *);
static void	 body_get(struct in *, struct rec *);
static void	 target_get(struct in *, struct rec_target *);

static size_t
put(uint8_t *p, uint64_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	return n;
}

static uint64_t
get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static size_t
put_slice(uint8_t *p, struct slice s, size_t max)
{
	size_t n = s.n > max ? max : s.n;

	if (n > 0)
		memcpy(p, s.p, n);
	return n;
}

static uint64_t
take(struct in *in, size_t n)
{
	uint64_t v;

	if (in->bad || in->n < n) {
		in->bad = true;
		return 0;
	}
	v = get(in->p, n);
	in->p += n;
	in->n -= n;
	return v;
}

static struct slice
take_slice(struct in *in, size_t n, size_t max)
{
	struct slice s = { "", 0 };

	if (in->bad || n > in->n || n > max) {
		in->bad = true;
		return s;
	}
	s = slice_of((const char *)in->p, n);
	in->p += n;
	in->n -= n;
	return s;
}

void
rec_start_put(uint8_t p[REC_START], const struct rec_file *f)
{
	memset(p, 0, REC_START);
	memcpy(p, START_MAGIC, 8);
	put(p + 8, f->nonce, 8);
	put(p + 16, f->begin, 8);
	put(p + 24, f->end, 8);
	put(p + 32, crc32c(0, p, 32), 4);
}

bool
rec_start_newer(const uint8_t *p, size_t n)
{
	return n >= 8 && memcmp(p, START_MAGIC, 7) == 0 &&
	    p[7] > START_MAGIC[7] && p[7] <= '9';
}

int
rec_start_get(const uint8_t *p, size_t n, struct rec_file *f)
{
	if (n < REC_START || memcmp(p, START_MAGIC, 8) != 0 ||
	    get(p + 32, 4) != crc32c(0, p, 32))
		return -1;
	f->nonce = get(p + 8, 8);
	f->begin = get(p + 16, 8);
	f->end = get(p + 24, 8);
	return f->begin < f->end ? 0 : -1;
}

static uint32_t
seed_of(uint64_t nonce)
{
	return (uint32_t)(nonce ^ nonce >> 32);
}

size_t
rec_put(uint8_t *p, const struct rec *r, uint64_t nonce)
{
	size_t n = REC_HDR + body_put(p + REC_HDR, r), all = (n + 7) / 8 * 8;

	memset(p + n, 0, all - n);
	put(p + 4, n, 2);
	p[6] = (uint8_t)r->type;
	p[7] = 0;
	put(p, crc32c(seed_of(nonce), p + 4, all - 4), 4);
	return all;
}

/* The octets of what is whole by its checksum, 0: nothing. */
static size_t
rec_whole(const uint8_t *p, size_t n, uint64_t nonce, size_t *len)
{
	size_t all;

	if (n < REC_HDR)
		return 0;
	*len = (size_t)get(p + 4, 2);
	all = (*len + 7) / 8 * 8;
	return *len < REC_HDR || all > n || all > REC_MAX ||
	    get(p, 4) != crc32c(seed_of(nonce), p + 4, all - 4) ? 0 : all;
}

size_t
rec_get(const uint8_t *p, size_t n, uint64_t nonce, struct rec *r)
{
	struct in in;
	size_t len, all = rec_whole(p, n, nonce, &len);

	if (all == 0 || p[6] < REC_DOMAIN || p[6] > REC_DONE)
		return 0;
	memset(r, 0, sizeof(*r));
	r->type = (enum rec_type)p[6];
	in = (struct in){ p + REC_HDR, len - REC_HDR, false };
	body_get(&in, r);
	return in.bad || in.n != 0 ? 0 : all;
}

bool
rec_newer(const uint8_t *p, size_t n, uint64_t nonce)
{
	struct rec r;
	size_t len;

	return rec_whole(p, n, nonce, &len) > 0 &&
	    rec_get(p, n, nonce, &r) == 0;
}

static size_t
body_put(uint8_t *p, const struct rec *r)
{
	const struct rec_target *t = &r->target;
	size_t n = put(p, r->no, 4);

	switch (r->type) {
	case REC_DOMAIN:
		n += put(p + n, r->at.n, 2);
		n += put_slice(p + n, r->at, DOMAIN_TEXT);
		n += put_slice(p + n, r->record, REC_RECORD_MAX);
		break;
	case REC_ROW:
		n += put(p + n, r->domain, 4);
		n += put_slice(p + n, r->key, ROW_MAX);
		break;
	case REC_COUNT:
	case REC_LOST:
		n += put(p + n, r->n, 8);
		break;
	case REC_TARGET:
		n += put(p + n, t->target, 1);
		n += put(p + n, t->state, 1);
		n += put(p + n, t->tries, 2);
		n += put(p + n, t->part, 2);
		n += put(p + n, t->row, 4);
		n += put(p + n, t->next, 8);
		n += put_slice(p + n, t->why, REC_TEXT_MAX);
		break;
	case REC_DONE:
		break;
	}
	return n;
}

static void
body_get(struct in *in, struct rec *r)
{
	struct report_row row;

	r->no = (uint32_t)take(in, 4);
	switch (r->type) {
	case REC_DOMAIN:
		r->at = take_slice(in, (size_t)take(in, 2), DOMAIN_TEXT - 1);
		r->record = take_slice(in, in->n, REC_RECORD_MAX);
		if (r->at.n == 0 || r->record.n == 0 ||
		    memchr(r->at.p, '\0', r->at.n) != NULL ||
		    memchr(r->record.p, '\0', r->record.n) != NULL)
			in->bad = true;
		break;
	case REC_ROW:
		r->domain = (uint32_t)take(in, 4);
		r->key = take_slice(in, in->n, ROW_MAX);
		if (row_get((const uint8_t *)r->key.p, r->key.n, &row) == -1)
			in->bad = true;
		break;
	case REC_COUNT:
	case REC_LOST:
		r->n = take(in, 8);
		break;
	case REC_TARGET:
		target_get(in, &r->target);
		break;
	case REC_DONE:
		break;
	}
}

static void
target_get(struct in *in, struct rec_target *t)
{
	uint64_t state;

	t->target = (uint8_t)take(in, 1);
	state = take(in, 1);
	t->tries = (uint16_t)take(in, 2);
	t->part = (uint16_t)take(in, 2);
	t->row = (uint32_t)take(in, 4);
	t->next = take(in, 8);
	t->why = take_slice(in, in->n, REC_TEXT_MAX);
	if (state > TARGET_DROPPED || t->target >= DMARC_URIS_MAX)
		in->bad = true;
	else
		t->state = (enum target_state)state;
}
