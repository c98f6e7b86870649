/* SPDX-License-Identifier: Apache-2.0
 * Every statement the coordinator has for schema `siding`, one function each, named for what it means. Worker
 * threads only. Times are DATETIME(3) in UTC.
 */
#pragma once

#include "common/db/db.h"
#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"

enum { QDB_RUNS_PER_TASK = 20, QDB_UUID = 40, QDB_LOCKED = 1, QDB_WENT_BACK = 2, QDB_SCHEDULES = 2000 };

typedef struct QdbIds {
    int64_t *v;
    size_t n, cap;
} QdbIds;
void qdb_ids_add(QdbIds *ids, int64_t id);

/* ---- meta ------------------------------------------------------------------------------------------- */

MUST_CHECK bool qdb_schema_version(Db *db, int64_t *ret, Err *err);
MUST_CHECK bool qdb_meta(Db *db, const char *name, char **ret, Err *err); /* owned; NULL: not there */
MUST_CHECK bool qdb_set_meta(Db *db, const char *name, const char *value, Err *err);
/* Locks term and writer until the transaction ends and gives the number of the writer's last transaction.
 * ERR_STALE_TERM: they are not ours. */
MUST_CHECK bool qdb_lock_term(Db *db, int64_t term, const char *owner, int64_t *ret_number, Err *err);
MUST_CHECK bool qdb_set_number(Db *db, const char *owner, int64_t number, Err *err);
/* `term` is raised above what another owner has. */
MUST_CHECK bool qdb_take_over(Db *db, int64_t *term, const char *owner, Err *err);
MUST_CHECK bool qdb_set_node(Db *db, const char *name, NodeRole role, const char *url, int64_t term,
                             Err *err);
MUST_CHECK bool qdb_set_job(Db *db, const JobInfo *job, bool present, Err *err);

/* ---- tasks: lists of Task, `ret` is added to --------------------------------------------------------- */

void qdb_free_tasks(WireList *list);
/* Without their runs. */
MUST_CHECK bool qdb_live_tasks(Db *db, int64_t after, int64_t limit, WireList *ret, Err *err);
/* Those that failed and that nobody has seen to, however old. */
MUST_CHECK bool qdb_holding_tasks(Db *db, WireList *ret, Err *err);
MUST_CHECK bool qdb_add_runs(Db *db, WireList *tasks, Err *err); /* their last ones; no task twice */
/* With their last runs, in an empty `ret`; each once, however often it is asked for. */
MUST_CHECK bool qdb_task(Db *db, int64_t id, WireList *ret, Err *err); /* none or one */
MUST_CHECK bool qdb_tasks(Db *db, const QdbIds *ids, WireList *ret, Err *err);
typedef struct QdbPage {
    StrList states; /* names of states that are known; empty: all */
    int64_t before, limit;
} QdbPage;
MUST_CHECK bool qdb_page(Db *db, const QdbPage *page, WireList *ret, Err *err); /* newest first */
/* Tasks of the newest runs with a result. */
MUST_CHECK bool qdb_result_tasks(Db *db, int64_t limit, WireList *ret, Err *err);
MUST_CHECK bool qdb_result_ids(Db *db, int64_t limit, QdbIds *ret, Err *err);
/* Tasks that are kept by name, all or one; and those that will start at a time that is known. */
MUST_CHECK bool qdb_schedules(Db *db, const char *name, WireList *ret, Err *err);
MUST_CHECK bool qdb_recurring(Db *db, WireList *ret, Err *err);
/* Locks its row. ERR_CONFLICT with code QDB_LOCKED: another session has. */
MUST_CHECK bool qdb_lock_task(Db *db, int64_t id, WireList *ret, Err *err);

/* ---- what comes in ----------------------------------------------------------------------------------- */

MUST_CHECK bool qdb_inbox(Db *db, int64_t after, int64_t limit, QdbIds *ret_rows, QdbIds *ret_tasks,
                          Err *err);
MUST_CHECK bool qdb_clear_inbox(Db *db, const QdbIds *rows, Err *err);
MUST_CHECK bool qdb_live_ids(Db *db, int64_t after, int64_t limit, QdbIds *ret, Err *err); /* ascending */

/* Starts of tasks with a concurrency key, no longer ago than that by the server's clock. */
typedef struct QdbStart {
    char *key;
    int64_t ago_ms;
} QdbStart;
MUST_CHECK bool qdb_starts(Db *db, int64_t within_ms, WireList *ret, Err *err); /* QdbStart */
void qdb_free_starts(WireList *list);

typedef struct QdbRequest {
    int64_t id;
    TaskAction request;
    char *by;
} QdbRequest;
/* Of tasks that are not ended. */
MUST_CHECK bool qdb_requests(Db *db, WireList *ret, Err *err); /* QdbRequest */

/* ---- changes ----------------------------------------------------------------------------------------- */

/* In state and with the attempts that it says. */
MUST_CHECK bool qdb_insert_task(Db *db, const Task *t, int64_t *ret_id, Err *err);
/* The task that was submitted with this key, or has this unique name (either may be NULL); 0: there is none.
 */
MUST_CHECK bool qdb_find_submitted(Db *db, const char *key, const char *unique, int64_t *ret, Err *err);
/* ERR_CONFLICT: a task of this unique name is not ended, or is being submitted. */
MUST_CHECK bool qdb_check_unique(Db *db, const char *unique, Err *err);
/* What was asked for, anew; `waits`: its times as well, and it waits again where it had ended. */
MUST_CHECK bool qdb_replace_task(Db *db, const Task *t, bool waits, Err *err);
/* Inserts an upload; where its parent's upload is already there, gives that one's id. */
MUST_CHECK bool qdb_insert_upload(Db *db, const Task *t, int64_t *ret_id, Err *err);
MUST_CHECK bool qdb_set_upload(Db *db, const char *run, int64_t upload, Err *err);
MUST_CHECK bool qdb_start_task(Db *db, int64_t id, Err *err); /* running, one attempt more */
MUST_CHECK bool qdb_insert_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err);
MUST_CHECK bool qdb_update_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err);
/* Queue columns of a task; the request only where it still is `old_request` (a newer one by SQL stays). */
MUST_CHECK bool qdb_update_task(Db *db, const Task *t, TaskAction old_request, Err *err);
MUST_CHECK bool qdb_acknowledge(Db *db, int64_t id, const char *by, Err *err);
MUST_CHECK bool qdb_delete_tasks(Db *db, const QdbIds *ids, Err *err); /* with their runs */
/* The same for a task that is tried again and may still have it. */
MUST_CHECK bool qdb_unique_is_free(Db *db, const char *unique, int64_t task, Err *err);
MUST_CHECK bool qdb_take_unique(Db *db, const char *unique, int64_t task, Err *err);
/* `ret_freed` false: an application's transaction holds it (or it is gone). */
MUST_CHECK bool qdb_free_unique(Db *db, const char *name, int64_t task, bool *ret_freed, Err *err);
typedef struct QdbUnique {
    char *name;
    int64_t task;
} QdbUnique;
MUST_CHECK bool qdb_spent_uniques(Db *db, int64_t limit, WireList *ret, Err *err); /* QdbUnique */

/* What has ended before these times goes. */
typedef struct QdbHistory {
    int64_t done, others, events; /* tasks that are done, and those that ended otherwise and hold nothing */
} QdbHistory;
/* Deletes at most so many; `ret`: how many by state. */
MUST_CHECK bool qdb_forget_tasks(Db *db, const QdbHistory *before, int64_t most,
                                 int64_t ret[TASK_UNKNOWN + 1], Err *err);
/* Of a table with a column `at`. */
MUST_CHECK bool qdb_forget_rows(Db *db, const char *table, int64_t before, int64_t most, int64_t *ret_n,
                                Err *err);

MUST_CHECK bool qdb_brakes(Db *db, WireList *ret, Err *err); /* QueueBrake, added to */
MUST_CHECK bool qdb_put_brake(Db *db, const QueueBrake *b, Err *err);
MUST_CHECK bool qdb_end_brake(Db *db, BrakeKind kind, const char *name, Err *err);

typedef struct QdbEvent {
    int64_t at, task, run_no;
    const char *level, *what, *node, *by, *text;
} QdbEvent;
MUST_CHECK bool qdb_insert_event(Db *db, const QdbEvent *e, Err *err);
MUST_CHECK bool qdb_count(Db *db, int64_t ret[TASK_UNKNOWN + 1], Err *err); /* tasks by state */
/* The server's clock, ms. */
MUST_CHECK bool qdb_now(Db *db, int64_t *ret, Err *err);
/* What the server has logged so far, as a GTID position. */
MUST_CHECK bool qdb_position(Db *db, char **ret, Err *err);
