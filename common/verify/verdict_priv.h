/*
 * struct verdict, between verdict.c, verdict_header.c and authres.c.  Private
 * to common/verify.
 */
#ifndef VERDICT_PRIV_H
#define VERDICT_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "parse/address.h"
#include "parse/ipaddr.h"
#include "verify/arc_priv.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/fields.h"
#include "verify/verify.h"

#define VERDICT_BODIES	(DKIM_VERIFY_MAX + 1)	/* and one for ARC */

struct body_hash {
	enum dkim_canon	 canon;
	uint64_t	 limit;
	uint64_t	 len;
	struct dkim_body *body;		/* kept for the next message */
	uint8_t		 hash[DKIM_HASH];
};

struct verdict_kit {
	struct fields	 fields;	/* of the header that is read */
	struct digest	 digest;	/* of header fields */
	struct dkim_keys keys;
};

struct verdict {
	struct verdict_kit *kit;
	int		 own;		/* the kit is */
	int		 flags;
	int64_t		 now;
	char		 receiver[DOMAIN_TEXT];
	struct answers	*answers;

	int		 has_client, has_sender, has_header, has_body;
	int		 asked;			/* what the header asks for */
	struct ipaddr	 ip;
	char		 helo[ADDR_DOMAIN_MAX + 1];
	size_t		 localn, domainn;
	char		 local[ADDR_LOCAL_MAX];
	char		 domain[ADDR_DOMAIN_MAX + 1];

	int		 spf_done, helo_done, dmarc_done;
	struct spf	 spf, spf_helo;
	struct dmarc_authors authors;
	struct dmarc	 dmarc;
	size_t		 nsig, more;
	struct dkim_sig	 sig[DKIM_VERIFY_MAX];
	size_t		 nbody;
	struct body_hash body[VERDICT_BODIES];
	struct arc_chain arc;
};

/* verdict_header.c: the signatures worth verifying among the kit's fields,
 * hashed.  0 or -1. */
int	 verdict_signatures(struct verdict *);

#endif
