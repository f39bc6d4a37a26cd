/*
 * What charset.c, charset_cjk.c and charset_2022.c share: characters of
 * several octets.  Private to these files.
 */
#ifndef CHARSET_PRIV_H
#define CHARSET_PRIV_H

#include <stddef.h>
#include <stdint.h>

struct charset;

#define REPLACEMENT	0xfffd
#define CHAR_NONE	0x7fffffffu	/* octets that show nothing */
#define CHAR_PAIR(a, b)	(0x80000000u | (a) << 16 | (b))	/* two characters */

/*
 * The character at p[0..n), n > 0, as *u (CHAR_NONE, CHAR_PAIR too).  Returns
 * its octets, 0 if it is cut, -1 if it is none: then one octet is read as
 * REPLACEMENT.  A pair of octets that has no character is one REPLACEMENT, but
 * what may be ASCII is never taken into it.
 */
typedef int	 charset_get(struct charset *, const uint8_t *p, size_t n,
		    uint32_t *u);

/* ---- charset_cjk.c: stateless; ASCII is the caller's ---- */
charset_get	 sjis_get, eucjp_get, gb18030_get, big5_get, euckr_get;
/* A character of a set of 94 x 94 by two octets of 21..7E; 0 if none. */
uint32_t	 jis0208_char(int, int), jis0212_char(int, int);
uint32_t	 gb2312_char(int, int), ksc_char(int, int);

/* ---- charset_2022.c: ASCII and more, shifted in and out ---- */
charset_get	 iso2022jp_get, iso2022kr_get, hz_get;
/* The octet c (A0..FF) of an 8-bit set of charset.c, 0 if none. */
uint32_t	 charset_high_char(int charset, int c);

#endif
