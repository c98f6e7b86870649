/* SPDX-License-Identifier: Apache-2.0
 * A hash table of numbers (from 1 on) that stand for things which their owner keeps. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Numbered {
    uint64_t (*hash)(const void *owner, uint32_t n);
    bool (*is)(const void *owner, uint32_t n, const void *wanted);
    uint32_t *v; /* open addressing; 0: free */
    size_t cap, n;
} Numbered;

/* 0: not there. */
uint32_t numbered_find(const Numbered *t, const void *owner, uint64_t hash, const void *wanted);
void numbered_add(Numbered *t, const void *owner, uint32_t n);    /* is not there yet */
void numbered_remove(Numbered *t, const void *owner, uint32_t n); /* is there, and what it stands for too */
void numbered_done(Numbered *t);
uint64_t numbered_mix(uint64_t h); /* spreads the bits of what is no hash yet */
