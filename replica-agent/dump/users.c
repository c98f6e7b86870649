/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include <string.h>

#include "common/db/flavor.h"

void users_create(Str *out, const char *statement)
{
    static const char head[] = "CREATE USER ";
    bool plain = str_starts(statement, head) && !str_starts(statement + sizeof head - 1, "IF NOT EXISTS ");
    if (plain)
        str_addf(out, "CREATE USER IF NOT EXISTS %s;\n", statement + sizeof head - 1);
    else
        str_addf(out, "%s;\n", statement);
}

static bool add_grants(Db *db, const char *account, Str *out, Err *err)
{
    AUTOFREE char *sql = xasprintf("SHOW GRANTS FOR %s", account);
    DbRows *r;
    bool more, ok;
    if (!db_query(db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        str_addf(out, "%s;\n", db_field(r, 0, NULL));
    db_rows_free(r);
    return ok;
}

static bool add_account(Db *db, const char *user, const char *host, bool role, Str *create, Str *grants,
                        Err *err)
{
    AUTO(str_done) Str account = STR_INIT;
    db_quote_str(&account, user, strlen(user));
    if (role) {
        str_addf(create, "CREATE ROLE IF NOT EXISTS %s;\n", account.p);
        return add_grants(db, account.p, grants, err);
    }
    str_addc(&account, '@');
    db_quote_str(&account, host, strlen(host));
    AUTOFREE char *sql = xasprintf("SHOW CREATE USER %s", account.p), *statement = NULL;
    if (!db_value(db, &statement, err, sql, ""))
        return false;
    users_create(create, statement);
    return add_grants(db, account.p, grants, err);
}

bool users_write(Db *db, DumpFolder *out, Err *err)
{
    const Flavor *f = flavor_of(db_version(db)->flavor);
    AUTO(str_done) Str text = STR_INIT, grants = STR_INIT;
    DbRows *r;
    bool more, ok;
    if ((f->users_session && !db_exec(db, err, f->users_session, "")) ||
        !db_query(db, &r, err, f->users_sql, ""))
        return err_prefix(err, "cannot read the accounts (option --users)");
    str_adds(&text, "/*!40101 SET NAMES utf8mb4*/;\n");
    while ((ok = db_next(r, &more, err)) && more)
        if (!(ok = add_account(db, db_field(r, 0, NULL), db_field(r, 1, NULL), *db_field(r, 2, NULL) == '1',
                               &text, &grants, err)))
            break;
    db_rows_free(r);
    str_add(&text, str_z(&grants), grants.len);
    return ok ? dumpfolder_text(out, USERS_FILE, &text, err)
              : err_prefix(err, "cannot read the accounts (option --users)");
}
