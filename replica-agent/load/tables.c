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
    facts->marker_forbids = !facts->marker_ours && !t->allow_older &&
                            marker_forbids(db_version(db)->flavor, comment, t->frozen_at, t->gtid);
}

bool tables_read(Db *db, const LoadTables *t, LoadFacts *facts, bool *ret_target, Err *err)
{
    DbRows *rows;
    if (!db_query(
            db, &rows, err,
            "SELECT TABLE_NAME AS name, TABLE_COMMENT AS comment FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = ? AND CAST(TABLE_SCHEMA AS BINARY) = CAST(? AS BINARY) AND TABLE_NAME IN"
            " (?, ?, ?, ?)",
            "ssssss", t->schema, t->schema, t->target, t->fresh, t->todo, t->done))
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
    facts->marker_ours = facts->marker_forbids = false;
    if (done)
        take_marker(db, t, MARKER_DONE, done, facts);
    /* An earlier swap's mark may still stand beside ours; a newer one must not be passed over. */
    if (todo && !(done && (facts->marker_ours || facts->marker_forbids)))
        take_marker(db, t, MARKER_TODO, todo, facts);
    *ret_target = target;
    return ok;
}

/* A server may keep all names in lower case, whatever is asked for. */
bool tables_settle_names(Db *db, LoadTables *t, Err *err)
{
    char **const names[] = {&t->schema, &t->target, &t->fresh, &t->old, &t->todo, &t->done};
    int64_t mode;
    if (!db_value_int(db, &mode, err, "SELECT @@global.lower_case_table_names", ""))
        return false;
    for (size_t i = 0; mode && i < COUNT(names); i++) {
        char *lower = NULL;
        if (!db_value(db, &lower, err, "SELECT LOWER(?)", "s", *names[i]))
            return false;
        free(*names[i]);
        *names[i] = lower;
    }
    return true;
}

bool tables_exists(Db *db, const char *schema, const char *table, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(
            db, &n, err,
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
            " AND CAST(TABLE_SCHEMA AS BINARY) = CAST(? AS BINARY) AND CAST(TABLE_NAME AS BINARY) = CAST(? AS"
            " BINARY)",
            "ssss", schema, table, schema, table))
        return false;
    *ret = n > 0;
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

static bool create_by(Db *db, const LoadTables *t, const char *create, Err *err)
{
    const char *body = strchr(create, '(');
    if (strncasecmp(create, "CREATE TABLE ", 13) != 0 || !body)
        return err_set(err, ERR_CORRUPT, 0, "the manifest's create statement is none: %.80s", create);
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "CREATE TABLE ");
    db_quote_table(&sql, t->schema, t->fresh);
    str_addf(&sql, " %s", body);
    return db_exec(db, err, str_z(&sql), "");
}

/* The primary's own definition, as it is now: what the replica was frozen with may be another. */
static bool create_like_target(Db *db, const LoadTables *t, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "CREATE TABLE ");
    db_quote_table(&sql, t->schema, t->fresh);
    str_adds(&sql, " LIKE ");
    db_quote_table(&sql, t->schema, t->target);
    return db_exec(db, err, str_z(&sql), "");
}

/* The weights of now, where the comment is one of ours. */
static bool renew_comment(Db *db, const LoadTables *t, const char *comment, Err *err)
{
    AUTOFREE char *now = NULL;
    AUTO(str_done) Str sql = STR_INIT;
    if (!db_value(
            db, &now, err,
            "SELECT TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME ="
            " ?",
            "ss", t->schema, t->fresh))
        return false;
    if (!*comment || !now || !str_starts(now, "{\"fields\":[{\"name\":"))
        return true;
    str_adds(&sql, "ALTER TABLE ");
    db_quote_table(&sql, t->schema, t->fresh);
    str_adds(&sql, " COMMENT=");
    db_quote_str(&sql, comment, strlen(comment));
    return db_exec(db, err, str_z(&sql), "");
}

static bool create_shadow(Db *db, const LoadTables *t, const Bundle *b, bool target_exists, Err *err)
{
    bool ok = target_exists ? create_like_target(db, t, err) && renew_comment(db, t, b->comment, err)
                            : create_by(db, t, b->create, err);
    return ok || err_prefix(err, "creating %s.%s", t->schema, t->fresh);
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

bool tables_begin(Db *db, const LoadTables *t, const Bundle *b, bool target_exists, Err *err)
{
    return tables_abandon(db, t, err) && tables_drop_old(db, t, err) &&
           create_shadow(db, t, b, target_exists, err) && create_marker(db, t, err);
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

/* One try: a second's wait for the tables. */
static bool rename_now(Db *db, const char *sql, Err *err)
{
    Err later;
    if (!db_exec(db, err, "SET SESSION lock_wait_timeout=1", ""))
        return false;
    bool ok = db_exec(db, err, sql, "");
    return db_exec(db, ok ? err : &later, "SET SESSION lock_wait_timeout=60", "") && ok;
}

bool tables_rename(Db *db, const LoadTables *t, bool target_exists, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "RENAME TABLE ");
    if (target_exists)
        add_pair(&sql, t, t->target, t->old);
    add_pair(&sql, t, t->fresh, t->target);
    add_pair(&sql, t, t->todo, t->done);
    return rename_now(db, str_z(&sql), err);
}

bool tables_rename_back(Db *db, const LoadTables *t, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "RENAME TABLE ");
    add_pair(&sql, t, t->target, t->fresh);
    add_pair(&sql, t, t->old, t->target);
    add_pair(&sql, t, t->done, t->todo);
    return db_exec(db, err, str_z(&sql), "");
}
