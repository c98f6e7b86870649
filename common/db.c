/* SPDX-License-Identifier: Apache-2.0
 * The one file that knows the client library. Statements with parameters are prepared and their values
 * bound; the others use the text protocol.
 */
#include "db.h"

#include <errmsg.h>
#include <mysql.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fs.h"

enum { MAX_PARAMS = 40 };

struct Db {
    MYSQL *my;
    DbVersion version;
};

/* Either a result of the text protocol, or rows copied from a prepared statement. */
struct DbRows {
    Db *db;
    MYSQL_RES *res;
    bool streaming;
    size_t n_columns;
    MYSQL_FIELD *columns;
    char ***cells; /* copied rows; a cell is NULL for SQL NULL */
    size_t **lengths;
    size_t n_rows, next;
    MYSQL_ROW row;
    unsigned long *row_lengths;
};

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

/* ---- targets -------------------------------------------------------------------------------------- */

void db_target_done(DbTarget *t)
{
    char *const owned[] = {t->defaults_file, t->socket, t->host,     t->user,   t->password,
                           t->database,      t->tls_ca, t->tls_cert, t->tls_key};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *t = (DbTarget){0};
}

void db_target_copy(DbTarget *to, const DbTarget *from)
{
    *to = (DbTarget){
        .defaults_file = xstrdup(from->defaults_file),
        .socket = xstrdup(from->socket),
        .host = xstrdup(from->host),
        .port = from->port,
        .user = xstrdup(from->user),
        .password = xstrdup(from->password),
        .database = xstrdup(from->database),
        .tls_ca = xstrdup(from->tls_ca),
        .tls_cert = xstrdup(from->tls_cert),
        .tls_key = xstrdup(from->tls_key),
    };
}

static void describe_target(const DbTarget *t, char *ret, size_t n)
{
    if (t->socket)
        snprintf(ret, n, "the server at socket %s", t->socket);
    else if (t->host)
        snprintf(ret, n, "the server at %s:%lld", t->host, (long long)(t->port ? t->port : 3306));
    else
        snprintf(ret, n, "the server named in %s", t->defaults_file ? t->defaults_file : "no option");
}

/* ---- errors --------------------------------------------------------------------------------------- */

static bool is_auth_error(unsigned code)
{
    static const unsigned codes[] = {1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1698, 2059, 2061};
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

static ErrKind kind_of(unsigned code, const char *text)
{
    switch (code) {
    case CR_SERVER_LOST:
        /* A read timeout of the client library is told apart only by its text. */
        return strstr(text, "timeout") || strstr(text, "timed out") ? ERR_TIMEOUT : ERR_LOST;
    case CR_SERVER_GONE_ERROR:
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
        return is_auth_error(code) ? ERR_AUTH : ERR_DB;
    }
}

static bool server_error(Err *err, unsigned code, const char *text)
{
    return err_set(err, kind_of(code, text), (int)code, "%s (server error %u)", text, code);
}

static bool my_error(Db *db, Err *err)
{
    return server_error(err, mysql_errno(db->my), mysql_error(db->my));
}

static bool stmt_error(MYSQL_STMT *st, Err *err)
{
    return server_error(err, mysql_stmt_errno(st), mysql_stmt_error(st));
}

/* ---- connecting ----------------------------------------------------------------------------------- */

static bool parse_version(Db *db, Err *err)
{
    const char *text = mysql_get_server_info(db->my);
    DbVersion *v = &db->version;
    snprintf(v->text, sizeof v->text, "%s", text);
    /* MariaDB before 11 sends "5.5.5-10.11…" for the sake of old replicas. */
    if (str_starts(text, "5.5.5-"))
        text += 6;
    if (sscanf(text, "%d.%d.%d", &v->major, &v->minor, &v->patch) < 2)
        return err_set(err, ERR_PROTOCOL, 0, "cannot read the server's version \"%s\"", text);
    v->flavor = strstr(v->text, "MariaDB") ? DB_MARIADB : DB_MYSQL;
    return true;
}

static void refuse_infile(Db *db);

static bool set_options(Db *db, const DbTarget *t, int64_t timeout_ms, Err *err)
{
    unsigned connect_s = DB_CONNECT_TIMEOUT_MS / 1000, io_s = (unsigned)((timeout_ms + 999) / 1000);
    unsigned on = 1;
    mysql_options(db->my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    if (timeout_ms) {
        mysql_options(db->my, MYSQL_OPT_READ_TIMEOUT, &io_s);
        mysql_options(db->my, MYSQL_OPT_WRITE_TIMEOUT, &io_s);
    }
    mysql_options(db->my, MYSQL_OPT_LOCAL_INFILE, &on);
    mysql_options(db->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (t->defaults_file) {
        if (!fs_check_private(t->defaults_file, err))
            return false;
        mysql_options(db->my, MYSQL_READ_DEFAULT_FILE, t->defaults_file);
        mysql_options(db->my, MYSQL_READ_DEFAULT_GROUP, "client");
    }
    if (t->tls_ca)
        mysql_ssl_set(db->my, t->tls_key, t->tls_cert, t->tls_ca, NULL, NULL);
    return true;
}

static bool connect_now(Db *db, const DbTarget *t, Err *err)
{
    const char *host = t->socket ? "localhost" : t->host;
    if (mysql_real_connect(db->my, host, t->user, t->password, t->database, (unsigned)t->port, t->socket,
                           CLIENT_MULTI_RESULTS))
        return true;
    char where[300];
    describe_target(t, where, sizeof where);
    unsigned code = mysql_errno(db->my);
    ErrKind kind = is_auth_error(code) ? ERR_AUTH : code == 1049 ? ERR_DB : ERR_UNREACHABLE;
    return err_set(err, kind, (int)code, "cannot connect to %s: %s", where, mysql_error(db->my));
}

bool db_connect(const DbTarget *target, int64_t timeout_ms, Db **ret, Err *err)
{
    db_library_begin();
    Db *db = NEW(Db);
    db->my = mysql_init(NULL);
    bool ok =
        set_options(db, target, timeout_ms, err) && connect_now(db, target, err) && parse_version(db, err);
    if (ok) {
        refuse_infile(db);
        ok = db_exec(
            db, err,
            "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
            " time_zone='+00:00', autocommit=1",
            "");
    }
    if (!ok) {
        db_close(db);
        return false;
    }
    *ret = db;
    return true;
}

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
    int fd = (int)mysql_get_socket(db->my);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return 0;
    return cred.pid > 0 ? cred.pid : 0;
}

void db_set_timeout(Db *db, int64_t timeout_ms)
{
    unsigned s = (unsigned)((timeout_ms + 999) / 1000);
    mysql_options(db->my, MYSQL_OPT_READ_TIMEOUT, &s);
    mysql_options(db->my, MYSQL_OPT_WRITE_TIMEOUT, &s);
}

bool db_ping(Db *db, Err *err)
{
    return mysql_ping(db->my) == 0 ? true : my_error(db, err);
}

/* ---- statements ----------------------------------------------------------------------------------- */

/* Reads results that a statement may still have (CALL ends with one). */
static bool drain(Db *db, Err *err)
{
    for (;;) {
        int more = mysql_next_result(db->my);
        if (more > 0)
            return my_error(db, err);
        if (more < 0)
            return true;
        MYSQL_RES *res = mysql_use_result(db->my);
        if (res)
            mysql_free_result(res);
    }
}

static bool run_text(Db *db, const char *sql, Err *err)
{
    return mysql_real_query(db->my, sql, strlen(sql)) == 0 ? true : my_error(db, err);
}

typedef struct Params {
    MYSQL_BIND bind[MAX_PARAMS];
    int64_t ints[MAX_PARAMS];
    unsigned long lengths[MAX_PARAMS];
    unsigned n;
} Params;

static void take_params(Params *p, const char *fmt, va_list ap)
{
    memset(p, 0, sizeof *p);
    for (; *fmt && p->n < MAX_PARAMS; fmt++, p->n++) {
        MYSQL_BIND *b = &p->bind[p->n];
        if (*fmt == 'i') {
            p->ints[p->n] = va_arg(ap, int64_t);
            b->buffer_type = MYSQL_TYPE_LONGLONG;
            b->buffer = &p->ints[p->n];
            continue;
        }
        const void *bytes = va_arg(ap, const void *);
        size_t n = *fmt == 'b' ? va_arg(ap, size_t) : bytes ? strlen(bytes) : 0;
        p->lengths[p->n] = n;
        b->buffer_type = !bytes ? MYSQL_TYPE_NULL : *fmt == 'b' ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        b->buffer = (void *)bytes;
        b->buffer_length = n;
        b->length = &p->lengths[p->n];
    }
}

static MYSQL_STMT *run_prepared(Db *db, const char *sql, Params *p, Err *err)
{
    MYSQL_STMT *st = mysql_stmt_init(db->my);
    if (mysql_stmt_prepare(st, sql, strlen(sql)) == 0 && mysql_stmt_param_count(st) != p->n)
        err_set(err, ERR_DB, 0, "the statement takes %lu values, %u were given", mysql_stmt_param_count(st),
                p->n);
    else if (mysql_stmt_errno(st) == 0 && !mysql_stmt_bind_param(st, p->bind) && mysql_stmt_execute(st) == 0)
        return st;
    else
        stmt_error(st, err);
    mysql_stmt_close(st);
    return NULL;
}

static bool exec_v(Db *db, int64_t *ret_rows, int64_t *ret_id, Err *err, const char *sql, const char *fmt,
                   va_list ap)
{
    if (!*fmt) {
        if (!run_text(db, sql, err))
            return false;
        MYSQL_RES *res = mysql_store_result(db->my);
        *ret_rows = (int64_t)mysql_affected_rows(db->my);
        *ret_id = (int64_t)mysql_insert_id(db->my);
        if (res)
            mysql_free_result(res);
        return drain(db, err);
    }
    Params p;
    take_params(&p, fmt, ap);
    MYSQL_STMT *st = run_prepared(db, sql, &p, err);
    if (!st)
        return false;
    *ret_rows = (int64_t)mysql_stmt_affected_rows(st);
    *ret_id = (int64_t)mysql_stmt_insert_id(st);
    mysql_stmt_close(st);
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

/* ---- results -------------------------------------------------------------------------------------- */

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

static bool copy_row(DbRows *r, MYSQL_STMT *st, MYSQL_BIND *bind, unsigned long *lengths, my_bool *nulls,
                     Err *err)
{
    r->cells = xrealloc(r->cells, (r->n_rows + 1) * sizeof *r->cells);
    r->lengths = xrealloc(r->lengths, (r->n_rows + 1) * sizeof *r->lengths);
    char **cells = r->cells[r->n_rows] = xcalloc(r->n_columns, sizeof *cells);
    size_t *sizes = r->lengths[r->n_rows] = xcalloc(r->n_columns, sizeof *sizes);
    r->n_rows++;
    for (unsigned i = 0; i < r->n_columns; i++) {
        if (nulls[i])
            continue;
        sizes[i] = lengths[i];
        cells[i] = xcalloc(sizes[i] + 1, 1);
        bind[i].buffer = cells[i];
        bind[i].buffer_length = sizes[i] + 1;
        if (sizes[i] && mysql_stmt_fetch_column(st, &bind[i], i, 0))
            return stmt_error(st, err);
    }
    return true;
}

/* Lengths come from a fetch into empty buffers, the bytes column by column afterwards. */
static bool copy_rows(DbRows *r, MYSQL_STMT *st, Err *err)
{
    size_t n = r->n_columns;
    AUTOFREE MYSQL_BIND *bind = xcalloc(n, sizeof *bind);
    AUTOFREE unsigned long *lengths = xcalloc(n, sizeof *lengths);
    AUTOFREE my_bool *nulls = xcalloc(n, sizeof *nulls);
    for (size_t i = 0; i < n; i++) {
        bind[i].buffer_type = MYSQL_TYPE_STRING;
        bind[i].length = &lengths[i];
        bind[i].is_null = &nulls[i];
    }
    if (mysql_stmt_bind_result(st, bind))
        return stmt_error(st, err);
    for (;;) {
        for (size_t i = 0; i < n; i++) {
            bind[i].buffer = NULL;
            bind[i].buffer_length = 0;
        }
        if (mysql_stmt_bind_result(st, bind))
            return stmt_error(st, err);
        int rc = mysql_stmt_fetch(st);
        if (rc == MYSQL_NO_DATA)
            return true;
        if (rc == 1)
            return stmt_error(st, err);
        if (!copy_row(r, st, bind, lengths, nulls, err))
            return false;
    }
}

static bool query_prepared(Db *db, DbRows **ret, Err *err, const char *sql, Params *p)
{
    MYSQL_STMT *st = run_prepared(db, sql, p, err);
    if (!st)
        return false;
    MYSQL_RES *meta = mysql_stmt_result_metadata(st);
    bool ok = meta ? true : err_set(err, ERR_DB, 0, "the statement gives no rows: %.200s", sql);
    if (ok && mysql_stmt_store_result(st))
        ok = stmt_error(st, err);
    DbRows *r = ok ? rows_of(db, meta, false) : NULL;
    if (ok)
        ok = copy_rows(r, st, err);
    else if (meta)
        mysql_free_result(meta);
    mysql_stmt_close(st);
    if (!ok) {
        db_rows_free(r);
        return false;
    }
    if (!r->cells)
        r->cells = xcalloc(1, sizeof *r->cells);
    *ret = r;
    return true;
}

static bool query_text(Db *db, bool streaming, DbRows **ret, Err *err, const char *sql)
{
    if (!run_text(db, sql, err))
        return false;
    MYSQL_RES *res = streaming ? mysql_use_result(db->my) : mysql_store_result(db->my);
    if (!res && mysql_errno(db->my))
        return my_error(db, err);
    if (!res)
        return err_set(err, ERR_DB, 0, "the statement gives no rows: %.200s", sql);
    *ret = rows_of(db, res, streaming);
    if (!streaming && !drain(db, err)) {
        db_rows_free(*ret);
        return false;
    }
    return true;
}

static bool query_v(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    if (!*fmt)
        return query_text(db, false, ret, err, sql);
    Params p;
    take_params(&p, fmt, ap);
    return query_prepared(db, ret, err, sql, &p);
}

bool db_query(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = query_v(db, ret, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

bool db_stream(Db *db, DbRows **ret, Err *err, const char *sql)
{
    return query_text(db, true, ret, err, sql);
}

bool db_next(DbRows *r, bool *ret_more, Err *err)
{
    if (r->cells) {
        *ret_more = r->next < r->n_rows;
        r->next += *ret_more;
        return true;
    }
    r->row = mysql_fetch_row(r->res);
    if (!r->row && r->streaming && mysql_errno(r->db->my))
        return my_error(r->db, err);
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

bool db_column_is_binary(const DbRows *r, size_t i)
{
    enum { BINARY_CHARSET = 63 };
    return r->columns[i].charsetnr == BINARY_CHARSET && !db_column_is_number(r, i) &&
           r->columns[i].type >= MYSQL_TYPE_VARCHAR && r->columns[i].type != MYSQL_TYPE_NEWDECIMAL;
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
    if (r->cells) {
        if (ret_n)
            *ret_n = r->lengths[r->next - 1][i];
        return r->cells[r->next - 1][i];
    }
    if (ret_n)
        *ret_n = r->row_lengths[i];
    return r->row[i];
}

const char *db_text(const DbRows *r, const char *name)
{
    int i = name ? db_column_index(r, name) : -1;
    const char *p = i < 0 ? NULL : db_field(r, (size_t)i, NULL);
    return p ? p : "";
}

int64_t db_int(const DbRows *r, const char *name)
{
    return strtoll(db_text(r, name), NULL, 10);
}

void db_rows_free(DbRows *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_rows; i++) {
        for (size_t c = 0; c < r->n_columns; c++)
            free(r->cells[i][c]);
        free(r->cells[i]);
        free(r->lengths[i]);
    }
    free(r->cells);
    free(r->lengths);
    if (r->res)
        mysql_free_result(r->res);
    if (r->streaming) {
        Err ignored;
        (void)!drain(r->db, &ignored);
    }
    free(r);
}

static bool value_v(Db *db, char **ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    DbRows *r;
    bool more;
    if (!query_v(db, &r, err, sql, fmt, ap))
        return false;
    bool ok = db_next(r, &more, err);
    if (ok && !more)
        ok = err_set(err, ERR_NOT_FOUND, 0, "no row for: %.200s", sql);
    if (ok) {
        size_t n;
        const char *p = db_field(r, 0, &n);
        *ret = p ? xstrndup(p, n) : NULL;
    }
    db_rows_free(r);
    return ok;
}

bool db_value(Db *db, char **ret, Err *err, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = value_v(db, ret, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

bool db_value_int(Db *db, int64_t *ret, Err *err, const char *sql, const char *fmt, ...)
{
    AUTOFREE char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    bool ok = value_v(db, &text, err, sql, fmt, ap);
    va_end(ap);
    if (ok)
        *ret = text ? strtoll(text, NULL, 10) : 0;
    return ok;
}

/* ---- LOAD DATA LOCAL INFILE ----------------------------------------------------------------------- */

typedef struct Infile {
    DbFeed feed;
    void *arg;
    Err err;
    bool failed;
} Infile;

static int infile_begin(void **ret, const char *name, void *arg)
{
    (void)name;
    *ret = arg;
    return 0;
}

static int infile_read(void *p, char *buffer, unsigned n)
{
    Infile *in = p;
    ssize_t got = in->feed(in->arg, buffer, n, &in->err);
    in->failed = got < 0;
    return (int)got;
}

static void infile_end(void *p)
{
    (void)p;
}

static int infile_error(void *p, char *text, unsigned n)
{
    Infile *in = p;
    snprintf(text, n, "%s", in ? in->err.text : "LOCAL INFILE is not allowed on this connection");
    return 2000;
}

static int refuse_begin(void **ret, const char *name, void *arg)
{
    (void)name;
    (void)arg;
    *ret = NULL;
    return 1;
}

/* A server may ask for any local file in reply to any statement: only db_load_data feeds one. */
static void refuse_infile(Db *db)
{
    mysql_set_local_infile_handler(db->my, refuse_begin, infile_read, infile_end, infile_error, NULL);
}

bool db_load_data(Db *db, const char *sql, DbFeed feed, void *arg, int64_t *ret_rows, Err *err)
{
    Infile in = {.feed = feed, .arg = arg};
    mysql_set_local_infile_handler(db->my, infile_begin, infile_read, infile_end, infile_error, &in);
    bool ok = mysql_real_query(db->my, sql, strlen(sql)) == 0;
    if (!ok && in.failed)
        *err = in.err;
    else if (!ok)
        my_error(db, err);
    else
        *ret_rows = (int64_t)mysql_affected_rows(db->my);
    refuse_infile(db);
    return ok;
}

bool db_kill(const DbTarget *target, uint64_t connection_id, Err *err)
{
    Db *db;
    if (!db_connect(target, DB_CONNECT_TIMEOUT_MS, &db, err))
        return false;
    AUTOFREE char *sql = xasprintf("KILL %llu", (unsigned long long)connection_id);
    bool ok = db_exec(db, err, sql, "");
    db_close(db);
    return ok || err->code == 1094; /* no such connection: gone already */
}
