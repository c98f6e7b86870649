/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/db/engine.h"
#include "common/db/flavor.h"

/* Names as bytes: a collation of information_schema may take another table for it. */
#define THIS_TABLE(schema, table)                                                                            \
    schema " = ? AND " table " = ? AND CAST(" schema " AS BINARY) = CAST(? AS BINARY) AND CAST(" table       \
           " AS BINARY) = CAST(? AS BINARY)"

static bool ask(Db *db, const char *sql, const char *schema, const char *table, int64_t *ret, Err *err)
{
    return db_value_int(db, ret, err, sql, "ssss", schema, table, schema, table);
}

/* ---- kinds of tables ------------------------------------------------------------------------------- */

static bool read_engine(Db *db, const char *schema, const char *table, char **ret, Err *err)
{
    *ret = NULL;
    return db_value(db, ret, err,
                    "SELECT IF(TABLE_TYPE LIKE '%VIEW', 'VIEW', COALESCE(ENGINE, '')) FROM"
                    " information_schema.TABLES WHERE " THIS_TABLE("TABLE_SCHEMA", "TABLE_NAME"),
                    "ssss", schema, table, schema, table) ||
           err->kind == ERR_NOT_FOUND;
}

static bool check_kind(const TargetName *t, const char *engine, Err *err)
{
    if (str_eq(engine, "VIEW"))
        return err_set(err, ERR_REFUSED, 0, "cannot load into %s.%s: it is a view; name the table", t->schema,
                       t->table);
    /* They show or forward rows of others, or keep none: a load would write elsewhere, or nowhere. */
    if (engine && !engine_has_rows(engine))
        return err_set(err, ERR_REFUSED, 0,
                       "cannot load into %s.%s: its engine %s holds no rows of its own; name the table "
                       "that does",
                       t->schema, t->table, engine);
    return true;
}

bool target_is_transactional(Db *db, const char *schema, const char *table, bool *ret, Err *err)
{
    AUTOFREE char *engine = NULL;
    int64_t yes = 1;
    if (!read_engine(db, schema, table, &engine, err))
        return false;
    if (engine && !db_value_int(db, &yes, err,
                                "SELECT COUNT(*) FROM information_schema.ENGINES WHERE ENGINE = ? AND"
                                " TRANSACTIONS = 'YES'",
                                "s", engine))
        return false;
    *ret = yes > 0;
    return true;
}

bool target_check_rows(Db *db, const TargetName *t, bool allow, Err *err)
{
    AUTOFREE char *engine = NULL;
    AUTOFREE char *ledger = NULL;
    bool rows = true, counts = true;
    if (!read_engine(db, t->schema, t->table, &engine, err) || !check_kind(t, engine, err) ||
        !read_engine(db, "siding", "ledger", &ledger, err) ||
        !target_is_transactional(db, t->schema, t->table, &rows, err) ||
        !target_is_transactional(db, "siding", "ledger", &counts, err))
        return false;
    if (!counts)
        return err_set(err, ERR_REFUSED, 0,
                       "siding.ledger is %s: what is loaded could not be counted exactly; ALTER TABLE "
                       "siding.ledger ENGINE=InnoDB",
                       ledger);
    if (allow || !engine || (rows && strcasecmp(engine, ledger ? ledger : engine) == 0))
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "%s.%s is %s and siding.ledger is %s: rows and their count are not one transaction, and "
                   "after a crash some would be there twice. ALTER TABLE %s.%s ENGINE=InnoDB, load it by a "
                   "swap, or set allow_nontransactional in the job",
                   t->schema, t->table, engine, ledger, t->schema, t->table);
}

/* ---- what a RENAME would leave behind with the old table, or break --------------------------------- */

static const struct {
    const char *sql, *reason;
} obstacles[] = {
    {"SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE " THIS_TABLE("EVENT_OBJECT_SCHEMA",
                                                                          "EVENT_OBJECT_TABLE"),
     "has triggers, which would stay with the old table: drop them, or load by append"},
    {"SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE " THIS_TABLE(
         "TABLE_SCHEMA", "TABLE_NAME") " AND REFERENCED_TABLE_NAME IS NOT NULL",
     "has foreign keys, which would stay with the old table: drop them"},
    {"SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE WHERE " THIS_TABLE("REFERENCED_TABLE_SCHEMA",
                                                                                  "REFERENCED_TABLE_NAME"),
     "is referenced by foreign keys of other tables, which would follow the old table: drop them"},
};

/* InnoDB's own list shows those of schemas that the account does not see. */
static bool count_hidden(Db *db, const TargetName *t, int64_t *ret, Err *err)
{
    AUTOFREE char *sql = xasprintf("SELECT COUNT(*) FROM information_schema.%s WHERE REF_NAME = CONCAT(?, "
                                   "'/', ?)",
                                   flavor_of(db_version(db)->flavor)->innodb_foreign);
    *ret = 0;
    return db_value_int(db, ret, err, sql, "ss", t->schema, t->table) || err->kind == ERR_AUTH;
}

static bool refuse_swap(const TargetName *t, const char *reason, Err *err)
{
    return err_set(err, ERR_REFUSED, 0, "cannot swap %s.%s: it %s", t->schema, t->table, reason);
}

bool target_check_swap(Db *db, const TargetName *t, Err *err)
{
    AUTOFREE char *engine = NULL;
    int64_t n;
    if (!read_engine(db, t->schema, t->table, &engine, err) || !check_kind(t, engine, err))
        return false;
    for (size_t i = 0; i < COUNT(obstacles); i++) {
        if (!ask(db, obstacles[i].sql, t->schema, t->table, &n, err))
            return false;
        if (n)
            return refuse_swap(t, obstacles[i].reason, err);
    }
    return count_hidden(db, t, &n, err) && (!n || refuse_swap(t, obstacles[2].reason, err));
}

/* ---- definitions ----------------------------------------------------------------------------------- */

static bool read_columns(Db *db, const TargetName *t, StrList *ret, Err *err)
{
    DbRows *rows;
    bool more, ok;
    if (!db_query(db, &rows, err,
                  "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE " THIS_TABLE(
                      "TABLE_SCHEMA", "TABLE_NAME") " ORDER BY ORDINAL_POSITION",
                  "ssss", t->schema, t->table, t->schema, t->table))
        return false;
    while ((ok = db_next(rows, &more, err)) && more)
        strlist_add(ret, db_field(rows, 0, NULL));
    db_rows_free(rows);
    return ok;
}

static char *joined(const StrList *names)
{
    Str out = STR_INIT;
    for (size_t i = 0; i < names->n; i++)
        str_addf(&out, "%s%s", i ? ", " : "", names->v[i]);
    return str_take(&out);
}

bool target_check_columns(Db *db, const TargetName *t, const StrList *columns, Err *err)
{
    AUTO(strlist_done) StrList now = STRLIST_INIT;
    if (!read_columns(db, t, &now, err))
        return false;
    bool same = now.n == columns->n;
    for (size_t i = 0; same && i < now.n; i++)
        same = strcasecmp(now.v[i], columns->v[i]) == 0;
    if (same || !now.n)
        return true;
    AUTOFREE char *have = joined(&now);
    AUTOFREE char *want = joined(columns);
    return err_set(err, ERR_REFUSED, 0,
                   "%s.%s has the columns %s on the primary, the result has %s: a swap would lose the others "
                   "with their data. Nothing was swapped; bring the definition and the job together",
                   t->schema, t->table, have, want);
}

/* " AUTO_INCREMENT=17" and " COMMENT='…'" among the options behind the last parenthesis of the columns. */
static size_t option_length(const char *p)
{
    if (str_starts(p, " AUTO_INCREMENT="))
        return 16 + strspn(p + 16, "0123456789");
    if (!str_starts(p, " COMMENT='"))
        return 0;
    const char *q = p + 10;
    while (*q && (*q != '\'' || q[1] == '\'')) {
        bool pair = (*q == '\\' && q[1]) || *q == '\'';
        q += pair ? 2 : 1;
    }
    return (size_t)(q - p) + (*q == '\'');
}

/* "CONSTRAINT `name` CHECK": length up to CHECK, 0 if it is none. */
static size_t check_name_length(const char *p)
{
    static const char word[] = "CONSTRAINT `";
    if (!str_starts(p, word))
        return 0;
    const char *q = p + sizeof word - 1;
    while (*q && (*q != '`' || q[1] == '`'))
        q += *q == '`' ? 2 : 1;
    return *q && str_starts(q + 1, " CHECK ") ? (size_t)(q + 2 - p) : 0;
}

char *target_plain_definition(const char *create)
{
    Str out = STR_INIT;
    const char *p = strchr(create, '('), *line = p;
    bool options = false;
    while (p && *p) {
        bool begins = p == line + strspn(line, " ");
        size_t skip = options ? option_length(p) : begins ? check_name_length(p) : 0;
        p += skip;
        if (skip)
            continue; /* another may follow: of two comments the last counts */
        if (*p == '\n') {
            line = p + 1;
            options = p[1] == ')';
        }
        str_addc(&out, *p++);
    }
    return str_take(&out);
}

bool target_definition(Db *db, const char *schema, const char *table, char **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    DbRows *rows;
    bool more;
    str_adds(&sql, "SHOW CREATE TABLE ");
    db_quote_table(&sql, schema, table);
    *ret = NULL;
    if (!db_query(db, &rows, err, str_z(&sql), ""))
        return err->code == 1146;
    bool ok = db_next(rows, &more, err);
    if (ok && more && db_columns(rows) >= 2)
        *ret = target_plain_definition(db_field(rows, 1, NULL));
    db_rows_free(rows);
    return ok;
}
