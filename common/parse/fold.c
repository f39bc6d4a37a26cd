/*
 * Lower case of one character each, for names that are compared so (IDNA).
 * Texts that people read are compared by casemap.c.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/fold.h"
#include "parse/fold_table.h"

static uint32_t	 fold_char(uint32_t);

size_t
utf8_fold(const char *in, size_t n, char *out, size_t size)
{
	size_t i = 0, k = 0;
	uint32_t u;
	int len;

	while (i < n && size - k >= 4) {
		if ((unsigned char)in[i] < 0x80) {
			out[k++] = (char)ascii_lower(in[i++]);
			continue;
		}
		len = utf8_get(in + i, n - i, &u);
		if (len <= 0) {		/* not UTF-8: compared as it is */
			out[k++] = in[i++];
			continue;
		}
		k += utf8_put(fold_char(u), out + k);
		i += (size_t)len;
	}
	/* The last three octets of room, for text that is ASCII. */
	for (; i < n && k < size && (unsigned char)in[i] < 0x80; i++)
		out[k++] = (char)ascii_lower(in[i]);
	return k;
}

static uint32_t
fold_char(uint32_t u)
{
	if (u < FOLD_LOW)
		return fold_low[u];
	if (u >= FOLD_HIGH && u < FOLD_HIGH_END)
		return fold_high[u - FOLD_HIGH];
	return u;
}
