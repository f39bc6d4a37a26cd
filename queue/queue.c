/*
 * queue: takes messages from smtpd, keeps them on stable storage and sees
 * each recipient through: to deliver, to relay, or back in a report.  Runs
 * as _mailq in the spool directory, where it is the only writer; never
 * touches the network, never parses message content (what its own reports
 * say is written, not read).
 *
 * This file is the role: it leads what the lower files tell to those
 * above, and is the second hand of the clock.  A message's way: front.c
 * (smtpd) -> commit.c (disk, answer) -> schedule.c (jobs) -> local.c or
 * remote.c -> result.c -> queue_message_done().
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define RETIRE_AFTER	10		/* s: smtpd may still ask */

static struct {
	struct event	*tick;
	uint64_t	*unlink;	/* large files to go after a log sync */
	size_t		 nunlink, capunlink;
} q;

static bool	 job_send(struct job *);
static void	 on_taken(struct message *, uint64_t, uint32_t);
static void	 on_tick(evutil_socket_t, short, void *);
static void	 look_space(void);
static void	 tick_synced(void);
static void	 tick_segments(void);

/* Whom the lower files' events lead to. */
static const struct schedule_ops schedule_ops = {
	.check = result_check,
	.last_look = revoked_last_look,
	.send = job_send,
	.end = result_end,
	.delivers = local_count,
};
static const struct result_ops result_ops = {
	.report = bounce_message,
	.report_room = bounce_room,
	.full = post_full,
	.used = post_used,
	.warn = warning_send,
	.done = queue_message_done,
};
static const struct commit_ops commit_ops = { .taken = on_taken };
static const struct rewrite_ops rewrite_ops = {
	.unknown = recover_unknown,
	.carries = recover_carries,
};

/* ---- the role --------------------------------------------------------- */

void
queue_secret(enum conf_secret_kind what, const uint8_t key[32])
{
	if (what == SECRET_RCPT)
		front_secret(key);
}

void
queue_start(const struct conf *conf)
{
	static const struct timeval second = { 1, 0 };
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	umask(077);
	local_init(conf->proc.deliver);
	if (fd == -1 || queue_init(proc_base(), fd) == -1)
		fatal("spool directory");
	look_space();
	q.tick = event_new(proc_base(), -1, EV_PERSIST, on_tick, NULL);
	if (q.tick == NULL || event_add(q.tick, &second) == -1)
		fatalx("event_new");
}

int
queue_init(struct event_base *base, int dirfd)
{
	if (spool_init(dirfd) == -1 || large_init(dirfd) == -1)
		return -1;
	front_init();
	clock_init();
	schedule_init(base, &schedule_ops);
	result_init(&result_ops);
	bounce_init(base);
	post_init(base);
	settle_init(base);
	commit_init(base, &commit_ops);
	rewrite_init(base, &rewrite_ops);
	recover_run();
	return 0;
}

void
queue_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
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
	else if (kind == CHAN_QUEUE)
		front_channel(proc_base(), instance, fd);
	else
		close(fd);
}

/* What is on disk stays there; what was promised is on disk. */
void
queue_stop(void)
{
	commit_run();
	if (recover_done()) {
		if (qlog_sync() == -1 && rewrite_now() == -1)
			log_warn("queue.log");
		else
			tick_synced();
	}
	proc_exit(0);
}

/* ---- what the files tell ---------------------------------------------- */

static bool
job_send(struct job *j)
{
	return j->dest->route == ROUTE_REMOTE ? remote_send(j) : local_send(j);
}

static void
on_taken(struct message *m, uint64_t conn, uint32_t outside)
{
	if (outside > 0)
		post_sent(conn, m->account, outside);
	revoked_look(m);
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
	recover_tick();
	if (recover_done()) {
		if (qlog_dirty() && qlog_sync() == -1 && rewrite_begin() == -1)
			log_warn("queue.log");
		if (!qlog_dirty())
			tick_synced();
		tick_segments();
		compact_look();
		if (qlog_long() && rewrite_begin() == -1)
			log_warn("queue.log");
	}
	clock_look();
	quarantine_tick();
	look_space();
}

static void
look_space(void)
{
	uint64_t free_bytes;
	bool take;

	if (space_look(&take, &free_bytes))
		front_tell(take, free_bytes);
}

static void
tick_synced(void)
{
	local_forget_send();
	while (q.nunlink > 0)
		settle_unlink(q.unlink[--q.nunlink]);
}

/* Segments in which nothing lives are retired, and once the log says so on
 * disk, used again. */
static void
tick_segments(void)
{
	struct segment *s;
	uint64_t now = now_ms() / 1000;

	TAILQ_FOREACH(s, spool_segments(), entry) {
		if (s->state == SEG_FULL && s->live == 0 && !s->keep &&
		    !recover_keeps(s) &&
		    s->done_gen <= qlog_synced() && q.nunlink == 0 &&
		    forget_count() == 0 &&
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
