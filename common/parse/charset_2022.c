/*
 * East Asian charsets of seven bits, in which sets are shifted in and out:
 * ISO-2022-JP (RFC 1468, and -1 and -2 of RFC 2237 and 1554), ISO-2022-KR
 * (RFC 1557), HZ (RFC 1843).  What is shifted in is kept in struct charset, so
 * that text may be cut anywhere.  Called by charset.c.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/charset_priv.h"

#define ESC		0x1b
#define SHIFT_OUT	0x0e
#define SHIFT_IN	0x0f

enum set {
	SET_ASCII,
	SET_ROMAN,		/* JIS X 0201: yen and overline */
	SET_KANA,
	SET_JIS0208, SET_JIS0212, SET_GB2312, SET_KSC
};

static int	 escape(struct charset *, const uint8_t *, size_t, uint32_t *);
static int	 single_shift(struct charset *, const uint8_t *, size_t,
		    uint32_t *);
static int	 set_get(enum set, const uint8_t *, size_t, uint32_t *);

int
iso2022jp_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	if (p[0] == ESC && n > 1 && p[1] == 'N')
		return single_shift(cs, p, n, u);
	if (p[0] == ESC)
		return escape(cs, p, n, u);
	return set_get((enum set)cs->set, p, n, u);
}

int
iso2022kr_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	static const char designator[] = "\033$)C";	/* the only one */
	size_t k = n < 4 ? n : 4;

	*u = CHAR_NONE;
	switch (p[0]) {
	case ESC:
		if (memcmp(p, designator, k) != 0)
			return -1;
		return k < 4 ? 0 : 4;
	case SHIFT_OUT:
		cs->set = SET_KSC;
		return 1;
	case SHIFT_IN:
		cs->set = SET_ASCII;
		return 1;
	case '\n':
		cs->set = SET_ASCII;
		break;
	}
	return set_get((enum set)cs->set, p, n, u);
}

int
hz_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	if (p[0] == '\n')
		cs->set = SET_ASCII;
	if (p[0] != '~')
		return set_get((enum set)cs->set, p, n, u);
	if (n < 2)
		return 0;
	*u = CHAR_NONE;
	if (p[1] == '{' && cs->set == SET_ASCII)
		cs->set = SET_GB2312;
	else if (p[1] == '}' && cs->set == SET_GB2312)
		cs->set = SET_ASCII;
	else if (p[1] == '~' && cs->set == SET_ASCII)
		*u = '~';
	else if (p[1] != '\n')
		return -1;
	return 2;
}

/* A set is chosen; the second one (G2) for ESC N alone. */
static int
escape(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	static const struct {
		const char *text;
		enum set set;
		const char *g2;
	} v[] = {
		{ "\033(B", SET_ASCII, NULL }, { "\033(J", SET_ROMAN, NULL },
		{ "\033(I", SET_KANA, NULL }, { "\033$B", SET_JIS0208, NULL },
		{ "\033$@", SET_JIS0208, NULL },
		{ "\033$(B", SET_JIS0208, NULL },
		{ "\033$(@", SET_JIS0208, NULL },
		{ "\033$(D", SET_JIS0212, NULL },
		{ "\033$A", SET_GB2312, NULL }, { "\033$(A", SET_GB2312, NULL },
		{ "\033$(C", SET_KSC, NULL }, { "\033.A", 0, "ISO-8859-1" },
		{ "\033.F", 0, "ISO-8859-7" }
	};
	size_t i, len;
	int cut = 0;

	for (i = 0; i < NITEMS(v); i++) {
		len = strlen(v[i].text);
		if (memcmp(p, v[i].text, n < len ? n : len) != 0)
			continue;
		if (n < len) {
			cut = 1;
			continue;
		}
		if (v[i].g2 != NULL)
			cs->g2 = (uint8_t)charset_find(slice_str(v[i].g2));
		else
			cs->set = (uint8_t)v[i].set;
		*u = CHAR_NONE;
		return (int)len;
	}
	/* ESC alone may become ESC N. */
	return cut ? 0 : -1;
}

/* ESC N: one character of ISO-8859-1 or -7 (RFC 1554). */
static int
single_shift(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	if (n < 3)
		return 0;
	if (cs->g2 == 0 || p[2] < 0x20 || p[2] > 0x7f)
		return -1;
	*u = charset_high_char(cs->g2, p[2] | 0x80);
	if (*u == 0)
		*u = REPLACEMENT;
	return 3;
}

/* Control characters and blanks are the same in all sets. */
static int
set_get(enum set set, const uint8_t *p, size_t n, uint32_t *u)
{
	if (p[0] >= 0x80)
		return -1;
	*u = p[0];
	if (p[0] < 0x21 || p[0] == 0x7f)
		return 1;
	switch (set) {
	case SET_ASCII:
		return 1;
	case SET_ROMAN:
		*u = p[0] == '\\' ? 0xa5 : p[0] == '~' ? 0x203e : p[0];
		return 1;
	case SET_KANA:
		*u = p[0] > 0x5f ? REPLACEMENT : 0xff61u + p[0] - 0x21;
		return 1;
	case SET_JIS0208:
	case SET_JIS0212:
	case SET_GB2312:
	case SET_KSC:
		break;
	}
	if (n < 2)
		return 0;
	if (p[1] < 0x21 || p[1] > 0x7e)
		return -1;
	*u = set == SET_JIS0208 ? jis0208_char(p[0], p[1]) :
	    set == SET_JIS0212 ? jis0212_char(p[0], p[1]) :
	    set == SET_GB2312 ? gb2312_char(p[0], p[1]) :
	    ksc_char(p[0], p[1]);
	if (*u == 0)
		*u = REPLACEMENT;
	return 2;
}
