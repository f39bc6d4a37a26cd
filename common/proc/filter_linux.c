/*
 * From rights to a seccomp filter: which system calls a right is, on x86_64
 * and on arm64, and what becomes of those who call without it.  A call that
 * no row names ends the process (SIGSYS); one that a library merely tries and
 * does without is answered with an errno.  sandbox_linux.c installs the
 * filter at the end of a role's start; regress/unit/test_sandbox.c runs it
 * against a list of its own.  Nothing here reads anything.
 */
#include "base/compat.h"

#ifdef __linux__

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <stdbool.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "proc/sandbox.h"

/* Arguments are 64 bits wide: DATA() is their lower half. */
#if defined(__x86_64__)
#define FILTER_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define FILTER_ARCH	AUDIT_ARCH_AARCH64
#else
#error "the jail does not know the system calls of this processor"
#endif

#define ANYBODY	~0U
#define NOBODY	0U
#define DIES	0		/* no errno: the process ends */

#define SET(may, or, ...)						\
	{ may, or, (const int[]){ __VA_ARGS__ },			\
	    sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int) }

/* Sets of calls; where one is in two sets, either right is enough. */
static const struct set {
	unsigned int	 may;		/* one of these rights is needed */
	int		 error;		/* for the others, or DIES */
	const int	*nr;
	size_t		 n;
} sets[] = {
	/* what it was handed: channels, the log, open files */
	SET(ANYBODY, DIES, SYS_read, SYS_write, SYS_readv, SYS_writev,
	    SYS_pread64, SYS_preadv, SYS_lseek, SYS_recvmsg, SYS_sendmsg,
	    SYS_recvmmsg, SYS_sendmmsg, SYS_recvfrom, SYS_sendto,
	    SYS_getsockopt, SYS_fcntl, SYS_fstat, SYS_newfstatat, SYS_dup,
	    SYS_close, SYS_close_range),
	/* the event loop, signals, the clock */
	SET(ANYBODY, DIES, SYS_epoll_pwait, SYS_epoll_ctl, SYS_ppoll,
	    SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn,
	    SYS_restart_syscall, SYS_clock_gettime, SYS_clock_getres,
	    SYS_gettimeofday, SYS_clock_nanosleep, SYS_nanosleep),
	/* its own memory, its own name, its end */
	SET(ANYBODY, DIES, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
	    SYS_futex, SYS_getrandom, SYS_getpid, SYS_gettid, SYS_getppid,
	    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_umask,
	    SYS_sched_yield, SYS_wait4, SYS_exit, SYS_exit_group),

	SET(MAY_ACCEPT, DIES, SYS_accept4),
	SET(MAY_CONNECT, EACCES, SYS_connect),
	SET(MAY_ACCEPT | MAY_CONNECT, DIES, SYS_shutdown, SYS_getsockname,
	    SYS_getpeername),
	SET(MAY_ACCEPT | MAY_CONNECT, EPERM, SYS_setsockopt),
	SET(MAY_CONNECT | MAY_NOTIFY, EACCES, SYS_bind),

	SET(MAY_MEMFD, DIES, SYS_memfd_create),
	SET(MAY_MEMFD | MAY_WRITE | MAY_FILES, DIES, SYS_pwrite64,
	    SYS_pwritev, SYS_ftruncate, SYS_fallocate, SYS_sendfile,
	    SYS_copy_file_range),
	SET(MAY_WRITE | MAY_FILES, DIES, SYS_fsync, SYS_fdatasync,
	    SYS_sync_file_range),
	SET(MAY_FILES, ENOENT, SYS_openat, SYS_faccessat, SYS_faccessat2,
	    SYS_statx, SYS_readlinkat),
	SET(MAY_FILES, DIES, SYS_openat2, SYS_getcwd, SYS_getdents64,
	    SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat,
	    SYS_fstatfs, SYS_statfs, SYS_flock, SYS_syncfs, SYS_fadvise64,
	    SYS_utimensat),
	SET(MAY_MKDIR, DIES, SYS_mkdirat),

	SET(MAY_LOCK, EPERM, SYS_mlock, SYS_mlock2, SYS_munlock),

	SET(MAY_FORK, DIES, SYS_socketpair, SYS_clone, SYS_clone3,
	    SYS_set_robust_list, SYS_rseq),
	SET(MAY_FORK, DIES, SYS_chroot, SYS_setresgid, SYS_setresuid,
	    SYS_setfsuid, SYS_seccomp, SYS_setrlimit, SYS_capset,
	    SYS_landlock_create_ruleset, SYS_landlock_add_rule,
	    SYS_landlock_restrict_self),
	SET(MAY_FORK, EPERM, SYS_prlimit64),
	SET(MAY_FORK | MAY_NOTIFY, DIES, SYS_fchdir),

	SET(NOBODY, ENOTTY, SYS_ioctl),
	SET(NOBODY, EPERM, SYS_sysinfo, SYS_sched_getaffinity, SYS_fchown,
	    SYS_fchmod, SYS_uname),
	SET(NOBODY, EPERM, SYS_setuid, SYS_setgid),	/* jail.c proves it */

#ifdef SYS_open
	/* forms of the above that younger processors do not have */
	SET(ANYBODY, DIES, SYS_epoll_wait, SYS_poll),
	SET(MAY_FILES, ENOENT, SYS_open, SYS_access, SYS_stat, SYS_lstat,
	    SYS_readlink),
	SET(MAY_FILES, DIES, SYS_unlink, SYS_rename),
	SET(MAY_MKDIR, DIES, SYS_mkdir),
	SET(MAY_FORK, DIES, SYS_fork, SYS_vfork),
#ifdef MAILD_SANITIZE
	SET(ANYBODY, DIES, SYS_readlink),
#endif
#endif
#ifdef MAILD_SANITIZE
	/* what the sanitizers' run-time needs; that build alone */
	SET(ANYBODY, DIES, SYS_sigaltstack, SYS_prctl, SYS_sched_getaffinity,
	    SYS_readlinkat, SYS_getrlimit, SYS_prlimit64, SYS_tgkill,
	    SYS_getcpu, SYS_membarrier, SYS_sysinfo, SYS_set_robust_list),
#endif
};

#define DATA(field)	offsetof(struct seccomp_data, field)

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
set_action(const struct set *s, unsigned int may, unsigned int *action)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->may == ANYBODY || (s->may & may) != 0)
			action[s->nr[i]] = SECCOMP_RET_ALLOW;
		else if (s->error != DIES &&
		    action[s->nr[i]] != SECCOMP_RET_ALLOW)
			action[s->nr[i]] = SECCOMP_RET_ERRNO |
			    (unsigned int)s->error;
}

static void
actions_of(unsigned int may, unsigned int action[CALL_MAX])
{
	size_t i;

	for (i = 0; i < CALL_MAX; i++)
		action[i] = SECCOMP_RET_KILL_PROCESS;
	for (i = 0; i < NITEMS(sets); i++)
		set_action(&sets[i], may, action);
	if (may & MAY_FORK)	/* filter_prctl and _ids looked at these */
		action[SYS_prctl] = SECCOMP_RET_ALLOW;
}

static void
filter_calls(struct filter *f, const struct filter_of *of)
{
	unsigned int action[CALL_MAX], before[CALL_MAX];
	unsigned int last = SECCOMP_RET_KILL_PROCESS;
	struct run run[RUN_MAX + 1];
	size_t i, n = 0;

	actions_of(of->may, action);
	if (of->beneath) {
		actions_of(of->before, before);
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
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NO_NEW_PRIVS,
	    3, 0));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_DUMPABLE, 0, 3));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[1])));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

/* A change of ids by number nr with n of them: to those of accounts alone. */
static void
filter_ids(struct filter *f, const struct filter_of *of, unsigned int nr,
    unsigned int n)
{
	unsigned char	 left;
	unsigned int	 i;

	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0,
	    (unsigned char)(3 * n + 2)));
	for (i = 0; i < n; i++) {
		left = (unsigned char)(3 * (n - 1 - i) + 1);
		filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[i])));
		filter_add(f, JUMP(BPF_JMP | BPF_JGE | BPF_K, of->first,
		    0, left + 1U));
		filter_add(f, JUMP(BPF_JMP | BPF_JGT | BPF_K, of->last,
		    left, 0));
	}
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

void
filter_make(struct filter *f, const struct filter_of *of)
{
	f->n = 0;
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(arch)));
	filter_add(f, JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0));
	filter_add(f, STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	filter_add(f, STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr)));
	if (!of->beneath)
		filter_memory(f);
	if (!of->beneath ||
	    ((of->may ^ of->before) & (MAY_NOTIFY | MAY_CONNECT)) != 0)
		filter_socket(f, of->may);
	if (of->may & (MAY_ACCEPT | MAY_CONNECT))
		filter_shutdown(f);
	if (of->may & MAY_FORK) {
		filter_prctl(f);
		filter_ids(f, of, SYS_setresuid, 3);
		filter_ids(f, of, SYS_setresgid, 3);
		filter_ids(f, of, SYS_setfsuid, 1);
	}
	filter_calls(f, of);
}

#endif
