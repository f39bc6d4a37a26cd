/*
 * queue: takes messages from smtpd, keeps them on stable storage and sees
 * each recipient through: to deliver, to relay, or back in a report.  Runs
 * as _mailq in the spool directory, where it is the only writer; never
 * touches the network, never parses message content (what its own reports
 * say is written, not read).
 *
 * This file is the role: channels of smtpd, the second hand of the clock,
 * free space.  A message's way: on_commit -> queue_commit.c (disk, answer)
 * -> queue_schedule.c (jobs) -> queue_local.c or queue_remote.c ->
 * queue_result.c -> queue_message_done().
 */
#include "compat.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "cap.h"
#include "conf.h"
#include "log.h"
#include "proc.h"
#include "util.h"
#include "queue.h"

#define FRONTS_MAX	64		/* instances of smtpd */
#define FILES_MAX	1024		/* large files one smtpd is filling */
#define LISTS_MAX	64		/* recipient lists before COMMIT */
#define LIST_MAX	(2U << 20)	/* octets of one */
#define MIN_INODES	100
#define SPACE_STEP	(1U << 20)	/* octets worth telling smtpd */
#define RETIRE_AFTER	10		/* s: smtpd may still ask */

struct list {				/* recipients ahead of a commit */
	struct msg_id	 commit;
	uint8_t		*buf;
	size_t		 n;
	bool		 cut;		/* more came than is taken */
};

struct front {
	struct chan	*chan;
	struct list	 list[LISTS_MAX];
	uint64_t	 file[FILES_MAX];
	size_t		 nlist, nfile;
};

static struct {
	const struct conf *conf;
	uint8_t		 key[32];
	struct front	 front[FRONTS_MAX];
	struct event	*tick;
	uint64_t	*unlink;	/* large files to go after a log sync */
	size_t		 nunlink, capunlink;
	struct env_rcpt	*rcpt;		/* of the commit at hand */
	uint64_t	*hash;
	size_t		 nrcpt;
	bool		 accepting;
	uint64_t	 free_bytes;
} q;

static void	 queue_secret(enum conf_secret_kind, const uint8_t *);
static void	 queue_start(const struct conf *);
static void	 queue_channel(enum chan_kind, enum proc_role, uint16_t, int);
static void	 queue_reload(const struct conf *);
static void	 queue_stop(void);
static void	 on_file(struct chan *, struct msg *, void *);
static void	 on_drop(struct chan *, struct msg *, void *);
static void	 on_rcpt(struct chan *, struct msg *, void *);
static void	 on_commit(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_tick(evutil_socket_t, short, void *);
static void	 tick_synced(void);
static void	 tick_segments(void);
static void	 space_look(void);
static void	 space_tell(struct front *);
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
	{ QUEUE_COMMIT,		on_commit },
	{ QUEUE_KNOWN,		commit_on_known },
};

static const struct chan_ops ops = { on_gone, NULL };

static const struct role role = {
	.id = ROLE_QUEUE,
	.secret = queue_secret,
	.start = queue_start,
	.channel = queue_channel,
	.reload = queue_reload,
	.stop = queue_stop,
	.run = control_run,
};

int
main(void)
{
	return proc_enter(&role);
}

/* ---- the role --------------------------------------------------------- */

static void
queue_secret(enum conf_secret_kind what, const uint8_t *key)
{
	if (what == SECRET_RCPT)
		memcpy(q.key, key, sizeof(q.key));
}

static void
queue_start(const struct conf *conf)
{
	static const struct timeval second = { 1, 0 };
	struct event_base *base = proc_base();
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	umask(077);
	if (fd == -1 || spool_init(fd) == -1 || large_init(fd) == -1)
		fatal("spool directory");
	q.conf = conf;
	q.rcpt = xcalloc(ENV_RCPTS_MAX, sizeof(*q.rcpt));
	q.hash = xcalloc(ENV_RCPTS_MAX, sizeof(*q.hash));
	local_init(conf->proc.deliver);
	schedule_init(base, conf);
	result_conf(conf);
	bounce_init(base, conf);
	post_init(base, conf);
	report_conf(conf);
	commit_init(base);
	recover_run();
	space_look();
	q.tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	if (q.tick == NULL || event_add(q.tick, &second) == -1)
		fatalx("event_new");
}

static void
queue_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	struct front *f;

	if (kind == CHAN_DELIVER && peer == ROLE_REPORT_IN)
		local_report_channel(proc_base(), fd);
	else if (kind == CHAN_DELIVER)
		local_channel(proc_base(), instance, fd);
	else if (kind == CHAN_RELAY)
		remote_channel(proc_base(), instance, fd);
	else if (kind == CHAN_AUTH || kind == CHAN_SIGN)
		post_channel(kind, proc_base(), fd);
	else if (kind == CHAN_QUEUE && peer == ROLE_REPORT_OUT)
		report_channel(proc_base(), fd);
	else if (kind == CHAN_QUEUE && instance < FRONTS_MAX) {
		f = &q.front[instance];
		chan_free(f->chan);
		if (f->chan != NULL)
			on_gone(f->chan, f);
		f->chan = chan_new(proc_base(), fd, CHAN_QUEUE, SIDE_B,
		    handlers, NITEMS(handlers), &ops, f);
		space_tell(f);
	} else
		close(fd);
}

static void
queue_reload(const struct conf *conf)
{
	q.conf = conf;
	schedule_conf(conf);
	result_conf(conf);
	bounce_conf(conf);
	post_conf(conf);
	report_conf(conf);
}

/* What is on disk stays there; what was promised is on disk. */
static void
queue_stop(void)
{
	commit_run();
	if (qlog_sync() == -1)
		log_warn("queue.log");
	else
		tick_synced();
	proc_exit(0);
}

/* ---- smtpd ------------------------------------------------------------ */

static void
on_file(struct chan *c, struct msg *m, void *arg)
{
	struct front *f = arg;
	struct queue_file_r r = { .result = QUEUE_OK };
	int fd = -1;

	if (!q.accepting || f->nfile == FILES_MAX)
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
		large_unlink(m->body->queue_drop_ev.file);
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
commit_refuse(struct chan *c, uint32_t ask, enum queue_result result,
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

/* It has too much waiting already to add this. */
static bool
is_over_limit(const struct queue_commit *b)
{
	unsigned int max = q.conf->queue.max_per_account;
	uint32_t n = account_waiting(b->account);

	if (b->account == 0 || max == 0 || (n < max && q.nrcpt <= max - n))
		return false;
	log_notice("%s limit account=%u waiting=%u recipients=%zu max=%u",
	    log_text(b->sid.p, b->sid.n), b->account, n, q.nrcpt, max);
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
	    .rcpt = q.rcpt };
	const char *why = NULL;

	if (commit_again(c, m->id, &b->commit))
		return;
	q.nrcpt = 0;
	if (l != NULL)
		why = l->cut ? "too many recipients" : rcpts_take(b->conn,
		    slice_of((char *)l->buf, l->n));
	if (why == NULL)
		why = rcpts_take(b->conn, b->rcpts);
	if (why == NULL && q.nrcpt == 0)
		why = "no recipient";
	if (why == NULL && (m->fd[0] == -1) != (b->file != 0))
		why = "either a descriptor or a file";
	if (why == NULL && b->file != 0 && !file_take(f, b->file))
		why = "not a file of this process";
	if (why != NULL) {
		commit_refuse(c, m->id, QUEUE_REFUSED, why);
		goto out;
	}
	if (is_over_limit(b)) {
		if (b->file != 0)
			large_unlink(b->file);
		commit_refuse(c, m->id, QUEUE_LIMIT, "account's limit");
		goto out;
	}
	if (b->file != 0 && large_commit(b->file, b->size + b->facts,
	    &k.large_crc) == -1) {
		log_warn("spool large file");
		large_unlink(b->file);
		commit_refuse(c, m->id, errno == ENOSPC || errno == EDQUOT ?
		    QUEUE_FULL : QUEUE_IO, "large file");
		goto out;
	}
	k.fd = m->fd[0];
	m->fd[0] = -1;
	k.nrcpt = q.nrcpt;
	k.env = (struct envelope){ .commit = b->commit,
	    .received = now_sec(), .account = b->account, .flags = b->flags,
	    .sid = b->sid, .sender = b->sender, .folder = b->folder,
	    .trace = b->trace, .ticket = b->ticket };
	commit_add(&k);
out:
	if (l != NULL)
		list_free(f, l);
}

static void
on_gone(struct chan *c, void *arg)
{
	struct front *f = arg;

	commit_gone(c);
	while (f->nlist > 0)
		list_free(f, &f->list[0]);
	while (f->nfile > 0)
		large_unlink(f->file[--f->nfile]);
	f->chan = NULL;
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
		cap_rcpt(&mac, q.key, conn, r.address, r.routes);
		if (!cap_equal(&mac, &r.cap))
			return "recipient without a capability";
		for (o = 0; (k = item_route_get(r.routes, &o, &route)) == 1;)
			if ((why = route_add(&r, &route)) != NULL)
				return why;
		if (k == -1)
			return "routes damaged";
	}
	return k == -1 ? "recipients damaged" : NULL;
}

/* One copy for an account and for a remote address, over the message. */
static const char *
route_add(const struct item_rcpt *r, const struct item_route *route)
{
	struct env_rcpt *e = &q.rcpt[q.nrcpt];
	char low[331];
	uint64_t h;
	size_t i;

	if (q.nrcpt == ENV_RCPTS_MAX)
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
		h = siphash24(q.key, low, route->address.n) |
		    UINT64_C(1) << 63;
		if (!slice_caseeq(r->address, route->address))
			e->orig = r->address;
	}
	for (i = 0; i < q.nrcpt; i++)
		if (q.hash[i] == h && (e->type != ROUTE_REMOTE ||
		    slice_caseeq(e->address, q.rcpt[i].address)))
			return NULL;
	q.hash[q.nrcpt++] = h;
	return NULL;
}

/* ---- the end of a message, and the clock ------------------------------ */

void
queue_message_done(struct message *m)
{
	struct segment *s = m->seg;

	if (m->hdr.flags & FRAME_LARGE) {
		if (q.nunlink == q.capunlink) {
			q.capunlink = q.capunlink == 0 ? 64 : q.capunlink * 2;
			q.unlink = xreallocarray(q.unlink, q.capunlink,
			    sizeof(*q.unlink));
		}
		q.unlink[q.nunlink++] = m->hdr.large;
	}
	schedule_forget(m);
	s->slot[m->no].m = NULL;
	s->live--;
	s->live_bytes -= frame_len(&m->hdr);
	message_free(m);
}

/* Once a second: what happened becomes durable, then what hangs on that. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	bool dirty = qlog_dirty();

	if (dirty && qlog_sync() == -1) {
		log_warn("queue.log cannot be synced, writing a new one");
		if (recover_log() == -1)
			log_warn("queue.log");
	}
	if (!qlog_dirty())
		tick_synced();
	tick_segments();
	compact_look();
	if (qlog_long() && recover_log() == -1)
		log_warn("queue.log");
	space_look();
}

static void
tick_synced(void)
{
	local_forget_send();
	while (q.nunlink > 0)
		large_unlink(q.unlink[--q.nunlink]);
}

/* Segments in which nothing lives are retired, and once the log says so on
 * disk, used again. */
static void
tick_segments(void)
{
	struct segment *s;
	uint64_t now = now_sec();

	TAILQ_FOREACH(s, spool_segments(), entry) {
		if (s->state == SEG_FULL && s->live == 0 &&
		    s->done_gen <= qlog_synced() && q.nunlink == 0 &&
		    local_forget_count() == 0 &&
		    s->last + RETIRE_AFTER <= now) {
			qlog_add(&(struct log_rec){ .type = LOG_RETIRED,
			    .seg = s->id });
			s->done_gen = qlog_gen();
			s->state = SEG_RETIRING;
		} else if (s->state == SEG_RETIRING &&
		    s->done_gen <= qlog_synced()) {
			ids_retire(s);
			segment_spare(s);
		}
	}
	ids_expire(now_ms());
	spool_trim();
}

/* Free octets and inodes; smtpd hears of changes that matter. */
static void
space_look(void)
{
	struct statvfs v;
	uint64_t bytes;
	bool accepting;
	size_t i;

	if (fstatvfs(spool_dir(), &v) == -1) {
		log_warn("spool space");
		return;
	}
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	accepting = bytes >= q.conf->queue.min_free &&
	    (v.f_files == 0 || v.f_favail >= MIN_INODES);
	if (accepting == q.accepting && bytes < q.free_bytes + SPACE_STEP &&
	    q.free_bytes < bytes + SPACE_STEP)
		return;
	if (accepting != q.accepting)
		log_notice("queue accepting=%d free=%llu", accepting,
		    (unsigned long long)bytes);
	q.accepting = accepting;
	q.free_bytes = bytes;
	for (i = 0; i < FRONTS_MAX; i++)
		if (q.front[i].chan != NULL)
			space_tell(&q.front[i]);
}

static void
space_tell(struct front *f)
{
	struct queue_state_ev e = { q.accepting, q.free_bytes };

	chan_send(f->chan, QUEUE_STATE_EV, &e, NULL, 0);
}
