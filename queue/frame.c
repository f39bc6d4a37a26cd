/*
 * A frame: one message in a segment, as spool.c draws it.  Pure: how a
 * header is written, read and checked, and how the frames of a segment are
 * found again when some of its octets are damaged or were never written.
 */
#include "base/compat.h"

#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define FRAME_MAGIC	0x314d5246U	/* "FRM1" */

void
frame_hdr_put(uint8_t *p, const struct frame_hdr *h, uint64_t nonce)
{
	memset(p, 0, FRAME_HDR);
	put32(p, FRAME_MAGIC);
	put64(p + 8, nonce);
	put32(p + 16, h->no);
	put32(p + 20, h->env_len);
	put32(p + 24, h->facts_len);
	put32(p + 28, h->flags);
	put64(p + 32, h->size);
	put64(p + 40, h->large);
	put32(p + 48, h->env_crc);
	put32(p + 52, h->body_crc);
	put32(p + 4, crc32c(0, p + 8, FRAME_HDR - 8));
}

int
frame_hdr_get(const uint8_t *p, uint64_t nonce, struct frame_hdr *h)
{
	if (get32(p) != FRAME_MAGIC || get64(p + 8) != nonce ||
	    get32(p + 4) != crc32c(0, p + 8, FRAME_HDR - 8))
		return -1;
	h->no = get32(p + 16);
	h->env_len = get32(p + 20);
	h->facts_len = get32(p + 24);
	h->flags = get32(p + 28);
	h->size = get64(p + 32);
	h->large = get64(p + 40);
	h->env_crc = get32(p + 48);
	h->body_crc = get32(p + 52);
	return frame_len(h) == 0 ? -1 : 0;
}

uint32_t
frame_len(const struct frame_hdr *h)
{
	uint64_t n = FRAME_HDR;

	if (h->env_len > ENV_MAX || h->facts_len > SEG_SIZE)
		return 0;
	n += h->env_len;
	if ((h->flags & FRAME_LARGE) == 0) {
		if (h->size > SEG_SIZE)
			return 0;
		n += h->size + h->facts_len;
	}
	n = (n + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
	return n > SEG_SIZE - SEG_START ? 0 : (uint32_t)n;
}

int
frame_check(const uint8_t *frame, const struct frame_hdr *h)
{
	const uint8_t *env = frame + FRAME_HDR;

	if (crc32c(0, env, h->env_len) != h->env_crc)
		return -1;
	if ((h->flags & FRAME_LARGE) == 0 &&
	    crc32c(0, env + h->env_len, (size_t)h->size + h->facts_len) !=
	    h->body_crc)
		return -1;
	return 0;
}

static bool
frame_at(const uint8_t *buf, size_t n, size_t off, uint64_t nonce,
    struct frame_hdr *h)
{
	return off + FRAME_HDR <= n &&
	    frame_hdr_get(buf + off, nonce, h) == 0 &&
	    frame_len(h) <= n - off && frame_check(buf + off, h) == 0;
}

enum scan_result
frame_scan(const uint8_t *buf, size_t n, uint64_t nonce, size_t *off,
    size_t *to, struct frame_hdr *h)
{
	bool begun = false;
	size_t o;

	if (frame_at(buf, n, *off, nonce, h))
		return SCAN_FRAME;
	for (o = *off; o + FRAME_HDR <= n; o += FRAME_ALIGN) {
		if (get32(buf + o) != FRAME_MAGIC ||
		    get64(buf + o + 8) != nonce)
			continue;
		if (o > *off && frame_at(buf, n, o, nonce, h)) {
			*to = o;
			return SCAN_DAMAGE;
		}
		begun = true;
	}
	*to = n;
	return begun ? SCAN_TORN : SCAN_END;
}
