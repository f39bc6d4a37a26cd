/*
 * Datagrams of processes that talk to the network, as logd reads, writes,
 * keeps and searches them.  Links logd/line.c and logd/ring.c.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "logd/logd.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct ring *ring;
	struct slice in = { (const char *)p, n };
	struct logd_record r;
	struct logd_parts o;
	char line[LOGD_LINE];
	size_t off = 0, len, v[16];

	if (ring == NULL)
		ring = ring_new();
	while (logd_record(in, &off, &r) == 1) {
		len = logd_line(line, "2026-11-21T18:20:57.123Z", "smtpd", 0,
		    r.level, r.text);
		if (len > sizeof(line) || line[len - 1] != '\n' ||
		    memchr(line, '\n', len - 1) != NULL ||
		    logd_parse(slice_of(line, len), &o) == -1)
			abort();
		ring_add(ring, slice_of(line, len));
		ring_why(ring, r.text, v, 16);
	}
	if (ring_count(ring) > 100) {
		ring_free(ring);
		ring = NULL;
	}
	logd_parse(in, &o);
	return 0;
}
