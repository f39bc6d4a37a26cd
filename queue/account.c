/*
 * What each account has waiting: a table by account with the number of its
 * recipients that are not done, for the limit of queue.max-per-account.
 * queue only.
 *
 * Invariants: the number is the sum of m->nlive over the messages that are
 * m->counted; a message is counted from its commit, or the start that found
 * it, until it is freed, and its copy in its place.  An account that has
 * nothing waiting has no entry.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define TABLE_MIN	256

struct entry {
	struct entry	*next;
	uint32_t	 account;
	uint32_t	 waiting;
};

static struct {
	struct entry	**v;
	size_t		 size, n;	/* size: a power of two */
} ac;

static struct entry **entry_find(uint32_t);
static void	 grow(void);

void
account_enter(struct message *m)
{
	struct entry **p, *e;

	if (m->account == 0 || m->nlive == 0)
		return;
	m->counted = 1;
	if (ac.n >= ac.size)
		grow();
	p = entry_find(m->account);
	if (*p == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->account = m->account;
		*p = e;
		ac.n++;
	}
	(*p)->waiting += m->nlive;
}

static void
take(const struct message *m, uint32_t n)
{
	struct entry **p = entry_find(m->account), *e = *p;

	if (e == NULL || e->waiting < n)
		fatalx("account %u has fewer waiting than %u", m->account, n);
	if ((e->waiting -= n) > 0)
		return;
	*p = e->next;
	free(e);
	ac.n--;
}

void
account_leave(struct message *m)
{
	if (m->counted && m->nlive > 0)
		take(m, m->nlive);
	m->counted = 0;
}

void
account_less(struct message *m)
{
	if (m->counted)
		take(m, 1);
}

uint32_t
account_waiting(uint32_t account)
{
	struct entry *e = ac.size == 0 ? NULL : *entry_find(account);

	return e == NULL ? 0 : e->waiting;
}

/* Numbers are given out one after the other: they spread by themselves. */
static struct entry **
entry_find(uint32_t account)
{
	struct entry **p = &ac.v[account & (ac.size - 1)];

	while (*p != NULL && (*p)->account != account)
		p = &(*p)->next;
	return p;
}

static void
grow(void)
{
	size_t i, old = ac.size;
	struct entry **v = ac.v, *e, *next, **p;

	ac.size = old == 0 ? TABLE_MIN : old * 2;
	ac.v = xcalloc(ac.size, sizeof(*ac.v));
	for (i = 0; i < old; i++)
		for (e = v[i]; e != NULL; e = next) {
			next = e->next;
			p = entry_find(e->account);
			e->next = NULL;
			*p = e;
		}
	free(v);
}
