/* SPDX-License-Identifier: Apache-2.0
 * All that differs between MariaDB and MySQL, one row each; no other file asks which server it is.
 */
#pragma once

#include "db.h"

typedef struct Flavor {
    DbFlavor flavor;
    const char *name; /* "mariadb", "mysql": wire name */

    /* Statements without parameters; NULL where the server has none. */
    const char *show_replica_status;
    const char *stop_sql, *start_sql, *start_both, *stop_both;
    const char *position_sql;       /* one row: applied, binlog (both GTID texts) */
    const char *show_binlog_status; /* columns File, Position */
    const char *read_only_on, *read_only_off, *read_only_query;
    const char *sync_binlog_var, *flush_log_var;
    const char *workers_var;       /* parallel apply threads */
    const char *parallel_mode_var; /* NULL on MySQL */
    bool workers_need_stopped_sql;
    const char *semi_sync_source_var, *semi_sync_replica_var, *semi_sync_clients_status;

    /* Column names of SHOW REPLICA STATUS, fetched by name. */
    const char *col_io_running, *col_sql_running, *col_source_host, *col_source_port, *col_source_file,
        *col_exec_file, *col_exec_pos, *col_read_pos, *col_received, *col_io_error, *col_sql_error,
        *col_io_errno, *col_sql_errno, *col_using_gtid, *col_relay_space, *col_delay, *col_channel;
    const char *using_gtid_good; /* value col_using_gtid must have; NULL: any */

    /* Statements with parts, built into `out`. */
    void (*start_sql_until)(Str *out, const char *gtid, const char *source_file, int64_t source_pos);
    void (*wait_applied)(Str *out, const char *gtid, double seconds); /* SELECT: 0 reached, else timed out */

    /* Grants of Siding's accounts: rows of {account, privileges, on}; ended by a NULL account. */
    const struct FlavorGrant *grants;
    const char *create_user_plugin; /* IDENTIFIED clause words */
} Flavor;

typedef struct FlavorGrant {
    const char *account;    /* "siding", "siding_agent", "siding_job", "siding_load" */
    const char *privileges; /* comma list */
    const char *on;         /* "*.*", "siding.*", "READ" (each database of grants.read), "LOAD" */
} FlavorGrant;

const Flavor *flavor_of(DbFlavor f);
bool flavor_from_name(const char *name, DbFlavor *ret);
