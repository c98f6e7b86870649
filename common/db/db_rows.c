/* SPDX-License-Identifier: Apache-2.0 */
#include "db_impl.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "db_client.h"
#include "dbwire.h"

static DbRows *rows_of(Db *db, MYSQL_RES *res, bool streaming)
{
    DbRows *r = NEW(DbRows);
    r->db = db;
    r->res = res;
    r->streaming = streaming;
    r->n_columns = mysql_num_fields(res);
    r->columns = mysql_fetch_fields(res);
    return r;
}

static bool take_rows(Db *db, bool streaming, DbRows **ret, Err *err, const char *sql)
{
    MYSQL_RES *res = streaming ? mysql_use_result(db->my) : mysql_store_result(db->my);
    if (!res && mysql_errno(db->my))
        return db_impl_my_error(db, err);
    if (!res)
        return err_set(err, ERR_DB, 0, "the statement gives no rows: %.200s", sql);
    DbRows *r = rows_of(db, res, streaming);
    if (!streaming && !db_impl_drain(db, err)) {
        db_rows_free(r);
        return false;
    }
    *ret = r;
    return true;
}

bool db_query_v(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    return db_impl_run_v(db, err, sql, fmt, ap) && take_rows(db, false, ret, err, sql);
}

bool db_stream(Db *db, DbRows **ret, Err *err, const char *sql)
{
    return db_impl_run_n(db, sql, strlen(sql), err) && take_rows(db, true, ret, err, sql);
}

bool db_next(DbRows *r, bool *ret_more, Err *err)
{
    r->db->began_ms = r->streaming ? clock_mono_ms() : 0;
    r->row = mysql_fetch_row(r->res);
    if (!r->row && r->streaming && mysql_errno(r->db->my))
        return db_impl_my_error(r->db, err);
    r->row_lengths = r->row ? mysql_fetch_lengths(r->res) : NULL;
    *ret_more = r->row != NULL;
    return true;
}

size_t db_columns(const DbRows *r)
{
    return r->n_columns;
}

const char *db_column_name(const DbRows *r, size_t i)
{
    return r->columns[i].name;
}

int db_column_index(const DbRows *r, const char *name)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcasecmp(r->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool db_column_is_number(const DbRows *r, size_t i)
{
    return IS_NUM(r->columns[i].type) && r->columns[i].type != MYSQL_TYPE_TIMESTAMP &&
           !db_column_is_bit(r, i);
}

bool db_column_is_bit(const DbRows *r, size_t i)
{
    return r->columns[i].type == MYSQL_TYPE_BIT;
}

const char *db_field(const DbRows *r, size_t i, size_t *ret_n)
{
    if (ret_n)
        *ret_n = r->row_lengths[i];
    return r->row[i];
}

void db_rows_free(DbRows *r)
{
    if (!r)
        return;
    Err ignored;
    mysql_free_result(r->res);
    if (r->streaming)
        (void)!db_impl_drain(r->db, &ignored);
    free(r);
}

/* ---- rows off the wire ---------------------------------------------------------------------------- */

bool db_wire_begin(DbRows *r, DbWire *ret)
{
    return r->streaming && !r->db->timeout_ms && db_client_take_ahead(r->db->my, ret);
}

void db_wire_end(DbRows *r, bool whole)
{
    Db *db = r->db;
    if (!whole) {
        db->given_up = true;
        shutdown(db_client_socket(db->my), SHUT_RDWR);
    }
    db->my->status = MYSQL_STATUS_READY;
    r->res->eof = 1;
    r->res->handle = NULL;
}

bool db_wire_error(unsigned code, const char *text, Err *err)
{
    return err_set(err, db_impl_kind_of(code), (int)code, "%s (server error %u)", text, code);
}

const char *const *db_row(const DbRows *r, const unsigned long **ret_lengths)
{
    *ret_lengths = r->row_lengths;
    return (const char *const *)r->row;
}
