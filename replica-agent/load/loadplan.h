/* SPDX-License-Identifier: Apache-2.0
 * What remains to be done of a load: decided from what is found in the server alone, so that a loader killed
 * anywhere is simply started again. Every step is idempotent and changes the facts. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum LoadMarker {
    MARKER_NONE,
    MARKER_TODO, /* the shadow table belongs to a run, not swapped yet */
    MARKER_DONE, /* renamed together with the shadow table: swapped */
} LoadMarker;

typedef struct LoadFacts {
    bool swap;     /* else append or replace */
    bool finished; /* the ledger says so */
    LoadMarker marker;
    bool marker_ours;
    bool marker_forbids; /* of another run, and no older state than ours */
    bool shadow;
    int64_t rows_loaded, rows_total; /* ledger, manifest */
    bool verified;
} LoadFacts;

typedef enum LoadStep {
    LOAD_NOTHING, /* all is done */
    LOAD_REFUSE,  /* the reason says why */
    LOAD_BEGIN,   /* remove leftovers, clear the ledger, make shadow table and marker */
    LOAD_ROWS,
    LOAD_VERIFY,
    LOAD_SWAP,   /* changes into the shadow table, then the RENAME */
    LOAD_FINISH, /* changes into the live table; the ledger's last row */
} LoadStep;

LoadStep load_next_step(const LoadFacts *f, const char **ret_reason);
bool load_facts_equal(const LoadFacts *a, const LoadFacts *b);
