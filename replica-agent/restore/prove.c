/* SPDX-License-Identifier: Apache-2.0 */
#include "prove.h"

#include <string.h>

#include "common/db/flavor.h"
#include "common/file/json.h"
#include "common/wire/progress.h"
#include "replica-agent/dump/catalogue.h"
#include "replica-agent/dump/rowcheck.h"

static const Table *find(const Catalogue *c, const char *database, const char *table)
{
    for (size_t d = 0; d < c->n_databases; d++)
        for (size_t t = 0; t < c->databases[d].n_tables; t++)
            if (str_eq(c->databases[d].name, database) && str_eq(c->databases[d].tables[t].name, table))
                return &c->databases[d].tables[t];
    return NULL;
}

static bool prove_table(Db *db, const Catalogue *c, const json_t *told, Err *err)
{
    const char *database = json_str(told, "database"), *name = json_str(told, "table");
    const Table *t = find(c, database, name);
    AUTO(str_done) Str sql = STR_INIT;
    AUTOFREE char *sum = NULL;
    if (!t)
        return err_set(err, ERR_CORRUPT, 0, "%s.%s is missing", database, name);
    rowcheck_sql(&sql, t, NULL);
    if (!db_value(db, &sum, err, sql.p, ""))
        return err_prefix(err, "%s.%s", database, name);
    return str_eq(sum, json_str(told, "checksum")) ||
           err_set(err, ERR_CORRUPT, 0,
                   "%s.%s differs from the dump: it has %s (rows:checksum), the dump says %s", database, name,
                   sum, json_str(told, "checksum"));
}

static bool same_flavor(Db *db, const json_t *about)
{
    const char *version = json_str(json_object_get(about, "snapshot"), "server_version");
    version = *version ? version : json_str(about, "server_version");
    return flavor_of_text(version) == db_version(db)->flavor;
}

bool prove_tables(Db *db, const Folder *f, size_t *ret_tables, Err *err)
{
    Catalogue c = {0};
    Filter all = {0};
    size_t i;
    json_t *t;
    bool ok = true;
    *ret_tables = 0;
    if (!json_array_size(json_object_get(f->about, "tables")) || !same_flavor(db, f->about))
        return true;
    for (size_t d = 0; d < f->databases.n; d++)
        strlist_add(&all.databases, f->databases.v[d]);
    ok = catalogue_read(db, &all, &c, err);
    json_array_foreach(json_object_get(f->about, "tables"), i, t)
    {
        if (!ok || !str_eq(json_str(t, "checksum_kind"), "rowcheck") || !*json_str(t, "checksum"))
            continue;
        progress_set(f->bytes, f->bytes, json_str(t, "table"));
        ok = prove_table(db, &c, t, err);
        ++*ret_tables;
    }
    catalogue_done(&c);
    filter_done(&all);
    return ok;
}
