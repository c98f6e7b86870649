/* SPDX-License-Identifier: Apache-2.0
 * The one way to change anything, and what the schema says of itself.
 */
#include <string.h>

#include "bootstrap_impl.h"

bool bootstrap_do(Bootstrap *b, const char *sql, const char *shown, Err *err)
{
    if (b->plan.dry_run) {
        str_addf(b->out, "%s;\n", shown ? shown : sql);
        return true;
    }
    if (db_exec(b->db, err, sql, ""))
        return true;
    return err_prefix(err, "%.120s…", shown ? shown : sql);
}

static bool schema_exists(Bootstrap *b, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(b->db, &n, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='siding' AND "
                      "table_name='meta'",
                      ""))
        return false;
    *ret = n > 0;
    return true;
}

bool bootstrap_read_meta(Bootstrap *b, const char *name, char **ret, Err *err)
{
    bool exists;
    *ret = NULL;
    if (!schema_exists(b, &exists, err))
        return false;
    if (!exists || db_value(b->db, ret, err, "SELECT value FROM siding.meta WHERE name=?", "s", name))
        return true;
    return err->kind == ERR_NOT_FOUND;
}

bool bootstrap_write_meta(Bootstrap *b, const char *name, const char *value, Err *err)
{
    AUTOFREE char *have = NULL;
    AUTO(str_done) Str sql = STR_INIT;
    if (!bootstrap_read_meta(b, name, &have, err))
        return false;
    if (str_eq(have, value))
        return true;
    str_adds(&sql, "REPLACE INTO siding.meta (name, value) VALUES (");
    db_quote_str(&sql, name, strlen(name));
    str_adds(&sql, ", ");
    db_quote_str(&sql, value, strlen(value));
    str_adds(&sql, ")");
    return bootstrap_do(b, sql.p, NULL, err);
}
