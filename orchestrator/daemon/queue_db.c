/* SPDX-License-Identifier: Apache-2.0
 * What is read from the queue's tables: tasks with their runs, who owns the queue, what has come in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/file/json.h"
#include "queue_rows.h"

/* What changes stands in siding.task, what was asked for in siding.spec. What plain SQL has put there beyond
 * all bounds is not read: a text that is no JSON stands for it. */
#define WITHIN(column) "IF(LENGTH(s." column ") <= 400000, s." column ", 'too long') AS " column
#define TASK_COLUMNS                                                                                         \
    "t.id, s.kind, s.job, s.name, s.on_role AS `on`, s.user, " WITHIN("args") ", " WITHIN(                   \
        "options") ", t.state, t.priority, "                                                                 \
                   "s.replicas, t.run_at, s.submitted_at, t.finished_at, s.sleeptime_ms, s.fixed_time, "     \
                   "s.time_window AS `window`, t.sequence_id, s.unique_name AS `unique`, s.pause_limit_ms, " \
                   "t.attempts, "                                                                            \
                   "s.max_attempts, t.parent_task, t.parent_run, NULLIF(t.request, 'none') AS request, "     \
                   "t.request_by, "                                                                          \
                   "t.error, s.host, s.lane, s.plan, t.planned_at, t.snoozes, "                              \
                   "s.submit_key AS `key`, s.on_error, s.preempt, s.at_window_end"
#define TASKS_FROM " FROM siding.task t LEFT JOIN siding.spec s ON s.task_id = t.id "
#define RUN_COLUMNS                                                                                          \
    QDB_RUN_KEY                                                                                              \
    " AS id, task_id, state, outcome, term, gtid, nodes, started_at, frozen_at, "                            \
    "resumed_at, caught_up_at, finished_at, progress_done, progress_total, progress_unit, result_dir, "      \
    "replay, detail, upload_task, error"

/* ---- tasks ------------------------------------------------------------------------------------------ */

/* A row without its other half is shown as what it is. */
static void read_task(const DbRows *rows, Task *t)
{
    t->malformed = !rows_read(rows, task_fields, t);
    if (t->job)
        return;
    t->job = xstrdup("?");
    t->name = xstrdup("?");
    t->user = xstrdup("?");
    t->replicas = t->max_attempts = 1;
    if (!t->error)
        t->error = xstrdup("its row in siding.spec is missing: it cannot be read");
}

static bool read_tasks(DbRows *rows, WireList *ret, Err *err)
{
    bool more, ok;
    while ((ok = db_next(rows, &more, err)) && more)
        read_task(rows, wire_list_add(ret, sizeof(Task)));
    db_rows_free(rows);
    return ok;
}

static void read_run(const DbRows *rows, Run *r)
{
    Err ignored;
    (void)rows_read(rows, run_fields, r);
    r->progress.done = db_int(rows, "progress_done");
    r->progress.total = db_int(rows, "progress_total");
    if (*db_text(rows, "progress_unit"))
        r->progress.unit = xstrdup(db_text(rows, "progress_unit"));
    AUTOJSON json_t *replay = rows_parse_json(db_text(rows, "replay"), strlen(db_text(rows, "replay")));
    if (replay)
        (void)!wire_read(replay_fields, replay, &r->replay, &ignored);
}

static Task *task_of(Task *tasks, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (tasks[i].id == id)
            return &tasks[i];
    return NULL;
}

/* The newest runs of so many tasks with one statement. */
static bool read_runs(Db *db, Task *tasks, size_t n, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    DbRows *rows;
    bool more, ok;
    str_adds(&sql, "SELECT * FROM (SELECT " RUN_COLUMNS ", no, ROW_NUMBER() OVER (PARTITION BY task_id ORDER "
                   "BY no DESC) AS place FROM siding.run WHERE task_id IN (");
    for (size_t i = 0; i < n; i++)
        str_addf(&sql, "%s%" PRId64, i ? "," : "", tasks[i].id);
    str_addf(&sql, ")) AS r WHERE place <= %d ORDER BY task_id, no", QDB_RUNS_PER_TASK);
    if (!db_query(db, &rows, err, str_z(&sql), ""))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        Task *t = task_of(tasks, n, db_int(rows, "task_id"));
        if (t)
            read_run(rows, wire_list_add(&t->runs, sizeof(Run)));
    }
    db_rows_free(rows);
    return ok;
}

enum { RUNS_AT_ONCE = 200 };

bool qdb_add_runs(Db *db, WireList *tasks, Err *err)
{
    for (size_t i = 0; i < tasks->n; i += RUNS_AT_ONCE) {
        size_t n = tasks->n - i < RUNS_AT_ONCE ? tasks->n - i : RUNS_AT_ONCE;
        if (!read_runs(db, (Task *)tasks->v + i, n, err))
            return false;
    }
    return true;
}

/* Of each state a piece of the key `live`: over several states at once a server sorts all that there is. */
static char *live_ids_sql(int64_t after, int64_t limit)
{
    AUTO(str_done) Str sql = STR_INIT;
    for (int state = TASK_WAITING; state < TASK_DONE; state++)
        str_addf(&sql,
                 "%s(SELECT id FROM siding.task WHERE state = '%s' AND id > %" PRId64
                 " ORDER BY id LIMIT %" PRId64 ")",
                 sql.len ? " UNION ALL " : "", wire_enum_name(&task_state_names, state), after, limit);
    str_addf(&sql, " ORDER BY id LIMIT %" PRId64, limit);
    return str_take(&sql);
}

bool qdb_live_tasks(Db *db, int64_t after, int64_t limit, WireList *ret, Err *err)
{
    DbRows *rows;
    AUTOFREE char *ids = live_ids_sql(after, limit);
    AUTOFREE char *sql =
        xasprintf("SELECT " TASK_COLUMNS
                  " FROM (%s) AS live JOIN siding.task t ON t.id = live.id LEFT JOIN siding.spec s "
                  "ON s.task_id = t.id ORDER BY t.id",
                  ids);
    return db_query(db, &rows, err, sql, "") && read_tasks(rows, ret, err);
}

bool qdb_holding_tasks(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT " TASK_COLUMNS TASKS_FROM "WHERE t.state IN ('error','done_with_errors')", "") &&
           read_tasks(rows, ret, err) && qdb_add_runs(db, ret, err);
}

/* One state's page, from the key `live` alone. */
static void add_page(Str *sql, const char *state, int64_t before, int64_t limit)
{
    str_addf(sql,
             "%s(SELECT id FROM siding.task WHERE state = '%s' AND id < %" PRId64
             " ORDER BY id DESC LIMIT %" PRId64 ")",
             sql->len ? " UNION ALL " : "", state, before, limit);
}

bool qdb_page(Db *db, const QdbPage *page, WireList *ret, Err *err)
{
    AUTO(str_done) Str pages = STR_INIT;
    for (size_t i = 0; i < page->states.n; i++)
        add_page(&pages, page->states.v[i], page->before, page->limit);
    if (!page->states.n)
        str_addf(&pages, "SELECT id FROM siding.task WHERE id < %" PRId64 " ORDER BY id DESC LIMIT %" PRId64,
                 page->before, page->limit);
    AUTOFREE char *sql =
        xasprintf("SELECT " TASK_COLUMNS " FROM (%s) AS page JOIN siding.task t ON t.id = page.id LEFT JOIN "
                  "siding.spec s ON s.task_id = t.id ORDER BY t.id DESC LIMIT %" PRId64,
                  str_z(&pages), page->limit);
    DbRows *rows;
    return db_query(db, &rows, err, sql, "") && read_tasks(rows, ret, err) && qdb_add_runs(db, ret, err);
}

bool qdb_result_tasks(Db *db, int64_t limit, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(
               db, &rows, err,
               "SELECT " TASK_COLUMNS
               " FROM (SELECT DISTINCT task_id FROM (SELECT task_id FROM siding.run WHERE sealed_at IS NOT "
               "NULL ORDER BY sealed_at DESC LIMIT ?) AS newest) AS r JOIN siding.task t ON t.id = "
               "r.task_id LEFT JOIN siding.spec s ON s.task_id = t.id ORDER BY t.id DESC",
               "i", limit) &&
           read_tasks(rows, ret, err) && qdb_add_runs(db, ret, err);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of a task that was read twice one would get the runs of both, the other none. */
static int64_t *each_once(const QdbIds *ids, size_t *ret_n)
{
    int64_t *v = xcalloc(ids->n + 1, sizeof *v);
    size_t n = 0;
    if (ids->n)
        memcpy(v, ids->v, ids->n * sizeof *v);
    qsort(v, ids->n, sizeof *v, by_number);
    for (size_t i = 0; i < ids->n; i++)
        if (!n || v[n - 1] != v[i])
            v[n++] = v[i];
    *ret_n = n;
    return v;
}

bool qdb_tasks(Db *db, const QdbIds *ids, WireList *ret, Err *err)
{
    size_t n;
    AUTOFREE int64_t *v = each_once(ids, &n);
    for (size_t i = 0; i < n; i += RUNS_AT_ONCE) {
        AUTO(str_done) Str sql = STR_INIT;
        DbRows *rows;
        str_adds(&sql, "SELECT " TASK_COLUMNS TASKS_FROM "WHERE t.id IN (");
        for (size_t k = i; k < n && k < i + RUNS_AT_ONCE; k++)
            str_addf(&sql, "%s%" PRId64, k > i ? "," : "", v[k]);
        str_adds(&sql, ") ORDER BY t.id");
        if (!db_query(db, &rows, err, str_z(&sql), "") || !read_tasks(rows, ret, err))
            return false;
    }
    return qdb_add_runs(db, ret, err);
}

bool qdb_task(Db *db, int64_t id, WireList *ret, Err *err)
{
    QdbIds one = {&id, 1, 1};
    return qdb_tasks(db, &one, ret, err);
}

bool qdb_schedules(Db *db, const char *name, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT " TASK_COLUMNS TASKS_FROM
                    "WHERE s.schedule IS NOT NULL AND s.schedule = COALESCE(?, "
                    "s.schedule) ORDER BY s.schedule LIMIT ?",
                    "si", name, (int64_t)QDB_SCHEDULES) &&
           read_tasks(rows, ret, err) && qdb_add_runs(db, ret, err);
}

bool qdb_recurring(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT " TASK_COLUMNS TASKS_FROM "WHERE t.state IN (" LIVE_STATES
                    ") AND (s.sleeptime_ms > 0 OR s.plan IS NOT NULL OR t.run_at > "
                    "UTC_TIMESTAMP(3)) ORDER BY t.id LIMIT ?",
                    "i", (int64_t)QDB_SCHEDULES) &&
           read_tasks(rows, ret, err) && qdb_add_runs(db, ret, err);
}

void qdb_free_tasks(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        wire_free(task_fields, (Task *)list->v + i);
    free(list->v);
    *list = (WireList){NULL, 0};
}

bool qdb_lock_task(Db *db, int64_t id, WireList *ret, Err *err)
{
    DbRows *rows;
    qdb_free_tasks(ret);
    if (!db_query(db, &rows, err, "SELECT " TASK_COLUMNS TASKS_FROM "WHERE t.id = ? FOR UPDATE SKIP LOCKED",
                  "i", id) ||
        !read_tasks(rows, ret, err))
        return false;
    if (ret->n)
        return qdb_add_runs(db, ret, err);
    int64_t there;
    if (!db_value_int(db, &there, err, "SELECT COUNT(*) FROM siding.task WHERE id = ?", "i", id))
        return false;
    if (there)
        return err_set(err, ERR_CONFLICT, QDB_LOCKED, "another session has locked the row of task %" PRId64,
                       id);
    return err_set(err, ERR_NOT_FOUND, 0, "there is no task %" PRId64, id);
}

/* ---- meta ------------------------------------------------------------------------------------------- */

bool qdb_schema_version(Db *db, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SELECT value FROM siding.meta WHERE name = 'schema_version'", "");
}

bool qdb_meta(Db *db, const char *name, char **ret, Err *err)
{
    *ret = NULL;
    return db_value(db, ret, err, "SELECT value FROM siding.meta WHERE name = ?", "s", name) ||
           err->kind == ERR_NOT_FOUND;
}

bool qdb_set_meta(Db *db, const char *name, const char *value, Err *err)
{
    return db_exec(db, err,
                   "INSERT INTO siding.meta (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = "
                   "VALUES(value)",
                   "ss", name, value);
}

/* `writer` is the uuid of the coordinator that writes, a space, and the number of its last transaction. */
static bool read_writer(Db *db, int64_t *ret_term, char ret_owner[QDB_UUID], int64_t *ret_number, Err *err)
{
    DbRows *rows;
    bool more, ok;
    *ret_term = *ret_number = 0;
    ret_owner[0] = 0;
    if (!db_query(db, &rows, err,
                  "SELECT name, value FROM siding.meta WHERE name IN ('term', 'writer') FOR UPDATE", ""))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        if (str_eq(db_text(rows, "name"), "term"))
            *ret_term = db_int(rows, "value");
        else
            sscanf(db_text(rows, "value"), "%39s %" SCNd64, ret_owner, ret_number);
    }
    db_rows_free(rows);
    return ok;
}

bool qdb_lock_term(Db *db, int64_t term, const char *owner, int64_t *ret_number, Err *err)
{
    int64_t there;
    char whose[QDB_UUID];
    if (!read_writer(db, &there, whose, ret_number, err))
        return false;
    if (there == term && str_eq(whose, owner))
        return true;
    if (there < term)
        return err_set(err, ERR_STALE_TERM, QDB_WENT_BACK,
                       "the queue's database has term %" PRId64 ", and had %" PRId64
                       ": it was restored, or has lost its newest transactions",
                       there, term);
    return err_set(err, ERR_STALE_TERM, 0,
                   "the queue is at term %" PRId64 " of coordinator %s, this one (%s) at %" PRId64
                   ": another one has taken over",
                   there, *whose ? whose : "?", owner, term);
}

bool qdb_set_number(Db *db, const char *owner, int64_t number, Err *err)
{
    AUTOFREE char *value = xasprintf("%s %" PRId64, owner, number);
    return db_exec(db, err, "UPDATE siding.meta SET value = ? WHERE name = 'writer'", "s", value);
}

bool qdb_take_over(Db *db, int64_t *term, const char *owner, Err *err)
{
    int64_t there, number;
    char whose[QDB_UUID];
    if (!read_writer(db, &there, whose, &number, err))
        return false;
    if (there > *term || (there == *term && !str_eq(whose, owner)))
        *term = there + 1;
    AUTOFREE char *value = xasprintf("%" PRId64, *term);
    AUTOFREE char *writer = xasprintf("%s %" PRId64, owner, number + 1);
    return qdb_set_meta(db, "term", value, err) && qdb_set_meta(db, "writer", writer, err);
}

bool qdb_set_node(Db *db, const char *name, NodeRole role, const char *url, int64_t term, Err *err)
{
    return db_exec(db, err,
                   "INSERT INTO siding.node (name, role, url, term, updated_at) VALUES (?, ?, ?, ?, "
                   "UTC_TIMESTAMP(3)) ON "
                   "DUPLICATE KEY UPDATE role = VALUES(role), url = VALUES(url), term = VALUES(term), "
                   "updated_at = VALUES(updated_at)",
                   "sssi", name, wire_enum_name(&node_role_names, (int)role), url, term);
}

/* ---- what comes in ---------------------------------------------------------------------------------- */

bool qdb_result_ids(Db *db, int64_t limit, QdbIds *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT task_id AS id FROM siding.run WHERE sealed_at IS NOT NULL ORDER BY sealed_at "
                    "DESC LIMIT ?",
                    "i", limit) &&
           rows_read_ids(rows, ret, err);
}

bool qdb_inbox(Db *db, int64_t after, int64_t limit, QdbIds *ret_rows, QdbIds *ret_tasks, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err, "SELECT id, task_id FROM siding.inbox WHERE id > ? ORDER BY id LIMIT ?",
                  "ii", after, limit))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        qdb_ids_add(ret_rows, db_int(rows, "id"));
        qdb_ids_add(ret_tasks, db_int(rows, "task_id"));
    }
    db_rows_free(rows);
    return ok;
}

bool qdb_clear_inbox(Db *db, const QdbIds *rows, Err *err)
{
    return rows_delete(db, "inbox", "id", rows, err);
}

bool qdb_live_ids(Db *db, int64_t after, int64_t limit, QdbIds *ret, Err *err)
{
    DbRows *rows;
    AUTOFREE char *sql = live_ids_sql(after, limit);
    return db_query(db, &rows, err, sql, "") && rows_read_ids(rows, ret, err);
}

bool qdb_requests(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT id, request, request_by FROM siding.task WHERE request IS NOT NULL AND request <> "
                  "'none' AND state IN (" LIVE_STATES ") LIMIT 1000",
                  ""))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        QdbRequest *q = wire_list_add(ret, sizeof *q);
        *q = (QdbRequest){db_int(rows, "id"),
                          (TaskAction)wire_enum_find(&task_action_names, db_text(rows, "request")),
                          xstrdup(db_text(rows, "request_by"))};
    }
    db_rows_free(rows);
    return ok;
}

/* Read once, by a coordinator that begins: no key is kept for it. */
bool qdb_starts(Db *db, int64_t within_ms, WireList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(
            db, &rows, err,
            "SELECT JSON_UNQUOTE(JSON_EXTRACT(s.plan, '$.concurrency_key')) AS concurrency_key, "
            "TIMESTAMPDIFF(MICROSECOND, r.started_at, UTC_TIMESTAMP(3)) DIV 1000 AS ago FROM siding.run r "
            "JOIN siding.spec s ON s.task_id = r.task_id WHERE r.started_at > UTC_TIMESTAMP(3) - INTERVAL "
            "? SECOND AND s.plan LIKE '%concurrency_key%'",
            "i", within_ms / 1000 + 1))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        QdbStart *s = wire_list_add(ret, sizeof *s);
        *s = (QdbStart){xstrdup(db_text(rows, "concurrency_key")), db_int(rows, "ago")};
    }
    db_rows_free(rows);
    return ok;
}

void qdb_free_starts(WireList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(((QdbStart *)list->v)[i].key);
    free(list->v);
    *list = (WireList){NULL, 0};
}

bool qdb_set_job(Db *db, const JobInfo *job, bool present, Err *err)
{
    return db_exec(
        db, err,
        "INSERT INTO siding.job (name, kind, on_role, present, seen_at) VALUES (?, ?, ?, ?, "
        "UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE kind = VALUES(kind), on_role = VALUES(on_role), "
        "present = VALUES(present), seen_at = VALUES(seen_at)",
        "sssi", job->name, WIRE_TEXT(task_kind_names, job, kind), WIRE_TEXT(node_role_names, job, on),
        (int64_t)present);
}
