/*
 * nursery: forks a session when maild says so and puts it in its jail.  A
 * session whose client has left waits a moment for the next connection of
 * the same account (mail programs open several, one after the other), which
 * spares a fork and a jail; it is never another account's.
 * Runs with the first of the numbers that accounts have, which is nobody's,
 * and with the rights it takes to make a session: to change root, and to
 * become one of the others.  Beneath the store it may what they may; in the
 * rest of the system it can open nothing.  Its root is empty, no library is
 * loaded: what is not touched here need not be copied by fork.
 * It reads nothing but maild's messages and must never open anything.
 * BUGS: whoever took it over has the mail of every account whose session it
 * is asked for from then on.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "proc/impl.h"
#include "proc/nursery.h"
#include "proc/proc.h"

#define CHILDREN_FIRST	64
#define CHILDREN_MAX	65536	/* more than fronts may have connections */
#define IDLE_MAX	64	/* sessions that wait for their account */
#define IDLE_MS		2000	/* how long each does */
#define SERVE_MAX	1000	/* connections of one process */

struct child {
	pid_t		 pid;
	uid_t		 uid;
	dev_t		 dev;		/* of the directory it is in */
	ino_t		 ino;
	int		 hand;		/* where its next connection goes */
	uint64_t	 grant;
};

struct idle {
	pid_t		 pid;
	uint64_t	 until;		/* ms */
};

/* The child's stack and this struct are what fork has to copy: small. */
static struct {
	enum proc_role	 session;
	nursery_fn	 fn;
	struct conf	*next;		/* being received */
	uint32_t	 generation;
	struct child	*child;		/* not in any order */
	size_t		 nchild, size;
	struct idle	 idle[IDLE_MAX]; /* oldest first */
	size_t		 nidle;
	int		 done[2];	/* sessions tell here: client served */
	int		 store;		/* before the jail */
	volatile sig_atomic_t reap;
} nursery = { .store = -1 };

static void	nursery_file(enum conf_file_kind, uint16_t, struct slice, int);
static void	nursery_load(const struct conf *);
static void	on_sigchld(int);
static void	nursery_done_socket(void);
static int	nursery_wait(const sigset_t *);
static void	nursery_message(struct msg *);
static void	conf_replace(void);
static void	ping_answer(uint32_t);
static void	nursery_spawn(struct msg *);
static bool	idle_take(struct msg *);
static void	idle_add(pid_t);
static void	idle_drop(size_t);
static void	idle_expire(uint64_t);
static void	idle_read(void);
static struct child *child_find(pid_t);
static void	child_run(struct msg *, int) __attribute__((noreturn));
static void	child_keep(int *, size_t);
static int	child_next(int, struct quota *);
static void	child_add(pid_t, struct msg *, int);
static void	child_reap(void);
static void	child_exit(pid_t, int);
static void	nursery_exit_send(uint64_t, uint32_t);

static void
nursery_file(enum conf_file_kind kind, uint16_t index, struct slice name,
    int fd)
{
	if (kind != FILE_STORE)
		fatalx("a file that is not for this role");
	nursery.store = fd;
}

/* Account 0 is nobody's; its number is our own. */
static void
nursery_load(const struct conf *conf)
{
	uid_t	 base = conf->proc.uid_base;

	sandbox_sessions(nursery.store, base + 1,
	    base + conf->proc.uid_count - 1);
}

static void
on_sigchld(int sig)
{
	nursery.reap = 1;
}

int
nursery_main(enum proc_role id, enum proc_role session, nursery_fn fn,
    int argc, char *const *argv)
{
	static uint8_t	 buf[MSG_MAX];
	struct role	 role = { .id = id, .file = nursery_file,
			    .load = nursery_load };
	struct sigaction sa = { .sa_handler = on_sigchld,
			    .sa_flags = SA_NOCLDSTOP };
	sigset_t	 block, none;
	union msg_body	 body;
	struct msg	 m = { .body = &body };
	int		 n;

	proc_words(id, argc, argv);
	nursery.session = session;
	nursery.fn = fn;
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &none);
	sigaction(SIGCHLD, &sa, NULL);

	nursery_done_socket();
	proc_begin(&role);
	for (;;) {
		if (nursery_wait(&none) == 0)
			continue;
		n = msg_recv(PROC_FD_MAIN, CHAN_MAIN, SIDE_A, buf, &m, -1);
		if (n == 0)
			return 0;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fatal("channel to maild");
		if (m.type == PROC_STOP_EV)
			return 0;
		nursery_message(&m);
		msg_close_fds(&m);
	}
}

/* Datagrams with the sender's pid, which only the kernel can write. */
static void
nursery_done_socket(void)
{
	int	 on = 1;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    nursery.done) == -1 || setsockopt(nursery.done[0], SOL_SOCKET,
	    SO_PASSCRED, &on, sizeof(on)) == -1)
		fatal("nursery: socket");
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
	} else if (m->type == CONF_ITEM) {
		if (nursery.next == NULL)
			fatalx("CONF_ITEM outside CONF_BEGIN");
		proc_conf_item(nursery.next, &m->body->conf_item);
	} else if (m->type == CONF_END)
		conf_replace();
	else if (m->type == PROC_PING)
		ping_answer(m->id);
}

static void
ping_answer(uint32_t id)
{
	struct proc_ping_r	 r = { 1 };

	if (msg_send(PROC_FD_MAIN, PROC_PING_R, id, &r, NULL, 0) == -1)
		fatal("channel to maild");
}

static void
conf_replace(void)
{
	struct proc_ready_ev	 ready = proc_ready(nursery.generation);

	if (nursery.next == NULL)
		fatalx("CONF_END without CONF_BEGIN");
	conf_free(proc_conf_use(nursery.next));
	nursery.next = NULL;
	proc_log_level(proc_conf());
	while (nursery.nidle > 0)		/* they have the old one */
		idle_drop(0);
	if (msg_send(PROC_FD_MAIN, PROC_READY_EV, 0, &ready, NULL, 0) == -1)
		fatal("channel to maild");
}

/* Until maild says something (1); reaps what has died (0). */
static int
nursery_wait(const sigset_t *mask)
{
	const struct timespec	 step = { .tv_nsec = 500000000 };
	struct pollfd		 pfd[2] = {
		{ .fd = PROC_FD_MAIN, .events = POLLIN },
		{ .fd = nursery.done[0], .events = POLLIN }
	};
	int			 n;

	n = ppoll(pfd, 2, nursery.nidle > 0 ? &step : NULL, mask);
	if (n == -1 && errno != EINTR)
		fatal("ppoll");
	if (nursery.reap) {
		nursery.reap = 0;
		child_reap();
	}
	if (n > 0 && pfd[1].revents != 0)
		idle_read();
	if (nursery.nidle > 0)
		idle_expire(now_ms());
	return n > 0 && pfd[0].revents != 0;
}

static void
nursery_spawn(struct msg *m)
{
	const struct nursery_spawn_ev	*ev = &m->body->nursery_spawn_ev;
	int				 hand[2];
	pid_t				 pid;

	if (idle_take(m))
		return;
	if (nursery.nchild == CHILDREN_MAX) {
		log_warnx("nursery: %d sessions, no more", CHILDREN_MAX);
		nursery_exit_send(ev->grant, 1 << 8);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hand) == -1) {
		log_warn("nursery: socketpair");
		nursery_exit_send(ev->grant, 1 << 8);
		log_flush();
		return;
	}
	switch (pid = fork()) {
	case -1:
		log_warn("nursery: fork");
		nursery_exit_send(ev->grant, 1 << 8);
		log_flush();
		close(hand[0]);
		break;
	case 0:
		close(hand[0]);
		child_run(m, hand[1]);
	default:
		child_add(pid, m, hand[0]);
		break;
	}
	close(hand[1]);
}

/* ---- sessions that wait for their account -------------------------------- */

/* Give the connection to a session that waits in that account's directory:
 * the very one, for another may have been put in its place. */
static bool
idle_take(struct msg *m)
{
	const struct nursery_spawn_ev	*ev = &m->body->nursery_spawn_ev;
	struct stat			 sb;
	struct child			*c;
	size_t				 i;

	if (nursery.nidle == 0 || fstat(m->fd[0], &sb) == -1)
		return false;
	for (i = nursery.nidle; i-- > 0; ) {
		c = child_find(nursery.idle[i].pid);
		if (c != NULL && (c->uid != ev->uid || c->dev != sb.st_dev ||
		    c->ino != sb.st_ino))
			continue;
		memmove(&nursery.idle[i], &nursery.idle[i + 1],
		    (--nursery.nidle - i) * sizeof(nursery.idle[0]));
		if (c == NULL || msg_send(c->hand, NURSERY_SPAWN_EV, 0, ev,
		    m->fd, 2) == -1)
			continue;
		c->grant = ev->grant;
		return true;
	}
	return false;
}

static void
idle_add(pid_t pid)
{
	struct child	*c = child_find(pid);
	size_t		 i;

	for (i = 0; i < nursery.nidle; i++)
		if (nursery.idle[i].pid == pid)
			return;
	if (c == NULL || c->hand == -1 || c->ino == 0)
		return;
	if (nursery.nidle == IDLE_MAX)
		idle_drop(0);
	nursery.idle[nursery.nidle++] = (struct idle){ pid,
	    now_ms() + IDLE_MS };
}

/* It waits no longer: without its hand it ends. */
static void
idle_drop(size_t i)
{
	struct child	*c = child_find(nursery.idle[i].pid);

	if (c != NULL && c->hand != -1) {
		close(c->hand);
		c->hand = -1;
	}
	memmove(&nursery.idle[i], &nursery.idle[i + 1],
	    (--nursery.nidle - i) * sizeof(nursery.idle[0]));
}

static void
idle_expire(uint64_t now)
{
	while (nursery.nidle > 0 && nursery.idle[0].until <= now)
		idle_drop(0);
}

/* Who says that its client is served is told by the kernel. */
static void
idle_read(void)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(struct ucred))]; } c;
	char		 octet;
	struct iovec	 iov = { .iov_base = &octet, .iov_len = 1 };
	struct msghdr	 mh;
	struct ucred	 who;
	int		 n;

	for (n = 0; n < IDLE_MAX; n++) {
		mh = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1,
		    .msg_control = c.b, .msg_controllen = sizeof(c.b) };
		if (recvmsg(nursery.done[0], &mh, MSG_DONTWAIT) == -1)
			return;
		if (CMSG_FIRSTHDR(&mh) == NULL ||
		    c.h.cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(&c.h), sizeof(who));
		idle_add(who.pid);
	}
}

/* ---- children ------------------------------------------------------------ */

/* In the child: jail first, then the client, then the next one's. */
static void
child_run(struct msg *m, int hand)
{
	const struct nursery_spawn_ev	*ev = &m->body->nursery_spawn_ev;
	struct quota	 quota = { ev->octets, ev->messages };
	int	 sock = m->fd[1], root, served = 0;
	int	 status;

	log_last_words(NULL);		/* maild hears of the nursery alone */
	child_keep((int[]){ STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
	    PROC_FD_LOG, m->fd[0], m->fd[1], nursery.done[1], hand }, 8);
	jail_enter_session(nursery.session, m->fd[0],
	    ev->uid, ev->gid);
	root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	do {
		status = nursery.fn(sock, proc_conf(), &quota);
		close(sock);
		log_flush();
	} while (status == 0 && ++served < SERVE_MAX && root != -1 &&
	    fchdir(root) == 0 && (sock = child_next(hand, &quota)) != -1);
	_exit(status);
}

/*
 * All else goes: the channel to maild, and the hands of its siblings, through
 * which it could become a client of theirs, and which would keep those that
 * the nursery lets go of.
 */
static void
child_keep(int *fd, size_t n)
{
	int	 from = 0, next;
	size_t	 i;

	do {
		next = INT_MAX;
		for (i = 0; i < n; i++)
			if (fd[i] >= from && fd[i] < next)
				next = fd[i];
		if (next > from && close_range((unsigned int)from,
		    (unsigned int)next - (next < INT_MAX), 0) == -1)
			fatal("close_range");
		from = next < INT_MAX ? next + 1 : next;
	} while (next < INT_MAX);
}

/* The channel of the next connection and the account's quota now, or -1:
 * there is none. */
static int
child_next(int hand, struct quota *quota)
{
	static uint8_t	 buf[MSG_MAX];
	union msg_body	 body;
	struct msg	 m = { .body = &body };

	if (send(nursery.done[1], "", 1, MSG_NOSIGNAL) == -1 ||
	    msg_recv(hand, CHAN_MAIN, SIDE_A, buf, &m, -1) != 1)
		return -1;
	close(m.fd[0]);
	*quota = (struct quota){ body.nursery_spawn_ev.octets,
	    body.nursery_spawn_ev.messages };
	return m.fd[1];
}

static struct child *
child_find(pid_t pid)
{
	size_t	 i;

	for (i = 0; i < nursery.nchild; i++)
		if (nursery.child[i].pid == pid)
			return &nursery.child[i];
	return NULL;
}

static void
child_add(pid_t pid, struct msg *m, int hand)
{
	const struct nursery_spawn_ev	*ev = &m->body->nursery_spawn_ev;
	struct stat			 sb;
	struct child			*c;
	size_t				 size;

	if (nursery.nchild == nursery.size) {
		size = nursery.size == 0 ? CHILDREN_FIRST : 2 * nursery.size;
		c = reallocarray(nursery.child, size, sizeof(*c));
		if (c == NULL)
			fatal("nursery: out of memory");
		nursery.child = c;
		nursery.size = size;
	}
	c = &nursery.child[nursery.nchild++];
	*c = (struct child){ .pid = pid, .uid = ev->uid, .hand = hand,
	    .grant = ev->grant };
	if (fstat(m->fd[0], &sb) == 0) {
		c->dev = sb.st_dev;
		c->ino = sb.st_ino;	/* 0: it waits for nobody */
	}
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
	struct child	*c = child_find(pid);
	size_t		 i;

	if (c == NULL)
		return;
	if (WIFSIGNALED(status))
		log_warnx("nursery: session killed grant=%llu signal=%d",
		    (unsigned long long)c->grant, WTERMSIG(status));
	nursery_exit_send(c->grant, (uint32_t)status);
	for (i = 0; i < nursery.nidle; i++)
		if (nursery.idle[i].pid == pid) {
			idle_drop(i);
			break;
		}
	if (c->hand != -1)
		close(c->hand);
	*c = nursery.child[--nursery.nchild];
}

static void
nursery_exit_send(uint64_t grant, uint32_t status)
{
	struct nursery_exit_ev	 e = { .grant = grant, .status = status };

	if (msg_send(PROC_FD_MAIN, NURSERY_EXIT_EV, 0, &e, NULL, 0) == -1)
		fatal("channel to maild");
}
