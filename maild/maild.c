/*
 * maild: the root master.  Reads the configuration, binds the listeners,
 * starts every process of the house with what it needs and no more, joins
 * them by socket pairs, starts them again when they die.  It never parses
 * an octet from the network and sees no password, message or private key.
 */
#include "base/compat.h"

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/conf_yaml.h"
#include "maild/maild.h"

#define UP_SECONDS	60		/* the caller waits no longer */
#define HOLD_SECONDS	10		/* then the log is written anyway */
#define NOFILE_SPARE	2048		/* descriptors beyond connections */

static void	 refuse(const char *) __attribute__((noreturn));
static void	 runs_already(const struct conf *, pid_t)
		    __attribute__((noreturn));
static void	 daemonize(struct house *);
static void	 lock_pid(const struct conf *);
static void	 raise_limits(const struct conf *);
static void	 start(struct house *);
static void	 start_children(struct house *);
static void	 on_signal(evutil_socket_t, short, void *);
static void	 on_hold(evutil_socket_t, short, void *);

int
house_check(struct house *h)
{
	struct findings *f = xcalloc(1, sizeof(*f));
	struct files *files;
	int status;

	finding_begin(f, h, h->conf);
	if (geteuid() == 0) {
		files = look_all(f, look_running(h->conf));
		if (files != NULL)
			trial_run(f, files);
		files_free(files);
	} else {
		look_open(f);
		log_warnx("not looked at, for only root can: users, "
		    "directories, certificates and keys, ports");
	}
	finding_log(f);
	status = f->status;
	if (status == EX_OK && f->nwarned == 0)
		fprintf(stderr, "%s: configuration is right\n", h->conffile);
	else if (status == EX_OK)
		fprintf(stderr, "%s: configuration is right, with %u "
		    "warning%s\n", h->conffile, f->nwarned, f->nwarned == 1 ?
		    "" : "s");
	else
		fprintf(stderr, "%s: maild would not start, for %u thing%s to "
		    "be mended (status %d)\n", h->conffile, f->nwrong,
		    f->nwrong == 1 ? " has" : "s have", status);
	free(f);
	return status;
}

int
house_mend(struct house *h, bool dry)
{
	char err[8192];

	if (geteuid() != 0)
		fatalx("owners can be seen and mended by root alone");
	if (directory_users(h, err, sizeof(err)) == -1)
		refuse(err);
	return owner_mend(h, dry);
}

int
house_adopt(const struct house *h, char **dirs)
{
	char text[8192];
	int status = EX_OK;

	for (; *dirs != NULL; dirs++) {
		if (mark_adopt(h->conf, *dirs, text, sizeof(text)) == -1)
			status = EX_CONFIG;
		fprintf(stderr, "maild: %s\n", text);
	}
	return status;
}

struct conf *
conf_read(const char *path)
{
	struct conf_errors *errors = xcalloc(1, sizeof(*errors));
	struct conf *conf = conf_yaml_load(path, errors);

	if (conf == NULL) {
		fputs(errors->text, stderr);
		exit(EX_CONFIG);
	}
	free(errors);
	return conf;
}

/* ---- start --------------------------------------------------------------- */

/* Whoever started us waits until every process is ready or one is not, so
 * that the exit status means something. */
static void
wait_for_up(pid_t pid, int fd)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	char c;
	int n, status;

	while ((n = poll(&pfd, 1, UP_SECONDS * 1000)) == -1 && errno == EINTR)
		;
	if (n == 0) {
		fprintf(stderr, "maild: not everything is ready after %d s; "
		    "the log tells more\n", UP_SECONDS);
		_exit(EX_TEMPFAIL);
	}
	if (read(fd, &c, 1) == 1)
		_exit(0);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) != 0)
		_exit(WEXITSTATUS(status));
	_exit(EX_UNAVAILABLE);
}

static void
daemonize(struct house *h)
{
	int fds[2];
	pid_t pid;

	/* 0, 1 and 2 are open, whoever started us */
	do {
		if ((h->null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
			fatal("/dev/null");
	} while (h->null <= STDERR_FILENO && dup(h->null) != -1);
	umask(022);
	if (chdir("/") == -1)
		fatal("chdir /");
	if (h->foreground)
		return;
	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fatal("becoming a daemon");
	if (pid != 0) {
		close(fds[1]);
		wait_for_up(pid, fds[0]);
	}
	close(fds[0]);
	h->notify = fds[1];
	if (setsid() == -1)
		fatal("setsid");
}

static void
tell_condition(const char *line, bool mild, void *arg)
{
	log_warnx("up, %s: %s", mild ? "warning" : "but impaired", line);
}

/* What was told on stderr alone, so far, is for the log too. */
static void
tell_up(const struct house *h)
{
	log_notice("up hostname=%s pid=%d", h->conf->hostname, (int)getpid());
	log_lines(log_warnx, "", h->told);
	impaired_each(h, tell_condition, NULL);
}

static void
house_up(struct house *h)
{
	int *log;

	h->starting = h->first = false;
	share_logs(h);
	tell_up(h);
	if (h->debug)
		return;
	if ((log = share_log(h, ROLE_MAILD, 0)) == NULL)
		log_warn("log socket: maild itself writes here");
	else {
		log_init("maild", log[0]);
		tell_up(h);
	}
	if (h->foreground)
		return;
	if (write(h->notify, "", 1) == -1)
		log_warn("telling who started us");
	close(h->notify);
	h->notify = -1;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(h->null, fd) == -1)
			log_warn("dup2");
}

static void
runs_already(const struct conf *conf, pid_t pid)
{
	fatalx("maild runs already (process %d, %s); stop it: mailctl stop",
	    (int)pid, conf->dir.pid);
}

/* The lock is held by the open file until maild is dead. */
static void
lock_pid(const struct conf *conf)
{
	char text[32] = "";
	int fd = open(conf->dir.pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0644);

	if (fd == -1)
		fatal("%s", conf->dir.pid);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		runs_already(conf, look_running(conf));
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (pwrite_all(fd, text, strlen(text), 0) == -1 ||
	    ftruncate(fd, (off_t)strlen(text)) == -1)
		fatal("%s", conf->dir.pid);
}

/* Every connection is two descriptors in a front: its own, and its session's
 * or, when that is parked, what wakes it; every session is one in maild. */
static void
raise_limits(const struct conf *conf)
{
	rlim_t want = 2 * (rlim_t)(conf->smtp.max_connections +
	    conf->imap.max_connections) + NOFILE_SPARE;
	rlim_t sessions = (rlim_t)conf->imap.max_connections *
	    child_wanted(conf, ROLE_IMAPD) + conf->pop3.max_connections;
	struct rlimit r;

	if (sessions > GRANTS_MAX)
		sessions = GRANTS_MAX;
	if (want < sessions + NOFILE_SPARE)
		want = sessions + NOFILE_SPARE;
	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	if (r.rlim_max > want)
		want = r.rlim_max;
	r.rlim_cur = r.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
		log_warnx("at most %llu descriptors; %llu would be right for "
		    "this configuration; raise the limit of who starts maild "
		    "or lower max-connections",
		    (unsigned long long)r.rlim_cur, (unsigned long long)want);
	}
}

/* The operator has to mend something first: a supervisor need not try. */
static void
refuse(const char *text)
{
	log_lines(log_errorx, "", text);
	exit(EX_CONFIG);
}

/* All that can be wrong is found here, before anything is touched. */
static void
look(struct house *h)
{
	struct findings *f = xcalloc(1, sizeof(*f));
	pid_t running = look_running(h->conf);
	int status;

	if (running != 0)
		runs_already(h->conf, running);
	finding_begin(f, h, h->conf);
	files_free(look_all(f, 0));
	finding_log(f);
	h->told = xstrdup(f->warned);
	status = f->status;
	free(f);
	if (status != EX_OK)
		exit(status);
}

static void
start(struct house *h)
{
	char err[8192];

	look(h);
	if (directory_make(h, h->conf, err, sizeof(err)) == -1)
		refuse(err);
	lock_pid(h->conf);
	if (mark_adopt_all(h->conf, err, sizeof(err)) == -1)
		refuse(err);
	programs_open(h);
	raise_limits(h->conf);
	files_resolvers(h->conf);
	dkim_begin(h);
	if ((h->files = files_load(h, h->conf, err, sizeof(err))) == NULL ||
	    files_ticket(h, h->secret_ticket, err, sizeof(err)) == -1)
		refuse(err);
	if (listen_open(h->conf, h->listen, NULL, NULL, err, sizeof(err)) ==
	    -1) {
		log_lines(log_errorx, "", err); /* another may go: try again */
		exit(EX_UNAVAILABLE);
	}
	if ((h->storefd = open(h->conf->dir.store, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1)
		fatal("%s", h->conf->dir.store);
	random_bytes(h->secret_rcpt, sizeof(h->secret_rcpt));
	random_bytes(h->secret_sender, sizeof(h->secret_sender));
	ticket_init(h);
	grant_init(h);
	run_init(h);
	round_init(h);
	account_init(h);
	if (control_open(h, err, sizeof(err)) == -1)
		refuse(err);
}

static void
start_children(struct house *h)
{
	for (int r = ROLE_LOGD; r < ROLE_MAX; r++)
		for (unsigned int i = 0; i < child_wanted(h->conf,
		    (enum proc_role)r); i++)
			child_new(h, (enum proc_role)r, (uint16_t)i);
	for (struct child *c = TAILQ_FIRST(&h->children); c != NULL;
	    c = TAILQ_NEXT(c, entry))
		child_start(c, h->conf, h->files);
}

/* ---- run ----------------------------------------------------------------- */

static void
on_signal(evutil_socket_t sig, short ev, void *arg)
{
	struct house *h = arg;

	if (sig == SIGCHLD)
		child_reap(h);
	else if (sig == SIGHUP)
		reload_begin(h, NULL);
	else
		stop_begin(h, 0);
}

static void
on_hold(evutil_socket_t fd, short ev, void *arg)
{
	struct house *h = arg;

	if (h->logs_held)
		share_logs(h);
}

int
house_run(struct house *h)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM };
	const struct timeval hold = { HOLD_SECONDS, 0 };
	struct event *ev[NITEMS(signals)];

	daemonize(h);
	TAILQ_INIT(&h->children);
	TAILQ_INIT(&h->conditions);
	h->up = house_up;
	h->starting = h->logs_held = true;
	h->since = now_ms();
	h->base = proc_base_new();
	signal(SIGPIPE, SIG_IGN);
	sandbox_master();
	start(h);
	for (size_t i = 0; i < NITEMS(signals); i++)
		if ((ev[i] = evsignal_new(h->base, signals[i], on_signal,
		    h)) == NULL || event_add(ev[i], NULL) == -1)
			fatalx("signal events");
	if (event_base_once(h->base, -1, EV_TIMEOUT, on_hold, h, &hold) == -1)
		fatalx("no event");
	alive_init(h);
	start_children(h);
	while (stop_status(h) == -1) {
		log_flush();
		if (event_base_loop(h->base, EVLOOP_ONCE) == -1)
			fatalx("event loop");
	}
	control_close(h);
	unlink(h->conf->dir.pid);
	log_notice("stopped");
	log_flush();
	return stop_status(h);
}
