/* SPDX-License-Identifier: Apache-2.0
 * What the scripts of server/op_* have in common: the statements of both flavours as they must be sent,
 * written here once more by hand, and the answers of a server that is described by a View.
 */
#pragma once

#include "binlogfile.h"
#include "scriptdb.h"

#include "common/db/repl.h"
#include "replica-agent/server/op.h"

typedef struct Dialect {
    const char *status, *position, *settings;
    const char *start_sql, *stop_sql, *start_both, *stop_both;
    const char *workers, *queue_bytes; /* variables */
    const char *wait;                  /* "…" is the position and the time */
    const char *until;                 /* "…" is the place */
    const char *semi_sync_on, *semi_sync_off, *read_only_on, *read_only_off;
    const char *uuid; /* of MySQL's positions; NULL: MariaDB's */
} Dialect;
extern const Dialect *d; /* of the flavour under test */

/* Runs the same test for each flavour: `static void x(void) {…} BOTH(x)`. */
void on_flavor(DbFlavor flavor, void (*test)(void));
#define BOTH(name)                                                                                           \
    static void name##_mariadb(void **state)                                                                 \
    {                                                                                                        \
        (void)state;                                                                                         \
        on_flavor(DB_MARIADB, name);                                                                         \
    }                                                                                                        \
    static void name##_mysql(void **state)                                                                   \
    {                                                                                                        \
        (void)state;                                                                                         \
        on_flavor(DB_MYSQL, name);                                                                           \
    }
#define TESTS_OF(name) cmocka_unit_test(name##_mariadb), cmocka_unit_test(name##_mysql)
bool is_mariadb(void);

/* A position after `n` transactions: "0-1-n", "UUID:1-n". Kept by the script. */
const char *at_trx(int n);

/* What a server says of itself. Zeroes are those of view_of. */
typedef struct View {
    bool primary; /* no source is configured */
    bool open;    /* read_only is off */
    ReplIo io;
    bool sql;
    int applied, received;                                  /* transactions */
    const char *applied_text, *binlog_text, *received_text; /* in their place */
    const char *source_host;
    int source_port;
    int io_errno, sql_errno;
    const char *sql_error;
    const char *channel;   /* NULL: the default connection */
    const char *read_file; /* where its receiver is; NULL: nowhere yet */
    int read_pos;
    int space;
    int delay_s;
} View;
/* A replica at `n`, both threads running. */
View view_at(int n);
View stopped_at(int n); /* the applier stands, the receiver runs */
View both_stopped_at(int n);

/* One reading: the three statements, by the connection of `on` (NULL: the youngest). */
void expect_look(View v);
/* The same until one of the three fails: 0, 1 or 2 of them are answered before. */
void expect_look_broken(View v, int answered, ErrKind fail);
/* Sessions: those whose commit waits for an acknowledgement, all that are at a statement, those of clients.
 */
#define WAITING "SELECT ID, USER = …"
#define BUSY "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER <> …"
#define CLIENTS "SELECT p.ID, CONCAT(p.USER, '@', p.HOST), p.TIME, LEFT(COALESCE(p.INFO, p.COMMAND), 120)…"

/* Whether the server waits for acknowledgements as a source, and gives them as a replica. */
#define SEMI_SYNC "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'"
void expect_semi_sync(bool source, bool replica);
const char *status_columns(void); /* of Dialect.status */
const char *status_row(View v);
const char *position_row(View v);
#define POSITION_COLUMNS "applied|binlog|read_only|server_id"

/* What is half done where the applier stands: rows of XA RECOVER, open tables, a Replicate_Do_DB (NULL:
 * none). */
void expect_half_done(int xa, int tables, const char *filter);

void expect_open(int64_t ms); /* by the agent's account, without GTIDs of its own */
#define NO_GTIDS "SET SESSION sql_log_bin=0"
void expect_settings(LeaseSettings now);
#define SETTINGS_COLUMNS "sync_binlog|flush_log|workers|parallel_mode|sync_relay|queue_bytes"
const char *settings_row(LeaseSettings s);
/* "SET GLOBAL name=value" */
const char *set_global(const char *name, const char *value);

/* The server's own; with sync_relay_log as during a pause; as a boost sets them. Literals. */
LeaseSettings own_settings(void), paused_settings(void), boosted_settings(void);

/* Relay files on disk that hold transactions up to `n`, as their server names them. */
typedef struct Relay {
    char dir[40];
} Relay;
void relay_begin(Relay *r, int n);
/* The same, with the transactions of `domain` and by `server`, from `first` on. */
void relay_add(Relay *r, int domain, int server, int first, int last);
void relay_add_file(Relay *r, const Str *file);
void relay_end(Relay *r);
size_t relay_links(const Relay *r); /* so many are kept in the vault */
#define PATHS "SELECT @@global.datadir AS data…"
#define PATHS_COLUMNS "data|idx|relay|binlog|bindex"
const char *paths_row(const Relay *r);
void expect_paths(const Relay *r);

OpServer agent_server(void); /* of the account "agent", 5000 ms a statement */
DbTarget rescuer_target(void);
/* Fails the test unless the operation ended so, and says what it sent. */
#define EXPECT_RESULT(out, want, kind_)                                                                      \
    do {                                                                                                     \
        if ((out).result != (want) || (out).err.kind != (kind_))                                             \
            fail_msg("result %d, wanted %d; %s: %s\n%s", (int)(out).result, (int)(want),                     \
                     err_kind_name((out).err.kind), (out).err.text, script_log());                           \
    } while (0)
