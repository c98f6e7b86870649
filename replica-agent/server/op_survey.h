/* SPDX-License-Identifier: Apache-2.0
 * Looks at a server before a pause: what it is, where it stands, its settings, and what speaks against a
 * pause. Changes nothing; an attempt to link a relay file leaves no link.
 *
 *   OP_DONE    `seen`, `settings` and `findings` hold all that was asked for
 *   OP_FAILED  the server could not be read; `findings` may hold a part. A grant that is missing is named
 */
#pragma once

#include "op.h"
#include "replica-agent/core/preflight.h"
#include "vault.h"

typedef struct SurveyIn {
    OpServer at;
    DbTarget rescuer; /* the account that may replay everything */
    bool has_rescuer;
    char *node;           /* its name, for what mends a finding */
    char *vault_folder;   /* NULL: beside the relay files */
    bool thorough;        /* settings, grants, rates and tables too: many more statements */
    PreflightFacts known; /* only for a thorough one: what the caller knows by itself */
} SurveyIn;

typedef struct SurveyOut {
    OpResult result;
    Err err;
    ServerSeen seen;
    LeaseSettings settings; /* as they are now */
    VaultPlace place;       /* index NULL: not read */
    PreflightFacts facts;   /* of a thorough one: `known`, completed */
    WireList findings;      /* Finding */
} SurveyOut;

void survey_in_done(SurveyIn *in);
void survey_out_done(SurveyOut *out);
bool op_survey(const SurveyIn *in, const Cancel *cancel, SurveyOut *out);
