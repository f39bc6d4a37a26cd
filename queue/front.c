/*
 * What smtpd brings: files for large messages, octets of small ones, lists of
 * recipients, commits.
 * Each recipient is checked for the capability that authd gave it, routes
 * become targets, and commit.c does the rest.  queue only.
 *
 * Invariants: a file is one smtpd's until its commit takes it; all that one
 * has here goes with it.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/cap.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define FRONTS_MAX	64		/* instances of smtpd */
#define FILES_MAX	1024		/* large files one smtpd is filling */
#define LISTS_MAX	64		/* recipient lists before COMMIT */
#define LIST_MAX	(2U << 20)	/* octets of one */

struct list {				/* recipients ahead of a commit */
	struct msg_id	 commit;
	uint8_t		*buf;
	size_t		 n;
	bool		 cut;		/* more came than is taken */
};

struct front {
	struct chan	*chan;
	uint8_t		 body[BODY_MAX];	/* for the next commit */
	size_t		 nbody;		/* 0: none came */
	struct msg_id	 body_of;
	struct list	 list[LISTS_MAX];
	uint64_t	 file[FILES_MAX];
	size_t		 nlist, nfile;
};

static struct {
	uint8_t		 key[32];
	struct front	 front[FRONTS_MAX];
	struct env_rcpt	*rcpt;		/* of the commit at hand */
	uint64_t	*hash;
	size_t		 nrcpt;
	uint32_t	 outside;	/* asked for outside */
	bool		 accepting;
	uint64_t	 free_bytes;
} fr;

static void	 on_gone(struct chan *, void *);
static void	 on_file(struct chan *, struct msg *, void *);
static void	 on_drop(struct chan *, struct msg *, void *);
static void	 on_rcpt(struct chan *, struct msg *, void *);
static void	 on_body(struct chan *, struct msg *, void *);
static void	 on_commit(struct chan *, struct msg *, void *);
static const char *body_take(struct front *, struct msg *, struct commit *);
static void	 state_tell(struct front *);
static const char *rcpts_take(uint64_t, struct slice);
static const char *route_add(const struct item_rcpt *,
		    const struct item_route *);
static struct list *list_find(struct front *, const struct msg_id *);
static void	 list_free(struct front *, struct list *);
static bool	 file_take(struct front *, uint64_t);

static const struct chan_handler handlers[] = {
	{ QUEUE_FILE,		on_file },
	{ QUEUE_DROP_EV,	on_drop },
	{ QUEUE_RCPT_EV,	on_rcpt },
	{ QUEUE_BODY_EV,	on_body },
	{ QUEUE_COMMIT,		on_commit },
	{ QUEUE_KNOWN,		commit_on_known },
};

static const struct chan_ops ops = { on_gone, NULL };

void
front_init(void)
{
	fr.rcpt = xcalloc(ENV_RCPTS_MAX, sizeof(*fr.rcpt));
	fr.hash = xcalloc(ENV_RCPTS_MAX, sizeof(*fr.hash));
}

void
front_secret(const uint8_t *key)
{
	memcpy(fr.key, key, sizeof(fr.key));
}

void
front_channel(struct event_base *base, uint16_t instance, int fd)
{
	struct front *f;

	if (instance >= FRONTS_MAX) {
		close(fd);
		return;
	}
	f = &fr.front[instance];
	chan_free(f->chan);
	if (f->chan != NULL)
		on_gone(f->chan, f);
	f->chan = chan_new(base, fd, CHAN_QUEUE, SIDE_B, handlers,
	    NITEMS(handlers), &ops, f);
	state_tell(f);
}

static void
state_tell(struct front *f)
{
	struct queue_state_ev e = { fr.accepting, fr.free_bytes };

	chan_send(f->chan, QUEUE_STATE_EV, &e, NULL, 0);
}

void
front_tell(bool accepting, uint64_t free_bytes)
{
	size_t i;

	fr.accepting = accepting;
	fr.free_bytes = free_bytes;
	for (i = 0; i < FRONTS_MAX; i++)
		if (fr.front[i].chan != NULL)
			state_tell(&fr.front[i]);
}

static void
on_gone(struct chan *c, void *arg)
{
	struct front *f = arg;

	commit_gone(c);
	wait_gone(c);
	while (f->nlist > 0)
		list_free(f, &f->list[0]);
	while (f->nfile > 0)
		settle_unlink(f->file[--f->nfile]);
	f->nbody = 0;
	f->chan = NULL;
}

/* ---- what it asks ----------------------------------------------------- */

static void
on_file(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	struct queue_file_r r = { .result = QUEUE_OK };
	int fd = -1;

	if (!fr.accepting || f->nfile == FILES_MAX)
		r.result = QUEUE_FULL;
	else if ((fd = large_new(&r.file)) == -1) {
		log_warn("spool large file");
		r.result = errno == ENOSPC || errno == EDQUOT ? QUEUE_FULL :
		    QUEUE_IO;
	}
	chan_reply(c, m->id, QUEUE_FILE_R, &r, &fd, fd == -1 ? 0 : 1);
	if (fd != -1) {
		f->file[f->nfile++] = r.file;
		close(fd);
	}
}

static void
on_drop(struct chan *c, struct msg *m, void *arg)
{
	if (file_take(arg, m->body->queue_drop_ev.file))
		settle_unlink(m->body->queue_drop_ev.file);
}

static void
on_rcpt(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_rcpt_ev *e = &m->body->queue_rcpt_ev;
	struct front *f = arg;
	struct list *l = list_find(f, &e->commit);

	if (l == NULL) {
		if (f->nlist == LISTS_MAX)	/* the oldest was given up */
			list_free(f, &f->list[0]);
		l = &f->list[f->nlist++];
		*l = (struct list){ .commit = e->commit };
	}
	if (l->n + e->rcpts.n > LIST_MAX) {
		l->cut = true;
		return;
	}
	l->buf = xreallocarray(l->buf, l->n + e->rcpts.n, 1);
	memcpy(l->buf + l->n, e->rcpts.p, e->rcpts.n);
	l->n += e->rcpts.n;
}

static void
on_body(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_body_ev *e = &m->body->queue_body_ev;
	struct front *f = arg;

	memcpy(f->body, e->body.p, e->body.n);
	f->nbody = e->body.n;
	f->body_of = e->commit;
}

static void
turn_away(struct chan *c, uint32_t ask, enum queue_result result,
    const char *why)
{
	struct queue_commit_r r = { .result = (uint8_t)result,
	    .id = { "", 0 }, .text = slice_str(why) };

	log_warnx("queue refused reason=\"%s\"", why);
	chan_reply(c, ask, QUEUE_COMMIT_R, &r, NULL, 0);
}

/* It was committed before: the same answer again. */
static bool
commit_again(struct chan *c, uint32_t ask, const struct msg_id *id)
{
	struct queue_commit_r r = { .result = QUEUE_OK, .text = { "", 0 } };
	char text[MSG_ID_TEXT];

	if (!commit_known(id, text))
		return false;
	r.id = slice_str(text);
	chan_reply(c, ask, QUEUE_COMMIT_R, &r, NULL, 0);
	return true;
}

static void
on_commit(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_commit *b = &m->body->queue_commit;
	struct front *f = arg;
	struct list *l = list_find(f, &b->commit);
	struct commit k = { .fd = -1, .chan = c, .ask = m->id,
	    .size = b->size, .facts = b->facts, .large = b->file,
	    .rcpt = fr.rcpt };
	const char *why = NULL;

	if (commit_again(c, m->id, &b->commit) || (b->file != 0 &&
	    wait_again(&b->commit, c, m->id, b->sent)))
		goto out;
	fr.nrcpt = fr.outside = 0;
	if (l != NULL)
		why = l->cut ? "too many recipients" : rcpts_take(b->conn,
		    slice_of((char *)l->buf, l->n));
	if (why == NULL)
		why = rcpts_take(b->conn, b->rcpts);
	if (why == NULL && fr.nrcpt == 0)
		why = "no recipient";
	if (why == NULL)
		why = body_take(f, m, &k);
	if (why != NULL) {
		turn_away(c, m->id, QUEUE_REFUSED, why);
		goto out;
	}
	k.nrcpt = fr.nrcpt;
	k.conn = b->conn;
	k.outside = fr.outside;
	k.large_crc = b->crc;
	k.sent = b->sent;
	k.limit = proc_conf()->queue.max_per_account;
	k.env = (struct envelope){ .commit = b->commit,
	    .received = now_sec(), .account = b->account, .flags = b->flags,
	    .sid = b->sid, .sender = b->sender, .folder = b->folder,
	    .trace = b->trace, .ticket = b->ticket };
	if (!space_for(k.nrcpt))
		commit_refuse(&k, QUEUE_FULL, "queue.max-waiting");
	else if (k.large == 0)
		commit_add(&k);
	else if (commit_is_over_limit(&k))
		commit_refuse(&k, QUEUE_LIMIT, "account's limit");
	else
		wait_add(&k);
out:
	f->nbody = 0;
	if (l != NULL)
		list_free(f, l);
}

/* The message: a descriptor, a file, or what came just before.  NULL, or why
 * it is none of them. */
static const char *
body_take(struct front *f, struct msg *m, struct commit *k)
{
	bool came = f->nbody > 0 && memcmp(f->body_of.b,
	    m->body->queue_commit.commit.b, sizeof(f->body_of.b)) == 0;

	if ((m->fd[0] != -1) + (k->large != 0) + came != 1)
		return "either a descriptor or a file or octets";
	if (k->large != 0)
		return file_take(f, k->large) ? NULL :
		    "not a file of this process";
	if (!came) {
		k->fd = m->fd[0];
		m->fd[0] = -1;
		return NULL;
	}
	if (k->size > f->nbody || f->nbody - k->size != k->facts)
		return "not as many octets as promised";
	k->body[0] = slice_of((char *)f->body, f->nbody);
	return NULL;
}

static struct list *
list_find(struct front *f, const struct msg_id *commit)
{
	size_t i;

	for (i = 0; i < f->nlist; i++)
		if (memcmp(f->list[i].commit.b, commit->b,
		    sizeof(commit->b)) == 0)
			return &f->list[i];
	return NULL;
}

static void
list_free(struct front *f, struct list *l)
{
	free(l->buf);
	f->nlist--;
	memmove(l, l + 1, (size_t)(&f->list[f->nlist] - l) * sizeof(*l));
}

static bool
file_take(struct front *f, uint64_t file)
{
	size_t i;

	for (i = 0; i < f->nfile; i++)
		if (f->file[i] == file) {
			f->file[i] = f->file[--f->nfile];
			return true;
		}
	return false;
}

/* ---- recipients ------------------------------------------------------- */

/* Check every capability and add the routes as targets.  NULL, or why not. */
static const char *
rcpts_take(uint64_t conn, struct slice list)
{
	struct item_rcpt r;
	struct item_route route;
	struct msg_mac mac;
	const char *why;
	size_t off = 0, o;
	int k;

	while ((k = item_rcpt_get(list, &off, &r)) == 1) {
		cap_rcpt(&mac, fr.key, conn, r.address, r.routes);
		if (!cap_equal(&mac, &r.cap))
			return "recipient without a capability";
		for (o = 0; (k = item_route_get(r.routes, &o, &route)) == 1;) {
			if ((why = route_add(&r, &route)) != NULL)
				return why;
			if (route.type == ROUTE_REMOTE &&
			    slice_eq(route.address, r.address))
				fr.outside++;
		}
		if (k == -1)
			return "routes damaged";
	}
	return k == -1 ? "recipients damaged" : NULL;
}

/* One copy for an account and for a remote address, over the message. */
static const char *
route_add(const struct item_rcpt *r, const struct item_route *route)
{
	struct env_rcpt *e = &fr.rcpt[fr.nrcpt];
	char low[331];
	uint64_t h;
	size_t i;

	if (fr.nrcpt == ENV_RCPTS_MAX)
		return "too many recipients";
	*e = (struct env_rcpt){ .type = route->type, .state = RCPT_WAIT,
	    .account = route->account, .address = route->address };
	if (e->type != ROUTE_REMOTE) {
		h = route->account;
		e->address = r->address;
	} else {
		for (i = 0; i < route->address.n; i++)
			low[i] = (char)ascii_lower(
			    (unsigned char)route->address.p[i]);
		h = siphash24(fr.key, low, route->address.n) |
		    UINT64_C(1) << 63;
		if (!slice_caseeq(r->address, route->address))
			e->orig = r->address;
	}
	for (i = 0; i < fr.nrcpt; i++)
		if (fr.hash[i] == h && (e->type != ROUTE_REMOTE ||
		    slice_caseeq(e->address, fr.rcpt[i].address)))
			return NULL;
	fr.hash[fr.nrcpt++] = h;
	return NULL;
}
