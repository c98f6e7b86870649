/* SPDX-License-Identifier: Apache-2.0
 * Positions of words in a field: numbers from 1. A further text of the same record and field begins a gap
 * behind the one before it, so that no phrase is found across two texts. Texts of one field must come one
 * after another. Pure.
 */
#pragma once

#include <stdint.h>

enum { WORD_POSITION_GAP = 100 };

typedef struct WordPosition {
    int64_t record;
    unsigned field; /* 0: nothing read yet */
    uint32_t before;
} WordPosition;

static inline void word_position_begin(WordPosition *p, int64_t record, unsigned field)
{
    if (p->record != record || p->field != field)
        *p = (WordPosition){.record = record, .field = field};
}

static inline uint32_t word_position_of(const WordPosition *p, uint32_t word)
{
    return p->before + word;
}

static inline void word_position_end(WordPosition *p, uint32_t words)
{
    p->before += words + WORD_POSITION_GAP;
}
