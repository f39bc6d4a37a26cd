/*
 * East Asian charsets whose characters have one to four octets, without any
 * state: Shift_JIS, EUC-JP, GB 18030 (and so GBK and GB2312), Big5, EUC-KR, each
 * with what Windows and HKSCS added, as mail has it.  Some 170 KB of tables,
 * made by gentab.py from Python's codecs and committed.  Called by charset.c;
 * reads no octet beyond n.
 */
#include "base/compat.h"

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/charset_cjk_table.h"
#include "parse/charset_priv.h"

#define KANA		0xff61	/* half-width katakana, from A1 on */
#define PRIVATE_A0	0xf8f0	/* what Windows makes of A0, and FD..FF */
#define LINEAR_BMP	39420	/* four octets of GB 18030 up to U+FFFF */
#define LINEAR_ASTRAL	189000	/* from U+10000 on */

static int	 trail(int, uint32_t, uint32_t *);
static uint32_t	 big5_cell(int);
static int	 gb18030_four(const uint8_t *, size_t, uint32_t *);
static uint32_t	 gb18030_bmp(uint32_t);
static int	 ksc_index(int, int);

int
sjis_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	int a = p[0], b, i;

	if (a >= 0xa1 && a <= 0xdf)
		*u = KANA + (uint32_t)a - 0xa1;
	else if (a == 0x80)
		*u = 0x80;
	else if (a == 0xa0)
		*u = PRIVATE_A0;
	else if (a > 0xfc)
		*u = PRIVATE_A0 + (uint32_t)a - 0xfc;
	else if (n < 2)
		return 0;
	else {
		b = p[1];
		if (b < 0x40 || b == 0x7f || b > 0xfc)
			return trail(b, 0, u);
		i = (a - (a < 0xa0 ? 0x81 : 0xc1)) * 188 + b - 0x40 -
		    (b > 0x7f);
		return trail(b, jis0208[i], u);
	}
	return 1;
}

int
eucjp_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	int a = p[0];

	if (a != 0x8e && a != 0x8f && (a < 0xa1 || a == 0xff))
		return -1;
	if (n < 2)
		return 0;
	if (p[1] < 0xa1 || p[1] == 0xff || (a == 0x8e && p[1] > 0xdf))
		return trail(p[1], 0, u);
	if (a == 0x8e) {
		*u = KANA + p[1] - 0xa1u;
		return 2;
	}
	if (a != 0x8f)
		return trail(p[1], jis0208_char(a - 0x80, p[1] - 0x80), u);
	if (n < 3)
		return 0;
	if (p[2] < 0xa1 || p[2] == 0xff)
		return trail(p[1], 0, u);
	trail(p[2], jis0212_char(p[1] - 0x80, p[2] - 0x80), u);
	return 3;
}

int
gb18030_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	int a = p[0], b;

	if (a == 0x80) {		/* Windows' euro */
		*u = 0x20ac;
		return 1;
	}
	if (a == 0xff)
		return -1;
	if (n < 2)
		return 0;
	b = p[1];
	if (b >= '0' && b <= '9')
		return gb18030_four(p, n, u);
	if (b < 0x40 || b == 0x7f || b == 0xff)
		return trail(b, 0, u);
	return trail(b, gb18030[(a - 0x81) * 190 + b - 0x40 - (b > 0x7f)], u);
}

int
big5_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	int a = p[0], b;

	if (a < 0x81 || a == 0xff)
		return -1;
	if (n < 2)
		return 0;
	b = p[1];
	if (a < 0x87 || b < 0x40 || (b > 0x7e && b < 0xa1) || b == 0xff)
		return trail(b, 0, u);
	if (a == 0x88 && (b == 0x62 || b == 0x64))
		*u = CHAR_PAIR(0xcau, b == 0x62 ? 0x304u : 0x30cu);
	else if (a == 0x88 && (b == 0xa3 || b == 0xa5))
		*u = CHAR_PAIR(0xeau, b == 0xa3 ? 0x304u : 0x30cu);
	else
		return trail(b, big5_cell((a - 0x87) * 157 + b -
		    (b < 0x80 ? 0x40 : 0x62)), u);
	return 2;
}

int
euckr_get(struct charset *cs, const uint8_t *p, size_t n, uint32_t *u)
{
	int i;

	if (p[0] < 0x81 || p[0] == 0xff)
		return -1;
	if (n < 2)
		return 0;
	i = ksc_index(p[0], p[1]);
	return trail(p[1], i == -1 ? 0 : ksc[i], u);
}

uint32_t
jis0208_char(int a, int b)
{
	return jis0208[(a - 0x21) * 94 + b - 0x21];
}

uint32_t
jis0212_char(int a, int b)
{
	return jis0212[(a - 0x21) * 94 + b - 0x21];
}

uint32_t
gb2312_char(int a, int b)
{
	return gb18030[(a + 0x80 - 0x81) * 190 + b + 0x80 - 0x41];
}

uint32_t
ksc_char(int a, int b)
{
	int i = ksc_index(a + 0x80, b + 0x80);

	return i == -1 ? 0 : ksc[i];
}

/* Both octets of a character, or of none; b, if it may be ASCII, is looked at
 * again. */
static int
trail(int b, uint32_t found, uint32_t *u)
{
	*u = found != 0 ? found : REPLACEMENT;
	return found == 0 && b < 0x80 ? -1 : 2;
}

static uint32_t
big5_cell(int i)
{
	if (big5[i] == 0)
		return 0;
	return big5[i] | (uint32_t)(big5_high[i / 8] >> i % 8 & 1) << 17;
}

/* p[1] is a digit. */
static int
gb18030_four(const uint8_t *p, size_t n, uint32_t *u)
{
	uint32_t i;

	if (n < 3)
		return 0;
	if (p[2] < 0x81 || p[2] == 0xff)
		return -1;
	if (n < 4)
		return 0;
	if (p[3] < '0' || p[3] > '9')
		return -1;
	i = (((p[0] - 0x81u) * 10 + p[1] - '0') * 126 + p[2] - 0x81) * 10 +
	    p[3] - '0';
	*u = i < LINEAR_BMP ? gb18030_bmp(i) : i >= LINEAR_ASTRAL &&
	    i - LINEAR_ASTRAL < 0x100000 ? i - LINEAR_ASTRAL + 0x10000 : 0;
	if (*u == 0)
		*u = REPLACEMENT;
	return 4;
}

/* In the run that starts last before i; the last run is beyond. */
static uint32_t
gb18030_bmp(uint32_t i)
{
	size_t low = 0, high = NITEMS(gb18030_run) - 1, mid;

	while (high - low > 1) {
		mid = (low + high) / 2;
		if (gb18030_run[mid][0] <= i)
			low = mid;
		else
			high = mid;
	}
	if (gb18030_run[low][1] == 0)
		return 0;
	return gb18030_run[low][1] + i - gb18030_run[low][0];
}

static int
ksc_index(int a, int b)
{
	int i = (a - 0x81) * 178;

	if (a < 0x81 || a > 0xfd)
		return -1;
	if (b >= 'A' && b <= 'Z')
		return i + b - 'A';
	if (b >= 'a' && b <= 'z')
		return i + 26 + b - 'a';
	return b >= 0x81 && b < 0xff ? i + 52 + b - 0x81 : -1;
}
