/* SPDX-License-Identifier: Apache-2.0 */
#include "restore_target.h"

#include "common/file/json.h"
#include "journal_table.h"

bool restore_target_name(const RestoreTarget *t, Db *db, const char *name, char **ret, Err *err)
{
    if (t->folds_case)
        return db_value(db, ret, err, "SELECT LOWER(?)", "s", name);
    *ret = xstrdup(name);
    return true;
}

void restore_target_done(RestoreTarget *t)
{
    json_decref(t->marks);
    *t = (RestoreTarget){0};
}

/* ---- names ---------------------------------------------------------------------------------------- */

/* `seen` holds the names taken so far, as they are stored. */
static bool check_name(const RestoreTarget *t, Db *db, json_t *seen, const char *name, Err *err)
{
    AUTOFREE char *stored = NULL;
    if (!restore_target_name(t, db, name, &stored, err))
        return false;
    const char *other = json_str(seen, stored);
    if (*other && !str_eq(other, name))
        return err_set(err, ERR_REFUSED, 0,
                       "%s and %s are one name on this server, which stores names in lower case "
                       "(lower_case_table_names): restore into a server that keeps them apart",
                       other, name);
    json_set_str(seen, stored, name);
    return true;
}

static bool check_names(const RestoreTarget *t, Db *db, const Folder *f, Err *err)
{
    AUTOJSON json_t *seen = json_object();
    for (size_t i = 0; t->folds_case && i < f->databases.n; i++)
        if (!check_name(t, db, seen, f->databases.v[i], err))
            return false;
    for (size_t i = 0; t->folds_case && i < f->n_files; i++) {
        const RestoreFile *file = &f->files[i];
        if (!file->table || file->step == STEP_TRIGGERS)
            continue;
        AUTOFREE char *name =
            xasprintf("%s.%s", folder_database(f, file->database), folder_real_name(f, file));
        if (!check_name(t, db, seen, name, err))
            return false;
    }
    return true;
}

/* ---- what is there -------------------------------------------------------------------------------- */

/* The database is bound twice each: some servers compare its name without case or accent. */
static const char *const objects_sql =
    "SELECT CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE' ELSE 'TABLE' END,"
    " table_name FROM information_schema.tables WHERE table_schema = ? AND CAST(table_schema AS BINARY) ="
    " CAST(? AS BINARY) UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE"
    " routine_schema = ? AND CAST(routine_schema AS BINARY) = CAST(? AS BINARY) UNION ALL SELECT 'EVENT',"
    " event_name FROM information_schema.events WHERE event_schema = ? AND CAST(event_schema AS BINARY) ="
    " CAST(? AS BINARY) UNION ALL SELECT 'TRIGGER', trigger_name FROM information_schema.triggers WHERE"
    " trigger_schema = ? AND CAST(trigger_schema AS BINARY) = CAST(? AS BINARY)";

static bool refuse(const RestoreTarget *t, const char *database, const char *kind, const char *name, Err *err)
{
    if (t->resumed)
        return err_set(err, ERR_REFUSED, 0,
                       "%s %s.%s is none of those that this restore has made: it was there, or came since: "
                       "rename or drop it, then try again",
                       kind, database, name);
    return err_set(
        err, ERR_REFUSED, 0,
        "database %s on the server is not empty (it holds the %s %s): restore into a server without it, "
        "or drop it by --overwrite",
        database, kind, name);
}

/* Nothing is there but what an earlier run has made. */
static bool check_objects(const RestoreTarget *t, Db *db, const char *name, Err *err)
{
    AUTOFREE char *database = NULL;
    DbRows *r;
    bool more, ok;
    if (!restore_target_name(t, db, name, &database, err) ||
        !db_query(db, &r, err, objects_sql, "ssssssss", database, database, database, database, database,
                  database, database, database))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *kind = db_field(r, 0, NULL), *object = db_field(r, 1, NULL);
        AUTOFREE char *mark = journal_table_mark(kind, database, object);
        if (!json_object_get(t->marks, mark) && !(ok = refuse(t, database, kind, object, err)))
            break;
    }
    db_rows_free(r);
    return ok;
}

static bool drop_database(Db *db, const char *name, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "DROP DATABASE IF EXISTS ");
    db_quote_id(&sql, name);
    return db_exec(db, err, sql.p, "");
}

static bool make_room(const RestoreTarget *t, Db *db, const Folder *f, bool overwrite, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < f->databases.n; i++)
        ok = overwrite && !t->resumed ? drop_database(db, f->databases.v[i], err)
                                      : check_objects(t, db, f->databases.v[i], err);
    return ok;
}

/* ---- statements ----------------------------------------------------------------------------------- */

static bool check_packet(Db *db, const Folder *f, Err *err)
{
    enum { ROOM = 1024 };
    int64_t most, longest = json_int(f->about, "longest_statement");
    if (!db_value_int(db, &most, err, "SELECT @@session.max_allowed_packet", ""))
        return false;
    return longest + ROOM <= most ||
           err_set(err, ERR_REFUSED, 0,
                   "%s holds a statement of %lld bytes, the server takes %lld: SET GLOBAL "
                   "max_allowed_packet=%lld "
                   "there (1073741824 is its most), then try again",
                   json_str(f->about, "longest_statement_in"), (long long)longest, (long long)most,
                   (long long)((longest + ROOM + 1023) / 1024 * 1024));
}

bool restore_target_prepare(Db *db, const Folder *f, bool overwrite, RestoreTarget *ret, Err *err)
{
    RestoreTarget t = {0};
    int64_t folds = 0;
    bool ok = db_value_int(db, &folds, err, "SELECT @@global.lower_case_table_names = 1", "") &&
              journal_table_marks(db, f->id, &t.resumed, &t.marks, err);
    t.folds_case = folds;
    ok = ok && check_names(&t, db, f, err) && check_packet(db, f, err) &&
         make_room(&t, db, f, overwrite, err) && journal_table_open(db, f->id, overwrite, err);
    if (!ok) {
        restore_target_done(&t);
        return false;
    }
    *ret = t;
    return true;
}
