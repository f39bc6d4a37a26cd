/*
 * The control socket, where mailctl asks.  Peers are known by the kernel
 * (SO_PEERCRED): root, or the socket's group.  What a peer sends wrongly
 * ends that peer alone.  maild answers for itself; everything else goes to
 * the process that owns the thing, and its rows come back through here.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/build.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/control.h"
#include "maild/maild.h"

#define PEERS_MAX	32
#define ARGS_MAX	128		/* an alias with all its targets */
#define OWNER_MS	600000	/* an owner's answer */
#define GROUPS_MAX	256
#define LOOK_SECONDS	2	/* at the socket: is it still there? */
#define UNREAD_MAX	(32 * 1024 * 1024) /* octets said to all peers */

static void	 peer_end(struct peer *, const char *);
static void	 on_accept(evutil_socket_t, short, void *);
static void	 on_look(evutil_socket_t, short, void *);
static void	 on_run(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_late(evutil_socket_t, short, void *);
static void	 on_answer(struct chan *, struct msg *, void *);
static void	 run_status(struct command *, char **, size_t);
static void	 run_stop(struct command *, char **, size_t);
static void	 run_reload(struct command *, char **, size_t);
static void	 run_dkim(struct command *, char **, size_t);
static void	 run_domain(struct command *, char **, size_t);
static void	 run_store(struct command *, char **, size_t);

static const struct chan_handler handlers[] = {
	{ CTL_RUN,	on_run },
};

/* Who answers for a noun: maild itself (fn), or the owner. */
static const struct {
	const char	*noun, *verb;	/* verb NULL: any */
	void		(*fn)(struct command *, char **, size_t);
	enum proc_role	 owner;
} nouns[] = {
	{ "status",	NULL,	run_status,	ROLE_MAILD },
	{ "stop",	NULL,	run_stop,	ROLE_MAILD },
	{ "reload",	NULL,	run_reload,	ROLE_MAILD },
	{ "dkim",	NULL,	run_dkim,	ROLE_MAILD },
	{ "account",	NULL,	NULL,		ROLE_AUTHD },
	{ "alias",	NULL,	NULL,		ROLE_AUTHD },
	{ "domain",	"add",	run_domain,	ROLE_MAILD },
	{ "domain",	"del",	run_domain,	ROLE_MAILD },
	{ "domain",	NULL,	NULL,		ROLE_AUTHD },
	{ "guard",	NULL,	NULL,		ROLE_AUTHD },
	{ "queue",	NULL,	NULL,		ROLE_QUEUE },
	{ "reports",	"pending", NULL,	ROLE_REPORT_OUT },
	{ "reports",	NULL,	NULL,		ROLE_REPORT_IN },
	{ "store",	NULL,	run_store,	ROLE_MAILD },
	{ "log",	NULL,	NULL,		ROLE_LOGD },
	{ "why",	NULL,	NULL,		ROLE_LOGD },
};

/* ---- the socket ---------------------------------------------------------- */

/* To the group of the configuration; one that is gone meanwhile is none. */
static int
control_give(const struct house *h)
{
	const char *path = h->conf->dir.socket;
	gid_t gid = 0;

	if (h->conf->control_group != NULL &&
	    directory_group(h->conf->control_group, &gid) == -1)
		log_warnx("control-group: %s does not exist, %s is for root "
		    "alone", h->conf->control_group, path);
	return lchown(path, 0, gid) == -1 || chmod(path, 0660) == -1 ? -1 : 0;
}

/* A socket under the path; whatever had that name has it no longer. */
static int
control_listen(struct control *c, struct house *h, char *err, size_t errsize)
{
	const char *path = h->conf->dir.socket;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int ret, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	mode_t old;

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	unlink(path);			/* the pid file says we are alone */
	old = umask(0177);		/* root's alone till it has its group */
	ret = fd == -1 ? -1 : bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (ret == 0)
		ret = control_give(h);
	if (ret == -1 || stat(path, &c->st) == -1 || listen(fd, 16) == -1) {
		snprintf(err, errsize, "%s: cannot be made: %s", path,
		    strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	c->fd = fd;
	c->ev = event_new(h->base, fd, EV_READ | EV_PERSIST, on_accept, h);
	if (c->ev == NULL || event_add(c->ev, NULL) == -1)
		fatalx("control: no event");
	return 0;
}

int
control_open(struct house *h, char *err, size_t errsize)
{
	const struct timeval tv = { LOOK_SECONDS, 0 };
	struct control *c = xcalloc(1, sizeof(*c));

	TAILQ_INIT(&c->peers);
	TAILQ_INIT(&c->commands);
	if (control_listen(c, h, err, errsize) == -1) {
		free(c);
		return -1;
	}
	c->look = event_new(h->base, -1, EV_PERSIST, on_look, h);
	if (c->look == NULL || event_add(c->look, &tv) == -1)
		fatalx("control: no event");
	h->control = c;
	return 0;
}

static void
peers_leave(struct control *c)
{
	struct peer *p, *next;

	for (p = TAILQ_FIRST(&c->peers); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->uid != 0)
			peer_end(p, "the control socket is of another group "
			    "now");
	}
}

void
control_regroup(struct house *h)
{
	struct control *c = h->control;
	gid_t old = c->st.st_gid;

	if (c->ev == NULL)
		return;			/* on_look makes another */
	if (control_give(h) == -1 || stat(h->conf->dir.socket, &c->st) == -1)
		log_warn("%s: its group", h->conf->dir.socket);
	if (c->st.st_gid != old)
		peers_leave(c);
}

/* Without its name nobody could say stop or ask what is wrong; the same after
 * a time without descriptors. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct house *h = arg;
	struct control *c = h->control;
	struct stat st;
	char err[1024];

	if (c->ev != NULL && stat(h->conf->dir.socket, &st) == 0 &&
	    st.st_dev == c->st.st_dev && st.st_ino == c->st.st_ino) {
		event_add(c->ev, NULL);
		return;
	}
	if (c->ev != NULL) {
		event_free(c->ev);
		close(c->fd);
		c->ev = NULL;
	}
	if (control_listen(c, h, err, sizeof(err)) == -1)
		impaired_set(h, NULL, "control", "%s", err);
	else {
		log_warnx("%s: was not there, made again",
		    h->conf->dir.socket);
		impaired_over(h, NULL, "control");
	}
}

void
control_close(struct house *h)
{
	struct control *c = h->control;

	if (c == NULL)
		return;
	event_free(c->look);
	if (c->ev == NULL)
		return;
	event_free(c->ev);
	close(c->fd);
	unlink(h->conf->dir.socket);
}

/* Root, or a member of the socket's group. */
static bool
peer_allowed(const struct control *c, int fd, uint32_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	gid_t groups[GROUPS_MAX];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	*uid = (uint32_t)cred.uid;
	if (cred.uid == 0)
		return true;
	if (c->st.st_gid == 0)
		return false;
	if (cred.gid == c->st.st_gid)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == c->st.st_gid)
			return true;
	return false;
}

static void
on_accept(evutil_socket_t lfd, short ev, void *arg)
{
	static const struct chan_ops ops = { on_gone, NULL };
	const struct timeval tv = { PEER_SECONDS, 0 };
	const struct ctl_hello_ev hello = { slice_str(build_id),
	    build_release };
	struct house *h = arg;
	struct control *c = h->control;
	struct peer *p;
	uint32_t uid = 0;
	int fd = accept4((int)lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd == -1) {
		if (errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED)
			event_del(c->ev);	/* till on_look */
		return;
	}
	if (c->npeers >= PEERS_MAX || !peer_allowed(c, fd, &uid)) {
		log_warnx("control: refused uid=%u", uid);
		close(fd);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->house = h;
	p->uid = uid;
	p->chan = chan_new(h->base, fd, CHAN_CTL, SIDE_B, handlers,
	    NITEMS(handlers), &ops, p);
	if ((p->timer = evtimer_new(h->base, on_late, p)) == NULL)
		fatalx("control: no event");
	event_add(p->timer, &tv);
	TAILQ_INSERT_TAIL(&c->peers, p, entry);
	c->npeers++;
	chan_send(p->chan, CTL_HELLO_EV, &hello, NULL, 0);
}

/* ---- peers --------------------------------------------------------------- */

static void
peer_free(struct peer *p)
{
	struct command *cmd = p->cmd;

	if (cmd != NULL) {
		cmd->peer = NULL;
		if (cmd->owner != NULL) {
			chan_forget(cmd->owner, cmd->owner_ask);
			command_free(cmd);
		}
	}
	TAILQ_REMOVE(&p->house->control->peers, p, entry);
	p->house->control->npeers--;
	event_free(p->timer);
	free(p);
}

static void
on_gone(struct chan *chan, void *arg)
{
	peer_free(arg);
}

static void
peer_end(struct peer *p, const char *why)
{
	struct chan *chan = p->chan;

	if (why != NULL)
		log_warnx("control: ended uid=%u: %s", p->uid, why);
	peer_free(p);
	chan_free(chan);
}

static void
on_late(evutil_socket_t fd, short ev, void *arg)
{
	peer_end(arg, NULL);
}

/*
 * Who asks has to read.  An owner sends a long list as maild takes it, and
 * maild takes it as it comes, for it has other things to hear: what waits for
 * all peers is bounded, and beyond that the one that has most waiting goes.
 */
static void
peers_bound(struct control *c)
{
	struct peer *p, *most;
	size_t n;

	do {
		n = 0;
		most = NULL;
		TAILQ_FOREACH(p, &c->peers, entry) {
			n += chan_queued(p->chan);
			if (most == NULL || chan_queued(p->chan) >
			    chan_queued(most->chan))
				most = p;
		}
		if (n <= UNREAD_MAX)
			return;
		peer_end(most, "does not read");
	} while (true);
}

/* Arguments as strings in one block; how many, 0 when malformed. */
static size_t
args_copy(struct slice list, char *buf, size_t size, char **args)
{
	struct item_arg a;
	size_t off = 0, used = 0, n = 0;
	int r;

	while ((r = item_arg_get(list, &off, &a)) == 1) {
		if (n == ARGS_MAX || a.text.n + 1 > size - used)
			return 0;
		args[n++] = buf + used;
		memcpy(buf + used, a.text.p, a.text.n);
		used += a.text.n;
		buf[used++] = '\0';
	}
	return r == 0 ? n : 0;
}

static void
command_unknown(struct command *cmd, const char *noun)
{
	char list[256] = "";

	for (size_t i = 0; i < NITEMS(nouns); i++) {
		if (nouns[i].verb != NULL)
			continue;
		strlcat(list, i == 0 ? "" : ", ", sizeof(list));
		strlcat(list, nouns[i].noun, sizeof(list));
	}
	command_done(cmd, EX_USAGE, "%s: no such command; there are %s, "
	    "and verify, spf, dmarc; see mailctl help",
	    log_text(noun, strlen(noun)), list);
}

static const char silent[] = "no answer: the process hangs, see mailctl "
    "status";

/* What was asked of it may come to pass all the same. */
void
control_silent(struct child *c)
{
	struct command *cmd, *next;

	if (c->house->control == NULL)
		return;
	for (cmd = TAILQ_FIRST(&c->house->control->commands); cmd != NULL;
	    cmd = next) {
		next = TAILQ_NEXT(cmd, entry);
		if (cmd->owner != c->chan)
			continue;
		chan_forget(cmd->owner, cmd->owner_ask);
		command_done(cmd, EX_TEMPFAIL, "%s", silent);
	}
}

/* Pass it on to the process that owns the thing. */
static void
command_pass(struct command *cmd, enum proc_role owner, struct slice args)
{
	struct child *c = child_ready(cmd->house, owner, 0);
	struct main_run run = { cmd->peer->uid, args };

	if (c == NULL) {
		command_done(cmd, EX_TEMPFAIL, "%s is not running now; try "
		    "again", proc_name(owner));
		return;
	}
	if (c->silent) {
		command_done(cmd, EX_TEMPFAIL, "%s", silent);
		return;
	}
	cmd->owner = c->chan;
	cmd->owner_ask = chan_ask(c->chan, MAIN_RUN, &run, NULL, 0, OWNER_MS,
	    on_answer, cmd);
	if (cmd->owner_ask == 0)
		command_done(cmd, EX_TEMPFAIL, "%s is not running now; try "
		    "again", proc_name(owner));
}

static void
on_answer(struct chan *chan, struct msg *m, void *arg)
{
	struct command *cmd = arg;

	if (m == NULL)
		command_done(cmd, EX_TEMPFAIL, "no answer: the process died "
		    "or is too slow");
	else
		command_done(cmd, m->body->main_run_r.code, "%.*s",
		    (int)m->body->main_run_r.text.n,
		    m->body->main_run_r.text.p);
}

/* A row of an owner: to the peer whose command it is, if it still waits. */
void
control_on_row(struct chan *chan, struct msg *m, void *arg)
{
	struct house *h = ((struct child *)arg)->house;
	const struct main_row_ev *e = &m->body->main_row_ev;
	struct ctl_row_ev out = { 0, e->cells };
	struct command *cmd;

	TAILQ_FOREACH(cmd, &h->control->commands, entry)
		if (cmd->owner == chan && cmd->owner_ask == e->ask)
			break;
	if (cmd == NULL || cmd->peer == NULL)
		return;
	out.ask = cmd->ask;
	chan_send(cmd->peer->chan, CTL_ROW_EV, &out, NULL, 0);
	if (chan_full(cmd->peer->chan))
		peers_bound(h->control);
}

static void
on_run(struct chan *chan, struct msg *m, void *arg)
{
	static char buf[16384];
	struct peer *p = arg;
	struct slice list = m->body->ctl_run.args;
	struct ctl_run_r busy = { EX_TEMPFAIL,
	    SLICE_LIT("one command at a time") };
	struct command *cmd;
	char *args[ARGS_MAX];
	size_t i, n;

	if (chan_full(chan)) {
		peer_end(p, "asks and does not read");
		return;
	}
	if (p->cmd != NULL) {
		chan_reply(chan, m->id, CTL_RUN_R, &busy, NULL, 0);
		return;
	}
	cmd = command_new(p, m->id);
	cmd->fd = m->fd[0];
	m->fd[0] = -1;
	if ((n = args_copy(list, buf, sizeof(buf), args)) == 0) {
		command_done(cmd, EX_USAGE, "malformed command");
		return;
	}
	for (i = 0; i < NITEMS(nouns); i++)
		if (strcmp(nouns[i].noun, args[0]) == 0 &&
		    (nouns[i].verb == NULL || (n > 1 &&
		    strcmp(nouns[i].verb, args[1]) == 0)))
			break;
	if (i == NITEMS(nouns))
		command_unknown(cmd, args[0]);
	else if (nouns[i].fn != NULL)
		nouns[i].fn(cmd, args, n);
	else
		command_pass(cmd, nouns[i].owner, list);
	explicit_bzero(buf, sizeof(buf));
}

/* ---- what maild answers itself ------------------------------------------- */

/* Words behind a command that takes none are a mistake, told. */
static bool
run_alone(struct command *cmd, char **args, size_t n)
{
	if (n > 1)
		command_done(cmd, EX_USAGE, "usage: %s (alone)", args[0]);
	return n == 1;
}

static void
run_status(struct command *cmd, char **args, size_t n)
{
	if (run_alone(cmd, args, n))
		status_run(cmd->house, cmd);
}

static void
run_stop(struct command *cmd, char **args, size_t n)
{
	struct house *h = cmd->house;

	if (!run_alone(cmd, args, n))
		return;
	command_done(cmd, EX_OK, "stopping");
	stop_begin(h, 0);
}

static void
run_reload(struct command *cmd, char **args, size_t n)
{
	if (run_alone(cmd, args, n))
		reload_begin(cmd->house, cmd);
}

static void
run_dkim(struct command *cmd, char **args, size_t n)
{
	dkim_run(cmd->house, cmd, args, n);
}

static void
run_domain(struct command *cmd, char **args, size_t n)
{
	domain_run(cmd->house, cmd, cmd->peer->uid, args, n);
}

static void
run_store(struct command *cmd, char **args, size_t n)
{
	run_command(cmd->house, cmd, args, n);
}
