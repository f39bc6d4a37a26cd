/*
 * Is an address one at which we take mail ourselves?  relay asks the kernel,
 * which knows what this machine's addresses are now, without a word to
 * anybody: a datagram socket that is connected sends nothing, and a way to
 * oneself begins at the address where it ends.  Called by lookup.c.
 *
 * BUGS: an address that a router in front of this machine translates is not
 * known here; such a host is known by its greeting (session.c).
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <netinet/in.h>

#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define DISCARD		9	/* a port; any would do */

static bool	 own_serves(const struct ipaddr *, unsigned int);
static bool	 own_here(const struct ipaddr *);
static bool	 sockaddr_is(const struct sockaddr_storage *,
	    const struct ipaddr *);

bool
own_address(const struct ipaddr *ip)
{
	return own_serves(ip, proc_conf()->relay.port) && own_here(ip);
}

/* If it is this machine's: do we listen for SMTP there? */
static bool
own_serves(const struct ipaddr *ip, unsigned int port)
{
	static const uint8_t any[16];
	const struct conf *conf = proc_conf();
	struct ipaddr at;
	size_t i, n = ip->family == 4 ? 4 : 16;

	for (i = 0; i < conf->nlisten; i++)
		if (conf->listen[i].port == port &&
		    conf->listen[i].address != NULL &&
		    ipaddr_parse(slice_str(conf->listen[i].address),
		    &at) == 0 && at.family == ip->family &&
		    (memcmp(at.b, any, n) == 0 || memcmp(at.b, ip->b, n) == 0))
			return true;
	return false;
}

/* All of 127/8 is, whatever address the kernel begins such a way at. */
static bool
own_here(const struct ipaddr *ip)
{
	struct sockaddr_storage sa, from;
	socklen_t len = sockaddr_make(&sa, ip, DISCARD), n = sizeof(from);
	bool here;
	int fd;

	if (ip->family == 4 && ip->b[0] == 127)
		return true;
	if ((fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return false;
	here = connect(fd, (struct sockaddr *)&sa, len) == 0 &&
	    getsockname(fd, (struct sockaddr *)&from, &n) == 0 &&
	    sockaddr_is(&from, ip);
	close(fd);
	return here;
}

static bool
sockaddr_is(const struct sockaddr_storage *sa, const struct ipaddr *ip)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	if (ip->family == 4)
		return sa->ss_family == AF_INET &&
		    memcmp(&in->sin_addr, ip->b, 4) == 0;
	return sa->ss_family == AF_INET6 &&
	    memcmp(&in6->sin6_addr, ip->b, 16) == 0;
}

socklen_t
sockaddr_make(struct sockaddr_storage *sa, const struct ipaddr *ip,
    unsigned int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof(*sa));
	if (ip->family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, ip->b, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	memcpy(&in6->sin6_addr, ip->b, 16);
	return sizeof(*in6);
}
