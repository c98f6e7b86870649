/* SPDX-License-Identifier: Apache-2.0 */
#include "op_impl.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/db/servercheck.h"
#include "relay_events.h"
#include "replica-agent/core/half_done.h"

void cancel_ask(Cancel *c)
{
    atomic_store(&c->asked, true);
}

bool cancel_asked(const Cancel *c)
{
    return c && atomic_load(&c->asked);
}

void op_server_done(OpServer *s)
{
    db_target_done(&s->target);
}

void server_seen_done(ServerSeen *s)
{
    repl_status_done(&s->status);
    wire_free(lease_server_fields, &s->server);
}

static bool refuse_cancelled(const Cancel *cancel, Err *err)
{
    return !cancel_asked(cancel) || err_set(err, ERR_CANCELLED, 0, "it was not wanted any more");
}

bool op_open_as(const DbTarget *t, int64_t ms, const Cancel *cancel, Db **ret, Err *err)
{
    if (!refuse_cancelled(cancel, err) || !db_connect(t, ms, ret, err))
        return false;
    db_set_cancel(*ret, cancel ? &cancel->asked : NULL);
    return true;
}

bool op_open(const OpServer *s, int64_t ms, const Cancel *cancel, Db **ret, Err *err)
{
    Err ignored;
    if (!op_open_as(&s->target, ms, cancel, ret, err))
        return false;
    if (!db_exec(*ret, &ignored, "SET SESSION sql_log_bin=0", ""))
        log_debug("%s", ignored.text);
    return true;
}

bool op_commit(Db *db, const Cancel *cancel, Err *err)
{
    db_set_cancel(db, NULL);
    return refuse_cancelled(cancel, err);
}

void server_identify(Db *db, const ReplStatus *st, LeaseServer *ret)
{
    wire_free(lease_server_fields, ret);
    ret->pid = db_server_pid(db);
    ret->pid_start = proc_start_time((pid_t)ret->pid);
    if (!ret->pid_start)
        ret->pid = 0; /* another pid namespace, or gone by now */
    ret->started_at = clock_wall_ms() - st->uptime_s * 1000;
    ret->boot_id = xstrdup(clock_boot_id());
}

bool op_look(Db *db, ServerSeen *ret, Err *err)
{
    ret->version = *db_version(db);
    if (!repl_read(db, &ret->status, err))
        return false;
    server_identify(db, &ret->status, &ret->server);
    return true;
}

bool op_is_unanswered(const Err *err)
{
    return err->kind == ERR_TIMEOUT || err->kind == ERR_LOST || err->kind == ERR_CANCELLED;
}

ReplSettings op_settings(const LeaseSettings *l)
{
    return (ReplSettings){l->sync_binlog,   l->flush_log,  l->workers,
                          l->parallel_mode, l->sync_relay, l->queue_bytes};
}

bool op_stop_failed(const ReplStatus *s, Err *err)
{
    enum { RELAY_LOG_WRITE_FAILURE = 1595 }; /* on both flavours */
    if (op_is_unanswered(err) && s->io_errno == RELAY_LOG_WRITE_FAILURE)
        return err_prefix(err,
                          "the server could not write its relay log (error 1595, see its error log) and now "
                          "does not stop its receiver: restart it; what it received is kept");
    return err_prefix(err, "stopping replication");
}

bool op_stop_both(Db *db, const ReplStatus *s, Err *err)
{
    return repl_stop_both(db, err) || op_stop_failed(s, err);
}

bool op_kill(Db *db, uint64_t id, Err *err)
{
    enum { NO_SUCH_THREAD = 1094 };
    AUTOFREE char *sql = xasprintf("KILL %" PRIu64, id);
    return db_exec(db, err, sql, "") || err->code == NO_SUCH_THREAD;
}

bool op_be_silent(Db *db, Err *err)
{
    enum { UNKNOWN_VARIABLE = 1193 };
    Err why = {0};
    if (db_exec(db, &why, op_flavor(db)->semi_sync_replica_off, "") || why.code == UNKNOWN_VARIABLE)
        return true;
    *err = why;
    return false;
}

bool op_wait_for_ever(Db *db, int64_t acks, Err *err)
{
    const Flavor *f = op_flavor(db);
    ReplSemiSync now;
    for (const char *const *sql = f->semi_sync_strict; *sql; sql++)
        if (!db_exec(db, err, *sql, ""))
            return false;
    AUTOFREE char *count = f->semi_sync_count ? xasprintf(f->semi_sync_count, (long long)acks) : NULL;
    if ((count && !db_exec(db, err, count, "")) || !repl_set_semi_sync_source(db, true, err) ||
        !repl_semi_sync_read(db, &now, err))
        return false;
    return now.source_on ||
           err_set(err, ERR_REFUSED, 0, "semi-sync as a source is not on after it was switched on");
}

bool op_count_rows(Db *db, const char *sql, int64_t *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    int64_t n = 0;
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        n++;
    db_rows_free(r);
    if (ok)
        *ret = n;
    return ok;
}

static bool read_half_done(Db *db, HalfDone *ret, Err *err)
{
    const Flavor *f = op_flavor(db);
    DbRows *r;
    bool more;
    if (!op_count_rows(db, f->xa_prepared_sql, &ret->xa_prepared, err)) {
        if (err->kind != ERR_AUTH)
            return false;
        log_warn("%s: %s", f->xa_prepared_sql, err->text);
        ret->xa_prepared = -1;
    }
    if (!db_query(db, &r, err, f->temp_tables_sql, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more)
        ret->temp_tables = db_int(r, "Value");
    db_rows_free(r);
    return ok && servercheck_filters(db, &ret->filters, err);
}

bool op_half_done(Db *db, char **ret_text, bool *ret_passes, Err *err)
{
    AUTO(half_done_free) HalfDone h = {0};
    if (!read_half_done(db, &h, err))
        return false;
    *ret_text = half_done_judge(&h, ret_passes);
    return true;
}

bool op_scan(Db *db, const VaultPlace *place, const ReplStatus *s, BinlogScan *ret, Err *err)
{
    Err why;
    AUTO(strlist_done) StrList files = STRLIST_INIT;
    if (!op_flavor(db)->purges_on_start) {
        ret->last = xstrdup(s->received);
        return true;
    }
    if (!vault_keep(place, &why))
        log_warn("%s", why.text); /* they may be readable all the same */
    return relay_events_files(db, place, &files, err) && binlog_scan(&files, ret, err);
}

bool op_held(Db *db, const VaultPlace *place, const ReplStatus *s, char **ret, Err *err)
{
    AUTO(binlog_scan_done) BinlogScan scan = {0};
    if (op_scan(db, place, s, &scan, err)) {
        *ret = xstrdup(scan.last ? scan.last : "");
        return true;
    }
    if (err->code != BINLOG_ENCRYPTED)
        return false;
    *err = (Err){0};
    if (s->received && *s->received) {
        *ret = xstrdup(s->received);
        return true;
    }
    return relay_events_last(db, place, ret, err);
}
