/*
 * notify/: one datagram socket per watching session.  Whoever commits sends
 * one octet to each: EAGAIN means it was poked already, ECONNREFUSED that
 * its owner is gone (then the name is removed).  deliver pokes accounts it
 * does not trust: names are taken from the directory, sockets only; a link
 * that appears in between can misdirect one octet to another socket that
 * deliver may write to, which costs its owner one look at an unchanged log.
 * A socket address has 108 octets: so the working directory goes to notify/
 * when there is a name to send to.
 */
#include "base/compat.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define NOTIFY_MAX	256		/* watchers poked of one account */
/* Names whose owner is gone, as each parked client leaves one that goes: they
 * keep nobody else from being poked. */
#define NOTIFY_STALE	4096

/* Made before the jail by store_sockets(), or when first needed. */
static int	poke_fd = -1;
static int	spare_fd = -1;

static int
new_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int
store_sockets(void)
{
	if (poke_fd == -1)
		poke_fd = new_socket();
	if (spare_fd == -1)
		spare_fd = new_socket();
	return poke_fd == -1 || spare_fd == -1 ? -1 : 0;
}

/* Opens notify/, again if it was taken away.  0 or -1. */
static int
notify_open(struct store *st, bool make)
{
	struct stat sb;

	if (st->b.notify != -1 && fstat(st->b.notify, &sb) == 0 &&
	    sb.st_nlink == 0) {
		close(st->b.notify);
		st->b.notify = -1;
	}
	if (st->b.notify == -1 && make)
		(void)mkdirat(st->b.dir, "notify", 0777);
	if (st->b.notify == -1)
		st->b.notify = backend_file(st->b.dir, "notify",
		    O_RDONLY | O_DIRECTORY);
	return st->b.notify == -1 ? -1 : 0;
}

int
store_watch(struct store *st)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uint8_t rnd[8];
	int fd;

	if (st->watch != -1)
		return st->watch;
	if (notify_open(st, true) == -1 || fchdir(st->b.notify) == -1 ||
	    getrandom(rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return -1;
	fd = spare_fd != -1 ? spare_fd : new_socket();
	if (fd == -1)
		return -1;
	spare_fd = -1;
	(void)snprintf(st->watch_name, sizeof(st->watch_name), "w%016llx",
	    (unsigned long long)get64(rnd));
	(void)strlcpy(sun.sun_path, st->watch_name, sizeof(sun.sun_path));
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		close(fd);
		return -1;
	}
	return st->watch = fd;
}

void
store_unwatch(struct store *st)
{
	if (st->watch == -1)
		return;
	(void)unlinkat(st->b.notify, st->watch_name, 0);
	close(st->watch);
	st->watch = -1;
}

bool
store_watch_drain(struct store *st)
{
	char buf[16];
	bool some = false;

	if (st->watch == -1)
		return false;
	while (recv(st->watch, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		some = true;
	return some;
}

const char *
store_watch_name(const struct store *st)
{
	return st->watch != -1 ? st->watch_name : "";
}

int
store_watch_adopt(struct store *st, int fd, const char *name)
{
	socklen_t len = sizeof(int);
	int type = 0, domain = 0;

	if (st->watch != -1 || notify_open(st, true) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1 ||
	    type != SOCK_DGRAM || domain != AF_UNIX ||
	    strlcpy(st->watch_name, name, sizeof(st->watch_name)) >=
	    sizeof(st->watch_name))
		return -1;
	st->watch = fd;
	return 0;
}

int
store_watch_release(struct store *st)
{
	int fd = st->watch;

	st->watch = -1;
	return fd;
}

/* False: nobody is there any more. */
static bool
poke_one(struct store *st, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sun);

	if ((st->watch != -1 && strcmp(name, st->watch_name) == 0) ||
	    strlcpy(sun.sun_path, name, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		return true;
	if (sendto(poke_fd, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (struct sockaddr *)&sun, len) != -1 || errno != ECONNREFUSED)
		return true;
	(void)unlinkat(st->b.notify, name, 0);
	return false;
}

#ifdef __linux__
/* Straight from the kernel: no allocation for what is nearly always empty. */
static void
poke_all(struct store *st)
{
	union {
		char	 b[4096];
		uint64_t align;
	} buf;
	struct dirent64 *d;
	unsigned int count = 0, stale = 0;
	ssize_t n = 0, off;

	if (lseek(st->b.notify, 0, SEEK_SET) == -1)
		return;
	do {
		n = getdents64(st->b.notify, buf.b, sizeof(buf.b));
		for (off = 0; off < n; off += d->d_reclen) {
			d = (struct dirent64 *)(void *)(buf.b + off);
			if (d->d_type != DT_SOCK && d->d_type != DT_UNKNOWN)
				continue;
			if (d->d_name[0] != 'w')
				continue;
			if (count + stale == 0 && fchdir(st->b.notify) == -1)
				return;
			if (count >= NOTIFY_MAX || stale >= NOTIFY_STALE)
				return;
			if (poke_one(st, d->d_name))
				count++;
			else
				stale++;
		}
	} while (n > (ssize_t)sizeof(buf.b) / 2);
}
#else
static void
poke_all(struct store *st)
{
	struct dirent *d;
	unsigned int count = 0, stale = 0;
	DIR *dir;
	int fd;

	if ((fd = openat(st->b.notify, ".", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL && count < NOTIFY_MAX &&
	    stale < NOTIFY_STALE)
		if (d->d_name[0] == 'w') {
			if (count + stale == 0 && fchdir(st->b.notify) == -1)
				break;
			if (poke_one(st, d->d_name))
				count++;
			else
				stale++;
		}
	closedir(dir);
}
#endif

void
store_poke(struct store *st)
{
	if (poke_fd == -1 && (poke_fd = new_socket()) == -1)
		return;
	if (notify_open(st, false) == 0)
		poke_all(st);
}
