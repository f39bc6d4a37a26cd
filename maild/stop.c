/*
 * The orderly end: fronts first, so that nothing new comes in, then what
 * works for them, the log last, by the stage of each role's row.  Each stage
 * has a bounded time; then the next begins.
 */
#include "base/compat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define STAGE_MS	5000	/* then SIGKILL */

struct stop {
	enum role_stage	 stage;
	int		 status;
	bool		 moving;	/* stop_stage is on the stack */
};

/* Is it this one's turn to end? */
static bool
stop_turn(const struct house *h, const struct child *c)
{
	return role_row(c->role)->stage == h->stop->stage;
}

static void
stop_stage(struct house *h)
{
	struct child *c;

	TAILQ_FOREACH(c, &h->children, entry)
		if (stop_turn(h, c)) {
			if (c->role == ROLE_LOGD)
				log_flush();
			child_stop(c, STAGE_MS);
		}
}

/* Something of that stage still runs. */
static bool
stop_waits(const struct house *h)
{
	const struct child *c;

	TAILQ_FOREACH(c, &h->children, entry)
		if (stop_turn(h, c) && c->pid != 0)
			return true;
	return false;
}

void
stop_child(struct house *h)
{
	struct stop *s = h->stop;

	if (s == NULL || s->moving)
		return;
	s->moving = true;
	while (s->stage < STAGE_NEVER && !stop_waits(h))
		if (++s->stage < STAGE_NEVER)
			stop_stage(h);
	s->moving = false;
	if (s->stage == STAGE_NEVER)
		event_base_loopbreak(h->base);
}

void
stop_begin(struct house *h, int status)
{
	if (h->stop != NULL)
		return;
	log_notice("stopping");
	share_logs(h);
	h->stop = xcalloc(1, sizeof(*h->stop));
	h->stop->status = status;
	reload_cancel(h);
	absent_leave(h);
	listen_close(h->conf, h->listen, NULL, NULL);
	for (size_t i = 0; i < CONF_NLIST; i++)
		h->listen[i] = -1;
	stop_stage(h);
	stop_child(h);
}

int
stop_status(const struct house *h)
{
	return h->stop != NULL && h->stop->stage == STAGE_NEVER ?
	    h->stop->status : -1;
}
