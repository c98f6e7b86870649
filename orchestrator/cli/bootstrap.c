/* SPDX-License-Identifier: Apache-2.0 */
#include "bootstrap.h"

#include <string.h>

#include "common/base/password.h"
#include "common/db/db.h"
#include "common/db/flavor.h"
#include "common/db/repl.h"
#include "common/db/servercheck.h"
#include "common/file/fs.h"
#include "siding_schema.h"

enum { STATEMENT_TIMEOUT_MS = 60000, PASSWORD_BYTES = 24 };

static const struct {
    const char *account, *file;
} accounts[] = {
    {"siding", "coordinator.cnf"}, {"siding_agent", "agent.cnf"}, {"siding_rescue", "rescue.cnf"},
    {"siding_job", "job.cnf"},     {"siding_load", "load.cnf"},
};

typedef struct Bootstrap {
    const SidingConfig *cfg;
    const Flavor *flavor;
    Db *db;
    bool dry_run;
    Str *out;
} Bootstrap;

/* `shown` is what a person may see of it; NULL: the statement itself. */
static bool run(Bootstrap *b, const char *sql, const char *shown, Err *err)
{
    if (b->dry_run) {
        str_addf(b->out, "%s;\n", shown ? shown : sql);
        return true;
    }
    if (db_exec(b->db, err, sql, ""))
        return true;
    return err_prefix(err, "%.120s…", shown ? shown : sql);
}

/* ---- the server ------------------------------------------------------------------------------------- */

static void tell_all(const WireList *findings, Str *out)
{
    const Finding *f = findings->v;
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(f[i].level, "error") == 0)
            str_addf(out, "\n  %s\n    mend: %s", f[i].text, f[i].mend);
}

/* Refuses with everything that is wrong at once. */
static bool check_settings(Bootstrap *b, Err *err)
{
    ServerFacts facts = {0};
    WireList findings = {0};
    AUTO(str_done) Str text = STR_INIT;
    if (!servercheck_read(b->db, &facts, err))
        return false;
    servercheck_judge(&facts, NULL, &findings);
    tell_all(&findings, &text);
    servercheck_free(&findings);
    server_facts_done(&facts);
    return !text.len || err_set(err, ERR_REFUSED, 0, "this server is not ready for Siding:%s", text.p);
}

static bool check_server(Bootstrap *b, Err *err)
{
    ReplStatus s = {0};
    if (!flavor_check_version(db_version(b->db), err) || !repl_read(b->db, &s, err))
        return false;
    bool ok = !s.is_replica;
    if (!ok)
        err_set(err, ERR_REFUSED, 0,
                "this server is a replica of %s:%lld: bootstrap runs on the primary (admin_defaults_file "
                "names it)",
                s.source_host, (long long)s.source_port);
    repl_status_done(&s);
    return ok && check_settings(b, err);
}

/* ---- accounts --------------------------------------------------------------------------------------- */

/* The value of `password` in an option file written by an earlier bootstrap or by a person. */
static char *password_in(const char *text)
{
    AUTO(strlist_done) StrList lines = STRLIST_INIT;
    strlist_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *p = lines.v[i] + strspn(lines.v[i], " \t");
        if (!str_starts(p, "password"))
            continue;
        p += strlen("password");
        p += strspn(p, " \t=");
        size_t n = strcspn(p, "\r\n");
        if (n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p)
            return xstrndup(p + 1, n - 2);
        return xstrndup(p, n);
    }
    return NULL;
}

static bool credentials(Bootstrap *b, const char *account, const char *file, char **ret_password, Err *err)
{
    AUTOFREE char *path = xasprintf("%s/%s", b->cfg->credentials_dir, file);
    AUTO(str_done) Str text = STR_INIT;
    if (fs_exists(path)) {
        if (!fs_check_private(path, err) || !fs_read(path, 1 << 16, &text, err))
            return false;
        *ret_password = password_in(str_z(&text));
        if (!*ret_password)
            return err_set(err, ERR_CONFIG, 0, "%s holds no password line: remove the file to have one made",
                           path);
        return true;
    }
    char password[PASSWORD_BYTES + 1];
    random_password(password, PASSWORD_BYTES);
    str_addf(&text, "[client]\nuser=%s\npassword=%s\n", account, password);
    if (!b->dry_run) {
        if (!fs_mkdirs(b->cfg->credentials_dir, 0700, err) || !fs_replace(path, text.p, text.len, 0600, err))
            return false;
        str_addf(b->out, "wrote %s\n", path);
    }
    *ret_password = xstrdup(password);
    return true;
}

static void quote_account(Str *out, const char *account, const char *host)
{
    db_quote_str(out, account, strlen(account));
    if (!*host) /* a role */
        return;
    str_addc(out, '@');
    db_quote_str(out, host, strlen(host));
}

static bool set_password(Bootstrap *b, const char *verb, const char *who, const char *password, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "%s %s IDENTIFIED BY ", verb, who);
    AUTOFREE char *shown = xasprintf("%s'…'", sql.p);
    db_quote_str(&sql, password, strlen(password));
    return run(b, sql.p, shown, err);
}

/* In GRANT a database is a pattern: _ and % in its name are escaped. */
static void quote_database_pattern(Str *out, const char *name)
{
    AUTO(str_done) Str pattern = STR_INIT;
    for (; *name; name++) {
        if (*name == '_' || *name == '%')
            str_addc(&pattern, '\\');
        str_addc(&pattern, *name);
    }
    db_quote_id(out, str_z(&pattern));
}

static bool grant_on(Bootstrap *b, const FlavorGrant *g, const char *who, const char *database, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    str_addf(&sql, "GRANT %s ON ", g->privileges);
    if (!database)
        str_adds(&sql, g->on);
    else if (strcmp(database, "*") == 0)
        str_adds(&sql, "*.*");
    else {
        quote_database_pattern(&sql, database);
        str_adds(&sql, ".*");
    }
    str_addf(&sql, " TO %s", who);
    return run(b, sql.p, NULL, err);
}

static bool grant(Bootstrap *b, const FlavorGrant *g, const char *who, Err *err)
{
    const StrList *databases = strcmp(g->on, "READ") == 0   ? &b->cfg->grants.read
                               : strcmp(g->on, "LOAD") == 0 ? &b->cfg->grants.load
                                                            : NULL;
    if (!databases)
        return grant_on(b, g, who, NULL, err);
    for (size_t i = 0; i < databases->n; i++)
        if (!grant_on(b, g, who, databases->v[i], err))
            return false;
    return true;
}

static bool make_account(Bootstrap *b, const char *account, const char *host, const char *password, Err *err)
{
    AUTO(str_done) Str who = STR_INIT;
    quote_account(&who, account, host);
    if (!set_password(b, "CREATE USER IF NOT EXISTS", who.p, password, err) ||
        !set_password(b, "ALTER USER", who.p, password, err))
        return false;
    for (const FlavorGrant *g = b->flavor->grants; g->account; g++)
        if (strcmp(g->account, account) == 0 && !grant(b, g, who.p, err))
            return false;
    if (!b->dry_run)
        str_addf(b->out, "account %s\n", who.p);
    return true;
}

/* Every database is the server's own as well, with the passwords in it. */
static void warn_of_everything(Bootstrap *b)
{
    if (!b->dry_run && (strlist_has(&b->cfg->grants.load, "*") || strlist_has(&b->cfg->grants.read, "*")))
        str_adds(b->out,
                 "note: grants of \"*\" reach the server's own databases too; name yours in grants.read and "
                 "grants.load unless this is a sandbox\n");
}

static bool is_used(const Flavor *f, const char *account)
{
    const FlavorGrant *g = f->grants;
    while (g->account && strcmp(g->account, account) != 0)
        g++;
    return g->account != NULL;
}

static bool make_accounts(Bootstrap *b, Err *err)
{
    warn_of_everything(b);
    for (size_t i = 0; i < COUNT(accounts); i++) {
        AUTOFREE char *password = NULL;
        if (!is_used(b->flavor, accounts[i].account))
            continue;
        if (!credentials(b, accounts[i].account, accounts[i].file, &password, err))
            return false;
        for (size_t h = 0; h < b->cfg->grants.hosts.n; h++)
            if (!make_account(b, accounts[i].account, b->cfg->grants.hosts.v[h], password, err))
                return false;
    }
    return true;
}

/* ---- schema ----------------------------------------------------------------------------------------- */

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

static bool read_meta(Bootstrap *b, const char *name, char **ret, Err *err)
{
    bool exists;
    *ret = NULL;
    if (!schema_exists(b, &exists, err))
        return false;
    if (!exists || db_value(b->db, ret, err, "SELECT value FROM siding.meta WHERE name=?", "s", name))
        return true;
    return err->kind == ERR_NOT_FOUND;
}

static bool write_meta(Bootstrap *b, const char *name, const char *value, Err *err)
{
    AUTOFREE char *have = NULL;
    AUTO(str_done) Str sql = STR_INIT;
    if (!read_meta(b, name, &have, err))
        return false;
    if (str_eq(have, value))
        return true;
    str_adds(&sql, "REPLACE INTO siding.meta (name, value) VALUES (");
    db_quote_str(&sql, name, strlen(name));
    str_adds(&sql, ", ");
    db_quote_str(&sql, value, strlen(value));
    str_adds(&sql, ")");
    return run(b, sql.p, NULL, err);
}

static bool check_cluster_name(Bootstrap *b, Err *err)
{
    AUTOFREE char *name = NULL;
    if (!read_meta(b, "cluster_name", &name, err))
        return false;
    if (!name || strcmp(name, b->cfg->cluster_name) == 0)
        return true;
    return err_set(err, ERR_REFUSED, 0, "this server's schema siding belongs to cluster \"%s\", not \"%s\"",
                   name, b->cfg->cluster_name);
}

static bool migrate(Bootstrap *b, Err *err)
{
    AUTOFREE char *text = NULL;
    if (!read_meta(b, "schema_version", &text, err))
        return false;
    long long have = 0;
    if (text && !str_to_i64(text, 0, 1000000, &have))
        return err_set(err, ERR_CORRUPT, 0, "siding.meta says schema_version \"%s\"", text);
    if (have > schema_version_latest())
        return err_set(err, ERR_REFUSED, 0,
                       "the schema has version %lld, this siding knows %d: upgrade siding", have,
                       schema_version_latest());
    for (size_t i = 0; i < schema_steps_count; i++) {
        const SchemaStep *s = &schema_steps[i];
        if (s->version <= have)
            continue;
        if (!run(b, s->sql, NULL, err))
            return false;
        bool last = i + 1 == schema_steps_count || schema_steps[i + 1].version != s->version;
        AUTOFREE char *version = xasprintf("%d", s->version);
        if (last && !write_meta(b, "schema_version", version, err))
            return false;
    }
    if (!b->dry_run)
        str_addf(b->out, "schema siding: version %d%s\n", schema_version_latest(),
                 have == schema_version_latest() ? " (as before)" : "");
    AUTOFREE char *term = NULL;
    return read_meta(b, "term", &term, err) && (term || write_meta(b, "term", "0", err)) &&
           write_meta(b, "cluster_name", b->cfg->cluster_name, err);
}

/* Dropping the procedure takes away who may call it: remembered before, granted again after. */
static bool read_callers(Bootstrap *b, StrList *ret, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(b->db, &r, err,
                  "SELECT User, Host FROM mysql.procs_priv WHERE Db='siding' AND Routine_name='submit'", ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        AUTO(str_done) Str sql = STR_INIT;
        str_adds(&sql, "GRANT EXECUTE ON PROCEDURE siding.submit TO ");
        quote_account(&sql, db_text(r, "User"), db_text(r, "Host"));
        strlist_add(ret, sql.p);
    }
    db_rows_free(r);
    return ok;
}

static bool routines_are_current(Bootstrap *b, const char *hash, bool *ret, Err *err)
{
    AUTOFREE char *have = NULL;
    int64_t n;
    if (!read_meta(b, "routines", &have, err) ||
        !db_value_int(b->db, &n, err,
                      "SELECT (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema='siding'"
                      " AND routine_name='submit') + (SELECT COUNT(*) FROM information_schema.views WHERE"
                      " table_schema='siding' AND table_name='schTASK')",
                      ""))
        return false;
    *ret = n == 2 && str_eq(have, hash);
    return true;
}

static bool run_routine(Bootstrap *b, const char *text, const char *definer, Err *err)
{
    AUTO(str_done) Str sql = STR_INIT;
    const char *mark = strstr(text, "%DEFINER%");
    if (mark) {
        str_add(&sql, text, (size_t)(mark - text));
        str_adds(&sql, definer);
        text = mark + strlen("%DEFINER%");
    }
    str_adds(&sql, text);
    return run(b, sql.p, NULL, err);
}

static bool make_routines(Bootstrap *b, Err *err)
{
    AUTO(str_done) Str definer = STR_INIT;
    AUTO(strlist_done) StrList callers = STRLIST_INIT;
    bool current;
    quote_account(&definer, accounts[0].account, b->cfg->grants.hosts.v[0]);
    AUTOFREE char *hash = schema_routines_hash(definer.p);
    if (!routines_are_current(b, hash, &current, err))
        return false;
    if (current)
        return true;
    if (!read_callers(b, &callers, err))
        return false;
    for (size_t i = 0; i < schema_routines_count; i++)
        if (!run_routine(b, schema_routines[i], definer.p, err))
            return false;
    for (size_t i = 0; i < callers.n; i++)
        if (!run(b, callers.v[i], NULL, err))
            return false;
    if (!b->dry_run)
        str_adds(b->out, "made procedure siding.submit and view siding.schTASK\n");
    return write_meta(b, "routines", hash, err);
}

/* ---- all -------------------------------------------------------------------------------------------- */

static bool work(Bootstrap *b, Err *err)
{
    return check_server(b, err) && check_cluster_name(b, err) &&
           run(b, "CREATE DATABASE IF NOT EXISTS siding CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", NULL,
               err) &&
           migrate(b, err) && make_accounts(b, err) && make_routines(b, err);
}

/* A server that waits for its agent is read-only, on MySQL even for an administrator. */
static bool work_writable(Bootstrap *b, Err *err)
{
    ReplStatus s = {0};
    if (!repl_read(b->db, &s, err))
        return false;
    bool closed = s.read_only && !s.is_replica && !b->dry_run;
    repl_status_done(&s);
    if (closed && !repl_set_read_only(b->db, false, err))
        return false;
    bool ok = work(b, err);
    Err later;
    if (closed && !repl_set_read_only(b->db, true, &later) && ok) {
        *err = later;
        return err_prefix(err, "making the server read-only again");
    }
    return ok;
}

bool bootstrap_run(const SidingConfig *cfg, const BootstrapPlan *plan, Str *out, Err *err)
{
    if (!cfg->admin_defaults_file || !cfg->credentials_dir)
        return err_set(
            err, ERR_CONFIG, 0,
            "bootstrap needs the options admin_defaults_file (an account on the primary that may create "
            "users) and credentials_dir");
    DbTarget target = {.defaults_file = cfg->admin_defaults_file};
    Bootstrap b = {.cfg = cfg, .dry_run = plan->dry_run, .out = out};
    if (!db_connect(&target, STATEMENT_TIMEOUT_MS, &b.db, err))
        return false;
    b.flavor = flavor_of(db_version(b.db)->flavor);
    bool ok = work_writable(&b, err);
    db_close(b.db);
    return ok;
}
