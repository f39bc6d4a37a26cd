/*
 * DNS answers that smtpd itself keeps for a moment: mail comes in clusters
 * from few domains, and what resolve told a second ago need not be asked
 * again.  A table of fixed size in which a newer answer takes the place of
 * an older one; nothing lives longer than its own TTL or KNOWN_S.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define KNOWN_SLOTS	1024	/* answers, a power of two */
#define KNOWN_OCTETS	2048	/* of records; larger ones are not kept */
#define KNOWN_S		60

struct known {
	char		*name;		/* NULL: unused; the records behind it */
	size_t		 n;
	const char	*rrs;
	enum dns_type	 type;
	uint8_t		 status;
	uint64_t	 until;
};

static struct known table[KNOWN_SLOTS];

/* FNV-1a; names that meet in a slot only take turns in it. */
static struct known *
slot(const char *name, enum dns_type type)
{
	uint32_t h = 2166136261u ^ (uint32_t)type;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return &table[(h ^ h >> 16) & (KNOWN_SLOTS - 1)];
}

bool
known_get(const char *name, enum dns_type type, struct dns_ask_r *r)
{
	const struct known *k = slot(name, type);

	if (k->name == NULL || k->type != type ||
	    now_sec_coarse() >= k->until || strcmp(k->name, name) != 0)
		return false;
	*r = (struct dns_ask_r){ .status = k->status,
	    .rrs = slice_of(k->rrs, k->n) };
	return true;
}

void
known_put(const char *name, enum dns_type type, const struct dns_ask_r *r)
{
	struct known *k = slot(name, type);
	size_t len = strlen(name) + 1;
	char *p;

	if (r->status == DNS_TEMP || r->ttl == 0 || r->rrs.n > KNOWN_OCTETS ||
	    (p = malloc(len + r->rrs.n)) == NULL)
		return;
	free(k->name);
	memcpy(p, name, len);
	if (r->rrs.n > 0)
		memcpy(p + len, r->rrs.p, r->rrs.n);
	*k = (struct known){ p, r->rrs.n, p + len, type, r->status,
	    now_sec_coarse() + (r->ttl < KNOWN_S ? r->ttl : KNOWN_S) };
}
