/*
 * CRC-32C for everything on disk (RFC 3720 appendix B.4) and SipHash-2-4 for
 * tables whose keys come from outside (Aumasson, Bernstein 2012).  The CRC
 * uses the processor's instruction where it has one.
 */
#include "base/compat.h"

#include <string.h>

#include "base/crc32c_table.h"
#include "base/hash.h"
#include "base/le.h"

static uint32_t	 crc_soft(uint32_t, const uint8_t *, size_t);

#if defined(__x86_64__)
static uint32_t	 crc_sse42(uint32_t, const uint8_t *, size_t);
#endif

#define ROTL(x, b)	((x) << (b) | (x) >> (64 - (b)))
#define SIPROUND	do {						\
	v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32);	\
	v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2;				\
	v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0;				\
	v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32);	\
} while (0)

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse42(~crc, p, n);
#endif
	return ~crc_soft(~crc, p, n);
}

uint64_t
siphash24(const uint8_t key[16], const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t k0 = get64(key), k1 = get64(key + 8), m;
	uint64_t v0 = k0 ^ UINT64_C(0x736f6d6570736575);
	uint64_t v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
	uint64_t v2 = k0 ^ UINT64_C(0x6c7967656e657261);
	uint64_t v3 = k1 ^ UINT64_C(0x7465646279746573);
	uint8_t tail[8] = { 0 };
	size_t left;

	for (left = n; left >= 8; left -= 8, p += 8) {
		m = get64(p);
		v3 ^= m;
		SIPROUND;
		SIPROUND;
		v0 ^= m;
	}
	if (left > 0)
		memcpy(tail, p, left);
	tail[7] = (uint8_t)n;
	m = get64(tail);
	v3 ^= m;
	SIPROUND;
	SIPROUND;
	v0 ^= m;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Eight octets a step through eight tables ("slicing by 8"). */
static uint32_t
crc_soft(uint32_t crc, const uint8_t *p, size_t n)
{
	const uint32_t (*t)[256] = crc32c_table;
	uint64_t w;

	for (; n >= 8; p += 8, n -= 8) {
		w = get64(p) ^ crc;
		crc = t[7][w & 255] ^ t[6][w >> 8 & 255] ^
		    t[5][w >> 16 & 255] ^ t[4][w >> 24 & 255] ^
		    t[3][w >> 32 & 255] ^ t[2][w >> 40 & 255] ^
		    t[1][w >> 48 & 255] ^ t[0][w >> 56];
	}
	for (; n > 0; p++, n--)
		crc = crc >> 8 ^ t[0][(crc ^ *p) & 255];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t
crc_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 8; p += 8, n -= 8)
		c = __builtin_ia32_crc32di(c, get64(p));
	for (crc = (uint32_t)c; n > 0; p++, n--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#endif
