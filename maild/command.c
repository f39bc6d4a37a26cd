/*
 * A command of mailctl under way in maild: its rows, its answer, its end.  It
 * is made by control.c and answered by whoever does what it asks for, with
 * command_done() in the end, be the peer still there or not.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/control.h"
#include "maild/maild.h"

struct command *
command_new(struct peer *p, uint32_t ask)
{
	struct command *cmd = xcalloc(1, sizeof(*cmd));

	cmd->house = p->house;
	cmd->peer = p;
	cmd->ask = ask;
	cmd->fd = -1;
	p->cmd = cmd;
	TAILQ_INSERT_TAIL(&p->house->control->commands, cmd, entry);
	return cmd;
}

void
command_free(struct command *cmd)
{
	TAILQ_REMOVE(&cmd->house->control->commands, cmd, entry);
	if (cmd->peer != NULL)
		cmd->peer->cmd = NULL;
	if (cmd->fd != -1)
		close(cmd->fd);
	free(cmd);
}

void
command_row(struct command *cmd, const struct row *row)
{
	struct ctl_row_ev ev = { cmd->ask,
	    { (const char *)row->buf, row->n } };

	if (cmd->peer != NULL)
		chan_send(cmd->peer->chan, CTL_ROW_EV, &ev, NULL, 0);
}

void
command_done(struct command *cmd, int code, const char *fmt, ...)
{
	char text[4000];
	struct ctl_run_r r;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r.code = (uint8_t)code;
	r.text = slice_str(text);
	if (cmd->peer != NULL)
		chan_reply(cmd->peer->chan, cmd->ask, CTL_RUN_R, &r, NULL, 0);
	command_free(cmd);
}

bool
command_left(const struct command *cmd)
{
	return cmd->peer == NULL;
}

void
command_lasts(struct command *cmd)
{
	const struct timeval tv = { PEER_SECONDS, 0 };

	if (cmd->peer != NULL)
		event_add(cmd->peer->timer, &tv);
}

int
command_fd(const struct command *cmd)
{
	return cmd->fd;
}

bool
command_force(char **args, size_t *n)
{
	size_t k = 0;
	bool force = false;

	for (size_t i = 0; i < *n; i++)
		if (strcmp(args[i], "--force") == 0)
			force = true;
		else
			args[k++] = args[i];
	*n = k;
	return force;
}
