/*
 * In place of any role: it tells maild what it may not.  Started the first
 * time it is as a role should be, so that the house comes up; after that it
 * sends one packet of the file "packets" beside it at each start, every other
 * time as ready.  The packets are u8 descriptors, u16 length, octets; the
 * first is what it says when it is ready.  Octets 8 to 11, the generation,
 * are those that maild sent.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "msg/msg.h"

#define MAIN_FD		3
#define PACKETS_MAX	16

static struct packet { int nfd; size_t n; char *p; } packet[PACKETS_MAX];
static size_t npackets;
static char generation[4];

/* The directory of this program. */
static void
home(char *dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dir, size - 1);

	dir[n > 0 ? n : 0] = '\0';
	*strrchr(dir, '/') = '\0';
	if (chdir(dir) == -1)
		exit(2);
}

static void
packets_read(void)
{
	FILE *f = fopen("packets", "r");
	int nfd;

	if (f == NULL)
		exit(2);
	while (npackets < PACKETS_MAX && (nfd = fgetc(f)) != EOF) {
		struct packet *k = &packet[npackets++];

		k->nfd = nfd;
		k->n = (size_t)fgetc(f);
		k->n |= (size_t)fgetc(f) << 8;
		if ((k->p = malloc(k->n)) == NULL ||
		    fread(k->p, 1, k->n, f) != k->n)
			exit(2);
	}
	fclose(f);
}

/* How often this was started before, counted in a file's length. */
static size_t
starts(const char *name, const char *what)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "count.%s%s", name, what);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd == -1 || fstat(fd, &st) == -1 || write(fd, "x", 1) != 1)
		exit(2);
	close(fd);
	return (size_t)st.st_size;
}

/* The configuration, to its end. */
static void
conf_read(void)
{
	static char buf[MSG_MAX];
	const uint16_t end = msg_info[CONF_END].number;
	ssize_t n;

	while ((n = recv(MAIN_FD, buf, sizeof(buf), 0)) > 0)
		if ((unsigned char)buf[0] == (end & 0xff) &&
		    (unsigned char)buf[1] == end >> 8) {
			memcpy(generation, buf + 8, sizeof(generation));
			return;
		}
	exit(0);
}

static void
say(const struct packet *k)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int) * 4)]; } c;
	struct iovec iov = { k->p, k->n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&c, 0, sizeof(c));
	if (k->nfd > 0) {
		mh.msg_control = c.b;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)k->nfd);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)k->nfd);
		for (int i = 0; i < k->nfd; i++)
			memcpy(CMSG_DATA(&c.h) + (size_t)i * sizeof(int), &fd,
			    sizeof(fd));
	}
	(void)sendmsg(MAIN_FD, &mh, MSG_NOSIGNAL);
	close(fd);
}

int
main(int argc, char *argv[])
{
	static char dir[1024], rest[MSG_MAX];
	size_t n;

	home(dir, sizeof(dir));
	packets_read();
	n = starts(argv[0], argc > 1 ? argv[1] : "");
	conf_read();
	memcpy(packet[0].p + 8, generation, sizeof(generation));
	if (n % 2 == 0)
		say(&packet[0]);
	if (n > 0)
		say(&packet[1 + n % (npackets - 1)]);
	while (recv(MAIN_FD, rest, sizeof(rest), 0) > 0)
		;
	return 0;
}
