/* SPDX-License-Identifier: Apache-2.0 */
#include "bootstrap_impl.h"

#include <string.h>

#include "common/db/repl.h"
#include "common/db/servercheck.h"
#include "common/file/sha256.h"
#include "siding_schema.h"
#include "submitters.h"

enum { TRIGGER_NEEDS_SUPER = 1419, STATEMENT_TIMEOUT_MS = 3600000 };

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

/* ---- schema ----------------------------------------------------------------------------------------- */

static bool check_cluster_name(Bootstrap *b, Err *err)
{
    AUTOFREE char *name = NULL;
    if (!bootstrap_read_meta(b, "cluster_name", &name, err))
        return false;
    if (!name || strcmp(name, b->cfg->cluster_name) == 0)
        return true;
    return err_set(err, ERR_REFUSED, 0, "this server's schema siding belongs to cluster \"%s\", not \"%s\"",
                   name, b->cfg->cluster_name);
}

static bool run_step(Bootstrap *b, const SchemaStep *s, Err *err)
{
    int64_t done = 0;
    if (s->is_done && !db_value_int(b->db, &done, err, s->is_done, ""))
        return false;
    return done || bootstrap_do(b, s->sql, NULL, err);
}

static bool migrate(Bootstrap *b, Err *err)
{
    AUTOFREE char *text = NULL;
    if (!bootstrap_read_meta(b, "schema_version", &text, err))
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
        if (!run_step(b, s, err))
            return false;
        bool last = i + 1 == schema_steps_count || schema_steps[i + 1].version != s->version;
        AUTOFREE char *version = xasprintf("%d", s->version);
        if (last && !bootstrap_write_meta(b, "schema_version", version, err))
            return false;
    }
    if (!b->plan.dry_run)
        str_addf(b->out, "schema siding: version %d%s\n", schema_version_latest(),
                 have == schema_version_latest() ? " (as before)" : "");
    AUTOFREE char *term = NULL;
    return bootstrap_read_meta(b, "term", &term, err) &&
           (term || bootstrap_write_meta(b, "term", "0", err)) &&
           bootstrap_write_meta(b, "cluster_name", b->cfg->cluster_name, err);
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
        bootstrap_quote_account(&sql, db_text(r, "User"), db_text(r, "Host"));
        strlist_add(ret, sql.p);
    }
    db_rows_free(r);
    return ok;
}

static bool routines_are_current(Bootstrap *b, const char *hash, bool *ret, Err *err)
{
    AUTOFREE char *have = NULL;
    int64_t n;
    if (!bootstrap_read_meta(b, "routines", &have, err) ||
        !db_value_int(
            b->db, &n, err,
            "SELECT (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema='siding'"
            " AND routine_name IN ('submit', 'nearest')) + (SELECT COUNT(*) FROM "
            "information_schema.views WHERE"
            " table_schema='siding' AND table_name IN ('schTASK', 'hstTASK')) + (SELECT COUNT(*) FROM"
            " information_schema.triggers WHERE trigger_schema='siding' AND"
            " trigger_name='enqueue_checked')",
            ""))
        return false;
    *ret = n == 5 && str_eq(have, hash);
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
    if (bootstrap_do(b, sql.p, NULL, err))
        return true;
    if (err->kind == ERR_DB && err->code == TRIGGER_NEEDS_SUPER)
        err_prefix(err,
                   "siding.enqueue needs a trigger: give the account of admin_defaults_file SUPER, or SET "
                   "GLOBAL log_bin_trust_function_creators = 1 while bootstrap runs");
    return false;
}

static bool make_routines(Bootstrap *b, Err *err)
{
    AUTO(str_done) Str definer = STR_INIT;
    AUTO(strlist_done) StrList callers = STRLIST_INIT;
    bool current;
    bootstrap_quote_account(&definer, bootstrap_accounts[0].account, b->cfg->grants.hosts.v[0]);
    AUTOFREE char *hash = schema_routines_hash(definer.p);
    if (!routines_are_current(b, hash, &current, err))
        return false;
    if (current)
        return true;
    if (!read_callers(b, &callers, err))
        return false;
    for (size_t i = 0; i < schema_routines_count; i++) {
        AUTOFREE char *text = schema_routine(i);
        if (!run_routine(b, text, definer.p, err))
            return false;
    }
    for (size_t i = 0; i < callers.n; i++)
        if (!bootstrap_do(b, callers.v[i], NULL, err))
            return false;
    if (!b->plan.dry_run)
        str_adds(b->out, "made procedure siding.submit and views siding.schTASK and siding.hstTASK\n");
    return bootstrap_write_meta(b, "routines", hash, err);
}

/* grants.submit as rows, which the procedure reads; all in one transaction, and only where they differ. */
static bool tell_submitters(Bootstrap *b, Err *err)
{
    AUTO(strlist_done) StrList statements = STRLIST_INIT;
    AUTO(str_done) Str all = STR_INIT;
    submitters_sql(&b->cfg->grants.submit, &statements);
    for (size_t i = 0; i < statements.n; i++)
        str_adds(&all, statements.v[i]);
    char hash[65];
    AUTOFREE char *have = NULL;
    Sha256 *sha = sha256_new();
    sha256_add(sha, str_z(&all), all.len);
    sha256_finish(sha, hash);
    if (!bootstrap_read_meta(b, "submitters", &have, err))
        return false;
    if (str_eq(have, hash))
        return true;
    bool ok = bootstrap_do(b, "START TRANSACTION", NULL, err);
    for (size_t i = 0; ok && i < statements.n; i++)
        ok = bootstrap_do(b, statements.v[i], NULL, err);
    ok = ok && bootstrap_write_meta(b, "submitters", hash, err) && bootstrap_do(b, "COMMIT", NULL, err);
    if (ok && !b->plan.dry_run)
        str_addf(b->out, "grants.submit: %zu accounts\n", b->cfg->grants.submit.n);
    return ok;
}

/* ---- all -------------------------------------------------------------------------------------------- */

static bool make_all(Bootstrap *b, Err *err)
{
    return bootstrap_do(b, "CREATE DATABASE IF NOT EXISTS siding CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                        NULL, err) &&
           migrate(b, err) && bootstrap_keep_settings(b, err) && bootstrap_make_lock_name(b, err) &&
           bootstrap_make_accounts(b, err) && make_routines(b, err) && tell_submitters(b, err);
}

static bool work(Bootstrap *b, Err *err)
{
    if (!check_server(b, err) || !check_cluster_name(b, err))
        return false;
    return b->plan.reader_host    ? bootstrap_make_reader(b, err)
           : b->plan.remove       ? bootstrap_remove(b, err)
           : b->plan.rotate       ? bootstrap_rotate(b, err)
           : b->plan.end_rotation ? bootstrap_end_rotation(b, err)
                                  : make_all(b, err);
}

/* A server that waits for its agent is read-only, on MySQL even for an administrator. */
static bool work_writable(Bootstrap *b, Err *err)
{
    ReplStatus s = {0};
    if (!repl_read(b->db, &s, err))
        return false;
    bool opens = s.read_only && !s.is_replica && !b->plan.dry_run, found = s.closed && !s.is_replica;
    b->closed = found;
    repl_status_done(&s);
    if (opens && !repl_set_read_only(b->db, false, err))
        return false;
    bool ok = work(b, err);
    Err later;
    if (b->closed != (found && !opens) && !repl_set_read_only(b->db, b->closed, &later) && ok) {
        *err = later;
        return err_prefix(err, "making the server %s again", b->closed ? "read-only" : "writable");
    }
    return ok;
}

/* New passwords, or what they are made from, go over this connection. */
static bool check_way(const Bootstrap *b, Err *err)
{
    return db_is_private(b->db) ||
           err_set(err, ERR_REFUSED, 0,
                   "%s reaches the server over the network without TLS, and passwords would be read on the "
                   "way: write "
                   "ssl-ca = FILE and ssl-verify-server-cert into it, or run bootstrap on the primary's host",
                   b->cfg->admin_defaults_file);
}

bool bootstrap_run(const SidingConfig *cfg, const BootstrapPlan *plan, Str *out, Err *err)
{
    if (!cfg->admin_defaults_file || !cfg->credentials_dir)
        return err_set(
            err, ERR_CONFIG, 0,
            "bootstrap needs the options admin_defaults_file (an account on the primary that may create "
            "users) and credentials_dir");
    DbTarget target = {.defaults_file = cfg->admin_defaults_file};
    Bootstrap b = {.cfg = cfg, .plan = *plan, .out = out};
    if (!db_connect(&target, STATEMENT_TIMEOUT_MS, &b.db, err))
        return false;
    b.flavor = flavor_of(db_version(b.db)->flavor);
    bool ok = check_way(&b, err) && work_writable(&b, err);
    db_close(b.db);
    return ok;
}
