/*
 * deliver: puts messages from queue into accounts.  Runs as _mailbox in the
 * store's root directory; asked by queue alone.  Never touches the network,
 * never parses message content, and never trusts an account's files.
 *
 * This file is the role and its one channel; batch.c does the work.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "store/store.h"
#include "deliver/deliver.h"

#define FLUSH_SECONDS	30		/* forgotten ids reach the journal */

static void	 on_body(struct chan *, struct msg *, void *);
static void	 on_msg(struct chan *, struct msg *, void *);
static void	 on_forget(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_flush(evutil_socket_t, short, void *);

static struct {
	struct chan	*queue;
	struct event	*flush;
} dl;

static const struct chan_handler handlers[] = {
	{ DELIVER_BODY_EV,	on_body },
	{ DELIVER_MSG,		on_msg },
	{ DELIVER_FORGET_EV,	on_forget },
};

static const struct chan_ops ops = { on_gone, NULL };

void
deliver_start(const struct conf *conf)
{
	static const struct timeval every = { FLUSH_SECONDS, 0 };
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		fatal("store directory");
	account_init(proc_base(), fd);
	batch_init(proc_base(), fd);
	dl.flush = event_new(proc_base(), -1, EV_PERSIST, on_flush, NULL);
	if (dl.flush == NULL || event_add(dl.flush, &every) == -1)
		fatalx("event_new");
}

/* A new queue: what the old one asked is written first, so that the new
 * one's questions whether it was done find it. */
void
deliver_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind != CHAN_DELIVER) {
		close(fd);
		return;
	}
	if (dl.queue != NULL) {
		batch_gone(dl.queue);
		chan_free(dl.queue);
	}
	batch_run();
	dl.queue = chan_new(proc_base(), fd, CHAN_DELIVER, SIDE_B, handlers,
	    NITEMS(handlers), &ops, NULL);
}

void
deliver_stop(void)
{
	batch_run();
	account_flush();
	proc_exit(0);
}

static void
on_body(struct chan *c, struct msg *m, void *arg)
{
	batch_body(&m->body->deliver_body_ev);
}

static void
on_msg(struct chan *c, struct msg *m, void *arg)
{
	batch_add(c, m);
}

/* Ids of one account mostly stand together. */
static void
on_forget(struct chan *c, struct msg *m, void *arg)
{
	static uint8_t ids[STORE_BATCH_MAX][STORE_ID_LEN];
	struct item_target t;
	struct account *a = NULL;
	uint32_t account = 0;
	size_t off = 0, n = 0;

	while (item_target_get(m->body->deliver_forget_ev.targets, &off,
	    &t) == 1) {
		if (n > 0 && (t.account != account || n == STORE_BATCH_MAX)) {
			if (account_get(account, &a) == STORE_OK &&
			    store_forget(a->store, (const void *)ids,
			    n) == STORE_OK)
				a->flush = true;
			n = 0;
		}
		account = t.account;
		memcpy(ids[n++], t.id.b, STORE_ID_LEN);
	}
	if (n > 0 && account_get(account, &a) == STORE_OK &&
	    store_forget(a->store, (const void *)ids, n) == STORE_OK)
		a->flush = true;
}

/* No batch is under way here: what was written is synced and answered, and
 * what waits will find the account closed. */
void
deliver_close(struct chan *c, struct msg *m, void *arg)
{
	const struct account_close *q = &m->body->account_close;
	struct account_close_r r = { .ok = 1 };
	struct item_account it;
	size_t off = 0;

	if (q->first)
		account_reopen_all();
	while (item_account_get(q->accounts, &off, &it) == 1)
		account_close(it.account);
	chan_reply(c, m->id, ACCOUNT_CLOSE_R, &r, NULL, 0);
}

void
deliver_open(struct chan *c, struct msg *m, void *arg)
{
	account_reopen(m->body->account_open_ev.account);
}

static void
on_gone(struct chan *c, void *arg)
{
	batch_gone(c);
	dl.queue = NULL;
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	account_flush();
}
