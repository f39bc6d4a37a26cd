/*
 * SASL OAUTHBEARER (RFC 7628) and XOAUTH2, as a server reads them.
 */
#ifndef PARSE_OAUTH_H
#define PARSE_OAUTH_H

#include "base/slice.h"
#include "parse/sasl.h"

struct parse_err;

struct oauth {
	char		 user[SASL_FIELD_MAX + 1];	/* "": not named */
	struct slice	 token;		/* of the response */
};

/* The whole response, decoded.  A token is 1 or more octets of RFC 6750 2.1.
 * 0, or -1. */
int	 oauth_bearer(struct slice, struct oauth *, struct parse_err *);
int	 oauth_xoauth2(struct slice, struct oauth *, struct parse_err *);

#endif
