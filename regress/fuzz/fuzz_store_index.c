/*
 * Fuzz entry: a checkpoint, as deliver reads it (tree only) and as a
 * session does.  Checksums are switched off here.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/store.h"
#include "store/store_priv.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	return 0;
}

static void
one(const uint8_t *in, size_t n, bool messages)
{
	uint8_t uuid[16] = { 0 };
	struct index_at at;
	struct mailbox *m;
	struct state *s;
	uint32_t i, before;
	uint8_t *p;
	size_t k;

	if ((s = state_new(messages)) == NULL || (p = malloc(n + 1)) == NULL)
		exit(1);
	memcpy(p, in, n);
	if (n > 40)
		memcpy(uuid, p + 24, sizeof(uuid));
	if (index_parse(p, n, uuid, s, &at) == 0)
		for (k = 0; k < s->nnames; k++) {
			m = s->byname[k];
			for (i = before = 0; i < mailbox_slots(m); i++) {
				if (mailbox_msg(m, i)->uid <= before)
					abort();
				before = mailbox_msg(m, i)->uid;
			}
			(void)mailbox_children(s, m);
		}
	state_free(s);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	one(in, n, true);
	one(in, n, false);
	return 0;
}
