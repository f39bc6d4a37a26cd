/*
 * nursery: forks a session when maild says so and puts it in its jail.
 * Runs as root with only the rights that takes, in an empty root, before any
 * library is loaded: what is not touched here need not be copied by fork.
 * It reads nothing but maild's messages and must never open anything.
 */
#include "compat.h"

#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "proc.h"
#include "proc_impl.h"
#include "nursery.h"

#define CHILDREN_FIRST	64
#define CHILDREN_MAX	65536	/* more than fronts may have connections */

struct child {
	pid_t		 pid;
	uint64_t	 grant;
};

/* The child's stack and this struct are what fork has to copy: small. */
static struct {
	enum proc_role	 session;
	nursery_fn	 fn;
	struct conf	*conf;		/* of the last reload, or NULL */
	struct conf	*next;		/* being received */
	uint32_t	 generation;
	struct child	*child;		/* not in any order */
	size_t		 nchild, size;
	volatile sig_atomic_t reap;
} nursery;

static void	on_sigchld(int);
static int	nursery_wait(const sigset_t *);
static void	nursery_message(struct msg *);
static void	conf_item_set(const struct conf_item *);
static void	conf_replace(void);
static void	nursery_spawn(struct msg *);
static void	child_run(struct msg *) __attribute__((noreturn));
static void	child_add(pid_t, uint64_t);
static void	child_reap(void);
static void	child_exit(pid_t, int);
static void	nursery_exit_send(uint64_t, uint32_t);

static void
on_sigchld(int sig)
{
	nursery.reap = 1;
}

int
nursery_main(enum proc_role id, enum proc_role session, nursery_fn fn)
{
	static uint8_t	 buf[MSG_MAX];
	struct role	 role = { .id = id };
	struct sigaction sa = { .sa_handler = on_sigchld,
			    .sa_flags = SA_NOCLDSTOP };
	sigset_t	 block, none;
	union msg_body	 body;
	struct msg	 m = { .body = &body };
	int		 n;

	nursery.session = session;
	nursery.fn = fn;
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &none);
	sigaction(SIGCHLD, &sa, NULL);

	proc_begin(&role);
	for (;;) {
		if (nursery_wait(&none) == 0)
			continue;
		n = msg_recv(PROC_FD_MAIN, CHAN_MAIN, SIDE_A, buf, &m, -1);
		if (n == 0)
			return (0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fatal("channel to maild");
		if (m.type == PROC_STOP_EV)
			return (0);
		nursery_message(&m);
		msg_close_fds(&m);
	}
}

/* Sessions to be made; a reload, which later ones will see. */
static void
nursery_message(struct msg *m)
{
	if (m->type == NURSERY_SPAWN_EV)
		nursery_spawn(m);
	else if (m->type == CONF_BEGIN) {
		conf_free(nursery.next);
		nursery.next = conf_new();
		nursery.generation = m->body->conf_begin.generation;
	} else if (m->type == CONF_ITEM)
		conf_item_set(&m->body->conf_item);
	else if (m->type == CONF_END)
		conf_replace();
}

static void
conf_item_set(const struct conf_item *item)
{
	char		 key[65], value[8193];
	const char	*want;

	if (nursery.next == NULL ||
	    slice_cpy(item->key, key, sizeof(key)) == -1 ||
	    slice_cpy(item->value, value, sizeof(value)) == -1 ||
	    conf_set(nursery.next, key, item->index, value, &want) == -1)
		fatalx("configuration item %s refused",
		    log_text(item->key.p, item->key.n));
}

static void
conf_replace(void)
{
	struct proc_ready_ev	 ready = { .generation = nursery.generation };

	if (nursery.next == NULL)
		fatalx("CONF_END without CONF_BEGIN");
	conf_free(nursery.conf);
	nursery.conf = nursery.next;
	nursery.next = NULL;
	proc_log_level(nursery.conf);
	if (msg_send(PROC_FD_MAIN, PROC_READY_EV, 0, &ready, NULL, 0) == -1)
		fatal("channel to maild");
}

/* Until maild says something (1); reaps what has died (0). */
static int
nursery_wait(const sigset_t *mask)
{
	struct pollfd	 pfd = { .fd = PROC_FD_MAIN, .events = POLLIN };
	int		 n;

	n = ppoll(&pfd, 1, NULL, mask);
	if (n == -1 && errno != EINTR)
		fatal("ppoll");
	if (nursery.reap) {
		nursery.reap = 0;
		child_reap();
	}
	return (n == 1);
}

static void
nursery_spawn(struct msg *m)
{
	uint64_t	 grant = m->body->nursery_spawn_ev.grant;
	pid_t		 pid;

	if (nursery.nchild == CHILDREN_MAX) {
		log_warnx("nursery: %d sessions, no more", CHILDREN_MAX);
		nursery_exit_send(grant, 1 << 8);
		return;
	}
	switch (pid = fork()) {
	case -1:
		log_warn("nursery: fork");
		nursery_exit_send(grant, 1 << 8);
		log_flush();
		break;
	case 0:
		child_run(m);
	default:
		child_add(pid, grant);
		break;
	}
}

/* In the child: jail first, then the client. */
static void
child_run(struct msg *m)
{
	int	 sock = m->fd[1];
	int	 status;

	close(PROC_FD_MAIN);
	jail_enter_session(nursery.session, m->fd[0],
	    m->body->nursery_spawn_ev.uid, m->body->nursery_spawn_ev.gid);
	status = nursery.fn(sock, nursery.conf != NULL ? nursery.conf :
	    proc_conf());
	log_flush();
	_exit(status);
}

static void
child_add(pid_t pid, uint64_t grant)
{
	struct child	*c;
	size_t		 size;

	if (nursery.nchild == nursery.size) {
		size = nursery.size == 0 ? CHILDREN_FIRST : 2 * nursery.size;
		c = reallocarray(nursery.child, size, sizeof(*c));
		if (c == NULL)
			fatal("nursery: out of memory");
		nursery.child = c;
		nursery.size = size;
	}
	c = &nursery.child[nursery.nchild++];
	c->pid = pid;
	c->grant = grant;
}

static void
child_reap(void)
{
	pid_t	 pid;
	int	 status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_exit(pid, status);
	log_flush();
}

static void
child_exit(pid_t pid, int status)
{
	size_t	 i;

	for (i = 0; i < nursery.nchild; i++)
		if (nursery.child[i].pid == pid)
			break;
	if (i == nursery.nchild)
		return;
	if (WIFSIGNALED(status))
		log_warnx("nursery: session killed grant=%llu signal=%d",
		    (unsigned long long)nursery.child[i].grant,
		    WTERMSIG(status));
	nursery_exit_send(nursery.child[i].grant, (uint32_t)status);
	nursery.child[i] = nursery.child[--nursery.nchild];
}

static void
nursery_exit_send(uint64_t grant, uint32_t status)
{
	struct nursery_exit_ev	 e = { .grant = grant, .status = status };

	if (msg_send(PROC_FD_MAIN, NURSERY_EXIT_EV, 0, &e, NULL, 0) == -1)
		fatal("channel to maild");
}
