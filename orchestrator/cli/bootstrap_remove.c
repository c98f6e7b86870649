/* SPDX-License-Identifier: Apache-2.0
 * The way back: what Siding has made on the primary goes, and with replication on the replicas; what it has
 * set on the primary is put back. What stands on hosts, and settings of servers as they are then, are told.
 */
#include <string.h>

#include "bootstrap_impl.h"

#define OUR_ACCOUNTS                                                                                         \
    "('siding', 'siding_agent', 'siding_rescue', 'siding_job', 'siding_load', "                              \
    "'siding_provision')"
/* Tables of an upload that a kill or a person has left, and of a restore. */
#define OUR_TABLES                                                                                           \
    "(table_name LIKE '\\\\_%\\\\_siding\\\\_new' OR table_name LIKE '\\\\_%\\\\_siding\\\\_old' OR "        \
    "table_name LIKE '\\\\_%\\\\_siding\\\\_todo' OR table_name LIKE '\\\\_%\\\\_siding\\\\_done' OR "       \
    "table_name LIKE '\\\\_siding\\\\_%')"

static bool schema_is_there(Bootstrap *b, bool *ret, Err *err)
{
    int64_t n;
    if (!db_value_int(b->db, &n, err,
                      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='siding' AND "
                      "table_name='task'",
                      ""))
        return false;
    *ret = n > 0;
    return true;
}

static bool nothing_runs(Bootstrap *b, Err *err)
{
    int64_t n;
    bool there;
    if (!schema_is_there(b, &there, err))
        return false;
    if (!there)
        return true;
    if (!db_value_int(b->db, &n, err,
                      "SELECT COUNT(*) FROM siding.task WHERE state IN ('running', 'sleeping', 'stopping')",
                      ""))
        return false;
    return n == 0 ||
           err_set(
               err, ERR_REFUSED, 0,
               "%lld tasks are under way: end them (siding task stop, siding task kill), stop sidingd and "
               "the agents, and try again",
               (long long)n);
}

/* Each row's statement is made by `add`; all are read before the first is carried out. */
static bool for_each(Bootstrap *b, const char *query, void (*add)(Str *sql, const char *one, const char *two),
                     int64_t *ret_n, Err *err)
{
    DbRows *r;
    bool more, ok;
    AUTO(strlist_done) StrList statements = STRLIST_INIT;
    if (!db_query(b->db, &r, err, query, ""))
        return false;
    while ((ok = db_next(r, &more, err)) && more) {
        AUTO(str_done) Str sql = STR_INIT;
        add(&sql, db_text(r, "one"), db_text(r, "two"));
        strlist_add(&statements, str_z(&sql));
    }
    db_rows_free(r);
    for (size_t i = 0; ok && i < statements.n; i++) {
        ok = bootstrap_do(b, statements.v[i], NULL, err);
        if (ok && !b->plan.dry_run)
            str_addf(b->out, "%s\n", statements.v[i]);
    }
    *ret_n = (int64_t)statements.n;
    return ok;
}

static void drop_table(Str *sql, const char *schema, const char *table)
{
    str_adds(sql, "DROP TABLE ");
    db_quote_table(sql, schema, table);
}

static void drop_user(Str *sql, const char *user, const char *host)
{
    str_adds(sql, "DROP USER ");
    bootstrap_quote_account(sql, user, host);
}

static void drop_database(Str *sql, const char *name, const char *ignored)
{
    (void)ignored;
    str_adds(sql, "DROP DATABASE ");
    db_quote_id(sql, name);
}

static void tell_variable(Bootstrap *b, const char *name, const char *value)
{
    bool is_closed = str_ends(name, "read_only");
    str_addf(b->out, "  %s = %s\n", name, is_closed && b->closed ? "ON" : is_closed ? "OFF" : value);
}

static bool tell_settings(Bootstrap *b, Err *err)
{
    DbRows *r;
    bool more, ok;
    if (!db_query(
            b->db, &r, err,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', "
            "'event_scheduler', "
            "'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled', 'binlog_expire_logs_seconds', "
            "'expire_logs_days', 'max_binlog_total_size')",
            ""))
        return false;
    str_adds(
        b->out,
        "left on this server, as it stands now (what the option file says counts from its next start):\n");
    while ((ok = db_next(r, &more, err)) && more)
        tell_variable(b, db_text(r, "Variable_name"), db_text(r, "Value"));
    db_rows_free(r);
    return ok;
}

static void tell_hosts(Bootstrap *b)
{
    str_adds(b->out, "left on the hosts, to be removed by hand:\n");
    for (size_t i = 0; i < coordconf_agents(b->cfg); i++)
        str_addf(b->out,
                 "  %s: siding-agent (stop it first), the folders state_dir, spool_dir and vault_dir of its "
                 "agent.conf, "
                 "siding.ballast beside the server's relay logs, its option files\n",
                 coordconf_agent(b->cfg, i)->name);
    str_adds(b->out, "  each: the option file with skip_slave_start (skip_replica_start) and read_only: with "
                     "these a replica does "
                     "not replicate after its next start, and a primary is closed\n");
    str_addf(b->out, "  here: sidingd (stop it first), %s, %s\n", b->cfg->state_dir, b->cfg->credentials_dir);
}

bool bootstrap_remove(Bootstrap *b, Err *err)
{
    int64_t tables, users, schemas;
    AUTO(bootstrap_kept_done) BootstrapKept kept = {0};
    if (!nothing_runs(b, err) || !bootstrap_read_kept(b, &kept, err) ||
        !bootstrap_put_back_semi_sync(b, &kept, err) ||
        !for_each(
            b,
            "SELECT table_schema AS one, table_name AS two FROM information_schema.tables WHERE table_type = "
            "'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'siding', 'information_schema', "
            "'performance_schema') AND " OUR_TABLES " ORDER BY 1, 2",
            drop_table, &tables, err) ||
        !for_each(b,
                  "SELECT schema_name AS one, '' AS two FROM information_schema.schemata WHERE schema_name = "
                  "'siding'",
                  drop_database, &schemas, err) ||
        !for_each(
            b, "SELECT User AS one, Host AS two FROM mysql.user WHERE User IN " OUR_ACCOUNTS " ORDER BY 1, 2",
            drop_user, &users, err))
        return false;
    bootstrap_remove_ballast(b);
    if (!bootstrap_put_back_closed(b, &kept, err))
        return false;
    if (b->plan.dry_run)
        return true;
    str_addf(b->out, "taken away: %lld tables, %lld schemas, %lld accounts\n", (long long)tables,
             (long long)schemas, (long long)users);
    tell_hosts(b);
    return tell_settings(b, err);
}
