/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"
#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

#include "common/db/flavor.h"
#include "common/file/json.h"
#include "control.h"
#include "environment.h"
#include "portable_create.h"

static const char *const HEAD = "/*!40101 SET NAMES utf8mb4*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
                                "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'*/;\n"
                                "/*!40103 SET TIME_ZONE='+00:00'*/;\n";

typedef struct SchemaWriter {
    Db *db;
    DumpFolder *out;
    const Flavor *flavor;
    SchemaParts parts;
    char *collation; /* of the database under way */
    json_t *written; /* "kind database.name" of each object */
    json_t *databases;
} SchemaWriter;

/* One row of a SHOW CREATE; the caller takes the columns by name. */
static bool show_row(SchemaWriter *w, const char *sql, DbRows **ret, Err *err)
{
    DbRows *r;
    bool more;
    if (!db_query(w->db, &r, err, sql, ""))
        return false;
    if (db_next(r, &more, err) && more) {
        *ret = r;
        return true;
    }
    db_rows_free(r);
    return err_set(err, ERR_NOT_FOUND, 0, "no answer to: %.200s", sql);
}

static bool show(SchemaWriter *w, const char *what, const char *name, DbRows **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "SHOW CREATE %s ", what);
    db_quote_id(&sql, name);
    return show_row(w, sql.p, ret, err);
}

static bool write_text(SchemaWriter *w, const char *prefix, const char *ending, const Str *text, Err *err)
{
    AUTOFREE char *name = xasprintf("%s%s", prefix, ending);
    return dumpfolder_text(w->out, name, text, err);
}

static void tell_database(const Database *d, bool read_only)
{
    if (read_only)
        text_print(
            stderr,
            "siding-dump: note: database %s is READ ONLY: siding-restore makes it so at its end, other "
            "loaders "
            "do not\n",
            d->name);
}

static bool write_database(SchemaWriter *w, const Database *d, Err *err)
{
    DbRows *r;
    if (!show(w, "DATABASE IF NOT EXISTS", d->name, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    const char *sql = db_text(r, "Create Database");
    bool read_only = strstr(sql, "/* READ ONLY = 1 */") != NULL;
    str_addf(&text, "%s%s;\n", HEAD, sql);
    db_rows_free(r);
    tell_database(d, read_only);
    json_t *j = json_object();
    json_set_str(j, "name", d->name);
    json_set_bool(j, "read_only", read_only);
    json_array_append_new(w->databases, j);
    free(w->collation);
    w->collation = NULL;
    return db_value(w->db, &w->collation, err, "SELECT @@collation_database", "") &&
           write_text(w, d->prefix, "-schema-create.sql", &text, err);
}

static bool add_sequence(SchemaWriter *w, const DumpTable *t, Str *text, Err *err)
{
    static const char create[] = "CREATE SEQUENCE ";
    DbRows *r;
    if (!show(w, "SEQUENCE", t->name, &r, err))
        return false;
    const char *sql = db_text(r, "Create Table");
    if (str_starts(sql, create))
        str_addf(text, "%sIF NOT EXISTS %s;\n", create, sql + sizeof create - 1);
    else
        str_addf(text, "%s;\n", sql);
    db_rows_free(r);
    return true;
}

/* A default may take its value from a sequence, which other loaders make later than tables. */
static bool add_sequences_before(SchemaWriter *w, const Database *d, const char *sql, Str *text, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < d->n_tables && strcasestr(sql, "nextval("); i++)
        ok = d->tables[i].kind != TABLE_SEQUENCE || add_sequence(w, &d->tables[i], text, err);
    return ok;
}

/* What a definition needs of the server that it does not bring along. */
static void tell_table(const DumpTable *t, const char *sql)
{
    static const char *const needs[] = {" TABLESPACE ", " DATA DIRECTORY", " INDEX DIRECTORY",
                                        " ENCRYPTION='Y'", "`ENCRYPTED`="};
    static const char own[] = "`innodb_file_per_table`";
    for (size_t i = 0; i < COUNT(needs); i++)
        if (strcasestr(sql, needs[i]) && !strstr(sql, own))
            fprintf(
                stderr,
                "siding-dump: note: %s.%s is defined with%s: the server it is restored into must have what "
                "that needs\n",
                t->database, t->name, needs[i]);
    if (!t->has_rows)
        fprintf(
            stderr,
            "siding-dump: note: %s.%s (%s) holds no rows of its own: its definition is dumped, and no rows\n",
            t->database, t->name, t->engine);
}

static bool write_table(SchemaWriter *w, const Database *d, const DumpTable *t, Err *err)
{
    DbRows *r;
    if (!show(w, "TABLE", t->name, &r, err)) {
        Err failed = *err;
        return !t->has_rows && failed.kind == ERR_DB
                   ? err_set(err, ERR_DB, failed.code,
                             "%.800s; it has its rows elsewhere (%s): mend what it names, or leave it out by "
                             "--exclude",
                             failed.text, t->engine)
                   : false;
    }
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *sql = xstrdup(db_text(r, "Create Table"));
    db_rows_free(r);
    tell_table(t, sql);
    str_adds(&text, HEAD);
    if (!add_sequences_before(w, d, sql, &text, err))
        return false;
    str_addf(&text, "%s;\n", sql);
    return write_text(w, t->prefix, "-schema.sql", &text, err);
}

static bool write_sequence(SchemaWriter *w, const DumpTable *t, Err *err)
{
    AUTO(str_done) Str text = STR_INIT, name = STR_INIT;
    str_adds(&text, HEAD);
    if (!add_sequence(w, t, &text, err))
        return false;
    db_quote_id(&name, t->name);
    AUTOFREE char *next_sql = xasprintf("SELECT next_not_cached_value FROM %s", name.p);
    AUTOFREE char *next = NULL;
    if (!db_value(w->db, &next, err, next_sql, ""))
        return false;
    str_addf(&text, "DO SETVAL(%s, %s, 0);\n", name.p, next);
    return write_text(w, t->prefix, "-schema-sequence.sql", &text, err);
}

/* ---- objects with an environment ------------------------------------------------------------------ */

/* Whatever is to have the database's collation as it was then gets it for a moment: the loader gives a
 * connection that stands in the database, so that its name plays no part. */
static void add_collation(Str *text, const char *collation)
{
    str_addf(text, "ALTER DATABASE COLLATE '%s';\n", collation);
}

bool schema_add_body(Str *out, const char *sql, const char *sql_mode, bool executes_text)
{
    static const char *const marks[] = {";;", "//", "$$", "@@;", "~siding~"};
    if (executes_text) {
        str_adds(out, "EXECUTE IMMEDIATE @siding_sql;\n");
        return true;
    }
    if (portable_create(out, sql, !strstr(sql_mode, "NO_BACKSLASH_ESCAPES")))
        return true;
    size_t i = 0;
    while (i + 1 < COUNT(marks) && strstr(sql, marks[i]))
        i++;
    str_addf(out, "DELIMITER %s\n%s %s\nDELIMITER ;\n", marks[i], sql, marks[i]);
    return false;
}

/* Texts end at a byte 0 here, as they do in most clients. */
static bool check_text(const DbRows *r, const char *column, Err *err)
{
    size_t n = 0;
    int at = db_column_index(r, column);
    const char *text = at < 0 ? NULL : db_field(r, (size_t)at, &n);
    return !text || strlen(text) == n ||
           err_set(err, ERR_REFUSED, 0,
                   "its text holds a byte 0 after %zu others, and a dump would lose the rest: create it anew "
                   "with "
                   "\\0 for that byte",
                   strlen(text));
}

/* A definition with its environment. The text goes into a variable first, under a known sql_mode, or stands
 * in the bytes of the client that made it: what a backslash, a double quote or a letter means may hang on
 * them. */
static bool add_definition(SchemaWriter *w, const DbRows *r, const char *sql, bool encloses, Str *text)
{
    const char *zone = db_text(r, "time_zone"), *mode = db_text(r, "sql_mode"),
               *collation = db_text(r, "Database Collation");
    bool other = *collation && !str_eq(collation, w->collation), ok = true;
    if (w->flavor->executes_text) {
        str_adds(text, "/*!40101 SET NAMES utf8mb4*/;\n/*!40101 SET SQL_MODE=''*/;\nSET @siding_sql = ");
        db_quote_str(text, sql, strlen(sql));
        str_adds(text, ";\n");
    }
    str_addf(text, "SET character_set_client='%s', collation_connection='%s';\n",
             db_text(r, "character_set_client"), db_text(r, "collation_connection"));
    if (db_column_index(r, "sql_mode") >= 0)
        str_addf(text, "SET SQL_MODE='%s';\n", mode);
    if (*zone)
        str_addf(text, "SET TIME_ZONE='%s';\n", zone);
    if (other)
        add_collation(text, collation);
    if (encloses || w->flavor->executes_text)
        ok = schema_add_body(text, sql, mode, w->flavor->executes_text);
    else
        str_addf(text, "%s;\n", sql);
    if (other)
        add_collation(text, w->collation);
    return ok;
}

static bool is_ascii(const char *p)
{
    while (*p && (unsigned char)*p < 0x80)
        p++;
    return !*p;
}

/* SHOW CREATE as add_definition wants it: in the bytes of its client where the server runs it as it stands.
 */
static bool show_definition(SchemaWriter *w, const char *what, const char *column, const char *name,
                            DbRows **ret, Err *err)
{
    DbRows *r;
    if (!show(w, what, name, &r, err))
        return false;
    if (!check_text(r, column, err)) {
        db_rows_free(r);
        return err_prefix(err, "%s %s", what, name);
    }
    if (w->flavor->executes_text || is_ascii(db_text(r, column))) {
        *ret = r;
        return true;
    }
    AUTOFREE char *set =
        xasprintf("SET SESSION character_set_results='%s'", db_text(r, "character_set_client"));
    db_rows_free(r);
    if (!db_exec(w->db, err, set, ""))
        return false;
    bool ok = show(w, what, name, &r, err);
    Err failed;
    if (!db_exec(w->db, ok ? err : &failed, "SET SESSION character_set_results='utf8mb4'", "") && ok) {
        db_rows_free(r);
        return false;
    }
    if (ok)
        *ret = r;
    return ok;
}

static void note_written(SchemaWriter *w, const char *kind, const char *database, const char *name)
{
    AUTOFREE char *key = xasprintf("%s %s.%s", kind, database, name);
    json_object_set_new_nocheck(w->written, key, json_true());
}

/* ---- views ---------------------------------------------------------------------------------------- */

static void add_stand_in_value(Str *out, const Column *c)
{
    if (c->collation)
        str_addf(out, "_%s'' COLLATE %s AS ", c->charset, c->collation);
    else
        str_adds(out, "1 AS ");
    db_quote_id(out, c->name);
}

void schema_placeholder(Str *out, const DumpTable *view)
{
    str_adds(out, "CREATE OR REPLACE VIEW ");
    db_quote_id(out, view->name);
    str_adds(out, " AS SELECT");
    for (size_t i = 0; i < view->n_columns; i++) {
        str_adds(out, i ? ",\n  " : "\n  ");
        add_stand_in_value(out, &view->columns[i]);
    }
    if (!view->n_columns)
        str_adds(out, "\n  1 AS `siding_placeholder`");
    str_adds(out, ";\n");
}

static void tell_broken(const DumpTable *t)
{
    if (!t->n_columns)
        text_print(stderr,
                   "siding-dump: note: view %s.%s refers to something that is missing: its file can be "
                   "loaded once that exists\n",
                   t->database, t->name);
}

/* A view that needs a database that is gone is shown by no SHOW of some servers; information_schema has its
 * text, but not its ALGORITHM. */
static bool show_view(SchemaWriter *w, const DumpTable *t, DbRows **ret, Err *err)
{
    static const char sql[] =
        "SELECT CONCAT('CREATE DEFINER=`', REPLACE(SUBSTRING(definer, 1, CHAR_LENGTH(definer) - LOCATE('@',"
        " REVERSE(definer))), '`', '``'), '`@`', SUBSTRING_INDEX(definer, '@', -1), '` SQL SECURITY ',"
        " security_type, ' VIEW `', REPLACE(table_name, '`', '``'), '` AS ', view_definition, "
        "IF(check_option ="
        " 'NONE', '', CONCAT(' WITH ', check_option, ' CHECK OPTION'))) AS `Create View`, "
        "character_set_client AS"
        " `character_set_client`, collation_connection AS `collation_connection` FROM "
        "information_schema.views"
        " WHERE table_schema = ? AND table_name = ?";
    Err failed;
    DbRows *r;
    bool more;
    if (show_definition(w, "VIEW", "Create View", t->name, ret, &failed))
        return true;
    if (failed.kind != ERR_DB || !db_query(w->db, &r, err, sql, "ss", t->database, t->name)) {
        *err = failed;
        return false;
    }
    if (!db_next(r, &more, err) || !more || !*db_text(r, "Create View")) {
        db_rows_free(r);
        *err = failed;
        return false;
    }
    text_print(stderr, "siding-dump: note: view %s.%s cannot be shown (%s): its ALGORITHM is not known\n",
               t->database, t->name, failed.text);
    *ret = r;
    return true;
}

static bool write_view(SchemaWriter *w, const DumpTable *t, Err *err)
{
    DbRows *r;
    if (!show_view(w, t, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT, holder = STR_INIT;
    str_adds(&text, HEAD);
    str_adds(&text, "DROP TABLE IF EXISTS ");
    db_quote_id(&text, t->name);
    str_adds(&text, ";\nDROP VIEW IF EXISTS ");
    db_quote_id(&text, t->name);
    str_adds(&text, ";\n");
    (void)!add_definition(w, r, db_text(r, "Create View"), false, &text);
    db_rows_free(r);
    note_written(w, "VIEW", t->database, t->name);
    tell_broken(t);
    str_adds(&holder, HEAD);
    schema_placeholder(&holder, t);
    return write_text(w, t->prefix, "-schema.sql", &holder, err) &&
           write_text(w, t->prefix, "-schema-view.sql", &text, err);
}

/* ---- triggers, routines, events ------------------------------------------------------------------- */

static const struct {
    const char *what;    /* SHOW CREATE …, and the kind */
    const char *column;  /* that holds the text */
    const char *missing; /* the grant to give where the text is NULL */
} object_rows[] = {
    [OBJECT_TRIGGER] = {"TRIGGER", "SQL Original Statement", "TRIGGER"},
    [OBJECT_PROCEDURE] = {"PROCEDURE", "Create Procedure",
                          "SELECT ON mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL)"},
    [OBJECT_FUNCTION] = {"FUNCTION", "Create Function",
                         "SELECT ON mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL)"},
    [OBJECT_PACKAGE] = {"PACKAGE", "Create Package", "SELECT ON mysql.proc"},
    [OBJECT_PACKAGE_BODY] = {"PACKAGE BODY", "Create Package Body", "SELECT ON mysql.proc"},
    [OBJECT_EVENT] = {"EVENT", "Create Event", "EVENT"},
};

/* The server puts the name into the text in another character set than the text's. */
static void tell_name(const Database *d, const Object *o, const char *client)
{
    if (o->kind == OBJECT_TRIGGER || is_ascii(o->name) || str_starts(client, "utf8"))
        return;
    fprintf(
        stderr,
        "siding-dump: note: %s %s.%s: SHOW CREATE does not give this name right, since it holds letters "
        "beyond "
        "ASCII and its client's character set was %s: a restore will say that it is missing; create it anew "
        "under utf8mb4\n",
        object_rows[o->kind].what, d->name, o->name, client);
}

static bool append_object(SchemaWriter *w, const Database *d, const Object *o, Str *text, Err *err)
{
    DbRows *r;
    if (!show_definition(w, object_rows[o->kind].what, object_rows[o->kind].column, o->name, &r, err))
        return false;
    const char *sql = db_text(r, object_rows[o->kind].column);
    bool ok = *sql != 0;
    if (!ok)
        err_set(err, ERR_AUTH, 0, "the account may not read the text of %s %s.%s: grant it %s",
                object_rows[o->kind].what, d->name, o->name, object_rows[o->kind].missing);
    if (ok && o->kind == OBJECT_EVENT &&
        (strstr(sql, "DISABLE ON SLAVE") || strstr(sql, "DISABLE ON REPLICA")))
        text_print(stderr,
                   "siding-dump: note: event %s.%s is disabled, as replicas have it: enable it after a "
                   "restore if it is to run\n",
                   d->name, o->name);
    if (ok) {
        if (!text->len)
            str_adds(text, HEAD);
        note_written(w, object_rows[o->kind].what, d->name, o->name);
        tell_name(d, o, db_text(r, "character_set_client"));
        if (!add_definition(w, r, sql, true, text))
            text_print(stderr,
                       "siding-dump: note: %s %s.%s holds a quoted text with a semicolon that ends a line: a "
                       "client and "
                       "siding-restore load it, myloader does not\n",
                       object_rows[o->kind].what, d->name, o->name);
    }
    db_rows_free(r);
    return ok;
}

static bool write_triggers(SchemaWriter *w, const Database *d, const DumpTable *t, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < d->n_objects; i++)
        if (d->objects[i].kind == OBJECT_TRIGGER && str_eq(d->objects[i].table, t->name) &&
            !append_object(w, d, &d->objects[i], &text, err))
            return false;
    return !text.len || write_text(w, t->prefix, "-schema-triggers.sql", &text, err);
}

static bool write_post(SchemaWriter *w, const Database *d, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < d->n_objects; i++)
        if (d->objects[i].kind != OBJECT_TRIGGER && !append_object(w, d, &d->objects[i], &text, err))
            return false;
    return !text.len || write_text(w, d->prefix, "-schema-post.sql", &text, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool write_one(SchemaWriter *w, const Database *d, const DumpTable *t, Err *err)
{
    switch (t->kind) {
    case TABLE_VIEW:
        return write_view(w, t, err);
    case TABLE_SEQUENCE:
        return write_sequence(w, t, err);
    case TABLE_BASE:
        return write_table(w, d, t, err);
    }
    return true;
}

static bool write_tables(SchemaWriter *w, const Database *d, Err *err)
{
    for (size_t i = 0; i < d->n_tables; i++) {
        control_wait(0);
        if (!control_point(err))
            return false;
        if (!write_one(w, d, &d->tables[i], err) ||
            (w->parts.triggers && !write_triggers(w, d, &d->tables[i], err)))
            return err_prefix(err, "%s.%s", d->name, d->tables[i].name);
    }
    return true;
}

/* The environments of what was written, as the server has them. */
static bool describe_objects(SchemaWriter *w, const Catalogue *c, json_t *ret, Err *err)
{
    AUTOJSON json_t *all = json_array();
    size_t i;
    json_t *o;
    for (size_t d = 0; d < c->n_databases; d++)
        if (!environment_read(w->db, c->databases[d].name, all, err))
            return false;
    json_array_foreach(all, i, o)
    {
        AUTOFREE char *key = environment_name(o);
        if (json_object_get(w->written, key))
            json_array_append(ret, o);
    }
    return true;
}

static bool write_databases(SchemaWriter *w, const Catalogue *c, Err *err)
{
    for (size_t i = 0; i < c->n_databases; i++) {
        const Database *d = &c->databases[i];
        AUTO(str_done) Str use = STR_INIT; /* names inside definitions then come without their database */
        str_adds(&use, "USE ");
        db_quote_id(&use, d->name);
        if (!db_exec(w->db, err, use.p, "") || !write_database(w, d, err) || !write_tables(w, d, err) ||
            (w->parts.others && !write_post(w, d, err)))
            return false;
    }
    return true;
}

bool schema_write(Db *db, const Catalogue *c, const SchemaParts *parts, DumpFolder *out, json_t **ret,
                  Err *err)
{
    AUTOJSON json_t *written = json_object(), *about = json_object();
    SchemaWriter w = {.db = db, .out = out, .flavor = flavor_of(db_version(db)->flavor), .parts = *parts};
    w.written = written;
    w.databases = json_array();
    json_t *objects = json_array();
    json_object_set_new(about, "databases", w.databases);
    json_object_set_new(about, "objects", objects);
    int64_t folds = 0;
    bool ok = write_databases(&w, c, err) && describe_objects(&w, c, objects, err) &&
              db_value_int(db, &folds, err, "SELECT @@global.lower_case_table_names", "");
    json_set_int(about, "lower_case_table_names", folds);
    free(w.collation);
    if (ok && folds == 1 && json_array_size(objects))
        text_print(
            stderr,
            "siding-dump: note: this server stores names of tables in lower case, and texts of triggers, "
            "routines and events may name them in any: restore into a server with the same "
            "lower_case_table_names\n");
    if (ok)
        *ret = STEAL(about);
    return ok;
}
