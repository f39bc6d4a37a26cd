/*
 * Landlock: what the kernel lets a process reach by paths, TCP ports and
 * scopes, whoever owns it.  sandbox_linux.c calls this once in a role's start
 * and once more in a session's; the rights are its rows'.  Nothing here may
 * loosen what is on already, and it cannot: rulesets only add up.
 * BUGS: before Linux 6.12 Landlock does not know of abstract sockets, and
 * those who may make local sockets (MAY_NOTIFY) can send datagrams there.
 */
#include "base/compat.h"

#ifdef __linux__

#include <sys/syscall.h>

#include <stdbool.h>
#include <unistd.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "proc/sandbox.h"

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
	static const uint64_t fs[] = {
		0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff
	};

	rs->fs &= fs[abi < 5 ? abi : 5];
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

void
landlock_install(unsigned int may, int dirfd)
{
	struct ll_ruleset rs = { LL_FS_ALL, LL_NET_BOTH, LL_SCOPE_ALL };
	size_t size;
	long abi;
	int fd;

	if (may & MAY_CONNECT)		/* listen(2) is not in its list */
		rs.net = 0;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (abi < 1) {		/* no Landlock: chroot, ids, seccomp remain */
		close(dirfd);
		return;
	}
	landlock_known(abi, &rs, &size);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rs, size, 0);
	if (fd == -1)
		fatal("landlock_create_ruleset");
	if (may & MAY_FILES)
		landlock_beneath(fd, dirfd, may, rs.fs);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("landlock_restrict_self");
	close(fd);
}

#endif
