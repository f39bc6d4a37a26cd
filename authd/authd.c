/*
 * authd, the role: asked by the fronts and queue who may log in, who gets
 * mail and who may send as whom.  Runs as _authd, chrooted in its own
 * directory with the database; no network.  What a connection proved is
 * remembered here, so a broken smtpd cannot claim it.  Routes to the outside
 * are given only to proven connections, configured networks and queue.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/addr.h"
#include "msg/cap.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define SAVE_SECONDS	60	/* between writes of the counters */
#define TOKEN_SECONDS	3600	/* a sender token is good for so long */
#define FULL_SECONDS	300	/* a full mailbox takes no recipient so long */
#define FULL_SIZE	65536	/* octets of mail that tells no SIZE= */

static void	 on_login(struct chan *, struct msg *, void *);
static void	 on_step(struct chan *, struct msg *, void *);
static void	 on_token(struct chan *, struct msg *, void *);
static void	 on_cert(struct chan *, struct msg *, void *);
static void	 on_close(struct chan *, struct msg *, void *);
static void	 on_sender(struct chan *, struct msg *, void *);
static void	 on_rcpt(struct chan *, struct msg *, void *);
static void	 on_full(struct chan *, struct msg *, void *);
static void	 on_sent(struct chan *, struct msg *, void *);
static void	 on_address(struct chan *, struct msg *, void *);

static const struct chan_handler smtpd_handlers[] = {
	{ AUTH_LOGIN,		on_login },
	{ AUTH_STEP,		on_step },
	{ AUTH_TOKEN,		on_token },
	{ AUTH_CERT,		on_cert },
	{ AUTH_CLOSE_EV,	on_close },
	{ DIR_SENDER,		on_sender },
	{ DIR_RCPT,		on_rcpt },
};
static const struct chan_handler login_handlers[] = {
	{ AUTH_LOGIN,		on_login },
	{ AUTH_STEP,		on_step },
	{ AUTH_TOKEN,		on_token },
	{ AUTH_CERT,		on_cert },
	{ AUTH_CLOSE_EV,	on_close },
};
static const struct chan_handler queue_handlers[] = {
	{ DIR_RCPT,		on_rcpt },
	{ DIR_FULL_EV,		on_full },
	{ DIR_ADDRESS,		on_address },
	{ GUARD_SENT_EV,	on_sent },
};

static struct {
	uint8_t		 rcpt_key[32], sender_key[32];
	struct event	*tick;
	uint64_t	 save_at;	/* seconds, monotonic */
	struct dir_answer answer;
} st;

/* ---- what they ask ------------------------------------------------------- */

/* Is that a connection of its own that logs in, and not one too many? */
static bool
front_may(struct front *f, uint64_t conn)
{
	if (!front_owns(f, conn))
		front_cut(f, "login for another's connection");
	else if (!front_room(f))
		front_cut(f, "too many logins held");
	else
		return true;
	return false;
}

static void
on_login(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct auth_login *q = &m->body->auth_login;

	if (front_may(f, q->conn))
		login_ask(f, m->id, q);
	explicit_bzero((void *)(uintptr_t)q->password.p, q->password.n);
}

static void
on_step(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct auth_step *q = &m->body->auth_step;

	if (front_may(f, q->conn))
		scram_step(f, m->id, q);
}

static void
on_token(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct auth_token *q = &m->body->auth_token;

	if (front_may(f, q->conn))
		token_ask(f, m->id, q);
}

static void
on_cert(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct auth_cert *q = &m->body->auth_cert;

	if (front_may(f, q->conn))
		cert_ask(f, m->id, q);
}

static void
on_close(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	uint64_t conn = m->body->auth_close_ev.conn;
	struct proved *p = proved_find(f, conn);

	login_forget(f, conn);
	scram_forget(f, conn);
	token_forget(f, conn);
	if (p != NULL)
		front_disprove(f, p);
}

static void
sender_ok(const struct front *f, uint64_t conn, const struct account *a,
    const char *domain, struct dir_sender_r *r)
{
	r->result = DIR_OK;
	r->account = a->id;
	r->domain = slice_str(domain);
	r->expires = now_sec() + TOKEN_SECONDS;
	cap_sender(&r->token, st.sender_key, conn, a->id, r->domain,
	    r->expires);
}

/* May a send as that address? */
static enum dir_result
sender_may(const struct account *a, struct slice address)
{
	struct dir_answer *ans = &st.answer;
	enum dir_result r = base_resolve(address, false, ans);

	if (r == DIR_TEMP)
		return r;
	if (ans->outside)
		return DIR_UNKNOWN;
	return r == DIR_OK && !ans->borrowed && dir_answer_has(ans, a->id) ? r :
	    DIR_DENIED;
}

static void
on_sender(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct dir_sender *q = &m->body->dir_sender;
	struct dir_sender_r r = { .result = DIR_DENIED };
	struct proved *p = proved_find(f, q->conn);
	struct dir *d = authd_dir(NULL);
	struct account *a = NULL;

	if (p != NULL)		/* another mail, or the same at its end */
		guard_leave(p->account, &p->open, now_sec());
	if (d == NULL)
		r.result = DIR_TEMP;
	else if (p != NULL)
		a = dir_account_id(d, p->account);
	if (a == NULL || !a->enabled)
		;
	else if (q->address.n == 0)		/* RFC 6409 6.1: <> */
		sender_ok(f, q->conn, a, strrchr(a->address, '@') + 1, &r);
	else if ((r.result = (uint8_t)sender_may(a, q->address)) == DIR_OK)
		sender_ok(f, q->conn, a, st.answer.domain, &r);
	chan_reply(c, m->id, DIR_SENDER_R, &r, NULL, 0);
}

/* May this asker send to the outside?  An account has its limits. */
static enum dir_result
may_relay(const struct front *f, const struct dir_rcpt *q)
{
	const struct conf *conf = proc_conf();
	struct proved *p;
	struct account *a;

	if (f->role == ROLE_QUEUE)
		return DIR_OK;
	if ((p = proved_find(f, q->conn)) != NULL &&
	    (a = dir_account_id(authd_dir(NULL), p->account)) != NULL &&
	    a->enabled)
		return guard_take(a->id, a->address, &p->open,
		    now_sec()) ? DIR_OK : DIR_LIMIT;
	return addr_in(&q->peer, conf->networks, conf->nnetworks) ? DIR_OK :
	    DIR_DENIED;
}

/* queue has a message with so many recipients outside. */
static void
on_sent(struct chan *c, struct msg *m, void *arg)
{
	const struct guard_sent_ev *e = &m->body->guard_sent_ev;
	struct front *f = front_of(e->conn);
	struct proved *p = f != NULL ? proved_find(f, e->conn) : NULL;

	if (p != NULL)
		guard_sent(p->account, e->recipients, &p->open, now_sec());
	else if (e->account != 0)
		guard_sent(e->account, e->recipients, NULL, now_sec());
}

/* Is what was told of it a while ago true, as far as we know? */
static bool
full_is_known(const struct account *a)
{
	struct quota quota = account_quota(a);

	return a->full_until > now_ms() / 1000 &&
	    a->full_quota.octets == quota.octets &&
	    a->full_quota.messages == quota.messages;
}

/* Did a message of size octets, or a smaller one, have no room, or is so
 * little left? */
static bool
is_full(const struct account *a, uint64_t size)
{
	uint64_t used = a->full_quota.octets / 100 * a->full_percent;

	return full_is_known(a) && (size >= a->full_size ||
	    a->full_percent >= 100 || (a->full_quota.octets != 0 &&
	    size > a->full_quota.octets - used));
}

/*
 * deliver could not add to it, or found it almost full, or so no more; a while
 * later it may be tried again, for what its sessions expunge is not told here.
 * What is known is the least that had no room.
 */
static void
on_full(struct chan *c, struct msg *m, void *arg)
{
	struct dir *d = authd_dir(NULL);
	const struct dir_full_ev *e = &m->body->dir_full_ev;
	struct account *a = d == NULL ? NULL : dir_account_id(d, e->account);

	if (a == NULL)
		return;
	if (!full_is_known(a)) {
		a->full_size = UINT64_MAX;
		a->full_percent = 0;
	}
	if (e->size == 0) {
		if (e->percent < a->full_percent)	/* it has room again */
			a->full_size = UINT64_MAX;
		a->full_percent = e->percent < 100 ? e->percent : 100;
	} else if (e->size < a->full_size)
		a->full_size = e->size;
	a->full_quota = account_quota(a);
	a->full_until = now_ms() / 1000 + FULL_SECONDS;
}

static void
on_address(struct chan *c, struct msg *m, void *arg)
{
	struct dir *d = authd_dir(NULL);
	struct dir_address_r r = { .result = DIR_TEMP };
	const struct account *a;

	if (d != NULL) {
		a = dir_account_id(d, m->body->dir_address.account);
		r.result = a != NULL ? DIR_OK : DIR_UNKNOWN;
		r.address = slice_str(a != NULL ? a->address : "");
	}
	chan_reply(c, m->id, DIR_ADDRESS_R, &r, NULL, 0);
}

/* A program of this host. */
static bool
is_here(const struct msg_addr *peer)
{
	static char v4[] = "127.0.0.0/8", v6[] = "::1";
	static char *const loopback[] = { v4, v6 };

	return addr_in(peer, loopback, NITEMS(loopback));
}

/* What can be said of a mailbox before a message of that size comes (0: it
 * was not told). */
static enum dir_result
mailbox_room(const struct account *a, uint64_t size)
{
	struct quota quota = account_quota(a);

	if (quota.octets != 0 && size > quota.octets)
		return DIR_SMALL;
	return is_full(a, size != 0 ? size : FULL_SIZE) ? DIR_FULL : DIR_OK;
}

/* Has any mailbox that the answer leads to room?  When none has, and one may
 * have it later, it is worth another try. */
static enum dir_result
answer_room(const struct dir_answer *ans, uint64_t size)
{
	struct slice routes = { (const char *)ans->routes, ans->n };
	enum dir_result room, all = DIR_SMALL;
	struct item_route r;
	struct account *a;
	size_t off = 0;

	while (item_route_get(routes, &off, &r) == 1) {
		if (r.type != ROUTE_LOCAL)
			return DIR_OK;
		a = dir_account_id(authd_dir(NULL), r.account);
		room = a != NULL ? mailbox_room(a, size) : DIR_OK;
		if (room == DIR_OK)
			return DIR_OK;
		if (room == DIR_FULL)
			all = DIR_FULL;
	}
	return all;
}

static void
on_rcpt(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct dir_rcpt *q = &m->body->dir_rcpt;
	struct dir_rcpt_r r = { .address = { "", 0 } };
	struct dir_answer *ans = &st.answer;

	if (f->role == ROLE_QUEUE ? q->conn != 0 : !front_owns(f, q->conn)) {
		front_cut(f, "recipient for another's connection");
		return;
	}
	r.result = (uint8_t)base_resolve(q->address, f->role == ROLE_QUEUE ||
	    is_here(&q->peer), ans);
	if (ans->outside && r.result == DIR_OK)
		r.result = (uint8_t)may_relay(f, q);
	r.address = slice_of(ans->address, ans->addressn);
	if (r.result == DIR_OK && f->role != ROLE_QUEUE)
		r.result = (uint8_t)answer_room(ans, q->size);
	if (r.result == DIR_OK) {
		r.routes = slice_of((const char *)ans->routes, ans->n);
		cap_rcpt(&r.cap, st.rcpt_key, q->conn, r.address, r.routes);
	}
	chan_reply(c, m->id, DIR_RCPT_R, &r, NULL, 0);
}

static void
on_tick(evutil_socket_t fd, short ev, void *arg)
{
	uint64_t now = now_ms() / 1000;

	pool_tick();
	base_tick();
	keys_tick();
	scram_tick();
	if (now >= st.save_at) {
		slow_save(now_sec());
		guard_save(now_sec());
		st.save_at = now + SAVE_SECONDS;
	}
}

/* The directory can be used, for the first time or again. */
static void
on_opened(void)
{
	front_catch_up_all();
	keys_opened();
}

/* ---- the role ------------------------------------------------------------ */

void
authd_load(const struct conf *conf)
{
	if (sodium_init() == -1)
		fatalx("sodium_init");
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	if (sqlite3_initialize() != SQLITE_OK)
		fatalx("sqlite3_initialize");
	tzset();
}

void
authd_secret(enum conf_secret_kind kind, const uint8_t key[32])
{
	switch (kind) {
	case SECRET_RCPT:
		memcpy(st.rcpt_key, key, sizeof(st.rcpt_key));
		slow_secret(key);
		break;
	case SECRET_SENDER:
		memcpy(st.sender_key, key, sizeof(st.sender_key));
		break;
	case SECRET_TICKET:
	case SECRET_TLS:
		fatalx("secret %d is not for authd", kind);
	}
}

void
authd_start(const struct conf *conf)
{
	const struct timeval second = { 1, 0 };

	umask(077);
	recent_init();
	login_init();
	st.save_at = now_ms() / 1000 + SAVE_SECONDS;
	base_open(on_opened);
	st.tick = event_new(proc_base(), -1, EV_PERSIST, on_tick, NULL);
	if (st.tick == NULL || event_add(st.tick, &second) == -1)
		fatalx("authd: no event");
}

static void
front_channel(enum proc_role role, uint16_t instance, int fd)
{
	if (role == ROLE_SMTPD)
		keys_tell_new(front_new(role, instance, fd, smtpd_handlers,
		    NITEMS(smtpd_handlers)));
	else if (role == ROLE_QUEUE)
		front_catch_up(front_new(role, instance, fd, queue_handlers,
		    NITEMS(queue_handlers)));
	else
		keys_tell_new(front_new(role, instance, fd, login_handlers,
		    NITEMS(login_handlers)));
}

void
authd_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind == CHAN_HASH && peer == ROLE_HASH)
		pool_worker(instance, fd);
	else if (kind == CHAN_AUTH && (peer == ROLE_SMTPD ||
	    peer == ROLE_IMAPD || peer == ROLE_POP3D || peer == ROLE_QUEUE))
		front_channel(peer, instance, fd);
	else
		fatalx("channel kind %d to %s is not for authd", kind,
		    proc_name(peer));
}

void
authd_reload(const struct conf *conf)
{
	login_init();
	base_reload();
	keys_opened();
}

void
authd_stop(void)
{
	slow_save(now_sec());
	slow_close();
	guard_save(now_sec());
	guard_close();
	db_close();
	proc_exit(0);
}
