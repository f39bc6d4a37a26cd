/*
 * The jail every role enters, in the order that doc/design.md section 2
 * gives: root, directory, groups, ids, then what cannot be undone.  What is
 * particular to a system (filters, Landlock, pledge) is sandbox_enter() in
 * compat.
 */
#include "base/compat.h"

#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"

static void	 jail_ids(uid_t, gid_t);
static void	 jail_bind_to_parent(pid_t);

/* Give up root for good, and prove it. */
static void
jail_ids(uid_t uid, gid_t gid)
{
	if (setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		fatal("giving up root for uid %u gid %u", (unsigned int)uid,
		    (unsigned int)gid);
	if (setuid(0) != -1 || setgid(0) != -1)
		fatalx("root could be had back");
}

/* Die with the parent; it may have died before this was asked. */
static void
jail_bind_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		fatal("PR_SET_PDEATHSIG");
	if (getppid() != parent)
		_exit(0);
}

static void
jail_lock(enum proc_role role, pid_t parent)
{
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("PR_SET_DUMPABLE");
	jail_bind_to_parent(parent);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS");
	if (prctl(PR_SET_NAME, proc_name(role)) == -1)
		fatal("PR_SET_NAME");
	sandbox_enter(role);
}

void
jail_enter(enum proc_role role, const char *root, uid_t uid, gid_t gid)
{
	pid_t parent = getppid();

	if (chroot(root) == -1)
		fatal("chroot %s", root);
	if (chdir("/") == -1)
		fatal("chdir / in %s", root);
	umask(0);
	if (uid == 0 || gid == 0)
		fatalx("nothing but maild runs as root");
	if (sandbox_keeps(role) && prctl(PR_SET_KEEPCAPS, 1) == -1)
		fatal("PR_SET_KEEPCAPS");
	if (setgroups(0, NULL) == -1)
		fatal("setgroups");
	jail_ids(uid, gid);
	jail_lock(role, parent);
}

/* From nursery, who has no groups that could be left. */
void
jail_enter_session(enum proc_role role, int rootfd, uid_t uid, gid_t gid)
{
	pid_t parent = getppid();

	if (uid == 0 || gid == 0)
		fatalx("a session does not run as root");
	/* the directory lets in its account alone: look with its eyes */
	if (setresgid(gid, gid, gid) == -1)
		fatal("group of the account");
	setfsuid(uid);
	if (fchdir(rootfd) == -1 || chroot(".") == -1)
		fatal("chroot to the account");
	close(rootfd);
	jail_ids(uid, gid);
	jail_lock(role, parent);
}
