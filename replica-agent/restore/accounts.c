/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/db/flavor.h"
#include "common/file/json.h"
#include "filelist.h"
#include "journal_table.h"
#include "replica-agent/dump/users.h"
#include "statements.h"

enum { MOST_BYTES = 128 << 20 };

void accounts_done(Accounts *a)
{
    for (size_t i = 0; i < a->n_made; i++)
        account_done(&a->made[i]);
    free(a->made);
    strlist_done(&a->statements);
    *a = (Accounts){0};
}

/* ---- the file ------------------------------------------------------------------------------------- */

static const char *find_file(const Folder *f)
{
    for (size_t i = 0; i < f->unknown.n; i++)
        if (str_starts(f->unknown.v[i], USERS_FILE))
            return f->unknown.v[i];
    return NULL;
}

static bool cut(Accounts *a, const Str *text, Err *err)
{
    StatementCutter s;
    const char *sql;
    size_t n;
    statements_init(&s);
    statements_feed(&s, str_z(text), text->len);
    while ((sql = statements_next(&s, &n)))
        strlist_add(&a->statements, sql);
    bool ok = statements_ended(&s) || err_set(err, ERR_CORRUPT, 0, "it ends in the middle of a statement");
    statements_done(&s);
    return ok;
}

bool accounts_open(const Folder *f, Accounts *ret, Err *err)
{
    Accounts a = {.flavor =
                      flavor_of_text(json_str(json_object_get(f->about, "snapshot"), "server_version"))};
    AUTO(str_done) Str text = STR_INIT;
    const char *name = find_file(f);
    if (!name)
        return err_set(err, ERR_NOT_FOUND, 0, "%s holds no accounts: siding-dump --users writes them",
                       f->path);
    bool ok =
        filelist_check_bytes(f, name, err) && folder_read(f, name, MOST_BYTES, &text, err) &&
        (text.len < MOST_BYTES || err_set(err, ERR_REFUSED, 0, "it has more than %d MB", MOST_BYTES >> 20)) &&
        cut(&a, &text, err);
    if (!ok) {
        accounts_done(&a);
        return err_prefix(err, "%s", name);
    }
    *ret = a;
    return true;
}

/* ---- accounts ------------------------------------------------------------------------------------- */

static bool is_there(Db *db, const Account *a, bool *ret, Err *err)
{
    int64_t n;
    const char *host = a->host ? a->host : "";
    if (!db_value_int(
            db, &n, err,
            "SELECT COUNT(*) FROM mysql.user WHERE CAST(User AS BINARY) = CAST(? AS BINARY) AND Host = ?",
            "ss", a->user, host))
        return false;
    *ret = n > 0;
    return true;
}

static bool make(Accounts *a, const Restore *r, Db *db, const char *sql, Account *who, Err *err)
{
    AUTO(str_done) Str name = STR_INIT;
    AUTOFREE char *mark = journal_table_mark("ACCOUNT", who->user, who->host ? who->host : "");
    bool there;
    account_quote(&name, who);
    if (!is_there(db, who, &there, err))
        return err_prefix(err, "--users needs SELECT on mysql.*");
    if (there && !json_object_get(r->target.marks, mark)) {
        text_print(stderr, "siding-restore: note: account %s is there already and %s\n", str_z(&name),
                   flavor_is_siding(flavor_of(a->flavor), who->user) ? "gets what it lacks"
                                                                     : "stays as it is");
        return true;
    }
    if (!loader_make(r, db, mark, sql, err))
        return err_prefix(err, "account %s", str_z(&name));
    a->made[a->n_made++] = *who;
    *who = (Account){0};
    return true;
}

static bool check_flavor(const Accounts *a, Db *db, Err *err)
{
    DbFlavor is = db_version(db)->flavor;
    return is == a->flavor ||
           err_set(err, ERR_REFUSED, 0,
                   "the dump's accounts are of %s, and this server is %s: leave out --users",
                   flavor_of(a->flavor)->name, flavor_of(is)->name);
}

bool accounts_make(Accounts *a, const Restore *r, Db *db, Err *err)
{
    bool ok = !a->statements.n || check_flavor(a, db, err);
    a->made = xcalloc(a->statements.n + 1, sizeof *a->made);
    for (size_t i = 0; ok && i < a->statements.n; i++) {
        Account who;
        if (!account_made_by(a->statements.v[i], &who))
            continue;
        ok = make(a, r, db, a->statements.v[i], &who, err);
        account_done(&who);
    }
    return ok;
}

/* ---- grants --------------------------------------------------------------------------------------- */

static bool is_granted(const Accounts *a, const Account *who)
{
    if (!who->host && str_eq(who->user, "PUBLIC")) /* everybody */
        return true;
    if (flavor_is_siding(flavor_of(a->flavor),
                         who->user)) /* made by hand, before there were tables to grant */
        return true;
    for (size_t i = 0; i < a->n_made; i++)
        if (account_same(&a->made[i], who))
            return true;
    return false;
}

static bool grant(const Accounts *a, Db *db, const char *sql, bool early, Err *err)
{
    AUTO(str_done) Str name = STR_INIT;
    Account to;
    if (!account_changed_by(sql, &to))
        return true;
    account_quote(&name, &to);
    bool ok = !is_granted(a, &to) || db_exec(db, err, sql, "") || (early && err->kind == ERR_DB) ||
              err_prefix(err, "what %s had", str_z(&name));
    account_done(&to);
    return ok;
}

bool accounts_grant(const Accounts *a, Db *db, bool early, Err *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < a->statements.n; i++)
        ok = grant(a, db, a->statements.v[i], early, err);
    return ok;
}
