/*
 * Fuzz entry: what report-out reads back from its disk.  The first octet
 * says how: as a file, as records whose checksums are made right, or as the
 * value of rua=.  What is read is counted and printed as a report is: text
 * that XML can carry, and a record that was read is written the same.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "parse/charset.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define NONCE	0x123456789abcdefULL

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
sink(void *arg, const char *p, size_t n)
{
	size_t i;

	if (!utf8_valid(p, n))
		abort();
	for (i = 0; i < n; i++)
		if ((unsigned char)p[i] < 32 && p[i] != '\n')
			abort();
}

static void
take(struct period *p, const struct rec *r, size_t n)
{
	uint8_t b[REC_MAX];

	if (rec_put(b, r, NONCE) > n)
		abort();
	period_replay(p, r);
}

static void
print(struct period *p)
{
	struct report_row row;
	struct counted *c;
	uint32_t i;

	for (i = 0; i < p->ndomain; i++) {
		if (p->domain[i] == NULL)
			continue;
		struct xml_head h = { "o", "c@x", "g", "i", p->domain[i]->at,
		    p->domain[i]->record, 1, 2, p->domain[i]->lost };

		xml_head(sink, NULL, &h);
		for (c = p->domain[i]->first; c != NULL; c = c->next) {
			if (row_get(c->key, c->n, &row) == -1)
				abort();
			xml_row(sink, NULL, &row, c->count);
		}
		domain_targets(p->domain[i]);
	}
}

static void
read_file(struct period *p, const uint8_t *b, size_t n)
{
	struct rec_file f;
	struct rec r;
	size_t off, len;

	if (rec_start_get(b, n, &f) == -1)
		f.nonce = NONCE;
	for (off = 0; off < n; off += len == 0 ? 8 : len) {
		len = rec_get(b + off, n - off, f.nonce, &r);
		if (len > n - off)
			abort();
		if (len > 0)
			take(p, &r, len);
	}
}

/* u8 type, u16 length, octets: each as a record. */
static void
read_records(struct period *p, const uint8_t *b, size_t n)
{
	uint8_t rec[REC_MAX];
	struct rec r;
	uint32_t crc, seed = (uint32_t)(NONCE ^ NONCE >> 32);
	size_t len, all;

	while (n >= 3) {
		len = (size_t)b[1] | (size_t)b[2] << 8;
		if (len > n - 3)
			len = n - 3;
		if (len > REC_MAX - REC_HDR)
			return;
		memset(rec, 0, sizeof(rec));
		memcpy(rec + REC_HDR, b + 3, len);
		all = (REC_HDR + len + 7) / 8 * 8;
		rec[4] = (uint8_t)(REC_HDR + len);
		rec[5] = (uint8_t)((REC_HDR + len) >> 8);
		rec[6] = b[0];
		crc = crc32c(seed, rec + 4, all - 4);
		for (int i = 0; i < 4; i++)
			rec[i] = (uint8_t)(crc >> 8 * i);
		if (rec_get(rec, all, NONCE, &r) == all)
			take(p, &r, all);
		b += 3 + len;
		n -= 3 + len;
	}
}

static void
read_addresses(const uint8_t *b, size_t n)
{
	struct slice rest = slice_of((const char *)b, n);
	struct dest d;

	while (dest_next(&rest, NULL, 0, &d))
		if (has_8bit(d.address, strlen(d.address)) ||
		    strpbrk(d.address, "\r\n") != NULL)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t n)
{
	struct rec_file f = { NONCE, 1000, 2000 };
	struct period *p;

	if (n == 0 || n > 65536)
		return 0;
	p = period_new(&f);
	switch (b[0] % 3) {
	case 0:
		read_file(p, b + 1, n - 1);
		break;
	case 1:
		read_records(p, b + 1, n - 1);
		break;
	case 2:
		read_addresses(b + 1, n - 1);
		break;
	}
	print(p);
	period_free(p);
	if (table_bytes() != 0)
		abort();
	return 0;
}
