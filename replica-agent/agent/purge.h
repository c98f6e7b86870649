/* SPDX-License-Identifier: Apache-2.0
 * Holds on this primary's binary logs at work (core/purge decides). purge.json is written before a setting is
 * changed; a hold ends by itself, whoever asked for it.
 */
#pragma once

#include "common/net/http.h"
#include "replica-agent/core/purge.h"

struct Agent;

typedef struct Purge {
    PurgeState state;
    bool in_flight, due;
    int64_t next_ms;
    char *trouble;
} Purge;

void purge_load(struct Agent *a);
void purge_tick(struct Agent *a);
void purge_close(struct Agent *a);
json_t *purge_json(const struct Agent *a);
void api_post_purge_hold(HttpRequest *req, void *context);
void api_delete_purge_hold(HttpRequest *req, void *context);
