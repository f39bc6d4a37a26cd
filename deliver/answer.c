/*
 * What queue is told of a message: a result, a status (RFC 3463) and a text
 * for each of those it is for.  The text may reach the sender: it says
 * nothing of files and errors, which the log has.
 */
#include "base/compat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "store/store.h"
#include "deliver/deliver.h"

static const struct {
	enum delivery_result result;
	const char	*status, *text;
} answers[] = {
	[STORE_OK] = { DELIVERY_OK, "2.0.0", "" },
	[STORE_BUSY] = { DELIVERY_TEMP, "4.2.0", "mailbox is busy" },
	[STORE_DAMAGED] = { DELIVERY_TEMP, "4.2.0", "mailbox is damaged" },
	[STORE_NOSPACE] = { DELIVERY_TEMP, "4.3.1", "no space left" },
	[STORE_OVERQUOTA] = { DELIVERY_TEMP, "4.2.2", "mailbox is full" },
	[STORE_IO] = { DELIVERY_TEMP, "4.3.0", "storage error" },
	[STORE_NOTFOUND] = { DELIVERY_TEMP, "4.2.1", "mailbox is not there" },
	[STORE_EXISTS] = { DELIVERY_TEMP, "4.3.0", "storage error" },
	[STORE_INVALID] = { DELIVERY_PERM, "5.2.0", "not to be stored" },
	[STORE_LIMIT] = { DELIVERY_PERM, "5.2.3", "beyond a limit" },
	[STORE_DUPLICATE] = { DELIVERY_OK, "2.0.0", "was there already" },
	[STORE_READONLY] = { DELIVERY_TEMP, "4.3.0", "storage error" },
	[STORE_NOMEM] = { DELIVERY_TEMP, "4.3.0", "out of memory" },
	[STORE_ACCESS] = { DELIVERY_TEMP, "4.3.0", "storage error" },
	[STORE_NEWER] = { DELIVERY_TEMP, "4.3.0",
	    "mailbox was written by a newer release" },
	[STORE_GONE] = { DELIVERY_TEMP, "4.2.1", "mailbox was exchanged" },
};

static void
result_put(const struct target *t, struct item_result *r)
{
	size_t i = (size_t)t->result < NITEMS(answers) ?
	    (size_t)t->result : STORE_IO;

	*r = (struct item_result){ .index = t->index,
	    .result = (uint8_t)answers[i].result,
	    .status = slice_str(answers[i].status),
	    .mta = { "", 0 }, .text = slice_str(answers[i].text),
	    .percent = (uint8_t)t->percent };
	if (t->result == STORE_OK)
		r->warn = (uint8_t)t->warn;
	if (t->closed) {
		r->status = SLICE_LIT("4.2.1");
		r->text = SLICE_LIT("mailbox is closed");
	} else if (t->result == STORE_LIMIT && !t->own) {
		r->result = DELIVERY_TEMP;
		r->status = SLICE_LIT("4.2.0");
		r->text = SLICE_LIT("mailbox is beyond a limit");
	}
}

void
answer_send(struct delivery *d, const struct target *t)
{
	static uint8_t buf[14336];
	struct deliver_msg_r r;
	struct item_result it;
	size_t off = 0;
	uint32_t i;

	if (d->fd != -1)
		close(d->fd);
	if (d->chan == NULL)
		return;
	for (i = 0; i < d->n; i++) {
		result_put(&t[i], &it);
		if (item_result_put(buf, sizeof(buf), &off, &it) == -1)
			break;		/* queue asks again for the rest */
	}
	r.results = slice_of((char *)buf, off);
	chan_reply(d->chan, d->ask, DELIVER_MSG_R, &r, NULL, 0);
}

void
answer_refuse(struct chan *c, uint32_t ask, const struct deliver_msg *q)
{
	static uint8_t buf[14336];
	struct deliver_msg_r r;
	struct item_target it;
	struct item_result res;
	struct target t = { .result = STORE_IO };
	size_t in = 0, off = 0;

	if (q->facts > STORE_FACTS_MAX || q->size > STORE_MESSAGE_MAX)
		t.result = STORE_LIMIT;
	t.own = true;
	while (item_target_get(q->targets, &in, &it) == 1) {
		t.index = it.index;
		result_put(&t, &res);
		if (item_result_put(buf, sizeof(buf), &off, &res) == -1)
			break;
	}
	r.results = slice_of((char *)buf, off);
	chan_reply(c, ask, DELIVER_MSG_R, &r, NULL, 0);
}
