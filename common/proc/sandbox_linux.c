/*
 * Confinement on Linux: rlimits, capabilities, Landlock and a seccomp
 * allow-list.  A role's row (msg/roles.h) tells what rights it needs;
 * everything else ends the process (SIGSYS).  The rows are doc/design.md
 * section 2 in code, and know no system calls: filter_linux.c does.  Called by
 * jail.c at the end of each role's start.
 */
#include "base/compat.h"

#ifdef __linux__

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "proc/sandbox.h"

/* What sandbox_sessions() said of those that nursery makes. */
static struct {
	int	store;		/* -1: none, or used */
	uid_t	first, last;
} sessions = { -1, 1, 0 };

/* What the filter that is on already permits. */
static struct {
	bool		on;
	unsigned int	may;
} filtered;

static void
filter_install(unsigned int may)
{
	const struct filter_of of = { .may = may, .beneath = filtered.on,
	    .before = filtered.may, .first = sessions.first,
	    .last = sessions.last };
	struct filter f;
	struct sock_fprog prog;

	filter_make(&f, &of);
	prog.len = f.n;
	prog.filter = f.insn;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == -1)
		fatal("seccomp");
	filtered.on = true;
	filtered.may = may;
}

/*
 * A role is confined to its root.  nursery, whose root is empty and who is
 * handed directories of accounts, is to the store: whatever it walks up to
 * from there it can neither read nor write.  Sessions inherit that, and are
 * confined to their own account besides.
 */
static int
beneath_dir(unsigned int may)
{
	int fd = sessions.store;

	if ((may & MAY_FILES) == 0)
		return -1;
	if ((may & MAY_FORK) == 0)
		return open("/", O_PATH | O_CLOEXEC);
	sessions.store = -1;
	return fd;
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
limits_install(const struct role_row *r)
{
	limit(RLIMIT_CORE, 0);
	if ((r->may & MAY_FORK) == 0)
		limit(RLIMIT_NPROC, 0);
#ifndef MAILD_SANITIZE		/* whose reports go to a file */
	if ((r->may & (MAY_FILES | MAY_MEMFD | MAY_WRITE)) == 0)
		limit(RLIMIT_FSIZE, 0);
	limit_memory(r->memory * MIB, true);
#endif
}

/* nursery keeps three capabilities of root, its sessions none of these. */
static void
capabilities_install(unsigned int may)
{
	struct __user_cap_header_struct head = {
	    _LINUX_CAPABILITY_VERSION_3, 0 };
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
	struct __user_cap_header_struct head = {
	    _LINUX_CAPABILITY_VERSION_3, 0 };
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
	limit_memory(role_row(ROLE_MAILD)->memory * MIB, false);
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
	return (role_row(role)->may & MAY_FORK) != 0;
}

void
sandbox_enter(enum proc_role role)
{
	const struct role_row *r = role_row(role);

	limits_install(r);
	capabilities_install(r->may);
	landlock_install(r->may, beneath_dir(r->may));
	filter_install(r->may);
}

#endif
