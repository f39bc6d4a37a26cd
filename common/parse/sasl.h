/*
 * SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login).
 */
#ifndef PARSE_SASL_H
#define PARSE_SASL_H

#include "base/slice.h"
#include "parse/base64.h"

struct parse_err;

#define SASL_FIELD_MAX	255	/* octets of an identity or a password */
#define SASL_BASE64_MAX	BASE64_LEN(3 * SASL_FIELD_MAX + 2)

#define SASL_PLAIN	"PLAIN"	/* the mechanism that all fronts have */

/* NUL-terminated copies; the caller wipes it with explicit_bzero. */
struct sasl_cred {
	char	 authzid[SASL_FIELD_MAX + 1];
	char	 authcid[SASL_FIELD_MAX + 1];
	char	 passwd[SASL_FIELD_MAX + 1];
};

/*
 * PLAIN: base64 of [authzid] NUL authcid NUL passwd; "=" is the empty
 * response (then -1).  UTF-8 is checked, CR, LF and NUL inside a field,
 * an empty authcid or passwd refused.  0 or -1.
 */
int	 sasl_plain(struct slice b64, struct sasl_cred *, struct parse_err *);
/* The same from decoded octets. */
int	 sasl_plain_raw(struct slice msg, struct sasl_cred *,
	    struct parse_err *);
/* LOGIN: first response is the user name, second the password.  0 or -1. */
int	 sasl_login_user(struct slice b64, struct sasl_cred *,
	    struct parse_err *);
int	 sasl_login_pass(struct slice b64, struct sasl_cred *,
	    struct parse_err *);
/* Is this fit to be a name or password: 1..SASL_FIELD_MAX octets of UTF-8
 * without NUL, CR, LF? */
int	 sasl_field_valid(struct slice);

#endif
