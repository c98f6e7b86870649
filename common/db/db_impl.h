/* SPDX-License-Identifier: Apache-2.0
 * Shared by db.c, db_connect.c, db_rows.c and db_load.c, which alone call the client library, but for
 * db_client_*.c.
 */
#pragma once

#include <mysql.h>

#include "db.h"

struct Db {
    MYSQL *my;
    DbVersion version;
    int64_t timeout_ms; /* of one statement, 0: none */
    int64_t began_ms;   /* of the wait under way */
    bool given_up;
    const atomic_bool *cancel;
    DbAgain again;
    void *again_arg;
};

struct DbRows {
    Db *db;
    MYSQL_RES *res;
    bool streaming;
    size_t n_columns;
    MYSQL_FIELD *columns;
    MYSQL_ROW row;
    unsigned long *row_lengths;
};

bool db_impl_is_auth_error(unsigned code);
ErrKind db_impl_kind_of(unsigned code);
/* Of the last call of the library; always false. */
bool db_impl_my_error(Db *db, Err *err);
MUST_CHECK bool db_impl_run_n(Db *db, const char *sql, size_t n, Err *err);
MUST_CHECK bool db_impl_run_v(Db *db, Err *err, const char *sql, const char *fmt, va_list ap);
/* Reads results that a statement may still have (CALL ends with one). */
MUST_CHECK bool db_impl_drain(Db *db, Err *err);
/* A server may ask for any local file in reply to any statement: only db_load_data feeds one. */
void db_impl_refuse_infile(Db *db);
