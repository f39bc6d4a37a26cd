/*
 * The table of sources (conn.h).  Slots are found by SipHash under a key
 * that the first process chose, eight ways a set; a full set gives up the
 * slot unused for longest.  Counters are atomic; two processes that race
 * for a free slot can at worst count a source twice.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "msg/msg.h"
#include "net/conn.h"

#define WAYS		8
#define SETS		2048
#define HALF_LIFE	60		/* s of a penalty */
#define NO_SLOT		UINT32_MAX

struct slot {
	_Atomic uint64_t tag;		/* keyed hash of the source, 0 free */
	_Atomic uint32_t seen;		/* s, coarse clock */
	_Atomic uint32_t points;
	_Atomic uint16_t n[CONN_INSTANCES];
};

struct table {
	_Atomic uint32_t ready;		/* 0 new, 1 being made, 2 has a key */
	uint8_t		 key[16];
	struct slot	 slot[SETS * WAYS];
};

static struct {
	struct table	*t;
	unsigned int	 instance;
	unsigned int	 total;
} conns;

static uint32_t
seconds(void)
{
	return (uint32_t)(now_ms_coarse() / 1000);
}

size_t
conn_size(void)
{
	return sizeof(struct table);
}

int
conn_start(int fd, unsigned int instance)
{
	struct table *t;
	uint32_t new = 0;
	size_t i;

	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
	    fd == -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (t == MAP_FAILED)
		return -1;
	conns.t = t;
	conns.instance = instance % CONN_INSTANCES;
	conns.total = 0;
	if (atomic_compare_exchange_strong(&t->ready, &new, 1)) {
		random_bytes(t->key, sizeof(t->key));
		atomic_store(&t->ready, 2);
		return 0;
	}
	for (i = 0; i < SETS * WAYS; i++)
		atomic_store(&t->slot[i].n[conns.instance], 0);
	return 0;
}

/* 4 or 6 with the octets that make a source. */
static void
addr_from(struct msg_addr *a, const struct sockaddr *sa)
{
	const struct sockaddr_in *s4 = (const void *)sa;
	const struct sockaddr_in6 *s6 = (const void *)sa;

	*a = (struct msg_addr){ 0 };
	if (sa->sa_family == AF_INET) {
		a->family = 4;
		memcpy(a->b, &s4->sin_addr, 4);
		a->port = ntohs(s4->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		a->port = ntohs(s6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr)) {
			a->family = 4;
			memcpy(a->b, s6->sin6_addr.s6_addr + 12, 4);
		} else {
			a->family = 6;
			memcpy(a->b, &s6->sin6_addr, 16);
		}
	}
}

/* Programs of this machine (webmail, relays before us) speak for many. */
static bool
is_loopback(const struct msg_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 4 ? a->b[0] == 127 :
	    memcmp(a->b, one, sizeof(one)) == 0;
}

static unsigned int
slot_conns(struct slot *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < CONN_INSTANCES; i++)
		n += atomic_load_explicit(&s->n[i], memory_order_relaxed);
	return n;
}

static unsigned int
slot_points(struct slot *s, uint32_t now)
{
	uint32_t age = now - atomic_load(&s->seen), p;

	p = atomic_load(&s->points);
	return age / HALF_LIFE > 31 ? 0 : p >> (age / HALF_LIFE);
}

static uint32_t
slot_find(const struct msg_addr *a, uint32_t now)
{
	struct slot *set, *old = NULL;
	uint64_t h;
	size_t i;

	h = siphash24(conns.t->key, a->b, a->family == 4 ? 4 : 8);
	h = h != 0 ? h : 1;
	set = &conns.t->slot[(h >> 32) % SETS * WAYS];
	for (i = 0; i < WAYS; i++) {
		if (atomic_load(&set[i].tag) == h)
			return (uint32_t)(set + i - conns.t->slot);
		if (slot_conns(&set[i]) == 0 && (old == NULL ||
		    atomic_load(&set[i].seen) < atomic_load(&old->seen)))
			old = &set[i];
	}
	if (old == NULL)
		return NO_SLOT;
	atomic_store(&old->tag, h);
	atomic_store(&old->points, 0);
	atomic_store(&old->seen, now);
	return (uint32_t)(old - conns.t->slot);
}

enum conn_verdict
conn_open(struct conn *c, const struct sockaddr *sa, unsigned int max,
    unsigned int max_per_source)
{
	uint32_t now = seconds();
	struct slot *s;

	addr_from(&c->peer, sa);
	c->counted = false;
	c->slot = NO_SLOT;
	if (conns.total >= max)
		return CONN_MANY;
	if (c->peer.family != 0)
		c->slot = slot_find(&c->peer, now);
	if (c->slot != NO_SLOT) {
		s = &conns.t->slot[c->slot];
		if (slot_conns(s) >= max_per_source)
			return CONN_SOURCE;
		if (slot_points(s, now) >= CONN_PENALTY_MAX)
			return CONN_PENALTY;
		atomic_fetch_add(&s->n[conns.instance], 1);
	}
	conns.total++;
	c->counted = true;
	return CONN_OK;
}

/* Never below zero: an instance beyond CONN_INSTANCES shares the counter of
 * another one, and sets it to zero when it starts. */
static void
slot_leave(struct slot *s)
{
	_Atomic uint16_t *n = &s->n[conns.instance];
	uint16_t v = atomic_load(n);

	while (v > 0 && !atomic_compare_exchange_weak(n, &v, (uint16_t)(v - 1)))
		;
}

void
conn_close(struct conn *c)
{
	if (!c->counted)
		return;
	conn_known(c);
	c->counted = false;
	conns.total--;
}

void
conn_known(struct conn *c)
{
	if (!c->counted || c->slot == NO_SLOT)
		return;
	slot_leave(&conns.t->slot[c->slot]);
	c->slot = NO_SLOT;
}

void
conn_penalty(struct conn *c, unsigned int points)
{
	uint32_t now = seconds();
	struct slot *s;

	if (c->slot == NO_SLOT || is_loopback(&c->peer))
		return;
	s = &conns.t->slot[c->slot];
	atomic_store(&s->points, slot_points(s, now) + points);
	atomic_store(&s->seen, now);
}

unsigned int
conn_count(void)
{
	return conns.total;
}

const char *
conn_text(const struct msg_addr *a, char out[46])
{
	struct ipaddr ip = { .family = a->family };

	memcpy(ip.b, a->b, sizeof(ip.b));
	if (a->family == 0 || ipaddr_print(&ip, out, 46) == -1)
		strlcpy(out, "unknown", 46);
	return out;
}
