/*
 * What a hostile process tries with nothing in its hands: see standin.c.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "standin.h"

/* ---- the attempts: 0 when it worked, -1 with errno ----------------------- */

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

static int
a_socket(int domain, int type)
{
	return socket(domain, type, 0) == -1 ? -1 : 0;
}

static int inet_socket(void) { return a_socket(AF_INET, SOCK_STREAM); }
static int inet6_socket(void) { return a_socket(AF_INET6, SOCK_DGRAM); }
static int netlink_socket(void) { return a_socket(AF_NETLINK, SOCK_RAW); }
static int packet_socket(void) { return a_socket(AF_PACKET, SOCK_RAW); }

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

/* At a name that the test has. */
static int
abstract_datagram(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	strlcpy(sun.sun_path + 1, st.open, sizeof(sun.sun_path) - 1);
	return s == -1 || sendto(s, "x", 1, 0, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(st.open))) == -1 ? -1 : 0;
}

static int
run_shell(void)
{
	char *const argv[] = { (char *)(uintptr_t)"sh", NULL };

	return execv("/bin/sh", argv);
}

static int
trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

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
static int become_account(void)
{
	return setresuid(st.uid_base + 1, st.uid_base + 1, st.uid_base + 1);
}
static int become_beyond(void)
{
	uid_t uid = st.uid_base + st.uid_count;

	return setresuid(uid, uid, uid);
}
static int become_group(void) { return setresgid(42, 42, 42); }
static int
join_group(void)
{
	const gid_t shadow = 42;

	return setgroups(1, &shadow);
}
static int change_root(void) { return chroot("/"); }
static int new_userns(void) { return unshare(CLONE_NEWUSER); }
static int dumpable(void) { return prctl(PR_SET_DUMPABLE, 1); }
static int bpf_call(void) { return (int)syscall(SYS_bpf, 0, NULL, 0); }
static int io_ring(void) { return (int)syscall(SYS_io_uring_setup, 8, NULL); }

static int
keyring(void)
{
	return (int)syscall(SYS_add_key, "user", "x", "y", 1, -2);
}

static int
mount_call(void)
{
	return (int)syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL);
}

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

const struct attempt attempts[] = {
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
	{ "abstract_socket", abstract_socket },
	{ "abstract_datagram", abstract_datagram }, { "run_shell", run_shell },
	{ "trace_parent", trace_parent }, { "kill_parent", kill_parent },
	{ "kill_all", kill_all }, { "fork_child", fork_child },
	{ "become_root", become_root }, { "become_other", become_other },
	{ "become_account", become_account },
	{ "become_beyond", become_beyond },
	{ "become_group", become_group }, { "join_group", join_group },
	{ "change_root", change_root }, { "new_userns", new_userns },
	{ "dumpable", dumpable }, { "bpf_call", bpf_call },
	{ "keyring", keyring }, { "io_ring", io_ring },
	{ "mount_call", mount_call }, { "exec_memory", exec_memory },
	{ "make_memfd", make_memfd }, { "read_memory", read_memory },
};
const size_t nattempts = NITEMS(attempts);
