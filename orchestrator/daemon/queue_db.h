/* SPDX-License-Identifier: Apache-2.0
 * Every statement the coordinator has for schema `siding`, one function each, named for what it means. Worker
 * thread only. Times are DATETIME(3) in UTC.
 */
#pragma once

#include "common/db/db.h"
#include "common/wire/wire.h"

enum { QDB_RUNS_PER_TASK = 20, QDB_LIVE_MAX = 100000 };

MUST_CHECK bool qdb_schema_version(Db *db, int64_t *ret, Err *err);
MUST_CHECK bool qdb_cluster_name(Db *db, char **ret, Err *err);
MUST_CHECK bool qdb_term(Db *db, int64_t *ret, Err *err);
MUST_CHECK bool qdb_set_term(Db *db, int64_t term, Err *err);
/* ERR_STALE_TERM when another coordinator has raised it. Locks the row until the transaction ends. */
MUST_CHECK bool qdb_check_term(Db *db, int64_t term, Err *err);
MUST_CHECK bool qdb_set_node(Db *db, const char *name, NodeRole role, const char *url, int64_t term,
                             Err *err);

/* Lists of Task with their last runs; `ret` is empty before. */
MUST_CHECK bool qdb_live_tasks(Db *db, WireList *ret, Err *err);
MUST_CHECK bool qdb_ended_tasks(Db *db, int64_t before, int64_t limit, WireList *ret, Err *err);
MUST_CHECK bool qdb_task(Db *db, int64_t id, WireList *ret, Err *err); /* none or one */

typedef struct QdbRequest {
    int64_t id;
    TaskAction request;
    char *by;
} QdbRequest;
typedef struct QdbIds {
    int64_t *v;
    size_t n, cap;
} QdbIds;
void qdb_ids_add(QdbIds *ids, int64_t id);
/* Ids of tasks that are not ended, ascending. */
MUST_CHECK bool qdb_live_ids(Db *db, QdbIds *ret, Err *err);
/* Tasks under way with a request in their columns. */
MUST_CHECK bool qdb_requests(Db *db, WireList *ret, Err *err); /* QdbRequest */

MUST_CHECK bool qdb_insert_task(Db *db, const Task *t, int64_t *ret_id, Err *err);
/* ERR_CONFLICT: a task of this unique name is not ended. */
MUST_CHECK bool qdb_check_unique(Db *db, const char *unique, Err *err);
/* Inserts an upload; where its parent's upload is already there, gives that one's id. */
MUST_CHECK bool qdb_insert_upload(Db *db, const Task *t, int64_t *ret_id, Err *err);
MUST_CHECK bool qdb_set_upload(Db *db, const char *run, int64_t upload, Err *err);
MUST_CHECK bool qdb_claim_task(Db *db, int64_t id, Err *err); /* ERR_CONFLICT: no longer waiting */
MUST_CHECK bool qdb_insert_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err);
MUST_CHECK bool qdb_update_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err);
/* Queue columns of a task; the request only where it still is `old_request` (a newer one by SQL stays). */
MUST_CHECK bool qdb_update_task(Db *db, const Task *t, TaskAction old_request, Err *err);
MUST_CHECK bool qdb_acknowledge(Db *db, int64_t id, const char *by, Err *err);
MUST_CHECK bool qdb_delete_task(Db *db, int64_t id, Err *err);
MUST_CHECK bool qdb_delete_runs(Db *db, int64_t task, Err *err);
MUST_CHECK bool qdb_insert_event(Db *db, int64_t at, const char *level, const char *what, int64_t task,
                                 int64_t run_no, const char *node, const char *text, Err *err);
/* The server's clock, ms. */
MUST_CHECK bool qdb_now(Db *db, int64_t *ret, Err *err);
/* What the server has logged so far, as a GTID position. */
MUST_CHECK bool qdb_position(Db *db, char **ret, Err *err);
