/* SPDX-License-Identifier: Apache-2.0 */
#include "views.h"

#include <string.h>

#include "common/file/fs.h"
#include "connect.h"
#include "content.h"
#include "journal_table.h"
#include "replica-agent/dump/control.h"

enum { NO_TABLE = 1146, UNKNOWN_COLUMN = 1054, STAND_IN = '~' /* before a name in the ledger */ };

typedef enum State { TODO, UNDER_WAY, MADE, UNMADE } State;

typedef struct View {
    const RestoreFile *file;
    char *quoted; /* as the server names a table that is not there: 'd.v' */
    State state;
    Err why;
} View;

typedef struct Views {
    RestoreWorker w;
    View *v;
    size_t n;
    StrList
        stand_ins; /* made for tables that are missing; a view on a view over one needs them till the end */
} Views;

/* ---- stand-ins ------------------------------------------------------------------------------------ */

/* "Table 'd.t' doesn't exist": made for as long as views are; a view may stand on tables that are gone. */
static bool make_table(Views *vs, const char *text, Err *err)
{
    const Restore *r = vs->w.r;
    const char *from = strchr(text, '\''), *dot = from ? strchr(from, '.') : NULL,
               *end = dot ? strchr(dot, '\'') : NULL;
    if (!end)
        return false;
    AUTOFREE char *database = xstrndup(from + 1, (size_t)(dot - from - 1)),
                  *table = xstrndup(dot + 1, (size_t)(end - dot - 1));
    AUTO(str_done) Str name = STR_INIT;
    db_quote_table(&name, database, table);
    AUTOFREE char *sql = xasprintf("CREATE TABLE %s (siding_placeholder INT PRIMARY KEY)", name.p),
                  *note = xasprintf("%c%s", STAND_IN, name.p),
                  *mark = journal_table_mark("TABLE", database, table);
    if (strlen(note) > 255 || !journal_table_write(vs->w.db, r->f->id, note, &(FilePlace){0, false}, err) ||
        !loader_make(r, vs->w.db, mark, sql, err))
        return false;
    strlist_add(&vs->stand_ins, name.p);
    return true;
}

/* "Unknown column 'x.c' in …": in each of the tables made. */
static bool make_column(Views *vs, const char *text, Err *err)
{
    const char *from = strchr(text, '\''), *end = from ? strchr(from + 1, '\'') : NULL;
    if (!end || !vs->stand_ins.n)
        return false;
    const char *name = end;
    while (name > from + 1 && name[-1] != '.')
        name--;
    AUTOFREE char *column = xstrndup(name, (size_t)(end - name));
    for (size_t i = 0; i < vs->stand_ins.n; i++) {
        AUTO(str_done) Str sql = STR_INIT;
        str_addf(&sql, "ALTER TABLE %s ADD COLUMN ", vs->stand_ins.v[i]);
        db_quote_id(&sql, column);
        str_adds(&sql, " VARCHAR(1)");
        if (!db_exec(vs->w.db, err, sql.p, ""))
            return false;
    }
    return true;
}

/* Of an earlier run. */
static bool find_stand_ins(Views *vs, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(vs->w.db, &rows, err,
                  "SELECT SUBSTR(file, 2) FROM siding_restore.ledger WHERE dump = ? AND LEFT(file, 1) = '~'",
                  "s", vs->w.r->f->id))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        strlist_add(&vs->stand_ins, db_field(rows, 0, NULL));
    db_rows_free(rows);
    return ok;
}

static bool drop_stand_ins(Views *vs, Err *err)
{
    for (size_t i = 0; i < vs->stand_ins.n; i++) {
        AUTOFREE char *sql = xasprintf("DROP TABLE IF EXISTS %s", vs->stand_ins.v[i]),
                      *note = xasprintf("%c%s", STAND_IN, vs->stand_ins.v[i]);
        if (!db_exec(vs->w.db, err, sql, "") || !journal_table_forget(vs->w.db, vs->w.r->f->id, note, err))
            return false;
    }
    return true;
}

/* ---- one view ------------------------------------------------------------------------------------- */

static View *needed(Views *vs, const char *text)
{
    for (size_t i = 0; i < vs->n; i++)
        if (vs->v[i].state != MADE && strstr(text, vs->v[i].quoted))
            return &vs->v[i];
    return NULL;
}

/* Makes a stand-in. False: there is nothing that would help. */
static bool help(Views *vs, const Err *failed)
{
    Err ignored;
    return failed->code == NO_TABLE
               ? make_table(vs, failed->text, &ignored)
               : failed->code == UNKNOWN_COLUMN && make_column(vs, failed->text, &ignored);
}

/* One try. A reason of the server's keeps this view back, any other failure ends the restore. *ret_needed:
 * the view that is to be made before this one is tried again; NULL with state UNDER_WAY: it is to be tried
 * again at once. Each further try follows a view, a table or a column that was made, and the same complaint
 * twice means that it was no help: so they end. */
static bool try_view(Views *vs, View *v, View **ret_needed, Err *err)
{
    Err failed;
    *ret_needed = NULL;
    v->state = UNDER_WAY;
    if (loader_load(&vs->w, v->file, &failed)) {
        v->state = MADE;
        return true;
    }
    if (failed.kind != ERR_DB) {
        *err = failed;
        return false;
    }
    bool again = v->why.kind == ERR_NONE || !str_eq(v->why.text, failed.text);
    View *other = failed.code == NO_TABLE ? needed(vs, failed.text) : NULL;
    v->why = failed;
    if (again && other && other->state == TODO)
        *ret_needed = other;
    else if (!again || other || !help(vs, &failed))
        v->state = UNMADE;
    return true;
}

/* With all that it needs. */
static bool make_view(Views *vs, View *first, Err *err)
{
    AUTOFREE View **waiting = xcalloc(vs->n + 1, sizeof(View *));
    size_t n = 0;
    waiting[n++] = first;
    while (n) {
        View *v = waiting[n - 1], *other;
        if (!control_point(err) || !try_view(vs, v, &other, err))
            return false;
        if (other)
            waiting[n++] = other;
        else if (v->state != UNDER_WAY)
            n--;
    }
    return true;
}

/* ---- all ------------------------------------------------------------------------------------------ */

static void views_init(Views *vs, Restore *r, size_t from, size_t end)
{
    *vs = (Views){.w = {.r = r, .number = 0}, .v = xcalloc(end - from + 1, sizeof(View)), .n = end - from};
    for (size_t i = 0; i < vs->n; i++) {
        const RestoreFile *file = &r->f->files[from + i];
        vs->v[i].file = file;
        vs->v[i].quoted =
            xasprintf("'%s.%s'", folder_database(r->f, file->database), folder_real_name(r->f, file));
    }
}

static void views_done(Views *vs)
{
    for (size_t i = 0; i < vs->n; i++)
        free(vs->v[i].quoted);
    free(vs->v);
    strlist_done(&vs->stand_ins);
    db_close(vs->w.db);
}

static void list_unmade(const Views *vs, StrList *ret_unmade, StrList *ret_files)
{
    for (size_t i = 0; i < vs->n; i++) {
        if (vs->v[i].state == MADE)
            continue;
        AUTO(str_done) Str name = STR_INIT;
        const RestoreFile *file = vs->v[i].file;
        db_quote_table(&name, folder_database(vs->w.r->f, file->database),
                       folder_real_name(vs->w.r->f, file));
        strlist_addf(ret_unmade, "view %s: %s", name.p, vs->v[i].why.text);
        strlist_add(ret_files, file->name);
    }
}

bool views_load(Restore *r, size_t from, size_t end, StrList *ret_unmade, StrList *ret_files, Err *err)
{
    Views vs;
    if (from == end)
        return true;
    views_init(&vs, r, from, end);
    bool ok = connect_open(r, &vs.w.db, err) && journal_table_lock_worker(vs.w.db, 0, err) &&
              find_stand_ins(&vs, err);
    for (size_t i = 0; ok && i < vs.n; i++)
        ok = vs.v[i].state != TODO || make_view(&vs, &vs.v[i], err);
    ok = ok && drop_stand_ins(&vs, err);
    if (ok)
        list_unmade(&vs, ret_unmade, ret_files);
    views_done(&vs);
    return ok;
}

bool views_defer(const Restore *r, const StrList *files, const char *path, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < files->n; i++) {
        RestoreFile file;
        if (!folder_classify(files->v[i], &file))
            continue;
        str_adds(&text, "USE ");
        db_quote_id(&text, folder_database(r->f, file.database));
        str_adds(&text, ";\n");
        free(file.name);
        free(file.database);
        free(file.table);
        if (!folder_read(r->f, files->v[i], SIZE_MAX, &text, err))
            return false;
    }
    return fs_replace(path, str_z(&text), text.len, 0600, err);
}
