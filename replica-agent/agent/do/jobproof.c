/* SPDX-License-Identifier: Apache-2.0 */
#include "jobproof.h"

#include "replica-agent/agent/agent.h"
#include "replica-agent/core/preflight.h"
#include "replica-agent/index/proof.h"
#include "replica-agent/index/target.h"

enum { TRY_MS = 20000 };

void jobproof_done(JobProof *p)
{
    strlist_done(&p->files);
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
    for (size_t i = 0; i < a->jobs.n; i++)
        if (a->jobs.v[i].path && (!job || str_eq(a->jobs.v[i].f.name, job)))
            strlist_add(&ret->files, a->jobs.v[i].path);
}

/* A command's, or an index's. */
static const char *target_of(const JobFile *f)
{
    return f->index.fields.n ? f->index.target : f->target;
}

static bool check_target(Db *db, const JobFile *f, Err *err)
{
    AUTOFREE char *schema = NULL;
    AUTOFREE char *table = NULL;
    bool swap = str_eq(f->upload, "swap"), rows = str_eq(f->upload, "append") || str_eq(f->upload, "replace");
    if ((!swap && !rows) || !target_of(f) || !db_split_table(target_of(f), &schema, &table))
        return true;
    const TargetName t = {schema, table};
    return swap ? target_check_swap(db, &t, err) : target_check_rows(db, &t, f->allow_nontransactional, err);
}

static bool try_job(const DbTarget *account, const JobFile *f, bool is_replica, Err *err)
{
    Db *db = NULL;
    if (!account->defaults_file)
        return true;
    bool ok = db_connect(account, TRY_MS, &db, err) &&
              (!is_replica || !f->index.fields.n || proof_of_index(db, &f->index, err)) &&
              check_target(db, f, err);
    db_close(db);
    return ok;
}

static void tell(const char *file, const JobFile *f, const Err *why, WireList *findings)
{
    bool slow = why->kind == ERR_TIMEOUT;
    AUTOFREE char *mend =
        slow ? xstrdup("see that its queries can use an index") : xasprintf("mend it there, or in %s", file);
    preflight_add(findings, "job", slow ? "warning" : "error", mend, "job %s: %s", f->name, why->text);
}

void jobproof_run(const JobProof *p, bool is_replica, WireList *findings)
{
    for (size_t i = 0; i < p->files.n; i++) {
        JobFile f = {0};
        Err err;
        if (!job_file_load(p->files.v[i], &f, &err))
            continue; /* told where job files are read */
        if (!try_job(is_replica ? &p->reader : &p->load, &f, is_replica, &err))
            tell(p->files.v[i], &f, &err, findings);
        job_file_done(&f);
    }
}
