/* SPDX-License-Identifier: Apache-2.0
 * What the coordinator finds wrong when it looks at all nodes together: who is primary, whom the others
 * follow, clocks, job files that differ. Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

enum { CLUSTER_CLOCK_WARN_MS = 2000 };

typedef struct ClusterView {
    const Node *const *nodes; /* health is set */
    size_t n;
    const char *primary;           /* as this coordinator knows it; NULL: not */
    const char *primary_address;   /* where its server was last seen; NULL: nowhere */
    const char *topology_error;    /* why the primary is not known */
    const int64_t *clock_ahead_ms; /* of each node's clock; INT64_MIN: not known */
} ClusterView;

/* Appends to `findings`, `node` set where it is one's. */
void cluster_check(const ClusterView *v, WireList *findings);
