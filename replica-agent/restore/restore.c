/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/db/flavor.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "journal_table.h"
#include "prove.h"
#include "replica-agent/dump/control.h"
#include "statements.h"

enum {
    PIECE = 1 << 18,
    WAIT_MS = 500,
    EXISTS_TRIGGER = 1359,
    EXISTS_ROUTINE = 1304,
    EXISTS_EVENT = 1537,
    NO_TABLE = 1146,
    MOST_VIEW_ROUNDS = 20,
    STAND_IN = '~' /* before a name in the ledger */
};

typedef struct Restore {
    const RestoreOptions *o;
    const Folder *f;
    DbTarget target;
    bool resumed;
    pthread_mutex_t lock; /* guards the rest */
    size_t next, end;     /* files of the step under way */
    int64_t done_bytes, kept_bytes;
    bool failed;
    Err err;
} Restore;

typedef struct Worker {
    Restore *r;
    Db *db;
    pthread_t thread;
} Worker;

/* ---- a connection --------------------------------------------------------------------------------- */

static bool connect_worker(const Restore *r, Db **ret, Err *err)
{
    AUTOFREE char *waits = xasprintf("SET SESSION wait_timeout=31536000, lock_wait_timeout=%lld,"
                                     " foreign_key_checks=0",
                                     (long long)((r->o->lock_wait_ms + 999) / 1000));
    Db *db;
    if (!db_connect(&r->target, 0, &db, err))
        return false;
    bool ok = flavor_check_version(db_version(db), err) && db_exec(db, err, waits, "") &&
              db_exec(db, err, flavor_of(db_version(db)->flavor)->reader_session, "") &&
              (!r->o->no_binlog || db_exec(db, err, "SET SESSION sql_log_bin=0", ""));
    if (!ok) {
        db_close(db);
        return false;
    }
    *ret = db;
    return true;
}

static bool use(Db *db, const char *database, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "USE ");
    db_quote_id(&sql, database);
    return db_exec(db, err, sql.p, "");
}

/* ---- a table ------------------------------------------------------------------------------------------- */

static const char *real_name(const Restore *r, const RestoreFile *file)
{
    const json_t *t = folder_table(r->f, file);
    return t ? json_str(t, "table") : file->table;
}

/* False: of an engine without transactions. */
static bool is_bound(const Restore *r, Db *db, const RestoreFile *file, bool *ret, Err *err)
{
    int64_t unbound;
    if (!db_value_int(
            db, &unbound, err,
            "SELECT COUNT(*) FROM information_schema.tables t JOIN information_schema.engines e ON e.engine ="
            " t.engine WHERE t.table_schema = ? AND t.table_name = ? AND e.transactions <> 'YES'",
            "ss", folder_database(r->f, file->database), real_name(r, file)))
        return false;
    *ret = unbound == 0;
    return true;
}

/* ---- a file of statements ------------------------------------------------------------------------- */

typedef struct Load {
    Worker *w;
    const RestoreFile *file;
    FilePlace place;
    int64_t seen, uncommitted; /* statements that put rows in; bytes */
    bool bound;                /* its rows can be in the ledger's transaction */
} Load;

static bool commit(Load *l, bool done, Err *err)
{
    const Restore *r = l->w->r;
    l->place = (FilePlace){l->seen, done};
    l->uncommitted = 0;
    return ledger_write(l->w->db, r->f->id, l->file->name, &l->place, err) &&
           db_exec(l->w->db, err, "COMMIT", "");
}

static bool exists_already(unsigned code)
{
    return code == EXISTS_TRIGGER || code == EXISTS_ROUTINE || code == EXISTS_EVENT;
}

/* What a killed run may have made of this file, in a step that puts no rows in. */
static bool drop_leftover(Load *l, const char *sql, Err *err)
{
    static const char *const kinds[] = {"TABLE", "SEQUENCE"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        AUTOFREE char *head = xasprintf("CREATE %s `", kinds[i]);
        if (!str_starts(sql, head))
            continue;
        const char *name = sql + strlen(head) - 1, *end = name + 1;
        while (*end && (*end != '`' || *++end == '`'))
            end++;
        AUTOFREE char *drop = xasprintf("DROP %s IF EXISTS %.*s", kinds[i], (int)(end - name), name);
        return db_exec(l->w->db, err, drop, "");
    }
    return true;
}

/* The server ends the connection of a client that sends more than it takes. */
static bool explain_large(const Err *failed, size_t n, Err *err)
{
    enum { GONE = 2006, LOST = 2013, TOO_LARGE = 1153, LARGE_BYTES = 1 << 20 };
    if (n < LARGE_BYTES || (failed->code != GONE && failed->code != LOST && failed->code != TOO_LARGE))
        return false;
    return err_set(err, failed->kind, failed->code,
                   "%.600s; the statement has %zu bytes: is the server's max_allowed_packet smaller?",
                   failed->text, n);
}

static bool run_statement(Load *l, const char *sql, size_t n, Err *err)
{
    Worker *w = l->w;
    bool insert = l->file->step == STEP_ROWS && statements_is_insert(sql, n);
    if (insert && ++l->seen <= l->place.statements)
        return true;
    if (w->r->resumed && l->file->step < STEP_ROWS && !drop_leftover(l, sql, err))
        return false;
    if (!db_exec(w->db, err, sql, "") && !(w->r->resumed && exists_already((unsigned)err->code))) {
        Err failed = *err;
        return explain_large(&failed, n, err);
    }
    l->uncommitted += insert ? (int64_t)n : 0;
    if (!l->bound || l->uncommitted < w->r->o->transaction_bytes)
        return true;
    return commit(l, false, err) && control_point(err) && db_exec(w->db, err, "START TRANSACTION", "");
}

static bool run_statements(Load *l, GzReader *in, Err *err)
{
    Statements s;
    AUTOFREE char *buffer = xcalloc(1, PIECE);
    size_t got = 1, n;
    const char *sql;
    bool ok = true;
    statements_init(&s);
    while (ok && (ok = gz_read(in, buffer, PIECE, &got, err)) && got) {
        statements_feed(&s, buffer, got);
        while (ok && (sql = statements_next(&s, &n)))
            ok = run_statement(l, sql, n, err);
    }
    if (ok && !statements_ended(&s))
        ok = err_set(err, ERR_CORRUPT, 0, "it ends in the middle of a statement");
    statements_done(&s);
    return ok;
}

/* ---- a file of tab-separated rows ----------------------------------------------------------------- */

static ssize_t feed(void *arg, char *buffer, size_t n, Err *err)
{
    size_t got;
    return gz_read(arg, buffer, n, &got, err) ? (ssize_t)got : -1;
}

static bool load_lines(Load *l, GzReader *in, Err *err)
{
    const json_t *table = folder_table(l->w->r->f, l->file);
    const char *text = json_str(table, "load"), *place = strstr(text, "%s");
    const Flavor *f = flavor_of(db_version(l->w->db)->flavor);
    int64_t rows;
    if (!place)
        return err_set(err, ERR_NOT_FOUND, 0, "files.json or manifest.json does not say how it is loaded");
    /* The name only shows in errors: rows are fed. */
    AUTOFREE char *sql = xasprintf("%.*ssiding%s", (int)(place - text), text, place + 2);
    const char *session = json_str(table, "load_session");
    return db_exec(l->w->db, err,
                   "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00'",
                   "") &&
           (!*session || db_exec(l->w->db, err, session, "")) &&
           (!f->load_session || db_exec(l->w->db, err, f->load_session, "")) &&
           db_load_data(l->w->db, sql, feed, in, &rows, err);
}

/* ---- files ---------------------------------------------------------------------------------------- */

static bool load_open(Load *l, GzReader *in, Err *err)
{
    Worker *w = l->w;
    bool rows = l->file->step == STEP_ROWS;
    if (l->file->step != STEP_DATABASES && !use(w->db, folder_database(w->r->f, l->file->database), err))
        return false;
    if (rows && !is_bound(w->r, w->db, l->file, &l->bound, err))
        return false;
    if (l->bound && !db_exec(w->db, err, "START TRANSACTION", ""))
        return false;
    if (!(l->file->tsv ? load_lines(l, in, err) : run_statements(l, in, err)))
        return false;
    return commit(l, true, err);
}

static bool load_file(Worker *w, const RestoreFile *file, Err *err)
{
    Restore *r = w->r;
    Load l = {.w = w, .file = file};
    AUTOFREE char *path = xasprintf("%s/%s", r->f->path, file->name);
    GzReader *in;
    if (!ledger_read(w->db, r->f->id, file->name, &l.place, err))
        return false;
    if (!l.place.done) {
        if (!gz_open(path, &in, err))
            return false;
        bool ok = load_open(&l, in, err);
        gz_close(in);
        if (!ok)
            return err_prefix(err, "%s", file->name);
    }
    if (file->step != STEP_ROWS)
        return true;
    pthread_mutex_lock(&r->lock);
    r->done_bytes += file->bytes;
    r->kept_bytes += l.place.done && !l.seen ? file->bytes : 0;
    progress_set(r->done_bytes, r->f->bytes, file->name);
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* ---- views ---------------------------------------------------------------------------------------- */

/* "Table 'd.t' doesn't exist": made for as long as the view is; a view may stand on tables that are gone. */
static bool make_missing(const Restore *r, Db *db, const char *text, StrList *made, Err *err)
{
    const char *from = strchr(text, '\''), *dot = from ? strchr(from, '.') : NULL,
               *end = dot ? strchr(dot, '\'') : NULL;
    if (!end)
        return false;
    AUTOFREE char *database = xstrndup(from + 1, (size_t)(dot - from - 1)),
                  *table = xstrndup(dot + 1, (size_t)(end - dot - 1));
    AUTO(str_done) Str name = STR_INIT;
    db_quote_table(&name, database, table);
    AUTOFREE char *sql = xasprintf("CREATE TABLE %s (siding_placeholder INT)", name.p),
                  *note = xasprintf("%c%s", STAND_IN, name.p);
    if (!ledger_write(db, r->f->id, note, &(FilePlace){0, false}, err) || !db_exec(db, err, sql, ""))
        return false;
    strlist_add(made, name.p);
    return true;
}

/* "Unknown column 'x.c' in …": in each of the tables made. */
static bool make_column(Db *db, const char *text, const StrList *made, Err *err)
{
    const char *from = strchr(text, '\''), *end = from ? strchr(from + 1, '\'') : NULL;
    if (!end || !made->n)
        return false;
    const char *name = end;
    while (name > from + 1 && name[-1] != '.')
        name--;
    AUTOFREE char *column = xstrndup(name, (size_t)(end - name));
    for (size_t i = 0; i < made->n; i++) {
        AUTO(str_done) Str sql = STR_INIT;
        str_addf(&sql, "ALTER TABLE %s ADD COLUMN ", made->v[i]);
        db_quote_id(&sql, column);
        str_adds(&sql, " INT");
        if (!db_exec(db, err, sql.p, ""))
            return false;
    }
    return true;
}

static bool load_view(Worker *w, const RestoreFile *file, StrList *made, Err *err)
{
    enum { UNKNOWN_COLUMN = 1054 };
    Err failed, ignored;
    for (int i = 0; i < MOST_VIEW_ROUNDS; i++) {
        if (load_file(w, file, &failed))
            return true;
        bool again = failed.code == NO_TABLE
                         ? make_missing(w->r, w->db, failed.text, made, &ignored)
                         : failed.code == UNKNOWN_COLUMN && make_column(w->db, failed.text, made, &ignored);
        if (!again)
            break;
    }
    *err = failed;
    return false;
}

static bool stand_ins(const Restore *r, Db *db, StrList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT SUBSTR(file, 2) FROM siding_restore.ledger WHERE dump = ? AND LEFT(file, 1) = '~'",
                  "s", r->f->id))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        strlist_add(ret, db_field(rows, 0, NULL));
    db_rows_free(rows);
    return ok;
}

static bool drop_stand_ins(Db *db, const StrList *made, Err *err)
{
    for (size_t i = 0; i < made->n; i++) {
        AUTOFREE char *sql = xasprintf("DROP TABLE IF EXISTS %s", made->v[i]);
        if (!db_exec(db, err, sql, ""))
            return false;
    }
    return true;
}

/* One after the other: a view on another one, valid or still a placeholder, is as good as any. Stand-ins for
 * missing tables stay until all views are there, since a view on a broken one cannot be made. */
static bool load_views(Restore *r, size_t from, size_t end, Err *err)
{
    Worker w = {.r = r};
    AUTO(strlist_done) StrList made = STRLIST_INIT;
    if (from == end)
        return true;
    bool ok = connect_worker(r, &w.db, err) && stand_ins(r, w.db, &made, err);
    for (size_t i = from; ok && i < end; i++)
        ok = control_point(err) && load_view(&w, &r->f->files[i], &made, err);
    ok = ok && drop_stand_ins(w.db, &made, err);
    db_close(w.db);
    return ok;
}

/* ---- threads -------------------------------------------------------------------------------------- */

static void fail(Restore *r, const Err *err)
{
    pthread_mutex_lock(&r->lock);
    if (!r->failed)
        r->err = *err;
    r->failed = true;
    pthread_mutex_unlock(&r->lock);
}

static const RestoreFile *next_file(Restore *r)
{
    pthread_mutex_lock(&r->lock);
    const RestoreFile *file = r->failed || r->next == r->end ? NULL : &r->f->files[r->next++];
    pthread_mutex_unlock(&r->lock);
    return file;
}

static bool work(Worker *w, Err *err)
{
    const RestoreFile *file;
    if (!connect_worker(w->r, &w->db, err))
        return false;
    while ((file = next_file(w->r)))
        if (!control_point(err) || !load_file(w, file, err))
            return false;
    return true;
}

static void *worker_main(void *arg)
{
    Worker *w = arg;
    Err err;
    db_thread_begin();
    if (!work(w, &err))
        fail(w->r, &err);
    db_close(w->db);
    w->db = NULL;
    db_thread_end();
    control_worker_end();
    return NULL;
}

static bool run_step(Restore *r, size_t from, size_t end, Err *err)
{
    size_t threads = (size_t)r->o->threads < end - from ? (size_t)r->o->threads : end - from;
    Worker *workers = xcalloc(threads + 1, sizeof(Worker));
    r->next = from;
    r->end = end;
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (Worker){.r = r};
        control_worker_begin();
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort();
    }
    while (control_workers() > 0) {
        control_wait(WAIT_MS);
        if (control_stopping())
            fail(r, &(Err){.kind = ERR_CANCELLED, .text = "stopped by a signal"});
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    free(workers);
    if (r->failed)
        *err = r->err;
    return !r->failed;
}

/* ---- before --------------------------------------------------------------------------------------- */

static bool check_empty(const Restore *r, Db *db, Err *err)
{
    for (size_t i = 0; i < r->f->databases.n; i++) {
        const char *name = r->f->databases.v[i];
        AUTOFREE char *one = NULL;
        if (!db_value(db, &one, err,
                      "SELECT MIN(table_name) FROM information_schema.tables WHERE table_schema = ?", "s",
                      name))
            return false;
        if (one)
            return err_set(err, ERR_REFUSED, 0,
                           "database %s on the server holds tables (such as %s): restore into a server "
                           "without it, or drop "
                           "it by --overwrite",
                           name, one);
    }
    return true;
}

static bool drop_databases(const Restore *r, Db *db, Err *err)
{
    for (size_t i = 0; i < r->f->databases.n; i++) {
        AUTO(str_done) Str sql = STR_INIT;
        str_adds(&sql, "DROP DATABASE IF EXISTS ");
        db_quote_id(&sql, r->f->databases.v[i]);
        if (!db_exec(db, err, sql.p, ""))
            return false;
    }
    return true;
}

/* Rows of an engine without transactions are not bound to the ledger: such a table is loaded anew. */
static bool empty_table(const Restore *r, Db *db, const RestoreFile *file, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    bool bound;
    const char *database = folder_database(r->f, file->database), *table = real_name(r, file);
    if (!is_bound(r, db, file, &bound, err))
        return false;
    if (bound)
        return true;
    str_adds(&sql, "TRUNCATE TABLE ");
    db_quote_table(&sql, database, table);
    return ledger_forget(db, r->f->id, file->name, err) && db_exec(db, err, sql.p, "");
}

static bool empty_unbound(const Restore *r, Db *db, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && r->resumed && i < r->f->n_files; i++)
        if (r->f->files[i].step == STEP_ROWS)
            ok = empty_table(r, db, &r->f->files[i], err);
    return ok;
}

/* Of this very dump: another's notes are given up by --overwrite. */
static bool was_begun(const Restore *r, Db *db, bool *ret, Err *err)
{
    int64_t tables, own = 0;
    if (!db_value_int(db, &tables, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema ="
                      " 'siding_restore' AND table_name = 'ledger'",
                      "") ||
        (tables && !db_value_int(db, &own, err, "SELECT COUNT(*) FROM siding_restore.ledger WHERE dump = ?",
                                 "s", r->f->id)))
        return false;
    *ret = own > 0;
    return true;
}

static bool prepare(Restore *r, Db *db, Err *err)
{
    bool begun;
    if (!was_begun(r, db, &begun, err))
        return false;
    if (!begun && !(r->o->overwrite ? drop_databases(r, db, err) : check_empty(r, db, err)))
        return false;
    return ledger_open(db, r->f->id, r->o->overwrite, &r->resumed, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool run_steps(Restore *r, Db *db, Err *err)
{
    size_t from = 0;
    for (RestoreStep step = 0; step < N_STEPS; step++) {
        size_t end = from;
        while (end < r->f->n_files && r->f->files[end].step == step)
            end++;
        if (step == STEP_ROWS && !empty_unbound(r, db, err))
            return false;
        if (!(step == STEP_VIEWS ? load_views(r, from, end, err) : run_step(r, from, end, err)))
            return false;
        from = end;
    }
    return true;
}

bool restore_run(const RestoreOptions *o, const Folder *f, RestoreOutcome *ret, Err *err)
{
    Restore r = {.o = o, .f = f};
    Db *db = NULL;
    pthread_mutex_init(&r.lock, NULL);
    restore_options_target(o, &r.target);
    *ret = (RestoreOutcome){.files = f->n_files};
    bool ok = connect_worker(&r, &db, err) && prepare(&r, db, err) && run_steps(&r, db, err) &&
              (o->no_verify || prove_tables(db, f, &ret->tables_proved, err)) && ledger_drop(db, err);
    ret->resumed = r.resumed;
    ret->kept_bytes = r.kept_bytes;
    ret->become_replica = ok ? flavor_of(db_version(db)->flavor)->become_replica : NULL;
    db_close(db);
    db_target_done(&r.target);
    pthread_mutex_destroy(&r.lock);
    return ok;
}
