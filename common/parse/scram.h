/*
 * Messages of SCRAM (RFC 5802 7), as a server reads them.
 */
#ifndef PARSE_SCRAM_H
#define PARSE_SCRAM_H

#include <stdint.h>

#include "base/slice.h"
#include "parse/sasl.h"

struct parse_err;

#define SCRAM_MESSAGE_MAX 2048	/* octets of one */
#define SCRAM_NONCE_MAX	256	/* of them, the client's part of the nonce */
#define SCRAM_PROOF	32	/* octets of SCRAM-SHA-256's */

/* What a client says of binding the channel (the gs2-cbind-flag). */
enum scram_bind {
	SCRAM_BIND_NONE,	/* n: it cannot */
	SCRAM_BIND_THOUGHT,	/* y: it could, and thinks that we cannot */
	SCRAM_BIND_USED		/* p=TYPE */
};

/* client-first-message; slices point into it. */
struct scram_first {
	enum scram_bind	 bind;
	struct slice	 type;		/* of the binding, SCRAM_BIND_USED */
	struct slice	 gs2;		/* the gs2-header, its comma too */
	struct slice	 bare;		/* what stands behind it */
	struct slice	 nonce;
	char		 authzid[SASL_FIELD_MAX + 1];	/* "" none */
	char		 user[SASL_FIELD_MAX + 1];
};

/* client-final-message; slices point into it. */
struct scram_final {
	struct slice	 binding;	/* base64, behind c= */
	struct slice	 nonce;
	struct slice	 bare;		/* all but ",p=..." */
	uint8_t		 proof[SCRAM_PROOF];
};

/* gs2-header (RFC 5801 4) at the start of *rest, which begins behind it then:
 * the flag and the authzid, a comma behind each.  0, -1. */
int	 scram_header(struct slice *rest, struct scram_first *,
	    struct parse_err *);
/* 0, or -1: not of that form, or it wants an extension (m=). */
int	 scram_first(struct slice, struct scram_first *, struct parse_err *);
int	 scram_final(struct slice, struct scram_final *, struct parse_err *);

#endif
