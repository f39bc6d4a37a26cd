/*
 * Questions on their way in resolve: askers of the same question are joined
 * to one query, which goes to one resolver after another with growing
 * patience until there is an answer or the time is over.  At most
 * QUERY_ACTIVE have a socket; the others wait their turn.
 */
#include "compat.h"

#include <sys/queue.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "dns.h"
#include "log.h"
#include "util.h"
#include "resolve.h"

#define QUERY_ACTIVE	512	/* sockets */
#define QUERY_MAX	16384	/* queries, those that wait included */
#define ASKER_MAX	65536	/* who waits for any of them */
#define QUERY_TRIES	8	/* attempts of one query */
#define QUERY_MS	20000	/* of one query, waiting included */
#define NBUCKET		1024
#define SERVER_MAX	8

struct asker {
	SLIST_ENTRY(asker) entry;
	struct chan	*chan;
	uint32_t	 ask;
};

struct query {
	LIST_ENTRY(query) bucket;
	TAILQ_ENTRY(query) entry;	/* in waiting, or active */
	struct question	 q;
	SLIST_HEAD(, asker) askers;
	struct attempt	*attempt;	/* NULL: waiting */
	uint64_t	 deadline;	/* ms */
	size_t		 server;	/* it was sent to */
	unsigned int	 tries;
	bool		 tcp, noedns;
};

TAILQ_HEAD(queries, query);

static struct {
	struct event_base *base;
	struct cache	*cache;
	uint8_t		 key[16];
	LIST_HEAD(, query) bucket[NBUCKET];
	struct queries	 waiting, active;
	size_t		 nactive, nquery, nasker;
	struct server	 server[SERVER_MAX];
	size_t		 nserver;
	size_t		 best;		/* server that answered last */
	unsigned int	 timeout;	/* ms of the first attempt */
} rs;

static struct query *query_find(const struct question *, size_t *);
static struct query *query_new(const struct question *, size_t);
static void	 query_free(struct query *);
static void	 query_send(struct query *);
static void	 query_start_next(void);
static void	 query_answered(enum packet_result, const struct answer *,
	    void *);
static void	 query_finish(struct query *, const struct answer *);
static void	 reply_temp(struct chan *, uint32_t);
static int	 server_parse(const char *, struct server *);

size_t
query_setup(struct event_base *base, const struct conf *conf)
{
	size_t i;

	if (rs.base == NULL) {
		rs.base = base;
		TAILQ_INIT(&rs.waiting);
		TAILQ_INIT(&rs.active);
		random_bytes(rs.key, sizeof(rs.key));
	}
	rs.nserver = rs.best = 0;
	for (i = 0; i < conf->dns.nresolvers && rs.nserver < SERVER_MAX; i++) {
		if (server_parse(conf->dns.resolvers[i],
		    &rs.server[rs.nserver]) == 0)
			rs.nserver++;
		else
			log_warnx("resolver %s: not an address",
			    log_text(conf->dns.resolvers[i],
			    strlen(conf->dns.resolvers[i])));
	}
	rs.timeout = conf->dns.timeout > 0 ? conf->dns.timeout : 2000;
	/* Other resolvers may tell other things. */
	cache_free(rs.cache);
	rs.cache = cache_new(conf->dns.cache);
	return rs.nserver;
}

void
query_ask(struct chan *chan, uint32_t ask, const struct question *q)
{
	struct dns_ask_r r;
	struct query *query;
	struct asker *asker;
	size_t bucket;

	if (cache_get(rs.cache, q, now_ms(), &r)) {
		chan_reply(chan, ask, DNS_ASK_R, &r, NULL, 0);
		return;
	}
	if ((query = query_find(q, &bucket)) == NULL &&
	    rs.nquery < QUERY_MAX && rs.nserver > 0)
		query = query_new(q, bucket);
	if (query == NULL || rs.nasker == ASKER_MAX) {
		reply_temp(chan, ask);
		return;
	}
	asker = xcalloc(1, sizeof(*asker));
	asker->chan = chan;
	asker->ask = ask;
	SLIST_INSERT_HEAD(&query->askers, asker, entry);
	rs.nasker++;
	query_start_next();
}

void
query_forget(struct chan *chan)
{
	struct queries *list[2] = { &rs.waiting, &rs.active };
	struct query *q;
	struct asker *a, *next;
	size_t i;

	for (i = 0; i < NITEMS(list); i++)
		TAILQ_FOREACH(q, list[i], entry)
			for (a = SLIST_FIRST(&q->askers); a != NULL; a = next) {
				next = SLIST_NEXT(a, entry);
				if (a->chan != chan)
					continue;
				SLIST_REMOVE(&q->askers, a, asker, entry);
				free(a);
				rs.nasker--;
			}
}

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
	SLIST_INIT(&query->askers);
	LIST_INSERT_HEAD(&rs.bucket[bucket], query, bucket);
	TAILQ_INSERT_TAIL(&rs.waiting, query, entry);
	rs.nquery++;
	return query;
}

static void
query_free(struct query *q)
{
	if (q->tries > 0) {
		TAILQ_REMOVE(&rs.active, q, entry);
		rs.nactive--;
	} else
		TAILQ_REMOVE(&rs.waiting, q, entry);
	LIST_REMOVE(q, bucket);
	rs.nquery--;
	attempt_free(q->attempt);
	free(q);
}

/* As many as may have a socket; those nobody waits for any more, or whose
 * time is over, end here. */
static void
query_start_next(void)
{
	struct query *q;
	uint64_t now;

	if (rs.nactive == QUERY_ACTIVE || TAILQ_EMPTY(&rs.waiting))
		return;
	now = now_ms();
	while (rs.nactive < QUERY_ACTIVE &&
	    (q = TAILQ_FIRST(&rs.waiting)) != NULL) {
		if (SLIST_EMPTY(&q->askers) || q->deadline <= now) {
			query_finish(q, NULL);
			continue;
		}
		TAILQ_REMOVE(&rs.waiting, q, entry);
		TAILQ_INSERT_TAIL(&rs.active, q, entry);
		rs.nactive++;
		query_send(q);
	}
}

/* The next attempt; each time every resolver was asked, wait twice as long.
 * Over TCP there is no second packet to be lost, but connecting to do. */
static void
query_send(struct query *q)
{
	uint64_t now = now_ms(), ms;

	q->attempt = NULL;
	if (q->tries++ == QUERY_TRIES || q->deadline <= now ||
	    rs.nserver == 0) {
		query_finish(q, NULL);
		return;
	}
	ms = (uint64_t)rs.timeout << ((q->tries - 1) / rs.nserver);
	if (q->tcp)
		ms *= 2;
	if (ms > q->deadline - now)
		ms = q->deadline - now;
	q->server %= rs.nserver;
	q->attempt = attempt_start(rs.base, &rs.server[q->server], &q->q,
	    q->tcp, !q->noedns, (unsigned int)ms, query_answered, q);
	if (q->attempt == NULL) {
		log_warn("dns: no socket for a question");
		query_finish(q, NULL);
	}
}

static void
query_answered(enum packet_result r, const struct answer *a, void *arg)
{
	struct query *q = arg;

	q->attempt = NULL;
	switch (r) {
	case PACKET_OK:
		rs.best = q->server;
		cache_put(rs.cache, &q->q, now_ms(), a);
		query_finish(q, a);
		query_start_next();
		return;
	case PACKET_TRUNCATED:
		q->tcp = true;
		break;
	case PACKET_NOEDNS:
		if (!q->noedns) {
			q->noedns = true;
			break;
		}
		/* FALLTHROUGH */
	case PACKET_FOREIGN:
	case PACKET_BAD:
		q->server++;
		if (rs.nserver > 0 && q->server % rs.nserver != rs.best)
			rs.best = q->server % rs.nserver;
		break;
	}
	query_send(q);
	query_start_next();
}

/* Tell everybody who waits; a is NULL for "not now". */
static void
query_finish(struct query *q, const struct answer *a)
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
	else if (!SLIST_EMPTY(&q->askers))
		log_notice("dns: no answer name=%s type=%u tries=%u",
		    q->q.name, q->q.type, q->tries > 0 ? q->tries - 1 : 0);
	while ((asker = SLIST_FIRST(&q->askers)) != NULL) {
		SLIST_REMOVE_HEAD(&q->askers, entry);
		chan_reply(asker->chan, asker->ask, DNS_ASK_R, &r, NULL, 0);
		free(asker);
		rs.nasker--;
	}
	query_free(q);
}

static void
reply_temp(struct chan *chan, uint32_t ask)
{
	const struct dns_ask_r r = { .status = DNS_TEMP };

	chan_reply(chan, ask, DNS_ASK_R, &r, NULL, 0);
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
	memset(&s->sa, 0, sizeof(s->sa));
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
