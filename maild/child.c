/*
 * The processes of the house: fork and exec, the channel to each, what
 * happens when one dies.  Run by maild as root; a child gets fd 3 (channel)
 * and fd 4 (log) and nothing else, and drops its rights itself
 * (common/proc/proc.c) before anything from outside reaches it.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/build.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define FAST_MS		3000	/* a shorter life counts against it */
#define DELAY_MIN	250	/* ms, doubled each time */
#define DELAY_MAX	30000
#define SLOW_MS		20000	/* not ready after it: others go on */
#define LISTEN_MS	5000	/* a front waits so long for its neighbours */
#define OLD_STOP_MS	2000	/* for a generation that was replaced */
#define MAIN_BUFFER	(256 * 1024)

static void	 child_exec(struct child *, int, int)
		    __attribute__((noreturn));
static void	 child_died(struct child *, int);
static void	 child_again(struct child *, bool);
static void	 child_timer(struct child *, unsigned int);
static void	 child_free(struct child *);
static void	 child_tried(struct child *, bool);
static void	 child_last_words(struct child *);
static void	 on_ready(struct chan *, struct msg *, void *);
static void	 on_fatal(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_timer(evutil_socket_t, short, void *);

/* What each role may say to maild: nothing else is let through. */
#define COMMON_HANDLERS							\
	{ PROC_READY_EV,	on_ready },				\
	{ PROC_IMPAIRED_EV,	impaired_on_ev },			\
	{ PROC_GONE_EV,		graph_on_gone },			\
	{ PROC_FATAL_EV,	on_fatal }
static const struct chan_handler plain_handlers[] = {
	COMMON_HANDLERS,
	{ MAIN_ROW_EV,		control_on_row },
};
static const struct chan_handler authd_handlers[] = {
	COMMON_HANDLERS,
	{ MAIN_ROW_EV,		control_on_row },
	{ GRANT_OPEN_EV,	grant_on_open },
	{ GRANT_REVOKE_EV,	grant_on_revoke },
	{ GRANT_QUOTA_EV,	grant_on_quota },
	{ ACCOUNT_CREATE,	account_on_create },
	{ ACCOUNT_STATE,	account_on_state },
	{ ACCOUNT_CLOSED_EV,	account_on_closed },
};
static const struct chan_handler deliver_handlers[] = {
	COMMON_HANDLERS,
	{ MAIN_ROW_EV,		control_on_row },
	{ STORE_WANT_EV,	round_on_want },
};
static const struct chan_handler dkim_handlers[] = {
	COMMON_HANDLERS,
	{ MAIN_ROW_EV,		control_on_row },
	{ DKIM_SEEN_EV,		dkim_on_seen },
};
static const struct chan_handler front_handlers[] = {
	COMMON_HANDLERS,
	{ MAIN_ROW_EV,		control_on_row },
	{ GRANT_AGAIN_EV,	grant_on_again },
	{ GRANT_PARK_EV,	grant_on_park },
	{ GRANT_RELEASE_EV,	grant_on_release },
};
static const struct chan_handler nursery_handlers[] = {
	COMMON_HANDLERS,
	{ NURSERY_EXIT_EV,	grant_on_exit },
};
static const struct chan_handler runs_handlers[] = {
	COMMON_HANDLERS,
	{ NURSERY_EXIT_EV,	run_on_exit },
};

static const struct {
	const struct chan_handler *row;
	size_t			 n;
} says[] = {
#define SAYS(handlers)	{ handlers, NITEMS(handlers) }
	[SAYS_PLAIN] =		SAYS(plain_handlers),
	[SAYS_ACCOUNTS] =	SAYS(authd_handlers),
	[SAYS_LOGS] =		SAYS(deliver_handlers),
	[SAYS_KEYS] =		SAYS(dkim_handlers),
	[SAYS_FRONT] =		SAYS(front_handlers),
	[SAYS_SESSIONS] =	SAYS(nursery_handlers),
	[SAYS_RUNS] =		SAYS(runs_handlers),
#undef SAYS
};

static unsigned int
cores(unsigned int wanted)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted != 0)
		return wanted;
	return n < 1 ? 1 : n > INSTANCES_MAX ? INSTANCES_MAX : (unsigned int)n;
}

unsigned int
child_wanted(const struct conf *c, enum proc_role role)
{
	/* the words of a row's count */
#define NONE		0
#define ONE		1
#define MANY(field)	c->field
#define CORES(field)	cores(c->field)
#define COUNT(NAME, no, name, program, user, root, whose, may, memory,	\
    count, ...)								\
	case ROLE_##NAME: return count;
	switch (role) {
	ROLE_LIST(COUNT)
	case ROLE_MAX:
		break;
	}
	return 0;
#undef NONE
#undef ONE
#undef MANY
#undef CORES
#undef COUNT
}

struct child *
child_new(struct house *h, enum proc_role role, uint16_t instance)
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->house = h;
	c->role = role;
	c->instance = instance;
	c->state = CHILD_WAITING;
	c->current = true;
	if ((c->timer = evtimer_new(h->base, on_timer, c)) == NULL)
		fatalx("child: no event");
	TAILQ_INSERT_TAIL(&h->children, c, entry);
	return c;
}

static void
child_free(struct child *c)
{
	impaired_forget(c);
	TAILQ_REMOVE(&c->house->children, c, entry);
	event_free(c->timer);
	free(c);
}

/* ---- start --------------------------------------------------------------- */

static void
child_unstarted(struct child *c, const char *what)
{
	int error = errno;

	log_warn("start name=%s: %s", proc_name(c->role), what);
	child_again(c, true);
	errno = error;
	if (c->current)
		absent_unstarted(c, what);
}

void
child_start(struct child *c, const struct conf *conf,
    const struct files *files)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct house *h = c->house;
	enum role_says say;
	int sv[2], *log;

	if (c->restarts > 0)
		share_log_renew(h, c->role, c->instance);
	log = share_log(h, c->role, c->instance);
	c->started = now_ms();
	c->listening = false;
	c->words[0] = '\0';
	if (log == NULL || graph_pair(sv, MAIN_BUFFER) == -1) {
		child_unstarted(c, "socketpair");
		return;
	}
	log_flush();
	if ((c->pid = fork()) == 0)
		child_exec(c, sv[1], log[0]);
	close(sv[1]);
	if (c->pid == -1) {
		c->pid = 0;
		child_unstarted(c, "fork");
		close(sv[0]);
		return;
	}
	c->state = CHILD_STARTING;
	if (c->current)
		child_timer(c, SLOW_MS);
	say = role_row(c->role)->says;
	c->chan = chan_new(h->base, sv[0], CHAN_MAIN, SIDE_A, says[say].row,
	    says[say].n, &ops, c);
	share_send(c, conf, files, false);
	log_debug("start name=%s instance=%u pid=%d", proc_name(c->role),
	    c->instance, (int)c->pid);
}

/* In the child: the two descriptors to their places, all else closed. */
static void
child_exec(struct child *c, int mainfd, int logfd)
{
	struct house *h = c->house;
	const char *argv[3] = { proc_program(c->role), NULL, NULL };
	char *envp[3] = { NULL, NULL, NULL };
	sigset_t none;
	int n = 0, out = h->foreground ? STDERR_FILENO : h->null;

	if (c->role == ROLE_SIGND_TLS || c->role == ROLE_SIGND_DKIM)
		argv[1] = c->role == ROLE_SIGND_TLS ? "tls" : "dkim";
#ifdef MAILD_SANITIZE
	static char asan[1024], ubsan[1024];
	static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS" };
	char *bufs[] = { asan, ubsan };

	for (size_t i = 0; i < NITEMS(names); i++)
		if (getenv(names[i]) != NULL) {
			snprintf(bufs[i], sizeof(asan), "%s=%s", names[i],
			    getenv(names[i]));
			envp[n++] = bufs[i];
		}
#endif
	envp[n] = NULL;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	if ((mainfd = fcntl(mainfd, F_DUPFD, 10)) == -1 ||
	    (logfd = fcntl(logfd, F_DUPFD, 10)) == -1 ||
	    dup2(h->null, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 ||
	    dup2(out, STDERR_FILENO) == -1 ||
	    dup2(mainfd, PROC_FD_MAIN) == -1 ||
	    dup2(logfd, PROC_FD_LOG) == -1 || chdir("/") == -1)
		_exit(126);
	program_start(h, c->role, PROC_FD_LOG + 1, argv, envp);
}

/* ---- messages ------------------------------------------------------------ */

/* maild makes every channel, so it alone has to look at builds. */
static bool
child_is_ours(struct child *c, const struct proc_ready_ev *ev)
{
	char other[BUILD_TEXT_MAX], own[BUILD_TEXT_MAX];

	if (build_same(ev->build)) {
		impaired_over(c->house, c, "build");
		return true;
	}
	impaired_set(c->house, c, "build", "its program is of another build, "
	    "%s; maild is of %s; install one of them whole and restart maild",
	    build_text(ev->release, ev->build, other),
	    build_text(build_release, slice_str(build_id), own));
	return false;
}

static void
on_ready(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;

	if (c->pid == 0)
		return;			/* dead meanwhile */
	if (!child_is_ours(c, &m->body->proc_ready_ev)) {
		kill(c->pid, SIGKILL);
		return;
	}
	if (c->state != CHILD_STARTING)
		return;			/* a reload was taken over */
	c->state = CHILD_READY;
	c->absent = false;
	log_debug("ready name=%s instance=%u ms=%llu", proc_name(c->role),
	    c->instance, (unsigned long long)(now_ms() - c->started));
	if (!c->current)
		child_tried(c, true);
	else {
		if (c->role == ROLE_LOGD && !c->house->logs_held)
			share_logs(c->house);
		if (c->role == ROLE_DELIVER)
			account_tell(c);
		graph_ready(c);
		child_timer(c, c->listening ? FAST_MS : LISTEN_MS);
	}
}

/* One of a new generation, or of maild -n. */
static void
child_tried(struct child *c, bool ready)
{
	if (c->house->tried != NULL)
		c->house->tried(c, ready);
	else
		reload_child(c, ready);
}

/* Its last words, for who asks why it is not there. */
static void
on_fatal(struct chan *chan, struct msg *m, void *arg)
{
	struct child *c = arg;
	struct slice text = m->body->proc_fatal_ev.text;

	slice_cpy(slice_of(text.p, text.n < sizeof(c->words) ? text.n :
	    sizeof(c->words) - 1), c->words, sizeof(c->words));
}

/* The channel ended: the process is dead or broke the rules, then it dies
 * now; what follows is in child_died. */
static void
on_gone(struct chan *chan, void *arg)
{
	struct child *c = arg;

	c->chan = NULL;
	if (c->pid != 0 && c->state != CHILD_STOPPING)
		kill(c->pid, SIGKILL);
}

/* ---- the end ------------------------------------------------------------- */

void
child_discard(struct child *c)
{
	if (c->pid == 0) {
		child_free(c);
		return;
	}
	c->state = CHILD_STOPPING;
	kill(c->pid, SIGKILL);
}

void
child_stop(struct child *c, unsigned int ms)
{
	struct proc_stop_ev ev = { 0 };

	c->state = CHILD_STOPPING;
	event_del(c->timer);
	if (c->pid == 0)
		return;
	if (c->chan == NULL)
		kill(c->pid, SIGKILL);
	else
		chan_send(c->chan, PROC_STOP_EV, &ev, NULL, 0);
	child_timer(c, ms);
}

static void
child_timer(struct child *c, unsigned int ms)
{
	const struct timeval tv = { ms / 1000, (int)(ms % 1000) * 1000 };

	event_add(c->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short ev, void *arg)
{
	struct child *c = arg;

	if (c->house->stop != NULL && c->pid == 0)
		c->state = CHILD_STOPPING;
	else if (c->state == CHILD_WAITING)
		child_start(c, c->house->conf, c->house->files);
	else if (c->state == CHILD_READY && !c->current)
		child_stop(c, OLD_STOP_MS);
	else if (c->state == CHILD_READY && c->listening)
		absent_over(c);
	else if (c->state == CHILD_READY) {
		share_listeners(c);	/* whoever of them is missing */
		child_timer(c, FAST_MS);
		graph_listen(c->house);
	} else if (c->state == CHILD_STARTING)
		absent_slow(c, SLOW_MS / 1000);
	else if (c->state == CHILD_STOPPING && c->pid != 0) {
		log_warnx("does not stop, killed name=%s instance=%u pid=%d",
		    proc_name(c->role), c->instance, (int)c->pid);
		kill(c->pid, SIGKILL);
	}
}

/* At first at once, then later and later while it keeps dying young. */
static void
child_again(struct child *c, bool young)
{
	uint64_t ms = 0;

	if (!c->current) {		/* reload sees that it never comes */
		c->state = CHILD_STOPPING;
		return;
	}
	c->fast = young || now_ms() - c->started < FAST_MS ? c->fast + 1 : 0;
	if (c->fast > 1)
		ms = c->fast > 9 ? DELAY_MAX :
		    (uint64_t)DELAY_MIN << (c->fast - 2);
	if (ms > DELAY_MAX)
		ms = DELAY_MAX;
	c->state = CHILD_WAITING;
	c->restarts++;
	c->again = now_ms() + ms;
	child_timer(c, (unsigned int)ms);
}

static void
child_log_death(const struct child *c, int status)
{
	const char *what = WIFSIGNALED(status) ? "signal" : "status";
	const char *how = "";
	int n = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (n == 127)
		how = " (its program could not be run)";
	else if (c->state == CHILD_STARTING)
		how = " (before it was ready)";
	log_warnx("died name=%s instance=%u pid=%d %s=%d%s lived=%llums",
	    proc_name(c->role), c->instance, (int)c->pid, what, n, how,
	    (unsigned long long)(now_ms() - c->started));
}

/* Before the house is up nobody reads a log: tell it on our stderr. */
static void
child_last_words(struct child *c)
{
	static uint8_t buf[MSG_MAX];
	int fd = c->house->log[c->role][c->instance][1];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		for (size_t off = 0; off + 3 < (size_t)n;) {
			size_t len = buf[off + 1] | (size_t)buf[off + 2] << 8;

			if (len > (size_t)n - off - 3)
				break;
			log_warnx("%s says: %.*s", proc_name(c->role),
			    (int)len, (const char *)buf + off + 3);
			off += 3 + len;
		}
}

static void
child_died(struct child *c, int status)
{
	struct house *h = c->house;
	bool expected = c->state == CHILD_STOPPING;
	bool young = c->state == CHILD_STARTING;

	if (expected)
		log_debug("ended name=%s instance=%u pid=%d",
		    proc_name(c->role), c->instance, (int)c->pid);
	else
		child_log_death(c, status);
	c->pid = 0;
	c->died = true;
	c->exit = status;
	event_del(c->timer);
	chan_last(c->chan);
	c->chan = NULL;
	alive_died(c);
	impaired_died(c);
	if (role_row(c->role)->says == SAYS_FRONT)
		grant_front_died(h, c->role, c->instance);
	if (!c->current) {
		if (!expected)
			child_tried(c, false);
		child_free(c);
		stop_child(h);
		return;
	}
	if (expected || h->stop != NULL) {
		c->state = CHILD_STOPPING;
		stop_child(h);
		return;
	}
	child_again(c, young);
	if (h->starting && young)
		child_last_words(c);
	absent_died(c, young);
}

/* One that died, or NULL. */
static struct child *
child_dead(struct house *h, int *status)
{
	struct child *c;

	TAILQ_FOREACH(c, &h->children, entry)
		if (c->pid != 0 && waitpid(c->pid, status, WNOHANG) == c->pid)
			break;
	return c;
}

/* From the start after each: the end of a reload frees others as well. */
void
child_reap(struct house *h)
{
	struct child *c;
	int status;

	while ((c = child_dead(h, &status)) != NULL)
		child_died(c, status);
}
