/*
 * Confinement on Linux: rlimits, capabilities, Landlock and a seccomp
 * allow-list.  One table tells what each role needs; everything else ends
 * the process (SIGSYS).  x86_64 only so far.  Calls that a library merely
 * tries and does without are answered with an errno.  The table is
 * doc/design.md section 2 in code.
 * BUGS: before Linux 6.12 Landlock does not know of abstract sockets, and
 * those who may make local sockets (MAY_NOTIFY) can send datagrams there.
 */
#include "base/compat.h"

#ifdef __linux__

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "parse/parse.h"
#include "msg/msg.h"
#include "msg/chan.h"
#include "base/log.h"
#include "proc/proc.h"

/* What a role may besides the base. */
#define MAY_ACCEPT	0x0001	/* take connections from a listener */
#define MAY_CONNECT	0x0002	/* make IPv4 and IPv6 sockets, connect */
#define MAY_FILES	0x0004	/* files below its root */
#define MAY_MEMFD	0x0008	/* anonymous files for messages */
#define MAY_LOCK	0x0010	/* lock memory */
#define MAY_FORK	0x0020	/* fork and jail sessions (nursery): what
				 * these may besides, beneath the store */
#define MAY_NOTIFY	0x0040	/* datagram sockets below its root */
#define MAY_WRITE	0x0080	/* write files it was handed */
#define MAY_MKDIR	0x0100	/* make directories below its root */

/* What sandbox_sessions() said of those that nursery makes. */
static struct {
	int	store;		/* -1: none, or used */
	uid_t	first, last;
} sessions = { -1, 1, 0 };

/*
 * memory bounds what a process can allocate: private and writable memory,
 * with what it has not touched yet (RLIMIT_DATA); mapped files and memory
 * shared with others are bounded by their own kind.  Each is several times
 * what the work below needs, so that a fault ends one process and not the
 * machine.  maild(8) has the same figures.
 */
static const struct sandbox {
	unsigned int	may;
	rlim_t		memory;		/* MiB */
} sandbox_table[ROLE_MAX] = {
	/* children's channels of 64 MiB at worst, 32 for what mailctl does not
	 * read, 65536 grants of 56 octets */
	[ROLE_MAILD] =		{ 0, 1024 },
	[ROLE_LOGD] =		{ MAY_FILES, 256 },
	[ROLE_SIGND_TLS] =	{ MAY_LOCK, 256 },
	[ROLE_SIGND_DKIM] =	{ MAY_LOCK, 256 },
	/* SQLite's pages, names of a list of all accounts, 300 octets each */
	[ROLE_AUTHD] =		{ MAY_FILES, 1024 },
	/* one hash at a time, of 64 MiB; others may have been made elsewhere */
	[ROLE_HASH] =		{ MAY_LOCK, 2048 },
	[ROLE_RESOLVE] =	{ MAY_CONNECT, 1024 },
	/* 512 accounts, each with the tail of its journal */
	[ROLE_DELIVER] =	{ MAY_FILES | MAY_NOTIFY, 2048 },
	/* connections of 100 KiB, as many as there may be descriptors */
	[ROLE_RELAY] =		{ MAY_CONNECT, 4096 },
	/* heads of 211000 reports, 300 at worst; four commands of 20; a message
	 * of 1.5 reports.max-size twice, 100; what is parsed of it, 90 */
	[ROLE_REPORT_IN] =	{ MAY_FILES, 1024 },
	[ROLE_REPORT_OUT] =	{ MAY_FILES | MAY_MEMFD, 512 },
	/* messages that wait, 1 KiB each */
	[ROLE_QUEUE] =		{ MAY_FILES | MAY_MEMFD | MAY_MKDIR, 8192 },
	/* its sessions' limit too */
	[ROLE_IMAP_NURSERY] =	{ MAY_FORK | MAY_FILES | MAY_NOTIFY |
				    MAY_MKDIR, 1024 },
	[ROLE_POP3_NURSERY] =	{ MAY_FORK | MAY_FILES | MAY_NOTIFY |
				    MAY_MKDIR, 1024 },
	/* 12000 connections: TLS 48 KiB, up to 64 and a reply not read by the
	 * client, once more as records, 64 not read by us; smtpd has 64 of a
	 * message and the verdict's state besides */
	[ROLE_SMTPD] =		{ MAY_ACCEPT | MAY_MEMFD | MAY_WRITE, 6144 },
	[ROLE_IMAPD] =		{ MAY_ACCEPT, 4096 },
	[ROLE_POP3D] =		{ MAY_ACCEPT, 4096 },
	/* a mailbox's index as far as it is not mapped, a command of 1 MiB */
	[ROLE_IMAP_SESSION] =	{ MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024 },
	[ROLE_POP3_SESSION] =	{ MAY_FILES | MAY_NOTIFY | MAY_MKDIR, 1024 },
	[ROLE_KEYGEN] =		{ MAY_LOCK | MAY_WRITE, 256 },
};

/* ---- seccomp ------------------------------------------------------------- */

#define ANY	0		/* every role */

/* N(system call, what a role needs to have it) */
static const struct {
	int		nr;
	unsigned int	may;	/* any of these bits, ANY: all roles */
} calls[] = {
	{ SYS_read, ANY }, { SYS_write, ANY }, { SYS_readv, ANY },
	{ SYS_writev, ANY }, { SYS_recvmsg, ANY }, { SYS_sendmsg, ANY },
	{ SYS_recvmmsg, ANY }, { SYS_sendmmsg, ANY }, { SYS_recvfrom, ANY },
	{ SYS_sendto, ANY }, { SYS_close, ANY },
	{ SYS_epoll_wait, ANY }, { SYS_epoll_pwait, ANY },
	{ SYS_epoll_ctl, ANY }, { SYS_poll, ANY }, { SYS_ppoll, ANY },
	{ SYS_fcntl, ANY }, { SYS_fstat, ANY }, { SYS_newfstatat, ANY },
	{ SYS_lseek, ANY }, { SYS_pread64, ANY }, { SYS_preadv, ANY },
	{ SYS_dup, ANY }, { SYS_close_range, ANY },
	{ SYS_brk, ANY }, { SYS_munmap, ANY }, { SYS_mremap, ANY },
	{ SYS_madvise, ANY }, { SYS_futex, ANY }, { SYS_getrandom, ANY },
	{ SYS_clock_gettime, ANY }, { SYS_clock_getres, ANY },
	{ SYS_gettimeofday, ANY }, { SYS_clock_nanosleep, ANY },
	{ SYS_nanosleep, ANY }, { SYS_getpid, ANY }, { SYS_gettid, ANY },
	{ SYS_getppid, ANY }, { SYS_getuid, ANY }, { SYS_geteuid, ANY },
	{ SYS_getgid, ANY }, { SYS_getegid, ANY }, { SYS_getsockopt, ANY },
	{ SYS_rt_sigprocmask, ANY }, { SYS_rt_sigaction, ANY },
	{ SYS_rt_sigreturn, ANY }, { SYS_restart_syscall, ANY },
	{ SYS_exit, ANY }, { SYS_exit_group, ANY }, { SYS_wait4, ANY },
	{ SYS_sched_yield, ANY }, { SYS_umask, ANY },

	{ SYS_accept4, MAY_ACCEPT },
	{ SYS_shutdown, MAY_ACCEPT | MAY_CONNECT },
	{ SYS_setsockopt, MAY_ACCEPT | MAY_CONNECT },
	{ SYS_getsockname, MAY_ACCEPT | MAY_CONNECT },
	{ SYS_getpeername, MAY_ACCEPT | MAY_CONNECT },
	{ SYS_connect, MAY_CONNECT }, { SYS_bind, MAY_CONNECT | MAY_NOTIFY },

	{ SYS_memfd_create, MAY_MEMFD },
	{ SYS_pwrite64, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_pwritev, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_ftruncate, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_fallocate, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_sendfile, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_copy_file_range, MAY_MEMFD | MAY_WRITE | MAY_FILES },
	{ SYS_fsync, MAY_WRITE | MAY_FILES },
	{ SYS_fdatasync, MAY_WRITE | MAY_FILES },

	{ SYS_openat, MAY_FILES }, { SYS_openat2, MAY_FILES },
	{ SYS_open, MAY_FILES }, { SYS_access, MAY_FILES },
	{ SYS_faccessat, MAY_FILES }, { SYS_faccessat2, MAY_FILES },
	{ SYS_stat, MAY_FILES }, { SYS_lstat, MAY_FILES },
	{ SYS_statx, MAY_FILES }, { SYS_readlink, MAY_FILES },
	{ SYS_readlinkat, MAY_FILES }, { SYS_getcwd, MAY_FILES },
	{ SYS_getdents64, MAY_FILES }, { SYS_unlink, MAY_FILES },
	{ SYS_unlinkat, MAY_FILES }, { SYS_rename, MAY_FILES },
	{ SYS_renameat, MAY_FILES }, { SYS_renameat2, MAY_FILES },
	{ SYS_linkat, MAY_FILES }, { SYS_fstatfs, MAY_FILES },
	{ SYS_statfs, MAY_FILES }, { SYS_flock, MAY_FILES },
	{ SYS_syncfs, MAY_FILES },
	{ SYS_sync_file_range, MAY_WRITE | MAY_FILES },
	{ SYS_fadvise64, MAY_FILES },
	{ SYS_utimensat, MAY_FILES }, { SYS_mkdir, MAY_MKDIR },
	{ SYS_mkdirat, MAY_MKDIR },

	{ SYS_mlock, MAY_LOCK }, { SYS_mlock2, MAY_LOCK },
	{ SYS_munlock, MAY_LOCK },

	{ SYS_socketpair, MAY_FORK },
	{ SYS_clone, MAY_FORK }, { SYS_clone3, MAY_FORK },
	{ SYS_fork, MAY_FORK }, { SYS_vfork, MAY_FORK },
	{ SYS_set_robust_list, MAY_FORK }, { SYS_rseq, MAY_FORK },
	{ SYS_chroot, MAY_FORK }, { SYS_fchdir, MAY_FORK | MAY_NOTIFY },
	{ SYS_setresgid, MAY_FORK }, { SYS_setresuid, MAY_FORK },
	{ SYS_setfsuid, MAY_FORK },
	{ SYS_seccomp, MAY_FORK }, { SYS_setrlimit, MAY_FORK },
	{ SYS_prlimit64, MAY_FORK }, { SYS_capset, MAY_FORK },
	{ SYS_landlock_create_ruleset, MAY_FORK },
	{ SYS_landlock_add_rule, MAY_FORK },
	{ SYS_landlock_restrict_self, MAY_FORK },
#ifdef MAILD_SANITIZE
	/* What the sanitizers' run-time needs; that build alone. */
	{ SYS_sigaltstack, ANY }, { SYS_prctl, ANY },
	{ SYS_sched_getaffinity, ANY }, { SYS_readlink, ANY },
	{ SYS_readlinkat, ANY }, { SYS_getrlimit, ANY },
	{ SYS_prlimit64, ANY }, { SYS_tgkill, ANY }, { SYS_getcpu, ANY },
	{ SYS_membarrier, ANY }, { SYS_sysinfo, ANY },
	{ SYS_set_robust_list, ANY },
#endif
};

/* Tried by a library and done without: answered with this errno. */
static const struct {
	int	nr, error;
} soft[] = {
	{ SYS_open, ENOENT }, { SYS_openat, ENOENT }, { SYS_access, ENOENT },
	{ SYS_faccessat, ENOENT }, { SYS_faccessat2, ENOENT },
	{ SYS_stat, ENOENT }, { SYS_lstat, ENOENT }, { SYS_statx, ENOENT },
	{ SYS_readlink, ENOENT }, { SYS_readlinkat, ENOENT },
	{ SYS_connect, EACCES }, { SYS_bind, EACCES },
	{ SYS_setsockopt, EPERM }, { SYS_ioctl, ENOTTY },
	{ SYS_mlock, EPERM }, { SYS_munlock, EPERM }, { SYS_mlock2, EPERM },
	{ SYS_sysinfo, EPERM }, { SYS_prlimit64, EPERM },
	{ SYS_sched_getaffinity, EPERM }, { SYS_fchown, EPERM },
	{ SYS_fchmod, EPERM }, { SYS_uname, EPERM },
	{ SYS_setuid, EPERM }, { SYS_setgid, EPERM },	/* jail.c proves it */
};

#define FILTER_MAX	512
#define DATA(field)	offsetof(struct seccomp_data, field)

struct filter {
	struct sock_filter	 insn[FILTER_MAX];
	unsigned short		 n;
};

static void
filter_add(struct filter *f, struct sock_filter insn)
{
	if (f->n == FILTER_MAX)
		fatalx("seccomp filter too long");
	f->insn[f->n++] = insn;
}

#define STMT(code, k)	  ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(c, k, t, e)  ((struct sock_filter)BPF_JUMP(c, k, t, e))

/*
 * What becomes of each call, as runs of numbers with the same action, found
 * by halving: when a filter is installed the kernel compiles it and tries it
 * with every number there is, which a session pays for at every login.  For
 * the same reason a session's filter says only what it takes from the one of
 * its nursery, which stays on beneath.
 */
#define CALL_MAX	512
#define RUN_MAX		256

/* What the filter that is on already permits. */
static struct {
	bool		on;
	unsigned int	may;
} filtered;

struct run {
	unsigned int	from, action;
};

static void
filter_tree(struct filter *f, const struct run *run, size_t n)
{
	unsigned short at;

	if (n == 1) {
		filter_add(f, STMT(BPF_RET | BPF_K, run->action));
		return;
	}
	filter_add(f, JUMP(BPF_JMP | BPF_JGE | BPF_K, run[n / 2].from, 0, 1));
	at = f->n;
	filter_add(f, STMT(BPF_JMP | BPF_JA, 0));
	filter_tree(f, run, n / 2);
	f->insn[at].k = f->n - at - 1U;
	filter_tree(f, run + n / 2, n - n / 2);
}

static void
actions_of(unsigned int may, unsigned int action[CALL_MAX])
{
	size_t i;

	for (i = 0; i < CALL_MAX; i++)
		action[i] = SECCOMP_RET_KILL_PROCESS;
	for (i = 0; i < NITEMS(soft); i++)
		action[soft[i].nr] = SECCOMP_RET_ERRNO |
		    (unsigned int)soft[i].error;
	for (i = 0; i < NITEMS(calls); i++)
		if (calls[i].may == ANY || (calls[i].may & may) != 0)
			action[calls[i].nr] = SECCOMP_RET_ALLOW;
	if (may & MAY_FORK)	/* filter_prctl and _ids looked at these */
		action[SYS_prctl] = SECCOMP_RET_ALLOW;
}

static void
filter_calls(struct filter *f, unsigned int may)
{
	unsigned int action[CALL_MAX], before[CALL_MAX];
	unsigned int last = SECCOMP_RET_KILL_PROCESS;
	struct run run[RUN_MAX + 1];
	size_t i, n = 0;

	actions_of(may, action);
	if (filtered.on) {
		actions_of(filtered.may, before);
		for (i = 0; i < CALL_MAX; i++)
			if (action[i] == before[i])
				action[i] = SECCOMP_RET_ALLOW;
		last = SECCOMP_RET_ALLOW;
	}
	for (i = 0; i < CALL_MAX; i++) {
		if (i > 0 && action[i] == run[n - 1].action)
			continue;
		if (n == RUN_MAX)
			fatalx("seccomp filter has too many runs");
		run[n++] = (struct run){ (unsigned int)i, action[i] };
	}
	if (run[n - 1].action != last)
		run[n++] = (struct run){ CALL_MAX, last };
	filter_tree(f, run, n);
}

/* mmap and mprotect: anything but executable memory. */
static void
filter_memory(struct filter *f)
{
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[2])));
	filter_add(f, JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* socket(2): only the families the role may have. */
static void
filter_socket(struct filter *f, unsigned int may)
{
	unsigned int yes = SECCOMP_RET_ALLOW;
	unsigned int no = SECCOMP_RET_ERRNO | EACCES;

	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 7));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[0])));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 2, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 2));
	filter_add(f, STMT(BPF_RET | BPF_K, may & MAY_NOTIFY ? yes : no));
	filter_add(f, STMT(BPF_RET | BPF_K, may & MAY_CONNECT ? yes : no));
	filter_add(f, STMT(BPF_RET | BPF_K, no));
}

/* shutdown(2): of what we send.  A listener of which the reading side is shut
 * listens no more, for the other processes of the role and for later ones. */
static void
filter_shutdown(struct filter *f)
{
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_shutdown, 0, 4));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[1])));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHUT_WR, 0, 1));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

/* prctl(2): what a session needs to be jailed, nothing that loosens. */
static void
filter_prctl(struct filter *f)
{
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 9));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[0])));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 5, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PDEATHSIG, 4, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NO_NEW_PRIVS, 3, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_DUMPABLE, 0, 3));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[1])));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

/* A change of ids by number nr with n of them: to those of accounts alone. */
static void
filter_ids(struct filter *f, unsigned int nr, unsigned int n)
{
	unsigned char	 left;
	unsigned int	 i;

	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0,
	    (unsigned char)(3 * n + 2)));
	for (i = 0; i < n; i++) {
		left = (unsigned char)(3 * (n - 1 - i) + 1);
		filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[i])));
		filter_add(f, JUMP(BPF_JMP | BPF_JGE | BPF_K, sessions.first,
		    0, left + 1U));
		filter_add(f, JUMP(BPF_JMP | BPF_JGT | BPF_K, sessions.last,
		    left, 0));
	}
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

static void
filter_install(unsigned int may)
{
	struct filter f;
	struct sock_fprog prog;

	f.n = 0;
	filter_add(&f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch)));
	filter_add(&f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	filter_add(&f, STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	filter_add(&f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr)));
	if (!filtered.on)
		filter_memory(&f);
	if (!filtered.on ||
	    ((may ^ filtered.may) & (MAY_NOTIFY | MAY_CONNECT)) != 0)
		filter_socket(&f, may);
	if (may & (MAY_ACCEPT | MAY_CONNECT))
		filter_shutdown(&f);
	if (may & MAY_FORK) {
		filter_prctl(&f);
		filter_ids(&f, SYS_setresuid, 3);
		filter_ids(&f, SYS_setresgid, 3);
		filter_ids(&f, SYS_setfsuid, 1);
	}
	filter_calls(&f, may);
	prog.len = f.n;
	prog.filter = f.insn;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == -1)
		fatal("seccomp");
	filtered.on = true;
	filtered.may = may;
}

/* ---- Landlock ------------------------------------------------------------ */

/* Our own copies: the kernel's headers may be older than the kernel. */
struct ll_ruleset { uint64_t fs, net, scoped; };
struct ll_beneath { uint64_t allowed; int32_t fd; } __attribute__((packed));

#define LL_FS_FILE	0x0002U	/* write */
#define LL_FS_READ	0x0004U
#define LL_FS_DIR	0x0008U
#define LL_FS_RMFILE	0x0020U
#define LL_FS_MKDIR	0x0080U
#define LL_FS_MKREG	0x0100U
#define LL_FS_MKSOCK	0x0200U
#define LL_FS_REFER	0x2000U
#define LL_FS_TRUNC	0x4000U
#define LL_FS_ALL	0xffffU
#define LL_NET_BOTH	0x0003U	/* TCP bind and connect */
#define LL_SCOPE_ALL	0x0003U

/* What this kernel's Landlock knows (ABI 1..7). */
static void
landlock_known(long abi, struct ll_ruleset *rs, size_t *size)
{
	rs->fs &= abi >= 5 ? 0xffffU : abi >= 3 ? 0x7fffU :
	    abi >= 2 ? 0x3fffU : 0x1fffU;
	*size = 8;
	if (abi >= 4)
		*size = 16;
	else
		rs->net = 0;
	if (abi >= 6)
		*size = 24;
	else
		rs->scoped = 0;
}

/* Files beneath dirfd, which is closed; execution, devices, fifos, links and
 * ioctl nowhere. */
static void
landlock_beneath(int ruleset, int dirfd, unsigned int may, uint64_t handled)
{
	struct ll_beneath rule = { LL_FS_FILE | LL_FS_READ | LL_FS_DIR |
	    LL_FS_RMFILE | LL_FS_MKREG | LL_FS_REFER | LL_FS_TRUNC, dirfd };

	if (may & MAY_NOTIFY)
		rule.allowed |= LL_FS_MKSOCK;
	if (may & MAY_MKDIR)
		rule.allowed |= LL_FS_MKDIR;
	rule.allowed &= handled;
	if (dirfd == -1)
		fatal("no directory to be confined to");
	if (syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0) == -1)
		fatal("landlock_add_rule");
	close(dirfd);
}

/*
 * A role is confined to its root.  nursery, whose root is empty and who is
 * handed directories of accounts, is to the store: whatever it walks up to
 * from there it can neither read nor write.  Sessions inherit that, and are
 * confined to their own account besides.
 */
static int
landlock_dir(unsigned int may)
{
	int fd = sessions.store;

	if ((may & MAY_FORK) == 0)
		return open("/", O_PATH | O_CLOEXEC);
	sessions.store = -1;
	return fd;
}

static void
landlock_install(unsigned int may)
{
	struct ll_ruleset rs = { LL_FS_ALL, LL_NET_BOTH, LL_SCOPE_ALL };
	size_t size;
	long abi;
	int fd;

	if (may & MAY_CONNECT)		/* listen(2) is not in its list */
		rs.net = 0;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (abi < 1)
		return;		/* no Landlock: chroot, ids, seccomp remain */
	landlock_known(abi, &rs, &size);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rs, size, 0);
	if (fd == -1)
		fatal("landlock_create_ruleset");
	if (may & MAY_FILES)
		landlock_beneath(fd, landlock_dir(may), may, rs.fs);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("landlock_restrict_self");
	close(fd);
}

/* ---- limits and capabilities --------------------------------------------- */

#define MIB		((rlim_t)1024 * 1024)

static void
limit(int what, rlim_t value)
{
	struct rlimit rl = { value, value };

	if (setrlimit(what, &rl) == -1)
		fatal("setrlimit %d", what);
}

#ifndef MAILD_SANITIZE		/* which maps terabytes */
/* Of who started us a lower one stays.  Not for good: maild's is its own, and
 * a child, not root any more, has to set another. */
static void
limit_memory(rlim_t value, bool for_good)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_DATA, &rl) == -1)
		fatal("getrlimit");
	rl.rlim_cur = value < rl.rlim_max ? value : rl.rlim_max;
	if (for_good)
		rl.rlim_max = rl.rlim_cur;
	if (setrlimit(RLIMIT_DATA, &rl) == -1)
		fatal("setrlimit");
}
#endif

static void
limits_install(const struct sandbox *s)
{
	limit(RLIMIT_CORE, 0);
	if ((s->may & MAY_FORK) == 0)
		limit(RLIMIT_NPROC, 0);
#ifndef MAILD_SANITIZE		/* whose reports go to a file */
	if ((s->may & (MAY_FILES | MAY_MEMFD | MAY_WRITE)) == 0)
		limit(RLIMIT_FSIZE, 0);
	limit_memory(s->memory * MIB, true);
#endif
}

/* nursery keeps three capabilities of root, its sessions none of these. */
static void
capabilities_install(unsigned int may)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
	uint32_t keep = 0;

	if (may & MAY_FORK)
		keep = 1U << CAP_SYS_CHROOT | 1U << CAP_SETUID |
		    1U << CAP_SETGID;
	data[0].effective = data[0].permitted = keep;
	if (syscall(SYS_capset, &head, data) == -1)
		fatal("capset");
}

/*
 * What the master, and each child until it is confined, needs of root:
 * owners and modes of account directories, files of the configuration
 * wherever they are, ports, the children's ids, roots and locked memory,
 * socket buffers and limits beyond the usual.
 */
static const unsigned int master_keeps[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL,
	CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN,
	CAP_IPC_LOCK, CAP_SYS_CHROOT, CAP_SYS_RESOURCE
};

void
sandbox_master(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
	uint32_t keep = 0;

	for (size_t i = 0; i < NITEMS(master_keeps); i++)
		keep |= 1U << master_keeps[i];
	/* a container may have taken the right to drop from this set */
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (c >= 32 || (keep >> c & 1) == 0)
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	if (syscall(SYS_capget, &head, data) == -1)
		fatal("capget");
	data[0].permitted &= keep;
	data[0].effective = data[0].permitted;
	data[1].permitted = data[1].effective = 0;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) == -1)
		fatal("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS");
	limit(RLIMIT_CORE, 0);
#ifndef MAILD_SANITIZE		/* its leak checker attaches to us */
	limit_memory(sandbox_table[ROLE_MAILD].memory * MIB, false);
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("PR_SET_DUMPABLE");
#endif
}

void
sandbox_sessions(int dirfd, uid_t first, uid_t last)
{
	sessions.store = dirfd;
	sessions.first = first;
	sessions.last = last;
}

bool
sandbox_keeps(enum proc_role role)
{
	return (sandbox_table[role].may & MAY_FORK) != 0;
}

void
sandbox_enter(enum proc_role role)
{
	const struct sandbox *s = &sandbox_table[role];

	limits_install(s);
	capabilities_install(s->may);
	landlock_install(s->may);
	filter_install(s->may);
}

#endif
