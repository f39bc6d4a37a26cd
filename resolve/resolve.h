/*
 * The parts of resolve: packets (pure), the cache, outstanding questions.
 * Private to resolve/.
 *
 * Layers, lowest first; a file calls those before it:
 *	packet attempt cache server turn query resolve
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "proc/proc.h"

#define DNS_NAME_TEXT	254	/* text without final dot, NUL included */
#define DNS_QUERY_MAX	300	/* octets of a question packet */
#define DNS_EDNS_SIZE	1232	/* what we offer to take over UDP */
#define DNS_UDP_MAX	4096	/* octets of an answer looked at */
#define DNS_TCP_MAX	16384
#define DNS_RR_MAX	256	/* records of all sections */
#define DNS_HOP_MAX	1024	/* compression pointers of a packet */
#define DNS_NAME_HOPS	16	/* compression pointers of a name */
#define DNS_CNAME_MAX	8	/* aliases followed within an answer */
#define DNS_TTL_MAX	86400	/* s, longer ones are cut */
#define DNS_NEG_MAX	3600	/* s an absence is believed */
#define DNS_NEG_DEFAULT	60	/* s without a SOA record (RFC 2308 5) */
#define DNS_RRS_MAX	15360	/* octets of a list of item_rr */

struct question {
	char		 name[DNS_NAME_TEXT];	/* as question_set() has it */
	uint16_t	 type;
};

struct dns_answer {
	enum dns_status	 status;
	bool		 secure;	/* the resolver set AD */
	uint32_t	 ttl;
	char		 cname[DNS_NAME_TEXT];	/* last alias, "" none */
	size_t		 nrrs;
	uint8_t		 rrs[DNS_RRS_MAX];	/* list of item_rr */
};

/* ---- packet.c: pure ------------ */

/* Lower case, no final dot, checked: labels of 1..63 printable octets but
 * dot and backslash, at most 253 in all.  0, or -1: nobody can have such a
 * name. */
int	 question_set(struct question *, struct slice name, uint16_t type);
/* A query packet (RFC 1035 4.1, RD and AD set, EDNS0 if wanted) into buf.
 * Returns its length, or -1 out of memory. */
ssize_t	 packet_query(uint8_t *buf, size_t size, const struct question *,
	    uint16_t id, bool edns);

enum packet_result {
	PACKET_OK,		/* *answer is set */
	PACKET_FOREIGN,		/* not the answer to this question: ignore */
	PACKET_TRUNCATED,	/* ask again over TCP */
	PACKET_NOEDNS,		/* FORMERR, NOTIMP: ask again without EDNS */
	/* Ask another: */
	PACKET_REFUSED,
	PACKET_SERVFAIL,
	PACKET_BAD,		/* damaged, or an rcode that tells nothing */
	PACKET_SILENT,		/* of an attempt: nothing came in time */
	PACKET_CLOSED		/* of an attempt: there is nobody */
};

/* The answer of a resolver.  Everything that ldns would loop over is counted
 * and bounded first; record lengths are checked for the types of parse/rr.h. */
enum packet_result packet_read(const uint8_t *, size_t, const struct question *,
	    uint16_t id, struct dns_answer *);

/* ---- cache.c ------------ */

/* At most so many entries; the least recently used one goes first. */
struct cache *cache_new(unsigned int entries);
void	 cache_free(struct cache *);
/* The answer as of now (ms, monotonic) with what is left of its ttl, as a
 * message whose slices are good until the next call; false: not known. */
bool	 cache_get(struct cache *, const struct question *, uint64_t now,
	    struct dns_ask_r *);
/* Keep until its ttl is over.  Temporary failures and ttl 0 are not kept. */
void	 cache_put(struct cache *, const struct question *, uint64_t now,
	    const struct dns_answer *);
size_t	 cache_count(const struct cache *);

/* ---- attempt.c: one question to one resolver ------------ */

struct event_base;

#define SERVER_MAX	8
#define SERVER_TEXT	64

struct server {
	struct sockaddr_storage	 sa;
	socklen_t		 len;
	char			 name[SERVER_TEXT];
};

/* Called once, never from within attempt_start(); the attempt is gone then.
 * The answer (set for PACKET_OK) is good until the callback returns. */
typedef void (*attempt_cb)(enum packet_result, const struct dns_answer *,
	    void *);
/* NULL: no descriptor or no memory for it. */
struct attempt *attempt_start(struct event_base *, const struct server *,
	    const struct question *, bool tcp, bool edns, unsigned int ms,
	    attempt_cb, void *arg);
void	 attempt_free(struct attempt *);	/* give up, no callback */

/* ---- server.c: the resolvers, and whether they are of any use ------------ */

/* Begin; again at reload.  Returns how many addresses could be read. */
size_t	 server_setup(struct event_base *);
size_t	 server_count(void);
const struct server *server_get(size_t);
/* ms that the first attempt of a question has. */
unsigned int server_timeout(void);
/* What came of an attempt with that server.  One of which nothing but failures
 * is heard is asked about the root, whose answer no stranger can spoil; if
 * that fails as well, the operator is told (proc_impaired) until it answers
 * anything. */
void	 server_heard(size_t, enum packet_result);

/* ---- turn.c: whose question is next ------------ */

#define QUERY_ACTIVE	512	/* sockets */
#define QUERY_AGAIN	128	/* of them for what is AGAIN */
#define ZONE_ACTIVE	64	/* sockets for the names below one zone */
#define ZONE_NEW	8	/* as long as none of them was answered */
#define ZONE_AGAIN	8
#define LINE_ACTIVE	32	/* sockets for one connection or message */
#define LINE_NEW	8	/* of them where nothing is known yet */
#define LINE_ASKERS	128	/* questions of it, those that wait included */
#define ASKER_MAX	16384	/* questions of all */
#define YIELD_MS	100	/* an attempt may be made to give way then */
#define YIELD_MAX	128	/* so many of them */
#define YIELD_WINDOW	5000	/* in so many ms */

/* A question that should be answered soon, and one that was not. */
enum query_class { FRESH, AGAIN, QUERY_CLASSES };

struct asker {
	TAILQ_ENTRY(asker) turn;	/* of the line, while its query waits */
	LIST_ENTRY(asker) entry;	/* of the query */
	struct query	*query;
	struct line	*line;
	uint32_t	 ask;
};

TAILQ_HEAD(queries, query);
LIST_HEAD(askers, asker);

/* All names below the same two labels, or three. */
struct zone {
	LIST_ENTRY(zone) bucket;
	TAILQ_ENTRY(zone) idle;
	uint64_t	 good, bad;	/* ms, till when it is taken for that */
	unsigned int	 nquery, nactive, nagain;
	char		 name[];
};

struct query {
	LIST_ENTRY(query) bucket;
	TAILQ_ENTRY(query) all;		/* the oldest first */
	TAILQ_ENTRY(query) fresh;	/* active and may give way */
	struct question	 q;
	struct askers	 askers;
	struct zone	*zone, *part;	/* of two labels, of three */
	struct line	*line;		/* whose share it is on; active only */
	struct attempt	*attempt;
	enum query_class class;
	bool		 active;
	bool		 new;		/* counts so in its line */
	uint64_t	 deadline;	/* ms */
	uint64_t	 since;		/* ms, of the attempt */
	size_t		 server;	/* it was sent to */
	unsigned int	 tries;
	bool		 tcp, noedns;
};

void	 turn_init(void);
/* The zone a name counts for, as text within it. */
const char *zone_of(const char *name);
void	 zone_enter(struct query *);
void	 zone_leave(struct query *);
/* A question of the zone was answered, or was not in good time. */
void	 zone_heard(struct query *, bool answered, uint64_t now);
/* One more who asks q, in the line of whom; waits with it unless q is
 * active.  NULL: that line is long enough. */
struct asker *asker_new(struct chan *, uint64_t whom, uint32_t ask,
	    struct query *);
void	 asker_free(struct asker *);
struct chan *asker_chan(const struct asker *);
size_t	 asker_count(void);
/* When there is no room for one more: the last that waits in the longest
 * line; NULL: that is no longer than that of whom. */
struct asker *asker_last(struct chan *, uint64_t whom);
/* Any of that line that waits; NULL: none. */
struct asker *asker_waiting(struct chan *, uint64_t whom);
/* The query is waiting (again), or not any more; sets active. */
void	 turn_wait(struct query *);
/* The next that may be sent, active now; NULL: none.  *yields: another that
 * has to give way for it first. */
struct query *turn_next(uint64_t now, struct query **yields);
/* q is active no more. */
void	 turn_end(struct query *);
/* chan is gone and has no askers left. */
void	 turn_forget(struct chan *);

/* ---- query.c: questions on their way ------------ */

/* Begin; again at reload, with the resolvers of the configuration.  Returns
 * how many of them could be read. */
size_t	 query_setup(struct event_base *);
/* Answer ask of chan, from the cache, or when the resolvers answered. */
void	 query_ask(struct chan *, uint32_t ask, uint64_t whom,
	    const struct question *);
/* Nobody wants to know any more what chan asked for whom. */
void	 query_over(struct chan *, uint64_t whom);
/* chan is gone: nobody of it waits any more. */
void	 query_forget(struct chan *);

/* ---- resolve.c: as struct role has them ------------ */

/* Begin; again at reload. */
void	 resolve_start(const struct conf *);
/* One more who asks. */
void	 resolve_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
#endif
