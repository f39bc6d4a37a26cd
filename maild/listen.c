/*
 * Listening sockets.  Only maild binds; fronts get the sockets and accept.
 * maild keeps its copies, so connections wait in the kernel while a front
 * is restarted, and a reload keeps every socket whose address stays.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define BACKLOG		4096

static socklen_t
listen_addr(const struct conf_listen *l, struct sockaddr_storage *ss)
{
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;
	struct ipaddr ip;

	memset(ss, 0, sizeof(*ss));
	if (ipaddr_parse(slice_str(l->address), &ip) == -1)
		return 0;
	if (ip.family == 4) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons((uint16_t)l->port);
		memcpy(&s4->sin_addr, ip.b, 4);
		return sizeof(*s4);
	}
	s6->sin6_family = AF_INET6;
	s6->sin6_port = htons((uint16_t)l->port);
	memcpy(&s6->sin6_addr, ip.b, 16);
	return sizeof(*s6);
}

/* The addresses of this machine, as words of a message. */
static void
addresses(char *buf, size_t size)
{
	struct ifaddrs *all, *a;
	char text[INET6_ADDRSTRLEN];
	const void *p;

	buf[0] = '\0';
	if (getifaddrs(&all) == -1)
		return;
	for (a = all; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL || (a->ifa_addr->sa_family != AF_INET &&
		    a->ifa_addr->sa_family != AF_INET6))
			continue;
		p = a->ifa_addr->sa_family == AF_INET ? (const void *)
		    &((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr :
		    &((struct sockaddr_in6 *)(void *)a->ifa_addr)->sin6_addr;
		if (inet_ntop(a->ifa_addr->sa_family, p, text,
		    sizeof(text)) == NULL || strlen(buf) + strlen(text) + 3 >
		    size)
			continue;
		strlcat(buf, buf[0] == '\0' ? "" : ", ", size);
		strlcat(buf, text, size);
	}
	freeifaddrs(all);
}

static void
error_in_use(const struct conf_listen *l, char *err, size_t size)
{
	char name[64];
	pid_t pid = port_holder(l, 0, name, sizeof(name));

	if (pid == 0)
		snprintf(err, size, "listen %s port %u: in use by another "
		    "program; stop it (ss -ltnp shows it) or change listen",
		    l->address, l->port);
	else
		snprintf(err, size, "listen %s port %u: in use by another "
		    "program, %s (process %d); stop it or change listen",
		    l->address, l->port, name, (int)pid);
}

/* What went wrong and what to do, with the address and port. */
static void
listen_error(const struct conf_listen *l, int error, char *err, size_t size)
{
	char here[400];

	if (error == EADDRINUSE)
		error_in_use(l, err, size);
	else if (error == EADDRNOTAVAIL) {
		addresses(here, sizeof(here));
		snprintf(err, size, "listen %s port %u: this machine has no "
		    "such address, it has %s; add it or change listen",
		    l->address, l->port, here);
	} else
		snprintf(err, size, "listen %s port %u: %s", l->address,
		    l->port, strerror(error));
}

/* A socket, -1 with errno, or -2: not on this machine, never mind.  One that
 * is only tried takes no connection. */
static int
listen_one(const struct conf_listen *l, bool try)
{
	struct sockaddr_storage ss;
	socklen_t len = listen_addr(l, &ss);
	int fd, on = 1;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd == -1 && errno == EAFNOSUPPORT && strcmp(l->address, "::") == 0)
		return -2;
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ss.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	/* what is accepted inherits this: no call a connection */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) == -1 ||
	    (!try && listen(fd, BACKLOG) == -1)) {
		int error = errno;

		close(fd);
		errno = error;
		return error == EADDRNOTAVAIL &&
		    strcmp(l->address, "::") == 0 ? -2 : -1;
	}
	return fd;
}

/* The socket of the same address and port in another configuration. */
static int
listen_find(const struct conf *conf, const int *fds,
    const struct conf_listen *l)
{
	for (size_t i = 0; conf != NULL && i < conf->nlisten; i++)
		if (fds[i] != -1 && conf->listen[i].port == l->port &&
		    strcmp(conf->listen[i].address, l->address) == 0)
			return fds[i];
	return -1;
}

int
listen_open(const struct conf *conf, int *fds, const struct conf *old,
    const int *old_fds, char *err, size_t errsize)
{
	size_t i;

	for (i = 0; i < CONF_NLIST; i++)
		fds[i] = -1;
	for (i = 0; i < conf->nlisten; i++) {
		const struct conf_listen *l = &conf->listen[i];

		if ((fds[i] = listen_find(old, old_fds, l)) != -1)
			continue;
		if ((fds[i] = listen_one(l, false)) == -2) {
			log_info("listen %s port %u: no IPv6 here",
			    l->address, l->port);
			fds[i] = -1;
		} else if (fds[i] == -1) {
			listen_error(l, errno, err, errsize);
			listen_close(conf, fds, old, old_fds);
			for (i = 0; i < CONF_NLIST; i++)
				fds[i] = -1;
			return -1;
		}
	}
	return 0;
}

void
listen_look(struct findings *f, const struct conf *old, const int *old_fds,
    pid_t running)
{
	char err[700], name[64];

	for (size_t i = 0; i < f->conf->nlisten; i++) {
		const struct conf_listen *l = &f->conf->listen[i];
		int fd = listen_find(old, old_fds, l) != -1 ? -2 :
		    listen_one(l, true);
		int error = errno;

		if (fd >= 0)
			close(fd);
		if (fd != -1 || (error == EADDRINUSE && running != 0 &&
		    port_holder(l, running, name, sizeof(name)) == running))
			continue;
		listen_error(l, error, err, sizeof(err));
		finding_wrong(f, EX_UNAVAILABLE, "listen.address", i, "%s",
		    err);
	}
}

void
listen_close(const struct conf *old, const int *old_fds,
    const struct conf *conf, const int *fds)
{
	for (size_t i = 0; i < old->nlisten; i++)
		if (old_fds[i] != -1 && listen_find(conf, fds,
		    &old->listen[i]) != old_fds[i])
			close(old_fds[i]);
}
