/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include <stdio.h>
#include <string.h>

#include "account.h"
#include "common/base/text.h"
#include "common/db/flavor.h"

enum { MOST_BYTES = 64 << 20 };

typedef struct Users {
    Db *db;
    const Flavor *flavor;
    bool ours;
    size_t n_ours; /* left out */
    bool breaks;   /* a statement of the account at hand has a line break: they are told apart by lines */
    Str create, grants, defaults;
} Users;

/* Of a role the server also shows what it has through others. */
static void take_grant(Users *u, const char *sql, const Account *of, Str *out)
{
    Account to;
    if (!account_changed_by(sql, &to))
        return;
    AUTOFREE char *grant = account_grant(sql);
    if (account_same(&to, of)) {
        u->breaks |= strchr(grant, '\n') != NULL;
        str_addf(out, "%s;\n", grant);
    }
    account_done(&to);
}

static bool read_grants(Users *u, const Account *a, const char *name, Str *out, Err *err)
{
    AUTOFREE char *sql = xasprintf("SHOW GRANTS FOR %s", name);
    DbRows *r;
    bool more, ok;
    if (!db_query(u->db, &r, err, sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more)
        take_grant(u, db_field(r, 0, NULL), a, out);
    db_rows_free(r);
    return ok;
}

static bool read_create(Users *u, const Account *a, const char *name, Str *create, Str *defaults, Err *err)
{
    AUTOFREE char *sql = xasprintf("SHOW CREATE USER %s", name), *statement = NULL, *roles = NULL;
    if (!a->host) {
        str_adds(create, "CREATE ROLE IF NOT EXISTS ");
        db_quote_id(create, a->user);
        str_adds(create, ";\n");
        return true;
    }
    if (!db_value(u->db, &statement, err, sql, ""))
        return false;
    AUTOFREE char *made = account_create(statement, &roles);
    u->breaks |= strchr(statement, '\n') != NULL;
    str_addf(create, "%s;\n", made);
    if (roles)
        str_addf(defaults, "ALTER USER %s DEFAULT ROLE %s;\n", name, roles);
    return true;
}

static void add_all(Str *to, const Str *from)
{
    str_add(to, str_z(from), from->len);
}

static bool add_account(Users *u, const Account *a, Err *err)
{
    static const char everybody[] = "PUBLIC"; /* no account: nobody makes it */
    bool is_public = !a->host && str_eq(a->user, everybody);
    AUTO(str_done) Str name = STR_INIT, create = STR_INIT, grants = STR_INIT, defaults = STR_INIT;
    u->breaks = false;
    if (is_public)
        str_adds(&name, everybody);
    else
        account_quote(&name, a);
    if ((!is_public && !read_create(u, a, str_z(&name), &create, &defaults, err)) ||
        !read_grants(u, a, str_z(&name), &grants, err))
        return false;
    if (u->breaks || strchr(a->user, '\n')) {
        text_print(stderr,
                   "siding-dump: note: account %s is left out: a name in its statements has a line break\n",
                   str_z(&name));
        return true;
    }
    add_all(&u->create, &create);
    add_all(&u->grants, &grants);
    add_all(&u->defaults, &defaults);
    return u->create.len + u->grants.len <= MOST_BYTES ||
           err_set(err, ERR_REFUSED, 0, "the accounts have more than %d MB of statements", MOST_BYTES >> 20);
}

static bool read_all(Users *u, Err *err)
{
    DbRows *r;
    bool more, ok;
    if ((u->flavor->users_session && !db_exec(u->db, err, u->flavor->users_session, "")) ||
        !db_query(u->db, &r, err, u->flavor->users_sql, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        bool role = *db_field(r, 2, NULL) == '1';
        Account a = {xstrdup(db_field(r, 0, NULL)), role ? NULL : xstrdup(db_field(r, 1, NULL))};
        bool left = !u->ours && flavor_is_siding(u->flavor, a.user);
        u->n_ours += left;
        ok = left || add_account(u, &a, err);
        account_done(&a);
        if (!ok)
            break;
    }
    db_rows_free(r);
    return ok;
}

bool users_write(Db *db, bool ours, DumpFolder *out, Err *err)
{
    Users u = {.db = db, .flavor = flavor_of(db_version(db)->flavor), .ours = ours};
    AUTO(str_done) Str text = STR_INIT;
    bool ok = read_all(&u, err) || err_prefix(err, "cannot read the accounts (option --users)");
    if (ok) {
        str_adds(&text, "/*!40101 SET NAMES utf8mb4*/;\n");
        add_all(&text, &u.create);
        add_all(&text, &u.grants);
        add_all(&text, &u.defaults);
        ok = dumpfolder_text(out, USERS_FILE, &text, err);
    }
    if (ok && u.n_ours)
        text_print(
            stderr,
            "siding-dump: note: %zu accounts of Siding's own are left out: siding bootstrap makes them, "
            "--siding-users takes them too\n",
            u.n_ours);
    str_done(&u.create);
    str_done(&u.grants);
    str_done(&u.defaults);
    return ok;
}
