/* SPDX-License-Identifier: Apache-2.0 */
#include "prove.h"

#include <string.h>
#include <strings.h>

#include "common/db/engine.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "foreign.h"
#include "replica-agent/dump/catalogue.h"
#include "replica-agent/dump/environment.h"
#include "replica-agent/dump/rowcheck.h"

/* ---- tables --------------------------------------------------------------------------------------- */

static const DumpTable *find(const Catalogue *c, const char *database, const char *table)
{
    for (size_t d = 0; d < c->n_databases; d++)
        for (size_t t = 0; str_eq(c->databases[d].name, database) && t < c->databases[d].n_tables; t++)
            if (str_eq(c->databases[d].tables[t].name, table))
                return &c->databases[d].tables[t];
    return NULL;
}

static bool find_stored(Db *db, const Restore *r, const Catalogue *c, const char *database, const char *table,
                        const DumpTable **ret, Err *err)
{
    AUTOFREE char *d = NULL, *t = NULL;
    if (!restore_target_name(&r->target, db, database, &d, err) ||
        !restore_target_name(&r->target, db, table, &t, err))
        return false;
    *ret = find(c, d, t);
    return *ret || err_set(err, ERR_CORRUPT, 0, "%s.%s is missing", database, table);
}

static bool same_flavor(Db *db, const json_t *about)
{
    const char *version = json_str(json_object_get(about, "snapshot"), "server_version");
    version = *version ? version : json_str(about, "server_version");
    return flavor_of_text(version) == db_version(db)->flavor;
}

static bool prove_sum(Db *db, const DumpTable *t, const json_t *told, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE char *sum = NULL;
    rowcheck_sql(&sql, t, NULL);
    if (!db_value(db, &sum, err, sql.p, ""))
        return err_prefix(err, "%s.%s", t->database, t->name);
    return str_eq(sum, json_str(told, "checksum")) ||
           err_set(err, ERR_CORRUPT, 0,
                   "%s.%s differs from the dump: it has %s (rows:checksum), the dump says %s", t->database,
                   t->name, sum, json_str(told, "checksum"));
}

/* Where an engine is missing, some servers take another without an error. */
static bool prove_engine(const DumpTable *t, const json_t *told, Err *err)
{
    const char *engine = json_str(told, "engine");
    return !*engine || !*t->engine || strcasecmp(engine, t->engine) == 0 ||
           err_set(err, ERR_CORRUPT, 0,
                   "%s.%s is of engine %s, in the dump it is %s: has the server that one?", t->database,
                   t->name, t->engine, engine);
}

static bool prove_table(Db *db, const Restore *r, const Catalogue *c, const json_t *told, RestoreOutcome *out,
                        Err *err)
{
    const DumpTable *t;
    if (!find_stored(db, r, c, json_str(told, "database"), json_str(told, "table"), &t, err) ||
        !prove_engine(t, told, err))
        return false;
    if (!str_eq(json_str(told, "checksum_kind"), "rowcheck") || !*json_str(told, "checksum") ||
        !engine_has_rows(t->engine))
        return true;
    progress_set(r->f->bytes, r->f->bytes, t->name);
    out->tables_proved++;
    return prove_sum(db, t, told, err);
}

static bool prove_tables(Db *db, const Restore *r, const Catalogue *c, RestoreOutcome *out, Err *err)
{
    size_t i;
    json_t *t;
    bool ok = true;
    if (r->o->no_verify || !same_flavor(db, r->f->about))
        return true;
    json_array_foreach(json_object_get(r->f->about, "tables"), i, t) ok =
        ok && prove_table(db, r, c, t, out, err);
    return ok;
}

/* Each table that a file defines. */
static bool prove_there(Db *db, const Restore *r, const Catalogue *c, Err *err)
{
    const DumpTable *t;
    bool ok = true;
    for (size_t i = 0; ok && i < r->f->n_files; i++) {
        const RestoreFile *file = &r->f->files[i];
        if ((file->step == STEP_TABLES && !file->stand_in) || file->step == STEP_SEQUENCES)
            ok = find_stored(db, r, c, folder_database(r->f, file->database), folder_real_name(r->f, file),
                             &t, err);
    }
    return ok;
}

/* ---- row counts of mydumper ----------------------------------------------------------------------- */

static const RestoreFile *file_of(const Folder *f, const ForeignCount *count)
{
    for (size_t i = 0; i < f->n_files; i++) {
        const RestoreFile *file = &f->files[i];
        if (file->step == STEP_TABLES && !file->stand_in && str_eq(count->table, file->table) &&
            (str_eq(count->database, file->database) ||
             str_eq(count->database, folder_database(f, file->database))))
            return file;
    }
    return NULL;
}

static bool prove_count(Db *db, const Restore *r, const Catalogue *c, const ForeignCount *count, bool *ret,
                        Err *err)
{
    const RestoreFile *file = file_of(r->f, count);
    const DumpTable *t;
    AUTO(str_done) Str sql = STR_INIT;
    int64_t rows;
    *ret = false;
    if (!file)
        return count->rows == 0 ||
               err_set(err, ERR_CORRUPT, 0,
                       "metadata says that table %s.%s has %lld rows, the dump has no file that "
                       "defines it",
                       count->database, count->table, (long long)count->rows);
    if (!find_stored(db, r, c, folder_database(r->f, file->database), folder_real_name(r->f, file), &t, err))
        return false;
    if (t->kind != TABLE_BASE || !engine_has_rows(t->engine))
        return true;
    str_adds(&sql, "SELECT COUNT(*) FROM ");
    db_quote_table(&sql, t->database, t->name);
    if (!db_value_int(db, &rows, err, sql.p, ""))
        return false;
    *ret = true;
    return rows == count->rows ||
           err_set(err, ERR_CORRUPT, 0, "%s.%s has %lld rows, metadata says %lld: are files missing?",
                   t->database, t->name, (long long)rows, (long long)count->rows);
}

static bool prove_counts(Db *db, const Restore *r, const Catalogue *c, RestoreOutcome *out, Err *err)
{
    ForeignCount *counts;
    size_t n;
    bool ok = foreign_counts(r->f, &counts, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        bool counted;
        ok = prove_count(db, r, c, &counts[i], &counted, err);
        out->tables_counted += counted;
    }
    if (ok || n)
        foreign_counts_free(counts, n);
    return ok;
}

/* ---- objects -------------------------------------------------------------------------------------- */

static bool read_environments(Db *db, const Restore *r, json_t **ret, Err *err)
{
    AUTOJSON json_t *all = json_array(), *by_name = json_object();
    size_t i;
    json_t *o;
    for (size_t d = 0; d < r->f->databases.n; d++) {
        AUTOFREE char *name = NULL;
        if (!restore_target_name(&r->target, db, r->f->databases.v[d], &name, err) ||
            !environment_read(db, name, all, err))
            return false;
    }
    json_array_foreach(all, i, o)
    {
        AUTOFREE char *name = environment_name(o);
        json_object_set_nocheck(by_name, name, o);
    }
    *ret = STEAL(by_name);
    return true;
}

static bool is_unmade(const json_t *object, const StrList *unmade)
{
    AUTO(str_done) Str head = STR_INIT;
    str_adds(&head, "view ");
    db_quote_table(&head, json_str(object, "database"), json_str(object, "name"));
    str_adds(&head, ": ");
    for (size_t i = 0; i < unmade->n; i++)
        if (str_starts(unmade->v[i], head.p))
            return true;
    return false;
}

static bool prove_object(const Restore *r, const json_t *told, const json_t *all, Err *err)
{
    AUTOFREE char *name = environment_name(told);
    const json_t *is = json_object_get(all, name);
    const char *column = is ? environment_difference(told, is, !r->o->skip_definer && !r->o->definer) : NULL;
    if (!is)
        return err_set(err, ERR_CORRUPT, 0, "%s is missing", name);
    return !column ||
           err_set(err, ERR_CORRUPT, 0, "%s differs from the dump: its %s is \"%s\", in the dump \"%s\"",
                   name, column, json_str(is, column), json_str(told, column));
}

static bool prove_objects(Db *db, const Restore *r, const StrList *unmade, RestoreOutcome *out, Err *err)
{
    const json_t *told = json_object_get(r->f->about, "objects");
    AUTOJSON json_t *all = NULL;
    size_t i;
    json_t *o;
    bool ok = true;
    if (!json_array_size(told) || !same_flavor(db, r->f->about) || r->target.folds_case)
        return true;
    if (!read_environments(db, r, &all, err))
        return false;
    json_array_foreach((json_t *)(uintptr_t)told, i, o)
    {
        if (!ok || is_unmade(o, unmade))
            continue;
        ok = prove_object(r, o, all, err);
        out->objects_proved++;
    }
    return ok;
}

/* ---- all ------------------------------------------------------------------------------------------ */

bool prove(Db *db, const Restore *r, const StrList *unmade, RestoreOutcome *out, Err *err)
{
    Catalogue c = {0};
    Filter all = {0};
    bool ok = true;
    for (size_t d = 0; ok && d < r->f->databases.n; d++) {
        AUTOFREE char *name = NULL;
        ok = restore_target_name(&r->target, db, r->f->databases.v[d], &name, err);
        if (ok)
            strlist_add(&all.databases, name);
    }
    ok = ok && catalogue_read(db, &all, &c, err) && prove_there(db, r, &c, err) &&
         (r->f->foreign ? prove_counts(db, r, &c, out, err) : prove_tables(db, r, &c, out, err)) &&
         prove_objects(db, r, unmade, out, err);
    catalogue_done(&c);
    filter_done(&all);
    return ok;
}
