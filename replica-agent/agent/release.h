/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent --release`: one replica let go without a coordinator. A running agent is asked by its API;
 * where none runs, this process is the agent until replication runs.
 */
#pragma once

#include "replica-agent/host/config.h"

struct Agent;

/* Asks the running agent and follows it. Exit status. */
int release_by_api(const AgentConfig *c);

/* Inside an agent without API: each tick, ends the loop when there is nothing more to do. */
typedef struct Release {
    bool wanted, asked, ok;
    int64_t begun_ms, moved_ms, said_ms;
    char *said, *position;
} Release;
void release_tick(struct Agent *a);
