/*
 * Delivery ids that deliver may forget once the log is synced: result.c and
 * load.c add them, local.c sends them where its channels lead.
 *
 * Invariants: an id is told to be forgotten only after the record that its
 * recipient is done is on disk; after that queue never asks for it again.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define FORGET_MAX	14336		/* octets of one message */

struct forget {
	struct msg_id	 id;
	uint32_t	 account;
};

static struct {
	struct forget	*v;
	size_t		 n, cap;
} fo;

static void	 forget_instance(struct chan *, unsigned int, unsigned int);

void
forget_add(const struct msg_id *id, uint32_t account)
{
	if (fo.n == fo.cap) {
		fo.cap = fo.cap == 0 ? 1024 : fo.cap * 2;
		fo.v = xreallocarray(fo.v, fo.cap, sizeof(*fo.v));
	}
	fo.v[fo.n++] = (struct forget){ *id, account };
}

size_t
forget_count(void)
{
	return fo.n;
}

void
forget_send(struct chan *const *chan, unsigned int n)
{
	size_t i, left = 0;
	unsigned int k;

	if (n == 0)
		return;
	for (k = 0; k < n; k++)
		if (chan[k] != NULL)
			forget_instance(chan[k], k, n);
	for (i = 0; i < fo.n; i++)
		if (chan[fo.v[i].account % n] == NULL)
			fo.v[left++] = fo.v[i];
	fo.n = left;
}

/* Those of the accounts of instance k of n. */
static void
forget_instance(struct chan *chan, unsigned int k, unsigned int n)
{
	static uint8_t buf[FORGET_MAX];
	struct deliver_forget_ev e;
	struct item_target t = { .address = { "", 0 } };
	size_t i, off = 0;

	for (i = 0; i < fo.n; i++) {
		if (fo.v[i].account % n != k)
			continue;
		t.id = fo.v[i].id;
		t.account = fo.v[i].account;
		if (item_target_put(buf, sizeof(buf), &off, &t) == 0)
			continue;
		e.targets = slice_of((char *)buf, off);
		chan_send(chan, DELIVER_FORGET_EV, &e, NULL, 0);
		off = 0;
		item_target_put(buf, sizeof(buf), &off, &t);
	}
	e.targets = slice_of((char *)buf, off);
	if (off > 0)
		chan_send(chan, DELIVER_FORGET_EV, &e, NULL, 0);
}
