/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"

#include "common/file/json.h"

static const char *const queries[] = {
    "SELECT 'VIEW' AS kind, table_name AS name, '' AS tbl, '' AS sql_mode, character_set_client,"
    " collation_connection, '' AS database_collation, '' AS time_zone, definer"
    " FROM information_schema.views WHERE table_schema = ? AND CAST(table_schema AS BINARY) = CAST(? AS "
    "BINARY)",
    "SELECT routine_type AS kind, routine_name AS name, '' AS tbl, sql_mode, character_set_client,"
    " collation_connection, database_collation, '' AS time_zone, definer"
    " FROM information_schema.routines WHERE routine_schema = ? AND CAST(routine_schema AS BINARY) = CAST(? "
    "AS BINARY)",
    "SELECT 'TRIGGER' AS kind, trigger_name AS name, event_object_table AS tbl, sql_mode, "
    "character_set_client,"
    " collation_connection, database_collation, '' AS time_zone, definer"
    " FROM information_schema.triggers WHERE trigger_schema = ? AND CAST(trigger_schema AS BINARY) = CAST(? "
    "AS BINARY)",
    "SELECT 'EVENT' AS kind, event_name AS name, '' AS tbl, sql_mode, character_set_client,"
    " collation_connection, database_collation, time_zone, definer"
    " FROM information_schema.events WHERE event_schema = ? AND CAST(event_schema AS BINARY) = CAST(? AS "
    "BINARY)",
};

static const char *const columns[] = {
    "character_set_client", "collation_connection", "database_collation", "sql_mode", "time_zone", "definer"};

static json_t *object_of(const DbRows *r, const char *database)
{
    json_t *o = json_object();
    json_set_str(o, "kind", db_text(r, "kind"));
    json_set_str(o, "database", database);
    json_set_str(o, "name", db_text(r, "name"));
    if (*db_text(r, "tbl"))
        json_set_str(o, "table", db_text(r, "tbl"));
    for (size_t i = 0; i < COUNT(columns); i++)
        json_set_str(o, columns[i], db_text(r, columns[i]));
    return o;
}

bool environment_read(Db *db, const char *database, json_t *out, Err *err)
{
    for (size_t q = 0; q < COUNT(queries); q++) {
        DbRows *r;
        bool more, ok;
        if (!db_query(db, &r, err, queries[q], "ss", database, database))
            return false;
        while ((ok = db_next(r, &more, err)) && more)
            json_array_append_new(out, object_of(r, database));
        db_rows_free(r);
        if (!ok)
            return false;
    }
    return true;
}

const char *environment_difference(const json_t *a, const json_t *b, bool definers)
{
    for (size_t i = 0; i < COUNT(columns); i++)
        if ((definers || !str_eq(columns[i], "definer")) &&
            !str_eq(json_str(a, columns[i]), json_str(b, columns[i])))
            return columns[i];
    return NULL;
}

char *environment_name(const json_t *object)
{
    return xasprintf("%s %s.%s", json_str(object, "kind"), json_str(object, "database"),
                     json_str(object, "name"));
}
