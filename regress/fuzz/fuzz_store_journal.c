/*
 * Fuzz entry: groups and records of the log into an account in memory.
 * Checksums are switched off here (crc32c below is the one that is linked),
 * so that the fuzzer reaches what lies behind them.  Afterwards the account
 * must hold what store/state.c promises.
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
promise(bool kept)
{
	if (!kept)
		abort();
}

static void
look(struct state *s)
{
	struct mailbox *m;
	uint32_t i, live, before;
	size_t k;

	for (k = 0; k < s->nnames; k++) {
		m = s->byname[k];
		promise(k == 0 || strcmp(s->byname[k - 1]->name, m->name) < 0);
		promise(mailbox_byid(s, m->id) == m);
		for (i = live = before = 0; i < mailbox_slots(m); i++) {
			promise(mailbox_msg(m, i)->uid > before);
			before = mailbox_msg(m, i)->uid;
			live += (mailbox_msg(m, i)->flags & MSG_GONE) == 0;
		}
		promise(live == m->messages && before < m->uidnext);
		(void)mailbox_recent(m);
	}
	for (k = 1; k < s->nsubs; k++)
		promise(strcmp(s->subs[k - 1], s->subs[k]) < 0);
}

/* The whole input as records of one group, whatever its head says. */
static void
bare_records(const uint8_t *p, size_t n, uint64_t seq, bool messages)
{
	struct loggroup g = { .seq = seq, .time = 1 };
	struct state *s;

	if ((s = state_new(messages)) == NULL)
		return;
	g.recs = p;
	g.nrecs = n;
	if (state_apply(s, &g) == 0 && messages)
		look(s);
	state_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct loggroup g;
	struct loghead h;
	struct state *s;
	size_t off = 0, want;
	ssize_t len;

	bare_records(p, n, 2, true);
	bare_records(p, n, 1000, true);
	bare_records(p, n, 1000, false);
	if (loghead_decode(p, n, &h) != STORE_OK ||
	    (s = state_new(true)) == NULL)
		return 0;
	for (off = h.len; off < n; off += (size_t)len) {
		len = loggroup_parse(p + off, n - off, 0, &g, &want);
		if (len <= 0) {
			promise(len == -1 || want > n - off);
			(void)log_resync(p + off, n - off, 0);
			break;
		}
		if (state_apply(s, &g) == -1)
			break;
	}
	if (off >= n)
		look(s);
	state_free(s);
	return 0;
}
