/*
 * Destinations: a mail domain (or the smarthost) with the messages that
 * wait for it, its connections, and the route they share.  A connection is
 * opened for each waiting message up to the limit; one that is done with its
 * message takes the next, or stays for a while.  A destination exists as
 * long as it has any of these.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define NBUCKET		256
#define ROUTE_MS	60000	/* a route is used so long */
#define TELL_MAX	16	/* messages that a line is repeated for */

struct dest {
	LIST_ENTRY(dest) bucket;
	char		*name;
	TAILQ_HEAD(, message) waiting;
	size_t		 nwaiting;
	TAILQ_HEAD(, session) sessions;
	size_t		 nsession;
	size_t		 nsetup;	/* of them not yet ready */
	struct lookup	*lookup;
	struct route	*route;
	uint64_t	 route_until;	/* ms */
	unsigned int	 busy;		/* keep the memory */
};

static LIST_HEAD(, dest) buckets[NBUCKET];

static struct dest *dest_get(const char *);
static void	 dest_kick(struct dest *);
static size_t	 dest_soon(const struct dest *);
static void	 dest_connect(struct dest *);
static void	 dest_fail(struct dest *, const struct reason *);
static void	 dest_unref(struct dest *);
static void	 on_route(struct route *, const struct reason *, void *);

void
dest_add(struct message *m)
{
	const char *smarthost = proc_conf()->relay.smarthost;
	struct dest *d = dest_get(smarthost != NULL ? smarthost : m->domain);

	TAILQ_INSERT_TAIL(&d->waiting, m, waiting);
	d->nwaiting++;
	d->busy++;
	dest_kick(d);
	d->busy--;
	dest_unref(d);
}

struct message *
dest_take(struct dest *d)
{
	struct message *m;

	if ((m = TAILQ_FIRST(&d->waiting)) != NULL) {
		TAILQ_REMOVE(&d->waiting, m, waiting);
		d->nwaiting--;
	}
	return m;
}

void
dest_session_ready(struct dest *d, struct session *s)
{
	s->ready = true;
	d->nsetup--;
}

void
dest_session_gone(struct dest *d, struct session *s, const struct reason *why)
{
	TAILQ_REMOVE(&d->sessions, s, entry);
	d->nsession--;
	if (!s->ready)
		d->nsetup--;
	d->busy++;
	if (s->ready || why == NULL)
		dest_kick(d);
	else if (d->nsession == 0)	/* others may still get through */
		dest_fail(d, why);
	d->busy--;
	dest_unref(d);
}

void
dest_tell(const struct dest *d, const char *text)
{
	const struct message *m;
	size_t n = 0;

	TAILQ_FOREACH(m, &d->waiting, waiting)
		if (n++ < TELL_MAX)
			log_info("%s %s", m->sid, text);
	if (n == 0)
		log_info("relay %s", text);
}

void
dest_drop(struct chan *queue)
{
	struct message *m, *next;
	struct reason why;
	struct dest *d;
	size_t i;

	reason_set(&why, DELIVERY_TEMP, "4.3.2", "", "queue went away");
	for (i = 0; i < NBUCKET; i++)
		LIST_FOREACH(d, &buckets[i], bucket)
			for (m = TAILQ_FIRST(&d->waiting); m != NULL;
			    m = next) {
				next = TAILQ_NEXT(m, waiting);
				if (m->queue != queue)
					continue;
				TAILQ_REMOVE(&d->waiting, m, waiting);
				d->nwaiting--;
				m->queue = NULL;
				message_fail(m, &why);
				message_done(m, "none", "none");
			}
}

void
dest_stop(const struct reason *why, bool now)
{
	struct session *s, *snext;
	struct dest *d, *next;
	size_t i;

	for (i = 0; i < NBUCKET; i++)
		for (d = LIST_FIRST(&buckets[i]); d != NULL; d = next) {
			next = LIST_NEXT(d, bucket);
			d->busy++;
			dest_fail(d, why);
			for (s = TAILQ_FIRST(&d->sessions); s != NULL;
			    s = snext) {
				snext = TAILQ_NEXT(s, entry);
				session_stop(s, why, now);
			}
			d->busy--;
			dest_unref(d);
		}
}

static struct dest *
dest_get(const char *name)
{
	static uint8_t key[16];
	static bool keyed;
	struct dest *d;
	size_t b;

	if (!keyed)
		random_bytes(key, sizeof(key));
	keyed = true;
	b = siphash24(key, name, strlen(name)) % NBUCKET;
	LIST_FOREACH(d, &buckets[b], bucket)
		if (strcmp(d->name, name) == 0)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->name = xstrdup(name);
	TAILQ_INIT(&d->waiting);
	TAILQ_INIT(&d->sessions);
	LIST_INSERT_HEAD(&buckets[b], d, bucket);
	return d;
}

/* Something waits, perhaps: give it a connection that is idle, or make one
 * as long as fewer are being made than messages wait. */
static void
dest_kick(struct dest *d)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&d->sessions); s != NULL && d->nwaiting > 0;
	    s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->state == MESSAGE_EXPECTED && starttls_suits(s))
			session_wake(s);
	}
	if (d->nwaiting <= dest_soon(d) || d->lookup != NULL)
		return;
	if (d->nsession >= proc_conf()->relay.connections && d->nsession > 0)
		return;
	if (d->route == NULL || d->route_until < now_ms())
		d->lookup = lookup_start(d->name, on_route, d);
	else
		dest_connect(d);
}

/* Sessions that will ask for a message in a moment. */
static size_t
dest_soon(const struct dest *d)
{
	const struct session *s;
	size_t n = d->nsetup;

	TAILQ_FOREACH(s, &d->sessions, entry)
		if (s->state == RSET_EXPECTED && s->m == NULL)
			n++;
	return n;
}

static void
dest_connect(struct dest *d)
{
	size_t limit = proc_conf()->relay.connections;
	size_t want, soon = dest_soon(d);
	struct session *s;
	struct reason why;

	if (limit == 0)
		limit = 1;
	want = d->nwaiting > soon ? d->nwaiting - soon : 0;
	for (; want > 0 && d->nsession < limit; want--) {
		if ((s = session_new(d, d->route, &why)) == NULL) {
			if (d->nsession == 0)
				dest_fail(d, &why);
			return;
		}
		TAILQ_INSERT_TAIL(&d->sessions, s, entry);
		d->nsession++;
		d->nsetup++;
	}
}

/* Nobody is left who could take what waits. */
static void
dest_fail(struct dest *d, const struct reason *why)
{
	char relay[HOST_TEXT];
	struct message *m;

	(void)strlcpy(relay, why->mta[0] != '\0' ? why->mta : "none",
	    sizeof(relay));
	while ((m = dest_take(d)) != NULL) {
		message_fail(m, why);
		message_done(m, relay, "none");
	}
}

static void
dest_unref(struct dest *d)
{
	if (d->busy > 0 || d->nwaiting > 0 || d->nsession > 0)
		return;
	LIST_REMOVE(d, bucket);
	lookup_free(d->lookup);
	route_release(d->route);
	free(d->name);
	free(d);
}

static void
on_route(struct route *r, const struct reason *why, void *arg)
{
	struct dest *d = arg;

	d->lookup = NULL;
	d->busy++;
	if (r != NULL) {
		route_release(d->route);
		d->route = r;
		d->route_until = now_ms() + ROUTE_MS;
		dest_connect(d);
	} else if (d->nsession == 0)
		dest_fail(d, why);
	d->busy--;
	dest_unref(d);
}
