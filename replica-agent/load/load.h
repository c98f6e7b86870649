/* SPDX-License-Identifier: Apache-2.0
 * One load, from what is found in the server to its end: asks the plan, does the step, asks again. Started
 * again after any crash it goes on where the last one stopped.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/index/definition.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/delta.h"
#include "replica-agent/load/tables.h"
#include "replica-agent/load/throttle.h"

typedef struct LoadOptions {
    DbTarget target;
    const char *run;
    bool replace, drop_old, allow_nontransactional, allow_older;
    bool same_history; /* refuse a result that is ahead of the primary */
    int64_t rows_per_transaction, bytes_per_transaction, max_txn_ms;
    ThrottleLimits throttle;
    const char *work;          /* folder where the agent says how far replicas are behind; NULL: nowhere */
    int64_t throttle_limit_ms; /* longest wait without a row */
    int64_t rename_wait_ms, lock_wait_ms, retry_ms;
} LoadOptions;

typedef struct LoadOutcome {
    int64_t rows, delta_keys, longest_txn_ms;
    bool swapped, stale_swap;
} LoadOutcome;

typedef struct Load {
    const LoadOptions *o;
    const Bundle *bundle;
    const IndexDefinition *definition; /* NULL: no delta */
    bool swap;
    LoadTables tables;
    StrList paths; /* of the data files, in order */
    Db *db;
    bool target_exists;
    bool shadow_stays; /* what is in the new table is of use to another try */
    char *state;       /* what the first transaction of a replace has to note; NULL: nothing */
    bool begun_here;   /* the new table is empty but for what this connection wrote */
    LoadStep last_step;
    LoadFacts last_facts;
    bool has_last;
    ThrottlePace pace;
    int64_t chunks, last_status_ms, running, txn_rows;
    int64_t second_round_from; /* the primary's clock at the first round, 0: not known */
    DeltaKeys first_round;
    int64_t progress_ms; /* when something last succeeded */
    int64_t pause_ms;    /* before this try; 0: the one before it went well */
    LoadOutcome outcome;
} Load;

MUST_CHECK bool load_run(Load *l, Err *err);

/* Each of a load's connections, 1 or 2, has a lock that one loader of the target holds. */
MUST_CHECK bool load_connect(Load *l, int number, Db **ret, Err *err);

/* What was begun goes: the new table, the marker, the ledger's rows. */
MUST_CHECK bool load_abandon(Load *l, Err *err);

/* Steps in files of their own. */
MUST_CHECK bool load_rows(Load *l, Err *err);
MUST_CHECK bool load_swap(Load *l, Err *err);
MUST_CHECK bool load_finish_swap(Load *l, Err *err);
