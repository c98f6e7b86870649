/* SPDX-License-Identifier: Apache-2.0
 * zlib's CRC-32, continued from `crc` (0 at the start): what the servers' CRC32() gives. Short strings go by
 * tables, long ones by the library's vector code; from which length on is measured at the first use of it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t crc_of(uint32_t crc, const void *bytes, size_t n);

/* crc_tables[k][b]: of the byte b with k zero bytes behind it. */
extern uint32_t crc_tables[8][256];

/* Of 1 to 8 bytes, the first in the lowest byte of `word`. Text that is made on the way need not go through
 * memory, where a wide load has to wait for the narrow stores before it. */
static inline uint32_t crc_add_word(uint32_t crc, uint64_t word, unsigned n)
{
    uint32_t state = ~crc, left = n < 4 ? state >> 8 * n : 0;
    uint64_t w = (word ^ state) << (64 - 8 * n);
    return ~(left ^ crc_tables[7][w & 255] ^ crc_tables[6][w >> 8 & 255] ^ crc_tables[5][w >> 16 & 255] ^
             crc_tables[4][w >> 24 & 255] ^ crc_tables[3][w >> 32 & 255] ^ crc_tables[2][w >> 40 & 255] ^
             crc_tables[1][w >> 48 & 255] ^ crc_tables[0][w >> 56]);
}

/* For the benchmark and the tests of the kernels. */
typedef struct CrcKernel {
    const char *name;
    uint32_t (*run)(uint32_t crc, const void *bytes, size_t n);
} CrcKernel;
extern const CrcKernel crc_short, crc_long;
size_t crc_long_from(void); /* the length that was measured */
