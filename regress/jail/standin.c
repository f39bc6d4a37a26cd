/*
 * The hostile stand-in: maild starts it in a role's place, with that role's
 * jail, and it tries everything a broken process would try.  Before the
 * jail it forks one child for each attempt (an attempt may end in SIGSYS);
 * each child goes through the very same start, makes its attempt and tells
 * how it went on stderr: "STANDIN role attempt outcome", outcome "done" or
 * "denied errno" or "denied signal".  As nursery it does the same for every
 * session it is asked for.
 *
 * Host paths to try come from the file "paths" beside the program.
 */
#include "compat.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "proc.h"
#include "util.h"

static struct {
	enum proc_role	 id;
	int		 attempt;	/* -1: the parent */
	int		 extra_fd;	/* a session: its account directory */
	char		 control[256], neighbour[256], spool[256], key[256];
	unsigned int	 port;
} st = { ROLE_MAX, -1, -1, "", "", "", "", 0 };

/* ---- the attempts: 0 when it worked, -1 with errno ------------------------ */

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

static int open_passwd(void) { return try_open("/etc/passwd", O_RDONLY); }
static int open_up(void)
{
	return try_open("../../../../../etc/passwd", O_RDONLY);
}
static int open_host_spool(void) { return try_open(st.spool, O_RDONLY); }
static int open_host_key(void) { return try_open(st.key, O_RDONLY); }
static int open_host_neighbour(void)
{
	return try_open(st.neighbour, O_RDONLY);
}
static int open_other_account(void)
{
	return try_open("../2/journal", O_RDONLY);
}
static int open_proc(void) { return try_open("/proc/1/environ", O_RDONLY); }
static int list_root(void) { return try_open("/", O_RDONLY | O_DIRECTORY); }

static int
create_file(void)
{
	int r = try_open("/standin.tmp", O_RDWR | O_CREAT);

	if (r == 0)
		unlink("/standin.tmp");
	return r;
}

static int
make_symlink(void)
{
	return symlink("/etc", "/standin.link");
}

static int
make_hardlink(void)
{
	return link("/journal", "/standin.hard");
}

static int inet_socket(void) { return socket(AF_INET, SOCK_STREAM, 0) == -1 ? -1 : 0; }
static int inet6_socket(void) { return socket(AF_INET6, SOCK_DGRAM, 0) == -1 ? -1 : 0; }
static int netlink_socket(void) { return socket(AF_NETLINK, SOCK_RAW, 0) == -1 ? -1 : 0; }
static int packet_socket(void) { return socket(AF_PACKET, SOCK_RAW, 0) == -1 ? -1 : 0; }

static int
connect_loopback(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)st.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s == -1 ? -1 :
	    connect(s, (struct sockaddr *)&sin, sizeof(sin));
}

static int
listen_tcp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s == -1 || bind(s, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		return -1;
	return listen(s, 5);
}

static int
control_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strlcpy(sun.sun_path, st.control, sizeof(sun.sun_path));
	return s == -1 ? -1 :
	    connect(s, (struct sockaddr *)&sun, sizeof(sun));
}

static int
abstract_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sun.sun_path + 1, "standin", 7);
	return s == -1 ? -1 : connect(s, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 8));
}

static int
run_shell(void)
{
	char *const argv[] = { (char *)(uintptr_t)"sh", NULL };

	return execv("/bin/sh", argv);
}

static int trace_parent(void) { return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static int kill_parent(void) { return kill(getppid(), 0); }
static int kill_all(void) { return kill(-1, 0); }

static int
fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : 0;
}

static int become_root(void) { return setuid(0); }
static int become_other(void) { return setresuid(1, 1, 1); }
static int change_root(void) { return chroot("/"); }
static int new_userns(void) { return unshare(CLONE_NEWUSER); }
static int dumpable(void) { return prctl(PR_SET_DUMPABLE, 1); }
static int bpf_call(void) { return (int)syscall(SYS_bpf, 0, NULL, 0); }
static int keyring(void) { return (int)syscall(SYS_add_key, "user", "x", "y", 1, -2); }
static int io_ring(void) { return (int)syscall(SYS_io_uring_setup, 8, NULL); }
static int mount_call(void) { return (int)syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL); }

static int
exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
make_memfd(void)
{
	return (int)syscall(SYS_memfd_create, "x", 0) == -1 ? -1 : 0;
}

static int
read_memory(void)
{
	struct iovec l = { NULL, 0 }, r = { NULL, 0 };

	return (int)syscall(SYS_process_vm_readv, getppid(), &l, 1, &r, 1, 0);
}

static int
mail_escape(void)
{
	/* out of an account through the directory it was given */
	if (st.extra_fd == -1) {
		errno = EBADF;
		return -1;
	}
	return openat(st.extra_fd, "../2/journal", O_RDONLY) == -1 ? -1 : 0;
}

static const struct {
	const char	*name;
	int		(*fn)(void);
} attempts[] = {
	{ "open_passwd", open_passwd }, { "open_up", open_up },
	{ "open_host_spool", open_host_spool },
	{ "open_host_key", open_host_key },
	{ "open_host_neighbour", open_host_neighbour },
	{ "open_other_account", open_other_account },
	{ "open_proc", open_proc }, { "list_root", list_root },
	{ "create_file", create_file }, { "make_symlink", make_symlink },
	{ "make_hardlink", make_hardlink },
	{ "inet_socket", inet_socket }, { "inet6_socket", inet6_socket },
	{ "netlink_socket", netlink_socket },
	{ "packet_socket", packet_socket },
	{ "connect_loopback", connect_loopback },
	{ "listen_tcp", listen_tcp }, { "control_socket", control_socket },
	{ "abstract_socket", abstract_socket }, { "run_shell", run_shell },
	{ "trace_parent", trace_parent }, { "kill_parent", kill_parent },
	{ "kill_all", kill_all }, { "fork_child", fork_child },
	{ "become_root", become_root }, { "become_other", become_other },
	{ "change_root", change_root }, { "new_userns", new_userns },
	{ "dumpable", dumpable }, { "bpf_call", bpf_call },
	{ "keyring", keyring }, { "io_ring", io_ring },
	{ "mount_call", mount_call }, { "exec_memory", exec_memory },
	{ "make_memfd", make_memfd }, { "read_memory", read_memory },
	{ "mail_escape", mail_escape },
};

/* ---- telling ---------------------------------------------------------------- */

static void
tell(enum proc_role id, int attempt, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "STANDIN %s %s ", proc_name(id),
	    attempt == -1 ? "-" : attempts[attempt].name);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) == -1)
		_exit(3);
}

static __attribute__((noreturn)) void
attempt_now(enum proc_role id)
{
	errno = 0;
	if (attempts[st.attempt].fn() == 0)
		tell(id, st.attempt, "done");
	else
		tell(id, st.attempt, "denied errno %d", errno);
	_exit(0);
}

/* Wait for the child of one attempt; tell of a signal. */
static void
attempt_wait(enum proc_role id, pid_t pid, int attempt)
{
	int status;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		tell(id, attempt, "denied signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		tell(id, attempt, "broken exit %d", WEXITSTATUS(status));
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

	if (f == NULL || fscanf(f, "%255s %255s %255s %255s %u", st.control,
	    st.neighbour, st.spool, st.key, &st.port) != 5)
		tell(st.id, -1, "broken paths");
	if (f != NULL)
		fclose(f);
}

/* Before the jail, as root: a child for each attempt goes on into it. */
static void
standin_load(const struct conf *conf)
{
	size_t i;
	pid_t pid;

	read_paths();
	for (i = 0; i < NITEMS(attempts); i++) {
		if ((pid = fork()) == 0) {
			st.attempt = (int)i;
			return;
		}
		attempt_wait(st.id, pid, (int)i);
	}
	tell(st.id, -1, "end");
}

static void
standin_start(const struct conf *conf)
{
	if (st.attempt != -1)
		attempt_now(st.id);
}

static void
standin_file(enum conf_file_kind kind, uint16_t index, struct slice name,
    int fd)
{
	close(fd);
}

static void
standin_secret(enum conf_secret_kind kind, const uint8_t key[32])
{
}

/* ---- after the start -------------------------------------------------------- */

static void
try_session(enum proc_role session, const struct nursery_spawn_ev *ev,
    int dirfd)
{
	size_t i;
	pid_t pid;

	for (i = 0; i < NITEMS(attempts); i++) {
		if ((pid = fork()) == 0) {
			st.attempt = (int)i;
			st.extra_fd = dup(dirfd);
			jail_enter_session(session, dirfd, ev->uid, ev->gid);
			attempt_now(session);
		}
		attempt_wait(session, pid, (int)i);
	}
	tell(session, -1, "end");
}

int
main(int argc, char *argv[])
{
	static uint8_t buf[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	static struct role role;
	enum proc_role id, session = ROLE_MAX;

	for (id = ROLE_LOGD; id < ROLE_KEYGEN; id++)
		if (strcmp(proc_program(id), argv[0]) == 0)
			break;
	if (id == ROLE_SIGND_TLS && argc > 1 && strcmp(argv[1], "dkim") == 0)
		id = ROLE_SIGND_DKIM;
	if (id == ROLE_IMAP_NURSERY)
		session = ROLE_IMAP_SESSION;
	if (id == ROLE_POP3_NURSERY)
		session = ROLE_POP3_SESSION;
	st.id = role.id = id;
	role.load = standin_load;
	role.start = standin_start;
	role.file = standin_file;
	role.secret = standin_secret;
	proc_begin(&role);
	for (;;) {
		int r = msg_recv(PROC_FD_MAIN, CHAN_MAIN, SIDE_A, buf, &m, -1);

		if (r == 0 || (r == 1 && m.type == PROC_STOP_EV))
			return 0;
		if (r == -1)
			continue;
		if (m.type == NURSERY_SPAWN_EV && session != ROLE_MAX)
			try_session(session, &body.nursery_spawn_ev, m.fd[0]);
		msg_close_fds(&m);
	}
}
