/*
 * What queue reads back from its disk: a segment with its frames and their
 * envelopes, and the records of queue.log.  Links queue/frame.c,
 * queue/envelope.c and queue/record.c.  The checksums are made right before the
 * reading, so that the fuzzer gets behind them; the first octet says which.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_envelope(const uint8_t *p, size_t n)
{
	struct envelope e;
	struct env_rcpt r;
	size_t off = 0;
	uint32_t count = 0;

	if (env_get(p, n, &e) != 0)
		return;
	while (env_rcpt_get(&e, &off, &r) == 1)
		count++;
	if (count != e.nrcpt || off != e.rcpts.n)
		abort();
}

static void
read_segment(const uint8_t *p, size_t n)
{
	struct frame_hdr h;
	size_t off = 0, to;
	enum scan_result r;

	while ((r = frame_scan(p, n, 0, &off, &to, &h)) == SCAN_FRAME ||
	    r == SCAN_DAMAGE) {
		if (r == SCAN_DAMAGE) {
			if (to <= off || to > n)
				abort();
			off = to;
			continue;
		}
		read_envelope(p + off + FRAME_HDR, h.env_len);
		off += frame_len(&h);
	}
}

/* The octets as a frame whose header and checksums are right. */
static void
read_framed(const uint8_t *p, size_t n)
{
	struct frame_hdr h = { .no = 0 };
	uint8_t *b;
	size_t len;

	if (n < 2 || n > 60000)
		return;
	h.env_len = (uint32_t)(n < 600 ? n : 600);
	h.size = n - h.env_len;
	len = frame_len(&h);
	b = calloc(1, len);
	if (b == NULL)
		return;
	memcpy(b + FRAME_HDR, p, n);
	h.env_crc = crc32c(0, b + FRAME_HDR, h.env_len);
	h.body_crc = crc32c(0, b + FRAME_HDR + h.env_len, (size_t)h.size);
	frame_hdr_put(b, &h, 0);
	read_segment(b, len);
	free(b);
}

static void
read_log(const uint8_t *p, size_t n)
{
	struct log_rec r;
	size_t off, len;

	for (off = 0; off < n; off += len == 0 ? 8 : len) {
		len = log_rec_get(p + off, n - off, 0, &r);
		if (len > n - off || (len > 0 && r.text.n > LOG_TEXT_MAX))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	switch (p[0] % 4) {
	case 0:
		read_envelope(p + 1, n - 1);
		break;
	case 1:
		read_segment(p + 1, n - 1);
		break;
	case 2:
		read_framed(p + 1, n - 1);
		break;
	case 3:
		read_log(p + 1, n - 1);
		break;
	}
	return 0;
}
