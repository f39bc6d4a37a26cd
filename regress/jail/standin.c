/*
 * The hostile stand-in: maild starts it in a role's place, and it tries
 * everything a broken process would try (attempts.c), also with whatever the
 * role is handed (descriptors.c).  It stays outside of the jail itself and
 * forks one child for each attempt (an attempt may end in SIGSYS); each
 * child goes through the very same start into the role's jail, makes its
 * attempt and tells how it went on stderr: "STANDIN role attempt outcome",
 * outcome "done" or "denied errno" or "denied signal"; attempt@what is one
 * with a descriptor.  As nursery it does the same for itself, with what it
 * has been given, and for the session that it was asked for.
 *
 * Host paths to try come from the file "paths" beside the program.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/impl.h"
#include "proc/proc.h"
#include "standin.h"

#define HELD_MAX	8
#define GO_MS		100	/* look so often whether to go on */

struct standin st = { .id = ROLE_MAX };

/* What this process has been handed, once of each kind. */
static struct held {
	const char	*what;
	int		 fd;
} held[HELD_MAX];
static size_t nheld;
static int store = -1;		/* nursery's, for its jail */

/* A child: what it is to try, as whom. */
static struct {
	const struct attempt	*plain;
	const struct fd_attempt	*on;
	enum proc_role		 session;	/* ROLE_MAX: the role itself */
	const struct nursery_spawn_ev *spawn;
	int			 dirfd;
} child = { .session = ROLE_MAX, .dirfd = -1 };

/* ---- telling ------------------------------------------------------------- */

static void	 tell(enum proc_role, const char *, const char *, const char *,
		    ...) __attribute__((format(printf, 4, 5)));

static void
tell(enum proc_role id, const char *attempt, const char *what,
    const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "STANDIN %s %s%s%s ", proc_name(id),
	    attempt, what == NULL ? "" : "@", what == NULL ? "" : what);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) == -1)
		_exit(3);
}

static void
tell_outcome(enum proc_role id, const char *attempt, const char *what, int r)
{
	if (r == 0)
		tell(id, attempt, what, "done");
	else
		tell(id, attempt, what, "denied errno %d", errno);
}

/* ---- in the jail --------------------------------------------------------- */

static unsigned int
type_of(int fd)
{
	struct stat sb;

	if (fstat(fd, &sb) == -1)
		return 0;
	return S_ISDIR(sb.st_mode) ? ON_DIR : S_ISSOCK(sb.st_mode) ?
	    ON_SOCKET : S_ISREG(sb.st_mode) ? ON_FILE : 0;
}

static __attribute__((noreturn)) void
attempt_now(enum proc_role id)
{
	size_t i;

	errno = 0;
	if (child.plain != NULL) {
		tell_outcome(id, child.plain->name, NULL, child.plain->fn());
		_exit(0);
	}
	for (i = 0; i < nheld; i++) {
		if ((type_of(held[i].fd) & child.on->on) == 0)
			continue;
		/* in case that this is the end */
		tell(id, child.on->name, held[i].what, "tried");
		errno = 0;
		tell_outcome(id, child.on->name, held[i].what,
		    child.on->fn(held[i].fd));
	}
	_exit(0);
}

static void
hold(const char *what, int fd)
{
	size_t i;

	for (i = 0; i < nheld; i++)
		if (strcmp(held[i].what, what) == 0)
			break;
	if (fd == -1 || i < nheld || nheld == HELD_MAX)
		return;
	held[nheld].what = what;
	held[nheld++].fd = fd;
}

/* A directory, for those that can have one: of their own root. */
static void
hold_root(void)
{
	hold("root", openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
}

static void
child_start(const struct conf *conf)
{
	enum proc_role id = st.id;

	if (child.session != ROLE_MAX) {
		id = child.session;
		jail_enter_session(id, child.dirfd, child.spawn->uid,
		    child.spawn->gid);
	}
	if (child.on != NULL)
		hold_root();
	attempt_now(id);
}

/* ---- outside ------------------------------------------------------------- */

/* Wait for the child of one attempt; tell of a signal. */
static void
attempt_wait(enum proc_role id, pid_t pid, const char *name)
{
	int status;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		tell(id, name, NULL, "denied signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		tell(id, name, NULL, "broken exit %d", WEXITSTATUS(status));
}

static void
read_paths(void)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	FILE *f;

	while (n > 0 && path[n - 1] != '/')
		n--;
	strlcpy(path + (n > 0 ? n : 0), "paths", 8);
	f = fopen(path, "r");

	if (f == NULL || fscanf(f, "%255s %255s %255s %255s %255s %255s %u",
	    st.go, st.control, st.neighbour, st.spool, st.key, st.open,
	    &st.port) != 7)
		tell(st.id, "-", NULL, "broken paths");
	if (f != NULL)
		fclose(f);
}

/* True: in a child, which goes on into the jail. */
static bool
try_plain(enum proc_role id)
{
	size_t i;
	pid_t pid;

	for (i = 0; i < nattempts; i++) {
		if ((pid = fork()) == 0) {
			child.plain = &attempts[i];
			return true;
		}
		attempt_wait(id, pid, attempts[i].name);
	}
	tell(id, "-", NULL, "end");
	return false;
}

static bool
try_held(enum proc_role id)
{
	size_t i;
	pid_t pid;

	for (i = 0; i < nfd_attempts; i++) {
		if ((pid = fork()) == 0) {
			child.on = &fd_attempts[i];
			return true;
		}
		attempt_wait(id, pid, fd_attempts[i].name);
	}
	tell(id, "-", NULL, "held end");
	return false;
}

/* nursery: with what it was handed for it, then as the session. */
static bool
try_session(enum proc_role session, const struct nursery_spawn_ev *ev,
    int fd[2])
{
	int done[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, done) == -1)
		tell(st.id, "-", NULL, "broken socket");
	hold("account", fd[0]);
	hold("session", fd[1]);
	hold("done", done[1]);
	hold("host", open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (try_held(st.id))
		return true;
	/* which has closed the directory and the channel to maild */
	held[0] = (struct held){ "session", fd[1] };
	held[1] = (struct held){ "log", PROC_FD_LOG };
	held[2] = (struct held){ "done", done[1] };
	nheld = 3;
	child.session = session;
	child.spawn = ev;
	child.dirfd = fd[0];
	return try_plain(session) || try_held(session);
}

/* A message as smtpd has made it, sealed. */
static int
message_fd(void)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || write_all(fd, "Subject: x\r\n\r\n", 14) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_WRITE) == -1)
		tell(st.id, "-", NULL, "broken message");
	return fd;
}

/* Play the role as far as being handed everything; true: in a child. */
static bool
serve(enum proc_role session)
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	struct proc_ready_ev ready = proc_ready(proc_state.generation);
	bool gone = false;
	int r;

	if (msg_send(PROC_FD_MAIN, PROC_READY_EV, 0, &ready, NULL, 0) == -1)
		exit(1);
	for (;;) {
		r = msg_recv(PROC_FD_MAIN, CHAN_MAIN, SIDE_A, buf, &m, GO_MS);
		if (r == 0 || (r == 1 && m.type == PROC_STOP_EV))
			exit(0);
		if (r == -1) {
			if (!gone && access(st.go, F_OK) == 0) {
				gone = true;
				if (try_held(st.id))
					return true;
			}
			continue;
		}
		if (m.type == NURSERY_SPAWN_EV && session != ROLE_MAX) {
			if (try_session(session, &body.nursery_spawn_ev,
			    m.fd))
				return true;
			session = ROLE_MAX;	/* once */
		} else if (m.type == PROC_CHANNEL_EV) {
			tell(st.id, "-", NULL, "channel %s", proc_name(
			    (enum proc_role)body.proc_channel_ev.peer));
			hold("chan", m.fd[0]);
		} else if (m.type == PROC_LISTEN_EV)
			hold("listener", m.fd[0]);
	}
}

/* Before the jail, as root.  Returns in children alone. */
static void
standin_load(const struct conf *conf)
{
	enum proc_role session = st.id == ROLE_IMAP_NURSERY ?
	    ROLE_IMAP_SESSION : st.id == ROLE_POP3_NURSERY ?
	    ROLE_POP3_SESSION : st.id == ROLE_STORE_NURSERY ?
	    ROLE_STORE : ROLE_MAX;

	st.uid_base = conf->proc.uid_base;
	st.uid_count = conf->proc.uid_count;
	if (store != -1)		/* as proc/nursery.c has it */
		sandbox_sessions(store, st.uid_base + 1,
		    st.uid_base + st.uid_count - 1);
	read_paths();
	hold("main", PROC_FD_MAIN);
	hold("log", PROC_FD_LOG);
	if (st.id == ROLE_QUEUE || st.id == ROLE_DELIVER ||
	    st.id == ROLE_RELAY || st.id == ROLE_REPORT_IN)
		hold("message", message_fd());
	if (!try_plain(st.id))
		serve(session);
}

static void
standin_file(enum conf_file_kind kind, uint16_t index, struct slice name,
    int fd)
{
	if (kind == FILE_STORE)
		store = fd;
	else
		hold("file", fd);
}

static void
standin_secret(enum conf_secret_kind kind, const uint8_t key[32])
{
}

int
main(int argc, char *argv[])
{
	static struct role role;
	enum proc_role id;

	for (id = ROLE_LOGD; id < ROLE_MAX - 1; id++)
		if (strcmp(proc_program(id), argv[0]) == 0)
			break;
	if (id == ROLE_SIGND_TLS && argc > 1 && strcmp(argv[1], "dkim") == 0)
		id = ROLE_SIGND_DKIM;
	st.id = role.id = id;
	role.load = standin_load;
	role.start = child_start;
	role.file = standin_file;
	role.secret = standin_secret;
	proc_begin(&role);
	return 0;
}
