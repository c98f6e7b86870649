/* SPDX-License-Identifier: Apache-2.0 */
#include "jobproof.h"

#include "common/db/servercheck.h"
#include "replica-agent/agent/agent.h"
#include "replica-agent/core/preflight.h"
#include "replica-agent/host/confcheck.h"
#include "replica-agent/index/proof.h"
#include "replica-agent/index/target.h"

enum { TRY_MS = 20000 };

void jobproof_done(JobProof *p)
{
    strlist_done(&p->files);
    free(STEAL(p->config));
    db_target_done(&p->reader);
    db_target_done(&p->load);
}

static DbTarget here_as(const Agent *a, char *defaults_file)
{
    DbTarget t = agent_config_target(&a->conf), copy = {0};
    t.defaults_file = defaults_file;
    if (defaults_file)
        db_target_copy(&copy, &t);
    return copy;
}

void jobproof_of(const Agent *a, const char *job, JobProof *ret)
{
    ret->reader = here_as(a, a->conf.job_defaults_file);
    ret->load = here_as(a, a->conf.load_defaults_file);
    ret->config = job ? NULL : xstrdup(a->config_path);
    for (size_t i = 0; i < a->jobs.n; i++)
        if (a->jobs.v[i].path && (!job || str_eq(a->jobs.v[i].f.name, job)))
            strlist_add(&ret->files, a->jobs.v[i].path);
}

/* A command's, or an index's. */
static const char *target_of(const JobFile *f)
{
    return f->index.fields.n ? f->index.target : f->target;
}

static bool check_schema(Db *db, const char *schema, const char *target, Err *err)
{
    int64_t n;
    return db_value_int(db, &n, err, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
                        "s", schema) &&
           (n > 0 ||
            err_set(err, ERR_REFUSED, 0,
                    "there is no database %s for its target %s, or the account that loads may not see it",
                    schema, target));
}

static bool check_index(Db *db, const JobFile *f, const TargetName *t, Err *err)
{
    AUTO(strlist_done) StrList columns = STRLIST_INIT;
    if (!f->index.fields.n)
        return true;
    definition_columns(&f->index, &columns);
    return target_check_columns(db, t, &columns, err);
}

static bool check_target(Db *db, const JobFile *f, bool is_replica, Err *err)
{
    AUTOFREE char *schema = NULL;
    AUTOFREE char *table = NULL;
    bool swap = str_eq(f->upload, "swap"), rows = str_eq(f->upload, "append") || str_eq(f->upload, "replace");
    if ((!swap && !rows) || !target_of(f) || !db_split_table(target_of(f), &schema, &table))
        return true;
    const TargetName t = {schema, table};
    if (!(swap ? target_check_swap(db, &t, err) : target_check_rows(db, &t, f->allow_nontransactional, err)))
        return false;
    /* What a replica has may be behind: its rows are what counts there. */
    return is_replica || (check_schema(db, schema, target_of(f), err) && check_index(db, f, &t, err));
}

/* Loads are refused by the server only when all has been done for them. */
static bool check_load_grants(Db *db, const JobFile *f, Err *err)
{
    AUTOFREE char *schema = NULL;
    AUTOFREE char *table = NULL;
    AUTOFREE char *lacks = NULL;
    bool loads = str_eq(f->upload, "append") || str_eq(f->upload, "replace") || str_eq(f->upload, "swap");
    if (!loads || !target_of(f) || !db_split_table(target_of(f), &schema, &table))
        return true;
    if (!servercheck_load_lacks(db, "siding_load", schema, &lacks, err))
        return false;
    return !lacks ||
           err_set(err, ERR_AUTH, 0,
                   "the account of load_defaults_file may not load into %s.%s: it lacks %s on %s.*; to mend "
                   "it: add \"%s\" to grants.load of sidingd.conf, then siding bootstrap",
                   schema, table, lacks, schema, schema);
}

static bool try_job(const DbTarget *account, const JobFile *f, bool is_replica, Err *err)
{
    Db *db = NULL;
    if (!account->defaults_file)
        return true;
    bool ok = db_connect(account, TRY_MS, &db, err) &&
              (!is_replica || !f->index.fields.n || proof_of_index(db, &f->index, err)) &&
              (is_replica || check_load_grants(db, f, err)) && check_target(db, f, is_replica, err);
    db_close(db);
    return ok;
}

static void tell(const char *file, const JobFile *f, const Err *why, WireList *findings)
{
    bool slow = why->kind == ERR_TIMEOUT;
    AUTOFREE char *mend =
        slow ? xstrdup("see that its queries can use an index") : xasprintf("mend it there, or in %s", file);
    finding_add(findings, "job", slow ? "warning" : "error", mend, "job %s: %s", f->name, why->text);
}

/* The files of this host, as the file says now. */
static void check_host(const char *config, WireList *findings)
{
    Err err;
    AgentConfig c = {0};
    if (agent_config_load(config, &c, &err))
        confcheck_files(&c, findings);
    else
        finding_add(findings, "agent.conf", "error", "mend it, then systemctl reload siding-agent",
                    "the file that the agent would read at its next start is wrong: %s", err.text);
    agent_config_free(&c);
}

static void check_account(const DbTarget *t, const char *account, WireList *findings)
{
    Err err;
    Db *db = NULL;
    ServerFacts facts = {0};
    if (!t->defaults_file)
        return; /* told by check_host */
    AUTOFREE char *mend = xasprintf("siding bootstrap, then copy the account's file to %s", t->defaults_file);
    if (!db_connect(t, TRY_MS, &db, &err) || !servercheck_read(db, &facts, &err))
        finding_add(findings, "grants", "error", mend, "the account %s (%s) cannot be used here: %s", account,
                    t->defaults_file, err.text);
    else
        servercheck_judge_grants(&facts, account, findings);
    server_facts_done(&facts);
    db_close(db);
}

void jobproof_run(const JobProof *p, bool is_replica, WireList *findings)
{
    if (p->config) {
        check_host(p->config, findings);
        check_account(&p->reader, "siding_job", findings);
        check_account(&p->load, "siding_load", findings);
    }
    for (size_t i = 0; i < p->files.n; i++) {
        JobFile f = {0};
        Err err;
        if (!job_file_load(p->files.v[i], &f, &err))
            continue; /* told where job files are read */
        confcheck_job(&f, p->files.v[i], findings);
        if (!try_job(is_replica ? &p->reader : &p->load, &f, is_replica, &err))
            tell(p->files.v[i], &f, &err, findings);
        job_file_done(&f);
    }
}
