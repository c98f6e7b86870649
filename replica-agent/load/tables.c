/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/tables.h"

#include <string.h>
#include <strings.h>

#include "replica-agent/load/marker.h"

static char *beside(const char *table, const char *what)
{
    return xasprintf("_%s_siding_%s", table, what);
}

bool tables_open(const Bundle *b, const char *run, LoadTables *ret, Err *err)
{
    LoadTables t = {.run = run, .frozen_at = b->frozen_at, .gtid = b->gtid};
    if (!db_split_table(b->target, &t.schema, &t.target))
        return err_set(err, ERR_CORRUPT, 0, "the manifest's target \"%s\" is not \"database.table\"",
                       b->target);
    t.fresh = beside(t.target, "new");
    t.old = beside(t.target, "old");
    t.todo = beside(t.target, "todo");
    t.done = beside(t.target, "done");
    *ret = t;
    return true;
}

void tables_close(LoadTables *t)
{
    char *const owned[] = {t->schema, t->target, t->fresh, t->old, t->todo, t->done};
    for (size_t i = 0; i < COUNT(owned); i++)
        free(owned[i]);
    *t = (LoadTables){0};
}

/* ---- facts --------------------------------------------------------------------------------------- */

static char *own_marker(const LoadTables *t)
{
    return marker_text(t->run, t->frozen_at, t->gtid);
}

static void take_marker(Db *db, const LoadTables *t, LoadMarker marker, const char *comment, LoadFacts *facts)
{
    AUTOFREE char *ours = own_marker(t);
    facts->marker = marker;
    facts->marker_ours = str_eq(ours, comment);
    facts->marker_newer =
        !facts->marker_ours && marker_is_newer(db_version(db)->flavor, comment, t->frozen_at, t->gtid);
}

bool tables_read(Db *db, const LoadTables *t, LoadFacts *facts, bool *ret_target, Err *err)
{
    DbRows *rows;
    if (!db_query(db, &rows, err,
                  "SELECT TABLE_NAME AS name, TABLE_COMMENT AS comment FROM information_schema.TABLES"
                  " WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?, ?, ?, ?)",
                  "sssss", t->schema, t->target, t->fresh, t->todo, t->done))
        return false;
    AUTOFREE char *todo = NULL;
    AUTOFREE char *done = NULL;
    bool ok, more, target = false;
    facts->shadow = false;
    while ((ok = db_next(rows, &more, err)) && more) {
        const char *name = db_text(rows, "name");
        target = target || str_eq(name, t->target);
        facts->shadow = facts->shadow || str_eq(name, t->fresh);
        if (str_eq(name, t->todo))
            todo = xstrdup(db_text(rows, "comment"));
        else if (str_eq(name, t->done))
            done = xstrdup(db_text(rows, "comment"));
    }
    db_rows_free(rows);
    facts->marker = MARKER_NONE;
    facts->marker_ours = facts->marker_newer = false;
    if (done)
        take_marker(db, t, MARKER_DONE, done, facts);
    /* An earlier swap's mark may still stand beside ours; a newer one must not be passed over. */
    if (todo && !(done && (facts->marker_ours || facts->marker_newer)))
        take_marker(db, t, MARKER_TODO, todo, facts);
    *ret_target = target;
    return ok;
}

bool tables_exists(Db *db, const char *schema, const char *table, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(
            db, &n, err,
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", "ss",
            schema, table))
        return false;
    *ret = n > 0;
    return true;
}

/* What a RENAME would leave behind with the old table, or break. */
static const struct {
    const char *sql, *reason;
} obstacles[] = {
    {"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
     " AND TABLE_TYPE <> 'BASE TABLE'",
     "is no base table"},
    {"SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE "
     "= ?",
     "has triggers, which would stay with the old table: drop them, or load by append"},
    {"SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
     " AND REFERENCED_TABLE_NAME IS NOT NULL",
     "has foreign keys, which would stay with the old table: drop them"},
    {"SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_SCHEMA = ?"
     " AND REFERENCED_TABLE_NAME = ?",
     "is referenced by foreign keys of other tables, which would follow the old table: drop them"},
};

bool tables_check_target(Db *db, const LoadTables *t, Err *err)
{
    for (size_t i = 0; i < COUNT(obstacles); i++) {
        int64_t n;
        if (!db_value_int(db, &n, err, obstacles[i].sql, "ss", t->schema, t->target))
            return false;
        if (n)
            return err_set(err, ERR_REFUSED, 0, "cannot swap %s.%s: it %s", t->schema, t->target,
                           obstacles[i].reason);
    }
    return true;
}

/* ---- changes ------------------------------------------------------------------------------------- */

static bool drop(Db *db, const LoadTables *t, const char *table, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "DROP TABLE IF EXISTS ");
    db_quote_table(&sql, t->schema, table);
    return db_exec(db, err, str_z(&sql), "");
}

bool tables_abandon(Db *db, const LoadTables *t, Err *err)
{
    return drop(db, t, t->todo, err) && drop(db, t, t->fresh, err);
}

bool tables_drop_old(Db *db, const LoadTables *t, Err *err)
{
    return drop(db, t, t->old, err);
}

static bool create_shadow(Db *db, const LoadTables *t, const char *create, Err *err)
{
    const char *body = strchr(create, '(');
    if (strncasecmp(create, "CREATE TABLE ", 13) != 0 || !body)
        return err_set(err, ERR_CORRUPT, 0, "the manifest's create statement is none: %.80s", create);
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "CREATE TABLE ");
    db_quote_table(&sql, t->schema, t->fresh);
    str_addf(&sql, " %s", body);
    return db_exec(db, err, str_z(&sql), "") || err_prefix(err, "creating %s.%s", t->schema, t->fresh);
}

static bool create_marker(Db *db, const LoadTables *t, Err *err)
{
    AUTOFREE char *text = own_marker(t);
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "CREATE TABLE ");
    db_quote_table(&sql, t->schema, t->todo);
    str_adds(&sql, " (x TINYINT PRIMARY KEY) ENGINE=InnoDB COMMENT=");
    db_quote_str(&sql, text, strlen(text));
    return db_exec(db, err, str_z(&sql), "");
}

bool tables_begin(Db *db, const LoadTables *t, const char *create, Err *err)
{
    return tables_abandon(db, t, err) && tables_drop_old(db, t, err) && create_shadow(db, t, create, err) &&
           create_marker(db, t, err);
}

bool tables_prepare_rename(Db *db, const LoadTables *t, Err *err)
{
    return drop(db, t, t->old, err) && drop(db, t, t->done, err);
}

static void add_pair(Str *sql, const LoadTables *t, const char *from, const char *to)
{
    str_adds(sql, str_ends(str_z(sql), "TABLE ") ? "" : ", ");
    db_quote_table(sql, t->schema, from);
    str_adds(sql, " TO ");
    db_quote_table(sql, t->schema, to);
}

bool tables_rename(Db *db, const LoadTables *t, bool target_exists, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "RENAME TABLE ");
    if (target_exists)
        add_pair(&sql, t, t->target, t->old);
    add_pair(&sql, t, t->fresh, t->target);
    add_pair(&sql, t, t->todo, t->done);
    if (!db_exec(db, err, "SET SESSION lock_wait_timeout=1", ""))
        return false;
    bool ok = db_exec(db, err, str_z(&sql), "");
    Err later;
    return db_exec(db, ok ? err : &later, "SET SESSION lock_wait_timeout=60", "") && ok;
}
