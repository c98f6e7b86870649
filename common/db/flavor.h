/* SPDX-License-Identifier: Apache-2.0
 * All that differs between MariaDB and MySQL, one row each; no other file asks which server it is.
 */
#pragma once

#include "db.h"

typedef struct FlavorGrant {
    const char *account;    /* "siding", "siding_agent", "siding_rescue", "siding_job", "siding_load",
                               "siding_provision" (on a donor) */
    const char *privileges; /* comma list */
    const char *on; /* "*.*", "siding.*", "siding.ledger", "READ" (each database of grants.read), "LOAD" */
} FlavorGrant;

/* A way of parallel apply that a catch-up may try. */
enum { FLAVOR_WAYS = 4 };
typedef struct FlavorWay {
    const char *name; /* for people and for the agent's memory */
    bool parallel;
    const char *mode; /* value of parallel_mode_var; NULL: as it is */
} FlavorWay;

/* Each appends to "CREATE USER x" or "ALTER USER x"; passwords go as hashes where the server takes that. */
typedef void (*FlavorPassword)(Str *out, const char *password, const char *old_hash);

typedef struct Flavor {
    DbFlavor flavor;
    const char *name;               /* "mariadb", "mysql": wire name */
    int min_major, min_minor;       /* oldest version supported */
    int tested_major, tested_minor; /* newest series the tests run on */

    /* Statements without parameters. */
    const char *show_replica_status; /* one row a channel */
    const char *start_sql, *stop_sql, *start_receiver, *start_both, *stop_both;
    const char *stop_receiver;
    const char *forget_log; /* its own binary log, and the GTIDs that it has, begin anew; wants RELOAD */
    const char *set_logged; /* bound: what its binary log counts as having, right after forget_log; NULL: that
                               is set_position */
    const char *set_position;  /* bound: what it has applied, right after forget_log */
    const char *admins_write;  /* lets accounts with every right write on what is read-only; NULL: they do */
    const char *forget_source; /* stopped: it follows nobody any more; wants RELOAD */
    const char *position_sql; /* one row: applied (as a replica), binlog, read_only, server_id, datadir; uuid,
                                 closed, logged, traits (ReplStatus) where there is one */
    const char *show_binlog_status; /* columns File, Position */
    const char *read_only_on, *read_only_off;
    bool closes_for_all; /* read_only_on stops every account, whatever its rights */
    const char *semi_sync_source_on, *semi_sync_source_off;
    /* KILL of a commit that waits for an acknowledgement, also KILL QUERY, tells the clients of all others of
     * its group that they are safe, though no replica has them. [R] 10.11.19 */
    bool kill_acknowledges;
    const char *semi_sync_replica_on, *semi_sync_replica_off; /* from the next start of the receiver on */
    const char *const
        *semi_sync_strict;             /* a commit waits for ever, also when no replica is there; NULL ends */
    const char *const *semi_sync_asks; /* in a session that then asks for the binary log; NULL ends */
    const char *semi_sync_count;       /* text with one %lld: how many must acknowledge; NULL: always one */
    const char *semi_sync_source_status, *semi_sync_replica_status; /* status variables: ON, OFF */
    const char *semi_sync_source_var; /* what a person sets, whether or not anybody acknowledges */
    const char *const
        *stopped_vars;        /* those that a replica changes only with its applier stopped; NULL ends */
    const char *settings_sql; /* one row with the fields of ReplSettings */
    const char *workers_var, *parallel_mode_var; /* parallel_mode_var NULL: none */
    const char *queue_bytes_var;                 /* memory of what is read ahead for the workers */
    const char *workers_none;                    /* value of workers_var: one after the other */
    FlavorWay ways[FLAVOR_WAYS];                 /* the most promising first; ended by a NULL name or full */
    bool exec_pos_exact;           /* col_exec_pos moves with each transaction, not by checkpoints */
    const char *semi_sync_plugins; /* option plugin_load_add; NULL: built in */
    const char *skip_start_sql; /* one value, 1 if the server leaves replication stopped at boot; NULL: not a
                                   variable */
    bool binlog_is_by_domain;   /* a file of the binary log begins with each domain's last, not with a set */
    bool purges_on_start;       /* START with both threads stopped deletes the relay logs */
    const char *refetch_sql;    /* forgets the server's own binary log, so that it can fetch from its applied
                                   position    again; NULL: it must be provisioned anew */

    const char *relay_reset_sql; /* begins the relay files anew where a START fails with this error, because a
                                    kill has left them and what is noted of them apart; NULL: none */
    int relay_broken_errno;
    /* Columns of show_replica_status, fetched by name; NULL where there is none. */
    const char *col_io_running, *col_sql_running, *col_source_host, *col_source_port, *col_source_user,
        *col_exec_file, *col_exec_pos, *col_read_file, *col_read_pos, *col_received, *col_io_errno,
        *col_io_error, *col_sql_errno, *col_sql_error, *col_relay_space, *col_relay_pos, *col_delay,
        *col_delay_left, *col_gtid_mode, *col_channel;
    const char *gtid_mode_bad;     /* the value of col_gtid_mode that says: not by GTID */
    bool received_without_applied; /* col_received holds only what this server fetched itself: add the applied
                                    */

    /* Statements with parts. */
    void (*follow)(Str *out, const char *host, int64_t port); /* by GTID, as the account that is configured */
    const char
        *demoted; /* goes behind `follow` on what was a primary: what it has written counts as its position */
    const char *delayed; /* text with one %lld, goes behind `follow`: on purpose by so many seconds */
    /* Both threads stopped: no delay any more, and what the relay files hold from there on is kept (without a
     * file it would be thrown away). Its position by GTID comes back with `follow`. NULL: there is no such
     * statement, a rescue does not know the delay. */
    void (*lift_delay)(Str *out, const char *relay_file, int64_t relay_pos);
    void (*follow_as)(Str *out, const char *user, const char *password); /* that account */
    void (*start_sql_until)(Str *out, const char *gtid, const char *source_file, int64_t source_pos);
    void (*wait_applied)(Str *out, const char *gtid, double seconds); /* SELECT: 0 reached */

    /* Reading everything at one moment. */
    const char *const *hold_commits; /* statements, ended by NULL: no commit ends between the last of them and
                                        release_commits */
    const char *release_commits;
    const char *hold_commits_name, *hold_commits_privilege; /* for people */
    const char *snapshot_position_sql; /* binlog file and position of the session's snapshot, without one
                                          of the last commit, as rows of name and value; NULL: not told */
    const char *gtid_of_position_sql;  /* bound: file, position */
    const char *reader_session;        /* statement: no limit on a statement's time, fresh estimates */
    bool executes_text;                /* EXECUTE IMMEDIATE of any statement */
    /* Around a FLOAT or DOUBLE: its shortest exact text, the same in a result and as a function's argument
     * (where MySQL cuts a plain number at 22 characters). */
    const char *real_text_before, *real_text_after;
    /* Around a column of type JSON: the text of what comes of its text, where the server keeps more than
     * that; NULL: it keeps the text. */
    const char *json_text_before, *json_text_after;
    const char *routines_probe_sql; /* fails where the account may not see routines; NULL: grants tell */
    const char *routines_grant;     /* that lets it see their text */
    const char *load_session; /* statement that lets a load take every row that a table holds; NULL: none
                                 needed */

    const int *loss_warnings; /* of lost data, beside those that both servers number alike; ended by 0 */

    const char *become_replica; /* text with one %s, the dump's position: for people to complete */
    const char *users_sql;      /* user, host, is_role: accounts that are not the server's own, roles first */
    const char *users_session;  /* statement before SHOW CREATE USER; NULL: none */

    const char *password_sql; /* of user ? at host ?: plugin, hash, other (a second one; "": none) */
    void (*identified)(Str *out, const char *password);
    FlavorPassword add_password, drop_password; /* a new one beside the old one; the old one goes */
    const FlavorGrant *grants;                  /* ended by a NULL account */

    const char *keyless_sql; /* one column "db/table": tables without primary or unique key; wants PROCESS */
    /* columns name ("db/table"), row_count, changed (rows since its statistics were made): the same tables */
    const char *keyless_changes_sql;
    const char *xa_prepared_sql; /* one row a transaction */
    const char *temp_tables_sql; /* status variable, as Variable_name, Value: replicated ones that are open */
    const char *innodb_foreign;  /* table of information_schema: InnoDB's foreign keys; wants PROCESS */
    const char *log_readers_sql; /* one value: connections that read this server's binary log */
    const char *purge_expire_var; /* seconds; 0: never */
    const char *purge_size_var;   /* bytes in all; 0: no limit; NULL: unknown to the flavour */
    /* For people: statements with %s, twice its name, that take a named connection away, and with its host
     * (%s) and port (%lld) what makes it the default one. */
    const char *remove_channel, *default_channel;
    const char *use_gtid; /* for people: the statements that make a replica position itself by GTID */

    /* Options that Siding demands, as `siding check` and the guide show them. */
    const char *skip_start_option, *read_only_option;
} Flavor;

const Flavor *flavor_of(DbFlavor f);
bool flavor_is_siding(const Flavor *f, const char *user); /* an account of Siding's own */
DbFlavor flavor_of_text(const char *server_version);      /* as the server or a manifest states it */
bool flavor_from_name(const char *name, DbFlavor *ret);
/* ERR_REFUSED with the supported range. */
MUST_CHECK bool flavor_check_version(const DbVersion *v, Err *err);
/* Newer than any the tests run on: it may work, and differ in what a crash leaves. */
bool flavor_is_untested(const DbVersion *v);
