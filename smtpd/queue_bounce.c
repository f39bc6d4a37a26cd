/*
 * Reports on their way: text made, route asked of authd, ticket of signd if
 * it goes outside, then committed like any message with the null sender.
 * Only when the report is on disk are the recipients it is about done.
 *
 * A report that cannot be queued now is tried again; one whose recipient
 * nobody knows is given up.  No report is ever made about a message with the
 * null sender (RFC 5321 4.5.5), so reports cannot breed.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "parse.h"
#include "verify.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "queue.h"

#define ASK_MS		30000
#define AGAIN		30		/* s, at most, until another try */
#define ROUTES_MAX	256
#define TICKET_MORE	86400		/* s a ticket outlives the queue time */

struct bounce {
	struct message	*m;		/* NULL: a delay warning */
	uint32_t	*idx;		/* recipients it is about */
	size_t		 nidx;
	char		*text;
	size_t		 textn, headern;
	char		*facts;
	size_t		 factsn;
	char		 sender[331], from[300], sid[33];
	uint64_t	 until;		/* give up then */
	struct msg_id	 commit;
	uint8_t		*routes;
	size_t		 routesn;
	struct event	*again;
};

static struct {
	const struct conf *conf;
	struct event_base *base;
	struct chan	*auth, *sign;
	uint8_t		*header;	/* scratch */
} bo;

static void	 on_gone(struct chan *, void *);
static struct bounce *bounce_new(struct message *, enum dsn_action);
static void	 bounce_free(struct bounce *);
static void	 bounce_report(struct bounce *, const char *);
static void	 bounce_end(struct bounce *, const char *);
static void	 bounce_ask(struct bounce *);
static void	 bounce_later(struct bounce *, const char *);
static void	 on_again(evutil_socket_t, short, void *);
static void	 on_route(struct chan *, struct msg *, void *);
static void	 bounce_sign(struct bounce *);
static void	 on_ticket(struct chan *, struct msg *, void *);
static void	 bounce_commit(struct bounce *, struct slice);
static void	 on_commit(void *, enum queue_result, struct message *);
static struct slice header_read(struct message *);
static void	 describe(struct message *, const struct rcpt *,
		    struct dsn_rcpt *);

static const struct chan_ops ops = { on_gone, NULL };

void
bounce_init(struct event_base *base, const struct conf *conf)
{
	bo.base = base;
	bo.conf = conf;
	bo.header = xcalloc(1, DSN_HEADER_MAX + 8192);
}

void
bounce_conf(const struct conf *conf)
{
	bo.conf = conf;
}

void
bounce_channel(enum chan_kind kind, struct event_base *base, int fd)
{
	struct chan **c = kind == CHAN_AUTH ? &bo.auth : &bo.sign;

	chan_free(*c);
	*c = chan_new(base, fd, kind, SIDE_A, NULL, 0, &ops, NULL);
}

static void
on_gone(struct chan *c, void *arg)
{
	if (bo.auth == c)
		bo.auth = NULL;
	if (bo.sign == c)
		bo.sign = NULL;
}

void
bounce_full(uint32_t account)
{
	struct dir_full_ev e = { account };

	if (bo.auth != NULL)
		chan_send(bo.auth, DIR_FULL_EV, &e, NULL, 0);
}

void
bounce_message(struct message *m, enum dsn_action action)
{
	struct bounce *b;
	unsigned int i;

	if (*message_sender(m) == '\0' || (m->flags & QF_DSN)) {
		for (i = 0; i < m->nrcpt; i++)
			if (m->rcpt[i].state == RCPT_FAILED)
				result_done(m, i);
		return;
	}
	if ((b = bounce_new(m, action)) != NULL)
		bounce_ask(b);
}

/* ---- the report ------------------------------------------------------- */

static bool
concerns(const struct rcpt *r, enum dsn_action action)
{
	return action == DSN_FAILED ? r->state == RCPT_FAILED :
	    r->state == RCPT_WAIT && r->attempts > 0;
}

static struct bounce *
bounce_new(struct message *m, enum dsn_action action)
{
	struct bounce *b = xcalloc(1, sizeof(*b));
	struct dsn_rcpt *dr = xcalloc(m->nrcpt, sizeof(*dr));
	char id[MSG_ID_TEXT];
	struct dsn d = { .action = action, .now = now_sec(),
	    .arrival = m->received, .rcpt = dr,
	    .expires = (uint64_t)m->received + bo.conf->queue.expire };
	unsigned int i;

	b->idx = xcalloc(m->nrcpt, sizeof(*b->idx));
	for (i = 0; i < m->nrcpt; i++) {
		if (!concerns(&m->rcpt[i], action))
			continue;
		describe(m, &m->rcpt[i], &dr[d.nrcpt++]);
		b->idx[b->nidx++] = i;
		if (action == DSN_FAILED)
			m->rcpt[i].state = RCPT_BOUNCING;
	}
	b->m = action == DSN_FAILED ? m : NULL;
	message_id(m, id);
	d.id = slice_str(id);
	d.hostname = slice_str(bo.conf->hostname);
	d.domain = bo.conf->ndomains > 0 ? slice_str(bo.conf->domains[0]) :
	    d.hostname;
	d.sender = slice_str(message_sender(m));
	random_bytes(&d.unique, sizeof(d.unique));
	random_bytes(&b->commit, sizeof(b->commit));
	d.header = header_read(m);
	strlcpy(b->sender, message_sender(m), sizeof(b->sender));
	strlcpy(b->sid, message_sid(m), sizeof(b->sid));
	b->until = d.now + bo.conf->queue.expire;
	b->text = dsn_text(&d, &b->textn);
	free(dr);
	if (b->text == NULL || dsn_from(&d, b->from, sizeof(b->from)) == -1 ||
	    (b->facts = mime_facts(b->text, b->textn, &b->factsn)) == NULL) {
		bounce_report(b, "it could not be made");
		bounce_free(b);
		return NULL;
	}
	b->headern = header_len(b->text, b->textn);
	return b;
}

static void
bounce_free(struct bounce *b)
{
	if (b->again != NULL)
		event_free(b->again);
	free(b->idx);
	free(b->text);
	free(b->facts);
	free(b->routes);
	free(b);
}

/* The recipients it was about are done; why: no report went out. */
static void
bounce_report(struct bounce *b, const char *why)
{
	struct message *m = b->m;
	size_t i;

	if (why != NULL)
		log_warnx("%s no report to=<%s>: %s", b->sid,
		    log_text(b->sender, strlen(b->sender)), why);
	for (i = 0; m != NULL && i < b->nidx; i++)
		if (m->rcpt[b->idx[i]].state == RCPT_BOUNCING)
			result_done(m, b->idx[i]);
}

static void
bounce_end(struct bounce *b, const char *why)
{
	struct message *m = b->m;

	bounce_report(b, why);
	bounce_free(b);
	if (m != NULL)
		result_end(m);
}

/* Trace and header of the original, as far as they fit. */
static struct slice
header_read(struct message *m)
{
	struct envelope e;
	size_t n = 0, want = DSN_HEADER_MAX, h;
	int fd;

	if (message_envelope(m, &e) == -1)
		return slice_of("", 0);
	if (e.trace.n > 0)
		memcpy(bo.header, e.trace.p, e.trace.n);
	n = e.trace.n;
	if (want > m->hdr.size)
		want = (size_t)m->hdr.size;
	if ((fd = message_fd(m)) == -1 ||
	    pread_all(fd, bo.header + n, want, 0) == -1)
		want = 0;
	if (m->nwait == 0)
		message_release(m);
	h = header_len((char *)bo.header + n, want);
	if (h >= 2 && h <= want)
		h -= 2;			/* the empty line */
	return slice_of((char *)bo.header, n + h);
}

/* "4.4.1 mta said: text", as queue_result.c keeps it, in its parts. */
static void
describe(struct message *m, const struct rcpt *r, struct dsn_rcpt *d)
{
	const char *e = r->error == NULL ? "5.0.0 " : r->error, *sp, *said;

	d->address = slice_str(rcpt_address(m, r));
	d->orig = r->orig == r->address ? slice_of("", 0) :
	    slice_str(rcpt_orig(m, r));
	sp = strchr(e, ' ');
	d->status = sp == NULL ? SLICE_LIT("5.0.0") :
	    slice_of(e, (size_t)(sp - e));
	d->text = slice_str(sp == NULL ? e : sp + 1);
	d->mta = slice_of("", 0);
	said = strstr(d->text.p, " said: ");
	if (said != NULL && memchr(d->text.p, ' ', d->text.n) == said) {
		d->mta = slice_of(d->text.p, (size_t)(said - d->text.p));
		d->text = slice_str(said + 7);
	}
	if (d->text.n == 0)
		d->text = SLICE_LIT("no reason was given");
}

/* ---- route, ticket, disk ---------------------------------------------- */

static void
bounce_ask(struct bounce *b)
{
	struct dir_rcpt q = { .address = slice_str(b->sender),
	    .size = b->textn };

	if (chan_ask(bo.auth, DIR_RCPT, &q, NULL, 0, ASK_MS, on_route,
	    b) == 0)
		bounce_later(b, "authd is away");
}

static void
bounce_later(struct bounce *b, const char *why)
{
	struct timeval tv = { AGAIN, 0 };

	if (now_sec() >= b->until) {
		bounce_end(b, why);
		return;
	}
	log_info("%s report waits to=<%s>: %s", b->sid,
	    log_text(b->sender, strlen(b->sender)), why);
	if (bo.conf->queue.retry_min < AGAIN)
		tv.tv_sec = bo.conf->queue.retry_min;
	if (b->again == NULL)
		b->again = event_new(bo.base, -1, 0, on_again, b);
	if (b->again == NULL || event_add(b->again, &tv) == -1)
		fatalx("event_new");
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	bounce_ask(arg);
}

static void
on_route(struct chan *c, struct msg *m, void *arg)
{
	struct bounce *b = arg;
	const struct dir_rcpt_r *r;
	struct item_route route;
	size_t off = 0;
	bool remote = false;

	if (m == NULL) {
		bounce_later(b, "authd did not answer");
		return;
	}
	r = &m->body->dir_rcpt_r;
	switch ((enum dir_result)r->result) {
	case DIR_OK:
		break;
	case DIR_UNKNOWN:
	case DIR_DENIED:
		bounce_end(b, "unknown recipient");
		return;
	case DIR_FULL:
	case DIR_TEMP:
		bounce_later(b, "not now");
		return;
	}
	b->routes = xreallocarray(b->routes, r->routes.n + 1, 1);
	memcpy(b->routes, r->routes.p, r->routes.n);
	b->routesn = r->routes.n;
	while (item_route_get(r->routes, &off, &route) == 1)
		remote = remote || route.type == ROUTE_REMOTE;
	if (remote)
		bounce_sign(b);
	else
		bounce_commit(b, slice_of("", 0));
}

static void
bounce_sign(struct bounce *b)
{
	struct sign_ticket q = { .domain = slice_str(bo.conf->ndomains > 0 ?
	    bo.conf->domains[0] : bo.conf->hostname) };
	struct dkim_body *body = dkim_body_new(DKIM_RELAXED, UINT64_MAX);
	char field[320], canon[324];
	int n = snprintf(field, sizeof(field), "From:%s\r\n", b->from);
	ssize_t len;

	q.expires = now_sec() + bo.conf->queue.expire + TICKET_MORE;
	if (body == NULL || n < 0 || (size_t)n >= sizeof(field))
		goto unsigned_;
	dkim_body_feed(body, b->text + b->headern, b->textn - b->headern);
	len = dkim_header_canon(slice_of(field, (size_t)n), DKIM_RELAXED,
	    canon, sizeof(canon));
	if (dkim_body_end(body, q.bodyhash.b, NULL) == -1 || len == -1 ||
	    dkim_sha256(canon, (size_t)len, q.fromhash.b) == -1)
		goto unsigned_;
	dkim_body_free(body);
	if (chan_ask(bo.sign, SIGN_TICKET, &q, NULL, 0, ASK_MS, on_ticket,
	    b) == 0)
		bounce_commit(b, slice_of("", 0));
	return;
unsigned_:
	dkim_body_free(body);
	bounce_commit(b, slice_of("", 0));
}

/* Without a ticket (no key for the domain) it goes unsigned. */
static void
on_ticket(struct chan *c, struct msg *m, void *arg)
{
	bounce_commit(arg, m == NULL ? slice_of("", 0) :
	    m->body->sign_ticket_r.ticket);
}

static void
bounce_commit(struct bounce *b, struct slice ticket)
{
	static struct env_rcpt rcpt[ROUTES_MAX];
	struct slice routes = slice_of((char *)b->routes, b->routesn);
	struct item_route r;
	struct commit c = { .fd = -1, .rcpt = rcpt, .size = b->textn,
	    .facts = (uint32_t)b->factsn, .fn = on_commit, .arg = b };
	size_t off = 0;

	while (c.nrcpt < ROUTES_MAX && item_route_get(routes, &off,
	    &r) == 1) {
		rcpt[c.nrcpt++] = (struct env_rcpt){ .type = r.type,
		    .state = RCPT_WAIT, .account = r.account,
		    .address = r.type == ROUTE_LOCAL ? slice_str(b->sender) :
		    r.address, .orig = { "", 0 } };
	}
	if (c.nrcpt == 0) {
		bounce_end(b, "no route");
		return;
	}
	c.body[0] = slice_of(b->text, b->textn);
	c.body[1] = slice_of(b->facts, b->factsn);
	c.env = (struct envelope){ .commit = b->commit,
	    .received = now_sec(), .flags = QF_DSN,
	    .sid = slice_str(b->sid), .sender = { "", 0 },
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = ticket };
	commit_add(&c);
}

static void
on_commit(void *arg, enum queue_result r, struct message *m)
{
	struct bounce *b = arg;

	if (r == QUEUE_OK)
		bounce_end(b, NULL);
	else
		bounce_later(b, "it cannot be queued");
}
