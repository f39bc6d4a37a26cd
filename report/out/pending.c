/*
 * "mailctl reports pending": aggregate reports that are counted or have not
 * left yet, a row for each address; piece by piece, as maild takes it.  Part
 * of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define EX_USAGE_	64		/* sysexits */
#define TURN_ROWS	200		/* rows in one turn */

struct listing {
	uint32_t	 ask;
	uint64_t	 begin;		/* goes on in this interval */
	uint32_t	 no;		/* with this domain */
	unsigned long long rows;
	struct event	*ev;
};

static void	 list_go(evutil_socket_t, short, void *);
static unsigned int list_domain(struct listing *, struct domain *);

void
pending_run(uint32_t ask, uint32_t uid, struct slice args)
{
	struct listing *l;
	struct item_arg it;
	size_t off = 0, n = 0;
	bool pending = false;

	while (item_arg_get(args, &off, &it) == 1)
		if (++n == 2)
			pending = slice_is(it.text, "pending");
	if (n != 2 || !pending) {
		proc_done(ask, EX_USAGE_, "usage: reports pending");
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->ask = ask;
	if ((l->ev = event_new(proc_base(), -1, 0, list_go, l)) == NULL)
		fatalx("event_new");
	event_active(l->ev, 0, 0);
}

static void
list_go(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 10000 };
	struct listing *l = arg;
	struct period *p;
	unsigned int rows = 0;

	TAILQ_FOREACH(p, aggregate_periods(), entry) {
		if (p->file.begin < l->begin)
			continue;
		if (p->file.begin > l->begin)
			l->no = 0;
		l->begin = p->file.begin;
		for (; l->no < p->ndomain; l->no++) {
			if (rows >= TURN_ROWS || (proc_main() != NULL &&
			    chan_full(proc_main()))) {
				event_add(l->ev, &soon);
				return;
			}
			if (p->domain[l->no] != NULL &&
			    !p->domain[l->no]->done)
				rows += list_domain(l, p->domain[l->no]);
		}
	}
	proc_done(l->ask, 0, "%llu reports", l->rows);
	event_free(l->ev);
	free(l);
}

static const char *
state_name(const struct domain *d, const struct target *t)
{
	switch (t->state) {
	case TARGET_WAIT:
		if (!d->period->closed)
			return "counting";
		return t->tries > 0 ? "deferred" : "waiting";
	case TARGET_SENT:
		return "sent";
	case TARGET_DROPPED:
		break;
	}
	return "dropped";
}

static unsigned int
list_domain(struct listing *l, struct domain *d)
{
	const struct target *t;
	struct row row;
	size_t i;

	domain_targets(d);
	for (i = 0; i < d->ntarget; i++) {
		t = &d->target[i];
		row.n = 0;
		row_str(&row, "domain", slice_str(d->at));
		row_str(&row, "to", slice_str(t->address));
		row_str(&row, "state", slice_str(state_name(d, t)));
		row_num(&row, "begin", (long long)d->period->file.begin);
		row_num(&row, "due", (long long)(t->tries > 0 ? t->next :
		    domain_due(d)));
		row_num(&row, "messages", (long long)d->messages);
		row_num(&row, "rows", d->nrow);
		row_num(&row, "uncounted", (long long)d->lost);
		row_num(&row, "tries", t->tries);
		row_str(&row, "error", slice_str(t->why != NULL ? t->why : ""));
		proc_row(l->ask, &row);
		l->rows++;
	}
	return (unsigned int)d->ntarget;
}
