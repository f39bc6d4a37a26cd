/*
 * Datagrams of processes that talk to the network, as logd reads, writes,
 * keeps and searches them.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "logd/logd.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What a line leads to, it belongs to: it matches from then on. */
static void
search(struct keys *keys, struct slice text)
{
	struct slice rest = text, value, token, uids;
	struct word w;
	struct place at;

	while (words_next(&rest, &w)) {
		if (w.key.n + w.value.n > text.n)
			abort();
		if (words_place(w.value, &at, &uids))
			while (words_range(&uids, &at.first, &at.last))
				if (at.first > at.last)
					abort();
		value = w.value;
		while (words_token(&value, &token))
			if (token.n > w.value.n ||
			    token.p < text.p || token.p + token.n >
			    text.p + text.n)
				abort();
	}
	match_line(keys, text);
	match_follow(keys, text);
	match_line(keys, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct ring *ring;
	static struct keys *keys;
	struct slice in = { (const char *)p, n };
	struct logd_record r;
	struct logd_parts o;
	char line[LOGD_LINE];
	size_t off = 0, len, v[16];

	if (ring == NULL) {
		ring = ring_new();
		keys = keys_new();
		keys_add(keys, SLICE_LIT("a@b.test"), KEY_ASKED);
	}
	while (logd_record(in, &off, &r) == 1) {
		len = logd_line(line, "2026-11-21T18:20:57.123Z", "smtpd", 0,
		    r.level, r.text);
		if (len > sizeof(line) || line[len - 1] != '\n' ||
		    memchr(line, '\n', len - 1) != NULL ||
		    logd_parse(slice_of(line, len), &o) == -1)
			abort();
		ring_add(ring, slice_of(line, len));
		ring_find(ring, r.text, v, 16);
		search(keys, o.text);
	}
	if (ring_count(ring) > 100) {
		ring_free(ring);
		keys_free(keys);
		ring = NULL;
	}
	logd_parse(in, &o);
	return 0;
}
