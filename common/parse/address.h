/*
 * SMTP paths and domains (RFC 5321 4.1.2).
 */
#ifndef PARSE_ADDRESS_H
#define PARSE_ADDRESS_H

#include <sys/types.h>

#include <stddef.h>

#include "base/slice.h"

struct parse_err;

/*
 * Limits.  RFC 5321 4.5.3.1 wants 64 octets of a local part and 256 of a path
 * to be taken; what lists, forwarders and gateways make up (VERP, SRS) is
 * longer.  A path has its two brackets more than the text of its address.
 */
#define ADDR_LOCAL_MAX	255	/* octets of a local part, quotes apart */
#define ADDR_DOMAIN_MAX	255	/* RFC 5321 4.5.3.1.2 */
#define ADDR_TEXT_MAX	325	/* of an address as text, with a NUL */

#define ADDR_NULLSENDER	0x01	/* <> */
#define ADDR_QUOTED	0x02	/* the local part was written quoted */
#define ADDR_LITERAL	0x04	/* domain is [1.2.3.4] or [IPv6:...] */
#define ADDR_ROUTE	0x08	/* a source route was there and was dropped */
#define ADDR_NODOMAIN	0x10	/* only a local part; domain is "" */
#define ADDR_UTF8	0x20	/* has octets above 127 (RFC 6531) */
#define ADDR_BARE	0x40	/* came without angle brackets */

struct address {
	int	 flags;
	size_t	 localn;
	size_t	 domainn;
	char	 local[ADDR_LOCAL_MAX + 1];	/* dequoted; NUL-terminated */
	char	 domain[ADDR_DOMAIN_MAX + 1];	/* ASCII lower case, no final
						 * dot; a literal in brackets */
};

#define PATH_NULL	0x01	/* <> is welcome (MAIL FROM) */
#define PATH_BARE	0x02	/* brackets may be missing */
#define PATH_NODOMAIN	0x04	/* "Henrik" and <postmaster> are welcome */
#define PATH_UTF8	0x08	/* SMTPUTF8 was asked for */
#define PATH_DOTS	0x10	/* dots where no dot-string has them: a..b, a. */

/*
 * One reverse- or forward-path at the start of p[0..n): leading blanks are
 * skipped, the path ends before a blank or at the end.  Returns the octets
 * used or -1.  Octets below 32 and 127 are never accepted, quoted or not, nor
 * is an address whose text has no room in ADDR_TEXT_MAX.
 */
ssize_t	 address_path(const char *p, size_t n, int opts, struct address *,
	    struct parse_err *);
/* "local@domain" alone, whole slice, no brackets; opts as above.  0 or -1. */
int	 address_parse(struct slice, int opts, struct address *,
	    struct parse_err *);
/*
 * Canonical text: local part quoted only where the grammar wants it (with
 * dots in odd places it does), no brackets, "" for the null sender.  Returns
 * the length, without NUL, or -1 if size is too small.
 */
ssize_t	 address_print(const struct address *, char *, size_t size);
/* The same mailbox?  The domain without case, the local part as it is. */
int	 address_eq(const struct address *, const struct address *);
/* Percent hack, bang path or "@" in a local part: routing by the back door. */
int	 address_is_routed(const struct address *);
/*
 * A domain name: labels of letters, digits, hyphen (not at an end) and
 * underscore, 1..63 octets each, at most 253 in all, one final dot allowed;
 * octets above 127 only with utf8 set.
 */
int	 domain_valid(struct slice, int utf8);

#endif
