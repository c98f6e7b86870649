/* SPDX-License-Identifier: Apache-2.0 */
#include "catalogue.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

#include "common/db/engine.h"
#include "common/db/flavor.h"
#include "members.h"
#include "names.h"

static const char *const system_databases[] = {"mysql", "information_schema", "performance_schema", "sys"};

static bool in_words(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (str_eq(word, *words))
            return true;
    return false;
}

ValueKind catalogue_value_kind(const char *type)
{
    static const char *const numbers[] = {"tinyint", "smallint", "mediumint", "int",     "bigint",
                                          "decimal", "numeric",  "year",      "integer", NULL};
    static const char *const reals[] = {"float", "double", "real", NULL};
    static const char *const words[] = {"json", "uuid", "inet4", "inet6", NULL};
    static const char *const binaries[] = {"bit",
                                           "binary",
                                           "varbinary",
                                           "tinyblob",
                                           "blob",
                                           "mediumblob",
                                           "longblob",
                                           "geometry",
                                           "point",
                                           "linestring",
                                           "polygon",
                                           "multipoint",
                                           "multilinestring",
                                           "multipolygon",
                                           "geometrycollection",
                                           "geomcollection",
                                           "vector",
                                           NULL};
    if (in_words(type, numbers))
        return VALUE_NUMBER;
    if (in_words(type, reals))
        return VALUE_REAL;
    if (in_words(type, binaries))
        return VALUE_HEX;
    return in_words(type, words) ? VALUE_WORDS : VALUE_TEXT;
}

bool catalogue_can_bound(const Column *c)
{
    static const char *const types[] = {"tinyint", "smallint", "mediumint", "int",    "bigint",
                                        "decimal", "char",     "varchar",   "binary", "varbinary",
                                        "date",    "datetime", "timestamp", "time",   "uuid",
                                        "inet4",   "inet6",    "year",      NULL};
    return !c->nullable && !c->generated && in_words(c->type, types);
}

static char *lower(const char *s)
{
    char *l = xstrdup(s);
    for (char *p = l; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 'a' - 'A');
    return l;
}

#define GROW(array, n) ((array) = xrealloc((array), ((n) + 1) * sizeof *(array)))

/* ---- databases ------------------------------------------------------------------------------------ */

static bool no_such_database(const char *name, const StrList *all, Err *err)
{
    static const char *const none[] = {NULL};
    const char *near = str_nearest(name, all->v ? (const char *const *)all->v : none);
    return err_set(err, ERR_NOT_FOUND, 0,
                   "database \"%s\" does not exist, or the account may not see it%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool list_databases(Db *db, const StrList *wanted, StrList *ret, Err *err)
{
    DbRows *r;
    if (!db_query(db, &r, err, "SELECT schema_name FROM information_schema.schemata ORDER BY 1", ""))
        return false;
    StrList all = STRLIST_INIT;
    bool more, ok;
    while ((ok = db_next(r, &more, err)) && more)
        strlist_add(&all, db_field(r, 0, NULL));
    db_rows_free(r);
    for (size_t i = 0; ok && i < wanted->n; i++) {
        if (!strlist_has(&all, wanted->v[i]))
            ok = no_such_database(wanted->v[i], &all, err);
        else if (!strlist_has(ret, wanted->v[i]))
            strlist_add(ret, wanted->v[i]);
    }
    for (size_t i = 0; ok && !wanted->n && i < all.n; i++) {
        bool own = false;
        for (size_t s = 0; s < COUNT(system_databases); s++)
            own = own || str_eq(all.v[i], system_databases[s]);
        if (!own)
            strlist_add(ret, all.v[i]);
    }
    strlist_done(&all);
    return ok;
}

/* MariaDB leaves a table out of information_schema, with a warning, while another session is about to change
 * it and this one holds any: it is there all the same. After each question. */
static bool none_skipped(Db *db, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_warnings(db))
        return true;
    if (!db_query(db, &r, err, "SHOW WARNINGS", ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        if (db_int(r, "Code") == CATALOGUE_SKIPPED) {
            ok = err_set(err, ERR_DB, CATALOGUE_SKIPPED, "%s", db_text(r, "Message"));
            break;
        }
    db_rows_free(r);
    return ok;
}

/* ---- tables --------------------------------------------------------------------------------------- */

/* Answers come sorted by table: the search goes on where the last one ended. */
static DumpTable *find_table(Database *d, const char *name, size_t *cursor)
{
    for (size_t i = 0; i < d->n_tables; i++) {
        size_t at = (*cursor + i) % d->n_tables;
        if (!str_eq(d->tables[at].name, name))
            continue;
        *cursor = at;
        return &d->tables[at];
    }
    return NULL;
}

/* No column is asked for that makes the server open a table: one whose rows are elsewhere may not be there to
 * be opened. */
static bool list_tables(Db *db, Database *d, const Filter *wanted, Err *err)
{
    DbRows *r;
    if (!db_query(db, &r, err,
                  "SELECT table_name AS name, table_type AS type, COALESCE(engine, '') AS engine"
                  " FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name",
                  "s", d->name))
        return false;
    StrList taken = STRLIST_INIT;
    bool more, ok;
    while ((ok = db_next(r, &more, err)) && more) {
        const char *type = db_text(r, "type");
        if (str_eq(type, "SYSTEM VIEW") || str_starts(type, "TEMPORARY") ||
            !filter_wants(wanted, d->name, db_text(r, "name")))
            continue;
        GROW(d->tables, d->n_tables);
        AUTOFREE char *file = names_for_file(db_text(r, "name"), &taken);
        d->tables[d->n_tables++] = (DumpTable){
            .database = xstrdup(d->name),
            .name = xstrdup(db_text(r, "name")),
            .prefix = xasprintf("%s.%s", d->prefix, file),
            .kind = str_eq(type, "VIEW")       ? TABLE_VIEW
                    : str_eq(type, "SEQUENCE") ? TABLE_SEQUENCE
                                               : TABLE_BASE,
            .engine = xstrdup(db_text(r, "engine")),
            .has_rows = engine_has_rows(db_text(r, "engine")),
            .versioned = str_eq(type, "SYSTEM VERSIONED"),
        };
    }
    strlist_done(&taken);
    db_rows_free(r);
    return ok && none_skipped(db, err);
}

static bool read_sizes(Db *db, Database *d, const char *table, Err *err)
{
#define SIZES                                                                                                \
    "SELECT table_name AS name, COALESCE(table_rows, 0) AS n, COALESCE(data_length, 0) AS bytes FROM "       \
    "information_schema.tables WHERE table_schema = ?"
    DbRows *r;
    if (!(table ? db_query(db, &r, err, SIZES " AND table_name = ?", "ss", d->name, table)
                : db_query(db, &r, err, SIZES " ORDER BY table_name", "s", d->name)))
        return false;
    bool more, ok;
    size_t cursor = 0;
    while ((ok = db_next(r, &more, err)) && more) {
        DumpTable *t = find_table(d, db_text(r, "name"), &cursor);
        if (!t)
            continue;
        t->rows_estimate = db_int(r, "n");
        t->bytes_estimate = db_int(r, "bytes");
    }
    db_rows_free(r);
    return ok && none_skipped(db, err);
}

typedef bool (*OpenedReader)(Db *db, Database *d, const char *table, Err *err);

/* Reads what the server tells of opened tables only: of all at once, or, where one has its rows elsewhere, of
 * each other by its name. */
static bool read_opened(Db *db, Database *d, OpenedReader read, Err *err)
{
    bool ok = true, all_here = true;
    for (size_t i = 0; i < d->n_tables; i++)
        all_here = all_here && (d->tables[i].has_rows || d->tables[i].kind != TABLE_BASE);
    if (all_here)
        return read(db, d, NULL, err);
    for (size_t i = 0; ok && i < d->n_tables; i++)
        ok = d->tables[i].kind != TABLE_BASE || !d->tables[i].has_rows || read(db, d, d->tables[i].name, err);
    return ok;
}

/* The begin and end of a row's version: written as they are, so that history comes back. */
static bool is_period(const DumpTable *t, const char *computed)
{
    return t->versioned && (strcasecmp(computed, "ROW START") == 0 || strcasecmp(computed, "ROW END") == 0);
}

/* information_schema of some servers escapes the quotes of an expression. */
static char *expression_of(const char *text)
{
    Str s = STR_INIT;
    for (const char *p = text; *p; p++)
        if (!(p[0] == '\\' && p[1] == '\''))
            str_addc(&s, *p);
    return s.p ? str_take(&s) : xstrdup("");
}

/* A function of time or a TIMESTAMP gives other values in another time zone. */
static bool may_hang_on_zone(const DumpTable *t, const char *computed)
{
    if (strcasestr(computed, "unixtime") || strcasestr(computed, "unix_timestamp"))
        return true;
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq(t->columns[i].type, "timestamp") && strstr(computed, t->columns[i].name))
            return true;
    return false;
}

/* Owned; NULL: every value comes back. */
static char *lost_if(const Flavor *f, const Column *c, const DbRows *r)
{
    AUTO(str_done) Str name = STR_INIT;
    db_quote_id(&name, c->name);
    if (str_eq(c->type, "json") && f->json_text_before && !c->generated)
        return xasprintf("NOT (%s <=> %s%s%s) OR NOT (CAST(%s AS CHAR) <=> CAST(%s%s%s AS CHAR))", name.p,
                         f->json_text_before, name.p, f->json_text_after, name.p, f->json_text_before, name.p,
                         f->json_text_after);
    AUTOFREE char *computed = expression_of(db_text(r, "computed"));
    if (!c->generated || !strcasestr(db_text(r, "extra"), "STORED"))
        return NULL;
    return xasprintf("NOT (%s <=> (%s))", name.p, computed);
}

/* Of those that hang on a time zone alone: others are computed again as they were. */
static void judge_losses(DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        Column *c = &t->columns[i];
        if (!c->lost_if || !c->generated || may_hang_on_zone(t, c->lost_if))
            continue;
        free(c->lost_if);
        c->lost_if = NULL;
    }
}

static void add_column(DumpTable *t, Column c)
{
    GROW(t->columns, t->n_columns);
    t->columns[t->n_columns++] = c;
}

/* Where the table does not name them itself they are called so, and information_schema does not list them. */
static void add_implicit_periods(DumpTable *t)
{
    static const char *const names[] = {"row_start", "row_end"};
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].is_period)
            return;
    for (size_t i = 0; t->versioned && i < COUNT(names); i++)
        add_column(t, (Column){.name = xstrdup(names[i]), .type = xstrdup("timestamp"), .kind = VALUE_TEXT});
}

/* Versions by transaction number cannot be inserted: such a table is dumped as it is now. */
static void judge_versions(DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].is_period && str_eq(t->columns[i].type, "bigint")) {
            t->versioned = false;
            text_print(stderr,
                       "siding-dump: note: %s.%s keeps versions by transaction: its history is left out\n",
                       t->database, t->name);
        }
    for (size_t i = 0; !t->versioned && i < t->n_columns; i++)
        t->columns[i].generated = t->columns[i].generated || t->columns[i].is_period;
    add_implicit_periods(t);
}

static bool read_columns(Db *db, Database *d, Err *err)
{
    const Flavor *f = flavor_of(db_version(db)->flavor);
    DbRows *r;
    if (!db_query(
            db, &r, err,
            "SELECT table_name AS tbl, column_name AS name, data_type AS type, column_type AS whole_type, "
            "character_set_name AS cs, "
            "collation_name AS coll,"
            " is_nullable = 'YES' AS nullable, COALESCE(generation_expression, '') AS computed, extra"
            " FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position",
            "s", d->name))
        return false;
    bool more, ok;
    size_t cursor = 0;
    while ((ok = db_next(r, &more, err)) && more) {
        DumpTable *t = find_table(d, db_text(r, "tbl"), &cursor);
        if (!t)
            continue;
        const char *cs = db_text(r, "cs");
        Column c = {
            .name = xstrdup(db_text(r, "name")),
            .type = lower(db_text(r, "type")),
            .charset = *cs ? xstrdup(cs) : NULL,
            .collation = *cs && *db_text(r, "coll") ? xstrdup(db_text(r, "coll")) : NULL,
            .nullable = db_int(r, "nullable"),
            .generated = *db_text(r, "computed") && !is_period(t, db_text(r, "computed")),
        };
        c.kind = catalogue_value_kind(c.type);
        if (c.kind == VALUE_REAL) {
            c.read_before = f->real_text_before;
            c.read_after = f->real_text_after;
        }
        c.by_number = (str_eq(c.type, "enum") || str_eq(c.type, "set")) &&
                      members_are_ambiguous(db_text(r, "whole_type"), c.collation);
        if (c.by_number) {
            c.kind = VALUE_NUMBER;
            c.read_before = "CAST(";
            c.read_after = " AS UNSIGNED)";
        }
        if (str_eq(c.type, "json")) {
            c.read_before = f->json_text_before;
            c.read_after = f->json_text_after;
        }
        c.lost_if = lost_if(f, &c, r);
        c.is_period = is_period(t, db_text(r, "computed"));
        add_column(t, c);
    }
    db_rows_free(r);
    ok = ok && none_skipped(db, err);
    for (size_t i = 0; ok && i < d->n_tables; i++) {
        judge_versions(&d->tables[i]);
        judge_losses(&d->tables[i]);
    }
    return ok;
}

/* ---- keys ----------------------------------------------------------------------------------------- */

static void key_done(Key *k)
{
    free(k->name);
    free(k->parts);
    *k = (Key){0};
}

/* The primary key wins over other unique keys, fewer parts over more. */
static void offer_key(DumpTable *t, Key *k, bool usable)
{
    bool better = usable && k->n_parts &&
                  (!t->key.n_parts || (!str_eq(t->key.name, "PRIMARY") &&
                                       (str_eq(k->name, "PRIMARY") || k->n_parts < t->key.n_parts)));
    if (better) {
        key_done(&t->key);
        t->key = *k;
        *k = (Key){0};
    } else {
        key_done(k);
    }
}

static bool take_part(const DumpTable *t, const DbRows *r, Key *k)
{
    /* Some servers have no such columns; by name they are then "". */
    if (str_eq(db_text(r, "is_visible"), "NO") || str_eq(db_text(r, "ignored"), "YES") ||
        *db_text(r, "sub_part"))
        return false;
    const char *name = db_text(r, "column_name");
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!str_eq(t->columns[i].name, name))
            continue;
        GROW(k->parts, k->n_parts);
        k->parts[k->n_parts++] = (KeyPart){i, str_eq(db_text(r, "collation"), "D")};
        return catalogue_can_bound(&t->columns[i]);
    }
    return false;
}

static bool read_keys(Db *db, Database *d, const char *table, Err *err)
{
#define KEYS                                                                                                 \
    "SELECT * FROM information_schema.statistics WHERE table_schema = ? AND non_unique = 0 AND index_type =" \
    " 'BTREE'"
#define KEYS_ORDER " ORDER BY table_name, index_name, seq_in_index"
    DbRows *r;
    if (!(table ? db_query(db, &r, err, KEYS " AND table_name = ?" KEYS_ORDER, "ss", d->name, table)
                : db_query(db, &r, err, KEYS KEYS_ORDER, "s", d->name)))
        return false;
    bool more, ok, usable = false;
    size_t cursor = 0;
    DumpTable *t = NULL;
    Key k = {0};
    while ((ok = db_next(r, &more, err)) && more) {
        if (db_int(r, "seq_in_index") == 1) {
            if (t)
                offer_key(t, &k, usable);
            t = find_table(d, db_text(r, "table_name"), &cursor);
            k = (Key){.name = xstrdup(db_text(r, "index_name"))};
            usable = t != NULL;
        }
        usable = usable && take_part(t, r, &k);
    }
    if (t)
        offer_key(t, &k, usable);
    else
        key_done(&k);
    db_rows_free(r);
    return ok && none_skipped(db, err);
}

/* ---- triggers, routines, events ------------------------------------------------------------------- */

/* Some servers compare the names of databases without case or accent here. */
static const struct {
    ObjectKind kind;
    const char *sql; /* name, table or NULL; the database is bound twice */
} object_queries[] = {
    {OBJECT_TRIGGER, "SELECT trigger_name, event_object_table FROM information_schema.triggers"
                     " WHERE trigger_schema = ? AND CAST(trigger_schema AS BINARY) = CAST(? AS BINARY) ORDER "
                     "BY event_object_table, action_timing, event_manipulation,"
                     " action_order"},
    {OBJECT_FUNCTION, "SELECT routine_name, NULL FROM information_schema.routines WHERE routine_schema = ? "
                      "AND CAST(routine_schema AS BINARY) = CAST(? AS BINARY)"
                      " AND routine_type = 'FUNCTION' ORDER BY 1"},
    {OBJECT_PROCEDURE, "SELECT routine_name, NULL FROM information_schema.routines WHERE routine_schema = ? "
                       "AND CAST(routine_schema AS BINARY) = CAST(? AS BINARY)"
                       " AND routine_type = 'PROCEDURE' ORDER BY 1"},
    {OBJECT_PACKAGE, "SELECT routine_name, NULL FROM information_schema.routines WHERE routine_schema = ? "
                     "AND CAST(routine_schema AS BINARY) = CAST(? AS BINARY)"
                     " AND routine_type = 'PACKAGE' ORDER BY 1"},
    {OBJECT_PACKAGE_BODY, "SELECT routine_name, NULL FROM information_schema.routines WHERE routine_schema = "
                          "? AND CAST(routine_schema AS BINARY) = CAST(? AS BINARY)"
                          " AND routine_type = 'PACKAGE BODY' ORDER BY 1"},
    {OBJECT_EVENT, "SELECT event_name, NULL FROM information_schema.events WHERE event_schema = ? AND "
                   "CAST(event_schema AS BINARY) = CAST(? AS BINARY) ORDER BY 1"},
};

static bool read_objects(Db *db, Database *d, Err *err)
{
    for (size_t q = 0; q < COUNT(object_queries); q++) {
        DbRows *r;
        if (!db_query(db, &r, err, object_queries[q].sql, "ss", d->name, d->name))
            return false;
        bool more, ok;
        while ((ok = db_next(r, &more, err)) && more) {
            GROW(d->objects, d->n_objects);
            d->objects[d->n_objects++] = (Object){object_queries[q].kind, xstrdup(db_field(r, 0, NULL)),
                                                  xstrdup(db_field(r, 1, NULL))};
        }
        db_rows_free(r);
        if (!ok || !none_skipped(db, err))
            return false;
    }
    return true;
}

/* Every table named by --table is there. */
static bool check_tables(const Catalogue *c, const Filter *wanted, Err *err)
{
    for (size_t i = 0; i < wanted->tables.n; i++) {
        bool found = false;
        StrList all = STRLIST_INIT;
        for (size_t d = 0; d < c->n_databases; d++)
            for (size_t t = 0; t < c->databases[d].n_tables; t++)
                strlist_addf(&all, "%s.%s", c->databases[d].name, c->databases[d].tables[t].name);
        found = strlist_has(&all, wanted->tables.v[i]);
        strlist_done(&all);
        if (!found)
            return err_set(err, ERR_NOT_FOUND, 0,
                           "table \"%s\" (option --table) does not exist in the databases dumped, or the "
                           "account may not "
                           "see it",
                           wanted->tables.v[i]);
    }
    return true;
}

static bool check_any(const Catalogue *c, const Filter *wanted, Err *err)
{
    bool any = !filter_is_partial(wanted);
    for (size_t d = 0; !any && d < c->n_databases; d++)
        any = c->databases[d].n_tables > 0;
    return any || err_set(err, ERR_NOT_FOUND, 0,
                          "no table is left of the databases dumped (options --table, --match, --exclude)");
}

/* ---- all ------------------------------------------------------------------------------------------ */

bool catalogue_read(Db *db, const Filter *wanted, Catalogue *ret, Err *err)
{
    Catalogue c = {0};
    StrList names = STRLIST_INIT, taken = STRLIST_INIT;
    bool ok = list_databases(db, &wanted->databases, &names, err);
    for (size_t i = 0; ok && i < names.n; i++) {
        GROW(c.databases, c.n_databases);
        Database *d = &c.databases[c.n_databases++];
        *d = (Database){.name = xstrdup(names.v[i]), .prefix = names_for_file(names.v[i], &taken)};
        ok = list_tables(db, d, wanted, err) && read_opened(db, d, read_sizes, err) &&
             read_columns(db, d, err) && read_opened(db, d, read_keys, err) && read_objects(db, d, err);
    }
    ok = ok && check_tables(&c, wanted, err) && check_any(&c, wanted, err);
    strlist_done(&names);
    strlist_done(&taken);
    if (!ok) {
        catalogue_done(&c);
        return err_prefix(err, "cannot read what there is to dump");
    }
    *ret = c;
    return true;
}

static void table_done(DumpTable *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        free(t->columns[i].name);
        free(t->columns[i].type);
        free(t->columns[i].charset);
        free(t->columns[i].collation);
        free(t->columns[i].lost_if);
    }
    free(t->columns);
    key_done(&t->key);
    free(t->database);
    free(t->name);
    free(t->prefix);
    free(t->engine);
}

void catalogue_done(Catalogue *c)
{
    for (size_t i = 0; i < c->n_databases; i++) {
        Database *d = &c->databases[i];
        for (size_t t = 0; t < d->n_tables; t++)
            table_done(&d->tables[t]);
        for (size_t o = 0; o < d->n_objects; o++) {
            free(d->objects[o].name);
            free(d->objects[o].table);
        }
        free(d->tables);
        free(d->objects);
        free(d->name);
        free(d->prefix);
    }
    free(c->databases);
    *c = (Catalogue){0};
}
