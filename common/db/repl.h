/* SPDX-License-Identifier: Apache-2.0
 * Replication of one server: what it says, and the few statements that change it. No rule here decides
 * anything; no function issues a START that could purge relay logs without being named so.
 */
#pragma once

#include "db.h"

typedef enum ReplIo { REPL_IO_NO, REPL_IO_CONNECTING, REPL_IO_YES } ReplIo;

typedef struct ReplStatus {
    bool is_replica;  /* a source is configured */
    int64_t channels; /* configured sources, the private one of a rescue not counted */
    char *channel;    /* the name of the first; "" for the default, which alone Siding can pause */
    ReplIo io;
    bool sql_running;
    bool uses_gtid; /* GTID positioning as Siding needs it */
    char *source_host;
    int64_t source_port;
    bool has_account; /* to receive as */
    char *applied;    /* gtid_slave_pos / gtid_executed */
    char *binlog;     /* gtid_binlog_pos / gtid_executed: what this server itself has logged */
    char *received;   /* Gtid_IO_Pos / Retrieved ∪ executed; "" when not known (MariaDB after a restart) */
    char *exec_file;  /* the source's binlog coordinates of the applied position */
    int64_t exec_pos;
    char *read_file;
    char *relay_name; /* of its relay files now, without their number; NULL: none */
    char *relay_file; /* that is being applied, as the server names it; relay_pos is in it */
    int64_t read_pos;
    int64_t relay_bytes;  /* Relay_Log_Space */
    int64_t relay_pos;    /* applied, in relay_file */
    int64_t delay_s;      /* on purpose */
    char *filters;        /* "Replicate_Do_DB=x; …": what it leaves out; NULL: nothing */
    bool waits_for_delay; /* what is due is applied: the next event is younger than the delay */
    int64_t io_errno, sql_errno;
    char *io_error, *sql_error; /* sql_error without what it quotes of rows */
    bool read_only;             /* as a replica's should be: no account but the server's own may write */
    bool closed;  /* read_only, or at least so that the accounts of applications may not write */
    char *logged; /* MariaDB: gtid_binlog_state, the last of each domain and server; "": `binlog` is all */
    char *traits; /* "sql_mode=… time_zone=…": a variable a word */
    int64_t server_id, uptime_s;
    char *identity; /* which server it is, whoever runs it: its UUID or id, and where its data are. For people
                       too */
} ReplStatus;
void repl_status_done(ReplStatus *s);
MUST_CHECK bool repl_read(Db *db, ReplStatus *ret, Err *err);

/* Of a row of show_replica_status: "Replicate_Do_DB=x", one for each kind of filter that is set. */
void repl_row_filters(const DbRows *r, StrList *ret);

/* The connection of Siding's own beside a replica's: only a rescue makes it, and it is gone after it. */
#define REPL_PRIVATE_CHANNEL "siding_rescue"
bool repl_row_is_private(const Db *db, const DbRows *r); /* a row of show_replica_status */
/* Its state; is_replica false: there is none. Positions are left out. */
MUST_CHECK bool repl_read_private(Db *db, ReplStatus *ret, Err *err);

/* Where the server's own binary log ends; *ret_file owned, NULL: it has none. */
MUST_CHECK bool repl_log_end(Db *db, char **ret_file, int64_t *ret_pos, Err *err);
/* Where the session's snapshot stands in it; in a session without one, the last commit. Only where the
 * flavour has snapshot_position_sql. *ret_file as above, replaced. */
MUST_CHECK bool repl_snapshot_place(Db *db, char **ret_file, int64_t *ret_pos, Err *err);

/* STOP of the applier thread; on ERR_TIMEOUT the thread may still stop later (facts: an abandoned STOP still
 * stops). */
MUST_CHECK bool repl_stop_sql(Db *db, Err *err);
/* Refuses (ERR_REFUSED) unless the receiver runs or is connecting: with both threads stopped MariaDB would
 * purge the relay logs. */
MUST_CHECK bool repl_start_sql(Db *db, Err *err);
MUST_CHECK bool repl_start_sql_until(Db *db, const char *gtid, const char *source_file, int64_t source_pos,
                                     Err *err);
/* Both threads. On MariaDB this purges whatever the relay logs hold beyond the applied position: the caller
 * must know that nothing is there, or that the source still has it. */
MUST_CHECK bool repl_start_both_purging(Db *db, Err *err);
/* Only the applier, with both threads stopped, on a flavour that does not purge by it (MySQL): applies what
 * the relay files hold. ERR_REFUSED on the other. */
MUST_CHECK bool repl_drain(Db *db, Err *err);
MUST_CHECK bool repl_stop_both(Db *db, Err *err);
/* Both threads stopped, `s` read since: it is not delayed any more, and what the relay files hold stays. Only
 * where the flavour has lift_delay. */
MUST_CHECK bool repl_lift_delay(Db *db, const ReplStatus *s, Err *err);
/* Waits in the server until `gtid` is applied; *ret false after the time. */
MUST_CHECK bool repl_wait_applied(Db *db, const char *gtid, int64_t timeout_ms, bool *ret, Err *err);
MUST_CHECK bool repl_set_read_only(Db *db, bool on, Err *err);
MUST_CHECK bool repl_set_semi_sync_source(Db *db, bool on, Err *err);

typedef struct ReplSemiSync {
    bool source_on;    /* commits here wait for an acknowledgement */
    bool source_set;   /* … or would, once somebody acknowledges; of repl_semi_sync_read_set alone */
    int64_t acks;      /* replicas that acknowledge what is committed here; -1: not known */
    int64_t waits;     /* sessions whose commit waits for that */
    bool acknowledges; /* this server, to its source */
} ReplSemiSync;
MUST_CHECK bool repl_semi_sync_read(Db *db, ReplSemiSync *ret, Err *err);
MUST_CHECK bool repl_semi_sync_read_set(Db *db, ReplSemiSync *io, Err *err);

/* Durability and parallel apply: what a boost changes and a lease keeps. Values are texts as the server gives
 * them. */
typedef struct ReplSettings {
    char *sync_binlog, *flush_log, *workers, *parallel_mode; /* parallel_mode "" on MySQL */
    char *sync_relay;
    char *queue_bytes; /* what may wait, read ahead, for the workers */
} ReplSettings;
void repl_settings_done(ReplSettings *s);
MUST_CHECK bool repl_settings_read(Db *db, ReplSettings *ret, Err *err);
/* Sets those that differ. With `sql_stopped` false the ones that need a stopped applier are left alone. */
MUST_CHECK bool repl_settings_apply(Db *db, const ReplSettings *s, bool sql_stopped, Err *err);
/* Puts `own` back where what is set now is one of `ours` ("4|8"; `ours` NULL: whatever is set): what somebody
 * else has set meanwhile stays. */
MUST_CHECK bool repl_settings_return(Db *db, const ReplSettings *own, const ReplSettings *ours,
                                     bool sql_stopped, Err *err);
/* They are back; what was left is added to `left`, as sentences ("sync_binlog is 100, not 1"). */
bool repl_settings_are_back(const Db *db, const ReplSettings *own, const ReplSettings *ours,
                            const ReplSettings *now, Str *left);
/* A START of both threads failed for its relay files: relay_reset_sql of the flavour mends it, where
 * everything they hold is applied. */
bool repl_relay_is_broken(const Db *db, const Err *failed);

/* Where the server keeps its files, as it says itself. */
typedef struct ReplPaths {
    char *relay_index, *relay_folder;                 /* relay_index: the file that lists the relay files */
    char *data_folder, *binlog_folder, *binlog_index; /* the last two NULL: no binary log */
} ReplPaths;
void repl_paths_done(ReplPaths *p);
MUST_CHECK bool repl_paths_read(Db *db, ReplPaths *ret, Err *err);

/* Whether the server would start replication by itself at boot: reads the option files and command line of
 * the process `server_pid` on MariaDB, @@skip_replica_start on MySQL. */
MUST_CHECK bool repl_skips_start_at_boot(Db *db, pid_t server_pid, bool *ret, Err *err);
