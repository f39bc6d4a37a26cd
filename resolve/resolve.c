/*
 * resolve: the only process of the house that speaks DNS.  smtpd, relay and
 * others ask it over channels (common/msg/dns.h); it asks the configured
 * resolvers over UDP and TCP, checks and caches what they say.  No library
 * resolver, no files.  The walls: packet.c looks at hostile octets,
 * attempt.c owns sockets, query.c time and joining,
 * turn.c says who is next, server.c what the resolvers are
 * worth, cache.c remembers.
 *
 * BUGS: DNSSEC is the resolver's work; its AD bit is passed on as `secure',
 * so the way to the resolver must be trusted where that counts.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "resolve/resolve.h"

static void	 on_ask(struct chan *, struct msg *, void *);
static void	 on_over(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);

static const struct chan_handler handlers[] = {
	{ DNS_ASK,	on_ask },
	{ DNS_OVER_EV,	on_over },
};

static const struct chan_ops ops = { on_gone, NULL };

void
resolve_start(const struct conf *conf)
{
	if (query_setup(proc_base()) == 0)
		log_warnx("no resolver: every name will be looked up later");
}

void
resolve_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind != CHAN_DNS)
		fatalx("resolve has no channel of kind %d", kind);
	chan_new(proc_base(), fd, CHAN_DNS, SIDE_B, handlers, NITEMS(handlers),
	    &ops, NULL);
}

static void
on_ask(struct chan *c, struct msg *m, void *arg)
{
	const struct dns_ask *ask = &m->body->dns_ask;
	const struct dns_ask_r none = { .status = DNS_NXDOMAIN };
	struct question q;

	if (question_set(&q, ask->name, ask->type) == -1)
		chan_reply(c, m->id, DNS_ASK_R, &none, NULL, 0);
	else
		query_ask(c, m->id, ask->whom, &q);
}

static void
on_over(struct chan *c, struct msg *m, void *arg)
{
	query_over(c, m->body->dns_over_ev.whom);
}

static void
on_gone(struct chan *c, void *arg)
{
	query_forget(c);
}
