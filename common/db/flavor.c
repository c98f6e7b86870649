/* SPDX-License-Identifier: Apache-2.0 */
#include "flavor.h"

#include <string.h>

#include "passhash.h"

static void mariadb_until(Str *out, const char *gtid, const char *file, int64_t pos)
{
    (void)gtid; /* UNTIL master_gtid_pos is refused while the receiver runs */
    str_adds(out, "START SLAVE SQL_THREAD UNTIL MASTER_LOG_FILE=");
    db_quote_str(out, file, strlen(file));
    str_addf(out, ", MASTER_LOG_POS=%lld", (long long)pos);
}

static void mysql_until(Str *out, const char *gtid, const char *file, int64_t pos)
{
    (void)file;
    (void)pos;
    str_adds(out, "START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS=");
    db_quote_str(out, gtid, strlen(gtid));
}

static void mariadb_follow(Str *out, const char *host, int64_t port)
{
    str_adds(out, "CHANGE MASTER TO MASTER_HOST=");
    db_quote_str(out, host, strlen(host));
    str_addf(out, ", MASTER_PORT=%lld, MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos", (long long)port);
}

static void mysql_follow(Str *out, const char *host, int64_t port)
{
    str_adds(out, "CHANGE REPLICATION SOURCE TO SOURCE_HOST=");
    db_quote_str(out, host, strlen(host));
    str_addf(out,
             ", SOURCE_PORT=%lld, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400, SOURCE_AUTO_POSITION=1",
             (long long)port);
}

static void mysql_lift_delay(Str *out, const char *relay_file, int64_t relay_pos)
{
    str_adds(out, "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=0, SOURCE_DELAY=0, RELAY_LOG_FILE=");
    db_quote_str(out, relay_file, strlen(relay_file));
    str_addf(out, ", RELAY_LOG_POS=%lld", (long long)relay_pos);
}

static void follow_as(Str *out, const char *user_is, const char *user, const char *password_is,
                      const char *password)
{
    str_adds(out, user_is);
    db_quote_str(out, user, strlen(user));
    str_adds(out, password_is);
    db_quote_str(out, password, strlen(password));
}

static void mariadb_follow_as(Str *out, const char *user, const char *password)
{
    follow_as(out, "CHANGE MASTER TO MASTER_USER=", user, ", MASTER_PASSWORD=", password);
}

/* Without TLS the server's key is what the password is sent with. */
static void mysql_follow_as(Str *out, const char *user, const char *password)
{
    follow_as(out, "CHANGE REPLICATION SOURCE TO GET_SOURCE_PUBLIC_KEY=1, SOURCE_USER=", user,
              ", SOURCE_PASSWORD=", password);
}

static void wait_with(Str *out, const char *function, const char *gtid, double seconds)
{
    str_addf(out, "SELECT %s(", function);
    db_quote_str(out, gtid, strlen(gtid));
    str_addf(out, ", %.3f)", seconds);
}

static void mariadb_wait(Str *out, const char *gtid, double seconds)
{
    wait_with(out, "MASTER_GTID_WAIT", gtid, seconds);
}

static void mysql_wait(Str *out, const char *gtid, double seconds)
{
    wait_with(out, "WAIT_FOR_EXECUTED_GTID_SET", gtid, seconds);
}

/* innodb_flush_log_at_trx_commit can be set only with SUPER on MariaDB 10.11; MariaDB 11 took the rest out of
 * SUPER. */
static const FlavorGrant mariadb_grants[] = {
    {"siding", "ALL PRIVILEGES", "siding.*"},
    {"siding_agent",
     "SUPER, PROCESS, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR, BINLOG MONITOR, "
     "BINLOG ADMIN, "
     "BINLOG REPLAY, READ_ONLY ADMIN, CONNECTION ADMIN",
     "*.*"},
    {"siding_agent", "SELECT, INSERT, UPDATE, DELETE", "siding.probe"},
    /* A private connection of the server, its positions and filters; RESET SLAVE and RESET MASTER need
     * RELOAD, which no other account has; a skip counter needs SUPER. A replica is read-only, and its
     * position is a row of a table: READ_ONLY ADMIN. */
    {"siding_rescue",
     "RELOAD, SUPER, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, SLAVE MONITOR, BINLOG MONITOR, "
     "BINLOG ADMIN, READ_ONLY ADMIN",
     "*.*"},
    {"siding_job", "SLAVE MONITOR, BINLOG MONITOR", "*.*"},
    {"siding_job", "SELECT, SHOW VIEW, TRIGGER, EVENT", "READ"},
    {"siding_job", "SELECT", "mysql.proc"},
    {"siding_load", "SLAVE MONITOR, BINLOG MONITOR, PROCESS", "*.*"},
    {"siding_load", "SELECT, SHOW VIEW", "READ"},
    {"siding_load", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, SHOW VIEW, TRIGGER", "LOAD"},
    {"siding_load", "SELECT, INSERT, UPDATE, DELETE", "siding.ledger"},
    {"siding_load", "SELECT", "siding.meta"},
    {"siding_provision", "SELECT, SHOW VIEW, TRIGGER, EVENT, SLAVE MONITOR, BINLOG MONITOR", "*.*"},
    {NULL, NULL, NULL},
};

/* REPLICATION SLAVE: how an encrypted binary log ends only the server can read. */
static const FlavorGrant mysql_grants[] = {
    {"siding", "ALL PRIVILEGES", "siding.*"},
    {"siding_agent",
     "RELOAD, PROCESS, REPLICATION CLIENT, REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, "
     "CONNECTION_ADMIN, "
     "BINLOG_ADMIN, XA_RECOVER_ADMIN, REPLICATION SLAVE",
     "*.*"},
    {"siding_agent", "SELECT, INSERT, UPDATE, DELETE", "siding.probe"},
    {"siding_job", "REPLICATION CLIENT, SHOW_ROUTINE", "*.*"},
    {"siding_job", "SELECT, SHOW VIEW, TRIGGER, EVENT", "READ"},
    {"siding_load", "REPLICATION CLIENT, PROCESS", "*.*"},
    {"siding_load", "SELECT, SHOW VIEW", "READ"},
    {"siding_load", "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, SHOW VIEW, TRIGGER", "LOAD"},
    {"siding_load", "SELECT, INSERT, UPDATE, DELETE", "siding.ledger"},
    {"siding_load", "SELECT", "siding.meta"},
    {"siding_provision", "SELECT, SHOW VIEW, TRIGGER, EVENT, REPLICATION CLIENT, SHOW_ROUTINE", "*.*"},
    {NULL, NULL, NULL},
};

static void mariadb_identified(Str *out, const char *password)
{
    AUTOFREE char *hash = passhash_native(password);
    str_addf(out, " IDENTIFIED VIA mysql_native_password USING '%s'", hash);
}

static void mariadb_add_password(Str *out, const char *password, const char *old_hash)
{
    mariadb_identified(out, password);
    str_adds(out, " OR mysql_native_password USING ");
    db_quote_str(out, old_hash, strlen(old_hash));
}

static void mariadb_drop_password(Str *out, const char *password, const char *old_hash)
{
    (void)old_hash;
    mariadb_identified(out, password);
}

static void mysql_identified(Str *out, const char *password)
{
    AUTOFREE char *hash = passhash_sha2(password);
    str_addf(out, " IDENTIFIED WITH caching_sha2_password AS 0x%s", hash);
}

/* Beside another one this server takes no hash; bootstrap has made sure that nobody reads it on the way. */
static void mysql_add_password(Str *out, const char *password, const char *old_hash)
{
    (void)old_hash;
    str_adds(out, " IDENTIFIED BY ");
    db_quote_str(out, password, strlen(password));
    str_adds(out, " RETAIN CURRENT PASSWORD");
}

static void mysql_drop_password(Str *out, const char *password, const char *old_hash)
{
    (void)password;
    (void)old_hash;
    str_adds(out, " DISCARD OLD PASSWORD");
}

static const char *const mariadb_hold[] = {"BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT", NULL};

static const char *const mariadb_strict[] = {"SET GLOBAL rpl_semi_sync_master_wait_point=AFTER_SYNC",
                                             "SET GLOBAL rpl_semi_sync_master_timeout=4294967295",
                                             "SET GLOBAL rpl_semi_sync_master_wait_no_slave=1", NULL};
static const char *const mysql_strict[] = {"SET GLOBAL rpl_semi_sync_source_wait_point=AFTER_SYNC",
                                           "SET GLOBAL rpl_semi_sync_source_timeout=4294967295",
                                           "SET GLOBAL rpl_semi_sync_source_wait_no_replica=1", NULL};

/* Checksums, or a log that has them is refused; MySQL ends an older connection of the same UUID. */
/* What applications notice, and replicas need alike (ReplStatus.traits). */
#define TRAITS(more)                                                                                         \
    "CONCAT_WS(' ', " more "CONCAT('lower_case_table_names=', @@global.lower_case_table_names),"             \
    " CONCAT('sql_mode=', @@global.sql_mode), CONCAT('character_set_server=', "                              \
    "@@global.character_set_server),"                                                                        \
    " CONCAT('collation_server=', @@global.collation_server), CONCAT('time_zone=', @@global.time_zone),"     \
    " CONCAT('binlog_format=', @@global.binlog_format),"                                                     \
    " CONCAT('max_allowed_packet=', @@global.max_allowed_packet)) AS traits"

static const char *const mariadb_asks[] = {"SET @master_binlog_checksum=@@global.binlog_checksum",
                                           "SET @mariadb_slave_capability=4", "SET @rpl_semi_sync_slave=1",
                                           NULL};
static const char *const mysql_asks[] = {"SET @source_binlog_checksum=@@global.binlog_checksum",
                                         "SET @replica_uuid=UUID()", "SET @rpl_semi_sync_replica=1", NULL};

static const char *const mariadb_stopped[] = {NULL};
static const char *const mysql_stopped[] = {"binlog_format", "replica_preserve_commit_order", NULL};

/* Never written to the binary log, unlike FLUSH TABLES. */
static const char *const mysql_hold[] = {"FLUSH TABLES WITH READ LOCK", NULL};

/* Casts, a result that a limit ended, base64, characters that another character set lacks, JSON. */
static const int mariadb_losses[] = {1916, 1917, 1918, 1931, 1958, 1977, 4036, 4037, 4038, 4040, 0};
static const int mysql_losses[] = {3854, 0}; /* characters that another character set lacks */

static const Flavor flavors[] = {
    [DB_MARIADB] =
        {
            .flavor = DB_MARIADB,
            .name = "mariadb",
            .min_major = 10,
            .min_minor = 11,
            .tested_major = 10,
            .tested_minor = 11,
            .show_replica_status = "SHOW ALL SLAVES STATUS",
            .start_sql = "START SLAVE SQL_THREAD",
            .stop_sql = "STOP SLAVE SQL_THREAD",
            .start_receiver = "START SLAVE IO_THREAD",
            .start_both = "START SLAVE",
            .stop_both = "STOP SLAVE",
            .stop_receiver = "STOP SLAVE IO_THREAD",
            .forget_log = "RESET MASTER",
            .set_logged = "SET GLOBAL gtid_binlog_state=?",
            .set_position = "SET GLOBAL gtid_slave_pos=?",
            .admins_write = NULL,
            .forget_source = "RESET SLAVE ALL",
            .position_sql = "SELECT @@global.gtid_slave_pos AS applied, @@global.gtid_binlog_pos AS binlog,"
                            " @@global.read_only AS read_only, @@global.server_id AS server_id, "
                            "@@global.datadir AS datadir, @@global.gtid_binlog_state AS logged, " TRAITS(
                                "CONCAT('gtid_domain_id=', @@global.gtid_domain_id), "),
            .show_binlog_status = "SHOW MASTER STATUS",
            .read_only_on = "SET GLOBAL read_only=1",
            .read_only_off = "SET GLOBAL read_only=0",
            .kill_acknowledges = true,
            .semi_sync_source_on = "SET GLOBAL rpl_semi_sync_master_enabled=1",
            .semi_sync_source_off = "SET GLOBAL rpl_semi_sync_master_enabled=0",
            .semi_sync_replica_on = "SET GLOBAL rpl_semi_sync_slave_enabled=1",
            .semi_sync_replica_off = "SET GLOBAL rpl_semi_sync_slave_enabled=0",
            .semi_sync_strict = mariadb_strict,
            .semi_sync_asks = mariadb_asks,
            .semi_sync_source_status = "Rpl_semi_sync_master_status",
            .semi_sync_source_var = "rpl_semi_sync_master_enabled",
            .semi_sync_replica_status = "Rpl_semi_sync_slave_status",
            .stopped_vars = mariadb_stopped,
            .settings_sql =
                "SELECT @@global.sync_binlog AS sync_binlog, @@global.innodb_flush_log_at_trx_commit AS "
                "flush_log, @@global.slave_parallel_threads AS workers, @@global.slave_parallel_mode AS "
                "parallel_mode, @@global.sync_relay_log AS sync_relay, @@global.slave_parallel_max_queued AS "
                "queue_bytes",
            .workers_var = "slave_parallel_threads",
            .parallel_mode_var = "slave_parallel_mode",
            .queue_bytes_var = "slave_parallel_max_queued",
            .workers_none = "0",
            .ways = {{"aggressive", true, "aggressive"},
                     {"serial", false, NULL},
                     {"conservative", true, "conservative"},
                     {"optimistic", true, "optimistic"}},
            .exec_pos_exact = true,
            .skip_start_sql = NULL,
            .binlog_is_by_domain = true,
            .purges_on_start = true,
            .refetch_sql = "RESET MASTER",
            .relay_reset_sql = "RESET SLAVE",
            .relay_broken_errno = 1201,
            .col_io_running = "Slave_IO_Running",
            .col_sql_running = "Slave_SQL_Running",
            .col_source_host = "Master_Host",
            .col_source_user = "Master_User",
            .col_source_port = "Master_Port",
            .col_exec_file = "Relay_Master_Log_File",
            .col_exec_pos = "Exec_Master_Log_Pos",
            .col_read_file = "Master_Log_File",
            .col_read_pos = "Read_Master_Log_Pos",
            .col_received = "Gtid_IO_Pos",
            .col_io_errno = "Last_IO_Errno",
            .col_io_error = "Last_IO_Error",
            .col_sql_errno = "Last_SQL_Errno",
            .col_sql_error = "Last_SQL_Error",
            .col_relay_space = "Relay_Log_Space",
            .col_relay_pos = "Relay_Log_Pos",
            .col_delay = "SQL_Delay",
            .col_delay_left = "SQL_Remaining_Delay",
            .col_gtid_mode = "Using_Gtid",
            .col_channel = "Connection_name",
            .gtid_mode_bad = "No",
            .received_without_applied = false,
            .follow = mariadb_follow,
            .demoted = ", MASTER_DEMOTE_TO_SLAVE=1",
            .delayed = ", MASTER_DELAY=%lld",
            .lift_delay = NULL,
            .follow_as = mariadb_follow_as,
            .start_sql_until = mariadb_until,
            .wait_applied = mariadb_wait,
            .hold_commits = mariadb_hold,
            .release_commits = "BACKUP STAGE END",
            .hold_commits_name = "BACKUP STAGE BLOCK_COMMIT",
            .hold_commits_privilege = "RELOAD",
            .snapshot_position_sql = "SHOW STATUS LIKE 'binlog_snapshot_%'",
            .gtid_of_position_sql = "SELECT BINLOG_GTID_POS(?, ?)",
            .reader_session = "SET SESSION max_statement_time=0",
            .executes_text = true,
            .real_text_before = "CONCAT(",
            .real_text_after = " * 1e0)",
            .routines_probe_sql = "SELECT MAX(db) FROM mysql.proc WHERE 0",
            .routines_grant = "SELECT ON mysql.proc",
            .load_session = "SET SESSION check_constraint_checks=0",
            .loss_warnings = mariadb_losses,
            .become_replica = "SET GLOBAL gtid_slave_pos='%s'; CHANGE MASTER TO MASTER_HOST='PRIMARY', "
                              "MASTER_PORT=3306, MASTER_USER='USER',"
                              " MASTER_PASSWORD='PASSWORD', MASTER_USE_GTID=slave_pos, "
                              "MASTER_HEARTBEAT_PERIOD=1; START SLAVE;",
            .users_sql = "SELECT User, Host, is_role = 'Y' FROM mysql.user WHERE User <> 'mariadb.sys'"
                         " ORDER BY is_role = 'Y' DESC, User, Host",
            .users_session = NULL,
            .password_sql = "SELECT JSON_VALUE(Priv, '$.plugin') AS plugin, JSON_VALUE(Priv, "
                            "'$.authentication_string') AS hash, "
                            "COALESCE(JSON_VALUE(Priv, '$.auth_or[0].plugin'), JSON_VALUE(Priv, "
                            "'$.auth_or[1].plugin'), '') AS "
                            "other FROM mysql.global_priv WHERE User=? AND Host=?",
            .identified = mariadb_identified,
            .add_password = mariadb_add_password,
            .drop_password = mariadb_drop_password,
            .grants = mariadb_grants,
            .keyless_sql =
                "SELECT DISTINCT SUBSTRING_INDEX(t.NAME, '#', 1) FROM information_schema.INNODB_SYS_TABLES t "
                "JOIN"
                " information_schema.INNODB_SYS_INDEXES i ON i.TABLE_ID = t.TABLE_ID WHERE i.NAME ="
                " 'GEN_CLUST_INDEX' AND t.NAME LIKE '%/%' AND t.NAME NOT LIKE 'mysql/%' AND"
                " t.NAME NOT LIKE 'sys/%' AND t.NAME NOT LIKE '%/FTS@_%' ESCAPE '@' ORDER BY 1",
            .keyless_changes_sql =
                "SELECT SUBSTRING_INDEX(t.NAME, '#', 1) AS name, SUM(s.NUM_ROWS) AS row_count,"
                " SUM(s.MODIFIED_COUNTER) AS changed FROM information_schema.INNODB_SYS_TABLES t JOIN"
                " information_schema.INNODB_SYS_INDEXES i ON i.TABLE_ID = t.TABLE_ID JOIN"
                " information_schema.INNODB_SYS_TABLESTATS s ON s.TABLE_ID = t.TABLE_ID WHERE i.NAME ="
                " 'GEN_CLUST_INDEX' AND t.NAME LIKE '%/%' AND t.NAME NOT LIKE 'mysql/%' AND"
                " t.NAME NOT LIKE 'sys/%' AND t.NAME NOT LIKE '%/FTS@_%' ESCAPE '@' GROUP BY 1",
            .xa_prepared_sql = "XA RECOVER",
            .temp_tables_sql = "SHOW GLOBAL STATUS LIKE 'Slave_open_temp_tables'",
            .innodb_foreign = "INNODB_SYS_FOREIGN",
            .log_readers_sql =
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
            .purge_expire_var = "binlog_expire_logs_seconds",
            .purge_size_var = "max_binlog_total_size",
            .remove_channel = "STOP SLAVE '%s'; RESET SLAVE '%s' ALL",
            .default_channel = "CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%lld, MASTER_USER='…', "
                               "MASTER_PASSWORD='…', MASTER_USE_GTID=slave_pos; START SLAVE",
            .use_gtid =
                "STOP SLAVE IO_THREAD, and once all that it has received is applied: STOP SLAVE; CHANGE "
                "MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE",
            .skip_start_option = "skip_slave_start",
            .read_only_option = "read_only",
        },
    [DB_MYSQL] =
        {
            .flavor = DB_MYSQL,
            .name = "mysql",
            .min_major = 8,
            .min_minor = 4,
            .tested_major = 9,
            .tested_minor = 7,
            .show_replica_status = "SHOW REPLICA STATUS",
            .start_sql = "START REPLICA SQL_THREAD",
            .stop_sql = "STOP REPLICA SQL_THREAD",
            .start_receiver = "START REPLICA IO_THREAD",
            .start_both = "START REPLICA",
            .stop_both = "STOP REPLICA",
            .stop_receiver = "STOP REPLICA IO_THREAD",
            .forget_log = "RESET BINARY LOGS AND GTIDS",
            .set_position = "SET GLOBAL gtid_purged=?",
            .admins_write = "SET GLOBAL super_read_only=0",
            .forget_source = "RESET REPLICA ALL",
            .position_sql = "SELECT @@global.gtid_executed AS applied, @@global.gtid_executed AS binlog,"
                            " @@global.super_read_only AS read_only, @@global.read_only AS closed, "
                            "@@global.server_id AS server_id, "
                            "@@global.datadir AS datadir,"
                            " @@global.server_uuid AS uuid, " TRAITS(""),
            .show_binlog_status = "SHOW BINARY LOG STATUS",
            .read_only_on = "SET GLOBAL super_read_only=1",
            .closes_for_all = true,
            /* read_only alone would still stop the application's accounts. */
            .read_only_off = "SET GLOBAL read_only=0",
            .semi_sync_source_on = "SET GLOBAL rpl_semi_sync_source_enabled=1",
            .semi_sync_source_off = "SET GLOBAL rpl_semi_sync_source_enabled=0",
            .semi_sync_replica_on = "SET GLOBAL rpl_semi_sync_replica_enabled=1",
            .semi_sync_replica_off = "SET GLOBAL rpl_semi_sync_replica_enabled=0",
            .semi_sync_strict = mysql_strict,
            .semi_sync_asks = mysql_asks,
            .semi_sync_count = "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=%lld",
            .semi_sync_source_status = "Rpl_semi_sync_source_status",
            .semi_sync_source_var = "rpl_semi_sync_source_enabled",
            .semi_sync_replica_status = "Rpl_semi_sync_replica_status",
            .stopped_vars = mysql_stopped,
            .settings_sql =
                "SELECT @@global.sync_binlog AS sync_binlog, @@global.innodb_flush_log_at_trx_commit AS "
                "flush_log, @@global.replica_parallel_workers AS workers, '' AS parallel_mode, "
                "@@global.sync_relay_log AS sync_relay, @@global.replica_pending_jobs_size_max AS "
                "queue_bytes",
            .workers_var = "replica_parallel_workers",
            .parallel_mode_var = NULL,
            .queue_bytes_var = "replica_pending_jobs_size_max",
            .workers_none = "1",
            .ways = {{"parallel", true, NULL}, {"serial", false, NULL}},
            .skip_start_sql = "SELECT @@global.skip_replica_start",
            .purges_on_start = false,
            .refetch_sql = NULL,
            .col_io_running = "Replica_IO_Running",
            .col_sql_running = "Replica_SQL_Running",
            .col_source_host = "Source_Host",
            .col_source_user = "Source_User",
            .col_source_port = "Source_Port",
            .col_exec_file = "Relay_Source_Log_File",
            .col_exec_pos = "Exec_Source_Log_Pos",
            .col_read_file = "Source_Log_File",
            .col_read_pos = "Read_Source_Log_Pos",
            .col_received = "Retrieved_Gtid_Set",
            .col_io_errno = "Last_IO_Errno",
            .col_io_error = "Last_IO_Error",
            .col_sql_errno = "Last_SQL_Errno",
            .col_sql_error = "Last_SQL_Error",
            .col_relay_space = "Relay_Log_Space",
            .col_relay_pos = "Relay_Log_Pos",
            .col_delay = "SQL_Delay",
            .col_delay_left = "SQL_Remaining_Delay",
            .col_gtid_mode = "Auto_Position",
            .col_channel = "Channel_Name",
            .gtid_mode_bad = "0",
            .received_without_applied = true,
            .follow = mysql_follow,
            .demoted = "",
            .delayed = ", SOURCE_DELAY=%lld",
            .lift_delay = mysql_lift_delay,
            .follow_as = mysql_follow_as,
            .start_sql_until = mysql_until,
            .wait_applied = mysql_wait,
            .hold_commits = mysql_hold,
            .release_commits = "UNLOCK TABLES",
            .hold_commits_name = "FLUSH TABLES WITH READ LOCK",
            .hold_commits_privilege = "RELOAD",
            .snapshot_position_sql = NULL,
            .reader_session = "SET SESSION max_execution_time=0, information_schema_stats_expiry=0",
            .executes_text = false,
            .real_text_before = "CAST(",
            .real_text_after = " * 1e0 AS JSON)",
            .json_text_before = "CAST(CAST(",
            .json_text_after = " AS CHAR CHARACTER SET utf8mb4) AS JSON)",
            .routines_probe_sql = NULL,
            .routines_grant = "SHOW_ROUTINE",
            .load_session = NULL,
            .loss_warnings = mysql_losses,
            .become_replica = "SET GLOBAL gtid_purged='%s'; CHANGE REPLICATION SOURCE TO "
                              "SOURCE_HOST='PRIMARY', SOURCE_PORT=3306,"
                              " SOURCE_USER='USER', SOURCE_PASSWORD='PASSWORD', SOURCE_AUTO_POSITION=1, "
                              "SOURCE_HEARTBEAT_PERIOD=1; START"
                              " REPLICA;",
            .users_sql =
                "SELECT User, Host, 0 FROM mysql.user WHERE User NOT LIKE 'mysql.%' ORDER BY User, Host",
            .users_session = "SET SESSION print_identified_with_as_hex=1",
            .password_sql = "SELECT plugin, authentication_string AS hash, "
                            "COALESCE(JSON_EXTRACT(User_attributes, '$.additional_password'), '') AS other "
                            "FROM mysql.user WHERE User=? AND Host=?",
            .identified = mysql_identified,
            .add_password = mysql_add_password,
            .drop_password = mysql_drop_password,
            .grants = mysql_grants,
            .keyless_sql =
                "SELECT DISTINCT SUBSTRING_INDEX(t.NAME, '#', 1) FROM information_schema.INNODB_TABLES t JOIN"
                " information_schema.INNODB_INDEXES i ON i.TABLE_ID = t.TABLE_ID WHERE i.NAME ="
                " 'GEN_CLUST_INDEX' AND t.NAME LIKE '%/%' AND t.NAME NOT LIKE 'mysql/%' AND"
                " t.NAME NOT LIKE 'sys/%' AND t.NAME NOT LIKE '%/FTS@_%' ESCAPE '@' ORDER BY 1",
            .keyless_changes_sql =
                "SELECT SUBSTRING_INDEX(t.NAME, '#', 1) AS name, SUM(s.NUM_ROWS) AS row_count,"
                " SUM(s.MODIFIED_COUNTER) AS changed FROM information_schema.INNODB_TABLES t JOIN"
                " information_schema.INNODB_INDEXES i ON i.TABLE_ID = t.TABLE_ID JOIN"
                " information_schema.INNODB_TABLESTATS s ON s.TABLE_ID = t.TABLE_ID WHERE i.NAME ="
                " 'GEN_CLUST_INDEX' AND t.NAME LIKE '%/%' AND t.NAME NOT LIKE 'mysql/%' AND"
                " t.NAME NOT LIKE 'sys/%' AND t.NAME NOT LIKE '%/FTS@_%' ESCAPE '@' GROUP BY 1",
            .xa_prepared_sql = "XA RECOVER",
            .temp_tables_sql = "SHOW GLOBAL STATUS LIKE 'Replica_open_temp_tables'",
            .innodb_foreign = "INNODB_FOREIGN",
            .log_readers_sql =
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
            .purge_expire_var = "binlog_expire_logs_seconds",
            .purge_size_var = NULL,
            .remove_channel = "STOP REPLICA FOR CHANNEL '%s'; RESET REPLICA ALL FOR CHANNEL '%s'",
            .default_channel = "CHANGE REPLICATION SOURCE TO SOURCE_HOST='%s', SOURCE_PORT=%lld, "
                               "SOURCE_USER='…', SOURCE_PASSWORD='…', SOURCE_AUTO_POSITION=1; START REPLICA",
            .use_gtid =
                "STOP REPLICA IO_THREAD, and once all that it has received is applied: STOP REPLICA; CHANGE "
                "REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1; START REPLICA",
            .semi_sync_plugins = "semisync_source.so;semisync_replica.so",
            .skip_start_option = "skip_replica_start",
            .read_only_option = "super_read_only",
        },
};

bool flavor_is_siding(const Flavor *f, const char *user)
{
    for (const FlavorGrant *g = f->grants; g->account; g++)
        if (strcmp(g->account, user) == 0)
            return true;
    return false;
}

const Flavor *flavor_of(DbFlavor f)
{
    return &flavors[f];
}

DbFlavor flavor_of_text(const char *server_version)
{
    return strstr(server_version, "MariaDB") ? DB_MARIADB : DB_MYSQL;
}

bool flavor_from_name(const char *name, DbFlavor *ret)
{
    for (size_t i = 0; i < COUNT(flavors); i++)
        if (str_eq(flavors[i].name, name)) {
            *ret = flavors[i].flavor;
            return true;
        }
    return false;
}

static bool at_least(const DbVersion *v, int major, int minor)
{
    return v->major > major || (v->major == major && v->minor >= minor);
}

bool flavor_check_version(const DbVersion *v, Err *err)
{
    const Flavor *f = flavor_of(v->flavor);
    if (at_least(v, f->min_major, f->min_minor))
        return true;
    return err_set(err, ERR_REFUSED, 0, "the server is %s %s, Siding needs %s %d.%d or newer", f->name,
                   v->text, f->name, f->min_major, f->min_minor);
}

bool flavor_is_untested(const DbVersion *v)
{
    const Flavor *f = flavor_of(v->flavor);
    return at_least(v, f->tested_major, f->tested_minor + 1);
}
