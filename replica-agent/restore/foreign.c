/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign.h"

#include <stdio.h>
#include <string.h>

#include "common/file/fs.h"
#include "common/file/json.h"
#include "content.h"

enum { MOST_NUMBERS = 2 }; /* a part, and a part of it */

typedef struct Resolve {
    Folder *f;
    StrList prefixes; /* of files that make a database */
    json_t *tables;   /* "db.table" in file names: true name of the table that file defines */
    json_t *rows;     /* names of row files without endings: the true name of their table */
} Resolve;

/* ---- names ---------------------------------------------------------------------------------------- */

/* The name without compression and `ending`. */
static char *stem_of(const RestoreFile *file, const char *ending)
{
    const char *end = strstr(file->name, ending);
    for (const char *p = end; p; p = strstr(p + 1, ending))
        end = p;
    return xstrndup(file->name, end ? (size_t)(end - file->name) : strlen(file->name));
}

static const char *const endings[N_STEPS] = {
    [STEP_DATABASES] = "-schema-create.sql", [STEP_SEQUENCES] = "-schema-sequence.sql",
    [STEP_TABLES] = "-schema.sql",           [STEP_ROWS] = ".sql",
    [STEP_POST] = "-schema-post.sql",        [STEP_VIEWS] = "-schema-view.sql",
    [STEP_TRIGGERS] = "-schema-triggers.sql"};

/* ".00012" at the end, of five digits or more. */
static size_t number_bytes(const char *stem, size_t n)
{
    size_t digits = 0;
    while (digits < n && stem[n - digits - 1] >= '0' && stem[n - digits - 1] <= '9')
        digits++;
    return digits >= 5 && digits < n && stem[n - digits - 1] == '.' ? digits + 1 : 0;
}

static bool is_alias(const char *name)
{
    return str_starts(name, "mydumper_") || str_starts(name, "siding_alias_");
}

static void settle(RestoreFile *file, const char *stem, size_t dot, const char *real)
{
    free(file->database);
    free(file->table);
    free(file->real);
    file->database = xstrndup(stem, dot);
    file->table = xstrdup(stem + dot + 1);
    file->real = xstrdup(real);
}

/* The dot between database and table: `real`, or an alias, stands behind it, and before it a database of this
 * dump, if it has any. */
static bool find_dot(const Resolve *r, const char *name, const char *stem, const char *real, size_t *ret,
                     Err *err)
{
    size_t found = 0;
    for (const char *dot = strchr(stem, '.'); dot; dot = strchr(dot + 1, '.')) {
        AUTOFREE char *prefix = xstrndup(stem, (size_t)(dot - stem));
        if (r->prefixes.n && !strlist_has(&r->prefixes, prefix))
            continue;
        if (!str_eq(dot + 1, real) && !(is_alias(dot + 1) && !strchr(dot + 1, '.')))
            continue;
        *ret = (size_t)(dot - stem);
        found++;
    }
    return found == 1 || err_set(err, ERR_REFUSED, 0,
                                 "%s: it is not clear which database its table \"%s\" belongs to: dump that "
                                 "database again, by mydumper 0.12 or later, or by siding-dump",
                                 name, real);
}

/* ---- what files hold ------------------------------------------------------------------------------ */

static const RestoreStep steps[] = {[CONTENT_DATABASE] = STEP_DATABASES, [CONTENT_TABLE] = STEP_TABLES,
                                    [CONTENT_SEQUENCE] = STEP_SEQUENCES, [CONTENT_VIEW] = STEP_VIEWS,
                                    [CONTENT_TRIGGER] = STEP_TRIGGERS,   [CONTENT_FUNCTION] = STEP_POST,
                                    [CONTENT_PROCEDURE] = STEP_POST,     [CONTENT_PACKAGE] = STEP_POST,
                                    [CONTENT_PACKAGE_BODY] = STEP_POST,  [CONTENT_EVENT] = STEP_POST,
                                    [CONTENT_ROWS] = STEP_ROWS,          [CONTENT_LOAD_DATA] = STEP_ROWS};

static bool look_into(const Folder *f, const RestoreFile *file, Content *ret, Err *err)
{
    AUTO(str_done) Str text = STR_INIT;
    if (!folder_peek(f, file->name, &text, err))
        return err_prefix(err, "%s", file->name);
    content_of_file(str_z(&text), ret);
    if (file->tsv || ret->kind == CONTENT_LOAD_DATA)
        return err_set(err, ERR_REFUSED, 0,
                       "%s: rows for LOAD DATA (mydumper's --load-data, --csv) are loaded by myloader alone: "
                       "dump them as INSERT statements",
                       file->name);
    if (ret->kind == CONTENT_OTHER || !ret->name)
        return file->step == STEP_POST || file->step == STEP_TRIGGERS
                   ? true
                   : err_set(err, ERR_CORRUPT, 0, "%s holds neither a definition nor rows: is it cut short?",
                             file->name);
    return true;
}

/* What a file is: its text says so where it says anything. A placeholder for a view is a table, or a view. */
static void judge_step(RestoreFile *file, const Content *c)
{
    if (c->kind == CONTENT_OTHER || (file->step == STEP_TABLES && c->kind == CONTENT_VIEW) ||
        (file->step == STEP_SEQUENCES && c->kind == CONTENT_TABLE))
        return;
    file->step = c->kind == CONTENT_SEQUENCE && file->step == STEP_TABLES ? STEP_TABLES : steps[c->kind];
}

static bool note_file(Resolve *r, RestoreFile *file, Err *err)
{
    Content c = {0};
    bool ok = look_into(r->f, file, &c, err);
    if (ok) {
        judge_step(file, &c);
        AUTOFREE char *stem = stem_of(file, endings[file->step]);
        free(file->real);
        file->real = xstrdup(c.name);
        if (file->step == STEP_DATABASES) {
            free(file->database);
            file->database = xstrdup(stem);
            strlist_add(&r->prefixes, stem);
        } else if (file->step == STEP_ROWS) {
            json_set_str(r->rows, stem, c.name);
        } else if (file->step == STEP_TABLES || file->step == STEP_SEQUENCES) {
            json_set_str(r->tables, stem, c.name);
        }
    }
    content_done(&c);
    return ok;
}

/* ---- files without a table ------------------------------------------------------------------------ */

/* A trigger's text names its table without a database: the file has the table's name, or the database's. */
static bool resolve_object(const Resolve *r, RestoreFile *file, Err *err)
{
    AUTOFREE char *stem = stem_of(file, endings[file->step]);
    const char *real = json_str(r->tables, stem);
    if (file->step == STEP_TRIGGERS && *real) {
        size_t dot;
        if (!find_dot(r, file->name, stem, real, &dot, err))
            return false;
        settle(file, stem, dot, real);
        return true;
    }
    if (r->prefixes.n && !strlist_has(&r->prefixes, stem))
        return err_set(err, ERR_REFUSED, 0, "%s: the dump has no table or database of that name", file->name);
    free(file->database);
    free(file->table);
    file->database = xstrdup(stem);
    file->table = NULL;
    return true;
}

/* ---- tables and their rows ------------------------------------------------------------------------ */

static bool resolve_table(const Resolve *r, RestoreFile *file, Err *err)
{
    AUTOFREE char *stem = stem_of(file, endings[file->step]), *real = xstrdup(file->real);
    size_t dot;
    if (!find_dot(r, file->name, stem, real, &dot, err))
        return false;
    settle(file, stem, dot, real);
    return true;
}

/* The tables that a file's name may mean, by leaving out no, one or two numbers; its text says which. */
static bool resolve_rows(const Resolve *r, RestoreFile *file, Err *err)
{
    AUTOFREE char *stem = stem_of(file, ".sql"), *real = xstrdup(file->real), *whose = NULL;
    size_t n = strlen(stem), number = 1, dot;
    for (int i = 0; i <= MOST_NUMBERS && number; i++) {
        AUTOFREE char *short_stem = xstrndup(stem, n);
        bool defined = str_eq(json_str(r->tables, short_stem), real),
             named = !json_object_size(r->tables) && strlen(short_stem) > strlen(real) &&
                     (str_ends(short_stem, real) || strstr(short_stem, "mydumper_"));
        if ((defined || named) && whose)
            return err_set(err, ERR_REFUSED, 0, "%s may hold rows of more than one table", file->name);
        if (defined || named)
            whose = xstrdup(short_stem);
        number = number_bytes(stem, n);
        n -= number;
    }
    if (!whose)
        return err_set(err, ERR_REFUSED, 0,
                       "%s holds rows of a table \"%s\" that the dump does not define under that name: two "
                       "tables may have had one file (mydumper before 0.12), dump them again",
                       file->name, real);
    if (!find_dot(r, file->name, whose, real, &dot, err))
        return false;
    settle(file, whose, dot, real);
    return true;
}

static bool resolve_file(const Resolve *r, RestoreFile *file, Err *err)
{
    switch (file->step) {
    case STEP_ROWS:
        return resolve_rows(r, file, err);
    case STEP_TABLES:
    case STEP_SEQUENCES:
    case STEP_VIEWS:
        return resolve_table(r, file, err);
    case STEP_POST:
    case STEP_TRIGGERS:
        return resolve_object(r, file, err);
    case STEP_DATABASES:
    case N_STEPS:
        return true;
    }
    return true;
}

/* ---- two that had one file ------------------------------------------------------------------------ */

/* Files of database "a" and table "b.c" had the names of those of database "a.b" and table "c". */
static bool check_databases(const Resolve *r, Err *err)
{
    for (size_t i = 0; i < r->prefixes.n; i++)
        for (size_t k = 0; k < r->prefixes.n; k++) {
            AUTOFREE char *beyond = xasprintf("%s.", r->prefixes.v[i]);
            if (str_starts(r->prefixes.v[k], beyond))
                return err_set(
                    err, ERR_REFUSED, 0,
                    "databases \"%s\" and \"%s\" in one dump of mydumper before 0.12: their tables may "
                    "have had the same files, and what is lost is not known: dump each alone, or "
                    "by a later version",
                    r->prefixes.v[i], r->prefixes.v[k]);
        }
    return true;
}

/* The first part of table "t" had the name of the whole table "t.00000". */
static bool check_parts(const Resolve *r, Err *err)
{
    const char *stem;
    json_t *real;
    json_object_foreach(r->tables, stem, real)
    {
        size_t n = strlen(stem), number = number_bytes(stem, n);
        AUTOFREE char *other = xstrndup(stem, n - number);
        if (!number || !json_object_get(r->tables, other) || !json_object_get(r->rows, stem) ||
            json_object_get(r->rows, other))
            continue;
        return err_set(
            err, ERR_REFUSED, 0,
            "%s.sql: rows of a table \"%s\" and a part of \"%s\" had one file: dump each alone, or by "
            "mydumper 0.12 or later",
            stem, stem, other);
    }
    return true;
}

static bool check_unknown(const Folder *f, Err *err)
{
    static const char *const rows[] = {".dat", ".csv", ".json", ".dat.gz", ".dat.zst", ".csv.gz", ".csv.zst"};
    for (size_t i = 0; i < f->unknown.n; i++) {
        const char *name = f->unknown.v[i];
        if (str_eq(name, "manifest.json") || str_eq(name, "files.json"))
            continue;
        for (size_t k = 0; k < COUNT(rows); k++)
            if (str_ends(name, rows[k]))
                return err_set(
                    err, ERR_REFUSED, 0,
                    "%s/%s holds rows for LOAD DATA, which myloader alone loads: dump them as INSERT "
                    "statements",
                    f->path, name);
        if (str_starts(name, "all-schema-create-tablespace.sql"))
            continue; /* told as not loaded */
        if (str_ends(name, ".sql") || str_ends(name, ".sql.gz") || str_ends(name, ".sql.zst"))
            return err_set(err, ERR_REFUSED, 0, "%s/%s: what it holds is not known from its name", f->path,
                           name);
        if (strstr(name, ".sql."))
            return err_set(err, ERR_REFUSED, 0,
                           "%s/%s is compressed in a way that is not known: decompress it", f->path, name);
        if (str_eq(name, "metadata.partial") || str_starts(name, "resume"))
            return err_set(err, ERR_REFUSED, 0, "%s is an unfinished dump or load: it holds %s", f->path,
                           name);
    }
    return true;
}

bool foreign_resolve(Folder *f, Err *err)
{
    Resolve r = {.f = f, .tables = json_object(), .rows = json_object()};
    bool ok = check_unknown(f, err);
    for (size_t i = 0; ok && i < f->n_files; i++)
        ok = note_file(&r, &f->files[i], err);
    ok = ok && check_databases(&r, err) && check_parts(&r, err);
    for (size_t i = 0; ok && i < f->n_files; i++)
        ok = resolve_file(&r, &f->files[i], err);
    strlist_done(&r.prefixes);
    json_decref(r.tables);
    json_decref(r.rows);
    return ok;
}

/* ---- counts --------------------------------------------------------------------------------------- */

/* `name`, in quotes of either kind; what follows it, NULL: there is none. */
static const char *take_quoted(const char *p, const char *end, char **ret)
{
    Str s = STR_INIT;
    char quote = p < end ? *p++ : 0;
    if (quote != '`' && quote != '"')
        return NULL;
    for (; p < end && (*p != quote || (p + 1 < end && p[1] == quote)); p++) {
        str_addc(&s, *p);
        p += *p == quote;
    }
    *ret = s.p ? str_take(&s) : xstrdup("");
    return p < end ? p + 1 : NULL;
}

/* [`db`.`table`] */
static bool take_section(const char *line, size_t n, ForeignCount *ret)
{
    const char *end = line + n - 1, *p = line + 1;
    *ret = (ForeignCount){0};
    if (n < 2 || line[0] != '[' || line[n - 1] != ']')
        return false;
    p = take_quoted(p, end, &ret->database);
    p = p && p < end && *p == '.' ? take_quoted(p + 1, end, &ret->table) : NULL;
    return p == end;
}

static void count_done(ForeignCount *c)
{
    free(c->database);
    free(c->table);
    *c = (ForeignCount){0};
}

bool foreign_counts(const Folder *f, ForeignCount **ret, size_t *ret_n, Err *err)
{
    enum { MOST = 256 << 20 };
    AUTO(str_done) Str text = STR_INIT;
    AUTOFREE char *path = xasprintf("%s/metadata", f->path);
    ForeignCount section = {0};
    bool of_table = false;
    *ret = NULL;
    *ret_n = 0;
    if (!fs_read(path, MOST, &text, err))
        return false;
    for (const char *p = str_z(&text); *p;) {
        size_t n = strcspn(p, "\r\n");
        long long rows;
        if (*p == '[') {
            count_done(&section);
            of_table = take_section(p, n, &section);
        } else if (of_table && sscanf(p, "rows = %lld", &rows) == 1) {
            *ret = xrealloc(*ret, (*ret_n + 1) * sizeof **ret);
            section.rows = rows;
            (*ret)[(*ret_n)++] = section;
            section = (ForeignCount){0};
            of_table = false;
        }
        p += n;
        p += strspn(p, "\r\n");
    }
    count_done(&section);
    return true;
}

void foreign_counts_free(ForeignCount *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        count_done(&c[i]);
    free(c);
}
