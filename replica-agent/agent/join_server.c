/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "common/db/clientfile.h"
#include "common/db/servercheck.h"
#include "common/file/fs.h"
#include "common/wire/finding.h"
#include "join.h"

enum { TIMEOUT_MS = 30000 };

#define SQL_FILE "accounts.sql"

/* ---- the two accounts ------------------------------------------------------------------------------- */

static void add_account(Str *out, const Flavor *f, const char *user, const char *password)
{
    AUTO(str_done) Str who = STR_INIT;
    db_quote_str(&who, user, strlen(user));
    str_adds(&who, "@'localhost'");
    static const char *const verbs[] = {"CREATE USER IF NOT EXISTS", "ALTER USER"};
    for (size_t i = 0; i < COUNT(verbs); i++) {
        str_addf(out, "%s %s", verbs[i], who.p);
        f->identified(out, password);
        str_adds(out, ";\n");
    }
}

/* siding_agent gets the rest of its grants with the data: they are on tables that are not here yet. */
static void add_grants(Str *out, const Flavor *f)
{
    for (const FlavorGrant *g = f->grants; g->account; g++)
        if (str_eq(g->account, "siding_agent") && str_eq(g->on, "*.*"))
            str_addf(out, "GRANT %s ON *.* TO '%s'@'localhost';\n", g->privileges, g->account);
}

static bool add_one(const JoinPlace *p, const Flavor *f, const char *file, Str *out, char **ret_user,
                    Err *err)
{
    ClientFile c = {0};
    AUTOFREE char *path = xasprintf("%s/%s", p->dir, file);
    bool ok = clientfile_read(path, &c, err) &&
              ((c.user && c.password) || err_set(err, ERR_CONFIG, 0, "%s names no account", path));
    if (ok) {
        add_account(out, f, c.user, c.password);
        *ret_user = xstrdup(c.user);
    }
    clientfile_done(&c);
    return ok;
}

/* Lines that end with ";": as siding-agent runs them, and as a person does from the file. */
static bool statements(const JoinPlace *p, const Flavor *f, Str *out, Err *err)
{
    AUTOFREE char *agent = NULL, *filler = NULL;
    str_adds(out, "SET SESSION sql_log_bin=0;\n");
    if (!add_one(p, f, "agent.cnf", out, &agent, err) || !add_one(p, f, "provision.cnf", out, &filler, err))
        return false;
    add_grants(out, f);
    str_adds(out, "GRANT ALL PRIVILEGES ON *.* TO ");
    db_quote_str(out, filler, strlen(filler));
    str_adds(out, "@'localhost' WITH GRANT OPTION;\n");
    return true;
}

static bool run_all(Db *db, const char *sql, Err *err)
{
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    strlist_split(&lines, sql, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        lines.v[i][strlen(lines.v[i]) - 1] = 0; /* the semicolon */
        if (!db_exec(db, err, lines.v[i], ""))
            return false;
    }
    return true;
}

/* Accounts of a server that somebody uses are not touched: it would not be filled either. */
static bool check_empty(Db *db, Err *err)
{
    int64_t n;
    if (!db_value_int(db, &n, err,
                      "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', "
                      "'information_schema', 'performance_schema', 'sys')",
                      ""))
        return false;
    return n == 0 || err_set(err, ERR_REFUSED, 0,
                             "it holds %lld databases already, and siding replica add fills empty "
                             "servers only",
                             (long long)n);
}

static bool make_accounts(Db *db, const Flavor *f, const char *sql, Err *err)
{
    Err later;
    ReplStatus s = {0};
    if (!check_empty(db, err) || !repl_read(db, &s, err))
        return false;
    bool closed = s.closed && f->admins_write;
    repl_status_done(&s);
    if (closed && !db_exec(db, err, f->admins_write, ""))
        return false;
    bool ok = run_all(db, sql, err);
    if (closed && !repl_set_read_only(db, true, &later) && ok) {
        *err = later;
        return false;
    }
    return ok;
}

/* ---- the option file -------------------------------------------------------------------------------- */

static bool tell_settings(const JoinPlace *p, Db *db, int *step, Str *out, Err *err)
{
    ServerFacts facts = {0};
    WireList findings = {0};
    if (!servercheck_read(db, &facts, err))
        return false;
    servercheck_judge_settings(&facts, &findings);
    const Finding *f = findings.v;
    size_t lacks = 0;
    for (size_t i = 0; i < findings.n; i++)
        lacks += !str_eq(f[i].level, "ok");
    if (lacks)
        str_addf(out,
                 "%d. %s/siding.cnf behind the server's other option files, a server_id of its own, and the "
                 "server restarted:\n",
                 (*step)++, p->dir);
    for (size_t i = 0; i < findings.n; i++)
        if (!str_eq(f[i].level, "ok"))
            str_addf(out, "       %s: %s%s%s\n", f[i].level, f[i].text, f[i].mend ? "; " : "",
                     f[i].mend ? f[i].mend : "");
    servercheck_free(&findings);
    server_facts_done(&facts);
    return true;
}

/* ---- all -------------------------------------------------------------------------------------------- */

/* By hand then: the statements stand in a file, as they name passwords. */
static void tell_by_hand(const JoinPlace *p, const char *sql, const Err *why, int *step, Str *out)
{
    Err err;
    AUTOFREE char *path = xasprintf("%s/" SQL_FILE, p->dir);
    if (fs_replace(path, sql, strlen(sql), 0600, &err))
        str_addf(out,
                 "%d. The server was not asked (%s): run the statements of %s on it as an administrator, and "
                 "remove that file. %s/siding.cnf goes behind the server's other option files, with a "
                 "server_id of its own.\n",
                 (*step)++, why->text, path, p->dir);
    else
        str_addf(out, "%d. %s; and %s\n", (*step)++, why->text, err.text);
}

void join_server(const JoinPlace *p, DbFlavor flavor, const char *admin, int *step, Str *out)
{
    Err err;
    Db *db = NULL;
    AUTO(str_done) Str sql = STR_INIT;
    DbTarget t = {
        .defaults_file = (char *)admin, .socket = (char *)p->socket, .user = admin ? NULL : (char *)"root"};
    if (!statements(p, flavor_of(flavor), &sql, &err)) {
        str_addf(out, "%d. %s\n", (*step)++, err.text);
        return;
    }
    bool ok = db_connect(&t, TIMEOUT_MS, &db, &err);
    if (ok && db_version(db)->flavor != flavor)
        ok = err_set(&err, ERR_REFUSED, 0, "it is %s, and the cluster is not", db_version(db)->text);
    ok = ok && make_accounts(db, flavor_of(flavor), str_z(&sql), &err) &&
         tell_settings(p, db, step, out, &err);
    if (!ok)
        tell_by_hand(p, str_z(&sql), &err, step, out);
    db_close(db);
    explicit_bzero(sql.p, sql.len);
}
