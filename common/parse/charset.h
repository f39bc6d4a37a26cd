/*
 * Charsets to UTF-8, without iconv; IMAP's modified UTF-7.
 */
#ifndef PARSE_CHARSET_H
#define PARSE_CHARSET_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define CHARSET_UNKNOWN	(-1)
#define CHARSET_ASCII	0
#define CHARSET_UTF8	1
/* What is being converted: zeroed but for id is the start. */
struct charset {
	int	 id;
	uint8_t	 set, g2;	/* what ISO-2022 and HZ have shifted in; g2
				   is an id, 0 for none */
};

/* Room in which n octets of any charset become UTF-8: three each, and what is
 * free of it always. */
#define CHARSET_UTF8_MAX(n)	(3 * (n) + 4)

/* IANA name or a usual alias, case ignored; CHARSET_UNKNOWN. */
int	 charset_find(struct slice name);
/* Preferred MIME name of an id; NULL for CHARSET_UNKNOWN and beyond the last. */
const char *charset_name(int);
/*
 * Convert, as far as out of size octets has room; *used octets were read.
 * What is invalid becomes U+FFFD.  A character or escape cut at the end of in,
 * at most CHARSET_CUT octets, is left unread unless last is set; with it the
 * text ends, and what is shifted in is forgotten.  Unknown charsets are read
 * as ASCII, octets above 127 becoming U+FFFD.  Returns octets written.
 */
#define CHARSET_CUT	3
size_t	 charset_utf8(struct charset *, const char *in, size_t n, int last,
	    char *out, size_t size, size_t *used);
/* Well-formed UTF-8 (Unicode table 3-7), no NUL. */
int	 utf8_valid(const char *, size_t);
/* One character: its length 1..4, 0 if cut, -1 if invalid. */
int	 utf8_get(const char *, size_t, uint32_t *);
/* 1..4 octets written. */
size_t	 utf8_put(uint32_t, char *);
/* Largest m <= n that does not cut a character. */
size_t	 utf8_cut(const char *, size_t n);

/* IMAP mailbox names, modified UTF-7 (RFC 3501 5.1.3).  Both are strict;
 * return the length, or -1: bad, or size too small. */
ssize_t	 mutf7_decode(struct slice, char *, size_t size);
ssize_t	 mutf7_encode(struct slice, char *, size_t size);

#endif
