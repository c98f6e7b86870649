/* SPDX-License-Identifier: Apache-2.0
 * Where a result is loaded and how: the job file of the agent that ran the job says it. What the job wrote of
 * its upload adds facts of an index at most; the primary's agent compares with a job file of its own. Pure.
 */
#pragma once

#include "common/file/json.h"

/* `rule`: the upload by the job file, null where it has none. `told`: what the job said, NULL: nothing.
 * ERR_REFUSED names where they differ. `*ret` is a new reference. */
MUST_CHECK bool upload_rule_apply(const json_t *rule, const json_t *told, bool is_index, json_t **ret,
                                  Err *err);
/* On the primary: the upload of a sealed manifest against the rule of the job file there. */
MUST_CHECK bool upload_rule_agrees(const json_t *rule, const json_t *manifest, const char *job, Err *err);
