/* SPDX-License-Identifier: Apache-2.0
 * Positions of words in a field: numbers from 1. A further text of the same record and field begins a gap
 * behind the one before it, so that no phrase is found across two texts. Texts of one field must come one
 * after another. Pure.
 */
#pragma once

#include <stdint.h>

enum { PLACE_GAP = 100 };

typedef struct Place {
    int64_t record;
    unsigned field; /* 0: nothing read yet */
    uint32_t before;
} Place;

static inline void place_begin(Place *p, int64_t record, unsigned field)
{
    if (p->record != record || p->field != field)
        *p = (Place){.record = record, .field = field};
}

static inline uint32_t place_position(const Place *p, uint32_t word)
{
    return p->before + word;
}

static inline void place_end(Place *p, uint32_t words)
{
    p->before += words + PLACE_GAP;
}
