/*
 * Fuzz entry: an entry of the facts file, head and blob.  Checksums are
 * switched off here; the blob's own reader is common/parse/facts.c.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/le.h"
#include "parse/facts.h"
#include "store/store.h"
#include "store/store_priv.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct store st = { 0 };
	struct store_msg m = { 0 };
	const char *blob;

	if (n < FACTS_ENTRY)
		return 0;
	m.facts_len = get32(in + 4);
	m.segment = get32(in + 8);
	m.offset = get64(in + 16);
	if (facts_check(&st, in, n, &m) == -1)
		return 0;
	if (m.facts_len > n - FACTS_ENTRY)
		abort();
	blob = (const char *)in + FACTS_ENTRY;
	if (facts_version(blob, m.facts_len) == FACTS_VERSION)
		(void)facts_nparts(blob, m.facts_len);
	return 0;
}
