/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdio.h>
#include <string.h>

#include "common/db/flavor.h"
#include "control.h"
#include "portable_create.h"

static const char *const HEAD = "/*!40101 SET NAMES utf8mb4*/;\n/*!40014 SET FOREIGN_KEY_CHECKS=0*/;\n"
                                "/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO'*/;\n/*!40103 SET "
                                "TIME_ZONE='+00:00'*/;\n";

typedef struct Writer {
    Db *db;
    Output *out;
    const Flavor *flavor;
    SchemaParts parts;
} Writer;

/* One row of a SHOW CREATE; the caller takes the columns by name. */
static bool show_row(Writer *w, const char *sql, DbRows **ret, Err *err)
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

static bool show(Writer *w, const char *what, const char *name, DbRows **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "SHOW CREATE %s ", what);
    db_quote_id(&sql, name);
    return show_row(w, sql.p, ret, err);
}

static bool write_text(Writer *w, const char *prefix, const char *ending, const Str *text, Err *err)
{
    AUTOFREE char *name = xasprintf("%s%s", prefix, ending);
    return output_text(w->out, name, text, err);
}

static bool write_database(Writer *w, const Database *d, Err *err)
{
    DbRows *r;
    if (!show(w, "DATABASE IF NOT EXISTS", d->name, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    str_addf(&text, "%s%s;\n", HEAD, db_text(r, "Create Database"));
    db_rows_free(r);
    return write_text(w, d->prefix, "-schema-create.sql", &text, err);
}

static bool add_sequence(Writer *w, const Table *t, Str *text, Err *err)
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
static bool add_sequences_before(Writer *w, const Database *d, const char *sql, Str *text, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < d->n_tables && strcasestr(sql, "nextval("); i++)
        ok = d->tables[i].kind != TABLE_SEQUENCE || add_sequence(w, &d->tables[i], text, err);
    return ok;
}

static bool write_table(Writer *w, const Database *d, const Table *t, Err *err)
{
    DbRows *r;
    if (!show(w, "TABLE", t->name, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *sql = xstrdup(db_text(r, "Create Table"));
    db_rows_free(r);
    str_adds(&text, HEAD);
    if (!add_sequences_before(w, d, sql, &text, err))
        return false;
    str_addf(&text, "%s;\n", sql);
    return write_text(w, t->prefix, "-schema.sql", &text, err);
}

static bool write_sequence(Writer *w, const Table *t, Err *err)
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

/* ---- views ---------------------------------------------------------------------------------------- */

void schema_placeholder(Str *out, const Table *view)
{
    str_adds(out, "CREATE TABLE IF NOT EXISTS ");
    db_quote_id(out, view->name);
    const char *sep = " (\n  ";
    for (size_t i = 0; i < view->n_columns; i++) {
        str_adds(out, sep);
        db_quote_id(out, view->columns[i].name);
        str_adds(out, " int");
        sep = ",\n  ";
    }
    if (!view->n_columns)
        str_adds(out, " (\n  `siding_placeholder` int");
    str_adds(out, "\n);\n");
}

static bool write_view(Writer *w, const Table *t, Err *err)
{
    DbRows *r;
    if (!show(w, "VIEW", t->name, &r, err))
        return false;
    AUTO(str_done) Str text = STR_INIT, holder = STR_INIT;
    str_adds(&text, HEAD);
    str_adds(&text, "DROP TABLE IF EXISTS ");
    db_quote_id(&text, t->name);
    str_adds(&text, ";\nDROP VIEW IF EXISTS ");
    db_quote_id(&text, t->name);
    const char *collation = db_text(r, "collation_connection");
    if (str_starts(collation, "utf8mb4"))
        str_addf(&text, ";\nSET collation_connection='%s'", collation);
    str_addf(&text, ";\n%s;\n", db_text(r, "Create View"));
    db_rows_free(r);
    if (!t->n_columns)
        fprintf(stderr,
                "siding-dump: note: view %s.%s refers to something that is missing: its file can be "
                "loaded once that exists\n",
                t->database, t->name);
    str_adds(&holder, HEAD);
    schema_placeholder(&holder, t);
    return write_text(w, t->prefix, "-schema.sql", &holder, err) &&
           write_text(w, t->prefix, "-schema-view.sql", &text, err);
}

/* ---- triggers, routines, events ------------------------------------------------------------------- */

static const struct {
    const char *what;    /* SHOW CREATE … */
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

bool schema_add_body(Str *out, const char *sql, const char *sql_mode, bool executes_text)
{
    if (executes_text) {
        str_adds(out, "EXECUTE IMMEDIATE @siding_sql;\n");
        return true;
    }
    if (portable_create(out, sql, !strstr(sql_mode, "NO_BACKSLASH_ESCAPES")))
        return true;
    str_addf(out, "DELIMITER ;;\n%s ;;\nDELIMITER ;\n", sql);
    return false;
}

/* The text goes into a variable first, under a known sql_mode: the one it was made under may change what a
 * backslash or a double quote means. */
static bool add_object(Writer *w, const DbRows *r, const char *sql, Str *text)
{
    const char *collation = db_text(r, "collation_connection"), *zone = db_text(r, "time_zone");
    if (w->flavor->executes_text) {
        str_adds(text, "/*!40101 SET NAMES utf8mb4*/;\n/*!40101 SET SQL_MODE=''*/;\nSET @siding_sql = ");
        db_quote_str(text, sql, strlen(sql));
        str_adds(text, ";\n");
        str_addf(text, "SET character_set_client='%s', collation_connection='%s';\n",
                 db_text(r, "character_set_client"), collation);
    } else if (str_starts(collation, "utf8mb4")) {
        str_addf(text, "SET collation_connection='%s';\n", collation);
    }
    str_addf(text, "SET SQL_MODE='%s';\n", db_text(r, "sql_mode"));
    if (*zone)
        str_addf(text, "SET TIME_ZONE='%s';\n", zone);
    return schema_add_body(text, sql, db_text(r, "sql_mode"), w->flavor->executes_text);
}

static bool append_object(Writer *w, const Database *d, const Object *o, Str *text, Err *err)
{
    DbRows *r;
    if (!show(w, object_rows[o->kind].what, o->name, &r, err))
        return false;
    const char *sql = db_text(r, object_rows[o->kind].column);
    bool ok = *sql != 0;
    if (!ok)
        err_set(err, ERR_AUTH, 0, "the account may not read the text of %s %s.%s: grant it %s",
                object_rows[o->kind].what, d->name, o->name, object_rows[o->kind].missing);
    if (ok && o->kind == OBJECT_EVENT &&
        (strstr(sql, "DISABLE ON SLAVE") || strstr(sql, "DISABLE ON REPLICA")))
        fprintf(stderr,
                "siding-dump: note: event %s.%s is disabled, as replicas have it: enable it after a "
                "restore if it is to run\n",
                d->name, o->name);
    if (ok) {
        if (!text->len)
            str_adds(text, HEAD);
        if (!add_object(w, r, sql, text))
            fprintf(stderr,
                    "siding-dump: note: %s %s.%s holds a quoted text with a semicolon that ends a line: a "
                    "client and "
                    "siding-restore load it, myloader does not\n",
                    object_rows[o->kind].what, d->name, o->name);
    }
    db_rows_free(r);
    return ok;
}

static bool write_triggers(Writer *w, const Database *d, const Table *t, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < d->n_objects; i++)
        if (d->objects[i].kind == OBJECT_TRIGGER && str_eq(d->objects[i].table, t->name) &&
            !append_object(w, d, &d->objects[i], &text, err))
            return false;
    return !text.len || write_text(w, t->prefix, "-schema-triggers.sql", &text, err);
}

static bool write_post(Writer *w, const Database *d, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    for (size_t i = 0; i < d->n_objects; i++)
        if (d->objects[i].kind != OBJECT_TRIGGER && !append_object(w, d, &d->objects[i], &text, err))
            return false;
    return !text.len || write_text(w, d->prefix, "-schema-post.sql", &text, err);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool write_one(Writer *w, const Database *d, const Table *t, Err *err)
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

static bool write_tables(Writer *w, const Database *d, Err *err)
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

bool schema_write(Db *db, const Catalogue *c, const SchemaParts *parts, Output *out, Err *err)
{
    Writer w = {db, out, flavor_of(db_version(db)->flavor), *parts};
    for (size_t i = 0; i < c->n_databases; i++) {
        const Database *d = &c->databases[i];
        AUTO(str_done) Str use = STR_INIT; /* names inside definitions then come without their database */
        str_adds(&use, "USE ");
        db_quote_id(&use, d->name);
        if (!db_exec(db, err, use.p, "") || !write_database(&w, d, err) || !write_tables(&w, d, err) ||
            (parts->others && !write_post(&w, d, err)))
            return false;
    }
    return true;
}
