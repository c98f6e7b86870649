/* SPDX-License-Identifier: Apache-2.0
 * What changes the queue's tables, and what is deleted from them.
 */
#include <inttypes.h>

#include "common/db/flavor.h"
#include "common/file/json.h"
#include "orchestrator/core/recur.h"
#include "queue_rows.h"

/* A unique name that nobody has any more, and that is not held beyond its task. */
#define IS_SPENT                                                                                             \
    "(t.id IS NULL OR t.state NOT IN (" LIVE_STATES ")) AND (u.held_until IS NULL OR u.held_until <= "       \
    "UTC_TIMESTAMP(3))"

/* ---- what is old ------------------------------------------------------------------------------------ */

static bool old_tasks(Db *db, const QdbHistory *before, int64_t most, QdbIds *ret, Err *err)
{
    char done[CLOCK_TEXT], others[CLOCK_TEXT];
    DbRows *rows;
    rows_format_time(before->done, done);
    rows_format_time(before->others, others);
    return db_query(db, &rows, err,
                    "SELECT id FROM siding.task WHERE finished_at < ? AND ((state = 'done' AND finished_at < "
                    "?) OR "
                    "(state IN ('killed','stopped','acknowledged') AND finished_at < ?)) "
                    "ORDER BY "
                    "finished_at LIMIT ? FOR UPDATE SKIP LOCKED",
                    "sssi", before->done > before->others ? done : others, done, others, most) &&
           rows_read_ids(rows, ret, err);
}

static bool read_counts(Db *db, const char *sql, int64_t ret[TASK_UNKNOWN + 1], Err *err)
{
    DbRows *rows;
    bool more, ok;
    for (int s = 0; s <= TASK_UNKNOWN; s++)
        ret[s] = 0;
    if (!db_query(db, &rows, err, sql, ""))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        ret[wire_enum_find(&task_state_names, db_text(rows, "state"))] = db_int(rows, "n");
    db_rows_free(rows);
    return ok;
}

static void add_ids(Str *sql, const QdbIds *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        str_addf(sql, ",%" PRId64, ids->v[i]);
}

static bool forget_ledger(Db *db, const QdbIds *ids, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "DELETE FROM siding.ledger WHERE run_id IN (SELECT " QDB_RUN_KEY " FROM siding.run "
                   "WHERE task_id IN (0");
    add_ids(&sql, ids);
    str_adds(&sql, "))");
    return db_exec(db, err, str_z(&sql), "");
}

bool qdb_forget_tasks(Db *db, const QdbHistory *before, int64_t most, int64_t ret[TASK_UNKNOWN + 1], Err *err)
{
    QdbIds ids = {0};
    AUTO(str_done) Str sql = STR_INIT;
    bool ok = old_tasks(db, before, most, &ids, err);
    str_adds(&sql, "SELECT state, COUNT(*) AS n FROM siding.task WHERE id IN (0");
    add_ids(&sql, &ids);
    str_adds(&sql, ") GROUP BY state");
    ok = ok && read_counts(db, str_z(&sql), ret, err) &&
         (!ids.n || (forget_ledger(db, &ids, err) && qdb_delete_tasks(db, &ids, err)));
    free(ids.v);
    return ok;
}

bool qdb_forget_rows(Db *db, const char *table, int64_t before, int64_t most, int64_t *ret_n, Err *err)
{
    char text[CLOCK_TEXT];
    DbRows *rows;
    QdbIds ids = {0};
    rows_format_time(before, text);
    AUTOFREE char *sql = xasprintf("SELECT id FROM siding.%s WHERE at < ? ORDER BY at LIMIT %" PRId64
                                   " FOR UPDATE SKIP LOCKED",
                                   table, most);
    bool ok = db_query(db, &rows, err, sql, "s", text) && rows_read_ids(rows, &ids, err) &&
              rows_delete(db, table, "id", &ids, err);
    *ret_n = (int64_t)ids.n;
    free(ids.v);
    return ok;
}

/* ---- changes ---------------------------------------------------------------------------------------- */

static char *strs_text(const StrList *list)
{
    AUTOJSON json_t *a = json_strs(list);
    return json_text(a);
}

/* Its time is over: nobody has tidied it up yet. */
static bool drop_spent(Db *db, const char *unique, Err *err)
{
    int64_t spent = 0;
    return db_value_int(
               db, &spent, err,
               "SELECT COUNT(*) FROM siding.unique_name u LEFT JOIN siding.task t ON t.id = u.task_id "
               "WHERE u.name = ? AND u.held_until IS NOT NULL AND " IS_SPENT,
               "s", unique) &&
           spent && db_exec(db, err, "DELETE FROM siding.unique_name WHERE name = ?", "s", unique);
}

/* The row that holds a name is looked at first, so that no lock is waited for. */
bool qdb_unique_is_free(Db *db, const char *unique, int64_t task, Err *err)
{
    int64_t id;
    if (db_value_int(db, &id, err, "SELECT task_id FROM siding.unique_name WHERE name = ? FOR UPDATE NOWAIT",
                     "s", unique))
        return id == task || drop_spent(db, unique, err) ||
               err_set(err, ERR_CONFLICT, 0, "task %" PRId64 " of the unique name \"%s\" is not ended", id,
                       unique);
    if (err->kind == ERR_NOT_FOUND)
        return true;
    bool locked = err->kind == ERR_DB && (err->code == 1205 || err->code == 3572);
    return !locked
               ? false
               : err_set(err, ERR_CONFLICT, 0,
                         "the unique name \"%s\" is being used by a transaction that is not ended: try again",
                         unique);
}

static bool find_id(Db *db, const char *sql, const char *name, int64_t *ret, Err *err)
{
    *ret = 0;
    return !name || db_value_int(db, ret, err, sql, "s", name) || err->kind == ERR_NOT_FOUND;
}

bool qdb_find_submitted(Db *db, const char *key, const char *unique, int64_t *ret, Err *err)
{
    return find_id(db, "SELECT task_id FROM siding.spec WHERE submit_key = ?", key, ret, err) &&
           (*ret || find_id(db, "SELECT task_id FROM siding.unique_name WHERE name = ?", unique, ret, err));
}

bool qdb_check_unique(Db *db, const char *unique, Err *err)
{
    return qdb_unique_is_free(db, unique, 0, err);
}

bool qdb_take_unique(Db *db, const char *unique, int64_t task, Err *err)
{
    return db_exec(db, err,
                   "INSERT INTO siding.unique_name (name, task_id) VALUES (?, ?) ON DUPLICATE KEY UPDATE "
                   "task_id = VALUES(task_id)",
                   "si", unique, task);
}

bool qdb_count(Db *db, int64_t ret[TASK_UNKNOWN + 1], Err *err)
{
    return read_counts(db, "SELECT state, COUNT(*) AS n FROM siding.task GROUP BY state", ret, err);
}

/* What of a task stands in its row as JSON. */
typedef struct SpecTexts {
    char *args, *options, *plan;
} SpecTexts;

static SpecTexts spec_texts(const Task *t)
{
    return (SpecTexts){.args = strs_text(&t->args),
                       .options = t->options ? json_text(t->options) : xstrdup("{}"),
                       .plan = json_object_size(t->plan) ? json_text(t->plan) : NULL};
}

static void spec_texts_done(SpecTexts *x)
{
    free(x->args);
    free(x->options);
    free(x->plan);
}

bool qdb_insert_task(Db *db, const Task *t, int64_t *ret_id, Err *err)
{
    AUTO(spec_texts_done) SpecTexts x = spec_texts(t);
    char run_at[CLOCK_TEXT], submitted[CLOCK_TEXT], planned[CLOCK_TEXT];
    rows_format_time(t->run_at, run_at);
    rows_format_time(t->submitted_at, submitted);
    int64_t rows;
    if (!db_exec_affected(
            db, &rows, ret_id, err,
            "INSERT INTO siding.task (state, user, priority, run_at, attempts, sequence_id, "
            "parent_task, parent_run, planned_at) VALUES (?,?,?,?,?,NULLIF(?,0),NULLIF(?,0),?,?)",
            "ssisiiiss", WIRE_TEXT(task_state_names, t, state), t->user, t->priority, run_at, t->attempts,
            t->sequence_id, t->parent_task, t->parent_run, rows_time_or_null(t->planned_at, planned)) ||
        !db_exec(db, err,
                 "INSERT INTO siding.spec (task_id, kind, job, name, on_role, user, args, options, replicas, "
                 "host, submitted_at, sleeptime_ms, fixed_time, time_window, unique_name, pause_limit_ms, "
                 "max_attempts, lane, plan, submit_key, schedule, on_error, preempt, at_window_end) VALUES "
                 "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                 "isssssssissiissiisssssss", *ret_id, wire_enum_name(&task_kind_names, (int)t->kind), t->job,
                 t->name, wire_enum_name(&node_role_names, (int)t->on), t->user, x.args, x.options,
                 t->replicas, t->host, submitted, t->sleeptime_ms, (int64_t)t->fixed_time, t->window,
                 t->unique, t->pause_limit_ms, t->max_attempts, t->lane, x.plan, t->key, recur_schedule(t),
                 rows_text_or_null(&on_error_names, (int)t->on_error, t->on_error_text),
                 rows_text_or_null(&preempt_names, (int)t->preempt, t->preempt_text),
                 rows_text_or_null(&window_end_names, (int)t->at_window_end, t->at_window_end_text)))
        return false;
    return !t->unique || db_exec(db, err,
                                 "INSERT INTO siding.unique_name (name, task_id, held_until) VALUES (?, ?, "
                                 "UTC_TIMESTAMP(3) + INTERVAL NULLIF(?, 0) DIV 1000 SECOND)",
                                 "sii", t->unique, *ret_id, json_int(t->plan, "unique_for_ms"));
}

static bool update_spec(Db *db, const Task *t, Err *err)
{
    AUTO(spec_texts_done) SpecTexts x = spec_texts(t);
    return db_exec(
        db, err,
        "UPDATE siding.spec SET kind=?, job=?, name=?, on_role=?, args=?, options=?, replicas=?, host=?, "
        "sleeptime_ms=?, fixed_time=?, time_window=?, pause_limit_ms=?, max_attempts=?, plan=?, schedule=?, "
        "on_error=?, preempt=?, at_window_end=? WHERE task_id=?",
        "ssssssisiisiisssssi", wire_enum_name(&task_kind_names, (int)t->kind), t->job, t->name,
        wire_enum_name(&node_role_names, (int)t->on), x.args, x.options, t->replicas, t->host,
        t->sleeptime_ms, (int64_t)t->fixed_time, t->window, t->pause_limit_ms, t->max_attempts, x.plan,
        recur_schedule(t), rows_text_or_null(&on_error_names, (int)t->on_error, t->on_error_text),
        rows_text_or_null(&preempt_names, (int)t->preempt, t->preempt_text),
        rows_text_or_null(&window_end_names, (int)t->at_window_end, t->at_window_end_text), t->id);
}

bool qdb_replace_task(Db *db, const Task *t, bool waits, Err *err)
{
    char run_at[CLOCK_TEXT], planned[CLOCK_TEXT];
    rows_format_time(t->run_at, run_at);
    if (!update_spec(db, t, err) ||
        !db_exec(db, err, "UPDATE siding.task SET priority=?, sequence_id=NULLIF(?,0) WHERE id=?", "iii",
                 t->priority, t->sequence_id, t->id))
        return false;
    return !waits || db_exec(db, err,
                             "UPDATE siding.task SET state='waiting', run_at=?, planned_at=?, attempts=?, "
                             "finished_at=NULL WHERE id=?",
                             "ssii", run_at, rows_time_or_null(t->planned_at, planned), t->attempts, t->id);
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

bool qdb_start_task(Db *db, int64_t id, Err *err)
{
    return db_exec(
        db, err,
        "UPDATE siding.task SET state = 'running', attempts = attempts + 1, error = NULL, finished_at "
        "= NULL, request = NULLIF(request, 'run') WHERE id = ?",
        "i", id);
}

bool qdb_insert_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err)
{
    AUTOFREE char *nodes = strs_text(&r->nodes);
    char started[CLOCK_TEXT];
    rows_format_time(r->started_at, started);
    return db_exec(db, err,
                   "INSERT INTO siding.run (task_id, no, incarnation, state, term, nodes, started_at) VALUES "
                   "(?,?,?,?,?,?,?)",
                   "iississ", task, no, runkey_incarnation(r->id), WIRE_TEXT(coord_run_state_names, r, state),
                   r->term, nodes, started);
}

static bool has_replay(const Replay *r)
{
    return r->way || r->next_run || r->error || r->applied_trx || r->backlog_trx || r->buffered_trx ||
           r->seconds > 0;
}

/* What has not been sealed, frozen or replayed has no words about it in the row. */
bool qdb_update_run(Db *db, int64_t task, int64_t no, const Run *r, Err *err)
{
    char frozen[CLOCK_TEXT], resumed[CLOCK_TEXT], caught_up[CLOCK_TEXT], finished[CLOCK_TEXT];
    AUTOJSON json_t *replay_json = has_replay(&r->replay) ? wire_write(replay_fields, &r->replay) : NULL;
    AUTOFREE char *replay = replay_json ? json_text(replay_json) : NULL;
    AUTOFREE char *detail = json_object_size(r->detail) ? json_text(r->detail) : NULL;
    return db_exec(
        db, err,
        "UPDATE siding.run SET state=?, outcome=?, gtid=?, frozen_at=?, resumed_at=?, caught_up_at=?, "
        "finished_at=?, progress_done=?, progress_total=?, progress_unit=?, result_dir=?, replay=?, "
        "detail=?, "
        "upload_task=NULLIF(?,0), error=?, sealed_at = IF(? IS NULL, NULL, COALESCE(sealed_at, "
        "UTC_TIMESTAMP(3))) WHERE task_id=? AND no=?",
        "sssssssiissssissii", WIRE_TEXT(coord_run_state_names, r, state),
        rows_text_or_null(&run_outcome_names, (int)r->outcome, r->outcome_text), r->gtid,
        rows_time_or_null(r->frozen_at, frozen), rows_time_or_null(r->resumed_at, resumed),
        rows_time_or_null(r->caught_up_at, caught_up), rows_time_or_null(r->finished_at, finished),
        r->progress.done, r->progress.total, r->progress.unit, r->result_dir, replay, detail, r->upload_task,
        r->error, r->result_dir, task, no);
}

/* A newer request by SQL stays. */
bool qdb_update_task(Db *db, const Task *t, TaskAction old_request, Err *err)
{
    char run_at[CLOCK_TEXT], finished[CLOCK_TEXT], planned[CLOCK_TEXT];
    rows_format_time(t->run_at, run_at);
    const char *request = t->request ? WIRE_TEXT(task_action_names, t, request) : NULL;
    const char *old = old_request ? wire_enum_text(&task_action_names, (int)old_request, NULL) : NULL;
    if (!db_exec(
            db, err,
            "UPDATE siding.task SET state=?, run_at=?, finished_at=?, attempts=?, error=?, planned_at=?, "
            "snoozes=? WHERE id=?",
            "sssissii", WIRE_TEXT(task_state_names, t, state), run_at,
            rows_time_or_null(t->finished_at, finished), t->attempts, t->error,
            rows_time_or_null(t->planned_at, planned), t->snoozes, t->id))
        return false;
    return str_eq(request, old) ||
           db_exec(
               db, err,
               "UPDATE siding.task SET request=?, request_by=?, request_at=UTC_TIMESTAMP(3) WHERE id=? AND "
               "NULLIF(request, 'none') <=> ?",
               "ssis", request, request ? t->request_by : NULL, t->id, old);
}

bool qdb_acknowledge(Db *db, int64_t id, const char *by, Err *err)
{
    return db_exec(db, err, "UPDATE siding.task SET acked_by = ?, acked_at = UTC_TIMESTAMP(3) WHERE id = ?",
                   "si", by, id);
}

bool qdb_delete_tasks(Db *db, const QdbIds *ids, Err *err)
{
    return rows_delete(db, "run", "task_id", ids, err) && rows_delete(db, "spec", "task_id", ids, err) &&
           rows_delete(db, "inbox", "task_id", ids, err) && rows_delete(db, "task", "id", ids, err);
}

/* A session of an application that got 1062 holds the name until its transaction ends. */
bool qdb_free_unique(Db *db, const char *name, int64_t task, bool *ret_freed, Err *err)
{
    int64_t there;
    *ret_freed = db_value_int(db, &there, err,
                              "SELECT task_id FROM siding.unique_name WHERE name = ? AND task_id = ? AND "
                              "(held_until IS NULL OR held_until "
                              "<= UTC_TIMESTAMP(3)) FOR UPDATE SKIP LOCKED",
                              "si", name, task);
    if (!*ret_freed)
        return err->kind == ERR_NOT_FOUND;
    return db_exec(db, err, "DELETE FROM siding.unique_name WHERE name = ?", "s", name);
}

bool qdb_spent_uniques(Db *db, int64_t limit, WireList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT u.name, u.task_id FROM siding.unique_name u LEFT JOIN siding.task t ON t.id = "
                  "u.task_id WHERE " IS_SPENT " LIMIT ?",
                  "i", limit))
        return false;
    while ((ok = db_next(rows, &more, err)) && more) {
        QdbUnique *u = wire_list_add(ret, sizeof *u);
        *u = (QdbUnique){xstrdup(db_text(rows, "name")), db_int(rows, "task_id")};
    }
    db_rows_free(rows);
    return ok;
}

bool qdb_insert_event(Db *db, const QdbEvent *e, Err *err)
{
    char time[CLOCK_TEXT];
    rows_format_time(e->at, time);
    return db_exec(db, err,
                   "INSERT INTO siding.event (at, level, what, task_id, run_no, node, by_user, text) VALUES "
                   "(?,?,?,NULLIF(?,0),NULLIF(?,0),?,?,?)",
                   "sssiisss", time, e->level, e->what, e->task, e->run_no, e->node, e->by, e->text);
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
        ok = err_set(err, ERR_PROTOCOL, 0, "the server reported no position");
    db_rows_free(rows);
    return ok;
}

/* ---- brakes ----------------------------------------------------------------------------------------- */

bool qdb_brakes(Db *db, WireList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(
            db, &rows, err,
            "SELECT kind, name, since, until_at AS `until`, by_user AS `by`, reason, task_id AS task FROM "
            "siding.brake ORDER BY kind, name",
            ""))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        (void)rows_read(rows, queue_brake_fields, wire_list_add(ret, sizeof(QueueBrake)));
    db_rows_free(rows);
    return ok;
}

bool qdb_put_brake(Db *db, const QueueBrake *b, Err *err)
{
    char since[CLOCK_TEXT], until[CLOCK_TEXT];
    rows_format_time(b->since, since);
    return db_exec(
        db, err,
        "INSERT INTO siding.brake (kind, name, since, until_at, by_user, reason, task_id) VALUES "
        "(?,?,?,?,?,?,NULLIF(?,0)) ON DUPLICATE KEY UPDATE since = VALUES(since), until_at = "
        "VALUES(until_at), by_user = VALUES(by_user), reason = VALUES(reason), task_id = VALUES(task_id)",
        "ssssssi", WIRE_TEXT(brake_kind_names, b, kind), b->name, since, rows_time_or_null(b->until, until),
        b->by, b->reason, b->task);
}

bool qdb_end_brake(Db *db, BrakeKind kind, const char *name, Err *err)
{
    return db_exec(db, err, "DELETE FROM siding.brake WHERE kind = ? AND name = ?", "ss",
                   wire_enum_name(&brake_kind_names, (int)kind), name);
}
