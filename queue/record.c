/*
 * A record of queue.log, as log.c draws it: encode and decode, pure.
 *
 * Records of a type that is not known here are those of a newer release; the
 * header is the same in all of them, ever, and none is longer than
 * LOG_LEN_MAX.
 */
#include "base/compat.h"

#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

static size_t
header_of(unsigned int type)
{
	return type == LOG_TEXT || type == LOG_DEFER ? LOG_HDR + 8 : LOG_HDR;
}

size_t
log_rec_put(uint8_t *p, const struct log_rec *r, uint32_t seed)
{
	size_t hdr = header_of(r->type), n;
	size_t text = r->text.n > LOG_TEXT_MAX ? LOG_TEXT_MAX : r->text.n;

	if (r->type == LOG_DEFER)
		text = 0;		/* has its number */
	n = (hdr + text + 7) / 8 * 8;
	memset(p, 0, n);
	put16(p + 4, (uint16_t)n);
	p[6] = (uint8_t)r->type;
	p[7] = r->flags;
	put64(p + 8, r->seg);
	put32(p + 16, r->no);
	put16(p + 20, r->rcpt);
	put16(p + 22, r->attempts);
	put32(p + 24, r->next);
	put16(p + 28, text);
	if (hdr > LOG_HDR)
		put32(p + LOG_HDR, r->text_id);
	if (text > 0)
		memcpy(p + hdr, r->text.p, text);
	put32(p, crc32c(seed, p + 4, n - 4));
	return n;
}

size_t
log_rec_get(const uint8_t *p, size_t n, uint32_t seed, struct log_rec *r)
{
	size_t len, text, hdr;

	if (n < LOG_HDR)
		return 0;
	len = get16(p + 4);
	text = get16(p + 28);
	hdr = header_of(p[6]);
	if (len < hdr || len > n || len > LOG_LEN_MAX || len % 8 != 0 ||
	    p[6] == 0 || get32(p) != crc32c(seed, p + 4, len - 4))
		return 0;
	*r = (struct log_rec){ .type = p[6], .flags = p[7],
	    .seg = get64(p + 8), .no = get32(p + 16), .rcpt = get16(p + 20),
	    .attempts = get16(p + 22), .next = get32(p + 24),
	    .text = { "", 0 } };
	if (r->type >= LOG_TYPE_MAX)
		return len;
	if (text > len - hdr || text > LOG_TEXT_MAX)
		return 0;
	if (hdr > LOG_HDR)
		r->text_id = get32(p + LOG_HDR);
	r->text = slice_of((const char *)p + hdr, text);
	return len;
}
