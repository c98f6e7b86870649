/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_db.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/flavor.h"
#include "common/file/json.h"

#define LIVE_STATES "'waiting','scheduled','running','sleeping','stopping'"
#define TASK_COLUMNS                                                                                         \
    "id, kind, job, name, on_role AS `on`, user, args, options, state, priority, replicas, run_at, "         \
    "submitted_at, "                                                                                         \
    "finished_at, sleeptime_ms, fixed_time, time_window AS `window`, sequence_id, unique_name AS `unique`, " \
    "pause_limit_ms, attempts, max_attempts, parent_task, parent_run, NULLIF(request, 'none') AS request, "  \
    "request_by, error"
#define RUN_COLUMNS                                                                                          \
    "CONCAT(task_id, '.', no) AS id, state, outcome, term, gtid, nodes, started_at, frozen_at, resumed_at, " \
    "caught_up_at, finished_at, progress_done, progress_total, progress_unit, result_dir, replay, detail, "  \
    "upload_task, error"

/* ---- rows into wire objects ------------------------------------------------------------------------- */

static int64_t parse_time(const char *text)
{
    char rfc[40];
    int64_t ms = 0;
    if (!text || strlen(text) < 19 || strlen(text) > 30)
        return 0;
    snprintf(rfc, sizeof rfc, "%sZ", text);
    rfc[10] = 'T';
    return clock_parse(rfc, &ms) ? ms : 0;
}

static void format_time(int64_t ms, char ret[CLOCK_TEXT])
{
    clock_format(ms, ret);
    ret[10] = ' ';
    char *z = strchr(ret, 'Z');
    if (z)
        *z = 0;
}

static const char *time_or_null(int64_t ms, char buffer[CLOCK_TEXT])
{
    if (!ms)
        return NULL;
    format_time(ms, buffer);
    return buffer;
}

static const char *text_or_null(const WireEnum *e, int value, const char *text)
{
    return value ? wire_enum_text(e, value, text) : NULL;
}

static json_t *parse_json(const char *text, size_t n)
{
    json_t *j = NULL;
    Err err;
    return text && json_parse(text, n, &j, &err) ? j : NULL;
}

static void set_strs(StrList *to, const char *text, size_t n)
{
    AUTOJSON json_t *a = parse_json(text, n);
    for (size_t i = 0; i < json_array_size(a); i++)
        if (json_is_string(json_array_get(a, i)))
            strlist_add(to, json_string_value(json_array_get(a, i)));
}

static void set_field(const WireField *f, void *p, const char *text, size_t n)
{
    switch (f->type) {
    case WIRE_STR:
        *(char **)p = xstrndup(text, n);
        break;
    case WIRE_INT:
        *(int64_t *)p = strtoll(text, NULL, 10);
        break;
    case WIRE_BOOL:
        *(bool *)p = strtoll(text, NULL, 10) != 0;
        break;
    case WIRE_TIME:
        *(int64_t *)p = parse_time(text);
        break;
    case WIRE_STRS:
        set_strs(p, text, n);
        break;
    case WIRE_JSON:
        *(json_t **)p = parse_json(text, n);
        break;
    default:
        break;
    }
}

/* Columns and wire fields have the same names. */
static void read_row(const DbRows *r, const WireField *fields, void *s)
{
    for (const WireField *f = fields; f->name; f++) {
        int column = db_column_index(r, f->name);
        size_t n;
        const char *text = column < 0 ? NULL : db_field(r, (size_t)column, &n);
        if (text && f->type == WIRE_ENUM)
            wire_enum_set(f, s, text);
        else if (text)
            set_field(f, (char *)s + f->offset, text, n);
    }
}

static bool read_tasks(DbRows *rows, WireList *ret, Err *err)
{
    bool more;
    while (db_next(rows, &more, err)) {
        if (!more)
            return true;
        read_row(rows, task_fields, wire_list_add(ret, sizeof(Task)));
    }
    return false;
}

static void read_run(const DbRows *rows, Run *r)
{
    Err ignored;
    read_row(rows, run_fields, r);
    r->progress.done = db_int(rows, "progress_done");
    r->progress.total = db_int(rows, "progress_total");
    if (*db_text(rows, "progress_unit"))
        r->progress.unit = xstrdup(db_text(rows, "progress_unit"));
    AUTOJSON json_t *replay = parse_json(db_text(rows, "replay"), strlen(db_text(rows, "replay")));
    if (replay)
        (void)!wire_read(replay_fields, replay, &r->replay, &ignored);
}

static bool read_runs(Db *db, Task *t, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT * FROM (SELECT " RUN_COLUMNS
                  ", no FROM siding.run WHERE task_id = ? ORDER BY no DESC LIMIT 20)"
                  " AS newest ORDER BY no",
                  "i", t->id))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        read_run(rows, wire_list_add(&t->runs, sizeof(Run)));
    db_rows_free(rows);
    return ok;
}

static bool take_tasks(Db *db, DbRows *rows, WireList *ret, Err *err)
{
    bool ok = read_tasks(rows, ret, err);
    db_rows_free(rows);
    Task *t = ret->v;
    for (size_t i = 0; ok && i < ret->n; i++)
        ok = read_runs(db, &t[i], err);
    return ok;
}

bool qdb_live_tasks(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT " TASK_COLUMNS " FROM siding.task WHERE state IN (" LIVE_STATES
                    ") ORDER BY id LIMIT ?",
                    "i", (int64_t)QDB_LIVE_MAX) &&
           take_tasks(db, rows, ret, err);
}

bool qdb_ended_tasks(Db *db, int64_t before, int64_t limit, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err,
                    "SELECT " TASK_COLUMNS " FROM siding.task WHERE id < ? AND state NOT IN (" LIVE_STATES
                    ") ORDER BY id DESC LIMIT ?",
                    "ii", before, limit) &&
           take_tasks(db, rows, ret, err);
}

bool qdb_task(Db *db, int64_t id, WireList *ret, Err *err)
{
    DbRows *rows;
    return db_query(db, &rows, err, "SELECT " TASK_COLUMNS " FROM siding.task WHERE id = ?", "i", id) &&
           take_tasks(db, rows, ret, err);
}

/* ---- meta ------------------------------------------------------------------------------------------- */

bool qdb_schema_version(Db *db, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SELECT value FROM siding.meta WHERE name = 'schema_version'", "");
}

bool qdb_cluster_name(Db *db, char **ret, Err *err)
{
    return db_value(db, ret, err, "SELECT value FROM siding.meta WHERE name = 'cluster_name'", "");
}

bool qdb_term(Db *db, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SELECT value FROM siding.meta WHERE name = 'term'", "");
}

bool qdb_set_term(Db *db, int64_t term, Err *err)
{
    return db_exec(db, err, "UPDATE siding.meta SET value = ? WHERE name = 'term'", "i", term);
}

bool qdb_check_term(Db *db, int64_t term, Err *err)
{
    int64_t there;
    if (!db_value_int(db, &there, err, "SELECT value FROM siding.meta WHERE name = 'term' LOCK IN SHARE MODE",
                      ""))
        return false;
    if (there <= term)
        return true;
    return err_set(err, ERR_STALE_TERM, 0,
                   "the queue is at term %" PRId64 ", this coordinator at %" PRId64
                   ": another one has taken over",
                   there, term);
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

/* ---- polling ---------------------------------------------------------------------------------------- */

void qdb_ids_add(QdbIds *ids, int64_t id)
{
    if (ids->n == ids->cap) {
        ids->cap = ids->cap ? ids->cap * 2 : 64;
        ids->v = xrealloc(ids->v, ids->cap * sizeof *ids->v);
    }
    ids->v[ids->n++] = id;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Answered from the key `claim` alone, without touching a row. */
bool qdb_live_ids(Db *db, QdbIds *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err, "SELECT id FROM siding.task WHERE state IN (" LIVE_STATES ") LIMIT ?", "i",
                  (int64_t)QDB_LIVE_MAX))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        qdb_ids_add(ret, db_int(rows, "id"));
    db_rows_free(rows);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, compare_ids);
    return ok;
}

bool qdb_requests(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT id, request, request_by FROM siding.task WHERE state IN "
                  "('running','sleeping','stopping') AND "
                  "request <> 'none'",
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

/* ---- changes ---------------------------------------------------------------------------------------- */

static char *strs_text(const StrList *list)
{
    AUTOJSON json_t *a = json_strs(list);
    return json_text(a);
}

bool qdb_insert_task(Db *db, const Task *t, int64_t *ret_id, Err *err)
{
    AUTOFREE char *args = strs_text(&t->args);
    AUTOFREE char *options = t->options ? json_text(t->options) : xstrdup("{}");
    char run_at[CLOCK_TEXT], submitted[CLOCK_TEXT];
    format_time(t->run_at, run_at);
    format_time(t->submitted_at, submitted);
    int64_t rows;
    return db_exec_affected(db, &rows, ret_id, err,
                            "INSERT INTO siding.task (kind, job, name, on_role, user, args, options, state, "
                            "lane, priority, replicas, run_at, "
                            "submitted_at, sleeptime_ms, fixed_time, time_window, sequence_id, unique_name, "
                            "pause_limit_ms, max_attempts, "
                            "parent_task, parent_run, updated_at) VALUES "
                            "(?,?,?,?,?,?,?,'waiting',?,?,?,?,?,?,?,?,NULLIF(?,0),?,?,?,"
                            "NULLIF(?,0),?,UTC_TIMESTAMP(3))",
                            "ssssssssiissiisisiiis", wire_enum_name(&task_kind_names, (int)t->kind), t->job,
                            t->name, wire_enum_name(&node_role_names, (int)t->on), t->user, args, options,
                            t->kind == KIND_UPLOAD ? "upload" : "job", t->priority, t->replicas, run_at,
                            submitted, t->sleeptime_ms, (int64_t)t->fixed_time, t->window, t->sequence_id,
                            t->unique, t->pause_limit_ms, t->max_attempts, t->parent_task, t->parent_run);
}

bool qdb_check_unique(Db *db, const char *unique, Err *err)
{
    int64_t id;
    if (!db_value_int(
            db, &id, err,
            "SELECT COALESCE(MIN(id), 0) FROM siding.task WHERE unique_name = ? AND state IN (" LIVE_STATES
            ")",
            "s", unique))
        return false;
    return id == 0 || err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " of the unique name \"%s\" is not ended",
                              id, unique);
}

bool qdb_insert_upload(Db *db, const Task *t, int64_t *ret_id, Err *err)
{
    int64_t id;
    if (!db_value_int(db, &id, err, "SELECT COALESCE(MIN(id), 0) FROM siding.task WHERE parent_run = ?", "s",
                      t->parent_run))
        return false;
    if (!id)
        return qdb_insert_task(db, t, ret_id, err);
    *ret_id = id;
    return true;
}

bool qdb_set_upload(Db *db, const char *run, int64_t upload, Err *err)
{
    int64_t task, no;
    if (!wire_run_id(run, &task, &no))
        return err_set(err, ERR_USAGE, 0, "\"%s\" is no run", run);
    return db_exec(db, err, "UPDATE siding.run SET upload_task = ? WHERE task_id = ? AND no = ?", "iii",
                   upload, task, no);
}

bool qdb_claim_task(Db *db, int64_t id, Err *err)
{
    int64_t rows, ignored;
    if (!db_exec_affected(
            db, &rows, &ignored, err,
            "UPDATE siding.task SET state = 'running', attempts = attempts + 1, error = NULL, error_kind = "
            "NULL, finished_at = NULL, updated_at = UTC_TIMESTAMP(3) WHERE id = ? AND state = 'waiting'",
            "i", id))
        return false;
    return rows == 1 || err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " is no longer waiting", id);
}

bool qdb_insert_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err)
{
    AUTOFREE char *nodes = strs_text(&r->nodes);
    char started[CLOCK_TEXT];
    format_time(r->started_at, started);
    return db_exec(
        db, err, "INSERT INTO siding.run (task_id, no, state, term, nodes, started_at) VALUES (?,?,?,?,?,?)",
        "iisiss", task, no, WIRE_TEXT(coord_run_state_names, r, state), r->term, nodes, started);
}

bool qdb_update_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err)
{
    char frozen[CLOCK_TEXT], resumed[CLOCK_TEXT], caught_up[CLOCK_TEXT], finished[CLOCK_TEXT];
    AUTOJSON json_t *replay_json = wire_write(replay_fields, &r->replay);
    AUTOFREE char *replay = json_text(replay_json);
    AUTOFREE char *detail = r->detail ? json_text(r->detail) : NULL;
    return db_exec(
        db, err,
        "UPDATE siding.run SET state=?, outcome=?, gtid=?, frozen_at=?, resumed_at=?, caught_up_at=?, "
        "finished_at=?, progress_done=?, progress_total=?, progress_unit=?, result_dir=?, replay=?, "
        "detail=?, "
        "upload_task=NULLIF(?,0), error=? WHERE task_id=? AND no=?",
        "sssssssiissssisii", WIRE_TEXT(coord_run_state_names, r, state),
        text_or_null(&run_outcome_names, (int)r->outcome, r->outcome_text), r->gtid,
        time_or_null(r->frozen_at, frozen), time_or_null(r->resumed_at, resumed),
        time_or_null(r->caught_up_at, caught_up), time_or_null(r->finished_at, finished), r->progress.done,
        r->progress.total, r->progress.unit, r->result_dir, replay, detail, r->upload_task, r->error, task,
        no);
}

bool qdb_update_task(Db *db, const Task *t, TaskAction old_request, Err *err)
{
    char run_at[CLOCK_TEXT], finished[CLOCK_TEXT];
    format_time(t->run_at, run_at);
    const char *request = t->request ? WIRE_TEXT(task_action_names, t, request) : "none";
    const char *old = old_request ? wire_enum_text(&task_action_names, (int)old_request, NULL) : "none";
    return db_exec(
        db, err,
        "UPDATE siding.task SET kind=?, on_role=?, state=?, run_at=?, finished_at=?, attempts=?, error=?, "
        "request_at = IF(request = ? AND ? <> 'none', COALESCE(request_at, UTC_TIMESTAMP(3)), request_at), "
        "request_by = IF(request = ?, ?, request_by), request = IF(request = ?, ?, request), "
        "updated_at=UTC_TIMESTAMP(3) WHERE id=?",
        "sssssisssssssi", text_or_null(&task_kind_names, (int)t->kind, t->kind_text),
        text_or_null(&node_role_names, (int)t->on, t->on_text), WIRE_TEXT(task_state_names, t, state), run_at,
        time_or_null(t->finished_at, finished), t->attempts, t->error, old, request, old, t->request_by, old,
        request, t->id);
}

bool qdb_acknowledge(Db *db, int64_t id, const char *by, Err *err)
{
    return db_exec(
        db, err,
        "UPDATE siding.task SET acked_by = ?, acked_at = UTC_TIMESTAMP(3), updated_at = UTC_TIMESTAMP(3) "
        "WHERE id = ?",
        "si", by, id);
}

bool qdb_delete_task(Db *db, int64_t id, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding.task WHERE id = ?", "i", id);
}

bool qdb_delete_runs(Db *db, int64_t task, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding.run WHERE task_id = ?", "i", task);
}

bool qdb_insert_event(Db *db, int64_t at, const char *level, const char *what, int64_t task, int64_t run_no,
                      const char *node, const char *text, Err *err)
{
    char time[CLOCK_TEXT];
    format_time(at, time);
    return db_exec(db, err,
                   "INSERT INTO siding.event (at, level, what, task_id, run_no, node, text) VALUES "
                   "(?,?,?,NULLIF(?,0),NULLIF(?,0),?,?)",
                   "sssiiss", time, level, what, task, run_no, node, text);
}

bool qdb_now(Db *db, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)", "");
}

bool qdb_position(Db *db, char **ret, Err *err)
{
    DbRows *rows;
    bool more;
    if (!db_query(db, &rows, err, flavor_of(db_version(db)->flavor)->position_sql, ""))
        return false;
    bool ok = db_next(rows, &more, err);
    if (ok && more)
        *ret = xstrdup(db_text(rows, "binlog"));
    else if (ok)
        ok = err_set(err, ERR_PROTOCOL, 0, "the server told no position");
    db_rows_free(rows);
    return ok;
}
