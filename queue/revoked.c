/*
 * Accounts that may send no more: authd says so when one is disabled or
 * deleted, and tells all of them to a new queue.  What the queue has of such
 * an account is held, once, until the operator releases it; what smtpd was
 * about to commit when the word came is held as well.
 */
#include "base/compat.h"

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define REASON		"authd: the account may send no more"
#define ACCOUNT_MAX	(1u << 31)	/* beyond every user number */

static struct {
	struct numset	 revoked;	/* accounts */
	struct numset	 fresh;		/* and not yet looked for */
	struct numset	 named;		/* since REVOKED_BEGIN */
	bool		 again;
	struct walk	 walk;
	struct event	*ev;
} rv;

static bool
hold_fresh(struct message *m, void *arg)
{
	revoked_last_look(m);
	return true;
}

/* Through the queue in turns; what comes meanwhile begins it again, for all
 * that are fresh. */
static void
on_fresh(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0, 0 };

	commit_run();			/* no message is being copied then */
	if (rv.again)
		rv.walk = (struct walk){ 0 };
	rv.again = false;
	if (walk_turn(&rv.walk, hold_fresh, NULL)) {
		qlog_write();		/* what fails is tried again */
		event_add(rv.ev, &now);
		return;
	}
	numset_clear(&rv.fresh);
	if (qlog_sync() == -1)
		log_warn("queue.log");
}

static void
account_over(uint32_t account)
{
	numset_put(&rv.revoked, account, false);
	numset_put(&rv.fresh, account, false);
}

/* An authd that died may have told nobody that it enabled one. */
static void
list_over(void)
{
	uint32_t n;

	for (n = 0; n / 8 < rv.revoked.size; n++)
		if (numset_has(&rv.revoked, n) && !numset_has(&rv.named, n))
			account_over(n);
	numset_clear(&rv.named);
}

void
revoked_on_ev(struct chan *c, struct msg *m, void *arg)
{
	static const struct timeval now = { 0, 0 };
	const struct auth_revoked_ev *e = &m->body->auth_revoked_ev;

	if (e->why == REVOKED_BEGIN)
		numset_clear(&rv.named);
	else if (e->why == REVOKED_END)
		list_over();
	if (e->account == 0 || e->account >= ACCOUNT_MAX ||
	    e->why == REVOKED_PASSWORD)
		return;
	if (e->why == REVOKED_OVER) {
		account_over(e->account);
		return;
	}
	numset_put(&rv.named, e->account, true);
	if (numset_has(&rv.revoked, e->account))
		return;		/* the operator may have released some */
	numset_put(&rv.revoked, e->account, true);
	numset_put(&rv.fresh, e->account, true);
	rv.again = true;
	if (rv.ev == NULL && (rv.ev = event_new(arg, -1, 0, on_fresh,
	    NULL)) == NULL)
		fatalx("event_new");
	event_add(rv.ev, &now);
}

void
revoked_look(struct message *m)
{
	if (m->account != 0 && numset_has(&rv.revoked, m->account))
		hold_message(m, REASON);
}

void
revoked_last_look(struct message *m)
{
	if (m->account != 0 && numset_has(&rv.fresh, m->account))
		hold_message(m, REASON);
}
