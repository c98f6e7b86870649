/* SPDX-License-Identifier: Apache-2.0
 * Why a replica cannot be, or had better not be, the next primary: sentences, for people and for the choice.
 * Pure.
 */
#pragma once

#include "common/wire/wire_node.h"

typedef struct CandidateRules {
    const StrList *never, *avoid; /* names of nodes, of the configuration */
    const char *only;             /* the node that was asked for; NULL: any */
    int64_t max_lag_ms;
    bool alone; /* where nobody else could follow it, its commits may wait for nobody */
} CandidateRules;

/* `nodes` are all, `primary` among them or NULL. What forbids `node` is added to `never`, what speaks against
 * it to `avoid`. */
void candidate_reasons(const Node *const *nodes, size_t n, const Node *primary, const Node *node,
                       const CandidateRules *rules, StrList *never, StrList *avoid);
/* As far as is known its binary log leaves out some of what it applies: whoever fetched from it would pass
 * that by without a word. */
bool candidate_log_is_partial(const Node *node);
