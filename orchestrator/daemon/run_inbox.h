/* SPDX-License-Identifier: Apache-2.0
 * What has happened to runs, in the order it came: answers of agents and of the database. Whoever learns of
 * something puts it here and calls nobody; runs_step takes it out.
 */
#pragma once

#include "coord_state.h"

typedef struct RunLetter {
    int64_t task;
    char run[48], node[64]; /* node "": it is about no part */
    CoordRunInput in;       /* its times and part are filled in when it is taken */
} RunLetter;

void run_inbox_put(Coord *c, const RunLetter *letter);
/* The letters there are, as an array that the caller frees; the inbox is empty afterwards. */
RunLetter *run_inbox_take(Coord *c, size_t *ret_n);
void run_inbox_free(Coord *c);
