/*
 * Who has a port: the processes that hold a socket which listens where we
 * want to, by what the kernel shows below /proc.  Without the right to look
 * into other processes nobody is found, and that is all.  Run by maild, for a
 * message alone.
 */
#include "base/compat.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define INODES_MAX	16	/* sockets that may be in the way */
#define LINES_MAX	1000000	/* of a table of the kernel */
#define LISTENS		0x0a	/* state of a socket there */

struct inodes { unsigned long v[INODES_MAX]; size_t n; };

/* As the kernel prints it: words of 32 bits, each in the machine's order. */
static void
address_hex(const struct ipaddr *ip, char buf[33])
{
	uint32_t w;

	for (size_t i = 0; i < (ip->family == 4 ? 1 : 4); i++) {
		memcpy(&w, ip->b + 4 * i, sizeof(w));
		snprintf(buf + 8 * i, 9, "%08X", w);
	}
}

static bool
is_any(const char *hex)
{
	return strspn(hex, "0") == strlen(hex);
}

/* One table: of the sockets of IPv4, or of IPv6, which may take the others'
 * addresses too. */
static void
table_read(const char *path, const char *hex, unsigned int port,
    struct inodes *found)
{
	char line[512], local[64], addr[64];
	unsigned int state, at;
	unsigned long inode;
	FILE *fp = fopen(path, "re");
	long left = LINES_MAX;

	while (fp != NULL && left-- > 0 && found->n < INODES_MAX &&
	    fgets(line, sizeof(line), fp) != NULL) {
		if (sscanf(line, " %*d: %63s %*s %x %*s %*s %*s %*u %*u %lu",
		    local, &state, &inode) != 3 || state != LISTENS ||
		    sscanf(local, "%63[0-9A-F]:%x", addr, &at) != 2 ||
		    at != port)
			continue;
		if (is_any(hex) || is_any(addr) || strcmp(hex, addr) == 0)
			found->v[found->n++] = inode;
	}
	if (fp != NULL)
		fclose(fp);
}

static bool
holds(int fdsdir, const char *name, const struct inodes *in)
{
	char link[64], want[64];
	ssize_t n = readlinkat(fdsdir, name, link, sizeof(link) - 1);

	if (n <= 0)
		return false;
	link[n] = '\0';
	for (size_t i = 0; i < in->n; i++) {
		snprintf(want, sizeof(want), "socket:[%lu]", in->v[i]);
		if (strcmp(link, want) == 0)
			return true;
	}
	return false;
}

static bool
process_holds(const char *pid, const struct inodes *in)
{
	char path[64];
	const struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	if ((d = opendir(path)) == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL)
		found = isdigit((unsigned char)e->d_name[0]) &&
		    holds(dirfd(d), e->d_name, in);
	closedir(d);
	return found;
}

static void
process_name(const char *pid, char *name, size_t size)
{
	char path[64];
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	name[0] = '\0';
	if ((fp = fopen(path, "re")) != NULL) {
		if (fgets(name, (int)size, fp) == NULL)
			name[0] = '\0';
		fclose(fp);
	}
	name[strcspn(name, "\n")] = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
}

/* The first that holds one of them, or him if he does. */
static pid_t
process_find(const struct inodes *in, pid_t him, char *name, size_t size)
{
	char pid[24];
	const struct dirent *e;
	pid_t found = 0;
	DIR *d;

	snprintf(pid, sizeof(pid), "%d", (int)him);
	if (him != 0 && process_holds(pid, in))
		return him;
	if ((d = opendir("/proc")) == NULL)
		return 0;
	while (found == 0 && (e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    process_holds(e->d_name, in)) {
			found = (pid_t)atol(e->d_name);
			process_name(e->d_name, name, size);
		}
	closedir(d);
	return found;
}

pid_t
port_holder(const struct conf_listen *l, pid_t ours, char *name, size_t size)
{
	struct inodes found = { .n = 0 };
	struct ipaddr ip;
	char hex[33];

	name[0] = '\0';
	if (ipaddr_parse(slice_str(l->address), &ip) == -1)
		return 0;
	address_hex(&ip, hex);
	if (ip.family == 4)
		table_read("/proc/net/tcp", hex, l->port, &found);
	table_read("/proc/net/tcp6", hex, l->port, &found);
	return found.n == 0 ? 0 : process_find(&found, ours, name, size);
}
