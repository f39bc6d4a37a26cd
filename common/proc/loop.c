/*
 * The running life of an event-driven role: the channel to maild, new
 * channel ends and listeners, reload, stop, and commands of mailctl.
 */
#include "base/compat.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/impl.h"
#include "proc/proc.h"

static void	 on_conf_begin(struct chan *, struct msg *, void *);
static void	 on_conf_item(struct chan *, struct msg *, void *);
static void	 on_conf_file(struct chan *, struct msg *, void *);
static void	 on_conf_secret(struct chan *, struct msg *, void *);
static void	 on_conf_end(struct chan *, struct msg *, void *);
static void	 on_channel(struct chan *, struct msg *, void *);
static void	 on_listen(struct chan *, struct msg *, void *);
static void	 on_stop(struct chan *, struct msg *, void *);
static void	 on_ping(struct chan *, struct msg *, void *);
static void	 on_run(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static const struct chan_handler common_handlers[] = {
	{ CONF_BEGIN,		on_conf_begin },
	{ CONF_ITEM,		on_conf_item },
	{ CONF_FILE,		on_conf_file },
	{ CONF_SECRET,		on_conf_secret },
	{ CONF_END,		on_conf_end },
	{ PROC_CHANNEL_EV,	on_channel },
	{ PROC_LISTEN_EV,	on_listen },
	{ PROC_STOP_EV,		on_stop },
	{ PROC_PING,		on_ping },
	{ MAIN_RUN,		on_run },
};

static struct {
	struct event_base *base;
	struct chan	*main;
	bool		 exiting;	/* at the end of this turn */
} loop;

struct event_base *
proc_base(void)
{
	return loop.base;
}

struct chan *
proc_main(void)
{
	return loop.main;
}

/* ---- configuration ------------------------------------------------------- */

static void
on_conf_begin(struct chan *c, struct msg *m, void *arg)
{
	conf_free(proc_state.next);
	proc_state.next = conf_new();
	proc_state.generation = m->body->conf_begin.generation;
}

static void
on_conf_item(struct chan *c, struct msg *m, void *arg)
{
	if (proc_state.next == NULL)
		fatalx("CONF_ITEM outside CONF_BEGIN");
	proc_conf_item(proc_state.next, &m->body->conf_item);
}

static void
on_conf_file(struct chan *c, struct msg *m, void *arg)
{
	proc_conf_file(proc_state.role, m);
}

static void
on_conf_secret(struct chan *c, struct msg *m, void *arg)
{
	proc_conf_secret(proc_state.role, &m->body->conf_secret);
}

/* The new configuration is whole: it replaces the old one at once. */
static void
on_conf_end(struct chan *c, struct msg *m, void *arg)
{
	struct conf *old;
	struct proc_ready_ev ready = proc_ready(proc_state.generation);

	if (proc_state.next == NULL ||
	    m->body->conf_end.generation != proc_state.generation)
		fatalx("CONF_END of another generation");
	old = proc_conf_use(proc_state.next);
	proc_state.next = NULL;
	proc_log_level(proc_conf());
	if (proc_state.role->reload != NULL)
		proc_state.role->reload(proc_conf());
	conf_free(old);
	chan_send(c, PROC_READY_EV, &ready, NULL, 0);
}

/* ---- channels, listeners, the end ---------------------------------------- */

static void
on_channel(struct chan *c, struct msg *m, void *arg)
{
	const struct proc_channel_ev *e = &m->body->proc_channel_ev;
	int fd = m->fd[0];

	if (proc_state.role->channel == NULL || e->peer >= ROLE_MAX ||
	    e->kind >= CHAN_MAX)
		fatalx("channel to role %u is not for this role", e->peer);
	m->fd[0] = -1;
	proc_channel_new(e, fd);
	proc_state.role->channel((enum chan_kind)e->kind,
	    (enum proc_role)e->peer, e->instance, fd);
}

static void
on_listen(struct chan *c, struct msg *m, void *arg)
{
	int fd = m->fd[0];

	if (proc_state.role->listener == NULL)
		fatalx("a listener is not for this role");
	m->fd[0] = -1;
	proc_state.role->listener(m->body->proc_listen_ev.index, fd);
}

static void
on_stop(struct chan *c, struct msg *m, void *arg)
{
	if (proc_state.stopping)
		return;
	proc_state.stopping = true;
	if (proc_state.role->stop != NULL)
		proc_state.role->stop();
	else
		proc_exit(0);
}

static void
on_ping(struct chan *c, struct msg *m, void *arg)
{
	struct proc_ping_r r = { 1 };

	chan_reply(c, m->id, PROC_PING_R, &r, NULL, 0);
}

static void
on_gone(struct chan *c, void *arg)
{
	/* maild is dead: a new one starts everything again */
	loop.main = NULL;
	proc_exit(0);
}

void
proc_exit(int status)
{
	proc_state.status = status;
	loop.exiting = true;
}

/* ---- commands ------------------------------------------------------------ */

static void
on_run(struct chan *c, struct msg *m, void *arg)
{
	const struct main_run *r = &m->body->main_run;

	if (proc_state.role->run == NULL)
		proc_done(m->id, 64, "%s knows no commands",
		    proc_name(proc_state.role->id));
	else
		proc_state.role->run(m->id, r->uid, r->args);
}

void
proc_row(uint32_t ask, const struct row *row)
{
	struct main_row_ev ev = { ask, { (const char *)row->buf, row->n } };

	if (loop.main != NULL)
		chan_send(loop.main, MAIN_ROW_EV, &ev, NULL, 0);
}

void
proc_done(uint32_t ask, int code, const char *fmt, ...)
{
	char text[4097];
	struct main_run_r r;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r.code = (uint8_t)code;
	r.text = slice_str(text);
	if (loop.main != NULL)
		chan_reply(loop.main, ask, MAIN_RUN_R, &r, NULL, 0);
}

/* ---- start --------------------------------------------------------------- */

struct event_base *
proc_base_new(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	if (cfg == NULL)
		fatalx("event_config_new");
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
	    EVENT_BASE_FLAG_IGNORE_ENV);
	if ((base = event_base_new_with_config(cfg)) == NULL)
		fatalx("event_base_new");
	event_config_free(cfg);
	return base;
}

/* The role's own handlers behind the common ones. */
static const struct chan_handler *
loop_handlers(const struct role *role, size_t *n)
{
	struct chan_handler *h;

	*n = NITEMS(common_handlers) + role->nhandlers;
	h = xcalloc(*n, sizeof(*h));
	memcpy(h, common_handlers, sizeof(common_handlers));
	if (role->nhandlers > 0)
		memcpy(h + NITEMS(common_handlers), role->handlers,
		    role->nhandlers * sizeof(*h));
	return h;
}

int
proc_enter(const struct role *role, int argc, char *const *argv)
{
	const struct chan_ops ops = { on_gone, NULL };
	const struct chan_handler *handlers;
	size_t n;

	proc_words(role->id, argc, argv);
	/* epoll is made before the jail, and logs before that are rare */
	loop.base = proc_base_new();
	proc_begin(role);
	handlers = loop_handlers(role, &n);
	loop.main = chan_new(loop.base, PROC_FD_MAIN, CHAN_MAIN, SIDE_B,
	    handlers, n, &ops, NULL);
	while (!loop.exiting) {
		log_flush();
		if (event_base_loop(loop.base, EVLOOP_ONCE) != 0)
			break;
	}
	log_flush();
	return proc_state.status;
}
