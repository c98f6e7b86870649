/* SPDX-License-Identifier: Apache-2.0
 * Numbers as files and protocols hold them: little-endian, at any address.
 */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bytes_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}

static inline uint64_t bytes_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

/* 1 to 8 bytes, zeros behind them. */
static inline uint64_t bytes_some(const void *p, size_t n)
{
    const unsigned char *b = p;
    if (n >= 4)
        return bytes_u32(b) | (uint64_t)bytes_u32(b + n - 4) << 8 * (n - 4);
    return b[0] | (uint64_t)b[n / 2] << 8 * (n / 2) | (uint64_t)b[n - 1] << 8 * (n - 1);
}
