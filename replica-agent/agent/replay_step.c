/* SPDX-License-Identifier: Apache-2.0
 * The blocking part of a change of way: the applier is stopped only while the receiver runs, and started
 * again at once, whatever became of the settings. And of the return to the server's own durability, which
 * stops nothing.
 */
#include "common/base/log.h"
#include "steps_impl.h"

static bool look(Step *s, Db *db)
{
    return repl_read(db, &s->status, &s->err);
}

static bool connect_to(Step *s, Db **ret)
{
    Err ignored;
    if (!db_connect(&s->target, s->timeout_ms, ret, &s->err))
        return false;
    if (!db_exec(*ret, &ignored, "SET SESSION sql_log_bin=0", ""))
        log_debug("%s", ignored.text);
    s->version = *db_version(*ret);
    return true;
}

static bool may_stop(Step *s, Db *db)
{
    if (!look(s, db))
        return false;
    if (s->status.io != REPL_IO_YES)
        return err_set(&s->err, ERR_REFUSED, 0, "the receiver is not connected: the applier is not stopped");
    if (step_has_domains(s))
        return err_set(&s->err, ERR_REFUSED, 0,
                       "there is more than one replication domain: workers stay as they are");
    return true;
}

static void change(Step *s, Db *db)
{
    Err err;
    ReplSettings want = settings_view(&s->boosted);
    s->result = STEP_UNKNOWN;
    if (!repl_stop_sql(db, &s->err)) {
        if (!db_kill(&s->target, db_connection_id(db), &err))
            log_debug("%s", err.text);
        return;
    }
    if (!repl_settings_apply(db, &want, true, &err))
        log_warn("%s", err.text);
    s->result = repl_start_sql(db, &s->err) && look(s, db) ? STEP_OK : STEP_FAILED;
    if (s->result == STEP_OK && !s->status.sql_running) {
        err_set(&s->err, ERR_DB, (int)s->status.sql_errno, "the applier did not start again: %s",
                s->status.sql_error);
        s->result = STEP_FAILED;
    }
}

void step_retune(Step *s)
{
    Db *db = NULL;
    s->result = STEP_WAITING;
    if (connect_to(s, &db) && may_stop(s, db))
        change(s, db);
    if (db)
        db_close(db);
}

/* What was committed before is brought to the disk too: only then is it as durable as it would have been. */
void step_durable(Step *s)
{
    Db *db = NULL;
    ReplSettings want = {.sync_binlog = s->lease.original.sync_binlog,
                         .flush_log = s->lease.original.flush_log};
    if (connect_to(s, &db) && repl_settings_apply(db, &want, false, &s->err) &&
        vault_place_read(db, s->vault_folder, &s->place, &s->err) && vault_flush_server(&s->place, &s->err))
        s->result = STEP_OK;
    if (db)
        db_close(db);
}
