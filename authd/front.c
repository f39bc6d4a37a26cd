/*
 * The fronts: channels that ask, and what their connections proved to be.
 * What was proved is remembered here and not by the front, so a broken one
 * cannot claim it; and it is over, everywhere, when the account is.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "net/connid.h"
#include "authd/authd.h"

#define FRONTS_MAX	256
#define PROVED_MAX	100000	/* logins held by one front */

static struct {
	struct front	*front[FRONTS_MAX];
	uint32_t	 serial;
} st;

static void	 on_gone(struct chan *, void *);

struct front *
front_new(enum proc_role role, uint16_t instance, int fd,
    const struct chan_handler *h, size_t n)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct front *f;
	size_t i;

	for (i = 0; i < FRONTS_MAX && st.front[i] != NULL; i++)
		;
	if (i == FRONTS_MAX)
		fatalx("too many fronts");
	f = st.front[i] = xcalloc(1, sizeof(*f));
	f->role = role;
	f->instance = instance;
	f->serial = ++st.serial;
	f->chan = chan_new(proc_base(), fd, CHAN_AUTH, SIDE_B, h, n, &ops, f);
	return f;
}

struct front *
front_find(uint32_t serial)
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL && st.front[i]->serial == serial)
			return st.front[i];
	return NULL;
}

void
front_each(void (*fn)(struct front *))
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL)
			fn(st.front[i]);
}

struct front *
front_of(uint64_t conn)
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL && front_owns(st.front[i], conn))
			return st.front[i];
	return NULL;
}

static void
proved_free(struct node *n)
{
	struct proved *p = (struct proved *)n;

	guard_leave(p->account, &p->open, now_sec());
	free(p);
}

static void
front_free(struct front *f)
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] == f)
			st.front[i] = NULL;
	table_clear(&f->proved, proved_free);
	free(f);
}

static void
on_gone(struct chan *c, void *arg)
{
	front_free(arg);
}

void
front_cut(struct front *f, const char *why)
{
	log_warnx("%s[%u] cut off: %s", proc_name(f->role), f->instance, why);
	chan_free(f->chan);
	front_free(f);
}

bool
front_owns(const struct front *f, uint64_t conn)
{
	return connid_of(conn, f->role, f->instance);
}

bool
front_room(const struct front *f)
{
	return f->proved.count < PROVED_MAX;
}

/* ---- what is proved ------------------------------------------------------ */

struct proved *
proved_find(const struct front *f, uint64_t conn)
{
	struct node *n;

	n = table_chain(&f->proved, table_hash(&conn, sizeof(conn)));
	for (; n != NULL; n = n->next)
		if (((struct proved *)n)->conn == conn)
			return (struct proved *)n;
	return NULL;
}

void
front_prove(struct front *f, uint64_t conn, uint32_t account)
{
	struct proved *p = proved_find(f, conn);

	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->conn = conn;
		table_add(&f->proved, &p->node,
		    table_hash(&conn, sizeof(conn)));
	} else
		guard_leave(p->account, &p->open, now_sec());
	p->account = account;
}

void
front_disprove(struct front *f, struct proved *p)
{
	table_del(&f->proved, &p->node);
	proved_free(&p->node);
}

/* ---- what is over -------------------------------------------------------- */

static void
front_tell(struct front *f, uint32_t account, enum auth_revoked why)
{
	struct auth_revoked_ev ev = { account, (uint8_t)why };

	chan_send(f->chan, AUTH_REVOKED_EV, &ev, NULL, 0);
}

static void
front_revoke(struct front *f, uint32_t account, enum auth_revoked why)
{
	struct node *n, *next;
	size_t i;

	for (i = 0; i < f->proved.nslots; i++)
		for (n = f->proved.slot[i]; n != NULL; n = next) {
			next = n->next;
			if (((struct proved *)n)->account == account)
				front_disprove(f, (struct proved *)n);
		}
	/* those of imapd and pop3d end with their grant */
	if (f->role == ROLE_SMTPD ||
	    (f->role == ROLE_QUEUE && why != REVOKED_PASSWORD))
		front_tell(f, account, why);
}

void
front_revoke_all(uint32_t account, enum auth_revoked why)
{
	struct grant_revoke_ev ev = { account };
	size_t i;

	recent_drop(account);
	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL)
			front_revoke(st.front[i], account, why);
	if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_REVOKE_EV, &ev, NULL, 0);
}

void
front_restore_all(uint32_t account)
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL && st.front[i]->role == ROLE_QUEUE)
			front_tell(st.front[i], account, REVOKED_OVER);
}

static void
tell_disabled(const struct account *a, void *arg)
{
	if (!a->enabled)
		front_tell(arg, a->id, REVOKED_DISABLED);
}

static void
quota_tell(struct front *f, const struct account *a)
{
	struct dir_quota_ev ev = { 0 };

	if (a != NULL)
		ev = (struct dir_quota_ev){ a->id, a->quota.octets,
		    a->quota.messages };
	chan_send(f->chan, DIR_QUOTA_EV, &ev, NULL, 0);
}

void
front_quota_all(const struct account *a)
{
	size_t i;

	for (i = 0; i < FRONTS_MAX; i++)
		if (st.front[i] != NULL && st.front[i]->role == ROLE_QUEUE)
			quota_tell(st.front[i], a);
}

static void
tell_quota(const struct account *a, void *arg)
{
	if (account_has_quota(a))
		quota_tell(arg, a);
}

static void
tell_gone(uint32_t account, void *arg)
{
	front_tell(arg, account, REVOKED_DELETED);
}

void
front_catch_up(struct front *f)
{
	struct dir *d = authd_dir(NULL);

	if (d == NULL || f->role != ROLE_QUEUE)
		return;
	front_tell(f, 0, REVOKED_BEGIN);
	dir_each(d, tell_disabled, f);
	dir_gone_each(d, tell_gone, f);
	front_tell(f, 0, REVOKED_END);
	quota_tell(f, NULL);
	dir_each(d, tell_quota, f);
}

void
front_catch_up_all(void)
{
	front_each(front_catch_up);
}
