/*
 * The secrets of TLS session tickets (common/net/tlsticket.h): one for each
 * service, told to all of its processes and to no others, a new one as often
 * as a ticket lives.  maild keeps the last two, so that a process that is
 * started again opens what the one before it sealed.  Never on disk: a new
 * maild has new ones.  Run by maild.
 */
#include "base/compat.h"

#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/tlsticket.h"
#include "maild/maild.h"

static struct service {
	bool		 renewed;	/* there is one before */
	uint8_t		 secret[32], before[32];
} services[ROLE_MAX];			/* of fronts */

static void	 on_renew(evutil_socket_t, short, void *);

void
ticket_init(struct house *h)
{
	static const struct timeval tv = { TLSTICKET_LIFE, 0 };
	struct event *ev = event_new(h->base, -1, EV_PERSIST, on_renew, h);

	if (ev == NULL || event_add(ev, &tv) == -1)
		fatalx("ticket: no event");
	for (size_t i = 0; i < NITEMS(services); i++)
		random_bytes(services[i].secret, sizeof(services[i].secret));
}

void
ticket_share(struct child *c)
{
	const struct service *s = &services[c->role];

	if (!share_is_front(c->role))
		return;
	if (s->renewed)
		share_secret(c, SECRET_TLS, s->before);
	share_secret(c, SECRET_TLS, s->secret);
}

static void
renew(struct house *h, enum proc_role role)
{
	struct service *s = &services[role];
	struct child *c;

	memcpy(s->before, s->secret, sizeof(s->before));
	random_bytes(s->secret, sizeof(s->secret));
	s->renewed = true;
	TAILQ_FOREACH(c, &h->children, entry)
		if (c->role == role && c->chan != NULL)
			share_secret(c, SECRET_TLS, s->secret);
}

static void
on_renew(evutil_socket_t fd, short what, void *arg)
{
	for (enum proc_role role = 0; role < ROLE_MAX; role++)
		if (share_is_front(role))
			renew(arg, role);
	log_info("tls tickets have new secrets");
}
