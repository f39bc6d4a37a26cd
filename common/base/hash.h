/*
 * Hashes of what lies on disk and of tables that outsiders fill.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), continuing from crc (start with 0). */
uint32_t crc32c(uint32_t crc, const void *, size_t);
/* SipHash-2-4: a keyed hash for tables an outsider fills. */
uint64_t siphash24(const uint8_t key[16], const void *, size_t);

#endif
