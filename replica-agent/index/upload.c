/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/upload.h"

#include <string.h>
#include <strings.h>

#include "common/db/flavor.h"
#include "common/db/gtid.h"
#include "common/db/rowsum.h"
#include "replica-agent/index/tokenize.h"

/* ---- the target on this server ------------------------------------------------------------------- */

static bool compare_columns(DbRows *rows, const IndexDefinition *d, bool *ret_exists, Err *err)
{
    StrList wanted = STRLIST_INIT;
    definition_columns(d, &wanted);
    size_t i = 0;
    bool same = true, more = true, ok = true;
    for (; (ok = db_next(rows, &more, err)) && more; i++) {
        same = same && i < wanted.n && strcasecmp(db_text(rows, "name"), wanted.v[i]) == 0;
        if (i == 0 && !str_eq(db_text(rows, "collation"), "utf8mb4_bin"))
            same = false;
    }
    same = same && (i == 0 || i == wanted.n);
    if (ok && !same) {
        AUTO(str_done) Str names = STR_INIT;
        for (size_t k = 0; k < wanted.n; k++)
            str_addf(&names, "%s%s", k ? ", " : "", wanted.v[k]);
        ok = err_set(err, ERR_REFUSED, 0,
                     "%s exists and is not an index of this job in layout \"%s\" (columns %s, the first in "
                     "utf8mb4_bin): rename it or choose another target",
                     d->target, d->layout, str_z(&names));
    }
    *ret_exists = i > 0;
    strlist_done(&wanted);
    return ok;
}

static bool look_at_columns(Db *db, const IndexDefinition *d, const char *schema, const char *table,
                            bool *ret_exists, Err *err)
{
    DbRows *rows;
    if (!db_query(
            db, &rows, err,
            "SELECT COLUMN_NAME AS name, COALESCE(COLLATION_NAME, '') AS collation FROM"
            " information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
            "ss", schema, table))
        return false;
    bool ok = compare_columns(rows, d, ret_exists, err);
    db_rows_free(rows);
    return ok;
}

static bool read_create(Db *db, const char *schema, const char *table, char **ret, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_adds(&sql, "SHOW CREATE TABLE ");
    db_quote_table(&sql, schema, table);
    DbRows *rows;
    bool more;
    if (!db_query(db, &rows, err, str_z(&sql), ""))
        return false;
    bool ok = db_next(rows, &more, err);
    if (ok && (!more || db_columns(rows) < 2 || !str_starts(db_field(rows, 1, NULL), "CREATE TABLE ")))
        ok = err_set(err, ERR_REFUSED, 0, "%s.%s is not a base table", schema, table);
    if (ok)
        *ret = xstrdup(db_field(rows, 1, NULL));
    db_rows_free(rows);
    return ok;
}

bool frozen_target_read(Db *db, const IndexDefinition *d, bool checksum, FrozenTarget *ret, Err *err)
{
    AUTOFREE char *schema = NULL;
    AUTOFREE char *table = NULL;
    FrozenTarget t = {0};
    bool exists;
    if (!db_split_table(d->target, &schema, &table))
        return err_set(err, ERR_CONFIG, 0, "\"%s\" is not \"database.table\"", d->target);
    if (!look_at_columns(db, d, schema, table, &exists, err))
        return false;
    bool ok = !exists || read_create(db, schema, table, &t.create, err);
    if (ok && exists && checksum) {
        StrList columns = STRLIST_INIT;
        AUTO(str_done) Str sql = STR_INIT;
        definition_columns(d, &columns);
        rowsum_sql(&sql, schema, table, &columns, NULL);
        ok = db_value(db, &t.checksum, err, str_z(&sql), "");
        strlist_done(&columns);
    }
    if (!ok) {
        frozen_target_done(&t);
        return false;
    }
    *ret = t;
    return true;
}

void frozen_target_done(FrozenTarget *t)
{
    free(t->create);
    free(t->checksum);
    *t = (FrozenTarget){0};
}

/* The target's, with the weights of now where the comment is one of ours: of two comments the last counts. */
static void own_definition(const IndexDefinition *d, const char *create, Str *out)
{
    str_adds(out, create);
    if (strstr(create, "PARTITION BY") || !strstr(create, ") ENGINE=") ||
        !strstr(create, " COMMENT='{\"fields\":[{\"name\":"))
        return;
    AUTOFREE char *comment = definition_comment(d);
    str_adds(out, " COMMENT=");
    db_quote_str(out, comment, strlen(comment));
}

json_t *upload_object(const JobFile *job, const FrozenTarget *target, int64_t rows, const char *checksum,
                      int64_t frozen_at)
{
    const IndexDefinition *d = &job->index;
    json_t *u = json_object();
    StrList columns = STRLIST_INIT, fields = STRLIST_INIT;
    AUTO(str_done) Str create = STR_INIT;
    AUTOFREE char *fingerprint = definition_fingerprint(d);
    definition_columns(d, &columns);
    for (size_t i = 0; i < d->fields.n; i++)
        strlist_add(&fields, definition_field(d, i)->name);
    if (target->create)
        own_definition(d, target->create, &create);
    else
        definition_create_table(d, &create);
    json_set_str(u, "mode", str_eq(job->upload, "none") ? "swap" : job->upload);
    json_set_str(u, "target", d->target);
    json_set_str(u, "job", job->name);
    json_set_str(u, "layout", d->layout);
    json_set_strs(u, "columns", &columns);
    json_set_strs(u, "fields", &fields);
    AUTOFREE char *comment = definition_comment(d);
    json_set_str(u, "create", str_z(&create));
    json_set_str(u, "comment", comment);
    json_set_bool(u, "allow_nontransactional", job->allow_nontransactional);
    json_set_int(u, "rows", rows);
    json_set_str(u, "checksum", checksum);
    json_set_str(u, "target_checksum", target->checksum);
    json_set_str(u, "on_change", d->on_change);
    json_set_time(u, "frozen_at", frozen_at);
    json_set_str(u, "definition", fingerprint);
    json_set_str(u, "tokenizer", tokenizer_version());
    strlist_done(&columns);
    strlist_done(&fields);
    return u;
}

/* ---- position ------------------------------------------------------------------------------------ */

bool position_read(Db *db, char **ret, Err *err)
{
    DbRows *rows;
    bool more;
    if (!db_query(db, &rows, err, flavor_of(db_version(db)->flavor)->position_sql, ""))
        return false;
    bool ok = db_next(rows, &more, err);
    if (ok)
        *ret = xstrdup(more ? db_text(rows, "applied") : "");
    db_rows_free(rows);
    return ok;
}

bool position_check(Db *db, const char *gtid, Err *err)
{
    AUTOFREE char *applied = NULL;
    if (!position_read(db, &applied, err))
        return false;
    if (gtid_compare_text(db_version(db)->flavor, applied, gtid) == GTID_EQUAL)
        return true;
    return err_set(err, ERR_REFUSED, 0,
                   "the server stands at GTID %s, not frozen at %s: the result would not be of one instant",
                   applied, gtid);
}
