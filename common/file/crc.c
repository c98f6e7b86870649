/* SPDX-License-Identifier: Apache-2.0 */
#include "crc.h"

#include <string.h>
#include <time.h>
#include <zlib.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif

#include "common/base/bytes.h"

enum { POLYNOMIAL = (int)0xEDB88320, LEAST_LONG = 16, MOST_SHORT = 1024, CALLS = 64, TRIES = 5 };

uint32_t crc_tables[8][256];

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
        crc_tables[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            crc_tables[k][byte] = crc_tables[k - 1][byte] >> 8 ^ crc_tables[0][crc_tables[k - 1][byte] & 255];
}

/* ---- kernels --------------------------------------------------------------------------------------- */

static uint32_t by_tables(uint32_t crc, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (; n >= 8; n -= 8, p += 8)
        crc = crc_add_word(crc, bytes_u64(p), 8);
    return n ? crc_add_word(crc, bytes_some(p, n), (unsigned)n) : crc;
}

static uint32_t by_library(uint32_t crc, const void *bytes, size_t n)
{
#ifdef HAVE_ISAL
    return crc32_gzip_refl(crc, bytes, n);
#else
    return (uint32_t)crc32_z(crc, bytes, n);
#endif
}

const CrcKernel crc_short = {"tables", by_tables};
#ifdef HAVE_ISAL
const CrcKernel crc_long = {"ISA-L", by_library};
#else
const CrcKernel crc_long = {"zlib", by_library};
#endif

/* ---- which from where ------------------------------------------------------------------------------ */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The least of some tries: what else the machine does only adds. The bytes are new for each call, as the text
 * of rows is. */
static int64_t time_of(const CrcKernel *k, unsigned char *bytes, size_t n)
{
    int64_t least = INT64_MAX;
    uint32_t crc = 0;
    for (int i = 0; i < TRIES; i++) {
        int64_t begun = now_ns();
        for (int call = 0; call < CALLS; call++) {
            memcpy(bytes + (size_t)call % (n - 7), &crc, sizeof crc);
            crc = k->run(crc, bytes, n);
        }
        int64_t took = now_ns() - begun;
        least = took < least ? took : least;
    }
    return least;
}

/* A quarter of a millisecond, once. Threads that come here at the same time measure each for itself. */
static size_t measure(void)
{
    unsigned char bytes[MOST_SHORT] = {0};
    size_t n = LEAST_LONG;
    while (n < MOST_SHORT && time_of(&crc_long, bytes, n) >= time_of(&crc_short, bytes, n))
        n *= 2;
    return n;
}

static size_t long_from; /* 0: not measured */

size_t crc_long_from(void)
{
    size_t from = __atomic_load_n(&long_from, __ATOMIC_RELAXED);
    if (!from) {
        from = measure();
        __atomic_store_n(&long_from, from, __ATOMIC_RELAXED);
    }
    return from;
}

uint32_t crc_of(uint32_t crc, const void *bytes, size_t n)
{
    if (n < LEAST_LONG || n < crc_long_from())
        return by_tables(crc, bytes, n);
    return by_library(crc, bytes, n);
}
