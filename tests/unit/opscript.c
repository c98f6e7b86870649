/* SPDX-License-Identifier: Apache-2.0 */
#include "opscript.h"

#include <unistd.h>

static const Dialect dialects[] = {
    [DB_MARIADB] =
        {
            .status = "SHOW ALL SLAVES STATUS",
            .position = "SELECT @@global.gtid_slave_pos AS applied, @@global.gtid_binlog_pos AS binlog,"
                        " @@global.read_only AS read_only, @@global.server_id AS server_id, @@global.datadir "
                        "AS datadir, @@global.gtid_binlog_state AS logged, CONCAT_WS(…",
            .settings = "SELECT @@global.sync_binlog AS sync_binlog, @@global.innodb_flush_log_at_trx_commit"
                        " AS flush_log, @@global.slave_parallel_threads AS workers,"
                        " @@global.slave_parallel_mode AS parallel_mode, @@global.sync_relay_log AS"
                        " sync_relay, @@global.slave_parallel_max_queued AS queue_bytes",
            .start_sql = "START SLAVE SQL_THREAD",
            .stop_sql = "STOP SLAVE SQL_THREAD",
            .start_both = "START SLAVE",
            .stop_both = "STOP SLAVE",
            .workers = "slave_parallel_threads",
            .queue_bytes = "slave_parallel_max_queued",
            .wait = "SELECT MASTER_GTID_WAIT('…', 1.000)",
            .until = "START SLAVE SQL_THREAD UNTIL MASTER_LOG_FILE='binlog.000007', MASTER_LOG_POS=4711",
            .semi_sync_on = "SET GLOBAL rpl_semi_sync_master_enabled=1",
            .semi_sync_off = "SET GLOBAL rpl_semi_sync_master_enabled=0",
            .read_only_on = "SET GLOBAL read_only=1",
            .read_only_off = "SET GLOBAL read_only=0",
        },
    [DB_MYSQL] =
        {
            .status = "SHOW REPLICA STATUS",
            .position = "SELECT @@global.gtid_executed AS applied, @@global.gtid_executed AS binlog,"
                        " @@global.super_read_only AS read_only, @@global.read_only AS closed, "
                        "@@global.server_id AS server_id, "
                        "@@global.datadir AS datadir,"
                        " @@global.server_uuid AS uuid, CONCAT_WS(…",
            .settings = "SELECT @@global.sync_binlog AS sync_binlog, @@global.innodb_flush_log_at_trx_commit"
                        " AS flush_log, @@global.replica_parallel_workers AS workers, '' AS parallel_mode,"
                        " @@global.sync_relay_log AS sync_relay, @@global.replica_pending_jobs_size_max AS"
                        " queue_bytes",
            .start_sql = "START REPLICA SQL_THREAD",
            .stop_sql = "STOP REPLICA SQL_THREAD",
            .start_both = "START REPLICA",
            .stop_both = "STOP REPLICA",
            .workers = "replica_parallel_workers",
            .queue_bytes = "replica_pending_jobs_size_max",
            .wait = "SELECT WAIT_FOR_EXECUTED_GTID_SET('…', 1.000)",
            .until = "START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS='…'",
            .semi_sync_on = "SET GLOBAL rpl_semi_sync_source_enabled=1",
            .semi_sync_off = "SET GLOBAL rpl_semi_sync_source_enabled=0",
            .read_only_on = "SET GLOBAL super_read_only=1",
            .read_only_off = "SET GLOBAL read_only=0",
            .uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562",
        },
};
const Dialect *d;

LeaseSettings own_settings(void)
{
    return (LeaseSettings){(char *)"1",     (char *)"1",
                           (char *)"2",     (char *)(is_mariadb() ? "optimistic" : ""),
                           (char *)"10000", (char *)"131072"};
}

LeaseSettings paused_settings(void)
{
    LeaseSettings s = own_settings();
    s.sync_relay = (char *)"1";
    return s;
}

LeaseSettings boosted_settings(void)
{
    return (LeaseSettings){(char *)"0",     (char *)"2",
                           (char *)"8",     (char *)(is_mariadb() ? "aggressive" : ""),
                           (char *)"10000", (char *)"16777216"};
}

bool is_mariadb(void)
{
    return d == &dialects[DB_MARIADB];
}

void on_flavor(DbFlavor flavor, void (*test)(void))
{
    d = &dialects[flavor];
    script_begin(flavor, getpid());
    test();
    script_begin(flavor, 0); /* frees what it kept */
}

const char *at_trx(int n)
{
    return script_keep(is_mariadb() ? xasprintf("0-1-%d", n) : xasprintf("%s:1-%d", d->uuid, n));
}

/* ---- readings -------------------------------------------------------------------------------------- */

View view_at(int n)
{
    return (View){.io = REPL_IO_YES,
                  .sql = true,
                  .applied = n,
                  .received = n,
                  .source_host = "127.0.0.1",
                  .source_port = 3306};
}

View stopped_at(int n)
{
    View v = view_at(n);
    v.sql = false;
    return v;
}

View both_stopped_at(int n)
{
    View v = stopped_at(n);
    v.io = REPL_IO_NO;
    return v;
}

void expect_half_done(int xa, int tables, const char *filter)
{
    EXPECT("XA RECOVER", "data", xa == 0 ? "" : xa == 1 ? "x1" : "x1\nx2");
    EXPECT(is_mariadb() ? "SHOW GLOBAL STATUS LIKE 'Slave_open_temp_tables'"
                        : "SHOW GLOBAL STATUS LIKE 'Replica_open_temp_tables'",
           "Variable_name|Value", script_keep(xasprintf("x|%d", tables)));
    EXPECT(d->status, "Replicate_Do_DB", filter ? filter : "");
}

const char *status_columns(void)
{
    return is_mariadb() ? "Slave_IO_Running|Slave_SQL_Running|Master_Host|Master_User|Master_Port|Relay_"
                          "Master_Log_File|"
                          "Exec_Master_Log_Pos|Gtid_IO_Pos|Last_IO_Errno|Last_SQL_Errno|Last_SQL_Error|"
                          "Relay_Log_Space|Using_Gtid|Connection_name|Master_Log_File|Read_Master_Log_Pos|"
                          "SQL_Delay|Relay_Log_File|Relay_Log_Pos"
                        : "Replica_IO_Running|Replica_SQL_Running|Source_Host|Source_User|Source_Port|"
                          "Relay_Source_Log_File|Exec_Source_Log_Pos|Retrieved_Gtid_Set|Last_IO_Errno|"
                          "Last_SQL_Errno|Last_SQL_Error|Relay_Log_Space|Auto_Position|Channel_Name|"
                          "Source_Log_File|Read_Source_Log_Pos|SQL_Delay|Relay_Log_File|Relay_Log_Pos";
}

const char *status_row(View v)
{
    static const char *const io[] = {"No", "Connecting", "Yes"};
    if (v.primary)
        return "";
    return script_keep(
        xasprintf("%s|%s|%s|repl|%d|binlog.000007|4711|%s|%d|%d|%s|%d|%s|%s|%s|%d|%d|relay.000001|683",
                  io[v.io], v.sql ? "Yes" : "No", v.source_host, v.source_port,
                  v.received_text ? v.received_text : at_trx(v.received), v.io_errno, v.sql_errno,
                  v.sql_error ? v.sql_error : "", v.space, is_mariadb() ? "Slave_Pos" : "1",
                  v.channel ? v.channel : "", v.read_file ? v.read_file : "", v.read_pos, v.delay_s));
}

const char *position_row(View v)
{
    const char *applied = v.applied_text ? v.applied_text : at_trx(v.applied);
    return script_keep(xasprintf("%s|%s|%d|2", applied, v.binlog_text ? v.binlog_text : applied, !v.open));
}

void expect_look(View v)
{
    EXPECT(d->status, status_columns(), status_row(v));
    EXPECT(d->position, POSITION_COLUMNS, position_row(v));
    EXPECT("SHOW GLOBAL STATUS LIKE 'Uptime'", "Variable_name|Value", "Uptime|5000");
}

void expect_look_broken(View v, int answered, ErrKind fail)
{
    EXPECT(d->status, status_columns(), status_row(v), answered > 0 ? ERR_NONE : fail);
    if (answered > 0)
        EXPECT(d->position, POSITION_COLUMNS, position_row(v), answered > 1 ? ERR_NONE : fail);
    if (answered > 1)
        EXPECT("SHOW GLOBAL STATUS LIKE 'Uptime'", .fail = fail);
}

void expect_open(int64_t ms)
{
    EXPECT("CONNECT agent", .ms = ms);
    EXPECT(NO_GTIDS);
}

/* ---- settings -------------------------------------------------------------------------------------- */

const char *settings_row(LeaseSettings s)
{
    return script_keep(xasprintf("%s|%s|%s|%s|%s|%s", s.sync_binlog, s.flush_log, s.workers, s.parallel_mode,
                                 s.sync_relay, s.queue_bytes));
}

void expect_settings(LeaseSettings now)
{
    EXPECT(d->settings, SETTINGS_COLUMNS, settings_row(now));
}

const char *set_global(const char *name, const char *value)
{
    return script_keep(xasprintf("SET GLOBAL %s=%s", name, value));
}

/* ---- relay files ----------------------------------------------------------------------------------- */

/* In memory where there is such a place: what an operation syncs would wait for a busy disk. */
void relay_begin(Relay *r, int n)
{
    Err err;
    snprintf(r->dir, sizeof r->dir, "%s/siding-ops-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(r->dir));
    AUTO(str_done) Str file = STR_INIT;
    bf_start(&file);
    for (int i = 1; i <= n; i++)
        bf_trx(&file, 0, 1, (uint64_t)i);
    AUTOFREE char *path = xasprintf("%s/relay.000001", r->dir), *index = xasprintf("%s/relay.index", r->dir);
    assert_ok(fs_replace(path, file.p, file.len, 0600, &err), err);
    assert_ok(fs_replace(index, "./relay.000001\n", 15, 0600, &err), err);
}

void relay_add_file(Relay *r, const Str *file)
{
    Err err;
    AUTO(str_done) Str index = STR_INIT;
    AUTOFREE char *index_path = xasprintf("%s/relay.index", r->dir);
    assert_ok(fs_read(index_path, 4096, &index, &err), err);
    size_t n = index.len / strlen("./relay.000001\n") + 1;
    AUTOFREE char *path = xasprintf("%s/relay.%06zu", r->dir, n);
    str_addf(&index, "./relay.%06zu\n", n);
    assert_ok(fs_replace(path, file->p, file->len, 0600, &err), err);
    assert_ok(fs_replace(index_path, index.p, index.len, 0600, &err), err);
}

void relay_add(Relay *r, int domain, int server, int first, int last)
{
    AUTO(str_done) Str file = STR_INIT;
    bf_start(&file);
    for (int i = first; i <= last; i++)
        bf_trx(&file, (uint32_t)domain, (uint32_t)server, (uint64_t)i);
    relay_add_file(r, &file);
}

void relay_end(Relay *r)
{
    Err err;
    assert_ok(fs_remove_tree(r->dir, &err), err);
}

size_t relay_links(const Relay *r)
{
    Err err;
    AUTO(strlist_done) StrList names = STRLIST_INIT;
    assert_ok(fs_list(r->dir, &names, &err), err);
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++)
        n += str_starts(names.v[i], "siding-relay-");
    return n;
}

const char *paths_row(const Relay *r)
{
    return script_keep(xasprintf("%s|relay.index|relay|binlog|binlog.index", r->dir));
}

void expect_paths(const Relay *r)
{
    EXPECT(PATHS, PATHS_COLUMNS, paths_row(r));
}

/* ---- accounts -------------------------------------------------------------------------------------- */

OpServer agent_server(void)
{
    return (OpServer){{.user = (char *)"agent"}, 5000};
}

DbTarget rescuer_target(void)
{
    return (DbTarget){.user = (char *)"rescuer"};
}

void expect_semi_sync(bool source, bool replica)
{
    AUTO(str_done) Str rows = STR_INIT;
    str_addf(
        &rows, "%s|%s\n%s|%s", is_mariadb() ? "Rpl_semi_sync_master_status" : "Rpl_semi_sync_source_status",
        source ? "ON" : "OFF", is_mariadb() ? "Rpl_semi_sync_slave_status" : "Rpl_semi_sync_replica_status",
        replica ? "ON" : "OFF");
    EXPECT(SEMI_SYNC, "Variable_name|Value", script_keep(str_take(&rows)));
}
