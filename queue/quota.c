/*
 * Accounts whose quota is not the default: a table by account, as authd told
 * it, which goes with each message that is handed to deliver.  Nothing of it
 * is on disk: authd tells all of it to a new queue, and each change; while
 * authd is away what it said last counts.
 *
 * And those that authd knows to be almost full, so that it is told when they
 * no longer are.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/quota.h"
#include "queue/queue.h"

#define TABLE_MIN	256
#define FULL_FROM	95		/* percent: authd is told from here on */
#define ACCOUNT_MAX	(1u << 31)	/* beyond every user number */

struct entry {
	struct entry	*next;
	uint32_t	 account;
	struct quota	 quota;
};

static struct {
	struct entry	**v;
	size_t		 size, n;	/* size: a power of two */
	struct numset	 full;
} qu;

/* Numbers are given out one after the other: they spread by themselves. */
static struct entry **
entry_find(uint32_t account)
{
	struct entry **p = &qu.v[account & (qu.size - 1)];

	while (*p != NULL && (*p)->account != account)
		p = &(*p)->next;
	return p;
}

static void
grow(void)
{
	size_t i, old = qu.size;
	struct entry **v = qu.v, *e, *next, **p;

	qu.size = old == 0 ? TABLE_MIN : old * 2;
	qu.v = xcalloc(qu.size, sizeof(*qu.v));
	for (i = 0; i < old; i++)
		for (e = v[i]; e != NULL; e = next) {
			next = e->next;
			p = entry_find(e->account);
			e->next = NULL;
			*p = e;
		}
	free(v);
}

static void
clear(void)
{
	struct entry *e, *next;
	size_t i;

	for (i = 0; i < qu.size; i++)
		for (e = qu.v[i]; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	free(qu.v);
	qu.v = NULL;
	qu.size = qu.n = 0;
}

void
quota_on_ev(struct chan *c, struct msg *m, void *arg)
{
	const struct dir_quota_ev *ev = &m->body->dir_quota_ev;
	struct entry **p, *e;

	if (ev->account == 0) {
		clear();
		return;
	}
	if (ev->account >= ACCOUNT_MAX)
		return;
	if (qu.n >= qu.size)
		grow();
	p = entry_find(ev->account);
	if (ev->octets == QUOTA_DEFAULT && ev->messages == QUOTA_DEFAULT) {
		if ((e = *p) != NULL) {
			*p = e->next;
			free(e);
			qu.n--;
		}
		return;
	}
	if (*p == NULL) {
		*p = xcalloc(1, sizeof(**p));
		(*p)->account = ev->account;
		qu.n++;
	}
	(*p)->quota = (struct quota){ ev->octets, ev->messages };
}

struct quota
quota_of(uint32_t account)
{
	struct entry *e = qu.size == 0 ? NULL : *entry_find(account);

	return e != NULL ? e->quota :
	    (struct quota){ QUOTA_DEFAULT, QUOTA_DEFAULT };
}

bool
quota_percent_told(uint32_t account, unsigned int percent)
{
	bool full = percent >= FULL_FROM;

	if (account >= ACCOUNT_MAX || (!full && !numset_has(&qu.full, account)))
		return false;
	numset_put(&qu.full, account, full);
	return true;
}
