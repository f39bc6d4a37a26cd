/*
 * Asking resolve for the route to a destination: MX first, then A and AAAA
 * of every host at once (they are cached there).  What the answers mean is
 * route.c's business.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "parse/rr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

struct question {
	struct lookup	*lookup;
	size_t		 host;
	uint32_t	 id;		/* 0: answered */
};

struct lookup {
	struct event	 now;		/* no need to ask anybody */
	struct chan	*dns;		/* whom we asked */
	uint64_t	 no;		/* for whom */
	char		 domain[HOST_TEXT];
	struct route	*route;
	struct reason	 why;
	bool		 failed;
	lookup_cb	 cb;
	void		*arg;
	struct question	 mx;
	struct question	 addr[2 * ROUTE_HOSTS];
	size_t		 open;		/* addr not yet answered */
};

static struct chan *resolve;	/* whom the next one asks; NULL: it is away */

static void	 lookup_begin(struct lookup *);
static void	 lookup_hosts(struct lookup *);
static void	 lookup_host(struct lookup *, struct question *, size_t,
	    enum dns_type);
static void	 lookup_now(struct lookup *);
static int	 lookup_loops(struct lookup *);
static void	 lookup_done(struct lookup *);
static void	 on_mx(const struct dns_ask_r *, void *);
static void	 on_address(const struct dns_ask_r *, void *);
static void	 on_now(evutil_socket_t, short, void *);

void
lookup_channel(struct chan *c)
{
	resolve = c;
}

struct lookup *
lookup_start(const char *domain, lookup_cb cb, void *arg)
{
	const struct conf *conf = proc_conf();
	struct lookup *l = xcalloc(1, sizeof(*l));
	static uint64_t last;
	struct ipaddr src;

	l->route = xcalloc(1, sizeof(*l->route));
	l->route->refs = 1;
	l->route->loopback = conf->relay.loopback ||
	    conf->relay.smarthost != NULL;	/* the operator named it */
	if (conf->relay.source != NULL &&
	    ipaddr_parse(slice_str(conf->relay.source), &src) == 0)
		l->route->family = src.family;
	l->cb = cb;
	l->arg = arg;
	l->dns = resolve;
	l->no = ++last;
	(void)strlcpy(l->domain, domain, sizeof(l->domain));
	event_assign(&l->now, proc_base(), -1, 0, on_now, l);
	lookup_begin(l);
	return l;
}

void
lookup_free(struct lookup *l)
{
	size_t i;

	if (l == NULL)
		return;
	event_del(&l->now);
	if (l->mx.id != 0)
		dns_forget(l->dns, l->mx.id);
	for (i = 0; i < NITEMS(l->addr); i++)
		if (l->addr[i].id != 0)
			dns_forget(l->dns, l->addr[i].id);
	route_release(l->route);
	free(l);
}

void
route_release(struct route *r)
{
	if (r != NULL && --r->refs == 0)
		free(r);
}

static void
lookup_begin(struct lookup *l)
{
	const char *domain = l->domain;

	if (domain[0] == '[') {
		if (route_literal(l->route, domain) == -1) {
			l->failed = true;
			reason_set(&l->why, DELIVERY_PERM, "5.1.2", "",
			    "%s is no address", domain);
		}
		lookup_now(l);
	} else if (proc_conf()->relay.smarthost != NULL) {
		route_single(l->route, domain);
		lookup_hosts(l);
	} else {
		l->mx.lookup = l;
		l->mx.id = dns_ask(l->dns, l->no, domain, DNS_MX, on_mx,
		    &l->mx);
		if (l->mx.id == 0)
			lookup_now(l);
	}
}

static void
lookup_hosts(struct lookup *l)
{
	size_t i;

	for (i = 0; i < l->route->nhost; i++) {
		if (l->route->family != 4)
			lookup_host(l, &l->addr[2 * i], i, DNS_AAAA);
		if (l->route->family != 6)
			lookup_host(l, &l->addr[2 * i + 1], i, DNS_A);
	}
	if (l->open == 0)
		lookup_now(l);
}

static void
lookup_host(struct lookup *l, struct question *q, size_t host,
    enum dns_type type)
{
	q->lookup = l;
	q->host = host;
	q->id = dns_ask(l->dns, l->no, l->route->host[host].name, type,
	    on_address, q);
	if (q->id == 0)
		l->route->host[host].temp = true;
	else
		l->open++;
}

static void
lookup_now(struct lookup *l)
{
	event_active(&l->now, EV_TIMEOUT, 0);
}

/* A smarthost that is we is a mistake to be mended: no mail is returned. */
static int
lookup_loops(struct lookup *l)
{
	if (route_own(l->route, l->domain, own_address, &l->why) == 0)
		return 0;
	if (proc_conf()->relay.smarthost != NULL)
		reason_later(&l->why);
	return -1;
}

static void
lookup_done(struct lookup *l)
{
	struct route *r = NULL;

	if (l->route->nhost == 0 && !l->failed) {
		l->failed = true;
		reason_set(&l->why, DELIVERY_TEMP, "4.4.3", "",
		    "no name service");
	}
	if (!l->failed && lookup_loops(l) == 0 &&
	    route_finish(l->route, random_u64(), &l->why) == 0) {
		r = l->route;
		l->route = NULL;
	}
	l->cb(r, &l->why, l->arg);
	lookup_free(l);
}

static void
on_mx(const struct dns_ask_r *a, void *arg)
{
	struct lookup *l = ((struct question *)arg)->lookup;

	l->mx.id = 0;
	if (route_mx(l->route, l->domain, proc_conf()->hostname, a,
	    random_u64(), &l->why) == -1) {
		l->failed = true;
		lookup_done(l);
	} else
		lookup_hosts(l);
}

static void
on_address(const struct dns_ask_r *a, void *arg)
{
	struct question *q = arg;
	struct lookup *l = q->lookup;

	q->id = 0;
	route_addresses(l->route, q->host, a);
	if (--l->open == 0)
		lookup_done(l);
}

static void
on_now(evutil_socket_t fd, short what, void *arg)
{
	lookup_done(arg);
}
