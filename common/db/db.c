/* SPDX-License-Identifier: Apache-2.0
 * Connections and statements. Text protocol throughout: values are
 * written as literals by db_bind. (The library's prepared statements give no DOUBLE as text and their wait
 * cannot be bounded in milliseconds.) A connection whose wait was given up answers nothing any more: what
 * comes next could belong to the statement before.
 */
#include "db_impl.h"

#include <errmsg.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "db_client.h"

enum { CANCEL_LOOK_MS = 50 };

/* ---- library and threads -------------------------------------------------------------------------- */

static void library_init(void)
{
    mysql_library_init(0, NULL, NULL);
}

void db_library_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_init);
}

void db_thread_begin(void)
{
    db_library_begin();
    mysql_thread_init();
}

void db_thread_end(void)
{
    mysql_thread_end();
}

/* ---- errors --------------------------------------------------------------------------------------- */

bool db_impl_is_auth_error(unsigned code)
{
    static const unsigned codes[] = {1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1698, 2026, 2059, 2061};
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

ErrKind db_impl_kind_of(unsigned code)
{
    switch (code) {
    case CR_SERVER_LOST:
    case CR_SERVER_GONE_ERROR:
    case CR_COMMANDS_OUT_OF_SYNC:
    case 1053: /* shutdown in progress */
    case 1927: /* connection was killed */
    case 4031: /* inactivity */
        return ERR_LOST;
    case 1021: /* disk full */
    case 1114: /* table is full */
        return ERR_NO_SPACE;
    case 1205: /* lock wait timeout */
    case 1969: /* max_statement_time */
    case 3024: /* max_execution_time */
        return ERR_TIMEOUT;
    default:
        return db_impl_is_auth_error(code) ? ERR_AUTH : ERR_DB;
    }
}

bool db_impl_my_error(Db *db, Err *err)
{
    unsigned code = mysql_errno(db->my);
    ErrKind kind = db_impl_kind_of(code);
    /* The library says the same of its own read timeout and of a dead peer. */
    if (code == CR_SERVER_LOST && db->timeout_ms && clock_mono_ms() - db->began_ms >= db->timeout_ms)
        kind = ERR_TIMEOUT;
    return err_set(err, kind, (int)code, "%s (server error %u)", mysql_error(db->my), code);
}

bool db_ask_binlog(Db *db, uint32_t server_id, const char *file, uint64_t pos, Err *err)
{
    if (db->given_up)
        return db_impl_run_n(db, "", 0, err);
    db->began_ms = clock_mono_ms();
    bool ok = db_client_ask_binlog(db->my, server_id, file, pos);
    db->given_up = true;
    return ok || db_impl_my_error(db, err);
}

/* ---- connections ----------------------------------------------------------------------------------- */

void db_close(Db *db)
{
    if (!db)
        return;
    mysql_close(db->my);
    free(db);
}

const DbVersion *db_version(const Db *db)
{
    return &db->version;
}

uint64_t db_connection_id(const Db *db)
{
    return mysql_thread_id(db->my);
}

pid_t db_server_pid(const Db *db)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    int fd = db_client_socket(db->my);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return 0;
    return cred.pid > 0 ? cred.pid : 0;
}

int64_t db_timeout(const Db *db)
{
    return db->timeout_ms;
}

void db_set_timeout(Db *db, int64_t timeout_ms)
{
    db->timeout_ms = timeout_ms;
}

void db_set_cancel(Db *db, const atomic_bool *cancel)
{
    db->cancel = cancel;
}

void db_set_again(Db *db, DbAgain again, void *arg)
{
    db->again = again;
    db->again_arg = arg;
}

bool db_ping(Db *db, Err *err)
{
    return db_exec(db, err, "DO 1", "");
}

/* ---- statements ----------------------------------------------------------------------------------- */

bool db_impl_drain(Db *db, Err *err)
{
    for (;;) {
        int more = mysql_next_result(db->my);
        if (more > 0)
            return db_impl_my_error(db, err);
        if (more < 0)
            return true;
        MYSQL_RES *res = mysql_use_result(db->my);
        if (res)
            mysql_free_result(res);
    }
}

static bool is_cancelled(const Db *db)
{
    return db->cancel && atomic_load(db->cancel);
}

/* Until when to poll: the deadline, or the next look at the caller's wish. */
static int slice_ms(const Db *db, int64_t left)
{
    int64_t most = db->cancel ? CANCEL_LOOK_MS : INT32_MAX;
    return left > most ? (int)most : left > 0 ? (int)left : 0;
}

static bool wait_answer(Db *db, Err *err)
{
    struct pollfd p = {.fd = db_client_socket(db->my), .events = POLLIN};
    int64_t end = db->began_ms + db->timeout_ms;
    while (db->timeout_ms) {
        int64_t left = end - clock_mono_ms();
        int n = poll(&p, 1, slice_ms(db, left));
        if (n > 0 || (n < 0 && errno != EINTR))
            break;
        if (n == 0 && is_cancelled(db)) {
            db->given_up = true;
            return err_set(err, ERR_CANCELLED, 0, "the answer of the server was not waited for any longer");
        }
        if (n == 0 && left <= 0) {
            db->given_up = true;
            return err_set(err, ERR_TIMEOUT, 0, "no answer from the server within %.1f s",
                           (double)db->timeout_ms / 1000);
        }
    }
    return true;
}

static bool run_once(Db *db, const char *sql, size_t n, Err *err)
{
    if (db->given_up && is_cancelled(db))
        return err_set(err, ERR_CANCELLED, 0, "nothing was asked any more");
    if (db->given_up)
        return err_set(err, ERR_LOST, 0, "the connection was given up after a statement without answer");
    db->began_ms = clock_mono_ms();
    if (mysql_send_query(db->my, sql, (unsigned long)n))
        return db_impl_my_error(db, err);
    if (!wait_answer(db, err))
        return false;
    return mysql_read_query_result(db->my) ? db_impl_my_error(db, err) : true;
}

bool db_impl_run_n(Db *db, const char *sql, size_t n, Err *err)
{
    bool alone = db->again && !(db->my->server_status & SERVER_STATUS_IN_TRANS);
    for (int try = 1; !run_once(db, sql, n, err); try++)
        if (!alone || !db_locked_out(err) || !db->again(db->again_arg, try, err))
            return false;
    return true;
}

bool db_impl_run_v(Db *db, Err *err, const char *sql, const char *fmt, va_list ap)
{
    if (!*fmt)
        return db_impl_run_n(db, sql, strlen(sql), err);
    AUTO(str_done) Str bound = STR_INIT;
    return db_bind(&bound, sql, fmt, ap, err) && db_impl_run_n(db, bound.p, bound.len, err);
}

static bool exec_v(Db *db, int64_t *ret_rows, int64_t *ret_id, Err *err, const char *sql, const char *fmt,
                   va_list ap)
{
    if (!db_impl_run_v(db, err, sql, fmt, ap))
        return false;
    MYSQL_RES *res = mysql_store_result(db->my);
    int64_t rows = (int64_t)mysql_affected_rows(db->my), id = (int64_t)mysql_insert_id(db->my);
    if (!res && mysql_errno(db->my))
        return db_impl_my_error(db, err);
    if (res)
        mysql_free_result(res);
    if (!db_impl_drain(db, err))
        return false;
    *ret_rows = rows;
    *ret_id = id;
    return true;
}

bool db_exec(Db *db, Err *err, const char *sql, const char *fmt, ...)
{
    int64_t rows, id;
    va_list ap;
    va_start(ap, fmt);
    bool ok = exec_v(db, &rows, &id, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

bool db_exec_affected(Db *db, int64_t *ret_rows, int64_t *ret_insert_id, Err *err, const char *sql,
                      const char *fmt, ...)
{
    int64_t rows, id;
    va_list ap;
    va_start(ap, fmt);
    bool ok = exec_v(db, &rows, &id, err, sql, fmt, ap);
    va_end(ap);
    if (ok && ret_rows)
        *ret_rows = rows;
    if (ok && ret_insert_id)
        *ret_insert_id = id;
    return ok;
}

bool db_locked_out(const Err *err)
{
    enum { WAITED_TOO_LONG = 1205, DEADLOCK = 1213 };
    return (err->kind == ERR_TIMEOUT && err->code == WAITED_TOO_LONG) ||
           (err->kind == ERR_DB && err->code == DEADLOCK);
}
