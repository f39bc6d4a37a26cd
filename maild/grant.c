/*
 * Grants: authd tells maild that a connection of a front has proved to be
 * an account's; maild has the nursery start a session in that account's
 * directory and gives the front the other end.  A grant stays until the
 * front lets go of it, dies, or authd revokes it, so a parked connection
 * can have its session again.  maild keeps the front's end as well and shuts
 * it when the grant is over, so that no front can go on with a session that
 * was revoked, or have two of one grant.  This is the path of every login:
 * nothing is logged and nothing looked up by name.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/le.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "proc/proc.h"
#include "net/connid.h"
#include "maild/maild.h"

#define GRANTS_FIRST	1024
#define SLOT_BITS	16		/* of an id; the rest never repeats */
#define SLOT_MASK	((1U << SLOT_BITS) - 1)
#define NO_SLOT		UINT32_MAX

struct grant {
	uint64_t	 id;		/* 0: free */
	uint64_t	 conn;
	uint32_t	 account;
	uint32_t	 next;		/* free: the next one */
	struct quota	 quota;		/* as it was told last */
	int		 sock;		/* of its last session, -1 none */
	uint16_t	 instance;
	uint8_t		 front;		/* enum proc_role */
	bool		 revoked;	/* over at the next turn */
};

struct grants {
	struct grant	*slot;
	uint32_t	 size;		/* slots there are */
	uint32_t	 free;		/* first free one */
	uint32_t	 used;
	uint64_t	 serial;
};

static int	 grant_session(struct house *, struct grant *,
		    uint64_t conn);
static void	 grant_fail(struct house *, enum proc_role, uint16_t,
		    uint64_t conn, uint64_t id);
static void	 on_revoked(evutil_socket_t, short, void *);

void
grant_init(struct house *h)
{
	h->grants = xcalloc(1, sizeof(*h->grants));
	h->grants->free = NO_SLOT;
}

static bool
grants_grow(struct grants *g)
{
	uint32_t size = g->size == 0 ? GRANTS_FIRST : 2 * g->size;

	if (size > GRANTS_MAX)
		return false;
	g->slot = xreallocarray(g->slot, size, sizeof(*g->slot));
	for (uint32_t i = size; i-- > g->size;) {
		g->slot[i].id = 0;
		g->slot[i].next = g->free;
		g->free = i;
	}
	g->size = size;
	return true;
}

static struct grant *
grant_new(struct grants *g)
{
	struct grant *n;
	uint32_t i;

	if (g->free == NO_SLOT && !grants_grow(g))
		return NULL;
	i = g->free;
	n = &g->slot[i];
	g->free = n->next;
	g->used++;
	n->id = ++g->serial << SLOT_BITS | i;
	n->sock = -1;
	n->revoked = false;
	return n;
}

/* The session on it, if one still runs, has no front from now on. */
static void
grant_shut(struct grant *n)
{
	if (n->sock == -1)
		return;
	(void)shutdown(n->sock, SHUT_RDWR);
	close(n->sock);
	n->sock = -1;
}

static void
grant_free(struct grants *g, struct grant *n)
{
	grant_shut(n);
	n->id = 0;
	n->next = g->free;
	g->free = (uint32_t)(n - g->slot);
	g->used--;
}

/* The grant with that id if it is that front's, else NULL. */
static struct grant *
grant_find(struct grants *g, const struct child *front, uint64_t id)
{
	uint32_t i = (uint32_t)id & SLOT_MASK;

	if (i >= g->size || id == 0 || g->slot[i].id != id ||
	    g->slot[i].revoked ||
	    g->slot[i].front != front->role ||
	    g->slot[i].instance != front->instance)
		return NULL;
	return &g->slot[i];
}

/* ---- sessions ------------------------------------------------------------ */

static void
grant_fail(struct house *h, enum proc_role front, uint16_t instance,
    uint64_t conn, uint64_t id)
{
	struct grant_fail_ev ev = { conn, id };
	struct child *c = child_ready(h, front, instance);

	if (c != NULL)
		chan_send(c->chan, GRANT_FAIL_EV, &ev, NULL, 0);
}

/* A session in the account's directory, its other end to the front; one that
 * the grant had before ends. */
static int
grant_session(struct house *h, struct grant *g, uint64_t conn)
{
	enum proc_role front = (enum proc_role)g->front;
	struct child *f = child_ready(h, front, g->instance);
	struct child *n = child_ready(h, role_row(front)->nursery, 0);
	struct grant_session_ev to_front = { conn, g->id, g->account };
	struct nursery_spawn_ev to_nursery = { .grant = g->id,
	    .octets = g->quota.octets, .messages = g->quota.messages };
	int sv[2], fds[2];

	if (f == NULL || n == NULL || n->silent)
		return -1;
	if ((fds[0] = directory_open(h, g->account)) == -1) {
		log_warn("grant account=%u", g->account);
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("grant: socketpair");
		close(fds[0]);
		return -1;
	}
	fds[1] = sv[1];
	to_nursery.uid = to_nursery.gid = h->conf->proc.uid_base + g->account;
	grant_shut(g);
	g->sock = sv[0];
	if (chan_give(n->chan, NURSERY_SPAWN_EV, &to_nursery, fds, 2) == -1)
		return -1;
	return chan_send(f->chan, GRANT_SESSION_EV, &to_front, &sv[0], 1);
}

/* From authd alone: the handler table of no other role has it. */
void
grant_on_open(struct chan *chan, struct msg *m, void *arg)
{
	const struct grant_open_ev *e = &m->body->grant_open_ev;
	struct house *h = ((struct child *)arg)->house;
	struct grant *g;

	if (e->front >= ROLE_MAX ||
	    role_row((enum proc_role)e->front)->says != SAYS_FRONT ||
	    !connid_of(e->conn, (enum proc_role)e->front, e->instance) ||
	    e->account == 0 || e->account >= h->conf->proc.uid_count) {
		log_warnx("grant refused front=%u instance=%u account=%u",
		    e->front, e->instance, e->account);
		return;
	}
	if ((g = grant_new(h->grants)) == NULL) {
		log_warnx("grant refused: %u are open", h->grants->used);
		grant_fail(h, (enum proc_role)e->front, e->instance, e->conn,
		    0);
		return;
	}
	g->conn = e->conn;
	g->account = e->account;
	g->front = e->front;
	g->instance = e->instance;
	g->quota = (struct quota){ e->octets, e->messages };
	if (grant_session(h, g, e->conn) == -1) {
		grant_fail(h, (enum proc_role)e->front, e->instance, e->conn,
		    g->id);
		grant_free(h->grants, g);
	}
}

void
grant_on_again(struct chan *chan, struct msg *m, void *arg)
{
	const struct grant_again_ev *e = &m->body->grant_again_ev;
	struct child *c = arg;
	struct grant *g = grant_find(c->house->grants, c, e->grant);

	/* gone meanwhile: revoked */
	if (g == NULL || g->conn != e->conn ||
	    grant_session(c->house, g, e->conn) == -1)
		grant_fail(c->house, c->role, c->instance, e->conn, e->grant);
}

/* Its session handed over what it knew and waits for its end.  The grant
 * stays: it is what the connection gets the next one by. */
void
grant_on_park(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;
	struct grant *g = grant_find(c->house->grants, c,
	    m->body->grant_park_ev.grant);

	if (g != NULL) {
		round_client_left(c->house, g->account);
		grant_shut(g);
	}
}

void
grant_on_release(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;
	struct grant *g = grant_find(c->house->grants, c,
	    m->body->grant_release_ev.grant);

	if (g != NULL) {
		round_client_left(c->house, g->account);
		grant_free(c->house->grants, g);
	}
}

/*
 * Another quota, into what the session reads from its front.  One whose
 * socket is full has a client that sends faster than is read: it hears of it
 * at the next login.
 */
static void
quota_tell(const struct grant *g)
{
	uint8_t packet[SESSION_QUOTA_LEN] = { SESSION_QUOTA };

	put64(packet + 1, g->quota.octets);
	put64(packet + 9, g->quota.messages);
	if (g->sock != -1)
		(void)send(g->sock, packet, sizeof(packet),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* From authd alone. */
void
grant_on_quota(struct chan *chan, struct msg *m, void *arg)
{
	const struct grant_quota_ev *e = &m->body->grant_quota_ev;
	struct house *h = ((struct child *)arg)->house;

	for (uint32_t i = 0; i < h->grants->size; i++) {
		struct grant *g = &h->grants->slot[i];

		if (g->id == 0 || g->revoked || g->account != e->account)
			continue;
		g->quota = (struct quota){ e->octets, e->messages };
		quota_tell(g);
	}
}

/* ---- ends ---------------------------------------------------------------- */

/* Fronts were told why; those that did not listen lose the session. */
static void
on_revoked(evutil_socket_t fd, short ev, void *arg)
{
	struct grants *g = arg;

	for (uint32_t i = 0; i < g->size; i++)
		if (g->slot[i].id != 0 && g->slot[i].revoked)
			grant_free(g, &g->slot[i]);
}

void
grant_on_revoke(struct chan *chan, struct msg *m, void *arg)
{
	const struct timeval soon = { 0, 0 };
	struct house *h = ((struct child *)arg)->house;
	uint32_t account = m->body->grant_revoke_ev.account, n = 0;

	for (uint32_t i = 0; i < h->grants->size; i++) {
		struct grant *g = &h->grants->slot[i];
		struct grant_revoked_ev ev = { g->conn, g->id };
		struct child *front;

		if (g->id == 0 || g->revoked || g->account != account)
			continue;
		front = child_ready(h, (enum proc_role)g->front, g->instance);
		if (front != NULL)
			chan_send(front->chan, GRANT_REVOKED_EV, &ev, NULL, 0);
		g->revoked = true;
		n++;
	}
	if (n > 0 && event_base_once(h->base, -1, EV_TIMEOUT, on_revoked,
	    h->grants, &soon) == -1)
		fatalx("grant: no event");
	log_info("grants revoked account=%u n=%u", account, n);
}

void
grant_front_died(struct house *h, enum proc_role role, uint16_t instance)
{
	for (uint32_t i = 0; i < h->grants->size; i++) {
		struct grant *g = &h->grants->slot[i];

		if (g->id != 0 && g->front == role && g->instance == instance)
			grant_free(h->grants, g);
	}
}

/* The front sees the end of its channel; here only crashes are told. */
void
grant_on_exit(struct chan *chan, struct msg *m, void *arg)
{
	const struct nursery_exit_ev *e = &m->body->nursery_exit_ev;
	const struct child *c = arg;
	const struct grants *g = c->house->grants;
	uint32_t i = (uint32_t)e->grant & SLOT_MASK;

	if (WIFSIGNALED((int)e->status))
		log_warnx("session died name=%s account=%lld signal=%d",
		    proc_name(c->role), i < g->size &&
		    g->slot[i].id == e->grant ?
		    (long long)g->slot[i].account : -1LL,
		    WTERMSIG((int)e->status));
}
