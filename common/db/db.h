/* SPDX-License-Identifier: Apache-2.0
 * The only way to a server. Blocking: called from worker threads and programs, never from a loop.
 * Every connection has deadlines; values are bound or escaped here, identifiers quoted here.
 * ERR_UNREACHABLE and ERR_AUTH come from connecting; ERR_LOST, ERR_TIMEOUT and ERR_CANCELLED mean that the
 * outcome of a statement is not known; ERR_DB carries the server's error number.
 */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/str.h"

typedef struct Db Db;
typedef struct DbRows DbRows;

typedef struct DbTarget {
    char *defaults_file; /* [client] group: user, password, and what the fields below leave out; NULL: none
                            read */
    char *socket;        /* wins over host and port */
    char *host;
    int64_t port;
    char *user, *password; /* NULL: from the defaults file */
    char *database;
    char *tls_ca, *tls_cert, *tls_key; /* demanded by the caller where the host is not loopback */
    bool named;                        /* the file or the caller must name the account */
} DbTarget;
void db_target_done(DbTarget *t);
void db_target_copy(DbTarget *to, const DbTarget *from);

/* Each thread that uses connections calls these at its begin and end; the main thread need not. */
void db_library_begin(void);
void db_thread_begin(void);
void db_thread_end(void);

typedef enum DbFlavor { DB_MARIADB, DB_MYSQL } DbFlavor;
enum { FLAVORS = 2 };

typedef struct DbVersion {
    DbFlavor flavor;
    int major, minor, patch;
    char text[64]; /* as the server says it */
} DbVersion;

enum { DB_CONNECT_TIMEOUT_MS = 5000 };

/* Connects, makes sure that the account that answers is the one that was meant (not that of the operating
 * system's user, nor an anonymous one), detects the flavour, sets utf8mb4 and every variable of session.h's
 * table. `timeout_ms` bounds the wait for each later statement's answer (0: none, only for job programs). It
 * ends only our wait: after ERR_TIMEOUT the connection gives ERR_LOST for ever, and the statement goes on in
 * the server until db_kill. */
MUST_CHECK bool db_connect(const DbTarget *target, int64_t timeout_ms, Db **ret, Err *err);
void db_close(Db *db);
const DbVersion *db_version(const Db *db);
uint64_t db_connection_id(const Db *db);
/* The server's process at the other end of a unix socket (SO_PEERCRED), 0 over TCP. */
pid_t db_server_pid(const Db *db);
/* Nobody else reads what goes over it: a unix socket, loopback, or TLS. */
bool db_is_private(const Db *db);
int64_t db_timeout(const Db *db);
void db_set_timeout(Db *db, int64_t timeout_ms);
/* A wait for an answer ends with ERR_CANCELLED within a moment of *cancel; for the connection and the
 * statement that is as ERR_TIMEOUT. Only where there is a timeout. NULL: nobody cancels. Borrowed. */
void db_set_cancel(Db *db, const atomic_bool *cancel);
MUST_CHECK bool db_ping(Db *db, Err *err);
/* Asks for the binary log from a place on, as the replica of that number, and waits for the first of the
 * answer. The connection serves for nothing else afterwards. */
MUST_CHECK bool db_ask_binlog(Db *db, uint32_t server_id, const char *file, uint64_t pos, Err *err);

/* Bound values: `fmt` has one letter a parameter: s (const char *, NULL is SQL NULL), i (int64_t), b (const
 * void *, size_t). SQL holds a ? for each. Statements without parameters take fmt "". */
MUST_CHECK bool db_exec(Db *db, Err *err, const char *sql, const char *fmt, ...);
MUST_CHECK bool db_exec_affected(Db *db, int64_t *ret_rows, int64_t *ret_insert_id, Err *err, const char *sql,
                                 const char *fmt, ...);
/* Whole result in memory (bounded results only). */
MUST_CHECK bool db_query_v(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, va_list ap);
MUST_CHECK bool db_query(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, ...);
/* One row at a time, unbuffered (mysql_use_result), for large results; no parameters. */
MUST_CHECK bool db_stream(Db *db, DbRows **ret, Err *err, const char *sql);

/* Next row: true and *ret_more false at the end. Fields are valid until the next call. */
MUST_CHECK bool db_next(DbRows *r, bool *ret_more, Err *err);
size_t db_columns(const DbRows *r);
const char *db_column_name(const DbRows *r, size_t i);
int db_column_index(const DbRows *r,
                    const char *name);               /* -1 where absent; status columns are fetched by name */
bool db_column_is_number(const DbRows *r, size_t i); /* integer, decimal or floating: needs no quotes */
bool db_column_is_bit(const DbRows *r, size_t i);
const char *db_field(const DbRows *r, size_t i, size_t *ret_n); /* NULL for SQL NULL; ret_n may be NULL */
/* By name; "" / 0 for NULL or an absent column. */
const char *db_text(const DbRows *r, const char *name);
int64_t db_int(const DbRows *r, const char *name);
void db_rows_free(DbRows *r);

/* One value of one row; NULL (SQL) gives *ret = NULL; no row is ERR_NOT_FOUND. Owned. */
MUST_CHECK bool db_value(Db *db, char **ret, Err *err, const char *sql, const char *fmt, ...);
/* Every text of that column (from 0), but NULLs, added. */
MUST_CHECK bool db_column(Db *db, const char *sql, int column, StrList *ret, Err *err);
MUST_CHECK bool db_value_int(Db *db, int64_t *ret, Err *err, const char *sql, const char *fmt, ...);

/* A lock by name in the server, until this connection frees it or ends. *ret false: another has it still. */
MUST_CHECK bool db_take_lock(Db *db, const char *name, int64_t wait_s, bool *ret, Err *err);
/* The id of the connection that holds it; 0: nobody. */
MUST_CHECK bool db_lock_holder(Db *db, const char *name, int64_t *ret, Err *err);

/* LOAD DATA LOCAL INFILE fed from a callback: returns bytes given, 0 at the end, -1 on error (fills err). */
typedef ssize_t (*DbFeed)(void *arg, char *buffer, size_t n, Err *err);
MUST_CHECK bool db_load_data(Db *db, const char *sql, DbFeed feed, void *arg, int64_t *ret_rows, Err *err);
unsigned db_warnings(const Db *db); /* how many the last statement gave */
/* Other sessions' locks were in the way (a deadlock's victim, or a wait that was too long): what was asked
 * for may be tried again; in a transaction the whole of it, from its ROLLBACK on. */
bool db_locked_out(const Err *err);
/* A statement outside of a transaction that is locked out is tried again for as long as `again` says so; it
 * waits, and may set another error. `try` is from 1. Without it, and in a transaction: never. `arg` is
 * borrowed. */
typedef bool (*DbAgain)(void *arg, int try, Err *err);
void db_set_again(Db *db, DbAgain again, void *arg);

void db_quote_id(Str *out, const char *name);                     /* `a``b` */
void db_quote_ids(Str *out, const StrList *names);                /* `a`, `b` */
void db_quote_table(Str *out, const char *db, const char *table); /* `a`.`b` */
void db_quote_str(Str *out, const char *bytes,
                  size_t n); /* 'it\'s', valid under every sql_mode Siding sets */
/* The statement with its values as literals, as db_exec sends it. Pure. */
MUST_CHECK bool db_bind(Str *out, const char *sql, const char *fmt, va_list ap, Err *err);
/* Splits "db.table" at its first dot; both owned. False if there is no dot or a part is empty. */
bool db_split_table(const char *name, char **ret_db, char **ret_table);
/* Kills a connection by id from a second connection (a timed-out statement goes on in the server). */
MUST_CHECK bool db_kill(const DbTarget *target, uint64_t connection_id, Err *err);
