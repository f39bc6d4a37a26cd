/*
 * Questions on their way in resolve: askers of the same question are joined
 * to one query, which goes to one resolver after another with growing
 * patience until there is an answer or the time is over.  Which of them has
 * a socket and which waits is turn.c's business.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "resolve/resolve.h"

#define QUERY_TRIES	8	/* attempts of one query */
#define QUERY_MS	20000	/* of one query, waiting included */
#define PASS_MS		20	/* between looks while somebody waits */
#define CROWD_MS	60000	/* between lines that tell of it */
#define NBUCKET		1024

static struct {
	struct event_base *base;
	struct cache	*cache;
	uint8_t		 key[16];
	LIST_HEAD(, query) bucket[NBUCKET];
	struct queries	 all;
	size_t		 nquery, nactive;
	size_t		 best;		/* server that answered last */
	struct event	*pass;
	uint64_t	 crowded;	/* when it was told last, ms */
} rs;

static struct query *query_find(const struct question *, size_t *);
static struct query *query_new(const struct question *, size_t);
static void	 query_free(struct query *);
static void	 queries_start(void);
static void	 queries_expire(uint64_t);
static void	 query_yield(struct query *);
static void	 query_send(struct query *, uint64_t);
static void	 query_answered(enum packet_result,
		    const struct dns_answer *, void *);
static void	 query_again(struct query *, enum query_class);
static void	 query_finish(struct query *, const struct dns_answer *);
static void	 asker_refuse(struct asker *);
static void	 reply_temp(struct chan *, uint32_t);
static void	 crowd_tell(const struct query *);
static void	 on_pass(evutil_socket_t, short, void *);

size_t
query_setup(struct event_base *base)
{
	if (rs.base == NULL) {
		rs.base = base;
		TAILQ_INIT(&rs.all);
		random_bytes(rs.key, sizeof(rs.key));
		turn_init();
		rs.pass = event_new(base, -1, 0, on_pass, NULL);
		if (rs.pass == NULL)
			fatalx("resolve: no event");
	}
	rs.best = 0;
	/* Other resolvers may tell other things. */
	cache_free(rs.cache);
	rs.cache = cache_new(proc_conf()->dns.cache);
	return server_setup(base);
}

/* ---- askers -------------------------------------------------------------- */

void
query_ask(struct chan *chan, uint32_t ask, uint64_t whom,
    const struct question *q)
{
	struct dns_ask_r r;
	struct query *query;
	struct asker *last;
	size_t bucket;

	if (cache_get(rs.cache, q, now_ms(), &r)) {
		chan_reply(chan, ask, DNS_ASK_R, &r, NULL, 0);
		return;
	}
	if (asker_count() == ASKER_MAX) {
		if ((last = asker_last(chan, whom)) == NULL) {
			reply_temp(chan, ask);
			return;
		}
		asker_refuse(last);
	}
	if ((query = query_find(q, &bucket)) == NULL)
		query = query_new(q, bucket);
	if (server_count() == 0 ||
	    asker_new(chan, whom, ask, query) == NULL) {
		reply_temp(chan, ask);
		if (LIST_EMPTY(&query->askers) && !query->active)
			query_free(query);
		return;
	}
	queries_start();
}

void
query_over(struct chan *chan, uint64_t whom)
{
	struct asker *a;

	while ((a = asker_waiting(chan, whom)) != NULL)
		asker_refuse(a);
}

void
query_forget(struct chan *chan)
{
	struct query *q, *qnext;
	struct asker *a, *next;

	for (q = TAILQ_FIRST(&rs.all); q != NULL; q = qnext) {
		qnext = TAILQ_NEXT(q, all);
		for (a = LIST_FIRST(&q->askers); a != NULL; a = next) {
			next = LIST_NEXT(a, entry);
			if (asker_chan(a) == chan)
				asker_free(a);
		}
		if (LIST_EMPTY(&q->askers) && !q->active)
			query_free(q);
	}
	turn_forget(chan);
}

/* One that waits hears that there is no answer. */
static void
asker_refuse(struct asker *a)
{
	struct query *q = a->query;

	reply_temp(asker_chan(a), a->ask);
	asker_free(a);
	if (LIST_EMPTY(&q->askers) && !q->active)
		query_free(q);
}

static void
reply_temp(struct chan *chan, uint32_t ask)
{
	const struct dns_ask_r r = { .status = DNS_TEMP };

	chan_reply(chan, ask, DNS_ASK_R, &r, NULL, 0);
}

/* ---- queries ------------------------------------------------------------- */

static struct query *
query_find(const struct question *q, size_t *bucket)
{
	struct query *x;

	*bucket = siphash24(rs.key, q->name, strlen(q->name)) % NBUCKET;
	LIST_FOREACH(x, &rs.bucket[*bucket], bucket)
		if (x->q.type == q->type && strcmp(x->q.name, q->name) == 0)
			return x;
	return NULL;
}

static struct query *
query_new(const struct question *q, size_t bucket)
{
	struct query *query = xcalloc(1, sizeof(*query));

	query->q = *q;
	query->server = rs.best;
	query->deadline = now_ms() + QUERY_MS;
	LIST_INIT(&query->askers);
	LIST_INSERT_HEAD(&rs.bucket[bucket], query, bucket);
	TAILQ_INSERT_TAIL(&rs.all, query, all);
	rs.nquery++;
	zone_enter(query);
	return query;
}

/* Nobody asks for it any more. */
static void
query_free(struct query *q)
{
	if (q->active) {
		turn_end(q);
		rs.nactive--;
	}
	zone_leave(q);
	attempt_free(q->attempt);
	LIST_REMOVE(q, bucket);
	TAILQ_REMOVE(&rs.all, q, all);
	rs.nquery--;
	free(q);
}

/* As many as may have a socket; while others wait, look again soon: time
 * makes room too. */
static void
queries_start(void)
{
	const struct timeval soon = { 0, PASS_MS * 1000 };
	uint64_t now = now_ms();
	struct query *q, *yields;

	queries_expire(now);
	while (rs.nquery > rs.nactive &&
	    (q = turn_next(now, &yields)) != NULL) {
		rs.nactive++;
		if (yields != NULL) {
			crowd_tell(yields);
			query_yield(yields);
		}
		query_send(q, now);
	}
	if (rs.nquery > rs.nactive && !event_pending(rs.pass, EV_TIMEOUT,
	    NULL))
		event_add(rs.pass, &soon);
}

static void
on_pass(evutil_socket_t fd, short what, void *arg)
{
	queries_start();
}

/* Those that waited too long.  What is active ends by itself. */
static void
queries_expire(uint64_t now)
{
	struct query *q, *next;

	for (q = TAILQ_FIRST(&rs.all); q != NULL && q->deadline <= now;
	    q = next) {
		next = TAILQ_NEXT(q, all);
		if (!q->active)
			query_finish(q, NULL);
	}
}

/* It may not have had the time that an answer takes: the attempt does not
 * count. */
static void
query_yield(struct query *q)
{
	attempt_free(q->attempt);
	q->attempt = NULL;
	if (LIST_EMPTY(&q->askers)) {
		query_free(q);
		return;
	}
	q->tries--;
	zone_heard(q, false, now_ms());
	query_again(q, AGAIN);
}

/* Back to those that wait for their turn. */
static void
query_again(struct query *q, enum query_class class)
{
	turn_end(q);
	rs.nactive--;
	q->class = class;
	turn_wait(q);
}

/* The next attempt; each time every resolver was asked, wait twice as long.
 * Over TCP there is no second packet to be lost, but connecting to do. */
static void
query_send(struct query *q, uint64_t now)
{
	size_t n = server_count();
	uint64_t ms;

	if (q->tries++ == QUERY_TRIES || q->deadline <= now || n == 0) {
		query_finish(q, NULL);
		return;
	}
	ms = (uint64_t)server_timeout() << ((q->tries - 1) / n);
	if (q->tcp)
		ms *= 2;
	if (ms > q->deadline - now)
		ms = q->deadline - now;
	q->server %= n;
	q->attempt = attempt_start(rs.base, server_get(q->server), &q->q,
	    q->tcp, !q->noedns, (unsigned int)ms, query_answered, q);
	if (q->attempt == NULL) {
		log_warn("dns: no socket for a question");
		query_finish(q, NULL);
	}
}

static void
query_answered(enum packet_result r, const struct dns_answer *a, void *arg)
{
	struct query *q = arg;
	enum query_class class = q->class;

	q->attempt = NULL;
	server_heard(q->server, r);
	switch (r) {
	case PACKET_OK:
		rs.best = q->server;
		zone_heard(q, true, now_ms());
		cache_put(rs.cache, &q->q, now_ms(), a);
		query_finish(q, a);
		queries_start();
		return;
	case PACKET_TRUNCATED:
		zone_heard(q, true, now_ms());
		q->tcp = true;
		break;
	case PACKET_NOEDNS:
		if (!q->noedns) {
			q->noedns = true;
			break;
		}
		/* FALLTHROUGH */
	case PACKET_FOREIGN:
	case PACKET_SERVFAIL:
	case PACKET_BAD:
	case PACKET_SILENT:
		zone_heard(q, false, now_ms());
		/* FALLTHROUGH */
	case PACKET_REFUSED:
	case PACKET_CLOSED:
		/* Where others begin stays: zones that do not answer are no
		 * reason to leave a resolver that does. */
		q->server++;
		class = AGAIN;
		break;
	}
	if (q->tries == QUERY_TRIES || LIST_EMPTY(&q->askers))
		query_finish(q, NULL);
	else
		query_again(q, class);
	queries_start();
}

/* Tell everybody who waits; a is NULL for "not now". */
static void
query_finish(struct query *q, const struct dns_answer *a)
{
	struct dns_ask_r r = { .status = DNS_TEMP };
	struct asker *asker;

	if (a != NULL)
		r = (struct dns_ask_r){
			.status = (uint8_t)a->status,
			.secure = a->secure,
			.ttl = a->ttl,
			.cname = slice_str(a->cname),
			.rrs = slice_of((const char *)a->rrs, a->nrrs),
		};
	else if (!LIST_EMPTY(&q->askers))
		log_notice("dns: no answer name=%s type=%u tries=%u",
		    q->q.name, q->q.type, q->tries);
	while ((asker = LIST_FIRST(&q->askers)) != NULL) {
		chan_reply(asker_chan(asker), asker->ask, DNS_ASK_R, &r, NULL,
		    0);
		asker_free(asker);
	}
	query_free(q);
}

/* Once a minute at most. */
static void
crowd_tell(const struct query *yields)
{
	uint64_t now = now_ms();

	if (rs.crowded != 0 && now - rs.crowded < CROWD_MS)
		return;
	rs.crowded = now;
	log_notice("dns: many names are not answered, e.g. below %s; %zu "
	    "questions wait for their turn", zone_of(yields->q.name),
	    rs.nquery - rs.nactive);
}
