/*
 * Mail of the system itself, which nobody submitted: reports of queue and of
 * report-out.  Route asked of authd, ticket of signd if it goes outside, then
 * committed like any message.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define ASK_MS		30000
#define DIR_ADDRESS_MAX	330		/* of DIR_RCPT */
#define ROUTES_MAX	256
#define TICKET_MORE	86400		/* s a ticket outlives the queue time */
#define SIGN_TRIES	10		/* a second each, while signd is away */

static struct {
	struct event_base *base;
	struct chan	*auth, *sign;
} po;

static void	 on_gone(struct chan *, void *);
static void	 on_route(struct chan *, struct msg *, void *);
static bool	 is_remote(struct slice);
static void	 post_sign(struct post *);
static void	 on_ticket(struct chan *, struct msg *, void *);
static void	 post_sign_later(struct post *);
static void	 on_sign_again(evutil_socket_t, short, void *);
static void	 post_commit(struct post *, struct slice);
static void	 on_commit(void *, enum queue_result, struct message *);
static void	 on_later(evutil_socket_t, short, void *);

static const struct chan_ops ops = { on_gone, NULL };
static const struct chan_handler auth_handlers[] = {
	{ AUTH_REVOKED_EV, revoked_on_ev },
	{ DIR_QUOTA_EV, quota_on_ev },
};

void
post_init(struct event_base *base)
{
	po.base = base;
}

void
post_channel(enum chan_kind kind, struct event_base *base, int fd)
{
	struct chan **c = kind == CHAN_AUTH ? &po.auth : &po.sign;

	if (kind == CHAN_AUTH)		/* the old signd still answers */
		chan_free(*c);
	*c = chan_new(base, fd, kind, SIDE_A, auth_handlers, kind == CHAN_AUTH ?
	    NITEMS(auth_handlers) : 0, &ops, base);
}

static void
on_gone(struct chan *c, void *arg)
{
	if (po.auth == c)
		po.auth = NULL;
	if (po.sign == c)
		po.sign = NULL;
}

void
post_full(uint32_t account, uint64_t size)
{
	struct dir_full_ev e = { .account = account, .size = size };

	if (po.auth != NULL)
		chan_send(po.auth, DIR_FULL_EV, &e, NULL, 0);
}

void
post_used(uint32_t account, unsigned int percent)
{
	struct dir_full_ev e = { .account = account,
	    .percent = (uint8_t)(percent < 100 ? percent : 100) };

	if (quota_percent_told(account, percent) && po.auth != NULL)
		chan_send(po.auth, DIR_FULL_EV, &e, NULL, 0);
}

void
post_sent(uint64_t conn, uint32_t account, uint32_t recipients)
{
	struct guard_sent_ev e = { conn, account, recipients };

	if (po.auth != NULL)
		chan_send(po.auth, GUARD_SENT_EV, &e, NULL, 0);
}

struct account_ask {
	void		(*fn)(void *, enum dir_result, uint32_t);
	void		*arg;
};

static void
on_account(struct chan *c, struct msg *m, void *arg)
{
	struct account_ask ask = *(struct account_ask *)arg;
	const struct dir_rcpt_r *r = m != NULL ? &m->body->dir_rcpt_r : NULL;
	struct item_route route = { .account = 0 }, more;
	enum dir_result result = DIR_TEMP;
	size_t off = 0;

	free(arg);
	if (r != NULL && r->result == DIR_OK) {
		result = item_route_get(r->routes, &off, &route) == 1 &&
		    route.type == ROUTE_LOCAL && item_route_get(r->routes,
		    &off, &more) != 1 ? DIR_OK : DIR_UNKNOWN;
	} else if (r != NULL && (r->result == DIR_UNKNOWN ||
	    r->result == DIR_DENIED))
		result = DIR_UNKNOWN;
	ask.fn(ask.arg, result, route.account);
}

void
post_account(const char *address, void (*fn)(void *, enum dir_result,
    uint32_t), void *arg)
{
	struct dir_rcpt q = { .address = slice_str(address) };
	struct account_ask *ask = xcalloc(1, sizeof(*ask));

	*ask = (struct account_ask){ fn, arg };
	if (q.address.n > DIR_ADDRESS_MAX) {
		free(ask);
		fn(arg, DIR_UNKNOWN, 0);
	} else if (po.auth == NULL || chan_ask(po.auth, DIR_RCPT, &q, NULL,
	    0, ASK_MS, on_account, ask) == 0) {
		free(ask);
		fn(arg, DIR_TEMP, 0);
	}
}

struct address_ask {
	void		(*fn)(void *, enum dir_result, const char *);
	void		*arg;
};

static void
on_address(struct chan *c, struct msg *m, void *arg)
{
	struct address_ask ask = *(struct address_ask *)arg;
	enum dir_result result = DIR_TEMP;
	char address[DIR_ADDRESS_MAX + 1] = "";

	free(arg);
	if (m != NULL)
		result = (enum dir_result)m->body->dir_address_r.result;
	if (result == DIR_OK)
		slice_cpy(m->body->dir_address_r.address, address,
		    sizeof(address));
	ask.fn(ask.arg, result, address);
}

void
post_address(uint32_t account, void (*fn)(void *, enum dir_result,
    const char *), void *arg)
{
	struct dir_address q = { account };
	struct address_ask *ask = xcalloc(1, sizeof(*ask));

	*ask = (struct address_ask){ fn, arg };
	if (po.auth == NULL || chan_ask(po.auth, DIR_ADDRESS, &q, NULL, 0,
	    ASK_MS, on_address, ask) == 0) {
		free(ask);
		fn(arg, DIR_TEMP, "");
	}
}

static void
post_end(struct post *p, enum queue_result r, const char *text)
{
	free(p->routes);
	p->routes = NULL;
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	p->end(p->arg, r, text);
}

/* ---- route, ticket, disk ---------------------------------------------- */

/* To an account itself, whatever its address leads to. */
static void
on_account_route(evutil_socket_t fd, short what, void *arg)
{
	struct post *p = arg;
	struct item_route r = { .type = ROUTE_LOCAL, .account = p->account,
	    .address = slice_str(p->rcpt) };
	uint8_t buf[512];
	size_t n = 0;

	if (item_route_put(buf, sizeof(buf), &n, &r) == -1)
		fatalx("post: no room for a route");
	p->routes = xreallocarray(NULL, n, 1);
	memcpy(p->routes, buf, n);
	p->routesn = n;
	post_commit(p, slice_of("", 0));
}

void
post_start(struct post *p)
{
	struct dir_rcpt q = { .address = slice_str(p->rcpt),
	    .size = p->size };
	static const struct timeval now = { 0, 0 };

	p->routes = NULL;
	p->tries = 0;
	if (p->account != 0) {
		if (event_base_once(po.base, -1, EV_TIMEOUT, on_account_route,
		    p, &now) == -1)
			fatalx("event_base_once");
		return;
	}
	if (chan_ask(po.auth, DIR_RCPT, &q, NULL, 0, ASK_MS, on_route,
	    p) == 0 && event_base_once(po.base, -1, EV_TIMEOUT,
	    on_later, p, &now) == -1)
		fatalx("event_base_once");
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	post_end(arg, QUEUE_IO, "authd is away");
}

static void
on_route(struct chan *c, struct msg *m, void *arg)
{
	struct post *p = arg;
	const struct dir_rcpt_r *r;

	if (m == NULL) {
		post_end(p, QUEUE_IO, "authd did not answer");
		return;
	}
	r = &m->body->dir_rcpt_r;
	switch ((enum dir_result)r->result) {
	case DIR_OK:
		break;
	case DIR_UNKNOWN:
	case DIR_DENIED:
		post_end(p, QUEUE_REFUSED, "unknown recipient");
		return;
	case DIR_FULL:
	case DIR_LIMIT:
	case DIR_SMALL:
	case DIR_TEMP:
		post_end(p, QUEUE_IO, "not now");
		return;
	}
	p->routes = xreallocarray(NULL, r->routes.n + 1, 1);
	memcpy(p->routes, r->routes.p, r->routes.n);
	p->routesn = r->routes.n;
	if (is_remote(r->routes) && !p->unhashed)
		post_sign(p);
	else
		post_commit(p, slice_of("", 0));
}

static bool
is_remote(struct slice routes)
{
	struct item_route route;
	size_t off = 0;

	while (item_route_get(routes, &off, &route) == 1)
		if (route.type == ROUTE_REMOTE)
			return true;
	return false;
}

static void
post_sign(struct post *p)
{
	struct sign_ticket q = { .domain = slice_str(p->domain),
	    .bodyhash = p->bodyhash, .fromhash = p->fromhash };

	q.expires = now_sec() + proc_conf()->queue.expire + TICKET_MORE;
	if (chan_ask(po.sign, SIGN_TICKET, &q, NULL, 0, ASK_MS, on_ticket,
	    p) == 0)
		post_sign_later(p);
}

/* Without a ticket (no key for the domain) it goes unsigned. */
static void
on_ticket(struct chan *c, struct msg *m, void *arg)
{
	if (m == NULL)
		post_sign_later(arg);
	else
		post_commit(arg, m->body->sign_ticket_r.ticket);
}

/* signd is being started again; if it stays away, better unsigned than
 * never. */
static void
post_sign_later(struct post *p)
{
	static const struct timeval second = { 1, 0 };

	if (++p->tries < SIGN_TRIES) {
		if (event_base_once(po.base, -1, EV_TIMEOUT, on_sign_again, p,
		    &second) == -1)
			fatalx("event_base_once");
		return;
	}
	log_warnx("%s unsigned why=\"signd is away\"", p->of);
	post_commit(p, slice_of("", 0));
}

static void
on_sign_again(evutil_socket_t fd, short what, void *arg)
{
	post_sign(arg);
}

static void
post_commit(struct post *p, struct slice ticket)
{
	static struct env_rcpt rcpt[ROUTES_MAX];
	struct slice routes = slice_of((char *)p->routes, p->routesn);
	struct item_route r;
	struct commit c = { .fd = p->fd, .rcpt = rcpt, .size = p->size,
	    .facts = p->facts, .body = { p->body[0], p->body[1] },
	    .of = p->of, .fn = on_commit, .arg = p };
	size_t off = 0;

	while (c.nrcpt < ROUTES_MAX && item_route_get(routes, &off,
	    &r) == 1) {
		rcpt[c.nrcpt++] = (struct env_rcpt){ .type = r.type,
		    .state = RCPT_WAIT, .account = r.account,
		    .address = r.type == ROUTE_REMOTE ? r.address :
		    slice_str(p->rcpt), .orig = { "", 0 } };
	}
	if (c.nrcpt == 0) {
		post_end(p, QUEUE_REFUSED, "no route");
		return;
	}
	c.env = (struct envelope){ .commit = p->commit,
	    .received = now_sec(), .flags = p->flags,
	    .sid = { "", 0 }, .sender = slice_str(p->sender),
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = ticket };
	p->fd = -1;			/* taken over */
	commit_add(&c);
}

static void
on_commit(void *arg, enum queue_result r, struct message *m)
{
	char id[MSG_ID_TEXT] = "";

	if (m != NULL)
		message_id(m, id);
	post_end(arg, r, r == QUEUE_OK ? id : "it cannot be queued");
}
