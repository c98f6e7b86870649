/* SPDX-License-Identifier: Apache-2.0
 * Little-endian numbers, as the servers' protocol and files hold them.
 */
#pragma once

#include "common/base/str.h"

static inline void le_put(Str *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_addc(to, (char)(v >> (8 * i)));
}

static inline void le_set(char *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (char)(v >> (8 * i));
}

static inline uint64_t le_get(const char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}
