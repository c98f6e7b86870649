/* SPDX-License-Identifier: Apache-2.0
 * Postings of a batch in memory: how often each term stands in each field of each record, or where. Bounded
 * by its owner, who writes it out when it is full. Sorted order is the result table's primary key: term by
 * bytes (which is utf8mb4_bin), record, field; then position.
 */
#pragma once

#include <stdint.h>

#include "common/base/str.h"

typedef enum PostingKind {
    POSTING_COUNTS,    /* one a (term, record, field); its number is the frequency */
    POSTING_POSITIONS, /* one an occurrence; its number is the position */
} PostingKind;

typedef struct Posting {
    int64_t record;
    uint32_t term;        /* of the table; after sorting no longer needed */
    uint32_t number : 24; /* saturates */
    uint32_t field : 8;
} Posting;

enum { POSTING_MAX_NUMBER = (1 << 24) - 1 };
uint32_t posting_add_numbers(uint32_t a, uint32_t b); /* saturates */

/* By bytes: less than, equal to, greater than 0. */
int term_compare(const char *a, size_t a_n, const char *b, size_t b_n);

typedef struct Terms Terms;

Terms *terms_new(PostingKind kind, size_t max_bytes);
void terms_free(Terms *t);
void terms_add(Terms *t, const char *term, size_t n, int64_t record, unsigned field, uint32_t position);
bool terms_are_full(const Terms *t);
bool terms_are_empty(const Terms *t);
void terms_clear(Terms *t);

/* After terms_sort: the terms in order, each with its postings in order. */
void terms_sort(Terms *t);
size_t terms_count(const Terms *t);
void terms_at(const Terms *t, size_t i, const char **ret_term, size_t *ret_n, const Posting **ret_postings,
              size_t *ret_count);
