/* SPDX-License-Identifier: Apache-2.0 */
#include "scriptdb.h"

#include <strings.h>

#include "common/base/clock.h"

enum { CONNECTIONS_MAX = 64, SCRIPT_MAX = 400 };

struct Db {
    char *user;
    DbVersion version;
    uint64_t id;
    int64_t timeout_ms;
    const atomic_bool *cancel;
    bool dead;
};

struct DbRows {
    StrList columns, lines;
    size_t next;
    StrList fields;
    bool *null;
};

static struct {
    DbFlavor flavor;
    pid_t pid;
    Script v[SCRIPT_MAX];
    size_t n, at;
    Db *open[CONNECTIONS_MAX];
    size_t n_open;
    uint64_t ids;
    ScriptServer server;
    void *server_arg;
    int break_at, sent;
    bool ended;
    ErrKind break_kind;
    bool break_reached;
    atomic_bool *break_cancel;
    StrList kept;
    Str log;
} script;

/* ---- what a test says ------------------------------------------------------------------------------ */

void script_begin(DbFlavor flavor, pid_t pid)
{
    strlist_done(&script.kept);
    str_done(&script.log);
    memset(&script, 0, sizeof script);
    script.flavor = flavor;
    script.pid = pid;
    script.ids = 100;
}

void script_add(Script s)
{
    assert_true(script.n < SCRIPT_MAX);
    script.v[script.n++] = s;
}

void script_serve(ScriptServer answer, void *arg)
{
    script.server = answer;
    script.server_arg = arg;
}

void script_break(int n, ErrKind kind, bool reached)
{
    script.break_at = n;
    script.break_kind = kind;
    script.break_reached = reached;
}

void script_break_by_cancel(int n, atomic_bool *cancel, bool reached)
{
    script_break(n, ERR_CANCELLED, reached);
    script.break_cancel = cancel;
}

const char *script_keep(char *owned)
{
    strlist_add(&script.kept, owned);
    free(owned);
    return script.kept.v[script.kept.n - 1];
}

int script_sent(void)
{
    return script.sent;
}

const char *script_log(void)
{
    return str_z(&script.log);
}

void script_end(int open)
{
    if (script.at < script.n)
        fail_msg("never sent: %s\nsent:\n%s", script.v[script.at].sql, script_log());
    if ((int)script.n_open != open)
        fail_msg("%zu connections are open, should be %d\nsent:\n%s", script.n_open, open, script_log());
    script.ended = true;
}

/* ---- the next statement ---------------------------------------------------------------------------- */

/* `pattern` has "…" for anything. */
static bool matches(const char *pattern, const char *text)
{
    static const char any[] = "…";
    const char *gap = strstr(pattern, any);
    if (!gap)
        return strcmp(pattern, text) == 0;
    size_t n = (size_t)(gap - pattern);
    if (strncmp(pattern, text, n) != 0)
        return false;
    for (const char *p = text + n;; p++) {
        if (matches(gap + strlen(any), p))
            return true;
        if (!*p)
            return false;
    }
}

static void check(const Script *s, const Db *db, const char *user, const char *sql)
{
    if (!matches(s->sql, sql))
        fail_msg("sent     : %s\nexpected : %s\nbefore it:\n%s", sql, s->sql, script_log());
    const Db *youngest = script.n_open ? script.open[script.n_open - 1] : NULL;
    if (db && !s->on && db != youngest)
        fail_msg("%s came by the connection of %s, not by the youngest, of %s", sql, user, youngest->user);
    if (s->on && !str_eq(s->on, user))
        fail_msg("%s came by the connection of %s, not of %s", sql, user, s->on);
}

static Script next_of_script(const Db *db, const char *user, const char *sql)
{
    if (script.at == script.n)
        fail_msg("not expected: %s\nbefore it:\n%s", sql, script_log());
    Script s = script.v[script.at++];
    check(&s, db, user, sql);
    return s;
}

static Script next(const Db *db, const char *user, const char *sql)
{
    bool breaks = ++script.sent == script.break_at;
    if (script.ended)
        str_clear(&script.log);
    script.ended = false;
    if (breaks && script.break_cancel)
        atomic_store(script.break_cancel, true);
    /* A cancel breaks only what heeds it. */
    if (breaks && script.break_cancel && !(db && db->cancel))
        breaks = false;
    Script s = {.sql = sql};
    if (!script.server)
        s = next_of_script(db, user, sql);
    else if (!breaks || script.break_reached)
        script.server(script.server_arg, user, sql, &s);
    str_addf(&script.log, "  %s: %s%s\n", user, sql, breaks || s.fail ? "   (fails)" : "");
    if (breaks)
        s = (Script){.sql = sql, .fail = script.break_kind};
    return s;
}

static bool fails(const Script *s, Err *err)
{
    return err_set(err, s->fail, s->code, "as the script says: %s at %s", err_kind_name(s->fail), s->sql);
}

static bool run(Db *db, const char *sql, Script *ret, Err *err)
{
    bool cancelled = db->cancel && atomic_load(db->cancel);
    if (db->dead)
        return err_set(err, cancelled ? ERR_CANCELLED : ERR_LOST, 0,
                       "the connection answers nothing any more");
    Script s = next(db, db->user, sql);
    if (s.cancel)
        atomic_store(s.cancel, true);
    if (s.delay_ms && db->timeout_ms && s.delay_ms > db->timeout_ms)
        s.fail = ERR_TIMEOUT;
    else if (s.delay_ms)
        clock_sleep_ms(s.delay_ms);
    if (s.cancel && db->cancel && atomic_load(db->cancel))
        s.fail = ERR_CANCELLED;
    db->dead = s.fail == ERR_LOST || s.fail == ERR_TIMEOUT || s.fail == ERR_CANCELLED;
    *ret = s;
    return !s.fail || fails(&s, err);
}

static bool run_v(Db *db, Script *ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    if (!*fmt)
        return run(db, sql, ret, err);
    AUTO(str_done) Str bound = STR_INIT;
    return db_bind(&bound, sql, fmt, ap, err) && run(db, bound.p, ret, err);
}

/* ---- connections ----------------------------------------------------------------------------------- */

void db_library_begin(void)
{
}

void db_thread_begin(void)
{
}

void db_thread_end(void)
{
}

bool db_connect(const DbTarget *target, int64_t timeout_ms, Db **ret, Err *err)
{
    const char *user = target->user ? target->user : "source"; /* the option file's */
    AUTOFREE char *sql = xasprintf("CONNECT %s", user);
    Script s = next(NULL, user, sql);
    if (s.ms && s.ms != timeout_ms)
        fail_msg("%s: a timeout of %lld ms, expected %lld", sql, (long long)timeout_ms, (long long)s.ms);
    if (s.fail)
        return fails(&s, err);
    assert_true(script.n_open < CONNECTIONS_MAX);
    Db *db = NEW(Db);
    db->user = xstrdup(user);
    db->id = ++script.ids;
    db->timeout_ms = timeout_ms;
    db->version = script.flavor == DB_MARIADB ? (DbVersion){DB_MARIADB, 10, 11, 6, "10.11.6-MariaDB"}
                                              : (DbVersion){DB_MYSQL, 8, 4, 3, "8.4.3"};
    script.open[script.n_open++] = db;
    *ret = db;
    return true;
}

void db_close(Db *db)
{
    if (!db)
        return;
    size_t i = 0;
    while (i < script.n_open && script.open[i] != db)
        i++;
    if (i == script.n_open)
        fail_msg("a connection is closed twice");
    memmove(&script.open[i], &script.open[i + 1], (script.n_open - i - 1) * sizeof(Db *));
    script.n_open--;
    free(db->user);
    free(db);
}

const DbVersion *db_version(const Db *db)
{
    return &db->version;
}

uint64_t db_connection_id(const Db *db)
{
    return db->id;
}

pid_t db_server_pid(const Db *db)
{
    (void)db;
    return script.pid;
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

bool db_ping(Db *db, Err *err)
{
    return db_exec(db, err, "DO 1", "");
}

bool db_ask_binlog(Db *db, uint32_t server_id, const char *file, uint64_t pos, Err *err)
{
    AUTOFREE char *sql = xasprintf("BINLOG %s:%llu for %u", file, (unsigned long long)pos, server_id);
    return db_exec(db, err, sql, "");
}

bool db_kill(const DbTarget *target, uint64_t connection_id, Err *err)
{
    AUTOFREE char *sql = xasprintf("KILL %llu", (unsigned long long)connection_id);
    Script s = next(NULL, target->user, sql);
    return !s.fail || fails(&s, err);
}

/* ---- statements ------------------------------------------------------------------------------------ */

bool db_exec_affected(Db *db, int64_t *ret_rows, int64_t *ret_insert_id, Err *err, const char *sql,
                      const char *fmt, ...)
{
    Script s;
    va_list ap;
    va_start(ap, fmt);
    bool ok = run_v(db, &s, err, sql, fmt, ap);
    va_end(ap);
    if (ok && ret_rows)
        *ret_rows = 0;
    if (ok && ret_insert_id)
        *ret_insert_id = 0;
    return ok;
}

bool db_exec(Db *db, Err *err, const char *sql, const char *fmt, ...)
{
    Script s;
    va_list ap;
    va_start(ap, fmt);
    bool ok = run_v(db, &s, err, sql, fmt, ap);
    va_end(ap);
    return ok;
}

static DbRows *rows_of(const Script *s)
{
    if (!s->columns)
        fail_msg("%s is asked for rows and the script has none", s->sql);
    DbRows *r = NEW(DbRows);
    strlist_split(&r->columns, s->columns, '|');
    strlist_split(&r->lines, s->rows ? s->rows : "", '\n');
    r->null = xcalloc(r->columns.n, sizeof *r->null);
    return r;
}

bool db_query_v(Db *db, DbRows **ret, Err *err, const char *sql, const char *fmt, va_list ap)
{
    Script s;
    if (!run_v(db, &s, err, sql, fmt, ap))
        return false;
    *ret = rows_of(&s);
    return true;
}

bool db_stream(Db *db, DbRows **ret, Err *err, const char *sql)
{
    return db_query(db, ret, err, sql, "");
}

/* Unlike strlist_split it keeps what is empty. */
static void split_line(DbRows *r, const char *line)
{
    strlist_done(&r->fields);
    for (const char *p = line;; p++) {
        size_t n = strcspn(p, "|");
        AUTOFREE char *field = xstrndup(p, n);
        if (r->fields.n < r->columns.n)
            r->null[r->fields.n] = str_eq(field, "\\N");
        strlist_add(&r->fields, field);
        p += n;
        if (!*p)
            break;
    }
    if (r->fields.n != r->columns.n)
        fail_msg("the script's row \"%s\" has not %zu fields", line, r->columns.n);
}

bool db_next(DbRows *r, bool *ret_more, Err *err)
{
    (void)err;
    *ret_more = r->next < r->lines.n;
    if (*ret_more)
        split_line(r, r->lines.v[r->next++]);
    return true;
}

size_t db_columns(const DbRows *r)
{
    return r->columns.n;
}

const char *db_column_name(const DbRows *r, size_t i)
{
    return r->columns.v[i];
}

int db_column_index(const DbRows *r, const char *name)
{
    for (size_t i = 0; i < r->columns.n; i++)
        if (strcasecmp(r->columns.v[i], name) == 0)
            return (int)i;
    return -1;
}

const char *db_field(const DbRows *r, size_t i, size_t *ret_n)
{
    const char *p = r->null[i] ? NULL : r->fields.v[i];
    if (ret_n)
        *ret_n = p ? strlen(p) : 0;
    return p;
}

void db_rows_free(DbRows *r)
{
    if (!r)
        return;
    strlist_done(&r->columns);
    strlist_done(&r->lines);
    strlist_done(&r->fields);
    free(r->null);
    free(r);
}
