/* SPDX-License-Identifier: Apache-2.0
 * Nanoseconds a call of each CRC-32 kernel by length, and the length that the programs choose here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/file/crc.h"

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* `written`: the bytes were written just before the call, one by one, as the text of a row is. */
static double ns_a_call(const CrcKernel *k, size_t n, int written)
{
    enum { CALLS = 4000, TRIES = 15 };
    static unsigned char bytes[1 << 16];
    int64_t least = INT64_MAX;
    uint32_t crc = 0;
    for (int i = 0; i < TRIES; i++) {
        int64_t begun = now_ns();
        for (int call = 0; call < CALLS; call++) {
            for (size_t b = 0; written && b < n; b += 2)
                *(volatile uint16_t *)(void *)(bytes + b) = (uint16_t)crc;
            crc = k->run(crc, bytes, n);
        }
        int64_t took = now_ns() - begun;
        least = took < least ? took : least;
    }
    return (double)least / CALLS;
}

int main(void)
{
    static const size_t lengths[] = {1, 5, 8, 10, 16, 24, 32, 48, 64, 128, 256, 1024, 16384};
    printf("%8s %10s %10s %20s %20s\n", "bytes", crc_short.name, crc_long.name, "just written",
           "just written");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        printf("%8zu %10.1f %10.1f %20.1f %20.1f\n", lengths[i], ns_a_call(&crc_short, lengths[i], 0),
               ns_a_call(&crc_long, lengths[i], 0), ns_a_call(&crc_short, lengths[i], 1),
               ns_a_call(&crc_long, lengths[i], 1));
    printf("chosen: %s from %zu bytes on\n", crc_long.name, crc_long_from());
    return 0;
}
