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
