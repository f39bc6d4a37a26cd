/*
 * mailctl status: a row of each process and of maild itself, and in the end
 * what impairs the service.  Called by control.c; changes nothing.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

/* Of a process or (NULL) of maild itself. */
static void
status_impaired(struct row *row, const struct house *h, const struct child *c)
{
	char text[4096];

	impaired_text(h, c, "; ", text, sizeof(text));
	row_long(row, "impaired", slice_str(text));
	warned_text(h, c, "; ", text, sizeof(text));
	row_long(row, "warning", slice_str(text));
}

static void
status_row(const struct house *h, struct command *cmd, const struct child *c)
{
	struct row row = { .n = 0 };
	char exit[32];
	uint64_t now = now_ms();

	row_str(&row, "process", slice_str(proc_name(c->role)));
	row_num(&row, "instance", c->instance);
	if (c->pid == 0)
		row_none(&row, "pid");
	else
		row_num(&row, "pid", c->pid);
	row_str(&row, "user", slice_str(directory_user(c->role)));
	row_str(&row, "state", slice_str(child_state_name(c)));
	row_num(&row, "restarts", c->restarts);
	if (c->pid == 0)
		row_none(&row, "uptime");
	else
		row_num(&row, "uptime", (long long)((now - c->started) / 1000));
	if (c->state != CHILD_WAITING)
		row_none(&row, "again");
	else
		row_num(&row, "again", c->again <= now ? 0 :
		    (long long)((c->again - now + 999) / 1000));
	row_str(&row, "exit", slice_str(child_exit_name(c, exit,
	    sizeof(exit))));
	status_impaired(&row, h, c);
	command_row(cmd, &row);
}

static const char *
status_maild(const struct house *h)
{
	if (h->stop != NULL)
		return "stopping";
	if (h->starting)
		return "starting";
	return impaired_any(h) ? "impaired" : "ready";
}

void
status_run(const struct house *h, struct command *cmd)
{
	struct row row = { .n = 0 };
	char list[3900];
	const struct child *c;

	row_str(&row, "process", slice_str("maild"));
	row_num(&row, "instance", 0);
	row_num(&row, "pid", getpid());
	row_str(&row, "user", slice_str("root"));
	row_str(&row, "state", slice_str(status_maild(h)));
	row_num(&row, "restarts", 0);
	row_num(&row, "uptime", (long long)((now_ms() - h->since) / 1000));
	row_none(&row, "again");
	row_str(&row, "exit", slice_str(""));
	status_impaired(&row, h, NULL);
	command_row(cmd, &row);
	TAILQ_FOREACH(c, &h->children, entry)
		status_row(h, cmd, c);
	impaired_list(h, list, sizeof(list));
	if (impaired_any(h))
		command_done(cmd, EX_TEMPFAIL, "impaired\n%s", list);
	else
		command_done(cmd, EX_OK, "%s", list);
}
