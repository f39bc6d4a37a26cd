/*
 * Runs of store: what takes long with one account, done by a process of its
 * own in that account's jail.  mailctl store and the
 * daily round ask for them; maild has the
 * store-nursery fork one in the account's directory, as for a session, hands
 * it the job, passes its rows on and answers with its last word.
 *
 * Invariants: one run an account and RUNS_MAX at a time, the others wait in
 * line; one of which nothing was heard for RUN_QUIET_MS is killed, and so is
 * one whose account is closed, whose directory may be exchanged then, or
 * whose asker went away.  A run may be killed at any step: whatever it
 * writes is there whole or not at all.
 * maild must never look at what a run reads or writes.
 */
#include "base/compat.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/dates.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/control.h"
#include "maild/maild.h"

#define RUNS_MAX	2		/* at a time */
#define RUNS_WAIT	1024		/* that wait, or are looked up */
#define RUN_QUIET_MS	600000		/* without a row */
#define NAME_BYTES	512		/* octets of a mailbox's name */
#define FIND_MS		10000		/* authd says which account it is */

enum run_state {
	RUN_FINDING,		/* authd is asked for the number */
	RUN_WAITING,		/* in line */
	RUN_RUNNING
};

struct run {
	TAILQ_ENTRY(run) entry;
	struct house	*house;
	enum run_state	 state;
	enum store_job	 job;
	uint32_t	 account;
	uint64_t	 id;		/* as the nursery has it */
	uint64_t	 began;		/* now_ms() */
	char		*arg;		/* or NULL */
	int64_t		 from, to;	/* seconds UTC; 0: open */
	struct command	*cmd;		/* whose answer it is; NULL: done's */
	void		(*done)(struct house *, int);	/* or NULL */
	struct chan	*chan;		/* to its process, or NULL */
	uint32_t	 ask;		/* there */
	struct event	*quiet;
};

struct runs {
	TAILQ_HEAD(, run) list;		/* in the order they were asked for */
	unsigned int	 n, running;
	uint64_t	 serial;
};

static const struct job {
	const char	*verb;
	enum store_job	 job;
	enum job_more { MORE_NONE, MORE_FILE, MORE_TIME } more;
} jobs[] = {
	{ "check",	JOB_CHECK,	MORE_NONE },
	{ "rebuild",	JOB_REBUILD,	MORE_NONE },
	{ "restored",	JOB_RESTORED,	MORE_NONE },
	{ "export",	JOB_EXPORT,	MORE_FILE },
	{ "compact",	JOB_COMPACT,	MORE_NONE },
	{ "undelete",	JOB_UNDELETE,	MORE_TIME },
};

static void	 runs_next(struct house *);
static void	 on_row(struct chan *, struct msg *, void *);
static void	 on_done(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_quiet(evutil_socket_t, short, void *);

static const struct chan_handler handlers[] = {
	{ STORE_ROW_EV,	on_row },
};

void
run_init(struct house *h)
{
	h->runs = xcalloc(1, sizeof(*h->runs));
	TAILQ_INIT(&h->runs->list);
}

static const char *
job_verb(enum store_job job)
{
	for (size_t i = 0; i < NITEMS(jobs); i++)
		if (jobs[i].job == job)
			return jobs[i].verb;
	return job == JOB_ROUND ? "round" : "";
}

static struct run *
run_new(struct house *h, enum store_job job, struct command *cmd)
{
	struct run *r = xcalloc(1, sizeof(*r));

	r->house = h;
	r->job = job;
	r->cmd = cmd;
	r->id = ++h->runs->serial;
	if ((r->quiet = evtimer_new(h->base, on_quiet, r)) == NULL)
		fatalx("run: no event");
	TAILQ_INSERT_TAIL(&h->runs->list, r, entry);
	h->runs->n++;
	return r;
}

static void
run_free(struct run *r)
{
	struct runs *rs = r->house->runs;

	TAILQ_REMOVE(&rs->list, r, entry);
	rs->n--;
	if (r->state == RUN_RUNNING)
		rs->running--;
	event_free(r->quiet);
	free(r->arg);
	free(r);
}

/* Its command is answered, and the next one begins.  A round that found
 * nothing to do says nothing. */
static void
run_end(struct run *r, int code, const char *text)
{
	struct house *h = r->house;
	struct chan *chan = r->chan;
	void (*done)(struct house *, int) = r->done;

	if (r->state == RUN_RUNNING && (r->cmd != NULL || *text != '\0'))
		log_info("store account=%u run=%llu job=%s code=%d ms=%llu",
		    r->account, (unsigned long long)r->id,
		    job_verb(r->job), code,
		    (unsigned long long)(now_ms() - r->began));
	if (chan != NULL)
		chan_forget(chan, r->ask);
	if (r->cmd != NULL)
		command_done(r->cmd, code, "%s", text);
	run_free(r);
	chan_free(chan);
	if (done != NULL)
		done(h, code);
	runs_next(h);
}

/* ---- ending one by force ------------------------------------------------- */

/* Is that process the nursery's child for the account with that uid? */
static bool
is_child_of(const char *pid, pid_t nursery, uid_t uid)
{
	char path[64], line[128];
	unsigned int parent = 0, user = 0;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	if ((fp = fopen(path, "re")) == NULL)
		return false;
	while (fgets(line, sizeof(line), fp) != NULL)
		if (sscanf(line, "PPid: %u", &parent) == 0)
			(void)sscanf(line, "Uid: %u", &user);
	fclose(fp);
	return parent == (unsigned int)nursery && user == (unsigned int)uid;
}

/* One that hangs does not see that its channel has ended.  (One that has
 * outlived its nursery ends with the next row that it cannot send.) */
static void
run_kill(const struct run *r)
{
	uid_t uid = (uid_t)(r->house->conf->proc.uid_base + r->account);
	struct child *n = child_ready(r->house, ROLE_STORE_NURSERY, 0);
	const struct dirent *e;
	DIR *d;

	if (r->state != RUN_RUNNING || n == NULL ||
	    (d = opendir("/proc")) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    is_child_of(e->d_name, n->pid, uid))
			kill((pid_t)atol(e->d_name), SIGKILL);
	closedir(d);
}

/* The channel first: whose process reads its job later, for the nursery has
 * yet to fork it, sees that it is wanted no more; one that had read it has
 * the account's uid by then and is found. */
static void
run_stop(struct run *r, int code, const char *text)
{
	if (r->chan != NULL) {
		chan_forget(r->chan, r->ask);
		chan_free(r->chan);
		r->chan = NULL;
	}
	run_kill(r);
	run_end(r, code, text);
}

static void
on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	log_warnx("store account=%u job=%s: no sign for %d s, killed",
	    r->account, job_verb(r->job), RUN_QUIET_MS / 1000);
	run_stop(r, EX_TEMPFAIL, "it gave no sign for ten minutes and was "
	    "killed");
}

void
run_closed(struct house *h, uint32_t account)
{
	struct run *r;

	TAILQ_FOREACH(r, &h->runs->list, entry)
		if (r->state == RUN_WAITING && r->account == account &&
		    r->cmd == NULL) {	/* the operator's may go on */
			run_end(r, EX_NOUSER, "");
			break;
		}
	TAILQ_FOREACH(r, &h->runs->list, entry)
		if (r->state == RUN_RUNNING && r->account == account) {
			run_stop(r, EX_TEMPFAIL, "the account was disabled or "
			    "deleted meanwhile");
			return;
		}
}

/* ---- running ------------------------------------------------------------- */

static void
run_watch(struct run *r)
{
	const struct timeval tv = { RUN_QUIET_MS / 1000, 0 };

	event_add(r->quiet, &tv);
}

/* A row that nobody waits for any more ends the run. */
static void
on_row(struct chan *chan, struct msg *m, void *arg)
{
	struct run *r = arg;
	const struct slice cells = m->body->store_row_ev.cells;
	struct row row = { .n = cells.n };

	run_watch(r);
	if (r->cmd == NULL)
		return;
	if (command_left(r->cmd)) {
		run_stop(r, EX_TEMPFAIL, "nobody waits for it");
		return;
	}
	memcpy(row.buf, cells.p, cells.n);
	command_row(r->cmd, &row);
	command_lasts(r->cmd);
}

static void
on_done(struct chan *chan, struct msg *m, void *arg)
{
	struct run *r = arg;
	char text[4097];

	if (m == NULL)
		run_end(r, EX_TEMPFAIL, "no answer: its process died");
	else {
		slice_cpy(m->body->store_run_r.text, text, sizeof(text));
		run_end(r, m->body->store_run_r.code, text);
	}
}

static void
on_gone(struct chan *chan, void *arg)
{
	/* on_done was called with NULL, or run_stop() has ended it */
}

/* Fork it and tell it what to do.  0, or -1 with errno. */
static int
run_fork(struct run *r, struct child *nursery)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct house *h = r->house;
	struct nursery_spawn_ev spawn = { .grant = r->id };
	struct store_run run = { .job = (uint8_t)r->job,
	    .from = (uint64_t)r->from, .to = (uint64_t)r->to,
	    .arg = slice_str(r->arg == NULL ? "" : r->arg) };
	int sv[2], fds[2], ret = -1, file = r->cmd == NULL ? -1 : command_fd(r->cmd);

	if ((fds[0] = directory_open(h, r->account)) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1) {
		close(fds[0]);
		return -1;
	}
	fds[1] = sv[1];
	spawn.uid = spawn.gid = h->conf->proc.uid_base + r->account;
	r->chan = chan_new(h->base, sv[0], CHAN_STORE, SIDE_A, handlers,
	    NITEMS(handlers), &ops, r);
	r->ask = chan_ask(r->chan, STORE_RUN, &run, &file, file != -1, 0,
	    on_done, r);
	if (r->ask != 0 && chan_send(nursery->chan, NURSERY_SPAWN_EV, &spawn,
	    fds, 2) == 0)
		ret = 0;
	else
		errno = EAGAIN;
	close(fds[0]);
	close(sv[1]);
	return ret;
}

static void
run_begin(struct run *r)
{
	struct house *h = r->house;
	struct child *n = child_ready(h, ROLE_STORE_NURSERY, 0);
	char text[256];

	r->state = RUN_RUNNING;
	r->began = now_ms();
	h->runs->running++;
	run_watch(r);
	if (n == NULL || n->silent)
		run_end(r, EX_TEMPFAIL, "store-nursery is not running now; try "
		    "again");
	else if (run_fork(r, n) == -1) {
		snprintf(text, sizeof(text), errno == ENOENT ? "account %u: "
		    "there is no such directory in the store" : "account %u: "
		    "%s", r->account, strerror(errno));
		run_end(r, errno == ENOENT ? EX_NOUSER : EX_TEMPFAIL, text);
	}
}

static bool
account_busy(const struct runs *rs, uint32_t account)
{
	const struct run *r;

	TAILQ_FOREACH(r, &rs->list, entry)
		if (r->state == RUN_RUNNING && r->account == account)
			return true;
	return false;
}

/* The first of those that may begin, or NULL. */
static struct run *
runs_first(struct runs *rs)
{
	struct run *r;

	if (rs->running >= RUNS_MAX)
		return NULL;
	TAILQ_FOREACH(r, &rs->list, entry)
		if (r->state == RUN_WAITING && !account_busy(rs, r->account))
			return r;
	return NULL;
}

/* Each begins or ends at once, and then the next is looked for from the
 * start: what ends calls this again. */
static void
runs_next(struct house *h)
{
	struct run *r;

	while ((r = runs_first(h->runs)) != NULL)
		if (r->cmd != NULL && command_left(r->cmd))
			run_end(r, EX_TEMPFAIL, "nobody waits for it");
		else
			run_begin(r);
}

/* ---- which account ------------------------------------------------------- */

static void
run_found(struct run *r, uint32_t account)
{
	r->account = account;
	r->state = RUN_WAITING;
	runs_next(r->house);
}

static void
on_number(struct chan *chan, struct msg *m, void *arg)
{
	struct run *r = arg;
	const struct main_run_r *e;
	char text[4097];
	uint32_t n;

	if (m == NULL) {
		run_end(r, EX_TEMPFAIL, "no answer: authd died or is too slow");
		return;
	}
	e = &m->body->main_run_r;
	slice_cpy(e->text, text, sizeof(text));
	if (e->code != EX_OK)
		run_end(r, e->code, text);
	else if ((n = directory_number(r->house, text)) == 0)
		run_end(r, EX_SOFTWARE, "authd names no account");
	else
		run_found(r, n);
}

void
run_round(struct house *h, uint32_t account,
    void (*done)(struct house *, int code))
{
	struct run *r = run_new(h, JOB_ROUND, NULL);

	r->done = done;
	run_found(r, account);
}

/* authd alone knows addresses. */
static void
run_find(struct run *r, const char *address)
{
	struct child *c = child_ready(r->house, ROLE_AUTHD, 0);
	const struct slice words[] = { SLICE_LIT("account"),
	    SLICE_LIT("number"), slice_str(address) };
	struct main_run run = { .uid = 0 };
	struct item_arg it;
	uint8_t buf[12288];
	size_t off = 0;
	bool ok = c != NULL && !c->silent;

	for (size_t i = 0; i < NITEMS(words); i++) {
		it.text = words[i];
		ok = ok && item_arg_put(buf, sizeof(buf), &off, &it) == 0;
	}
	run.args = slice_of((char *)buf, off);
	if (!ok || chan_ask(c->chan, MAIN_RUN, &run, NULL, 0, FIND_MS,
	    on_number, r) == 0)
		run_end(r, EX_TEMPFAIL, "authd is not running now; try again, "
		    "or name the account by its number");
}

static const struct job *
job_of(const char *verb)
{
	for (size_t i = 0; i < NITEMS(jobs); i++)
		if (strcmp(jobs[i].verb, verb) == 0)
			return &jobs[i];
	return NULL;
}

/* "--since TIME [--until TIME]" into r.  0, or -1. */
static int
more_time(struct run *r, char **args, size_t n)
{
	int64_t now = (int64_t)now_sec(), t;
	size_t i;

	for (i = 0; i + 1 < n; i += 2) {
		if (when_parse(slice_str(args[i + 1]), now, &t) == -1 || t < 0)
			return -1;
		if (strcmp(args[i], "--since") == 0)
			r->from = t;
		else if (strcmp(args[i], "--until") == 0 && t > 0)
			r->to = t;
		else
			return -1;
	}
	return i == n && n >= 2 && strcmp(args[0], "--since") == 0 &&
	    (r->to == 0 || r->from <= r->to) ? 0 : -1;
}

/* "[--mailbox NAME]" into r.  0, or -1. */
static int
more_file(struct run *r, char **args, size_t n)
{
	if (n == 0)
		return 0;
	if (n != 2 || strcmp(args[0], "--mailbox") != 0 ||
	    args[1][0] == '\0' || strlen(args[1]) > NAME_BYTES)
		return -1;
	r->arg = xstrdup(args[1]);
	return 0;
}

/* What stands behind the account. */
static int
run_more(struct run *r, const struct job *job, char **args, size_t n)
{
	if ((job->more == MORE_FILE) != (command_fd(r->cmd) != -1))
		return -1;
	switch (job->more) {
	case MORE_NONE:
		break;
	case MORE_FILE:
		return more_file(r, args, n);
	case MORE_TIME:
		return more_time(r, args, n);
	}
	return n == 0 ? 0 : -1;
}

void
run_command(struct house *h, struct command *cmd, char **args, size_t n)
{
	const struct job *job = n > 1 ? job_of(args[1]) : NULL;
	uint32_t account;
	struct run *r;

	if (h->runs->n >= RUNS_WAIT) {
		command_done(cmd, EX_TEMPFAIL, "%d runs wait already; try "
		    "again later", RUNS_WAIT);
		return;
	}
	r = run_new(h, job == NULL ? JOB_NONE : job->job, cmd);
	if (job == NULL || n < 3 || run_more(r, job, args + 3, n - 3) == -1)
		run_end(r, EX_USAGE, "usage: store "
		    "check|rebuild|compact|restored ACCOUNT | export ACCOUNT "
		    "FILE [--mailbox NAME] | undelete ACCOUNT --since TIME "
		    "[--until TIME]; TIME is 3h or 2d ago, or UTC as "
		    "2026-11-21T18:20");
	else if ((account = directory_number(h, args[2])) != 0)
		run_found(r, account);
	else
		run_find(r, args[2]);
}

/* ---- the nursery's word -------------------------------------------------- */

/* That it has ended is seen at its channel; here only crashes are told. */
void
run_on_exit(struct chan *chan, struct msg *m, void *arg)
{
	const struct nursery_exit_ev *e = &m->body->nursery_exit_ev;

	if (WIFSIGNALED((int)e->status))
		log_warnx("store died run=%llu signal=%d",
		    (unsigned long long)e->grant, WTERMSIG((int)e->status));
}
