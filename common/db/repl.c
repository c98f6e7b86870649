/* SPDX-License-Identifier: Apache-2.0 */
#include "repl.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/file/fs.h"
#include "flavor.h"
#include "gtid.h"
#include "optionfile.h"
#include "repl_text.h"

static const Flavor *flavor(const Db *db)
{
    return flavor_of(db_version(db)->flavor);
}

void repl_status_done(ReplStatus *s)
{
    char *const owned[] = {s->source_host, s->applied,   s->binlog,    s->received,   s->channel,
                           s->identity,    s->exec_file, s->read_file, s->relay_name, s->io_error,
                           s->sql_error,   s->logged,    s->filters,   s->traits,     s->relay_file};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *s = (ReplStatus){0};
}

static ReplIo io_of(const char *text)
{
    if (strcmp(text, "No") == 0)
        return REPL_IO_NO;
    return strcmp(text, "Yes") == 0 ? REPL_IO_YES : REPL_IO_CONNECTING;
}

static char *one_line(const char *text)
{
    char *s = xstrdup(text), *to = s;
    for (const char *p = s; *p; p++)
        if (*p != '\n' && *p != '\r')
            *to++ = *p;
    *to = 0;
    return s;
}

/* "./mysqld-relay-bin.000002" → "mysqld-relay-bin". */
static char *relay_name(const char *file)
{
    const char *base = str_starts(file, "./") ? file + 2 : file, *dot = strrchr(base, '.');
    return dot && dot > base ? xstrndup(base, (size_t)(dot - base)) : NULL;
}

void repl_row_filters(const DbRows *r, StrList *ret)
{
    static const char *const columns[] = {
        "Replicate_Do_DB",        "Replicate_Ignore_DB",     "Replicate_Do_Table",
        "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
        "Replicate_Rewrite_DB",
    };
    for (size_t i = 0; i < COUNT(columns); i++)
        if (*db_text(r, columns[i]))
            strlist_addf(ret, "%s=%s", columns[i], db_text(r, columns[i]));
}

static char *filters_of(const DbRows *r)
{
    AUTO(strlist_done) StrList all = STRLIST_INIT;
    repl_row_filters(r, &all);
    return all.n ? strlist_join(&all, "; ") : NULL;
}

static void take_channel(const Flavor *f, const DbRows *r, ReplStatus *s)
{
    s->is_replica = true;
    s->channel = xstrdup(db_text(r, f->col_channel));
    s->io = io_of(db_text(r, f->col_io_running));
    s->sql_running = strcmp(db_text(r, f->col_sql_running), "Yes") == 0;
    s->uses_gtid = strcmp(db_text(r, f->col_gtid_mode), f->gtid_mode_bad) != 0;
    s->source_host = xstrdup(db_text(r, f->col_source_host));
    s->source_port = db_int(r, f->col_source_port);
    s->has_account = *db_text(r, f->col_source_user);
    s->exec_file = xstrdup(db_text(r, f->col_exec_file));
    s->exec_pos = db_int(r, f->col_exec_pos);
    s->read_file = xstrdup(db_text(r, f->col_read_file));
    s->read_pos = db_int(r, f->col_read_pos);
    s->received = one_line(db_text(r, f->col_received));
    s->relay_file = xstrdup(db_text(r, "Relay_Log_File"));
    s->relay_name = relay_name(s->relay_file);
    s->relay_bytes = db_int(r, f->col_relay_space);
    s->relay_pos = db_int(r, f->col_relay_pos);
    s->delay_s = db_int(r, f->col_delay);
    s->filters = filters_of(r);
    s->waits_for_delay = s->delay_s > 0 && *db_text(r, f->col_delay_left);
    s->io_errno = db_int(r, f->col_io_errno);
    s->io_error = xstrdup(db_text(r, f->col_io_error));
    s->sql_errno = db_int(r, f->col_sql_errno);
    s->sql_error = repl_text_without_rows(db_text(r, f->col_sql_error));
}

bool repl_row_is_private(const Db *db, const DbRows *r)
{
    return strcmp(db_text(r, flavor(db)->col_channel), REPL_PRIVATE_CHANNEL) == 0;
}

static bool read_channels(Db *db, bool private, ReplStatus *s, Err *err)
{
    DbRows *r;
    bool more;
    if (!db_query(db, &r, err, flavor(db)->show_replica_status, ""))
        return false;
    bool ok;
    while ((ok = db_next(r, &more, err)) && more)
        if (repl_row_is_private(db, r) == private && s->channels++ == 0)
            take_channel(flavor(db), r, s);
    db_rows_free(r);
    return ok;
}

/* MariaDB has no UUID. */
static char *identity_of(const DbRows *r, int64_t server_id)
{
    const char *uuid = db_text(r, "uuid"), *data = db_text(r, "datadir");
    return *uuid ? xasprintf("server_uuid %s, data in %s", uuid, data)
                 : xasprintf("server_id %lld, data in %s", (long long)server_id, data);
}

static bool read_position(Db *db, ReplStatus *s, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(db, &r, err, flavor(db)->position_sql, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more) {
        s->applied = one_line(db_text(r, "applied"));
        s->binlog = one_line(db_text(r, "binlog"));
        s->logged = one_line(db_text(r, "logged"));
        s->traits = one_line(db_text(r, "traits"));
        s->read_only = db_int(r, "read_only") != 0;
        s->closed = s->read_only || db_int(r, "closed") != 0;
        s->server_id = db_int(r, "server_id");
        s->identity = identity_of(r, s->server_id);
    }
    db_rows_free(r);
    return ok;
}

static bool read_uptime(Db *db, ReplStatus *s, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(db, &r, err, "SHOW GLOBAL STATUS LIKE 'Uptime'", ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more)
        s->uptime_s = db_int(r, "Value");
    db_rows_free(r);
    return ok;
}

bool repl_read(Db *db, ReplStatus *ret, Err *err)
{
    ReplStatus s = {0};
    /* The channels first: what was received by then is never less than what is applied later. */
    if (!read_channels(db, false, &s, err) || !read_position(db, &s, err) || !read_uptime(db, &s, err)) {
        repl_status_done(&s);
        return false;
    }
    if (s.is_replica && flavor(db)->received_without_applied) {
        char *all = gtid_max_text(db_version(db)->flavor, s.received, s.applied);
        free(s.received);
        s.received = all;
    }
    repl_status_done(ret);
    *ret = s;
    return true;
}

bool repl_read_private(Db *db, ReplStatus *ret, Err *err)
{
    ReplStatus s = {0};
    if (!read_channels(db, true, &s, err)) {
        repl_status_done(&s);
        return false;
    }
    repl_status_done(ret);
    *ret = s;
    return true;
}

bool repl_snapshot_place(Db *db, char **ret_file, int64_t *ret_pos, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, flavor(db)->snapshot_position_sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *name = db_field(r, 0, NULL), *value = db_field(r, 1, NULL);
        if (!name || !value)
            continue;
        if (strcasecmp(name, "binlog_snapshot_position") == 0)
            *ret_pos = strtoll(value, NULL, 10);
        if (strcasecmp(name, "binlog_snapshot_file") != 0)
            continue;
        free(*ret_file);
        *ret_file = *value ? xstrdup(value) : NULL;
    }
    db_rows_free(r);
    return ok;
}

bool repl_log_end(Db *db, char **ret_file, int64_t *ret_pos, Err *err)
{
    DbRows *r;
    bool more = false;
    if (flavor(db)
            ->snapshot_position_sql) /* show_binlog_status waits where commits wait for acknowledgements */
        return repl_snapshot_place(db, ret_file, ret_pos, err);
    if (!db_query(db, &r, err, flavor(db)->show_binlog_status, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok) {
        free(*ret_file);
        *ret_file = more ? xstrdup(db_text(r, "File")) : NULL;
        *ret_pos = more ? db_int(r, "Position") : 0;
    }
    db_rows_free(r);
    return ok;
}

bool repl_stop_sql(Db *db, Err *err)
{
    return db_exec(db, err, flavor(db)->stop_sql, "");
}

static bool refuse_without_receiver(Db *db, Err *err)
{
    ReplStatus s = {0};
    if (!repl_read(db, &s, err))
        return false;
    bool receiving = s.io != REPL_IO_NO;
    if (!receiving)
        err_set(err, ERR_REFUSED, 0, "the receiver thread is stopped%s%s: %s",
                s.io_error && *s.io_error ? ": " : "", s.io_error ? s.io_error : "",
                flavor(db)->purges_on_start
                    ? "starting the applier now could throw the buffered transactions away"
                    : "the applier is not started without it");
    repl_status_done(&s);
    return receiving;
}

bool repl_start_sql(Db *db, Err *err)
{
    return refuse_without_receiver(db, err) && db_exec(db, err, flavor(db)->start_sql, "");
}

bool repl_start_sql_until(Db *db, const char *gtid, const char *source_file, int64_t source_pos, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    flavor(db)->start_sql_until(&sql, gtid, source_file, source_pos);
    return refuse_without_receiver(db, err) && db_exec(db, err, sql.p, "");
}

bool repl_start_both_purging(Db *db, Err *err)
{
    return db_exec(db, err, flavor(db)->start_both, "");
}

bool repl_relay_is_broken(const Db *db, const Err *failed)
{
    const Flavor *f = flavor(db);
    return f->relay_reset_sql && failed->kind == ERR_DB && failed->code == f->relay_broken_errno;
}

bool repl_lift_delay(Db *db, const ReplStatus *s, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    flavor(db)->lift_delay(&sql, s->relay_file, s->relay_pos);
    return db_exec(db, err, str_z(&sql), "");
}

bool repl_drain(Db *db, Err *err)
{
    if (flavor(db)->purges_on_start)
        return err_set(err, ERR_REFUSED, 0, "a START would throw away what the relay files hold");
    return db_exec(db, err, flavor(db)->start_sql, "");
}

bool repl_stop_both(Db *db, Err *err)
{
    return db_exec(db, err, flavor(db)->stop_both, "");
}

bool repl_wait_applied(Db *db, const char *gtid, int64_t timeout_ms, bool *ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    flavor(db)->wait_applied(&sql, gtid, (double)timeout_ms / 1000);
    AUTOFREE char *answer = NULL;
    int64_t before = db_timeout(db), margin_ms = 5000;
    if (before && before < timeout_ms + margin_ms)
        db_set_timeout(db, timeout_ms + margin_ms);
    bool ok = db_value(db, &answer, err, sql.p, "");
    db_set_timeout(db, before);
    if (!ok)
        return false;
    if (!answer)
        return err_set(err, ERR_DB, 0, "the server cannot wait for the position %.300s", gtid);
    *ret = str_eq(answer, "0");
    return true;
}

bool repl_set_read_only(Db *db, bool on, Err *err)
{
    return db_exec(db, err, on ? flavor(db)->read_only_on : flavor(db)->read_only_off, "");
}

bool repl_set_semi_sync_source(Db *db, bool on, Err *err)
{
    return db_exec(db, err, on ? flavor(db)->semi_sync_source_on : flavor(db)->semi_sync_source_off, "");
}

bool repl_semi_sync_read(Db *db, ReplSemiSync *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    *ret = (ReplSemiSync){.acks = -1};
    if (!db_query(db, &r, err, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'", ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *name = db_field(r, 0, NULL), *value = db_field(r, 1, NULL);
        if (!name || !value)
            continue;
        if (str_ends(name, "_clients"))
            ret->acks = strtoll(value, NULL, 10);
        else if (str_ends(name, "_wait_sessions"))
            ret->waits = strtoll(value, NULL, 10);
        else if (str_eq(name, flavor(db)->semi_sync_source_status))
            ret->source_on = str_eq(value, "ON");
        else if (str_eq(name, flavor(db)->semi_sync_replica_status))
            ret->acknowledges = str_eq(value, "ON");
    }
    db_rows_free(r);
    return ok;
}

/* A server without the plugin has no such variable. */
bool repl_semi_sync_read_set(Db *db, ReplSemiSync *io, Err *err)
{
    DbRows *r;
    bool there, ok;
    if (!db_query(db, &r, err, "SHOW GLOBAL VARIABLES LIKE ?", "s", flavor(db)->semi_sync_source_var))
        return false;
    ok = db_next(r, &there, err);
    io->source_set = ok && there && str_eq(db_field(r, 1, NULL), "ON");
    db_rows_free(r);
    return ok;
}

/* ---- settings ------------------------------------------------------------------------------------- */

void repl_settings_done(ReplSettings *s)
{
    free(s->sync_binlog);
    free(s->flush_log);
    free(s->workers);
    free(s->parallel_mode);
    free(s->sync_relay);
    free(s->queue_bytes);
    *s = (ReplSettings){0};
}

bool repl_settings_read(Db *db, ReplSettings *ret, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(db, &r, err, flavor(db)->settings_sql, ""))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && more) {
        repl_settings_done(ret);
        *ret = (ReplSettings){
            .sync_binlog = xstrdup(db_text(r, "sync_binlog")),
            .flush_log = xstrdup(db_text(r, "flush_log")),
            .workers = xstrdup(db_text(r, "workers")),
            .parallel_mode = xstrdup(db_text(r, "parallel_mode")),
            .sync_relay = xstrdup(db_text(r, "sync_relay")),
            .queue_bytes = xstrdup(db_text(r, "queue_bytes")),
        };
    }
    db_rows_free(r);
    return ok;
}

static bool set_global(Db *db, const char *name, const char *now, const char *value, Err *err)
{
    if (!name || !value || str_eq(now, value))
        return true;
    AUTO(str_done) Str sql = STR_INIT;
    long long number;
    str_addf(&sql, "SET GLOBAL %s=", name);
    if (str_to_i64(value, INT64_MIN, INT64_MAX, &number))
        str_adds(&sql, value);
    else
        db_quote_str(&sql, value, strlen(value));
    return db_exec(db, err, sql.p, "") ? true : err_prefix(err, "setting %s to %s", name, value);
}

bool repl_settings_apply(Db *db, const ReplSettings *s, bool sql_stopped, Err *err)
{
    const Flavor *f = flavor(db);
    ReplSettings now = {0};
    if (!repl_settings_read(db, &now, err))
        return false;
    bool ok = set_global(db, "sync_binlog", now.sync_binlog, s->sync_binlog, err) &&
              set_global(db, "innodb_flush_log_at_trx_commit", now.flush_log, s->flush_log, err) &&
              set_global(db, "sync_relay_log", now.sync_relay, s->sync_relay, err);
    if (ok && sql_stopped)
        ok = set_global(db, f->workers_var, now.workers, s->workers, err) &&
             set_global(db, f->queue_bytes_var, now.queue_bytes, s->queue_bytes, err) &&
             set_global(db, f->parallel_mode_var, now.parallel_mode, s->parallel_mode, err);
    repl_settings_done(&now);
    return ok;
}

typedef struct SettingRow {
    const char *name, *own, *ours, *now;
    bool stopped; /* wants a stopped applier */
} SettingRow;

enum { SETTING_ROWS = 6 };

static void setting_rows(const Flavor *f, const ReplSettings *own, const ReplSettings *ours,
                         const ReplSettings *now, SettingRow ret[SETTING_ROWS])
{
    static const ReplSettings none;
    const ReplSettings *o = ours ? ours : &none;
    const SettingRow rows[SETTING_ROWS] = {
        {"sync_binlog", own->sync_binlog, o->sync_binlog, now->sync_binlog, false},
        {"innodb_flush_log_at_trx_commit", own->flush_log, o->flush_log, now->flush_log, false},
        {"sync_relay_log", own->sync_relay, o->sync_relay, now->sync_relay, false},
        {f->workers_var, own->workers, o->workers, now->workers, true},
        {f->queue_bytes_var, own->queue_bytes, o->queue_bytes, now->queue_bytes, true},
        {f->parallel_mode_var, own->parallel_mode, o->parallel_mode, now->parallel_mode, true}};
    for (size_t i = 0; i < SETTING_ROWS; i++)
        ret[i] = rows[i];
}

static bool is_ours(const SettingRow *r, bool all_ours)
{
    AUTO(strlist_done) StrList values = STRLIST_INIT;
    strlist_split(&values, r->ours ? r->ours : "", '|');
    return all_ours || strlist_has(&values, r->now ? r->now : "");
}

static bool is_back(const SettingRow *r)
{
    return !r->name || !r->own || str_eq(r->own, r->now);
}

bool repl_settings_return(Db *db, const ReplSettings *own, const ReplSettings *ours, bool sql_stopped,
                          Err *err)
{
    SettingRow rows[SETTING_ROWS];
    ReplSettings now = {0};
    if (!repl_settings_read(db, &now, err))
        return false;
    setting_rows(flavor(db), own, ours, &now, rows);
    bool ok = true;
    for (size_t i = 0; ok && i < SETTING_ROWS; i++)
        if ((sql_stopped || !rows[i].stopped) && !is_back(&rows[i]) && is_ours(&rows[i], !ours))
            ok = set_global(db, rows[i].name, rows[i].now, rows[i].own, err);
    repl_settings_done(&now);
    return ok;
}

bool repl_settings_are_back(const Db *db, const ReplSettings *own, const ReplSettings *ours,
                            const ReplSettings *now, Str *left)
{
    SettingRow rows[SETTING_ROWS];
    setting_rows(flavor(db), own, ours, now, rows);
    for (size_t i = 0; i < SETTING_ROWS; i++) {
        if (is_back(&rows[i]))
            continue;
        if (is_ours(&rows[i], !ours))
            return false;
        str_addf(left, "%s%s is %s, not %s", left->len ? ", " : "", rows[i].name, rows[i].now, rows[i].own);
    }
    return true;
}

void repl_paths_done(ReplPaths *p)
{
    free(p->relay_index);
    free(p->relay_folder);
    free(p->data_folder);
    free(p->binlog_folder);
    free(p->binlog_index);
    *p = (ReplPaths){0};
}

static char *path_below(const char *folder, const char *path)
{
    return *path == '/' ? xstrdup(path) : xasprintf("%s/%s", folder, path);
}

static char *folder_below(const char *folder, const char *basename)
{
    AUTOFREE char *path = path_below(folder, basename);
    return fs_dirname(path);
}

bool repl_paths_read(Db *db, ReplPaths *ret, Err *err)
{
    DbRows *r;
    bool more = false;
    if (!db_query(db, &r, err,
                  "SELECT @@global.datadir AS data, @@global.relay_log_index AS idx,"
                  " @@global.relay_log_basename AS relay, @@global.log_bin_basename AS binlog,"
                  " @@global.log_bin_index AS bindex",
                  ""))
        return false;
    bool ok = db_next(r, &more, err);
    const char *data = ok && more ? db_text(r, "data") : "";
    if (ok && (!*data || !*db_text(r, "idx") || !*db_text(r, "relay")))
        ok = err_set(err, ERR_CONFIG, 0,
                     "the server does not say where its relay files are, because relay_log is not set");
    if (ok) {
        repl_paths_done(ret);
        *ret = (ReplPaths){.relay_index = path_below(data, db_text(r, "idx")),
                           .relay_folder = folder_below(data, db_text(r, "relay")),
                           .data_folder = xstrdup(data),
                           .binlog_folder = folder_below(data, db_text(r, "binlog")),
                           .binlog_index = path_below(data, db_text(r, "bindex"))};
    }
    db_rows_free(r);
    return ok;
}

bool repl_skips_start_at_boot(Db *db, pid_t server_pid, bool *ret, Err *err)
{
    const Flavor *f = flavor(db);
    if (!f->skip_start_sql)
        return optionfile_server_has(server_pid, f->skip_start_option, ret, err);
    int64_t on;
    if (!db_value_int(db, &on, err, f->skip_start_sql, ""))
        return false;
    *ret = on != 0;
    return true;
}
