/*
 * Pure parsers: bytes in, results out.  Nothing in this folder does input or
 * output, reads a clock, logs, or keeps a global; only struct mime allocates.
 *
 * Parsers return > 0 for bytes consumed, 0 for "need more", -1 for an error
 * whose place and reason stand in struct parse_err (which may be NULL where a
 * pointer to it is taken).  Slices returned point into the caller's input, or
 * into the result struct where that is said.  Every loop over outside bytes
 * is linear and has a stated limit.
 */
#ifndef PARSE_ERR_H
#define PARSE_ERR_H

#include <stddef.h>

struct parse_err {
	size_t		 off;	/* octet at which it went wrong */
	const char	*why;	/* static text, for a reply or a log line */
};

#endif
