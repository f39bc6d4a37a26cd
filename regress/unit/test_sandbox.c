/*
 * The filter of each role, run here instruction by instruction, as the kernel
 * would, against a list of calls that was written from doc/design.md section 2
 * and not from the sets of filter_linux.c: what a role may, what it is denied,
 * and that everything else ends it.  So it is tested for each processor that
 * the test is built for, also where an emulator knows of no filters.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "proc/sandbox.h"

#define DIES	SECCOMP_RET_KILL_PROCESS
#define ALLOWED	SECCOMP_RET_ALLOW
#define NO(e)	(SECCOMP_RET_ERRNO | (e))

#if defined(__x86_64__)
#define ARCH		AUDIT_ARCH_X86_64
#define OTHER_ARCH	AUDIT_ARCH_AARCH64
#define NARROW_ARCH	AUDIT_ARCH_I386
#else
#define ARCH		AUDIT_ARCH_AARCH64
#define OTHER_ARCH	AUDIT_ARCH_X86_64
#define NARROW_ARCH	AUDIT_ARCH_ARM
#endif

#define UID_FIRST	200001U
#define UID_LAST	299999U
#define NR_END		600	/* beyond all numbers there are */

/* ---- who may what, by hand ----------------------------------------------- */

#define R(role)		(1U << ROLE_##role)
#define ALL		(((1U << ROLE_MAX) - 1) & ~R(MAILD))
#define NONE		0U
#define SESSIONS	(R(IMAP_SESSION) | R(POP3_SESSION) | R(STORE))
#define NURSERIES	(R(IMAP_NURSERY) | R(POP3_NURSERY) |		\
			    R(STORE_NURSERY))
#define ACCOUNTS	(SESSIONS | NURSERIES)
#define FRONTS		(R(SMTPD) | R(IMAPD) | R(POP3D))
#define OUTSIDE		(R(RESOLVE) | R(RELAY))
#define NET		(FRONTS | OUTSIDE)
/* those with a directory */
#define FILES		(ACCOUNTS | R(LOGD) | R(AUTHD) | R(DELIVER) |	\
			    R(REPORT_IN) | R(REPORT_OUT) | R(QUEUE))
#define DIRS		(ACCOUNTS | R(QUEUE))
#define MESSAGES	(R(SMTPD) | R(QUEUE) | R(REPORT_OUT))
#define HANDED		(R(SMTPD) | R(KEYGEN))	/* an open file to fill */
#define WAKE		(ACCOUNTS | R(DELIVER))	/* of new mail */
#define SECRETS		(R(SIGND_TLS) | R(SIGND_DKIM) | R(HASH) | R(KEYGEN))

struct call {
	const char	*name;
	int		 nr;
	unsigned int	 who;		/* ALLOWED */
	unsigned int	 others;	/* what they get */
};

#define C(call, who, others)	{ #call, SYS_##call, who, others }

static const struct call calls[] = {
	/* octets of what is open, and of channels */
	C(read, ALL, DIES), C(write, ALL, DIES), C(readv, ALL, DIES),
	C(writev, ALL, DIES), C(pread64, ALL, DIES), C(preadv, ALL, DIES),
	C(lseek, ALL, DIES), C(recvmsg, ALL, DIES), C(sendmsg, ALL, DIES),
	C(recvmmsg, ALL, DIES), C(sendmmsg, ALL, DIES),
	C(recvfrom, ALL, DIES), C(sendto, ALL, DIES),
	C(getsockopt, ALL, DIES), C(fcntl, ALL, DIES), C(fstat, ALL, DIES),
	C(newfstatat, ALL, DIES), C(dup, ALL, DIES), C(close, ALL, DIES),
	C(close_range, ALL, DIES),
	/* waiting, time, signals */
	C(epoll_pwait, ALL, DIES), C(epoll_ctl, ALL, DIES),
	C(ppoll, ALL, DIES), C(rt_sigprocmask, ALL, DIES),
	C(rt_sigaction, ALL, DIES), C(rt_sigreturn, ALL, DIES),
	C(restart_syscall, ALL, DIES), C(clock_gettime, ALL, DIES),
	C(clock_getres, ALL, DIES), C(gettimeofday, ALL, DIES),
	C(clock_nanosleep, ALL, DIES), C(nanosleep, ALL, DIES),
	C(sched_yield, ALL, DIES),
	/* memory; who it is */
	C(brk, ALL, DIES), C(mmap, ALL, DIES), C(mprotect, ALL, DIES),
	C(munmap, ALL, DIES), C(mremap, ALL, DIES), C(madvise, ALL, DIES),
	C(futex, ALL, DIES), C(getrandom, ALL, DIES), C(getpid, ALL, DIES),
	C(gettid, ALL, DIES), C(getppid, ALL, DIES), C(getuid, ALL, DIES),
	C(geteuid, ALL, DIES), C(getgid, ALL, DIES), C(getegid, ALL, DIES),
	C(umask, ALL, DIES), C(wait4, ALL, DIES), C(exit, ALL, DIES),
	C(exit_group, ALL, DIES),
	/* the network; socket(2) with arguments of its own below */
	C(accept4, FRONTS, DIES), C(connect, OUTSIDE, NO(EACCES)),
	C(bind, OUTSIDE | WAKE, NO(EACCES)), C(shutdown, NONE, DIES),
	C(setsockopt, NET, NO(EPERM)), C(getsockname, NET, DIES),
	C(getpeername, NET, DIES), C(socket, NONE, NO(EACCES)),
	/* messages and files that it holds */
	C(memfd_create, MESSAGES, DIES),
	C(pwrite64, MESSAGES | HANDED | FILES, DIES),
	C(pwritev, MESSAGES | HANDED | FILES, DIES),
	C(ftruncate, MESSAGES | HANDED | FILES, DIES),
	C(fallocate, MESSAGES | HANDED | FILES, DIES),
	C(sendfile, MESSAGES | HANDED | FILES, DIES),
	C(copy_file_range, MESSAGES | HANDED | FILES, DIES),
	C(fsync, HANDED | FILES, DIES), C(fdatasync, HANDED | FILES, DIES),
	C(sync_file_range, HANDED | FILES, DIES),
	/* files by name */
	C(openat, FILES, NO(ENOENT)), C(faccessat, FILES, NO(ENOENT)),
	C(faccessat2, FILES, NO(ENOENT)), C(statx, FILES, NO(ENOENT)),
	C(readlinkat, FILES, NO(ENOENT)), C(openat2, FILES, DIES),
	C(getcwd, FILES, DIES), C(getdents64, FILES, DIES),
	C(unlinkat, FILES, DIES), C(renameat, FILES, DIES),
	C(renameat2, FILES, DIES), C(linkat, FILES, DIES),
	C(fstatfs, FILES, DIES), C(statfs, FILES, DIES),
	C(flock, FILES, DIES), C(syncfs, FILES, DIES),
	C(fadvise64, FILES, DIES), C(utimensat, FILES, DIES),
	C(mkdirat, DIRS, DIES),
	/* secrets are not written to swap */
	C(mlock, SECRETS, NO(EPERM)), C(mlock2, SECRETS, NO(EPERM)),
	C(munlock, SECRETS, NO(EPERM)),
	/* making a session and jailing it; ids and prctl(2) below */
	C(socketpair, NURSERIES, DIES), C(clone, NURSERIES, DIES),
	C(clone3, NURSERIES, DIES), C(set_robust_list, NURSERIES, DIES),
	C(rseq, NURSERIES, DIES), C(chroot, NURSERIES, DIES),
	C(seccomp, NURSERIES, DIES), C(setrlimit, NURSERIES, DIES),
	C(prlimit64, NURSERIES, NO(EPERM)), C(capset, NURSERIES, DIES),
	C(landlock_create_ruleset, NURSERIES, DIES),
	C(landlock_add_rule, NURSERIES, DIES),
	C(landlock_restrict_self, NURSERIES, DIES),
	C(fchdir, WAKE, DIES),
	/* of a library that does without */
	C(ioctl, NONE, NO(ENOTTY)), C(sysinfo, NONE, NO(EPERM)),
	C(sched_getaffinity, NONE, NO(EPERM)), C(fchown, NONE, NO(EPERM)),
	C(fchmod, NONE, NO(EPERM)), C(uname, NONE, NO(EPERM)),
	C(setuid, NONE, NO(EPERM)), C(setgid, NONE, NO(EPERM)),
#ifdef SYS_open
	C(epoll_wait, ALL, DIES), C(poll, ALL, DIES),
	C(open, FILES, NO(ENOENT)), C(access, FILES, NO(ENOENT)),
	C(stat, FILES, NO(ENOENT)), C(lstat, FILES, NO(ENOENT)),
	C(readlink, FILES, NO(ENOENT)), C(unlink, FILES, DIES),
	C(rename, FILES, DIES), C(mkdir, DIRS, DIES),
	C(fork, NURSERIES, DIES), C(vfork, NURSERIES, DIES),
#endif
};

/* By name too, so that no list permits one of them by mistake. */
static const int never[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_kill, SYS_tkill,
	SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
	SYS_process_vm_readv, SYS_process_vm_writev, SYS_mount, SYS_umount2,
	SYS_pivot_root, SYS_unshare, SYS_setns, SYS_bpf, SYS_perf_event_open,
	SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_setup,
	SYS_add_key, SYS_keyctl, SYS_request_key, SYS_init_module,
	SYS_finit_module, SYS_kexec_load, SYS_reboot, SYS_swapon,
	SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_symlinkat,
	SYS_mknodat, SYS_fchmodat, SYS_fchownat, SYS_setxattr, SYS_listen,
	SYS_accept, SYS_setgroups, SYS_setreuid, SYS_setregid, SYS_setsid,
	SYS_personality, SYS_settimeofday, SYS_clock_settime, SYS_acct,
	SYS_quotactl, SYS_shmat, SYS_pkey_mprotect, SYS_chdir,
#ifdef SYS_open
	SYS_symlink, SYS_link, SYS_mknod, SYS_chmod, SYS_chown, SYS_creat,
	SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_arch_prctl,
#endif
};

/* ---- a kernel in small --------------------------------------------------- */

static bool
jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return (a & i->k) != 0;
	}
	fail_msg("an instruction that filters do not have: %x", i->code);
	return false;
}

static uint32_t
filter_run(const struct filter *f, const struct seccomp_data *d)
{
	const struct sock_filter *i;
	uint32_t a = 0;

	for (i = f->insn; i < f->insn + f->n; i++)
		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return i->k;
		case BPF_LD:
			assert_int_equal(i->code, BPF_LD | BPF_W | BPF_ABS);
			assert_true(i->k % 4 == 0 && i->k < sizeof(*d));
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_JMP:
			i += BPF_OP(i->code) == BPF_JA ? i->k :
			    jumps(i, a) ? i->jt : i->jf;
			break;
		default:
			fail_msg("an unknown instruction: %x", i->code);
		}
	fail_msg("the filter ends without a word");
	return 0;
}

static struct filter_of
of_role(enum proc_role role)
{
	return (struct filter_of){ .may = role_row(role)->may,
	    .first = UID_FIRST, .last = UID_LAST };
}

static struct filter
filter_of_role(enum proc_role role)
{
	struct filter_of of = of_role(role);
	struct filter f;

	filter_make(&f, &of);
	return f;
}

/* What a call of that number, with these three arguments, comes to. */
static uint32_t
call(const struct filter *f, unsigned int nr, uint64_t a, uint64_t b,
    uint64_t c)
{
	const struct seccomp_data d = { .nr = (int)nr, .arch = ARCH,
	    .args = { a, b, c } };

	return filter_run(f, &d);
}

static const struct call *
listed(int nr)
{
	size_t i;

	for (i = 0; i < NITEMS(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static bool
of_sanitizer(int nr)
{
#ifdef MAILD_SANITIZE
	switch (nr) {
	case SYS_sigaltstack: case SYS_prctl: case SYS_sched_getaffinity:
	case SYS_readlinkat: case SYS_getrlimit: case SYS_prlimit64:
	case SYS_tgkill: case SYS_getcpu: case SYS_membarrier:
	case SYS_sysinfo: case SYS_set_robust_list:
#ifdef SYS_readlink
	case SYS_readlink:
#endif
		return true;
	}
#endif
	return false;
}

/* ---- tests --------------------------------------------------------------- */

static uint32_t
expected(enum proc_role role, int nr)
{
	const struct call *c = listed(nr);

	if (nr == SYS_shutdown && (NET & 1U << role) != 0)
		return NO(EPERM);	/* of what is received */
	if ((NURSERIES & 1U << role) != 0 && (nr == SYS_prctl ||
	    nr == SYS_setresuid || nr == SYS_setresgid || nr == SYS_setfsuid))
		return NO(EPERM);	/* to root, or what it may not */
	if (of_sanitizer(nr) || (c != NULL && (c->who & 1U << role) != 0))
		return ALLOWED;
	return c != NULL ? c->others : DIES;
}

/* All arguments are zero: of a socket the family that nobody has, of ids
 * root. */
static void
test_every_call_of_every_role(void **state)
{
	enum proc_role role;
	struct filter f;
	int nr;

	for (role = ROLE_LOGD; role < ROLE_MAX; role++) {
		f = filter_of_role(role);
		for (nr = 0; nr < NR_END; nr++)
			if (call(&f, (unsigned int)nr, 0, 0, 0) !=
			    expected(role, nr))
				fail_msg("%s: call %d: %x, should be %x",
				    proc_name(role), nr, call(&f,
				    (unsigned int)nr, 0, 0, 0),
				    expected(role, nr));
	}
}

static void
test_what_nobody_may(void **state)
{
	enum proc_role role;
	struct filter f;
	size_t i;

	for (role = ROLE_LOGD; role < ROLE_MAX; role++) {
		f = filter_of_role(role);
		for (i = 0; i < NITEMS(never); i++)
			assert_int_equal(call(&f, (unsigned int)never[i], 0, 0,
			    0), DIES);
	}
}

/* A number means another call there. */
static void
test_calls_of_another_processor(void **state)
{
	struct seccomp_data d = { .nr = SYS_read };
	struct filter f = filter_of_role(ROLE_QUEUE);

	d.arch = OTHER_ARCH;
	assert_int_equal(filter_run(&f, &d), DIES);
	d.arch = NARROW_ARCH;
	assert_int_equal(filter_run(&f, &d), DIES);
	assert_int_equal(call(&f, SYS_read, 0, 0, 0), ALLOWED);
	assert_int_equal(call(&f, SYS_read | 0x40000000U, 0, 0, 0), DIES);
	assert_int_equal(call(&f, 0xffffffffU, 0, 0, 0), DIES);
}

static void
test_no_memory_that_executes(void **state)
{
	enum proc_role role;
	struct filter f;
	unsigned int prot;

	for (role = ROLE_LOGD; role < ROLE_MAX; role++) {
		f = filter_of_role(role);
		for (prot = 0; prot < 16; prot++) {
			uint32_t want = prot & PROT_EXEC ? DIES : ALLOWED;

			assert_int_equal(call(&f, SYS_mmap, 0, 4096, prot),
			    want);
			assert_int_equal(call(&f, SYS_mprotect, 0, 4096, prot),
			    want);
		}
	}
}

static void
test_sockets_by_family(void **state)
{
	enum proc_role role;
	struct filter f;
	unsigned int family;

	for (role = ROLE_LOGD; role < ROLE_MAX; role++) {
		f = filter_of_role(role);
		for (family = 0; family < 50; family++) {
			unsigned int who = family == AF_UNIX ? WAKE :
			    family == AF_INET || family == AF_INET6 ?
			    OUTSIDE : NONE;

			assert_int_equal(call(&f, SYS_socket, family,
			    SOCK_DGRAM, 0), who & 1U << role ? ALLOWED :
			    NO(EACCES));
		}
	}
}

/* A listener whose reading side is shut listens no more for anybody. */
static void
test_shutdown_of_what_is_sent(void **state)
{
	struct filter f = filter_of_role(ROLE_SMTPD);

	assert_int_equal(call(&f, SYS_shutdown, 5, SHUT_WR, 0), ALLOWED);
	assert_int_equal(call(&f, SYS_shutdown, 5, SHUT_RD, 0), NO(EPERM));
	assert_int_equal(call(&f, SYS_shutdown, 5, SHUT_RDWR, 0), NO(EPERM));
}

/* -1 leaves an id as it is: of who is root that is root's. */
static void
test_ids_of_accounts_alone(void **state)
{
	static const struct { uint64_t id; uint32_t want; } rows[] = {
		{ 0, NO(EPERM) }, { UID_FIRST - 1, NO(EPERM) },
		{ UID_FIRST, ALLOWED }, { UID_LAST, ALLOWED },
		{ UID_LAST + 1, NO(EPERM) }, { 0xffffffff, NO(EPERM) },
	};
	struct filter f = filter_of_role(ROLE_IMAP_NURSERY);
	uint64_t a = UID_FIRST, id;
	size_t i;

	for (i = 0; i < NITEMS(rows); i++) {
		id = rows[i].id;
		for (int nr = 0; nr < 2; nr++) {
			unsigned int call_nr = nr ? SYS_setresuid :
			    SYS_setresgid;

			assert_int_equal(call(&f, call_nr, id, a, a),
			    rows[i].want);
			assert_int_equal(call(&f, call_nr, a, id, a),
			    rows[i].want);
			assert_int_equal(call(&f, call_nr, a, a, id),
			    rows[i].want);
		}
		assert_int_equal(call(&f, SYS_setfsuid, id, 0, 0),
		    rows[i].want);
	}
}

static void
test_prctl_that_tightens(void **state)
{
	static const int may[] = {
		PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS,
		PR_SET_DUMPABLE
	};
	struct filter f = filter_of_role(ROLE_POP3_NURSERY);
	unsigned int option;
	uint32_t want;
	size_t i;

	for (option = 0; option < 100; option++) {
		for (want = NO(EPERM), i = 0; i < NITEMS(may); i++)
			if ((unsigned int)may[i] == option)
				want = ALLOWED;
		assert_int_equal(call(&f, SYS_prctl, option, 0, 0), want);
	}
	assert_int_equal(call(&f, SYS_prctl, PR_SET_DUMPABLE, 1, 0),
	    NO(EPERM));
}

/* The kernel asks each filter that is on, and the strictest answer counts. */
static uint32_t
strictest(uint32_t a, uint32_t b)
{
	if (a == DIES || b == DIES)
		return DIES;
	return a == ALLOWED ? b : a;
}

/* What a session's filter leaves out, that of its nursery says. */
static void
test_session_beneath_its_nursery(void **state)
{
	struct filter_of of = of_role(ROLE_IMAP_SESSION);
	struct filter nursery = filter_of_role(ROLE_IMAP_NURSERY), session;
	struct filter alone = filter_of_role(ROLE_IMAP_SESSION);
	unsigned int nr, a;

	of.beneath = true;
	of.before = role_row(ROLE_IMAP_NURSERY)->may;
	filter_make(&session, &of);
	assert_true(session.n < alone.n);
	for (nr = 0; nr < NR_END; nr++)
		for (a = 0; a < 12 && !of_sanitizer((int)nr); a++)
			assert_int_equal(strictest(call(&nursery, nr, a, 0, a),
			    call(&session, nr, a, 0, a)),
			    call(&alone, nr, a, 0, a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call_of_every_role),
		cmocka_unit_test(test_what_nobody_may),
		cmocka_unit_test(test_calls_of_another_processor),
		cmocka_unit_test(test_no_memory_that_executes),
		cmocka_unit_test(test_sockets_by_family),
		cmocka_unit_test(test_shutdown_of_what_is_sent),
		cmocka_unit_test(test_ids_of_accounts_alone),
		cmocka_unit_test(test_prctl_that_tightens),
		cmocka_unit_test(test_session_beneath_its_nursery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
