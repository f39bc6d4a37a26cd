/*
 * Which addresses of its route a session asks: each once for a message, in
 * their order, but those that are known bad; for so long, and then no more.
 * What is found bad others of the route's sessions leave alone too.
 */
#include "base/compat.h"

#include "base/clock.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define BAD_MS		60000	/* an address that failed is left alone */
#define ASK_MS		1800000	/* a message is passed on to other hosts */

static uint64_t
bit(size_t addr)
{
	return UINT64_C(1) << addr;
}

/* Of all addresses of the host that it talks to. */
static uint64_t
host_bits(const struct session *s)
{
	const struct route *r = s->route;
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < r->naddr; i++)
		if (r->addr[i].host == r->addr[s->addr].host)
			bits |= bit(i);
	return bits;
}

/* One that is not asked now, and has not said that it never takes mail, may
 * help later. */
static bool
worth_it(struct session *s, size_t addr)
{
	const struct route_addr *a = &s->route->addr[addr];

	if (a->bad_until <= now_ms() && !tries_late(s))
		return true;
	s->soft = s->soft || !a->refused;
	return false;
}

void
tries_begin(struct session *s)
{
	s->asked = s->io != NULL ? bit(s->addr) : 0;
	s->soft = s->route->more;
}

bool
tries_next(struct session *s)
{
	for (s->addr = 0; s->addr < s->route->naddr; s->addr++) {
		if ((s->asked & bit(s->addr)) != 0)
			continue;
		s->asked |= bit(s->addr);
		if (worth_it(s, s->addr))
			return true;
	}
	return false;
}

/* Or queue is gone and will have it sent again. */
bool
tries_late(const struct session *s)
{
	return (s->m != NULL && s->m->queue == NULL) ||
	    now_ms() - (s->m != NULL ? s->m->since : s->since) > ASK_MS;
}

bool
tries_elsewhere(struct session *s)
{
	uint64_t asked = s->asked | host_bits(s);
	size_t i;

	for (i = 0; i < s->route->naddr; i++)
		if ((asked & bit(i)) == 0 && worth_it(s, i))
			return true;
	return false;
}

void
tries_leave(struct session *s)
{
	s->asked |= host_bits(s);
}

void
tries_bad(struct session *s, const struct reason *why)
{
	struct route_addr *a = &s->route->addr[s->addr];

	a->refused = why->result == DELIVERY_PERM;
	a->bad_until = now_ms() + BAD_MS;
	s->soft = s->soft || !a->refused;
	s->route->bad = *why;
}

/* Hosts that are preferred to it were asked before, and no others may be (RFC
 * 5321 5.1). */
void
tries_self(struct session *s)
{
	struct route *r = s->route;
	unsigned int pref = r->host[r->addr[s->addr].host].pref;
	size_t i;

	for (i = 0; i < r->naddr; i++)
		if (r->host[r->addr[i].host].pref >= pref) {
			r->addr[i].refused = true;
			r->addr[i].bad_until = now_ms() + BAD_MS;
		}
}

void
tries_why(const struct session *s, struct reason *why)
{
	*why = s->route->bad;
	if (why->status[0] == '\0')
		reason_set(why, DELIVERY_TEMP, "4.3.0", "",
		    "no connection could be begun");
	if (s->soft && why->result == DELIVERY_PERM)
		reason_later(why);
}
