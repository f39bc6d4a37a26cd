/*
 * What a hostile process tries with the descriptors that it holds: out of a
 * directory, into a file, at a socket.  See standin.c.
 */
#include "base/compat.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "standin.h"

#define UP		"../../../../../../../../../../"

/* ---- directories --------------------------------------------------------- */

static int
opened(int fd)
{
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

static int
up_shadow(int fd)
{
	return opened(openat(fd, UP "etc/shadow", O_RDONLY));
}

static int
up_passwd(int fd)
{
	return opened(openat(fd, UP "etc/passwd", O_RDONLY));
}

/* Another directory than this one, so not the root's own "..". */
static int
up_list(int fd)
{
	int up = openat(fd, "..", O_RDONLY | O_DIRECTORY);
	struct stat a, b;
	bool same;

	if (up == -1)
		return -1;
	same = fstat(fd, &a) == 0 && fstat(up, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	close(up);
	errno = EXDEV;
	return same ? -1 : 0;
}

static int
up_create(int fd)
{
	return opened(openat(fd, UP "root/standin.tmp", O_WRONLY | O_CREAT,
	    0600));
}

static int
up_create_near(int fd)
{
	return opened(openat(fd, "../../standin.tmp", O_WRONLY | O_CREAT,
	    0600)) == 0 && openat(fd, "standin.tmp", O_PATH) == -1 ? 0 : -1;
}

static int
up_mkdir(int fd)
{
	return mkdirat(fd, UP "root/standin.dir", 0700);
}

static int
up_descriptor(int fd)
{
	return opened(openat(fd, UP "proc/self/fd/3", O_RDWR));
}

static int
up_memory(int fd)
{
	return opened(openat(fd, UP "proc/self/mem", O_RDWR));
}

/* The usual way out of a changed root. */
static int
up_chroot(int fd)
{
	int up = openat(fd, UP, O_PATH | O_DIRECTORY);

	if (up == -1 || fchdir(up) == -1 || chroot(".") == -1)
		return -1;
	return opened(open("/etc/passwd", O_RDONLY));
}

static int
sibling(int fd)
{
	return opened(openat(fd, "../2/journal", O_RDONLY));
}

static int
become(unsigned int account)
{
	uid_t uid = st.uid_base + account;

	return setresgid(uid, uid, uid) == -1 ? -1 :
	    setresuid(uid, uid, uid);
}

static int
as_other_sibling(int fd)
{
	return become(2) == -1 ? -1 : sibling(fd);
}

static int
as_account_passwd(int fd)
{
	return become(1) == -1 ? -1 : up_passwd(fd);
}

static int
as_account_create(int fd)
{
	return become(1) == -1 ? -1 : opened(openat(fd, UP
	    "tmp/standin.tmp", O_WRONLY | O_CREAT, 0600));
}

static int
as_account_here(int fd)
{
	return become(1) == -1 ? -1 : opened(openat(fd, "journal", O_RDONLY));
}

/* A datagram to a socket of somebody else, from the directory we are in. */
static int
as_account_datagram(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s;

	if (become(1) == -1 || fchdir(fd) == -1)
		return -1;
	strlcpy(sun.sun_path, UP, sizeof(sun.sun_path));
	strlcat(sun.sun_path, st.open + 1, sizeof(sun.sun_path));
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	return s == -1 || sendto(s, "x", 1, 0, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1 ? -1 : 0;
}

static int
as_root_shadow(int fd)
{
	return setresuid(0, 0, 0) == -1 ? -1 : up_shadow(fd);
}

static int
link_in(int fd)
{
	return linkat(fd, UP "etc/passwd", fd, "standin.hard", 0);
}

static int
rename_out(int fd)
{
	return renameat(fd, "journal", fd, UP "tmp/standin.journal");
}

static int
here_list(int fd)
{
	return opened(openat(fd, ".", O_RDONLY | O_DIRECTORY));
}

static int
here_create(int fd)
{
	int r = opened(openat(fd, "standin.tmp", O_WRONLY | O_CREAT, 0600));

	if (r == 0)
		unlinkat(fd, "standin.tmp", 0);
	return r;
}

static int
here_symlink(int fd)
{
	return symlinkat("/etc", fd, "standin.link");
}

static int
here_device(int fd)
{
	return mknodat(fd, "standin.dev", S_IFCHR | 0666, 0x103);
}

static int
here_fifo(int fd)
{
	return mknodat(fd, "standin.fifo", S_IFIFO | 0666, 0);
}

/* ---- files --------------------------------------------------------------- */

static int write_it(int fd) { return pwrite(fd, "x", 1, 0) == -1 ? -1 : 0; }
static int grow_it(int fd) { return ftruncate(fd, 1 << 20); }
static int mode_it(int fd) { return fchmod(fd, 0777); }
static int owner_it(int fd) { return fchown(fd, 1, 1); }

static int
map_write(int fd)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	    MAP_FAILED ? -1 : 0;
}

static int
map_exec(int fd)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) ==
	    MAP_FAILED ? -1 : 0;
}

static int
exec_it(int fd)
{
	char *const none[] = { NULL };

	return (int)syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
}

static int
name_it(int fd)
{
	return linkat(fd, "", AT_FDCWD, "/standin.named", AT_EMPTY_PATH);
}

static int
reopen_it(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return opened(open(path, O_RDWR));
}

/* ---- sockets ------------------------------------------------------------- */

static int
connect_tcp(int fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)st.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(fd, (struct sockaddr *)&sin, sizeof(sin));
}

/* A listener that stops, for whoever shares it. */
static int
disconnect(int fd)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return connect(fd, &sa, sizeof(sa));
}

static int
shut_reading(int fd)
{
	return shutdown(fd, SHUT_RD);
}

static int
connect_control(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strlcpy(sun.sun_path, st.control, sizeof(sun.sun_path));
	return connect(fd, (struct sockaddr *)&sun, sizeof(sun));
}

/* Where a packet can have an address; others have their peer. */
static int
addressed(int fd)
{
	int type = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    type == SOCK_DGRAM)
		return 0;
	errno = EISCONN;
	return -1;
}

static int
send_path(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (addressed(fd) == -1)
		return -1;
	strlcpy(sun.sun_path, st.open, sizeof(sun.sun_path));
	return sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1 ? -1 : 0;
}

/* At a name of the test's, which it made before. */
static int
send_abstract(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (addressed(fd) == -1)
		return -1;
	strlcpy(sun.sun_path + 1, st.open, sizeof(sun.sun_path) - 1);
	return sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(st.open))) == -1 ? -1 : 0;
}

/* The other session's stand-in may be at it in the same directory. */
static int
bind_path(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int i, r;

	strlcpy(sun.sun_path, "/standin.sock", sizeof(sun.sun_path));
	for (i = 0; i < 1000; i++) {
		r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
		if (r != -1 || errno != EADDRINUSE)
			break;
		unlink("/standin.sock");
	}
	if (r == 0)
		unlink("/standin.sock");
	return r;
}

static int listen_it(int fd) { return listen(fd, 5); }

static int
accept_it(int fd)
{
	int c;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	c = accept4(fd, NULL, NULL, 0);
	return c == -1 && errno != EAGAIN ? -1 : 0;
}

static int
ioctl_it(int fd)
{
	int n;

	return ioctl(fd, FIONREAD, &n);
}

static int
type_it(int fd)
{
	return ioctl(fd, TIOCSTI, "x");
}

static int
force_buffer(int fd)
{
	int n = 64 << 20;

	return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof(n));
}

static int
to_device(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &(int){ 1 }, sizeof(int));
}

/* The peer's process, and then what that holds. */
static int
peer_files(int fd)
{
	int pidfd = -1;
	socklen_t n = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &pidfd,
	    &n) == -1)
		pidfd = fd;
	return (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0) == -1 ? -1 : 0;
}

const struct fd_attempt fd_attempts[] = {
	{ "up_shadow", ON_ANY, up_shadow }, { "up_passwd", ON_ANY, up_passwd },
	{ "up_list", ON_ANY, up_list }, { "up_create", ON_ANY, up_create },
	{ "up_create_near", ON_DIR, up_create_near },
	{ "up_mkdir", ON_ANY, up_mkdir },
	{ "up_descriptor", ON_DIR, up_descriptor },
	{ "up_memory", ON_DIR, up_memory },
	{ "sibling", ON_ANY, sibling },
	{ "link_in", ON_DIR, link_in }, { "rename_out", ON_DIR, rename_out },
	{ "here_list", ON_ANY, here_list },
	{ "here_create", ON_ANY, here_create },
	{ "here_symlink", ON_DIR, here_symlink },
	{ "here_device", ON_DIR, here_device },
	{ "here_fifo", ON_DIR, here_fifo },
	{ "up_chroot", ON_DIR, up_chroot },
	{ "as_other_sibling", ON_DIR, as_other_sibling },
	{ "as_account_here", ON_DIR, as_account_here },
	{ "as_account_passwd", ON_DIR, as_account_passwd },
	{ "as_account_create", ON_DIR, as_account_create },
	{ "as_account_datagram", ON_DIR, as_account_datagram },
	{ "as_root_shadow", ON_DIR, as_root_shadow },
	{ "write_it", ON_FILE, write_it }, { "grow_it", ON_FILE, grow_it },
	{ "mode_it", ON_ANY, mode_it }, { "owner_it", ON_ANY, owner_it },
	{ "map_write", ON_FILE, map_write }, { "map_exec", ON_FILE, map_exec },
	{ "exec_it", ON_ANY, exec_it }, { "name_it", ON_ANY, name_it },
	{ "reopen_it", ON_ANY, reopen_it },
	{ "connect_tcp", ON_SOCKET, connect_tcp },
	{ "connect_control", ON_SOCKET, connect_control },
	{ "send_path", ON_SOCKET, send_path },
	{ "send_abstract", ON_SOCKET, send_abstract },
	{ "bind_path", ON_SOCKET, bind_path },
	{ "listen_it", ON_SOCKET, listen_it },
	{ "accept_it", ON_SOCKET, accept_it },
	{ "ioctl_it", ON_ANY, ioctl_it }, { "type_it", ON_ANY, type_it },
	{ "force_buffer", ON_SOCKET, force_buffer },
	{ "to_device", ON_SOCKET, to_device },
	{ "peer_files", ON_SOCKET, peer_files },
	/* last, for they end something */
	{ "disconnect", ON_SOCKET, disconnect },
	{ "shut_reading", ON_SOCKET, shut_reading },
};
const size_t nfd_attempts = NITEMS(fd_attempts);
