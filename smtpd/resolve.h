/*
 * The parts of resolve: packets (pure), the cache, outstanding questions.
 * Private to smtpd/resolve*.c.  Included after parse.h, msg.h and dns.h.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <sys/socket.h>

#include <stdbool.h>

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

struct answer {
	enum dns_status	 status;
	bool		 secure;	/* the resolver set AD */
	uint32_t	 ttl;
	char		 cname[DNS_NAME_TEXT];	/* last alias, "" none */
	size_t		 nrrs;
	uint8_t		 rrs[DNS_RRS_MAX];	/* list of item_rr */
};

/* ---- resolve_packet.c: pure ---- */

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
	PACKET_BAD		/* SERVFAIL, REFUSED, or damaged: ask another */
};

/* The answer of a resolver.  Everything that ldns would loop over is counted
 * and bounded first; record lengths are checked for the types of dns.h. */
enum packet_result packet_read(const uint8_t *, size_t, const struct question *,
	    uint16_t id, struct answer *);

/* ---- resolve_cache.c ---- */

struct cache;

/* At most so many entries; the least recently used one goes first. */
struct cache *cache_new(unsigned int entries);
void	 cache_free(struct cache *);
/* The answer as of now (ms, monotonic) with what is left of its ttl, as a
 * message whose slices are good until the next call; false: not known. */
bool	 cache_get(struct cache *, const struct question *, uint64_t now,
	    struct dns_ask_r *);
/* Keep until its ttl is over.  Temporary failures and ttl 0 are not kept. */
void	 cache_put(struct cache *, const struct question *, uint64_t now,
	    const struct answer *);
size_t	 cache_count(const struct cache *);

/* ---- resolve_attempt.c: one question to one resolver ---- */

struct event_base;
struct attempt;

struct server {
	struct sockaddr_storage	 sa;
	socklen_t		 len;
};

/* Called once, never from within attempt_start(); the attempt is gone then.
 * PACKET_BAD: no answer in time, or none that is one.  The answer (set for
 * PACKET_OK) is good until the callback returns. */
typedef void (*attempt_cb)(enum packet_result, const struct answer *, void *);
/* NULL: no descriptor or no memory for it. */
struct attempt *attempt_start(struct event_base *, const struct server *,
	    const struct question *, bool tcp, bool edns, unsigned int ms,
	    attempt_cb, void *arg);
void	 attempt_free(struct attempt *);	/* give up, no callback */

/* ---- resolve_query.c: questions on their way ---- */

struct conf;
struct chan;

/* Begin; again at reload, with the resolvers of the configuration.  Returns
 * how many of them could be read. */
size_t	 query_setup(struct event_base *, const struct conf *);
/* Answer ask of chan, from the cache, or when the resolvers answered. */
void	 query_ask(struct chan *, uint32_t ask, const struct question *);
/* chan is gone: nobody of it waits any more. */
void	 query_forget(struct chan *);

#endif
