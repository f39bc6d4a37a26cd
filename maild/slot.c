/*
 * One process as the rest of maild sees it: is it there, what is it called in
 * a list, a secret for it and a socket pair.  What starts and ends it is
 * child.c.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

struct child *
child_ready(struct house *h, enum proc_role role, uint16_t instance)
{
	struct child *c;

	TAILQ_FOREACH(c, &h->children, entry)
		if (c->role == role && c->instance == instance && c->current &&
		    c->state == CHILD_READY && c->chan != NULL)
			return c;
	return NULL;
}

const char *
child_state_name(const struct child *c)
{
	if (!c->current)
		return "changing";
	switch (c->state) {
	case CHILD_WAITING:
		return "restarting";
	case CHILD_STARTING:
		return "starting";
	case CHILD_READY:
		return impaired_is(c->house, c) ? "impaired" : "ready";
	case CHILD_STOPPING:
		return c->pid == 0 ? "stopped" : "stopping";
	}
	return "";
}

const char *
child_exit_name(const struct child *c, char *buf, size_t size)
{
	if (!c->died)
		snprintf(buf, size, "%s", "");
	else if (WIFSIGNALED(c->exit))
		snprintf(buf, size, "signal %d", WTERMSIG(c->exit));
	else
		snprintf(buf, size, "status %d", WEXITSTATUS(c->exit));
	return buf;
}

bool
share_is_front(enum proc_role role)
{
	return (role_row(role)->may & MAY_ACCEPT) != 0;
}

void
share_secret(struct child *c, enum conf_secret_kind kind,
    const uint8_t key[32])
{
	struct conf_secret secret = { .what = (uint8_t)kind };

	memcpy(secret.key.b, key, sizeof(secret.key.b));
	chan_send(c->chan, CONF_SECRET, &secret, NULL, 0);
	explicit_bzero(&secret, sizeof(secret));
}

int
graph_pair(int sv[2], int bufsize)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    sv) == -1)
		return -1;
	for (int i = 0; i < 2 && bufsize > 0; i++) {
		(void)setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &bufsize,
		    sizeof(bufsize));
		(void)setsockopt(sv[i], SOL_SOCKET, SO_RCVBUFFORCE, &bufsize,
		    sizeof(bufsize));
	}
	return 0;
}
