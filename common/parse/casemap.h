/*
 * Text as i;unicode-casemap compares it (RFC 5051): each character in title
 * case, then taken apart; what is equal so is equal octet for octet, and its
 * order is that of the octets.
 */
#ifndef PARSE_CASEMAP_H
#define PARSE_CASEMAP_H

#include <stddef.h>

#define CASEMAP_MAX(n)	(11 * (n))	/* octets that n octets become */

/*
 * UTF-8 mapped, as far as out of size octets has room: *used octets of in,
 * which ends with a character, were read.  What is no UTF-8 stays as it is.
 * Returns octets written.
 */
size_t	 utf8_casemap(const char *in, size_t n, char *out, size_t size,
	    size_t *used);

#endif
