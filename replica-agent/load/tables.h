/* SPDX-License-Identifier: Apache-2.0
 * The tables around a swap: the target T, the new table _T_siding_new, the old one _T_siding_old, and the
 * marker _T_siding_todo, which the RENAME turns into _T_siding_done. The marker's comment (marker.h)
 * names the run and its frozen state; as the marker moves in the same statement as the tables, a crash before
 * the RENAME and one after it are told apart.
 */
#pragma once

#include "common/db/db.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/loadplan.h"

typedef struct LoadTables {
    char *schema, *target, *fresh, *old, *todo, *done;
    const char *run;
    int64_t frozen_at;
    const char *gtid;
    bool allow_older; /* the caller's: no state forbids */
} LoadTables;

/* Borrows from the bundle and `run`. */
MUST_CHECK bool tables_open(const Bundle *b, const char *run, LoadTables *ret, Err *err);
void tables_close(LoadTables *t);
/* As this server writes them. */
MUST_CHECK bool tables_settle_names(Db *db, LoadTables *t, Err *err);

/* Fills marker, marker_ours, marker_forbids, shadow; *ret_target: the target exists. */
MUST_CHECK bool tables_read(Db *db, const LoadTables *t, LoadFacts *facts, bool *ret_target, Err *err);
/* Drops what an earlier run left and makes shadow table and marker, the marker last. The shadow is as the
 * target is; where there is none, by the manifest's statement with another name. */
MUST_CHECK bool tables_begin(Db *db, const LoadTables *t, const Bundle *b, bool target_exists, Err *err);
/* Drops shadow table and marker. */
MUST_CHECK bool tables_abandon(Db *db, const LoadTables *t, Err *err);
/* Makes room for the names that a RENAME gives. */
MUST_CHECK bool tables_prepare_rename(Db *db, const LoadTables *t, Err *err);
/* One try, waiting a second for the tables; ERR_TIMEOUT with code 1205: somebody uses the target. */
MUST_CHECK bool tables_rename(Db *db, const LoadTables *t, bool target_exists, Err *err);
/* Right after tables_rename of a target that existed: as it was before. */
MUST_CHECK bool tables_rename_back(Db *db, const LoadTables *t, Err *err);
MUST_CHECK bool tables_drop_old(Db *db, const LoadTables *t, Err *err);
MUST_CHECK bool tables_exists(Db *db, const char *schema, const char *table, bool *ret, Err *err);
