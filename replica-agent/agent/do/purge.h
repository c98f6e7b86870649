/* SPDX-License-Identifier: Apache-2.0
 * Holds on this primary's binary logs at work (core/purge_plan decides). The server's own values are on disk
 * before a setting is changed; a hold ends by itself, whoever asked for it.
 */
#pragma once

#include "common/net/http.h"
#include "replica-agent/core/purge_plan.h"

struct Agent;

typedef struct Purge {
    PurgeState state;
    bool in_flight;
    uint64_t batch; /* of the record that a change waits for; 0: none */
    PurgeValues want, now;
    int64_t next_ms;
    char *trouble;
} Purge;

MUST_CHECK bool purge_restore(struct Agent *a, const json_t *value, Err *err);
void purge_tick(struct Agent *a);
void purge_close(struct Agent *a);
json_t *purge_json(const struct Agent *a);
uint64_t purge_save(struct Agent *a); /* the batch of the store that has it */
