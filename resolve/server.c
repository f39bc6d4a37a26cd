/*
 * The resolvers of resolve, and whether they are of any use.  Strangers can
 * have names that nobody answers for, so failures alone say nothing; but one
 * from which only failures are heard is asked for the root's name servers,
 * which every resolver knows.  If that fails too, maild is told, once and
 * with what to do, and it is asked again until it answers.
 */
#include "base/compat.h"

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "resolve/resolve.h"

#define FAILED_MANY	2	/* in a row, before it is looked at */
#define PROBES_MANY	3	/* that failed, before it is told */
#define PROBE_SOON_S	1	/* till the next, before it is told */
#define PROBE_S		5	/* and later, or after one that went well */

struct state {
	struct attempt	*probe;
	struct event	*ev;		/* the next probe, or a rest */
	unsigned int	 failed;	/* in a row, anybody's questions */
	unsigned int	 probes;	/* that failed in a row */
	bool		 told;
};

static struct {
	struct event_base *base;
	struct server	 server[SERVER_MAX];
	struct state	 state[SERVER_MAX];
	size_t		 n;
} sv;

static int	 server_parse(const char *, struct server *);
static bool	 answered(enum packet_result);
static void	 server_well(size_t);
static void	 server_tell(size_t, enum packet_result);
static void	 server_clear(size_t);
static void	 probe_start(size_t);
static void	 probe_later(size_t, unsigned int);
static void	 on_probe(enum packet_result, const struct dns_answer *,
		    void *);
static void	 on_time(evutil_socket_t, short, void *);

size_t
server_setup(struct event_base *base)
{
	const struct conf *conf = proc_conf();
	size_t i;

	sv.base = base;
	for (i = 0; i < sv.n; i++)
		server_clear(i);
	sv.n = 0;
	for (i = 0; i < conf->dns.nresolvers && sv.n < SERVER_MAX; i++) {
		if (server_parse(conf->dns.resolvers[i],
		    &sv.server[sv.n]) == 0)
			sv.n++;
		else
			log_warnx("resolver %s: not an address",
			    log_text(conf->dns.resolvers[i],
			    strlen(conf->dns.resolvers[i])));
	}
	return sv.n;
}

size_t
server_count(void)
{
	return sv.n;
}

const struct server *
server_get(size_t i)
{
	return &sv.server[i];
}

unsigned int
server_timeout(void)
{
	return proc_conf()->dns.timeout > 0 ? proc_conf()->dns.timeout : 2000;
}

/* "ADDRESS" or "ADDRESS@PORT". */
static int
server_parse(const char *text, struct server *s)
{
	struct slice addr = slice_str(text), port;
	struct sockaddr_in *in = (struct sockaddr_in *)&s->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s->sa;
	struct ipaddr ip;
	uint64_t n = 53;

	addr.n = slice_find(addr, '@');
	port = slice_str(text + addr.n);
	if (port.n > 0 &&
	    slice_number(slice_of(port.p + 1, port.n - 1), 65535, &n) == -1)
		return -1;
	if (n == 0 || ipaddr_parse(addr, &ip) == -1)
		return -1;
	memset(s, 0, sizeof(*s));
	(void)strlcpy(s->name, text, sizeof(s->name));
	if (ip.family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)n);
		memcpy(&in->sin_addr, ip.b, 4);
		s->len = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)n);
		memcpy(&in6->sin6_addr, ip.b, 16);
		s->len = sizeof(*in6);
	}
	return 0;
}

/* ---- of any use? --------------------------------------------------------- */

static bool
answered(enum packet_result r)
{
	switch (r) {
	case PACKET_OK:
	case PACKET_TRUNCATED:
		return true;
	case PACKET_NOEDNS:
	case PACKET_FOREIGN:
	case PACKET_REFUSED:
	case PACKET_SERVFAIL:
	case PACKET_BAD:
	case PACKET_SILENT:
	case PACKET_CLOSED:
		break;
	}
	return false;
}

void
server_heard(size_t i, enum packet_result r)
{
	struct state *s = &sv.state[i];

	if (i >= sv.n)
		return;			/* of before a reload */
	if (answered(r))
		server_well(i);
	else if (++s->failed >= FAILED_MANY && s->probe == NULL &&
	    (s->ev == NULL || !event_pending(s->ev, EV_TIMEOUT, NULL)))
		probe_start(i);
}

static void
server_well(size_t i)
{
	struct state *s = &sv.state[i];

	s->failed = s->probes = 0;
	if (!s->told)
		return;
	s->told = false;
	log_notice("resolver %s answers again", sv.server[i].name);
	server_tell(i, PACKET_OK);
}

/* What is wrong with it, and what to do; PACKET_OK: nothing. */
static void
server_tell(size_t i, enum packet_result r)
{
	static const struct { const char *what, *cure; } text[] = {
	[PACKET_REFUSED] = { "refuses to answer (REFUSED)", "let it resolve "
	    "for this host (access-control: of unbound, allow-recursion of "
	    "BIND)" },
	[PACKET_SERVFAIL] = { "has an answer to nothing (SERVFAIL)", "its own "
	    "log says why; often the clock, the trust anchor or its way to "
	    "the network is wrong" },
	[PACKET_SILENT] = { "does not answer", "see that it runs and that no "
	    "packet filter is between" },
	[PACKET_CLOSED] = { "cannot be reached: nobody listens there or there "
	    "is no route", "start it" },
	[PACKET_BAD] = { "gives answers that are none", "see what listens "
	    "there" },
	};
	const char *name = sv.server[i].name;
	char id[64];

	if (r == PACKET_NOEDNS || r == PACKET_FOREIGN)
		r = PACKET_BAD;
	snprintf(id, sizeof(id), "resolver-%zu", i + 1);
	if (r == PACKET_OK)
		proc_impaired_over(id);
	else
		proc_impaired(id, "resolver %s %s: %s, or name another one as "
		    "dns.resolvers; till then mail that needs it waits", name,
		    text[r].what, text[r].cure);
}

static void
server_clear(size_t i)
{
	struct state *s = &sv.state[i];

	if (s->told)
		server_tell(i, PACKET_OK);
	attempt_free(s->probe);
	if (s->ev != NULL)
		event_free(s->ev);
	*s = (struct state){ 0 };
}

/* ---- asking for the root ------------------------------------------------- */

static void
probe_start(size_t i)
{
	const struct question root = { "", DNS_NS };
	struct state *s = &sv.state[i];

	s->probe = attempt_start(sv.base, &sv.server[i], &root, false, false,
	    2 * server_timeout(), on_probe, s);
	if (s->probe == NULL)
		probe_later(i, PROBE_S);
}

static void
probe_later(size_t i, unsigned int seconds)
{
	const struct timeval tv = { seconds, 0 };
	struct state *s = &sv.state[i];

	if (s->ev == NULL && (s->ev = event_new(sv.base, -1, 0, on_time,
	    s)) == NULL)
		fatalx("resolve: no event");
	event_add(s->ev, &tv);
}

static void
on_probe(enum packet_result r, const struct dns_answer *a, void *arg)
{
	struct state *s = arg;
	size_t i = (size_t)(s - sv.state);

	s->probe = NULL;
	if (answered(r))
		server_well(i);
	else if (++s->probes >= PROBES_MANY) {
		s->told = true;
		server_tell(i, r);
	}
	probe_later(i, s->probes > 0 && !s->told ? PROBE_SOON_S : PROBE_S);
}

/* After a probe that went well this was only a rest. */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct state *s = arg;

	if (s->probe == NULL && (s->probes > 0 || s->failed >= FAILED_MANY))
		probe_start((size_t)(s - sv.state));
}
