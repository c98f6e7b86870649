/* SPDX-License-Identifier: Apache-2.0 */
#include "loader.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

#include "blame.h"
#include "common/db/engine.h"
#include "common/db/flavor.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "connect.h"
#include "content.h"
#include "filelist.h"
#include "journal_table.h"
#include "replica-agent/dump/control.h"
#include "statements.h"

enum {
    PIECE = 1 << 18,
    EXISTS_TABLE = 1050,
    EXISTS_TRIGGER = 1359,
    EXISTS_ROUTINE = 1304,
    EXISTS_EVENT = 1537,
    LOST_TRIES = 5,
};

static bool use(Db *db, const char *database, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "USE ");
    db_quote_id(&sql, database);
    return db_exec(db, err, sql.p, "");
}

/* ---- a table ------------------------------------------------------------------------------------------- */

typedef struct Kind {
    bool bound;    /* its engine has transactions */
    bool has_rows; /* of its own */
} Kind;

static bool read_kind(const Restore *r, Db *db, const RestoreFile *file, Kind *ret, Err *err)
{
    DbRows *rows;
    bool more;
    AUTOFREE char *database = NULL, *table = NULL;
    if (!restore_target_name(&r->target, db, folder_database(r->f, file->database), &database, err) ||
        !restore_target_name(&r->target, db, folder_real_name(r->f, file), &table, err) ||
        !db_query(
            db, &rows, err,
            "SELECT t.engine, COALESCE(e.transactions = 'YES', 1) AS bound FROM information_schema.tables t"
            " LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE t.table_schema = ? AND"
            " t.table_name = ?",
            "ss", database, table))
        return false;
    *ret = (Kind){true, true};
    bool ok = db_next(rows, &more, err);
    if (ok && more)
        *ret = (Kind){db_int(rows, "bound"),
                      engine_has_rows(db_field(rows, 0, NULL) ? db_field(rows, 0, NULL) : "")};
    db_rows_free(rows);
    return ok;
}

/* ---- a file of statements ------------------------------------------------------------------------- */

typedef struct FileLoad {
    RestoreWorker *w;
    const RestoreFile *file;
    FilePlace place;
    int64_t seen, uncommitted; /* statements that put rows in; bytes */
    bool bound;                /* its rows can be in the ledger's transaction */
    bool loose;                /* its rows cannot, and some may be in */
    bool as_lines;             /* INSERTs are fed as lines */
    Content held;              /* of the text in the variable that is executed next */
} FileLoad;

static bool commit(FileLoad *l, bool done, Err *err)
{
    const Restore *r = l->w->r;
    l->place = (FilePlace){l->seen, done};
    l->uncommitted = 0;
    return journal_table_write(l->w->db, r->f->id, l->file->name, &l->place, err) &&
           db_exec(l->w->db, err, "COMMIT", "");
}

/* The server ends the connection of a client that sends more than it takes: again would be no help. */
static bool explain_large(RestoreWorker *w, const Err *failed, size_t n, Err *err)
{
    enum { GONE = 2006, LOST = 2013, TOO_LARGE = 1153, LARGE_BYTES = 1 << 20 };
    if (n < LARGE_BYTES || (int64_t)n < w->most_bytes ||
        (failed->code != GONE && failed->code != LOST && failed->code != TOO_LARGE))
        return false;
    return err_set(err, ERR_REFUSED, failed->code,
                   "%.600s; the statement has %zu bytes: is the server's max_allowed_packet smaller?",
                   failed->text, n);
}

typedef struct Fed {
    const Str *text;
    size_t at;
} Fed;

static ssize_t feed_text(void *arg, char *buffer, size_t n, Err *err)
{
    (void)err;
    Fed *f = arg;
    size_t part = f->text->len - f->at < n ? f->text->len - f->at : n;
    memcpy(buffer, f->text->p + f->at, part);
    f->at += part;
    return (ssize_t)part;
}

/* A server whose binary log has statements would have to keep the lines in it. */
static bool look_at_server(RestoreWorker *w, Err *err)
{
    int64_t takes;
    if (w->looked)
        return true;
    if (!db_value_int(w->db, &w->most_bytes, err, "SELECT @@session.max_allowed_packet", ""))
        return false;
    w->looked = db_value_int(
        w->db, &takes, err,
        "SELECT @@local_infile AND (NOT @@sql_log_bin OR NOT @@log_bin OR @@binlog_format = 'ROW')", "");
    w->takes_lines = w->looked && takes;
    return w->looked;
}

/* What LOCAL would mend or pass over with a warning is left to the INSERT, which says what is wrong. False in
 * *ret: nothing is in. */
static bool put_lines(FileLoad *l, const char *sql, size_t n, bool *ret, Err *err)
{
    RestoreWorker *w = l->w;
    int64_t rows = 0;
    *ret = false;
    if (!l->as_lines || !lines_of_insert(sql, n, &w->lines))
        return true;
    if (!db_exec(w->db, err, "SAVEPOINT siding_rows", ""))
        return false;
    *ret = db_load_data(w->db, str_z(&w->lines.statement), feed_text, &(Fed){&w->lines.text, 0}, &rows, err);
    if (!*ret && (err->kind == ERR_LOST || db_locked_out(err)))
        return false;
    *ret = *ret && rows == w->lines.rows && db_warnings(w->db) == 0;
    l->as_lines = *ret; /* what one statement met the next ones may meet too */
    return db_exec(w->db, err, *ret ? "RELEASE SAVEPOINT siding_rows" : "ROLLBACK TO SAVEPOINT siding_rows",
                   "");
}

static bool put_rows(FileLoad *l, const char *sql, size_t n, Err *err)
{
    bool done;
    return put_lines(l, sql, n, &done, err) && (done || db_exec(l->w->db, err, sql, ""));
}

/* The server refuses whatever rows: it is read-only, the account may not, the table is not there. */
static bool is_of_any_row(int code)
{
    static const int codes[] = {1290, 1836, 1792, 1044, 1142, 1146};
    for (size_t i = 0; i < COUNT(codes); i++)
        if (code == codes[i])
            return true;
    return false;
}

static bool explain_rows(const FileLoad *l, const char *sql, size_t n, const Err *failed, Err *err)
{
    if (explain_large(l->w, failed, n, err) || failed->kind != ERR_DB || db_locked_out(failed) ||
        is_of_any_row(failed->code))
        return false;
    return blame_row(l->w->db, sql, n, l->seen, l->bound, failed, err);
}

static bool run_row_statement(FileLoad *l, const char *sql, size_t n, Err *err)
{
    RestoreWorker *w = l->w;
    bool insert = statements_is_insert(sql, n);
    if (insert && ++l->seen <= l->place.statements)
        return true;
    if (!(insert ? put_rows(l, sql, n, err) : db_exec(w->db, err, sql, ""))) {
        Err failed = *err;
        return insert ? explain_rows(l, sql, n, &failed, err) : false;
    }
    l->uncommitted += insert ? (int64_t)n : 0;
    if (!l->bound || l->uncommitted < w->r->o->transaction_bytes)
        return true;
    return commit(l, false, err) && control_point(err) && db_exec(w->db, err, "START TRANSACTION", "");
}

/* ---- objects -------------------------------------------------------------------------------------- */

static bool exists_already(int code)
{
    return code == EXISTS_TABLE || code == EXISTS_TRIGGER || code == EXISTS_ROUTINE || code == EXISTS_EVENT;
}

static bool explain_definition(const Restore *r, const Err *failed, Err *err)
{
    enum { NO_DEFINER = 1449, MAY_NOT = 1227, NO_TABLE = 1146 };
    *err = *failed;
    if (failed->code == NO_TABLE && !r->target.folds_case &&
        json_int(r->f->about, "lower_case_table_names") == 1)
        return err_set(
            err, failed->kind, failed->code,
            "%.800s; the dump's server stores names in lower case (lower_case_table_names=1), and its texts "
            "name tables in any: restore into a server that does so too",
            failed->text);
    if (failed->code != NO_DEFINER && failed->code != MAY_NOT)
        return false;
    return err_set(
        err, failed->kind, failed->code,
        "%.800s; --skip-definer makes it the restoring account's, --definer 'USER'@'HOST' another's",
        failed->text);
}

bool loader_make(const Restore *r, Db *db, const char *mark, const char *sql, Err *err)
{
    Err failed;
    bool had = json_object_get(r->target.marks, mark);
    if (!had && atomic_load(&r->lost_once) && !journal_table_has(db, r->f->id, mark, &had, err))
        return false;
    if (!had && !journal_table_write(db, r->f->id, mark, &(FilePlace){0, false}, err))
        return false;
    if (db_exec(db, &failed, sql, ""))
        return true;
    if (exists_already(failed.code) && had)
        return true;
    /* An outcome that is not known keeps the mark: it may have been made. */
    if (failed.kind == ERR_DB && !had && !journal_table_forget(db, r->f->id, mark, err))
        return false;
    return explain_definition(r, &failed, err);
}

/* One that was there, and empty, becomes what the dump's was: its collation is that of parameters. */
static bool make_database(FileLoad *l, const Content *c, const char *sql, Err *err)
{
    AUTO(str_done) Str alter = STR_INIT;
    const char *options = sql + c->options_at;
    if (!db_exec(l->w->db, err, sql, ""))
        return false;
    if (!db_warnings(l->w->db) || !*options)
        return true;
    str_adds(&alter, "ALTER DATABASE ");
    db_quote_id(&alter, c->name);
    str_adds(&alter, options);
    return db_exec(l->w->db, err, str_z(&alter), "");
}

static bool make_object(FileLoad *l, const Content *c, const char *sql, Err *err)
{
    const Restore *r = l->w->r;
    AUTOFREE char *database = NULL, *name = NULL;
    if (c->kind == CONTENT_DATABASE && c->name)
        return make_database(l, c, sql, err);
    if (!content_kind_name(c->kind) || !c->name)
        return db_exec(l->w->db, err, sql, "");
    if (!restore_target_name(&r->target, l->w->db, folder_database(r->f, l->file->database), &database,
                             err) ||
        !(c->kind == CONTENT_TABLE || c->kind == CONTENT_VIEW || c->kind == CONTENT_SEQUENCE
              ? restore_target_name(&r->target, l->w->db, c->name, &name, err)
              : (name = xstrdup(c->name)) != NULL))
        return false;
    AUTOFREE char *mark = journal_table_mark(content_kind_name(c->kind), database, name);
    /* Without it a server that lacks the engine takes another one. */
    if (c->kind == CONTENT_TABLE &&
        !db_exec(l->w->db, err, "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_ENGINE_SUBSTITUTION')", ""))
        return false;
    return loader_make(r, l->w->db, mark, sql, err);
}

static char *with_definer(const Restore *r, const char *sql, const Content *c)
{
    return r->o->skip_definer || r->o->definer ? content_with_definer(sql, c, r->o->definer) : xstrdup(sql);
}

/* SET @siding_sql = 'CREATE …': the object that the next EXECUTE makes. */
static bool hold_text(FileLoad *l, const char *sql, const char *literal, Err *err)
{
    const char *end;
    AUTO(str_done) Str set = STR_INIT;
    AUTOFREE char *text = content_unquoted(literal, &end);
    if (!text)
        return err_set(err, ERR_CORRUPT, 0, "a text in quotes does not end");
    content_done(&l->held);
    content_parse(text, &l->held);
    AUTOFREE char *other = with_definer(l->w->r, text, &l->held);
    str_add(&set, sql, (size_t)(literal - sql));
    db_quote_str(&set, other, strlen(other));
    str_adds(&set, end);
    return db_exec(l->w->db, err, set.p, "");
}

static bool run_definition(FileLoad *l, const char *sql, Err *err)
{
    static const char set[] = "SET @siding_sql = ", execute[] = "EXECUTE IMMEDIATE @siding_sql";
    Content c;
    if (str_starts(sql, set))
        return hold_text(l, sql, sql + sizeof set - 1, err);
    if (str_starts(sql, execute))
        return make_object(l, &l->held, sql, err);
    /* Other loaders drop the view's placeholder; here there is none, and what is there is not ours. */
    if (l->file->step == STEP_VIEWS && str_starts(sql, "DROP "))
        return true;
    content_parse(sql, &c);
    AUTOFREE char *text = with_definer(l->w->r, sql, &c);
    bool ok = make_object(l, &c, text, err);
    content_done(&c);
    return ok;
}

static bool run_statement(FileLoad *l, const char *sql, size_t n, Err *err)
{
    return l->file->step == STEP_ROWS ? run_row_statement(l, sql, n, err) : run_definition(l, sql, err);
}

static bool run_statements(FileLoad *l, GzReader *in, Err *err)
{
    StatementCutter s;
    AUTOFREE char *buffer = xcalloc(1, PIECE);
    size_t got = 1, n;
    const char *sql;
    bool ok = true;
    statements_init(&s);
    while (ok &&
           (ok = gz_read(in, buffer, PIECE, &got, err) && rate_limit_take(l->w->r->rate_limit, got, err)) &&
           got) {
        statements_feed(&s, buffer, got);
        while (ok && (sql = statements_next(&s, &n)))
            ok = run_statement(l, sql, n, err);
        if (ok && statements_is_endless(&s))
            ok = err_set(err, ERR_CORRUPT, 0, "a statement has more than %zu bytes, and no end",
                         STATEMENTS_LONGEST);
    }
    if (ok && !statements_ended(&s))
        ok = err_set(err, ERR_CORRUPT, 0, "it ends in the middle of a statement");
    statements_done(&s);
    content_done(&l->held);
    return ok;
}

/* ---- a file of tab-separated rows ----------------------------------------------------------------- */

typedef struct LineFeed {
    GzReader *in;
    RateLimit *rate_limit;
} LineFeed;

static ssize_t feed(void *arg, char *buffer, size_t n, Err *err)
{
    const LineFeed *f = arg;
    size_t got;
    return gz_read(f->in, buffer, n, &got, err) && rate_limit_take(f->rate_limit, got, err) ? (ssize_t)got
                                                                                            : -1;
}

static bool load_lines(FileLoad *l, GzReader *in, Err *err)
{
    const json_t *table = folder_table(l->w->r->f, l->file);
    const char *text = json_str(table, "load"), *place = strstr(text, "%s");
    const Flavor *f = flavor_of(db_version(l->w->db)->flavor);
    LineFeed from = {in, l->w->r->rate_limit};
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
           db_load_data(l->w->db, sql, feed, &from, &rows, err);
}

/* ---- files ---------------------------------------------------------------------------------------- */

static bool tell_left_out(Restore *r, const RestoreFile *file)
{
    AUTO(str_done) Str name = STR_INIT;
    db_quote_table(&name, folder_database(r->f, file->database), folder_real_name(r->f, file));
    pthread_mutex_lock(&r->lock);
    if (!strlist_has(&r->left_out, name.p)) {
        strlist_add(&r->left_out, name.p);
        text_print(
            stderr,
            "siding-restore: note: %s holds no rows of its own (its engine takes them from elsewhere): "
            "those in the dump are not loaded\n",
            name.p);
    }
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* A line's number for members of an ENUM or SET would be looked for among their texts first. */
static bool may_be_lines(const json_t *table)
{
    return table && !json_bool(table, "members_by_number");
}

static bool load_open(FileLoad *l, GzReader *in, Err *err)
{
    RestoreWorker *w = l->w;
    Kind kind = {false, true};
    if (l->file->step != STEP_DATABASES && !use(w->db, folder_database(w->r->f, l->file->database), err))
        return false;
    if (l->file->step == STEP_ROWS && !read_kind(w->r, w->db, l->file, &kind, err))
        return false;
    if (!kind.has_rows)
        return tell_left_out(w->r, l->file) && commit(l, true, err);
    l->bound = l->file->step == STEP_ROWS && kind.bound;
    l->loose = l->file->step == STEP_ROWS && !kind.bound;
    if (l->bound && (!look_at_server(w, err) || !db_exec(w->db, err, "START TRANSACTION", "")))
        return false;
    l->as_lines = l->bound && w->takes_lines && may_be_lines(folder_table(w->r->f, l->file));
    if (!(l->file->tsv ? load_lines(l, in, err) : run_statements(l, in, err)))
        return false;
    return commit(l, true, err);
}

/* Whoever makes objects may change the database's collation for a moment, which others would take for theirs.
 */
static bool load_checked(FileLoad *l, Err *err)
{
    Restore *r = l->w->r;
    AUTOFREE char *path = xasprintf("%s/%s", r->f->path, l->file->name);
    bool alone = l->file->step == STEP_POST || l->file->step == STEP_TRIGGERS;
    GzReader *in;
    if (!filelist_check_bytes(r->f, l->file->name, err) || !gz_open(path, &in, err))
        return false;
    if (alone)
        pthread_mutex_lock(&r->objects);
    bool ok = load_open(l, in, err);
    if (alone)
        pthread_mutex_unlock(&r->objects);
    gz_close(in);
    return ok;
}

static void count_file(Restore *r, const FileLoad *l)
{
    pthread_mutex_lock(&r->lock);
    r->done_bytes += l->file->bytes;
    r->kept_bytes += l->place.done && !l->seen ? l->file->bytes : 0;
    progress_set(r->done_bytes, r->f->bytes, l->file->name);
    pthread_mutex_unlock(&r->lock);
}

/* From where the journal says that it is. */
static bool load_rest(FileLoad *l, Err *err)
{
    const RestoreWorker *w = l->w;
    return journal_table_read(w->db, w->r->f->id, l->file->name, &l->place, err) &&
           (l->place.done || load_checked(l, err) || err_prefix(err, "%s", l->file->name));
}

/* Rows of a transaction that was locked out, or of a lost connection, are taken back to the last COMMIT,
 * which the journal is of; objects are known by their marks. Rows without transactions may be in: the next
 * start empties their table. */
static bool load_again(FileLoad *l, int try, Err *err)
{
    RestoreWorker *w = l->w;
    Err lost;
    if (l->bound && db_locked_out(err) && db_exec(w->db, &lost, "ROLLBACK", ""))
        return connect_await_locks(try, err);
    return !l->loose && try <= LOST_TRIES && connect_worker_again(w, err);
}

bool loader_load(RestoreWorker *w, const RestoreFile *file, Err *err)
{
    FileLoad l = {.w = w, .file = file};
    if (file->stand_in)
        return true;
    int64_t before = 0; /* whoever gets on has all tries again */
    for (int try = 1; !load_rest(&l, err); try++) {
        try = l.place.statements > before ? 1 : try;
        before = l.place.statements;
        if (!load_again(&l, try, err))
            return false;
        l = (FileLoad){.w = w, .file = file};
    }
    if (file->step == STEP_ROWS)
        count_file(w->r, &l);
    return true;
}

/* ---- going on ------------------------------------------------------------------------------------- */

static bool empty_table(const Restore *r, Db *db, const RestoreFile *file, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    Kind kind;
    if (!read_kind(r, db, file, &kind, err))
        return false;
    if (kind.bound || !kind.has_rows)
        return true;
    str_adds(&sql, "TRUNCATE TABLE ");
    db_quote_table(&sql, folder_database(r->f, file->database), folder_real_name(r->f, file));
    return journal_table_forget(db, r->f->id, file->name, err) && db_exec(db, err, sql.p, "");
}

bool loader_empty_unbound(const Restore *r, Db *db, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && r->target.resumed && i < r->f->n_files; i++)
        if (r->f->files[i].step == STEP_ROWS)
            ok = empty_table(r, db, &r->f->files[i], err);
    return ok;
}
