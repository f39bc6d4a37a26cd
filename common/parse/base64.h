/*
 * Base64 (RFC 4648 4).
 */
#ifndef PARSE_BASE64_H
#define PARSE_BASE64_H

#include <sys/types.h>

#include <stddef.h>

#define BASE64_LEN(n)		(((n) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(n)	(((n) + 3) / 4 * 3)

/* Strict RFC 4648 4: padded, no other octet, unused bits zero.  Returns the
 * length, or -1: bad, or size too small.  out may be in. */
ssize_t	 base64_decode(const char *in, size_t n, void *out, size_t size);
/* Returns the length BASE64_LEN(n), or -1 if size is too small.  No NUL. */
ssize_t	 base64_encode(const void *in, size_t n, char *out, size_t size);

/* The alphabet of URLs and no padding (RFC 4648 5, RFC 7515 2); as strict. */
ssize_t	 base64url_decode(const char *in, size_t n, void *out, size_t size);

#endif
