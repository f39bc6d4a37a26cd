/*
 * A channel end in an event-driven role.  What is sent in one loop turn is
 * collected and goes out with one sendmmsg(2) at the turn's end; what has
 * come is taken with one recvmmsg(2).  Every message is checked against the
 * lists of msg.h before a handler sees it; what is not permitted ends the
 * channel, never this process.
 */
#include "base/compat.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"

#define CHAN_BATCH	16		/* messages of one recvmmsg, sendmmsg */
#define CHAN_TURNS	4		/* batches read in one loop turn */
#define CHAN_LAST	64		/* batches read of who is dead */
#define CHAN_MARK	(1024 * 1024)	/* octets queued before full() */
#define CHAN_LIMIT	(64 * CHAN_MARK) /* octets queued before it ends */
#define CHAN_FDS	4096		/* descriptors queued; none beyond */
#define CHAN_TICK_MS	250		/* how finely timeouts are seen */
#define CHAN_NBUCKET	64		/* asks by id */

struct packet {
	STAILQ_ENTRY(packet)	 entry;
	bool			 secret;
	int			 nfd;
	int			 fd[MSG_MAXFD];
	size_t			 n;
	uint8_t			 data[];
};

struct ask {
	LIST_ENTRY(ask)	 entry;
	uint32_t	 id;
	enum msg_type	 type;
	uint64_t	 deadline;	/* ms, 0 none */
	chan_cb		 cb;		/* NULL: forgotten */
	void		*arg;
};

LIST_HEAD(asklist, ask);

struct chan {
	TAILQ_ENTRY(chan)	 dirty_entry;
	STAILQ_HEAD(, packet)	 out;
	struct asklist		 asks[CHAN_NBUCKET];
	size_t			 nasks;
	struct event_base	*base;
	struct event		*ev_read, *ev_write, *ev_tick;
	const struct chan_handler *handlers;
	size_t			 nhandlers;
	struct chan_ops		 ops;
	void			*arg;
	size_t			 queued;
	int			 fds;		/* queued with it */
	uint32_t		 nextid;
	int			 fd;
	unsigned int		 busy;		/* in a callback: keep memory */
	enum chan_kind		 kind;
	enum chan_side		 side;
	bool			 dirty, blocked, full, dead, ticking;
};

/* One process, one event loop: ends with something to send this turn, and
 * the buffers that all ends receive into. */
static struct {
	TAILQ_HEAD(, chan)	 dirty;
	struct event		*flush;
	struct event_base	*base;
	void			(*closing)(int);
	uint8_t			 in[CHAN_BATCH][MSG_MAX];
} turn = { TAILQ_HEAD_INITIALIZER(turn.dirty), NULL, NULL, NULL, { { 0 } } };

static void	 chan_readable(evutil_socket_t, short, void *);
static void	 chan_writable(evutil_socket_t, short, void *);
static void	 chan_tick(evutil_socket_t, short, void *);
static void	 chan_flush_all(evutil_socket_t, short, void *);
static void	 chan_flush(struct chan *);
static void	 chan_end(struct chan *, const char *);
static void	 chan_release(struct chan *);

struct chan *
chan_new(struct event_base *base, int fd, enum chan_kind kind,
    enum chan_side side, const struct chan_handler *handlers,
    size_t nhandlers, const struct chan_ops *ops, void *arg)
{
	struct chan *c = xcalloc(1, sizeof(*c));

	if (turn.base != base) {
		turn.base = base;
		turn.flush = event_new(base, -1, 0, chan_flush_all, NULL);
	}
	STAILQ_INIT(&c->out);
	c->base = base;
	c->fd = fd;
	c->kind = kind;
	c->side = side;
	c->handlers = handlers;
	c->nhandlers = nhandlers;
	c->ops = *ops;
	c->arg = arg;
	c->nextid = 1;
	fd_nonblock(fd);
	fd_cloexec(fd);
	c->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, chan_readable, c);
	c->ev_write = event_new(base, fd, EV_WRITE, chan_writable, c);
	c->ev_tick = event_new(base, -1, 0, chan_tick, c);
	if (turn.flush == NULL || c->ev_read == NULL || c->ev_write == NULL ||
	    c->ev_tick == NULL || event_add(c->ev_read, NULL) == -1)
		fatalx("chan_new: no event");
	return c;
}

void *
chan_arg(const struct chan *c)
{
	return c->arg;
}

bool
chan_full(const struct chan *c)
{
	return c->full;
}

size_t
chan_queued(const struct chan *c)
{
	return c->queued;
}

void
chan_closing(void (*fn)(int))
{
	turn.closing = fn;
}

/* ---- the end ------------------------------------------------------------- */

static void
packet_free(struct packet *p)
{
	int i;

	for (i = 0; i < p->nfd; i++)
		close(p->fd[i]);
	if (p->secret)
		explicit_bzero(p->data, p->n);
	free(p);
}

static void
chan_drop_output(struct chan *c)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&c->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->out, entry);
		packet_free(p);
	}
	c->queued = 0;
	c->fds = 0;
	if (c->dirty) {
		TAILQ_REMOVE(&turn.dirty, c, dirty_entry);
		c->dirty = false;
	}
}

/* Call back every open ask with NULL. */
static void
chan_drop_asks(struct chan *c)
{
	struct ask *a;
	size_t i;

	for (i = 0; i < CHAN_NBUCKET; i++)
		while ((a = LIST_FIRST(&c->asks[i])) != NULL) {
			LIST_REMOVE(a, entry);
			c->nasks--;
			if (a->cb != NULL)
				a->cb(c, NULL, a->arg);
			free(a);
		}
}

/* Stop for good: no more events, output or asks; memory stays. */
static void
chan_shut(struct chan *c)
{
	if (c->dead)
		return;
	c->dead = true;
	event_free(c->ev_read);
	event_free(c->ev_write);
	event_free(c->ev_tick);
	if (turn.closing != NULL)
		turn.closing(c->fd);
	close(c->fd);
	c->busy++;
	chan_drop_output(c);
	chan_drop_asks(c);
	c->busy--;
}

static void
chan_release(struct chan *c)
{
	if (c->dead && c->busy == 0)
		free(c);
}

/* The peer went away or broke the rules; why NULL: it closed its end. */
static void
chan_end(struct chan *c, const char *why)
{
	void (*gone)(struct chan *, void *) = c->ops.gone;

	if (c->dead)
		return;
	if (why != NULL)
		log_warnx("channel end kind=%d: %s", c->kind, why);
	c->busy++;
	chan_shut(c);
	if (gone != NULL)
		gone(c, c->arg);
	c->busy--;
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	chan_shut(c);
	chan_release(c);
}

/* ---- output -------------------------------------------------------------- */

/* Of the caller's descriptors: their own, or (given) they themselves. */
static int
chan_push(struct chan *c, enum msg_type type, uint32_t id, const void *body,
    const int *fds, int nfd, bool given)
{
	static uint8_t buf[MSG_MAX];
	struct packet *p;
	ssize_t n;
	int i;

	if (c->dead)
		return -1;
	/* ours till the peer reads: maild's, of a nursery that hangs */
	if (nfd > CHAN_FDS - c->fds) {
		log_warnx("channel kind=%d: peer takes no descriptors: %s",
		    c->kind, msg_info[type].name);
		return -1;
	}
	if ((n = msg_encode(buf, type, id, body)) == -1)
		fatalx("chan: %s does not fit its fields",
		    msg_info[type].name);
	if ((p = malloc(sizeof(*p) + (size_t)n)) == NULL)
		fatal("chan: malloc");
	p->n = (size_t)n;
	p->nfd = 0;
	p->secret = (msg_info[type].flags & MF_SECRET) != 0;
	memcpy(p->data, buf, p->n);
	if (p->secret)
		explicit_bzero(buf, p->n);
	for (i = 0; i < nfd; i++) {
		p->fd[i] = given ? fds[i] : fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (p->fd[i] == -1) {
			log_warn("chan: dup for %s", msg_info[type].name);
			packet_free(p);
			return -1;
		}
		p->nfd++;
	}
	STAILQ_INSERT_TAIL(&c->out, p, entry);
	c->queued += p->n;
	c->fds += p->nfd;
	/* too much for a peer that does not read: chan_flush ends it */
	if (!c->dirty && (!c->blocked || c->queued > CHAN_LIMIT)) {
		if (TAILQ_EMPTY(&turn.dirty))
			event_active(turn.flush, 0, 0);
		TAILQ_INSERT_TAIL(&turn.dirty, c, dirty_entry);
		c->dirty = true;
	}
	if (c->queued > CHAN_MARK && !c->full) {
		c->full = true;
		if (c->ops.full != NULL)
			c->ops.full(c, true, c->arg);
	}
	return 0;
}

int
chan_send(struct chan *c, enum msg_type type, const void *body,
    const int *fds, int nfd)
{
	return chan_push(c, type, 0, body, fds, nfd, false);
}

int
chan_give(struct chan *c, enum msg_type type, const void *body, int *fds,
    int nfd)
{
	int i, r = chan_push(c, type, 0, body, fds, nfd, true);

	for (i = 0; i < nfd; i++) {
		if (r == -1)
			close(fds[i]);
		fds[i] = -1;
	}
	return r;
}

int
chan_reply(struct chan *c, uint32_t id, enum msg_type type, const void *body,
    const int *fds, int nfd)
{
	return chan_push(c, type, id, body, fds, nfd, false);
}

uint32_t
chan_ask(struct chan *c, enum msg_type type, const void *body,
    const int *fds, int nfd, unsigned int timeout_ms, chan_cb cb, void *arg)
{
	const struct timeval tick = { 0, CHAN_TICK_MS * 1000 };
	struct ask *a;

	if (c == NULL || c->dead)
		return 0;
	a = xcalloc(1, sizeof(*a));
	a->id = c->nextid++;
	if (c->nextid == 0)
		c->nextid = 1;
	if (chan_push(c, type, a->id, body, fds, nfd, false) == -1) {
		free(a);
		return 0;
	}
	a->type = type;
	a->cb = cb;
	a->arg = arg;
	if (timeout_ms != 0) {
		a->deadline = now_ms() + timeout_ms;
		if (!c->ticking) {
			event_add(c->ev_tick, &tick);
			c->ticking = true;
		}
	}
	LIST_INSERT_HEAD(&c->asks[a->id % CHAN_NBUCKET], a, entry);
	c->nasks++;
	return a->id;
}

/* Hand a batch to the kernel.  Returns how many it took, -1 error. */
static int
chan_sendmmsg(struct chan *c)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int) * MSG_MAXFD)];
	} ctl[CHAN_BATCH];
	struct mmsghdr mm[CHAN_BATCH];
	struct iovec iov[CHAN_BATCH];
	struct packet *p;
	unsigned int n = 0;
	size_t len;
	int r;

	STAILQ_FOREACH(p, &c->out, entry) {
		if (n == CHAN_BATCH)
			break;
		memset(&mm[n].msg_hdr, 0, sizeof(mm[n].msg_hdr));
		iov[n].iov_base = p->data;
		iov[n].iov_len = p->n;
		mm[n].msg_hdr.msg_iov = &iov[n];
		mm[n].msg_hdr.msg_iovlen = 1;
		if (p->nfd > 0) {
			len = sizeof(int) * (size_t)p->nfd;
			ctl[n].h.cmsg_level = SOL_SOCKET;
			ctl[n].h.cmsg_type = SCM_RIGHTS;
			ctl[n].h.cmsg_len = CMSG_LEN(len);
			memcpy(CMSG_DATA(&ctl[n].h), p->fd, len);
			mm[n].msg_hdr.msg_control = ctl[n].b;
			mm[n].msg_hdr.msg_controllen = CMSG_SPACE(len);
		}
		n++;
	}
	if (n == 1) {
		r = sendmsg(c->fd, &mm[0].msg_hdr, MSG_NOSIGNAL) == -1 ? -1 : 1;
		return r;
	}
	return sendmmsg(c->fd, mm, n, MSG_NOSIGNAL);
}

static void
chan_flush(struct chan *c)
{
	struct packet *p;
	int n;

	while (!c->dead && !STAILQ_EMPTY(&c->out)) {
		if ((n = chan_sendmmsg(c)) == -1) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN && errno != ENOBUFS &&
			    errno != ETOOMANYREFS) {
				if (errno != EPIPE && errno != ECONNRESET)
					log_warn("channel kind=%d: send",
					    c->kind);
				/* what it said before can still be read */
				chan_drop_output(c);
				return;
			}
			if (c->queued > CHAN_LIMIT) {
				chan_end(c, "peer does not read");
				return;
			}
			c->blocked = true;
			event_add(c->ev_write, NULL);
			return;
		}
		while (n-- > 0) {
			p = STAILQ_FIRST(&c->out);
			STAILQ_REMOVE_HEAD(&c->out, entry);
			c->queued -= p->n;
			c->fds -= p->nfd;
			packet_free(p);
		}
	}
	if (c->full && c->queued < CHAN_MARK / 2) {
		c->full = false;
		if (c->ops.full != NULL)
			c->ops.full(c, false, c->arg);
	}
}

static void
chan_flush_all(evutil_socket_t fd, short ev, void *arg)
{
	struct chan *c;

	while ((c = TAILQ_FIRST(&turn.dirty)) != NULL) {
		TAILQ_REMOVE(&turn.dirty, c, dirty_entry);
		c->dirty = false;
		c->busy++;
		chan_flush(c);
		c->busy--;
		chan_release(c);
	}
}

static void
chan_writable(evutil_socket_t fd, short ev, void *arg)
{
	struct chan *c = arg;

	c->blocked = false;
	c->busy++;
	chan_flush(c);
	c->busy--;
	chan_release(c);
}

/* ---- input --------------------------------------------------------------- */

static struct ask *
chan_find(struct chan *c, uint32_t id)
{
	struct ask *a;

	LIST_FOREACH(a, &c->asks[id % CHAN_NBUCKET], entry)
		if (a->id == id)
			return a;
	return NULL;
}

void
chan_forget(struct chan *c, uint32_t id)
{
	struct ask *a;

	if (c != NULL && id != 0 && (a = chan_find(c, id)) != NULL)
		a->cb = NULL;
}

static void
chan_answer(struct chan *c, struct msg *m)
{
	struct ask *a = chan_find(c, m->id);

	if (a == NULL)			/* timed out before */
		return;
	if (m->type != a->type + 1) {
		chan_end(c, "answer to another question");
		return;
	}
	LIST_REMOVE(a, entry);
	c->nasks--;
	if (a->cb != NULL)
		a->cb(c, m, a->arg);
	free(a);
}

static void
chan_dispatch(struct chan *c, struct msg *m)
{
	size_t i;

	if (msg_info[m->type].flags & MF_ANSWER) {
		chan_answer(c, m);
		return;
	}
	for (i = 0; i < c->nhandlers; i++)
		if (c->handlers[i].type == m->type) {
			c->handlers[i].fn(c, m, c->arg);
			return;
		}
	log_warnx("channel kind=%d: %s", c->kind, msg_info[m->type].name);
	chan_end(c, "message not handled here");
}

static void
chan_packet(struct chan *c, uint8_t *buf, size_t n, struct msghdr *mh)
{
	union msg_body body;
	struct msg m = { .body = &body };
	enum chan_side from = c->side == SIDE_A ? SIDE_B : SIDE_A;
	const char *why = mh->msg_flags & MSG_TRUNC ?
	    "larger than any message" : "descriptors cut off";
	int nfd = msg_take_fds(mh, &m);

	if (!c->dead) {
		if (n == 0)
			chan_end(c, NULL);
		else if (mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
		    msg_decode(buf, n, c->kind, from, nfd, &m, &why) == -1)
			chan_end(c, why);
		else
			chan_dispatch(c, &m);
		if (msg_info[m.type].flags & MF_SECRET)
			explicit_bzero(buf, n);
	}
	msg_close_fds(&m);
}

/* One recvmmsg.  Returns how many came, 0 none. */
static int
chan_batch(struct chan *c)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int) * MSG_MAXFD)];
	} ctl[CHAN_BATCH];
	struct mmsghdr mm[CHAN_BATCH];
	struct iovec iov[CHAN_BATCH];
	int i, n, reset = 0;

	for (i = 0; i < CHAN_BATCH; i++) {
		iov[i].iov_base = turn.in[i];
		iov[i].iov_len = MSG_MAX;
		memset(&mm[i].msg_hdr, 0, sizeof(mm[i].msg_hdr));
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_control = ctl[i].b;
		mm[i].msg_hdr.msg_controllen = sizeof(ctl[i].b);
	}
	/* who dies with something unread is told as an error first, once; what
	 * it said before comes behind that */
	do
		n = recvmmsg(c->fd, mm, CHAN_BATCH, MSG_CMSG_CLOEXEC |
		    MSG_DONTWAIT, NULL);
	while (n == -1 && errno == ECONNRESET && !reset++);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			chan_end(c, NULL);
		return 0;
	}
	/* to the last one, also behind the end: they may hold descriptors */
	for (i = 0; i < n; i++)
		chan_packet(c, turn.in[i], mm[i].msg_len, &mm[i].msg_hdr);
	return n;
}

static void
chan_readable(evutil_socket_t fd, short ev, void *arg)
{
	struct chan *c = arg;
	int i;

	c->busy++;
	for (i = 0; i < CHAN_TURNS && !c->dead; i++)
		if (chan_batch(c) < CHAN_BATCH)
			break;
	c->busy--;
	chan_release(c);
}

void
chan_last(struct chan *c)
{
	int i;

	if (c == NULL)
		return;
	c->busy++;
	for (i = 0; i < CHAN_LAST && !c->dead; i++)
		if (chan_batch(c) == 0)
			break;
	chan_shut(c);
	c->busy--;
	chan_release(c);
}

/* ---- timeouts ------------------------------------------------------------ */

/* An ask whose time is over; *more: others have theirs still to come. */
static struct ask *
chan_late(struct asklist *asks, uint64_t now, bool *more)
{
	struct ask *a;

	LIST_FOREACH(a, asks, entry) {
		if (a->deadline == 0)
			continue;
		if (a->deadline <= now)
			return a;
		*more = true;
	}
	return NULL;
}

/* One at a time: what is called back may forget any of the others. */
static void
chan_tick(evutil_socket_t fd, short ev, void *arg)
{
	const struct timeval tick = { 0, CHAN_TICK_MS * 1000 };
	struct chan *c = arg;
	struct ask *a;
	uint64_t now = now_ms();
	bool more = false;
	size_t i;

	c->ticking = false;
	c->busy++;
	for (i = 0; i < CHAN_NBUCKET; i++)
		while ((a = chan_late(&c->asks[i], now, &more)) != NULL) {
			LIST_REMOVE(a, entry);
			c->nasks--;
			if (a->cb != NULL)
				a->cb(c, NULL, a->arg);
			free(a);
		}
	if (more && !c->dead && !c->ticking) {
		event_add(c->ev_tick, &tick);
		c->ticking = true;
	}
	c->busy--;
	chan_release(c);
}
